"""What `forge token show` prints is remembered, where all that it depends on is known."""

from __future__ import annotations

import math

from ....models import TokenData
from ....profiles.build import Profile
from ....profiles.load import PROJECT_FILE, current_directory
from ....tokens.storage.file import FileTokenStorage
from ...context import Context
from ...recall import Watch
from .chosen import Meant


class Recollection:
    """One answer in the making. It begins before the profile is read, since what is read must be what was looked at."""

    def __init__(self, context: Context) -> None:
        self._context = context
        source, cwd = context.source, current_directory()
        searched = source.named_by == "user" and not context.no_project
        absent = [str(folder / PROJECT_FILE) for folder in (cwd, *cwd.parents)] if searched else []
        self._watch = Watch(context.arguments, context.environ, absent)
        self._watch.file(str(source.path))

    def read(self, each: Meant) -> None:
        """Say that this step's token is going to be read."""
        storage = each.login.pipeline.storage
        if isinstance(storage, FileTokenStorage):
            self._watch.file(str(self._context.config_dir / "state" / "digest.key"))
            self._watch.file(str(storage.path))

    def keep(self, profile: Profile, each: Meant, token: TokenData, text: str) -> None:
        """Remember the text, unless it depends on what no file, variable or word of the command line says."""
        storage, pipeline = each.login.pipeline.storage, each.login.pipeline
        if (
            isinstance(storage, FileTokenStorage)
            and self._context.source.named_by != "project"
            and not self._context.said
            and each.step.cache == "store"
            and each.login.challenges is None
            and len(profile.logins) == 1
            and each.login.name == profile.name
            and not profile.reads_netrc
            and not profile.secrets.asked
        ):
            until = pipeline.usable_until(each.name)
            self._watch.keep(
                text, token.access_token, str(storage.path), math.inf if until is None else until.timestamp()
            )
