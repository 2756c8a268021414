"""Write a ready profile: from a recipe, or from cURL commands."""

from __future__ import annotations

import click

from ....errors import UsageError
from ....profiles.load import current_directory
from ...completers import completed
from ...context import Context
from ...group import Sectioned
from ...options import global_options, pass_context, silent
from .from_curl import write_steps
from .from_recipe import write_profile
from .printing import JSON
from .recipes import list_recipes, show_recipe


@click.command(cls=Sectioned, short_help="Write a ready profile from a recipe, or from curl commands.")
@click.argument("name", required=False)
@click.argument("commands", nargs=-1, metavar="[CURL]...")
@click.option(
    "--from",
    "source",
    metavar="RECIPE",
    shell_complete=completed("recipe"),
    help="The recipe: its name, or a file such as ./my.toml.",
)
@click.option("--set", "places", multiple=True, metavar="SECRET=PLACE", help="Where a secret is, such as env:NAME.")
@click.option("--from-curl", "curl", is_flag=True, help="Make a login of curl commands; `-` reads them.")
@click.option("--extract", "extracts", multiple=True, metavar="[STEP.]NAME=POINTER", help="An output of a step.")
@click.option("--list", "listing", is_flag=True, help="List the recipes.")
@click.option("--show", "shown", metavar="RECIPE", shell_complete=completed("recipe"), help="Print a recipe.")
@JSON
@silent
@global_options
@pass_context
def add(
    context: Context,
    name: str | None,
    commands: tuple[str, ...],
    source: str | None,
    places: tuple[str, ...],
    curl: bool,
    extracts: tuple[str, ...],
    listing: bool,
    shown: str | None,
    as_json: bool,
) -> int:
    """Write a ready profile for a named API, and say how to log in.

    \b
      forge profile add --list
      forge profile add --show github-app
      forge profile add gh --from github-app
      forge profile add gh --from github-app --set private_key=env:APP_KEY

    On a terminal it asks for what is not given; FORGE_VAR_APP_ID stands for --var app_id. A secret is never
    asked for, only where it is: env:NAME, file:PATH, file:PATH#/json/pointer, keyring:SERVICE/USER,
    "command:PROGRAM ARGUMENTS" or prompt. Recipes of your own are *.toml in the folder `recipes` beside your
    profiles.

    \b
      forge profile add shop --from-curl --extract step1.token=/token \\
        'curl https://id.example.com/login -d user=ada -d password=$PASSWORD' \\
        'curl https://api.example.com/users -H "X-Token: ${steps.step1.token}"'

    Each command becomes a step of the login; one that comes last and sends a step's token as its credential says where
    the API is, where the token goes, and what to try next. Secrets become variables to set. Without commands they are
    read from standard input.
    """
    given = {"--from": source is not None, "--from-curl": curl, "--list": listing, "--show": shown is not None}
    chosen = [option for option, there in given.items() if there]
    if len(chosen) > 1:
        raise UsageError(f"{' and '.join(chosen)} do not go together", hint="give one of them")
    if chosen != ["--from"] and chosen and places:
        raise UsageError(f"--set does not go with {chosen[0]}", hint="leave it out")
    if (commands or extracts) and not curl:
        what = "--extract" if extracts else "a second argument"
        raise UsageError(f"{what} goes with --from-curl", hint="`forge profile add --help` has examples")
    if as_json and not listing:
        raise UsageError("--json goes with --list", hint="leave it out")
    if listing:
        return list_recipes(context, as_json)
    if shown is not None:
        return show_recipe(context, shown, current_directory())
    if curl:
        return write_steps(context, name, commands, extracts)
    return write_profile(context, name, source, places)
