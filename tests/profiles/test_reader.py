"""Tables into dataclasses, and everything that can be wrong with a table."""

from __future__ import annotations

import dataclasses
import tomllib
from typing import Any

import pytest

from forge_cli.login.definition import ExpiresTable, ExtractTable, StepTable
from forge_cli.login.steps import STEPS
from forge_cli.login.steps.http import HttpStep
from forge_cli.login.steps.value import ValueStep
from forge_cli.profiles import schema
from forge_cli.profiles.kinds import Problem, Use
from forge_cli.profiles.reader import read
from forge_cli.profiles.schema import (
    ApiKeyAuth,
    BasicAuth,
    BearerAuth,
    EnvSecret,
    FileSecret,
    NoAuth,
    OAuth2Auth,
    PipelineAuth,
    ProfileTable,
    PromptSecret,
    ProxyTable,
    TimeoutTable,
)

PASSWORD = "not-a-real-password"
STEP = '[auth]\ntype = "pipeline"\n[auth.steps.s]\nextract = { token = "/t" }\n'
OAUTH2 = 'type = "oauth2", grant = "client-credentials", token_url = "/t", client_id = "c", client_secret = "s"'
REQUEST = 'request = { url = "/t" }\n'


def profile(text: str) -> ProfileTable:
    problems: list[Problem] = []
    table = read(ProfileTable, tomllib.loads(text), (), problems)
    assert problems == []
    assert table is not None
    return table


def wrong(text: str) -> list[tuple[str, str]]:
    problems: list[Problem] = []
    assert read(ProfileTable, tomllib.loads(text), (), problems) is None
    return [(".".join(map(str, problem.path)), problem.message) for problem in problems]


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        pytest.param("", "max_body", 100 * 1024 * 1024, id="the default size"),
        pytest.param("", "redirects", 10, id="the default redirects"),
        pytest.param("", "timeout", TimeoutTable(connect=10.0, idle=60.0, total=None), id="the default time limits"),
        pytest.param("", "auth", NoAuth(), id="no auth by default"),
        pytest.param('max_body = "2 MiB"', "max_body", 2 * 1024 * 1024, id="a size as text"),
        pytest.param("timeout = 5", "timeout", 5.0, id="a number is the total"),
        pytest.param('timeout = "2m"', "timeout", 120.0, id="a duration is the total"),
        pytest.param("timeout = { idle = 5 }", "timeout", TimeoutTable(idle=5.0), id="time limits in a table"),
        pytest.param("verify = false", "verify", False, id="verify off"),
        pytest.param('verify = "ca.pem"', "verify", "ca.pem", id="a CA file"),
        pytest.param('proxy = "http://p:1"', "proxy", "http://p:1", id="one proxy"),
        pytest.param('proxy.no_proxy = ["a"]', "proxy", ProxyTable(no_proxy=("a",)), id="proxies by scheme"),
        pytest.param("vars = { a = 1, b = 'x', c = true }", "vars", {"a": 1, "b": "x", "c": True}, id="vars"),
        pytest.param("query = { a = ['1', '2'], b = 3 }", "query", {"a": ["1", "2"], "b": 3}, id="query"),
        pytest.param('auth = { type = "none" }', "auth", NoAuth(), id="none"),
        pytest.param('auth = { type = "bearer", token = "x" }', "auth", BearerAuth(token="x"), id="bearer"),
        pytest.param(
            'auth = { type = "basic", username = "u", password = "${env.P}", exclude = ["/a*"] }',
            "auth",
            BasicAuth(username="u", password="${env.P}", exclude=("/a*",)),
            id="basic",
        ),
        pytest.param(
            'auth = { type = "api-key", key = "k", in = "query", name = "n" }',
            "auth",
            ApiKeyAuth(key="k", in_="query", name="n"),
            id="api-key",
        ),
        pytest.param(
            f'auth = {{ {OAUTH2}, resource = ["a"] }}',
            "auth",
            OAuth2Auth(grant="client-credentials", token_url="/t", client_id="c", client_secret="s", resource=("a",)),
            id="oauth2",
        ),
        pytest.param(
            'auth = { type = "pipeline", invalidate = [] }', "auth", PipelineAuth(invalidate=()), id="pipeline"
        ),
        pytest.param(
            'secrets = { a = { env = "A" }, b = { file = "f", pointer = "/p" }, c = { prompt = "P" } }',
            "secrets",
            {"a": EnvSecret(env="A"), "b": FileSecret(file="f", pointer="/p"), "c": PromptSecret(prompt="P")},
            id="secrets",
        ),
    ],
)
def test_a_key_has_its_value(text: str, field: str, value: Any) -> None:
    assert getattr(profile(text), field) == value


def test_max_elapsed_counts_only_when_written() -> None:
    assert profile("retry = { max_retries = 1 }").retry.max_elapsed is None
    assert profile("retry = { max_elapsed = 120 }").retry.max_elapsed == 120.0


def test_a_step_is_read_by_its_kind() -> None:
    text = f'{STEP}{REQUEST}expires = "never"\n[auth.steps.v]\nkind = "value"\nvalue = "${{env.X}}"\n'
    auth = profile(text).auth
    assert isinstance(auth, PipelineAuth)
    assert isinstance(auth.steps["s"], HttpStep)
    assert auth.steps["s"].expires == "never"
    assert auth.steps["v"] == ValueStep(kind="value", value="${env.X}")


def test_places_of_an_output_are_tried_in_order() -> None:
    text = STEP.replace('"/t"', '{ pointer = "/a", or = ["/b", { header = "X" }] }') + REQUEST
    step: StepTable = profile(text).auth.steps["s"]  # type: ignore[union-attr]
    assert isinstance(step, HttpStep)
    assert step.extract == {"token": ExtractTable(pointer="/a", alternatives=("/b", ExtractTable(header="X")))}


def test_expires_has_keys_that_python_reserves() -> None:
    text = f'{STEP}{REQUEST}expires = {{ in = "/e", default = "5m" }}'
    step: StepTable = profile(text).auth.steps["s"]  # type: ignore[union-attr]
    assert step.expires == ExpiresTable(in_="/e", default=300.0)


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        pytest.param("bas_url = ''", "bas_url", "unknown key (nearest: base_url)", id="a key with a typo"),
        pytest.param("tokens.colour = 1", "tokens.colour", "unknown key (one of: storage, ", id="a key of its own"),
        pytest.param("netrc2 = true", "netrc2", "unknown key (nearest: netrc)", id="a key of a later version"),
        pytest.param("base_url = 1", "base_url", "must be text, not a whole number", id="a number for a text"),
        pytest.param("headers = 'x'", "headers", "must be a table, not text", id="a text for a table"),
        pytest.param("origins = ''", "origins", "must be an array, not text", id="a text for an array"),
        pytest.param("origins = [1]", "origins.0", "must be text, not a whole number", id="a number in an array"),
        pytest.param(
            "redirects = true", "redirects", "must be a whole number, not true or false", id="true for a number"
        ),
        pytest.param("redirects = 1.5", "redirects", "must be a whole number, not a decimal number", id="a fraction"),
        pytest.param("redirects = -1", "redirects", "must be from 0 to", id="a negative count"),
        pytest.param("abstract = 1", "abstract", "must be true or false, not a whole number", id="a number for true"),
        pytest.param("verify = 1", "verify", "must be true or false or text, not a whole number", id="a union"),
        pytest.param("base_url = 1979-05-27", "base_url", "must be text, not a date or time", id="a date"),
        pytest.param("query.at = 1979-05-27", "query.at", "a date or time has no JSON form", id="a date in a tree"),
        pytest.param("query.at = [[nan]]", "query.at.0.0", "must be a finite number", id="nan in a tree"),
        pytest.param("timeout = nan", "timeout", "a duration is", id="nan for a duration"),
        pytest.param("timeout = -1", "timeout", "a duration is", id="a negative duration"),
        pytest.param("timeout = 1e300", "timeout", "a duration is", id="a duration without end"),
        pytest.param("timeout = '5 apples'", "timeout", "a duration is", id="a bad duration"),
        pytest.param(
            "timeout = []", "timeout", "must be a duration or a table, not an array", id="an array for a duration"
        ),
        pytest.param("max_body = 'big'", "max_body", "a size is", id="a bad size"),
        pytest.param("max_body = 1.5", "max_body", "must be a size, not a decimal number", id="a fraction of a byte"),
        pytest.param("retry.multiplier = inf", "retry.multiplier", "must be a finite number", id="inf"),
        pytest.param("retry.multiplier = 0.5", "retry.multiplier", "must be 1 or more", id="a factor below 1"),
        pytest.param(
            f"retry.multiplier = 1{'0' * 400}", "retry.multiplier", "must be a finite number", id="a huge number"
        ),
        pytest.param("retry.statuses = [42]", "retry.statuses.0", "must be from 100 to 599", id="no status"),
        pytest.param(
            "retry.strategy = 'exponental'",
            "retry.strategy",
            "unknown retry strategy (nearest: exponential)",
            id="a word with a typo",
        ),
        pytest.param("retry.strategy = 1", "retry.strategy", "must be text, not a whole number", id="no word"),
        pytest.param("retry.failure_threshold = 0", "retry.failure_threshold", "must be from 1", id="none of a count"),
        pytest.param(
            "tokens.storage = 'flie'", "tokens.storage", "unknown token storage (nearest: file)", id="a storage"
        ),
        pytest.param("vars.a = '${env.X}'", "vars.a", "templates are not filled in here", id="a template in vars"),
        pytest.param("headers.A = '${env.X'", "headers.A", "`${` is not closed: at column 1", id="a bad template"),
        pytest.param("query.a = ['${env.X | b65}']", "query.a.0", "(nearest: b64)", id="an unknown filter"),
        pytest.param(
            "secrets.a = {}",
            "secrets.a",
            "must have exactly one of: env, file, prompt, command, keyring",
            id="an empty secret",
        ),
        pytest.param(
            "secrets.a = { env = 'A', file = 'f' }",
            "secrets.a",
            "env, file, prompt, command, keyring, not env, file",
            id="two secrets",
        ),
        pytest.param(
            "secrets.a = { evn = 'A' }",
            "secrets.a.evn",
            "unknown key (nearest: env)",
            id="a secret's typo",
        ),
        pytest.param("vars.a = nan", "vars.a", "must be a finite number", id="nan in vars"),
        pytest.param("vars.a = -inf", "vars.a", "must be a finite number", id="inf in vars"),
        pytest.param(
            f"{STEP}{REQUEST}success.body = {{ '/a' = nan }}",
            "auth.steps.s.success.body./a",
            "must be a finite number",
            id="nan in a test",
        ),
        pytest.param(
            f"{STEP}{REQUEST}when = {{ value = 'a', in = [nan] }}",
            "auth.steps.s.when.in.0",
            "must be a finite number",
            id="nan in a condition",
        ),
        pytest.param(
            f"{STEP}{REQUEST}refresh.request.url = '/r'\n"
            f"refresh.extract.id = {{ pointer = '/a', default = [{{ b = inf }}] }}",
            "auth.steps.s.refresh.extract.id.default.0.b",
            "must be a finite number",
            id="inf in a default",
        ),
        pytest.param("secrets.a = 5", "secrets.a", "must be a table such as { env = … }", id="a number for a secret"),
        pytest.param(
            "secrets.a = { file = 'f', pointer = 'p' }", "secrets.a.pointer", "starts with '/'", id="a bad pointer"
        ),
        pytest.param("auth = {}", "auth", "missing key: type", id="no type"),
        pytest.param("auth = 5", "auth", "must be text or a table, not a whole number", id="a number for auth"),
        pytest.param("auth.type = 'baerer'", "auth.type", "unknown type (nearest: bearer)", id="a type with a typo"),
        pytest.param("auth.type = 5", "auth.type", "unknown type", id="a number for a type"),
        pytest.param("auth.type = 'bearer'", "auth", "missing key: token", id="a missing key"),
        pytest.param(
            f"{STEP}kind = 'htpp'", "auth.steps.s.kind", "unknown step kind (nearest: http)", id="a step kind"
        ),
        pytest.param(f"{STEP}kind = 1", "auth.steps.s.kind", "unknown step kind", id="a number for a step kind"),
        pytest.param(STEP, "auth.steps.s", "missing key: request", id="a step without request"),
        pytest.param(
            f"{STEP}reqest = {{}}\n{REQUEST}",
            "auth.steps.s.reqest",
            "unknown key (nearest: request)",
            id="a step's typo",
        ),
        pytest.param(
            f"{STEP}request = {{ url = '/', json = 1, form = {{}} }}",
            "auth.steps.s.request",
            "has more than one body: form, json",
            id="two bodies",
        ),
        pytest.param(
            f"{STEP}request = {{ url = '/', basic = ['u'] }}",
            "auth.steps.s.request",
            "[user, password]",
            id="no password",
        ),
        pytest.param(
            STEP.replace('"/t"', "{}") + REQUEST,
            "auth.steps.s.extract.token",
            "must have exactly one of: pointer, header",
            id="an output from nowhere",
        ),
        pytest.param(
            STEP.replace("/t", "t") + REQUEST, "auth.steps.s.extract.token", "starts with '/'", id="no pointer"
        ),
        pytest.param(
            STEP.replace("/t", "X-Token") + REQUEST,
            "auth.steps.s.extract.token",
            'a header is written { header = "X-Token" }',
            id="a header for a pointer",
        ),
        pytest.param(
            f"{STEP}{REQUEST}expires = {{ at = '/e', unit = 'ISO8601' }}",
            "auth.steps.s.expires.unit",
            "must be one of: s, ms, iso, http (nearest: iso)",
            id="a unit by a longer name",
        ),
        pytest.param(
            f"{STEP}{REQUEST}expires = {{ at = '/e', unit = 'seconds' }}",
            "auth.steps.s.expires.unit",
            "(nearest: s)",
            id="a unit in full",
        ),
        pytest.param(
            "auth = { type = 'basic', username = 'a:b', password = 'p' }",
            "auth",
            "`username` has a colon",
            id="a colon in a user name",
        ),
        pytest.param(
            "auth = { type = 'basic', username = '${env.X}:b', password = 'p' }",
            "auth",
            "`username` has a colon",
            id="a colon behind a reference",
        ),
        pytest.param(
            "auth = { type = 'basic', username = '${env.X:', password = 'p' }",
            "auth.username",
            "at column 8",
            id="a colon in a user name that is no template",
        ),
        pytest.param(
            f"{STEP}request = {{ url = '/', basic = ['a:b', 'p'] }}",
            "auth.steps.s.request",
            "the user in `basic` has a colon",
            id="a colon in a step's user name",
        ),
        pytest.param(
            f"{STEP}{REQUEST}[[auth.inject]]\nin = 'basic'\nname = 'a:b'\nvalue = 'x'",
            "auth.inject.0",
            "`name` has a colon",
            id="a colon in an injected user name",
        ),
        pytest.param(
            f"{STEP}{REQUEST}expires = {{ in = '/e', ttl = 5 }}",
            "auth.steps.s.expires",
            "must have exactly one of: in, at, output, jwt, cookie, ttl",
            id="two ends",
        ),
        pytest.param(
            f"{STEP}{REQUEST}expires = {{ ttl = 5, unit = 'ms' }}",
            "auth.steps.s.expires",
            "`unit` goes with",
            id="a unit",
        ),
        pytest.param(
            f"{STEP}{REQUEST}expires = 'nevre'", "auth.steps.s.expires", "must be 'never' (nearest: never)", id="nevre"
        ),
        pytest.param(
            f"{STEP}{REQUEST}success = {{ body = {{ ok = true }} }}",
            "auth.steps.s.success.body.ok",
            "starts with '/'",
            id="a test at no pointer",
        ),
        pytest.param(
            f"{STEP}{REQUEST}success.status = {{ matches = '(' }}",
            "auth.steps.s.success.status",
            "",
            id="a bad predicate",
        ),
        pytest.param(
            f"{STEP}{REQUEST}[[auth.inject]]\nin = 'header'\nvalue = 'x'",
            "auth.inject.0",
            "missing key: name",
            id="inject",
        ),
        pytest.param(
            f"{STEP}{REQUEST}[[auth.invalidate]]\nwhen = {{}}\nsteps = []",
            "auth.invalidate.0.when",
            "tests nothing",
            id="a rule for every answer",
        ),
    ],
)
def test_what_is_wrong_is_said_once_with_its_path(text: str, path: str, message: str) -> None:
    ((found, words),) = wrong(text)
    assert found == path
    assert message in words


def test_all_problems_are_found_at_once() -> None:
    text = (
        f"redirects = ''\nheaders = {{ A = 1, B = '${{' }}\n{STEP}skew = 'x'\nneeds = 1\nrequest = {{ method = 5 }}\n"
    )
    assert [path for path, _ in wrong(text)] == [
        "redirects",
        "headers.A",
        "headers.B",
        "auth.steps.s.skew",
        "auth.steps.s.needs",
        "auth.steps.s.request.method",
        "auth.steps.s.request",
    ]


@pytest.mark.parametrize(
    "text",
    [
        f"secrets.password = '{PASSWORD}'",
        f"secrets = '{PASSWORD}'",
        f"secrets = ['{PASSWORD}']",
        f"secrets.password = {{ env = ['{PASSWORD}'] }}",
        f"timeout = '{PASSWORD}'",
        f"auth = {{ type = '{PASSWORD}' }}",
        f"tokens.storage = '{PASSWORD}'",
        f"auth = {{ type = 'api-key', key = 'k', name = 'n', in = '{PASSWORD}' }}",
        f"{STEP}kind = '{PASSWORD}'",
        f"{STEP.replace('/t', PASSWORD)}{REQUEST}",
        f"{STEP}{REQUEST}success.status = {{ matches = '({PASSWORD}' }}",
        f"{STEP}request = {{ url = '/', basic = ['{PASSWORD}'] }}",
    ],
)
def test_a_value_is_never_repeated(text: str) -> None:
    assert wrong(text)
    assert PASSWORD not in str(wrong(text))


def test_a_plain_secret_is_told_where_to_go() -> None:
    ((_, message),) = wrong(f"secrets.client-secret = '{PASSWORD}'")
    assert '{ env = "CLIENT_SECRET" }' in message


def test_templates_are_handed_on_with_their_places() -> None:
    uses: list[Use] = []
    text = f"{STEP}request = {{ url = '/', json = {{ a = ['${{env.B}}'] }} }}\nskew = 5"
    text = f"headers = {{ A = '${{env.A}}', B = 'plain' }}\n{text}"
    read(ProfileTable, tomllib.loads(text), (), [], uses)
    assert [(use.path, use.template.references) for use in uses] == [
        (("headers", "A"), (("env", "A"),)),
        (("auth", "steps", "s", "request", "json", "a", 0), (("env", "B"),)),
    ]


def _tables() -> list[Any]:
    steps = [STEPS.load(kind) for kind in STEPS]
    named = [item for item in vars(schema).values() if isinstance(item, type) and dataclasses.is_dataclass(item)]
    return [*named, *steps]


@pytest.mark.parametrize("table", _tables(), ids=lambda table: table.__name__)
def test_every_key_has_help_and_can_be_read(table: Any) -> None:
    assert table.__doc__
    for item in dataclasses.fields(table):
        assert item.metadata["help"]
    problems: list[Problem] = []
    read(table, {item.metadata.get("name", item.name): object() for item in dataclasses.fields(table)}, (), problems)
    assert not [problem for problem in problems if "unknown key" in problem.message]
