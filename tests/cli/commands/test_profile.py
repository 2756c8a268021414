"""`forge profile`: listing, showing, checking and writing profiles."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import subprocess
import sys
import tomllib
from base64 import b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pexpect
import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forge_cli.files import config_dir
from forge_cli.profiles.load import load_document
from forge_cli.profiles.validate import problems
from forge_cli.redact import sensitive
from tests.conftest import Forge, Require
from tests.server import Reply, Seen, Server

ProfileFile = Callable[[str], Path]
ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "profiles.example.toml"
TYPES = ["none", "bearer", "api-key", "basic", "oauth2", "pipeline"]
FAMILY = """\
version = 1
default_profile = "dev"

[profiles.common]
abstract = true
timeout = { connect = 5 }
headers = { Accept = "application/json" }
secrets = { token = { env = "DEV_TOKEN" } }

[profiles.dev]
extends = "common"
base_url = "https://${vars.shop}.example.com"
vars = { shop = "acme" }
auth = { type = "bearer", token = "${secrets.token}" }
"""


def shown(forge: Forge, *args: str) -> dict[str, Any]:
    """The one profile that `profile show` prints, read as TOML."""
    result = forge("profile", "show", *args)
    assert result.exit_code == 0, result.stderr
    [profile] = tomllib.loads(result.stdout)["profiles"].values()
    return dict(profile)


class TestList:
    def test_it_is_a_table(self, forge: Forge, profile_file: ProfileFile) -> None:
        profile_file(FAMILY)
        result = forge("profile", "list")
        assert result.stdout.splitlines() == [
            "name    base_url                          auth    extends  note      file",
            "common                                    none             abstract  profiles.toml:4",
            "dev     https://${vars.shop}.example.com  bearer  common   default   profiles.toml:10",
        ]
        assert (result.exit_code, result.stderr) == (0, "")

    def test_json_has_all_of_it(self, forge: Forge, profile_file: ProfileFile) -> None:
        path = profile_file(FAMILY)
        assert json.loads(forge("profile", "list", "--json").stdout)[1] == {
            "name": "dev",
            "base_url": "https://${vars.shop}.example.com",
            "auth": "bearer",
            "extends": "common",
            "abstract": False,
            "default": True,
            "problems": 0,
            "file": str(path),
            "line": 10,
        }

    def test_the_default_is_what_a_command_would_use(self, forge: Forge, profile_file: ProfileFile) -> None:
        profile_file("[profiles.a]\n[profiles.b]\n")
        assert "default" not in forge("profile", "list").stdout
        lines = forge("profile", "list", env={"FORGE_PROFILE": "b"}).stdout.splitlines()
        assert [line.split()[0] for line in lines if "default" in line] == ["b"]

    def test_profiles_that_cannot_be_used_are_listed_too(self, forge: Forge, profile_file: ProfileFile) -> None:
        profile_file('[profiles.a]\nextends = "nobody"\nbase_url = 1\n[profiles.b]\nauth = "x"\n[profiles.c]\n')
        result = forge("profile", "list")
        assert re.findall(r"^(\w).*?(\d problems?)?  profiles", result.stdout, re.MULTILINE) == [
            ("a", "1 problem"),
            ("b", "1 problem"),
            ("c", ""),
        ]
        assert "forge profile validate" in result.stderr
        assert result.exit_code == 0

    def test_a_slip_in_the_frame_of_the_file_is_not_an_empty_file(
        self, forge: Forge, profile_file: ProfileFile
    ) -> None:
        path = profile_file('\n[profile.a]\nbase_url = "https://a.example"\n')
        result = forge("profile", "list")
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"{path}:2: profile: unknown key (nearest: profiles)" in result.stderr

    def test_a_default_that_is_not_there_is_told_below_the_list(self, forge: Forge, profile_file: ProfileFile) -> None:
        profile_file('default_profile = "b"\n[profiles.a]\n')
        result = forge("profile", "list")
        assert result.exit_code == 0 and "a" in result.stdout
        assert "the file has problems outside its profiles" in result.stderr

    def test_a_password_in_a_url_is_masked(self, forge: Forge, profile_file: ProfileFile) -> None:
        profile_file('[profiles.a]\nbase_url = "https://ada:user-password-1@api.example.com"\n')
        assert "user-password-1" not in forge("profile", "list").stdout + forge("profile", "list", "--json").stdout

    def test_a_file_without_profiles_says_how_to_write_one(self, forge: Forge, profile_file: ProfileFile) -> None:
        profile_file("")
        result = forge("profile", "list")
        assert result.exit_code == 0
        assert "forge profile init" in result.stderr

    @pytest.mark.parametrize("command", ["list", "show", "validate"])
    def test_a_missing_file_says_how_to_write_one(self, forge: Forge, command: str) -> None:
        result = forge("profile", command)
        assert (result.exit_code, result.stdout) == (2, "")
        assert str(config_dir() / "profiles.toml") in result.stderr
        assert "forge profile init" in result.stderr

    @pytest.mark.parametrize("command", ["list", "show", "init --base-url https://a.example --auth none"])
    def test_a_broken_file_is_named_with_its_line(self, forge: Forge, profile_file: ProfileFile, command: str) -> None:
        path = profile_file('version = 1\n[profiles.a]\ntoken = "user-token-1\n')
        result = forge("profile", *command.split())
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"{path}:3: not TOML" in result.stderr
        assert "user-token-1" not in result.stderr
        assert path.read_text() == 'version = 1\n[profiles.a]\ntoken = "user-token-1\n'


class TestShow:
    def test_each_value_says_where_it_is_from(self, forge: Forge, profile_file: ProfileFile) -> None:
        path = profile_file(FAMILY)
        text = forge("profile", "show", "dev").stdout
        origins = dict(re.findall(r"^(\w+) = .*?  # (.*)$", text, re.MULTILINE))
        assert text.startswith(f"# profile dev of {path}, which extends common\n\n[profiles.dev]\n")
        assert origins["base_url"] == "profiles.toml:12"
        assert origins["Accept"] == "profiles.toml:7, from common"
        assert origins["connect"] == "profiles.toml:6, from common"
        assert origins["idle"] == "default"
        assert origins["redirects"] == "default"
        assert '\ntoken = { env = "DEV_TOKEN" }  # profiles.toml:8, from common\n' in text

    def test_it_is_the_profile_with_its_parents_and_the_defaults(self, forge: Forge, profile_file: ProfileFile) -> None:
        profile_file(FAMILY)
        profile = shown(forge)
        assert profile["headers"] == {"Accept": "application/json"}
        assert profile["timeout"] == {"connect": 5, "idle": 60.0}
        assert profile["auth"] == {"type": "bearer", "token": "${secrets.token}"}
        assert profile["retry"]["statuses"] == [408, 429, 502, 503, 504]
        assert "extends" not in profile and "abstract" not in profile

    def test_a_var_of_the_command_line_stands_over_the_files(self, forge: Forge, profile_file: ProfileFile) -> None:
        profile_file(FAMILY)
        assert 'shop = "other"  # --var\n' in forge("profile", "show", "--var", "shop=other").stdout

    @pytest.mark.parametrize("name", ["public", "token", "company", "reports", "shop"])
    @pytest.mark.parametrize("expand", [(), ("--expand",)], ids=["as written", "expanded"])
    def test_what_it_prints_is_a_profile_file_without_problems(
        self, forge: Forge, tmp_path: Path, name: str, expand: tuple[str, ...]
    ) -> None:
        result = forge("profile", "show", name, "--config", str(EXAMPLE), *expand)
        again = tmp_path / "again.toml"
        again.write_text(result.stdout)
        assert problems(load_document(again)) == []
        # Nothing is added to it or lost from it the second time.
        second = forge("profile", "show", name, "--config", str(again), *expand)
        assert tomllib.loads(second.stdout) == tomllib.loads(result.stdout)

    def test_json_has_the_values_and_the_origins(self, forge: Forge, profile_file: ProfileFile) -> None:
        path = profile_file(FAMILY)
        found = json.loads(forge("profile", "show", "--json").stdout)
        assert (found["name"], found["file"], found["extends"]) == ("dev", str(path), "common")
        assert found["profile"] == shown(forge)
        assert found["origins"]["headers.Accept"] == "profiles.toml:7, from common"

    def test_expand_shows_the_steps_behind_a_shorthand(self, forge: Forge) -> None:
        auth = shown(forge, "reports", "--config", str(EXAMPLE), "--expand")["auth"]
        assert auth["type"] == "pipeline"
        assert auth["steps"]["token"]["request"]["form"]["grant_type"] == "client_credentials"
        assert auth["inject"] == [
            {"in": "header", "name": "Authorization", "value": "Bearer ${steps.token.token}"},
        ]
        assert auth["exclude"] == ["/health"]

    def test_expand_says_where_a_pipelines_token_goes(self, forge: Forge, profile_file: ProfileFile) -> None:
        profile_file(
            '[profiles.a]\nbase_url = "https://a.example"\n[profiles.a.auth]\ntype = "pipeline"\n'
            '[profiles.a.auth.steps]\none = { kind = "value", value = "${env.ONE}" }\n'
            'two = { kind = "value", value = "${steps.one.token}" }\n'
        )
        assert "inject" not in shown(forge)["auth"]
        assert shown(forge, "--expand")["auth"]["inject"][0]["value"] == "Bearer ${steps.two.token}"
        assert 'in = "header"' in forge("profile", "show", "--expand").stdout.partition("# default")[2]

    def test_an_abstract_profile_can_be_shown_by_name(self, forge: Forge, profile_file: ProfileFile) -> None:
        profile_file(FAMILY)
        assert shown(forge, "common")["abstract"] is True

    def test_an_abstract_profile_may_lack_what_its_children_add(self, forge: Forge, profile_file: ProfileFile) -> None:
        profile_file('[profiles.a]\nabstract = true\nauth = { type = "bearer" }\n')
        assert shown(forge, "a") == {"abstract": True, "auth": {"type": "bearer"}}

    @pytest.mark.parametrize(
        ("args", "said"),
        [
            pytest.param(["dve"], "no profile 'dve' (nearest: dev)", id="a typo"),
            pytest.param(["dev", "-p", "common"], "two profiles", id="two names"),
            pytest.param(["--var", "shpo=x"], "nearest: shop", id="an unknown var"),
        ],
    )
    def test_what_it_cannot_show_is_named(
        self, forge: Forge, profile_file: ProfileFile, args: list[str], said: str
    ) -> None:
        profile_file(FAMILY)
        result = forge("profile", "show", *args)
        assert (result.exit_code, result.stdout) == (2, "")
        assert said in result.stderr

    def test_a_profile_with_problems_is_an_error_with_all_of_them(
        self, forge: Forge, profile_file: ProfileFile
    ) -> None:
        path = profile_file('[profiles.a]\nbase_ur = "x"\nredirects = -1\n')
        result = forge("profile", "show", "a")
        assert result.exit_code == 2
        assert f"{path}:2: profiles.a.base_ur" in result.stderr
        assert f"{path}:3: profiles.a.redirects" in result.stderr

    def test_the_problems_of_an_abstract_profile_are_named_too(self, forge: Forge, profile_file: ProfileFile) -> None:
        path = profile_file("[profiles.a]\nabstract = true\nredirects = 1.5\n")
        result = forge("profile", "show", "a")
        assert result.exit_code == 2
        assert f"{path}:3: profiles.a.redirects: must be a whole number, not a decimal number" in result.stderr

    @pytest.mark.parametrize(
        "lines",
        [
            'auth = { type = "bearer", token = "LITERAL" }',
            'auth = { type = "bearer", token = "LITERAL-${vars.x}" }',
            'auth = { type = "bearer", token = "${vars.x}LITERAL" }',
            'auth = { type = "bearer", token = "${env.X ?? \'LITERAL\'}" }',
            'auth = { type = "bearer", token = "$${LITERAL}" }',
            'auth = { type = "basic", username = "ada", password = "LITERAL" }',
            'auth = { type = "api-key", name = "X-Key", key = "LITERAL" }',
            'auth = { type = "oauth2", grant = "client-credentials", token_url = "/t", client_id = "c",'
            ' client_secret = "LITERAL" }',
            'auth = { type = "oauth2", grant = "client-credentials", token_url = "/t", client_id = "c",'
            ' client_auth = "none", params = { client_assertion = "LITERAL" } }',
            'headers = { Authorization = "Bearer LITERAL" }',
            'headers = { X-Api-Key = "LITERAL" }',
            'headers = { X-Forwarded-By = "Bearer LITERAL" }',
            'tokens = { storage = "command", read = ["r", "--password=LITERAL"], write = ["w"], delete = ["d"] }',
            'proxy = "ada:LITERAL@proxy.example:3128"',
            'proxy = { https = "ada:LITERAL@proxy.example:3128" }',
            'query = { api_key = ["LITERAL"] }',
            'vars = { password = "LITERAL" }',
            'client_cert = { cert = "c.pem", password = "LITERAL" }',
            'proxy = "http://ada:LITERAL@proxy.example:3128"',
            'origins = ["https://ada:LITERAL@b.example"]',
            'auth = { type = "pipeline", steps.one = { kind = "value", value = "LITERAL" } }',
            'auth = { type = "pipeline", inject = [{ in = "header", name = "X-Key", value = "LITERAL" }] }',
            *(
                f'auth = {{ type = "pipeline", steps.one.extract.token = "/t", steps.one.request = {request} }}'
                for request in (
                    '{ url = "/t", basic = ["ada", "LITERAL"] }',
                    '{ url = "/t?access_token=LITERAL" }',
                    '{ url = "/t", headers = { Cookie = "LITERAL" } }',
                    '{ url = "/t", query = { signature = "LITERAL" } }',
                    '{ url = "/t", form = { password = "LITERAL" } }',
                    '{ url = "/t", json = { login = { password = "LITERAL" } } }',
                    '{ url = "/t", json = { credentials = [{ pin = "LITERAL" }] } }',
                    '{ url = "/t", text = "user=ada&password=LITERAL" }',
                )
            ),
        ],
    )
    @pytest.mark.parametrize("how", ["--silent", "--json", "--expand"])
    def test_a_secret_that_is_written_into_a_profile_is_masked(
        self, forge: Forge, profile_file: ProfileFile, lines: str, how: str
    ) -> None:
        known = "" if lines.startswith("vars") else 'vars = { x = "y" }\n'
        base = 'base_url = "https://a.example"\n'
        profile_file(f"[profiles.a]\n{base}{known}{lines}\n".replace("LITERAL", "fake-secret-1"))
        result = forge("profile", "show", how)
        assert result.exit_code == 0, result.stderr
        assert "fake-secret-1" not in result.stdout
        assert "***" in result.stdout

    @pytest.mark.parametrize("template", ["${secrets.token}", "Bearer ${secrets.token | b64}", "${env.A ?? env.B}"])
    def test_a_reference_to_a_secret_is_shown(self, forge: Forge, profile_file: ProfileFile, template: str) -> None:
        profile_file(
            '[profiles.a]\nbase_url = "https://a.example"\nsecrets.token.env = "A"\n'
            f'headers = {{ Authorization = "{template}" }}\n'
        )
        assert shown(forge)["headers"]["Authorization"] == template

    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        variables=st.dictionaries(
            st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,8}", fullmatch=True).filter(lambda name: not sensitive(name)),
            st.one_of(
                st.text().filter(lambda text: "${" not in text and "?" not in text and "//" not in text),
                st.booleans(),
                st.integers(-(2**63), 2**63 - 1),
                st.floats(allow_nan=False, allow_infinity=False),
            ),
            max_size=4,
        )
    )
    def test_any_value_comes_out_as_it_went_in(
        self, forge: Forge, profile_file: ProfileFile, variables: Mapping[str, Any]
    ) -> None:
        profile_file(tomli_w.dumps({"profiles": {"a": {"vars": variables}}}))
        result = forge("profile", "show")
        assert tomllib.loads(result.stdout)["profiles"]["a"].get("vars", {}) == variables
        assert all(char.isprintable() or char == "\n" for char in result.stdout)


class TestValidate:
    def test_a_good_file_is_counted(self, forge: Forge, profile_file: ProfileFile) -> None:
        profile_file(FAMILY)
        result = forge("profile", "validate")
        assert (result.exit_code, result.stdout, result.stderr) == (0, "2 profiles, no problems\n", "")

    def test_all_problems_of_all_profiles_are_on_stdout(self, forge: Forge, profile_file: ProfileFile) -> None:
        path = profile_file('[profiles.a]\nbase_ur = "x"\n[profiles.b]\nredirects = "x"\nextends = "c"\n')
        result = forge("profile", "validate")
        assert result.exit_code == 2
        assert [line.partition(": ")[0] for line in result.stdout.splitlines()] == [f"{path}:2", f"{path}:5"]
        assert "(nearest: base_url)" in result.stdout
        assert f"2 problems in {path}" in result.stderr

    def test_another_file_can_be_named(self, forge: Forge, tmp_path: Path) -> None:
        other = tmp_path / "other.toml"
        other.write_text("[profiles.a]\nx = 1\n")
        result = forge("profile", "validate", str(other))
        assert (result.exit_code, result.stdout.partition(": ")[0]) == (2, f"{other}:2")

    def test_what_a_projects_file_may_not_run_is_said_also_when_the_file_is_named(self, forge: Forge) -> None:
        path = Path.cwd() / ".forge.toml"
        path.write_text('[profiles.a]\nbase_url = "https://a.example.com"\nsecrets.s = { command = ["./run"] }\n')
        named = forge("profile", "validate", ".forge.toml")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        found = forge("profile", "validate", env={"FORGE_TRUST": digest})
        assert (named.exit_code, named.stdout, named.stderr) == (found.exit_code, found.stdout, found.stderr)
        assert named.exit_code == 2
        assert named.stdout.startswith(f"{path}:3: profiles.a.secrets.s.command: './run' is a relative path")
        # Chosen on purpose it is no project's file, and such programs are run.
        assert forge("profile", "validate", "--config", ".forge.toml").exit_code == 0

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            pytest.param(b"\xef\xbb\xbfversion = 1\n[a", ":2: not TOML", id="BOM and no TOML"),
            pytest.param(b"a = 1\n\0", ":2: a NUL byte", id="NUL"),
            pytest.param(b"a = 1\nb = '\xff'", ":2: not UTF-8", id="not UTF-8"),
            pytest.param(b"a = " + b"[" * 5000, ":1: more than 100 levels", id="too deep"),
            pytest.param(b"a = 1\na = 2", ":2: not TOML", id="a key twice"),
            pytest.param(b"#" * 1_100_000, "larger than 1 MiB", id="too large"),
        ],
    )
    def test_a_file_that_is_no_toml_is_a_problem_too(
        self, forge: Forge, profile_file: ProfileFile, content: bytes, said: str
    ) -> None:
        path = profile_file("")
        path.write_bytes(content)
        result = forge("profile", "validate")
        assert (result.exit_code, result.stdout.count("\n")) == (2, 1)
        assert f"{path}" in result.stdout and said in result.stdout
        # The file is not needed to know where it is.
        assert forge("profile", "path").stdout == f"{path}\n"

    def test_silence_leaves_the_problems(self, forge: Forge, profile_file: ProfileFile) -> None:
        profile_file("x = 1\n")
        result = forge("profile", "validate", "-s")
        assert (result.exit_code, result.stdout.count("\n"), result.stderr) == (2, 1, "")

    def test_a_name_in_the_file_cannot_drive_the_terminal(self, forge: Forge, profile_file: ProfileFile) -> None:
        profile_file('[profiles."a\\u001b[31m\\u202e"]\n')
        text = forge("profile", "validate", tty=True).stdout + forge("profile", "list", tty={"stdout"}).stdout
        assert "\x1b[31m" not in text and "\u202e" not in text


class TestPath:
    def test_stdout_is_the_path_alone(self, forge: Forge, profile_file: ProfileFile) -> None:
        path = profile_file("")
        result = forge("profile", "path")
        assert (result.exit_code, result.stdout) == (0, f"{path}\n")
        assert "neither --config nor FORGE_CONFIG" in result.stderr
        assert str(config_dir() / "tokens") in result.stderr

    def test_a_file_that_is_not_there_has_a_path_too(self, forge: Forge) -> None:
        result = forge("profile", "path")
        assert (result.exit_code, result.stdout) == (0, f"{config_dir() / 'profiles.toml'}\n")
        assert "forge profile init" in result.stderr

    @pytest.mark.parametrize(
        ("args", "env", "named_by"),
        [
            pytest.param(["--config", "x.toml"], {"FORGE_CONFIG": "y.toml"}, "--config", id="--config"),
            pytest.param([], {"FORGE_CONFIG": "x.toml"}, "FORGE_CONFIG", id="FORGE_CONFIG"),
        ],
    )
    def test_it_says_what_named_the_file(
        self, forge: Forge, args: list[str], env: Mapping[str, str], named_by: str
    ) -> None:
        result = forge("profile", "path", *args, env=env)
        assert result.stdout == f"{Path.cwd() / 'x.toml'}\n"
        assert f"named by {named_by}" in result.stderr
        found = json.loads(forge("profile", "path", "--json", *args, env=env).stdout)
        assert found == {
            "file": str(Path.cwd() / "x.toml"),
            "named_by": named_by,
            "exists": False,
            "config_dir": str(config_dir()),
            "tokens": str(config_dir() / "tokens"),
        }

    def test_a_named_file_needs_no_home(self, forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("HOME")
        monkeypatch.delenv("XDG_CONFIG_HOME")
        assert forge("profile", "path", "--config", "/x.toml").stdout == "/x.toml\n"
        assert forge("profile", "path").exit_code == 9

    def test_a_projects_file_stops_it(self, forge: Forge) -> None:
        Path(".forge.toml").touch()
        result = forge("profile", "path")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "--config .forge.toml" in result.stderr


def answered(auth: str, server: Server) -> None:
    """Make the server an API with this login, as `init` describes it; it accepts `fake-VARIABLE` values."""
    wanted = {
        "none": None,
        "bearer": ("Authorization", "Bearer fake-token"),
        "api-key": ("X-API-Key", "fake-key"),
        "basic": ("Authorization", "Basic " + b64encode(b"fake-username:fake-password").decode()),
        "oauth2": ("Authorization", "Bearer user-token-1"),
        "pipeline": ("Authorization", "Bearer user-token-1"),
    }[auth]

    def api(request: Seen) -> Reply:
        if wanted is not None:
            assert request.headers[wanted[0]] == wanted[1]
        return Reply(body={"hello": "world"})

    def oauth(request: Seen) -> Reply:
        assert request.headers["Authorization"] == "Basic " + b64encode(b"fake-client_id:fake-client_secret").decode()
        assert request.form == [("grant_type", "client_credentials")]
        return Reply(body={"access_token": "user-token-1", "expires_in": 3600})

    def first(request: Seen) -> Reply:
        assert request.json() == {"id": "my-id", "secret": "fake-client_secret"}
        return Reply(body={"token": "first-token-1"})

    def middle(request: Seen) -> Reply:
        assert request.headers["X-First-Token"] == "first-token-1"
        return Reply(body={"token": "middle-token-1", "expires_in": 3600})

    def last(request: Seen) -> Reply:
        assert request.headers["X-Step-Token"] == "middle-token-1"
        assert request.form == [("user", "fake-username"), ("password", "fake-password")]
        return Reply(body={"token": "user-token-1", "expires_in": 3600})

    server.reply("/", api, method="GET")
    if auth == "oauth2":
        server.reply("/oauth/token", oauth, method="POST")
    if auth == "pipeline":
        server.reply("/first/token", first, method="POST")
        server.reply("/middle/token", middle, method="POST")
        server.reply("/last/token", last, method="POST")


def commands(stdout: str) -> list[str]:
    """The commands that `init` says to run next, with a fake value for each variable."""
    lines = [line.strip() for line in stdout.partition("next:\n")[2].splitlines()]
    return [re.sub(r"^(export API_(\w+)=)…$", lambda m: f"{m[1]}fake-{m[2].lower()}", line) for line in lines]


class TestInit:
    @pytest.mark.parametrize("auth", TYPES)
    def test_the_commands_it_names_work(self, forge: Forge, server: Server, auth: str) -> None:
        answered(auth, server)
        result = forge("profile", "init", "api", "--base-url", server.url, "--auth", auth)
        assert result.exit_code == 0, result.stderr
        env: dict[str, str] = {}
        last = result
        for line in commands(result.stdout):
            first, *words = shlex.split(line, comments=True)
            if first == "export":
                name, _, value = words[0].partition("=")
                env[name] = value
            elif first == "forge":
                last = forge(*words, env=env)
                assert last.exit_code == 0, last.stderr
        assert json.loads(last.stdout) == {"hello": "world"}

    def test_a_shell_runs_them_as_they_are_printed(
        self, forge: Forge, server: Server, tmp_path: Path, require: Require
    ) -> None:
        answered("pipeline", server)
        result = forge("profile", "init", "--base-url", server.url, "--auth", "pipeline")
        program = tmp_path / "forge"
        program.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {sys.executable} -m forge_cli "$@"\n')
        program.chmod(0o755)
        script = f"set -e\nexport EDITOR=true PATH={shlex.quote(str(tmp_path))}:$PATH\n"
        script += "\n".join(commands(result.stdout))
        shell = require("sh", "any POSIX shell")
        run = subprocess.run([shell, "-c", script], capture_output=True, text=True, timeout=60)
        assert run.returncode == 0, run.stderr
        assert run.stdout.endswith('{"hello": "world"}')

    @pytest.mark.parametrize("auth", TYPES)
    def test_the_profile_has_no_problems_and_explains_itself(self, forge: Forge, auth: str) -> None:
        forge("profile", "init", "prod.eu-1", "--base-url", "https://api.example.com", "--auth", auth)
        path = config_dir() / "profiles.toml"
        document = load_document(path)
        assert problems(document) == []
        assert document.profiles["prod.eu-1"]["auth"]["type"] == auth
        assert document.data["version"] == 1
        assert "# " in document.text and "@" not in document.text
        assert forge("profile", "validate").exit_code == 0

    def test_a_login_of_two_steps_is_had_as_its_comment_says(self, forge: Forge) -> None:
        forge("profile", "init", "api", "--base-url", "https://api.example.com", "--auth", "pipeline")
        path = config_dir() / "profiles.toml"
        tables = re.split(r"\n(?=\[)", path.read_text(encoding="utf-8"))
        kept = [table for table in tables if ".steps.middle" not in table.partition("\n")[0]]
        assert len(kept) == len(tables) - 2
        path.write_text("\n".join(kept).replace("${steps.middle.token}", "${steps.first.token}"), encoding="utf-8")
        assert forge("profile", "validate").exit_code == 0
        assert list(load_document(path).profiles["api"]["auth"]["steps"]) == ["first", "last"]

    def test_it_says_where_the_profile_is_and_what_to_run(self, forge: Forge) -> None:
        result = forge("profile", "init", "prod", "--base-url", "https://a.example", "--auth", "bearer")
        assert result.stdout == (
            f"profile prod is written: {config_dir() / 'profiles.toml'}:3\n\n"
            "next:\n  export PROD_TOKEN=…\n  forge get / -p prod\n"
        )
        assert result.stderr == ""

    @pytest.mark.parametrize(
        ("name", "variable"), [("api", "API_TOKEN"), ("a.b-c", "A_B_C_TOKEN"), ("2fa", "_2FA_TOKEN")]
    )
    def test_variables_have_names_that_a_shell_takes(self, forge: Forge, name: str, variable: str) -> None:
        result = forge("profile", "init", name, "--base-url", "https://a.example", "--auth", "bearer")
        assert f"export {variable}=…" in result.stdout
        assert shown(forge, name)["secrets"] == {"token": {"env": variable}}

    def test_a_named_file_is_written_and_named_in_the_commands(self, forge: Forge) -> None:
        args = ("--config", "my api.toml", "-p", "x", "--base-url", "https://a.example", "--auth", "none")
        result = forge("profile", "init", *args)
        assert "forge get / -p x --config 'my api.toml'" in result.stdout
        assert "x" in load_document(Path("my api.toml")).profiles

    @pytest.mark.parametrize(
        ("before", "gap"),
        [
            pytest.param(b"# mine\n[profiles.a] # yes\nheaders   = {}\n", b"\n", id="comments and spacing"),
            pytest.param(b"[profiles.a]", b"\n\n", id="no newline at the end"),
            pytest.param(b"\xef\xbb\xbf[profiles.a]\n", b"\n", id="BOM"),
            pytest.param(b"[profiles.a]\r\nheaders = {}\r\n", b"\r\n", id="CRLF"),
            pytest.param(b"", b"", id="empty"),
            pytest.param(b"[profiles.a]\nunknown = 1\n", b"\n", id="a profile with problems"),
        ],
    )
    def test_what_is_in_the_file_stays_byte_for_byte(
        self, forge: Forge, profile_file: ProfileFile, before: bytes, gap: bytes
    ) -> None:
        path = profile_file("")
        path.write_bytes(before)
        result = forge("profile", "init", "b", "--base-url", "https://b.example", "--auth", "oauth2")
        assert result.exit_code == 0, result.stderr
        after = path.read_bytes()
        assert after.startswith(before + gap + b"[profiles.b]")
        assert (b"\r\n" in before) == (b"\r\n" in after) == (re.search(rb"(?<!\r)\n", after) is None)
        assert "b" in load_document(path).profiles

    def test_mode_and_link_of_the_file_stay(self, forge: Forge, profile_file: ProfileFile, tmp_path: Path) -> None:
        path = profile_file("")
        target = tmp_path / "dotfiles.toml"
        path.replace(target)
        target.chmod(0o640)
        path.symlink_to(target)
        assert forge("profile", "init", "--base-url", "https://a.example", "--auth", "none").exit_code == 0
        assert path.is_symlink()
        assert target.stat().st_mode & 0o777 == 0o640
        assert "api" in load_document(target).profiles
        assert [entry.name for entry in tmp_path.iterdir()] == [target.name]

    @pytest.mark.parametrize("before", ["profiles = {}\n", "profiles = 1\n", "profiles = { a = {} } # x\n"])
    def test_profiles_that_are_no_tables_are_left_alone(
        self, forge: Forge, profile_file: ProfileFile, before: str
    ) -> None:
        path = profile_file(before)
        result = forge("profile", "init", "b", "--base-url", "https://b.example", "--auth", "none")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "[profiles.NAME]" in result.stderr
        assert path.read_text() == before

    def test_a_file_that_cannot_be_written_is_exit_9(self, forge: Forge) -> None:
        args = ("--base-url", "https://a.example", "--auth", "none")
        result = forge("profile", "init", *args, "--config", "nowhere/x.toml")
        assert (result.exit_code, result.stdout) == (9, "")
        assert "no such file or directory" in result.stderr

    def test_a_second_profile_without_a_default_is_said(self, forge: Forge, profile_file: ProfileFile) -> None:
        profile_file("[profiles.a]\n")
        result = forge("profile", "init", "b", "--base-url", "https://a.example", "--auth", "none")
        assert 'default_profile = "b"' in result.stderr

    @pytest.mark.parametrize(
        ("args", "said"),
        [
            pytest.param(["a"], "there is such a profile already, at {path}:1", id="taken"),
            pytest.param(["A"], "differs from 'a' only in case", id="a twin"),
            pytest.param(["a b"], "1 to 64 letters", id="a bad name"),
            pytest.param(["nul"], "Windows", id="a reserved name"),
            pytest.param([".."], "1 to 64 letters", id="dots"),
            pytest.param(["b", "--base-url", "b.example"], "--base-url b.example: must begin with", id="no scheme"),
            pytest.param(["b", "--base-url", "https://[b"], "is no URL", id="no URL"),
            pytest.param(["b", "--base-url", "https://b\n.example"], "no URL has", id="a newline"),
            pytest.param(["b", "--base-url", "https://b\udcff"], "no URL has", id="not UTF-8"),
            pytest.param(["b", "--base-url", "https://${vars.x}/"], "unknown var 'x'", id="an unknown var"),
            pytest.param(["b", "--auth", "baerer"], "nearest: bearer", id="a typo in the type"),
            pytest.param(["b", "--auth", "oauth2", "--token-url", "token"], "must begin with /", id="a bad token URL"),
            pytest.param(["b", "--auth", "bearer", "--token-url", "/t"], "goes with --auth oauth2", id="no OAuth"),
            pytest.param(["b", "-p", "c"], "two profiles", id="two names"),
        ],
    )
    def test_what_it_will_not_write_is_named(
        self, forge: Forge, profile_file: ProfileFile, args: list[str], said: str
    ) -> None:
        path = profile_file("[profiles.a]\n")
        defaults = ["--base-url", "https://b.example"] if "--base-url" not in args else []
        defaults += ["--auth", "none"] if "--auth" not in args else []
        result = forge("profile", "init", *args, *defaults)
        assert (result.exit_code, result.stdout) == (2, "")
        assert said.format(path=path) in result.stderr
        assert path.read_text() == "[profiles.a]\n"

    def test_a_password_in_the_base_url_is_neither_taken_nor_shown(self, forge: Forge) -> None:
        result = forge("profile", "init", "--base-url", "https://ada:user-password-1@a.example", "--auth", "none")
        assert result.exit_code == 2
        assert "user-password-1" not in result.stderr

    @pytest.mark.parametrize(
        ("args", "option"),
        [
            pytest.param([], "--base-url", id="nothing given"),
            pytest.param(["--base-url", "https://a.example"], "--auth", id="only the URL"),
        ],
    )
    @pytest.mark.parametrize("how", ["no terminal", "--no-input", "CI"])
    def test_nobody_is_asked_without_a_terminal(self, forge: Forge, args: list[str], option: str, how: str) -> None:
        flags = ["--no-input"] if how == "--no-input" else []
        result = forge(
            "profile", "init", *args, *flags, tty=how != "no terminal", env={"CI": "true"} if how == "CI" else None
        )
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"{option} is missing" in result.stderr
        assert not config_dir().exists()

    def test_a_terminal_is_asked_on_stderr_until_the_answers_are_good(self, forge: Forge) -> None:
        answers = ["a b", "prod", "", "api.example.com", "https://api.example.com", "9", "5", "token", "/v1/token"]
        result = forge("profile", "init", input="\n".join(answers) + "\n", tty={"stdin", "stderr"})
        assert result.exit_code == 0, result.stderr
        assert result.stdout.startswith("profile prod is written")
        assert result.stderr.count("Name of the profile [api]: ") == 2
        assert result.stderr.count("Base URL") == 3
        assert "5  oauth2    an OAuth client" in result.stderr
        assert shown(forge, "prod")["auth"]["token_url"] == "/v1/token"

    def test_the_end_of_the_input_is_no_answer(self, forge: Forge) -> None:
        result = forge("profile", "init", input="api\n", tty=True)
        assert (result.exit_code, config_dir().exists()) == (2, False)
        assert "--base-url is missing, and the input has ended" in result.stderr

    def test_ctrl_c_at_a_question_writes_nothing(self, own_home: Path) -> None:
        child = pexpect.spawn(
            sys.executable, ["-m", "forge_cli", "profile", "init"], cwd=str(ROOT), encoding="utf-8", timeout=20
        )
        child.expect_exact("Name of the profile [api]: ")
        child.sendline("")
        child.expect_exact("Base URL")
        child.sendintr()
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 130
        assert not config_dir().exists()


def test_only_a_table_loads_rich(profile_file: ProfileFile) -> None:
    profile_file(FAMILY)
    code = (
        "import sys; from forge_cli.cli.app import main\n"
        "assert main(['profile', 'show']) == main(['profile', 'validate']) == 0\n"
        "assert not {'rich', 'requests', 'urllib3', 'tomli_w'} & set(sys.modules)\n"
        "assert main(['profile', 'list']) == 0 and 'rich' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, timeout=60)
