"""A3: killed at any moment, a writer leaves the old or the new content."""

from __future__ import annotations

from pathlib import Path

from tests.children import run

KILLS = 200


def test_a_killed_writer_leaves_the_old_or_the_new_tokens(tmp_path: Path) -> None:
    out = run(
        f"""
import random, tomllib
storage = FileTokenStorage(path)
storage.set("kept", TokenData("user-token-kept"))
size = 5000
begun = time.monotonic()
for _ in range(5):
    storage.set("timed", TokenData("a" * size))
one = (time.monotonic() - begun) / 5
seen = set()
for turn in range({KILLS}):
    if (pid := os.fork()) == 0:
        while True:
            storage.set("changing", TokenData("abc"[turn % 3] * size))
            turn += 1
    time.sleep(random.uniform(0, 5 * one))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    tokens = tomllib.loads(path.read_text())["tokens"]
    assert tokens["kept"]["access_token"] == "user-token-kept"
    if "changing" in tokens:
        token = tokens["changing"]["access_token"]
        assert len(token) == size and len(set(token)) == 1
        seen.add(token[0])
# The dead held the lock at times: it is free.
begun = time.monotonic()
storage.set("changing", TokenData("user-token-1"))
assert time.monotonic() - begun < 5
print(sorted(seen), stat.S_IMODE(path.stat().st_mode) == 0o600)
""",
        tmp_path / "tokens" / "dev.toml",
    )
    assert out == "['a', 'b', 'c'] True\n"
