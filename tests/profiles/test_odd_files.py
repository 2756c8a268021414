"""Odd files: whatever is in them, each line of the report has a place, a key, and what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from forge_cli.errors import ProfileError
from forge_cli.profiles.document import load_document
from tests.conftest import Forge

ODD = Path("odd.toml")
A = '[profiles.a]\nbase_url = "https://a.example"\n'
STEPS = f'{A}auth.type = "pipeline"\n'
FILES = {
    "a name that is not ASCII": ('[profiles."dév"]\n', '1: profiles."dév": a profile name is 1 to 64 letters'),
    "a name that is too long": (f"[profiles.{'p' * 200}]\n", f'1: profiles."{"p" * 64}…": a profile name is'),
    "a key that is too long": (f"{A}{'k' * 300} = 1", f'3: profiles.a."{"k" * 64}…": unknown key (one of: '),
    "a key with a line break": (f'{A}"b\\nc" = 1', '3: profiles.a."b\\nc": unknown key (one of: '),
    "a NUL in a header's name": (f'{A}headers."X\\u0000" = "b"', '3: profiles.a.headers."X\\u0000": is not a header'),
    "a NUL in the name of a file": (f'{A}secrets.t.file = "b\\u0000"', "3: profiles.a.secrets.t.file: holds a NUL"),
    "keys with dots": (
        'profiles.a.auth.type = "bearer"\nprofiles.a.auth.tokn = "x"',
        "auth.tokn: unknown key (nearest: token)",
    ),
    "profiles as an array of tables": (
        f"[{A.splitlines()[0]}]",
        "1: profiles.a: must be a table, not an array: write [… a]",
    ),
    "a login as an array of tables": (
        f"{A}[[profiles.a.auth]]\ntype = 'none'",
        "3: profiles.a.auth: must be text or a table",
    ),
    "steps as an array of tables": (
        f"{STEPS}[[profiles.a.auth.steps]]\nname = 'b'",
        "write [… steps] in single brackets",
    ),
    "a place as a table": (f"{STEPS}auth.inject = {{ in = 'header' }}", "write [[… inject]] in double brackets"),
    "needs as a text": (
        f"{STEPS}auth.steps.s = {{ kind = 'value', value = 'v', needs = 'b' }}",
        'not text: write ["…"]',
    ),
    "a reference in a name of a file": (
        f'{A}client_cert.cert = "${{vars.x}}"',
        "3: profiles.a.client_cert.cert: no such file",
    ),
    "a reference in a size": (
        f'{A}max_body = "${{vars.m}}"',
        "3: profiles.a.max_body: a size is bytes, or text such as",
    ),
    "a step in the base URL": (
        '[profiles.a]\nbase_url = "https://${steps.x.token}"',
        "2: profiles.a.base_url: a step's output",
    ),
    "itself in an origin": (
        f'{A}origins = ["https://b/${{self.token}}"]',
        "3: profiles.a.origins[0]: 'self.token' has a value",
    ),
    "a variable with its sign": (f'{A}secrets.t.env = "$TOKEN"', "3: profiles.a.secrets.t.env: must be the name of"),
    "a lifetime as a number": (
        f"{STEPS}auth.steps.s = {{ request.url = '/x', extract.token = '/t', expires = 3600 }}",
        "expires: must be 'never' or a table such as { ttl = \"25m\" }",
    ),
    "the grant by its wire name": (
        f"{A}auth = {{ type = 'oauth2', grant_type = 'client_credentials', token_url = '/t' }}",
        "auth.grant_type: unknown key (nearest: grant)",
    ),
    "a profile's key at the top": (
        'base_url = "https://a"',
        "1: base_url: unknown key: it belongs below a profile, [profiles.NAME]",
    ),
    "a profile at the top": (
        '[dev]\nbase_url = "https://a"',
        "1: dev: unknown key: a profile is written [profiles.NAME]",
    ),
    "a composite of composites": (
        f"{A}auth = 'b'\n[auth.b]\ntype = 'composite'\nparts = ['b']",
        "5: auth.b.type: a shared login is no composite",
    ),
    "a port that is too large": (
        '[profiles.a]\nbase_url = "https://a:99999"',
        "2: profiles.a.base_url: has a host or a port",
    ),
    "a filter of another language": (f'{A}headers.A = "${{env.X | base64}}"', "unknown filter 'base64' (nearest: b64)"),
    "a filter that nothing is near to": (f'{A}headers.A = "${{env.X | quux}}"', "(one of: b64, b64url, "),
    "a status as a pattern": (
        f"{STEPS}auth.invalidate = [{{ when.status = '4xx', steps = [] }}]",
        'when.status: a status is a whole number from 100 to 599; any of "2xx" is { matches = "^2" }',
    ),
    "a method with a space": (
        f"{A}requests.r = {{ method = 'GETT ', url = '/' }}",
        "method: is not a method: one word, such as GET",
    ),
}


@pytest.mark.parametrize(("text", "line"), FILES.values(), ids=FILES)
def test_an_odd_file_is_told_what_is_wrong(forge: Forge, text: str, line: str) -> None:
    ODD.write_text(text, encoding="utf-8")
    result = forge("profile", "validate", "odd.toml")
    assert result.exit_code == 2
    report = result.stdout.splitlines()
    assert any(line in each for each in report), report
    assert all(each.partition("odd.toml:")[2][:1].isdigit() for each in report), report


def test_a_key_that_is_there_twice_is_said_to_be() -> None:
    ODD.write_text(f'{A}base_url = "https://b.example"\n')
    with pytest.raises(ProfileError, match=r"odd\.toml:3: not TOML, column 31: this is there already, further up"):
        load_document(ODD)


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("status=200", "has no operator (as in status==200"),
        ("statuss==2", "'statuss' is none of status, header:NAME"),
        ("body:x==1", "a JSON pointer starts with '/'"),
        ("elapsed<soon", "'soon' is not a time span"),
        ("body~=(", "not a regular expression"),
    ],
)
@pytest.mark.parametrize("where", ["expect", "requests.r.expect"])
def test_an_expectation_that_is_none_is_reported_with_its_place(
    forge: Forge, expression: str, said: str, where: str
) -> None:
    ODD.write_text(f"{A}requests.r.url = '/r'\n{where} = ['status==200', '{expression}']\n")
    result = forge("profile", "validate", "odd.toml")
    assert result.exit_code == 2
    assert result.stdout.count("\n") == 1
    assert f"odd.toml:4: profiles.a.{where}[1]: " in result.stdout and said in result.stdout
