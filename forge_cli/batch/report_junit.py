"""A run as JUnit XML, for build servers: each line is a test case."""

from __future__ import annotations

import shutil
import tempfile
from typing import TextIO
from xml.sax.saxutils import quoteattr

from ..compiled import compiled
from ..digits import one_line
from .results import Result
from .summary import Summary

# What XML 1.0 has no way to write (section 2.2).
_NOT_XML = compiled("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class JUnit:
    """Collects the cases in a temporary file: the counts stand before them, and are known at the end."""

    def __init__(self) -> None:
        # Closed by `write`, or with this object.
        self._cases = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115  # outlives this call

    def add(self, result: Result, why: str | None) -> None:
        """One more result; `why` it failed."""
        inside = "" if why is None else f"<failure message={quoteattr(_clean(why))}/>"
        name = quoteattr(_clean(result.id if isinstance(result.id, str) else one_line(result.id)))
        seconds = result.elapsed_ms / 1000
        self._cases.write(f'<testcase classname="forge.batch" name={name} time="{seconds:.3f}">{inside}</testcase>\n')

    def write(self, file: TextIO, summary: Summary, title: str) -> None:
        """The whole document."""
        counts = f'tests="{summary.count}" failures="{summary.failed}" time="{summary.took:.3f}"'
        file.write(f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n<testsuite name={quoteattr(_clean(title))} ')
        file.write(f"{counts}>\n")
        self._cases.seek(0)
        shutil.copyfileobj(self._cases, file)
        file.write("</testsuite>\n</testsuites>\n")
        self._cases.close()


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
