"""Auth hooks: what adds a credential to each request, and renews it when it is refused."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal

from .interfaces import AuthHookInterface, AuthRetryStrategyInterface, TokenManagerInterface, has_own
from .models import HttpRequest, HttpResponse, PreparedRequest, RequestContext, TokenData
from .redact import REDACTOR
from .retry import NoAuthRetryStrategy, SimpleAuthRetryStrategy
from .transport.redirects import matched_path

_USED = "auth_token"


class _HeaderHook(AuthHookInterface):
    """A credential in one header, on all paths but the excluded ones."""

    def __init__(
        self,
        retry_strategy: AuthRetryStrategyInterface,
        excluded_paths: Iterable[str] | None,
        excluded_path_patterns: Iterable[str] | None = None,
    ) -> None:
        self._retry_strategy = retry_strategy
        self._excluded = frozenset(excluded_paths or ())
        self._patterns = tuple(excluded_path_patterns or ())

    @property
    def retry_strategy(self) -> AuthRetryStrategyInterface:
        return self._retry_strategy

    def should_authenticate(self, request: HttpRequest) -> bool:
        path = matched_path(request.url)
        return path not in self._excluded and not any(fnmatchcase(path, pattern) for pattern in self._patterns)

    def is_auth_error(self, response: HttpResponse) -> bool:
        return self._retry_strategy.is_auth_error(response)

    def refresh_auth(self) -> bool:
        return False

    def invalidate_auth(self) -> None:
        return None


class TokenAuthHook(_HeaderHook):
    """The token of a `TokenManager`; by default one renewal and one more try after a 401.

    The header is ``<prefix> <token>``, the bare token with an empty prefix. Where the prefix is left
    at "Bearer", a token of another type is sent with its own.
    """

    def __init__(
        self,
        token_manager: TokenManagerInterface,
        retry_strategy: AuthRetryStrategyInterface | None = None,
        auth_header_name: str = "Authorization",
        auth_header_prefix: str = "Bearer",
        excluded_paths: set[str] | None = None,
        excluded_path_patterns: list[str] | None = None,
    ) -> None:
        super().__init__(
            retry_strategy or SimpleAuthRetryStrategy(max_retries=1), excluded_paths, excluded_path_patterns
        )
        self._token_manager = token_manager
        self._name = auth_header_name
        self._prefix = auth_header_prefix

    @property
    def token_manager(self) -> TokenManagerInterface:
        return self._token_manager

    def before_request(self, request: HttpRequest, context: RequestContext) -> HttpRequest:
        token = self.get_token()
        _note(context, _USED, token)
        prefix = self._prefix
        if prefix == "Bearer" and isinstance(token.token_type, str) and token.token_type.lower() not in ("", "bearer"):
            prefix = token.token_type
        value = f"{prefix} {token.access_token}" if prefix else token.access_token
        return request.with_headers({self._name: value})

    def recover(self, response: HttpResponse, context: RequestContext) -> bool:
        """Renew the token that was refused, unless somebody else has done so already."""
        if not self.is_auth_error(response):
            return False
        manager: Any = self._token_manager
        used = _noted(context, _USED)
        # What a subclass says about renewing holds. Looked up on the class: an object that answers to any
        # name has no such method of its own.
        own = type(self).refresh_auth is not TokenAuthHook.refresh_auth
        if own or used is None or not getattr(type(manager), "replaces", False):
            return self.refresh_auth()
        return self._renewed(lambda: manager.replace(used))

    def refresh_auth(self) -> bool:
        return self._renewed(self._token_manager.force_refresh)

    def _renewed(self, renew: Callable[[], object]) -> bool:
        try:
            renew()
        except Exception:  # whatever a provider raises: the 401 in hand is the answer then
            return False
        return True

    def invalidate_auth(self) -> None:
        self._token_manager.invalidate_token()

    def get_token(self) -> TokenData:
        return self._token_manager.get_token()


class ApiKeyAuthHook(_HeaderHook):
    """A fixed key in a header."""

    def __init__(
        self,
        api_key: str,
        header_name: str = "X-API-Key",
        retry_strategy: AuthRetryStrategyInterface | None = None,
        excluded_paths: set[str] | None = None,
    ) -> None:
        super().__init__(retry_strategy or NoAuthRetryStrategy(), excluded_paths)
        self._key = api_key
        self._name = header_name
        REDACTOR.add(api_key)

    def before_request(self, request: HttpRequest, context: RequestContext) -> HttpRequest:
        return request.with_headers({self._name: self._key})

    def get_token(self) -> TokenData:
        return TokenData(self._key, "ApiKey")


class BasicAuthHook(_HeaderHook):
    """User and password as Basic (RFC 7617), in UTF-8."""

    def __init__(
        self,
        username: str,
        password: str,
        retry_strategy: AuthRetryStrategyInterface | None = None,
        excluded_paths: set[str] | None = None,
    ) -> None:
        super().__init__(retry_strategy or NoAuthRetryStrategy(), excluded_paths)
        self._value = basic(username, password)
        REDACTOR.add(password)
        REDACTOR.add(self._value.partition(" ")[2])

    def before_request(self, request: HttpRequest, context: RequestContext) -> HttpRequest:
        return request.with_headers({"Authorization": self._value})

    def get_token(self) -> TokenData:
        return TokenData(self._value.partition(" ")[2], "Basic")


class CompositeAuthHook(AuthHookInterface):
    """Several auth hooks as one: the first that authenticates a request ("first_match"), or "all" that do, in order.

    The retry strategy is the first hook's, unless given. Only hooks that authenticated a request are asked
    about its answer. ValueError for any other `strategy`.
    """

    def __init__(
        self,
        hooks: Sequence[AuthHookInterface],
        strategy: Literal["first_match", "all"] = "first_match",
        retry_strategy: AuthRetryStrategyInterface | None = None,
    ) -> None:
        if strategy not in ("first_match", "all"):
            raise ValueError(f"strategy must be 'first_match' or 'all', not {strategy!r}")
        self._hooks = tuple(hooks)
        self._all = strategy == "all"
        first = self._hooks[0].retry_strategy if self._hooks else SimpleAuthRetryStrategy()
        self._retry_strategy = retry_strategy or first
        self._chosen = f"auth_hooks:{id(self)}"

    def of(self, change: Callable[[AuthHookInterface], AuthHookInterface]) -> CompositeAuthHook:
        """The same of other hooks: what `change` makes of each."""
        own = self._hooks and self._retry_strategy is not self._hooks[0].retry_strategy
        return CompositeAuthHook(
            [change(hook) for hook in self._hooks],
            "all" if self._all else "first_match",
            self._retry_strategy if own else None,
        )

    @property
    def retry_strategy(self) -> AuthRetryStrategyInterface:
        return self._retry_strategy

    @property
    def reads_body(self) -> bool:
        """Whether a hook looks at the body of an answer."""
        return any(getattr(hook, "reads_body", False) is True for hook in self._hooks)

    def should_authenticate(self, request: HttpRequest) -> bool:
        return any(hook.should_authenticate(request) for hook in self._hooks)

    def before_request(self, request: HttpRequest, context: RequestContext) -> HttpRequest:
        chosen = [hook for hook in self._hooks if hook.should_authenticate(request)]
        chosen = chosen if self._all else chosen[:1]
        _note(context, self._chosen, chosen)
        for hook in chosen:
            request = hook.before_request(request, context)
        return request

    def finish(self, prepared: PreparedRequest, context: RequestContext) -> PreparedRequest:
        for hook in self._used(context):
            if has_own(hook, "finish"):
                prepared = hook.finish(prepared, context)
        return prepared

    def recover(self, response: HttpResponse, context: RequestContext) -> bool:
        # Every one of them is asked: an answer does not say whose credential it refuses.
        recovered = [_recovered(hook, response, context) for hook in self._used(context)]
        return any(recovered)

    def is_auth_error(self, response: HttpResponse) -> bool:
        return any(hook.is_auth_error(response) for hook in self._hooks)

    def refresh_auth(self) -> bool:
        return any(hook.refresh_auth() for hook in self._hooks)

    def invalidate_auth(self) -> None:
        for hook in self._hooks:
            hook.invalidate_auth()

    def get_token(self) -> TokenData:
        return self._hooks[0].get_token() if self._hooks else TokenData("")

    def _used(self, context: RequestContext) -> Iterable[AuthHookInterface]:
        found: Iterable[AuthHookInterface] | None = _noted(context, self._chosen)
        return self._hooks if found is None else found


def _recovered(hook: AuthHookInterface, response: HttpResponse, context: RequestContext) -> bool:
    """What `recover` says, of a hook that may not have it."""
    if has_own(hook, "recover"):
        return bool(hook.recover(response, context))
    return bool(hook.is_auth_error(response) and hook.refresh_auth())


def _note(context: RequestContext, name: str, value: object) -> None:
    """Keep something for the same request's answer, unless the context is a stand-in that keeps nothing."""
    if isinstance(context.metadata, dict):
        context.metadata[name] = value


def _noted(context: RequestContext, name: str) -> Any:
    return context.metadata.get(name) if isinstance(context.metadata, dict) else None


def basic(user: str, password: str) -> str:
    """The value of a Basic Authorization header, in UTF-8 (RFC 7617)."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode("ascii")
