"""One exchange of a step: the request that a table describes, and what is taken from its answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from ..encode import build_url
from ..errors import AuthenticationException, ProfileError, RedirectException, StepFailed
from ..models import Headers, HttpRequest, HttpResponse, PreparedRequest
from ..redact import REDACTOR
from ..transport.redirects import next_request, origin
from .definition import (
    ClockTable,
    Expires,
    Extract,
    PartTable,
    RequestTable,
    SuccessTable,
    UntilTable,
    VerifyTable,
)
from .endpoint import EndpointTable, checked_endpoint, said_by
from .expiry import ahead, claims_of, duration, ends, until
from .extract import LATER, Missing, findable, optional, outputs, places
from .filters import octets_of
from .jar import Jar, set_cookies
from .predicate import failed_test, holds
from .said import indented, one_line
from .scope import Scope
from .scope import hide as hide_output
from .template import Reference
from .work import Result, Work, unfit_token

_BODY_SHOWN = 500
_LOCATION_SHOWN = 200
_REPLACED = "\ufffd"
# Redacting a body takes time; what is shown of it comes from its beginning.
_BODY_READ = 64 * 1024
# Each key in it is looked at, which a deadline does not cut short.
_LARGEST_KEYS = 1024 * 1024
# What a step says and another origin may know.
_HARMLESS = ("accept", "accept-language", "user-agent")


class Reading:
    """An answer as extractors read it: JSON parsed once. `cookies` are those that it sets, and its redirects did."""

    def __init__(self, response: HttpResponse, now: float) -> None:
        self.text = response.text
        # What no character stands for, as bytes: a U+FFFD that the server did not send.
        self.damaged = self.text.count(_REPLACED) != response.content.count(_REPLACED.encode())
        self.headers = response.headers
        hops = (*response.history, response)
        last = {cookie.name: cookie for hop in hops for cookie in set_cookies(hop, now)}
        self.cookies = {name: cookie for name, cookie in last.items() if cookie.lives(now)}
        self._parsed: Any = None
        self._problem: str | None = None

    @property
    def silent(self) -> bool:
        """Whether the body is empty, or JSON: not a page that says something else."""
        try:
            return not self.text.strip() or self.json() is not None
        except ValueError:
            return False

    def json(self) -> Any:
        """The body as JSON. ValueError: it is none."""
        if self._parsed is None and self._problem is None:
            try:
                self._parsed = json.loads(self.text)
            except ValueError:
                self._problem = "not JSON"
            except RecursionError:
                self._problem = "nested too deeply"
        if self._problem is not None:
            raise ValueError(self._problem)
        return self._parsed

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
    renewing: bool = False,
    lives_on: bool = False,
) -> Result:
    """Send the request and take the outputs from its answer. StepFailed when that is a refusal or lacks one.

    With `renewing`, `work.scope.own` are the outputs that are renewed, and a token that is not among the
    new ones stays; with `lives_on` also one that `extract` looks for and the answer lacks.
    """
    response = answer(table, work)
    reading = Reading(response, work.now.timestamp())
    scope = replace(
        work.scope,
        response=_Response(response),
        cookies={name: jar.values for name, jar in work.jars.items()},
    )
    refused = refusal(success, response, reading, scope)
    if refused is not None:
        hide_all(extract, reading, scope)
        raise refused_by(work.step, table, response, refused)
    own = work.scope.own if renewing else {}
    if lives_on and "token" in extract and "token" in own and reading.silent:
        extract = {**extract, "token": optional(extract["token"])}
    try:
        found = outputs(extract, reading, scope)
    except Missing as exc:
        hide_all(extract, reading, scope)
        raise failure(work.step, table, response, exc.message, hint=exc.hint) from None
    hide(found)
    unfit = unfit_token(str({**own, **found}.get("token", "")))
    if unfit is not None:
        raise failure(work.step, table, response, unfit, hint="check `extract` in this step")
    _verify(extract, found, own, work)
    return Result(
        found,
        ends(expires, reading, found, work.now),
        _refresh_end(refresh_end, reading, found, own, work.now),
        # The answer was read so much later; too early a clock does less harm than one that is ahead.
        None if clock is None else ahead(clock, reading, work.now + timedelta(milliseconds=response.elapsed_ms)),
    )


def answer(table: RequestTable, work: Work) -> HttpResponse:
    """Send the request that a table describes, with its jar, and keep what the answer puts into that.

    Redirects are followed here and not by the client: so each hop is sent the cookies that the hops before it
    set, and another origin nothing of the step.
    """
    if isinstance(table, EndpointTable):
        with said_by(table.url, work.step):
            checked_endpoint(absolute(work.scope.text(table.url), work.scope), work.step, table.named)
    request, name = request_of(table, work.scope), table.cookies
    left, now = table.redirects, work.now.timestamp()
    hops: list[HttpResponse] = []
    seen: set[tuple[str, str, str | None]] = set()
    asked: frozenset[str] = frozenset()
    while True:
        cookies = None
        if name is not None:
            cookies = work.jars.get(name, Jar()).header(absolute(request.url, work.scope), now)
        response = work.send(table, _with_cookies(request, cookies), work.scope)
        if name is not None:
            work.jars[name] = work.jars.get(name, Jar()).updated(response, now)
        asked = asked if hops else _query_names(response.url)
        try:
            following = _following(request, response, asked) if left else None
            if following is not None:
                # What a server sends along, such as a code or a ticket, is shown nowhere.
                for key, value in parse_qsl(urlsplit(following.url).query):
                    hide_output(key, value)
            if following is None:
                return replace(response, history=(*response.history, *hops)) if hops else response
            if len(hops) >= left:
                raise RedirectException(f"more than {left} redirects", hint="raise `redirects` in this step's request")
            seen.add((str(request.method), response.url, cookies))
            then = None if name is None else work.jars[name].header(following.url, now)
            if (str(following.method), following.url, then) in seen:
                raise RedirectException("the redirects go round in a circle")
        except RedirectException as exc:
            exc.context["step"] = work.step
            exc.message = f"{exc.message}{_leads(response)}"
            raise
        if origin(following.url) != origin(response.url):
            table = replace(table, client_cert=None, sign=None)
        hops.append(response)
        request = following


def _query_names(url: str) -> frozenset[str]:
    """The query parameters by which a step said something: a Location that repeats them carries them along."""
    query = url.partition("#")[0].partition("?")[2]
    return frozenset(unquote_plus(pair.partition("=")[0]) for pair in query.split("&") if pair)


def _following(request: HttpRequest, response: HttpResponse, asked: frozenset[str]) -> HttpRequest | None:
    """The request that an answer leads to, None when it leads nowhere; another origin learns nothing of the step."""
    fields = Headers(request.headers or {})
    bodies = (request.data, request.json_data, request.files, request.content)
    there = next_request(
        PreparedRequest(
            str(getattr(request.method, "value", request.method)),
            response.url,
            fields,
            None if all(body is None for body in bodies) else b"",
            credentials=frozenset(name.lower() for name in fields if name.lower() not in _HARMLESS),
            query_credentials=asked,
        ),
        response.status_code,
        response.headers,
        allowed=lambda url: False,
        post_to_get=True,
    )
    if there is None:
        return None
    auth = request.auth if origin(there.url) == origin(response.url) else None
    moved = replace(request, method=there.method, url=there.url, params=None, headers=there.headers or None, auth=auth)
    return moved if there.body is not None else replace(moved, data=None, json_data=None, files=None, content=None)


def _with_cookies(request: HttpRequest, cookies: str | None) -> HttpRequest:
    """The request with the cookies of a jar after those that it states itself."""
    if cookies is None:
        return request
    headers = dict(request.headers or {})
    stated = [headers.pop(name) for name in list(headers) if name.lower() == "cookie"]
    return replace(request, headers={**headers, "Cookie": "; ".join([*stated, cookies])})


def absolute(url: str, scope: Scope) -> str:
    """A step's URL, which may be relative to the base URL."""
    return build_url(scope.base_url, url)


def refusal(success: SuccessTable | None, response: HttpResponse, reading: Reading, scope: Scope) -> str | None:
    """Why an answer is no success, None when it is one."""
    tests = success or SuccessTable()
    filled = replace(
        tests, status=scope.fill(tests.status), body=scope.fill(dict(tests.body)), header=scope.fill(dict(tests.header))
    )
    failed = failed_test(filled, response.status_code, response.headers, reading.json)
    if failed is not None and filled.status is not None and not holds(filled.status, response.status_code):
        failed = f"{failed}, and `success` wants {_wanted(filled.status)}"
    if failed is None and tests.cookie is not None and tests.cookie not in reading.cookies:
        failed = f"the answer sets no cookie '{tests.cookie}'"
    if failed is None and tests.status is None and not response.is_success:
        failed = f"the status is {response.status_code}"
    return failed


def _wanted(status: Any) -> str:
    """A test on a status in words. What is no number may be of a person's own, and is not quoted."""
    match status:
        case int():
            return str(status)
        case [*choices] if choices and all(isinstance(each, int) for each in choices):
            return " or ".join(map(str, choices))
        case {"in": choices, **rest} if not rest:
            return _wanted(choices)
        case {"not": unwanted, **rest} if not rest:
            return f"anything but {_wanted(unwanted)}"
    return "another"


def hide(found: Mapping[str, Any]) -> None:
    """From here on those of these outputs that are credentials are masked wherever something is shown."""
    for name, value in found.items():
        hide_output(name, value)


def hide_all(extract: Extract, reading: Reading, scope: Scope) -> None:
    """Hide what a failed answer has at the places of the outputs: it may be good credentials all the same."""
    for name, value in findable(extract, reading, scope):
        hide_output(name, value)


def _verify(extract: Extract, found: dict[str, Any], own: Mapping[str, Any], work: Work) -> None:
    """Verify the ID tokens among the outputs. StepFailed: one is not what it must be."""
    for name, place in extract.items():
        table = next((each.verify for each in places(place) if each.verify is not None), None)
        if table is None or name not in found:
            continue
        try:
            verified = LATER.load("verify")
        except ProfileError:
            if not all(each.optional for each in places(place)):
                raise
            # Nobody can verify it here: better no ID token than one that somebody believes was verified.
            del found[name]
            continue
        keys, scope = _keys(name, table, work), work.scope
        hashed = None if table.at_hash is None else {**own, **found}.get(table.at_hash)
        before = claims_of(own.get(name))
        try:
            claims = verified(
                str(found[name]),
                keys,
                issuer=scope.text(table.issuer),
                audience=scope.text(table.audience),
                nonce=None if table.nonce is None or before else scope.text(table.nonce) or None,
                algorithms=table.algorithms,
                now=work.now.timestamp(),
                access_token=None if hashed is None else str(hashed),
            )
        except AuthenticationException as exc:
            raise StepFailed(work.step, f"output '{name}' is not accepted: {exc.message}", hint=exc.hint) from None
        # OpenID Connect Core 1.0, section 12.2: a renewed one is about the same person, and may lack the nonce.
        changed = [claim for claim in ("sub", "nonce") if before and claims.get(claim) != before.get(claim)]
        if "sub" in changed or ("nonce" in changed and "nonce" in claims):
            raise StepFailed(
                work.step,
                f"output '{name}' is not accepted: its '{changed[0]}' is not that of the one before",
                hint="log in again: forge token login",
            )


def _keys(name: str, table: VerifyTable, work: Work) -> Mapping[str, Any]:
    """The issuer's keys, as they are now."""
    with said_by(table.jwks, work.step):
        url = checked_endpoint(absolute(work.scope.text(table.jwks), work.scope), work.step, "the address in `jwks`")
    request = RequestTable(url=url.replace("${", "$${"))
    response = answer(request, work)
    reading = Reading(response, work.now.timestamp())
    problem = refusal(None, response, reading, work.scope)
    if problem is None and len(response.content) > _LARGEST_KEYS:
        problem = f"the answer is larger than {_LARGEST_KEYS // 1024 // 1024} MiB"
    if problem is None:
        try:
            keys = reading.json()
        except ValueError:
            keys = None
        if isinstance(keys, dict):
            return keys
        problem = "the answer is no JSON table"
    raise failure(work.step, request, response, f"the keys for output '{name}' cannot be had: {problem}")


def _refresh_end(
    table: UntilTable | None, reading: Reading, found: Mapping[str, Any], own: Mapping[str, Any], now: datetime
) -> datetime | None:
    """When the refresh token ends; a fixed lifetime begins only with a new one."""
    if table is None:
        return None
    fresh = found.get("refresh_token") not in (None, own.get("refresh_token"))
    return until(table, reading, now) if table.ttl is None or fresh else None


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
        content=None if table.text is None else _content(table.text, scope),
        timeout=None if table.timeout is None else duration(table.timeout),
        auth=auth,
    )


def _content(template: str, scope: Scope) -> str | bytes:
    """What a template is as a body: bytes stay bytes."""
    value = scope.fill(template)
    return value if isinstance(value, bytes) else scope.text(template)


def _parts(table: Mapping[str, str | PartTable], scope: Scope) -> dict[str, tuple[Any, ...]]:
    """The parts of a multipart body by name: file name or None, content, media type or None."""
    parts: dict[str, tuple[Any, ...]] = {}
    for name, part in table.items():
        whole = part if isinstance(part, PartTable) else PartTable(content=part)
        parts[name] = (
            None if whole.filename is None else scope.text(whole.filename),
            octets_of(_content(whole.content, scope)),
            None if whole.type is None else scope.text(whole.type),
        )
    return parts


def refused_by(step: str, table: RequestTable, response: HttpResponse, why: str) -> StepFailed:
    """The failure of an answer that is no success: who is in trouble himself has refused nobody."""
    if response.status_code >= 500:
        trouble = f"the login's server failed: {response.status_code}"
        return failure(step, table, response, trouble, hint="try again later; the credentials were not refused")
    return failure(step, table, response, f"refused: {why}")


def _leads(response: HttpResponse) -> str:
    """Where an answer says to go, in words; nothing when it is no redirect."""
    if not 300 <= response.status_code <= 399:
        return ""
    places = [value for _, value in REDACTOR.answered(("Location", e) for e in response.headers.get_all("location"))]
    return f" (it leads to {one_line(places[0], _LOCATION_SHOWN)})" if places else ""


def failure(step: str, table: RequestTable, response: HttpResponse, reason: str, hint: str | None = None) -> StepFailed:
    """The failure as a person needs it: the step, the request line, the status, the redacted answer."""
    # What is no refusal to HTTP may be full of credentials, wherever they are.
    masks = REDACTOR.body if response.status_code >= 400 else REDACTOR.success
    body = masks(response.text[:_BODY_READ]).strip()[:_BODY_SHOWN]
    first = response.history[0] if response.history else response
    moved = f" (redirected to {REDACTOR.url(response.url)})" if response.history else ""
    status = f"{response.status_code} {REDACTOR.text(response.reason)}".rstrip()
    line = f"{table.method} {REDACTOR.url(first.url)}{moved} -> {one_line(status, _LOCATION_SHOWN)}{_leads(response)}"
    shown = f"\n{indented(body)}" if body else ""
    return StepFailed(
        step,
        f"{REDACTOR.text(reason)}\n  {line}{shown}",
        status=response.status_code,
        answer=response,
        hint=hint or "`forge token explain --trace` shows each step's request and answer",
    )


class _Response(Mapping[Reference, Any]):
    """An answer as `response.…` reads it: status, url, body, and headers by their names in any case."""

    def __init__(self, response: HttpResponse) -> None:
        self._response = response

    def __getitem__(self, reference: Reference) -> Any:
        match reference:
            case ("status",):
                return self._response.status_code
            case ("url",):
                return self._response.url
            case ("body",):
                return self._response.text
            case ("headers", name):
                return self._response.headers[name]
        raise KeyError(reference)

    def __iter__(self) -> Iterator[Reference]:
        yield from (("status",), ("url",), ("body",))
        yield from (("headers", name) for name in self._response.headers)

    def __len__(self) -> int:
        return 3 + len(self._response.headers)
