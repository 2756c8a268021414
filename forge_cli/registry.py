"""Name -> class tables: the alternatives that a profile or a command line can name."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .compiled import compiled
from .errors import ProfileError

_CUSTOM = compiled(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


class Registry:
    """Alternatives by name, each loaded when it is first asked for.

    A row is ``"package.module:Class"``; `extras` names the optional dependency that a row needs. With
    `custom`, such a text is also a name: a class of the user's own, which has these members.
    """

    def __init__(
        self,
        kind: str,
        rows: Mapping[str, str],
        *,
        extras: Mapping[str, str] | None = None,
        custom: Sequence[str] = (),
    ) -> None:
        self.kind = kind
        self._rows = dict(rows)
        self._extras = dict(extras or {})
        self._custom = tuple(custom)

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __contains__(self, name: object) -> bool:
        return name in self._rows or (
            bool(self._custom) and isinstance(name, str) and _CUSTOM.fullmatch(name) is not None
        )

    def load(self, name: str) -> Any:
        """Return the class behind a name. ProfileError when it is unknown or what it needs is not installed."""
        if name not in self:
            raise ProfileError(f"{self.kind} {name!r} does not exist", hint=f"one of: {', '.join(self._rows)}")
        if name not in self._rows:
            return self._own(name)
        module, _, attribute = self._rows[name].partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as exc:
            extra = self._extras.get(name)
            if extra is not None and not (exc.name or "").startswith("forge_cli"):
                hint = f"pip install 'forge-http[{extra}]'"
                raise ProfileError(f"{self.kind} {name!r} needs {exc.name}", hint=hint) from exc
            raise

    def trouble(self, name: str) -> str | None:
        """Why a class of the user's own cannot be used, as far as loading it shows; None for a row of the table."""
        if name in self._rows:
            return None
        try:
            self.load(name)
        except ProfileError as exc:
            return exc.message
        return None

    def _own(self, name: str) -> Any:
        """A class of the user's own."""
        what = f"{self.kind} {name!r}"
        module, _, attribute = name.partition(":")
        try:
            found = getattr(importlib.import_module(module), attribute, None)
        except ModuleNotFoundError as exc:
            raise ProfileError(
                f"{what}: no module {exc.name!r}", hint="install it where forge is, or set PYTHONPATH"
            ) from exc
        except (Exception, SystemExit) as exc:
            # What it says may be anything; its kind is enough to find it by.
            raise ProfileError(
                f"{what}: the module fails with {type(exc).__name__} when it is loaded",
                hint=f"python -c 'import {module}' shows where",
            ) from exc
        if found is None:
            raise ProfileError(f"{what}: the module has no {attribute!r}", hint="correct the name of the class")
        hint = f"name a class that has {', '.join(self._custom)}"
        if not isinstance(found, type):
            raise ProfileError(f"{what} is no class", hint=hint)
        missing = [member for member in self._custom if not hasattr(found, member)]
        if missing:
            raise ProfileError(f"{what} has no {missing[0]!r}, so it is no {self.kind}", hint=hint)
        return found
