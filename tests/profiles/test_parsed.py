"""A large profile file is parsed once, and what is kept of it counts for that text alone."""

from __future__ import annotations

import datetime
import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forge_cli.files import write_private
from forge_cli.profiles import parsed

LARGE = "".join(f'[profiles.p{number}]\nbase_url = "https://api.example.com/{number}"\n' for number in range(500))


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "state" / "profiles.json"


def test_what_is_kept_is_what_the_file_says(kept: Path) -> None:
    assert parsed.loads(LARGE, kept) == parsed.loads(LARGE, kept) == tomllib.loads(LARGE)
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700


def test_the_second_time_it_is_taken_from_there(kept: Path) -> None:
    parsed.loads(LARGE, kept)
    record = json.loads(kept.read_bytes())
    record["content"] = {"default_profile": "seen"}
    write_private(kept, json.dumps(record).encode())
    assert parsed.loads(LARGE, kept) == {"default_profile": "seen"}


def test_another_text_is_read_anew(kept: Path) -> None:
    parsed.loads(LARGE, kept)
    edited = LARGE.replace("/7", "/8")
    assert parsed.loads(edited, kept) == tomllib.loads(edited)
    assert parsed.loads(LARGE, kept) == tomllib.loads(LARGE)


def test_a_small_file_is_not_kept(kept: Path) -> None:
    assert parsed.loads("a = 1", kept) == {"a": 1}
    assert not kept.parent.exists()


def test_a_date_is_read_and_not_kept(kept: Path) -> None:
    text = f"{LARGE}[profiles.dated]\nday = 2026-11-24\n"
    for _ in range(2):
        assert parsed.loads(text, kept)["profiles"]["dated"] == {"day": datetime.date(2026, 11, 24)}
    assert not kept.exists()


def test_an_error_is_as_ever(kept: Path) -> None:
    parsed.loads(LARGE, kept)
    with pytest.raises(tomllib.TOMLDecodeError):
        parsed.loads(f"{LARGE}[", kept)


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"null", b"[]", b'{"layout": 1}', b'{"layout": 1, "content": 1}', b"[" * 100_000, b"\xff\xfe"],
    ids=repr,
)
def test_a_damaged_record_is_made_anew(kept: Path, damage: bytes) -> None:
    parsed.loads(LARGE, kept)
    good = kept.read_bytes()
    kept.write_bytes(damage)
    assert parsed.loads(LARGE, kept) == tomllib.loads(LARGE)
    assert kept.read_bytes() == good


def test_nothing_is_lost_where_nothing_can_be_kept(kept: Path) -> None:
    kept.mkdir(parents=True)
    assert parsed.loads(LARGE, kept) == tomllib.loads(LARGE)


VALUES = st.recursive(
    st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8", categories=("L", "N"))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.from_regex(r"\A[a-z]{1,5}\Z"), inner, max_size=3),
    max_leaves=8,
)


def _toml(value: object) -> str:
    match value:
        case dict():
            return f"{{{', '.join(f'{key} = {_toml(each)}' for key, each in value.items())}}}"
        case list():
            return f"[{', '.join(map(_toml, value))}]"
        case float() if value in (float("inf"), float("-inf")):
            return str(value)
        case float():
            text = repr(value)
            return text if "." in text or "e" not in text else text.replace("e", ".0e")
        case _:
            return json.dumps(value, ensure_ascii=False)


@settings(max_examples=100)
@given(value=VALUES)
def test_any_value_comes_back_as_it_was(value: object, tmp_path_factory: pytest.TempPathFactory) -> None:
    kept = tmp_path_factory.mktemp("kept") / "profiles.json"
    text = f"value = {_toml(value)}\n{LARGE}"
    expected = tomllib.loads(text)
    assert repr(parsed.loads(text, kept)) == repr(expected)
    assert kept.exists()
    assert repr(parsed.loads(text, kept)) == repr(expected)
