"""The step in which a person enters a code on another device (RFC 8628)."""

from __future__ import annotations

import dataclasses
import math
import re
import time
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from ...compiled import compiled
from ...errors import ConnectionException, StepFailed, TimeoutException
from ...models import HttpRequest, HttpResponse
from ...redact import REDACTOR
from ...tokens.unbroken import idle
from ..definition import (
    Extract,
    ExtractTable,
    PollTable,
    RefreshTable,
    RequestTable,
    RevokeTable,
    StepTable,
    SuccessTable,
    key,
    table,
)
from ..endpoint import checked_endpoint, said_by
from ..exchange import Reading, absolute, answer, exchange, failure, refusal, refused_by
from ..extract import Missing, outputs
from ..renewal import renewed, revoked
from ..said import one_line
from ..scope import Scope
from ..work import Person, Result, Work

_INTERVAL = 5.0
_SLOWER = 5.0
# Where an answer does not say how long its codes are good, which it has to (section 3.2).
_EXPIRES_IN = 900.0
# However long they are good: by then nobody is there any more.
_LONGEST = 86400.0
_TEXT_SHOWN = 500
# Far more than is shown, and masked before it is cut: what is cut in two is no known secret.
_TEXT_READ = 64 * 1024
# No space or control character, so that a browser and a terminal see the same address.
_WEB = compiled(r"https?://[^\s\x00-\x20\x7f-\x9f]{1,4096}", re.IGNORECASE)

_START: Extract = {
    "device_code": "/device_code",
    "user_code": "/user_code",
    # The name that the draft had, and that some servers still use.
    "verification_uri": ExtractTable(
        pointer="/verification_uri", alternatives=(ExtractTable(pointer="/verification_url"),)
    ),
    "verification_uri_complete": ExtractTable(pointer="/verification_uri_complete", optional=True),
    "expires_in": ExtractTable(pointer="/expires_in", optional=True),
    "interval": ExtractTable(pointer="/interval", optional=True),
}


class _Attempt(NamedTuple):
    """What one poll led to: a result, or why there is none yet, by the words of RFC 8628."""

    result: Result | None = None
    word: str = ""


@table
class DeviceStep(StepTable):
    """Show a code that a person enters in a browser anywhere, and wait until that is done."""

    interactive: ClassVar[bool] = True

    request: RequestTable = key("the request that starts: its answer has the code")
    poll: PollTable = key("how to ask whether the person is done")
    start: Extract = key(
        "where the first answer has device_code, user_code, verification_uri, verification_uri_complete, "
        "expires_in and interval, when not at the places of RFC 8628; more outputs for `poll` may be added",
        default_factory=dict,
    )
    success: SuccessTable | None = key("what counts as success; default: 2xx, and the token is there", default=None)
    extract: Extract = key("outputs by name, one of them `token`, in the answer to the last poll")
    refresh: RefreshTable | None = key("how to renew the token without logging in", default=None)
    revoke: RevokeTable | None = key("how to give the token back", default=None)

    def run(self, work: Work) -> Result:
        """Log in. StepFailed when it was refused or nobody came in time."""
        person = work.somebody("waits for a code to be entered")
        for what, request in (("`request`", self.request), ("`poll.request`", self.poll.request)):
            # Nobody is shown a code that could not be asked about.
            with said_by(request.url, work.step):
                checked_endpoint(
                    absolute(work.scope.text(_url_alone(request)), work.scope), work.step, f"the URL of {what}"
                )
        started = self._started(work)
        polling = dataclasses.replace(work, scope=dataclasses.replace(work.scope, own=started))
        # The whole of it: the server may have named where to ask.
        with said_by(self.poll.request.url, work.step):
            polled = absolute(polling.scope.text(self.poll.request.url), polling.scope)
            checked_endpoint(polled, work.step, "the URL of `poll.request`")
        interval, lifetime = _seconds(started.get("interval"), _INTERVAL), _lifetime(started)
        if interval >= lifetime:
            raise StepFailed(
                work.step, f"the code ends after {lifetime:g} s, and may first be asked about after {interval:g} s"
            )
        _shown(person, work.step, started)
        return self._polled(polling, interval, lifetime)

    def renew(self, work: Work) -> Result | None:
        """Renew the token that `work.scope.own` holds; None when that was refused and a login should follow."""
        return renewed(self, work)

    def give_back(self, work: Work) -> None:
        """Revoke the token that `work.scope.own` holds. StepFailed when the server does not."""
        revoked(self, work)

    def _started(self, work: Work) -> dict[str, Any]:
        """What the server said about the codes."""
        response = answer(self.request, work)
        reading = Reading(response, work.now.timestamp())
        refused = refusal(None, response, reading, work.scope)
        if refused is not None:
            raise refused_by(work.step, self.request, response, refused)
        try:
            found = outputs({**_START, **self.start}, reading, work.scope)
        except Missing as exc:
            raise failure(work.step, self.request, response, exc.message, hint="see `start` of this step") from None
        unfit = [
            name for name in ("device_code", "user_code", "verification_uri") if not isinstance(found[name], str | int)
        ]
        if unfit:
            raise failure(work.step, self.request, response, f"'{unfit[0]}' in the answer is no text")
        REDACTOR.add(str(found["device_code"]))
        return found

    def _polled(self, work: Work, interval: float, lifetime: float) -> Result:
        began, slept = time.monotonic(), 0.0
        while True:
            if max(slept, time.monotonic() - began) + interval >= lifetime:
                raise StepFailed(
                    work.step, "the code was not entered before it expired", hint="try again with `forge token login`"
                )
            if work.deadline is not None and work.deadline.remaining() <= interval:
                raise TimeoutException(f"step '{work.step}': the time limit leaves no time to wait for the person")
            with idle():
                work.sleep(interval)
            slept += interval
            try:
                attempt = self._attempt(work)
            except (ConnectionException, TimeoutException):
                if work.deadline is not None and work.deadline.remaining() <= 0:
                    raise
                interval *= 2  # section 3.5, on connection timeouts
                continue
            if attempt.result is not None:
                return attempt.result
            if attempt.word == "slow_down":
                interval += _SLOWER

    def _attempt(self, work: Work) -> _Attempt:
        """One poll. StepFailed when it was refused for good."""
        seen: list[HttpResponse] = []

        def send(table: RequestTable, request: HttpRequest, scope: Scope) -> HttpResponse:
            seen.append(work.send(table, request, scope))
            return seen[-1]

        try:
            return _Attempt(
                exchange(
                    self.poll.request,
                    dataclasses.replace(work, send=send),
                    extract=self.extract,
                    success=self.success,
                    expires=self.expires,
                    refresh_end=None if self.refresh is None else self.refresh.until,
                )
            )
        except StepFailed as exc:
            said = _error(Reading(seen[-1], work.now.timestamp())) if seen else {}
            word = str(said.get("error", ""))
            # Known in a 200 and in a 400 alike.
            if word in ("authorization_pending", "slow_down"):
                return _Attempt(word=word)
            if not word:
                raise
            text = ": ".join(str(said[name]) for name in ("error", "error_description") if said.get(name))
            raise StepFailed(
                work.step,
                f"refused: {one_line(REDACTOR.body(text[:_TEXT_READ]), _TEXT_SHOWN)}",
                status=exc.status,
                hint="try again with `forge token login`",
            ) from None


def _url_alone(request: RequestTable) -> str:
    """The part of a URL that says where it leads, without what only the poll knows."""
    return re.split(r"[?#]|\$\{self\.", request.url)[0] if "${self." in request.url else request.url


def _shown(person: Person, step: str, started: Mapping[str, Any]) -> None:
    """Tell the person what to do, and open the page where that can be done."""
    # What is no single line could look like something that forge says.
    uri, code = str(started["verification_uri"]), one_line(str(started["user_code"]), _TEXT_SHOWN)
    complete = started.get("verification_uri_complete")
    if _WEB.fullmatch(uri) is None:
        raise StepFailed(step, "the page for the code is no web address", hint="the server has to name http or https")
    person.tell(
        f"To log in, open this page in a browser, on any device:\n\n    {uri}\n\nand enter this code:\n\n    {code}\n"
    )
    usable = isinstance(complete, str) and _WEB.fullmatch(complete) is not None
    person.browse(str(complete) if usable else uri)
    person.tell("Waiting until it is entered.")


def _error(reading: Reading) -> Mapping[str, Any]:
    try:
        found = reading.json()
    except ValueError:
        return {}
    return found if isinstance(found, Mapping) else {}


def _seconds(value: Any, default: float) -> float:
    """A number of seconds of at least 1; the default when it is none."""
    try:
        seconds = default if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return default
    return max(1.0, seconds) if math.isfinite(seconds) and seconds >= 0 else default


def _lifetime(started: Mapping[str, Any]) -> float:
    return min(_seconds(started.get("expires_in"), _EXPIRES_IN), _LONGEST)
