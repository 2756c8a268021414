"""Secrets that a test plants, and the look for them in everything that is written."""

from __future__ import annotations

import base64
import json
import logging
import subprocess
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

_SHORTEST = 8
# What a run may leave for a person to read or to send on. Tokens and profiles are where secrets belong.
_WRITTEN = frozenset({".har", ".html", ".xml", ".log", ".txt", ".json", ".jsonl", ".md"})
_LARGEST = 16 * 1024 * 1024


@lru_cache(maxsize=4096)
def encodings(secret: str) -> tuple[str, ...]:
    """The secret as it may be written: plain, base64, base64url, percent-encoded, escaped for JSON, hexadecimal."""
    raw = secret.encode("utf-8", "surrogatepass")
    forms = {secret, quote(raw, safe=""), json.dumps(secret)[1:-1], raw.hex(), raw.hex().upper()}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            # What stands before it moves it within the groups of three; the edges depend on the neighbours.
            text = encode(b"\0" * before + raw + b"\0" * ((-before - len(raw)) % 3)).decode()
            core = text[(0, 2, 3)[before] : len(text) - (0, 4, 4)[(-before - len(raw)) % 3]]
            forms |= {core} if len(core) >= _SHORTEST else set()
    return tuple(sorted(forms))


class Canaries:
    """The secrets of one test. Once there is one, all output that can be seen is looked through."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.excused = False
        self._monkeypatch = monkeypatch
        self._planted: list[str] = []
        self._log = _Log()

    def __call__(self, secret: str) -> str:
        """Plant a secret, and hand it back."""
        assert len(secret) >= _SHORTEST, "a short text occurs by chance"
        if not self._planted:
            self._watch()
        self._planted.append(secret)
        return secret

    def look(self, where: str, text: str, known: Iterator[str] | tuple[str, ...] = ()) -> None:
        """Fail when a planted secret is in the text, or one that the program itself knows to be secret."""
        if self.excused:
            return
        for secret in (*self._planted, *(each for each in known if len(each) >= _SHORTEST)):
            for form in encodings(secret):
                if form in text:
                    at = text.index(form)
                    pytest.fail(f"{where} holds the secret {secret!r} as {form!r}: {text[max(0, at - 60) : at + 60]!r}")

    def finish(self, folders: list[Path]) -> None:
        """Look through what was logged, and through what lies in these folders."""
        logging.getLogger().removeHandler(self._log)
        if not self._planted or self.excused:
            return
        self.look("the log", "\n".join(self._log.lines))
        for path in (each for folder in folders for each in folder.rglob("*") if each.suffix in _WRITTEN):
            if path.is_file() and path.stat().st_size <= _LARGEST:
                self.look(str(path), path.read_bytes().decode("utf-8", "replace"))

    def _watch(self) -> None:
        logging.getLogger().addHandler(self._log)
        communicate = subprocess.Popen.communicate

        def looked_through(process: subprocess.Popen[Any], *args: Any, **options: Any) -> tuple[Any, Any]:
            found = communicate(process, *args, **options)
            for name, text in zip(("stdout", "stderr"), found, strict=True):
                if text:
                    shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
                    self.look(f"{name} of {process.args!r}", shown)
            return found

        self._monkeypatch.setattr(subprocess.Popen, "communicate", looked_through)


class _Log(logging.Handler):
    """Keeps what is logged as it would be written."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))
