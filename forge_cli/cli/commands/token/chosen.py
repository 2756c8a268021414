"""What token commands work with: their options, the profile, and the steps that are meant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import click

from ....errors import UsageError
from ....login.login import Login
from ....login.step import LoginStep, plain
from ....login.template import references
from ....models import Deadline, TokenData
from ....profiles.build import Profile
from ....tokens.pipeline import StepState
from ...clear import InTheClear
from ...completers import completed
from ...context import Context
from ...options import Seconds, limited
from ...output.notices import NOT_VERIFIED, Notices
from ...output.text import color_wanted
from ...output.tokens import variable

STEP = click.option(
    "--step",
    metavar="STEP",
    shell_complete=completed("step"),
    help="This step, instead of those whose tokens requests carry.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="As JSON.")
TIMEOUT = click.option(
    "--timeout", type=Seconds(), callback=limited, metavar="SECONDS", help="A limit for everything (default none)."
)
YES = click.option("--yes", is_flag=True, help="Run steps that have a side effect again, without asking.")


def sending(context: Context, *, strict: bool = False, browser: bool = True) -> Profile:
    """The profile for a command that may send: who listens is told, and so is what is dangerous."""
    color = color_wanted(context.stderr, context.environ)
    listener = InTheClear(context.warn, Notices(context.notice, context.tell, verbose=0, color=color))
    return warned(context, context.profile(listener=listener, strict=strict, browser=browser))


def warned(context: Context, profile: Profile) -> Profile:
    """The profile, once it is said what is dangerous about it."""
    if profile.settings.table.verify is False:
        context.warn(NOT_VERIFIED)
    return profile


def deadline_of(profile: Profile, timeout: float | None) -> Deadline | None:
    """The limit for everything: as asked for, else as the profile says."""
    limit = timeout if timeout is not None else profile.total_timeout
    profile.deadline = None if limit is None else Deadline(limit)
    return profile.deadline


class Meant(NamedTuple):
    """A step of one of the profile's logins; `label` is what it is called on the command line."""

    login: Login
    name: str
    label: str

    @property
    def step(self) -> LoginStep:
        return self.login.steps[self.name]

    @property
    def token(self) -> TokenData | None:
        """The token, if one is stored."""
        return self.login.pipeline.stored(self.name) if self.step.stored else None


def meant(profile: Profile, login: Login, name: str) -> Meant:
    """A step by its name; of several logins, by the login's too, and of several scopes by what was asked for."""
    part = f"{login.name.removeprefix('auth/')}/" if len(profile.logins) > 1 else ""
    asked = login.steps[name].asked if name in login.challenge_steps() else ""
    return Meant(login, name, f"{part}{name} [{asked}]" if asked else part + name)


def _in_each_scope(profile: Profile, login: Login, names: Iterable[str]) -> list[Meant]:
    """These steps; one that answers challenges for each scope that servers have asked for."""
    challenged = login.challenge_steps()
    found: list[Meant] = []
    for name in names:
        logins = login.scopes() if name in challenged else ()
        found += [meant(profile, each, name) for each in logins or (login,)]
    return found


def every(profile: Profile) -> list[Meant]:
    """All steps of all logins of the profile."""
    return [each for login in profile.logins for each in _in_each_scope(profile, login, login.steps)]


def answering(login: Login) -> tuple[Login, ...]:
    """A login as it answers each challenge that is remembered; itself when there is none."""
    return login.scopes() or (login,)


def unasked(each: Meant) -> bool:
    """Whether a step waits for an answer that asks for it: until then it cannot run."""
    return not each.login.scope.challenge and each.name in each.login.challenge_steps()


def asked_for(steps: Sequence[Meant]) -> list[Meant]:
    """Those of the steps that can run now. UsageError when all of them wait for a challenge."""
    found = [each for each in steps if not unasked(each)]
    if steps and not found:
        raise UsageError(
            f"step '{steps[0].label}' runs when an answer asks for it, and none has yet",
            hint="send a request first, such as forge get /",
        )
    return found


def chosen(profile: Profile, step: str | None) -> list[Meant]:
    """The step asked for, else the injected ones."""
    if step is None:
        return [each for login in profile.logins for each in _in_each_scope(profile, login, login.targets)]
    known = every(profile)
    found = [each for each in known if step in (each.label, each.name)]
    if not found:
        hint = f"one of: {', '.join(each.label for each in known) or 'none'}"
        raise UsageError(f"profile {profile.name!r} has no step {step!r}", hint=hint)
    if len({each.login.name for each in found}) > 1:
        hint = f"one of: {', '.join(each.label for each in found)}"
        raise UsageError(f"several logins have a step {step!r}", hint=hint)
    return found


def one(profile: Profile, step: str | None) -> Meant:
    """The one step whose token is meant. UsageError when there is none, or several."""
    found = chosen(profile, step)
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(
            f"profile {profile.name!r} has no step that yields a token",
            hint="`forge token show --header` shows its credential",
        )
    raise UsageError(
        f"requests carry several tokens: {', '.join(each.label for each in found)}", hint="choose one with --step"
    )


def by_login(steps: Iterable[Meant]) -> list[tuple[Login, list[str]]]:
    """The names of steps for each login that has some."""
    found: dict[int, tuple[Login, list[str]]] = {}
    for login, name, _ in steps:
        found.setdefault(id(login), (login, []))[1].append(name)
    return list(found.values())


def obtained(steps: Sequence[Meant], deadline: Deadline | None) -> dict[str, TokenData]:
    """Tokens that can be used now, by label. UsageError when no condition of these steps holds."""
    found: dict[str, TokenData] = {}
    steps = asked_for(steps)
    for login, names in by_login(steps):
        tokens = login.pipeline.obtain(names, deadline)
        found |= {each.label: tokens[each.name] for each in steps if each.login is login and each.name in tokens}
    if not found:
        raise UsageError(
            f"there is no token of {', '.join(each.label for each in steps)}: its `when` does not hold",
            hint="`forge token explain` shows the login",
        )
    return found


def variables(profile: Profile, step: str | None, deadline: Deadline | None) -> dict[str, str]:
    """FORGE_TOKEN where there is one, and FORGE_TOKEN_<STEP> for each."""
    tokens = obtained(chosen(profile, step) or [one(profile, step)], deadline)
    found = {variable(label): token.access_token for label, token in tokens.items()}
    return ({"FORGE_TOKEN": next(iter(found.values()))} if len(found) == 1 else {}) | found


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


def due(login: Login, states: Mapping[str, StepState]) -> list[str]:
    """The steps that a request would run now, in order: what is needed only to obtain a token waits until it ends."""
    found: set[str] = set()

    def visit(name: str) -> None:
        would = states[name].would
        if would == "use" or name in found or ruled_out(login, states, name):
            return
        found.add(name)
        step = login.steps[name]
        for parent in step.refresh_needs if would == "refresh" else step.needs:
            visit(parent)

    for name in login.targets:
        visit(name)
    return [name for name in login.steps if name in found]


def ruled_out(login: Login, states: Mapping[str, StepState], name: str) -> bool:
    """Whether it is known now that the condition of a step does not hold."""
    step = login.steps[name]
    if not step.conditional:
        return False
    used = references(plain(step.table.when))
    # A secret may have to be typed, and what else there is changes from run to run.
    if any(reference[0] not in ("steps", "vars", "env", "base_url") for reference in used):
        return False
    given: dict[str, TokenData] = {}
    for parent in {reference[1] for reference in used if reference[0] == "steps"}:
        state = states[parent]
        if state.alive and state.token is not None:
            given[parent] = state.token
        elif not ruled_out(login, states, parent):
            return False
    return not step.applies(given)
