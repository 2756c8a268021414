"""The token commands: show, renew, use and forget tokens, and say what a login would do."""

from __future__ import annotations

import click

from .execute import exec_
from .explain import explain
from .renew import login, refresh
from .show import show
from .status import status
from .stored import clear, list_


@click.group(short_help="Show, renew, use and forget tokens.")
def token() -> None:
    """Show, renew, use and forget tokens.

    \b
      forge token show                      what is stored, masked
      forge token show --raw                the token alone, renewed if need be
      curl -H "$(forge token show --header)" https://api.example.com/users
      forge token exec -- ./deploy.sh       $FORGE_TOKEN in its environment
      forge token login                     log in with a browser, a code or a password
    """


for command in (show, refresh, login, status, list_, clear, exec_, explain):
    token.add_command(command)
