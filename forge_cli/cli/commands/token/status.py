"""`forge token status`: whether a request could go out now."""

from __future__ import annotations

from collections.abc import Mapping

import click

from ....errors import ForgeError
from ....login.login import Login
from ....tokens.pipeline import StepState
from ....tokens.step import again
from ...context import Context
from ...exit_codes import ExitCode, cause_of
from ...failure import Failure
from ...group import Sectioned
from ...options import global_options, pass_context, silent
from ...output.tokens import moment
from .chosen import JSON, answering, due, meant, unasked
from .printing import print_json

_SENDS = ("log in", "refresh")
_PERHAPS = "log in if needed"


@click.command(cls=Sectioned)
@JSON
@silent
@global_options
@pass_context
def status(context: Context, /, as_json: bool) -> int:
    """Say whether a request could be authenticated without a person: exit 0, else 7. Sends nothing.

    \b
      forge token status
      forge token status || forge token login
    """
    profile = context.profile(person=False)
    parts = [part for login in profile.logins for part in answering(login)]
    states = [(login, login.pipeline.states()) for login in parts]
    trouble = next((found for login, state in states if (found := _trouble(login, state)) is not None), None)
    if as_json:
        # By label: what needs no challenge is the same for each.
        steps = {
            label: {
                "step": label,
                "would": state.would,
                "expires": moment(state.token.expires_at) if state.token else None,
            }
            for login, found in states
            for name, state in found.items()
            for label in (meant(profile, login, name).label,)
        }
        whole = {"profile": profile.name, "ready": trouble is None, "reason": trouble, "steps": list(steps.values())}
        print_json(context, whole)
    elif trouble is None:
        due_now = [meant(profile, login, name) for login, found in states for name in due(login, found)]
        found_by = {id(login): found for login, found in states}
        runs = [m.label for m in due_now if not unasked(m) and found_by[id(m.login)][m.name].would in _SENDS]
        told = ", ".join(dict.fromkeys(runs))
        context.stdout.write("ready" + (f", after renewing {told}" if told else "") + "\n")
    else:
        message, _, hint = trouble.partition("\n  ")
        context.fail(Failure(exit=ExitCode.LOGIN_REFUSED, kind="needs-person", message=message, hint=hint))
    return ExitCode.SUCCESS if trouble is None else ExitCode.LOGIN_REFUSED


def _trouble(login: Login, states: Mapping[str, StepState]) -> str | None:
    """What keeps a request from being authenticated without a person, if anything."""
    for name in due(login, states):
        if states[name].would == "ask":
            return f"step '{name}' has a side effect, and is not run again unasked\n  {again(login.steps[name])}"
        # Of a condition that cannot be known yet, the worst is expected.
        if states[name].would in (*_SENDS, _PERHAPS, "compute"):
            try:
                login.steps[name].preflight(refreshing=states[name].would == "refresh")
            except ForgeError as exc:
                said = cause_of(exc).message
                named = said if said.startswith(f"step '{name}' ") else f"step '{name}': {said}"
                return named + (f"\n  {exc.hint}" if exc.hint else "")
    return None
