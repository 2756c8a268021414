"""The grants of OAuth 2.0 as steps."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field, replace
from typing import Any, NamedTuple
from urllib.parse import quote

from ..errors import ProfileError, StepFailed
from ..login.definition import (
    ExpiresTable,
    Extract,
    ExtractTable,
    PollTable,
    RefreshTable,
    RequestTable,
    RevokeTable,
    SuccessTable,
    TemplateText,
    UntilTable,
    VerifyTable,
    table,
)
from ..login.endpoint import EndpointTable, checked_endpoint, said_by
from ..login.sign import SIGNERS, Signer
from ..login.steps import STEPS
from ..login.steps.http import HttpStep
from ..login.template import parse
from ..login.work import Result, Work
from .schema import OAuth2Auth, PipelineAuth

TOKEN = "token"
_METADATA, _ASSERTION, _BROWSER = "metadata", "assertion", "browser"
_METADATA_LIFE = 86400.0
_ASSERTION_LIFE = 300.0
_RENEWABLE = ("password", "authorization-code", "device-code", "token-exchange", "refresh-token")
GRANTS = {
    "client-credentials": "client_credentials",
    "password": "password",
    "authorization-code": "authorization_code",
    "device-code": "urn:ietf:params:oauth:grant-type:device_code",
    "jwt-bearer": "urn:ietf:params:oauth:grant-type:jwt-bearer",
    "token-exchange": "urn:ietf:params:oauth:grant-type:token-exchange",
    "refresh-token": "refresh_token",
}
NEEDED = {
    "client-credentials": ("client_id",),
    "password": ("username", "password"),
    "authorization-code": ("client_id", "authorization_url"),
    "device-code": ("client_id", "device_url"),
    "jwt-bearer": ("private_key", "assertion"),
    "token-exchange": ("subject_token",),
    "refresh-token": ("refresh_token",),
}
PROOFS: Mapping[str, tuple[str, ...]] = {
    "basic": ("client_id", "client_secret"),
    "post": ("client_id", "client_secret"),
    "client-secret-jwt": ("client_id", "client_secret"),
    "private-key-jwt": ("client_id", "private_key"),
    "tls": ("client_id",),
}
"""`client_auth` -> the keys it needs."""
FROM_METADATA = ("token_url", "authorization_url", "device_url")
KEYS_OF = {
    "username": ("password",),
    "password": ("password",),
    "authorization_url": ("authorization-code",),
    "par_url": ("authorization-code",),
    "redirect_uri": ("authorization-code",),
    "authorization_params": ("authorization-code",),
    "device_url": ("device-code",),
    "assertion": ("jwt-bearer",),
    "subject_token": ("token-exchange",),
    "subject_token_type": ("token-exchange",),
    "actor_token": ("token-exchange",),
    "refresh_token": ("refresh-token",),
}


def problem(table: Mapping[str, Any]) -> str | None:
    """What the keys of an oauth2 table lack, or have too many of."""
    grant, issuer = table.get("grant"), "issuer" in table
    if not isinstance(grant, str) or grant not in GRANTS:
        return None
    for name, grants in KEYS_OF.items():
        if name in table and grant not in grants:
            return f"`{name}` does not go with the grant {grant!r}"
    for name in ("token_url", *NEEDED.get(grant, ())):
        if name not in table and not (issuer and name in FROM_METADATA):
            return f"missing key: {name}" + (" (or issuer)" if name in FROM_METADATA else "")
    # Without client_auth a secret goes into Basic; without either the client has its name alone.
    client_auth = table.get("client_auth", "basic" if "client_secret" in table else None)
    wanted = PROOFS.get(client_auth, ()) if isinstance(client_auth, str) else ()
    if grant == "client-credentials" and client_auth is None:
        return 'missing key: client_secret (a public client says client_auth = "none")'
    missing = [name for name in wanted if name not in table]
    return f"missing key: {missing[0]}" if missing else None


def expand(auth: OAuth2Auth) -> PipelineAuth:
    """The steps of a grant."""
    return PipelineAuth(steps=_Steps(auth).made(), exclude=auth.exclude)


class _Client(NamedTuple):
    """How the client proves who it is in a token request."""

    form: Mapping[str, str] = {}
    basic: tuple[str, ...] | None = None
    sign: Signer | None = None


class _Steps:
    """Makes the steps of one oauth2 table."""

    def __init__(self, auth: OAuth2Auth) -> None:
        self.auth = auth
        self.token_url, self.token_named = _endpoint("token_url", auth.token_url, "token_endpoint")
        self.steps: dict[str, Any] = {}

    def made(self) -> dict[str, Any]:
        """The steps, the one with the access token last."""
        auth = self.auth
        if auth.issuer is not None:
            self.steps[_METADATA] = _metadata(auth.issuer, self._sought())
        client = self._client()
        form: dict[str, Any] = {"grant_type": GRANTS[auth.grant]}
        match auth.grant:
            case "password":
                form |= {"username": auth.username, "password": auth.password}
            case "authorization-code":
                self.steps[_BROWSER] = self._browser()
                form |= {
                    "code": f"${{steps.{_BROWSER}.code}}",
                    "redirect_uri": f"${{steps.{_BROWSER}.redirect_uri}}",
                    "code_verifier": f"${{steps.{_BROWSER}.verifier}}",
                }
            case "jwt-bearer":
                self.steps[_ASSERTION] = self._assertion()
                form["assertion"] = f"${{steps.{_ASSERTION}.token}}"
            case "token-exchange":
                kind = auth.subject_token_type or _ACCESS_TOKEN
                form |= {"subject_token": auth.subject_token, "subject_token_type": kind}
                if auth.actor_token is not None:
                    form |= {"actor_token": auth.actor_token, "actor_token_type": _ACCESS_TOKEN}
            case "refresh-token":
                form["refresh_token"] = auth.refresh_token
            case "device-code":
                form["device_code"] = "${self.device_code}"
        form |= self._resource() if auth.grant in ("authorization-code", "device-code") else self._asked()
        request = self._token_request({**form, **auth.params}, client)
        self.steps[TOKEN] = (
            self._device(request) if auth.grant == "device-code" else self._token("http", request=request)
        )
        return self.steps

    def _sought(self) -> list[str]:
        """The endpoints that the issuer has to name, because the profile does not."""
        auth = self.auth
        sought = {"token_endpoint": auth.token_url is None}
        if auth.grant == "authorization-code":
            sought["authorization_endpoint"] = auth.authorization_url is None
        if auth.grant == "device-code":
            sought["device_authorization_endpoint"] = auth.device_url is None
        return [name for name, wanted in sought.items() if wanted]

    def _token(self, kind: str, **keys: Any) -> Any:
        """The step that has the access token."""
        client = self._client()
        renewable = self.auth.grant in _RENEWABLE
        return STEPS.load(kind)(
            kind=kind,
            success=SuccessTable(body={"/token_type": _WITHOUT_PROOF}),
            extract=self._outputs(renewable),
            expires=ExpiresTable(in_="/expires_in"),
            refresh=self._refresh(client) if renewable else None,
            revoke=self._revoke(client),
            unbound=tuple(self.steps),
            **keys,
        )

    def _device(self, poll: RequestTable) -> Any:
        asked = self._asked()
        url, named = _endpoint("device_url", self.auth.device_url, "device_authorization_endpoint")
        # The client says who it is here too, where it is not public (RFC 8628, section 3.1).
        return self._token(
            "device",
            request=self._request(url, named, {"client_id": self.auth.client_id, **asked}, self._client()),
            poll=PollTable(request=poll),
        )

    def _browser(self) -> Any:
        auth = self.auth
        params: dict[str, Any] = {"client_id": auth.client_id, **self._asked(), **auth.authorization_params}
        pushed, push_if = None, "true"
        if auth.par_url is not None or auth.issuer is not None:
            url, named = _endpoint("par_url", auth.par_url, "pushed_authorization_request_endpoint")
            pushed = self._request(url, named, {}, self._client())
            push_if = push_if if auth.par_url is not None else _from_metadata("push_required")
        return STEPS.load("browser")(
            kind="browser",
            url=auth.authorization_url or _from_metadata("authorization_endpoint"),
            params=params,
            redirect_uri=auth.redirect_uri,
            pushed=pushed,
            push_if=push_if,
            issuer=auth.issuer,
            iss_required=False if auth.issuer is None else _from_metadata("iss_required"),
        )

    def _assertion(self) -> Any:
        """The assertion (RFC 7523, section 3)."""
        auth = self.auth
        claims = {"aud": self._audience(), **(auth.assertion or {})}
        return STEPS.load("jwt")(
            kind="jwt",
            alg=auth.alg or "RS256",
            key=auth.private_key or "",
            headers=self._key_id(),
            claims=claims,
            lifetime=_ASSERTION_LIFE,
            cache="none",
        )

    def _client(self) -> _Client:
        auth = self.auth
        way = auth.client_auth or ("basic" if auth.client_secret is not None else "none")
        name = {} if auth.client_id is None else {"client_id": auth.client_id}
        secret = auth.client_secret or ""
        match way:
            case "basic":
                return _Client(basic=(form_encoded(auth.client_id or ""), form_encoded(secret)))
            case "post":
                return _Client({**name, "client_secret": secret})
            case "private-key-jwt" | "client-secret-jwt":
                key, usual = (secret, "HS256") if way == "client-secret-jwt" else (auth.private_key or "", "RS256")
                return _Client(name, sign=self._proof(auth.alg or usual, key))
        return _Client(name)

    def _proof(self, alg: str, secret: str) -> Signer:
        """The client's own assertion (RFC 7523, section 2.2)."""
        made: Signer = SIGNERS.load("client-assertion")(
            type="client-assertion",
            client_id=self.auth.client_id,
            audience=self._audience(),
            alg=alg,
            headers=self._key_id(),
            key=secret,
        )
        return made

    def _key_id(self) -> Mapping[str, str]:
        return {} if self.auth.key_id is None else {"kid": self.auth.key_id}

    def _audience(self) -> str:
        """The token endpoint, as the audience of what is signed for it."""
        if "://" in self.token_url or self.token_url.startswith("${"):
            return self.token_url
        return f"${{base_url}}/{self.token_url.lstrip('/')}"

    def _asked(self) -> dict[str, Any]:
        """What is asked for."""
        auth = self.auth
        optional = {"scope": auth.scope, "audience": auth.audience}
        return {name: value for name, value in optional.items() if value is not None} | self._resource()

    def _resource(self) -> dict[str, Any]:
        """Where the token is for, which each request has to name (RFC 8707, section 2.2)."""
        return {} if self.auth.resource is None else {"resource": self.auth.resource}

    def _token_request(self, form: Mapping[str, Any], client: _Client) -> RequestTable:
        return self._request(self.token_url, self.token_named, form, client)

    def _request(self, url: str, named: str, form: Mapping[str, Any], client: _Client) -> RequestTable:
        return EndpointTable(
            method="POST",
            url=url,
            named=named,
            headers={"Accept": "application/json"},
            form={**form, **client.form},
            basic=client.basic,
            sign=client.sign,
        )

    def _refresh(self, client: _Client) -> RefreshTable:
        """RFC 6749, section 6. Keycloak says when the refresh token ends, and 0 when it does not."""
        form = {"grant_type": "refresh_token", "refresh_token": "${self.refresh_token}", **self._resource()}
        return RefreshTable(
            request=self._token_request(form, client),
            until=UntilTable(in_="/refresh_expires_in", zero="never"),
        )

    def _revoke(self, client: _Client) -> RevokeTable | None:
        """RFC 7009: with the refresh token, where there is one, the whole grant goes."""
        if self.auth.revocation_url is None and self.auth.issuer is None:
            return None
        url, named = _endpoint("revocation_url", self.auth.revocation_url, "revocation_endpoint")
        has_refresh = self.auth.grant in _RENEWABLE
        token = "${self.refresh_token ?? self.token}" if has_refresh else "${self.token}"
        return RevokeTable(request=self._request(url, named, {"token": token}, client))

    def _outputs(self, renewable: bool) -> Extract:
        found: dict[str, Any] = {"token": "/access_token"}
        for name in ("token_type", "scope", *(("refresh_token",) if renewable else ())):
            found[name] = ExtractTable(pointer=f"/{name}", optional=True)
        # An ID token that nobody could verify is not handed on.
        scopes = parse(self.auth.scope).literal if self.auth.scope else None
        asked = self.auth.grant != "client-credentials" and (scopes is None or "openid" in scopes.split())
        if _METADATA in self.steps and self.auth.client_id is not None and asked:
            found["id_token"] = ExtractTable(
                pointer="/id_token",
                optional=True,
                verify=VerifyTable(
                    jwks=_from_metadata("jwks_uri"),
                    issuer=self.auth.issuer or "",
                    audience=self.auth.client_id,
                    # There is one where an ID token was asked for.
                    nonce=f'${{steps.{_BROWSER}.nonce ?? ""}}' if _BROWSER in self.steps else None,
                    at_hash="token",
                ),
            )
        return found


_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
# Types of tokens that are worth nothing by themselves (RFC 6749, section 7.1; RFC 9449): sent as Bearer they would
# be refused, and be seen.
_WITHOUT_PROOF = {"not": {"matches": "(?i)^(dpop|mac|pop)$"}}
_WELL_KNOWN = "/.well-known/"
# A URL of the issuer's that is relative would lead to the API.
_NOT_RELATIVE = {"not": {"matches": "^(?![A-Za-z][A-Za-z0-9+.-]*:)"}}
_ENDPOINTS = (
    "token_endpoint",
    "authorization_endpoint",
    "device_authorization_endpoint",
    "revocation_endpoint",
    "pushed_authorization_request_endpoint",
    "jwks_uri",
)
_ANNOUNCED = {
    "iss_required": "authorization_response_iss_parameter_supported",
    "push_required": "require_pushed_authorization_requests",
}


@table
class MetadataStep(HttpStep):
    """What an issuer says of itself: its own name must be the one configured.

    OpenID Connect Discovery says where, and RFC 8414 for servers that have nothing there.
    """

    issuer: TemplateText = field(metadata={"help": "the issuer", "internal": True})

    def run(self, work: Work) -> Result:
        """Ask in both places. StepFailed when neither has it, or names an endpoint that no login can use."""
        try:
            result = super().run(work)
        except StepFailed as exc:
            if exc.status != 404:
                raise
            result = self._elsewhere(work, exc)
        for name in _ENDPOINTS:
            place = self.extract.get(name)
            if isinstance(place, ExtractTable) and not place.optional:
                # Now, and not once a person has logged in.
                with said_by("${self.token}", work.step):
                    checked_endpoint(str(result.outputs[name]), work.step, f"`{name}` in the issuer's metadata")
        return result

    def _elsewhere(self, work: Work, before: StepFailed) -> Result:
        """RFC 8414, section 3.1: the well-known part stands before the issuer's path."""
        scheme, slashes, rest = work.scope.text(self.issuer).rstrip("/").partition("://")
        host, slash, path = rest.partition("/")
        url = f"{scheme}{slashes}{host}{_WELL_KNOWN}oauth-authorization-server{slash}{path}"
        request = replace(self.request, url=url.replace("${", "$${"))
        try:
            return HttpStep.run(replace(self, request=request), work)
        except StepFailed as exc:
            raise before if exc.status == 404 else exc from None


def _metadata(issuer: str, sought: Collection[str]) -> MetadataStep:
    # The token of this step is what tells one answer from another: no credential, and no name that is hidden as one.
    extract: dict[str, Any] = {"token": ExtractTable(value="${response.body | sha256 | hex}")}
    extract |= {name: ExtractTable(pointer=f"/{name}", optional=name not in sought) for name in _ENDPOINTS}
    extract |= {name: ExtractTable(pointer=f"/{key}", default=False) for name, key in _ANNOUNCED.items()}
    return MetadataStep(
        issuer=issuer,
        request=EndpointTable(
            url=f"{issuer.rstrip('/')}{_WELL_KNOWN}openid-configuration",
            headers={"Accept": "application/json"},
            named="`issuer`",
        ),
        success=SuccessTable(
            status=200, body={"/issuer": issuer, **{f"/{name}": _NOT_RELATIVE for name in _ENDPOINTS}}
        ),
        extract=extract,
        expires=ExpiresTable(ttl=_METADATA_LIFE),
    )


def _endpoint(key: str, url: str | None, field: str) -> tuple[str, str]:
    """Where an endpoint is, and what says so: a key of the profile, or else a field of the issuer's metadata."""
    return (url, f"`{key}`") if url is not None else (_from_metadata(field), f"`{field}` in the issuer's metadata")


def _from_metadata(name: str) -> str:
    return f"${{steps.{_METADATA}.{name}}}"


def form_encoded(template: str) -> str:
    """The template form-urlencoded, as a client's id and secret are inside Basic (RFC 6749, section 2.3.1)."""
    parsed = parse(template)
    if parsed.literal is not None:
        return quote(parsed.literal, safe="").replace("${", "$${")
    if parsed.single is None:
        raise ProfileError(
            "client_id and client_secret hold at most one ${…}, without filters",
            hint="put the value into `vars` or `secrets`",
        )
    before, reference, after = parsed.single
    return f"{quote(before, safe='')}${{{'.'.join(reference)} | urlencode}}{quote(after, safe='')}"
