"""Decides when a service's token is obtained, kept and renewed."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ..errors import AuthenticationException
from ..interfaces import TokenManagerInterface, TokenProviderInterface, TokenStorageInterface
from ..models import Deadline, TokenData, aware
from .kept import taken
from .pipeline import Pipeline
from .step import SimpleStep
from .storage.memory import InMemoryTokenStorage

logger = logging.getLogger(__name__)


class TokenManager(TokenManagerInterface):
    """One service's token, obtained once however many threads ask.

    It is kept in `storage` under ``auth_token:<service_name>``, with what it was made for beside it
    where the provider says that (`fingerprint`). The provider's exceptions pass through unchanged.
    """

    replaces = True
    """Whether `replace` may be used for `force_refresh`; False in a class that has its own."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "force_refresh" in cls.__dict__:
            cls.replaces = "replace" in cls.__dict__

    def __init__(self, provider: TokenProviderInterface, storage: TokenStorageInterface | None = None) -> None:
        super().__init__(provider, storage if storage is not None else InMemoryTokenStorage())
        step = _ProviderStep(provider)
        self._name = step.name
        self._pipeline = Pipeline([step], self._storage, notice=logger.warning)
        self._provider_caches = step.caches

    def get_token(self) -> TokenData:
        """The token at hand, or a new one when there is none that can be used."""
        return self._pipeline.obtain([self._name])[self._name]

    def invalidate_token(self) -> None:
        """Forget the token."""
        self._pipeline.clear([self._name])

    def force_refresh(self) -> TokenData:
        """Renew now, with the refresh token where there is one. The old token stays until the new one is there."""
        if self._provider_caches:
            # What the provider has cached can be renewed only once it is known here.
            begun = datetime.now(UTC)
            token = self.get_token()
            if token.issued_at is not None and aware(token.issued_at) >= begun:
                return token
        return self._pipeline.renew([self._name])[self._name]

    def replace(self, used: TokenData) -> TokenData:
        """Renew the token that was refused, or return the one that somebody else has obtained since."""
        return self._pipeline.renew([self._name], stale={self._name: taken(used)})[self._name]


class _ProviderStep(SimpleStep):
    """A provider as the only step of a login."""

    needs: Sequence[str] = ()
    ends_with_parents = False

    def __init__(self, provider: Any) -> None:
        self._provider = provider
        # A provider with a cache of its own is told which token is no longer good. Looked up on the
        # class: an object that answers to any name has no such method of its own.
        self.caches = hasattr(type(provider), "renew_token")
        self.name = str(provider.service_name)
        self.key = f"auth_token:{self.name}"

    @property
    def fingerprint(self) -> str | None:
        made_for = getattr(self._provider, "fingerprint", None)
        return made_for if isinstance(made_for, str) else None

    def refreshable(self, current: TokenData) -> bool:
        # Of a token that has ended the provider's own cache knows just as well.
        return current.fresh(datetime.now(UTC)) if self.caches else bool(current.refresh_token)

    def login(self, given: Mapping[str, TokenData], deadline: Deadline | None) -> TokenData:
        token = taken(self._provider.fetch_token())
        if token is None:
            raise AuthenticationException(f"the provider of '{self.name}' returned no token", service_name=self.name)
        return token

    def refresh(self, current: TokenData, given: Mapping[str, TokenData], deadline: Deadline | None) -> TokenData:
        renew = self._provider.renew_token if self.caches else self._provider.refresh_token
        return taken(renew(current)) or self.login(given, deadline)
