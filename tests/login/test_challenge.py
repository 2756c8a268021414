from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.login.challenge import Challenge, challenges

TOKEN = st.text("abcXYZ019!#$%&'*+.^_`|~-", min_size=1, max_size=12)
TOKEN68 = st.from_regex(r"[A-Za-z0-9._~+/-]{1,20}={0,2}", fullmatch=True)
PARAMS = st.dictionaries(TOKEN.map(str.lower), st.text(max_size=20), max_size=4)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Basic", [Challenge("Basic")]),
        ('Basic realm="a, b=c \\"d\\\\"', [Challenge("Basic", {"realm": 'a, b=c "d\\'})]),
        # RFC 9110, section 11.6.1
        (
            'Basic realm="simple", Newauth realm="apps", type=1, title="Login to \\"apps\\""',
            [
                Challenge("Basic", {"realm": "simple"}),
                Challenge("Newauth", {"realm": "apps", "type": "1", "title": 'Login to "apps"'}),
            ],
        ),
        # RFC 6750, section 3
        (
            'Bearer realm="example", error="invalid_token", error_description="The access token expired"',
            [
                Challenge(
                    "Bearer",
                    {"realm": "example", "error": "invalid_token", "error_description": "The access token expired"},
                )
            ],
        ),
        ("Negotiate, NTLM", [Challenge("Negotiate"), Challenge("NTLM")]),
        (
            'Negotiate YWJj/+==, Basic realm="x"',
            [Challenge("Negotiate", token68="YWJj/+=="), Challenge("Basic", {"realm": "x"})],
        ),
        ('Digest REALM = "x" ,  Nonce=abc', [Challenge("Digest", {"realm": "x", "nonce": "abc"})]),
        (',, ,Basic realm="x",,', [Challenge("Basic", {"realm": "x"})]),
        ('Basic Digest realm="x"', [Challenge("Basic"), Challenge("Digest", {"realm": "x"})]),
        ("Bearer realm=https://a.example/x?y=z, service=a/b==", [
            Challenge("Bearer", {"realm": "https://a.example/x?y=z", "service": "a/b=="})
        ]),
        ('Basic realm="first", realm="second"', [Challenge("Basic", {"realm": "first"})]),
        ('realm="nobody\'s", Basic', [Challenge("Basic")]),
        ('Basic realm="not closed, Digest', [Challenge("Basic", {"realm": "not closed, Digest"})]),
        ("Basic x=1, realm=, y=2", [Challenge("Basic", {"x": "1", "realm": "", "y": "2"})]),
        ("", []),
        ('/ ( "', []),
    ],
)  # fmt: skip
def test_a_field_holds_challenges(value: str, expected: list[Challenge]) -> None:
    assert challenges([value]) == expected


def test_a_challenge_does_not_go_on_in_the_next_field() -> None:
    found = challenges(['Basic realm="a"', 'x=1, Digest nonce="n"'])
    assert found == [Challenge("Basic", {"realm": "a"}), Challenge("Digest", {"nonce": "n"})]


def test_schemes_know_no_case() -> None:
    assert Challenge("bEARER").of("Bearer") and not Challenge("Basic").of("Bearer")


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(st.lists(st.one_of(st.tuples(TOKEN, PARAMS), st.tuples(TOKEN, TOKEN68)), max_size=4))
def test_what_is_written_by_the_grammar_is_read_back(made: list[tuple[str, dict[str, str] | str]]) -> None:
    written, expected = [], []
    for scheme, rest in made:
        if isinstance(rest, str):
            written.append(f"{scheme} {rest}")
            expected.append(Challenge(scheme, token68=rest))
        else:
            pairs = ", ".join(f"{name}={quoted(value)}" for name, value in rest.items())
            written.append(f"{scheme} {pairs}" if pairs else scheme)
            expected.append(Challenge(scheme, rest))
    assert challenges([", ".join(written)]) == expected


@given(st.text(st.sampled_from(' \t,="\\abcé/()\r\n')))
def test_any_text_is_read_without_an_error(text: str) -> None:
    for challenge in challenges([text]):
        assert challenge.scheme
        assert all(name == name.lower() for name in challenge.params)


@pytest.mark.parametrize("piece", [",", "a", "a ", "a=", 'a="', '"', "\\", 'a="\\', "a b/", "a  ", "a b=", "é", "= "])
def test_reading_takes_time_that_grows_with_the_length_only(piece: str) -> None:
    def seconds() -> float:
        began = time.process_time()
        challenges([piece * 200_000])
        return time.process_time() - began

    # Quadratic work on so many characters would take minutes.
    assert seconds() < 10
