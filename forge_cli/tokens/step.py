"""What the engine asks of a login's steps, and how it tells their tokens apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, TypeVar

from ..models import Deadline, TokenData

Cache = Literal["store", "memory", "none", "computed"]
"""Where a step's token is kept. "none": nowhere, and it is shared by the steps of one renewal only, so that
nothing is bound to it. "computed": nowhere, for it is made of others, which its children are bound to."""


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
    def cache(self) -> Cache:
        """Where the token is kept."""
        ...

    @property
    def stored(self) -> bool:
        """Whether the token outlives one renewal: `cache` is "store" or "memory"."""
        ...

    @property
    def conditional(self) -> bool:
        """Whether `applies` must be asked before it runs."""
        ...

    @property
    def interactive(self) -> bool:
        """Whether its login waits for a person: it runs while no lock is held."""
        ...

    @property
    def side_effect(self) -> bool:
        """Whether its login must not be run again unasked."""
        ...

    def applies(self, given: Mapping[str, TokenData]) -> bool:
        """Whether a conditional step is to run, now that its parents are there."""
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


class SimpleStep:
    """The members of a step that always runs, asks nobody and is kept with the others."""

    unbound: frozenset[str] = frozenset()
    refresh_needs: frozenset[str] = frozenset()
    skew: float | None = None
    cache: Cache = "store"
    stored = True
    conditional = interactive = side_effect = False

    def applies(self, given: Mapping[str, TokenData]) -> bool:
        return True

    def preflight(self, *, refreshing: bool = False) -> None:
        return None

    def ask(self) -> None:
        return None


_S = TypeVar("_S", bound=Step)


def in_order(steps: Sequence[_S]) -> dict[str, _S]:
    """The steps by name, each after those it needs; otherwise as given.

    ValueError for two of one name, a cycle, or a need that is in no step.
    """
    names = [step.name for step in steps]
    for step in steps:
        if names.count(step.name) > 1:
            raise ValueError(f"two steps are called '{step.name}'")
        for needed in step.needs:
            if needed not in names:
                raise ValueError(f"Dependency '{needed}' of step '{step.name}' is not available: no step has that name")
    ordered: dict[str, _S] = {}
    waiting = list(steps)
    while waiting:
        ready = next((step for step in waiting if ordered.keys() >= set(step.needs)), None)
        if ready is None:
            raise ValueError(f"the steps need each other in a circle: {', '.join(sorted(s.name for s in waiting))}")
        ordered[ready.name] = ready
        waiting.remove(ready)
    return ordered


def bound_parents(steps: Mapping[str, Step]) -> dict[str, tuple[str, ...]]:
    """By step, the stored steps whose end or change is its own; `steps` are in order.

    Through a step that is computed the bond is to those which that one is made of; there is none to a
    step whose token does not outlive a renewal.
    """
    bound: dict[str, tuple[str, ...]] = {}
    for name, step in steps.items():
        found: list[str] = []
        for parent in step.needs:
            if parent not in step.unbound:
                computed = steps[parent].cache == "computed"
                found += bound[parent] if computed else (parent,) if steps[parent].stored else ()
        bound[name] = tuple(dict.fromkeys(found))
    return bound


def again(step: Step) -> str:
    """How to let a step that has a side effect run again, as a hint."""
    how = "run `forge token login` on a terminal"
    return how if step.interactive else f"{how}, or `forge token login --yes` anywhere"


def identity(token: TokenData) -> str:
    """What tells this token from another: a digest of all its outputs but the refresh token."""
    outputs = json.dumps([token.access_token, dict(token.extra)], sort_keys=True, default=str)
    return hashlib.sha256(outputs.encode()).hexdigest()[:24]


def same(a: TokenData | None, b: TokenData | None) -> bool:
    """Whether these are one token, issued once."""
    if a is None or b is None:
        return a is b
    # A caller's own storage may not keep the stamp.
    stamped = a.issued_at is not None and b.issued_at is not None
    return a.access_token == b.access_token and (not stamped or a.issued_at == b.issued_at)


def made_for(step: Step, token: TokenData) -> bool:
    """A token without a fingerprint was put there by the caller, and is taken at his word."""
    made = token.meta.get("fingerprint")
    return made is None or step.fingerprint is None or made == step.fingerprint


def forgotten(token: TokenData) -> bool:
    """Whether a token must not be used again, though its refresh token may."""
    return bool(token.meta.get("forgotten"))
