"""Request items: which separator counts, what the value is, and what is refused."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.cli.items import Field, FileItem, Items, header, parse
from forge_cli.cli.nesting import Raw
from forge_cli.errors import UsageError

FORMS: dict[str, tuple[str, Items]] = {
    "header": ("X-One:a: b", Items(headers=(("X-One", "a: b"),))),
    "header with space": ("X-One:  a ", Items(headers=(("X-One", "a"),))),
    "header with a url": ("Referer:http://h/?a=b", Items(headers=(("Referer", "http://h/?a=b"),))),
    "unset header": ("Accept:", Items(headers=(("Accept", None),))),
    "empty header": ("Accept;", Items(headers=(("Accept", ""),))),
    "query": ("q==a=b", Items(query=(("q", "a=b"),))),
    "empty query": ("q==", Items(query=(("q", ""),))),
    "field": ("a=b:c@d==e", Items(fields=(Field("a", "b:c@d==e"),))),
    "empty field": ("a=", Items(fields=(Field("a", ""),))),
    "json": ('a:={"b": 1}', Items(fields=(Field("a", Raw('{"b": 1}')),))),
    "escaped colon": (r"a\:b=c", Items(fields=(Field(r"a\:b", "c"),))),
    "escaped equals": (r"a\==b==c", Items(fields=(Field(r"a\=", "b==c"),))),
    "escaped at": (r"ann\@h=1", Items(fields=(Field(r"ann\@h", "1"),))),
    "escaped at in the value": (r"a=\@home", Items(fields=(Field("a", "@home"),))),
    "escaped equals in the value": (r"a=\=b", Items(fields=(Field("a", "=b"),))),
    "other backslashes": (r"a\b=\c\\d", Items(fields=(Field(r"a\b", r"\c\\d"),))),
    "lines": ("a=b\nc", Items(fields=(Field("a", "b\nc"),))),
    "part with a type": (
        r'a\=b;type=text/x;charset=utf-8={"c"=1}',
        Items(fields=(Field(r"a\=b", '{"c"=1}', "text/x;charset=utf-8"),)),
    ),
    "part with a type and a value like a file": (r"a;type=x/y=\@b", Items(fields=(Field("a", "@b", "x/y"),))),
    "field whose name ends like a type": (r"a\;type=x/y=b", Items(fields=(Field(r"a\;type", "x/y=b"),))),
    "body": ("@x.json", Items(body="x.json")),
    "body with a type": ("@x.json;type=a/b;c=d", Items(body="x.json", body_type="a/b;c=d")),
    "file from standard input without a name": ("f@-", Items(files=(FileItem("f", "-", "f"),))),
    "body from standard input": ("@-", Items(body="-")),
    "file from standard input": ("f@-;filename=x", Items(files=(FileItem("f", "-", "x"),))),
}


@pytest.mark.parametrize(("item", "expected"), FORMS.values(), ids=FORMS.keys())
def test_the_leftmost_separator_decides(item: str, expected: Items) -> None:
    assert parse([item]) == expected


def test_items_keep_their_order() -> None:
    items = parse(["a=1", "X:1", "q==1", "a=2", "q==2", "x:2"])
    assert items.headers == (("X", "1"), ("x", "2"))
    assert items.query == (("q", "1"), ("q", "2"))
    assert items.form() == [("a", "1"), ("a", "2")]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("a=@v.txt", Items(fields=(Field("a", "1.50\n"),))),
        ("a:=@v.txt", Items(fields=(Field("a", Raw("1.50")),))),
        ("X:@v.txt", Items(headers=(("X", "1.50"),))),
        ("q==@v.txt", Items(query=(("q", "1.50"),))),
    ],
    ids=["field", "json", "header", "query"],
)
def test_a_value_is_read_from_a_file(item: str, expected: Items) -> None:
    Path("v.txt").write_bytes(b"1.50\n")
    assert parse([item]) == expected


def test_what_reads_files_can_be_given() -> None:
    assert parse(["a=@-"], read=lambda path: f"read {path}".encode()).form() == [("a", "read -")]


def test_a_file_is_uploaded_with_its_name_and_type(own_home: Path) -> None:
    Path("a;b.txt").touch()
    (own_home / "c.txt").touch()
    items = parse(["f@a;b.txt", "g@~/c.txt;type=text/html;charset=utf-8;filename=x;y"])
    assert items.files == (
        FileItem("f", "a;b.txt", "a;b.txt"),
        FileItem("g", str(own_home / "c.txt"), "x;y", "text/html;charset=utf-8"),
    )


NESTED: dict[str, tuple[list[str], str]] = {
    "fields": (["a=1", "b:=2"], '{"a": "1", "b": 2}'),
    "object": (["a[b]=1", "a[c][d]:=2"], '{"a": {"b": "1", "c": {"d": 2}}}'),
    "list": (["a[]=1", "a[]:=null", "a[]:=[]"], '{"a": ["1", null, []]}'),
    "objects in a list": (["a[][x]=1", "a[][x]=2"], '{"a": [{"x": "1"}, {"x": "2"}]}'),
    "places": (["a[0][x]=1", "a[0][y]=2", "a[1]=3"], '{"a": [{"x": "1", "y": "2"}, "3"]}'),
    "list at the top": (["[]=1", "[][a]=2"], '["1", {"a": "2"}]'),
    "escaped brackets": ([r"a\[b\]=1", r"c[d\]e]=2"], '{"a[b]": "1", "c": {"d]e": "2"}}'),
    "number as a name": (["a[b]=1", "a[7]=2"], '{"a": {"b": "1", "7": "2"}}'),
    "digits": (["a:=1.10", "b:=1e999", "c:=" + "9" * 50], '{"a": 1.10, "b": 1e999, "c": ' + "9" * 50 + "}"),
    "duplicate keys": (['a:={"x":1,"x":2}'], '{"a": {"x":1,"x":2}}'),
    "non-ascii": (["é=ü\n"], '{"é": "ü\\n"}'),
    "none": (["X:1"], "None"),
}


@pytest.mark.parametrize(("items", "expected"), NESTED.values(), ids=NESTED.keys())
def test_fields_become_one_json_document(items: list[str], expected: str) -> None:
    assert str(parse(items).json_text()) == expected


def test_a_number_may_have_any_length() -> None:
    digits = "1" * 10_000
    assert parse([f"a:={digits}"]).json_text() == f'{{"a": {digits}}}'


def test_a_form_has_flat_names_and_plain_values() -> None:
    items = parse(["a[b][]=1", r"c\=d=2", 'e:="x\\ny"', "f:=1.10", "g:=true"])
    assert items.form() == [("a[b][]", "1"), ("c=d", "2"), ("e", "x\ny"), ("f", "1.10"), ("g", "true")]


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (["bare"], "'bare' is not a request item"),
        (["a b;"], "is not a request item"),
        ([""], "is not a request item"),
        (["=b"], "no name before '='"),
        ([":b"], "no name before ':'"),
        (["==b"], "no name before '=='"),
        (["a b:c"], "'a…' is not a header name"),
        (["X:a\nb"], "line break"),
        (["a:={"], "'a:=' is not JSON at character 2"),
        (["a:={\n1"], "'a:=' is not JSON at line 2, column 1"),
        (["a:="], "not JSON at character 1"),
        (["a:=NaN"], "not JSON: it has no NaN"),
        (["a:=" + "[" * 100_000], "nested too deeply"),
        (["a=@missing"], "cannot read 'missing': no such file"),
        (["a=@"], "names no file"),
        (["f@"], "names no file"),
        (["f@missing"], "cannot read 'missing': no such file"),
        (["f@."], "cannot read '.': is a directory"),
        (["@"], "names no file"),
        (["@a;filename=b"], "a whole body has no file name"),
        (["a;type=b"], "is no part with a type"),
        (["a;type=b/c"], "is no part with a type"),
        (["@a", "@b"], "two bodies: @a and @b"),
        (["@a", "b=1"], "two bodies: @a and field 'b'"),
        (["@-", "f@-"], "two bodies"),
        (["f@-", "g@-"], "both read standard input"),
        (["a=\udcff"], "not UTF-8"),
    ],
    ids=lambda value: None if isinstance(value, str) else ascii(value)[:30],
)
def test_what_makes_no_sense_is_a_usage_error(items: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("(", r"\(")) as caught:
        parse(items)
    assert caught.value.hint


@pytest.mark.parametrize(
    "items",
    [
        ["a=1", "a=2"],
        ["a=1", "a[b]=2"],
        ["a[b]=1", "a[]=2"],
        ["a[]=1", "a[b]=2"],
        ["a[1]=1"],
        ["a[b]=1", "a=2"],
        ["[a]=1"],
        ["[a][b]=1"],
        ["a[b=1"],
        ["ab]=1"],
        ["a[b]c=1"],
        ["a" + "[b]" * 200 + "=1"],
    ],
    ids=lambda items: " ".join(items)[:30],
)
def test_fields_that_do_not_fit_together_are_a_usage_error(items: list[str]) -> None:
    parsed = parse(items)
    with pytest.raises(UsageError):
        parsed.json_text()
    assert parsed.form()


def test_a_place_far_away_is_a_gap() -> None:
    with pytest.raises(UsageError, match="leaves a gap in the list") as caught:
        parse(["a[0]=x", "a[1000000]=z"]).json_text()
    assert caught.value.hint == "the next place is [1]"


def test_a_bad_value_is_not_quoted() -> None:
    with pytest.raises(UsageError) as caught:
        parse(["password:=pass-1234"])
    assert "pass-1234" not in str(caught.value) + str(caught.value.hint)


def test_a_value_that_is_not_text_is_refused() -> None:
    Path("v.bin").write_bytes(b"\xff")
    with pytest.raises(UsageError, match="not UTF-8 text"):
        parse(["a=@v.bin"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [("X-One: a:b", ("X-One", "a:b")), ("X-One:", ("X-One", None)), ("X-One;", ("X-One", ""))],
    ids=["value", "unset", "empty"],
)
def test_a_header_option_has_the_forms_of_curl(text: str, expected: tuple[str, str | None]) -> None:
    assert header(text) == expected


@pytest.mark.parametrize("text", ["X", "a b: c", ": c", "X: a\rb", ""], ids=ascii)
def test_a_bad_header_option_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        header(text)


@given(st.text())
def test_any_item_is_understood_or_refused(item: str) -> None:
    with suppress(UsageError):
        parse([item], read=str.encode).json_text()


def _escaped(text: str) -> str:
    return "".join(f"\\{c}" if c in "\\:=@;[]" else c for c in text)


# A number in brackets is a place in a list, and a text that starts with an escape needs := instead.
KEYS = st.text(min_size=1, max_size=5).filter(lambda key: not key.isdecimal())
TEXTS = st.text(max_size=5).filter(lambda text: not text.startswith("\\"))
VALUES = st.recursive(
    TEXTS,
    lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(KEYS, inner, min_size=1),
    max_leaves=8,
)


def _items(key: str, value: Any) -> list[str]:
    if isinstance(value, dict):
        return [item for k, v in value.items() for item in _items(f"{key}[{_escaped(k)}]" if key else _escaped(k), v)]
    if isinstance(value, list):
        return [item for place, v in enumerate(value) for item in _items(f"{key}[{place}]", v)]
    return [f"{key}={_unlike_a_file(value)}"]


def _unlike_a_file(value: str) -> str:
    return f"\\{value}" if value.startswith(("@", "=")) else value


@given(st.dictionaries(KEYS, VALUES, min_size=1))
def test_any_document_can_be_written_with_items(value: dict[str, Any]) -> None:
    assert json.loads(parse(_items("", value)).json_text() or "") == value
