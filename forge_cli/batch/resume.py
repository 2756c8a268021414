"""What a file of results already has, so that a run goes on where an earlier one ended."""

from __future__ import annotations

import hashlib
import json
import os
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from ..digits import broken, one_line, whole
from ..errors import StorageError
from ..files import followed, locked, open_to_write
from .lines import Line

_EMPTY, _TAKEN = 0, 1
# How each result begins, also one of which nothing more was written.
_START = b'{"id": '


class Done:
    """How often each id is done. Ten million ids take some 130 MB: eight bytes of a hash in an open table."""

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * 1024))
        self._used = 0
        self._more: dict[int, int] = {}

    def __len__(self) -> int:
        return self._used + sum(self._more.values())

    def add(self, name: Any) -> None:
        """One more line with this id is done."""
        key = _hash(name)
        at = self._find(key)
        if self._slots[at] == key:
            self._more[key] = self._more.get(key, 0) + 1
            return
        self._slots[at] = key
        self._used += 1
        if self._used * 3 > len(self._slots) * 2:
            self._grow()

    def take(self, name: Any) -> bool:
        """Whether a line with this id is done; it is counted off."""
        key = _hash(name)
        if key in self._more:
            self._more[key] -= 1
            if not self._more[key]:
                del self._more[key]
            return True
        at = self._find(key)
        if self._slots[at] != key:
            return False
        self._slots[at] = _TAKEN
        return True

    def _find(self, key: int) -> int:
        """The slot of this key, or the empty one that it would go to."""
        slots, mask = self._slots, len(self._slots) - 1
        at = key & mask
        while slots[at] not in (_EMPTY, key):
            at = (at + 1) & mask
        return at

    def _grow(self) -> None:
        old, self._slots = self._slots, array("Q", [_EMPTY]) * (2 * len(self._slots))
        for key in old:
            if key > _TAKEN:
                self._slots[self._find(key)] = key


def _hash(name: Any) -> int:
    # Python's own differs from one process to the next by design, and 1 == 1.0 == True in it.
    text = one_line(name).encode("utf-8", "surrogatepass")
    return max(2, int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big"))


@contextmanager
def resumed(path: Path) -> Iterator[tuple[BinaryIO, Done]]:
    """A file of results, to be appended to, and what is done in it. It is locked; one that is not there is made.

    A line that was not written to its end is cut off. StorageError when it cannot be read or mended, when another
    run has it, and when it holds something else: then it stays as it is.
    """
    with reported(path):
        file = os.fdopen(open_to_write(followed(str(path)), append=True, read=True), "a+b")
    with file:
        with reported(path):
            if not locked(file.fileno()):
                raise StorageError(
                    f"{path} is being written by another run", hint="wait until it has ended, or name another file"
                )
            found = _done(file, path)
        yield file, found


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """What the system says of the file, as a StorageError."""
    try:
        yield
    except OSError as exc:
        reason = (exc.strerror or str(exc)).lower()
        raise StorageError(f"{path} cannot be resumed: {reason}", hint="it has to be a file of results") from None


def _done(file: BinaryIO, path: Path) -> Done:
    found, end, last = Done(), 0, b""
    file.seek(0)
    for raw in file:
        last = raw
        if not raw.endswith(b"\n"):
            break
        record = _record(raw)
        if not end and not _is_result(record):
            raise _other(path)
        end += len(raw)
        _count(found, record)
    if last and not last.endswith(b"\n"):
        record = _record(last)
        if _is_result(record) or (end and record is not None):
            file.write(b"\n")  # only its end was lost
            file.flush()
            _count(found, record)
        elif end or last.startswith(_START[: len(last)]):
            file.truncate(end)
        else:
            raise _other(path)
    return found


def _count(found: Done, record: dict[str, Any] | None) -> None:
    if record is not None and record.get("status") is not None and record.get("error") is None:
        found.add(record.get("id"))


def _is_result(record: dict[str, Any] | None) -> bool:
    return record is not None and "id" in record and "status" in record


def _other(path: Path) -> StorageError:
    return StorageError(f"{path} is no file of results", hint="name the one that an earlier run wrote, or a new one")


def remaining(lines: Iterable[Line], finished: Done) -> Iterator[Line]:
    """The lines that are not done."""
    return (line for line in lines if not finished.take(line.id))


def _record(raw: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(raw, parse_int=whole, parse_float=broken, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _refuse(word: str) -> Any:
    raise ValueError(word)
