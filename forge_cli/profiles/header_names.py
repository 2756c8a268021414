"""The names of header fields in a profile, and which of them are none (RFC 9110, section 5.6.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..models import TOKEN
from .document import Place
from .kinds import Problem

_Named = Iterator[tuple[Place, Any]]


def problems(profile: Mapping[str, Any]) -> Iterator[Problem]:
    """Names in a merged profile that no header field can have; the profile is taken as written."""
    for place, name in _names(profile):
        # A name that is filled in is looked at when it is sent.
        if isinstance(name, str) and "${" not in name and TOKEN.fullmatch(name) is None:
            yield Problem(place, "is not a header name (letters, digits and `-`)")


def _names(profile: Mapping[str, Any]) -> _Named:
    yield from _keys(profile, "headers")
    yield ("correlation_id",), profile.get("correlation_id")
    requests = profile.get("requests")
    for name, request in requests.items() if isinstance(requests, dict) else ():
        yield from _keys(request, "headers", place=("requests", name))
    auth = profile.get("auth")
    if not isinstance(auth, dict):
        return
    if auth.get("type") == "api-key" and auth.get("in", "header") == "header":
        yield ("auth", "name"), auth.get("name")
    steps = auth.get("steps")
    for step, table in steps.items() if isinstance(steps, dict) else ():
        yield from _of_step(table, ("auth", "steps", step))
        for part in ("refresh", "poll", "revoke") if isinstance(table, dict) else ():
            yield from _of_step(table.get(part), ("auth", "steps", step, part))
        yield from _keys(table, "pushed", "headers", place=("auth", "steps", step))
    for place in (
        ("sign",),
        *(("steps", step, "request", "sign") for step in (steps if isinstance(steps, dict) else ())),
    ):
        for index, target in _tables(_at(auth, *place, "inject")):
            if target.get("in") == "header":
                yield ("auth", *place, "inject", index, "name"), target.get("name")
    for index, target in _tables(auth.get("inject")):
        if target.get("in") == "header":
            yield ("auth", "inject", index, "name"), target.get("name")
    for index, rule in _tables(auth.get("invalidate")):
        yield from _keys(rule, "when", "header", place=("auth", "invalidate", index))


def _of_step(step: Any, place: Place) -> _Named:
    yield from _keys(step, "request", "headers", place=place)
    yield from _keys(step, "success", "header", place=place)
    outputs = step.get("extract") if isinstance(step, dict) else None
    for name, output in outputs.items() if isinstance(outputs, dict) else ():
        yield from _of_output(output, (*place, "extract", name))


def _of_output(output: Any, place: Place) -> _Named:
    if isinstance(output, dict):
        yield (*place, "header"), output.get("header")
        for index, alternative in _tables(output.get("or")):
            yield from _of_output(alternative, (*place, "or", index))


def _at(table: Any, *path: str) -> Any:
    for key in path:
        table = table.get(key) if isinstance(table, dict) else None
    return table


def _keys(table: Any, *path: str, place: Place = ()) -> _Named:
    """The keys of an inner table, if it is one."""
    table = _at(table, *path)
    return (((*place, *path, name), name) for name in (table if isinstance(table, dict) else ()))


def _tables(value: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    return (
        (index, item) for index, item in enumerate(value if isinstance(value, list) else ()) if isinstance(item, dict)
    )
