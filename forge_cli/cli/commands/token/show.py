"""`forge token show`: what is stored, or the token for another program."""

from __future__ import annotations

import re

import click

from .... import curl
from ....errors import UsageError
from ....models import Deadline, HttpRequest, RequestContext, TokenData
from ....profiles.build import Profile
from ....tokens.storage.file import FileTokenStorage
from ...context import Context
from ...group import Sectioned
from ...options import global_options, pass_context, silent
from ...output.tokens import COLUMNS, claims, row
from .chosen import JSON, STEP, TIMEOUT, Meant, chosen, deadline_of, every, meant, obtained, one, sending, variables
from .printing import print_json, print_rows
from .recollection import Recollection


@click.command(cls=Sectioned)
@STEP
@JSON
@click.option("--reveal", is_flag=True, help="Tokens in full, in the table and in JSON.")
@click.option("--decode", is_flag=True, help="The claims of a JWT; they are not verified.")
@click.option("--raw", is_flag=True, help="The token alone; obtains or renews it first.")
@click.option(
    "--header", is_flag=False, flag_value="", metavar="[NAME]", help="'Name: value' lines; with NAME that value alone."
)
@click.option("--env", "as_env", is_flag=True, help="Lines for a shell: export FORGE_TOKEN=…")
@TIMEOUT
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
      curl -H "X-Token: $(forge token show --raw)" https://api.example.com/users
      forge token show --header | curl -H @- https://api.example.com/users
    """
    forms = {"--json": as_json, "--decode": decode, "--raw": raw, "--header": header is not None, "--env": as_env}
    given = [name for name, wanted in forms.items() if wanted]
    if len(given) > 1:
        raise UsageError(f"{given[0]} and {given[1]} cannot go together", hint="choose one")
    if raw or header is not None or as_env:
        memory = Recollection(context)
        profile = sending(context)
        deadline = deadline_of(profile, timeout)
        if raw:
            return _print_raw(context, profile, memory, step, deadline)
        if as_env:
            return _print_env(context, profile, step, deadline)
        return _print_header(context, profile, memory, header or "", deadline)
    profile = context.profile()
    tokens = [(each, each.token) for each in (every(profile) if step is None else chosen(profile, step))]
    found = [(each, token) for each, token in tokens if token is not None]
    if decode:
        return _print_claims(context, profile, found, step)
    rows = [
        row(profile.name, each.label, token, source=_source(each), storage=_storage(profile, each), reveal=reveal)
        for each, token in found
    ]
    return print_rows(context, rows, COLUMNS, as_json=as_json, empty="no tokens are stored for this profile yet")


def _print_raw(
    context: Context, profile: Profile, memory: Recollection, step: str | None, deadline: Deadline | None
) -> int:
    each = one(profile, step)
    memory.read(each)
    [token] = obtained([each], deadline).values()
    text = f"{token.access_token}\n"
    context.stdout.write(text)
    memory.keep(profile, each, token, text)
    return 0


def _print_header(
    context: Context, profile: Profile, memory: Recollection, name: str, deadline: Deadline | None
) -> int:
    bearer = _only_bearer(profile)
    if bearer is not None:
        memory.read(bearer)
    headers = _credential_headers(context, profile, deadline)
    if not name:
        text = "".join(f"{key}: {value}\n" for key, value in headers.items())
        context.stdout.write(text)
        token = None if bearer is None else bearer.token
        if bearer is not None and token is not None and text == f"Authorization: Bearer {token.access_token}\n":
            memory.keep(profile, bearer, token, text)
        return 0
    found = next((value for key, value in headers.items() if key.lower() == name.lower()), None)
    if found is None:
        raise UsageError(
            f"profile {profile.name!r} sends no credential in a header {name!r}",
            hint=f"it sends: {', '.join(headers) or 'none'}",
        )
    context.stdout.write(f"{found}\n")
    return 0


def _only_bearer(profile: Profile) -> Meant | None:
    """The step whose token is the credential, where the profile says no other way to send it."""
    login = profile.login
    if profile.auth.inject is not None or profile.auth.sign is not None or len(login.targets) != 1:
        return None
    return meant(profile, login, login.targets[0])


def _credential_headers(context: Context, profile: Profile, deadline: Deadline | None) -> dict[str, str]:
    """The headers by which requests are authenticated. UsageError for a value that no header can have."""
    request = HttpRequest("GET", profile.base_url or "/")
    request = profile.auth_hook().before_request(request, RequestContext(request, deadline=deadline))
    headers = dict(request.headers or {})
    if request.cookies:
        headers["Cookie"] = "; ".join(f"{key}={value}" for key, value in request.cookies.items())
    for parameter, _ in curl.iter_params(request.params):
        context.notice(f"the query parameter {parameter!r} is a credential too, and no header")
    for key, value in headers.items():
        if re.search(r"[\r\n\0]", value):
            raise UsageError(f"the credential in header {key!r} holds a line break or NUL, which no header can")
    return headers


def _print_env(context: Context, profile: Profile, step: str | None, deadline: Deadline | None) -> int:
    for name, value in variables(profile, step, deadline).items():
        context.stdout.write(f"export {name}={curl.quote(value)}\n")
    return 0


def _print_claims(context: Context, profile: Profile, tokens: list[tuple[Meant, TokenData]], step: str | None) -> int:
    if not tokens:
        raise UsageError("no token is stored", hint="`forge token refresh` obtains one")
    decoded = {each.label: claims(token.access_token) for each, token in tokens}
    if all(found is None for found in decoded.values()):
        what = f"the token of step {step!r} is" if step is not None else "the stored tokens are"
        raise UsageError(f"{what} opaque: no JWT", hint="only the server knows what is in it")
    for name, found in decoded.items():
        if found is not None:
            context.stdout.write(f"# {profile.name} {name}, not verified\n")
            print_json(context, found)
    return 0


def _source(each: Meant) -> str:
    """Where a step's token comes from."""
    table = each.step.table
    request = getattr(table, "request", None)
    # What a reference stands for was not kept with the token.
    place = "" if request is None else re.sub(r"(?<!\$)\$\{[^}]*\}", "…", request.url)
    return f"{table.kind} {request.method} {place}".removesuffix(" …") if request is not None else str(table.kind)


def _storage(profile: Profile, each: Meant) -> str:
    storage = each.login.pipeline.storage
    return f"file {storage.path}" if isinstance(storage, FileTokenStorage) else profile.storage_kind
