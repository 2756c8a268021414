"""Where the `forge` command begins, and where it ends."""

from __future__ import annotations

import atexit
import gc
import os
import sys

TYPE_CHECKING = False  # typing takes longer to import than a remembered answer to give
if TYPE_CHECKING:
    import signal as _signal
    from typing import NoReturn
else:
    import _signal  # there already; what `signal` adds takes four times as long as all else here

# Imports make objects that all stay. Looking through them again and again took a twelfth of a start.
_YOUNG_OBJECTS = 50_000


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        # Imported here so that `import forge_cli.__main__` alone costs nothing, and Ctrl-C may come already.
        from .cli.app import main as run

        return run()
    except KeyboardInterrupt:
        return 130


def command() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    stoppable()
    gc.set_threshold(_YOUNG_OBJECTS)
    end(0 if recalled(sys.argv[1:]) else main())


def stoppable() -> None:
    """Let SIGINT and SIGTERM end the process until the command line takes them over: nothing is to be undone yet.

    Python would show where it was at. What the process was told to ignore stays ignored.
    """
    for number, usual in ((_signal.SIGINT, _signal.default_int_handler), (_signal.SIGTERM, _signal.SIG_DFL)):
        if _signal.getsignal(number) == usual:
            _signal.signal(number, lambda number, frame: os._exit(128 + number))


def recalled(arguments: list[str]) -> bool:
    """Whether this is a command whose last answer still holds: then it was printed, without the command line."""
    if "token" not in arguments or "show" not in arguments or sys.stdout is None:
        return False
    try:
        # Others need none of it.
        from .cli.recall import answer

        text = answer(arguments, os.environ)
        # What cannot be written is told by the command line, which tries it once more.
        return text is not None and os.write(sys.stdout.fileno(), text) == len(text)
    except (OSError, ValueError):
        return False


def end(code: int) -> NoReturn:
    """End the process at once: taking every module apart took a sixth of a short command, and closes nothing more.

    Under `python -X dev` it is done all the same, since that is how Python finds what was left open.
    """
    if sys.flags.dev_mode:
        sys.exit(code)
    try:
        atexit._run_exitfuncs()
        # What standard output could not take was told by now, and standard error has nobody to tell.
        for stream in (sys.stdout, sys.stderr):
            try:  # noqa: SIM105  # contextlib is not needed for anything else that early
                stream.flush()
            except (OSError, ValueError, AttributeError):
                pass
    finally:
        os._exit(code)


if __name__ == "__main__":
    command()
