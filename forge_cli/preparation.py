"""From a request as a caller means it to the bytes that are sent: hooks, credentials, defaults."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from .config import HttpClientConfig
from .curl import iter_params
from .encode import build_url, encode
from .errors import AuthenticationException, ForgeError, HttpClientException, RequestBuildException
from .interfaces import AuthHookInterface, has_own
from .models import HttpRequest, PreparedRequest, RequestContext
from .redact import REDACTOR, sensitive
from .transport.redirects import origin

_T = TypeVar("_T")
_LIBRARYS_OWN = {
    "accept": "*/*",
    "accept-encoding": "gzip, deflate",
    "connection": "keep-alive",
    "user-agent": "python-requests/",
}
Origin = tuple[str, str, int]


@dataclass(frozen=True, eq=False, repr=False)
class Draft:
    """A request ready to go.

    `authenticated` is whether it carries the client's credential; `ours` whether it goes to an origin that
    may see what the client has of its own; `homes` are the origins that may see what is in the request.
    """

    request: HttpRequest
    prepared: PreparedRequest
    authenticated: bool
    ours: bool
    homes: frozenset[Origin]

    def allowed(self, url: str) -> bool:
        """Whether the URL's origin may see what is in the request."""
        return origin(url) in self.homes

    @property
    def replayable(self) -> bool:
        """Whether the body can be sent again."""
        return bool(getattr(self.prepared.body, "replayable", True))

    @property
    def carries_secrets(self) -> bool:
        """Whether there are credentials in it that another origin must not see."""
        prepared = self.prepared
        return bool(prepared.query_credentials) or any(
            name.lower() in prepared.credentials or sensitive(name) for name, _ in prepared.headers.pairs
        )

    def redirected(self, prepared: PreparedRequest) -> Draft:
        """The next hop of a redirect."""
        stays = self.allowed(prepared.url)
        return dataclasses.replace(
            self, prepared=prepared, authenticated=self.authenticated and stays, ours=self.ours and stays
        )


class Preparation:
    """Makes the drafts of one client."""

    def __init__(self, config: HttpClientConfig) -> None:
        self._config = config
        urls = (config.base_url, *config.origins)
        self._origins = frozenset(origin(url) for url in urls if "://" in url)
        self._prefix = config.base_url.rstrip("/") + "/"
        self._header_names = frozenset(name.lower() for name in config.default_headers)
        self._query_names = frozenset(config.default_params)
        self._signs = config.auth_hook is not None and has_own(config.auth_hook, "finish")

    def draft(self, context: RequestContext, session: Any = None) -> Draft:
        """Hooks, then authentication, then the bytes.

        `session` is one that its user may have changed: its headers, query and credentials hold where the
        config says nothing.
        """
        request = context.request
        for request_hook in self._config.request_hooks:
            request = returned(request_hook, request_hook.before_request(request, context))
        ours = self._is_ours(build_url(self._config.base_url, request.url))
        if not ours:
            request = _without_added_secrets(context.request, request)
        plain, hook = request, self._config.auth_hook if ours else None
        if hook is not None and not hook.should_authenticate(request):
            hook = None
        if hook is not None:
            request = self._authenticated(hook, hook.before_request, request, context)
        prepared = self._encoded(plain, request, ours, session)
        homes = self._homes(prepared.url, ours)
        if hook is not None:
            prepared = self._finished(hook, prepared, context)
            # Where a login sends what was relative is an origin of its own.
            if request.url != plain.url and "://" not in plain.url:
                homes |= {origin(prepared.url)}
        return Draft(request, prepared, hook is not None, ours, homes)

    def redirected(self, draft: Draft, prepared: PreparedRequest, context: RequestContext) -> Draft:
        """The next hop of a redirect, signed anew where it may be."""
        following = draft.redirected(prepared)
        hook = self._config.auth_hook
        if hook is None or not following.authenticated:
            return following
        return dataclasses.replace(following, prepared=self._finished(hook, prepared, context))

    def _finished(self, hook: AuthHookInterface, prepared: PreparedRequest, context: RequestContext) -> PreparedRequest:
        """The request after a hook's last look at it."""
        if not self._signs:
            return prepared
        before, prepared = prepared, self._authenticated(hook, hook.finish, prepared, context)
        changed = {n.lower() for n, v in prepared.headers.pairs if before.headers.get(n) != v}
        return dataclasses.replace(prepared, credentials=prepared.credentials | changed)

    def at_home(self, url: str) -> bool:
        """Whether an absolute URL begins with the base URL. What follows its slash cannot change the host."""
        return url.startswith(self._prefix)

    def _is_ours(self, url: str) -> bool:
        return not self._config.base_url or self.at_home(url) or origin(url) in self._origins

    def _homes(self, url: str, ours: bool) -> frozenset[Origin]:
        if ours and self._config.base_url:
            return self._origins
        first = frozenset({origin(url)})
        return self._origins | first if ours else first

    def _encoded(self, plain: HttpRequest, request: HttpRequest, ours: bool, session: Any) -> PreparedRequest:
        """The bytes of `request`, which is `plain` and what authentication added."""
        config = self._config
        headers, queries = _added(plain, request)
        headers, queries = headers | _known_headers(request), queries | _known_queries(request)
        if not ours:
            return encode(request, timeout=config.default_timeout, credentials=headers, query_credentials=queries)
        headers, queries = headers | self._header_names, queries | self._query_names
        defaults, params = config.default_headers, config.default_params
        if session is not None:
            found, query = self._found(session), getattr(session, "params", None)
            query = query if isinstance(query, Mapping) else {}
            defaults, params = {**found, **defaults}, {**query, **params}
            headers, queries = headers.union(name.lower() for name in found), queries.union(query)
            auth = getattr(session, "auth", None)
            if isinstance(auth, tuple) and request.auth is None and not self._has_credentials:
                request = dataclasses.replace(request, auth=auth)
        return encode(
            request,
            base_url=config.base_url,
            defaults=defaults,
            params=params,
            cookies=config.cookies,
            timeout=config.default_timeout,
            credentials=headers,
            query_credentials=queries,
        )

    def _found(self, session: Any) -> dict[str, Any]:
        """The headers of a session that the config says nothing about."""
        headers = getattr(session, "headers", None)
        return {
            name: value
            for name, value in (headers.items() if isinstance(headers, Mapping) else ())
            if name.lower() not in self._header_names and not _is_librarys_own(name, value)
        }

    @property
    def _has_credentials(self) -> bool:
        """Whether the config has a header or a hook for user and password."""
        return "authorization" in self._header_names or self._config.auth_hook is not None

    def _authenticated(
        self, hook: AuthHookInterface, step: Callable[[_T, RequestContext], _T], value: _T, context: RequestContext
    ) -> _T:
        try:
            return returned(hook, step(value, context))
        except AuthenticationException:
            raise
        except HttpClientException as exc:
            message, cause = f"Authentication hook failed: {exc.message}", exc
            raise AuthenticationException(message, cause, {"request": context.request}) from exc
        except ForgeError:
            raise  # a missing secret, a bad profile, a store that cannot be read: not an answer of the network
        except Exception as exc:
            message = f"Authentication hook failed: {type(exc).__name__}: {REDACTOR.body(str(exc))}"
            raise AuthenticationException(message, exc, {"request": context.request}) from exc


def _is_librarys_own(name: str, value: Any) -> bool:
    """What every session of the HTTP library has, whoever made it."""
    begins = _LIBRARYS_OWN.get(name.lower())
    return begins is not None and str(value).startswith(begins)


def returned(hook: object, result: _T | None) -> _T:
    """What a hook returned. RequestBuildException, which names the hook, when that is nothing."""
    if result is None:
        raise RequestBuildException(
            f"hook {type(hook).__name__} returned nothing", hint="return the object it was given"
        )
    return result


def _without_added_secrets(before: HttpRequest, after: HttpRequest) -> HttpRequest:
    """The request without the credentials that request hooks put into its headers."""
    old, new = before.headers or {}, after.headers or {}
    kept = {name: value for name, value in new.items() if old.get(name) == value or not sensitive(name)}
    return after if len(kept) == len(new) else dataclasses.replace(after, headers=kept)


def _added(before: HttpRequest, after: HttpRequest) -> tuple[frozenset[str], frozenset[str]]:
    """Names of the headers (lower case) and query parameters that authentication added or changed."""
    if before is after:
        return frozenset({"authorization"} if after.auth else ()), frozenset()
    old = before.headers or {}
    headers = {name.lower() for name, value in (after.headers or {}).items() if old.get(name) != value}
    if after.cookies != before.cookies:
        headers.add("cookie")
    if after.auth is not None:
        headers.add("authorization")
    if after.params is before.params:
        return frozenset(headers), frozenset()
    return frozenset(headers), frozenset(_names(after.params) - _names(before.params))


def _known_headers(request: HttpRequest) -> set[str]:
    """Names of the headers (lower case) whose value is known to be a secret, whatever they are called."""
    return {
        name.lower()
        for name, value in (request.headers or {}).items()
        for item in (value if isinstance(value, list | tuple) else (value,))
        if isinstance(item, str) and REDACTOR.knows(item)
    }


def _known_queries(request: HttpRequest) -> set[str]:
    """Names of the query parameters whose value is known to be a secret."""
    pairs = iter_params(request.params) if isinstance(request.params, Mapping | list | tuple) else ()
    try:
        return {name for name, value in pairs if REDACTOR.knows(value)}
    except (TypeError, ValueError):
        return set()  # no pairs: whoever encodes them says so


def _names(params: Any) -> set[str]:
    return set(params) if isinstance(params, Mapping) else {name for name, _ in iter_params(params)}
