"""Show, renew, use and forget tokens."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ...curl import quote
from ...errors import ForgeError, UsageError
from ...login.hook import LoginHook
from ...models import Deadline, HttpRequest, RequestContext, TokenData, aware, iter_params
from ...profiles.build import Profile, token_directory
from ...redact import masked
from ...tokens.pipeline import StepState
from ...tokens.storage.file import FileTokenStorage
from ..context import Context
from ..exit_codes import ExitCode, cause_of
from ..options import global_options, pass_context, silent
from ..output import FORMATS
from ..output.notices import Notices
from ..output.text import color_wanted, visible_line
from .curl import variable

_STEP = click.option("--step", metavar="STEP", help="This step, instead of those whose tokens requests carry.")
_JSON = click.option("--json", "as_json", is_flag=True, help="As JSON.")
_TIMEOUT = click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="A limit for everything."
)
_COLUMNS = ("profile", "step", "token", "type", "scope", "issued", "expires", "source", "storage")


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
        profile = context.profile(listener=_notices(context))
        deadline = _deadline(profile, timeout)
        if raw:
            return _print_raw(context, profile, step, deadline)
        return _print_env(context, profile, step, deadline) if as_env else _print_header(context, profile, header or "", deadline)
    profile = context.profile()
    tokens = _stored(profile, step)
    if decode:
        return _print_claims(context, profile, tokens)
    rows = [_row(profile.name, name, found, profile, reveal=reveal) for name, found in tokens.items()]
    if as_json:
        return _print_json(context, rows)
    return _print_table(context, _COLUMNS, rows, empty="no tokens are stored for this profile yet")


@token.command()
@_STEP
@click.option("--only", is_flag=True, help="Just this step; what was made from its token stays.")
@click.option("--all", "everything", is_flag=True, help="Log in from the beginning, every step.")
@_TIMEOUT
@silent
@global_options
@pass_context
def refresh(context: Context, step: str | None, only: bool, everything: bool, timeout: float | None) -> int:
    """Renew tokens now, with the refresh token where there is one.

    \b
      forge token refresh                   the tokens that requests carry
      forge token refresh --step app        this step, and what is bound to it
      forge token refresh --all             log in from the beginning
    """
    if everything and (step or only):
        raise UsageError("--all goes with neither --step nor --only")
    profile = context.profile(listener=_notices(context), strict=True)
    names = list(profile.login.pipeline.steps) if everything else _chosen(profile, step)
    if not any(profile.login.pipeline.steps[name].stored for name in names):
        raise UsageError(f"profile {profile.name!r} has no token that could be renewed")
    tokens = profile.login.pipeline.renew(
        names, only=only, from_scratch=everything, deadline=_deadline(profile, timeout)
    )
    for name, found in tokens.items():
        if profile.login.pipeline.steps[name].stored:
            context.notice(f"renewed {name}: {_expiry(found)}")
    return 0


@token.command()
@_JSON
@silent
@global_options
@pass_context
def status(context: Context, as_json: bool) -> int:
    """Say whether a request could be authenticated without a person: exit 0, else 7. Sends nothing."""
    profile = context.profile()
    states = profile.login.pipeline.states()
    trouble = _trouble(profile, states)
    steps = [{"step": name, "would": state.would, "expires": _iso(state.token)} for name, state in states.items()]
    if as_json:
        _print_json(context, {"profile": profile.name, "ready": trouble is None, "reason": trouble, "steps": steps})
    elif trouble is None:
        runs = [name for name, state in states.items() if state.would in ("log in", "refresh")]
        context.stdout.write("ready" + (f", after renewing {', '.join(runs)}" if runs else "") + "\n")
    else:
        context.warn(trouble)
    return ExitCode.SUCCESS if trouble is None else ExitCode.LOGIN_REFUSED


@token.command("list")
@_JSON
@silent
@global_options
@pass_context
def list_(context: Context, as_json: bool) -> int:
    """List every stored token, of all profiles."""
    rows = []
    for path in _token_files(context):
        storage = FileTokenStorage(path, notice=context.notice)
        for found in storage.items():
            rows.append(_row(_profile_of(path), str(found[1].meta.get("step", found[0])), found[1], None, path=path))
    if as_json:
        return _print_json(context, rows)
    return _print_table(context, _COLUMNS, rows, empty="no tokens are stored")


@token.command()
@_STEP
@click.option("--all-profiles", is_flag=True, help="The tokens of every profile.")
@silent
@global_options
@pass_context
def clear(context: Context, step: str | None, all_profiles: bool) -> int:
    """Forget tokens: of the profile, or of one step and all that was made from it."""
    if all_profiles:
        if step is not None:
            raise UsageError("--all-profiles and --step cannot go together", hint="choose one")
        return _clear_all(context)
    profile = context.profile(strict=True)
    if step is not None:
        removed = profile.login.pipeline.clear(_chosen(profile, step))
    else:
        removed = _clear_file(profile)
    context.notice(f"forgot {', '.join(removed)}" if removed else "there was nothing to forget")
    return 0


@token.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@_STEP
@_TIMEOUT
@silent
@global_options
@click.argument("command", nargs=-1, required=True, metavar="-- COMMAND...")
@pass_context
def exec(context: Context, step: str | None, timeout: float | None, command: tuple[str, ...]) -> int:  # noqa: A001  # the command's name
    """Run a command with the token in its environment, and end with its exit code.

    \b
      forge token exec -- sh -c 'curl -H "Authorization: Bearer $FORGE_TOKEN" https://api.example.com/users'

    FORGE_TOKEN is the token; FORGE_TOKEN_<STEP> each step's own.
    """
    profile = context.profile(listener=_notices(context))
    environment = {**os.environ, **_variables(profile, step, _deadline(profile, timeout))}
    context.stdout.flush()
    try:
        if os.name == "posix":
            os.execvpe(command[0], list(command), environment)
        return subprocess.call(list(command), env=environment)
    except OSError as exc:
        raise UsageError(f"cannot run {command[0]!r}: {exc.strerror}", hint="give a program after --") from None


@token.command()
@_JSON
@silent
@global_options
@pass_context
def explain(context: Context, as_json: bool) -> int:
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
    if not rows:
        context.stdout.write(f"profile {profile.name!r} logs in by no steps\n")
        return 0
    for line in _tree(rows, profile):
        context.stdout.write(f"{line}\n")
    return 0


def _tree(rows: list[dict[str, Any]], profile: Profile) -> list[str]:
    """Each injected step with those it needs below it; a step shown before is only named."""
    by_name = {row["step"]: row for row in rows}
    lines: list[str] = []
    seen: set[str] = set()

    def add(name: str, indent: str, branch: str, edge: str) -> None:
        row = by_name[name]
        text = f"{indent}{branch}{visible_line(name)} ({row['kind']}){edge}"
        if name in seen:
            lines.append(f"{text}: see above")
            return
        seen.add(name)
        lines.append(f"{text}: {row['state']} -> {row['would']}")
        below = indent + ("   " if branch in ("", "└─ ") else "│  ") if branch else indent
        for index, parent in enumerate(row["needs"]):
            last = index == len(row["needs"]) - 1
            add(parent, below, "└─ " if last else "├─ ", ", needed only to obtain it" if parent in row["unbound"] else "")

    for target in profile.login.targets:
        add(target, "", "", "")
    for name in by_name:
        if name not in seen:
            add(name, "", "", "")
    return lines


def _notices(context: Context) -> Notices:
    return Notices(context.notice, context.stderr, verbose=0, color=color_wanted(context.stderr, context.environ))


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
            f"profile {profile.name!r} has no step that yields a token", hint="forge token show --header shows its credential"
        )
    raise UsageError(f"requests carry several tokens: {', '.join(names)}", hint="choose one with --step")


def _print_raw(context: Context, profile: Profile, step: str | None, deadline: Deadline | None) -> int:
    name = _one(profile, step)
    context.stdout.write(f"{profile.login.pipeline.obtain([name], deadline)[name].access_token}\n")
    return 0


def _print_header(context: Context, profile: Profile, name: str, deadline: Deadline | None) -> int:
    hook = LoginHook(profile.login)
    request = hook.before_request(
        HttpRequest("GET", profile.base_url or "/"), RequestContext(HttpRequest("GET", "/"), deadline=deadline)
    )
    headers = dict(request.headers or {})
    if request.cookies:
        headers["Cookie"] = "; ".join(f"{key}={value}" for key, value in request.cookies.items())
    for parameter, _ in iter_params(request.params):
        context.notice(f"the query parameter {parameter!r} is a credential too, and no header")
    if not name:
        for key, value in headers.items():
            context.stdout.write(f"{key}: {value}\n")
        return 0
    found = next((value for key, value in headers.items() if key.lower() == name.lower()), None)
    if found is None:
        raise UsageError(
            f"profile {profile.name!r} sends no credential in a header {name!r}", hint=f"it sends: {', '.join(headers) or 'none'}"
        )
    context.stdout.write(f"{found}\n")
    return 0


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
    found = {f"FORGE_TOKEN_{variable(name)}": tokens[name].access_token for name in names}
    return ({"FORGE_TOKEN": tokens[names[0]].access_token} if len(names) == 1 else {}) | found


def _stored(profile: Profile, step: str | None) -> dict[str, TokenData]:
    pipeline = profile.login.pipeline
    names = list(pipeline.steps) if step is None else _chosen(profile, step)
    found = {name: pipeline.stored(name) for name in names if pipeline.steps[name].stored}
    return {name: value for name, value in found.items() if value is not None}


def _print_claims(context: Context, profile: Profile, tokens: Mapping[str, TokenData]) -> int:
    if not tokens:
        raise UsageError("no token is stored", hint="forge token refresh obtains one")
    for name, found in tokens.items():
        claims = _claims(found.access_token)
        if claims is None:
            raise UsageError(f"the token of step {name!r} is opaque: it is no JWT")
        context.stdout.write(f"# {profile.name} {name}, not verified\n{json.dumps(claims, indent=2, ensure_ascii=False)}\n")
    return 0


def _claims(text: str) -> Any:
    """The payload of a JWT in compact form (RFC 7519, section 3), None when it is none."""
    parts = text.split(".")
    if len(parts) != 3:
        return None
    try:
        return json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return None


def _row(
    profile: str, step: str, found: TokenData, owner: Profile | None, *, reveal: bool = False, path: Path | None = None
) -> dict[str, Any]:
    return {
        "profile": profile,
        "step": step,
        "token": found.access_token if reveal else masked(found.access_token),
        "type": found.token_type,
        "scope": found.scope,
        "issued": _moment(found.issued_at),
        "expires": _expiry(found),
        "expires_at": None if found.expires_at is None else int(aware(found.expires_at).timestamp()),
        "expired": not found.fresh(datetime.now(UTC), 0.0) or bool(found.meta.get("forgotten")),
        "source": "" if owner is None else _source(owner, step),
        "storage": f"file {path or (owner.token_file if owner is not None else '')}" if owner is None or owner.settings.table.tokens.storage == "file" else owner.settings.table.tokens.storage,
    }


def _source(profile: Profile, step: str) -> str:
    table: Any = profile.auth.steps[step]
    request = getattr(table, "request", None)
    return f"{table.kind} {request.method} {request.url}" if request is not None else str(table.kind)


def _kind(step: Any) -> str:
    return str(step.table.kind)


def _state(state: StepState, *, stored: bool) -> str:
    if not stored:
        return "computed for each request"
    if state.token is None:
        return "no token"
    if state.token.meta.get("forgotten"):
        return "refused by the server"
    return _expiry(state.token) if state.alive or _ended(state.token) else "no longer good: a step it was made from has changed"


def _ended(found: TokenData) -> bool:
    return found.expires_at is not None and aware(found.expires_at) <= datetime.now(UTC)


def _expiry(found: TokenData) -> str:
    """When it ends: epoch, ISO 8601 with zone, and in how long; `never`, `unknown` and `expired` where that is so."""
    if found.meta.get("forgotten"):
        return "refused"
    if found.expires_at is None:
        return "never expires" if found.meta.get("never") else "expiry unknown"
    end = aware(found.expires_at)
    left = (end - datetime.now(UTC)).total_seconds()
    when = f"{end.astimezone().isoformat(timespec='seconds')} ({int(end.timestamp())})"
    return f"expires in {span(left)}, {when}" if left > 0 else f"expired {span(-left)} ago, {when}"


def span(seconds: float) -> str:
    """A time span in the largest unit that fits."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else aware(moment).astimezone().isoformat(timespec="seconds")


def _iso(found: TokenData | None) -> str | None:
    return None if found is None or found.expires_at is None else _moment(found.expires_at)


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


def _profile_of(path: Path) -> str:
    return path.name.removesuffix(".toml")


def _clear_file(profile: Profile) -> list[str]:
    """Forget every token of a profile, also those of other users, hosts and older definitions."""
    storage = profile.storage
    if not isinstance(storage, FileTokenStorage):
        return profile.login.pipeline.clear()
    return _delete(storage)


def _delete(storage: FileTokenStorage) -> list[str]:
    names = [str(found.meta.get("step", key)) for key, found in storage.items()]
    for key in list(storage.keys()):
        storage.delete(key)
    return list(dict.fromkeys(names))


def _clear_all(context: Context) -> int:
    count = 0
    for path in _token_files(context):
        count += len(_delete(FileTokenStorage(path, notice=context.notice)))
    context.notice(f"forgot {count} tokens" if count else "there was nothing to forget")
    return 0


def _print_json(context: Context, value: Any) -> int:
    context.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
    return 0


def _print_table(context: Context, columns: Iterable[str], rows: list[dict[str, Any]], *, empty: str) -> int:
    if not rows:
        context.notice(empty)
    FORMATS.load("table")(context.stdout, list(columns), [[str(row[c] or "") for c in columns] for row in rows])
    return 0

