"""What a line of a batch says."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.batch.lines import Line, line, read_csv, read_jsonl
from forge_cli.digits import one_line
from forge_cli.encode import encode
from forge_cli.errors import UsageError


def only(text: str) -> Line:
    (found,) = read_jsonl(io.BytesIO(text.encode()))
    return found


@pytest.mark.parametrize("text", ["/users", '"/users"', '{"url": "/users"}'])
def test_a_url_alone_is_a_get(text: str) -> None:
    found = only(text)
    assert found.request is not None and (found.request.method, found.request.url, found.id) == ("GET", "/users", 1)


@pytest.mark.parametrize(
    ("member", "sent", "kind"),
    [
        ('"json": {"a": 1}', {"a": 1}, "application/json"),
        ('"json": null', None, "application/json"),
        ('"form": {"a": "1"}', "a=1", "application/x-www-form-urlencoded"),
        ('"text": "\\u00e9"', "é", "text/plain; charset=utf-8"),
    ],
)
def test_a_line_has_one_of_three_bodies(member: str, sent: object, kind: str) -> None:
    found = only(f'{{"url": "http://a/", {member}}}')
    assert found.request is not None and found.request.method == "POST"
    prepared = encode(found.request)
    body = prepared.body.decode()
    assert (json.loads(body) if "json" in kind else body) == sent
    assert prepared.headers["Content-Type"] == kind


@pytest.mark.parametrize(
    "body",
    [
        '{"a": 1.10, "b": [1e400, 12345678901234567890.0, -0, 1E+2], "a" : 0.1e-5}',
        f"[{'9' * 5000}]",
        '"\\ud800 \\u00e9é/\\/"',
        "-0.0",
        "null",
        '  {"json": {"json":  1.0 } } ',
    ],
    ids=["numbers", "many digits", "escapes", "a number", "null", "spaces and names"],
)
def test_a_json_body_is_sent_as_it_is_written(body: str) -> None:
    for text in (
        f'{{"url": "http://a/", "json": {body}}}',
        f'{{ "json" :{body}, "id": ",\\"json\\":1", "headers": {{"json": "x"}}, "url": "http://a/"}}',
        f'{{"json": 7, "url": "http://a/", "\\u006ason": {body}}}\r',
    ):
        found = only(text)
        assert found.request is not None
        prepared = encode(found.request)
        assert prepared.body == body.strip().encode()
        assert prepared.headers["Content-Type"] == "application/json"
        assert prepared.headers["Accept"] == "application/json, */*;q=0.5"


def test_a_number_has_its_digits_wherever_a_line_has_it() -> None:
    found = only('{"url": "/", "id": [1.10, -0], "query": {"n": 1e400}, "headers": {"X": 2.50}, "form": {"a": [0.10]}}')
    assert found.request is not None
    assert one_line(found.id) == "[1.10,-0]"
    assert found.request.to_dict() | {"params": {"n": "1e400"}, "headers": {"X": "2.50"}, "data": {"a": ["0.10"]}} == (
        found.request.to_dict()
    )


def test_a_number_of_a_template_has_its_digits() -> None:
    (found,) = read_csv(io.BytesIO(b"id\n7\n"), '{"url": "/", "json": {"a": 1.10, "id": "{id}"}, "query": {"n": -0}}')
    assert found.request is not None
    assert json.loads(found.request.content, parse_float=str) == {"a": "1.10", "id": "7"}
    assert found.request.params == {"n": "-0"}


@pytest.mark.parametrize("member", ['"json": {"a": 1}', '"text": "a"'])
def test_headers_that_somebody_states_are_not_made_up_for_a_body(member: str) -> None:
    (found,) = read_jsonl(io.BytesIO(f'{{"url": "/", {member}}}'.encode()), ("CONTENT-type", "accept"))
    assert found.request is not None and not found.request.headers
    own = only(f'{{"url": "/", {member}, "headers": {{"content-type": "a/b", "ACCEPT": "c/d"}}}}')
    assert own.request is not None and own.request.headers == {"content-type": "a/b", "ACCEPT": "c/d"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"url": "/x"', "line 1 is not JSON"),
        ('{"url": "/x", "json": [NaN]}', "line 1 is not JSON: NaN is not one of its values"),
        ('{"url": "/x", "json": -Infinity}', "line 1 is not JSON: -Infinity is not one of its values"),
        (f'{{"url": "/x", "json": {"[" * 100_000}', "line 1 is not JSON: nested too deeply"),
        (f'{{"url": "/x", "id": {"[" * 990}{"]" * 990}}}', "line 1 is not JSON: nested too deeply"),
        ('{"method": "GET"}', "has no url"),
        ('{"url": 1.10}', "has no url"),
        ('{"url": "/x", "text": 1.10}', "has a text that is none"),
        ('{"url": "/x", "method": -0}', "has a method that is no text"),
        ('{"url": "/x", "body": 1}', "unknown key 'body'"),
        ('{"url": "/x", "json": 1, "text": "a"}', "two bodies"),
        ('{"url": "/x", "method": "A B"}', "is not a method"),
        ('{"url": "/x", "headers": ["a"]}', "headers"),
    ],
)
def test_what_does_not_parse_is_an_error_of_its_line(text: str, reason: str) -> None:
    found = only(text)
    assert found.request is None and found.error is not None and reason in found.error.message


def test_lines_are_numbered_as_in_the_file_and_empty_ones_are_left_out() -> None:
    found = list(read_jsonl(io.BytesIO(b'/a\n\n\xff\n{"url": "/b", "id": "x"}')))
    assert [(item.number, item.id, item.error is None) for item in found] == [
        (1, 1, True), (3, 3, False), (4, "x", True)
    ]  # fmt: skip


@given(st.binary())
def test_no_bytes_break_the_reader(content: bytes) -> None:
    for found in read_jsonl(io.BytesIO(content)):
        assert (found.request is None) != (found.error is None)


@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(
    st.sampled_from(["url", "id", "headers", "query", "json", "form", "text", "method"]), inner)))  # fmt: skip
def test_no_value_breaks_a_line(value: object) -> None:
    found = line(1, value)
    assert (found.request is None) != (found.error is None)


def test_rows_of_csv_are_filled_into_the_template_as_data() -> None:
    rows = b"id,name\n1,Ada\n../2?x,\"Bob, the 'b'\"\nshort\n"
    template = '{"url": "/users/{id}", "json": {"name": "{name}"}, "id": "{id}"}'
    first, second, third = read_csv(io.BytesIO(rows), template)
    assert first.request is not None and first.request.url == "/users/1" and first.id == "1"
    assert second.request is not None and second.request.url == "/users/..%2F2%3Fx"
    assert json.loads(encode(second.request, base_url="http://a").body) == {"name": "Bob, the 'b'"}
    assert third.error is not None and "has 1 fields" in third.error.message


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=repr)
def test_rows_end_as_on_any_system_and_a_quoted_field_may_hold_ends(end: str) -> None:
    file = io.BytesIO(f'\ufeffid,name{end}1,"A{end}B"{end}2,C'.encode())
    found = list(read_csv(file, '{"url": "/{id}", "text": "{name}"}'))
    assert [item.request and item.request.content for item in found] == [f"A{end}B".encode(), b"C"]
    assert not file.closed


def test_a_template_with_an_unknown_column_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(UsageError, match=r"names \{nam\}, and the columns are id, name"):
        read_csv(io.BytesIO(b"id,name\n"), "/users/{nam}")
