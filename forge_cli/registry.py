"""Name -> class tables: the alternatives that a profile or a command line can name."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

from .errors import ForgeError


class Registry:
    """Alternatives by name, each loaded when it is first asked for.

    A row is ``"package.module:Class"``; `extras` names the optional dependency that a row needs.
    """

    def __init__(self, kind: str, rows: Mapping[str, str], *, extras: Mapping[str, str] | None = None) -> None:
        self.kind = kind
        self._rows = dict(rows)
        self._extras = dict(extras or {})

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    def load(self, name: str) -> Any:
        """Return the class behind a name. ForgeError when it is unknown or its extra is missing."""
        row = self._rows.get(name)
        if row is None:
            raise ForgeError(f"{self.kind} {name!r} does not exist", hint=f"one of: {', '.join(self._rows)}")
        module, _, attribute = row.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as exc:
            extra = self._extras.get(name)
            if extra is None or (exc.name or "").startswith("forge_cli"):
                raise
            raise ForgeError(
                f"{self.kind} {name!r} needs {exc.name}", hint=f"pip install 'forge-http[{extra}]'"
            ) from exc
