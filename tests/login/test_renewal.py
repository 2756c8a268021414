"""Renewing and revoking: what is kept, what leads to a login, what is an error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from forge_cli.errors import ConnectionException, MaxRetryException, StepFailed
from forge_cli.login.definition import (
    ExpiresTable,
    Extract,
    ExtractTable,
    RefreshTable,
    RequestTable,
    RevokeTable,
    SuccessTable,
    UntilTable,
)
from forge_cli.login.jar import Cookie, Jar
from forge_cli.login.renewal import renewed, revoked
from forge_cli.login.steps.http import HttpStep
from forge_cli.login.work import Work
from tests.login.conftest import NOW
from tests.server import Reply, Server

MakeWork = Callable[..., Work]
OWN = {"token": "user-token-1", "refresh_token": "refresh-1", "region": "eu", "scope": "read"}
EXTRACT: Extract = {
    "token": "/access_token",
    "refresh_token": "/refresh_token",
    "region": ExtractTable(pointer="/region", default="us"),
    "scope": ExtractTable(pointer="/x", alternatives=(ExtractTable(pointer="/scope", default="none"),)),
}


def step(url: str, *, request: dict[str, Any] | None = None, **refresh: Any) -> HttpStep:
    wanted = RequestTable(method="POST", url=url, **(request or {"form": {"rt": "${self.refresh_token}"}}))
    return HttpStep(
        request=RequestTable(url="http://localhost/login"),
        extract=EXTRACT,
        success=SuccessTable(body={"/status": {"not": 401}}),
        expires=ExpiresTable(in_="/expires_in"),
        values={"shared": "a-${vars.shop}"},
        refresh=RefreshTable(request=wanted, **refresh),
    )


@pytest.mark.parametrize(
    ("body", "new"),
    [
        ({"access_token": "user-token-2"}, {"token": "user-token-2"}),
        ({"access_token": "user-token-2", "refresh_token": None}, {"token": "user-token-2"}),
        ({"access_token": "user-token-2", "refresh_token": ""}, {"token": "user-token-2"}),
        ({"access_token": "user-token-2", "refresh_token": "refresh-1"}, {"token": "user-token-2"}),
        (
            {"access_token": "user-token-2", "refresh_token": "refresh-2"},
            {"token": "user-token-2", "refresh_token": "refresh-2"},
        ),
        (
            {"access_token": "user-token-2", "region": "us", "scope": "write"},
            {"token": "user-token-2", "region": "us", "scope": "write"},
        ),
    ],
    ids=["lacking", "null", "empty", "the same", "rotated", "all new"],
)
def test_what_the_answer_lacks_is_not_among_the_outputs(
    server: Server, work: MakeWork, body: dict[str, Any], new: dict[str, Any]
) -> None:
    result = renewed(step(server.reply("/refresh", Reply(200, {**body, "expires_in": 30}))), work(own=OWN))
    assert result is not None
    assert result.outputs == new
    assert result.end.at == NOW + timedelta(seconds=30)
    assert server.seen[0].form == [("rt", "refresh-1")]


def test_an_output_that_was_never_there_has_its_default(server: Server, work: MakeWork) -> None:
    url = server.reply("/refresh", Reply(200, {"access_token": "user-token-2"}))
    own = {"token": "user-token-1", "refresh_token": "refresh-1"}
    result = renewed(step(url), work(own=own))
    assert result is not None
    assert result.outputs == {"token": "user-token-2", "region": "us", "scope": "none"}


def test_values_of_the_step_are_seen_and_may_be_replaced(server: Server, work: MakeWork) -> None:
    url = server.reply("/refresh", Reply(200, {"access_token": "user-token-2"}))
    request = {"json": {"a": "${values.shared}", "b": "${values.more}"}}
    values = {"shared": "b-${vars.shop}", "more": "${values.shared}!"}
    base = work(own=OWN, values={"shared": "a-${vars.shop}"})
    renewed(step(url, request=request, values={"more": "${values.shared}!"}), base)
    renewed(step(url, request=request, values=values), base)
    assert [seen.json() for seen in server.seen] == [
        {"a": "a-acme", "b": "a-acme!"},
        {"a": "b-acme", "b": "b-acme!"},
    ]


def test_vault_renews_with_the_token_itself(server: Server, work: MakeWork) -> None:
    body = {"auth": {"client_token": "user-token-1", "lease_duration": 3600}}
    url = server.reply("/v1/auth/token/renew-self", Reply(200, body))
    made = step(
        url,
        request={"headers": {"X-Vault-Token": "${self.token}"}},
        extract={"token": "/auth/client_token"},
        expires=ExpiresTable(in_="/auth/lease_duration", zero="never"),
        renew=True,
    )
    result = renewed(made, work(own=OWN))
    assert result is not None
    assert (result.outputs, result.end.at) == ({"token": "user-token-1"}, NOW + timedelta(hours=1))
    assert server.seen[0].headers["X-Vault-Token"] == "user-token-1"


def test_a_session_may_be_kept_alive_by_an_answer_without_a_token(server: Server, work: MakeWork) -> None:
    made = step(server.reply("/touch", Reply(204)), extract={}, expires=ExpiresTable(ttl=60))
    result = renewed(made, work(own=OWN))
    assert result is not None
    assert (result.outputs, result.end.at) == ({}, NOW + timedelta(seconds=60))


def test_the_refresh_token_has_an_end_of_its_own(server: Server, work: MakeWork) -> None:
    body = {"access_token": "user-token-2", "refresh_token": "refresh-2", "refresh_expires_in": 1800}
    made = step(server.reply("/refresh", Reply(200, body)), until=UntilTable(in_="/refresh_expires_in"))
    result = renewed(made, work(own=OWN))
    assert result is not None
    assert result.until == NOW + timedelta(minutes=30)


@pytest.mark.parametrize("reply", [Reply(204), Reply(200, {"expires_in": 60})], ids=["nothing", "no token"])
def test_a_token_that_must_renew_itself_lives_on_when_the_answer_has_no_other(
    server: Server, work: MakeWork, reply: Reply
) -> None:
    url = server.reply("/renew", reply)
    result = renewed(step(url, renew=True, success=SuccessTable(), expires=ExpiresTable(ttl=60)), work(own=OWN))
    assert result is not None
    assert (result.outputs, result.end.at) == ({}, NOW + timedelta(seconds=60))
    assert renewed(step(url, success=SuccessTable()), work(own=OWN)) is None


def test_a_page_is_no_answer_by_which_a_token_lives_on(server: Server, work: MakeWork) -> None:
    url = server.reply("/renew", Reply(200, "<html>log in</html>"))
    assert renewed(step(url, renew=True, success=SuccessTable()), work(own=OWN)) is None


@pytest.mark.parametrize(
    "reply",
    [
        Reply(400, {"error": "invalid_grant"}),
        Reply(401),
        Reply(403),
        Reply(200, "<html>"),
        Reply(200, {"access_token": ""}),
        Reply(200, {"access_token": "a\nb"}),
        Reply(200, {"status": 401, "access_token": "user-token-2"}),
    ],
    ids=["400", "401", "403", "html", "empty", "line break", "200 that refuses"],
)
def test_a_refusal_leads_to_a_login_or_is_an_error(server: Server, work: MakeWork, reply: Reply) -> None:
    url = server.reply("/refresh", reply)
    assert renewed(step(url), work(own=OWN)) is None
    with pytest.raises(StepFailed):
        renewed(step(url, on_failure="error"), work(own=OWN))


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_server_in_trouble_has_refused_nothing(server: Server, work: MakeWork, status: int) -> None:
    with pytest.raises(StepFailed) as caught:
        renewed(step(server.reply("/refresh", Reply(status))), work(own=OWN))
    assert caught.value.status == status


def test_a_server_that_is_not_reached_has_refused_nothing(work: MakeWork) -> None:
    with pytest.raises((ConnectionException, MaxRetryException)):
        renewed(step("http://127.0.0.1:9/refresh"), work(own=OWN))


def test_without_a_refresh_there_is_nothing_to_renew(work: MakeWork) -> None:
    assert renewed(replace(step("http://localhost/"), refresh=None), work(own=OWN)) is None


def test_a_renewal_sends_and_updates_its_jar(server: Server, work: MakeWork) -> None:
    headers = {"Set-Cookie": "sid=session-value-2; Path=/"}
    url = server.reply("/refresh", Reply(200, {"access_token": "user-token-2"}, headers))
    made = work(own=OWN)
    made.jars["site"] = Jar((Cookie("sid", "session-value-1", "127.0.0.1", "/"),))
    renewed(step(url, request={"cookies": "site"}), made)
    assert server.seen[0].headers["Cookie"] == "sid=session-value-1"
    assert made.jars["site"].values == {"sid": "session-value-2"}


class TestRevoking:
    def revoking(self, url: str) -> HttpStep:
        revoke = RevokeTable(request=RequestTable(method="POST", url=url, form={"token": "${self.refresh_token}"}))
        return replace(step("http://localhost/refresh"), revoke=revoke)

    def test_the_request_sees_the_outputs(self, server: Server, work: MakeWork) -> None:
        revoked(self.revoking(server.reply("/revoke", Reply(204))), work(own=OWN))
        assert server.seen[0].form == [("token", "refresh-1")]

    @pytest.mark.parametrize("status", [302, 400, 503])
    def test_an_answer_that_is_no_success_fails(self, server: Server, work: MakeWork, status: int) -> None:
        url = server.reply("/revoke", Reply(status, {"error": "unsupported_token_type"}))
        with pytest.raises(StepFailed) as caught:
            revoked(self.revoking(url), work(own=OWN))
        assert caught.value.message.startswith(f"login step 'user': not revoked: the status is {status}\n  POST {url}")

    def test_a_step_that_cannot_be_revoked_sends_nothing(self, work: MakeWork) -> None:
        revoked(step("http://localhost/"), work(own=OWN))
