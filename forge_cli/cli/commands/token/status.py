"""`forge token status`: whether a request could go out now."""

from __future__ import annotations

from collections.abc import Mapping

import click

from ....errors import ForgeError
from ....login.login import Login
from ....tokens.pipeline import StepState
from ...context import Context
from ...exit_codes import ExitCode, cause_of
from ...options import global_options, pass_context, silent
from ...output.tokens import moment
from .chosen import JSON, due, meant
from .printing import print_json

_SENDS = ("log in", "refresh")


@click.command()
@JSON
@silent
@global_options
@pass_context
def status(context: Context, /, as_json: bool) -> int:
    """Say whether a request could be authenticated without a person: exit 0, else 7. Sends nothing."""
    profile = context.profile(person=False)
    states = [(login, login.pipeline.states()) for login in profile.logins]
    trouble = next((found for login, state in states if (found := _trouble(login, state)) is not None), None)
    if as_json:
        steps = [
            {
                "step": meant(profile, login, name).label,
                "would": state.would,
                "expires": moment(state.token.expires_at) if state.token else None,
            }
            for login, found in states
            for name, state in found.items()
        ]
        print_json(context, {"profile": profile.name, "ready": trouble is None, "reason": trouble, "steps": steps})
    elif trouble is None:
        runs = [name for login, found in states for name in due(login, found) if found[name].would in _SENDS]
        context.stdout.write("ready" + (f", after renewing {', '.join(runs)}" if runs else "") + "\n")
    else:
        context.error(trouble)
    return ExitCode.SUCCESS if trouble is None else ExitCode.LOGIN_REFUSED


def _trouble(login: Login, states: Mapping[str, StepState]) -> str | None:
    """What keeps a request from being authenticated without a person, if anything."""
    for name in due(login, states):
        if states[name].would == "ask":
            return f"step '{name}' has a side effect, and is not run again unasked\n  run `forge token login`"
        if states[name].would in (*_SENDS, "compute"):
            try:
                login.steps[name].preflight(refreshing=states[name].would == "refresh")
            except ForgeError as exc:
                return f"step '{name}': {cause_of(exc).message}" + (f"\n  {exc.hint}" if exc.hint else "")
    return None
