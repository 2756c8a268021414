"""F1: a profile file that is broken in any way is exit 2 with file and line, soon, and without its content."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Forge

SECRET = "written-secret-5515"
GOOD = f'[profiles.a]\nbase_url = "https://api.example.com"\nheaders = {{ X-Key = "{SECRET}" }}\n'
# What is wrong -> the bytes, and the line that is named (None: no line has to be).
BROKEN: dict[str, tuple[bytes, int | None]] = {
    "a NUL": (GOOD.encode() + b"\n\0", 5),
    "a duplicate key": (f'{GOOD}base_url = "{SECRET}"\n'.encode(), 4),
    "a duplicate table": (f"{GOOD}[profiles.a]\n".encode(), 4),
    "nested brackets": (b"a = " + b"[" * 5000, 1),
    "nested tables": (GOOD.encode() + b"b = " + b"{a=" * 5000 + b"1", 4),
    "dots": (GOOD.encode() + b"a." * 5000 + b"a = 1", 4),
    "invalid UTF-8": (GOOD.encode() + b'x = "' + SECRET.encode() + b'\xff"\n', 4),
    "UTF-16": (GOOD.encode("utf-16"), None),
    "too large": (GOOD.encode() + b"#" * (1024 * 1024), None),
    "a cut off text": (f'{GOOD}x = "{SECRET}'.encode(), 4),
    "a wrong type": (f'[profiles.a]\nbase_url = ["{SECRET}"]\n'.encode(), 2),
    "nan": (b"[profiles.a]\ntimeout = nan\n", 2),
    "inf": (b"[profiles.a]\nretry = { base_delay = inf }\n", 2),
    "a huge number": (b"[profiles.a]\ntimeout = " + b"9" * 10000 + b"\n", 2),
    "a date": (b"[profiles.a]\ntimeout = 2020-01-01\n", 2),
    "an unknown key": (f'[profiles.a]\nbase_ulr = "{SECRET}"\n'.encode(), 2),
    "an unknown table": (f'{GOOD}[profiels.b]\nx = "{SECRET}"\n'.encode(), 4),
    "profiles that are a text": (f'profiles = "{SECRET}"\n'.encode(), 1),
    "a circle": (b'[profiles.a]\nextends = "a"\n', 2),
    "a control character": (f"{GOOD}x = '\x01{SECRET}'\n".encode(), 4),
    "a bad secret": (f'[profiles.a]\nsecrets.s = {{ env = "{SECRET}=1" }}\n'.encode(), 2),
    "a secret as text": (f'[profiles.a]\nsecrets.s = "{SECRET}"\n'.encode(), 2),
}


@pytest.fixture(params=list(BROKEN))
def broken(request: pytest.FixtureRequest, profile_file: Callable[[str], Path]) -> tuple[Path, int | None]:
    data, line = BROKEN[request.param]
    path = profile_file("")
    path.write_bytes(data)
    return path, line


@pytest.mark.parametrize(
    "words", [("get", "/x", "-p", "a"), ("token", "show", "-p", "a"), ("profile", "show", "a")], ids=" ".join
)
def test_it_is_exit_2_with_file_and_line_soon(
    forge: Forge, broken: tuple[Path, int | None], words: tuple[str, ...]
) -> None:
    path, line = broken
    begun = time.monotonic()
    result = forge(*words)
    assert time.monotonic() - begun < 2
    assert (result.exit_code, result.stdout) == (2, "")
    assert (f"{path}:{line}" if line else str(path)) in result.stderr
    assert "Traceback" not in result.stderr
    assert SECRET not in result.stderr


@pytest.mark.parametrize("words", [("profile", "validate"), ("doctor",)], ids=" ".join)
def test_what_checks_it_reports_it(forge: Forge, broken: tuple[Path, int | None], words: tuple[str, ...]) -> None:
    result = forge(*words)
    assert result.exit_code == 2
    assert str(broken[0]) in result.stdout
    assert "Traceback" not in result.stderr
    assert SECRET not in result.stdout + result.stderr


@pytest.mark.parametrize(
    "words", [("--help",), ("--version",), ("get", "--help"), ("completion", "bash"), ("trust", "--list")], ids=" ".join
)
def test_what_needs_no_profile_works(forge: Forge, broken: tuple[Path, int | None], words: tuple[str, ...]) -> None:
    assert forge(*words).exit_code == 0


def test_completion_says_nothing_and_offers_names_at_most(forge: Forge, broken: tuple[Path, int | None]) -> None:
    result = forge("completion", "bash", "--", "forge get /x -p ", "")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout in ("", "a\n")


@pytest.mark.parametrize("data", [b"\xef\xbb\xbf" + GOOD.encode(), GOOD.replace("\n", "\r\n").encode()])
def test_a_byte_order_mark_and_windows_lines_are_fine(
    forge: Forge, profile_file: Callable[[str], Path], data: bytes
) -> None:
    profile_file("").write_bytes(data)
    assert forge("get", "/x", "--offline").exit_code == 0


MUCH = 900_000
LONG = {
    "letters": f'vars.x = "{"a" * MUCH}"',
    "beginnings of references": f'base_url = "https://{"${" * (MUCH // 2)}"',
    "beginnings of references in a var": f'vars.x = "{"${" * (MUCH // 2)}"',
    "colons": f'base_url = "https://{":" * MUCH}"',
    "slashes and colons": f'vars.x = "{"//:" * (MUCH // 3)}"',
    "addresses": f'vars.x = "{"a://" * (MUCH // 4)}"',
    "escapes": "vars.x = '" + "\\" * MUCH + "'",
    "blanks": f'vars.x{" " * MUCH}= "a"',
    "quotes": f"vars.x = '''{chr(39) * 2 + 'a'}{(chr(39) * 2 + 'a') * (MUCH // 3 - 1)}'''",
    "comments": "#a\n" * (MUCH // 3),
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
@pytest.mark.parametrize("words", [["profile", "validate", "long.toml"], ["trust", "--yes", "long.toml"]], ids=" ".join)
def test_what_is_as_long_as_a_file_may_be_is_read_soon(forge: Forge, text: str, words: list[str]) -> None:
    base_url = "" if "base_url" in text else 'base_url = "https://api.example.com"\n'
    Path("long.toml").write_text(f"[profiles.a]\n{base_url}{text}\n")
    begun = time.process_time()
    result = forge(*words)
    assert time.process_time() - begun < 2
    assert result.exit_code in (0, 2), result.stderr
