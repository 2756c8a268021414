"""Where the `forge` command begins, and where it ends."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from contextlib import suppress
from typing import NoReturn

# Imports make objects that all stay. Looking through them again and again took a twelfth of a start.
_YOUNG_OBJECTS = 50_000


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        # Imported here so that `import forge_cli.__main__` alone costs nothing, and Ctrl-C may come already.
        from .cli.app import main as run
    except KeyboardInterrupt:
        return 130
    return run()


def command() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    gc.set_threshold(_YOUNG_OBJECTS)
    end(main())


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
            with suppress(OSError, ValueError):
                stream.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    command()
