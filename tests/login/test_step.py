from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from forge_cli.errors import ConnectionException, MaxRetryException, MissingSecret, NeedsPerson
from forge_cli.login.definition import ExpiresTable, RefreshTable, RequestTable
from forge_cli.login.scope import Scope
from forge_cli.login.step import LoginStep, digest, needs
from forge_cli.login.steps.http import HttpStep
from forge_cli.login.steps.value import ValueStep
from forge_cli.login.template import UndefinedReference
from forge_cli.models import Deadline, Headers, HttpRequest, HttpResponse, TokenData
from forge_cli.profiles.schema import EnvSecret, FileSecret, PromptSecret
from forge_cli.profiles.secrets import Secrets
from forge_cli.profiles.world import World

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECRETS: dict[str, EnvSecret | FileSecret | PromptSecret] = {
    "client": EnvSecret(env="CLIENT"),
    "password": PromptSecret(prompt="Password"),
    "key": FileSecret(file="/nowhere/key"),
}


@dataclass
class Wire:
    """Answers every request with one JSON body, and notes how it was asked to send it."""

    body: bytes = b'{"token": "user-token-2", "expires_in": 60}'
    failure: Exception | None = None
    sent: list[tuple[str, HttpRequest, int, bool]] = field(default_factory=list)

    def send(
        self,
        step: str,
        table: RequestTable,
        request: HttpRequest,
        scope: Scope,
        *,
        repeat: bool,
        deadline: Deadline | None,
    ) -> HttpResponse:
        self.sent.append((step, request, table.redirects, repeat))
        if self.failure is not None:
            raise self.failure
        return HttpResponse(200, Headers(), self.body, 1.0, "http://localhost", request)


def http(text: str = "", **options: Any) -> HttpStep:
    """A step whose request has this text."""
    refresh = options.pop("refresh", None)
    return HttpStep(
        request=RequestTable(method="POST", url="/login", text=text, redirects=options.pop("redirects", 0)),
        extract={"token": "/token"},
        expires=options.pop("expires", ExpiresTable(in_="/expires_in")),
        refresh=None if refresh is None else RefreshTable(request=RequestTable(url="/refresh", text=refresh)),
        **options,
    )


def scope(environ: dict[str, str] | None = None, **values: Any) -> Scope:
    env = {"CLIENT": "client-secret-1", "SHOP": "acme"} if environ is None else environ
    prompt = values.pop("prompt", None)
    secrets = Secrets(SECRETS, environ=env, prompt=prompt, base_dir=Path("/base"))
    return Scope(secrets=secrets, environ=env, **{"vars": {"shop": "acme"}, "base_url": "https://a.example", **values})


def step(table: Any, *, wire: Wire | None = None, **values: Any) -> LoginStep:
    return LoginStep(
        "user", table, scope=scope(**values), wire=wire or Wire(), world=World(), digest="d", now=lambda: NOW
    )


def test_it_needs_what_it_refers_to_and_what_it_names() -> None:
    table = http("${steps.app.token} ${steps.mfa.token ?? steps.login.token}", needs=("x", "app"))
    assert needs(table) == ("x", "app", "mfa", "login")


def test_its_place_in_the_login_comes_from_its_table() -> None:
    table = http("${steps.app.token}", unbound=("app",), skew="2m", refresh="${steps.device.token}")
    made = step(table)
    assert (made.key, list(made.needs), set(made.unbound), made.skew) == ("d:user", ["app", "device"], {"app"}, 120.0)
    assert made.refresh_needs == {"device"}
    assert made.stored
    assert not step(ValueStep(kind="value", value="x")).stored


def test_the_outputs_become_a_token() -> None:
    wire = Wire(b'{"token": 7, "token_type": "MAC", "expires_in": 60, "region": "eu", "r": "refresh-1", "s": "read"}')
    table = http()
    outputs = {
        "token": "/token",
        "token_type": "/token_type",
        "region": "/region",
        "refresh_token": "/r",
        "scope": "/s",
    }
    token = step(replace(table, extract=outputs), wire=wire).login({}, None)
    expected = TokenData("7", "MAC", NOW + timedelta(seconds=60), "refresh-1", "read", {"region": "eu"})
    assert (token, token.issued_at) == (expected, NOW)


@pytest.mark.parametrize(
    ("expires", "never"), [("never", True), (None, False), (ExpiresTable(in_="/x"), False)], ids=str
)
def test_never_ending_is_told_from_unknown(expires: Any, never: bool) -> None:
    token = step(http(expires=expires)).login({}, None)
    assert (token.expires_at, bool(token.meta.get("never"))) == (None, never)


def test_a_login_may_be_repeated_and_sees_the_tokens_it_is_given() -> None:
    wire = Wire()
    step(http("${steps.app.token}", redirects=3), wire=wire).login({"app": TokenData("app-token-1")}, None)
    [(name, request, redirects, repeat)] = wire.sent
    assert (name, request.content, redirects, repeat) == ("user", "app-token-1", 3, True)


class TestRefresh:
    CURRENT = TokenData("user-token-1", refresh_token="refresh-1", scope="read", extra={"region": "eu"})

    @pytest.mark.parametrize(
        ("text", "repeat"), [("${self.refresh_token}", False), ("${self.token}", True)], ids=["spent", "not spent"]
    )
    def test_what_spends_a_refresh_token_is_sent_once(self, text: str, repeat: bool) -> None:
        wire = Wire()
        token = step(http(refresh=text), wire=wire).refresh(self.CURRENT, {}, None)
        assert [sent[3] for sent in wire.sent] == [repeat]
        assert token is not None
        assert (token.access_token, token.refresh_token, token.scope) == ("user-token-2", "refresh-1", "read")
        assert token.extra == {"region": "eu"}

    @pytest.mark.parametrize(
        ("refresh", "current", "expected"),
        [
            ("${self.refresh_token}", CURRENT, True),
            ("${self.refresh_token}", TokenData("user-token-1"), False),
            ("${self.token}", TokenData("user-token-1"), True),
            ("${self.region}", TokenData("user-token-1"), False),
            (None, CURRENT, False),
        ],
        ids=["there", "not there", "the token itself", "another output", "no refresh"],
    )
    def test_it_is_possible_with_what_it_refers_to(
        self, refresh: str | None, current: TokenData, expected: bool
    ) -> None:
        assert step(http(refresh=refresh)).refreshable(current) is expected


class TestPreflight:
    @pytest.mark.parametrize(
        ("text", "error"),
        [
            ("${secrets.client}", MissingSecret),
            ("${secrets.key}", MissingSecret),
            ("${secrets.password}", NeedsPerson),
            ("${env.NOBODY}", UndefinedReference),
        ],
    )
    def test_what_a_login_lacks_is_an_error(self, text: str, error: type[Exception]) -> None:
        made = step(http(text, refresh="x"), environ={})
        with pytest.raises(error):
            made.preflight()
        made.preflight(refreshing=True)

    def test_what_only_a_refresh_lacks_is_one_when_refreshing(self) -> None:
        made = step(http("x", refresh="${secrets.client}"), environ={})
        made.preflight()
        with pytest.raises(MissingSecret):
            made.preflight(refreshing=True)

    def test_nobody_is_asked_yet(self) -> None:
        step(http("${secrets.password}"), prompt=lambda text: pytest.fail("asked")).preflight()

    def test_a_reference_with_an_alternative_need_not_be_there(self) -> None:
        step(http("${env.NOBODY ?? vars.shop}")).preflight()

    def test_a_person_is_asked_once_before_the_login(self) -> None:
        asked: list[str] = []

        def prompt(text: str) -> str:
            asked.append(text)
            return "typed-password"

        wire = Wire()
        made = step(http("${secrets.password} ${secrets.client}"), wire=wire, prompt=prompt)
        made.ask()
        made.login({}, None)
        assert (asked, wire.sent[0][1].content) == (["Password"], "typed-password client-secret-1")


def test_what_stopped_a_request_is_told_without_how_often_it_was_tried() -> None:
    cause = ConnectionException("connection refused")
    with pytest.raises(ConnectionException) as caught:
        step(http(), wire=Wire(failure=MaxRetryException("Max retries (3) exceeded", 4, cause))).login({}, None)
    assert caught.value is cause
    assert cause.context["step"] == "user"
    strange = MaxRetryException("Max retries (3) exceeded", 4, ValueError("x"))
    with pytest.raises(MaxRetryException):
        step(http(), wire=Wire(failure=strange)).login({}, None)


class TestDigest:
    TABLE = http("${vars.shop} ${env.SHOP} ${secrets.client} ${secrets.key} ${secrets.password}")

    def known(
        self, table: Any = TABLE, *, key: bytes = b"key", profile: str = "dev", parents: Any = None, **values: Any
    ) -> str:
        return digest(key, profile, "user", table, scope(**values), parents or {})

    def test_it_is_the_same_for_the_same_login(self) -> None:
        assert self.known() == self.known()

    @pytest.mark.parametrize(
        "change",
        [
            {"table": replace(TABLE, extract={"token": "/t"})},
            {"table": replace(TABLE, needs=("x",))},
            {"key": b"other"},
            {"profile": "prod"},
            {"parents": {"app": "e"}},
            {"base_url": "https://b.example"},
            {"vars": {"shop": "other"}},
            {"environ": {"CLIENT": "client-secret-2", "SHOP": "acme"}},
            {"environ": {"CLIENT": "client-secret-1", "SHOP": "other"}},
        ],
        ids=["definition", "needs", "key", "profile", "parent", "host", "var", "secret in the environment", "env"],
    )
    def test_it_changes_with_what_the_token_is_made_from(self, change: dict[str, Any]) -> None:
        assert self.known(**change) != self.known()

    @pytest.mark.parametrize(
        "change",
        [
            {"vars": {"shop": "acme", "other": "x"}},
            {"environ": {"CLIENT": "client-secret-1", "SHOP": "acme", "HOME": "/elsewhere"}},
            {"prompt": lambda text: "typed"},
        ],
        ids=["another var", "another variable", "whoever types"],
    )
    def test_it_does_not_change_with_what_is_not_used(self, change: dict[str, Any]) -> None:
        assert self.known(**change) == self.known()

    def test_nothing_can_be_read_from_it(self) -> None:
        assert len(self.known()) == 24
        assert int(self.known(), 16)
