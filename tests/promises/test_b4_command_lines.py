"""B4: while a command works, what anybody can read of it and of what it started (`ps`) holds no secret."""

from __future__ import annotations

import base64
import os
import shlex
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import pexpect
import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from forge_cli.demo.profile import ENVIRON
from tests.canaries import encodings
from tests.children import ROOT
from tests.conftest import Require
from tests.login_server import browser
from tests.server import Reply, Seen, Server

SECRET = "command-line-secret-1"
TOKEN = "made-token-5512"
HIDDEN = [form for secret in (SECRET, TOKEN, f"ada:{SECRET}") for form in encodings(secret)]
FORGE = [sys.executable, "-m", "forge_cli"]


def descendants() -> str:
    """The command lines of all processes that this one, directly or not, has started."""
    parents: dict[int, int] = {}
    lines: dict[int, str] = {}
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            with suppress(OSError):
                # What stands in brackets is a name, and may hold anything.
                parents[int(process.name)] = int((process / "stat").read_text().rpartition(")")[2].split()[1])
                lines[int(process.name)] = (process / "cmdline").read_bytes().decode("utf-8", "replace")

    def ours(pid: int) -> bool:
        return pid in parents and (parents[pid] == os.getpid() or ours(parents[pid]))

    return "\n".join(line for pid, line in lines.items() if ours(pid))


class Watching(Server):
    """Answers whatever is asked, and not before it has looked at all command lines."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls=tls)
        self.looks: list[str] = []

    def answer(self, request: Seen) -> Reply:
        self.looks.append(descendants())
        self.seen.append(request)
        if request.path == "/authorize":
            asked = dict(request.query)
            back = urlencode({"state": asked["state"], "code": SECRET})
            return Reply(302, headers={"Location": f"{asked['redirect_uri']}?{back}"})
        return Reply(200, {"token": TOKEN, "access_token": TOKEN})

    @property
    def got(self) -> str:
        return "".join(f"{seen.target}\n{seen.headers}\n{seen.body!r}\n" for seen in self.seen)


PROFILES = """
[profiles.api]
base_url = "@URL@"
secrets.s = { env = "THE_SECRET" }
[profiles.api.requests.saved]
method = "POST"
url = "/x"
[profiles.api.auth]
type = "pipeline"
[profiles.api.auth.steps.one]
request = { method = "POST", url = "/login", form = { s = "${secrets.s}" } }
extract = { token = "/token" }
revoke = { request = { method = "POST", url = "/revoke", form = { token = "${self.token}" } } }

[profiles.file]
extends = "api"
secrets.s = { file = "@HERE@/secret" }

[profiles.program]
extends = "api"
secrets.s = { command = ["@HERE@/vault"], env = ["THE_SECRET"] }

[profiles.prompt]
extends = "api"
secrets.s = { prompt = "The secret" }

[profiles.stored]
extends = "api"
[profiles.stored.tokens]
storage = "command"
read = ["@HERE@/store", "read", "{key}"]
write = ["@HERE@/store", "write", "{key}"]
delete = ["@HERE@/store", "delete", "{key}"]

[profiles.step]
base_url = "@URL@"
[profiles.step.auth]
type = "pipeline"
[profiles.step.auth.steps.one]
kind = "command"
command = ["@HERE@/vault"]
env = ["THE_SECRET"]

[profiles.person]
base_url = "@URL@"
[profiles.person.auth]
type = "pipeline"
[profiles.person.auth.steps.code]
kind = "browser"
url = "/authorize"
params = { client_id = "client-1" }
[profiles.person.auth.steps.user]
request = { method = "POST", url = "/token", form = { code = "${steps.code.token}" } }
extract = { token = "/token" }

[profiles.client]
base_url = "@URL@"
[profiles.client.auth]
type = "oauth2"
grant = "client-credentials"
token_url = "/token"
client_id = "client-1"
client_secret = "${secrets.s}"
[profiles.client.secrets]
s = { env = "THE_SECRET" }

[profiles.netrc]
base_url = "@URL@"
netrc = true

[profiles.proxy]
base_url = "http://api.invalid"
proxy = "http://ada:${secrets.s}@@HOST@"
[profiles.proxy.secrets]
s = { env = "THE_SECRET" }

[profiles.cookie]
base_url = "@URL@"
headers = { Cookie = "session=${secrets.s}" }
[profiles.cookie.secrets]
s = { env = "THE_SECRET" }
"""
# The standard library alone, and as little of it as can be: each asks the server to look before it goes on.
LOOK = f"""#!{sys.executable} -IS
import os, socket, sys
with socket.create_connection(("127.0.0.1", @PORT@)) as looking:
    looking.sendall(b"GET /look HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
    while looking.recv(4096):
        pass
"""
VAULT = LOOK + 'print(os.environ["THE_SECRET"])\n'
STORE = LOOK + 'if sys.argv[1] == "write": assert "made-token" in sys.stdin.read()\n'


class Way(NamedTuple):
    """A command with a secret, given in one way: as words, on standard input, or typed after a question."""

    words: str
    given: str | None = None
    asks: str | None = None
    types: str = SECRET
    arrives: str = SECRET


BASIC = base64.b64encode(f"ada:{SECRET}".encode()).decode()
CLIENT = base64.b64encode(f"client-1:{SECRET}".encode()).decode()
WAYS = [
    Way("get @URL@/x -u env:THE_LOGIN", arrives=BASIC),
    Way("get @URL@/x -u @login", arrives=BASIC),
    Way("get @URL@/x --user -", given=f"ada:{SECRET}\n", arrives=BASIC),
    Way("get @URL@/x -u ada", asks="Password for ada", arrives=BASIC),
    Way("get @URL@/x --bearer env:THE_SECRET"),
    Way("head @URL@/x --bearer @secret"),
    Way("delete @URL@/x --bearer -", given=SECRET),
    Way("get @URL@/x -H @header"),
    Way("options @URL@/x -H @-", given=f"X-Api-Key: {SECRET}\n"),
    Way("get @URL@/x X-Api-Key:@secret"),
    Way("get @URL@/x X-Api-Key:@-", given=SECRET),
    Way("get @URL@/x Cookie:@cookie"),
    Way("get @URL@/x -q @pair"),
    Way("get @URL@/x -q @-", given=f"key={SECRET}"),
    Way("get @URL@/x key==@secret"),
    Way("post @URL@/x -d @pair"),
    Way("post @URL@/x -d @-", given=f"key={SECRET}"),
    Way("post @URL@/x -f password=@secret"),
    Way("put @URL@/x password=@-", given=SECRET),
    Way("patch @URL@/x password:=@json"),
    Way("post @URL@/x @json"),
    Way("request PURGE @URL@/x @-", given=f'"{SECRET}"'),
    Way("post @URL@/x --multipart password=@secret key@secret"),
    Way("get http://api.invalid/x -x env:THE_PROXY", arrives=BASIC),
    Way("get http://api.invalid/x --proxy @proxy", arrives=BASIC),
    Way("get http://api.invalid/x -x -", given="@PROXY@\n", arrives=BASIC),
    Way("get /x -p proxy", arrives=BASIC),
    Way("get /x -p cookie"),
    Way("get /x -p netrc", arrives=BASIC),
    Way("get /x -v --debug"),
    Way("get /x -p file"),
    Way("get /x -p program"),
    Way("get /x -p step"),
    Way("get /x -p stored"),
    Way("get /x -p client -s", arrives=CLIENT),
    Way("get /x -p prompt", asks="The secret"),
    Way("token login -p prompt", asks="The secret"),
    Way("token login -p person", asks="renewed"),
    Way("token show --raw"),
    Way("token show --header"),
    Way("token show --env"),
    Way("token refresh"),
    Way("token explain --trace"),
    Way("token exec -- sh -c 'exec @FORGE@ get @URL@/x --bearer env:FORGE_TOKEN'"),
    Way("run saved password=@secret"),
    Way("run saved X-Api-Key:@-", given=SECRET),
    Way("batch requests.jsonl -u env:THE_LOGIN -s", arrives=BASIC),
    Way("batch requests.jsonl --bearer @secret -s"),
    Way("batch requests.jsonl -H @header -q @pair -s"),
    Way("batch - -p program -s", given="/x\n"),
    Way("curl GET /x --reveal"),
    Way("get /x --curl --as literal"),
]


@pytest.fixture
def watching() -> Iterator[Watching]:
    with Watching() as server:
        yield server


@pytest.fixture
def place(watching: Watching, profile_file: Callable[[str], Path]) -> Callable[[str], str]:
    """The files of the commands; fills in where the server is."""
    here = Path.cwd()
    proxy = f"http://ada:{SECRET}@{watching.host}"

    def fill(text: str) -> str:
        known = {"PROXY": proxy, "URL": watching.url, "HOST": watching.host, "PORT": str(watching.port)}
        for name, value in {**known, "HERE": str(here), "FORGE": shlex.join(FORGE)}.items():
            text = text.replace(f"@{name}@", value)
        return text

    profile_file('default_profile = "api"\n' + fill(PROFILES))
    files = {
        "secret": SECRET,
        "login": f"ada:{SECRET}\n",
        "header": f"X-Api-Key: {SECRET}\r\n\r\n",
        "cookie": f"session={SECRET}",
        "pair": f"key={SECRET}",
        "json": f'"{SECRET}"',
        "proxy": f"{proxy}\n",
        "netrc": f"machine 127.0.0.1 login ada password {SECRET}\n",
        "requests.jsonl": '{"url": "/x"}\n',
        "vault": fill(VAULT),
        "store": fill(STORE),
    }
    for name, text in files.items():
        (here / name).write_text(text)
        (here / name).chmod(0o700)
    (here / "netrc").chmod(0o600)
    return fill


def environ(place: Callable[[str], str], tmp_path: Path) -> dict[str, str]:
    secrets = {"THE_SECRET": SECRET, "THE_LOGIN": f"ada:{SECRET}", "THE_PROXY": place("@PROXY@")}
    more = {"NETRC": str(Path.cwd() / "netrc"), "BROWSER": browser(tmp_path), "PYTHONPATH": str(ROOT)}
    return {**os.environ, **secrets, **more}


def typed(argv: list[str], env: Mapping[str, str], way: Way, look: Callable[[], None]) -> tuple[int | None, str]:
    """Run it on a terminal, look when it asks, and answer."""
    child = pexpect.spawn(argv[0], argv[1:], env=dict(env), encoding="utf-8", timeout=60)
    child.expect_exact(way.asks or "")
    look()
    child.sendline(way.types)
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus, child.before or ""


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="this system has no /proc")
@pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way.words}{' <' if way.given else ' tty' if way.asks else ''}")
def test_no_process_has_a_secret_on_its_command_line(
    watching: Watching, place: Callable[[str], str], tmp_path: Path, way: Way
) -> None:
    argv, env = [*FORGE, *shlex.split(place(way.words))], environ(place, tmp_path)
    if way.asks is not None:
        code, said = typed(argv, env, way, lambda: watching.looks.append(descendants()))
    else:
        done = subprocess.run(argv, env=env, input=place(way.given or ""), capture_output=True, text=True, timeout=60)
        code, said = done.returncode, done.stderr
    assert code == 0, said
    assert "can be seen" not in said
    assert way.arrives in watching.got
    assert watching.looks
    for text in watching.looks:
        assert [form for form in HIDDEN if form in text] == []
    assert any("forge_cli" in text for text in watching.looks)


# Of these none sends what could be waited for: what they start is traced instead.
ALONE = [
    ("doctor", ""),
    ("doctor --json -p stored", ""),
    ("trust --yes", ""),
    ("profile list", ""),
    ("profile show", ""),
    ("profile validate", ""),
    ("profile add mine --from elasticsearch-api-key --set password=env:THE_SECRET --var elasticsearch=https://a.b", ""),
    ("profile add mine --from-curl -", f"curl https://api.example.com/x -u ada:{SECRET}"),
    ("curl --import -", f"curl https://api.example.com/x -H 'Authorization: Bearer {SECRET}'"),
    ("curl --import - --as-profile mine", f"curl https://api.example.com/x -u ada:{SECRET}"),
    ("curl GET /x", ""),
    ("token status", ""),
    ("token exec -- true", ""),
    ("token list", ""),
    ("token clear", ""),
    ("run --list", ""),
    ("completion bash", ""),
    ("demo", ""),
]


@pytest.mark.parametrize(("words", "given"), ALONE, ids=[words for words, _ in ALONE])
def test_nor_has_anything_that_a_command_starts(
    place: Callable[[str], str], tmp_path: Path, require: Require, words: str, given: str
) -> None:
    strace = require("strace", "apt-get install strace")
    if words.startswith("trust"):
        Path(".forge.toml").write_text('[profiles.a]\nbase_url = "https://api.example.com"\n')
    log = tmp_path / "started"
    argv = [strace, "-f", "-qq", "-e", "trace=execve,execveat", "-s", "100000", "-o", str(log), *FORGE, *words.split()]
    env = environ(place, tmp_path)
    done = subprocess.run(argv, env=env, input=given, capture_output=True, text=True, timeout=120)
    if "ptrace" in done.stderr.lower():
        require.missing("this machine does not allow tracing: in a container, --cap-add SYS_PTRACE")
    assert done.returncode == 0, done.stdout + done.stderr
    started = log.read_text(errors="replace")
    assert '"forge_cli"' in started
    assert [form for form in (*HIDDEN, *ENVIRON.values()) if form in started] == []


def test_a_secret_on_a_command_line_would_be_seen(watching: Watching, tmp_path: Path) -> None:
    url = f"{watching.url}/x"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([*FORGE, "get", url, "--bearer", SECRET], env=env, capture_output=True, check=True, timeout=60)
    assert [SECRET in text for text in watching.looks] == [True]


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="this system has no /proc")
def test_a_clients_certificate_takes_its_password_from_elsewhere(
    profile_file: Callable[[str], Path], tmp_path: Path
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    issued = authority.issue_cert("ada@example.com")
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    key = load_pem_private_key(issued.private_key_pem.bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(SECRET.encode()))
    (tmp_path / "key.pem").write_bytes(locked)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    with Watching(tls=context) as server:
        profile_file(
            f'[profiles.api]\nbase_url = "{server.url}"\nverify = "{tmp_path}/ca.pem"\n'
            f'secrets.s = {{ env = "THE_SECRET" }}\n'
            f'[profiles.api.client_cert]\ncert = "{tmp_path}/cert.pem"\nkey = "{tmp_path}/key.pem"\n'
            'password = "${secrets.s}"\n'
        )
        env = {**os.environ, "THE_SECRET": SECRET, "PYTHONPATH": str(ROOT)}
        done = subprocess.run([*FORGE, "get", "/x"], env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
    assert [SECRET in text for text in server.looks] == [False]
