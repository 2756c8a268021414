"""The token commands: show, renew, use and forget tokens, and say what a login would do."""

from __future__ import annotations

import click

from ...group import Entry, LazyGroup

_HERE = "forge_cli.cli.commands.token"

COMMANDS = {
    "show": Entry(f"{_HERE}.show:show", "Show what is stored; --raw, --header and --env renew first."),
    "refresh": Entry(f"{_HERE}.renew:refresh", "Renew tokens now, with the refresh token where there is one."),
    "login": Entry(f"{_HERE}.renew:login", "Log in now: with a browser, a code or what you type."),
    "status": Entry(f"{_HERE}.status:status", "Say whether a request could be authenticated without a person."),
    "list": Entry(f"{_HERE}.stored:list_", "List every stored token, of all profiles."),
    "clear": Entry(f"{_HERE}.stored:clear", "Forget tokens, and with --revoke give them back to the server."),
    "exec": Entry(f"{_HERE}.execute:exec_", "Run a command with the token in its environment."),
    "explain": Entry(f"{_HERE}.explain:explain", "Show the login as a tree; --trace runs it."),
}


@click.group(cls=LazyGroup, entries=COMMANDS, short_help="Show, renew, use and forget tokens.")
def token() -> None:
    """Show, renew, use and forget tokens.

    \b
      forge token show                      what is stored, masked
      forge token show --raw                the token alone, renewed if need be
      curl -H "$(forge token show --header)" https://api.example.com/users
      forge token exec -- ./deploy.sh       $FORGE_TOKEN in its environment
      forge token login                     log in with a browser, a code or a password
    """
