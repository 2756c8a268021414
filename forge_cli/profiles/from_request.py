"""A profile as text, from a request that was imported with its secrets taken out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ..compiled import compiled
from ..curl.imported import Imported
from ..errors import UsageError
from ..redact import sensitive
from . import toml
from .draft import prefix

# What belongs to one request, to a browser or to the connection rather than to an API.
OF_ONE_REQUEST = compiled(
    r"content-.*|accept-encoding|connection|host|if-.*|range|sec-.*|upgrade-insecure-requests|priority|te|dnt|origin"
    r"|referer|pragma|cache-control|keep-alive|expect|transfer-encoding|alt-used|authority|idempotency-key",
    re.IGNORECASE,
)
_VARIABLE = compiled(r"\$([A-Za-z_][A-Za-z0-9_]*)")


@dataclass(frozen=True)
class Drafted:
    """The profile's text; the request as it is below it; which variables have the output of a command."""

    text: str
    request: Imported
    computed: tuple[str, ...] = ()


def drafted(name: str, imported: Imported) -> Drafted:
    """A profile with the origin, the headers and the credentials of the request. UsageError when there is no origin.

    The request is one from which `hiding.without_secrets` has taken the secrets.
    """
    return _Draft(name, imported).drafted()


@dataclass
class _Tables:
    profile: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, Any] = field(default_factory=dict)
    auth: dict[str, Any] = field(default_factory=dict)


class _Draft:
    def __init__(self, name: str, imported: Imported) -> None:
        self.name = name
        self.imported = imported
        self.prefix = prefix(name)
        self.tables = _Tables()
        self.computed: dict[str, str] = {}

    def drafted(self) -> Drafted:
        one, profile = self.imported, self.tables.profile
        parts = urlsplit(one.url)
        if not parts.scheme or not parts.netloc:
            raise UsageError(
                "the URL begins with a variable, so it has no base URL", hint="write its host into the URL"
            )
        profile["base_url"] = f"{parts.scheme}://{self._plain(parts.netloc)}"
        headers = dict(self._kept())
        self._auth(headers)
        if one.cookies:
            pairs = (f"{name}={value}" if name else value for name, value in one.cookies)
            headers["Cookie"] = "; ".join(pairs)
        query = self._query(parts.query)
        if headers:
            profile["headers"] = {name: self._filled(value, secret=sensitive(name)) for name, value in headers.items()}
        if query:
            profile["query"] = query
        self._connection()
        left = tuple(pair for pair in one.headers if pair[0] not in headers and not self._is_auth(pair[0]))
        rest = "&".join(pair for pair in parts.query.split("&") if not self._in_profile(pair))
        request = replace(
            one,
            url=(parts.path or "/") + (f"?{rest}" if rest else ""),
            headers=left,
            user=None,
            auth="basic",
            aws=None,
            netrc=False,
            cookies=(),
            insecure=False,
            ca_bundle=None,
            cert=None,
            key=None,
            proxy=None,
            timeout=None,
            connect_timeout=None,
        )
        return Drafted(self._text(), request, tuple(self.computed.values()))

    def _kept(self) -> Iterator[tuple[str, str]]:
        """The headers that every request of the API has; a repeated one is left to the request."""
        names = [name.lower() for name, _ in self.imported.headers]
        for name, value in self.imported.headers:
            if names.count(name.lower()) == 1 and not OF_ONE_REQUEST.fullmatch(name) and value:
                yield name, value

    def _auth(self, headers: dict[str, str]) -> None:
        """The credential, taken out of the headers."""
        one, auth = self.imported, self.tables.auth
        authorization = next((name for name in headers if name.lower() == "authorization"), None)
        named = next((name for name in headers if self._is_key(name)), None)
        parameter = next((pair for pair in self._pairs() if sensitive(pair[0])), None)
        if one.netrc:
            self.tables.profile["netrc"] = True
        if one.auth == "aws-sigv4":
            self._aws(headers)
        elif one.user is not None:
            user, colon, password = one.user.partition(":")
            secret = self._secret("password", password) if colon and password else ""
            if not colon:
                self.tables.secrets["password"] = {"prompt": "Password"}
                secret = "${secrets.password}"
            auth |= {"type": one.auth, "username": self._filled(user, secret=not password), "password": secret}
        elif authorization is not None:
            value = headers.pop(authorization)
            scheme, _, token = value.partition(" ")
            if scheme.lower() == "bearer" and token:
                auth |= {"type": "bearer", "token": self._filled(token, secret=True)}
            else:
                key = self._filled(value, secret=True)
                auth |= {"type": "api-key", "in": "header", "name": authorization, "key": key}
        elif named is not None:
            key = self._filled(headers.pop(named), secret=True)
            auth |= {"type": "api-key", "in": "header", "name": named, "key": key}
        elif parameter is not None:
            auth |= {"type": "api-key", "in": "query", "name": parameter[0]}
            auth["key"] = self._filled(parameter[1], secret=True)

    def _aws(self, headers: dict[str, str]) -> None:
        one = self.imported
        _, _, region, service = [*(one.aws or "").split(":"), "", "", "", ""][:4]
        host = re.fullmatch(r"(?:.*\.)?([a-z0-9-]+)\.([a-z0-9-]+)\.amazonaws\.com", urlsplit(one.url).netloc)
        region, service = region or (host[2] if host else ""), service or (host[1] if host else "")
        user, colon, password = (one.user or "").partition(":")
        if not (region and service and colon):
            raise UsageError(
                "the region, the service or the keys of --aws-sigv4 are missing",
                hint="--aws-sigv4 aws:amz:REGION:SERVICE -u KEY:SECRET",
            )
        auth = self.tables.auth
        auth |= {
            "type": "aws-sigv4",
            "access_key": self._filled(user),
            "secret_key": self._secret("password", password),
        }
        session = next((name for name in headers if name.lower() == "x-amz-security-token"), None)
        if session is not None:
            auth["session_token"] = self._filled(headers.pop(session), secret=True)
        auth |= {"region": region, "service": service}

    def _is_key(self, name: str) -> bool:
        # A token against forged requests goes with the cookies, which are the credential.
        return sensitive(name) and not re.match("authorization|cookie|x-amz-|.*[cx]srf", name, re.IGNORECASE)

    def _is_auth(self, name: str) -> bool:
        auth = self.tables.auth
        own = {"bearer": "authorization", "basic": "authorization", "digest": "authorization"}.get(auth.get("type", ""))
        return name.lower() in (own, str(auth.get("name", "")).lower()) or (
            auth.get("type") == "aws-sigv4" and name.lower() == "x-amz-security-token"
        )

    def _pairs(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.imported.url).query, keep_blank_values=True)

    def _query(self, query: str) -> dict[str, str]:
        """The parameters of the URL that are secret, but for the one that `auth` has."""
        auth = self.tables.auth
        taken = auth.get("name") if auth.get("in") == "query" else None
        return {
            name: self._filled(value, secret=True) for name, value in self._pairs() if sensitive(name) and name != taken
        }

    def _in_profile(self, pair: str) -> bool:
        return any(sensitive(name) for name, _ in parse_qsl(pair, keep_blank_values=True))

    def _connection(self) -> None:
        one, profile = self.imported, self.tables.profile
        if one.ca_bundle is not None:
            profile["verify"] = self._plain(one.ca_bundle)
        if one.insecure:
            profile["verify"] = False
        if one.cert is not None:
            profile["client_cert"] = {"cert": self._plain(one.cert)}
            profile["client_cert"] |= {} if one.key is None else {"key": self._plain(one.key)}
        if one.proxy:
            profile["proxy"] = self._filled(one.proxy, secret="@" in one.proxy)
        times = {"connect": one.connect_timeout, "total": one.timeout}
        given = {name: _tidy(value) for name, value in times.items() if value is not None}
        if given:
            profile["timeout"] = given["total"] if list(given) == ["total"] else given

    def _plain(self, text: str) -> str:
        return self._filled(text)

    def _secret(self, name: str, text: str) -> str:
        """A reference to a text that is a secret as a whole."""
        return self._filled(text, secret=True, word=name)

    def _filled(self, text: str, *, secret: bool = False, word: str | None = None) -> str:
        """The text as a template: what a variable has becomes a reference."""
        pieces = []
        for piece in self.imported.slots.split(text):
            if isinstance(piece, str):
                pieces.append(piece.replace("${", "$${"))
                continue
            variable = _VARIABLE.fullmatch(piece.expression)
            name = variable[1] if variable else self._own_variable(piece.expression)
            if secret or variable is None:
                key = re.sub("[^a-z0-9_]", "_", name.removeprefix(f"{self.prefix}_").lower())
                self.tables.secrets[key] = {"env": name}
                pieces.append(f"${{secrets.{key}}}")
            else:
                pieces.append(f"${{env.{name}}}")
        return "".join(pieces)

    def _own_variable(self, expression: str) -> str:
        """A variable for what the shell would compute."""
        if expression not in self.computed:
            number = len(self.computed) + 1
            self.computed[expression] = f"{self.prefix}_VALUE" + ("" if number == 1 else f"_{number}")
        return self.computed[expression]

    def _text(self) -> str:
        name, tables = toml.key(self.name), self.tables
        text = f"[profiles.{name}]\n" + _lines(tables.profile)
        if tables.secrets:
            text += "\n# Where the secrets are, never the secrets themselves.\n"
            text += f"[profiles.{name}.secrets]\n" + _lines(tables.secrets)
        return text + (f"\n[profiles.{name}.auth]\n" + _lines(tables.auth) if tables.auth else "")


def _lines(table: dict[str, Any]) -> str:
    return "".join(f"{toml.key(key)} = {toml.spelled(value)}\n" for key, value in table.items())


def _tidy(seconds: float) -> float | int:
    return int(seconds) if seconds == int(seconds) else seconds
