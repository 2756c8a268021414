"""C3, C4, C5, C6, C7: whatever a server does, a command ends in time, with one line and the promised exit code."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.conftest import Forge
from tests.faults import FAULTS, Fault, served


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_has_its_exit_code_and_one_line(forge: Forge, fault: Fault) -> None:
    limit = [] if fault.limit is None else ["--timeout", str(fault.limit)]
    begun = time.monotonic()
    with served(fault) as server:
        Path("old").write_text("old")
        result = forge("get", server.url("/x"), "--retry", "0", "-s", "-o", "old", *limit)
    assert result.exit_code == fault.exit_code, result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert fault.says in result.stderr
    errors = [line for line in result.stderr.splitlines() if not line.startswith("  ")]
    assert len(errors) == (1 if fault.exit_code else 0), result.stderr
    assert (Path("old").read_text() == "old") is (fault.exit_code != 0)
    assert time.monotonic() - begun < 5


def test_what_has_reached_a_pipe_is_not_sent_again(forge: Forge) -> None:
    """C3: a reader that has the beginning of one answer must not get the beginning of the next after it."""
    [short] = [fault for fault in FAULTS if fault.name == "body shorter than Content-Length"]
    with served(short) as server:
        result = forge("get", server.url("/x"), "--retry", "3")
    assert (result.exit_code, result.stdout, len(server.heads)) == (10, "part", 1)
