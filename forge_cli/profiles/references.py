"""What a profile refers to: every name in its templates, and the steps that its login names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..login.template import Reference
from .kinds import Problem, Use, unknown
from .positions import Path

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ALONE = ("base_url", "now", "uuid")
_HEADS = (*_ALONE, "vars", "env", "secrets", "steps", "self")
_STEPS = ("auth", "steps")


class _Names(NamedTuple):
    """What there is to refer to."""

    vars: Sequence[str]
    secrets: Sequence[str]
    outputs: Mapping[str, Sequence[str]]


def problems(profile: Mapping[str, Any], templates: Sequence[Use]) -> list[Problem]:
    """Problems of a merged profile that its tables do not show one by one.

    The profile is taken as written, so that one wrong type hides nothing else.
    """
    auth, steps = _table(profile, "auth"), _table(profile, *_STEPS)
    outputs = {name: _outputs(_table(steps, name)) for name in steps}
    names = _Names(list(_table(profile, "vars")), list(_table(profile, "secrets")), outputs)
    found = [
        Problem(use.path, trouble)
        for use in templates
        for reference in use.template.references
        if (trouble := _trouble(reference, use.path, names))
    ]
    found += _spelling(profile, outputs)
    if auth.get("type") == "pipeline":
        parents = _parents(steps, templates)
        found += _steps(auth, steps, parents)
        # With a name misspelt, the order of the steps is not the one that was meant.
        found += [] if found else _last_steps(auth, parents)
    return found


def _table(tree: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """The table at a path, or an empty one when something else is there."""
    for name in path:
        inner = tree.get(name)
        if not isinstance(inner, dict):
            return {}
        tree = inner
    return tree


def _texts(table: Mapping[str, Any], key: str) -> list[tuple[int, str]]:
    """The texts of an array, with their places."""
    values = table.get(key)
    items = values if isinstance(values, list) else []
    return [(index, item) for index, item in enumerate(items) if isinstance(item, str)]


def _outputs(step: Mapping[str, Any]) -> list[str]:
    return list({"token": 1, **_table(step, "extract"), **_table(step, "refresh", "extract")})


def _trouble(reference: Reference, path: Path, names: _Names) -> str | None:
    """What is wrong with a reference at this place, if anything."""
    match reference:
        case ("base_url",) if path == ("base_url",):
            return "base_url refers to itself"
        case (head,) if head in _ALONE:
            return None
        case ("env", _):
            return None
        case ("vars", name):
            return None if name in names.vars else f"unknown var {name!r} {unknown(name, names.vars)}"
        case ("secrets", name):
            return None if name in names.secrets else f"unknown secret {name!r} {unknown(name, names.secrets)}"
        case ("steps", step, output):
            return _step_trouble(step, output, path, names.outputs)
        case ("self", output):
            if path[3:4] != ("refresh",) or path[:2] != _STEPS:
                return f"'self.{output}' has a value only in `refresh`"
            legal = names.outputs.get(str(path[2]), ())
            return None if output in legal else f"the step has no output {output!r} {unknown(output, legal)}"
        case (head, *_) if head in _HEADS:
            return f"'{'.'.join(reference)}' is not a reference: write {_form(head)}"
    return f"unknown reference '{'.'.join(reference)}' {unknown(reference[0], _HEADS)}"


def _step_trouble(step: str, output: str, path: Path, outputs: Mapping[str, Sequence[str]]) -> str | None:
    if path[0] != "auth":
        return "a step's output is for `auth` only: `inject` puts it into requests"
    if step not in outputs:
        return f"unknown step {step!r} {unknown(step, outputs)}"
    legal = outputs[step]
    return None if output in legal else f"step {step!r} has no output {output!r} {unknown(output, legal)}"


def _form(head: str) -> str:
    if head in _ALONE:
        return f"${{{head}}}"
    return "${steps.STEP.OUTPUT}" if head == "steps" else f"${{{head}.NAME}}"


def _spelling(profile: Mapping[str, Any], outputs: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
    """Names that no template could refer to."""
    places: list[Path] = [(key, name) for key in ("vars", "secrets") for name in _table(profile, key)]
    places += [(*_STEPS, step) for step in outputs]
    for step in outputs:
        for part in ((), ("refresh",)):
            places += [
                (*_STEPS, step, *part, "extract", name) for name in _table(profile, *_STEPS, step, *part, "extract")
            ]
    for place in places:
        if NAME.fullmatch(str(place[-1])) is None:
            yield Problem(place, "a name is 1 to 64 letters, digits, `_` and `-`")


def _parents(steps: Mapping[str, Any], templates: Sequence[Use]) -> dict[str, set[str]]:
    """The steps that each step refers to or names in `needs`."""
    parents = {
        name: {parent for _, parent in _texts(_table(steps, name), "needs") if parent in steps} for name in steps
    }
    for use in templates:
        if use.path[:2] == _STEPS:
            references = [part for part in use.template.references if part[0] == "steps" and len(part) == 3]
            parents[str(use.path[2])].update(part[1] for part in references if part[1] in steps)
    return parents


def _steps(
    auth: Mapping[str, Any], steps: Mapping[str, Any], parents: Mapping[str, Collection[str]]
) -> Iterator[Problem]:
    for name in steps:
        yield from _step(name, _table(steps, name), steps, parents[name])
    if circle := _circle(parents):
        yield Problem((*_STEPS, circle[0]), f"steps need each other in a circle: {' -> '.join(circle)}")
    for index, rule in enumerate(rules if isinstance(rules := auth.get("invalidate"), list) else ()):
        if isinstance(rule, dict):
            yield from _unknown_steps(rule, ("auth", "invalidate", index), "steps", steps)


def _last_steps(auth: Mapping[str, Any], parents: Mapping[str, Collection[str]]) -> Iterator[Problem]:
    needed = {parent for names in parents.values() for parent in names}
    last = [name for name in parents if name not in needed]
    if "inject" not in auth and len(last) > 1:
        yield Problem(("auth",), f"no step needs any of {', '.join(last)}: say with `inject` which token goes where")


def _step(name: str, step: Mapping[str, Any], steps: Mapping[str, Any], parents: Collection[str]) -> Iterator[Problem]:
    path = (*_STEPS, name)
    yield from _unknown_steps(step, path, "needs", steps)
    yield from _unknown_steps(step, path, "unbound", steps)
    for index, parent in _texts(step, "unbound"):
        if parent in steps and parent not in parents:
            yield Problem((*path, "unbound", index), f"the step neither refers to {parent!r} nor needs it")
    if isinstance(extract := step.get("extract"), dict) and "token" not in extract:
        yield Problem((*path, "extract"), "one output must be `token`")


def _unknown_steps(table: Mapping[str, Any], path: Path, key: str, steps: Mapping[str, Any]) -> Iterator[Problem]:
    for index, name in _texts(table, key):
        if name not in steps:
            yield Problem((*path, key, index), f"unknown step {name!r} {unknown(name, steps)}")


def _circle(parents: Mapping[str, Collection[str]]) -> list[str] | None:
    """A way from a step back to itself, if there is one."""
    done: set[str] = set()
    for start in parents:
        way: list[str] = []
        pending: list[tuple[str, bool]] = [(start, False)]
        while pending:
            step, leaving = pending.pop()
            if leaving:
                done.add(way.pop())
            elif step in way:
                return [*way[way.index(step) :], step]
            elif step not in done:
                way.append(step)
                pending.append((step, True))
                pending.extend((parent, False) for parent in sorted(parents[step], reverse=True))
    return None
