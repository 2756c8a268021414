"""A file about a whole run, of the kind that its name says."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from ..errors import StorageError, UsageError
from ..files import followed
from .report_html import page
from .report_junit import JUnit
from .summary import Summary


class Report:
    """A report's file. Before anything is sent it is known that it can be made; it is made at the end, whole."""

    def __init__(self, name: str) -> None:
        self._path = Path(name)
        self._kind = self._path.suffix.lower()
        if self._kind not in (".html", ".xml", ".json"):
            raise UsageError(f"--report {name!r}: the kind is not known", hint="name it .html, .xml or .json")
        self.junit = JUnit() if self._kind == ".xml" else None

    def check(self) -> None:
        """StorageError when it cannot be made."""
        if self._path.is_dir():
            raise StorageError(f"{self._path} is a directory", hint="name a file")
        with self._made():
            pass

    def finish(self, summary: Summary, title: str) -> None:
        """Write it. StorageError when that does not succeed: then what had its name before is still there."""
        with self._made() as (file, place):
            if self.junit is not None:
                self.junit.write(file, summary, title)
            elif self._kind == ".html":
                file.write(page(summary, title))
            else:
                file.write(json.dumps(summary.document(), indent=2) + "\n")
            file.close()
            os.replace(file.name, place)

    @contextmanager
    def _made(self) -> Iterator[tuple[TextIO, str]]:
        """A new file, and the place that it is for, beside it. It goes away if it is still there in the end."""
        part = None
        try:
            place = followed(str(self._path))
            part = os.path.join(os.path.dirname(place), f".forge-{os.urandom(8).hex()}.part")
            with open(part, "x", encoding="utf-8", errors="replace") as file:
                yield file, place
        except OSError as exc:
            raise StorageError(f"{self._path}: {(exc.strerror or '').lower()}", hint="name another place") from None
        finally:
            if part is not None:
                with suppress(OSError):
                    os.unlink(part)
