"""All pages of an answer as one: its arrays become one array, other documents follow each other."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ..client import HttpClient, StreamedResponse
from ..errors import ForgeError, ResponseParseException, UsageError
from ..frozen import immutable_by_name
from ..models import Deadline, HttpRequest
from ..pages import Page, PageRule, pages
from .download import DownloadOptions
from .output.shown import OutputOptions


@immutable_by_name
class PageOptions:
    """What the options of pages say, as given."""

    paginate: bool = False
    max_pages: int | None = None
    max_items: int | None = None


def check_pages(
    options: PageOptions, chosen: OutputOptions, downloading: DownloadOptions, har: str | None, method: str
) -> None:
    """UsageError for options that do not go with pages."""
    if not options.paginate:
        for name, value in (("--max-pages", options.max_pages), ("--max-items", options.max_items)):
            if value is not None:
                raise UsageError(f"{name} goes with --paginate", hint="add --paginate")
        return
    others = {
        "--continue": downloading.resume,
        "--har": har is not None,
        "--format exchange": chosen.format == "exchange",
    }
    for name, given in others.items():
        if given:
            raise UsageError(f"--paginate and {name} cannot go together", hint="several exchanges are made")
    if method.upper() != "GET":
        raise UsageError(f"--paginate and {method.upper()} cannot go together", hint="pages are asked for with GET")


class Paged(StreamedResponse):
    """An answer whose body is that of all its pages. Its head is the first page's until the last one is there."""

    def __init__(self, first: Page, rest: Iterator[Page]) -> None:
        for name, value in vars(first.response).items():
            setattr(self, name, value)
        self._first, self._others = first, rest
        self._pages = 0
        if first.items is not None or _is_json(first):
            self.encoding = "utf-8"

    def iter_bytes(self, chunk_size: int = 65536) -> Iterator[bytes]:
        """All pages, each when it is there."""
        if self._first.items is None and not _is_json(self._first):
            yield from super().iter_bytes(chunk_size)
            return
        for text in self._texts():
            data = text.encode("utf-8", "backslashreplace")
            yield from (data[start : start + chunk_size] for start in range(0, len(data), chunk_size))

    def _texts(self) -> Iterator[str]:
        if self._first.items is None:
            yield _document(self._first)
            for page in self._following():
                yield _document(page)
            return
        yield "["
        yield from _joined(self._first.items, "")
        mark = "," if self._first.items else ""
        try:
            for page in self._following():
                if page.items is None:
                    raise ResponseParseException(f"page {self._pages} has no array, as the ones before had")
                yield from _joined(page.items, mark)
                mark = "," if page.items else mark
        except ForgeError:
            yield "]\n"  # what came stays a document
            raise
        yield "]\n"

    def _following(self) -> Iterator[Page]:
        self._pages = 1
        for page in self._others:
            self._pages += 1
            response = page.response
            self.status_code, self.reason, self.headers = response.status_code, response.reason, response.headers
            self.attempts, self.timing = response.attempts, response.timing
            if not 200 <= response.status_code < 300:
                return
            yield page


def paged(
    client: HttpClient, request: HttpRequest, rule: PageRule, options: PageOptions, timeout: float | None
) -> StreamedResponse:
    """Send a request and return its answer, which goes on with the next pages where the body is read."""
    found = pages(
        client,
        request,
        rule,
        most_pages=options.max_pages,
        most_items=options.max_items,
        deadline=None if timeout is None else Deadline(timeout),
    )
    return Paged(next(found), found)


def _joined(items: tuple[str, ...], mark: str) -> Iterator[str]:
    for item in items:
        yield mark + item
        mark = ","


def _document(page: Page) -> str:
    """A document on a line. No text of JSON holds a line end, and between them it is a space like any other."""
    text = page.text.strip()
    return " ".join(text.split("\n")).replace("\r", " ") + "\n" if _is_json(page) else text + "\n"


def _is_json(page: Page) -> bool:
    if not 200 <= page.response.status_code < 300:
        return False
    try:
        json.loads(page.text, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return False
    return True
