"""Show, renew, use and forget tokens."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ...curl import quote
from ...errors import ForgeError, UsageError
from ...login.hook import LoginHook
from ...models import Deadline, HttpRequest, RequestContext, TokenData, iter_params
from ...profiles.build import Profile, token_directory
from ...tokens.pipeline import StepState
from ...tokens.storage.file import FileTokenStorage
from ..context import Context
from ..exit_codes import ExitCode, cause_of
from ..options import Seconds, global_options, pass_context, silent
from ..output import FORMATS
from ..output.json import pretty
from ..output.notices import NOT_VERIFIED, Notices
from ..output.text import color_wanted
from ..output.tokens import COLUMNS, claims, expiry, moment, row, tree, variable

if sys.platform == "win32":
    import subprocess

_STEP = click.option("--step", metavar="STEP", help="This step, instead of those whose tokens requests carry.")
_JSON = click.option("--json", "as_json", is_flag=True, help="As JSON.")
_TIMEOUT = click.option("--timeout", type=Seconds(), metavar="SECONDS", help="A limit for everything.")


@click.group(short_help="Show, renew, use and forget tokens.")
def token() -> None:
    """Show, renew, use and forget tokens.

    \b
      forge token show                      what is stored, masked
      forge token show --raw                the token alone, renewed if need be
      curl -H "$(forge token show --header)" https://api.example.com/users
      forge token exec -- ./deploy.sh       $FORGE_TOKEN in its environment
    """


@token.command()
@_STEP
@_JSON
@click.option("--reveal", is_flag=True, help="Tokens in full, in the table and in JSON.")
@click.option("--decode", is_flag=True, help="The claims of a JWT; they are not verified.")
@click.option("--raw", is_flag=True, help="The token alone; obtains or renews it first.")
@click.option(
    "--header", is_flag=False, flag_value="", metavar="[NAME]", help="'Name: value' lines; with NAME that value alone."
)
@click.option("--env", "as_env", is_flag=True, help="Lines for a shell: export FORGE_TOKEN=…")
@_TIMEOUT
@silent
@global_options
@pass_context
def show(
    context: Context,
    /,
    step: str | None,
    as_json: bool,
    reveal: bool,
    decode: bool,
    raw: bool,
    header: str | None,
    as_env: bool,
    timeout: float | None,
) -> int:
    """Show what is stored. --raw, --header and --env obtain or renew first.

    \b
      forge token show
      curl -H "Authorization: Bearer $(forge token show --raw)" https://api.example.com/users
      forge token show --header | curl -H @- https://api.example.com/users
    """
    forms = {"--json": as_json, "--decode": decode, "--raw": raw, "--header": header is not None, "--env": as_env}
    chosen = [name for name, given in forms.items() if given]
    if len(chosen) > 1:
        raise UsageError(f"{chosen[0]} and {chosen[1]} cannot go together", hint="choose one")
    if raw or header is not None or as_env:
        profile = _sending(context)
        deadline = _deadline(profile, timeout)
        if raw:
            return _print_raw(context, profile, step, deadline)
        if as_env:
            return _print_env(context, profile, step, deadline)
        return _print_header(context, profile, header or "", deadline)
    profile = context.profile()
    tokens = _stored(profile, step)
    if decode:
        return _print_claims(context, profile, tokens, step)
    rows = [
        row(profile.name, name, found, source=_source(profile, name), storage=_storage(profile), reveal=reveal)
        for name, found in tokens.items()
    ]
    return _print_rows(context, rows, COLUMNS, as_json=as_json, empty="no tokens are stored for this profile yet")


@token.command()
@_STEP
@click.option("--only", is_flag=True, help="Just this step; what was made from its token stays.")
@click.option("--all", "everything", is_flag=True, help="Log in from the beginning, every step.")
@_TIMEOUT
@silent
@global_options
@pass_context
def refresh(context: Context, /, step: str | None, only: bool, everything: bool, timeout: float | None) -> int:
    """Renew tokens now, with the refresh token where there is one.

    \b
      forge token refresh                   the tokens that requests carry
      forge token refresh --step app        this step, and what is bound to it
      forge token refresh --all             log in from the beginning
    """
    if everything and (step or only):
        raise UsageError("--all goes with neither --step nor --only")
    profile = _sending(context, strict=True)
    names = list(profile.login.pipeline.steps) if everything else _chosen(profile, step)
    if not any(profile.login.pipeline.steps[name].stored for name in names):
        raise UsageError(f"profile {profile.name!r} has no token that could be renewed")
    tokens = profile.login.pipeline.renew(
        names, only=only, from_scratch=everything, deadline=_deadline(profile, timeout)
    )
    for name, found in tokens.items():
        if profile.login.pipeline.steps[name].stored:
            context.notice(f"renewed {name}: {expiry(found)}")
    return 0


@token.command()
@_JSON
@silent
@global_options
@pass_context
def status(context: Context, /, as_json: bool) -> int:
    """Say whether a request could be authenticated without a person: exit 0, else 7. Sends nothing."""
    profile = context.profile()
    states = profile.login.pipeline.states()
    trouble = _trouble(profile, states)
    if as_json:
        steps = [
            {"step": name, "would": state.would, "expires": moment(state.token.expires_at) if state.token else None}
            for name, state in states.items()
        ]
        _print_json(context, {"profile": profile.name, "ready": trouble is None, "reason": trouble, "steps": steps})
    elif trouble is None:
        needed = profile.login.pipeline.closure(profile.login.targets)
        runs = [name for name in needed if states[name].would in ("log in", "refresh")]
        context.stdout.write("ready" + (f", after renewing {', '.join(runs)}" if runs else "") + "\n")
    else:
        context.error(trouble)
    return ExitCode.SUCCESS if trouble is None else ExitCode.LOGIN_REFUSED


@token.command("list")
@_JSON
@silent
@global_options
@pass_context
def list_(context: Context, /, as_json: bool) -> int:
    """List every stored token, of all profiles."""
    rows = [
        row(path.name.removesuffix(".toml"), _step_of(key, found), found, storage=f"file {path}")
        for path in _token_files(context)
        for key, found in FileTokenStorage(path, notice=context.notice).items()
    ]
    # Where a token comes from stands in the profile, not in the file of tokens.
    columns = [column for column in COLUMNS if column != "source"]
    return _print_rows(context, rows, columns, as_json=as_json, empty="no tokens are stored")


@token.command()
@_STEP
@click.option("--all-profiles", is_flag=True, help="The tokens of every profile.")
@silent
@global_options
@pass_context
def clear(context: Context, /, step: str | None, all_profiles: bool) -> int:
    """Forget tokens: of the profile, or of one step and all that was made from it."""
    if all_profiles:
        if step is not None:
            raise UsageError("--all-profiles and --step cannot go together", hint="choose one")
        return _clear_all(context)
    profile = context.profile(strict=True)
    removed = _clear_file(profile) if step is None else profile.login.pipeline.clear(_chosen(profile, step))
    context.notice(f"forgot {', '.join(removed)}" if removed else "there was nothing to forget")
    return 0


@token.command("exec", context_settings={"allow_interspersed_args": False})
@_STEP
@_TIMEOUT
@silent
@global_options
@click.argument("command", nargs=-1, required=True, metavar="-- COMMAND...")
@pass_context
def exec_(context: Context, /, step: str | None, timeout: float | None, command: tuple[str, ...]) -> int:
    """Run a command with the token in its environment, and end with its exit code.

    \b
      forge token exec -- sh -c 'curl -H "Authorization: Bearer $FORGE_TOKEN" https://api.example.com/users'

    FORGE_TOKEN is the token; FORGE_TOKEN_<STEP> each step's own.
    """
    profile = _sending(context)
    environment = {**context.environ, **_variables(profile, step, _deadline(profile, timeout))}
    context.stdout.flush()
    try:
        return _run(list(command), environment)
    except OSError as exc:
        reason = (exc.strerror or "").lower()
        raise UsageError(f"cannot run {command[0]!r}: {reason}", hint="give a program after --") from None


@token.command()
@_JSON
@silent
@global_options
@pass_context
def explain(context: Context, /, as_json: bool) -> int:
    """Show the login as a tree: each step, its token, and what a request would do now. Sends nothing."""
    profile = context.profile()
    pipeline = profile.login.pipeline
    states = pipeline.states()
    needed = set(pipeline.closure(profile.login.targets))
    rows = [
        {
            "step": name,
            "kind": _kind(step),
            "needs": list(step.needs),
            "unbound": sorted(step.unbound),
            "state": _state(states[name], stored=step.stored),
            "would": states[name].would if name in needed else "nothing: no request needs it",
            "injected": name in profile.login.targets,
        }
        for name, step in pipeline.steps.items()
    ]
    if as_json:
        return _print_json(context, {"profile": profile.name, "steps": rows})
    lines = tree(rows, profile.login.targets) or [f"profile {profile.name!r} logs in by no steps"]
    context.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def _run(command: list[str], environment: dict[str, str]) -> int:
    """Become the command, or where that cannot be done, run it and return its exit code."""
    if sys.platform == "win32":
        return subprocess.call(command, env=environment)
    # Python ignores these two, and what it runs would inherit that.
    for name in ("SIGPIPE", "SIGXFSZ"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    os.execvpe(command[0], command, environment)  # noqa: S606  # no shell is what is wanted


def _sending(context: Context, *, strict: bool = False) -> Profile:
    """The profile for a command that may send: who listens is told, and so is what is dangerous."""
    color = color_wanted(context.stderr, context.environ)
    listener = Notices(context.notice, context.tell, verbose=0, color=color)
    profile = context.profile(listener=listener, strict=strict)
    if profile.settings.table.verify is False:
        context.warn(NOT_VERIFIED)
    return profile


def _deadline(profile: Profile, timeout: float | None) -> Deadline | None:
    limit = timeout if timeout is not None else profile.total_timeout
    return None if limit is None else Deadline(limit)


def _chosen(profile: Profile, step: str | None) -> list[str]:
    """The step asked for, else the injected ones."""
    known = profile.login.pipeline.steps
    if step is None:
        return list(profile.login.targets)
    if step not in known:
        raise UsageError(f"profile {profile.name!r} has no step {step!r}", hint=f"one of: {', '.join(known) or 'none'}")
    return [step]


def _one(profile: Profile, step: str | None) -> str:
    names = _chosen(profile, step)
    if len(names) == 1:
        return names[0]
    if not names:
        raise UsageError(
            f"profile {profile.name!r} has no step that yields a token",
            hint="`forge token show --header` shows its credential",
        )
    raise UsageError(f"requests carry several tokens: {', '.join(names)}", hint="choose one with --step")


def _print_raw(context: Context, profile: Profile, step: str | None, deadline: Deadline | None) -> int:
    name = _one(profile, step)
    context.stdout.write(f"{profile.login.pipeline.obtain([name], deadline)[name].access_token}\n")
    return 0


def _print_header(context: Context, profile: Profile, name: str, deadline: Deadline | None) -> int:
    headers = _credential_headers(context, profile, deadline)
    if not name:
        context.stdout.write("".join(f"{key}: {value}\n" for key, value in headers.items()))
        return 0
    found = next((value for key, value in headers.items() if key.lower() == name.lower()), None)
    if found is None:
        raise UsageError(
            f"profile {profile.name!r} sends no credential in a header {name!r}",
            hint=f"it sends: {', '.join(headers) or 'none'}",
        )
    context.stdout.write(f"{found}\n")
    return 0


def _credential_headers(context: Context, profile: Profile, deadline: Deadline | None) -> dict[str, str]:
    """The headers by which requests are authenticated. UsageError for a value that no header can have."""
    request = HttpRequest("GET", profile.base_url or "/")
    request = LoginHook(profile.login).before_request(request, RequestContext(request, deadline=deadline))
    headers = dict(request.headers or {})
    if request.cookies:
        headers["Cookie"] = "; ".join(f"{key}={value}" for key, value in request.cookies.items())
    for parameter, _ in iter_params(request.params):
        context.notice(f"the query parameter {parameter!r} is a credential too, and no header")
    for key, value in headers.items():
        if re.search(r"[\r\n\0]", value):
            raise UsageError(f"the credential in header {key!r} holds a line break or NUL, which no header can")
    return headers


def _print_env(context: Context, profile: Profile, step: str | None, deadline: Deadline | None) -> int:
    for name, value in _variables(profile, step, deadline).items():
        context.stdout.write(f"export {name}={quote(value)}\n")
    return 0


def _variables(profile: Profile, step: str | None, deadline: Deadline | None) -> dict[str, str]:
    """FORGE_TOKEN where there is one, and FORGE_TOKEN_<STEP> for each."""
    names = _chosen(profile, step)
    if not names:
        _one(profile, step)
    tokens = profile.login.pipeline.obtain(names, deadline)
    found = {variable(name): tokens[name].access_token for name in names}
    return ({"FORGE_TOKEN": tokens[names[0]].access_token} if len(names) == 1 else {}) | found


def _stored(profile: Profile, step: str | None) -> dict[str, TokenData]:
    pipeline = profile.login.pipeline
    names = list(pipeline.steps) if step is None else _chosen(profile, step)
    found = {name: pipeline.stored(name) for name in names if pipeline.steps[name].stored}
    return {name: value for name, value in found.items() if value is not None}


def _print_claims(context: Context, profile: Profile, tokens: dict[str, TokenData], step: str | None) -> int:
    if not tokens:
        raise UsageError("no token is stored", hint="`forge token refresh` obtains one")
    decoded = {name: claims(found.access_token) for name, found in tokens.items()}
    if all(found is None for found in decoded.values()):
        what = f"the token of step {step!r} is" if step is not None else "the stored tokens are"
        raise UsageError(f"{what} opaque: no JWT", hint="only the server knows what is in it")
    for name, found in decoded.items():
        if found is not None:
            context.stdout.write(f"# {profile.name} {name}, not verified\n")
            _print_json(context, found)
    return 0


def _source(profile: Profile, step: str) -> str:
    """Where a step's token comes from."""
    table: Any = profile.auth.steps[step]
    request = getattr(table, "request", None)
    return f"{table.kind} {request.method} {request.url}" if request is not None else str(table.kind)


def _storage(profile: Profile) -> str:
    kind = profile.storage_kind
    return f"file {profile.token_file}" if kind == "file" else kind


def _kind(step: Any) -> str:
    return str(step.table.kind)


def _state(state: StepState, *, stored: bool) -> str:
    """What there is of a step."""
    if not stored:
        return "computed for each request"
    if state.token is None:
        return "no token"
    text = expiry(state.token)
    unusable = state.would != "use" and text.startswith(("expires", "never", "expiry unknown"))
    return f"{text}, but of no use: a step it was made from has changed or ended" if unusable else text


def _trouble(profile: Profile, states: Mapping[str, StepState]) -> str | None:
    """What keeps a request from being authenticated without a person, if anything."""
    pipeline = profile.login.pipeline
    for name in pipeline.closure(profile.login.targets):
        if states[name].would in ("log in", "compute", "refresh"):
            step: Any = pipeline.steps[name]
            try:
                step.preflight(refreshing=states[name].would == "refresh")
            except ForgeError as exc:
                return f"step '{name}': {cause_of(exc).message}" + (f"\n  {exc.hint}" if exc.hint else "")
    return None


def _token_files(context: Context) -> list[Path]:
    folder = token_directory(context.environ)
    return sorted(folder.glob("*.toml")) if folder.is_dir() else []


def _clear_file(profile: Profile) -> list[str]:
    """Forget every token of a profile, also those of other users, hosts and older definitions."""
    storage = profile.storage
    if not isinstance(storage, FileTokenStorage):
        return profile.login.pipeline.clear()
    return _delete(storage)


def _delete(storage: FileTokenStorage) -> list[str]:
    names = [_step_of(key, found) for key, found in storage.items()]
    for key in list(storage.keys()):
        storage.delete(key)
    return list(dict.fromkeys(names))


def _clear_all(context: Context) -> int:
    count = 0
    for path in _token_files(context):
        count += len(_delete(FileTokenStorage(path, notice=context.notice)))
    context.notice(f"forgot {count} tokens" if count else "there was nothing to forget")
    return 0


def _step_of(key: str, found: TokenData) -> str:
    return str(found.meta.get("step", key))


def _print_json(context: Context, value: Any) -> int:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    if context.stdout.isatty():
        text = pretty(text, color=color_wanted(context.stdout, context.environ))
    context.stdout.write(f"{text}\n")
    return 0


def _print_rows(
    context: Context, rows: list[dict[str, Any]], columns: Sequence[str], *, as_json: bool, empty: str
) -> int:
    if as_json:
        return _print_json(context, rows)
    if not rows:
        context.notice(empty)
    cells = [[str(row[column] or "") for column in columns] for row in rows]
    FORMATS.load("table")(context.stdout, columns, cells, environ=context.environ)
    return 0
