"""An OAuth 2.0 and OpenID Connect provider on loopback that is as strict as the vendor it plays."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import unquote_plus, urlencode, urlsplit

from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from tests.server import Reply, Seen, Server

FORM = "application/x-www-form-urlencoded"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

Check = Callable[[str, Mapping[str, str]], "tuple[str, str] | None"]


@dataclass(frozen=True)
class Client:
    """A registered client. `auth` is the one way in which it may prove who it is; "grant": by what it asks with."""

    id: str = "client-1"
    secret: str = ""
    auth: Literal["basic", "post", "none", "key", "grant"] = "none"
    grants: tuple[str, ...] = ("authorization_code", "refresh_token")
    redirects: tuple[str, ...] = ("http://127.0.0.1/callback",)
    any_port: bool = True
    """Whether the port of a loopback address is left out of the comparison (RFC 8252, section 7.3)."""
    key: rsa.RSAPublicKey | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """What the header of its assertions must say."""


@dataclass(frozen=True)
class Rules:
    """What differs from vendor to vendor. `check` sees each request that is otherwise good, and says what is wrong."""

    issuer: str = ""
    authorize: str = "/authorize"
    token: str = "/token"
    device: str = "/device"
    revoke: str = "/revoke"
    userinfo: str = "/userinfo"
    jwks: str = "/jwks"
    discovery: bool = True
    scopes: frozenset[str] | None = None
    offline: Callable[[Mapping[str, str]], bool] = lambda asked: "offline_access" in asked.get("scope", "").split()
    rotates: bool = True
    lifetime: int | None = 3600
    says_lifetime: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)
    pending_status: int = 400
    refused_status: int = 400
    form_unless_json: bool = False
    device_secret: bool = False
    revoke_free: bool = False
    """Whether who has a token may revoke it, without a word on the client."""
    check: Check = lambda where, fields: None


class _Refused(Exception):
    def __init__(self, error: str, why: str, status: int | None = None) -> None:
        super().__init__(error)
        self.error, self.why, self.status = error, why, status


@dataclass
class _Login:
    """What one consent led to: all of it falls together."""

    asked: dict[str, str]
    revoked: bool = False


@dataclass
class _Code:
    login: _Login
    spent: bool = False


@dataclass
class _Token:
    login: _Login
    ends: float
    spent: bool = False


class OidcVendor:
    """The provider, on routes of `server`, with one client.

    `calls` counts token requests by grant, `refusals` what was refused, `logins` consents. `polls` is what the polls
    of a device are answered with, in turn; the last stays. `denies` makes the person say no, `extra` goes into each
    answer with a token.
    """

    def __init__(self, server: Server, rules: Rules, client: Client) -> None:
        self.server, self.rules, self.client = server, rules, client
        self.calls: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.logins = 0
        self.denies = False
        self.extra = dict(rules.extra)
        self.polls = ["authorization_pending", "granted"]
        self.secrets: set[str] = {client.secret} - {""}
        self._codes: dict[str, _Code] = {}
        self._devices: dict[str, _Login] = {}
        self._access: dict[str, _Token] = {}
        self._refresh: dict[str, _Token] = {}
        self._used: set[str] = set()
        self._polled = 0
        self._key = _key()
        self.issuer = server.url + rules.issuer
        routes: dict[str, Callable[[Seen], Reply]] = {
            rules.authorize: self._authorize,
            rules.token: self._guarded(self._token),
            rules.device: self._guarded(self._device),
            rules.revoke: self._guarded(self._revoke),
            rules.jwks: lambda seen: Reply(body={"keys": [self._key.as_dict(private=False)]}),
            rules.userinfo: self.guard(Reply(body={"sub": "ada"})),
        }
        if rules.discovery:
            routes[f"{rules.issuer.rstrip('/')}/.well-known/openid-configuration"] = self._metadata
        for path, answer in routes.items():
            server.reply(path, answer, optional=True)

    @property
    def tokens(self) -> int:
        """How many token requests came."""
        return self.calls.total()

    def api(self, path: str, **wanted: str) -> None:
        """Answer this path for a token that was asked for with these fields."""
        self.server.reply(path, self.guard(Reply(body={"hello": "world"}), **wanted), optional=True)

    def guard(self, reply: Reply, **wanted: str) -> Callable[[Seen], Reply]:
        """This reply to a good token, 401 to any other (RFC 6750)."""

        def answer(seen: Seen) -> Reply:
            scheme, _, value = (seen.headers.get("Authorization") or "").partition(" ")
            token = self._access.get(value)
            good = scheme == "Bearer" and token is not None and not token.login.revoked and token.ends > time.time()
            if not good or token is None or any(token.login.asked.get(name) != text for name, text in wanted.items()):
                return Reply(401, {"error": "invalid_token"}, {"WWW-Authenticate": 'Bearer error="invalid_token"'})
            return reply

        return answer

    def expire(self) -> None:
        """Every access token ends now."""
        for token in self._access.values():
            token.ends = 0.0

    def end_everything(self) -> None:
        """Every login is over, refresh tokens and all."""
        for token in [*self._access.values(), *self._refresh.values()]:
            token.login.revoked = True

    @property
    def live(self) -> int:
        """How many refresh tokens are still good."""
        return sum(not (token.login.revoked or token.spent) for token in self._refresh.values())

    def _guarded(self, handler: Callable[[dict[str, str], Seen], Reply]) -> Callable[[Seen], Reply]:
        def answer(seen: Seen) -> Reply:
            try:
                reply = handler(_form(seen), seen)
            except _Refused as refusal:
                self.refusals[refusal.error] += 1
                body = {"error": refusal.error, "error_description": refusal.why}
                reply = Reply(refusal.status or self.rules.refused_status, body)
            if self.rules.form_unless_json and seen.headers.get("Accept") != "application/json":
                return Reply(reply.status, urlencode(reply.body), {"Content-Type": FORM})  # type: ignore[arg-type]
            return reply

        return answer

    def _metadata(self, seen: Seen) -> Reply:
        url, rules = self.server.url, self.rules
        return Reply(
            body={
                "issuer": self.issuer,
                "authorization_endpoint": url + rules.authorize,
                "token_endpoint": url + rules.token,
                "device_authorization_endpoint": url + rules.device,
                "revocation_endpoint": url + rules.revoke,
                "userinfo_endpoint": url + rules.userinfo,
                "jwks_uri": url + rules.jwks,
            }
        )

    def _authorize(self, seen: Seen) -> Reply:
        """RFC 6749, section 4.1.1; RFC 7636, section 4.3. A bad client or redirect URI is not redirected to."""
        asked = dict(seen.query)
        if len(asked) < len(seen.query):
            return Reply(400, "a parameter twice")
        uri = asked.get("redirect_uri", "")
        if asked.get("client_id") != self.client.id or not self._registered(uri):
            self.refusals["redirect_uri"] += 1
            return Reply(400, "unknown client or redirect_uri")
        try:
            if "client_secret" in asked:
                raise _Refused("invalid_request", "a secret in the browser")
            if asked.get("response_type") != "code" or "authorization_code" not in self.client.grants:
                raise _Refused("unsupported_response_type", "only code")
            if asked.get("code_challenge_method") != "S256" or not re.fullmatch(
                r"[\w-]{43}", asked.get("code_challenge", "")
            ):
                raise _Refused("invalid_request", "PKCE with S256 is required")
            if not asked.get("state"):
                raise _Refused("invalid_request", "no state")
            self._scope(asked)
            self._check("authorize", asked)
            if self.denies:
                raise _Refused("access_denied", "the person said no")
        except _Refused as refusal:
            self.refusals[refusal.error] += 1
            back = {"error": refusal.error, "error_description": refusal.why}
        else:
            self.logins += 1
            code = self._new("code")
            self._codes[code] = _Code(_Login(asked))
            back = {"code": code}
        state = {"state": asked["state"]} if asked.get("state") else {}
        return Reply(302, headers={"Location": f"{uri}?{urlencode({**back, **state})}"})

    def _token(self, form: dict[str, str], seen: Seen) -> Reply:
        grant = form.get("grant_type", "")
        self.calls[grant] += 1
        self._authenticated(form, seen)
        if grant not in self.client.grants:
            raise _Refused("unauthorized_client", f"not for this client: {grant}")
        self._check(grant, form)
        match grant:
            case "client_credentials":
                self._scope(form)
                return self._issued(_Login(form), refreshable=False)
            case "authorization_code":
                return self._exchanged(form)
            case "refresh_token":
                return self._renewed(form)
            case _ if grant == DEVICE:
                return self._polls(form)
            case _ if grant == JWT_BEARER:
                return self._issued(_Login(form), refreshable=False)
        raise _Refused("unsupported_grant_type", grant)

    def _exchanged(self, form: Mapping[str, str]) -> Reply:
        code = self._codes.get(form.get("code", ""))
        if code is None:
            raise _Refused("invalid_grant", "no such code")
        if code.spent:
            # RFC 6749, section 4.1.2: what came of it is revoked.
            code.login.revoked = True
            raise _Refused("invalid_grant", "the code was used")
        code.spent = True
        asked = code.login.asked
        if form.get("redirect_uri") != asked["redirect_uri"]:
            raise _Refused("invalid_grant", "another redirect_uri")
        verifier = form.get("code_verifier", "")
        digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        if digest != asked["code_challenge"] or not re.fullmatch(r"[\w.~-]{43,128}", verifier):
            raise _Refused("invalid_grant", "the verifier does not fit the challenge")
        return self._issued(code.login, refreshable=self.rules.offline(asked))

    def _renewed(self, form: Mapping[str, str]) -> Reply:
        old = self._refresh.get(form.get("refresh_token", ""))
        if old is None:
            raise _Refused("invalid_grant", "no such refresh token")
        if old.spent:
            # RFC 9700, section 4.14.2: somebody has a copy.
            old.login.revoked = True
        if old.login.revoked:
            raise _Refused("invalid_grant", "the refresh token is no longer good")
        old.spent = self.rules.rotates
        return self._issued(old.login, refreshable=self.rules.rotates)

    def _device(self, form: dict[str, str], seen: Seen) -> Reply:
        """RFC 8628, section 3.1."""
        if self.rules.device_secret:
            self._authenticated(form, seen)
        elif form.get("client_id") != self.client.id or seen.headers.get("Authorization") or "client_secret" in form:
            raise _Refused("invalid_client", "client_id alone", 401)
        if DEVICE not in self.client.grants:
            raise _Refused("unauthorized_client", "not for this client")
        self._scope(form)
        self._check("device", form)
        code = self._new("device")
        self._devices[code] = _Login(form)
        page = f"{self.server.url}/activate"
        return Reply(
            body={
                "device_code": code,
                "user_code": "WDJB-MJHT",
                "verification_uri": page,
                "interval": 5,
                "expires_in": 600,
            }
        )

    def _polls(self, form: Mapping[str, str]) -> Reply:
        login = self._devices.get(form.get("device_code", ""))
        if login is None:
            raise _Refused("invalid_grant", "no such device code")
        word = self.polls[min(self._polled, len(self.polls) - 1)]
        self._polled += 1
        if word != "granted":
            status = self.rules.pending_status if word in ("authorization_pending", "slow_down") else None
            raise _Refused(word, "not yet", status)
        self.logins += 1
        del self._devices[form["device_code"]]
        return self._issued(login, refreshable=self.rules.offline(login.asked))

    def _revoke(self, form: dict[str, str], seen: Seen) -> Reply:
        """RFC 7009. An unknown token is a success too."""
        if not self.rules.revoke_free:
            self._authenticated(form, seen)
        for found in (self._access.get(form.get("token", "")), self._refresh.get(form.get("token", ""))):
            if found is not None:
                found.login.revoked = True
        return Reply(200)

    def _authenticated(self, form: Mapping[str, str], seen: Seen) -> None:
        """The client proves itself in its one way, and in no other."""
        client, basic = self.client, seen.headers.get("Authorization") or ""
        used = {
            "basic": bool(basic),
            "post": "client_secret" in form,
            "key": "client_assertion" in form,
        }
        if [way for way, there in used.items() if there] != [
            way for way in [client.auth] if way not in ("none", "grant")
        ]:
            raise _Refused("invalid_client", f"this client proves itself by: {client.auth}", 401)
        if client.auth == "basic":
            name, _, secret = base64.b64decode(basic.removeprefix("Basic ")).decode().partition(":")
            good = (unquote_plus(name), unquote_plus(secret)) == (client.id, client.secret)
            good = good and form.get("client_id", client.id) == client.id
        elif client.auth == "key":
            good = form.get("client_assertion_type") == ASSERTION and self._signed(form["client_assertion"])
        elif client.auth == "grant":
            if not self._asserted(form.get("assertion", "")):
                raise _Refused("invalid_grant", "the assertion is not good")
            good = True
        else:
            good = form.get("client_id") == client.id and form.get("client_secret", "") == client.secret
        if not good:
            raise _Refused("invalid_client", "client authentication failed", 401)

    def _signed(self, assertion: str) -> bool:
        """RFC 7523, section 3: each is good once."""
        claims = self._claims(assertion)
        once = claims.get("jti") not in self._used and bool(claims.get("jti"))
        self._used.add(str(claims.get("jti")))
        named = claims.get("iss") == claims.get("sub") == self.client.id
        return named and once and claims.get("aud") == self.server.url + self.rules.token

    def _asserted(self, assertion: str) -> bool:
        """RFC 7523, section 2.1: for a user, to where one logs in, and young."""
        claims = self._claims(assertion)
        young = claims.get("exp", 0) <= time.time() + 180
        return claims.get("iss") == self.client.id and young and claims.get("aud") == self.server.url

    def _claims(self, assertion: str) -> dict[str, Any]:
        """What the client's key signed; nothing when it is not good at this moment."""
        assert self.client.key is not None
        try:
            found = jwt.decode(assertion, RSAKey.import_key(self.client.key), algorithms=["RS256", "PS256"])
        except (JoseError, ValueError):
            return {}
        claims, now = dict(found.claims), time.time()
        fresh = now - 60 <= claims.get("iat", 0) <= now + 60 and now < claims.get("exp", 0) <= now + 3600
        named = all(found.header.get(name) == value for name, value in self.client.headers.items())
        return claims if fresh and named else {}

    def _issued(self, login: _Login, *, refreshable: bool) -> Reply:
        access = self._new("access")
        self._access[access] = _Token(login, time.time() + (self.rules.lifetime or 1e9))
        body: dict[str, Any] = {"access_token": access, "token_type": "Bearer", **self.extra}
        if self.rules.says_lifetime:
            body["expires_in"] = self.rules.lifetime
        if refreshable:
            body["refresh_token"] = refresh = self._new("refresh")
            self._refresh[refresh] = _Token(login, 0.0)
        if "openid" in login.asked.get("scope", "").split():
            now = int(time.time())
            claims = {"iss": self.issuer, "aud": self.client.id, "sub": "ada", "iat": now, "exp": now + 300}
            claims |= {"nonce": login.asked["nonce"]} if "nonce" in login.asked else {}
            body["id_token"] = jwt.encode({"alg": "RS256", "kid": "key-1"}, claims, self._key)
        return Reply(200, body, {"Cache-Control": "no-store"})

    def _scope(self, fields: Mapping[str, str]) -> None:
        known = self.rules.scopes
        if known is not None and not set(fields.get("scope", "").split()) <= known:
            raise _Refused("invalid_scope", "no such scope")

    def _check(self, where: str, fields: Mapping[str, str]) -> None:
        if (wrong := self.rules.check(where, fields)) is not None:
            raise _Refused(*wrong)

    def _registered(self, uri: str) -> bool:
        if not self.client.any_port:
            return uri in self.client.redirects
        parts = urlsplit(uri)
        return parts._replace(netloc=parts.hostname or "").geturl() in self.client.redirects

    def _new(self, kind: str) -> str:
        value = f"{kind}-{secrets.token_hex(12)}"
        self.secrets.add(value)
        return value


@functools.cache
def _key() -> RSAKey:
    """The key of every vendor: making one takes as long as a whole login."""
    return RSAKey.generate_key(2048, {"kid": "key-1", "alg": "RS256", "use": "sig"})


def _form(seen: Seen) -> dict[str, str]:
    """The fields of a form: POST, that content type, nothing twice and nothing secret in the URL."""
    if seen.method != "POST" or (seen.headers.get("Content-Type") or "").partition(";")[0] != FORM:
        raise _Refused("invalid_request", "POST a form", 400)
    fields = dict(seen.form)
    if len(fields) < len(seen.form) or seen.query:
        raise _Refused("invalid_request", "a parameter twice, or in the URL", 400)
    # A parameter without a value counts as left out (RFC 6749, section 3.2).
    return {name: value for name, value in fields.items() if value}
