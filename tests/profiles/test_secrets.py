"""Secrets: where they come from, what is said when they are not there, and what stays hidden."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from forge_cli.errors import MissingSecret, NeedsPerson
from forge_cli.profiles.schema import EnvSecret, FileSecret, PromptSecret
from forge_cli.profiles.secrets import Secrets, Where
from forge_cli.redact import REDACTOR


def secrets(
    where: Where,
    folder: Path = Path("/nowhere"),
    environ: Mapping[str, str] | None = None,
    prompt: Callable[[str], str] | None = None,
) -> Secrets:
    return Secrets({"it": where}, environ=environ or {}, prompt=prompt, base_dir=folder)


def _never(text: str) -> str:
    raise AssertionError(text)


def test_a_secret_comes_from_the_environment_given() -> None:
    assert secrets(EnvSecret(env="TOKEN"), environ={"TOKEN": "env-secret-1"}).get("it") == "env-secret-1"


@pytest.mark.parametrize(
    ("content", "value"),
    [("file-secret-1\n", "file-secret-1"), ("file-secret-1\r\n", "file-secret-1"), (" two\n\n", " two\n"), ("é", "é")],
)
def test_a_secret_comes_from_a_file_without_its_last_newline(tmp_path: Path, content: str, value: str) -> None:
    (tmp_path / "key").write_bytes(content.encode())
    assert secrets(FileSecret(file="key"), tmp_path).get("it") == value


def test_a_secret_comes_from_a_place_in_a_json_file(tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text(json.dumps({"a/b": ["x", "json-secret\n"]}))
    assert secrets(FileSecret(file="key.json", pointer="/a~1b/1"), tmp_path).get("it") == "json-secret\n"


def test_a_tilde_is_the_home_of_the_environment_given(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("home-secret")
    found = secrets(FileSecret(file="~/key"), environ={"HOME": str(tmp_path)})
    assert found.get("it") == "home-secret"
    assert found.source("it") == ("file", str(tmp_path / "key"))


def test_a_person_is_asked_once_also_by_several_threads() -> None:
    asked: list[str] = []

    def ask(text: str) -> str:
        asked.append(text)
        return "typed-secret"

    found = secrets(PromptSecret(prompt="Password"), prompt=ask)
    threads = [threading.Thread(target=found.get, args=("it",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.get("it") == "typed-secret"
    assert asked == ["Password"]


def test_a_value_is_read_once(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("first-secret")
    found = secrets(FileSecret(file="key"), tmp_path)
    assert found.get("it") == "first-secret"
    key.unlink()
    assert found.get("it") == "first-secret"


def test_a_value_that_was_got_is_hidden_from_then_on() -> None:
    secrets(EnvSecret(env="T"), environ={"T": "hidden-env-secret"}).get("it")
    assert REDACTOR.text("token hidden-env-secret!") == "token ***!"


@pytest.mark.parametrize(
    ("where", "environ", "message", "hint"),
    [
        pytest.param(EnvSecret(env="A_B"), {}, "variable A_B is not set", "export A_B=…", id="not set"),
        pytest.param(EnvSecret(env="A_B"), {"A_B": ""}, "variable A_B is empty", "export A_B=…", id="empty"),
        pytest.param(
            FileSecret(file="no"), {}, "/no' cannot be read: No such file", "put the secret into", id="no file"
        ),
        pytest.param(
            FileSecret(file="."), {}, "cannot be read: Is a directory", "put the secret into", id="a directory"
        ),
        pytest.param(FileSecret(file="a\0b"), {}, "cannot be read: not a file name", "put the secret into", id="a NUL"),
        pytest.param(FileSecret(file="blank"), {}, "/blank is empty", "put the secret into", id="a blank file"),
        pytest.param(FileSecret(file="bytes"), {}, "/bytes is not UTF-8", "UTF-8", id="bytes"),
        pytest.param(FileSecret(file="big"), {}, "/big is larger than 1 MiB", "name the file", id="a large file"),
        pytest.param(
            FileSecret(file="text", pointer="/a"), {}, "/text is not JSON", "leave out `pointer`", id="no JSON"
        ),
        pytest.param(FileSecret(file="deep", pointer="/a"), {}, "/deep is not JSON", "leave out", id="JSON too deep"),
        pytest.param(
            FileSecret(file="json", pointer="/b"), {}, "/json has no '/b'", "correct its `pointer`", id="no key"
        ),
        pytest.param(FileSecret(file="json", pointer="/a"), {}, "'/a' in ", "correct its `pointer`", id="no text"),
    ],
)
def test_a_missing_secret_says_what_to_do(
    tmp_path: Path, where: Where, environ: dict[str, str], message: str, hint: str
) -> None:
    (tmp_path / "blank").write_text("\n\n")
    (tmp_path / "bytes").write_bytes(b"unseen-secret\xff")
    (tmp_path / "big").write_bytes(b"x" * (1024 * 1024 + 1))
    (tmp_path / "text").write_text("unseen-secret")
    (tmp_path / "deep").write_text("[" * 100_000)
    (tmp_path / "json").write_text('{"a": {"unseen-secret": "unseen-secret"}}')
    with pytest.raises(MissingSecret) as caught:
        secrets(where, tmp_path, environ).get("it")
    assert str(caught.value).startswith("secret 'it': ")
    assert message in str(caught.value)
    assert hint in (caught.value.hint or "")
    shown: BaseException | None = caught.value
    while shown is not None:
        assert "unseen-secret" not in f"{shown!r} {vars(shown)}"
        shown = None if shown.__suppress_context__ and shown.__cause__ is None else shown.__cause__ or shown.__context__


def test_without_a_terminal_a_prompt_needs_a_person() -> None:
    with pytest.raises(NeedsPerson, match="secret 'it' is typed by a person") as caught:
        secrets(PromptSecret(prompt="Password")).get("it")
    assert 'it = { env = "IT" }' in (caught.value.hint or "")


def test_a_check_raises_what_getting_would_and_asks_nobody(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("checked-secret")
    secrets(FileSecret(file="key"), tmp_path).check("it")
    secrets(PromptSecret(prompt="P"), prompt=_never).check("it")
    for where, error in ((PromptSecret(prompt="P"), NeedsPerson), (EnvSecret(env="A"), MissingSecret)):
        with pytest.raises(error, match="secret 'it'"):
            secrets(where).check("it")


def test_an_empty_answer_is_no_secret() -> None:
    with pytest.raises(MissingSecret, match="nothing was entered"):
        secrets(PromptSecret(prompt="Password"), prompt=lambda _: "").get("it")


def test_a_secret_that_is_not_declared_is_missing() -> None:
    with pytest.raises(MissingSecret, match="the profile has no secret 'other'"):
        secrets(EnvSecret(env="A")).get("other")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param((EnvSecret(env="A"), {"A": "1"}), (EnvSecret(env="A"), {"A": "1"}), True, id="the same value"),
        pytest.param((EnvSecret(env="A"), {"A": "1"}), (EnvSecret(env="A"), {"A": "2"}), False, id="another value"),
        pytest.param((EnvSecret(env="A"), {"A": "1"}), (EnvSecret(env="A"), {}), False, id="no value"),
        pytest.param((EnvSecret(env="A"), {"A": "1"}), (EnvSecret(env="B"), {"B": "1"}), False, id="another variable"),
        pytest.param((FileSecret(file="f"), {}), (FileSecret(file="./f"), {}), True, id="the same file"),
        pytest.param((FileSecret(file="f"), {}), (FileSecret(file="g"), {}), False, id="another file"),
        pytest.param((FileSecret(file="f"), {}), (FileSecret(file="f", pointer="/a"), {}), False, id="another place"),
        pytest.param((PromptSecret(prompt="P"), {}), (PromptSecret(prompt="P"), {}), True, id="the same question"),
        pytest.param((PromptSecret(prompt="P"), {}), (PromptSecret(prompt="Q"), {}), False, id="another question"),
    ],
)
def test_a_reference_stands_for_the_source_and_asks_nobody(
    one: tuple[Where, dict[str, str]], other: tuple[Where, dict[str, str]], same: bool
) -> None:
    left, right = (secrets(where, environ=environ, prompt=_never).reference("it") for where, environ in (one, other))
    assert (left == right) is same


@pytest.mark.parametrize(
    ("where", "source"),
    [
        (EnvSecret(env="A"), ("env", "A")),
        (FileSecret(file="f"), ("file", "/nowhere/f")),
        (FileSecret(file="/abs/f"), ("file", "/abs/f")),
        (PromptSecret(prompt="P"), ("prompt", "P")),
    ],
)
def test_the_source_is_known_without_the_value(where: Where, source: tuple[str, str]) -> None:
    assert secrets(where, prompt=_never).source("it") == source
