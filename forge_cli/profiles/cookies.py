"""What a profile itself says to put into a cookie, and no cookie can hold (RFC 6265, section 4.1.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..login import cookie
from .document import Place
from .kinds import Problem, written


def problems(profile: Mapping[str, Any]) -> Iterator[Problem]:
    """Names and values in a merged profile, taken as written; what is filled in is looked at when it is sent."""
    for place, text, is_name in _texts(profile.get("auth")):
        trouble = cookie.trouble(written(text), is_name=is_name)
        if trouble is not None:
            yield Problem(("auth", *place), f"{trouble}, which a cookie cannot have")


def _texts(auth: Any) -> Iterator[tuple[Place, Any, bool]]:
    if not isinstance(auth, dict):
        return
    if auth.get("type") == "api-key" and auth.get("in") == "cookie":
        yield ("name",), auth.get("name"), True
        yield ("key",), auth.get("key"), False
    steps, sign = auth.get("steps"), auth.get("sign")
    yield from _entries(auth.get("inject"), ("inject",))
    yield from _entries(sign.get("inject") if isinstance(sign, dict) else None, ("sign", "inject"))
    for name, step in steps.items() if isinstance(steps, dict) else ():
        request = step.get("request") if isinstance(step, dict) else None
        signer = request.get("sign") if isinstance(request, dict) else None
        if isinstance(signer, dict):
            yield from _entries(signer.get("inject"), ("steps", name, "request", "sign", "inject"))


def _entries(entries: Any, place: Place) -> Iterator[tuple[Place, Any, bool]]:
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict) and entry.get("in") == "cookie":
            yield (*place, index, "name"), entry.get("name"), True
            yield (*place, index, "value"), entry.get("value"), False
