"""`forge curl --import`: what it prints or writes sends what curl sends, and no secret is shown."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Forge, Require
from tests.server import Reply, Seen, Server

FIXTURES = Path(__file__).parents[2] / "fixtures" / "curl"
SECRETS = {
    "EXAMPLE_TOKEN": "cmd-token-value",
    "EXAMPLE_COOKIE": "sid=firefox-session-value",
    "EXAMPLE_API_KEY": "postman-key-value",
    "EXAMPLE_CSRF_TOKEN": "chrome-csrf-value",
    "STRIPE_TOKEN": "sk_example_stripe_value",
    "GITHUB_TOKEN": "<YOUR-TOKEN>",
    "TOKEN": "heredoc-token-value",
    "SHOP_KEY": "shop-key-value",
    "TWILIO_ACCOUNT_SID": "ACexample",
    "TWILIO_AUTH_TOKEN": "twilio-token-value",
}
URL = "https://api.example.com/x"


def fixture(name: str) -> str:
    return (FIXTURES / f"{name}.txt").read_bytes().decode()


def words_of(line: str, env: dict[str, str]) -> list[str]:
    """The arguments that a shell makes of a command line."""
    script = f"set -- {line}\nprintf '%s\\0' \"$@\""
    done = subprocess.run(["sh", "-c", script], capture_output=True, env={**os.environ, **env}, check=True)
    return done.stdout.decode().split("\0")[:-1]


def sent(seen: Seen) -> tuple[str, str, object, list[tuple[str, str]]]:
    """A request without what two programs may do differently."""
    kind = seen.headers.get_content_type()
    body: object = seen.body
    if kind == "application/json":
        body = json.loads(seen.body)
    elif kind == "application/x-www-form-urlencoded" and b"=" in seen.body:
        body = parse_qsl(seen.body.decode(), keep_blank_values=True)
    elif kind == "multipart/form-data":
        body = seen.body.replace((seen.headers.get_boundary() or "").encode(), b"BOUNDARY")
    own = {"accept", "accept-encoding", "connection", "content-length", "host", "user-agent"}
    headers = [(name.lower(), re.sub("boundary=.*", "", value)) for name, value in seen.headers.items()]
    return seen.method, seen.target, body, sorted(pair for pair in headers if pair[0] not in own)


COMMANDS = {
    "firefox": "/post",
    "safari": "/graphql",
    "github": "/repos/OWNER/REPO/issues",
    "stripe": "/v1/payment_intents",
    "twilio": "/2010-04-01/Accounts/ACexample/Messages.json",
    "heredoc": "/users",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_command_sends_what_curl_sends(forge: Forge, server: Server, require: Require, name: str) -> None:
    require("curl", "apt-get install curl")
    server.reply(COMMANDS[name], Reply(200, b"{}"))
    text = re.sub(r"https://[a-z.]+(?=/(?!\s|'))", server.url, fixture(name), count=0 if name != "firefox" else 1)
    env = {**SECRETS, "API_TOKEN": "safari-token-value", "API_COOKIE": SECRETS["EXAMPLE_COOKIE"]}
    env |= {"API_TOKEN": SECRETS["GITHUB_TOKEN"]} if name == "github" else {}
    env |= {"API_TOKEN": SECRETS["STRIPE_TOKEN"]} if name == "stripe" else {}
    line = forge("curl", "--import", "-", input=text).stdout.strip()
    script = text.replace("$ curl", "curl").replace("cat token.txt", "echo heredoc-token-value")
    script = re.sub(r"\| jq.*", "", script)
    subprocess.run(["bash", "-c", script], env={**os.environ, **env}, check=True, capture_output=True)
    result = forge(*words_of(line, env)[1:], env=env)
    assert result.exit_code == 0, result.stderr
    by_curl, by_forge = server.seen[-2:]
    assert sent(by_forge) == sent(by_curl)


@pytest.mark.parametrize("name", [path.stem for path in FIXTURES.glob("*.txt") if path.stem != "chrome-powershell"])
def test_the_profile_is_valid_and_no_secret_is_in_it(forge: Forge, name: str, tmp_path: Path) -> None:
    file = tmp_path / "profiles.toml"
    result = forge("curl", "--import", "-", "--as-profile", "mine", "--config", str(file), input=fixture(name))
    assert result.exit_code == 0, result.stderr
    assert forge("profile", "validate", "--config", str(file)).exit_code == 0
    for text in (result.stdout, result.stderr, file.read_text()):
        assert not re.search(r"-value|stripe_value|YOUR-TOKEN", text)


@pytest.mark.parametrize(
    "name", ["chrome-bash", "chrome-cmd", "old-chrome-cmd", "firefox", "safari", "postman", "stripe"]
)
def test_no_secret_is_in_the_command(forge: Forge, name: str) -> None:
    result = forge("curl", "--import", fixture(name))
    assert result.exit_code == 0, result.stderr
    assert not re.search(r"-value|stripe_value", result.stdout + result.stderr)


LINES: dict[str, tuple[str, str]] = {
    "get": (f"curl {URL}?a=1", f"get '{URL}?a=1'"),
    "bearer": (f'curl -H "Authorization: Bearer $T" {URL}', f"get {URL} --bearer env:T"),
    "composed": (f'curl -H "Authorization: Bearer a$T" {URL}', f'get {URL} "Authorization:Bearer a$T"'),
    "user": (f'curl -u "$LOGIN" {URL}', f"get {URL} -u env:LOGIN"),
    "output of a command": (f'curl -H "X-A: $(cat f)" {URL}', f'get {URL} "X-A:$(cat f)"'),
    "json": (
        f"""curl --json '{{"a":"1","b":1.10,"c":{{"d":[null]}},"e[":"@x","f":"=y"}}' {URL}""",
        f"post {URL} a=1 b:=1.10 'c:={{\"d\": [null]}}' 'e\\[=\\@x' 'f=\\=y' Accept:application/json",
    ),
    "json of another kind": (f"curl --json '[1, 1]' {URL}", f"post {URL} Accept:application/json -d '[1, 1]' --json"),
    "json with a key twice": (
        f"""curl -H content-type:application/json -d '{{"a":1,"a":2}}' {URL}""",
        f"""post {URL} -d '{{"a":1,"a":2}}' --json""",
    ),
    "json with a variable": (
        f"""curl -H content-type:application/json -d '{{"a":"'"$X"'"}}' {URL}""",
        f'post {URL} "a=$X"',
    ),
    "form": (f"curl -d 'a=b c' -d b=%40x {URL}", f"post {URL} 'a=b c' 'b=\\@x' --form"),
    "another type": (
        f"curl -d '<a/>' -H 'Content-Type: text/xml' {URL}",
        f"post {URL} Content-Type:text/xml -d '<a/>'",
    ),
    "no type": (f"curl -d x -H Content-Type: {URL}", f"post {URL} Content-Type: -d x"),
    "text that begins with an at sign": (
        f"curl --data-raw @x -H 'Content-Type: text/x' {URL}",
        f"printf '@x' | forge post {URL} Content-Type:text/x -d @-",
    ),
    "bytes": (f"curl --data-raw $'\\xff' {URL}", f"printf '\\377' | forge post {URL} -d @-"),
    "file": (f"curl -T 'a b' {URL}", f"put {URL} Content-Type: -d '@a b'"),
    "parts with types": (
        f"curl -F 'a={{\"b\":1}};type=application/json' -F 'c=<d;type=text/plain;charset=utf-8' -F e=@f {URL}",
        f"post {URL} 'a;type=application/json={{\"b\":1}}' 'c;type=text/plain;charset=utf-8=@d' e@f --multipart",
    ),
    "pieces": (f"curl -d a -d @f -d b=@ {URL}", f"post {URL} -d a -d @f -d b=@"),
    "no user agent": (f"curl -A '' {URL}", f"get {URL} User-Agent:"),
    "heads too": (f"curl -i {URL}", f"get {URL} --print hb"),
    "what a request needs": (f"curl -H Host: -H Content-Length: -H X-A: {URL}", f"get {URL} X-A:"),
    "parts": (
        f"curl -F a=b -F 'f=@/d/x.png;type=image/png' -F 'g=@y;filename=z' -F 'h=<t' {URL}",
        f"post {URL} a=b 'f@/d/x.png;type=image/png' 'g@y;filename=z' h=@t --multipart",
    ),
    "options": (
        f"curl -kL -m 2.5 --connect-timeout 3 --retry 0 -o f -v -E c --key k --cacert ca -x p:1 --max-redirs 2 {URL}",
        f"get {URL} -o f -v -L --max-redirects 2 -k --verify ca --cert c --cert-key k -x http://p:1 --timeout 2.5 "
        "--connect-timeout 3 --retry 0",
    ),
    "headers": (f"curl -H 'A;' -H 'B: @x' -H 'User-Agent:' {URL}", f"get {URL} 'A;' User-Agent: -H 'B: @x'"),
    "what forge writes itself": (f"curl -H 'Accept-Encoding: br' -H 'Host: api.example.com' {URL}", f"get {URL}"),
    "another method": (f"curl -X PURGE {URL}", f"request PURGE {URL}"),
    "several": (f"curl {URL}/1 {URL}/2", f"get {URL}/1\nforge get {URL}/2"),
}


@pytest.mark.parametrize(("command", "line"), LINES.values(), ids=LINES.keys())
def test_a_curl_command_becomes_a_forge_command(forge: Forge, command: str, line: str) -> None:
    result = forge("curl", "--import", command)
    assert (result.exit_code, result.stdout) == (0, f"{line}\n" if line.startswith("printf") else f"forge {line}\n")


def test_a_field_that_begins_with_a_dash_stands_after_two_dashes(forge: Forge) -> None:
    assert forge("curl", "--import", f"curl -d -b=1 -k {URL}").stdout == f"forge post --form -k -- {URL} -b=1\n"


HIDDEN: dict[str, tuple[str, str, str]] = {
    "authorization": ("-H 'Authorization: Bearer the-secret-1'", "--bearer env:EXAMPLE_TOKEN", "EXAMPLE_TOKEN"),
    "scheme": ("-H 'authorization: Bot the-secret-1'", '"authorization:Bot $EXAMPLE_TOKEN"', "EXAMPLE_TOKEN"),
    "bare": ("-H 'Authorization: the-secret-1'", '"Authorization:$EXAMPLE_TOKEN"', "EXAMPLE_TOKEN"),
    "password": ("-u ada:the-secret-1", '-u "ada:$EXAMPLE_PASSWORD"', "EXAMPLE_PASSWORD"),
    "key as user": ("-u the-secret-1:", '-u "${EXAMPLE_TOKEN}:"', "EXAMPLE_TOKEN"),
    "key": ("-H 'X-Api-Key: the-secret-1'", '"X-Api-Key:$EXAMPLE_API_KEY"', "EXAMPLE_API_KEY"),
    "cookie": ("-b 'sid=the-secret-1; a=b'", '"Cookie:$EXAMPLE_COOKIE"', "EXAMPLE_COOKIE"),
    "cookie header": ("-H 'Cookie: sid=the-secret-1'", '"Cookie:$EXAMPLE_COOKIE"', "EXAMPLE_COOKIE"),
    "query": ("-G -d access_token=the-secret-1", 'access_token=$EXAMPLE_ACCESS_TOKEN"', "EXAMPLE_ACCESS_TOKEN"),
    "form": ("-d client_secret=the-secret-1", '"client_secret=$EXAMPLE_CLIENT_SECRET"', "EXAMPLE_CLIENT_SECRET"),
    "json": (
        """--json '{"a": {"password": "the-secret-1"}}'""",
        "$EXAMPLE_PASSWORD",
        "EXAMPLE_PASSWORD",
    ),
    "raw": ("-H content-type:text/x -d 'password=the-secret-1'", '-d "$EXAMPLE_BODY"', "EXAMPLE_BODY"),
    "raw xml": (
        "-H content-type:text/xml -d '<a><Password>the-secret-1</Password></a>'",
        '-d "$EXAMPLE_BODY"',
        "EXAMPLE_BODY",
    ),
    "part": ("-F token=the-secret-1", '"token=$EXAMPLE_TOKEN"', "EXAMPLE_TOKEN"),
    "proxy": ("-x http://ada:the-secret-1@p:1", "ada:${EXAMPLE_PROXY_PASSWORD}@p:1", "EXAMPLE_PROXY_PASSWORD"),
    "beside a variable": ('-H "X-Api-Key: the-secret-1$X"', '"X-Api-Key:$EXAMPLE_API_KEY"', "EXAMPLE_API_KEY"),
}


@pytest.mark.parametrize(("options", "part", "variable"), HIDDEN.values(), ids=HIDDEN.keys())
@pytest.mark.parametrize("silent", [False, True], ids=["", "silent"])
def test_a_secret_becomes_a_variable_that_is_named(
    forge: Forge, options: str, part: str, variable: str, silent: bool
) -> None:
    result = forge("curl", "--import", f"curl {options} {URL}", *(["-s"] if silent else []))
    assert part in result.stdout
    assert f"set {variable} to " in result.stderr
    assert "the-secret" not in result.stdout + result.stderr


def test_two_values_never_have_one_name(forge: Forge) -> None:
    result = forge("curl", "--import", "".join(f"curl --oauth2-bearer the-token-{n} {URL}\n" for n in (1, 2, 1)))
    assert re.findall(r"env:(\w+)", result.stdout) == ["EXAMPLE_TOKEN", "EXAMPLE_TOKEN_2", "EXAMPLE_TOKEN"]


@pytest.mark.parametrize(
    ("host", "name"),
    [("api.github.com", "GITHUB"), ("bbc.co.uk", "BBC"), ("127.0.0.1:80", "API"), ("localhost", "API"), ("$H", "API")],
)
def test_a_variable_is_named_after_the_service(forge: Forge, host: str, name: str) -> None:
    assert f"env:{name}_TOKEN" in forge("curl", "--import", f'curl --oauth2-bearer tok "http://{host}/"').stdout


PROFILES: dict[str, tuple[str, dict[str, object]]] = {
    "basic": ("-u ada:the-secret-1", {"type": "basic", "username": "ada", "password": "${secrets.password}"}),
    "basic without a password": ("-u ada", {"type": "basic", "username": "ada", "password": "${secrets.password}"}),
    "digest": ("--digest -u a:$P", {"type": "digest", "username": "a", "password": "${secrets.p}"}),
    "bearer": ("-H 'Authorization: Bearer x-secret'", {"type": "bearer", "token": "${secrets.token}"}),
    "key in the query": (
        "-G -d api_key=k",
        {"type": "api-key", "in": "query", "name": "api_key", "key": "${secrets.api_key}"},
    ),
    "signature": (
        "--aws-sigv4 aws:amz:r-1:s3 -u $K:$S",
        {"type": "aws-sigv4", "access_key": "${env.K}", "secret_key": "${secrets.s}", "region": "r-1", "service": "s3"},
    ),
    "computed": ('-H "Authorization: Bearer $(op read x)"', {"type": "bearer", "token": "${secrets.value}"}),
}


@pytest.mark.parametrize(("options", "auth"), PROFILES.values(), ids=PROFILES.keys())
def test_a_credential_becomes_the_login_of_the_profile(
    forge: Forge, options: str, auth: dict[str, object], tmp_path: Path
) -> None:
    file = tmp_path / "p.toml"
    result = forge("curl", "--import", f"curl {options} {URL}", "--as-profile", "mine", "--config", str(file))
    assert result.exit_code == 0, result.stderr
    assert tomllib.loads(file.read_text())["profiles"]["mine"]["auth"] == auth
    assert f"forge get /x -p mine --config {file}" in result.stdout


def test_a_profile_has_the_connection_and_the_headers_of_the_api(forge: Forge, tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    command = f"curl -k -m 5 -H 'X-V: ${{a}}' -H 'Sec-Fetch-Mode: cors' -H 'Referer: x' -d a=1 '{URL}?q=1'"
    result = forge("curl", "--import", command.replace("${a}", "\\${a}"), "--as-profile", "mine", "--config", str(file))
    assert tomllib.loads(file.read_text())["profiles"]["mine"] == {
        "base_url": "https://api.example.com",
        "headers": {"X-V": "\\$${a}"},
        "verify": False,
        "timeout": 5,
    }
    assert "forge post '/x?q=1' a=1 Sec-Fetch-Mode:cors Referer:x --form -p mine" in result.stdout


def test_a_profile_sends_what_the_command_sent(forge: Forge, server: Server, tmp_path: Path) -> None:
    server.reply("/x", Reply(200))
    text = f"curl -H 'X-Api-Key: k-1' -H 'X-V: 2' -b 'a=1; b=2' --json '{{\"n\": 1}}' '{server.url}/x?token=t-1&q=2'"
    result = forge("curl", "--import", text, "--as-profile", "mine", "--config", str(tmp_path / "p.toml"))
    line = result.stdout.splitlines()[-1]
    env = {"MINE_API_KEY": "k-1", "MINE_COOKIE": "a=1; b=2", "MINE_TOKEN": "t-1"}
    assert forge(*words_of(line, {})[1:], env=env).exit_code == 0
    seen = server.seen[-1]
    assert (seen.method, json.loads(seen.body)) == ("POST", {"n": 1})
    assert sorted(parse_qsl(seen.target.partition("?")[2])) == [("q", "2"), ("token", "t-1")]
    assert [seen.headers[name] for name in ("X-Api-Key", "X-V", "Cookie")] == ["k-1", "2", "a=1; b=2"]


@pytest.mark.parametrize("option", ["--digest -u a:b", "--aws-sigv4 aws:amz:r:s -u a:b", "-n"])
def test_what_only_a_profile_can_do_is_said(forge: Forge, option: str) -> None:
    result = forge("curl", "--import", f"curl {option} {URL}")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--as-profile NAME" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["GET", "--import", "curl x.y"],
        ["--import", "curl x.y", "-k"],
        ["--import", "curl x.y", "--as", "env"],
        ["--import", "curl x.y", "--shell", "powershell"],
        ["GET", "/x", "--as-profile", "a"],
        ["--as-profile", "a"],
        [],
        ["GET"],
        ["--import", "curl 'x"],
        ["--import", "wget x"],
        ["--import", "curl $X/a", "--as-profile", "a"],
        ["--import", "curl --aws-sigv4 aws:amz -u a:b http://h/", "--as-profile", "a"],
        ["--import", "curl -F 'a=b;filename=x' -F c=@d http://h/"],
    ],
    ids=" ".join,
)
def test_words_that_do_not_go_together_are_refused(forge: Forge, words: list[str]) -> None:
    result = forge("curl", *words)
    assert (result.exit_code, result.stdout) == (2, "")


def test_a_name_that_is_taken_leaves_the_file_as_it_is(forge: Forge, tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    for code in (0, 2):
        result = forge("curl", "--import", f"curl {URL}", "--as-profile", "mine", "--config", str(file))
        assert result.exit_code == code
    assert file.read_text().count("[profiles.mine]") == 1


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from(
            ["-d", "-F", "-u", "-b", "--json", "-H", "-G", "-T", "-x", "a=b", "@f", "A: b", "{}", "'", '"a"', "$X"]
        )
        | st.text(max_size=4),
        max_size=6,
    ),
    st.booleans(),
)
def test_no_command_is_a_bug(forge: Forge, tmp_path: Path, words: list[str], as_profile: bool) -> None:
    (tmp_path / "p.toml").unlink(missing_ok=True)
    more = ["--as-profile", "mine", "--config", str(tmp_path / "p.toml")] if as_profile else []
    text = " ".join(["curl http://h.example/a?token=x", *words]).encode("utf-8", "replace")
    result = forge("curl", "--import", "-", *more, input=text)
    assert result.exit_code in (0, 2), result.stderr


def test_pieces_keep_their_secrets_out_of_the_command(forge: Forge) -> None:
    command = "curl -d password=pass-word-1 -d @f https://api.example.com/x"
    result = forge("curl", "--import", command)
    assert result.exit_code == 0
    assert "pass-word-1" not in result.stdout + result.stderr
    assert '-d "$EXAMPLE_BODY" -d @f' in result.stdout


def test_a_piece_that_cannot_be_an_argument_is_named(forge: Forge) -> None:
    result = forge("curl", "--import", "curl --data-raw @a -d @f https://api.example.com/x")
    assert result.exit_code == 2
    assert "put it into a file" in result.stderr
