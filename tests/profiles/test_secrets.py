"""Secrets: where they come from, what is said when they are not there, and what stays hidden."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import keyring as library
import pytest
from keyring.backends.fail import Keyring as FailKeyring
from keyring.errors import KeyringLocked

from forge_cli.errors import MissingSecret, NeedsPerson, StorageError
from forge_cli.profiles.schema import CommandSecret, EnvSecret, FileSecret, KeyringEntry, KeyringSecret, PromptSecret
from forge_cli.profiles.secrets import Secrets, Where
from forge_cli.redact import REDACTOR
from forge_cli.tokens.storage.file import FileTokenStorage
from forge_cli.tokens.storage.memory import InMemoryTokenStorage
from tests.children import start
from tests.keyrings import MemoryKeyring

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ENVIRON = {"PATH": "/usr/bin:/bin", "VAULT": "vault-1", "OTHER": "other-1"}
ENTRY = KeyringSecret(keyring=KeyringEntry(service="vault", username="ada"))

# Some processes want the same secret at once.
WANT = """
from forge_cli.profiles.schema import CommandSecret
from forge_cli.profiles.secrets import Secrets
table = {"it": CommandSecret(command=("./slow",), ttl=600)}
secrets = Secrets(table, environ=os.environ, prompt=None, base_dir=path,
                  storage=lambda: FileTokenStorage(path / "tokens.toml"))
print(secrets.get("it"))
"""


def secrets(
    where: Where,
    folder: Path = Path("/nowhere"),
    environ: Mapping[str, str] | None = None,
    prompt: Callable[[str], str] | None = None,
) -> Secrets:
    return Secrets({"it": where}, environ=environ or {}, prompt=prompt, base_dir=folder)


def command(text: str, **options: Any) -> CommandSecret:
    return CommandSecret(command=("sh", "-c", text), **options)


def counting(folder: Path, **options: Any) -> CommandSecret:
    """A program that prints a secret, and leaves a line in `runs` each time."""
    return command(f"echo run >>{folder}/runs; echo program-secret-1", **options)


def runs(folder: Path) -> int:
    return len((folder / "runs").read_text().splitlines())


@pytest.fixture
def system_keyring() -> Iterator[MemoryKeyring]:
    """The keyring that the library finds, for this test."""
    before, mine = library.get_keyring(), MemoryKeyring()
    library.set_keyring(mine)
    yield mine
    library.set_keyring(before)


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
        pytest.param((command("exit 1"), {}), (command("exit 1"), {}), True, id="the same program"),
        pytest.param((command("exit 1"), {}), (command("exit 2"), {}), False, id="another program"),
        pytest.param(
            (command("id", env=("A",)), {"A": "1"}),
            (command("id", env=("A",)), {"A": "2"}),
            False,
            id="another account",
        ),
        pytest.param(
            (command("id"), {"A": "1"}), (command("id"), {"A": "2"}), True, id="a variable that is not passed"
        ),
        pytest.param((ENTRY, {}), (ENTRY, {}), True, id="the same entry"),
        pytest.param(
            (ENTRY, {}),
            (KeyringSecret(keyring=KeyringEntry(service="vault", username="bob")), {}),
            False,
            id="another entry",
        ),
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
        (command("exit 1"), ("command", "sh")),
        (ENTRY, ("keyring", "vault/ada")),
    ],
)
def test_the_source_is_known_without_the_value(where: Where, source: tuple[str, str]) -> None:
    assert secrets(where, prompt=_never).source("it") == source


def test_a_secret_is_what_a_program_prints_without_its_last_newline() -> None:
    made = command('printf \'program-secret-1 %s %s\\n\' "$VAULT" "$OTHER"', env=("VAULT",))
    assert secrets(made, environ=ENVIRON).get("it") == "program-secret-1 vault-1 "
    assert REDACTOR.text("it is program-secret-1 vault-1 ") == "it is ***"


def test_a_program_given_as_a_path_is_beside_the_profile(tmp_path: Path) -> None:
    (tmp_path / "helper").write_text("#!/bin/sh\necho program-secret-1\n")
    (tmp_path / "helper").chmod(0o700)
    assert secrets(CommandSecret(command=("./helper",)), tmp_path, ENVIRON).get("it") == "program-secret-1"
    with pytest.raises(MissingSecret, match="secret 'it': cannot run 'helper': no such file"):
        secrets(CommandSecret(command=("helper",)), tmp_path, ENVIRON).get("it")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("echo unseen-secret; echo not signed in >&2; exit 1", "'sh' failed with 1: not signed in"),
        ("true", "'sh' printed nothing"),
        ("printf 'unseen-secret\\377'", "what 'sh' printed is not UTF-8"),
    ],
)
def test_a_program_that_fails_leaves_the_secret_missing(text: str, message: str) -> None:
    for use in (Secrets.get, Secrets.check):
        with pytest.raises(MissingSecret) as caught:
            use(secrets(command(text), environ=ENVIRON), "it")
        assert str(caught.value) == f"secret 'it': {message}"
        assert caught.value.hint == "run the command by hand to see why"
        assert "unseen-secret" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_without_a_ttl_the_secret_is_in_memory_only(tmp_path: Path) -> None:
    storage = InMemoryTokenStorage()
    for _ in range(2):
        found = Secrets(
            {"it": counting(tmp_path)}, environ=ENVIRON, prompt=None, base_dir=tmp_path, storage=lambda: storage
        )
        assert found.get("it") == found.get("it") == "program-secret-1"
    assert runs(tmp_path) == 2
    assert storage.keys() == []


class Kept:
    """Secrets of one program, kept in one storage, at a moment that a test may choose."""

    def __init__(self, folder: Path, storage: Any, **options: Any) -> None:
        self.folder = folder
        self.storage = storage
        self.options = options
        self.told: list[str] = []

    def get(self, at: datetime = NOW, environ: Mapping[str, str] = ENVIRON, **options: Any) -> str:
        """The secret, as a new process would get it."""
        where = counting(self.folder, **{"ttl": 600.0, "env": ("VAULT",), **options})
        found = Secrets(
            {"it": where}, environ=environ, prompt=None, base_dir=self.folder, storage=lambda: self.storage,
            notice=self.told.append, now=lambda: at, **self.options,
        )  # fmt: skip
        return found.get("it")


def test_with_a_ttl_the_secret_is_kept_beside_the_tokens_until_then(tmp_path: Path) -> None:
    kept = Kept(tmp_path, FileTokenStorage(tmp_path / "tokens.toml"))
    assert kept.get() == "program-secret-1"
    assert kept.get(NOW + timedelta(seconds=599)) == "program-secret-1"
    assert runs(tmp_path) == 1
    assert kept.get(NOW + timedelta(seconds=600)) == "program-secret-1"
    assert runs(tmp_path) == 2
    assert kept.told == []


def test_a_kept_secret_is_hidden_when_it_is_used(tmp_path: Path) -> None:
    kept = Kept(tmp_path, FileTokenStorage(tmp_path / "tokens.toml"))
    kept.get()
    REDACTOR.clear()
    kept.get()
    assert REDACTOR.text("program-secret-1") == "***"


@pytest.mark.parametrize(
    "change",
    [{"environ": {**ENVIRON, "VAULT": "vault-2"}}, {"ttl": 300.0}, {"env": ()}, {"at": NOW - timedelta(days=1)}],
    ids=["another account", "another ttl", "other variables", "a clock that was set back"],
)
def test_a_kept_secret_is_used_for_what_it_was_made_for(tmp_path: Path, change: dict[str, Any]) -> None:
    kept = Kept(tmp_path, InMemoryTokenStorage())
    kept.get()
    kept.get(**change)
    assert runs(tmp_path) == 2


def test_the_key_of_a_kept_secret_is_the_digest_of_its_reference(tmp_path: Path) -> None:
    storage = InMemoryTokenStorage()
    seen: list[str] = []

    def digest(text: str) -> str:
        seen.append(text)
        return "digest-1"

    Kept(tmp_path, storage, digest=digest).get()
    assert storage.keys() == ["secret:digest-1"]
    assert "program-secret-1" not in seen[0].replace("echo program-secret-1", "")
    assert "VAULT=vault-1" in seen[0]


def test_threads_that_want_a_secret_run_its_program_once(tmp_path: Path) -> None:
    kept = Kept(tmp_path, FileTokenStorage(tmp_path / "tokens.toml"))
    threads = [threading.Thread(target=kept.get) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert runs(tmp_path) == 1


def test_processes_that_want_a_secret_run_its_program_once(tmp_path: Path) -> None:
    (tmp_path / "slow").write_text(f"#!/bin/sh\necho run >>{tmp_path}/runs; sleep 0.3; echo program-secret-1\n")
    (tmp_path / "slow").chmod(0o700)
    children = [start(WANT, tmp_path) for _ in range(4)]
    ended = [child.communicate(timeout=60) for child in children]
    assert [out for out, _ in ended] == ["program-secret-1\n"] * 4, ended
    assert runs(tmp_path) == 1


class Unwritable(InMemoryTokenStorage):
    """Takes nothing."""

    def set(self, key: str, token: Any) -> None:
        raise StorageError("the disk is full")


def test_a_secret_that_cannot_be_kept_is_used_with_a_notice(tmp_path: Path) -> None:
    kept = Kept(tmp_path, Unwritable())
    assert kept.get() == "program-secret-1"
    assert kept.told == ["the disk is full: secret 'it' is used now and not kept"]


def test_the_password_of_the_storage_itself_is_kept_in_memory(tmp_path: Path) -> None:
    storage = InMemoryTokenStorage()

    def opened() -> InMemoryTokenStorage:
        assert found.get("it") == "program-secret-1"
        return storage

    found = Secrets(
        {"it": counting(tmp_path, ttl=600.0)}, environ=ENVIRON, prompt=None, base_dir=tmp_path, storage=opened
    )
    assert found.get("it") == "program-secret-1"
    assert runs(tmp_path) == 1


def test_a_secret_comes_from_the_keyring(system_keyring: MemoryKeyring) -> None:
    system_keyring.entries["vault", "ada"] = "keyring-secret-1"
    assert secrets(ENTRY).get("it") == "keyring-secret-1"
    assert REDACTOR.text("keyring-secret-1") == "***"


def test_a_secret_that_the_keyring_does_not_have_is_missing(system_keyring: MemoryKeyring) -> None:
    system_keyring.entries["vault", "bob"] = "keyring-secret-1"
    system_keyring.entries["vault", "ada"] = ""
    for name in ("ada", "eve"):
        where = KeyringSecret(keyring=KeyringEntry(service="vault", username=name))
        with pytest.raises(MissingSecret, match=f"secret 'it': the keyring has no entry '{name}' of 'vault'") as caught:
            secrets(where).get("it")
        assert caught.value.hint


def test_a_keyring_that_is_locked_is_a_storage_error(system_keyring: MemoryKeyring) -> None:
    def locked(question: str, name: str) -> None:
        raise KeyringLocked("keyring-secret-1")

    system_keyring.before = locked
    with pytest.raises(StorageError, match="secret 'it': the keyring is locked") as caught:
        secrets(ENTRY).get("it")
    assert caught.value.hint == "unlock the keyring, or give the secret another source"
    assert "keyring-secret-1" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_where_there_is_no_keyring_it_says_so() -> None:
    before = library.get_keyring()
    library.set_keyring(FailKeyring())  # type: ignore[no-untyped-call]  # the library has no types here
    try:
        with pytest.raises(StorageError, match="secret 'it': there is no keyring here"):
            secrets(ENTRY).get("it")
    finally:
        library.set_keyring(before)
