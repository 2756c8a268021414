"""The tokens of a login's steps where they are kept, also when the storage cannot be written."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..errors import StorageError
from ..interfaces import storage_lock
from ..models import Deadline, TokenData, aware
from .step import Step, same
from .storage.memory import InMemoryTokenStorage

_LONGEST_LOCK = 60.0
# Seconds between two tries to save what the storage would not take: each may cost a time limit of it.
_PAUSE = 5.0


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


@dataclass(eq=False, repr=False)
class _Unsaved:
    """What the storage would not take: a token, or None for one that is gone.

    `stood` is what was there then, and `tried` the moment of the last try.
    """

    token: TokenData | None
    stood: TokenData | None
    tried: float


class KeptTokens:
    """A storage as the engine uses it: by step, and with what could not be written there kept in memory.

    With `strict` what cannot be written is an error; without, `notice` is told once, and when the token is
    used after some seconds it is tried again, unless another process has stored a newer one by then.
    """

    def __init__(
        self,
        storage: Any,
        *,
        strict: bool,
        notice: Callable[[str], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.strict = strict
        self._storage = storage
        self._memory = InMemoryTokenStorage()
        self._notice = notice
        self._monotonic = monotonic
        self._told: set[str] = set()
        self._unsaved: dict[str, _Unsaved] = {}
        self._thread = threading.local()

    def load(self, step: Step) -> TokenData | None:
        """The step's token, usable or not. StorageError when the storage cannot be read."""
        unsaved = self._unsaved.get(step.name)
        if unsaved is not None:
            self._try_again(step, unsaved)
            unsaved = self._unsaved.get(step.name)
        return self._stored(step) if unsaved is None else unsaved.token

    def save(self, step: Step, token: TokenData) -> None:
        """Keep the token."""
        try:
            self._write(step, token)
        except StorageError as exc:
            what = "token and its refresh token are" if token.refresh_token else "token is"
            self._keep(step, token, exc, f"the new {what} used now and lost when this process ends")

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

    @contextmanager
    def lock(self, step: Step, deadline: Deadline | None = None) -> Iterator[None]:
        """Hold the step against other threads and processes. LockTimeout when that takes too long."""
        # A step's own code may ask its pipeline to forget the very step that is running.
        if not step.stored or step.key in self._held():
            yield
            return
        left = _LONGEST_LOCK if deadline is None else max(0.0, min(_LONGEST_LOCK, deadline.remaining()))
        with self._hold(step, left):
            yield

    def tell(self, text: str) -> None:
        """Tell a person, once."""
        if text not in self._told:
            self._told.add(text)
            self._notice(text)

    def _of(self, step: Step) -> Any:
        """The storage of a step: the login's, or this process's memory."""
        return self._memory if step.cache == "memory" else self._storage

    def _stored(self, step: Step) -> TokenData | None:
        return taken(self._of(step).get(step.key))

    def _held(self) -> set[str]:
        """The keys whose locks this thread holds."""
        held: set[str] = self._thread.__dict__.setdefault("held", set())
        return held

    @contextmanager
    def _hold(self, step: Step, timeout: float) -> Iterator[None]:
        with storage_lock(self._of(step), step.key, timeout):
            self._held().add(step.key)
            try:
                yield
            finally:
                self._held().discard(step.key)

    def _write(self, step: Step, token: TokenData | None) -> None:
        """Write it for whoever holds the lock; what was not written before gives way to somebody's newer token."""
        unsaved = self._unsaved.get(step.name)
        if unsaved is None or not _newer(self._stored(step), unsaved.stood, token):
            if token is None:
                self._of(step).delete(step.key)
            else:
                self._of(step).set(step.key, token)
        self._unsaved.pop(step.name, None)

    def _keep(self, step: Step, token: TokenData | None, error: StorageError, loss: str) -> None:
        if self.strict:
            raise error
        if not self._unsaved:
            self.tell(f"{error.message}: {loss}")
        before = self._unsaved.get(step.name)
        stood = None if before is None else before.stood
        if before is None:
            with contextlib.suppress(StorageError):
                stood = self._stored(step)
        self._unsaved[step.name] = _Unsaved(token, stood, self._monotonic())

    def _try_again(self, step: Step, unsaved: _Unsaved) -> None:
        now = self._monotonic()
        # Whoever holds another step's lock takes no second one.
        if now - unsaved.tried < _PAUSE or self._held() - {step.key}:
            return
        unsaved.tried = now
        # Who has the lock now may be at this very thing, or may hold it for long: the next use will do.
        lock = contextlib.nullcontext() if step.key in self._held() else self._hold(step, 0.0)
        with contextlib.suppress(StorageError), lock:
            if self._unsaved.get(step.name) is unsaved:
                self._write(step, unsaved.token)


def _newer(there: TokenData | None, stood: TokenData | None, ours: TokenData | None) -> bool:
    """Whether what is there is another's, and not older than ours; `stood` was there before both."""
    if there is None or same(there, stood) or same(there, ours):
        return False
    if ours is None or ours.issued_at is None or there.issued_at is None:
        return True
    return aware(there.issued_at) >= aware(ours.issued_at)
