"""A1: token files are private from the first byte; a loose one is repaired, another owner's is refused."""

from __future__ import annotations

import os

import pytest

from tests.children import ordinary_home, run

MODES = """
modes = {each.name: oct(each.stat().st_mode & 0o777) for each in (path, *path.rglob("*"))}
print(sorted(set(modes.values())), len(modes))
"""


@pytest.mark.parametrize("mask", ["0o000", "0o022", "0o077", "0o277", "0o777"])
def test_files_and_directories_are_private_under_any_umask(mask: str) -> None:
    with ordinary_home() as home:
        out = run(
            f"""
os.umask({mask})
made = []
sys.addaudithook(lambda event, args: made.append(oct(args[1])) if event == "os.mkdir" else None)
storage = FileTokenStorage(path / "forge" / "tokens" / "dev.toml")
held = storage.lock("key")
held.__enter__()
storage.reserve("key")
storage.set("key", TokenData("user-token-1"))
pending = files.PendingWrite(path / "forge" / "tokens" / "other.toml")
assert stat.S_IMODE(pending.temporary.stat().st_mode) == 0o600
assert set(made) == {{"0o700"}}, made
assert storage.get("key") == TokenData("user-token-1")
{MODES}
held.__exit__(None, None, None)
""",
            home,
            ordinary=True,
        )
    # The home, forge, tokens and .locks; two locks, a token file and a pending one.
    assert out == "['0o600', '0o700'] 8\n"


def test_ones_own_loose_file_and_directory_are_repaired_with_a_warning() -> None:
    with ordinary_home() as home:
        out = run(
            f"""
file = path / "tokens" / "dev.toml"
FileTokenStorage(file).set("key", TokenData("user-token-1"))
file.chmod(0o644)
file.parent.chmod(0o755)
storage = FileTokenStorage(file, notice=print)
for _ in range(2):
    assert storage.get("key") == TokenData("user-token-1")
{MODES}
""",
            home,
            ordinary=True,
        )
        assert out.splitlines() == [
            f"{home}/tokens was open to other users: its mode is now 0700",
            f"{home}/tokens/dev.toml was open to other users: its mode is now 0600",
            "['0o600', '0o700'] 4",
        ]


REFUSED = """
storage = FileTokenStorage(path)
for attempt in (
    lambda: storage.get("key"),
    lambda: storage.set("key", TokenData("user-token-2")),
    lambda: storage.delete("key"),
):
    try:
        attempt()
        print("nothing")
    except StorageError as exc:
        print(exc)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only the superuser can make another user's files")
@pytest.mark.parametrize("foreign", ["file", "directory"])
def test_what_belongs_to_another_user_is_refused_and_left_alone(foreign: str) -> None:
    with ordinary_home() as home:
        file = home / "tokens" / "dev.toml"
        run('FileTokenStorage(path).set("key", TokenData("user-token-1"))', file, ordinary=True)
        before = file.read_bytes()
        stolen = file if foreign == "file" else file.parent
        os.chown(stolen, 0, 0)
        stolen.chmod(0o644 if foreign == "file" else 0o755)
        assert run(REFUSED, file, ordinary=True) == f"{stolen} belongs to another user\n" * 3
        assert file.read_bytes() == before
        assert stolen.stat().st_uid == 0


@pytest.mark.skipif(os.getuid() != 0, reason="needs the superuser")
def test_the_superuser_does_not_take_over_a_users_tokens() -> None:
    with ordinary_home() as home:
        run('FileTokenStorage(path).set("key", TokenData("user-token-1"))', home / "dev.toml", ordinary=True)
        assert run(REFUSED, home / "dev.toml") == f"{home} belongs to another user\n" * 3
