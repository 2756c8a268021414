"""Words are read back unchanged by every shell, and slots stay where they were put."""

from __future__ import annotations

import subprocess
from urllib.parse import quote as percent_encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forge_cli.curl import Slot, Slots, quote
from forge_cli.curl.words import printf, word
from tests.conftest import Require

SHELLS = ["sh", "bash", "dash", "zsh"]
HARD = "'\"$`!\\\n\t @#~*?[]{}()<>|&;=%^-+ é𝄞\x1b\r\x7f\x9b\u202e\u2028ab01"
TEXTS = st.one_of(
    st.text(st.sampled_from(HARD), max_size=30),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30),
)


def run(shell: str, script: str) -> bytes:
    Require()(shell, f"apt-get install {shell}")
    done = subprocess.run(
        [shell, "-c", script], capture_output=True, check=True, env={"NAME": "a b'c", "PATH": "/usr/bin:/bin"}
    )
    assert done.stderr == b""
    return done.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_reads_a_quoted_text_back_unchanged(shell: str) -> None:
    @settings(max_examples=25, deadline=None)
    @given(st.lists(TEXTS, min_size=1, max_size=20))
    def check(texts: list[str]) -> None:
        output = run(shell, "printf '%s\\0' " + " ".join(map(quote, texts)))
        assert output.decode().split("\0")[:-1] == texts

    check()


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_fills_slots_between_any_texts(shell: str) -> None:
    @settings(max_examples=15, deadline=None)
    @given(
        st.lists(st.tuples(TEXTS, st.sampled_from(["$NAME", '$(printf %s "a b\'c")']), TEXTS), min_size=1, max_size=10)
    )
    def check(cases: list[tuple[str, str, str]]) -> None:
        words = [word([before, Slot(expression), after]) for before, expression, after in cases]
        output = run(shell, "printf '%s\\0' " + " ".join(words))
        assert output.decode().split("\0")[:-1] == [f"{before}a b'c{after}" for before, _, after in cases]

    check()


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_prints_any_bytes(shell: str) -> None:
    @settings(max_examples=25, deadline=None)
    @given(
        st.one_of(
            st.binary(max_size=60), st.sampled_from([b"-n", b"%s%d", b"\\n\\0", b"'", bytes(range(256)), b"\x001"])
        )
    )
    def check(data: bytes) -> None:
        assert run(shell, printf(data, Slots())) == data

    check()


@pytest.mark.parametrize("shell", SHELLS)
def test_printed_bytes_may_hold_slots(shell: str) -> None:
    slots = Slots()
    data = b"\0%" + slots.mark("$NAME").encode() + b"\xff" + slots.mark("$(echo x)").encode()
    assert run(shell, printf(data, slots)) == b"\0%a b'c\xffx"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("POST", "POST"),
        ("https://api.example.com/users", "https://api.example.com/users"),
        ("a=b", "a=b"),
        ("=ls", "'=ls'"),
        ("", "''"),
        ("it's", "'it'\"'\"'s'"),
        ("!x", "'!x'"),
        ("a\x1bb", "\"a$(printf '\\033')b\""),
    ],
    ids=["safe word", "url", "inner equals", "zsh equals", "empty", "single quote", "history", "escape"],
)
def test_a_text_is_quoted_only_as_needed(text: str, expected: str) -> None:
    assert quote(text) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("Bearer ", "", '"Bearer $NAME"'),
        ("", "x", '"${NAME}x"'),
        ("it's ", "", '"it\'s $NAME"'),
        ('"', "", '\'"\'"$NAME"'),
        ("", "!", "\"$NAME\"'!'"),
    ],
    ids=["plain", "followed", "single quote", "double quote", "history"],
)
def test_a_slot_is_in_double_quotes(before: str, after: str, expected: str) -> None:
    slots = Slots()
    assert word(slots.split(before + slots.mark("$NAME") + after)) == expected


def test_marks_survive_percent_encoding_and_case_folding() -> None:
    slots = Slots()
    text = "a " + slots.mark("$A") + "é" + slots.mark("$B")
    assert slots.split(percent_encode(text, safe="").upper()) == ["A%20", Slot("$A"), "%C3%A9", Slot("$B")]


def test_marks_of_other_slots_are_plain_text() -> None:
    slots, others = Slots(), Slots()
    mark = others.mark("$A")
    assert others.present(mark) and not slots.present(mark)
    assert slots.split(mark) == [mark]
