"""Circuits in a file that every process of one user shares."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

from .. import files
from ..errors import StorageError
from .circuit import Change, Circuit, from_record, to_record
from .memory import put

logger = logging.getLogger(__name__)

VERSION = 1
MOST_ENTRIES = 200

# Seconds for the lock around one read and write, which takes milliseconds.
_SHORT = 3.0
# Bytes: a thousand times what a usual file has.
_LIMIT = 1024 * 1024


def boot_id(path: Path = Path("/proc/sys/kernel/random/boot_id")) -> str:
    """What tells this boot of the machine from every other (proc_sys_kernel(5)); empty where nothing does."""
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


class FileBreakerState:
    """Keeps circuits in one file, 0600. Safe between threads and processes.

    Times are those of the monotonic clock, which all processes of one boot share, beside the boot's id:
    what an earlier boot or another machine wrote counts for nothing. Where the boot has no id, times are
    those of the wall clock; when that is set back, a circuit's time counts as over. A damaged file is
    replaced. `notice` gets a line when a loose mode was repaired, each line once; the default logs it.
    """

    def __init__(
        self,
        path: Path,
        *,
        notice: Callable[[str], None] | None = None,
        boot: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.path = Path(path)
        self._notice = notice or logger.warning
        self._told: set[str] = set()
        self._boot = boot_id() if boot is None else boot
        self._clock = monotonic if self._boot else wall

    def update(self, key: str, change: Change) -> Circuit:
        # A sound server changes nothing: its requests cost one read and no lock. The file is replaced
        # whole, so what is read is what was true at some moment.
        before = self._read().get(key, Circuit())
        if change(before, self._clock()) == before:
            return before
        lock = self.path.with_name(f"{self.path.name}.lock")
        with files.lock(lock, _SHORT, notice=self._tell):
            circuits = self._read()
            before = circuits.get(key, Circuit())
            after = change(before, self._clock())
            if after != before:
                put(circuits, key, after, MOST_ENTRIES)
                self._write(circuits)
            return after

    def _read(self) -> dict[str, Circuit]:
        try:
            data = files.read_private(self.path, _LIMIT, notice=self._tell)
            content = {} if data is None else json.loads(data)
        except (files.TooLarge, ValueError, RecursionError):
            return {}
        if not isinstance(content, dict):
            return {}
        version, circuits = content.get("version"), content.get("circuits")
        if isinstance(version, int) and version > VERSION:
            raise StorageError(f"{self.path} was written by a newer forge", hint="upgrade forge")
        if version != VERSION or content.get("boot") != self._boot or not isinstance(circuits, dict):
            return {}
        try:
            return {key: from_record(record) for key, record in circuits.items()}
        except ValueError:
            return {}

    def _write(self, circuits: dict[str, Circuit]) -> None:
        records = {key: to_record(circuit) for key, circuit in circuits.items()}
        content = {"version": VERSION, "boot": self._boot, "circuits": records}
        files.write_private(self.path, json.dumps(content, indent=1).encode(), notice=self._tell)

    def _tell(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._notice(text)
