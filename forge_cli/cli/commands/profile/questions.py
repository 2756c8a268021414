"""Questions on the terminal, and what stands for the answers where nobody can be asked."""

from __future__ import annotations

from collections.abc import Callable

from ....errors import UsageError
from ....redact import REDACTOR
from ...context import Context
from ...output.text import visible_line


def answer(
    context: Context,
    option: str,
    given: str | None,
    question: str,
    trouble: Callable[[str], str | None],
    default: str | None = None,
) -> str:
    """What was given, else what a person says, else the default. UsageError names the option to give."""
    if given is not None:
        if said := trouble(given):
            raise UsageError(f"{option} {REDACTOR.url(given)}: {said}", hint=f"give another {option}")
        return given
    if not context.interactive:
        if default is None:
            raise UsageError(f"{option} is missing, and nobody can be asked", hint=f"give {option}, or use a terminal")
        return default
    while True:
        line = read_line(context, option, f"{visible_line(question)}{f' [{default}]' if default else ''}: ")
        if not (said := trouble(line or default or "")):
            return line or default or ""
        context.stderr.write(f"  {visible_line(said)}\n")


def read_line(context: Context, option: str, question: str) -> str:
    """A line that a person enters. UsageError at the end of the input."""
    context.stderr.write(question)
    context.stderr.flush()
    line = context.stdin.readline() if context.stdin is not None else ""
    if not line:
        context.stderr.write("\n")
        raise UsageError(f"{option} is missing, and the input has ended", hint=f"answer, or give {option}")
    return line.strip()
