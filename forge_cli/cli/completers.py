"""Which values of options and arguments the shell completes; loaded when there is something to complete."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from ..registry import Registry

_HERE = "forge_cli.cli.completing"

COMPLETERS = Registry(
    "completer",
    {
        "profile": f"{_HERE}:profiles",
        "step": f"{_HERE}:steps",
        "var": f"{_HERE}:variables",
        "request": f"{_HERE}:requests",
        "recipe": f"{_HERE}:recipes",
        "file": f"{_HERE}:files",
        "method": f"{_HERE}:methods",
        "item": f"{_HERE}:items",
        "reference": f"{_HERE}:referenced",
    },
)


def completed(name: str) -> Callable[[click.Context, click.Parameter, str], Any]:
    """The completer of this name, for `shell_complete=`."""

    def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> Any:
        return COMPLETERS.load(name)(ctx, parameter, incomplete)

    return complete
