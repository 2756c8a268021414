"""The token commands: show, renew, use and forget tokens, and say what a login would do."""

from __future__ import annotations

import click

from ...group import Entry, LazyGroup

_HERE = "forge_cli.cli.commands.token"

COMMANDS = {
    "show": Entry(f"{_HERE}.show:show", "Show what is stored."),
    "refresh": Entry(f"{_HERE}.renew:refresh", "Renew tokens now, with the refresh token where there is one."),
    "login": Entry(f"{_HERE}.renew:login", "Do now what needs a person: a browser, a code, a password."),
    "status": Entry(
        f"{_HERE}.status:status", "Say whether a request could be authenticated without a person: exit 0, else 7."
    ),
    "list": Entry(f"{_HERE}.stored:list_", "List every stored token, of all profiles."),
    "clear": Entry(
        f"{_HERE}.stored:clear", "Forget tokens: of the profile, or of one step and all that was made from it."
    ),
    "exec": Entry(
        f"{_HERE}.execute:exec_", "Run a command with the token in its environment, and end with its exit code."
    ),
    "explain": Entry(
        f"{_HERE}.explain:explain", "Show the login as a tree: each step, its token, and what a request would do now."
    ),
}


@click.group(cls=LazyGroup, entries=COMMANDS, short_help="Show, renew, use and forget tokens.")
def token() -> None:
    """Show, renew, use and forget tokens.

    \b
      forge token show                      what is stored, masked
      forge token show --raw                the token alone, renewed if need be
      curl -H "$(forge token show --header)" https://api.example.com/users
      forge token exec -- ./deploy.sh       $FORGE_TOKEN in its environment
      forge token login                     log in by browser, code or password
    """
