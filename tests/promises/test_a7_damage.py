"""A7: a damaged store is set aside without a traceback or a word of its content; a newer one is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from forge_cli.errors import StorageError
from forge_cli.models import TokenData
from forge_cli.tokens.storage.file import FileTokenStorage
from tests.children import ordinary_home, run

TOKEN = TokenData("user-token-1")
SOUND = b'version = 1\n[tokens.key]\naccess_token = "user-token-1"\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens" / "dev.toml"


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o644)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(SOUND[:-3], id="cut short"),
        pytest.param(b"\0" * 100, id="NULs"),
        pytest.param(b"secret-text \xff\xfe", id="no UTF-8"),
        pytest.param(b"x" * 10_000_000, id="10 MB"),
        pytest.param(b"a = " + b"[" * 5000, id="deep"),
        pytest.param(b"a = " + b"9" * 5000, id="a number too long to read"),
        pytest.param(b"[tokens.key]\naccess_token = 'secret-text'", id="no version"),
        pytest.param(b"version = '1'", id="version is text"),
        pytest.param(b"version = true", id="version is a boolean"),
        pytest.param(b"version = 0", id="version is zero"),
        pytest.param(b"version = 1\ntokens = 'secret-text'", id="tokens is text"),
    ],
)
def test_a_damaged_file_is_set_aside_with_one_notice_that_quotes_nothing(path: Path, content: bytes) -> None:
    told: list[str] = []
    write(path, content)
    path.with_name("other.toml").write_bytes(SOUND)
    storage = FileTokenStorage(path, notice=told.append)
    assert storage.get("key") is None
    assert storage.get("key") is None
    [aside] = path.parent.glob("dev.toml.corrupt-*")
    assert (aside.read_bytes(), aside.stat().st_mode & 0o777) == (content, 0o600)
    told = [line for line in told if "open to other users" not in line]
    assert len(told) == 1
    assert aside.name in told[0]
    assert "secret-text" not in told[0]
    storage.set("key", TOKEN)
    assert storage.get("key") == TOKEN
    assert FileTokenStorage(path.with_name("other.toml")).get("key") == TOKEN


@pytest.mark.parametrize("first", ["set", "delete", "reserve"])
def test_damage_that_a_writer_meets_first_does_not_stop_it(path: Path, first: str) -> None:
    write(path, b"damaged")
    storage = FileTokenStorage(path, notice=lambda _: None)
    if first == "delete":
        storage.delete("key")
    elif first == "reserve":
        storage.reserve("key")
    storage.set("key", TOKEN)
    assert storage.get("key") == TOKEN
    assert len(list(path.parent.glob("dev.toml.corrupt-*"))) == 1


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60) | st.integers(0, len(SOUND)).map(lambda end: SOUND[:end] + b"\0" + SOUND[end + 1 :]))
@example(SOUND)
def test_no_content_at_all_makes_reading_fail(path: Path, content: bytes) -> None:
    write(path, content)
    FileTokenStorage(path, notice=lambda _: None).get("key")


@pytest.mark.parametrize("content", [b"version = 99\n", b"version = 2\ntokens = 'other'\n"])
def test_the_file_of_a_newer_forge_is_refused_and_left_as_it_is(path: Path, content: bytes) -> None:
    write(path, content)
    storage = FileTokenStorage(path, notice=lambda _: None)
    for attempt in (
        lambda: storage.get("key"),
        lambda: storage.set("key", TOKEN),
        lambda: storage.delete("key"),
        lambda: storage.keys(),
    ):
        with pytest.raises(StorageError, match="newer forge") as caught:
            attempt()
        assert caught.value.hint == "upgrade forge"
    assert path.read_bytes() == content
    assert not list(path.parent.glob("*.corrupt-*"))


@pytest.mark.parametrize("locked_before", [False, True])
def test_damage_that_cannot_be_moved_aside_is_told_and_read_as_empty(locked_before: bool) -> None:
    with ordinary_home() as home:
        out = run(
            f"""
file = path / "dev.toml"
storage = FileTokenStorage(file, notice=print)
if {locked_before}:
    storage.set("key", TokenData("user-token-1"))
file.write_bytes(b"damaged")
file.chmod(0o600)
path.chmod(0o500)
for _ in range(2):
    assert storage.get("key") is None
""",
            home,
            ordinary=True,
        )
        assert out == f"{home}/dev.toml is damaged and cannot be moved aside: it is ignored\n"
