"""Made-up steps for the engine, and a world of them over a real storage."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from forge_cli.errors import StorageError
from forge_cli.models import Deadline, TokenData
from forge_cli.tokens.pipeline import Pipeline
from forge_cli.tokens.step import Cache
from forge_cli.tokens.storage.memory import InMemoryTokenStorage

THREADS = 32


@dataclass
class Clock:
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **span: float) -> None:
        self.now += timedelta(**span)


@dataclass(eq=False)
class Made:
    """A step that logs what it does. `answers` are taken in turn: an error, None (a refused refresh), or a token."""

    name: str
    clock: Clock
    log: list[str]
    needs: Sequence[str] = ()
    unbound: frozenset[str] = frozenset()
    life: float | None = 3600.0
    renews: bool = False
    ends_with_parents: bool = True
    fingerprint: str | None = None
    skew: float | None = None
    cache: Cache = "store"
    holds: bool = True
    conditional: bool = False
    interactive: bool = False
    side_effect: bool = False
    refresh_needs: frozenset[str] = frozenset()
    answers: list[Any] = field(default_factory=list)
    given: list[list[str]] = field(default_factory=list)
    hold: Callable[[], None] = lambda: None
    missing: Exception | None = None
    issued: int = 0

    @property
    def key(self) -> str:
        return f"key:{self.name}"

    @property
    def stored(self) -> bool:
        return self.cache in ("store", "memory")

    def applies(self, given: Mapping[str, TokenData]) -> bool:
        return self.holds

    def preflight(self, *, refreshing: bool = False) -> None:
        if self.missing is not None and not refreshing:
            raise self.missing

    def ask(self) -> None:
        self.log.append(f"ask {self.name}")

    def refreshable(self, current: TokenData) -> bool:
        return current.refresh_token is not None

    def login(self, given: Mapping[str, TokenData], deadline: Deadline | None) -> TokenData:
        token = self._answer("login", given)
        assert token is not None
        return token

    def refresh(
        self, current: TokenData, given: Mapping[str, TokenData], deadline: Deadline | None
    ) -> TokenData | None:
        return self._answer("refresh", given)

    def _answer(self, what: str, given: Mapping[str, TokenData]) -> TokenData | None:
        self.log.append(f"{what} {self.name}")
        self.given.append(sorted(given))
        self.hold()
        answer = self.answers.pop(0) if self.answers else self.token()
        if isinstance(answer, Exception):
            raise answer
        assert answer is None or isinstance(answer, TokenData)
        return answer

    def token(self) -> TokenData:
        self.issued += 1
        return TokenData(
            f"{self.name}-token-{self.issued}",
            expires_at=None if self.life is None else self.clock.now + timedelta(seconds=self.life),
            refresh_token=f"{self.name}-refresh-{self.issued}" if self.renews else None,
            issued_at=self.clock.now,
        )


class Broken(InMemoryTokenStorage):
    """A storage that can be read, and written as long as `full` is false."""

    full = True
    reserved = 0

    def set(self, key: str, token: TokenData) -> None:
        self._refuse()
        super().set(key, token)

    def delete(self, key: str) -> None:
        self._refuse()
        super().delete(key)

    def reserve(self, key: str) -> None:
        self.reserved += 1
        self._refuse()

    def _refuse(self) -> None:
        if self.full:
            raise StorageError("cannot write tokens.toml: no space left on device")


class Crowded(InMemoryTokenStorage):
    """A storage that knows how many threads wait for each of its locks."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: Counter[str] = Counter()
        self._changed = threading.Condition()

    @contextmanager
    def lock(self, key: str, timeout: float = 60.0) -> Iterator[None]:
        self._count(key, 1)
        with super().lock(key, timeout):
            self._count(key, -1)
            yield

    def await_crowd(self, key: str, count: int = THREADS - 1) -> None:
        """Return when so many threads wait for the lock of the key."""
        with self._changed:
            there = self._changed.wait_for(lambda: self._waiting[key] >= count, timeout=3)
            assert there, f"{self._waiting[key]} threads wait for the lock of {key}, not {count}"

    def _count(self, key: str, by: int) -> None:
        with self._changed:
            self._waiting[key] += by
            self._changed.notify_all()


class World:
    """A clock, a log, a storage, and pipelines over them."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.log: list[str] = []
        self.told: list[str] = []
        self.storage: Any = Crowded()
        self.made: dict[str, Made] = {}

    def step(self, name: str, needs: str = "", **options: Any) -> Made:
        self.made[name] = Made(name, self.clock, self.log, tuple(needs.split()), **options)
        return self.made[name]

    def pipeline(self, *, strict: bool = False) -> Pipeline:
        return Pipeline(list(self.made.values()), self.storage, strict=strict, notice=self.told.append, now=self.clock)

    def three(self, **user: Any) -> Pipeline:
        self.step("device", life=None)
        self.step("app", "device", life=43200.0)
        self.step("user", "app", **user)
        return self.pipeline()

    def crowd(self) -> None:
        """From now on each step ends only once all other threads wait for its lock."""
        for step in self.made.values():
            step.hold = partial(self.storage.await_crowd, step.key)

    def took(self) -> list[str]:
        """What was logged since last asked, without the questions."""
        taken = [line for line in self.log if not line.startswith("ask")]
        self.log.clear()
        return taken


def side_by_side(work: Callable[[], Any], count: int = THREADS) -> list[Any]:
    """What `work` returned or raised in so many threads that begin together."""
    barrier = threading.Barrier(count)
    results: list[Any] = []

    def run() -> None:
        barrier.wait()
        try:
            results.append(work())
        except Exception as exc:
            results.append(exc)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(results) == count, "a thread hangs"
    return results
