"""A login as one object: its steps, where their tokens go, and which answers refuse them."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..errors import AuthenticationException
from ..frozen import immutable
from ..models import Deadline, FrozenDict, TokenData
from ..tokens.pipeline import Pipeline
from .challenge import Challenge
from .challenges import Challenges
from .definition import InjectTable, InvalidateTable
from .scope import Scope
from .sign import Signer
from .step import LoginStep, plain, stored_jar
from .template import references

if TYPE_CHECKING:
    from .jar import Jar


@immutable
class Login:
    """How a profile logs in: the steps, where their tokens go, and which answers refuse them.

    `targets` are the steps that requests need. `rules` is None for the default alone: a 401 forgets the
    injected steps. `allowed` says whether a URL may receive this login's credentials.
    """

    name: str
    pipeline: Pipeline
    inject: tuple[InjectTable, ...]
    targets: tuple[str, ...]
    rules: tuple[InvalidateTable, ...] | None
    exclude: tuple[str, ...]
    scope: Scope
    nonce: Callable[[], int]
    sign: Signer | None = None
    challenges: Challenges | None = None
    allowed: Callable[[str], bool] = lambda url: True
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _variants: dict[tuple[tuple[str, str], ...], Login] = field(default_factory=dict, repr=False, compare=False)
    _guard: Any = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def renewable(self) -> bool:
        """Whether a refused credential can be had anew."""
        return any(step.stored for step in self.pipeline.steps.values())

    @property
    def steps(self) -> Mapping[str, LoginStep]:
        """The steps by name, in their order."""
        found: Mapping[str, Any] = self.pipeline.steps
        return found

    def jar_step(self, jar: str) -> str | None:
        """The step whose token a jar is stored with: the last one that sends it."""
        found = [name for name, step in self.steps.items() if jar in step.jars]
        return found[-1] if found else None

    def jar(self, name: str, tokens: Mapping[str, TokenData]) -> Jar:
        """A cookie jar as it is stored with these tokens."""
        step = self.jar_step(name)
        token = None if step is None else tokens.get(step)
        return stored_jar(() if token is None else token.meta.get("jars", {}).get(name, ()))

    def needed(self, entries: Iterable[InjectTable], *, signed: bool) -> tuple[str, ...]:
        """The steps whose outputs these entries refer to, and with `signed` those that the signature does."""
        trees: list[Any] = [plain(entry) for entry in entries]
        jars = [entry["name"] for entry in trees if entry["in_"] == "cookies"]
        if signed and self.sign is not None:
            trees.append(plain(self.sign))
        found = references(trees)
        jars += [ref[1] for ref in found if ref[0] == "cookies"]
        named = [ref[1] for ref in found if ref[0] == "steps"] + [self.jar_step(jar) for jar in jars]
        if trees:
            named += clocks(self.steps)
        return tuple(dict.fromkeys(name for name in named if name is not None))

    def challenge_steps(self) -> frozenset[str]:
        """The steps that run when an answer challenges, and those that need them."""
        found: set[str] = set()
        for name, step in self.steps.items():
            if "challenge" in step.heads or any(parent in found for parent in step.needs):
                found.add(name)
        return frozenset(found)

    def understood(self, challenge: Challenge) -> Challenge | None:
        """What the steps use of a challenge; None when it lacks what one of them cannot do without."""
        used, required = self._challenge_names
        params = {name: value for name, value in challenge.params.items() if name in used}
        if not params or not required <= params.keys():
            return None
        return Challenge(challenge.scheme, FrozenDict(params))

    @cached_property
    def _challenge_names(self) -> tuple[frozenset[str], frozenset[str]]:
        """The parameters of challenges that the steps refer to, and those that must be there."""
        steps = self.steps.values()
        return (
            frozenset(name for step in steps for name in step.challenge_names),
            frozenset(name for step in steps for name in step.challenge_required),
        )

    def scopes(self) -> tuple[Login, ...]:
        """This login as it answers each challenge that is remembered, one for each cache of tokens."""
        found: dict[tuple[str, ...], Login] = {}
        for known in () if self.challenges is None else self.challenges.known():
            challenge = self.understood(known)
            try:
                login = None if challenge is None else self.answering(challenge)
            except AuthenticationException:  # its origin is no longer the profile's
                login = None
            if login is not None:
                found.setdefault(tuple(step.key for step in login.steps.values()), login)
        return tuple(found.values())

    def answering(self, challenge: Challenge) -> Login:
        """This login as it answers one challenge: tokens are kept for each scope.

        AuthenticationException when the challenge sends elsewhere than the profile's own origins.
        """
        for value in challenge.params.values():
            if "://" in value and not self.allowed(value):
                raise AuthenticationException(
                    "the server's challenge names a URL of another origin, which gets no credential",
                    service_name=self.name,
                    hint="if that is right, add that origin to `origins` in the profile",
                )
        key = tuple(sorted(challenge.params.items()))
        with self._guard:
            if key not in self._variants:
                affected = self.challenge_steps()
                steps = [
                    step.challenged(challenge.params) if name in affected else step for name, step in self.steps.items()
                ]
                self._variants[key] = dataclasses.replace(
                    self,
                    pipeline=self.pipeline.of(steps),
                    scope=dataclasses.replace(self.scope, challenge=challenge.params),
                )
            return self._variants[key]

    def revoke(self, name: str, deadline: Deadline | None = None) -> bool:
        """Give a step's stored token back to the server; False when there is none or no way to. StepFailed: refused."""
        token = self.pipeline.stored(name) if self.steps[name].stored else None
        if token is None:
            return False
        given = {parent: self.pipeline.peek(parent) for parent in self.steps[name].needs}
        return self.steps[name].revoke(token, {n: t for n, t in given.items() if t is not None}, deadline)


def targets(inject: Sequence[InjectTable] | None, sign: Any, steps: Mapping[str, Any]) -> tuple[str, ...]:
    """The steps that `inject` and `sign` refer to; without either, the only step that no other needs."""
    if inject is None and sign is None:
        return ends(steps)
    trees = [*(plain(entry) for entry in inject or ()), plain(sign)]
    found = references(trees)
    jars = {entry["name"] for entry in trees[:-1] if entry["in_"] == "cookies"}
    jars |= {ref[1] for ref in found if ref[0] == "cookies"}
    named = [ref[1] for ref in found if ref[0] == "steps"]
    for jar in jars:
        named += [name for name, step in steps.items() if jar in step.jars][-1:]
    return tuple(dict.fromkeys([*named, *clocks(steps)]))


def ends(steps: Mapping[str, Any]) -> tuple[str, ...]:
    """The steps that no other needs."""
    needed = {name for step in steps.values() for name in step.needs}
    return tuple(name for name in steps if name not in needed)


def clocks(steps: Mapping[str, Any]) -> list[str]:
    """The steps that read the server's clock for requests: those that no other step needs."""
    return [name for name in ends(steps) if getattr(steps[name].table, "clock", None) is not None]
