"""Reading a profile file, and laying profiles over their parents."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.errors import ProfileError
from forge_cli.profiles.document import BrokenFamily, Document, Place, load_document, merged
from forge_cli.profiles.validate import describe, problems

EXAMPLE = (Path(__file__).parents[2] / "profiles.example.toml").read_bytes()
PASSWORD = "not-a-real-password"


def document(tmp_path: Path, text: str) -> Document:
    path = tmp_path / "profiles.toml"
    path.write_text(text, encoding="utf-8")
    return load_document(path)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        pytest.param(b'a = 1\nb = "' + PASSWORD.encode() + b"\nc = 2\n", 2, id="an open quote"),
        pytest.param(b'a = "' + PASSWORD.encode() + b'"\na = "x"\n', 2, id="a key twice"),
        pytest.param(b"[a]\nb = 1\n\n[a]\n", 4, id="a table twice"),
        pytest.param(b'a = 1\nb = "' + PASSWORD.encode() + b'\xff"\n', 2, id="not UTF-8"),
        pytest.param("a = 1\n".encode("utf-16"), 1, id="UTF-16"),
        pytest.param(b"a = 1\nb = \0\n", 2, id="a NUL"),
        pytest.param(b"[" * 5000, 1, id="5000 brackets"),
        pytest.param(b"\na = " + b"[" * 5000, 2, id="arrays nested 5000 deep"),
        pytest.param(b"\na = " + b"[" * 150 + b"]" * 150, 2, id="arrays nested 150 deep"),
        pytest.param(b"\n" + b"a = {" * 5000, 2, id="inline tables nested 5000 deep"),
        pytest.param(b"\n" + b"a." * 5000 + b"a = 1", 2, id="a key of 5000 parts"),
        pytest.param(b"\n[" + b'"a" . ' * 400_000 + b"a]", None, id="a header over 1 MiB"),
        pytest.param(b"\n[" + b'"a" . ' * 150_000 + b"a]", 2, id="a header of 150,000 parts"),
        pytest.param(b"\n[" + b"a." * 70 + b"a]\n\n" + b"b." * 70 + b"b = 1", 4, id="deep by header and key"),
        pytest.param(b"\na = " + b"9" * 5000, 2, id="a number of 5000 digits"),
        pytest.param(b"a = 1\nb = 2 = 3", 2, id="two equals signs"),
        pytest.param(b"a = 1\nb = [1,\n2", 3, id="an open array at the end"),
    ],
)
def test_what_is_not_toml_is_refused_with_its_line_and_nothing_quoted(
    tmp_path: Path, content: bytes, line: int | None
) -> None:
    path = tmp_path / "profiles.toml"
    path.write_bytes(content)
    started = time.monotonic()
    with pytest.raises(ProfileError) as caught:
        load_document(path)
    assert time.monotonic() - started < 2
    assert str(caught.value).startswith(f"{path}:{line}: " if line else f"{path} is larger than 1 MiB")
    assert PASSWORD not in f"{caught.value}{caught.value.hint}"
    assert len(str(caught.value)) < 300
    assert caught.value.hint


def test_a_file_that_is_not_there_names_the_command_that_writes_one(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="no profile file") as caught:
        load_document(tmp_path / "none.toml")
    assert "forge profile init" in (caught.value.hint or "")


def test_a_directory_is_not_a_profile_file(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="cannot be read: Is a directory"):
        load_document(tmp_path)


@pytest.mark.parametrize("mark", ["\ufeff", ""], ids=["with a byte order mark", "without"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_byte_order_mark_and_line_ends_do_not_matter(tmp_path: Path, mark: str, end: str) -> None:
    path = tmp_path / "profiles.toml"
    path.write_bytes(f"{mark}version = 1{end}[profiles.dev]{end}colour = 1{end}".encode())
    found = load_document(path)
    (problem,) = problems(found)
    assert describe(found, problem).startswith(f"{path}:3: profiles.dev.colour: ")


def test_a_long_text_with_dots_is_no_long_key(tmp_path: Path) -> None:
    text = "https://a.example/" + "x, " * 500 + "." * 500 + "a b. " * 500
    assert document(tmp_path, f'a = "{text}"').data["a"] == text


@given(st.data())
def test_a_damaged_file_is_a_profile_error_or_a_list_of_problems(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(EXAMPLE)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        end = start + data.draw(st.integers(0, 60))
        content[start:end] = data.draw(
            st.sampled_from([b"", b"[", b"\n", b'"', b"{ a = 1 }", b"nan", b"1", b"''", b"\xff"])
        )
    path = tmp_path_factory.getbasetemp() / "damaged.toml"
    path.write_bytes(content)
    try:
        found = load_document(path)
    except ProfileError:
        return
    for problem in problems(found):
        assert describe(found, problem).startswith(f"{path}:")


PARENT = """
[profiles.base]
abstract = true
base_url = "https://a.example"
headers = { Accept = "text/plain", X-Team = "blue" }
origins = ["https://files.example"]
timeout = 30
secrets = { key = { file = "key.json", pointer = "/key" } }

[profiles.base.auth]
type = "pipeline"
inject = [{ in = "header", name = "Authorization", value = "Bearer ${steps.login.token}" }]

[profiles.base.auth.steps.login]
request = { method = "POST", url = "/login", json = { key = "${secrets.key}", scope = "all" } }
extract = { token = { pointer = "/token", optional = false }, id = "/id" }
expires = { in = "/expires_in", default = "60s" }
refresh = { request = { url = "/refresh" }, extract = { token = { pointer = "/t" } }, expires = { ttl = 60 } }

[profiles.child]
extends = "base"
"""


@pytest.mark.parametrize(
    ("child", "key", "value"),
    [
        pytest.param("", ("base_url",), "https://a.example", id="inherited"),
        pytest.param('base_url = "https://b.example"', ("base_url",), "https://b.example", id="a scalar replaces"),
        pytest.param(
            'headers = { Accept = "a/b" }', ("headers",), {"Accept": "a/b", "X-Team": "blue"}, id="tables merge"
        ),
        pytest.param("origins = []", ("origins",), [], id="an array replaces"),
        pytest.param("timeout = { idle = 5 }", ("timeout",), {"idle": 5}, id="a table replaces a scalar"),
        pytest.param("headers = 1", ("headers",), 1, id="a scalar replaces a table"),
        pytest.param('secrets.key = { env = "KEY" }', ("secrets", "key"), {"env": "KEY"}, id="a secret replaces whole"),
        pytest.param(
            'secrets.more = { env = "KEY" }',
            ("secrets",),
            {"key": {"file": "key.json", "pointer": "/key"}, "more": {"env": "KEY"}},
            id="a secret is added",
        ),
        pytest.param(
            'auth.steps.login.extract.token = { header = "X-Token" }',
            ("auth", "steps", "login", "extract"),
            {"token": {"header": "X-Token"}, "id": "/id"},
            id="an output replaces whole",
        ),
        pytest.param(
            "auth.steps.login.expires = { ttl = 5 }",
            ("auth", "steps", "login", "expires"),
            {"ttl": 5},
            id="expires replaces whole",
        ),
        pytest.param(
            'auth.steps.login.refresh = { extract = { token = { header = "T" } }, expires = { in = "/e" } }',
            ("auth", "steps", "login", "refresh"),
            {"request": {"url": "/refresh"}, "extract": {"token": {"header": "T"}}, "expires": {"in": "/e"}},
            id="the same in refresh",
        ),
        pytest.param(
            'auth.steps.login.request.json = { scope = "less" }',
            ("auth", "steps", "login", "request", "json"),
            {"key": "${secrets.key}", "scope": "less"},
            id="a body merges",
        ),
        pytest.param(
            'auth.steps.login = { kind = "value", value = "x" }',
            ("auth", "steps", "login"),
            {"kind": "value", "value": "x"},
            id="a step of another kind replaces whole",
        ),
        pytest.param(
            'auth = { type = "bearer", token = "x" }',
            ("auth",),
            {"type": "bearer", "token": "x"},
            id="auth of another type replaces whole",
        ),
    ],
)
def test_a_profile_lies_over_its_parent(tmp_path: Path, child: str, key: tuple[str, ...], value: Any) -> None:
    table, _ = merged(document(tmp_path, PARENT + child), "child")
    result: Any = table
    for name in key:
        result = result[name]
    assert result == value


def test_the_origin_of_each_value_is_known(tmp_path: Path) -> None:
    text = PARENT + 'headers.Accept = "a/b"\norigins = ["https://x.example"]\nauth = { type = "none" }\n'
    found = document(tmp_path, text + '[profiles.grandchild]\nextends = "child"\ntimeout = 5\n')
    table, origins = merged(found, "grandchild")
    assert table["headers"] == {"Accept": "a/b", "X-Team": "blue"}
    expected: dict[Place, str] = {
        ("headers", "Accept"): "child",
        ("headers", "X-Team"): "base",
        ("origins", 0): "child",
        ("timeout",): "grandchild",
        ("base_url",): "base",
        ("auth", "type"): "child",
        ("extends",): "grandchild",
    }
    assert {path: origins[path] for path in expected} == expected
    assert not [path for path in origins if path[:2] == ("auth", "steps")]


def test_abstract_is_not_inherited(tmp_path: Path) -> None:
    assert "abstract" not in merged(document(tmp_path, PARENT), "child")[0]


def test_merging_changes_neither_the_parent_nor_a_sibling(tmp_path: Path) -> None:
    text = PARENT + 'headers.X-Team = "red"\n[profiles.sibling]\nextends = "base"\n'
    found = document(tmp_path, text)
    merged(found, "child")
    assert merged(found, "sibling")[0]["headers"]["X-Team"] == "blue"
    assert found.profiles["base"]["headers"]["X-Team"] == "blue"


def test_a_circle_of_parents_is_named(tmp_path: Path) -> None:
    text = "".join(
        f'[profiles.{name}]\nextends = "{parent}"\n' for name, parent in (("a", "b"), ("b", "c"), ("c", "a"))
    )
    with pytest.raises(BrokenFamily, match="in a circle: a -> b -> c -> a"):
        merged(document(tmp_path, text), "a")


def test_a_long_line_of_ancestors_is_no_trouble(tmp_path: Path) -> None:
    text = "[profiles.p0]\nheaders = { X-First = '1' }\n"
    text += "".join(f'[profiles.p{n}]\nextends = "p{n - 1}"\nquery.q{n} = {n}\n' for n in range(1, 400))
    found = document(tmp_path, text)
    assert len(merged(found, "p399")[0]["query"]) == 399
    assert problems(found) == []
