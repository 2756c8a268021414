"""`--select`: a part of a JSON body, by a JMESPath expression."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from ...errors import ResponseParseException, UsageError

_HINT = "see https://jmespath.org, and quote it for the shell: --select 'items[].name'"


def compiled(expression: str) -> Callable[[Any], Any]:
    """What finds the part in a value. UsageError for an expression that is none."""
    try:
        parsed = jmespath.compile(expression)
    except (JMESPathError, ValueError) as exc:
        raise UsageError(f"--select {expression!r} is no JMESPath expression: {_first_line(exc)}", hint=_HINT) from None

    def search(value: Any) -> Any:
        try:
            return parsed.search(value)
        except (JMESPathError, TypeError, ValueError, RecursionError) as exc:
            reason = _first_line(exc)
            raise ResponseParseException(
                f"--select {expression!r} does not fit the body: {reason}", hint=_HINT
            ) from None

    return search


def _first_line(exc: BaseException) -> str:
    return (str(exc).splitlines() or [type(exc).__name__])[0].rstrip(":")
