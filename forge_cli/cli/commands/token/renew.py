"""`forge token refresh` and `login`: renew tokens now, by machine or by a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

from ....errors import NeedsPerson, UsageError
from ....login.login import Login
from ....login.step import plain
from ....login.template import references
from ....models import TokenData
from ....profiles.build import Profile
from ...context import Context
from ...group import Sectioned
from ...options import global_options, pass_context, silent
from ...output.tokens import expiry
from .chosen import STEP, TIMEOUT, YES, asked_for, by_login, chosen, deadline_of, every, meant, permission, sending


@click.command(cls=Sectioned)
@STEP
@click.option("--only", is_flag=True, help="Just this step; what was made from its token stays.")
@click.option("--all", "everything", is_flag=True, help="Log in from the beginning, every step.")
@YES
@TIMEOUT
@silent
@global_options
@pass_context
def refresh(
    context: Context, /, step: str | None, only: bool, everything: bool, yes: bool, timeout: float | None
) -> int:
    """Renew tokens now, with the refresh token where there is one.

    \b
      forge token refresh                   the tokens that requests carry
      forge token refresh --step app        this step, and what is bound to it
      forge token refresh --all             log in from the beginning

    A step with a side effect is run again only with --step after a question, or with --yes.
    """
    if everything and (step or only):
        raise UsageError("--all goes with neither --step nor --only")
    profile = sending(context, strict=True)
    steps = asked_for(every(profile) if everything else chosen(profile, step))
    if not any(each.step.stored for each in steps):
        raise UsageError(f"profile {profile.name!r} has no token that could be renewed")
    allow = permission(context, yes=yes) if step is not None or yes else None
    deadline = deadline_of(profile, timeout)
    for part, names in by_login(steps):
        tokens = part.pipeline.renew(names, only=only, from_scratch=everything, deadline=deadline, allow=allow)
        _told(context, profile, part, tokens)
    return 0


@click.command(cls=Sectioned)
@click.option("--no-browser", is_flag=True, help="Open none: print the address, and take what comes back pasted.")
@STEP
@YES
@TIMEOUT
@silent
@global_options
@pass_context
def login(context: Context, /, no_browser: bool, step: str | None, yes: bool, timeout: float | None) -> int:
    """Do now what needs a person: a browser, a code, a password. Requests then need nobody for a while.

    \b
      forge token login                     log in, in your browser
      forge token login --no-browser        the same over ssh
    """
    profile = sending(context, strict=True, browser=not no_browser)
    parts = by_login(asked_for(chosen(profile, step)))
    asking = [with_person(part, targets) for part, targets in parts]
    if context.person() is None:
        for (part, _), names in zip(parts, asking, strict=True):
            _refuse(part, names)
    deadline, allow = deadline_of(profile, timeout), permission(context, yes=yes)
    for (part, targets), names in zip(parts, asking, strict=True):
        renewed = [name for name in _made_from(part, targets, names) if part.steps[name].stored]
        tokens = part.pipeline.renew(renewed, from_scratch=True, deadline=deadline, allow=allow) if renewed else {}
        # The rest, which needs nobody, so that the next request sends nothing before itself.
        rest = [name for name in targets if name not in tokens]
        _told(context, profile, part, tokens | part.pipeline.obtain(rest, deadline, allow=allow))
    if not any(asking):
        context.notice("this login needs no person: `forge token refresh` renews it")
    return 0


def _refuse(login: Login, names: Sequence[str]) -> None:
    """NeedsPerson when there are such steps; of a secret, with the setting that could supply it instead."""
    for name in names:
        if not login.steps[name].interactive:
            login.steps[name].preflight()
        raise NeedsPerson(
            f"step '{name}' needs a person, and there is no terminal, or input is off",
            service_name=name,
            hint="run `forge token login` on a terminal, without --no-input, FORGE_NO_INPUT and CI",
        )


def with_person(login: Login, targets: Sequence[str]) -> list[str]:
    """Of these steps and all they need, those that a person has a part in."""
    return [name for name in login.pipeline.closure(targets) if _asks(login, name)]


def _asks(login: Login, name: str) -> bool:
    step = login.steps[name]
    table = {**plain(step.table), "refresh": None, "revoke": None}
    named = [reference[1] for reference in references(table) if reference[0] == "secrets"]
    return step.interactive or any(login.scope.secrets.source(secret)[0] == "prompt" for secret in named)


def _made_from(login: Login, targets: Sequence[str], names: Sequence[str]) -> list[str]:
    """These steps, and on the way to the targets all that need them: an unbound one has used up its code."""
    found: list[str] = []
    for name in login.pipeline.closure(targets):
        if name in names or any(parent in found for parent in login.steps[name].needs):
            found.append(name)
    return found


def _told(context: Context, profile: Profile, login: Login, tokens: Mapping[str, TokenData]) -> None:
    for name, found in tokens.items():
        if login.steps[name].stored:
            context.notice(f"renewed {meant(profile, login, name).label}: {expiry(found)}")
