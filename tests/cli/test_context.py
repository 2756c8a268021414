"""Which profile a command works with."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from forge_cli.cli.context import Context
from forge_cli.cli.run import Run
from forge_cli.errors import ProfileError, UsageError
from forge_cli.files import config_dir
from tests.conftest import Forge

TWO = 'default_profile = "one"\n[profiles.one]\nvars = { a = "1" }\n[profiles.two]\n'


def context(profile_name: str | None = None, config: str | None = None, **variables: str) -> Context:
    run = Run()
    run.stderr = io.StringIO()
    run.profile_name, run.config, run.variables = profile_name, config, variables
    return Context.of(run)


def test_a_context_knows_all_that_its_run_knows() -> None:
    run = Run("forge-http")
    run.silent = 2
    found = Context.of(run)
    assert (found.program, found.silent, found.resources is run.resources) == ("forge-http", 2, True)


def test_the_option_beats_the_environment_beats_the_file(
    profile_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    profile_file(TWO)
    assert context().settings().name == "one"
    monkeypatch.setenv("FORGE_PROFILE", "two")
    assert context().settings().name == "two"
    assert context("one").settings().name == "one"


def test_config_beats_forge_config_beats_the_users_file(
    profile_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    users = profile_file(TWO)
    assert context().source.path == users
    monkeypatch.setenv("FORGE_CONFIG", "b.toml")
    assert context().source.path == Path.cwd() / "b.toml"
    assert context(config="a.toml").source.path == Path.cwd() / "a.toml"


def test_var_overrides_what_the_profile_declares(profile_file: Callable[[str], Path]) -> None:
    profile_file(TWO)
    assert context(a="2").settings().vars == {"a": "2"}
    with pytest.raises(ProfileError, match="declares no var 'b'"):
        context(b="2").settings()


def test_an_absolute_url_needs_no_profile(profile_file: Callable[[str], Path]) -> None:
    assert context().profile_if_any() is None
    profile_file("[profiles.one]\n[profiles.two]\n")
    assert context().profile_if_any() is None
    with pytest.raises(UsageError, match="--var goes with a profile"):
        context(a="1").profile_if_any()


def test_a_default_profile_is_used_for_an_absolute_url_too(profile_file: Callable[[str], Path]) -> None:
    profile_file(TWO)
    found = context().profile_if_any()
    assert found is not None
    assert found.name == "one"


def test_a_profile_that_is_named_must_be_there(profile_file: Callable[[str], Path]) -> None:
    with pytest.raises(ProfileError, match="no profile file"):
        context("one").profile_if_any()
    with pytest.raises(ProfileError, match="no profile file"):
        context(config="a.toml").profile_if_any()
    profile_file(TWO)
    with pytest.raises(ProfileError, match="no profile 'three'"):
        context("three").profile_if_any()


def test_the_configuration_directory_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert context().config_dir == config_dir()
    monkeypatch.setenv("FORGE_CONFIG_DIR", str(tmp_path))
    assert context().config_dir == tmp_path


@pytest.mark.parametrize("arguments", [("/x",), ("http://127.0.0.1:9/x",)], ids=["a path", "a whole URL"])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version = 1\n[profile.a]\nbase_url = 'http://127.0.0.1:9'\n", "profile: unknown key (nearest: profiles)"),
        ("default_profile = 'zz'\n[profiles.a]\nbase_url = 'http://127.0.0.1:9'\n", "default_profile"),
    ],
    ids=["a slip", "a default that is none"],
)
def test_a_slip_at_the_top_of_the_file_is_never_passed_over(
    forge: Forge, profile_file: Callable[[str], Path], text: str, said: str, arguments: tuple[str, ...]
) -> None:
    path = profile_file(text)
    result = forge("get", *arguments, "--retry", "0")
    assert result.exit_code == 2
    assert str(path) in result.stderr and said in result.stderr


def test_a_profile_without_a_base_url_says_so(forge: Forge, profile_file: Callable[[str], Path]) -> None:
    path = profile_file("[profiles.a]\n")
    result = forge("get", "/users")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"profile 'a' of {path} has no base_url" in result.stderr and "https://…/users" in result.stderr
