"""What SIGINT and SIGTERM do, so that the process ends within two seconds whatever it was at.

A signal becomes an exception in the main thread, wherever that is, because what has to be undone (a temporary file, a
lock, a terminal without echo, a program that was started) is undone by code that an exception unwinds. The other way, a
flag that each waiting place looks at, would have to reach every place that can wait, also in other people's code, and
nobody could show that none was forgotten. Unwinding has three weak points, and each has its answer here:

- It would lose a token that the server has just replaced. So it is put off while a login or renewal says that it must
  not be broken off (`hold`, `free`; see `tokens.unbroken`), but for no longer than `_PATIENCE`.
- The exception can leave a lock of other people's code locked that the unwinding then waits for, be swallowed by code
  that may not raise, or meet a stream that takes nothing. So a thread that the first signal starts ends the process
  after `_LIMIT`, without asking anybody.
- A second signal may come when somebody will not wait. While the end is put off it is no longer; while the
  unwinding is under way the process ends at once, and only the terminal and temporary files are looked after.

Neither the handler nor the thread takes a lock that the interrupted code may hold. What no handler can break off is
one call into C that keeps the interpreter to itself.
"""

from __future__ import annotations

import _thread
import atexit
import importlib
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

# Seconds after the first signal: until what is held is broken off all the same, and until the process ends.
_PATIENCE, _LIMIT = 1.2, 1.6
# Seconds for what is still tidied up at that end.
_TIDYING = 0.15
_LOOK = 0.01
# Seconds within which one key press may come twice: from the terminal, and passed on by a parent such as npm.
_SAME = 0.1


class Terminated(SystemExit):
    """SIGTERM came. Where nobody catches it, it ends the process with the right code and without a traceback."""

    def __init__(self) -> None:
        super().__init__(128 + signal.SIGTERM)


_EXCEPTIONS: dict[int, type[BaseException]] = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: Terminated}


class Terminal:
    """A terminal and how it is set. ImportError where the system has none of this kind, OSError when it is gone."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._termios: Any = importlib.import_module("termios")
        try:
            self._set: Any = self._termios.tcgetattr(number)
        except self._termios.error as exc:
            raise OSError(*exc.args) from None

    def restore(self) -> None:
        """Set it as it was, with its cursor, and end the line that stands there. OSError."""
        if os.tcgetpgrp(self._number) != os.getpgrp():
            return  # it is somebody else's now, and the system would stop whoever sets it
        try:
            self._termios.tcsetattr(self._number, self._termios.TCSANOW, self._set)
        except self._termios.error as exc:
            raise OSError(*exc.args) from None
        if os.isatty(2):
            os.write(2, b"\r\n" if os.environ.get("TERM") == "dumb" else b"\x1b[?25h\r\n")


class Signals:
    """Turns the signals of one run into its end. What is held puts that off; see `tokens.unbroken.Ending`.

    With `for_good` the process ends with the run. Without, a signal is never more than an exception.
    """

    def __init__(self, *, for_good: bool) -> None:
        self._for_good = for_good
        self._held: set[object] = set()
        self._main = _thread.get_ident()
        self._number: int | None = None
        self._first = self._last = 0.0
        self._raised = self._woken = self._over = False
        self._terminal = _terminal()

    def hold(self, what: object) -> None:
        """Put the end off. Where it was put off already, nothing new begins."""
        if self._number is not None:
            self._stop_here()
        self._held.add(what)

    def free(self, what: object) -> None:
        """As `Ending` says; the main thread ends here if that was put off."""
        self._held.discard(what)
        if self._number is not None and not self._held and not self._raised and self._in_main():
            self._raise()

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Take a signal; to be called as a handler, in the main thread."""
        now = time.monotonic()
        if self._woken:
            self._woken = False
            if not self._raised:
                self._raise()
        elif self._number is None and not self._over:
            self._number, self._first, self._last = number, now, now
            if not self._watched() or not self._held:
                self._raise()
        elif self._number is None or now - self._last >= _SAME:
            self._last = now
            if self._over or (self._raised and self._for_good):
                self._end(number)
            self._raise()

    def due(self) -> None:
        """Raise what another thread has put off, or other people's code has swallowed."""
        if self._number is not None:
            self._raise()

    def over(self) -> None:
        """There is nothing left to unwind: from now on a signal ends the process at once, and nothing is put off."""
        self._over = self._for_good
        if not self._for_good:
            self._number = None  # the thread has nothing more to wait for

    def _in_main(self) -> bool:
        return _thread.get_ident() == self._main

    def _raise(self) -> NoReturn:
        self._raised = True
        raise _EXCEPTIONS[self._number or signal.SIGINT]

    def _stop_here(self) -> None:
        """Begin nothing that must not be broken off: raise, or in another thread wait for the end."""
        if self._in_main():
            self._raise()
        while self._number is not None:
            time.sleep(_LOOK)

    def _watched(self) -> bool:
        """Whether there is a thread that sees to the end from now on."""
        try:
            # Not `threading.Thread`: its start takes a lock that the interrupted code may hold.
            _thread.start_new_thread(self._watch, ())
        except RuntimeError:
            return False
        return True

    def _watch(self) -> None:
        while self._held and not self._raised and time.monotonic() < self._first + _PATIENCE:
            time.sleep(_LOOK)
        # What the main thread held, it ended itself.
        if not self._raised and self._number is not None:
            self._woken = True
            self._wake(self._number)
        while (left := self._first + _LIMIT - time.monotonic()) > 0 and self._number is not None:
            time.sleep(min(left, 10 * _LOOK))
        if self._number is not None and self._for_good:
            self._end(self._number)

    def _wake(self, number: int) -> None:
        """Have the handler called in the main thread, also when that waits."""
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(self._main, number)
        else:
            _thread.interrupt_main(signal.Signals(number))

    def _end(self, number: int) -> NoReturn:
        """End the process now. Another thread tidies up, as that may wait for what this one holds; not for long."""
        done: list[None] = []

        def tidy() -> None:
            if self._terminal is not None:
                with suppress(OSError):
                    self._terminal.restore()
            with suppress(BaseException):
                atexit._run_exitfuncs()  # temporary files
            done.append(None)

        try:
            _thread.start_new_thread(tidy, ())
            end = time.monotonic() + _TIDYING
            while not done and time.monotonic() < end:
                time.sleep(_LOOK / 10)
        finally:
            os._exit(128 + number)


@contextmanager
def handled(*, for_good: bool) -> Iterator[Signals]:
    """The signals of a run, from here on. With `for_good` the process ends with the run; else all is as before then.

    A signal that was ignored when the process began stays so: a shell asks for that with `nohup` and `&`.
    """
    signals = Signals(for_good=for_good)
    before: dict[int, Any] = {}
    # Outside the main thread it is somebody else's program, and their signals.
    with suppress(ValueError):
        for number in _EXCEPTIONS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, signals.handle)
    try:
        yield signals
    finally:
        signals.over()
        if not for_good:
            for number, handler in before.items():
                signal.signal(number, handler)


def _terminal() -> Terminal | None:
    """The terminal among the standard streams."""
    number = next(filter(os.isatty, (0, 1, 2)), None)
    try:
        return None if number is None else Terminal(number)
    except (ImportError, OSError):
        return None
