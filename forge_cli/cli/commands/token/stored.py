"""`forge token list` and `clear`: the tokens that are stored, shown, given back and forgotten."""

from __future__ import annotations

from pathlib import Path

import click

from ....errors import ForgeError, UsageError
from ....login.login import Login
from ....models import TokenData
from ....profiles.build import Profile, token_directory
from ....tokens.storage.file import FileTokenStorage
from ...context import Context
from ...exit_codes import ExitCode, cause_of, exit_code_of
from ...group import Sectioned
from ...options import global_options, pass_context, silent
from ...output.tokens import COLUMNS, row
from .chosen import JSON, STEP, TIMEOUT, by_login, chosen, deadline_of, every, sending
from .printing import print_rows


@click.command("list", cls=Sectioned)
@JSON
@silent
@global_options
@pass_context
def list_(context: Context, /, as_json: bool) -> int:
    """List every stored token, of all profiles.

    \b
      forge token list
      forge token list --json
    """
    rows = [
        row(name, _step_of(key, found), found, storage=f"file {path}")
        for name, path in _token_files(context)
        for key, found in FileTokenStorage(path, notice=context.notice).items()
    ]
    # Where a token comes from stands in the profile, not in the file of tokens.
    columns = [column for column in COLUMNS if column != "source"]
    return print_rows(context, rows, columns, as_json=as_json, empty="no tokens are stored")


@click.command(cls=Sectioned)
@STEP
@click.option("--all-profiles", is_flag=True, help="The tokens of every profile.")
@click.option("--revoke", is_flag=True, help="First give them back to the server, where the profile says how.")
@TIMEOUT
@silent
@global_options
@pass_context
def clear(context: Context, /, step: str | None, all_profiles: bool, revoke: bool, timeout: float | None) -> int:
    """Forget tokens: of the profile, or of one step and all that was made from it.

    \b
      forge token clear
      forge token clear --step user
      forge token clear --all-profiles

    That a step with a side effect has run is forgotten too: the next request that needs it runs it, unasked.

    With --revoke they are forgotten here also when the server does not take them back; the exit code then
    says why it did not.
    """
    if all_profiles:
        if step is not None or revoke:
            raise UsageError(f"--all-profiles and {'--revoke' if revoke else '--step'} cannot go together")
        return _clear_all(context)
    profile = sending(context, strict=True) if revoke else context.profile(strict=True)
    code = _revoke(context, profile, step, timeout) if revoke else ExitCode.SUCCESS
    removed = (
        [name for login in profile.logins for name in _clear_file(login)] if step is None else _clear(profile, step)
    )
    context.notice(f"forgot {', '.join(dict.fromkeys(removed))}" if removed else "there was nothing to forget")
    return code


def _revoke(context: Context, profile: Profile, step: str | None, timeout: float | None) -> ExitCode:
    """Give tokens back, those that were made from others first. The exit code is that of the first failure."""
    deadline = deadline_of(profile, timeout)
    code = ExitCode.SUCCESS
    found = {
        login.steps[name].key: (list(login.steps).index(name), login, name)
        for login, named in _spread(by_login(every(profile) if step is None else chosen(profile, step)))
        for name in {*named, *login.pipeline.bound_to(named)}
    }
    for _, login, name in sorted(found.values(), key=lambda each: -each[0]):
        try:
            if login.revoke(name, deadline):
                context.notice(f"revoked {name}")
        except ForgeError as exc:
            cause = cause_of(exc)
            context.warn(f"step '{name}': the token is forgotten here, but may still be good: {cause.message}")
            code = code or exit_code_of(cause)
    return code


def _token_files(context: Context) -> list[tuple[str, Path]]:
    """Each file of tokens, and the profile or shared login that it is of."""
    folder = token_directory(context.environ)
    paths = [*sorted(folder.glob("*.toml")), *sorted(folder.glob("auth/*.toml"))]
    return [(path.relative_to(folder).as_posix().removesuffix(".toml"), path) for path in paths]


def _clear(profile: Profile, step: str) -> list[str]:
    """Forget the token of a step, and all that was made from it."""
    return [name for login, names in _spread(by_login(chosen(profile, step))) for name in login.pipeline.clear(names)]


def _spread(parts: list[tuple[Login, list[str]]]) -> list[tuple[Login, list[str]]]:
    """The same steps, first as they are for each challenge: what was made from a token is there."""
    return [
        (each, names)
        for login, names in parts
        for each in ((login,) if login.scope.challenge else (*login.scopes(), login))
    ]


def _clear_file(login: Login) -> list[str]:
    """Forget every token of a login, also those of other users, hosts and older definitions."""
    storage = login.pipeline.storage
    if isinstance(storage, FileTokenStorage):
        return _delete(storage)
    return [name for each in (*login.scopes(), login) for name in each.pipeline.clear()]


def _delete(storage: FileTokenStorage) -> list[str]:
    names = [_step_of(key, found) for key, found in storage.items()]
    for key in list(storage.keys()):
        storage.delete(key)
    return list(dict.fromkeys(names))


def _clear_all(context: Context) -> int:
    count = 0
    for _, path in _token_files(context):
        count += len(_delete(FileTokenStorage(path, notice=context.notice)))
    context.notice(f"forgot {count} tokens" if count else "there was nothing to forget")
    return 0


def _step_of(key: str, found: TokenData) -> str:
    """What an entry is called: its step, or the secret whose value a command has printed."""
    if key.startswith("secret:"):
        name = found.meta.get("secret")
        return f"the value of secret {name!r}" if name else "the value of a secret"
    return str(found.meta.get("step", key))
