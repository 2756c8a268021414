"""What of an exchange is shown, and how: decided once, by the options and by what standard output is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...errors import UsageError
from ...frozen import immutable_by_name
from . import FORMATS, SELECTORS
from .auto import streams
from .content import Look
from .text import Stream, color_wanted

PARTS = {"H": "request head", "B": "request body", "h": "response head", "b": "response body", "m": "metadata"}

# Formats that make something else of the body: its head would be in the way.
_ALONE = ("exchange",)
# Formats that are made of the whole body.
_WHOLE = ("exchange", "yaml")
# Cut off in the middle they would say something else, or nothing.
_UNCUT = (*_WHOLE, "table")
MOST_SHOWN = 10 * 1024 * 1024


@immutable_by_name
class OutputOptions:
    """What the options of output say, as given."""

    output: str | None = None
    parts: str | None = None
    headers_only: bool = False
    body_only: bool = False
    meta_only: bool = False
    pretty: str | None = None
    format: str | None = None
    select: str | None = None
    stream: bool = False
    verbose: int = 0


@immutable_by_name
class Shown:
    """What is shown of an exchange.

    `parts` are letters of `PARTS`. `exact`: the body goes out byte for byte. `limit` is how much of it is shown.
    """

    parts: str
    exact: bool
    look: Look
    format: str
    select: Callable[[Any], Any] | None
    limit: int | None
    terminal: bool

    def __contains__(self, part: str) -> bool:
        return part in self.parts

    def whole(self, kind: str) -> bool:
        """Whether a whole body of this type has to be in memory first."""
        return self.format in _WHOLE or (self.select is not None and not streams(kind))


def decide(options: OutputOptions, stdout: Stream, environ: Mapping[str, str], width: int) -> Shown:
    """What to show. UsageError for options that say nothing or contradict each other."""
    terminal = options.output is None and stdout.isatty()
    asked = options.pretty or "auto"
    chosen = _chosen(options)
    wanted = color_wanted(None if options.output else stdout, environ)
    stated = options.pretty is not None or chosen is not None
    color = asked in ("all", "colors") or (asked == "auto" and wanted and (terminal or stated))
    layout = asked in ("all", "format") or (asked == "auto" and terminal)
    shape = options.format or "auto"
    if shape == "json" and asked == "auto":
        layout = True
    FORMATS.load(shape)
    exact = not (terminal or layout or color or options.select or options.format)
    default = "hb" if terminal and not (options.verbose or options.select or shape in _ALONE) else "b"
    return Shown(
        parts=chosen or default,
        exact=exact,
        look=Look(
            layout=layout,
            color=color,
            safe=terminal or color,
            lines=options.stream,
            width=width if terminal else None,
        ),
        format=shape,
        select=SELECTORS.load("--select")(options.select) if options.select is not None else None,
        # What is made of the whole body cannot be made of its beginning.
        limit=MOST_SHOWN if terminal and not (options.stream or options.select or shape in _UNCUT) else None,
        terminal=terminal,
    )


def _chosen(options: OutputOptions) -> str | None:
    """The letters that were asked for; None: none."""
    unknown = set(options.parts or "") - set(PARTS)
    if unknown or options.parts == "":
        letters = ", ".join(f"{letter} ({name})" for letter, name in PARTS.items())
        raise UsageError(f"--print {options.parts!r} is not made of the letters {letters}", hint="as in --print Hhb")
    short = (("h", options.headers_only), ("b", options.body_only), ("m", options.meta_only))
    letters = (options.parts or "") + "".join(letter for letter, given in short if given)
    return "".join(letter for letter in PARTS if letter in letters) or None
