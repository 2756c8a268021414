"""`forge token explain`: the login as a tree, or as it runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from ....errors import UsageError
from ....login.login import Login
from ....profiles.build import Profile
from ....tokens.pipeline import StepState
from ...clear import InTheClear
from ...context import Context
from ...group import Sectioned
from ...options import global_options, pass_context, silent
from ...output.text import color_wanted
from ...output.tokens import expiry, tree
from ...streams import draws
from ...trace import Trace
from .chosen import (
    JSON,
    TIMEOUT,
    answering,
    asked_for,
    by_login,
    chosen,
    deadline_of,
    due,
    meant,
    ruled_out,
    unasked,
    warned,
)
from .printing import print_json


@click.command(cls=Sectioned)
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
      forge token explain --trace           do it, and see each exchange
    """
    if trace:
        if as_json:
            raise UsageError("--json and --trace cannot go together", hint="choose one")
        return _traced(context, timeout)
    profile = context.profile()
    rows = _each_once(row for login in profile.logins for part in answering(login) for row in _rows(profile, part))
    if as_json:
        return print_json(context, {"profile": profile.name, "steps": rows})
    targets = [row["step"] for row in rows if row["injected"]]
    lines = tree(rows, targets, drawn=draws(context.stdout)) or [f"profile {profile.name!r} logs in by no steps"]
    context.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def _each_once(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows by step: what needs no challenge is there for each, and is to run when one of them needs it."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        if found.get(row["step"], row)["would"].startswith("nothing") or row["step"] not in found:
            found[row["step"]] = row
    return list(found.values())


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
            "would": _would(
                states[name].would,
                needed=name in needed,
                due=name in runs,
                ruled_out=ruled_out(login, states, name),
                asked=not unasked(meant(profile, login, name)),
            ),
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


def _would(would: str, *, needed: bool, due: bool, ruled_out: bool, asked: bool) -> str:
    """What a request would do about a step now."""
    if not needed:
        return "nothing: no request needs it"
    if ruled_out and would != "use":
        return "nothing: its condition does not hold"
    if not asked:
        return f"{would}, once an answer asks for it"
    return would if due or would == "use" else "nothing: not needed now"


def _traced(context: Context, timeout: float | None) -> int:
    """Run what a request would run now, and show it as it happens. What fails has been shown when it is raised."""
    trace = Trace(context.stdout.write, context.notice, color=color_wanted(context.stdout, context.environ))
    profile = warned(context, context.profile(listener=InTheClear(context.warn, trace)))
    trace.profile = profile
    quiet: list[str] = []
    runs = False
    try:
        for login, targets in by_login(asked_for(chosen(profile, None))):
            states = login.pipeline.states()
            now = [name for name in due(login, states) if name in login.pipeline.closure(targets)]
            runs = runs or bool(now)
            login.pipeline.obtain(targets, deadline_of(profile, timeout))
            quiet += [f"{name} ({login.steps[name].table.kind})" for name in now if name not in trace.steps]
    finally:
        trace.close()
    if quiet:
        context.notice(f"without a request of its own: {', '.join(quiet)}")
    if not runs:
        context.notice(
            "nothing had to run: every token can be used\n"
            "  `forge token refresh --all` logs in from the beginning; after `forge token clear` this shows it"
        )
    return 0
