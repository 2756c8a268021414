"""A file about a whole run, of the kind that its name says."""

from __future__ import annotations

import json
from pathlib import Path

from ..errors import StorageError, UsageError
from .report_html import page
from .report_junit import JUnit
from .summary import Summary


class Report:
    """A report's file, made before anything is sent, and complete when it has its name."""

    def __init__(self, name: str) -> None:
        self._path = Path(name)
        self._kind = self._path.suffix.lower()
        if self._kind not in (".html", ".xml", ".json"):
            raise UsageError(f"--report {name!r}: the kind is not known", hint="name it .html, .xml or .json")
        self.junit = JUnit() if self._kind == ".xml" else None

    def __enter__(self) -> Report:
        self._part = self._path.with_name(f"{self._path.name}.part")
        try:
            self._file = self._part.open("w", encoding="utf-8", errors="replace")
        except OSError as exc:
            raise StorageError(f"{self._path}: {(exc.strerror or '').lower()}", hint="name another place") from None
        return self

    def finish(self, summary: Summary, title: str) -> None:
        if self.junit is not None:
            self.junit.write(self._file, summary, title)
        elif self._kind == ".html":
            self._file.write(page(summary, title))
        else:
            self._file.write(json.dumps(summary.document(), indent=2) + "\n")
        self._file.close()
        self._part.replace(self._path)

    def __exit__(self, *exc: object) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)
