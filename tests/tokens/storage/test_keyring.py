from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import keyring as library
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.chainer import ChainerBackend
from keyring.backends.fail import Keyring as FailKeyring
from keyring.backends.null import Keyring as NullKeyring
from keyring.errors import InitError, KeyringLocked, NoKeyringError

from forge_cli.errors import LockTimeout, StorageError
from forge_cli.models import TokenData
from forge_cli.tokens.storage.keyring import KeyringTokenStorage
from tests.children import start
from tests.keyrings import MemoryKeyring

TOKEN = TokenData("user-token-1")
LONG = TokenData("user-token-" + "long" * 1500)
LONGER = TokenData("user-token-" + "longer" * 1500)

HOLD = """
from forge_cli.tokens.storage.keyring import KeyringTokenStorage
with KeyringTokenStorage(environ={"FORGE_CONFIG_DIR": str(path)}).lock("key"):
    print("held", flush=True)
    signal.pause()
"""

USES: dict[str, Callable[[KeyringTokenStorage], object]] = {
    "get": lambda storage: storage.get("key"),
    "exists": lambda storage: storage.exists("key"),
    "set": lambda storage: storage.set("key", TOKEN),
    "delete": lambda storage: storage.delete("key"),
    "reserve": lambda storage: storage.reserve("key"),
}


class PlaintextKeyring(MemoryKeyring):
    """Named like those that keep plain text."""


class Chain(ChainerBackend):
    """A chain of chosen back ends."""

    backends: list[KeyringBackend] = []  # noqa: RUF012 - the library has it so


def chain(monkeypatch: pytest.MonkeyPatch, *backends: KeyringBackend) -> KeyringBackend:
    monkeypatch.setattr(Chain, "backends", list(backends))
    make: Callable[[], KeyringBackend] = Chain  # the library has no types here
    return make()


@pytest.fixture
def backend() -> MemoryKeyring:
    return MemoryKeyring()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def storage(backend: MemoryKeyring, told: list[str]) -> KeyringTokenStorage:
    return KeyringTokenStorage(backend=backend, notice=told.append)


def broken_off(backend: MemoryKeyring, question: str, at: int) -> None:
    """Fail the nth question of a kind, as if the process had been killed there."""
    left = at

    def fail(asked: str, name: str) -> None:
        nonlocal left
        left -= asked == question
        if asked == question and left == 0:
            raise OSError("killed")

    backend.before = fail


def test_a_short_token_is_one_entry(storage: KeyringTokenStorage, backend: MemoryKeyring) -> None:
    storage.set("key", TOKEN)
    assert backend.entries == {("forge", "token:key"): '{"access_token":"user-token-1","token_type":"Bearer"}'}


def test_services_keep_storages_apart(backend: MemoryKeyring) -> None:
    KeyringTokenStorage("one", backend=backend).set("key", TOKEN)
    assert KeyringTokenStorage("two", backend=backend).get("key") is None


def test_the_keyring_of_the_library_is_used(backend: MemoryKeyring) -> None:
    before = library.get_keyring()
    library.set_keyring(backend)
    try:
        KeyringTokenStorage().set("key", TOKEN)
    finally:
        library.set_keyring(before)
    assert list(backend.entries) == [("forge", "token:key")]


def test_a_long_token_leaves_nothing_behind(storage: KeyringTokenStorage, backend: MemoryKeyring) -> None:
    for token in (LONG, LONGER, LONG, TOKEN, LONGER):
        storage.set("key", token)
        assert storage.get("key") == token
    storage.set("key", TOKEN)
    assert len(backend.entries) == 1
    storage.set("key", LONG)
    storage.delete("key")
    assert backend.entries == {}


@pytest.mark.parametrize("old", [None, TOKEN, LONG], ids=["nothing", "short", "long"])
@pytest.mark.parametrize("at", [1, 3, 9])
def test_a_save_that_breaks_off_leaves_the_old_token_and_no_waste_in_the_end(
    storage: KeyringTokenStorage, backend: MemoryKeyring, old: TokenData | None, at: int
) -> None:
    if old is not None:
        storage.set("key", old)
    broken_off(backend, "set", at)
    with pytest.raises(StorageError):
        storage.set("key", LONGER)
    assert storage.get("key") == old
    backend.before = lambda question, name: None
    storage.delete("key")
    assert backend.entries == {}


def test_a_clearing_up_that_breaks_off_leaves_the_new_token_and_no_waste_in_the_end(
    storage: KeyringTokenStorage, backend: MemoryKeyring
) -> None:
    storage.set("key", LONG)
    broken_off(backend, "delete", 2)
    with pytest.raises(StorageError):
        storage.set("key", LONGER)
    assert storage.get("key") == LONGER
    backend.before = lambda question, name: None
    storage.delete("key")
    assert backend.entries == {}


def test_a_token_that_is_replaced_while_it_is_read_is_read_again(
    storage: KeyringTokenStorage, backend: MemoryKeyring
) -> None:
    storage.set("key", LONG)
    writer = KeyringTokenStorage(backend=backend)

    def replace(question: str, name: str) -> None:
        if question == "get" and name.startswith("piece:a:2:"):
            backend.before = lambda question, name: None
            writer.set("key", LONGER)

    backend.before = replace
    assert storage.get("key") == LONGER


@pytest.mark.parametrize("content", ["", "{", "user-token-9", "[]", "split a 3 0123456789abcdef", "split c 1 0"])
def test_a_damaged_entry_is_ignored_and_told_without_its_content(
    storage: KeyringTokenStorage, backend: MemoryKeyring, told: list[str], content: str
) -> None:
    backend.entries["forge", "token:key"] = content
    assert storage.get("key") is None
    assert "damaged" in told[0]
    assert "user-token" not in told[0]
    storage.set("key", TOKEN)
    assert storage.get("key") == TOKEN


def test_an_entry_that_somebody_else_deletes_first_is_no_error(
    storage: KeyringTokenStorage, backend: MemoryKeyring
) -> None:
    storage.set("key", TOKEN)
    backend.before = lambda question, name: backend.entries.clear() if question == "delete" else None
    storage.delete("key")
    assert not storage.exists("key")


@pytest.mark.parametrize("use", USES)
def test_a_keyring_that_waits_for_a_person_is_given_up(backend: MemoryKeyring, use: str) -> None:
    answered = threading.Event()
    backend.before = lambda question, name: answered.wait(20)
    storage = KeyringTokenStorage(backend=backend, limit=0.05)
    for _ in range(2):
        begun = time.monotonic()
        with pytest.raises(StorageError, match=r"did not answer within 0.05 s") as caught:
            USES[use](storage)
        assert time.monotonic() - begun < 2
        assert "storage" in str(caught.value.hint)
    answered.set()
    backend.before = lambda question, name: None
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            storage.get("key")
            break
        except StorageError:
            continue
    storage.set("key", TOKEN)
    assert storage.get("key") == TOKEN


def test_while_one_question_waits_the_next_is_not_asked(backend: MemoryKeyring) -> None:
    asked: list[str] = []
    answered = threading.Event()

    def wait(question: str, name: str) -> None:
        asked.append(name)
        answered.wait(20)

    backend.before = wait
    storage = KeyringTokenStorage(backend=backend, limit=0.01)
    for key in ("one", "two"):
        with pytest.raises(StorageError):
            storage.get(key)
    answered.set()
    assert asked == ["token:one"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (KeyringLocked("user-token-1"), "the keyring is locked"),
        (InitError("user-token-1"), "there is no keyring"),
        (NoKeyringError("user-token-1"), "there is no keyring"),
        (TimeoutError("user-token-1"), r"the keyring failed \(TimeoutError\)"),
        (RuntimeError("user-token-1"), r"the keyring failed \(RuntimeError\)"),
    ],
    ids=["locked", "not begun", "none", "time-out of its own", "anything"],
)
@pytest.mark.parametrize("use", USES)
def test_a_failure_names_the_setting_and_quotes_nothing(
    storage: KeyringTokenStorage, backend: MemoryKeyring, error: Exception, message: str, use: str
) -> None:
    def fail(question: str, name: str) -> None:
        raise error

    backend.before = fail
    with pytest.raises(StorageError, match=message) as caught:
        USES[use](storage)
    assert "`storage` in [profiles.NAME.tokens]" in str(caught.value.hint)
    assert "user-token" not in f"{caught.value} {caught.value.hint}"
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("kind", [FailKeyring, NullKeyring, PlaintextKeyring], ids=["fail", "null", "plain text"])
@pytest.mark.parametrize("chained", [False, True], ids=["alone", "chained"])
@pytest.mark.parametrize("use", USES)
def test_a_keyring_that_keeps_plain_text_or_nothing_is_refused(
    monkeypatch: pytest.MonkeyPatch, kind: Callable[[], KeyringBackend], chained: bool, use: str
) -> None:
    open_or_empty = kind()
    storage = KeyringTokenStorage(backend=chain(monkeypatch, open_or_empty) if chained else open_or_empty)
    with pytest.raises(StorageError, match="no keyring here that encrypts") as caught:
        USES[use](storage)
    assert "FORGE_TOKEN_STORAGE" in str(caught.value.hint)
    if isinstance(open_or_empty, PlaintextKeyring):
        assert open_or_empty.entries == {}


def test_of_a_chain_the_first_good_keyring_is_used(monkeypatch: pytest.MonkeyPatch, backend: MemoryKeyring) -> None:
    plain = PlaintextKeyring()
    KeyringTokenStorage(backend=chain(monkeypatch, plain, backend)).set("key", TOKEN)
    assert (len(plain.entries), len(backend.entries)) == (0, 1)


@pytest.mark.parametrize("name", ["keyring.backends.fail.Keyring", "keyring.backends.null.Keyring", "nowhere.Keyring"])
def test_what_the_environment_names_is_judged_too(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", name)
    monkeypatch.setattr(library.core, "_keyring_backend", None)
    with pytest.raises(StorageError) as caught:
        KeyringTokenStorage().get("key")
    assert "storage" in str(caught.value.hint)


def test_a_lock_is_held_between_processes_and_ends_with_them(tmp_path: Path) -> None:
    storage = KeyringTokenStorage(environ={"FORGE_CONFIG_DIR": str(tmp_path)})
    with start(HOLD, tmp_path) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(LockTimeout, match="state"), storage.lock("key", 0.05):
            pass
        with (
            storage.lock("other", 0),
            KeyringTokenStorage("b", environ={"FORGE_CONFIG_DIR": str(tmp_path)}).lock("key", 0),
        ):
            pass
        child.send_signal(signal.SIGKILL)
        with storage.lock("key", 5):
            pass


def test_without_a_configuration_directory_there_is_no_lock_and_the_hint_says_why() -> None:
    with pytest.raises(StorageError) as caught, KeyringTokenStorage(environ={}).lock("key", 0):
        pass
    assert "FORGE_CONFIG_DIR" in str(caught.value.hint)


def test_an_entry_of_somebody_elses_is_read_as_it_is(storage: KeyringTokenStorage, backend: MemoryKeyring) -> None:
    backend.entries["forge", "ada"] = "pass-word-1"
    storage.set("ada", TOKEN)
    assert storage.entry("ada") == "pass-word-1"
    assert storage.entry("bob") is None


@pytest.mark.parametrize("generation", ["a", "b"])
def test_with_a_token_go_the_pieces_of_either_generation(
    storage: KeyringTokenStorage, backend: MemoryKeyring, generation: str
) -> None:
    storage.set("key", LONG)
    if generation == "b":
        storage.set("key", LONGER)
    assert ("forge", f"piece:{generation}:0:key") in backend.entries
    gone: list[str] = []
    backend.before = lambda question, name: gone.append(name) if question == "delete" else None
    storage.delete("key")
    assert backend.entries == {}
    pieces = [name for name in gone if name.startswith("piece:")]
    assert pieces == sorted(pieces, reverse=True)


def test_an_entry_is_deleted_by_one_only(storage: KeyringTokenStorage, backend: MemoryKeyring) -> None:
    """Of all failures only that it was gone already is none."""
    storage.set("key", TOKEN)

    def locked(question: str, name: str) -> None:
        if question == "delete":
            raise KeyringLocked

    backend.before = locked
    with pytest.raises(StorageError, match="is locked"):
        storage.delete("key")
