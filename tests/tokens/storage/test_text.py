from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.models import TokenData
from forge_cli.tokens.storage.text import from_text, to_text


@given(st.builds(TokenData, access_token=st.text(st.characters()), scope=st.none() | st.text(st.characters())))
def test_a_token_is_one_line_of_ascii_and_comes_back(token: TokenData) -> None:
    text = to_text(token)
    assert text.isascii()
    assert len(text.splitlines()) == 1
    assert from_text(text) == from_text(text.encode()) == token


def test_the_text_is_json_that_other_programs_read() -> None:
    token = TokenData("user-token-1", expires_at=datetime(2030, 1, 1, tzinfo=UTC), extra={"id": 7})
    assert to_text(token) == (
        '{"access_token":"user-token-1","token_type":"Bearer","expires_at":"2030-01-01T00:00:00+00:00","extra":{"id":7}}'
    )


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "[]", '{"access_token": 1}', "[" * 100_000, b"\xff\xfe\xff", b"\x80\x04\x95", "1" * 5000],
    ids=["empty", "cut", "null", "list", "wrong type", "deep", "no text", "pickle", "number"],
)
def test_a_damaged_text_is_said_to_be_one(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_text(text)
