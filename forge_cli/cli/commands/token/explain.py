"""`forge token explain`: the login as a tree, or as it runs."""

from __future__ import annotations

import click

from ....errors import UsageError
from ....tokens.pipeline import StepState
from ...context import Context
from ...options import global_options, pass_context, silent
from ...output.text import color_wanted
from ...output.tokens import expiry, tree
from ...trace import Trace, TracedProfile
from .chosen import JSON, TIMEOUT, deadline_of, due, kind, warned
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
    pipeline = profile.login.pipeline
    states = pipeline.states()
    needed, runs = set(pipeline.closure(profile.login.targets)), due(profile, states)
    rows = [
        {
            "step": name,
            "kind": kind(step),
            "needs": list(step.needs),
            # What is not kept beyond one renewal cannot end anything.
            "unbound": sorted(step.unbound | {n for n in step.needs if pipeline.steps[n].cache == "none"}),
            "state": _state(states[name], step.cache, stored=step.stored),
            "would": _would(states[name].would, needed=name in needed, due=name in runs),
            "injected": name in profile.login.targets,
        }
        for name, step in pipeline.steps.items()
    ]
    if as_json:
        return print_json(context, {"profile": profile.name, "steps": rows})
    lines = tree(rows, profile.login.targets) or [f"profile {profile.name!r} logs in by no steps"]
    context.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


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
    profile = warned(context, context.profile(listener=trace, kind=TracedProfile))
    trace.profile = profile
    pipeline = profile.login.pipeline
    runs = due(profile, pipeline.states())
    try:
        pipeline.obtain(profile.login.targets, deadline_of(profile, timeout))
    finally:
        trace.close()
    quiet = [f"{name} ({kind(pipeline.steps[name])})" for name in runs if name not in trace.steps]
    if quiet:
        context.notice(f"without a request of its own: {', '.join(quiet)}")
    if not runs:
        context.notice("every token can be used: there is nothing to trace until `forge token clear`")
    return 0
