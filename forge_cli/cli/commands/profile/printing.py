"""What the profile commands share: names, counts, JSON."""

from __future__ import annotations

import json
from typing import Any

import click

from ....errors import UsageError
from ...context import Context

JSON = click.option("--json", "as_json", is_flag=True, help="As JSON.")


def count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def print_json(context: Context, value: Any) -> int:
    # In ASCII, so that nothing in a profile can drive the terminal.
    context.stdout.write(json.dumps(value, indent=2, default=str) + "\n")
    return 0


def one_name(context: Context, name: str | None) -> str | None:
    """The name given as an argument or by --profile."""
    if name is not None and context.profile_name not in (None, name):
        raise UsageError(f"two profiles: {name!r} and --profile {context.profile_name!r}", hint="name one of them")
    return name or context.profile_name
