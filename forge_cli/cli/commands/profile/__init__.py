"""The profile commands: list, show, check and write profiles."""

from __future__ import annotations

import click

from .add import add
from .checking import path, validate
from .init import init
from .listing import list_
from .schema import schema
from .showing import show


@click.group(short_help="List, show, check and write profiles.")
def profile() -> None:
    """List, show, check and write profiles.

    \b
      forge profile add --list              ready profiles for named APIs
      forge profile add gh --from github-app  write one of them, with questions
      forge profile init                    write a profile of your own, with questions
      forge profile list                    what there is
      forge profile show prod               what a profile comes to, and where each value is from
      forge profile validate                every problem of the file
      ${EDITOR:-vi} "$(forge profile path)"   change it
    """


for command in (list_, show, validate, schema, path, init, add):
    profile.add_command(command)
