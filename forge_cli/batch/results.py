"""What became of a line, as a value and as the line of JSON that is written for it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, BinaryIO

from ..digits import one_line
from ..errors import AuthenticationException, ForgeError, MaxRetryException
from ..models import HttpResponse, decode_text
from ..redact import REDACTOR

Select = Callable[[str], str]
# What is masked wherever a name makes a difference.
_TELLING = "https://a/?token=b"
_WHITE = str.maketrans("\r\n\t", "   ")


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one request: an answer or an `error`, or both when the answer is not what was expected.

    `elapsed_ms` is over all attempts, from the moment it was scheduled for. `unmet` are the expectations that did
    not hold. `ended` is when it was answered, by the clock of the run.
    """

    number: int
    id: Any
    response: HttpResponse | None
    elapsed_ms: float
    attempts: int
    failure: ForgeError | None = None
    unmet: tuple[str, ...] = ()
    ended: float | None = None

    @property
    def status(self) -> int | None:
        return None if self.response is None else self.response.status_code

    @property
    def error(self) -> str | None:
        """What went wrong, without secrets."""
        if self.failure is not None:
            cause = cause_of(self.failure)
            return REDACTOR.text(cause.message + (f" ({cause.hint})" if cause.hint else ""))
        return REDACTOR.text("; ".join(self.unmet)) if self.unmet else None

    @property
    def size(self) -> int:
        """How much memory the answer takes, roughly."""
        return 0 if self.response is None else len(self.response.content)


def cause_of(error: ForgeError) -> ForgeError:
    """The failure itself, inside what says how often it was tried and for what."""
    while isinstance(error, MaxRetryException | AuthenticationException):
        inner = error.original_exception
        if not isinstance(inner, ForgeError):
            break
        error = inner
    return error


def written(result: Result, select: Select | None = None) -> str:
    """The line of JSON, with its end. `select` makes JSON of a body that is JSON; it may raise ForgeError."""
    return selected(result, select)[1]


def selected(result: Result, select: Select | None) -> tuple[Result, str]:
    """The result, which is a failure where `select` fails, and its line of JSON."""
    response = result.response
    status, headers, body = "null", "{}", ""
    if response is not None:
        status = str(response.status_code)
        headers = REDACTOR.text(_encoded(_named(response.headers.pairs)))
        try:
            body = _body(response, select)
        except ForgeError as exc:
            result = replace(result, failure=exc)
    error = result.error
    end = "" if error is None else f', "error": {_encoded(error)}'
    return result, (
        f'{{"id": {one_line(result.id)}, "status": {status}, "headers": {headers}{body}, '
        f'"elapsed_ms": {result.elapsed_ms:.3f}, "attempts": {result.attempts}{end}}}\n'
    )


def _named(pairs: Iterable[tuple[str, str]]) -> dict[str, str | list[str]]:
    """The fields with what their names say is secret masked; the caller masks what is known to be."""
    found: dict[str, str | list[str]] = {}
    for name, value in pairs:
        shown = value if _is_plain(name) else REDACTOR.header(name, value)
        old = found.get(name)
        found[name] = shown if old is None else [*(old if isinstance(old, list) else [old]), shown]
    return found


@lru_cache(maxsize=1024)
def _is_plain(name: str) -> bool:
    """Whether a field of this name may hold anything."""
    return REDACTOR.header(name, _TELLING) == _TELLING


def _body(response: HttpResponse, select: Select | None) -> str:
    """The member with the body: a JSON value as it came, text, or Base64 for what is neither; none when it is empty."""
    content = response.content
    if not content:
        return "" if select is None else ', "body": null'
    kind = (response.headers.get("Content-Type") or "").lower()
    if not response.encoding and "json" not in kind and _binary(content):
        return f', "body_base64": "{base64.b64encode(content).decode("ascii")}"'
    text = decode_text(content, response.encoding)
    if "json" in kind or not kind:
        try:
            _checked(text)
        except (ValueError, RecursionError):
            pass
        else:
            if select is not None:
                return f', "body": {select(text)}'
            # Between the tokens of JSON, and only there, a line may end.
            return f', "body": {text.strip().translate(_WHITE)}'
    return ', "body": null' if select is not None else f', "body": {_encoded(text)}'


def _binary(content: bytes) -> bool:
    if b"\0" in content:
        return True
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False


class Writer:
    """Writes lines together, and at the latest when the next one has to be waited for."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._texts: list[str] = []
        self._size = 0

    def write(self, text: str) -> None:
        self._texts.append(text)
        self._size += len(text)
        if self._size > 65536:
            self.flush()

    def flush(self) -> None:
        if self._texts:
            # What is no character, and so no UTF-8, stands in a text: there its escape is the same JSON.
            data = "".join(self._texts).encode("utf-8", "backslashreplace")
            self._texts.clear()
            self._size = 0
            self._file.write(data)
            self._file.flush()


def _refuse(word: str) -> Any:
    raise ValueError(word)


# Made once: `json.dumps` and `json.loads` make one for each value.
_encoded = json.JSONEncoder(ensure_ascii=False).encode
_checked = json.JSONDecoder(parse_constant=_refuse, parse_int=str, parse_float=str).decode
