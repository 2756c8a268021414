"""The step that sends a request and takes its outputs from the answer."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from ...errors import StepFailed
from ...models import HttpRequest, HttpResponse
from ...redact import REDACTOR
from ..definition import Expires, Extract, ExtractTable, RefreshTable, RequestTable, StepTable, SuccessTable, key, table
from ..expiry import duration, ends
from ..extract import Missing, outputs
from ..predicate import failed_test
from ..scope import Scope
from ..work import Result, Work, unfit_token

_BODY_SHOWN = 500


@table
class HttpStep(StepTable):
    """Send a request; the outputs, one of them `token`, are in the answer."""

    request: RequestTable = key("the request")
    success: SuccessTable | None = key("what counts as success; default: 2xx, and the token is there", default=None)
    extract: Extract = key("outputs by name, one of them `token`")
    refresh: RefreshTable | None = key("how to renew the token without logging in", default=None)

    def run(self, work: Work) -> Result:
        """Log in. StepFailed when the answer is a refusal or lacks an output."""
        response = _answer(self.request, work)
        return _result(self.request, response, self.success, self.extract, self.expires, work)

    def renew(self, work: Work) -> Result | None:
        """Renew the token that `work.scope.own` holds; None when that was refused and a login should follow."""
        table = self.refresh
        if table is None:
            return None
        response = _answer(table.request, work)
        try:
            return _result(
                table.request,
                response,
                table.success or self.success,
                _kept(table.extract if table.extract is not None else self.extract, work.scope.own),
                table.expires if table.expires is not None else self.expires,
                work,
            )
        except StepFailed:
            # A server in trouble has refused nothing: the refresh token may still be good.
            if table.on_failure == "error" or response.status_code >= 500 or response.status_code in (408, 429):
                raise
            return None


class _Reading:
    """An answer as extractors read it: JSON parsed once."""

    def __init__(self, response: HttpResponse) -> None:
        self._response = response
        self._parsed: list[Any] = []

    def json(self) -> Any:
        if not self._parsed:
            try:
                self._parsed.append(json.loads(self._response.text))
            except RecursionError:
                raise ValueError("nested too deeply") from None
        return self._parsed[0]

    def header(self, name: str) -> str | None:
        value: str | None = self._response.headers.get(name)
        return value


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
        content=None if table.text is None else scope.text(table.text),
        timeout=None if table.timeout is None else duration(table.timeout),
        auth=auth,
    )


def _answer(table: RequestTable, work: Work) -> HttpResponse:
    return work.send(request_of(table, work.scope), table.redirects)


def _result(
    table: RequestTable,
    response: HttpResponse,
    success: SuccessTable | None,
    extract: Extract,
    expires: Expires | None,
    work: Work,
) -> Result:
    reading = _Reading(response)
    tests = success or SuccessTable()
    failed = failed_test(tests, response.status_code, response.headers, reading.json)
    if failed is None and tests.status is None and not response.is_success:
        failed = f"the status is {response.status_code}"
    if failed is not None:
        raise _refused(work.step, table, response, f"refused: {failed}", hint=None)
    try:
        found = outputs(extract, reading)
    except Missing as exc:
        raise _refused(work.step, table, response, exc.message, hint=exc.hint) from None
    for name, value in found.items():
        if isinstance(value, str) and name not in ("token_type", "scope"):
            REDACTOR.add(value)
    unfit = unfit_token(str(found.get("token", "")))
    if unfit is not None:
        raise _refused(work.step, table, response, unfit, hint="check `extract` in this step")
    return Result(found, ends(expires, reading.json, work.now))


def _kept(extract: Extract, own: Mapping[str, Any]) -> Extract:
    """The extract of a renewal: what the answer lacks stays as it was."""
    kept: dict[str, Any] = {}
    for name, place in extract.items():
        known = name != "token" and name in own
        if not known:
            kept[name] = place
        elif isinstance(place, str):
            kept[name] = ExtractTable(pointer=place, optional=True)
        else:
            kept[name] = dataclasses.replace(place, optional=True, default=None)
    return kept


def _refused(step: str, table: RequestTable, response: HttpResponse, reason: str, hint: str | None) -> StepFailed:
    """The failure as a person needs it: the step, the request line, the status, the redacted answer."""
    body = REDACTOR.body(response.text).strip()[:_BODY_SHOWN]
    line = f"{table.method} {REDACTOR.url(response.request.url)} -> {response.status_code} {response.reason}".rstrip()
    shown = f"\n  {body}" if body else ""
    return StepFailed(
        step,
        f"{reason}\n  {line}{shown}",
        status=response.status_code,
        hint=hint or "`forge token explain` shows the steps",
    )
