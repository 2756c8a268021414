from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from forge_cli.errors import StepFailed
from forge_cli.login.definition import (
    ClockTable,
    ExpiresTable,
    ExtractTable,
    RefreshTable,
    RequestTable,
    RevokeTable,
    SuccessTable,
    UntilTable,
)
from forge_cli.login.steps.http import HttpStep
from forge_cli.login.work import Work
from forge_cli.redact import REDACTOR
from tests.server import Reply, Server

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GOOD = {"token": "user-token-1", "expires_in": 60}

MakeWork = Callable[..., Work]


def step(url: str, **options: Any) -> HttpStep:
    request = options.pop("request", None) or RequestTable(method="POST", url=url)
    extract = options.pop("extract", {"token": "/token"})
    return HttpStep(request=request, extract=extract, expires=ExpiresTable(in_="/expires_in"), **options)


@pytest.mark.parametrize(
    ("options", "content_type", "body"),
    [
        ({"form": {"shop": "${vars.shop}", "n": 1}}, "application/x-www-form-urlencoded", b"shop=acme&n=1"),
        ({"json": {"limit": "${vars.limit}"}}, "application/json", b'{"limit":10}'),
        ({"text": "<${vars.shop}/>"}, None, b"<acme/>"),
        ({}, None, b""),
    ],
    ids=["form", "json", "text", "none"],
)
def test_the_request_is_filled_in(
    server: Server, work: MakeWork, options: Any, content_type: str | None, body: bytes
) -> None:
    url = server.reply("/acme/login", Reply(body=GOOD))
    request = RequestTable(
        method="POST",
        url=url.replace("/acme/", "/${vars.shop}/"),
        headers={"X-Shop": "${vars.shop}"},
        query={"limit": ["${vars.limit}", 2]},
        basic=("${vars.shop}", "password-1"),
        **options,
    )
    step("", request=request).run(work())
    [seen] = server.seen
    assert seen.query == [("limit", "10"), ("limit", "2")]
    assert seen.headers["X-Shop"] == "acme"
    assert seen.headers["Authorization"] == "Basic YWNtZTpwYXNzd29yZC0x"
    assert seen.body.replace(b" ", b"") == body
    if content_type is not None:
        assert seen.headers["Content-Type"] == content_type


def test_outputs_and_end_come_from_the_answer(server: Server, work: MakeWork) -> None:
    reply = Reply(body={**GOOD, "region": "eu"}, headers={"X-Csrf": "csrf-token-1"})
    extract = {"token": "/token", "region": "/region", "csrf": ExtractTable(header="x-csrf")}
    result = step(server.reply("/login", reply), extract=extract).run(work())
    assert result.outputs == {"token": "user-token-1", "region": "eu", "csrf": "csrf-token-1"}
    assert result.end.at == NOW + timedelta(seconds=60)


def test_outputs_are_masked_from_then_on(server: Server, work: MakeWork) -> None:
    reply = Reply(body={"token": "fresh-user-token", "cookie": "fresh-session-id", "scope": "read-everything"})
    extract = {"token": "/token", "session": "/cookie", "scope": "/scope"}
    step(server.reply("/login", reply), extract=extract).run(work())
    assert REDACTOR.text("fresh-user-token fresh-session-id read-everything") == "*** *** read-everything"


@pytest.mark.parametrize(
    ("reply", "success", "reason"),
    [
        (Reply(401, {"error": "bad password"}), None, "refused: the status is 401"),
        (Reply(302, headers={"Location": "/x"}), None, "refused: the status is 302"),
        (Reply(200, GOOD), SuccessTable(status=201), "refused: the status is 200, and `success` wants 201"),
        (Reply(200, {**GOOD, "ok": False}), SuccessTable(body={"/ok": True}), "refused: '/ok' is false"),
        (Reply(200, GOOD), SuccessTable(header={"X-Ok": "1"}), "refused: header 'X-Ok' is absent"),
        (Reply(200, "<html>"), None, "the answer is not JSON, so it has no '/token' for 'token'"),
        (Reply(200, {"x": 1}), None, "the answer has no '/token' for 'token'"),
        (Reply(200, {"token": ""}), None, "'/token' is empty, which cannot be 'token'"),
        (Reply(200, "[" * 100_000), None, "the answer is not JSON, so it has no '/token' for 'token'"),
    ],
)
def test_an_answer_that_is_no_success_fails_the_step(
    server: Server, work: MakeWork, reply: Reply, success: SuccessTable | None, reason: str
) -> None:
    url = server.reply("/login", reply)
    with pytest.raises(StepFailed) as caught:
        step(url, success=success).run(work())
    first, line, *_ = caught.value.message.split("\n")
    assert first == f"login step 'user': {reason}"
    assert line.startswith(f"  POST {url} -> {reply.status}")
    assert (caught.value.step, caught.value.status) == ("user", reply.status)
    assert caught.value.hint


def test_success_can_be_another_status(server: Server, work: MakeWork) -> None:
    url = server.reply("/login", Reply(418, GOOD))
    assert step(url, success=SuccessTable(status=[418])).run(work()).outputs["token"] == "user-token-1"


def test_the_message_of_a_failure_holds_no_secret_and_little_of_the_body(server: Server, work: MakeWork) -> None:
    url = server.reply("/login", Reply(400, '{"refresh_token": "leaked-refresh-1"}' + "x" * 5000))
    request = RequestTable(method="POST", url=f"{url}?api_key=leaked-key-1")
    with pytest.raises(StepFailed) as caught:
        step("", request=request).run(work())
    assert "leaked" not in caught.value.message
    assert len(caught.value.message) < 800


def test_the_server_clock_and_the_end_of_the_refresh_token_come_with_the_outputs(
    server: Server, work: MakeWork
) -> None:
    body = {**GOOD, "now": (NOW.timestamp() + 3600) * 1000, "r": "refresh-1", "refresh_expires_in": 7200}
    refresh = RefreshTable(request=RequestTable(url="/x"), until=UntilTable(in_="/refresh_expires_in"))
    login = step(
        server.reply("/login", Reply(body=body)),
        extract={"token": "/token", "refresh_token": "/r"},
        refresh=refresh,
        clock=ClockTable(at="/now", unit="ms"),
    )
    result = login.run(work())
    assert result.until == NOW + timedelta(hours=2)
    # The answer is read a little later than the login began.
    assert result.clock is not None and 3590 < result.clock < 3600


def test_a_token_is_given_back(server: Server, work: MakeWork) -> None:
    url = server.reply("/revoke", Reply(200), Reply(503, {"error": "busy"}))
    revoke = RevokeTable(request=RequestTable(method="POST", url=url, form={"token": "${self.token}"}))
    login = step("http://localhost/login", revoke=revoke)
    login.give_back(work(own={"token": "user-token-1"}))
    assert server.seen[0].form == [("token", "user-token-1")]
    with pytest.raises(StepFailed, match="not revoked: the status is 503"):
        login.give_back(work(own={"token": "user-token-1"}))


class TestRenewing:
    OWN: ClassVar[dict[str, Any]] = {"token": "user-token-1", "refresh_token": "refresh-1", "region": "eu"}

    def renewing(self, url: str, **options: Any) -> HttpStep:
        request = RequestTable(method="POST", url=url, form={"rt": "${self.refresh_token}"})
        return step(
            "http://localhost/login",
            extract={"token": "/token", "refresh_token": "/refresh_token", "region": ExtractTable(pointer="/region")},
            refresh=RefreshTable(request=request, **options),
        )

    def test_it_keeps_what_the_answer_lacks(self, server: Server, work: MakeWork) -> None:
        url = server.reply("/refresh", Reply(body={"token": "user-token-2", "expires_in": "30"}))
        result = self.renewing(url).renew(work(own=self.OWN))
        assert result is not None
        assert {**self.OWN, **result.outputs} == {**self.OWN, "token": "user-token-2"}
        assert result.end.at == NOW + timedelta(seconds=30)
        assert server.seen[0].form == [("rt", "refresh-1")]

    def test_it_takes_what_the_answer_has(self, server: Server, work: MakeWork) -> None:
        answer = {"token": "user-token-2", "refresh_token": "refresh-2", "region": "us"}
        result = self.renewing(server.reply("/refresh", Reply(body=answer))).renew(work(own=self.OWN))
        assert result is not None
        assert result.outputs == answer

    def test_it_may_have_tests_places_and_an_end_of_its_own(self, server: Server, work: MakeWork) -> None:
        url = server.reply("/refresh", Reply(202, {"new": "user-token-2"}))
        result = self.renewing(
            url, extract={"token": "/new"}, expires=ExpiresTable(ttl=5), success=SuccessTable(status=202)
        ).renew(work(own=self.OWN))
        assert result is not None
        assert (result.outputs, result.end.at) == ({"token": "user-token-2"}, NOW + timedelta(seconds=5))

    @pytest.mark.parametrize(
        "reply",
        [Reply(400), Reply(401), Reply(403), Reply(200, {"token": None})],
        ids=["400", "401", "403", "no token"],
    )
    def test_a_refusal_leads_to_a_login(self, server: Server, work: MakeWork, reply: Reply) -> None:
        assert self.renewing(server.reply("/refresh", reply)).renew(work(own=self.OWN)) is None

    def test_a_refusal_is_an_error_where_the_profile_says_so(self, server: Server, work: MakeWork) -> None:
        with pytest.raises(StepFailed, match="refused: the status is 400"):
            self.renewing(server.reply("/refresh", Reply(400)), on_failure="error").renew(work(own=self.OWN))

    @pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
    def test_a_server_in_trouble_has_refused_nothing(self, server: Server, work: MakeWork, status: int) -> None:
        with pytest.raises(StepFailed) as caught:
            self.renewing(server.reply("/refresh", Reply(status))).renew(work(own=self.OWN))
        assert caught.value.status == status

    def test_a_step_without_a_refresh_has_nothing_to_renew(self, work: MakeWork) -> None:
        assert step("http://localhost/login").renew(work(own=self.OWN)) is None


@pytest.mark.parametrize("token", ["abc\r\nX-Evil: 1", "abc\n", "a\x00b", "a\x1b[2J"], ids=["CRLF", "LF", "NUL", "ESC"])
def test_a_token_that_no_header_can_carry_is_refused_and_not_stored(server: Server, work: MakeWork, token: str) -> None:
    url = server.reply("/login", Reply(body={"token": token}))
    with pytest.raises(StepFailed, match="login step 'user': the token holds a line break"):
        step(url).run(work())


def test_an_echo_of_something_that_looks_like_a_token_is_masked(server: Server, work: MakeWork) -> None:
    lookalike = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"
    url = server.reply("/login", Reply(400, body={"trace": lookalike, "message": "wrong password"}))
    with pytest.raises(StepFailed) as caught:
        step(url).run(work())
    assert lookalike not in str(caught.value) and "wrong password" in str(caught.value)
