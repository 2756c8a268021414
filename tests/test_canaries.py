"""The look for planted secrets finds them, in every place and every spelling, or it would prove nothing."""

from __future__ import annotations

import base64
import json
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.redact import REDACTOR
from tests.canaries import Canaries, encodings
from tests.conftest import Forge

SECRET = 'canary/secret+"1"~é'
WRITTEN: dict[str, Callable[[str], str]] = {
    "plain": str,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 after a name": lambda text: base64.b64encode(f"ada:{text}".encode()).decode(),
    "base64url": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "percent": lambda text: quote(text, safe=""),
    "JSON": json.dumps,
    "hex": lambda text: text.encode().hex(),
    "HEX": lambda text: text.encode().hex().upper(),
}


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> Canaries:
    """Canaries of this test alone, with one planted: what they find does not fail the test by itself."""
    made = Canaries(monkeypatch)
    made(SECRET)
    return made


@pytest.mark.parametrize("spelling", list(WRITTEN))
def test_every_spelling_is_found(other: Canaries, spelling: str) -> None:
    with pytest.raises(pytest.fail.Exception, match="standard error holds the secret"):
        other.look("standard error", f"before {WRITTEN[spelling](SECRET)} after")


@given(st.binary(max_size=7), st.binary(max_size=7))
def test_base64_is_found_whatever_stands_around_it(before: bytes, after: bytes) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(before + SECRET.encode() + after).decode()
        assert any(form in text for form in encodings(SECRET))


def test_what_is_no_secret_is_let_pass(other: Canaries) -> None:
    other.look("standard error", "nothing here ***", ("short", "another-one"))


def test_what_the_program_knows_to_be_secret_is_looked_for_too(other: Canaries) -> None:
    with pytest.raises(pytest.fail.Exception, match="another-one"):
        other.look("standard error", "another-one", ("another-one",))


def test_the_log_is_looked_through(other: Canaries) -> None:
    logging.getLogger("forge_cli.somewhere").warning("it was %s", SECRET)
    with pytest.raises(pytest.fail.Exception, match="the log"):
        other.finish([])


@pytest.mark.parametrize("name", ["x.har", "deep/report.html", "crash.log", "results.jsonl"])
def test_files_for_people_are_looked_through(other: Canaries, tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(SECRET)
    with pytest.raises(pytest.fail.Exception, match=name):
        other.finish([tmp_path])


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_other_processes_are_looked_through(other: Canaries, stream: str) -> None:
    command = [sys.executable, "-c", f"import os, sys; sys.{stream}.write(os.environ['IT'])"]
    with pytest.raises(pytest.fail.Exception, match=stream):
        subprocess.run(command, capture_output=True, text=True, env={"IT": SECRET, "PYTHONUTF8": "1"})


def test_a_test_may_be_excused(other: Canaries, tmp_path: Path) -> None:
    other.excused = True
    (tmp_path / "x.har").write_text(SECRET)
    other.look("standard error", SECRET)
    other.finish([tmp_path])


def test_every_run_in_this_process_is_looked_at(forge: Forge, canaries: Canaries) -> None:
    canaries("completion")
    with pytest.raises(pytest.fail.Exception, match="standard output"):
        forge("--help")


def test_and_for_what_the_redactor_knows(forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    # Such as a text that is written around it: with nothing hidden, the name of the command stands for a secret.
    monkeypatch.setattr(REDACTOR, "text", lambda text: text)
    REDACTOR.add("no-such-command")
    with pytest.raises(pytest.fail.Exception, match="no-such-command"):
        forge("no-such-command")
