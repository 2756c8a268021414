"""Lines typed on a Windows console."""

from __future__ import annotations

import sys

import pytest

from forge_cli.cli.keys import Keys
from forge_cli.cli.person import Terminal
from forge_cli.cli.run import Run
from forge_cli.errors import UsageError


class Console:
    """The keys that will have been pressed, as msvcrt gives them; None is a moment without one."""

    def __init__(self, *pressed: str | None) -> None:
        self._pressed = list(pressed)

    def kbhit(self) -> bool:
        if self._pressed and self._pressed[0] is None:
            self._pressed.pop(0)
            return False
        return bool(self._pressed)

    def getwch(self) -> str:
        key = self._pressed.pop(0)
        assert key is not None
        return key


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def keys(*pressed: str | None) -> tuple[Keys, list[str]]:
    time, shown = Time(), list[str]()
    return Keys(Console(*pressed), shown.append, clock=time.clock, sleep=time.sleep), shown


@pytest.mark.parametrize(
    ("pressed", "line", "shown"),
    [
        (["y", "e", "s", "\r"], "yes", "yes\n"),
        (["y", None, None, "\r"], "y", "y\n"),
        (["\u00e9", "x", "\b", "\r"], "\u00e9", "\u00e9x\b \b\n"),
        (["x", "\u00e9", "\b", "\r"], "x", "x\u00e9\b \b\n"),
        (["\b", "\r"], "", "\n"),
        (["a", "\xe0", "H", "\x00", ";", "b", "\r"], "ab", "ab\n"),
    ],
    ids=["typed", "with pauses", "corrected", "a wide character corrected", "nothing to correct", "arrows and F1"],
)
def test_keys_become_a_line_and_are_shown(pressed: list[str | None], line: str, shown: str) -> None:
    typing, said = keys(*pressed)
    assert typing.line(5) == line
    assert "".join(said) == shown


def test_what_was_typed_waits_for_the_rest_of_the_line() -> None:
    typing, _ = keys("a", *[None] * 30, "b", "\r")
    assert typing.line(0.1) is None
    assert typing.line(5) == "ab"


def test_ctrl_c_interrupts_and_ctrl_z_ends_the_input() -> None:
    with pytest.raises(KeyboardInterrupt):
        keys("a", "\x03")[0].line(1)
    with pytest.raises(EOFError):
        keys("a", "\x1a")[0].line(1)


def test_the_person_on_windows_types_on_the_console(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "msvcrt", Console("o", "k", "\r", "\x1a"))
    person = Terminal(Run(), platform="win32")
    assert person.typed(1) == "ok"
    with pytest.raises(UsageError, match="nothing was entered"):
        person.typed(1)
