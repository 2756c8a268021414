"""The tokens of a login's steps where they are kept, also when the storage cannot be written."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from ..errors import StorageError
from ..interfaces import storage_lock
from ..models import Deadline, TokenData
from .step import Step
from .storage.memory import InMemoryTokenStorage

_LONGEST_LOCK = 60.0


def taken(value: Any) -> TokenData | None:
    """What a caller's own code handed out, as a token; None when it has no access token.

    An object with the attributes of TokenData will do, and those that make no sense count as not there.
    """
    # The class itself: a mock of TokenData passes for one, and has none of its fields.
    if issubclass(type(value), TokenData):
        token: TokenData = value
        return token

    def given(name: str, kind: Any, default: Any = None) -> Any:
        found = getattr(value, name, None)
        return found if isinstance(found, kind) else default

    access_token = given("access_token", str)
    if access_token is None:
        return None
    end = given("expires_at", datetime | str)
    if end is None and given("is_expired", bool):
        end = datetime.now(UTC)
    return TokenData(
        access_token,
        given("token_type", str, "Bearer"),
        end,
        given("refresh_token", str),
        given("scope", str),
        given("extra", Mapping, {}),
        issued_at=given("issued_at", datetime),
        meta=given("meta", Mapping, {}),
    )


class KeptTokens:
    """A storage as the engine uses it: by step, and with what could not be written there kept in memory.

    With `strict` what cannot be written is an error; without, `notice` is told once.
    """

    def __init__(self, storage: Any, *, strict: bool, notice: Callable[[str], None]) -> None:
        self.strict = strict
        self._storage = storage
        self._memory = InMemoryTokenStorage()
        self._notice = notice
        self._told: set[str] = set()
        # What the storage does not know: a token, or None for one that is gone.
        self._unsaved: dict[str, TokenData | None] = {}
        self._thread = threading.local()

    def load(self, step: Step) -> TokenData | None:
        """The step's token, usable or not. StorageError when the storage cannot be read."""
        if step.name in self._unsaved:
            return self._unsaved[step.name]
        return taken(self._of(step).get(step.key))

    def save(self, step: Step, token: TokenData) -> None:
        """Keep the token."""
        try:
            self._of(step).set(step.key, token)
            self._unsaved.pop(step.name, None)
        except StorageError as exc:
            what = "token and its refresh token are" if token.refresh_token else "token is"
            self._keep(step, token, exc, f"the new {what} used now and lost when this command ends")

    def delete(self, step: Step) -> bool:
        """Delete the token; False when there is none."""
        there = self.load(step) is not None
        try:
            self._of(step).delete(step.key)
            self._unsaved.pop(step.name, None)
        except StorageError as exc:
            self._keep(step, None, exc, "a token that is no longer good stays there")
        return there

    def reserve(self, step: Step) -> None:
        """Make sure, as far as can be known, that a `save` will succeed. StorageError when it would not."""
        storage = self._of(step)
        if hasattr(type(storage), "reserve"):
            storage.reserve(step.key)

    def _of(self, step: Step) -> Any:
        """The storage of a step: the login's, or this process's memory."""
        return self._memory if step.cache == "memory" else self._storage

    @contextmanager
    def lock(self, step: Step, deadline: Deadline | None = None) -> Iterator[None]:
        """Hold the step against other threads and processes. LockTimeout when that takes too long."""
        held: set[str] = self._thread.__dict__.setdefault("held", set())
        # A step's own code may ask its pipeline to forget the very step that is running.
        if not step.stored or step.key in held:
            yield
            return
        left = _LONGEST_LOCK if deadline is None else max(0.0, min(_LONGEST_LOCK, deadline.remaining()))
        with storage_lock(self._of(step), step.key, left):
            held.add(step.key)
            try:
                yield
            finally:
                held.discard(step.key)

    def tell(self, text: str) -> None:
        """Tell a person, once."""
        if text not in self._told:
            self._told.add(text)
            self._notice(text)

    def _keep(self, step: Step, token: TokenData | None, error: StorageError, loss: str) -> None:
        if self.strict:
            raise error
        if not self._unsaved:
            self.tell(f"{error.message}: {loss}")
        self._unsaved[step.name] = token
