"""Pipelines of token fetchers: the library's simple way to log in through several steps."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from inspect import CO_VARARGS
from typing import Any

from ..errors import AuthenticationException
from ..interfaces import TokenProviderInterface, TokenStorageInterface
from ..models import Deadline, TokenData, local
from ..redact import REDACTOR
from .kept import taken
from .pipeline import Pipeline
from .step import SimpleStep, in_order

logger = logging.getLogger(__name__)


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
        names = [str(_value(step, "name")) for step in steps]
        wrapped = [_FetcherStep(step, cache_key_prefix, None if validate_dependencies else names) for step in steps]
        self._storage = storage
        self._pipeline = Pipeline(wrapped, storage, notice=logger.warning)
        self._fetchers = {name: step.fetcher for name, step in in_order(wrapped).items()}
        needed = {parent for step in wrapped for parent in step.needs}
        self._goals = [name for name in self._fetchers if name not in needed]

    def execute(self, force_refresh: bool = False) -> TokenData:
        """The last step's token: the one at hand, or a new one for which the steps run that it takes.

        `force_refresh` renews every step. AuthenticationException with `service_name` = the failed step.
        """
        names = self.step_names
        if not names:
            raise AuthenticationException("No tokens fetched from pipeline", service_name="pipeline")
        if force_refresh:
            return self._pipeline.renew(names)[names[-1]]
        token = self._pipeline.peek(names[-1])
        return token or self._pipeline.obtain(self._goals)[names[-1]]

    def renew(self, step_name: str | None = None, stale: TokenData | None = None) -> TokenData:
        """Renew one step and what was derived from it (no such step: every one); return the last step's token.

        When the last step's token is no longer `stale`, somebody has renewed it: it is returned.
        """
        names = self.step_names
        # Read before the comparison, so that what is renewed meanwhile is not renewed twice.
        before = {name: self._pipeline.stored(name) for name in names}
        current = self._pipeline.peek(names[-1]) if names else None
        if stale is not None and current is not None and current.access_token != stale.access_token:
            return current
        if step_name in before:
            self._pipeline.renew([step_name], stale=before)
            return self.execute()
        return self._pipeline.renew(names, stale=before)[names[-1]] if names else self.execute()

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
            _close(fetcher)


class PipelineTokenProvider(TokenProviderInterface):
    """A pipeline as a token provider. `refresh_from_step` is where a renewal begins (None: everywhere).

    A pipeline of the caller's own needs `execute`, `invalidate_step` and `invalidate_all`.
    """

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
        return self._pipeline.execute(force_refresh=False)

    def refresh_token(self, current_token: TokenData) -> TokenData:
        """Renew from `refresh_from_step` on."""
        return self._renew()

    def renew_token(self, current_token: TokenData) -> TokenData:
        """Renew a token that was refused, unless the pipeline has a newer one already."""
        return self._renew(current_token)

    def close(self) -> None:
        """Close the pipeline's steps."""
        _close(self._pipeline)

    def _renew(self, stale: TokenData | None = None) -> TokenData:
        pipeline, step = self._pipeline, self._refresh_from_step
        # Looked up on the class: a stand-in that answers to any name cannot renew.
        if hasattr(type(pipeline), "renew"):
            return pipeline.renew(step, stale)
        if step:
            pipeline.invalidate_step(step)
        else:
            pipeline.invalidate_all()
        return pipeline.execute(force_refresh=True)


class _FetcherStep(SimpleStep):
    """A fetcher as the engine's step. Anything with a name and `fetch` will do."""

    ends_with_parents = False

    def __init__(self, fetcher: Any, prefix: str, known: Sequence[str] | None) -> None:
        self.fetcher = fetcher
        self.name = str(_value(fetcher, "name"))
        dependencies = tuple(_value(fetcher, "depends_on") or ())
        self.needs = tuple(name for name in dependencies if known is None or name in known)
        self._missing = [name for name in dependencies if name not in self.needs]
        made_for = _value(fetcher, "fingerprint")
        self.fingerprint = made_for if isinstance(made_for, str) else None
        self.key = f"{prefix}:{self.name}" if prefix else self.name

    def refreshable(self, current: TokenData) -> bool:
        return False

    def refresh(self, current: TokenData, given: Mapping[str, TokenData], deadline: Deadline | None) -> None:
        return None

    def login(self, given: Mapping[str, TokenData], deadline: Deadline | None) -> TokenData:
        for missing in self._missing:
            raise AuthenticationException(
                f"Dependency '{missing}' not available for step '{self.name}'", service_name=self.name
            )
        tokens = dict(given)
        try:
            found = self.fetcher.fetch(tokens or None) if self._takes_context() else self.fetcher.fetch()
        except Exception as exc:
            told = getattr(self.fetcher, "on_fetch_error", None)
            if told is not None:
                told(exc, tokens)
            text = REDACTOR.body(str(exc))
            raise AuthenticationException(
                f"Token fetch failed for step '{self.name}': {text}", exc, service_name=self.name
            ) from exc
        token = taken(found)
        if token is None:
            raise AuthenticationException(
                f"Token fetch failed for step '{self.name}': no token was returned", service_name=self.name
            )
        ttl = _value(self.fetcher, "ttl")
        if token.expires_at is None and ttl is not None:
            token = dataclasses.replace(token, expires_at=local(datetime.now(UTC) + ttl))
        return token

    def _takes_context(self) -> bool:
        """A step's `fetch` may have no parameter for other steps' tokens."""
        code = getattr(getattr(self.fetcher.fetch, "__func__", None), "__code__", None)
        return code is None or code.co_argcount > 1 or bool(code.co_flags & CO_VARARGS)


def _close(thing: Any) -> None:
    close = getattr(thing, "close", None)
    if callable(close):
        close()


def _value(fetcher: Any, name: str) -> Any:
    """A member that may be a property, a plain attribute or a method; None when it is not there."""
    value = getattr(fetcher, name, None)
    return value() if callable(value) else value
