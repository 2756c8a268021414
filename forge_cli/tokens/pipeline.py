"""The one engine that runs logins: which steps run, in what order, under which lock, and what is kept."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any, Protocol

from ..errors import ConnectionException, ForgeError, LockTimeout, StorageError, TimeoutException
from ..interfaces import storage_lock
from ..models import Deadline, TokenData

_LONGEST_LOCK = 60.0


class Step(Protocol):
    """One step of a login, as the engine sees it.

    `needs` names the steps whose tokens it is given; those in `unbound` are needed only to obtain this
    one. `ends_with_parents` is whether the end of a bound parent ends this token too; if not, only a
    different parent does. `key` is where its token is stored. `fingerprint` says what the token was made
    for: a stored token with another one is not used. `skew` is in seconds, None for the default.
    """

    @property
    def name(self) -> str: ...
    @property
    def needs(self) -> Sequence[str]: ...
    @property
    def unbound(self) -> frozenset[str]: ...
    @property
    def ends_with_parents(self) -> bool: ...
    @property
    def key(self) -> str: ...
    @property
    def fingerprint(self) -> str | None: ...
    @property
    def skew(self) -> float | None: ...
    @property
    def stored(self) -> bool:
        """False for a token that is computed anew each time and kept nowhere."""
        ...

    def preflight(self, *, refreshing: bool = False) -> None:
        """Raise now what would be missing later: called before the first request of a login."""

    def ask(self) -> None:
        """Ask the person what only a person knows; called while no lock is held."""

    def refreshable(self, current: TokenData) -> bool:
        """Whether `refresh` can be tried with this token."""
        ...

    @property
    def refresh_needs(self) -> frozenset[str]:
        """The steps whose tokens `refresh` uses."""
        ...

    def login(self, given: Mapping[str, TokenData], deadline: Deadline | None) -> TokenData:
        """Obtain the token. StepFailed when it was refused."""
        ...

    def refresh(
        self, current: TokenData, given: Mapping[str, TokenData], deadline: Deadline | None
    ) -> TokenData | None:
        """Renew the token; None when that was refused and a login should follow."""
        ...


@dataclasses.dataclass(frozen=True)
class StepState:
    """What `explain` and `status` tell of a step: its token, if any, and what would happen now."""

    token: TokenData | None
    alive: bool
    would: str


class _Run:
    """One walk over the steps: what has been read, what is settled, what must be renewed."""

    def __init__(
        self, deadline: Deadline | None = None, force: Iterable[str] = (), *, from_scratch: bool = False
    ) -> None:
        self.deadline = deadline
        self.force = frozenset(force)
        self.from_scratch = from_scratch
        self.read: dict[str, TokenData | None] = {}
        self.stale: dict[str, TokenData | None] = {}
        self.settled: dict[str, TokenData] = {}


class Pipeline:
    """Steps in their order, over one token storage. Safe to share between threads and processes.

    ValueError for a step that needs one that is not there, for two of one name, and for a cycle.
    `notice` is told of what a person should know. With `strict`, a token that cannot be saved is an
    error; without, it is used all the same.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        storage: Any,
        *,
        strict: bool = False,
        notice: Callable[[str], None] = lambda text: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.steps: dict[str, Step] = {step.name: step for step in in_order(steps)}
        self.storage = storage
        self._strict = strict
        self._notice = notice
        self._now = now
        self._monotonic = monotonic
        self._unsaved: dict[str, TokenData] = {}
        self._failures: dict[str, tuple[float, ForgeError]] = {}

    def obtain(self, names: Iterable[str], deadline: Deadline | None = None) -> dict[str, TokenData]:
        """Tokens that can be used now, by step; what is not there or has ended is renewed first."""
        run = _Run(deadline)
        return self._walk(names, run)

    def renew(
        self,
        names: Iterable[str],
        *,
        only: bool = False,
        from_scratch: bool = False,
        stale: Mapping[str, TokenData | None] | None = None,
        deadline: Deadline | None = None,
    ) -> dict[str, TokenData]:
        """Renew these steps and all bound to them; the old tokens stay until the new ones are there.

        `only` leaves what is bound to them as it is; `from_scratch` uses no refresh token. A token that
        differs from the one in `stale` was renewed by somebody else, and is taken.
        """
        names = tuple(names)
        force = set(names) if only else set(names) | self.bound_to(names)
        run = _Run(deadline, force, from_scratch=from_scratch)
        for name in force:
            run.stale[name] = stale[name] if stale and name in stale else self._load(name)
        tokens = self._walk([name for name in self.steps if name in force], run)
        if only:
            for name in names:
                self._adopt(name, run.stale[name], tokens[name])
        return tokens

    def forget(self, names: Iterable[str], used: Mapping[str, str] | None = None) -> None:
        """Do not use these tokens again, nor those bound to them; refresh tokens of the named ones stay.

        With `used` (identities by step, see `identities`), only tokens that are still those.
        """
        for name in names:
            step = self.steps.get(name)
            if step is None:
                continue
            with self._lock(step, None):
                token = self._load(name)
                if token is not None and (used is None or used.get(name) in (None, identity(token))):
                    self._save(step, dataclasses.replace(token, meta={**token.meta, "forgotten": True}))
            for child in self.bound_to([name]):
                self._forget_child(self.steps[child], name, used)

    def clear(self, names: Iterable[str] | None = None) -> list[str]:
        """Delete the tokens of these steps and all bound to them (None: every step); return their names."""
        chosen = set(self.steps) if names is None else set(names) | self.bound_to(names)
        removed = []
        for name in chosen:
            step = self.steps[name]
            with self._lock(step, None):
                self._unsaved.pop(name, None)
                if self.storage.exists(step.key):
                    self.storage.delete(step.key)
                    removed.append(name)
        return [name for name in self.steps if name in removed]

    def peek(self, name: str) -> TokenData | None:
        """The token, if it can be used now. Reads the storage; sends nothing."""
        return self._alive(name, _Run())

    def stored(self, name: str) -> TokenData | None:
        """The token as it is stored, usable or not."""
        return self._load(name)

    def states(self) -> dict[str, StepState]:
        """Each step's token, and what a request would do about it now."""
        run = _Run()
        alive = {name: self._alive(name, run) is not None for name in self.steps}
        return {
            name: StepState(self._read(name, run), alive[name], self._would(step, alive, run))
            for name, step in self.steps.items()
        }

    def bound_to(self, names: Iterable[str]) -> set[str]:
        """Every step whose token goes when one of these goes."""
        found: set[str] = set()
        changed = set(names)
        for name, step in self.steps.items():  # in order: a step comes after what it needs
            if any(p in changed or p in found for p in step.needs if p not in step.unbound) and name not in changed:
                found.add(name)
        return found

    def closure(self, names: Iterable[str]) -> list[str]:
        """These steps and all they need, in order."""
        wanted: set[str] = set(names)
        for name in reversed(self.steps):
            if name in wanted:
                wanted.update(self.steps[name].needs)
        return [name for name in self.steps if name in wanted]

    def identities(self, tokens: Mapping[str, TokenData]) -> dict[str, str]:
        """What these tokens, and those they were made from, are known by: see `forget`."""
        found: dict[str, str] = {}
        for name, token in tokens.items():
            found[name] = identity(token)
            for parent, known in token.meta.get("parents", {}).items():
                found.setdefault(parent, known)
                above = self._load(parent) if parent in self.steps else None
                if above is not None and identity(above) == known:
                    found = {**self.identities({parent: above}), **found}
        return found

    def _walk(self, names: Iterable[str], run: _Run) -> dict[str, TokenData]:
        wanted = list(names)
        for name in self._to_run(wanted, run):
            step, current = self.steps[name], self._read(name, run)
            step.preflight(refreshing=current is not None and not run.from_scratch and step.refreshable(current))
        return {name: self._ensure(name, run) for name in wanted}

    def _to_run(self, names: Iterable[str], run: _Run) -> list[str]:
        """The steps that will probably run, in order."""
        pending = set(names)
        found: set[str] = set()
        for name in reversed(self.steps):
            if name in pending and self._alive(name, run) is None:
                found.add(name)
                pending.update(self.steps[name].needs)
        return [name for name in self.steps if name in found]

    def _ensure(self, name: str, run: _Run) -> TokenData:
        token = run.settled.get(name) or self._alive(name, run) or self._renew(self.steps[name], run)
        run.settled[name] = token
        return token

    def _renew(self, step: Step, run: _Run) -> TokenData:
        while True:
            current = self._read(step.name, run)
            refreshing = self._prepare(step, current, run)
            if not step.stored:
                return self._stamp(step, step.login(self._given(step, run), run.deadline), run)
            since = self._monotonic()
            with self._lock(step, run.deadline):
                run.read.pop(step.name, None)
                token = self._alive(step.name, run)
                if token is not None:
                    return token
                self._raise_shared(step.name, since)
                if refreshing and not _same(current, self._read(step.name, run)):
                    continue  # somebody changed what we meant to refresh: look again
                try:
                    token = self._attempt(step, current if refreshing else None, run)
                except ForgeError as exc:
                    self._failures[step.name] = (self._monotonic(), exc)
                    raise
                if token is not None:
                    self._failures.pop(step.name, None)
                    return token
            run.read.pop(step.name, None)

    def _prepare(self, step: Step, current: TokenData | None, run: _Run) -> bool:
        """See that the parents are there; True when this will be a refresh."""
        for parent in step.needs:
            if parent not in step.unbound:
                self._ensure(parent, run)
        refreshing = (
            current is not None
            and not run.from_scratch
            and _made_for(step, current)
            and step.refreshable(current)
            and all(self._same_parent(step, current, parent, run) for parent in step.needs)
        )
        for parent in step.needs:
            if parent in step.unbound and (not refreshing or parent in step.refresh_needs):
                self._ensure(parent, run)
        if not refreshing:
            step.ask()
        return refreshing

    def _attempt(self, step: Step, current: TokenData | None, run: _Run) -> TokenData | None:
        """Refresh or log in, and save. None when the refresh was refused: log in next."""
        given = self._given(step, run)
        if current is None:
            token = self._stamp(step, step.login(given, run.deadline), run)
            self._save(step, token)
            return token
        usable = not current.meta.get("forgotten") and current.fresh(self._now(), 0.0) and step.name not in run.force
        try:
            self._reserve(step)
        except StorageError as exc:
            if self._strict:
                raise
            if usable:
                self._notice(f"{exc.message}: using the token at hand instead of renewing it")
                return current
        try:
            token_or_none = step.refresh(current, given, run.deadline)
        except (ConnectionException, TimeoutException) as exc:
            if not usable:
                raise
            self._notice(
                f"step '{step.name}' could not be renewed ({exc.message}): its token is still valid and is used"
            )
            return current
        if token_or_none is None:
            self._save(step, dataclasses.replace(current, refresh_token=None, meta={**current.meta, "forgotten": True}))
            return None
        token = self._stamp(step, token_or_none, run)
        self._save(step, token)
        return token

    def _alive(self, name: str, run: _Run) -> TokenData | None:
        """The token, if it can be used now: not forgotten, not ended, made for this, of living parents."""
        if name in run.settled:
            return run.settled[name]
        step = self.steps[name]
        token = self._read(name, run) if step.stored else None
        if token is None or token.meta.get("forgotten") or not _made_for(step, token):
            return None
        if name in run.force and _same(token, run.stale.get(name)):
            return None
        if not token.fresh(self._now(), step.skew):
            return None
        for parent in step.needs:
            if parent in step.unbound or not self.steps[parent].stored:
                continue
            if step.ends_with_parents and self._alive(parent, run) is None:
                return None
            if not self._same_parent(step, token, parent, run):
                return None
        return token

    def _same_parent(self, step: Step, token: TokenData, parent: str, run: _Run) -> bool:
        """Whether the parent's token is still the one that this token was made from."""
        if parent in step.unbound or not self.steps[parent].stored:
            return True
        known = token.meta.get("parents", {}).get(parent)
        now = run.settled.get(parent) or self._read(parent, run)
        return known is None or now is None or known == identity(now)

    def _given(self, step: Step, run: _Run) -> dict[str, TokenData]:
        return {name: run.settled[name] for name in step.needs if name in run.settled}

    def _stamp(self, step: Step, token: TokenData, run: _Run) -> TokenData:
        meta: dict[str, Any] = {"step": step.name}
        parents = {name: identity(run.settled[name]) for name in step.needs if name in run.settled}
        if parents:
            meta["parents"] = parents
        if step.fingerprint is not None:
            meta["fingerprint"] = step.fingerprint
        return dataclasses.replace(token, issued_at=token.issued_at or self._now(), meta=meta)

    def _adopt(self, parent: str, old: TokenData | None, new: TokenData) -> None:
        """Let the children of a token that was renewed alone live on with the new one."""
        if old is None:
            return
        for name, step in self.steps.items():
            if parent not in step.needs or not step.stored:
                continue
            with self._lock(step, None):
                token = self._load(name)
                parents = token.meta.get("parents", {}) if token is not None else {}
                if token is not None and parents.get(parent) == identity(old):
                    meta = {**token.meta, "parents": {**parents, parent: identity(new)}}
                    self._save(step, dataclasses.replace(token, meta=meta))

    def _forget_child(self, step: Step, ancestor: str, used: Mapping[str, str] | None) -> None:
        with self._lock(step, None):
            token = self._load(step.name)
            if token is None:
                return
            if used is not None and used.get(step.name) not in (None, identity(token)):
                return  # made since, from a newer parent
            self._unsaved.pop(step.name, None)
            self.storage.delete(step.key)

    def _would(self, step: Step, alive: Mapping[str, bool], run: _Run) -> str:
        if not step.stored:
            return "compute"
        if alive[step.name]:
            return "use"
        token = self._read(step.name, run)
        parents_live = all(alive[p] or p in step.unbound or not self.steps[p].stored for p in step.needs)
        if token is not None and parents_live and _made_for(step, token) and step.refreshable(token):
            return "refresh"
        return "log in"

    def _read(self, name: str, run: _Run) -> TokenData | None:
        if name not in run.read:
            run.read[name] = self._load(name)
        return run.read[name]

    def _load(self, name: str) -> TokenData | None:
        kept = self._unsaved.get(name)
        if kept is not None:
            return kept
        token: TokenData | None = self.storage.get(self.steps[name].key)
        return token

    def _save(self, step: Step, token: TokenData) -> None:
        try:
            self.storage.set(step.key, token)
            self._unsaved.pop(step.name, None)
        except StorageError as exc:
            if self._strict:
                raise
            if not self._unsaved:
                self._notice(f"{exc.message}: the token is used now and lost when this command ends")
            self._unsaved[step.name] = token

    def _reserve(self, step: Step) -> None:
        if hasattr(type(self.storage), "reserve"):
            self.storage.reserve(step.key)

    def _lock(self, step: Step, deadline: Deadline | None) -> AbstractContextManager[None]:
        if not step.stored:
            return nullcontext()
        left = _LONGEST_LOCK if deadline is None else max(0.0, min(_LONGEST_LOCK, deadline.remaining()))
        held = storage_lock(self.storage, step.key, left)
        return held if self._strict else self._or_unlocked(held)

    @contextmanager
    def _or_unlocked(self, held: AbstractContextManager[None]) -> Iterator[None]:
        """A lock that cannot be made (a read-only or missing home) is gone without: saving will say so."""
        try:
            held.__enter__()
        except LockTimeout:
            raise
        except StorageError:
            yield
            return
        with _entered(held):
            yield

    def _raise_shared(self, name: str, since: float) -> None:
        """Whoever waited while the step failed gets that failure, and does not ask a dead server again."""
        failed = self._failures.get(name)
        if failed is not None and failed[0] >= since:
            raise failed[1]


@contextmanager
def _entered(held: AbstractContextManager[None]) -> Iterator[None]:
    try:
        yield
    except BaseException as exc:
        if not held.__exit__(type(exc), exc, exc.__traceback__):
            raise
    else:
        held.__exit__(None, None, None)


def in_order(steps: Sequence[Step]) -> list[Step]:
    """The steps so that each comes after those it needs; otherwise as given.

    ValueError for a duplicate, a cycle, or a need that is in no step.
    """
    names = [step.name for step in steps]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two steps are called '{name}'")
    ordered: list[Step] = []
    done: set[str] = set()
    waiting = list(steps)
    while waiting:
        ready = next((step for step in waiting if all(n in done or n not in names for n in step.needs)), None)
        if ready is None:
            raise ValueError(f"the steps need each other in a circle: {', '.join(sorted(s.name for s in waiting))}")
        ordered.append(ready)
        done.add(ready.name)
        waiting.remove(ready)
    return ordered


def identity(token: TokenData) -> str:
    """What tells this token from another: a digest of all its outputs but the refresh token."""
    outputs = json.dumps([token.access_token, dict(token.extra)], sort_keys=True, default=str)
    return hashlib.sha256(outputs.encode()).hexdigest()[:24]


def _same(a: TokenData | None, b: TokenData | None) -> bool:
    if a is None or b is None:
        return a is b
    return a.access_token == b.access_token and a.refresh_token == b.refresh_token and a.issued_at == b.issued_at


def _made_for(step: Step, token: TokenData) -> bool:
    """A token without a fingerprint was put there by the caller, and is taken at his word."""
    made = token.meta.get("fingerprint")
    return made is None or step.fingerprint is None or made == step.fingerprint
