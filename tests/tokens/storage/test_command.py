from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from forge_cli.errors import LockTimeout, ProfileError, StorageError
from forge_cli.models import TokenData
from forge_cli.tokens.storage.command import CommandTokenStorage
from tests.children import start

TOKEN = TokenData("user-token-1", refresh_token="refresh-token-1")

HOLD = """
from forge_cli.tokens.storage.command import CommandTokenStorage
words = ["true", "{key}"]
with CommandTokenStorage(words, words, words, environ={"FORGE_CONFIG_DIR": str(path)}).lock("key"):
    print("held", flush=True)
    signal.pause()
"""


def script(text: str) -> list[str]:
    return ["sh", "-c", text, "sh", "{key}"]


def storage(
    read: Sequence[str] = ("true", "{key}"),
    write: Sequence[str] = ("true", "{key}"),
    delete: Sequence[str] = ("true", "{key}"),
    **options: Any,
) -> CommandTokenStorage:
    return CommandTokenStorage(read, write, delete, **options)


def said(error: StorageError) -> str:
    return f"{error} {error.hint}"


def test_the_token_is_one_line_of_json_and_the_key_one_word(tmp_path: Path) -> None:
    file = tmp_path / "written"
    storage(write=script(f'cat >"{file}"; printf "%s" "$1" >>"{file}"')).set(
        "dev:login $(id)", TokenData("user-token-1")
    )
    line, key = file.read_text().splitlines()
    assert json.loads(line) == {"access_token": "user-token-1", "token_type": "Bearer"}
    assert key == "dev%3Alogin%20%24%28id%29"


@pytest.mark.parametrize(
    ("key", "word"),
    [
        ("digest.name_1~", "digest.name_1~"),
        ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"),
        ("-rf", "%2Drf"),
        ("~root", "%7Eroot"),
        ("", "%"),
        ("%", "%25"),
        ("a\nb\0c", "a%0Ab%00c"),
        ("é\ud800", "%C3%A9%ED%A0%80"),
        ("{key}", "%7Bkey%7D"),
    ],
)
def test_a_key_is_never_an_option_or_a_way_out(tmp_path: Path, key: str, word: str) -> None:
    storage(delete=script(f'printf "%s" "$1" >"{tmp_path}/word"')).delete(key)
    assert (tmp_path / "word").read_text() == word


def test_long_keys_stay_different_file_names(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    for key in ("k" * 4000, "k" * 4001):
        storage(delete=script(f'touch "{tmp_path}/made/$1"')).delete(key)
    assert len(list((tmp_path / "made").iterdir())) == 2


def test_programs_see_no_more_of_the_environment_than_they_need() -> None:
    environ = {"PATH": "/usr/bin:/bin", "HOME": "/h", "LANG": "C", "TERM": "dumb", "API_KEY": "user-token-1", "V": "v"}
    read = script('test "$(env | grep -cE "^(HOME=/h|LANG=C|TERM=dumb|V=v|API_KEY=.*)$")" = 4 && echo "$0" no token')
    with pytest.raises(StorageError, match="is not a token"):
        storage(read, env=["V", "MISSING"], environ=environ).get("key")


@pytest.mark.parametrize("text", ["", "exit 1", "echo; exit 3", "echo not found >&2; exit 1"])
def test_an_empty_answer_is_no_token(text: str) -> None:
    assert storage(script(text)).get("key") is None
    assert not storage(script(text)).exists("key")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('echo \'{"access_token": "user-token-1"}\'; exit 1', "'sh' failed with 1"),
        ("echo half; echo the store is locked >&2; exit 4", "'sh' failed with 4: the store is locked"),
        ("kill -9 $$", "'sh' failed with -9"),
        ("echo my other user-token-1", "what 'sh' printed is not a token"),
        ("printf '\\377'", "what 'sh' printed is not a token"),
    ],
    ids=["token and failure", "half", "killed", "something else", "no text"],
)
def test_what_is_neither_a_token_nor_nothing_is_an_error(text: str, message: str) -> None:
    with pytest.raises(StorageError, match=message) as caught:
        storage(script(text)).get("key")
    assert "user-token" not in said(caught.value)
    assert "`read` in [profiles.NAME.tokens]" in said(caught.value)


def test_what_a_failing_program_says_is_shown_short_and_without_secrets() -> None:
    write = script("cat >&2; printf '\\033[31m\\n%0300d' 0 >&2; exit 2")
    with pytest.raises(StorageError, match="'sh' failed with 2: ") as caught:
        storage(write=write).set("key", TOKEN)
    assert "-token-1" not in said(caught.value)
    assert "\033" not in said(caught.value)
    assert len(str(caught.value)) < 300
    assert "`write` in" in said(caught.value)


def test_a_program_that_does_not_read_its_input_may_succeed() -> None:
    storage(write=script("exec <&-")).set("key", TokenData("user-token-1", extra={"id": "x" * 100_000}))


def test_a_failed_delete_is_an_error_only_while_the_token_is_there() -> None:
    there = script('echo \'{"access_token": "user-token-1"}\'')
    storage(delete=script("exit 1")).delete("key")
    with pytest.raises(StorageError, match="'sh' failed with 1") as caught:
        storage(there, delete=script("exit 1")).delete("key")
    assert "`delete` in" in said(caught.value)


@pytest.mark.parametrize("word", ["no-such-program", "", "a\0b", "/etc/hostname"])
def test_a_program_that_cannot_be_run_is_an_error(word: str) -> None:
    with pytest.raises(StorageError, match="cannot run") as caught:
        storage([word, "{key}"]).get("key")
    assert "`read` in" in said(caught.value)


@pytest.mark.parametrize("text", ["sleep 60", "sleep 60 & sleep 60", "trap '' TERM; sleep 60 & wait"])
def test_a_program_that_does_not_end_is_ended_with_all_it_started(tmp_path: Path, text: str) -> None:
    begun = time.monotonic()
    with pytest.raises(StorageError, match=r"did not end within 0\.2 s") as caught:
        storage(script(f'echo $$ >"{tmp_path}/pid"; {text}'), limit=0.2).get("key")
    assert time.monotonic() - begun < 5
    assert "must not ask" in said(caught.value)
    group = (tmp_path / "pid").read_text().strip()
    while any(_group(stat) == group for stat in Path("/proc").glob("[0-9]*/stat")):
        assert time.monotonic() - begun < 20


def test_an_interrupted_program_is_ended(tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    def interrupt() -> None:
        while not pid.exists() or not pid.read_text().strip():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        storage(script(f'echo $$ >"{pid}"; sleep 60')).get("key")
    assert _group(Path("/proc", pid.read_text().strip(), "stat")) == ""


def _group(stat: Path) -> str:
    """The process group in such a file; nothing for what has ended meanwhile, or waits to be reaped."""
    try:
        state, _, group = stat.read_text().rpartition(")")[2].split()[:3]
    except OSError:
        return ""
    return "" if state == "Z" else group


@pytest.mark.parametrize("wrong", ["pass show {key}", [], ["pass", 1, "{key}"], ["pass", "show", "token"]])
@pytest.mark.parametrize("name", ["read", "write", "delete"])
def test_words_that_cannot_be_meant_are_refused_when_the_storage_is_made(name: str, wrong: Any) -> None:
    with pytest.raises(ProfileError, match=f"`{name}`"):
        storage(**{name: wrong})


def test_a_lock_is_held_between_processes_and_ends_with_them(tmp_path: Path) -> None:
    same = storage(environ={"FORGE_CONFIG_DIR": str(tmp_path)})
    with start(HOLD, tmp_path) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(LockTimeout, match="state"), same.lock("key", 0.05):
            pass
        with (
            same.lock("other", 0),
            storage(write=["false", "{key}"], environ={"FORGE_CONFIG_DIR": str(tmp_path)}).lock("key", 0),
        ):
            pass
        child.send_signal(signal.SIGKILL)
        with same.lock("key", 5):
            pass


def test_interpreters_are_programs_too() -> None:
    read = [sys.executable, "-c", 'print(\'{"access_token": "user-token-1"}\')', "{key}"]
    assert storage(read).get("key") == TokenData("user-token-1")
