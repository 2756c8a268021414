"""What a command works with: the global options, the streams, the profile, and who is told what."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TextIO

from ..errors import ProfileError, UsageError
from ..files import config_dir
from ..hooks import Listener
from ..profiles.build import Profile
from ..profiles.load import Document, ProfileSettings, Source, find, load_document, profile, select
from ..redact import REDACTOR
from .output.text import visible


@dataclass
class Context:
    """One run of the command. Global options may come before or after the command's name."""

    program: str = "forge"
    profile_name: str | None = None
    config: str | None = None
    no_project: bool = False
    variables: dict[str, str] = field(default_factory=dict)
    no_input: bool = False
    debug: bool = False
    silent: int = 0
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    stdin: TextIO | None = field(default_factory=lambda: sys.stdin)
    stdout: TextIO = field(default_factory=lambda: sys.stdout)
    stderr: TextIO = field(default_factory=lambda: sys.stderr)
    resources: ExitStack = field(default_factory=ExitStack)
    """What is open until the command ends."""
    _stdin_reader: str | None = None

    @cached_property
    def source(self) -> Source:
        """The profile file, which need not exist."""
        return find(self.config, self.environ, Path.cwd(), self.no_project)

    @cached_property
    def document(self) -> Document:
        """The profile file, parsed. ProfileError when it is not there or does not parse."""
        return load_document(self.source.path)

    @cached_property
    def config_dir(self) -> Path:
        """The user configuration directory."""
        return config_dir(self.environ)

    def settings(self) -> ProfileSettings:
        """The chosen profile as the file says it."""
        name = select(self.document, self.profile_name, self.environ)
        return profile(self.document, name, overrides_vars=self.variables)

    def profile(self, *, listener: Listener | None = None, strict: bool = False) -> Profile:
        """The chosen profile, ready for use."""
        return self._ready(self.settings(), listener, strict)

    def profile_if_any(self, *, listener: Listener | None = None) -> Profile | None:
        """The chosen profile, or None when none is named and there is no default: an absolute URL needs none."""
        if not self._named and not self.source.path.exists() and self.source.named_by == "user":
            self._refuse_variables()
            return None
        if not self._named and not _has_default(self.document):
            self._refuse_variables()
            return None
        return self._ready(self.settings(), listener, strict=False)

    def notice(self, text: str) -> None:
        """Tell the person something that is not the answer; `-s` leaves it out."""
        if not self.silent:
            self.warn(text)

    def error(self, text: str) -> None:
        """Say why the command failed; `-ss` leaves it out."""
        if self.silent < 2:
            self.warn(text)

    def warn(self, text: str) -> None:
        """Tell the person something that nothing silences."""
        self._tell(f"{self.program}: {visible(REDACTOR.text(text))}\n")

    def end_line(self) -> None:
        """End the line in which a terminal shows `^C`."""
        if _is_terminal(self.stderr):
            self._tell("\n")

    def read_stdin(self, reader: str) -> bytes:
        """All of standard input, for the one `reader` that asks for it. UsageError for a second, and when it is closed."""
        if self.stdin is None:
            raise UsageError(f"{reader}: standard input is closed", hint="give it by a file: @FILE")
        if self._stdin_reader is not None:
            raise UsageError(
                f"{self._stdin_reader} and {reader} both read standard input", hint="give one of them by a file: @FILE"
            )
        self._stdin_reader = reader
        content: bytes = getattr(self.stdin, "buffer", self.stdin).read()
        return content

    @property
    def interactive(self) -> bool:
        """Whether somebody can be asked: a terminal, and neither `--no-input` nor CI forbids it."""
        off = self.no_input or any(
            self.environ.get(name, "").lower() not in ("", "0", "false") for name in ("FORGE_NO_INPUT", "CI")
        )
        return not off and _is_terminal(self.stdin) and _is_terminal(self.stderr)

    def ask(self, text: str) -> str:
        """Ask for a secret on the terminal, without echo. UsageError when the person ends the input instead."""
        try:
            return getpass.getpass(f"{text}: ", self.stderr)
        except EOFError:
            self.end_line()
            raise UsageError("nothing was entered", hint="type it when asked") from None

    @property
    def _named(self) -> bool:
        return bool(self.profile_name or self.environ.get("FORGE_PROFILE"))

    def _ready(self, settings: ProfileSettings, listener: Listener | None, strict: bool) -> Profile:
        prompt: Callable[[str], str] | None = self.ask if self.interactive else None
        return Profile(
            settings, environ=self.environ, prompt=prompt, notice=self.notice, listener=listener, strict=strict
        )

    def _refuse_variables(self) -> None:
        if self.variables:
            raise UsageError("--var goes with a profile, and none is chosen", hint="choose one: --profile NAME")

    def _tell(self, text: str) -> None:
        # A notice that nobody can read is no reason to fail.
        with suppress(OSError, ValueError):
            self.stderr.write(text)
            self.stderr.flush()


def _is_terminal(stream: Any) -> bool:
    try:
        return stream is not None and bool(stream.isatty())
    except ValueError:
        return False


def _has_default(document: Document) -> bool:
    try:
        select(document, None, {})
    except ProfileError:
        return False
    return True
