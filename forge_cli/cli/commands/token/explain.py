"""`forge token explain`: the login as a tree, or as it runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from ....errors import UsageError
from ....login.login import Login
from ....profiles.build import Profile
from ....tokens.pipeline import StepState
from ...context import Context
from ...options import global_options, pass_context, silent
from ...output.text import color_wanted
from ...output.tokens import expiry, tree
from ...trace import Trace
from .chosen import JSON, TIMEOUT, deadline_of, due, meant, warned
from .printing import print_json


@click.command()
@JSON
@click.option("--trace", is_flag=True, help="Run it, and show each step's request, answer, time and outputs, masked.")
@TIMEOUT
@silent
@global_options
@pass_context
def explain(context: Context, /, as_json: bool, trace: bool, timeout: float | None) -> int:
    """Show the login as a tree: each step, its token, and what a request would do now. Sends nothing.

    \b
      forge token explain                   what a request would do now
      forge token explain --trace           do it, and see every request and answer
    """
    if trace:
        if as_json:
            raise UsageError("--json and --trace cannot go together", hint="choose one")
        return _traced(context, timeout)
    profile = context.profile()
    rows = [row for login in profile.logins for row in _rows(profile, login)]
    if as_json:
        return print_json(context, {"profile": profile.name, "steps": rows})
    targets = [row["step"] for row in rows if row["injected"]]
    lines = tree(rows, targets) or [f"profile {profile.name!r} logs in by no steps"]
    context.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def _rows(profile: Profile, login: Login) -> list[dict[str, Any]]:
    """What there is to say of each step of a login."""
    states = login.pipeline.states()
    needed, runs = set(login.pipeline.closure(login.targets)), due(login, states)

    def labels(names: Iterable[str]) -> list[str]:
        return [meant(profile, login, name).label for name in names]

    return [
        {
            "step": labels([name])[0],
            "kind": step.table.kind,
            "needs": labels(step.needs),
            # What is not kept beyond one renewal cannot end anything.
            "unbound": labels(sorted(step.unbound | {n for n in step.needs if login.steps[n].cache == "none"})),
            "state": _state(states[name], step.cache, stored=step.stored),
            "would": _would(states[name].would, needed=name in needed, due=name in runs),
            "injected": name in login.targets,
        }
        for name, step in login.steps.items()
    ]


def _state(state: StepState, cache: str, *, stored: bool) -> str:
    """What there is of a step."""
    if not stored:
        return "never stored" if cache == "none" else "computed for each request"
    if state.token is None:
        return "no token"
    text = expiry(state.token)
    unusable = state.would != "use" and text.startswith(("expires", "never", "expiry unknown"))
    return f"{text}, but of no use: a step it was made from has changed or ended" if unusable else text


def _would(would: str, *, needed: bool, due: bool) -> str:
    """What a request would do about a step now."""
    if not needed:
        return "nothing: no request needs it"
    return would if due or would == "use" else "nothing: not needed now"


def _traced(context: Context, timeout: float | None) -> int:
    """Run what a request would run now, and show it as it happens. What fails has been shown when it is raised."""
    trace = Trace(context.stdout.write, context.notice, color=color_wanted(context.stdout, context.environ))
    profile = warned(context, context.profile(listener=trace))
    trace.profile = profile
    quiet: list[str] = []
    runs = False
    try:
        for login in profile.logins:
            now = due(login, login.pipeline.states())
            runs = runs or bool(now)
            login.pipeline.obtain(login.targets, deadline_of(profile, timeout))
            quiet += [f"{name} ({login.steps[name].table.kind})" for name in now if name not in trace.steps]
    finally:
        trace.close()
    if quiet:
        context.notice(f"without a request of its own: {', '.join(quiet)}")
    if not runs:
        context.notice("every token can be used: there is nothing to trace until `forge token clear`")
    return 0
