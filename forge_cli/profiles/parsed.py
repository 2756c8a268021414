"""A large profile file, parsed: kept for the next start, since reading a thousand profiles takes a tenth of one."""

from __future__ import annotations

import json
import tomllib
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..errors import StorageError
from ..files import read_private, write_private

WORTH_KEEPING = 16 * 1024
"""Characters. A smaller file is read in less time than it takes to make sure that what is kept is of this one."""

_LAYOUT = 1


def loads(text: str, kept: Path | None) -> dict[str, Any]:
    """What TOML says, as of `tomllib.loads`, whose errors it raises.

    `kept` is where the last large text is, as JSON. It counts for the very same text and for no other. That it cannot
    be read or written is only a loss of time.
    """
    if kept is None or len(text) < WORTH_KEEPING:
        return tomllib.loads(text)
    digest = sha256(text.encode()).hexdigest()
    found = _read(kept, digest)
    if found is None:
        found = tomllib.loads(text)
        # JSON has no dates. No profile has a place for one, so that this one is refused anyway.
        with suppress(StorageError, TypeError):
            record = {"layout": _LAYOUT, "digest": digest, "content": found}
            write_private(kept, json.dumps(record, separators=(",", ":")).encode())
    return found


def _read(kept: Path, digest: str) -> dict[str, Any] | None:
    try:
        record = json.loads(read_private(kept) or b"null")
    except (StorageError, ValueError, RecursionError):
        return None
    known = isinstance(record, dict) and record.get("layout") == _LAYOUT and record.get("digest") == digest
    content = record.get("content") if known else None
    return content if isinstance(content, dict) else None
