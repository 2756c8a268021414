"""`forge profile add`: from a recipe to a profile."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pexpect
import pytest

from forge_cli.cli.commands.profile.from_recipe import place_of, spelled_place
from forge_cli.files import config_dir
from forge_cli.profiles.load import load_document
from tests.conftest import Forge
from tests.profiles.test_recipe import DEMO, NAMES
from tests.server import Reply, Server

ProfileFile = Callable[[str], Path]
ROOT = Path(__file__).parents[3]


@pytest.fixture
def demo(own_home: Path) -> Path:
    """A recipe of the person's own."""
    path = config_dir() / "recipes" / "demo.toml"
    path.parent.mkdir(mode=0o700, parents=True)
    config_dir().chmod(0o700)
    path.write_text(DEMO, encoding="utf-8")
    return path


@pytest.fixture
def keyed(demo: Path) -> Path:
    """The same with a secret of its own, and a variable with a default."""
    text = DEMO.replace('key_file]\ntext = "Key file"', 'key]\ntext = "Key"').replace('fills = ["key", "email"]\n', "")
    demo.write_text(text.replace('matches = "^[0-9]+$"', 'matches = "^[0-9]+$"\ndefault = 7'), encoding="utf-8")
    return demo


def written(name: str) -> Mapping[str, object]:
    return load_document(config_dir() / "profiles.toml").profiles[name]


class TestAdd:
    def test_it_works_with_no_profile_file_yet(self, forge: Forge, demo: Path, server: Server) -> None:
        server.reply("/", Reply(200, "welcome"))
        args = ("--var", "app_id=7", "--var", f"api={server.url}", "--set", "key_file=env:KEY")
        result = forge("profile", "add", "my", "--from", "demo", *args)
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout == (
            f"profile my is written: {config_dir() / 'profiles.toml'}:5\n\nnext:\n  export KEY=…\n  forge get / -p my\n"
        )
        assert config_dir().stat().st_mode & 0o777 == 0o700
        assert forge("profile", "validate").exit_code == 0
        assert forge("get", "/", "-p", "my", env={"KEY": "fake-key-1"}).stdout == "welcome"

    def test_what_is_missing_is_named_all_at_once(self, forge: Forge, demo: Path) -> None:
        demo.write_text(DEMO.replace("[profile]\n", '[recipe.asks.b]\ntext = "Other"\n[profile]\n'))
        result = forge("profile", "add", "my", "--from", "demo")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "--var app_id=…  App id" in result.stderr and "--var b=…  Other" in result.stderr
        assert not (config_dir() / "profiles.toml").exists()

    @pytest.mark.parametrize("how", ["--no-input", "CI"])
    def test_nobody_is_asked_where_that_is_off(self, forge: Forge, demo: Path, how: str) -> None:
        flags = ["--no-input"] if how == "--no-input" else []
        result = forge("profile", "add", "my", "--from", "demo", *flags, tty=True, env={} if flags else {"CI": "1"})
        assert (result.exit_code, result.stdout) == (2, "")
        assert "--var app_id=…" in result.stderr

    def test_a_variable_of_the_environment_stands_for_an_option(self, forge: Forge, demo: Path) -> None:
        env = {"FORGE_VAR_APP_ID": "8"}
        assert forge("profile", "add", "my", "--from", "demo", env=env).exit_code == 0
        assert forge("profile", "add", "other", "--from", "demo", "--var", "app_id=9", env=env).exit_code == 0
        assert [written(name)["vars"] for name in ("my", "other")] == [
            {"api": "https://api.example.com", "app_id": each} for each in ("8", "9")
        ]

    def test_a_terminal_is_asked_with_the_defaults_shown(self, forge: Forge, keyed: Path) -> None:
        answers = ["", "x", "8", "fake-secret-pasted", "file:~/k.pem"]
        result = forge("profile", "add", "--from", "demo", input="\n".join(answers) + "\n", tty={"stdin", "stderr"})
        assert result.exit_code == 0, result.stderr
        assert result.stderr.startswith("Demo\n  Prepare: nothing.\n  https://docs.example.com/login\n\n")
        assert "Name of the profile [demo]: " in result.stderr
        assert result.stderr.count("App id [7]: ") == 2
        assert "Key: where is it [file:~/key.json#/private_key]: " in result.stderr
        assert "fake-secret-pasted" not in result.stderr
        assert written("demo")["vars"] == {"api": "https://api.example.com", "app_id": "8"}
        # The place inside the file is the recipe's.
        assert written("demo")["secrets"]["key"] == {"file": "~/k.pem", "pointer": "/private_key"}  # type: ignore[index]

    def test_an_empty_answer_takes_the_default_as_it_is(self, forge: Forge, keyed: Path) -> None:
        assert forge("profile", "add", "--from", "demo", input="\n\n\n", tty=True).exit_code == 0
        assert written("demo")["vars"] == {"api": "https://api.example.com", "app_id": 7}

    def test_what_is_given_is_not_asked_for(self, forge: Forge, keyed: Path) -> None:
        args = ("my", "--from", "demo", "--var", "app_id=1", "--set", "key=prompt:Key of ada")
        result = forge("profile", "add", *args, input="", tty=True)
        assert result.exit_code == 0, result.stderr
        assert written("my")["secrets"]["key"] == {"prompt": "Key of ada"}  # type: ignore[index]
        assert "forge token login -p my" in result.stdout

    def test_the_end_of_the_input_is_no_answer(self, forge: Forge, demo: Path) -> None:
        result = forge("profile", "add", "my", "--from", "demo", input="", tty=True)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "--var app_id is missing, and the input has ended" in result.stderr

    def test_ctrl_c_at_a_question_writes_nothing(self, demo: Path) -> None:
        child = pexpect.spawn(
            sys.executable, ["-m", "forge_cli", "profile", "add", "--from", "demo"], cwd=str(ROOT), encoding="utf-8",
            timeout=20,
        )  # fmt: skip
        child.expect_exact("Name of the profile [demo]: ")
        child.sendintr()
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 130
        assert not (config_dir() / "profiles.toml").exists()

    def test_what_is_in_the_file_stays(self, forge: Forge, profile_file: ProfileFile, demo: Path) -> None:
        path = profile_file("# mine\n[profiles.a] # yes\n")
        result = forge("profile", "add", "my", "--from", "demo", "--var", "app_id=7")
        assert result.exit_code == 0
        assert path.read_text().startswith("# mine\n[profiles.a] # yes\n\n# Demo, from the recipe demo.\n")
        assert 'default_profile = "my"' in result.stderr

    @pytest.mark.parametrize(
        ("args", "said"),
        [
            pytest.param(["a", "--from", "demo"], "there is such a profile already, at {path}:1", id="taken"),
            pytest.param(["a b", "--from", "demo"], "1 to 64 letters", id="a bad name"),
            pytest.param(["b", "--from", "dmeo"], "no recipe 'dmeo' (nearest: demo)", id="a typo in the recipe"),
            pytest.param(["b", "--from", "./x.toml"], "no such recipe: ", id="a missing file"),
            pytest.param(["b"], "--from is missing", id="no recipe"),
            pytest.param(["b", "--from", "demo", "--var", "ap_id=1"], "nearest: app_id", id="an unknown var"),
            pytest.param(["b", "--from", "demo", "--var", "app_id=x"], "--var app_id: does not fit", id="a bad value"),
            pytest.param(["b", "--from", "demo", "--var", "key=x"], "--set key=…", id="a secret as a var"),
            pytest.param(["b", "--from", "demo", "--set", "kye=env:X"], "nearest: key", id="an unknown secret"),
            pytest.param(["b", "--from", "demo", "--set", "key=fake-secret"], "no place of a secret", id="the secret"),
            pytest.param(["b", "--from", "demo", "--set", "fake-secret"], "not SECRET=PLACE", id="no place"),
            pytest.param(["b", "--from", "demo", "--list"], "do not go together", id="two things"),
            pytest.param(["b", "--from", "demo", "--json"], "--json goes with --list", id="JSON"),
            pytest.param(["b", "-p", "c", "--from", "demo"], "two profiles", id="two names"),
        ],
    )
    def test_what_it_will_not_write_is_named(
        self, forge: Forge, profile_file: ProfileFile, demo: Path, args: list[str], said: str
    ) -> None:
        path = profile_file("[profiles.a]\n")
        result = forge("profile", "add", *args)
        assert (result.exit_code, result.stdout) == (2, "")
        assert said.format(path=path) in result.stderr
        assert "fake-secret" not in result.stderr
        assert path.read_text() == "[profiles.a]\n"

    def test_a_recipe_can_be_a_file(self, forge: Forge, own_home: Path) -> None:
        Path("mine.toml").write_text(DEMO)
        for number, word in enumerate(("mine.toml", "./mine.toml", "~/project/mine.toml")):
            result = forge("profile", "add", f"p{number}", "--from", word, "--var", "app_id=1")
            assert result.exit_code == 0, result.stderr
        assert "# Demo, from the recipe mine." in (config_dir() / "profiles.toml").read_text()

    def test_a_file_given_relative_to_here_is_found_from_anywhere(self, forge: Forge, keyed: Path) -> None:
        args = ("my", "--from", "demo", "--set", "key=file:k.pem#/x")
        assert forge("profile", "add", *args).exit_code == 0
        assert written("my")["secrets"]["key"] == {"file": f"{Path.cwd() / 'k.pem'}", "pointer": "/x"}  # type: ignore[index]

    def test_a_recipe_that_hides_another_says_so(self, forge: Forge, demo: Path) -> None:
        demo.rename(demo.with_stem(NAMES[0]))
        result = forge("profile", "add", "my", "--from", NAMES[0], "--var", "app_id=1")
        assert f"{demo.with_stem(NAMES[0])} is used, not the one that comes with forge" in result.stderr


class TestRecipes:
    def test_the_list_has_them_all(self, forge: Forge) -> None:
        lines = forge("profile", "add", "--list").stdout.splitlines()
        assert [line.split()[0] for line in lines] == ["name", *NAMES]
        assert re.search(r"^github-device +yes  ", "\n".join(lines), re.MULTILINE)

    def test_a_persons_own_are_listed_with_their_file(self, forge: Forge, demo: Path) -> None:
        assert re.search(rf"^demo +no +a demo +{demo}$", forge("profile", "add", "--list").stdout, re.MULTILINE)

    def test_json_has_what_they_ask_for(self, forge: Forge, demo: Path) -> None:
        [row] = [
            each for each in json.loads(forge("profile", "add", "--list", "--json").stdout) if each["name"] == "demo"
        ]
        assert row["asks"][0] == {"name": "app_id", "text": "App id", "into": "vars", "default": None}
        assert (row["person"], row["built_in"], row["file"]) == (False, False, str(demo))

    def test_one_that_cannot_be_used_is_told_below(self, forge: Forge, demo: Path) -> None:
        demo.write_text("[recipe]\n")
        result = forge("profile", "add", "--list")
        assert result.exit_code == 0
        assert "1 recipe cannot be used" in result.stderr and f"{demo} is no recipe" in result.stderr
        assert "demo" not in result.stdout

    def test_show_prints_the_file(self, forge: Forge, demo: Path) -> None:
        assert forge("profile", "add", "--show", "demo").stdout == DEMO

    def test_no_home_is_no_reason_to_have_none(self, forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("HOME")
        monkeypatch.delenv("XDG_CONFIG_HOME")
        assert forge("profile", "add", "--list").exit_code == 0


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("env:NAME", {"env": "NAME"}),
        ("file:/a b", {"file": "/a b"}),
        ("file:~/a#/x/y", {"file": "~/a", "pointer": "/x/y"}),
        ("keyring:a/b/ada", {"keyring": {"service": "a/b", "username": "ada"}}),
        ("command:op read 'op://a b/c'", {"command": ["op", "read", "op://a b/c"]}),
        ("prompt:The key", {"prompt": "The key"}),
    ],
)
def test_a_place_is_read_as_it_is_spelled(text: str, place: dict[str, object]) -> None:
    assert place_of(text, "key") == place
    assert spelled_place(place) == text


@pytest.mark.parametrize(
    "text", ["", "x", "env:", "env:a=b", "file:", "file:#/x", "keyring:x", "command:", "command:'"]
)
def test_what_is_no_place_is_refused_and_not_repeated(text: str) -> None:
    found = place_of(text, "key")
    assert isinstance(found, str) and "a=b" not in found


def test_prompt_alone_asks_by_the_secrets_name() -> None:
    assert place_of("prompt", "client_secret") == {"prompt": "Client secret"}


def test_only_a_list_loads_rich(demo: Path) -> None:
    code = (
        "import sys; from forge_cli.cli.app import main\n"
        "assert main(['profile', 'add', 'x', '--from', 'demo', '--var', 'app_id=1']) == 0\n"
        "assert not {'rich', 'requests', 'urllib3', 'tomli_w'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, timeout=60)
