"""Name -> class tables: the alternatives that a profile or a command line can name."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

from .compiled import compiled
from .errors import ProfileError

_CUSTOM = compiled(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


class Registry:
    """Alternatives by name, each loaded when it is first asked for.

    A row is ``"package.module:Class"``; `extras` names the optional dependency that a row needs. With
    `custom`, such a text is also a name: a class of the user's own.
    """

    def __init__(
        self, kind: str, rows: Mapping[str, str], *, extras: Mapping[str, str] | None = None, custom: bool = False
    ) -> None:
        self.kind = kind
        self._rows = dict(rows)
        self._extras = dict(extras or {})
        self._custom = custom

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __contains__(self, name: object) -> bool:
        return name in self._rows or (self._custom and isinstance(name, str) and _CUSTOM.fullmatch(name) is not None)

    def load(self, name: str) -> Any:
        """Return the class behind a name. ProfileError when it is unknown or what it needs is not installed."""
        if name not in self:
            raise ProfileError(f"{self.kind} {name!r} does not exist", hint=f"one of: {', '.join(self._rows)}")
        module, _, attribute = self._rows.get(name, name).partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as exc:
            extra = self._extras.get(name)
            if extra is not None and not (exc.name or "").startswith("forge_cli"):
                hint = f"pip install 'forge-http[{extra}]'"
                raise ProfileError(f"{self.kind} {name!r} needs {exc.name}", hint=hint) from exc
            if name in self._rows:
                raise
            raise ProfileError(
                f"{self.kind} {name!r}: no module {exc.name!r}", hint="install it where forge is, or set PYTHONPATH"
            ) from exc
        except AttributeError as exc:
            if name in self._rows:
                raise
            raise ProfileError(f"{self.kind} {name!r}: the module has no {attribute!r}") from exc
