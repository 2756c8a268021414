"""iot-device-chain, against a platform that checks signatures, nonces and every token of the chain."""

from __future__ import annotations

import hashlib
import hmac
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Forge
from tests.recipes.installed import bearer, calls, installed, later, media_type, now, refused, valid
from tests.server import Reply, Seen, Server

SECRETS = {"device_secret": "device-secret-1", "app_secret": "app-secret-1", "password": "user-password-1"}
DEVICE, APP, USER = "POST /v1/devices/token", "POST /v1/apps/token", "POST /v1/users/login"
REFRESH, ME = "POST /v1/users/refresh", "GET /v1/me"


class Platform:
    """Device tokens live for days, app tokens for a day, user tokens for two hours; refresh tokens are spent."""

    def __init__(self, server: Server) -> None:
        self.live: dict[str, set[str]] = {"device": set(), "app": set(), "user": set(), "refresh": set()}
        self.revoked_status = 401
        self._nonces: set[str] = set()
        self._numbers = {kind: itertools.count(1) for kind in self.live}
        for path, handler, method in (
            ("/v1/devices/token", self._device, "POST"),
            ("/v1/apps/token", self._app, "POST"),
            ("/v1/users/login", self._user, "POST"),
            ("/v1/users/refresh", self._refresh, "POST"),
            ("/v1/me", self._me, "GET"),
        ):
            server.reply(path, handler, method=method, optional=True)

    def _issued(self, kind: str) -> str:
        token = f"{kind}-token-{next(self._numbers[kind])}"
        self.live[kind].add(token)
        return token

    def _device(self, seen: Seen) -> Reply:
        said = seen.json() if media_type(seen) == "application/json" else {}
        message = f"{said['device_id']}{said['timestamp']}{said['nonce']}"
        signature = hmac.new(SECRETS["device_secret"].encode(), message.encode(), hashlib.sha256).hexdigest()
        if said["sign"] != signature or said["device_id"] != "device-7":
            return _error(401, "SIGNATURE_INVALID")
        if abs(int(said["timestamp"]) / 1000 - now().timestamp()) > 60 or said["nonce"] in self._nonces:
            return _error(401, "REPLAYED")
        self._nonces.add(said["nonce"])
        return Reply(200, {"device_token": self._issued("device"), "expires_in": 30 * 86400})

    def _app(self, seen: Seen) -> Reply:
        if seen.headers["X-Device-Token"] not in self.live["device"]:
            return _error(401, "DEVICE_REVOKED")
        if seen.json() != {"app_id": "app-3", "app_secret": SECRETS["app_secret"]}:
            return _error(401, "APP_UNKNOWN")
        ends = int((now().timestamp() + 86400) * 1000)
        return Reply(200, {"app_token": self._issued("app"), "expires_at": ends})

    def _user(self, seen: Seen) -> Reply:
        if seen.headers["X-App-Token"] not in self.live["app"]:
            return _error(401, "APP_TOKEN_EXPIRED")
        if seen.json() != {"user": "ada", "password": SECRETS["password"]}:
            return _error(401, "USER_UNKNOWN")
        return self._session()

    def _refresh(self, seen: Seen) -> Reply:
        if seen.headers["X-App-Token"] not in self.live["app"]:
            return _error(401, "APP_TOKEN_EXPIRED")
        spent = seen.json()["refresh_token"]
        if spent not in self.live["refresh"]:
            return _error(400, "REFRESH_TOKEN_INVALID")
        self.live["refresh"].discard(spent)
        return self._session()

    def _session(self) -> Reply:
        tokens = {"user_token": self._issued("user"), "refresh_token": self._issued("refresh")}
        return Reply(200, {**tokens, "expires_in": 7200})

    def _me(self, seen: Seen) -> Reply:
        if seen.headers["X-Device-Token"] not in self.live["device"]:
            return _error(self.revoked_status, "DEVICE_REVOKED")
        if seen.headers["X-App-Token"] not in self.live["app"]:
            return _error(401, "APP_TOKEN_EXPIRED")
        return Reply(200, {"user": "ada"}) if bearer(seen) in self.live["user"] else _error(401, "USER_TOKEN_EXPIRED")


def _error(status: int, code: str) -> Reply:
    return Reply(status, {"error": {"code": code}})


@pytest.fixture
def platform(server: Server, profile_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Platform:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name.upper(), value)
    variables = {"api": server.url, "device_id": "device-7", "app_id": "app-3", "user": "ada"}
    installed(profile_file, "iot-device-chain", variables, {name: {"env": name.upper()} for name in SECRETS})
    return Platform(server)


def test_three_steps_and_then_three_headers(forge: Forge, server: Server, platform: Platform) -> None:
    valid(forge)
    for _ in range(2):
        result = forge("get", "/v1/me")
        assert (result.exit_code, result.stdout.strip()) == (0, '{"user": "ada"}')
    assert calls(server.seen) == [DEVICE, APP, USER, ME, ME]


@pytest.mark.parametrize(
    ("passed", "renewed"),
    [
        ({"hours": 3}, [REFRESH]),
        ({"hours": 25}, [APP, USER]),
        ({"days": 31}, [DEVICE, APP, USER]),
    ],
    ids=["user", "app", "device"],
)
def test_what_has_ended_is_renewed_with_what_hangs_on_it(
    forge: Forge, server: Server, platform: Platform, passed: dict[str, float], renewed: list[str]
) -> None:
    forge("get", "/v1/me")
    later(**passed)
    assert forge("get", "/v1/me").exit_code == 0
    assert calls(server.seen)[4:] == [*renewed, ME]


@pytest.mark.parametrize(
    ("revoked", "renewed"),
    [
        (("user",), [REFRESH]),
        (("user", "refresh"), [REFRESH, USER]),
        (("app",), [APP, USER]),
        (("device",), [DEVICE, APP, USER]),
    ],
    ids=["user", "user and refresh token", "app", "device"],
)
def test_what_is_refused_is_renewed_with_what_hangs_on_it(
    forge: Forge, server: Server, platform: Platform, revoked: tuple[str, ...], renewed: list[str]
) -> None:
    forge("get", "/v1/me")
    for kind in revoked:
        platform.live[kind].clear()
    assert forge("get", "/v1/me").exit_code == 0
    assert calls(server.seen)[4:] == [ME, *renewed, ME]


def test_a_device_that_is_revoked_with_a_403_is_the_same(forge: Forge, server: Server, platform: Platform) -> None:
    platform.revoked_status = 403
    forge("get", "/v1/me")
    platform.live["device"].clear()
    assert forge("get", "/v1/me").exit_code == 0
    assert calls(server.seen)[4:] == [ME, DEVICE, APP, USER, ME]


@pytest.mark.parametrize(
    ("secret", "step", "sent"),
    [
        ("device_secret", "device", [DEVICE]),
        ("app_secret", "app", [DEVICE, APP]),
        ("password", "user", [DEVICE, APP, USER]),
    ],
)
def test_a_wrong_secret_is_exit_7_names_its_step_and_is_not_shown(
    forge: Forge,
    server: Server,
    platform: Platform,
    monkeypatch: pytest.MonkeyPatch,
    secret: str,
    step: str,
    sent: list[str],
) -> None:
    monkeypatch.setenv(secret.upper(), "wrong-secret-9")
    result = forge("get", "/v1/me")
    refused(result, "wrong-secret-9", "device-token-", "app-token-", *SECRETS.values())
    assert f"'{step}'" in result.stderr
    assert calls(server.seen) == sent
    monkeypatch.setenv(secret.upper(), SECRETS[secret])
    assert forge("get", "/v1/me").exit_code == 0


@pytest.mark.parametrize(
    ("revoked", "renewed"),
    [("app", [REFRESH, USER, APP, USER]), ("device", [APP, DEVICE, APP, USER])],
)
def test_a_token_that_is_refused_only_when_another_is_renewed_with_it_is_made_anew(
    forge: Forge, server: Server, platform: Platform, revoked: str, renewed: list[str]
) -> None:
    forge("get", "/v1/me")
    later(hours=3 if revoked == "app" else 25)
    platform.live[revoked].clear()
    assert forge("get", "/v1/me").exit_code == 0
    assert calls(server.seen)[4:] == [*renewed, ME]


def test_a_wrong_password_asks_for_no_other_token_anew(
    forge: Forge, server: Server, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    forge("get", "/v1/me")
    monkeypatch.setenv("PASSWORD", "wrong-secret-9")
    assert forge("get", "/v1/me").exit_code == 7
    assert calls(server.seen)[4:] == [USER]
