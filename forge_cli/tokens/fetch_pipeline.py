"""Pipelines of token fetchers: the library's simple way to log in through several steps."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ..errors import AuthenticationException
from ..interfaces import TokenProviderInterface, TokenStorageInterface
from ..models import Deadline, TokenData, local
from ..redact import REDACTOR
from .pipeline import Pipeline, in_order


class TokenFetchPipeline:
    """Steps that each yield a token, cached one by one under ``<cache_key_prefix>:<step>``.

    A step is given the tokens of the steps in its `depends_on`, and no others. A renewed step drops
    what was derived from it. ValueError for a dependency that is in no step ("not available"), a cycle,
    or two steps of one name.
    """

    def __init__(
        self,
        steps: Sequence[Any],
        storage: TokenStorageInterface,
        cache_key_prefix: str = "",
        validate_dependencies: bool = True,
    ) -> None:
        wrapped = [_FetcherStep(step, cache_key_prefix) for step in steps]
        names = {step.name for step in wrapped}
        missing = [(step.name, needed) for step in wrapped for needed in step.needs if needed not in names]
        if missing and validate_dependencies:
            name, needed = missing[0]
            raise ValueError(f"Dependency '{needed}' of step '{name}' is not available: no step has that name")
        self._missing = dict(missing)
        self._fetchers = {step.name: step.fetcher for step in in_order(wrapped)}
        self._storage = storage
        self._pipeline = Pipeline(wrapped, storage)

    def execute(self, force_refresh: bool = False) -> TokenData:
        """The last step's token: the one at hand, or a new one for which the steps run that it takes.

        `force_refresh` renews every step. AuthenticationException with `service_name` = the failed step.
        """
        names = self.step_names
        if not names:
            raise AuthenticationException("No tokens fetched from pipeline", service_name="pipeline")
        last = names[-1]
        if force_refresh:
            self._check_dependencies()
            return self._pipeline.renew(names)[last]
        token = self._pipeline.peek(last)
        if token is not None:
            return token
        self._check_dependencies()
        return self._pipeline.obtain(names)[last]

    def renew(self, step_name: str | None = None, stale: TokenData | None = None) -> TokenData:
        """Renew one step and what was derived from it (None: every step); return the last step's token.

        When the last step's token is no longer `stale`, somebody has renewed it: it is returned.
        """
        last = self.step_names[-1] if self.step_names else None
        current = None if last is None else self._pipeline.peek(last)
        if stale is not None and current is not None and current.access_token != stale.access_token:
            return current
        if step_name is None or last is None:
            return self.execute(force_refresh=True)
        self._pipeline.renew([step_name])
        return self.execute()

    def invalidate_step(self, step_name: str) -> None:
        """Delete a step's token and, recursively, those of the steps that depend on it."""
        if step_name in self._fetchers:
            self._pipeline.clear([step_name])

    def invalidate_all(self) -> None:
        """Delete every step's token."""
        self._pipeline.clear()

    def get_step(self, name: str) -> Any:
        """The step of this name, or None."""
        return self._fetchers.get(name)

    @property
    def step_names(self) -> list[str]:
        """The names, in the order in which the steps run."""
        return list(self._fetchers)

    def close(self) -> None:
        """Close the steps that can be closed."""
        for fetcher in self._fetchers.values():
            close = getattr(fetcher, "close", None)
            if callable(close):
                close()

    def _check_dependencies(self) -> None:
        for name, needed in self._missing.items():
            raise AuthenticationException(f"Dependency '{needed}' not available for step '{name}'", service_name=name)


class PipelineTokenProvider(TokenProviderInterface):
    """A pipeline as a token provider. `refresh_from_step` is where a renewal begins (None: everywhere)."""

    def __init__(self, pipeline: TokenFetchPipeline, service_name: str, refresh_from_step: str | None = None) -> None:
        self._pipeline = pipeline
        self._service_name = service_name
        self._refresh_from_step = refresh_from_step

    @property
    def service_name(self) -> str:
        return self._service_name

    @property
    def pipeline(self) -> TokenFetchPipeline:
        return self._pipeline

    def fetch_token(self) -> TokenData:
        """The pipeline's token, from its cache where it is there."""
        return self._pipeline.execute()

    def refresh_token(self, current_token: TokenData) -> TokenData:
        """Renew from `refresh_from_step` on."""
        return self._pipeline.renew(self._refresh_from_step)

    def renew_token(self, current_token: TokenData) -> TokenData:
        """Renew a token that was refused, unless the pipeline has a newer one already."""
        return self._pipeline.renew(self._refresh_from_step, stale=current_token)

    def close(self) -> None:
        """Close the pipeline's steps."""
        self._pipeline.close()


class _FetcherStep:
    """A fetcher as the engine's step. Anything with a name and `fetch` will do."""

    unbound: frozenset[str] = frozenset()
    refresh_needs: frozenset[str] = frozenset()
    ends_with_parents = False
    skew = None
    stored = True

    def __init__(self, fetcher: Any, prefix: str) -> None:
        self.fetcher = fetcher
        self.name = str(_value(fetcher, "name"))
        self.needs = tuple(_value(fetcher, "depends_on") or ())
        made_for = _value(fetcher, "fingerprint")
        self.fingerprint = made_for if isinstance(made_for, str) else None
        self.key = f"{prefix}:{self.name}" if prefix else self.name

    def preflight(self, *, refreshing: bool = False) -> None:
        return None

    def ask(self) -> None:
        return None

    def refreshable(self, current: TokenData) -> bool:
        return False

    def refresh(self, current: TokenData, given: Mapping[str, TokenData], deadline: Deadline | None) -> None:
        return None

    def login(self, given: Mapping[str, TokenData], deadline: Deadline | None) -> TokenData:
        tokens = dict(given)
        try:
            token: TokenData = self.fetcher.fetch(tokens) if tokens else self._fetch_alone()
        except Exception as exc:
            told = getattr(self.fetcher, "on_fetch_error", None)
            if told is not None:
                told(exc, tokens)
            text = REDACTOR.body(str(exc))
            raise AuthenticationException(
                f"Token fetch failed for step '{self.name}': {text}", exc, service_name=self.name
            ) from exc
        ttl = _value(self.fetcher, "ttl")
        if token.expires_at is None and ttl is not None:
            token = dataclasses.replace(token, expires_at=local(datetime.now(UTC) + ttl))
        return token

    def _fetch_alone(self) -> TokenData:
        """A first step's `fetch` may take no context at all."""
        fetch = self.fetcher.fetch
        code = getattr(getattr(fetch, "__func__", None), "__code__", None)
        token: TokenData = (
            fetch() if code is not None and code.co_argcount == 1 and not code.co_flags & 0x04 else fetch(None)
        )
        return token


def _value(fetcher: Any, name: str) -> Any:
    """A member that may be a property, a plain attribute or a method; None when it is not there."""
    value = getattr(fetcher, name, None)
    return value() if callable(value) else value
