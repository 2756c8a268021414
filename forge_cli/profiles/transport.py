"""How a profile's requests travel: what those to its API and those of its login have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from ..breaker import BREAKER_STATES, BreakerState, CircuitBreaker, RetryBudget
from ..breaker.file import FileBreakerState
from ..config import HttpClientConfig
from ..errors import ProfileError, StorageError
from ..files import config_dir
from ..interfaces import RetryStrategyInterface
from ..login.scope import Scope
from ..retry import RETRIES
from .load import ProfileSettings
from .schema import ProxyTable, RetryTable, SharedTable, TimeoutTable

BREAKER = "circuit-breaker"
_LEAST_RETRIES = 10
_BUDGET = RetryBudget(minimum=_LEAST_RETRIES)


class Transport:
    """The transport settings of one profile. Nothing is resolved before `config` is asked for."""

    def __init__(
        self, settings: ProfileSettings, scope: Scope, *, environ: Mapping[str, str], notice: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._scope = scope
        self._environ = environ
        self._notice = notice

    @cached_property
    def circuit_breaker(self) -> CircuitBreaker | None:
        """The breaker of `strategy = "circuit-breaker"`, whose circuits all processes of this user share.

        With tokens in Redis, so are the circuits: all machines share them.
        """
        retry = self._settings.table.retry
        if retry.strategy != BREAKER:
            return None
        limits = retry.failure_threshold, retry.recovery_timeout, retry.half_open_max_calls
        return CircuitBreaker(*limits, state=self._breaker_state(), notice=self._notice)

    def _breaker_state(self) -> BreakerState | None:
        shared = self.redis
        if shared is not None:
            state: BreakerState = BREAKER_STATES.load("redis")(**shared)
            return state
        try:
            path = config_dir(self._environ) / "state" / "breaker.json"
        except StorageError as exc:
            self._notice(f"{exc.message}: the circuit breaker is not shared with other processes")
            return None
        return FileBreakerState(path, notice=self._notice)

    @property
    def redis(self) -> Mapping[str, str] | None:
        """What the profile says of the Redis that has its tokens: `url` and `prefix`. None: they are not in one."""
        tokens = self._settings.table.tokens
        if (self._environ.get("FORGE_TOKEN_STORAGE") or tokens.storage) != "redis":
            return None
        found = {"url": None if tokens.url is None else self._scope.text(tokens.url), "prefix": tokens.prefix}
        return {name: value for name, value in found.items() if value is not None}

    def config(self) -> HttpClientConfig:
        """What all these requests have in common, as a client's config."""
        table = self._settings.table
        folder = self._settings.path.parent
        certificate = table.client_cert
        return HttpClientConfig(
            base_url=self._scope.base_url,
            circuit_breaker=self.circuit_breaker,
            retry_budget=retry_budget(table.retry.max_retries),
            default_timeout=None,
            connect_timeout=table.limits.connect,
            idle_timeout=table.limits.idle,
            verify_ssl=verification(table.verify, folder),
            proxies=self._proxies(),
            client_cert=None
            if certificate is None
            else (
                str(folder / Path(certificate.cert).expanduser()),
                None if certificate.key is None else str(folder / Path(certificate.key).expanduser()),
                None if certificate.password is None else self._scope.text(certificate.password),
            ),
        )

    def _proxies(self) -> Mapping[str, str] | None:
        proxy = self._settings.table.proxy
        if proxy is None:
            return None
        if not isinstance(proxy, ProxyTable):
            url = self._scope.text(proxy)
            return {"http": url, "https": url}
        given = {"http": proxy.http, "https": proxy.https}
        found = {scheme: self._scope.text(url) for scheme, url in given.items() if url is not None}
        return found | ({"no_proxy": ",".join(proxy.no_proxy)} if proxy.no_proxy else {})


def of_shared(table: SharedTable, base_url: str, folder: Path) -> HttpClientConfig:
    """The config for the requests of a shared login, which has nothing of the profiles that use it."""
    limits = TimeoutTable()
    return HttpClientConfig(
        base_url=base_url,
        retry_budget=_BUDGET,
        default_timeout=None,
        connect_timeout=limits.connect,
        idle_timeout=limits.idle,
        verify_ssl=verification(table.verify, folder),
    )


def verification(verify: bool | str, folder: Path) -> bool | str:
    """Whether certificates are checked, or the file to check them against."""
    return verify if isinstance(verify, bool) else str(folder / Path(verify).expanduser())


def retry_strategy(table: RetryTable) -> RetryStrategyInterface:
    """The library's strategy for a [retry] table; one of the user's own gets the keys that are not the default."""
    # The breaker of "circuit-breaker" is the client's: it must outlive the strategy and hold for logins too.
    kind = RETRIES.load("exponential" if table.strategy == BREAKER else table.strategy)
    common = {"max_retry_after": table.max_retry_after, "max_elapsed": table.max_elapsed}
    strategy: RetryStrategyInterface
    if table.strategy == "none":
        strategy = kind()
    elif table.strategy == "simple":
        strategy = kind(table.max_retries, table.base_delay, retryable_status_codes=table.statuses, **common)
    elif table.strategy in tuple(RETRIES):
        strategy = kind(
            table.max_retries,
            table.base_delay,
            table.max_delay,
            table.multiplier,
            "full" if table.jitter else False,
            retryable_status_codes=table.statuses,
            **common,
        )
    else:
        try:
            strategy = kind(**_changed(table))
        except TypeError as exc:
            raise ProfileError(
                f"retry strategy {table.strategy!r} cannot be made: {exc}", hint="it gets the keys of [retry] by name"
            ) from exc
    return strategy


def _changed(table: RetryTable) -> dict[str, Any]:
    """The keys of a [retry] table that are not the default, without the strategy."""
    given = {f.name: getattr(table, f.name) for f in dataclasses.fields(table) if f.name != "strategy"}
    return {name: value for name, value in given.items() if value != getattr(RetryTable(), name)}


def retry_budget(max_retries: int) -> RetryBudget:
    """The budget that all clients of this process share, unless one request may use up more than it begins with."""
    return _BUDGET if max_retries <= _LEAST_RETRIES else RetryBudget(minimum=max_retries)
