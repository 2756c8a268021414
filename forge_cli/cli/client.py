"""The client for one command: what the profile says, and over it what the options say."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..client import HttpClient
from ..compiled import compiled
from ..config import HttpClientConfig
from ..encode import build_url
from ..errors import ProfileError, UsageError
from ..events import Foreign, Listener
from ..interfaces import AuthHookInterface
from ..profiles.build import Profile
from ..profiles.schema import RetryTable
from ..profiles.transport import retry_budget, retry_strategy
from ..transport.environment import checked_proxy
from ..transport.redirects import origin
from .clear import InTheClear
from .context import Context
from .output.notices import NOT_VERIFIED
from .request import RequestOptions

_ABSOLUTE = compiled(r"https?://", re.IGNORECASE)
_CONNECT, _IDLE, _REDIRECTS = 10.0, 60.0, 10
_NOTICED = 0.2


def build_client(
    context: Context,
    url: str,
    options: RequestOptions,
    listener: Listener | None,
    hook: Callable[[Profile], AuthHookInterface] | None = None,
    text: Callable[[Profile], Callable[[str], str]] | None = None,
    at_home: Callable[[Profile], None] | None = None,
) -> HttpClient:
    """The client for a request to this URL: by the profile, where there is one, and by the options.

    `at_home` is told the profile whose API the request is for.
    """
    if options.user is not None and options.bearer is not None:
        raise UsageError("--user and --bearer cannot go together", hint="choose one")
    if listener is not None:
        listener = InTheClear(context.warn, listener)
    profile = _profile(context, url, listener, options)
    absolute = _ABSOLUTE.match(url) is not None
    explicit = options.no_auth or options.user is not None or options.bearer is not None
    if profile is None:
        retry = RetryTable()
        config = HttpClientConfig(
            default_timeout=None,
            connect_timeout=_CONNECT,
            idle_timeout=_IDLE,
            retry_strategy=retry_strategy(retry),
            retry_budget=retry_budget(retry.max_retries),
        )
    else:
        retry = profile.settings.table.retry
        config = profile.config(hook(profile) if hook is not None else None, None if text is None else text(profile))
        if absolute and not _at_home(url, config):
            if listener is not None and config.base_url and not explicit:
                listener(Foreign(url))
            config = _for_strangers(config)
        elif at_home is not None:
            at_home(profile)
    if explicit:
        config = replace(config, auth_hook=None)
    overrides = _overrides(context, config, retry, options)
    deadline = None if profile is None else profile.deadline
    if deadline is not None and (left := deadline.remaining()) < deadline.seconds - _NOTICED:
        # What the program of a secret took before has gone from the command's time.
        overrides["max_elapsed"] = max(left, 0.001)
    return HttpClient(replace(config, **overrides), listener=listener)


def _profile(context: Context, url: str, listener: Listener | None, options: RequestOptions) -> Profile | None:
    """The profile to send by; an absolute URL needs none."""
    build_url("", url)  # what is neither a path nor a URL is no reason to look for a profile
    if _ABSOLUTE.match(url) is not None:
        return context.profile_if_any(listener=listener, timeout=options.timeout, retries=options.retry)
    if not context.source.path.exists():
        raise ProfileError(
            f"no profile file: {context.source.path}",
            hint="write one with `forge profile init`, or give a whole URL: https://…",
        )
    profile = context.profile(listener=listener, timeout=options.timeout, retries=options.retry)
    if not profile.base_url:
        raise ProfileError(
            f"profile {profile.name!r} of {profile.settings.path} has no base_url",
            hint=f"add one, or give a whole URL: https://…{url if url.startswith('/') else '/' + url}",
        )
    return profile


def _at_home(url: str, config: HttpClientConfig) -> bool:
    """Whether the URL is of the profile's origins. A profile without a base_url has none."""
    return bool(config.base_url) and origin(url) in {origin(known) for known in (config.base_url, *config.origins)}


def _for_strangers(config: HttpClientConfig) -> HttpClientConfig:
    """The profile's retry, timeouts and proxy, and nothing that is meant for its own API."""
    return replace(
        config,
        base_url="",
        origins=(),
        default_headers={},
        default_params={},
        auth_hook=None,
        request_hooks=(),
        client_cert=None,
        verify_ssl=True,
    )


def _overrides(
    context: Context, config: HttpClientConfig, retry: RetryTable, options: RequestOptions
) -> dict[str, Any]:
    """The fields of the config that the options decide."""
    found: dict[str, Any] = {"post_to_get": bool(options.follow)}
    if (
        options.follow is not None
        and options.max_redirects is not None
        and options.follow != (options.max_redirects > 0)
    ):
        option = "--follow" if options.follow else "--no-follow"
        raise UsageError(f"{option} and --max-redirects {options.max_redirects} cannot go together", hint="choose one")
    if options.follow is not None:
        found |= {"allow_redirects": options.follow, "max_redirects": config.max_redirects or _REDIRECTS}
    if options.max_redirects is not None:
        found |= {"allow_redirects": options.max_redirects > 0, "max_redirects": options.max_redirects}
    if options.timeout is not None:
        found["max_elapsed"] = options.timeout
    if options.connect_timeout is not None:
        found["connect_timeout"] = options.connect_timeout
    retries = context.retries if options.retry is None else options.retry
    if retries is not None:
        found["retry_strategy"] = retry_strategy(retry.with_retries(retries))
        found["retry_budget"] = retry_budget(retries)
    if options.retry_unsafe:
        found["retry_unsafe_methods"] = True
    verify = _verify(options)
    if verify is not None:
        found["verify_ssl"] = verify
    if options.proxy is not None:
        proxy = checked_proxy(options.proxy, "--proxy") if options.proxy else ""
        found["proxies"] = {"http": proxy, "https": proxy}
    if options.cert_key is not None and options.cert is None:
        raise UsageError("--cert-key is the key of a certificate, and none is given", hint="name it with --cert")
    if options.cert is not None:
        found["client_cert"] = (options.cert, options.cert_key, None)
    if found.get("verify_ssl", config.verify_ssl) is False:
        context.warn(NOT_VERIFIED)
    return found


def _verify(options: RequestOptions) -> bool | str | None:
    if options.insecure and options.verify not in (None, "no"):
        raise UsageError(f"--insecure and --verify {options.verify} cannot go together", hint="choose one")
    if options.insecure or options.verify == "no":
        return False
    if options.verify in (None, "yes"):
        return True if options.verify == "yes" else None
    if not os.path.exists(str(options.verify)):
        raise UsageError(f"--verify {options.verify!r}: no such file", hint="yes, no, or a CA file")
    return options.verify
