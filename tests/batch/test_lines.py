"""What a line of a batch says."""

from __future__ import annotations

import csv
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
        ("null", "line 1 is neither an object nor a URL"),
        ("true", "line 1 is neither an object nor a URL"),
        ("-1.5e+3", "line 1 is neither an object nor a URL"),
        ("NaN", "line 1 is neither an object nor a URL"),
        ("[1]", "line 1 is neither an object nor a URL"),
        ("[" * 100_000, "line 1 is neither an object nor a URL"),
        ("# a comment", "line 1 is neither an object nor a URL"),
        ("#comment", "line 1 is neither an object nor a URL"),
        ("curl http://a/x", "line 1 is no URL: there is a space"),
        ("/x\ty", "line 1 is no URL: there is a space"),
        ("/x\0", "line 1 is no URL: there is a space or a control character"),
        ('""', "line 1 has no url"),
    ],
)
def test_what_does_not_parse_is_an_error_of_its_line(text: str, reason: str) -> None:
    found = only(text)
    assert found.request is None and found.error is not None and reason in found.error.message


@pytest.mark.parametrize("text", ["nullable", "1a", "true/", "users/7#part", "?page=[1]", "http://a/%20"])
def test_what_only_begins_like_another_value_is_a_url(text: str) -> None:
    found = only(text)
    assert found.request is not None and found.request.url == text


@pytest.mark.parametrize("member", ['"id": {}', '"json": {}', '"query": {{"n": {}}}'])
def test_a_number_may_have_thousands_of_digits(member: str) -> None:
    found = only(f'{{"url": "/", {member.format("7" * 5000)}}}')
    assert found.error is None


def test_a_line_that_is_too_long_is_an_error_and_not_read_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forge_cli.batch.lines.LONGEST", 100)
    file = Sizes(b"/" + b"a" * 98 + b"\n" + b"/" + b"b" * 5000 + b"\n/c\n" + b"/" + b"d" * 100)
    found = list(read_jsonl(file))
    assert [(item.number, item.error is None) for item in found] == [(1, True), (2, False), (3, True), (4, False)]
    assert found[1].error is not None and "is longer than" in found[1].error.message
    assert file.most <= 101
    (row,) = read_csv(Sizes(b"id\n" + b"b" * 5000 + b"\n7\n"), "/{id}")
    assert row.error is not None and "is longer than" in row.error.message


class Sizes(io.BytesIO):
    """Remembers the longest line that was read."""

    most = 0

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        self.most = max(self.most, len(line))
        return line


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
    assert third.error is not None and third.error.message == "row 3 has 1 fields, and the head has 2"


@pytest.mark.parametrize("cell", ["..", ".", "", '""'], ids=repr)
@pytest.mark.parametrize(
    "template", ["/v1/users/{id}/", "/v1/users/{id}?a=b/..", "http://a/{id}#x", '{"id": "x", "url": "/v1/{id}/y"}']
)
def test_a_column_does_not_leave_its_place_in_the_path(template: str, cell: str) -> None:
    first, second = read_csv(io.BytesIO(f"id,n\n{cell},1\n7,2\n".encode()), template)
    assert first.request is None and first.error is not None
    assert first.error.message.startswith("row 1 leaves the template's path")
    assert first.id == ("x" if template.startswith("{") else 1)
    assert second.request is not None


@pytest.mark.parametrize(
    ("template", "url"),
    [("/a/{id}..", "/a/5.."), ("/../{id}//", "/../5//"), ("/a?x={none}&y={dots}", "/a?x=&y=.."), ("/a{none}b", "/ab")],
)
def test_a_column_that_is_dots_or_empty_may_stand_where_it_leads_nowhere(template: str, url: str) -> None:
    (found,) = read_csv(io.BytesIO(b"id,none,dots\n5,,..\n"), template)
    assert found.request is not None and found.request.url == url


def test_a_column_that_is_the_url_may_lead_anywhere() -> None:
    (found,) = read_csv(io.BytesIO(b"id\nhttp://a/../b//\n"), "{id}")
    assert found.request is not None and found.request.url == "http://a/../b//"


def test_a_quote_that_is_never_closed_is_an_error_of_its_row() -> None:
    first, second = read_csv(io.BytesIO(b'id,name\n1,Ada\n2,"oops\n3,Bob\n'), "/{id}")
    assert first.request is not None
    assert second.number == 2 and second.error is not None and second.error.message.startswith("row 2 is not CSV")
    assert second.error.hint is not None and "its end is a quote" in second.error.hint


def test_a_row_that_is_no_csv_does_not_hide_the_next_one() -> None:
    first, second = read_csv(io.BytesIO(b'id,name\n1,"A"b\n2,C\n'), "/{id}")
    assert first.error is not None and second.request is not None


def test_a_field_may_be_large_and_none_goes_on_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    large = "x" * 200_000
    (found,) = read_csv(io.BytesIO(f"id\n{large}\n".encode()), '{"url": "/", "text": "{id}"}')
    assert found.request is not None and found.request.content == large.encode()
    before = csv.field_size_limit(100)
    monkeypatch.setattr("forge_cli.batch.lines.LONGEST", 100)
    try:
        rows = list(read_csv(io.BytesIO(b'id\n1\n"' + b"x\n" * 100 + b"../admin\n"), "/{id}"))
    finally:
        csv.field_size_limit(before)
    assert [(row.number, row.error is None) for row in rows] == [(1, True), (2, False)]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=repr)
def test_rows_end_as_on_any_system_and_a_quoted_field_may_hold_ends(end: str) -> None:
    file = io.BytesIO(f'\ufeffid,name{end}1,"A{end}B"{end}2,C'.encode())
    found = list(read_csv(file, '{"url": "/{id}", "text": "{name}"}'))
    assert [item.request and item.request.content for item in found] == [f"A{end}B".encode(), b"C"]
    assert not file.closed


def test_a_template_with_an_unknown_column_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(UsageError, match=r"names \{nam\}, and the columns are id, name"):
        read_csv(io.BytesIO(b"id,name\n"), "/users/{nam}")
