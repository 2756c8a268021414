"""Token providers: OAuth 2.0 grants as objects (RFC 6749)."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote_plus

from ..auth import basic
from ..client import HttpClient
from ..config import HttpClientConfig
from ..errors import AuthenticationException, ConnectionException, MaxRetryException, TimeoutException
from ..interfaces import TokenProviderInterface
from ..models import HttpResponse, TokenData
from ..redact import REDACTOR

_TIMEOUT = 30.0
_BODY_SHOWN = 500
# Far more than is shown, and masked before it is cut: what is cut in two is no known secret.
_BODY_READ = 64 * 1024


class BaseOAuth2TokenProvider(TokenProviderInterface):
    """What the grants share: the token endpoint, the client's authentication, the refresh grant.

    A grant of one's own is a subclass that overrides `grant`, or `fetch_token` where more than a form is
    sent; `refresh_token` only where renewing is not the refresh grant. `extra_params` go into every token
    request. Use it as a context manager, or close it.
    """

    def __init__(
        self,
        token_url: str,
        client_id: str,
        client_secret: str,
        service_name: str,
        scope: str | None = None,
        extra_params: Mapping[str, Any] | None = None,
    ) -> None:
        self._token_url = token_url
        self._client_id = client_id
        self._client_secret = client_secret
        self._service_name = service_name
        self._scope = scope
        self._extra_params = dict(extra_params or {})
        self._auth_method: Literal["body", "header"] = "body"
        self._client = HttpClient(HttpClientConfig(default_timeout=_TIMEOUT, allow_redirects=False))
        REDACTOR.add(client_secret)

    @property
    def service_name(self) -> str:
        return self._service_name

    @property
    def fingerprint(self) -> str:
        """A digest of what a token is made for: endpoint, client, user, scope, parameters."""
        made_for = [self._token_url, self._client_id, self._user(), self._scope, sorted(self._extra_params.items())]
        return hashlib.sha256(repr(made_for).encode()).hexdigest()[:24]

    def fetch_token(self) -> TokenData:
        """Obtain a token with the grant. AuthenticationException, whatever went wrong."""
        try:
            return self._request(
                {**self.grant(), **self._extra_params, **({"scope": self._scope} if self._scope else {})}
            )
        except Exception as exc:
            raise self._failed(exc) from exc

    def refresh_token(self, current_token: TokenData) -> TokenData:
        """Renew with the refresh grant (RFC 6749, section 6); fetch when there is none or it failed.

        AuthenticationException when the token endpoint cannot be reached: it is not asked twice.
        """
        if not current_token.refresh_token:
            return self.fetch_token()
        form = {"grant_type": "refresh_token", "refresh_token": current_token.refresh_token, **self._extra_params}
        try:
            token = self._request(form)
        except Exception as exc:
            if isinstance(_cause(exc), ConnectionException | TimeoutException):
                raise self._failed(exc) from exc
            return self.fetch_token()
        # A server that does not rotate leaves the refresh token out: the old one stays good.
        kept = {name: getattr(token, name) or getattr(current_token, name) for name in ("refresh_token", "scope")}
        return dataclasses.replace(token, **kept)

    def close(self) -> None:
        """Close the connection to the token endpoint."""
        self._client.close()

    def __enter__(self) -> BaseOAuth2TokenProvider:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def grant(self) -> Mapping[str, Any]:
        """The grant's own parameters, `grant_type` among them."""
        raise NotImplementedError(f"{type(self).__name__} overrides neither grant nor fetch_token")

    def _user(self) -> str:
        return ""

    def _request(self, form: dict[str, Any]) -> TokenData:
        headers = {"Accept": "application/json"}
        if self._auth_method == "header":
            # Both are form-encoded first (RFC 6749, section 2.3.1).
            headers["Authorization"] = basic(quote_plus(self._client_id), quote_plus(self._client_secret))
        else:
            form = {**form, "client_id": self._client_id, "client_secret": self._client_secret}
        response = self._client.post(self._token_url, data=form, headers=headers)
        return self._parsed(response)

    def _failed(self, exc: Exception) -> AuthenticationException:
        place = {"token_url": REDACTOR.url(self._token_url)}
        return AuthenticationException(
            f"Failed to fetch token for {self._service_name}", _cause(exc), place, self._service_name
        )

    def _parsed(self, response: HttpResponse) -> TokenData:
        if not response.is_success:
            body = REDACTOR.body(response.text[:_BODY_READ])[:_BODY_SHOWN]
            raise AuthenticationException(
                f"Token request failed with status {response.status_code}: {body}", service_name=self._service_name
            )
        data = response.json()
        if not isinstance(data, dict):
            raise AuthenticationException(
                "Failed to parse token response: not an object", service_name=self._service_name
            )
        return TokenData.from_response(data)


class ClientCredentialsTokenProvider(BaseOAuth2TokenProvider):
    """The client credentials grant (RFC 6749, section 4.4).

    `auth_method` is how the client authenticates: "body" (client_id and client_secret in the form) or
    "header" (Basic).
    """

    def __init__(
        self,
        token_url: str,
        client_id: str,
        client_secret: str,
        service_name: str,
        scope: str | None = None,
        grant_type: str = "client_credentials",
        extra_params: Mapping[str, Any] | None = None,
        auth_method: Literal["body", "header"] = "body",
    ) -> None:
        super().__init__(token_url, client_id, client_secret, service_name, scope, extra_params)
        if auth_method not in ("body", "header"):
            raise ValueError(f"auth_method must be 'body' or 'header', not {auth_method!r}")
        self._grant_type = grant_type
        self._auth_method = auth_method

    def grant(self) -> Mapping[str, Any]:
        return {"grant_type": self._grant_type}


class PasswordGrantTokenProvider(BaseOAuth2TokenProvider):
    """The resource owner password credentials grant (RFC 6749, section 4.3); the client authenticates in the form.

    The password is sent only where there is no refresh token, or the server refused it.
    """

    def __init__(
        self,
        token_url: str,
        client_id: str,
        client_secret: str,
        username: str,
        password: str,
        service_name: str,
        scope: str | None = None,
        extra_params: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(token_url, client_id, client_secret, service_name, scope, extra_params)
        self._username = username
        self._password = password
        REDACTOR.add(password)

    def _user(self) -> str:
        return self._username

    def grant(self) -> Mapping[str, Any]:
        return {"grant_type": "password", "username": self._username, "password": self._password}


def _cause(exc: Exception) -> BaseException:
    """What went wrong, without the wrapping that says how often it was tried."""
    return exc.original_exception if isinstance(exc, MaxRetryException) and exc.original_exception else exc
