"""One exchange of a step: the request that a table describes, and what is taken from its answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..errors import StepFailed
from ..models import HttpRequest, HttpResponse
from ..redact import REDACTOR
from .definition import ClockTable, Expires, Extract, PartTable, RequestTable, SuccessTable, UntilTable
from .expiry import ahead, duration, ends, until
from .extract import Missing, outputs
from .jar import Jar, set_cookies
from .predicate import failed_test
from .scope import Scope
from .template import octets_of
from .work import Result, Work, unfit_token

_BODY_SHOWN = 500
_PUBLIC = ("token_type", "scope")


class Reading:
    """An answer as extractors read it: JSON parsed once."""

    def __init__(self, response: HttpResponse, now: float) -> None:
        self.text = response.text
        self.headers = response.headers
        self.cookies = {cookie.name: cookie for cookie in set_cookies(response, now)}
        self._parsed: list[Any] = []

    def json(self) -> Any:
        """The body as JSON. ValueError: it is none."""
        if not self._parsed:
            try:
                self._parsed.append(json.loads(self.text))
            except RecursionError:
                raise ValueError("nested too deeply") from None
        return self._parsed[0]

    def header(self, name: str) -> str | None:
        """One header field's value; the name in any case."""
        value: str | None = self.headers.get(name)
        return value


def exchange(
    table: RequestTable,
    work: Work,
    *,
    extract: Extract,
    success: SuccessTable | None = None,
    expires: Expires | None = None,
    refresh_end: UntilTable | None = None,
    clock: ClockTable | None = None,
) -> Result:
    """Send the request and take the outputs from its answer. StepFailed when that is a refusal or lacks one."""
    response = answer(table, work)
    reading = Reading(response, work.now.timestamp())
    scope = replace(work.scope, response=_response(response))
    refused = refusal(success, response, reading, scope)
    if refused is not None:
        raise failure(work.step, table, response, f"refused: {refused}")
    try:
        found = outputs(extract, reading, scope)
    except Missing as exc:
        raise failure(work.step, table, response, exc.message, hint=exc.hint) from None
    hide(found)
    unfit = unfit_token(str(found.get("token", "")))
    if unfit is not None:
        raise failure(work.step, table, response, unfit, hint="check `extract` in this step")
    return Result(
        found,
        ends(expires, reading, found, work.now),
        None if refresh_end is None else until(refresh_end, reading, work.now),
        None if clock is None else ahead(clock, reading, work.now),
    )


def answer(table: RequestTable, work: Work) -> HttpResponse:
    """Send the request that a table describes, with its jar, and keep what the answer puts into that."""
    request = request_of(table, work.scope)
    now = work.now.timestamp()
    jar = None if table.cookies is None else work.jars.get(table.cookies, Jar())
    if jar is not None and (cookies := jar.header(absolute(request.url, work.scope), now)):
        request = request.with_headers({"Cookie": cookies})
    response = work.send(table, request, work.scope)
    if jar is not None and table.cookies is not None:
        for hop in (*response.history, response):
            jar = jar.updated(hop, now)
        work.jars[table.cookies] = jar
    return response


def absolute(url: str, scope: Scope) -> str:
    """A step's URL, which may be relative to the base URL."""
    return url if "://" in url else f"{scope.base_url.rstrip('/')}/{url.lstrip('/')}"


def refusal(success: SuccessTable | None, response: HttpResponse, reading: Reading, scope: Scope) -> str | None:
    """Why an answer is no success, None when it is one."""
    tests = success or SuccessTable()
    filled = replace(
        tests, status=scope.fill(tests.status), body=scope.fill(dict(tests.body)), header=scope.fill(dict(tests.header))
    )
    failed = failed_test(filled, response.status_code, response.headers, reading.json)
    if failed is None and tests.cookie is not None and tests.cookie not in reading.cookies:
        failed = f"the answer sets no cookie '{tests.cookie}'"
    if failed is None and tests.status is None and not response.is_success:
        failed = f"the status is {response.status_code}"
    return failed


def hide(found: Mapping[str, Any]) -> None:
    """From here on these outputs are masked wherever something is shown."""
    for name, value in found.items():
        if isinstance(value, str) and name not in _PUBLIC:
            REDACTOR.add(value)


def request_of(table: RequestTable, scope: Scope) -> HttpRequest:
    """The request that a table describes, with its templates filled in."""
    auth = None
    if table.basic is not None:
        user, password = (scope.text(part) for part in table.basic)
        auth = (user, password)
    return HttpRequest(
        table.method,
        scope.text(table.url),
        {name: scope.text(value) for name, value in table.headers.items()} or None,
        scope.fill(dict(table.query)) or None,
        data=None if table.form is None else scope.fill(dict(table.form)),
        json_data=None if table.json is None else scope.fill(table.json),
        files=None if table.multipart is None else _parts(table.multipart, scope),
        content=None if table.text is None else scope.text(table.text),
        timeout=None if table.timeout is None else duration(table.timeout),
        auth=auth,
    )


def _parts(table: Mapping[str, str | PartTable], scope: Scope) -> dict[str, tuple[Any, ...]]:
    """The parts of a multipart body by name: file name or None, content, media type or None."""
    parts: dict[str, tuple[Any, ...]] = {}
    for name, part in table.items():
        if isinstance(part, PartTable):
            filename = None if part.filename is None else scope.text(part.filename)
            content = octets_of(scope.fill(part.content))
            media = () if part.type is None else (scope.text(part.type),)
            parts[name] = (filename, content, *media)
        else:
            parts[name] = (None, octets_of(scope.fill(part)))
    return parts


def failure(
    step: str, table: RequestTable, response: HttpResponse, reason: str, hint: str | None = None
) -> StepFailed:
    """The failure as a person needs it: the step, the request line, the status, the redacted answer."""
    body = REDACTOR.body(response.text).strip()[:_BODY_SHOWN]
    line = f"{table.method} {REDACTOR.url(response.request.url)} -> {response.status_code} {response.reason}".rstrip()
    shown = f"\n  {body}" if body else ""
    return StepFailed(
        step,
        f"{reason}\n  {line}{shown}",
        status=response.status_code,
        hint=hint or "`forge token explain --trace` shows each step's request and answer",
    )


def _response(response: HttpResponse) -> Mapping[tuple[str, ...], Any]:
    """An answer as `response.…` reads it."""
    found: dict[tuple[str, ...], Any] = {("status",): response.status_code, ("url",): response.url}
    return found | {("headers", name.lower()): value for name, value in response.headers.items()}
