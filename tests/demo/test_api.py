"""The demo API refuses what a real one would, and counts what it is asked."""

from __future__ import annotations

import http.client
import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from forge_cli.demo.api import USERS, DemoApi, Lives
from forge_cli.demo.profile import ENVIRON, PROFILE

SECRET = ENVIRON["DEMO_CLIENT_SECRET"]
PASSWORD = ENVIRON["DEMO_PASSWORD"]


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    json: Any

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])


class Client:
    """Plain HTTP, and the three steps by hand."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)

    def send(self, method: str, path: str, body: str | None = None, **headers: str) -> Answer:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request(method, path, body, fields)
        response = self._connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), json.loads(response.read() or b"null"))

    def get(self, path: str, user: str) -> Answer:
        return self.send("GET", path, Authorization=f"Bearer {user}")

    def device(self) -> str:
        return str(self.send("POST", "/v1/devices/token", '{"id": "d"}').json["device_token"])

    def app(self, device: str, secret: str = SECRET) -> Answer:
        return self.send("POST", "/v1/apps/token", json.dumps({"secret": secret}), X_Device_Token=device)

    def user(self, app: str, password: str = PASSWORD) -> Answer:
        return self.send("POST", "/v1/users/login", urlencode({"user": "ada", "password": password}), X_App_Token=app)

    def refresh(self, token: str) -> Answer:
        return self.send("POST", "/v1/users/refresh", json.dumps({"refresh_token": token}))

    def login(self) -> Any:
        return self.user(self.app(self.device()).json["app_token"]).json

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def api(clock: Clock) -> Iterator[DemoApi]:
    running = DemoApi(clock, Lives(device=1000, app=100, user=10))
    yield running
    running.stop()


@pytest.fixture
def client(api: DemoApi) -> Iterator[Client]:
    client = Client(api.start())
    yield client
    client.close()


def test_three_steps_lead_to_the_users(api: DemoApi, client: Client) -> None:
    answer = client.get("/users", client.login()["user_token"])
    assert (answer.status, answer.json) == (200, list(USERS))
    assert api.calls == {"/v1/devices/token": 1, "/v1/apps/token": 1, "/v1/users/login": 1, "/users": 1}


def test_each_step_says_when_its_token_ends(client: Client) -> None:
    device = client.send("POST", "/v1/devices/token", '{"id": "d"}').json
    app = client.app(device["device_token"]).json
    assert device["expires_in"] == 1000
    assert app["expires_at"] == (1_000_000 + 100) * 1000
    assert client.user(app["app_token"]).json["expires_in"] == 10


def test_the_same_request_gets_the_same_bytes(client: Client) -> None:
    first, second = client.get("/users", "wrong"), client.get("/users", "wrong")
    assert first == second
    assert set(first.headers) == {"Content-Type", "Content-Length"}


REFUSED: dict[str, tuple[Callable[[Client], Answer], int, str]] = {
    "no device id": (lambda c: c.send("POST", "/v1/devices/token", "{}"), 400, "ID_MISSING"),
    "no JSON": (lambda c: c.send("POST", "/v1/devices/token", "\xff["), 400, "ID_MISSING"),
    "unknown device": (lambda c: c.app("wrong"), 401, "DEVICE_REVOKED"),
    "wrong secret": (lambda c: c.app(c.device(), "wrong"), 401, "SECRET_WRONG"),
    "unknown app": (lambda c: c.user("wrong"), 401, "APP_TOKEN_EXPIRED"),
    "wrong password": (lambda c: c.user(c.app(c.device()).json["app_token"], "wrong"), 401, "PASSWORD_WRONG"),
    "unknown refresh token": (lambda c: c.refresh("wrong"), 401, "REFRESH_TOKEN_UNKNOWN"),
    "unknown user": (lambda c: c.get("/users", "wrong"), 401, "USER_TOKEN_EXPIRED"),
    "no credential": (lambda c: c.send("GET", "/users"), 401, "USER_TOKEN_EXPIRED"),
    "device token as user token": (lambda c: c.get("/users", c.device()), 401, "USER_TOKEN_EXPIRED"),
    "unknown path": (lambda c: c.send("GET", "/nowhere"), 404, "NOT_FOUND"),
    "wrong method": (lambda c: c.send("GET", "/v1/apps/token"), 405, "METHOD_NOT_ALLOWED"),
}


@pytest.mark.parametrize(("call", "status", "code"), REFUSED.values(), ids=REFUSED)
def test_it_refuses(client: Client, call: Callable[[Client], Answer], status: int, code: str) -> None:
    answer = call(client)
    assert (answer.status, answer.code) == (status, code)


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(10, "USER_TOKEN_EXPIRED"), (100, "APP_TOKEN_EXPIRED"), (1000, "DEVICE_REVOKED")],
    ids=["user", "app", "device"],
)
def test_a_token_ends_on_time_and_with_what_it_came_from(
    client: Client, clock: Clock, seconds: float, code: str
) -> None:
    user = client.login()["user_token"]
    clock.now += seconds
    assert client.get("/users", user).code == code


@pytest.mark.parametrize(
    ("knob", "code"),
    [
        (DemoApi.expire_user, "USER_TOKEN_EXPIRED"),
        (DemoApi.revoke_app, "APP_TOKEN_EXPIRED"),
        (DemoApi.revoke_device, "DEVICE_REVOKED"),
    ],
    ids=["user", "app", "device"],
)
def test_a_token_can_be_made_to_end(api: DemoApi, client: Client, knob: Callable[[DemoApi], None], code: str) -> None:
    user = client.login()["user_token"]
    knob(api)
    assert client.get("/users", user).code == code
    assert client.get("/users", client.login()["user_token"]).status == 200


def test_a_refresh_token_is_good_once(api: DemoApi, client: Client) -> None:
    first = client.login()
    api.expire_user()
    second = client.refresh(first["refresh_token"]).json
    assert client.get("/users", second["user_token"]).status == 200
    assert second["refresh_token"] != first["refresh_token"]


def test_using_a_refresh_token_twice_ends_the_whole_family(client: Client) -> None:
    first = client.login()
    second = client.refresh(first["refresh_token"]).json
    assert client.refresh(first["refresh_token"]).code == "REFRESH_TOKEN_REUSED"
    assert client.refresh(second["refresh_token"]).code == "REFRESH_TOKEN_REUSED"
    assert client.get("/users", second["user_token"]).code == "USER_TOKEN_EXPIRED"


def test_a_refresh_token_ends_with_its_app_token(api: DemoApi, client: Client) -> None:
    login = client.login()
    api.revoke_app()
    assert client.refresh(login["refresh_token"]).code == "APP_TOKEN_EXPIRED"


def test_flaky_fails_twice_then_answers_again_and_again(client: Client) -> None:
    user = client.login()["user_token"]
    answers = [client.get("/flaky", user) for _ in range(6)]
    assert [answer.status for answer in answers] == [503, 503, 200] * 2
    assert answers[0].headers["Retry-After"] == "1"


def test_strict_refuses_one_app_token_once(client: Client) -> None:
    user = client.login()["user_token"]
    assert client.get("/strict", user).code == "APP_TOKEN_EXPIRED"
    assert client.get("/strict", user).code == "APP_TOKEN_EXPIRED"
    assert client.get("/strict", client.login()["user_token"]).status == 200


@pytest.mark.parametrize("length", ["-1", "x", "99999"], ids=["negative", "no number", "too long"])
def test_a_body_length_that_makes_no_sense_closes_the_connection(client: Client, length: str) -> None:
    with pytest.raises(http.client.RemoteDisconnected):
        client.send("POST", "/v1/devices/token", Content_Length=length)


def test_stopping_twice_is_fine(api: DemoApi) -> None:
    api.start()
    api.stop()
    api.stop()


def test_the_profile_is_toml_and_keeps_its_secrets_in_the_environment() -> None:
    profile = tomllib.loads(PROFILE)["profiles"]["demo"]
    assert set(profile["auth"]["steps"]) == {"device", "app", "user"}
    assert {secret["env"] for secret in profile["secrets"].values()} == set(ENVIRON)
    assert not any(value in PROFILE for value in ENVIRON.values())
