"""The device step: the code is shown, and asked after as often as the server allows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from forge_cli.client import HttpClient
from forge_cli.config import HttpClientConfig
from forge_cli.errors import MaxRetryException, NeedsPerson, ProfileError, StepFailed, TimeoutException
from forge_cli.login.definition import (
    ExpiresTable,
    Extract,
    ExtractTable,
    PollTable,
    RefreshTable,
    RequestTable,
    RevokeTable,
)
from forge_cli.login.scope import Scope
from forge_cli.login.steps.device import DeviceStep
from forge_cli.login.work import Person, Work
from forge_cli.models import Deadline, HttpRequest, HttpResponse
from forge_cli.profiles.secrets import Secrets
from forge_cli.redact import REDACTOR
from forge_cli.retry import NoRetryStrategy
from forge_cli.tokens.unbroken import requested, unbroken
from tests.people import Holder, Somebody
from tests.server import Reply, Server

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STARTED = {
    "device_code": "device-code-1",
    "user_code": "WDJB-MJHT",
    "verification_uri": "https://login.example/device",
    "expires_in": 600,
}
DONE = {"access_token": "user-token-1", "refresh_token": "refresh-token-1", "expires_in": 60}
PENDING = Reply(400, {"error": "authorization_pending"})


class Made:
    """Work of the step `login`; `slept` holds each wait."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client
        self.slept: list[float] = []

    def __call__(self, person: Person | None, seconds: float = 10_000, own: Mapping[str, Any] | None = None) -> Work:
        secrets = Secrets({}, environ={}, prompt=None, base_dir=Path())
        scope = Scope(secrets=secrets, own=own or {})
        return Work(
            "login", scope, NOW, self._send, self._command, self.slept.append, person=person, deadline=Deadline(seconds)
        )

    def _send(self, table: RequestTable, request: HttpRequest, scope: Scope) -> HttpResponse:
        try:
            return self._client.request(request)
        except MaxRetryException as exc:
            raise exc.original_exception or exc from None

    def _command(self, argv: Any, env: Any) -> str:
        raise AssertionError("no command is run")


@pytest.fixture
def work() -> Iterator[Made]:
    with HttpClient(HttpClientConfig(allow_redirects=False, retry_strategy=NoRetryStrategy())) as client:
        yield Made(client)


def step(server: Server, *polls: Reply, start: Any = STARTED, **options: Any) -> DeviceStep:
    """A step whose first answer is `start`, and whose polls get these answers."""
    first = server.reply("/device", start if isinstance(start, Reply) else Reply(200, start))
    server.reply("/token", *(polls or (Reply(200, DONE),)), optional=not polls)
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": "${self.device_code}"}
    extract: Extract = {
        "token": "/access_token",
        "refresh_token": ExtractTable(pointer="/refresh_token", optional=True),
    }
    return DeviceStep(
        kind="device",
        request=RequestTable(method="POST", url=first, form={"client_id": "client-1"}),
        poll=PollTable(request=RequestTable(method="POST", url=f"{server.url}/token", form=form)),
        extract=extract,
        expires=ExpiresTable(in_="/expires_in"),
        **options,
    )


def test_the_token_comes_once_the_code_is_entered(server: Server, work: Made) -> None:
    person = Somebody(lambda url: None)
    result = step(server, PENDING, PENDING, Reply(200, DONE)).run(work(person))
    assert dict(result.outputs) == {"token": "user-token-1", "refresh_token": "refresh-token-1"}
    assert result.end.at == NOW + timedelta(seconds=60)
    polls = server.seen_at("/token")
    assert len(polls) == 3
    assert dict(polls[0].form)["device_code"] == "device-code-1"
    assert REDACTOR.text("device-code-1") == "***"


def test_the_person_sees_the_page_and_the_code(server: Server, work: Made) -> None:
    person = Somebody(lambda url: None)
    step(server, Reply(200, DONE)).run(work(person))
    assert "    https://login.example/device\n" in person.told[0]
    assert "    WDJB-MJHT\n" in person.told[0]
    assert person.opened == ["https://login.example/device"]


def test_the_page_that_has_the_code_in_it_is_opened_and_the_code_still_shown(server: Server, work: Made) -> None:
    complete = "https://login.example/device?code=WDJB-MJHT"
    person = Somebody(lambda url: None)
    step(server, Reply(200, DONE), start={**STARTED, "verification_uri_complete": complete}).run(work(person))
    assert person.opened == [complete]
    assert "WDJB-MJHT" in person.told[0]


@pytest.mark.parametrize(
    ("interval", "wait"),
    [(None, 5), (1, 1), ("2", 2), (0, 1), (-3, 5), ("soon", 5), ([], 5), (7.5, 7.5)],
)
def test_the_interval(server: Server, work: Made, interval: Any, wait: float) -> None:
    started = STARTED if interval is None else {**STARTED, "interval": interval}
    step(server, PENDING, Reply(200, DONE), start=started).run(work(Somebody()))
    assert work.slept == [wait, wait]


@pytest.mark.parametrize("status", [200, 400, 403, 428])
def test_pending_and_slow_down_are_known_with_any_status(server: Server, work: Made, status: int) -> None:
    pending, slower = (Reply(status, {"error": word}) for word in ("authorization_pending", "slow_down"))
    step(server, pending, slower, pending, slower, Reply(200, DONE)).run(work(Somebody()))
    assert work.slept == [5, 5, 10, 10, 15]


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (
            Reply(400, {"error": "access_denied", "error_description": "Ada said no"}),
            "refused: access_denied: Ada said no",
        ),
        (Reply(400, {"error": "expired_token"}), "refused: expired_token"),
        (Reply(200, {"error": "incorrect_device_code"}), "refused: incorrect_device_code"),
        (Reply(500, "<h1>Oh</h1>"), "the login's server failed: 500"),
        (Reply(200, {"other": 1}), "no '/access_token'"),
    ],
    ids=["denied", "expired", "in a 200", "500", "another answer"],
)
def test_anything_else_ends_it(server: Server, work: Made, reply: Reply, message: str) -> None:
    with pytest.raises(StepFailed, match=message):
        step(server, PENDING, reply).run(work(Somebody()))


def test_a_refusal_of_several_lines_is_one_line(server: Server, work: Made) -> None:
    words = "no\nforge: note: all is well\r\u2028\x1b[2K"
    with pytest.raises(StepFailed) as caught:
        step(server, Reply(400, {"error": "denied", "error_description": words})).run(work(Somebody()))
    assert caught.value.message.endswith(r"refused: denied: no\nforge: note: all is well\r\u2028\x1b[2K")


def test_it_ends_when_the_code_expires(server: Server, work: Made) -> None:
    with pytest.raises(StepFailed, match="not entered before it expired"):
        step(server, PENDING, start={**STARTED, "expires_in": 21}).run(work(Somebody()))
    assert sum(work.slept) == 20


def test_a_failing_network_is_asked_less_and_less_often(server: Server, work: Made) -> None:
    dead = Reply(raw=b"")
    step(server, dead, dead, PENDING, Reply(200, DONE)).run(work(Somebody()))
    assert work.slept == [5, 10, 20, 20]


def test_the_commands_time_limit_holds(server: Server, work: Made) -> None:
    with pytest.raises(TimeoutException, match="no time to wait"):
        step(server).run(work(Somebody(), seconds=4))
    assert work.slept == []


def test_the_old_name_of_the_page(server: Server, work: Made) -> None:
    old = {("verification_url" if name == "verification_uri" else name): value for name, value in STARTED.items()}
    person = Somebody()
    step(server, Reply(200, DONE), start=old).run(work(person))
    assert "https://login.example/device" in person.told[0]


def test_places_of_the_first_answer_can_be_named(server: Server, work: Made) -> None:
    started = {"data": {"id": "device-code-2", "pin": 1234, "page": "https://login.example/pin"}}
    named = {"device_code": "/data/id", "user_code": "/data/pin", "verification_uri": "/data/page"}
    person = Somebody()
    made = step(server, Reply(200, DONE), start=started)
    DeviceStep(**{**vars(made), "start": named}).run(work(person))
    assert "    1234\n" in person.told[0]
    assert dict(server.seen_at("/token")[0].form)["device_code"] == "device-code-2"


@pytest.mark.parametrize(
    "uri", ["javascript:alert(1)", "file:///etc/passwd", "login.example/device", "https://a\x1b[2Jb", "http://a b", ""]
)
def test_only_web_addresses_are_shown(server: Server, work: Made, uri: str) -> None:
    person = Somebody(lambda url: None)
    with pytest.raises(StepFailed):
        step(server, start={**STARTED, "verification_uri": uri}).run(work(person))
    assert (person.told, person.opened) == ([], [])


def test_a_complete_page_that_is_no_web_address_is_not_opened(server: Server, work: Made) -> None:
    person = Somebody(lambda url: None)
    step(server, Reply(200, DONE), start={**STARTED, "verification_uri_complete": "file:///x"}).run(work(person))
    assert person.opened == ["https://login.example/device"]


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (Reply(400, {"error": "unauthorized_client"}), "refused: the status is 400"),
        ({**STARTED, "device_code": {"a": 1}}, "'device_code' in the answer is no text"),
        ({"user_code": "x"}, "'/device_code'"),
    ],
    ids=["refused", "a table", "missing"],
)
def test_a_start_that_fails_shows_nothing(server: Server, work: Made, start: Any, message: str) -> None:
    person = Somebody()
    with pytest.raises(StepFailed, match=message):
        step(server, start=start).run(work(person))
    assert person.told == []


def test_without_a_person_nothing_is_sent(work: Made) -> None:
    with pytest.raises(NeedsPerson, match="step 'login' waits for a code"):
        plain("https://login.example").run(work(None))


def plain(url: str) -> DeviceStep:
    request = RequestTable(method="POST", url=f"{url}/x")
    return DeviceStep(kind="device", request=request, poll=PollTable(request=request), extract={"token": "/t"})


def test_endpoints_are_https(work: Made) -> None:
    person = Somebody()
    with pytest.raises(ProfileError, match="the URL of `request` is not https"):
        plain("http://login.example").run(work(person))
    assert person.told == []


def test_it_is_renewed_and_given_back_as_any_token(server: Server, work: Made) -> None:
    server.reply("/renew", Reply(200, {"access_token": "user-token-2", "expires_in": 60}))
    server.reply("/revoke", Reply(200))
    made = plain(server.url)
    refresh = RequestTable(method="POST", url=f"{server.url}/renew", form={"refresh_token": "${self.refresh_token}"})
    revoke = RequestTable(method="POST", url=f"{server.url}/revoke", form={"token": "${self.token}"})
    made = DeviceStep(
        **{
            **vars(made),
            "extract": {"token": "/access_token"},
            "refresh": RefreshTable(request=refresh),
            "revoke": RevokeTable(request=revoke),
        }
    )
    own = {"token": "user-token-1", "refresh_token": "refresh-token-1"}
    renewed = made.renew(work(None, own=own))
    assert renewed is not None
    assert renewed.outputs["token"] == "user-token-2"
    made.give_back(work(None, own=own))
    assert [parse_qsl(seen.body.decode()) for seen in server.seen] == [
        [("refresh_token", "refresh-token-1")],
        [("token", "user-token-1")],
    ]


def test_while_the_person_is_waited_for_the_process_may_be_ended_and_not_once_the_token_is_there(
    server: Server, work: Made
) -> None:
    holder, made = Holder(), work(Somebody())
    waits: list[int] = []

    def send(table: RequestTable, request: HttpRequest, scope: Scope) -> HttpResponse:
        requested()
        return made.send(table, request, scope)

    watched = dataclasses.replace(made, send=send, sleep=lambda seconds: waits.append(len(holder)))
    with unbroken(holder):
        step(server, PENDING, Reply(200, DONE)).run(watched)
        assert (waits, len(holder)) == ([0, 0], 1)
    assert not holder
