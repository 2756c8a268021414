"""Print the profile format as a JSON Schema."""

from __future__ import annotations

import click

from ....profiles.json_schema import schema as made
from ...context import Context
from ...group import Sectioned
from ...options import global_options, pass_context, silent
from .printing import print_json


@click.command(cls=Sectioned)
@silent
@global_options
@pass_context
def schema(context: Context) -> int:
    """Print a JSON Schema of profile files, for an editor.

    \b
      forge profile schema > profiles.schema.json
      #:schema ./profiles.schema.json           the first line of the profile file

    Editors that know TOML and JSON Schema then complete the keys, explain them, and mark what is wrong.
    """
    return print_json(context, made())
