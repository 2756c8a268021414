"""A profile's login as a token manager, for programs that send their own requests."""

from __future__ import annotations

from ..errors import ProfileError
from ..interfaces import TokenProviderInterface
from ..login.login import Login
from ..models import TokenData
from ..tokens.manager import TokenManager


class LoginTokens(TokenManager):
    """The token of a login's first target, kept where the profile keeps its tokens."""

    def __init__(self, profile: str, login: Login) -> None:
        super().__init__(_LoginProvider(profile, login), login.pipeline.storage)
        self._name, self._pipeline = login.targets[0], login.pipeline


class _LoginProvider(TokenProviderInterface):
    """A profile's login as a token provider."""

    def __init__(self, profile: str, login: Login) -> None:
        if not login.targets:
            raise ProfileError(f"profile {profile!r} has no step that yields a token")
        self._profile = profile
        self._target, self._pipeline = login.targets[0], login.pipeline

    @property
    def service_name(self) -> str:
        return self._profile

    def fetch_token(self) -> TokenData:
        return self._pipeline.obtain([self._target])[self._target]

    def refresh_token(self, current_token: TokenData) -> TokenData:
        return self._pipeline.renew([self._target], stale={self._target: current_token})[self._target]
