"""The challenges of an answer: what WWW-Authenticate asks for (RFC 9110, section 11.6.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field

from ..compiled import compiled
from ..frozen import immutable
from ..models import FrozenDict

# No pattern gives back what it took, so each character is looked at a few times at most.
_GAP = compiled(r"[ \t,]*+")
_WORD = compiled(r"[!#$%&'*+.^_`|~0-9A-Za-z-]++")
_EQUALS = compiled(r"[ \t]*+=[ \t]*+")
_TOKEN68 = compiled(r"[ ]++([A-Za-z0-9._~+/-]++=*+)(?=[ \t]*+(?:,|\Z))")
_QUOTED = compiled(r'"((?:[^"\\]|\\.)*+)"?+', re.DOTALL)
# More than a token: servers are known to leave out the quotes around URLs and base64.
_BARE = compiled(r'[^ \t,"]*+')
_ESCAPED = compiled(r"\\(.)", re.DOTALL)


@immutable
class Challenge:
    """One scheme, as it is spelled, with its parameters by lower-case name, or with one bare value instead."""

    scheme: str
    params: Mapping[str, str] = field(default_factory=FrozenDict)
    token68: str | None = None

    def of(self, scheme: str) -> bool:
        """Whether this is the scheme; schemes know no case."""
        return self.scheme.lower() == scheme.lower()


def challenges(values: Iterable[str]) -> list[Challenge]:
    """The challenges in the values of all WWW-Authenticate fields, in order.

    What is not well-formed is passed over. Of a parameter that occurs twice in a challenge the first counts.
    """
    return [challenge for value in values for challenge in _of_field(value)]


def _of_field(text: str) -> Iterator[Challenge]:
    scheme: str | None = None
    params: dict[str, str] = {}
    token68: str | None = None
    at = _GAP.match(text).end()  # type: ignore[union-attr]  # it matches nothing, too
    while at < len(text):
        word = _WORD.match(text, at)
        if word is None:
            at = _GAP.match(text, at + 1).end()  # type: ignore[union-attr]  # it also matches nothing
            continue
        at = word.end()
        if equals := _EQUALS.match(text, at):
            value, at = _value(text, equals.end())
            if scheme is not None:
                params.setdefault(word[0].lower(), value)
        else:
            if scheme is not None:
                yield Challenge(scheme, FrozenDict(params), token68)
            scheme, params, token68 = word[0], {}, None
            if bare := _TOKEN68.match(text, at):
                token68, at = bare[1], bare.end()
        at = _GAP.match(text, at).end()  # type: ignore[union-attr]  # it also matches nothing
    if scheme is not None:
        yield Challenge(scheme, FrozenDict(params), token68)


def _value(text: str, at: int) -> tuple[str, int]:
    """A parameter's value, and where it ends."""
    if quoted := _QUOTED.match(text, at):
        return _ESCAPED.sub(r"\1", quoted[1]), quoted.end()
    bare = _BARE.match(text, at)
    return (bare[0], bare.end()) if bare else ("", at)
