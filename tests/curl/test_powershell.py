"""A command for PowerShell gives curl.exe the arguments it was made of, as 5.1 to 7.2 and later versions pass them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from forge_cli.curl import Slot, Slots, render
from forge_cli.curl.powershell import command, quote, word
from forge_cli.errors import RequestBuildException

HARD = "'\"$`\\ @#~*?[]{}()<>|&;=%^-+,é𝄞\u2018\u2019\u201a\u201b\u201c\u201d\u201eab01\n\t"
TEXT = st.text(HARD, max_size=12) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8
)
_CONTROL = re.compile(r"\$\(\[char\]([0-9]+)\)")


def read_by_powershell(line: str) -> list[str]:
    """The arguments as PowerShell's own quoting rules (about_Quoting_Rules) read them."""
    words: list[str] = []
    at = 0
    while at < len(line):
        if line[at] == " ":
            at += 1
            continue
        if line[at] == "'":
            match = re.compile("'((?:['\u2018\u2019\u201a\u201b]{2}|[^'\u2018\u2019\u201a\u201b])*)'").match(line, at)
            assert match is not None, line
            words.append(re.sub("(['\u2018\u2019\u201a\u201b])['\u2018\u2019\u201a\u201b]", r"\1", match[1]))
        elif line[at] == '"':
            match = re.compile('"((?:`.|\\$\\([^)]*\\)|[^`"$\u201c\u201d\u201e])*)"', re.DOTALL).match(line, at)
            assert match is not None, line
            filled = _CONTROL.sub(lambda found: chr(int(found[1])), match[1])
            words.append(re.sub("`(.)", r"\1", filled, flags=re.DOTALL))
        else:
            match = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*").match(line, at)
            assert match is not None, line
            words.append(match[0])
        at = match.end()
    return words


def _has_space_outside_quotes(text: str) -> bool:
    """How the older way decides whether an argument gets quotes."""
    quotes, backslash = 0, False
    for char in text:
        if char == '"' and not backslash:
            quotes += 1
        elif char.isspace() and quotes % 2 == 0:
            return True
        backslash = char == "\\"
    return False


def as_one_line(arguments: Sequence[str]) -> str:
    """The command line that the older way makes: quotes around spaces, nothing escaped, empty arguments lost."""
    return " ".join(f'"{each}"' if _has_space_outside_quotes(each) else each for each in arguments)


def split_by_the_program(line: str) -> list[str]:
    """The arguments as the C runtime of a Windows program cuts them."""
    found: list[str] = []
    word, quoted, begun, at = "", False, False, 0
    while at < len(line):
        slashes = len(line) - at - len(line[at:].lstrip("\\"))
        if slashes:
            at += slashes
            if line[at : at + 1] == '"':
                word += "\\" * (slashes // 2)
                if slashes % 2:
                    word, at = word + '"', at + 1
            else:
                word += "\\" * slashes
            begun = True
        elif line[at] == '"':
            quoted, begun, at = not quoted, True, at + 1
        elif line[at] in " \t" and not quoted:
            found += [word] if begun else []
            word, begun, at = "", False, at + 1
        else:
            word, begun, at = word + line[at], True, at + 1
    assert not quoted, line
    return [*found, word] if begun else found


@given(st.lists(TEXT, max_size=4))
@example([""])
@example(["a b\\"])
@example(['a\\"b c'])
@example(['"'])
@example(["C:\\dir\\", 'x "y\\\\" z'])
@example(["\u2019\u201d$x`"])
def test_every_argument_arrives(texts: list[str]) -> None:
    line = command([[[text] if text else [] for text in texts]])
    wrapped = re.fullmatch(r"& \{ \$PSNativeCommandArgumentPassing = 'Legacy'; (.*) \}", line, re.DOTALL)
    arguments = read_by_powershell(wrapped[1] if wrapped else line)
    assert arguments[0] == "curl.exe"
    # A no-break space is a space to PowerShell, which then adds quotes, and none to the program.
    assert split_by_the_program(as_one_line(arguments)) == ["curl.exe", *texts]
    if wrapped is None:
        # Newer versions pass each argument as it is.
        assert arguments[1:] == texts


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["GET"], "GET"),
        (["it's"], "'it''s'"),
        (["it\u2019s"], "'it\u2019\u2019s'"),
        (["a $x `b"], "'a $x `b'"),
        (["1kb"], "'1kb'"),
        (["--profile"], "--profile"),
        (["-a.b"], "'-a.b'"),
        ([], "'\"\"'"),
        (['{"a": "b"}'], '\'"{\\"a\\": \\"b\\"}"\''),
        (['a\\"b'], '\'"a\\\\\\"b"\''),
        (["Bearer ", Slot("$(forge token show --raw)")], '"Bearer $(forge token show --raw)"'),
        ([Slot("$API_KEY"), "$x"], '"$($env:API_KEY)`$x"'),
        (["\u201cq\u201d ", Slot("$X")], '"`\u201cq`\u201d $($env:X)"'),
        (["\x1b[1m"], '"$([char]27)[1m"'),
    ],
)
def test_a_word_is_quoted_for_powershell(pieces: list[str | Slot], text: str) -> None:
    assert word(pieces) == text


def test_a_text_for_powershell_itself_has_no_quotes_for_a_program() -> None:
    assert quote('a "b" \'c') == "'a \"b\" ''c'"


def test_a_request_is_one_command() -> None:
    text = render(
        method="PUT", url="https://h/x?a=1&b=2", headers=[("X", "it's")], body=b"a", complete=False, shell="powershell"
    )
    assert text == "curl.exe -X PUT -H 'X: it''s' -H 'Content-Type:' --data-raw a 'https://h/x?a=1&b=2'"


def test_double_quotes_ask_for_the_older_way_of_passing_them() -> None:
    text = render(method="PUT", url="https://h/x", body=b'{"a": 1}', complete=False, shell="powershell")
    assert text == (
        "& { $PSNativeCommandArgumentPassing = 'Legacy'; "
        "curl.exe -X PUT -H 'Content-Type:' --data-raw '\"{\\\"a\\\": 1}\"' 'https://h/x' }"
    )


@pytest.mark.parametrize("body", [b"\0", b"\xff", b"x" * 40_000], ids=["NUL", "no text", "too long"])
def test_a_body_that_cannot_be_an_argument_is_refused(body: bytes) -> None:
    with pytest.raises(RequestBuildException) as caught:
        render(method="POST", url="https://h/", body=body, shell="powershell")
    assert caught.value.hint is not None and "-d @FILE" in caught.value.hint


def test_a_slot_in_the_query_is_an_option() -> None:
    slots = Slots()
    text = render(method="GET", url=f"https://h/?t={slots.mark('$T')}", slots=slots, complete=False, shell="powershell")
    assert text == "curl.exe -X GET --url-query \"t=$($env:T)\" 'https://h/'"
