"""From an auth table and what is around it to a login."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import LockTimeout, ProfileError, StorageError
from ..files import config_dir, lock, read_private, write_private
from ..frozen import immutable_by_name
from ..login.challenges import Challenges
from ..login.definition import InjectTable
from ..login.login import Login, ends, targets
from ..login.scope import Scope
from ..login.step import LoginStep, Wire, digest, needs, uses_jar
from ..tokens.pipeline import Pipeline
from ..tokens.unbroken import Ending
from .schema import PipelineAuth
from .world import World

_KEY_BYTES = 32
# The lock is held for as long as writing 32 bytes takes.
_KEY_SECONDS = 10.0


@immutable_by_name
class Surroundings:
    """What a login is made from. `name` is the profile's, or ``auth/NAME`` of a shared login.

    `allowed` says which URLs may receive its credentials.
    """

    name: str
    auth: PipelineAuth
    scope: Scope
    storage: Any
    wire: Wire
    world: World
    allowed: Callable[[str], bool]
    environ: Mapping[str, str]
    notice: Callable[[str], None]
    strict: bool
    ending: Ending | None = None


def build(around: Surroundings) -> Login:
    """The login. ProfileError when its steps need each other in a circle."""
    auth = around.auth
    steps = _steps(around)
    inject = auth.inject
    if inject is None:
        inject = () if auth.sign is not None else tuple(map(_bearer, ends(steps)))
    challenged = any("challenge" in step.heads for step in steps.values())
    return Login(
        around.name,
        Pipeline(
            list(steps.values()),
            around.storage,
            strict=around.strict,
            notice=around.notice,
            ending=around.ending,
        ),
        inject,
        targets(auth.inject, auth.sign, steps),
        auth.invalidate,
        auth.exclude,
        around.scope,
        around.world.nonce,
        auth.sign,
        _challenges(around) if challenged else None,
        around.allowed,
    )


def _bearer(step: str) -> InjectTable:
    return InjectTable(in_="header", name="Authorization", value=f"Bearer ${{steps.{step}.token}}")


def _challenges(around: Surroundings) -> Challenges:
    try:
        path: Path | None = config_dir(around.environ) / "state" / "challenges.json"
    except StorageError:
        path = None
    return Challenges(path, around.name, notice=around.notice)


def _steps(around: Surroundings) -> dict[str, LoginStep]:
    """The steps, each with a cache key that covers all it is made from."""
    tables = around.auth.steps
    if not tables:
        return {}
    parents = parents_of(tables)
    order: list[str] = []
    while len(order) < len(tables):
        ready = [name for name in tables if name not in order and all(p in order for p in parents[name])]
        if not ready:
            raise ProfileError(f"the steps of {around.name!r} need each other in a circle")
        order += ready
    kept = any(getattr(table, "usual_cache", "store") != "computed" for table in tables.values())

    @cache
    def digests() -> dict[str, str]:
        key = digest_key(around.environ, around.storage) if kept else b""
        found: dict[str, str] = {}
        for name in order:
            made_from = {parent: found[parent] for parent in parents[name]}
            found[name] = digest(key, around.name, name, tables[name], around.scope, made_from)
        return found

    def late(name: str) -> Callable[[], str]:
        return lambda: digests()[name]

    shared = has_shared_key(around.storage)
    return {
        name: LoginStep(
            name,
            table,
            scope=around.scope,
            wire=around.wire,
            world=around.world,
            # A store that others share is not asked before a token is.
            digest=late(name) if shared else digests()[name],
            # In the order of their runs: of two that send a jar, the later one has it as it is now.
            parents=sorted(parents[name], key=order.index),
            rules=around.auth.invalidate,
            notice=around.notice,
        )
        for name, table in tables.items()
    }


def parents_of(tables: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """By step, the steps it needs: those it names or refers to, and those above it that send a jar it uses."""
    parents: dict[str, tuple[str, ...]] = {}
    for name, table in tables.items():
        jars = uses_jar(table)
        above = list(tables)[: list(tables).index(name)]
        shared = [other for other in above if jars and jars & uses_jar(tables[other], sending=True)]
        parents[name] = tuple(dict.fromkeys([*needs(table), *shared]))
    return parents


def has_shared_key(storage: Any) -> bool:
    """Whether a token storage keeps the key of its cache keys itself."""
    return hasattr(type(storage), "shared_key")


def digest_key(environ: Mapping[str, str], storage: Any = None) -> bytes:
    """The random key of cache keys, made once: that of all who share a storage, else this user's.

    One for this run only where it cannot be kept.
    """
    if has_shared_key(storage):
        shared: bytes = storage.shared_key()
        return shared
    try:
        path = config_dir(environ) / "state" / "digest.key"
    except StorageError:
        return os.urandom(_KEY_BYTES)  # no place for tokens either: whoever stores them says so
    found = read_private(path)
    if found is not None and len(found) >= _KEY_BYTES:
        return found
    try:
        with lock(path.with_suffix(".lock"), _KEY_SECONDS):
            found = read_private(path)
            if found is None or len(found) < _KEY_BYTES:
                found = os.urandom(_KEY_BYTES)
                write_private(path, found)
            return found
    except LockTimeout:
        raise
    except StorageError:
        return os.urandom(_KEY_BYTES)
