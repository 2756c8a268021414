"""What a profile refers to: every name in its templates, and the steps that its login names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..compiled import compiled
from ..login.steps import STEPS
from ..login.template import Reference, unfit
from .kinds import Problem, Use, unknown
from .positions import Path

NAME = compiled(r"[A-Za-z0-9_-]{1,64}")
_ALONE = ("base_url", "now", "uuid", "nonce")
_FORMS = {
    **{head: f"${{{head}}}" for head in _ALONE},
    **{head: f"${{{head}.NAME}}" for head in ("vars", "env", "secrets", "self", "values", "challenge")},
    "steps": "${steps.STEP.OUTPUT}",
    "cookies": "${cookies.JAR.NAME}",
    "request": "${request.method}, ${request.headers.NAME} …",
    "response": "${response.status}, ${response.url}, ${response.body} or ${response.headers.NAME}",
}
_STEPS = ("auth", "steps")
# What a signer can refer to beside headers.NAME.
_REQUEST = (
    "method", "host", "path", "query", "target", "sorted_query", "sorted_target", "body", "sorted_params"
)  # fmt: skip
Outputs = Sequence[str] | None
"""The names of a step's outputs; None when any name may be one."""


class _Names(NamedTuple):
    """What there is to refer to."""

    vars: Sequence[str]
    secrets: Sequence[str]
    outputs: Mapping[str, Outputs]
    jars: Sequence[str]
    auth: Mapping[str, Any]


def problems(profile: Mapping[str, Any], templates: Sequence[Use]) -> list[Problem]:
    """Problems of a merged profile that its tables do not show one by one.

    The profile is taken as written, so that one wrong type hides nothing else.
    """
    auth, steps = _table(profile, "auth"), _table(profile, *_STEPS)
    outputs = {name: _outputs(_table(steps, name)) for name in steps}
    jars = list(dict.fromkeys(jar for name in steps for jar in _sent(_table(steps, name))))
    names = _Names(list(_table(profile, "vars")), list(_table(profile, "secrets")), outputs, jars, auth)
    found = [
        Problem(use.path, trouble)
        for use in templates
        for reference in use.template.references
        if (trouble := _trouble(reference, use.path, names))
    ]
    found += [
        Problem(use.path, trouble)
        for use in templates
        if (trouble := unfit(use.template, as_text=_becomes_text(use.path, auth)))
    ]
    found += _spelling(profile, outputs)
    if auth.get("type") == "pipeline":
        parents = _parents(steps, templates)
        found += _steps(auth, steps, parents)
        found += _jars(auth, jars)
        # With a name misspelt, the order of the steps is not the one that was meant.
        found += [] if found else _last_steps(auth, parents)
    return found


def shared_problems(profile: Mapping[str, Any], shared: Mapping[str, Any]) -> Iterator[Problem]:
    """Shared logins that a profile names and that are not there."""
    auth = profile.get("auth")
    if isinstance(auth, str) and auth not in shared:
        # The text may be a secret in the wrong place: it is not repeated.
        yield Problem(("auth",), f"there is no shared login [auth.NAME] of that name {unknown(auth, shared)}")
    for index, part in _texts(auth, "parts") if isinstance(auth, dict) else ():
        if part not in shared:
            yield Problem(("auth", "parts", index), f"unknown shared login {part!r} {unknown(part, shared)}")


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


def _outputs(step: Mapping[str, Any]) -> Outputs:
    """What a step hands on: what it extracts, and what its kind always has."""
    kind = step.get("kind", "http")
    if not isinstance(kind, str) or kind not in STEPS:
        return None
    fixed = getattr(STEPS.load(kind), "outputs", None if ":" in kind else ())
    if fixed is None:
        return None
    return list(dict.fromkeys(["token", *fixed, *_table(step, "extract"), *_table(step, "refresh", "extract")]))


def _sent(step: Mapping[str, Any]) -> list[str]:
    """The cookie jars that a step sends."""
    requests = (_table(step, "request"), _table(step, "refresh", "request"))
    return [jar for request in requests if isinstance(jar := request.get("cookies"), str)]


def _becomes_text(path: Path, auth: Mapping[str, Any]) -> bool:
    """Whether what is filled in there has to be text: bodies, named values and keys of signatures may be bytes."""
    match path:
        case ("auth", "inject", int(index), "name" | "value"):
            entries = auth.get("inject")
            entry = entries[index] if isinstance(entries, list) and index < len(entries) else {}
            return not (isinstance(entry, dict) and entry.get("in") == "json" and path[-1] == "value")
        case ("auth", "steps", _, "value" | "scope") | ("auth", "token" | "username" | "password"):
            return True
    return path[-1] == "url" or "headers" in path[-2:-1] or path[0] in ("base_url", "headers")


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
        case ("secrets", _) if path[0] == "requests":
            return "a saved request takes no secret: it belongs into `headers`, `query` or `auth` of the profile"
        case ("secrets", name):
            return None if name in names.secrets else f"unknown secret {name!r} {unknown(name, names.secrets)}"
        case ("steps", step, output):
            return _step_trouble(step, output, path, names.outputs)
        case ("self", output):
            return _self_trouble(output, path, names)
        case ("values", name):
            legal = _values(path, names.auth)
            return None if name in legal else f"there is no value {name!r} here {unknown(name, legal)}"
        case ("cookies", jar, _):
            if path[0] != "auth":
                return "a cookie of a login is for `auth` only"
            return None if jar in names.jars else f"no step sends a cookie jar {jar!r} {unknown(jar, names.jars)}"
        case ("request", "headers", _) | ("request", _) if reference[1] in ("headers", *_REQUEST):
            return None if "sign" in path else f"'{'.'.join(reference)}' has a value only in `sign`"
        case ("challenge", _):
            return None if path[:2] == _STEPS else f"'{'.'.join(reference)}' has a value only in a step"
        case ("response", "status" | "url" | "body") | ("response", "headers", _):
            answered = "success" in path or "extract" in path
            return None if answered else f"'{'.'.join(reference)}' has a value only in `success` and `extract`"
        case (head, *_) if head in _FORMS:
            return f"'{'.'.join(reference)}' is not a reference: write {_FORMS[head]}"
    return f"unknown reference '{'.'.join(reference)}' {unknown(reference[0], _FORMS)}"


def _self_trouble(output: str, path: Path, names: _Names) -> str | None:
    """`self` is the step's own token, where there is one, or in `extract` what was found so far."""
    if path[:2] != _STEPS or len(path) < 4:
        return f"'self.{output}' has a value only in a step"
    step, part = str(path[2]), path[3]
    legal = names.outputs.get(step)
    if part == "poll" or legal is None:
        return None
    if "extract" in path[3:]:
        place = path.index("extract", 3)
        above = list(_table(names.auth, *map(str, path[1 : place + 1])))
        legal = above[: above.index(str(path[place + 1]))]
        if part == "refresh":
            legal = list(dict.fromkeys([*legal, *(names.outputs.get(step) or ())]))
    elif part not in ("refresh", "revoke"):
        return f"'self.{output}' has a value only in `refresh`, `revoke`, `poll` and `extract`"
    return None if output in legal else f"the step has no output {output!r} {unknown(output, legal)}"


def _values(path: Path, auth: Mapping[str, Any]) -> list[str]:
    """The named values that can be referred to at this place: of the tables around it, and above it."""
    found: list[str] = []
    for length in range(1, len(path) + 1):
        if any(not isinstance(part, str) for part in path[1:length]):
            break
        names = list(_table(auth, *map(str, path[1:length]), "values"))
        if path[length : length + 1] == ("values",) and len(path) > length + 1 and path[length + 1] in names:
            names = names[: names.index(str(path[length + 1]))]
        found += names
    return found


def _step_trouble(step: str, output: str, path: Path, outputs: Mapping[str, Outputs]) -> str | None:
    if path[0] != "auth":
        return "a step's output is for `auth` only: `inject` puts it into requests"
    if step not in outputs:
        return f"unknown step {step!r} {unknown(step, outputs)}"
    legal = outputs[step]
    if legal is None or output in legal:
        return None
    return f"step {step!r} has no output {output!r} {unknown(output, legal)}"


def _spelling(profile: Mapping[str, Any], steps: Iterable[str]) -> Iterator[Problem]:
    """Names that no template could refer to."""
    named: list[tuple[str, ...]] = [("vars",), ("secrets",), ("requests",), _STEPS, ("auth", "sign", "values")]
    for step in steps:
        parts = ("extract",), ("values",), ("refresh", "extract"), ("refresh", "values")
        named += [(*_STEPS, step, *part) for part in parts]
    places: list[Path] = [(*part, name) for part in named for name in _table(profile, *part)]
    for place in places:
        if NAME.fullmatch(str(place[-1])) is None:
            yield Problem(place, "a name is 1 to 64 letters, digits, `_` and `-`")


def _parents(steps: Mapping[str, Any], templates: Sequence[Use]) -> dict[str, set[str]]:
    """The steps that each step refers to, names in `needs`, or shares a cookie jar with that stands above it."""
    parents = {
        name: {parent for _, parent in _texts(_table(steps, name), "needs") if parent in steps} for name in steps
    }
    read: dict[str, set[str]] = {name: set(_sent(_table(steps, name))) for name in steps}
    for use in templates:
        if use.path[:2] == _STEPS:
            name = str(use.path[2])
            for reference in use.template.references:
                if reference[0] == "steps" and len(reference) == 3 and reference[1] in steps:
                    parents[name].add(reference[1])
                elif reference[0] == "cookies" and len(reference) == 3:
                    read[name].add(reference[1])
    above: list[str] = []
    for name in steps:
        parents[name].update(other for other in above if read[name].intersection(_sent(_table(steps, other))))
        above.append(name)
    return parents


def _jars(auth: Mapping[str, Any], jars: Sequence[str]) -> Iterator[Problem]:
    """Cookie jars that are injected and that no step sends."""
    entries = auth.get("inject")
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict) and entry.get("in") == "cookies":
            name = entry.get("name")
            if isinstance(name, str) and name not in jars:
                yield Problem(
                    ("auth", "inject", index, "name"), f"no step sends a cookie jar {name!r} {unknown(name, jars)}"
                )


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
    if "inject" not in auth and "sign" not in auth and len(last) > 1:
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
