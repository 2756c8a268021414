"""From a profile to the client that works by it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

from ..auth import CompositeAuthHook
from ..client import HttpClient
from ..config import HttpClientConfig
from ..events import Listener
from ..hooks import CorrelationIdHook
from ..interfaces import AuthHookInterface
from ..login.hook import JarHook, LoginHook
from ..login.login import Login
from ..transport.redirects import origin
from .build import Profile
from .netrc import NetrcHook
from .schema import CompositeAuth
from .transport import retry_strategy


def client(
    profile: Profile, listener: Listener | None, hook: AuthHookInterface | None = None, **overrides: Any
) -> HttpClient:
    """As `Profile.client` says."""
    return HttpClient(dataclasses.replace(config(profile, hook), **overrides), listener=listener)


def config(
    profile: Profile, hook: AuthHookInterface | None = None, text: Callable[[str], str] | None = None
) -> HttpClientConfig:
    """As `Profile.config` says."""
    table = profile.settings.table
    fill = text or profile.scope.text
    jars = any(entry.in_ == "cookies" for login in profile.logins for entry in login.inject)
    return dataclasses.replace(
        profile.transport().config(),
        default_headers={name: fill(value) for name, value in table.headers.items()},
        default_params={name: _filled(value, fill) for name, value in table.query.items()},
        origins=tuple(profile.scope.text(url) for url in table.origins),
        allow_redirects=table.redirects > 0,
        max_redirects=table.redirects,
        max_body=table.max_body,
        max_elapsed=table.limits.total,
        auth_hook=hook or auth_hook(profile),
        request_hooks=() if table.correlation_id is None else (CorrelationIdHook(table.correlation_id),),
        response_hooks=(JarHook(),) if jars else (),
        # A jar of the login's is the only place for cookies then.
        keep_cookies=not jars,
        retry_strategy=retry_strategy(table.retry),
        retry_unsafe_methods=table.retry.unsafe_methods,
    )


def auth_hook(profile: Profile, login_hook: Callable[[Login], AuthHookInterface] | None = None) -> AuthHookInterface:
    """As `Profile.auth_hook` says."""
    auth = profile.settings.table.auth
    usual = NetrcHook if profile.reads_netrc else LoginHook
    hooks = [(login_hook or usual)(login) for login in profile.logins]
    return CompositeAuthHook(hooks, auth.strategy) if isinstance(auth, CompositeAuth) else hooks[0]


def receives(url: str, urls: Iterable[str]) -> bool:
    """Whether a URL is of the origin of one of these."""
    return origin(url) in {origin(known) for known in urls}


def _filled(value: Any, fill: Callable[[str], str]) -> Any:
    """A query value with its templates filled in; a list is a repeated parameter."""
    if isinstance(value, list):
        return [_filled(item, fill) for item in value]
    return fill(value) if isinstance(value, str) else value
