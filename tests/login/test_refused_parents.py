"""A step that is refused for the token of another one: that token is made anew, and the step run again, once."""

from __future__ import annotations

import pytest

from forge_cli.client import HttpClient
from forge_cli.errors import MaxRetryException, NeedsPerson, StepFailed
from tests.logins import made, numbered
from tests.server import Reply, Seen, Server

CHAIN = """
[profiles.demo.secrets]
password = { env = "PASSWORD" }
[profiles.demo.auth]
type = "pipeline"
[profiles.demo.auth.steps.app]
request = { method = "POST", url = "/app" }
extract = { token = "/token" }
expires = "never"
[profiles.demo.auth.steps.user]
request = { method = "POST", url = "/user", headers = { X-App = "${steps.app.token}" } }
extract = { token = "/token" }
expires = { ttl = "1s" }
skew = 1
"""
"""The user's token has ended as soon as it is there, so that each request asks for another."""
RULE = """
[[profiles.demo.auth.invalidate]]
when = { status = 403, body = { "/code" = "APP" } }
steps = ["app"]
"""


class Api:
    """Accepts the app's tokens until they are revoked, and refuses others in its own way."""

    def __init__(self, server: Server, refusal: Reply) -> None:
        self.refusal = refusal
        self.revoked: set[str | None] = set()
        tokens = numbered("user")
        server.reply("/app", numbered("app"))
        server.reply("/user", lambda seen: self.refusal if self._gone(seen) else tokens(seen))
        server.reply("/a", Reply(), optional=True)

    def _gone(self, seen: Seen) -> bool:
        return seen.headers["X-App"] in self.revoked or "every" in self.revoked


def client(text: str, server: Server) -> HttpClient:
    return made(text, server.url, environ={"PASSWORD": "password-1"}).client()


def failure(http: HttpClient) -> BaseException | None:
    """Why a request was not sent."""
    with pytest.raises(MaxRetryException) as caught:
        http.get("/a")
    return caught.value.original_exception


def asked(server: Server) -> list[str]:
    return [seen.path for seen in server.seen]


@pytest.mark.parametrize(
    ("text", "refusal"),
    [(CHAIN, Reply(401)), (CHAIN + RULE, Reply(403, {"code": "APP"}))],
    ids=["by a 401", "by a rule"],
)
def test_the_token_is_made_anew_and_the_step_run_again(server: Server, text: str, refusal: Reply) -> None:
    api = Api(server, refusal)
    with client(text, server) as http:
        http.get("/a")
        api.revoked.add("app-token-1")
        http.get("/a")
    assert asked(server) == ["/app", "/user", "/a", "/user", "/app", "/user", "/a"]
    assert server.seen[-2].headers["X-App"] == "app-token-2"


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        (CHAIN, Reply(403)),
        (CHAIN + RULE, Reply(403, {"code": "USER"})),
        (CHAIN.replace('type = "pipeline"', 'type = "pipeline"\ninvalidate = []'), Reply(401)),
        (CHAIN.replace('url = "/user"', 'url = "/user", form = { p = "${secrets.password}" }'), Reply(401)),
    ],
    ids=["another status", "no rule that matches", "rules switched off", "it may be about a secret"],
)
def test_another_refusal_is_the_steps_own(server: Server, text: str, refusal: Reply) -> None:
    api = Api(server, refusal)
    with client(text, server) as http:
        http.get("/a")
        api.revoked.add("app-token-1")
        error = failure(http)
    assert isinstance(error, StepFailed) and error.step == "user"
    assert asked(server) == ["/app", "/user", "/a", "/user"]


def test_a_token_that_was_just_made_is_not_made_again(server: Server) -> None:
    api = Api(server, Reply(401))
    api.revoked.add("every")
    with client(CHAIN, server) as http:
        assert isinstance(failure(http), StepFailed)
    assert asked(server) == ["/app", "/user"]


def test_it_is_tried_once(server: Server) -> None:
    api = Api(server, Reply(401))
    with client(CHAIN, server) as http:
        http.get("/a")
        api.revoked.add("every")
        error = failure(http)
    assert asked(server)[3:] == ["/user", "/app", "/user"]
    assert isinstance(error, StepFailed) and error.answer is None


def test_a_step_with_a_side_effect_is_not_run_again(server: Server) -> None:
    api = Api(server, Reply(401))
    text = CHAIN.replace("skew = 1\n", "skew = 1\nside_effect = true\n")
    profile = made(text, server.url, environ={"PASSWORD": "password-1"})
    with profile.client() as http:
        http.get("/a")
        api.revoked.add("app-token-1")
        assert isinstance(failure(http), NeedsPerson)
    with pytest.raises(StepFailed):
        profile.login.pipeline.obtain(["user"], allow=lambda name: True)
    assert asked(server)[3:] == ["/user"]
