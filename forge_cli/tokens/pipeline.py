"""The one engine that runs logins: which steps run, in what order, under which lock, and what is kept."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ..errors import (
    AuthenticationException,
    ConnectionException,
    HttpClientException,
    IncompleteResponseException,
    NeedsPerson,
    SSLException,
    StepFailed,
    StorageError,
    TimeoutException,
)
from ..models import Deadline, TokenData
from .kept import KeptTokens
from .step import Step, again, bound_parents, forgotten, identity, in_order, made_for, same
from .unbroken import Ending, unbroken

_NO_ANSWER = (ConnectionException, TimeoutException, SSLException, IncompleteResponseException)


Allow = Callable[[str], bool]
"""Asks whether the step of that name, which has a side effect, may be run again."""

# No step can have this name.
_PERSON = ""
_KEPT_META = ("never", "jars", "until", "clock")


@dataclasses.dataclass(frozen=True)
class StepState:
    """What `states` tells of a step: its token, if any, and what would happen now.

    `would` is "use", "refresh", "log in", "ask" for a step that is not run again unasked, "log in if needed"
    for one that has a condition, or "compute" for one that is made of others.
    """

    token: TokenData | None
    alive: bool
    would: str


class _Run:
    """One walk over the steps: what has been read, what is settled, what must be renewed."""

    def __init__(
        self,
        deadline: Deadline | None = None,
        force: Iterable[str] = (),
        *,
        from_scratch: bool = False,
        allow: Allow | None = None,
    ) -> None:
        self.deadline = deadline
        self.force = frozenset(force)
        self.from_scratch = from_scratch
        self.allow = allow
        self.allowed: set[str] = set()
        self.skipped: set[str] = set()
        self.read: dict[str, TokenData | None] = {}
        self.stale: dict[str, TokenData | None] = {}
        self.settled: dict[str, TokenData] = {}
        self.made: set[str] = set()


class Pipeline:
    """Steps in their order, over one token storage. Safe to share between threads and processes.

    ValueError for a step that needs one that is not there, for two of one name, and for a cycle.
    `notice` is told of what a person should know. With `strict`, a token that cannot be saved is an
    error; without, it is used all the same. `ending` is whoever may end this process at any moment: it is asked
    to wait while a token is on its way into the storage.

    A step's lock is held while it runs, and no other: its parents are settled before, and looked at
    again once the lock is there.
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
        ending: Ending | None = None,
    ) -> None:
        self.steps: dict[str, Step] = in_order(steps)
        self.storage = storage
        self._bound = bound_parents(self.steps)
        self._kept = KeptTokens(storage, strict=strict, notice=notice, monotonic=monotonic)
        self._notice = notice
        self._now = now
        self._monotonic = monotonic
        self._ending = ending
        self._failures: dict[str, tuple[float, Exception]] = {}
        self._asking = threading.RLock()

    def of(self, steps: Sequence[Step]) -> Pipeline:
        """A pipeline of other steps, over the same storage."""
        return Pipeline(
            steps,
            self.storage,
            strict=self._kept.strict,
            notice=self._notice,
            now=self._now,
            monotonic=self._monotonic,
            ending=self._ending,
        )

    def obtain(
        self, names: Iterable[str], deadline: Deadline | None = None, *, allow: Allow | None = None
    ) -> dict[str, TokenData]:
        """Tokens that can be used now, by step; what is not there or has ended is renewed first.

        A step whose condition does not hold has none. NeedsPerson when a step with a side effect would have
        to run again and `allow` is not there or says no.
        """
        return self._walk(names, _Run(deadline, allow=allow))

    def renew(
        self,
        names: Iterable[str],
        *,
        only: bool = False,
        from_scratch: bool = False,
        stale: Mapping[str, TokenData | None] | None = None,
        deadline: Deadline | None = None,
        allow: Allow | None = None,
    ) -> dict[str, TokenData]:
        """Renew these steps and all bound to them; the old tokens stay until the new ones are there.

        `only` leaves what is bound to them as it is; `from_scratch` uses no refresh token. A token that
        differs from the one in `stale` was renewed by somebody else, and is taken. `allow` is as for `obtain`.
        """
        names = tuple(names)
        named = self._sources(names)
        force = named if only else named | self.bound_to(named)
        run = _Run(deadline, force, from_scratch=from_scratch, allow=allow)
        for name in force:
            run.stale[name] = stale[name] if stale and name in stale else self.stored(name)
        tokens = self._walk([name for name in self.steps if name in force or name in names], run)
        if only:
            for name in named:
                self._adopt(name, run.stale[name], tokens[name])
        return tokens

    def forget(self, names: Iterable[str], used: Mapping[str, str] | None = None) -> None:
        """Do not use these tokens again, nor those bound to them; refresh tokens of the named ones stay.

        With `used` (identities by step, see `identities`), only tokens that are still those.
        """
        named = self._sources(names)
        gone: dict[str, str] = {}
        for name, step in self.steps.items():
            parents = [parent for parent in self._bound[name] if parent in gone]
            if not step.stored or (name not in named and not parents):
                continue
            with self._kept.lock(step):
                token = self.stored(name)
                if token is None:
                    continue
                known = identity(token)
                made_from = token.meta.get("parents", {})
                # A child of a newer parent was made since, by whoever was quicker.
                if any(made_from.get(parent, gone[parent]) == gone[parent] for parent in parents):
                    self._drop(step, token)
                elif name in named and (used is None or used.get(name, known) == known):
                    self._kept.save(step, _marked(token, forgotten=True))
                else:
                    continue
                gone[name] = known

    def amend(self, name: str, used: str, change: Callable[[TokenData], TokenData | None]) -> None:
        """Keep more with a token that is still the one of identity `used`; None leaves it as it is."""
        step = self.steps[name]
        with self._kept.lock(step):
            token = self.stored(name)
            changed = change(token) if token is not None and identity(token) == used else None
            if changed is not None:
                self._kept.save(step, changed)

    def _drop(self, step: Step, token: TokenData) -> None:
        """Let a token go that went with its parent. Of a step with a side effect it stays known that it ran."""
        if step.side_effect:
            self._kept.save(step, _marked(dataclasses.replace(token, refresh_token=None), forgotten=True))
        else:
            self._kept.delete(step)

    def clear(self, names: Iterable[str] | None = None) -> list[str]:
        """Delete the tokens of these steps and all bound to them (None: every step); return their names."""
        named = set(self.steps) if names is None else self._sources(names)
        chosen = named | self.bound_to(named)
        removed = []
        for name, step in self.steps.items():
            if name in chosen:
                with self._kept.lock(step):
                    if self._kept.delete(step):
                        removed.append(name)
        return removed

    def peek(self, name: str) -> TokenData | None:
        """The token, if it can be used now. Reads the storage; sends nothing."""
        return self._alive(name, _Run())

    def stored(self, name: str) -> TokenData | None:
        """The token as it is stored, usable or not."""
        return self._kept.load(self.steps[name])

    def usable_until(self, name: str) -> datetime | None:
        """Until when a token that is good now can be used, by its own end and its parents'; None when unknown."""
        step = self.steps[name]
        token = self.stored(name) if step.stored else None
        own = None if token is None else token.usable_until(step.skew)
        above = [self.usable_until(parent) for parent in self._bound[name]] if step.ends_with_parents else []
        return min((end for end in (own, *above) if end is not None), default=None)

    def states(self) -> dict[str, StepState]:
        """Each step's token, and what a request would do about it now."""
        run = _Run()
        plan = self._plan(self.steps, run)
        states = {}
        for name, step in self.steps.items():
            token = self._read(name, run) if step.stored else None
            states[name] = StepState(token, self._alive(name, run) is not None, self._would(step, plan, token))
        return states

    def _would(self, step: Step, plan: Mapping[str, bool], token: TokenData | None) -> str:
        if step.cache == "computed":
            return "compute"
        if step.name not in plan:
            return "use"
        if plan[step.name]:
            return "refresh"
        if step.side_effect and token is not None:
            return "ask"
        return "log in if needed" if step.conditional else "log in"

    def bound_to(self, names: Iterable[str]) -> set[str]:
        """Every step whose token goes when one of these goes."""
        changed = set(names)
        found: set[str] = set()
        for name in self.steps:  # in order: a step comes after what it needs
            if name not in changed and any(parent in changed or parent in found for parent in self._bound[name]):
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
            found = {**token.meta.get("parents", {}), **found, name: identity(token)}
        return found

    def _sources(self, names: Iterable[str]) -> set[str]:
        """These steps; of one that is stored nowhere, also the stored ones that it is computed from."""
        known = [name for name in names if name in self.steps]
        return {source for name in known for source in ((name,) if self.steps[name].stored else self._bound[name])}

    def _walk(self, names: Iterable[str], run: _Run) -> dict[str, TokenData]:
        """The tokens of these steps. One that fails for a stored token of another is run again with a new one, once."""
        wanted = list(names)
        try:
            return self._walked(wanted, run)
        except StepFailed as exc:
            refused = self._refused(exc, run)
            if not refused:
                raise
        self.forget(refused, self.identities(refused))
        again = _Run(run.deadline, run.force, from_scratch=run.from_scratch, allow=run.allow)
        again.stale, again.allowed = run.stale, run.allowed
        return self._walked(wanted, again)

    def _refused(self, failure: StepFailed, run: _Run) -> dict[str, TokenData]:
        """The tokens that a failure blames, but for those of this run: a new one would be refused as well."""
        step = self.steps.get(failure.step)
        if step is None or step.side_effect:
            return {}
        above = self.closure(step.needs)
        blamed = {name: self._read(name, run) for name in failure.blames if name in above and name not in run.made}
        return {name: token for name, token in blamed.items() if token is not None}

    def _walked(self, wanted: Sequence[str], run: _Run) -> dict[str, TokenData]:
        found: dict[str, TokenData] = {}
        for name in wanted:
            token = self._alive(name, run)
            if token is None:
                break
            found[name] = token
        else:
            return found  # as it is for most requests, which must not pay for a plan
        plan = self._plan(wanted, run)
        for name, refreshing in plan.items():
            step = self.steps[name]
            if not step.conditional:
                step.preflight(refreshing=refreshing)
                if not refreshing:
                    self._allowed(step, self._read(name, run) if step.stored else None, run)
        if any(self.steps[name].interactive and not refreshing for name, refreshing in plan.items()):
            return self._walk_with_person(wanted, run)
        return self._settle(wanted, run)

    def _settle(self, names: Iterable[str], run: _Run) -> dict[str, TokenData]:
        made = {name: self._ensure(name, run) for name in names}
        return {name: token for name, token in made.items() if token is not None}

    def _walk_with_person(self, names: Sequence[str], run: _Run) -> dict[str, TokenData]:
        """As one thread at a time: there is one person, who is asked once. No other lock is held meanwhile."""
        since = self._monotonic()
        with self._asking:
            self._raise_shared(_PERSON, since)
            run.read.clear()
            try:
                return self._settle(names, run)
            except Exception as exc:
                self._failures[_PERSON] = (self._monotonic(), exc)
                raise

    def _allowed(self, step: Step, current: TokenData | None, run: _Run) -> None:
        """NeedsPerson when a login with a side effect would be run again, and nobody says that it may."""
        if not step.side_effect or current is None or step.name in run.allowed:
            return
        if run.allow is None or not run.allow(step.name):
            raise NeedsPerson(
                f"step '{step.name}' has a side effect and is not run again unasked",
                service_name=step.name,
                hint=again(step),
            )
        run.allowed.add(step.name)

    def _plan(self, names: Iterable[str], run: _Run) -> dict[str, bool]:
        """The steps that will probably run, in order, and of each whether that is a refresh."""
        plan: dict[str, bool] = {}
        for name in names:
            self._visit(name, run, plan)
        return plan

    def _visit(self, name: str, run: _Run, plan: dict[str, bool]) -> None:
        if name in plan or self._alive(name, run) is not None:
            return
        step, bound = self.steps[name], self._bound[name]
        for parent in bound:
            self._visit(parent, run, plan)
        current = self._read(name, run) if step.stored else None
        refreshing = not any(parent in plan for parent in bound) and self._refreshes(step, current, run)
        for parent in step.needs:
            if not refreshing or parent in step.refresh_needs:
                self._visit(parent, run, plan)
        plan[name] = refreshing

    def _ensure(self, name: str, run: _Run) -> TokenData | None:
        """The step's token; None when its condition does not hold."""
        if name in run.skipped:
            return None
        token = run.settled.get(name) or self._alive(name, run)
        if token is None:
            token = self._renew(self.steps[name], run)
            if token is None:
                run.skipped.add(name)
                return None
            run.made.add(name)
        run.settled[name] = token
        return token

    def _renew(self, step: Step, run: _Run) -> TokenData | None:
        while True:
            current = self._read(step.name, run) if step.stored else None
            refreshing = self._prepare(step, current, run)
            if refreshing is None:
                return None
            if not step.stored:
                return self._log_in(step, run)
            if step.interactive and not refreshing:
                with unbroken(self._ending):
                    made = self._log_in(step, run)  # nobody else's lock waits for a person
                    with self._kept.lock(step, run.deadline):
                        self._kept.save(step, made)
                return made
            since = self._monotonic()
            with self._kept.lock(step, run.deadline):
                run.read.pop(step.name, None)
                if self._parents_changed(step, run):
                    continue
                token = self._alive(step.name, run)
                if token is not None:
                    return token
                self._raise_shared(step.name, since)
                if refreshing and not _unchanged(current, self._read(step.name, run)):
                    continue
                with unbroken(self._ending):
                    renewed = self._attempt(step, current if refreshing else None, run)
                if renewed is not None:
                    return renewed
            run.read.pop(step.name, None)

    def _prepare(self, step: Step, current: TokenData | None, run: _Run) -> bool | None:
        """See that the parents are there; True when this will be a refresh, None when it is not to run."""
        for parent in self._bound[step.name]:
            self._ensure(parent, run)
        refreshing = self._refreshes(step, current, run)
        for parent in step.needs:
            if not refreshing or parent in step.refresh_needs:
                self._ensure(parent, run)
        if step.conditional:
            if not step.applies(self._given(step, run)):
                return None
            step.preflight(refreshing=refreshing)
        if not refreshing:
            self._allowed(step, current, run)
            step.ask()
        return refreshing

    def _log_in(self, step: Step, run: _Run) -> TokenData:
        token = self._stamp(step, step.login(self._given(step, run), run.deadline), run)
        if not token.fresh(self._now(), 0.0):
            self._kept.tell(
                f"step '{step.name}' was given a token that has already ended, so that each request logs in anew: "
                "check `expires` in this step, and this machine's clock"
            )
        return token

    def _refreshes(self, step: Step, current: TokenData | None, run: _Run) -> bool:
        """Whether a token that is not alive can be renewed without a login, once its parents are there."""
        return (
            current is not None
            and step.stored
            and not run.from_scratch
            and not current.meta.get("refused")
            and made_for(step, current)
            and step.refreshable(current)
            and all(self._same_parent(current, parent, run) for parent in self._bound[step.name])
        )

    def _attempt(self, step: Step, current: TokenData | None, run: _Run) -> TokenData | None:
        """Refresh or log in, and save. None when the refresh was refused: log in next."""
        try:
            if current is not None:
                return self._refresh(step, current, run)
            token = self._log_in(step, run)
            self._kept.save(step, token)
            return token
        except Exception as exc:
            # Those who wait have time of their own: only ours has run out.
            if run.deadline is None or run.deadline.remaining() > 0:
                self._failures[step.name] = (self._monotonic(), exc)
            raise

    def _refresh(self, step: Step, current: TokenData, run: _Run) -> TokenData | None:
        usable = not forgotten(current) and current.fresh(self._now(), 0.0) and step.name not in run.force
        try:
            if current.refresh_token is not None:
                self._kept.reserve(step)
        except StorageError as exc:
            if self._kept.strict:
                raise
            if usable:
                self._kept.tell(f"{exc.message}: the token at hand is used instead of renewing it")
                return current
        try:
            renewed = step.refresh(current, self._given(step, run), run.deadline)
        except HttpClientException as exc:
            if not usable or not _unanswered(exc):
                raise
            self._kept.tell(f"step '{step.name}' could not renew its token, which is still valid and is used")
            return current
        if renewed is None:
            # The access token may still be good, should the login fail too.
            rest = dataclasses.replace(current, refresh_token=None, meta={**current.meta, "refused": True})
            self._kept.save(step, rest)
            return None
        token = self._stamp(step, renewed, run, current)
        self._kept.save(step, token)
        return token

    def _alive(self, name: str, run: _Run) -> TokenData | None:
        """The token, if it can be used now: not forgotten, not ended, made for this, of living parents."""
        if name in run.settled:
            return run.settled[name]
        step = self.steps[name]
        token = self._read(name, run) if step.stored else None
        if token is None or forgotten(token) or not made_for(step, token):
            return None
        if name in run.force and same(token, run.stale.get(name)):
            return None
        if not token.fresh(self._now(), step.skew):
            return None
        for parent in self._bound[name]:
            if self.steps[parent].conditional and parent not in token.meta.get("parents", {}):
                continue  # it was not run for this token, and need not be there
            if step.ends_with_parents and self._alive(parent, run) is None:
                return None
            if not self._same_parent(token, parent, run):
                return None
        return token

    def _same_parent(self, token: TokenData, parent: str, run: _Run) -> bool:
        """Whether the parent's token is still the one that this token was made from."""
        known = token.meta.get("parents", {}).get(parent)
        now = run.settled.get(parent) or self._read(parent, run)
        return known is None or now is None or known == identity(now)

    def _parents_changed(self, step: Step, run: _Run) -> bool:
        """Whether somebody renewed or forgot a parent while the step's lock was waited for."""
        changed = False
        for parent in self._bound[step.name]:
            if parent not in run.settled:
                continue
            now, then = self.stored(parent), run.settled[parent]
            # A storage that keeps nothing must not make us look for ever at what we have just made.
            gone = now is None and parent not in run.made
            if gone or (now is not None and (now.access_token != then.access_token or forgotten(now))):
                del run.settled[parent]
                run.read.pop(parent, None)
                changed = True
        return changed

    def _given(self, step: Step, run: _Run) -> dict[str, TokenData]:
        return {name: run.settled[name] for name in step.needs if name in run.settled}

    def _stamp(self, step: Step, token: TokenData, run: _Run, current: TokenData | None = None) -> TokenData:
        """The token with what will be asked of it later: when it was issued, for what, and from which others."""
        meta: dict[str, Any] = {key: token.meta[key] for key in _KEPT_META if key in token.meta}
        meta["step"] = step.name
        parents = {} if current is None else dict(current.meta.get("parents", {}))
        direct = [name for name in (*step.needs, *self._bound[step.name]) if name in run.settled]
        for name in direct:
            parents |= run.settled[name].meta.get("parents", {})
        parents |= {name: identity(run.settled[name]) for name in direct}
        if parents:
            meta["parents"] = parents
        if step.fingerprint is not None:
            meta["fingerprint"] = step.fingerprint
        return dataclasses.replace(token, issued_at=token.issued_at or self._now(), meta=meta)

    def _adopt(self, parent: str, old: TokenData | None, new: TokenData) -> None:
        """Let what was made from a token that was renewed alone live on with the new one."""
        if old is None:
            return
        for name, step in self.steps.items():
            if not step.stored or parent not in self.closure([name]) or name == parent:
                continue
            with self._kept.lock(step):
                token = self.stored(name)
                parents = token.meta.get("parents", {}) if token is not None else {}
                if token is not None and parents.get(parent) == identity(old):
                    self._kept.save(step, _marked(token, parents={**parents, parent: identity(new)}))

    def _read(self, name: str, run: _Run) -> TokenData | None:
        if name not in run.read:
            run.read[name] = self.stored(name)
        return run.read[name]

    def _raise_shared(self, name: str, since: float) -> None:
        """Whoever waited while the step failed gets that failure, and does not ask a dead server again."""
        failed = self._failures.get(name)
        if failed is not None and failed[0] >= since:
            raise failed[1]


def _marked(token: TokenData, **marks: Any) -> TokenData:
    return dataclasses.replace(token, meta={**token.meta, **marks})


def _unchanged(then: TokenData | None, now: TokenData | None) -> bool:
    """Whether what was to be refreshed is still there, with its refresh token."""
    return same(then, now) and (then is None or now is None or then.refresh_token == now.refresh_token)


def _unanswered(error: HttpClientException) -> bool:
    """Whether nobody said no: no answer came, or one that only tells of trouble."""
    if isinstance(error, StepFailed):
        return error.status is not None and (error.status >= 500 or error.status in (408, 429))
    cause = error.original_exception if isinstance(error, AuthenticationException) else error
    return isinstance(cause, _NO_ANSWER)
