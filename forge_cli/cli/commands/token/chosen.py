"""What token commands work with: their options, the profile, and the steps that are meant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from ....errors import UsageError
from ....models import Deadline, TokenData
from ....profiles.build import Profile
from ....tokens.pipeline import StepState
from ...context import Context
from ...options import Seconds
from ...output.notices import NOT_VERIFIED, Notices
from ...output.text import color_wanted
from ...output.tokens import variable

STEP = click.option("--step", metavar="STEP", help="This step, instead of those whose tokens requests carry.")
JSON = click.option("--json", "as_json", is_flag=True, help="As JSON.")
TIMEOUT = click.option("--timeout", type=Seconds(), metavar="SECONDS", help="A limit for everything.")
YES = click.option("--yes", is_flag=True, help="Run steps that have a side effect again, without asking.")


def sending(context: Context, *, strict: bool = False, browser: bool = True) -> Profile:
    """The profile for a command that may send: who listens is told, and so is what is dangerous."""
    color = color_wanted(context.stderr, context.environ)
    listener = Notices(context.notice, context.tell, verbose=0, color=color)
    return warned(context, context.profile(listener=listener, strict=strict, browser=browser))


def warned(context: Context, profile: Profile) -> Profile:
    """The profile, once it is said what is dangerous about it."""
    if profile.settings.table.verify is False:
        context.warn(NOT_VERIFIED)
    return profile


def deadline_of(profile: Profile, timeout: float | None) -> Deadline | None:
    """The limit for everything: as asked for, else as the profile says."""
    limit = timeout if timeout is not None else profile.total_timeout
    return None if limit is None else Deadline(limit)


def chosen(profile: Profile, step: str | None) -> list[str]:
    """The step asked for, else the injected ones."""
    known = profile.login.pipeline.steps
    if step is None:
        return list(profile.login.targets)
    if step not in known:
        raise UsageError(f"profile {profile.name!r} has no step {step!r}", hint=f"one of: {', '.join(known) or 'none'}")
    return [step]


def one(profile: Profile, step: str | None) -> str:
    """The one step whose token is meant. UsageError when there is none, or several."""
    names = chosen(profile, step)
    if len(names) == 1:
        return names[0]
    if not names:
        raise UsageError(
            f"profile {profile.name!r} has no step that yields a token",
            hint="`forge token show --header` shows its credential",
        )
    raise UsageError(f"requests carry several tokens: {', '.join(names)}", hint="choose one with --step")


def variables(profile: Profile, step: str | None, deadline: Deadline | None) -> dict[str, str]:
    """FORGE_TOKEN where there is one, and FORGE_TOKEN_<STEP> for each."""
    names = chosen(profile, step)
    if not names:
        one(profile, step)
    tokens = profile.login.pipeline.obtain(names, deadline)
    found = {variable(name): tokens[name].access_token for name in names}
    return ({"FORGE_TOKEN": tokens[names[0]].access_token} if len(names) == 1 else {}) | found


def stored(profile: Profile, step: str | None) -> dict[str, TokenData]:
    """The tokens that are stored, by step."""
    pipeline = profile.login.pipeline
    names = list(pipeline.steps) if step is None else chosen(profile, step)
    found = {name: pipeline.stored(name) for name in names if pipeline.steps[name].stored}
    return {name: value for name, value in found.items() if value is not None}


def permission(context: Context, *, yes: bool) -> Callable[[str], bool] | None:
    """Asks whether a step with a side effect may run again; None where nobody can be asked."""
    if yes:
        return lambda step: True
    person = context.person()
    if person is None:
        return None

    def ask(step: str) -> bool:
        text = f"Step '{step}' has a side effect, such as spending a one-time code. Run it again? [y/N]"
        return person.ask(text, hidden=False).strip().lower() in ("y", "yes")

    return ask


def due(profile: Profile, states: Mapping[str, StepState]) -> list[str]:
    """The steps that a request would run now, in order: what is needed only to obtain a token waits until it ends."""
    pipeline = profile.login.pipeline
    found: set[str] = set()

    def visit(name: str) -> None:
        would = states[name].would
        if would == "use" or name in found:
            return
        found.add(name)
        step = pipeline.steps[name]
        for parent in step.refresh_needs if would == "refresh" else step.needs:
            visit(parent)

    for name in profile.login.targets:
        visit(name)
    return [name for name in pipeline.steps if name in found]


def kind(step: Any) -> str:
    """The kind of a step of a profile's login."""
    return str(step.table.kind)
