"""An HTTP API on loopback whose login takes three steps: device, app, user."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from .listener import Call, Listener, Refused
from .profile import ENVIRON

USERS = ({"id": 1, "name": "Ada"}, {"id": 2, "name": "Grace"}, {"id": 3, "name": "Edsger"})
FAILURES = 2
"""How many calls of `/flaky` in a row are answered with 503."""


@dataclass(frozen=True)
class Lives:
    """How long tokens are good for, in seconds."""

    device: float = 30 * 86400
    app: float = 12 * 3600
    user: float = 25 * 60


@dataclass
class _Token:
    value: str
    ends: float
    parent: _Token | None = None
    revoked: bool = False


@dataclass
class _Refresh:
    app: _Token
    family: list[_Token]
    spent: bool = False


class DemoApi:
    """The API. `calls` counts the requests by path; the other methods make tokens go bad."""

    def __init__(self, clock: Callable[[], float] = time.time, lives: Lives | None = None) -> None:
        self.calls: Counter[str] = Counter()
        self._clock = clock
        self._lives = lives or Lives()
        self._lock = threading.Lock()
        self._issued: Counter[str] = Counter()
        self._tokens: dict[str, dict[str, _Token]] = {"device": {}, "app": {}, "user": {}}
        self._refresh: dict[str, _Refresh] = {}
        self._strict = True
        self._listener: Listener | None = None

    def start(self) -> str:
        """Listen on a free port of 127.0.0.1; return the address."""
        self._listener = Listener(self.answer)
        return self._listener.url

    def stop(self) -> None:
        """Stop listening. Stopping twice is fine."""
        if self._listener is not None:
            self._listener.stop()
            self._listener = None

    def expire_user(self) -> None:
        """Every user token ends now; refresh tokens stay."""
        self._end("user")

    def revoke_app(self) -> None:
        """Every app token is refused from now on, and with it what was obtained by it."""
        self._end("app")

    def revoke_device(self) -> None:
        """Every device token is refused from now on, and with it what was obtained by it."""
        self._end("device")

    def answer(self, method: str, path: str, call: Call) -> tuple[int, Mapping[str, str], object]:
        """Status, extra headers and JSON body for one request."""
        with self._lock:
            self.calls[path] += 1
            try:
                routes = self._ROUTES.get(path)
                if routes is None:
                    raise Refused(404, "NOT_FOUND")
                if method not in routes:
                    raise Refused(405, "METHOD_NOT_ALLOWED", {"Allow": ", ".join(routes)})
                return 200, {}, routes[method](self, call)
            except Refused as refusal:
                return refusal.status, refusal.headers, {"error": {"code": refusal.code}}

    def _device(self, call: Call) -> object:
        call.json("id")
        token = self._issue("device", self._lives.device)
        return {"device_token": token.value, "expires_in": int(self._lives.device)}

    def _app(self, call: Call) -> object:
        device = self._good("device", call.headers.get("x-device-token"))
        if call.json("secret") != ENVIRON["DEMO_CLIENT_SECRET"]:
            raise Refused(401, "SECRET_WRONG")
        token = self._issue("app", self._lives.app, device)
        return {"app_token": token.value, "expires_at": int(token.ends * 1000)}

    def _login(self, call: Call) -> object:
        app = self._good("app", call.headers.get("x-app-token"))
        if (call.form("user"), call.form("password")) != ("ada", ENVIRON["DEMO_PASSWORD"]):
            raise Refused(401, "PASSWORD_WRONG")
        return self._user(app, [])

    def _renew(self, call: Call) -> object:
        refresh = self._refresh.get(call.json("refresh_token"))
        if refresh is None:
            raise Refused(401, "REFRESH_TOKEN_UNKNOWN")
        if refresh.spent:
            # Somebody has a copy: nothing that came from it can be trusted (RFC 9700, section 4.14.2).
            for token in refresh.family:
                token.revoked = True
            for other in self._refresh.values():
                other.spent = other.spent or other.family is refresh.family
            raise Refused(401, "REFRESH_TOKEN_REUSED")
        self._good("app", refresh.app.value)
        refresh.spent = True
        return self._user(refresh.app, refresh.family)

    def _users(self, call: Call) -> object:
        self._authenticated(call)
        return USERS

    def _flaky(self, call: Call) -> object:
        self._authenticated(call)
        self._issued["flaky"] += 1
        if self._issued["flaky"] % (FAILURES + 1):
            raise Refused(503, "TRY_LATER", {"Retry-After": "1"})
        return {"ok": True}

    def _strict_once(self, call: Call) -> object:
        user = self._authenticated(call)
        if self._strict and user.parent is not None:
            self._strict = False
            user.parent.revoked = True
            raise Refused(401, "APP_TOKEN_EXPIRED")
        return {"ok": True}

    _ROUTES: ClassVar[Mapping[str, Mapping[str, Callable[[DemoApi, Call], object]]]] = {
        "/v1/devices/token": {"POST": _device},
        "/v1/apps/token": {"POST": _app},
        "/v1/users/login": {"POST": _login},
        "/v1/users/refresh": {"POST": _renew},
        "/users": {"GET": _users},
        "/flaky": {"GET": _flaky},
        "/strict": {"GET": _strict_once},
    }

    def _user(self, app: _Token, family: list[_Token]) -> object:
        token = self._issue("user", self._lives.user, app)
        family.append(token)
        refresh = self._number("refresh")
        self._refresh[refresh] = _Refresh(app, family)
        return {"user_token": token.value, "refresh_token": refresh, "expires_in": int(self._lives.user)}

    def _authenticated(self, call: Call) -> _Token:
        scheme, _, value = call.headers.get("authorization", "").partition(" ")
        return self._good("user", value if scheme.lower() == "bearer" else None)

    def _good(self, kind: str, value: str | None) -> _Token:
        token = self._tokens[kind].get(value or "")
        if token is None:
            raise Refused(401, _REFUSALS[kind])
        if token.parent is not None:
            self._good("app" if kind == "user" else "device", token.parent.value)
        if token.revoked or self._clock() >= token.ends:
            raise Refused(401, _REFUSALS[kind])
        return token

    def _issue(self, kind: str, life: float, parent: _Token | None = None) -> _Token:
        token = _Token(self._number(kind), self._clock() + life, parent)
        self._tokens[kind][token.value] = token
        return token

    def _number(self, kind: str) -> str:
        # Counted rather than random: the output of a demo and of a failing test is the same each time.
        self._issued[kind] += 1
        return f"demo-{kind}-token-{self._issued[kind]:04d}"

    def _end(self, kind: str) -> None:
        with self._lock:
            for token in self._tokens[kind].values():
                token.revoked = True


_REFUSALS = {"device": "DEVICE_REVOKED", "app": "APP_TOKEN_EXPIRED", "user": "USER_TOKEN_EXPIRED"}
