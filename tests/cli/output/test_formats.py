"""Every row of the table of formats, and the formats that make something else of JSON."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.cli.output import FORMATS
from forge_cli.cli.output.content import Content, Look, as_written, one_line, parsed, texts, written
from forge_cli.models import decode_text
from tests.conftest import Require

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
PLAIN = Look(layout=False, color=False, safe=False)


def made(name: str, body: bytes, look: Look = PLAIN, kind: str = "application/json") -> str:
    return "".join(FORMATS.load(name)(Content((body,), kind), look))


def test_every_format_says_what_it_is() -> None:
    for name in FORMATS:
        assert FORMATS.load(name).__doc__


@given(VALUES)
def test_yaml_says_what_the_json_said(value: Any) -> None:
    yaml = Require().package("yaml")
    assert yaml.safe_load(made("yaml", json.dumps(value).encode())) == value
    coloured = made("yaml", json.dumps(value).encode(), Look(color=True))
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == made("yaml", json.dumps(value).encode())


@pytest.mark.parametrize("word", ["yes", "No", "null", "~", "1", "1e3", "0x1f", "2020-01-01", "", " a", "a: b", "a #b"])
def test_what_yaml_would_read_otherwise_is_quoted(word: str) -> None:
    assert made("yaml", json.dumps({"a": word}).encode()) == f"a: {json.dumps(word)}\n"


@pytest.mark.parametrize("kind", ["application/x-ndjson", "application/json"])
def test_json_line_by_line_is_a_document_of_yaml_each(kind: str) -> None:
    assert made("yaml", b'{"a":1.10}\n\n{"a":[2]}\n', kind=kind) == "a: 1.10\n---\na:\n  - 2\n"


def test_so_is_the_data_of_events() -> None:
    body = b'event: x\r\ndata: {"a":\r\ndata: 1}\r\n\r\n: comment\n\ndata:[DONE]\n\ndata: 2'
    assert made("yaml", body, kind="text/event-stream") == 'a: 1\n---\n"[DONE]"\n---\n2\n'


def test_lines_of_objects_are_the_rows_of_a_table() -> None:
    assert made("table", b'{"a":1}\n{"b":2}\n', kind="application/x-ndjson") == "a  b\n1\n   2\n"


@given(VALUES)
def test_a_value_that_is_reckoned_with_is_written_as_it_was_read(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert one_line(parsed(text)) == text


def test_a_value_that_is_reckoned_with_keeps_its_digits() -> None:
    text = '[12345678901234567890.123,1.10,-0,1E400,{"a":0.1000}]'
    assert one_line(parsed(text)) == text


@given(st.lists(VALUES))
def test_lines_are_the_items(items: list[Any]) -> None:
    lines = made("ndjson", json.dumps(items).encode()).split("\n")[:-1]
    assert [json.loads(line) for line in lines] == items


@given(VALUES.filter(lambda value: not isinstance(value, list)), st.integers(1, 3))
def test_documents_that_are_no_arrays_are_a_line_each(value: Any, times: int) -> None:
    lines = made("ndjson", (json.dumps(value, indent=1) + "\n").encode() * times).splitlines()
    assert [json.loads(line) for line in lines] == [value] * times


@given(VALUES)
def test_a_value_is_written_as_it_was_read(value: Any) -> None:
    assert json.loads(written(as_written(json.dumps(value)))) == value


def test_digits_and_members_with_one_name_stay() -> None:
    text = '{"a":1.10,"a":-0.0,"b":[1E5,NaN]}'
    assert written(as_written(text)) == text


@given(st.text(), st.sampled_from([None, "utf-8", "utf-16", "latin-1", "no-such", "hex"]), st.integers(1, 4))
def test_text_is_decoded_in_pieces_as_it_is_whole(text: str, charset: str | None, size: int) -> None:
    try:
        body = text.encode(charset or "utf-8", "replace")
    except LookupError:
        body = text.encode()
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    assert "".join(texts(pieces, charset)) == decode_text(body, charset)


@given(st.binary(), st.integers(1, 4))
def test_so_are_bytes_that_are_no_text(body: bytes, size: int) -> None:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    assert "".join(texts(pieces, None)) == decode_text(body, None)
