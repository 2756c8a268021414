"""A run of a command that works with profiles: which file, which profile."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import StorageError, UsageError
from ..events import Listener
from ..files import config_dir
from ..models import Deadline
from ..profiles.build import Profile
from ..profiles.load import (
    Document,
    ProfileSettings,
    Source,
    current_directory,
    default,
    find,
    opened,
    profile,
    select,
)
from ..registry import Registry
from .output.text import color_wanted
from .run import Run

if TYPE_CHECKING:
    from .person import Terminal

_PERSON = Registry("person", {"terminal": "forge_cli.cli.person:Terminal"})


class Context(Run):
    """What a command works with: the run, and the profile that its options and the environment choose."""

    @classmethod
    def of(cls, run: Run) -> Context:
        """The context of a run, once all its options are known."""
        context = cls.__new__(cls)
        vars(context).update(vars(run))
        return context

    @cached_property
    def source(self) -> Source:
        """The profile file, which need not exist."""
        return find(self.config, self.environ, current_directory(), self.no_project)

    @cached_property
    def document(self) -> Document:
        """The profile file, parsed. ProfileError when it is not there or does not parse."""
        left = None if self.deadline is None else max(0.0, self.deadline.remaining())
        return opened(self.source, notice=self.notice, seconds=left)

    @cached_property
    def config_dir(self) -> Path:
        """The user configuration directory."""
        return config_dir(self.environ)

    def settings(self) -> ProfileSettings:
        """The chosen profile as the file says it."""
        name = select(self.document, self.profile_name, self.environ)
        return profile(self.document, name, overrides_vars=self.variables)

    def profile(
        self,
        *,
        listener: Listener | None = None,
        strict: bool = False,
        person: bool = True,
        browser: bool = True,
        kind: type[Profile] = Profile,
        timeout: float | None = None,
        retries: int | None = None,
    ) -> Profile:
        """The chosen profile, ready for use. Without `person` nobody is asked, without `browser` none is opened.

        `timeout` and `retries` are what the command says instead of the profile.
        """
        somebody = self.person(browser=browser) if person else None
        return self._ready(self.settings(), listener, strict, somebody, kind, timeout, retries)

    def person(self, *, browser: bool = True) -> Terminal | None:
        """Whoever sits at the terminal; None when there is none, or input is off."""
        if not self.interactive:
            return None
        terminal: type[Terminal] = _PERSON.load("terminal")
        return terminal(self, browser=browser, color=color_wanted(self.stderr, self.environ))

    def profile_if_any(
        self, *, listener: Listener | None = None, timeout: float | None = None, retries: int | None = None
    ) -> Profile | None:
        """The chosen profile, or None when none is named and there is no default: an absolute URL needs none."""
        if self._named or self._has_default():
            return self._ready(self.settings(), listener, False, self.person(), Profile, timeout, retries)
        if self.variables:
            raise UsageError("--var goes with a profile, and none is chosen", hint="choose one: --profile NAME")
        return None

    @property
    def _named(self) -> bool:
        return bool(self.profile_name or self.environ.get("FORGE_PROFILE"))

    def _ready(
        self,
        settings: ProfileSettings,
        listener: Listener | None,
        strict: bool,
        person: Terminal | None,
        kind: type[Profile],
        timeout: float | None,
        retries: int | None,
    ) -> Profile:
        limit = settings.table.limits.total if timeout is None else timeout
        return kind(
            settings.retried(self.retries if retries is None else retries),
            environ=self.environ,
            person=person,
            notice=self.notice,
            listener=listener,
            strict=strict,
            deadline=None if limit is None else Deadline(limit),
            ending=self.ending,
        )

    @property
    def retries(self) -> int | None:
        """What FORGE_RETRY says. UsageError when that is no number."""
        text = self.environ.get("FORGE_RETRY")
        if not text:
            return None
        if re.fullmatch("[0-9]{1,6}", text) is None:
            raise UsageError(f"FORGE_RETRY is {text!r}, not a whole number", hint="FORGE_RETRY=0 turns retries off")
        return int(text)

    def _has_default(self) -> bool:
        """Whether there is a profile without one being named. A place for profiles need not even exist."""
        try:
            if self.source.named_by == "user" and not self.source.path.exists():
                return False
        except StorageError:  # no home directory
            return False
        return default(self.document) is not None
