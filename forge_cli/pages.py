"""Answers that come in pages: where the next one is, and what is on each."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal
from urllib.parse import unquote_plus

from .client import HttpClient, StreamedResponse
from .compiled import compiled
from .curl import iter_params
from .errors import RedirectException, RequestBuildException, ResponseParseException
from .frozen import immutable, immutable_by_name
from .login.pointer import pointer
from .models import Deadline, Headers, HttpRequest, decode_text
from .transport.redirects import origin, resolved

__all__ = ["Page", "PageRule", "next_link", "pages"]

_TARGET = compiled(r"[\s,]*<([^>]*)>")
_PARAMETER = compiled(r"\s*;\s*([^\s=;,]*)\s*(?:=\s*(\"(?:\\.|[^\"\\])*\"|[^\s;,]*))?", re.DOTALL)
_SPACE = compiled(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)
_PARAMS = {"link": "", "cursor": "cursor", "page": "page", "offset": "offset"}
_STARTS = {"page": 1, "offset": 0}
_INDEX = compiled(r"0|[1-9][0-9]{0,8}")


@immutable_by_name
class PageRule:
    """How an API gives its pages.

    `link`: the answer says the next page's URL, in its Link header (RFC 8288) or at `pointer` of its body. `cursor`:
    at `pointer` is a value for the query parameter `param`. `page` and `offset`: `param` counts pages or items, until
    a page has none. `items` points to the items of a page; without it the page is the array. `size`, sent as
    `size_param` unless the request has that itself, is how many items to ask for: with it a page with fewer is the
    last one, if one before had more; a server may give fewer than it is asked for on every page. A 404 after a page
    with fewer is the end too.
    """

    type: Literal["link", "cursor", "page", "offset"] = "link"
    pointer: str | None = None
    items: str | None = None
    param: str | None = None
    start: int | None = None
    size: int | None = None
    size_param: str | None = None


@immutable
class Page:
    """One page. `items` are its items as JSON texts; None when it is one document, which `text` is."""

    response: StreamedResponse
    text: str
    items: tuple[str, ...] | None


def pages(
    client: HttpClient,
    request: HttpRequest,
    rule: PageRule | None = None,
    *,
    most_pages: int | None = None,
    most_items: int | None = None,
    deadline: Deadline | None = None,
) -> Iterator[Page]:
    """The pages of an answer, each asked for when it is wanted; a page that is an error or no JSON is the last.

    RedirectException when the next page is at another origin than the client's and the first one's, or was there
    before; and, where nothing limits them, after ten equal pages. ResponseParseException when a page is not what the
    rule says.
    """
    rule = rule or PageRule()
    stated = _stated_size(request, rule, client.config.default_params or {})
    if stated is None:
        request = _first(request, rule)
    elif re.fullmatch("[0-9]{1,9}", stated, re.ASCII) is not None:
        rule = replace(rule, size=int(stated))
    added = frozenset(client.config.default_params or ())
    trusted = {origin(url) for url in (client.config.base_url, *client.config.origins) if "://" in url}
    seen: set[str] = set()
    before: Page | None = None
    equal = longest = 0
    number, left = 0, most_items
    while number != most_pages and left != 0:
        response = client.send(request, deadline=deadline)
        number += 1
        page = _page(response, rule, client.config.max_body)
        if before is not None and response.status_code == 404 and _short(before, rule):
            return
        if page.items is not None and left is not None:
            page = replace(page, items=page.items[:left])
        if left is not None:
            left = max(0, left - (1 if page.items is None else len(page.items)))
        last = not 200 <= response.status_code < 300 or number == most_pages or left == 0
        if number == 1:
            trusted.add(origin(response.url) if not response.history else origin(response.history[0].url))
            seen.add(_key(_asked(page, rule, request, added)))
        equal = equal + 1 if before is not None and page.items and page.text == before.text else 1
        if equal == _MOST_EQUAL and most_pages is None and most_items is None:
            raise RedirectException(f"{equal} pages in a row are the same", hint=_STUCK.format(_param(rule)))
        yield page
        # Judged by what was asked for: `page` may be cut short by `most_items`, and then it is the last anyhow.
        if last or (page.items is not None and len(page.items) < longest and _short(page, rule)):
            return
        before, longest = page, max(longest, len(page.items or ()))
        following = _NEXT[rule.type](page, rule, request, added)
        if following is None:
            return
        key = _key(following)
        if key in seen:
            raise RedirectException(f"after page {number} comes one that was there before", hint=_ROUND)
        seen.add(key)
        if rule.type == "link" and origin(following.url) not in trusted:
            raise RedirectException(
                "the next page is at another origin, and is not asked for",
                hint="name that origin in `origins` of the profile when it is part of the API",
            )
        request = following


_ROUND = "the pages go round in a circle: check `pagination` in the profile, or give --max-pages"
_STUCK = "does the server know {}? check `pagination` in the profile, or say how many there are: --max-pages N"
_MOST_EQUAL = 10


def _key(request: HttpRequest) -> str:
    return f"{request.url} {request.params!r}"


def _asked(page: Page, rule: PageRule, request: HttpRequest, added: frozenset[str]) -> HttpRequest:
    """The first request, as one for a later page would be that is the same."""
    if rule.type == "link":
        return _without(replace(request, url=page.response.url, params=None), _added(page.response, request) | added)
    value = _value(request, rule.param or _PARAMS[rule.type])
    return request if value is None else _with(request, rule.param or _PARAMS[rule.type], value)


def _param(rule: PageRule) -> str:
    return "its own link" if rule.type == "link" else f"the query parameter {rule.param or _PARAMS[rule.type]!r}"


def _short(page: Page, rule: PageRule) -> bool:
    """Whether a page that is counted has fewer items than were asked for."""
    if rule.type not in _STARTS or rule.size is None or page.items is None:
        return False
    return len(page.items) < rule.size


def next_link(headers: Headers) -> str | None:
    """The target of the first link with the relation "next" in Link fields (RFC 8288, section 3)."""
    for field in headers.get_all("link"):
        for target, parameters in _links(field):
            # A link with an anchor is about another document (section 3.2).
            if "next" in parameters.get("rel", "").lower().split() and "anchor" not in parameters:
                return target
    return None


def _links(field: str) -> Iterator[tuple[str, dict[str, str]]]:
    place = 0
    while (target := _TARGET.match(field, place)) is not None:
        place = target.end()
        parameters: dict[str, str] = {}
        while (found := _PARAMETER.match(field, place)) is not None:
            place = found.end()
            value = found[2] or ""
            if value.startswith('"'):
                value = re.sub(r"\\(.)", r"\1", value[1:-1], flags=re.DOTALL)
            # Of parameters with the same name the first one counts (section 3.3).
            parameters.setdefault(found[1].lower(), value)
        yield target[1].strip(), parameters
        comma = field.find(",", place)
        if comma < 0:
            return
        place = comma


def _page(response: StreamedResponse, rule: PageRule, limit: int | None) -> Page:
    text = decode_text(response.read(limit), response.encoding)
    if not 200 <= response.status_code < 300:
        return Page(response, text, None)
    start = _SPACE.match(text).end()  # type: ignore[union-attr]  # it matches anything
    if text[start : start + 1] not in ("[", "{"):
        return Page(response, text, None)
    try:
        place = _located(text, start, rule.items or "")
        return Page(response, text, None if place is None else tuple(_elements(text, place)))
    except (ValueError, RecursionError):
        raise ResponseParseException("the page is not JSON, or not to its end") from None


def _located(text: str, place: int, path: str) -> int | None:
    """Where in the text the array is that a JSON pointer points to; None when there is none."""
    for part in path.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if text[place] == "{":
            found = [at for key, at, _ in _members(text, place) if key == name][-1:]
        elif text[place] == "[" and _INDEX.fullmatch(name):
            found = [at for number, (at, _) in enumerate(_spans(text, place)) if number == int(name)]
        else:
            found = []
        if not found:
            return None
        place = found[0]
    return place if text[place] == "[" else None


def _elements(text: str, place: int) -> Iterator[str]:
    for start, end in _spans(text, place):
        yield text[start:end]


def _spans(text: str, place: int) -> Iterator[tuple[int, int]]:
    """Where each element of the array at a place begins and ends. ValueError when it is not JSON."""
    place = _after(text, place + 1)
    if text[place : place + 1] == "]":
        return
    while True:
        end = _DECODER.raw_decode(text, place)[1]
        yield place, end
        place = _after(text, end)
        mark = text[place : place + 1]
        if mark == "]":
            return
        if mark != ",":
            raise ValueError(place)
        place = _after(text, place + 1)


def _members(text: str, place: int) -> Iterator[tuple[str, int, int]]:
    """The name of each member of the object at a place, and where its value begins and ends."""
    place = _after(text, place + 1)
    if text[place : place + 1] == "}":
        return
    while True:
        name, end = _DECODER.raw_decode(text, place)
        place = _after(text, end)
        if not isinstance(name, str) or text[place : place + 1] != ":":
            raise ValueError(place)
        place = _after(text, place + 1)
        end = _DECODER.raw_decode(text, place)[1]
        yield name, place, end
        place = _after(text, end)
        mark = text[place : place + 1]
        if mark == "}":
            return
        if mark != ",":
            raise ValueError(place)
        place = _after(text, place + 1)


def _after(text: str, place: int) -> int:
    return _SPACE.match(text, place).end()  # type: ignore[union-attr]  # it matches anything


def _first(request: HttpRequest, rule: PageRule) -> HttpRequest:
    if rule.size is None or rule.size_param is None:
        return request
    return _with(request, rule.size_param, str(rule.size))


def _stated_size(request: HttpRequest, rule: PageRule, defaults: Mapping[str, Any]) -> str | None:
    """How many items the request asks for by itself, None when it does not say; `defaults` are the client's."""
    if rule.size_param is None:
        return None
    value = _value(request, rule.size_param)
    if value is None and defaults.get(rule.size_param) is not None:
        value = str(defaults[rule.size_param])
    return value


def _by_link(page: Page, rule: PageRule, request: HttpRequest, added: frozenset[str]) -> HttpRequest | None:
    target = next_link(page.response.headers) if rule.pointer is None else _found(page, rule.pointer)
    if target is None:
        return None
    if not isinstance(target, str):
        raise ResponseParseException("what `pointer` says the next page is, is no URL")
    try:
        url = resolved(page.response.url, target)
    except RedirectException:
        raise RedirectException("the next page's URL is no http or https URL, and is not asked for") from None
    # A server that repeats the whole query must not have twice what the client adds to each request by itself.
    return _without(replace(request, url=url, params=None), _added(page.response, request) | added)


def _by_cursor(page: Page, rule: PageRule, request: HttpRequest, added: frozenset[str]) -> HttpRequest | None:
    cursor = _found(page, rule.pointer or "")
    if cursor is None:
        return None
    if isinstance(cursor, dict | list):
        raise ResponseParseException("what `pointer` says the next cursor is, is no text or number")
    return _with(request, rule.param or _PARAMS[rule.type], str(cursor))


def _by_number(page: Page, rule: PageRule, request: HttpRequest, added: frozenset[str]) -> HttpRequest | None:
    if page.items is None:
        raise ResponseParseException(
            "the page has no array of items", hint="say where it is: `items` of `pagination` in the profile"
        )
    if not page.items:
        return None
    name = rule.param or _PARAMS[rule.type]
    text = _value(request, name)
    if text is None:
        text = str(_STARTS[rule.type] if rule.start is None else rule.start)
    if re.fullmatch("[0-9]{1,18}", text) is None:
        raise RequestBuildException(f"the query parameter {name!r} is to count, and is no whole number")
    return _with(request, name, str(int(text) + (1 if rule.type == "page" else len(page.items))))


_NEXT: dict[str, Callable[[Page, PageRule, HttpRequest, frozenset[str]], HttpRequest | None]] = {
    "link": _by_link,
    "cursor": _by_cursor,
    "page": _by_number,
    "offset": _by_number,
}


def _found(page: Page, path: str) -> Any:
    """What a pointer points to in the page; None when that is nothing, or says that there is no more."""
    try:
        # Numbers stay text: a cursor is sent back as it came.
        found = pointer(json.loads(page.text, parse_int=str, parse_float=str), path)
    except LookupError:
        return None
    except (ValueError, RecursionError):
        return None
    return None if found is None or found is False or found == "" else found


def _pairs(request: HttpRequest) -> list[tuple[str, Any]]:
    return list(iter_params(request.params)) if request.params else []


def _value(request: HttpRequest, name: str) -> str | None:
    """The value of a query parameter, in the URL or beside it."""
    query = request.url.partition("#")[0].partition("?")[2]
    written = [part.partition("=") for part in query.split("&")]
    found = [unquote_plus(value) for key, _, value in written if unquote_plus(key) == name]
    found += [str(value) for key, value in _pairs(request) if key == name]
    return found[-1] if found else None


def _added(response: StreamedResponse, request: HttpRequest) -> frozenset[str]:
    """The names of query parameters that authentication added."""
    return frozenset(name for name, _ in _pairs(response.request)) - {name for name, _ in _pairs(request)}


def _without(request: HttpRequest, names: frozenset[str]) -> HttpRequest:
    """The request without query parameters of these names, in the URL or beside it."""
    place, question, query = request.url.partition("#")[0].partition("?")
    kept = [part for part in query.split("&") if part and unquote_plus(part.partition("=")[0]) not in names]
    pairs = [(name, value) for name, value in _pairs(request) if name not in names]
    return replace(request, url=place + (question + "&".join(kept) if kept else ""), params=pairs or None)


def _with(request: HttpRequest, name: str, value: str) -> HttpRequest:
    """The request with one query parameter set."""
    request = _without(request, frozenset({name}))
    return replace(request, params=[*_pairs(request), (name, value)])
