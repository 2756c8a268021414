"""oci-registry, against a registry and a token server that are as strict as the specification."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Forge
from tests.recipes.installed import basic, bearer, calls, ends_of, installed, iso, later, now, refused, replaced, valid
from tests.server import Reply, Seen, Server

USER, PASSWORD, SERVICE = "ada", "registry-password-1", "registry.example.com"
PULL, PUSH = "repository:{}:pull", "repository:{}:pull,push"


class Registry:
    """Repositories a/b and c/d at one origin, tokens at another."""

    def __init__(self, server: Server, tokens: Server) -> None:
        self.tokens = tokens
        self.answer: dict[str, Any] = {"expires_in": 300}
        self.field = "token"
        self.says_why = False
        self.anonymous = False
        self._scopes: dict[str, set[str]] = {}
        self._numbers = itertools.count(1)
        tokens.reply("/token", self._token, method="GET", optional=True)
        for repository in ("a/b", "c/d"):
            server.reply(
                f"/v2/{repository}/tags/list", self._wants(PULL.format(repository)), method="GET", optional=True
            )
            server.reply(f"/v2/{repository}/blobs/uploads/", self._wants(PUSH.format(repository)), optional=True)
        server.reply("/v2/", self._wants(""), method="GET", optional=True)
        mount = f"{PUSH.format('a/b')} {PULL.format('c/d')}"
        server.reply("/v2/a/b/blobs/mount/", self._wants(mount), method="POST", optional=True)

    def revoke(self) -> None:
        self._scopes.clear()

    def _wants(self, scope: str) -> Callable[[Seen], Reply]:
        """An endpoint that answers who has a token for all of these scopes, and challenges others."""

        def answer(seen: Seen) -> Reply:
            if basic(seen) != ("", ""):
                return Reply(400, {"errors": [{"code": "UNSUPPORTED"}]})
            token = bearer(seen)
            if token in self._scopes and set(scope.split()) <= self._scopes[token]:
                return Reply(200, {"name": seen.path})
            asked = f'Bearer realm="{self.tokens.url}/token",service="{SERVICE}"'
            asked += f',scope="{scope}"' if scope else ""
            asked += ',error="invalid_token"' if self.says_why and token else ""
            return Reply(401, {"errors": [{"code": "UNAUTHORIZED"}]}, {"WWW-Authenticate": asked})

        return answer

    def _token(self, seen: Seen) -> Reply:
        names = [name for name, _ in seen.query]
        scopes = [value for name, value in seen.query if name == "scope"]
        if ("service", SERVICE) not in seen.query or set(names) - {"service", "scope"}:
            return Reply(400, {"details": "no such service"})
        # The parameter is repeated: two scopes in one are none that the server knows.
        if any(scope.count(":") != 2 or " " in scope for scope in scopes):
            return Reply(400, {"details": "malformed scope"})
        if basic(seen) != (("", "") if self.anonymous else (USER, PASSWORD)):
            return Reply(401, {"details": "incorrect username or password"})
        token = f"registry-token-{next(self._numbers)}"
        self._scopes[token] = set(scopes)
        return Reply(200, {self.field: token, **self.answer})


@pytest.fixture
def registry(
    server: Server, other_server: Server, profile_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> Registry:
    monkeypatch.setenv("PASSWORD", PASSWORD)
    _install(profile_file, server, other_server)
    return Registry(server, other_server)


def _install(write: Callable[[str], Path], server: Server, tokens: Server, *edits: Callable[[str], str]) -> None:
    variables = {"registry": f"{server.url}/v2", "auth": tokens.url, "username": USER}
    installed(write, "oci-registry", variables, {"password": {"env": "PASSWORD"}}, *edits)


def test_a_challenge_is_answered_and_remembered(forge: Forge, server: Server, registry: Registry) -> None:
    valid(forge)
    for _ in range(2):
        result = forge("get", "/a/b/tags/list")
        assert (result.exit_code, result.stdout.strip()) == (0, '{"name": "/v2/a/b/tags/list"}')
    assert calls(server.seen) == ["GET /v2/a/b/tags/list"] * 3  # asked without a token once
    assert [seen.query for seen in registry.tokens.seen] == [[("service", SERVICE), ("scope", PULL.format("a/b"))]]


def test_each_scope_has_a_token_of_its_own(forge: Forge, server: Server, registry: Registry) -> None:
    for path in ("/a/b/tags/list", "/c/d/tags/list", "/a/b/tags/list", "/c/d/tags/list"):
        assert forge("get", path).exit_code == 0
    assert forge("post", "/a/b/blobs/uploads/").exit_code == 0
    assert forge("get", "/a/b/tags/list").exit_code == 0
    asked = [dict(seen.query)["scope"] for seen in registry.tokens.seen]
    assert asked == [PULL.format("a/b"), PULL.format("c/d"), PUSH.format("a/b")]
    assert bearer(server.seen[-1]) == "registry-token-1"


def test_several_scopes_are_a_parameter_repeated(forge: Forge, registry: Registry) -> None:
    assert forge("post", "/a/b/blobs/mount/").exit_code == 0
    scopes = [value for name, value in registry.tokens.seen[0].query if name == "scope"]
    assert scopes == [PUSH.format("a/b"), PULL.format("c/d")]


def test_a_challenge_without_a_scope_is_answered_without_one(forge: Forge, registry: Registry) -> None:
    assert forge("get", "/").exit_code == 0
    assert registry.tokens.seen[0].query == [("service", SERVICE)]


def test_an_oauth_answer_will_do(forge: Forge, registry: Registry) -> None:
    registry.field = "access_token"
    assert forge("get", "/a/b/tags/list").exit_code == 0


def test_a_token_that_says_no_end_lives_for_60_seconds_from_its_issue(forge: Forge, registry: Registry) -> None:
    registry.answer = {"issued_at": iso(now() - timedelta(seconds=10))}
    forge("get", "/a/b/tags/list")
    end = ends_of("token")
    assert end is not None and 45 < (end - now()).total_seconds() <= 50
    later(seconds=30)
    forge("get", "/a/b/tags/list")
    assert len(registry.tokens.seen) == 1
    later(seconds=30)
    assert forge("get", "/a/b/tags/list").exit_code == 0
    assert len(registry.tokens.seen) == 2


def test_an_ended_token_is_had_anew_before_the_registry_is_asked(
    forge: Forge, server: Server, registry: Registry
) -> None:
    forge("get", "/a/b/tags/list")
    forge("get", "/c/d/tags/list")
    registry.answer = {"expires_in": 7200}
    later(minutes=6)
    assert forge("get", "/a/b/tags/list").exit_code == 0
    assert len(registry.tokens.seen) == 3
    assert len(server.seen_at("/v2/a/b/tags/list")) == 3


@pytest.mark.parametrize("says_why", [False, True])
def test_a_revoked_token_is_had_anew(forge: Forge, server: Server, registry: Registry, says_why: bool) -> None:
    registry.says_why = says_why
    forge("get", "/a/b/tags/list")
    for _ in range(2):
        registry.revoke()
        assert forge("get", "/a/b/tags/list").exit_code == 0
    assert len(registry.tokens.seen) == 3
    assert bearer(server.seen[-1]) == "registry-token-3"


def test_a_wrong_password_is_exit_7_and_not_shown(
    forge: Forge, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSWORD", "wrong-password-9")
    result = forge("get", "/a/b/tags/list")
    refused(result, "wrong-password-9", "YWRhOndyb25nLXBhc3N3b3JkLTk")
    assert "incorrect username or password" in result.stderr


def test_a_challenge_that_leads_elsewhere_gets_no_password(
    forge: Forge, server: Server, registry: Registry, profile_file: Callable[[str], Path]
) -> None:
    stranger, registry.tokens = registry.tokens, server
    _install(profile_file, server, server)
    registry.tokens = stranger
    refused(forge("get", "/a/b/tags/list"), PASSWORD)
    assert stranger.seen == []


def test_public_images_need_no_account(
    forge: Forge, server: Server, registry: Registry, profile_file: Callable[[str], Path]
) -> None:
    registry.anonymous = True
    line = 'basic = ["${vars.username}", "${secrets.password}"]\n'
    _install(profile_file, server, registry.tokens, replaced(line, ""))
    assert forge("get", "/a/b/tags/list").exit_code == 0
