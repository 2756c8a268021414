"""The profile commands: list, show, check and write profiles."""

from __future__ import annotations

import click

from ...group import Entry, LazyGroup

_HERE = "forge_cli.cli.commands.profile"

COMMANDS = {
    "add": Entry(f"{_HERE}.add:add", "Write a ready profile from a recipe, or from curl commands."),
    "init": Entry(f"{_HERE}.init:init", "Write a new profile, and say what to run next."),
    "list": Entry(f"{_HERE}.listing:list_", "List the profiles of the file in use."),
    "show": Entry(f"{_HERE}.showing:show", "Show what a profile comes to, and where each value is from."),
    "validate": Entry(f"{_HERE}.checking:validate", "Report every problem of every profile."),
    "schema": Entry(f"{_HERE}.schema:schema", "Print a JSON Schema of profile files, for an editor."),
    "path": Entry(f"{_HERE}.checking:path", "Print the path of the profile file in use."),
}


@click.group(cls=LazyGroup, entries=COMMANDS, short_help="List, show, check and write profiles.")
def profile() -> None:
    """List, show, check and write profiles.

    \b
      forge profile add --list              ready profiles for named APIs
      forge profile add --from github-app   write one of them, with questions
      forge profile init                    write one of your own, with questions
      forge profile list                    what there is
      forge profile show prod               each value, and where it is from
      forge profile validate                every problem of the file
      ${EDITOR:-vi} "$(forge profile path)"   change it
    """
