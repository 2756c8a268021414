"""An OAuth 2.0 token endpoint on loopback that is as strict as the standard."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Literal, Self

from .exchange import Answer, Reply, Seen
from .server import ScriptedServer
from .token_request import Refused, TokenRequest, oauth_error

__all__ = ["TokenEndpoint", "oauth_error"]


@dataclass
class _Family:
    """What one grant has led to: all of it falls together."""

    client: str
    scope: frozenset[str]
    revoked: bool = False


@dataclass
class _Access:
    family: _Family
    ends: float
    revoked: bool = False


@dataclass
class _Refresh:
    family: _Family
    spent: bool = False


class TokenEndpoint:
    """Gives out tokens by the grants client_credentials, password and refresh_token (RFC 6749, sections 4.3, 4.4, 6).

    `clients` maps client ids to secrets, `users` names to passwords; without users there is no password grant, the
    only one that comes with a refresh token. `lifetime` is in seconds; None leaves ``expires_in`` out. `refresh` says
    what happens to a refresh token that is used: "kept" (the answer has none), "rotated" (the answer has the next;
    using an old one again ends everything that came of the login, RFC 9700, section 4.14.2), "none" (none are given).
    `client_auth` is how clients must authenticate (RFC 6749, section 2.3.1): in the "header" (Basic), in the "body",
    or by "any" of them, but never by both. `scopes` are those that exist; None takes any.

    It listens on a server of its own, or at `path` of `server`. Tokens are numbered: ``access-token-1``,
    ``refresh-token-1``.
    """

    def __init__(
        self,
        clients: Mapping[str, str],
        users: Mapping[str, str] | None = None,
        *,
        lifetime: float | None = 3600.0,
        refresh: Literal["kept", "rotated", "none"] = "kept",
        client_auth: Literal["any", "header", "body"] = "any",
        scopes: Collection[str] | None = None,
        server: ScriptedServer | None = None,
        path: str = "/token",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.lifetime = lifetime
        self.calls: Counter[str] = Counter()
        """How many requests came, by their grant type, refused ones and failed ones too."""
        self.refusals: Counter[str] = Counter()
        """How many were refused, by error code."""
        self._clients, self._users = dict(clients), dict(users or {})
        self._refresh_mode, self._client_auth, self._scopes, self._clock = refresh, client_auth, scopes, clock
        self._access: dict[str, _Access] = {}
        self._refresh: dict[str, _Refresh] = {}
        self._failures: deque[Reply] = deque()
        self._lock = threading.Lock()
        listening = server or ScriptedServer()
        self._own = None if server else listening
        self.url = listening.reply(path, self._answer, optional=True)

    def fail_next(self, *replies: Reply) -> None:
        """Answer the next requests by these instead, whatever they ask: an outage, or an `oauth_error`."""
        with self._lock:
            self._failures.extend(replies)

    def expire(self) -> None:
        """Every access token ends now; refresh tokens stay."""
        with self._lock:
            for access in self._access.values():
                access.revoked = True

    def revoke(self, token: str) -> None:
        """Refuse a token from now on; a refresh token takes with it what came of the same login (RFC 7009, 2.1)."""
        with self._lock:
            if token in self._access:
                self._access[token].revoked = True
            if token in self._refresh:
                self._refresh[token].family.revoked = True

    def accepts(self, token: str) -> bool:
        """Whether an access token is good at this moment."""
        with self._lock:
            access = self._access.get(token)
            return access is not None and not (access.revoked or access.family.revoked or self._clock() >= access.ends)

    def guard(self, *answers: Answer) -> Callable[[Seen], Reply]:
        """These answers, each in turn, the last stays, to requests with a good token; 401 to others (RFC 6750)."""
        waiting = deque(answers)

        def answer(seen: Seen) -> Reply:
            scheme, _, token = (seen.headers.get("Authorization") or "").partition(" ")
            if scheme.lower() != "bearer":
                return Reply(401, headers={"WWW-Authenticate": "Bearer"})
            if not self.accepts(token.strip()):
                return Reply(401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
            with self._lock:
                chosen = waiting.popleft() if len(waiting) > 1 else waiting[0]
            return chosen(seen) if callable(chosen) else chosen

        return answer

    def close(self) -> None:
        """Stop its own server; one that was given goes on."""
        if self._own is not None:
            self._own.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _answer(self, seen: Seen) -> Reply:
        with self._lock:
            try:
                request = TokenRequest.read(seen)
                self.calls[request.grant_type] += 1
                if self._failures:
                    return self._failures.popleft()
                client = request.client(self._clients, self._client_auth)
                return self._granted(request, client)
            except Refused as refusal:
                self.refusals[refusal.error] += 1
                return refusal.reply()

    def _granted(self, request: TokenRequest, client: str) -> Reply:
        match request.grant_type:
            case "client_credentials":
                return self._issued(_Family(client, self._wanted(request)), refreshable=False)
            case "password" if self._users:
                user, password = request.need("username"), request.need("password")
                if self._users.get(user) != password:
                    raise Refused("invalid_grant", "wrong user name or password")
                return self._issued(_Family(client, self._wanted(request)), refreshable=self._refresh_mode != "none")
            case "refresh_token" if self._users and self._refresh_mode != "none":
                return self._renewed(request, client)
        raise Refused("unsupported_grant_type", f"no grant {request.grant_type!r} here")

    def _renewed(self, request: TokenRequest, client: str) -> Reply:
        refresh = self._refresh.get(request.need("refresh_token"))
        if refresh is None or refresh.family.client != client:
            raise Refused("invalid_grant", "no such refresh token")
        if refresh.spent:
            # Somebody has a copy: nothing that came from it can be trusted.
            refresh.family.revoked = True
        if refresh.family.revoked:
            raise Refused("invalid_grant", "the refresh token is no longer good")
        scope = request.scope()
        if not scope <= refresh.family.scope:
            raise Refused("invalid_scope", "more than was granted")
        refresh.spent = self._refresh_mode == "rotated"
        return self._issued(refresh.family, refreshable=refresh.spent, scope=scope)

    def _wanted(self, request: TokenRequest) -> frozenset[str]:
        scope = request.scope()
        if self._scopes is not None and not scope <= set(self._scopes):
            raise Refused("invalid_scope", "no such scope")
        return scope

    def _issued(self, family: _Family, *, refreshable: bool, scope: Collection[str] = ()) -> Reply:
        """The answer of RFC 6749, section 5.1."""
        access = f"access-token-{len(self._access) + 1}"
        life = float("inf") if self.lifetime is None else self.lifetime
        self._access[access] = _Access(family, self._clock() + life)
        document: dict[str, object] = {"access_token": access, "token_type": "Bearer"}
        if self.lifetime is not None:
            document["expires_in"] = int(self.lifetime)
        if refreshable:
            token = f"refresh-token-{len(self._refresh) + 1}"
            self._refresh[token] = _Refresh(family)
            document["refresh_token"] = token
        if scope or family.scope:
            document["scope"] = " ".join(sorted(scope or family.scope))
        return Reply(200, document, {"Cache-Control": "no-store", "Pragma": "no-cache"})
