"""Token fetchers: the simple steps of a `TokenFetchPipeline`, one request and one token each."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from abc import abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from ..client import HttpClient
from ..config import HttpClientConfig
from ..errors import AuthenticationException, ResponseParseException
from ..interfaces import TokenFetcherInterface
from ..models import HttpMethod, HttpResponse, TokenData, local
from ..redact import REDACTOR, sensitive

_BODY_SHOWN = 500
# Far more than is shown, and masked before it is cut: what is cut in two is no known secret.
_BODY_READ = 64 * 1024
# Some 10 ms, once for a fetcher.
_ROUNDS = 50_000
_CONTENT_TYPES = {"form": "application/x-www-form-urlencoded", "json": "application/json"}


class HttpTokenFetcher(TokenFetcherInterface):
    """A fetcher that asks an HTTP server. Subclasses say their `name` and how to `fetch`."""

    def __init__(
        self,
        base_url: str,
        timeout: float = 30.0,
        verify_ssl: bool | str = True,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.timeout = timeout
        self.verify_ssl = verify_ssl
        self.headers = dict(headers or {})
        self._client: HttpClient | None = None
        self._opening = threading.Lock()

    def close(self) -> None:
        """Close the connection; the next fetch opens a new one."""
        with self._opening:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _get_client(self) -> HttpClient:
        with self._opening:
            if self._client is None:
                self._client = HttpClient(
                    HttpClientConfig(
                        base_url=self.base_url,
                        default_timeout=self.timeout,
                        verify_ssl=self.verify_ssl,
                        default_headers=self.headers,
                        allow_redirects=False,
                    )
                )
            return self._client

    def _make_request(
        self,
        method: HttpMethod | str,
        endpoint: str,
        headers: Mapping[str, str] | None = None,
        data: Any = None,
        json_data: Any = None,
    ) -> HttpResponse:
        """POST with a body, or GET with `data` as the query. ValueError for any other method."""
        name = getattr(method, "value", method)
        if name == "POST":
            return self._get_client().post(endpoint, json_data=json_data, data=data, headers=headers)
        if name == "GET":
            return self._get_client().get(endpoint, params=data, headers=headers)
        raise ValueError(f"Unsupported method: {name}")


class _EndpointFetcher(HttpTokenFetcher):
    """A fetcher of one endpoint, with a fixed request that subclasses may extend."""

    def __init__(
        self,
        name: str,
        base_url: str,
        endpoint: str,
        method: HttpMethod | str,
        request_headers: Mapping[str, str] | None,
        request_data: Mapping[str, Any] | None,
        ttl: timedelta | None,
        timeout: float,
        verify_ssl: bool | str,
        depends_on: list[str] | None,
    ) -> None:
        super().__init__(base_url, timeout, verify_ssl)
        self._name = name
        self._endpoint = endpoint
        self._method = method
        self._request_headers = dict(request_headers or {})
        self._request_data = dict(request_data or {})
        self._ttl = ttl
        self._depends_on = list(depends_on or [])

    @property
    def name(self) -> str:
        return self._name

    @property
    def depends_on(self) -> list[str]:
        return self._depends_on

    @property
    def ttl(self) -> timedelta | None:
        return self._ttl

    @property
    def fingerprint(self) -> str:
        """A digest of what the token is made for: the address, and what the request says of client and user."""
        fields = [*self._request_headers.items(), *self._request_data.items()]
        plain = [(name, value) for name, value in fields if not sensitive(name)]
        secret = [(name, value) for name, value in fields if sensitive(name)]
        made_for = repr([self.base_url, self._endpoint, str(self._method), sorted(plain, key=repr)]).encode()
        if not secret:
            return hashlib.sha256(made_for).hexdigest()[:24]
        # Whoever reads the digest must not find a password by trying.
        slow = hashlib.pbkdf2_hmac("sha256", repr(sorted(secret, key=repr)).encode(), made_for, _ROUNDS)
        return slow.hex()[:24]

    def fetch(self, context: Mapping[str, TokenData] | None = None) -> TokenData:
        """Ask for the token. AuthenticationException with `service_name` = the step's name."""
        response = self._ask(context)
        if not response.is_success:
            body = REDACTOR.body(response.text[:_BODY_READ])[:_BODY_SHOWN]
            raise self._refusal(f"Token request failed with status {response.status_code}: {body}")
        return self._token(response)

    def _refusal(self, message: str, cause: Exception | None = None) -> AuthenticationException:
        return AuthenticationException(message, cause, service_name=self._name)

    @abstractmethod
    def _ask(self, context: Mapping[str, TokenData] | None) -> HttpResponse: ...

    @abstractmethod
    def _token(self, response: HttpResponse) -> TokenData: ...


class HeaderTokenFetcher(_EndpointFetcher):
    """The token is in a header of the answer. Override `_build_request_headers` to use other steps' tokens."""

    def __init__(
        self,
        name: str,
        base_url: str,
        endpoint: str,
        method: HttpMethod | str = HttpMethod.POST,
        request_headers: Mapping[str, str] | None = None,
        request_data: Mapping[str, Any] | None = None,
        token_header: str = "Authorization",
        token_type: str = "Bearer",
        ttl: timedelta | None = None,
        timeout: float = 30.0,
        verify_ssl: bool | str = True,
        depends_on: list[str] | None = None,
    ) -> None:
        super().__init__(
            name, base_url, endpoint, method, request_headers, request_data, ttl, timeout, verify_ssl, depends_on
        )
        self._token_header = token_header
        self._token_type = token_type

    def _build_request_headers(self, context: Mapping[str, TokenData] | None) -> dict[str, str]:
        """The request's headers; `context` holds the tokens of the steps in `depends_on`."""
        return dict(self._request_headers)

    def _ask(self, context: Mapping[str, TokenData] | None) -> HttpResponse:
        headers = self._build_request_headers(context)
        return self._make_request(self._method, self._endpoint, headers=headers, data=self._request_data or None)

    def _token(self, response: HttpResponse) -> TokenData:
        value = response.headers.get(self._token_header)
        if not value:
            raise self._refusal(f"Token header '{self._token_header}' not found in response")
        return TokenData(value, self._token_type, _end(self._ttl), issued_at=datetime.now(UTC))


class BodyTokenFetcher(_EndpointFetcher):
    """The token is in a JSON body. Override `_build_request_data` to use other steps' tokens.

    `ttl` beats the answer's `expires_in`.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        endpoint: str,
        method: HttpMethod | str = HttpMethod.POST,
        request_headers: Mapping[str, str] | None = None,
        request_data: Mapping[str, Any] | None = None,
        content_type: Literal["form", "json"] = "form",
        token_field: str = "access_token",
        token_type_field: str = "token_type",
        expires_in_field: str = "expires_in",
        refresh_token_field: str = "refresh_token",
        default_token_type: str = "Bearer",
        ttl: timedelta | None = None,
        timeout: float = 30.0,
        verify_ssl: bool | str = True,
        depends_on: list[str] | None = None,
    ) -> None:
        super().__init__(
            name, base_url, endpoint, method, request_headers, request_data, ttl, timeout, verify_ssl, depends_on
        )
        if content_type not in _CONTENT_TYPES:
            raise ValueError(f"content_type must be 'form' or 'json', not {content_type!r}")
        self._content_type = content_type
        self._token_field = token_field
        self._token_type_field = token_type_field
        self._expires_in_field = expires_in_field
        self._refresh_token_field = refresh_token_field
        self._default_token_type = default_token_type

    def _build_request_data(self, context: Mapping[str, TokenData] | None) -> dict[str, Any]:
        """The request's fields; `context` holds the tokens of the steps in `depends_on`."""
        return dict(self._request_data)

    def _ask(self, context: Mapping[str, TokenData] | None) -> HttpResponse:
        fields = self._build_request_data(context)
        headers = dict(self._request_headers)
        if not any(name.lower() == "content-type" for name in headers):
            headers["Content-Type"] = _CONTENT_TYPES[self._content_type]
        if self._content_type == "json" and getattr(self._method, "value", self._method) == "POST":
            return self._make_request(self._method, self._endpoint, headers=headers, json_data=fields)
        return self._make_request(self._method, self._endpoint, headers=headers, data=fields)

    def _token(self, response: HttpResponse) -> TokenData:
        try:
            data = response.json()
        except ResponseParseException as exc:
            raise self._refusal(f"Failed to parse token response: {exc.message}", exc) from exc
        if not isinstance(data, dict) or not data.get(self._token_field):
            raise self._refusal(f"Token field '{self._token_field}' not found in response")
        token = TokenData.from_response(
            {**data, self._token_field: str(data[self._token_field])},
            self._expires_in_field,
            self._token_field,
            self._refresh_token_field,
            self._token_type_field,
        )
        if not data.get(self._token_type_field):
            token = dataclasses.replace(token, token_type=self._default_token_type)
        return token if self._ttl is None else dataclasses.replace(token, expires_at=_end(self._ttl))


def _end(ttl: timedelta | None) -> datetime | None:
    return None if ttl is None else local(datetime.now(UTC) + ttl)
