"""Every option of every command on a terminal too: the same end as in a pipe, and no secret or traceback."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.blackbox.cases import PIPE
from tests.blackbox.program import Case, Ended, run_all, uses
from tests.blackbox.test_options import OPTIONS
from tests.server import Server


def fewest() -> list[Case]:
    """Cases that have every option between them, few of them."""
    # What reads standard input, or is interrupted, is about the pipe.
    fit = [case for case in PIPE if case.stdin is None and not case.interrupt and not case.terminal]
    of = {
        number: {
            (name, tuple(names))
            for name, names in OPTIONS
            if case.command in (name, "request GET" if name == "request" else name) and uses(case, names)
        }
        for number, case in enumerate(fit)
    }
    open_ones = set().union(*of.values())
    chosen: list[Case] = []
    while open_ones:
        best = max(of, key=lambda number: len(of[number] & open_ones))
        chosen.append(fit[best])
        open_ones -= of[best]
    return chosen


CASES = [
    replace(case, terminal=True, env={**case.env, "FORGE_NO_INPUT": "1", "NO_COLOR": "1"}, out=(), err=())
    for case in fewest()
]


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Ended]]:
    with Server() as server:
        yield run_all(CASES, server, tmp_path_factory.mktemp("terminals"))


@pytest.mark.parametrize("number", range(len(CASES)), ids=[str(case)[:90] for case in CASES])
def test_it_ends_as_in_a_pipe(ends: list[Ended], number: int) -> None:
    ended = ends[number]
    assert ended.exit == CASES[number].exit, ended.text
    assert "Traceback" not in ended.text
    assert "password-1" not in ended.text


def test_no_option_is_left_out() -> None:
    missing = {
        name
        for name, names in OPTIONS
        if not any(
            uses(case, names) for case in CASES if case.command in (name, "request GET" if name == "request" else name)
        )
    }
    # `curl --import - --as-profile` reads standard input; `demo --serve` waits for Ctrl-C (test_demo.py has it).
    assert missing == {"curl", "demo"}
