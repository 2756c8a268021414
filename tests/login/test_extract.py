"""Outputs: where they are found, what counts as absent, and JSON pointers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.errors import ForgeError
from forge_cli.login.definition import Extract, ExtractTable
from forge_cli.login.extract import Missing, check_pointer, outputs, pointer

RFC_DOCUMENT = json.loads(
    r'{"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8}'
)

leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3))
documents = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("ab~/01é", max_size=3), inner, max_size=3)
    ),
)


class Reply:
    """An answer of a test; counts how often its body is parsed."""

    def __init__(self, body: str, headers: Mapping[str, str] | None = None) -> None:
        self.body = body
        self.headers = {name.lower(): value for name, value in (headers or {}).items()}
        self.parsed = 0

    def json(self) -> Any:
        self.parsed += 1
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        return self.headers.get(name.lower())


def reply(document: Any, **headers: str) -> Reply:
    return Reply(json.dumps(document), {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", RFC_DOCUMENT),
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/e^f", 3),
        ("/g|h", 4),
        ("/i\\j", 5),
        ('/k"l', 6),
        ("/ ", 7),
        ("/m~0n", 8),
    ],
)
def test_pointers_of_the_rfc_point_where_it_says(text: str, value: Any) -> None:
    assert pointer(RFC_DOCUMENT, text) == value


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"a": 1}, "/b"),
        ({"a": 1}, "/a/b"),
        ({"a": [1]}, "/a/1"),
        ({"a": [1]}, "/a/-"),
        ({"a": [1]}, "/a/-1"),
        ({"a": [1]}, "/a/00"),
        ({"a": [1]}, "/a/ 0"),
        ({"a": [1]}, "/a/\u0660"),
        ({"a": [1]}, "/a/0/0"),
        ({"a": [1]}, "/a/" + "9" * 5000),
        ({"a": "text"}, "/a/0"),
        ({"a": 1}, "a"),
        ({"~2": 1}, "/~2"),
        (None, "/a"),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else "",
)
def test_a_pointer_to_nothing_is_a_lookup_error(document: Any, text: str) -> None:
    with pytest.raises(LookupError):
        pointer(document, text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", None),
        ("/", None),
        ("/a~0~1b", None),
        ("token", "a JSON pointer starts with '/'"),
        ("$.token", "a JSON pointer starts with '/'"),
        ("/a~", "in a JSON pointer '~' is written '~0', and '/' in a name '~1'"),
        ("/a~2", "in a JSON pointer '~' is written '~0', and '/' in a name '~1'"),
    ],
)
def test_a_pointer_that_is_none_is_told_why(text: str, problem: str | None) -> None:
    assert check_pointer(text) == problem


def places(document: Any, path: str = "") -> list[tuple[str, Any]]:
    found = [(path, document)]
    if isinstance(document, dict):
        for name, value in document.items():
            found += places(value, f"{path}/{name.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(document, list):
        for index, value in enumerate(document):
            found += places(value, f"{path}/{index}")
    return found


@given(documents)
def test_every_place_of_a_document_has_its_pointer(document: Any) -> None:
    for path, value in places(document):
        assert check_pointer(path) is None
        assert pointer(document, path) is value


@given(documents, st.text("/~01ab-", max_size=8))
def test_any_text_points_somewhere_or_is_a_lookup_error(document: Any, text: str) -> None:
    known = dict(places(document))
    try:
        assert pointer(document, text) == known[text]
    except LookupError:
        assert text not in known


@pytest.mark.parametrize(
    ("table", "found"),
    [
        ({"token": "/t"}, {"token": "user-token-1"}),
        ({"token": "/t", "id": "/user/id", "all": "/user"}, {"token": "user-token-1", "id": 7, "all": {"id": 7}}),
        ({"token": ExtractTable(header="x-token")}, {"token": "header-token-1"}),
        ({"token": ExtractTable(pointer="/t")}, {"token": "user-token-1"}),
        ({"token": "/user/id"}, {"token": "7"}),
        ({"token": "/half"}, {"token": "0.5"}),
        ({"refresh_token": "/user/id"}, {"refresh_token": "7"}),
        ({"flag": "/no"}, {"flag": False}),
        ({"note": "/empty"}, {"note": ""}),
        ({"token": ExtractTable(pointer="/x", alternatives=("/y", "/t"))}, {"token": "user-token-1"}),
        ({"token": ExtractTable(pointer="/null", alternatives=("/empty", "/t"))}, {"token": "user-token-1"}),
        ({"token": ExtractTable(pointer="/user", alternatives=("/t",))}, {"token": "user-token-1"}),
        (
            {"token": ExtractTable(pointer="/x", alternatives=(ExtractTable(header="X-Token"),))},
            {"token": "header-token-1"},
        ),
        ({"token": ExtractTable(header="X-No", alternatives=(ExtractTable(pointer="/t"),))}, {"token": "user-token-1"}),
        ({"next": ExtractTable(pointer="/x", optional=True)}, {}),
        ({"next": ExtractTable(pointer="/null", optional=True)}, {}),
        ({"refresh_token": ExtractTable(pointer="/empty", optional=True)}, {}),
        ({"refresh_token": ExtractTable(pointer="/user", optional=True)}, {}),
        ({"kind": ExtractTable(pointer="/x", default="plain")}, {"kind": "plain"}),
        ({"kind": ExtractTable(pointer="/x", default=False)}, {"kind": False}),
        ({"kind": ExtractTable(pointer="/t", default="plain")}, {"kind": "user-token-1"}),
    ],
)
def test_outputs_are_taken_from_the_answer(table: Extract, found: dict[str, Any]) -> None:
    document = {"t": "user-token-1", "user": {"id": 7}, "half": 0.5, "null": None, "empty": "", "no": False}
    assert outputs(table, reply(document, X_Token="header-token-1")) == found


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("/user_token", "the answer has no '/user_token' for 'token'"),
        ("/null", "the answer has no '/null' for 'token'"),
        ("/empty", "'/empty' is empty, which cannot be 'token'"),
        ("/yes", "'/yes' is true or false, which cannot be 'token'"),
        ("/list", "'/list' is a list, which cannot be 'token'"),
        ("", "'' is a table, which cannot be 'token'"),
        (ExtractTable(header="X-Token"), "the answer has no header 'X-Token' for 'token'"),
        (ExtractTable(pointer="/a", alternatives=("/b",)), "the answer has no '/a' for 'token'"),
        (ExtractTable(pointer="/a", alternatives=("/list",)), "'/list' is a list, which cannot be 'token'"),
    ],
)
def test_a_missing_output_is_an_error_that_names_it_and_its_place(place: str | ExtractTable, message: str) -> None:
    with pytest.raises(Missing) as caught:
        outputs({"token": place}, reply({"null": None, "empty": "", "yes": True, "list": ["secret-1"]}))
    assert caught.value.message == message
    assert caught.value.output == "token"
    assert isinstance(caught.value, ForgeError)
    assert caught.value.hint == "check `extract` in this step"


@pytest.mark.parametrize("body", ["", "<html>", "{"])
def test_an_answer_that_is_not_json_says_so(body: str) -> None:
    with pytest.raises(Missing, match="the answer is not JSON, so it has no '/token' for 'token'"):
        outputs({"token": "/token"}, Reply(body))


def test_the_body_is_parsed_once_and_only_when_asked_for() -> None:
    answer = reply({"t": "user-token-1"}, X_Token="header-token-1")
    outputs({"token": ExtractTable(header="X-Token")}, answer)
    assert answer.parsed == 0
    outputs({"token": "/t", "again": "/t", "more": ExtractTable(pointer="/x", optional=True)}, answer)
    assert answer.parsed == 1
    broken = Reply("<html>")
    assert outputs(
        {"a": ExtractTable(pointer="/a", optional=True), "b": ExtractTable(pointer="/b", default=1)}, broken
    ) == {"b": 1}
    assert broken.parsed == 1
