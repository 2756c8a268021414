"""The JSON Schema says what the reader says: whole files, broken ones, and everything in between."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from docs.reference import tables
from forge_cli.errors import ProfileError
from forge_cli.login.template import parse
from forge_cli.profiles import json_schema, json_schema_rules, reader
from forge_cli.profiles.document import Document
from forge_cli.profiles.schema import BasicAuth, CompositeAuth
from forge_cli.profiles.validate import problems
from tests.conftest import Forge

ROOT = Path(__file__).parents[2]
EVERYTHING = Path(__file__).with_name("everything.toml")
EXAMPLE = ROOT / "profiles.example.toml"
RECIPES = sorted((ROOT / "forge_cli" / "profiles" / "recipes").glob("*.toml"))

# What no schema can say: which names there are, and which files.
_OF_NAMES = re.compile(
    r"unknown (var|secret|step|profile|shared login) '|there is no shared login|there is no value|has no output"
    r"|no step (needs|sends)|neither refers to|no such file|refers to itself|need each other|has no base_url"
)


@cache
def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json_schema.schema())


def wrong(data: Any) -> list[str]:
    """What the schema finds wrong, with the place of each."""
    return [f"{error.json_path}: {error.message[:200]}" for error in validator().iter_errors(data)]


def found(data: Any) -> list[str]:
    """What the reader finds wrong with a file, and not with the names or files that it refers to."""
    lines = [problem.message for problem in problems(Document(Path("profiles.toml"), "", data))]
    return [line for line in lines if _OF_NAMES.search(line) is None]


def recipe(path: Path) -> dict[str, Any]:
    """A recipe as a profile file."""
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    return {"profiles": {"recipe": data["profile"]}}


def whole() -> dict[str, Any]:
    return tomllib.loads(EVERYTHING.read_text(encoding="utf-8"))


def test_it_is_a_json_schema_that_has_an_identity() -> None:
    made = json_schema.schema()
    jsonschema.Draft202012Validator.check_schema(made)
    assert made["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert made["$id"].startswith("urn:") and made["title"]
    assert all(wrong(example) == [] for example in made["examples"])


def _keys(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every key of every table; in a condition a key is only named."""
    if isinstance(node, dict):
        for name, inner in node.get("properties", {}).items():
            if "/if" not in path and "/then" not in path and "/else" not in path and "not" not in inner:
                yield f"{path}/{name}", inner
        for name, inner in node.items():
            yield from _keys(inner, f"{path}/{name}")


def test_every_key_is_explained() -> None:
    # An editor shows the text that stands beside the key: not one deeper, and no single word.
    silent = [path for path, inner in _keys(json_schema.schema()) if len(inner.get("description", "")) < 12]
    assert silent == []


def test_the_unit_of_a_duration_and_of_a_size_is_said() -> None:
    texts = {path.rpartition("/")[2]: inner["description"] for path, inner in _keys(json_schema.schema())}
    units = {name: text for name, text in texts.items() if "(seconds," in text or "(bytes," in text}
    assert set(units) >= {"connect", "ttl", "timeout", "skew", "lifetime", "max_delay", "max_body"}


def test_the_command_prints_it(forge: Forge) -> None:
    result = forge("profile", "schema")
    assert result.exit_code == 0 and result.stderr == ""
    assert json.loads(result.stdout) == json_schema.schema()


@pytest.mark.parametrize("path", [EXAMPLE, EVERYTHING], ids=lambda path: path.stem)
def test_a_valid_file_is_valid(path: Path) -> None:
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    assert wrong(data) == []
    assert found(data) == []


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_a_valid_profile(path: Path) -> None:
    assert wrong(recipe(path)) == []


def test_there_are_recipes() -> None:
    assert len(RECIPES) > 20


def test_the_file_with_everything_has_every_key_of_the_format() -> None:
    def names(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            for name, inner in node.items():
                yield name
                yield from names(inner)
        elif isinstance(node, list):
            for inner in node:
                yield from names(inner)

    keys = {
        item.metadata.get("name", item.name)
        for name, cls in tables().items()
        if name != "SharedAuth"
        for item in fields(cls)
    }
    assert keys.difference(names(whole())) == set()


def test_every_rule_of_the_reader_has_its_counterpart() -> None:
    # Of these a key alone says what the rule does.
    assert set(reader.RULES).difference(json_schema_rules.RULES) == {BasicAuth, CompositeAuth}


def test_the_keys_of_a_class_of_ones_own_are_not_known() -> None:
    data = _broken('[profiles.a.auth]\ntype = "pipeline"\nsteps.s = { kind = "mine.steps:Step", anything = 1 }')
    assert wrong(data) == []
    data = _broken('[profiles.a.auth]\ntype = "pipeline"\nsteps.s = { kind = "mine.steps:Step", skew = false }')
    assert len(wrong(data)) > 0


def test_what_a_child_leaves_to_its_parent_may_be_absent() -> None:
    child = 'extends = "b"\nauth.steps.login.request.form.user = "ada"\nauth.steps.login.refresh.on_failure = "error"'
    parent = (
        '[profiles.b]\nbase_url = "https://b.example"\nauth.type = "pipeline"\n[profiles.b.auth.steps.login]\n'
        'request = { method = "POST", url = "/l" }\nextract = { token = "/t" }\nrefresh = { request = { url = "/r" } }'
    )
    data = _broken(f"{child}\n{parent}")
    assert wrong(data) == [] and found(data) == []


def test_an_error_is_at_the_value_that_is_wrong() -> None:
    data = whole()
    data["profiles"]["full"]["auth"]["steps"]["a"]["request"]["redirects"] = "two"
    assert {line.partition(":")[0] for line in wrong(data)} == {"$.profiles.full.auth.steps.a.request.redirects"}


def _broken(text: str) -> dict[str, Any]:
    return tomllib.loads(f"[profiles.a]\n{text}")


def _auth(text: str) -> str:
    return f"auth = {{ {text} }}"


def _steps(text: str) -> str:
    return f'[profiles.a.auth]\ntype = "pipeline"\n{text}'


def _step(text: str) -> str:
    return _steps(f'[profiles.a.auth.steps.s]\nrequest.url = "https://a.example"\nextract.token = "/t"\n{text}')


def _oauth2(grant: str, text: str) -> str:
    return _auth(f'type = "oauth2", grant = "{grant}", {text}')


_SEVERAL: Mapping[str, str] = {
    "an unknown key of the file": "[profile.b]",
    "another version of the format": "base_url = 'https://a.example'\n[profiles]\n",
    "an unknown key of a profile": "base-url = 'https://a.example'",
    "a base URL without a scheme": "base_url = 'a.example'",
    "a base URL with a query": "base_url = 'https://a.example/?q=1'",
    "a base URL with a space": "base_url = 'https://a b.example/'",
    "a base URL whose port is none": "base_url = 'https://a.example:port/v1'",
    "an origin with two ports": "origins = ['https://a.example:1:2']",
    "a variable that is none": "secrets = { a = { env = '$TOKEN' } }",
    "a file with a NUL": 'secrets = { a = { file = "b\\u0000c" } }',
    "a shared composite": "[auth.b]\ntype = 'composite'\nparts = ['c']",
    "an origin without a scheme": "origins = ['a.example']",
    "a number where text is due": "headers = { Accept = 1 }",
    "a header that is none": "headers = { 'A B' = 'c' }",
    "an unclosed reference": "headers = { A = '${vars.b' }",
    "an unknown filter": "headers = { A = '${vars.b | base64}' }",
    "a filter that needs an argument": "headers = { A = '${vars.b | hmac_sha256}' }",
    "a filter that takes none": "headers = { A = '${vars.b | upper(vars.c)}' }",
    "a template in a var": "vars = { a = '${env.B}' }",
    "a name with a space": "vars = { 'a b' = 1 }",
    "a date in a body": _step("[profiles.a.auth.steps.s.request.json]\nday = 2026-01-01"),
    "a duration in words": "timeout = 'soon'",
    "a negative duration": "timeout = { connect = -1 }",
    "a size in words": "max_body = 'much'",
    "a proxy of another kind": "proxy = { http = 'socks5://a.example' }",
    "too many redirects": "redirects = -1",
    "a secret as text": "secrets = { a = 'hunter2' }",
    "a secret in two places": "secrets = { a = { env = 'A', file = 'b' } }",
    "a secret nowhere": "secrets = { a = {} }",
    "a command as text": "secrets = { a = { command = 'op read' } }",
    "an empty command": "secrets = { a = { command = [] } }",
    "a template in a command": "secrets = { a = { command = ['op', '${vars.a}'] } }",
    "a variable with its value": "secrets = { a = { env = ['A=b'], command = ['op'] } }",
    "half a keyring entry": "secrets = { a = { keyring = { service = 's' } } }",
    "an unknown retry strategy": "retry = { strategy = 'always' }",
    "a factor below one": "retry = { multiplier = 0.5 }",
    "a status that is none": "retry = { statuses = [42] }",
    "an unknown storage": "tokens = { storage = 'django' }",
    "a storage that is no text": "tokens = { storage = [] }",
    "a key of another storage": "tokens = { storage = 'file', url = 'redis://a.example' }",
    "a storage by command without delete": "tokens = { storage = 'command', read = ['a'], write = ['b'] }",
    "auth without a type": _auth("token = 'a'"),
    "auth of an unknown type": _auth("type = 'kerberos'"),
    "a key of another type of auth": _auth("type = 'bearer', token = 'a', key = 'b'"),
    "bearer without a token": _auth("type = 'bearer'"),
    "a user with a colon": _auth("type = 'basic', username = 'a:b', password = 'c'"),
    "an API key in the body": _auth("type = 'api-key', in = 'body', name = 'k', key = 'v'"),
    "an API key in a header that is none": _auth("type = 'api-key', name = 'a b', key = 'v'"),
    "a composite of nothing": _auth("type = 'composite', parts = []"),
    "an unknown grant": _oauth2("implicit", "token_url = 'https://a.example'"),
    "a grant without its endpoint": _oauth2("client-credentials", "client_id = 'a', client_secret = 'b'"),
    "a client without its secret": _oauth2("client-credentials", "token_url = 'https://a.example', client_id = 'a'"),
    "a secret without its client": _oauth2(
        "refresh-token", "issuer = 'https://a', refresh_token = 'a', client_secret = 's'"
    ),
    "a proof without its key": _oauth2(
        "password",
        "issuer = 'https://a', username = 'a', password = 'b', client_id = 'c', client_auth = 'private-key-jwt'",
    ),
    "a key of another grant": _oauth2(
        "client-credentials", "issuer = 'https://a', client_id = 'a', client_secret = 'b', username = 'c'"
    ),
    "an assertion without claims": _oauth2("jwt-bearer", "token_url = 'https://a.example', private_key = 'a'"),
    "a device login without its endpoint": _oauth2("device-code", "token_url = 'https://a.example', client_id = 'a'"),
    "an unknown kind of step": _steps("steps.s = { kind = 'graphql' }"),
    "a step without a request": _steps("steps.s = { extract = { token = '/t' } }"),
    "a step without a token": _steps("steps.s = { request = { url = 'https://a.example' }, extract = { id = '/t' } }"),
    "a key of another kind of step": _step("command = ['a']"),
    "a jwt of an unknown algorithm": _steps("steps.s = { kind = 'jwt', alg = 'none', key = 'k' }"),
    "a request without a URL": _steps("steps.s = { request = { method = 'GET' }, extract = { token = '/t' } }"),
    "two bodies": _step("request.form = { a = 'b' }\nrequest.json = { a = 'b' }"),
    "Basic without a password": _step("request.basic = ['a']"),
    "Basic with a colon in the user": _step("request.basic = ['a:b', 'c']"),
    "a pointer without a slash": _steps("steps.s = { request = { url = 'https://a' }, extract = { token = 'a' } }"),
    "a pointer with a bad escape": _step("extract.id = '/a~b'"),
    "an output in two places": _step("extract.id = { header = 'A', cookie = 'b' }"),
    "an output in no place": _step("extract.id = { optional = true }"),
    "`where` without a pointer": _step("extract.id = { header = 'A', where = { '/a' = 1 } }"),
    "`param` without a header": _step("extract.id = { cookie = 'A', param = 'b' }"),
    "an end in two places": _step("expires = { in = '/a', ttl = 5 }"),
    "a unit without a moment": _step("expires = { in = '/a', unit = 'ms' }"),
    "an unknown unit": _step("expires = { at = '/a', unit = 'us' }"),
    "an end in words": _step("expires = 'soon'"),
    "a refresh without a request": _step("refresh = { on_failure = 'error' }"),
    "a refresh token that ends in two places": _step(
        "refresh = { request = { url = 'https://a' }, until = { in = '/a', ttl = 5 } }"
    ),
    "an unknown way out": _step("refresh = { request = { url = 'https://a' }, on_failure = 'ignore' }"),
    "a condition that tests nothing": _step("when = { value = 'a' }"),
    "a condition without a value": _step("when = { equals = 'a' }"),
    "an empty test": _step("success = { status = {} }"),
    "an unknown test": _step("success = { status = { min = 200 } }"),
    "a test on a list of lists": _step("success = { status = [[200]] }"),
    "an unknown cache": _step("cache = 'disk'"),
    "a credential nowhere": _steps("inject = [{ in = 'trailer', name = 'A', value = 'b' }]"),
    "a credential without a name": _steps("inject = [{ in = 'header', value = 'b' }]"),
    "a credential without a value": _steps("inject = [{ in = 'query', name = 'b' }]"),
    "a base URL with a name": _steps("inject = [{ in = 'base_url', name = 'a', value = 'https://b.example' }]"),
    "a certificate as text": _steps("inject = [{ in = 'client_cert', value = 'c.pem' }]"),
    "a certificate in a header": _steps("inject = [{ in = 'header', name = 'A', value = { cert = 'c' } }]"),
    "a jar with a value": _steps("inject = [{ in = 'cookies', name = 'jar', value = 'a' }]\n"),
    "an injected header that is none": _steps("inject = [{ in = 'header', name = 'a b', value = 'c' }]"),
    "a rule that tests nothing": _steps("invalidate = [{ when = {}, steps = [] }]"),
    "a rule without steps": _steps("invalidate = [{ when = { status = 401 } }]"),
    "an unknown signer": _steps("sign = { type = 'hmac' }"),
    "a signer without its key": _steps("sign = { type = 'aws-sigv4', region = 'a', service = 'b', access_key = 'c' }"),
    "a step that follows less than no redirect": _step("request.redirects = -1"),
    "a method of two words": _step("request.method = 'P T'"),
    "an empty method": "requests = { r = { method = '', url = '/' } }",
    "a status beyond all": _step("success = { status = [200, 9999] }"),
    "a status as text": _step("success = { status = '200' }"),
    "a status that is not, and is none": _step("success = { status = { not = 99 } }"),
    "a rule for a status as text": _steps("invalidate = [{ when = { status = ['401'] }, steps = [] }]"),
    "a header of two lines": 'headers = { A = "b\\nc" }',
    "a header that ends its line": 'headers = { A = "b\\n" }',
    "a step's header with a NUL": _step('request.headers = { A = "b\\u0000" }'),
    "a saved header with a return": 'requests = { r = { url = "/", headers = { A = "b\\rX: c" } } }',
    "an injected header of two lines": _steps('inject = [{ in = "header", name = "A", value = "b\\nc" }]'),
    "an injected parameter of two lines": _steps('inject = [{ in = "query", name = "a\\nb", value = "c" }]'),
    "a parameter of two lines": 'query = { "a\\nb" = 1 }',
    "a step's parameter with a NUL": _step('request.query = { "a\\u0000" = 1 }'),
    "a bearer token of two lines": _auth('type = "bearer", token = "a\\nb"'),
    "an API key of two lines": _auth('type = "api-key", name = "K", key = "a\\nb"'),
    "a bearer token that is no number": _auth("type = 'bearer', token = nan"),
    "a password that is no number": _auth("type = 'basic', username = 'a', password = nan"),
    "redis nowhere": "tokens = { storage = 'redis' }",
    "a date as a default": _step("extract.id = { pointer = '/a', default = 2026-01-01 }"),
    "a list in a condition": _step("when = { value = 'a', in = [['b']] }"),
    "an injected cookie of two lines": _steps('inject = [{ in = "cookie", name = "A", value = "b\\nc" }]'),
    "a cookie that would be two": _steps("inject = [{ in = 'cookie', name = 'A', value = '${env.B}; c=1' }]"),
    "a cookie whose name is two": _steps("inject = [{ in = 'cookie', name = 'A=b', value = 'c' }]"),
    "a key that would be two cookies": _auth("type = 'api-key', in = 'cookie', name = 'K', key = 'a; b=1'"),
    "a certificate that is nowhere": _oauth2(
        "client-credentials", "token_url = 'https://a.example', client_id = 'b', client_auth = 'tls'"
    ),
    "a shared login that is known by a certificate": "[auth.b]\ntype = 'oauth2'\ngrant = 'client-credentials'\n"
    "token_url = 'https://a.example'\nclient_id = 'b'\nclient_auth = 'tls'",
    "a shared login whose base URL is none": "[auth.b]\ntype = 'none'\nbase_url = 'a.example'",
    "a shared login with a header that is none": "[auth.b]\ntype = 'api-key'\nname = 'a b'\nkey = 'c'",
    "a shared login without a type": "[auth.b]\ntoken = 'a'",
    "a shared login with a key of profiles": "[auth.b]\ntype = 'none'\nheaders = {}",
}
BROKEN = {what: text for what, text in _SEVERAL.items() if what != "another version of the format"}


def test_there_are_enough_broken_files() -> None:
    assert len(BROKEN) >= 50


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_refused_as_the_reader_refuses_it(text: str) -> None:
    data = _broken(text)
    assert found(data) != []
    assert wrong(data) != []


def test_another_version_of_the_format_is_refused() -> None:
    assert found({"version": 2}) != [] and wrong({"version": 2}) != []


def _walk(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    yield path, node
    members = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, inner in members:
        yield from _walk(inner, (*path, name))


@cache
def files() -> tuple[dict[str, Any], ...]:
    """Files of one profile each, or of one family."""
    example = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))
    found = [example, *map(recipe, RECIPES)]
    data = whole()
    family = {name: data["profiles"].pop(name) for name in ("parent", "child")}
    found += [{"profiles": family}, {"auth": data["auth"], "profiles": {"other": {}}}]
    found += [{"auth": data["auth"], "profiles": {name: profile}} for name, profile in data["profiles"].items()]
    return tuple(found)


@cache
def places() -> list[tuple[int, tuple[Any, ...], Any]]:
    """Every value of every file."""
    return [(index, path, node) for index, file in enumerate(files()) for path, node in _walk(file)]


_OTHERS: tuple[Any, ...] = (5, 1.5, True, "z-z", [], {}, ["z"], {"z": 1}, {"z": "${"}, [[1]])


@st.composite
def mutated(draw: st.DrawFn) -> tuple[dict[str, Any], bool]:
    """A file with one key more, one key less, or one value of another type; whether that is part of a family."""
    index, path, node = draw(st.sampled_from(places()))
    data = copy.deepcopy(files()[index])
    if isinstance(node, dict) and draw(st.booleans()):
        path, value = (*path, "zzz"), draw(st.sampled_from(_OTHERS))
    else:
        value = draw(st.sampled_from([other for other in _OTHERS if type(other) is not type(node)]))
    related = {name for name, profile in data["profiles"].items() if "extends" in profile or "abstract" in profile}
    if path:
        holder: Any = data
        for name in path[:-1]:
            holder = holder[name]
        if isinstance(holder, dict) and path[-1] in holder and draw(st.integers(0, 4)) == 0:
            del holder[path[-1]]
        else:
            holder[path[-1]] = value
    return data, len(path) > 1 and path[1] in related


# 1.0, which is a whole number for JSON Schema and none for TOML, is not among the values.
@settings(max_examples=250)
@given(mutated())
def test_the_schema_and_the_reader_refuse_the_same_files(change: tuple[dict[str, Any], bool]) -> None:
    data, in_family = change
    refused, reasons = wrong(data), found(data)
    # What is missing is known only when all is laid together.
    assert bool(refused) is bool(reasons) or (in_family and reasons), (refused, reasons)


@given(st.text(alphabet="${}|? a.b+-60'\"()\n", max_size=20))
def test_a_text_is_a_template_for_the_schema_when_it_is_one_for_the_reader(text: str) -> None:
    whole_text = f"${{vars.a}}{text}"
    refused = wrong({"profiles": {"a": {"query": {"A": whole_text}}}})
    try:
        parse(whole_text)
    except ProfileError:
        assert refused
    else:
        assert not refused


@given(st.text(alphabet="0123456789.dhms \t-+e", max_size=8))
def test_a_text_is_a_duration_for_the_schema_when_it_is_one_for_the_reader(text: str) -> None:
    # That it is at most a hundred years no pattern can say.
    assume(re.search("[0-9]{5}", text) is None)
    data = {"profiles": {"a": {"timeout": {"connect": text}}}}
    assert bool(wrong(data)) is bool(found(data)), (wrong(data), found(data))


@example("0ib")
@given(st.text(alphabet="0123456789.kKMGib ", max_size=8))
def test_a_text_is_a_size_for_the_schema_when_it_is_one_for_the_reader(text: str) -> None:
    data = {"profiles": {"a": {"max_body": text}}}
    assert bool(wrong(data)) is bool(found(data)), (wrong(data), found(data))
