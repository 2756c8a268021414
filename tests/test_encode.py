"""From what a caller means to what goes on the wire."""

from __future__ import annotations

import io
import json
import os
import re
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli import HttpRequest, PreparedRequest, RequestBuildException
from forge_cli.encode import USER_AGENT, FileBody, build_url, encode, normal_url
from forge_cli.models import Headers

URL = "https://api.example.com/x"


def made(
    method: str = "POST", url: str = URL, *, defaults: Any = None, cookies: Any = None, **fields: Any
) -> PreparedRequest:
    return encode(HttpRequest(method, url, **fields), defaults=defaults, cookies=cookies)


def body_of(prepared: PreparedRequest) -> bytes:
    body = prepared.body
    return body if isinstance(body, bytes) else b"".join(body.open())


def parts_of(prepared: PreparedRequest) -> list[Message]:
    head = f"Content-Type: {prepared.headers['Content-Type']}\n\n".encode()
    return cast("list[Message]", message_from_bytes(head + body_of(prepared)).get_payload())


class TestUrl:
    @pytest.mark.parametrize(
        ("base", "url", "whole"),
        [
            ("https://h/v1", "/users", "https://h/v1/users"),
            ("https://h/v1/", "users", "https://h/v1/users"),
            ("https://h/v1//", "//users", "https://h/v1/users"),
            ("https://h", "", "https://h/"),
            ("https://h", "https://other/x", "https://other/x"),
            ("https://h", "HTTP://other/x", "HTTP://other/x"),
            ("https://h", "@evil.example", "https://h/@evil.example"),
            ("https://h", "v1/users:batch", "https://h/v1/users:batch"),
            ("", "/users", "/users"),
        ],
    )
    def test_a_relative_one_is_joined_to_the_base(self, base: str, url: str, whole: str) -> None:
        assert build_url(base, url) == whole

    @pytest.mark.parametrize(
        "url",
        [
            "ftp://h/x",
            "http:evil",
            "https:/evil",
            "javascript:alert(1)",
            " http://h",
            "http://h ",
            "\t/x",
            "/x\r\nA: b",
            "/\0",
        ],
        ids=repr,
    )
    def test_what_is_neither_a_path_nor_an_http_url_is_refused(self, url: str) -> None:
        with pytest.raises(RequestBuildException):
            build_url("https://h", url)

    @pytest.mark.parametrize(
        ("url", "sent"),
        [
            ("https://h", "https://h/"),
            ("HTTPS://H:443/A", "https://h/A"),
            ("http://h:8080/a b", "http://h:8080/a%20b"),
            ("https://h/ë?q=ë#top", "https://h/%C3%AB?q=%C3%AB"),
            ("https://h/100%/%41", "https://h/100%25/%41"),
            ("https://h/a/../b/./c/", "https://h/b/c/"),
            ("https://h/a/..", "https://h/"),
            ("https://h/a\\b", "https://h/a%5Cb"),
            ("https://h?q=1", "https://h/?q=1"),
            ("https://[::1]:8443/x", "https://[::1]:8443/x"),
            ("https://bücher.example/", "https://xn--bcher-kva.example/"),
            ("https://straße.example/", "https://xn--strae-oqa.example/"),
        ],
    )
    def test_it_is_percent_encoded_once_and_without_its_fragment(self, url: str, sent: str) -> None:
        assert normal_url(url) == sent
        assert normal_url(sent) == sent

    @pytest.mark.parametrize(
        "url", ["/users", "//h/x", "https://", "https:///x", "https://h:99999/", "https://h%41/", "https://a b/"]
    )
    def test_one_without_a_proper_host_is_refused(self, url: str) -> None:
        with pytest.raises(RequestBuildException):
            normal_url(url)

    def test_parameters_are_added_to_its_query(self) -> None:
        prepared = encode(
            HttpRequest("GET", f"{URL}?a=1&b#top", params={"c": ["x y", "&"], "d": None, "e": True, "ë": "€"}),
            params={"z": 0},
        )
        assert prepared.url == f"{URL}?a=1&b&z=0&c=x+y&c=%26&e=true&%C3%AB=%E2%82%AC"

    @given(st.lists(st.tuples(st.text(min_size=1), st.text())))
    def test_parameters_arrive_as_they_were(self, pairs: list[tuple[str, str]]) -> None:
        query = urlsplit(made("GET", params=pairs).url).query
        assert parse_qsl(query, keep_blank_values=True) == pairs

    def test_user_information_becomes_basic(self) -> None:
        prepared = made("GET", "https://ada:pass%40word@h/x")
        assert prepared.url == "https://h/x"
        assert prepared.headers["Authorization"] == "Basic YWRhOnBhc3NAd29yZA=="


class TestHeaders:
    def test_forge_names_itself_and_takes_anything(self) -> None:
        assert made("GET").headers.pairs == (("User-Agent", USER_AGENT), ("Accept", "*/*"))
        assert made("GET", json_data={}).headers["Accept"] == "application/json, */*;q=0.5"

    def test_the_requests_own_win_in_any_case(self) -> None:
        defaults = {"X-Tenant": "one", "accept": "text/plain", "Keep": "1"}
        headers = made("GET", headers={"x-TENANT": "two", "USER-AGENT": "mine"}, defaults=defaults).headers
        assert headers.pairs == (("USER-AGENT", "mine"), ("accept", "text/plain"), ("x-TENANT", "two"), ("Keep", "1"))

    def test_two_spellings_of_one_name_are_one_field(self) -> None:
        headers = HttpRequest("GET", URL, headers={"authorization": "old"}).with_headers({"Authorization": "new"})
        assert encode(headers).headers.get_all("Authorization") == ["new"]

    def test_none_leaves_a_field_out(self) -> None:
        headers = made("GET", headers={"user-agent": None, "X-Tenant": None}, defaults={"X-Tenant": "one"}).headers
        assert headers.pairs == (("Accept", "*/*"),)

    def test_a_list_repeats_a_field(self) -> None:
        assert made("GET", headers={"X": ["1", None, 2]}).headers.get_all("X") == ["1", "2"]
        repeated = Headers([("X", "1"), ("x", "2")])
        assert made("GET", headers=repeated).headers.get_all("X") == ["1", "2"]
        assert made("GET", defaults=repeated).headers.get_all("X") == ["1", "2"]

    def test_bytes_are_text(self) -> None:
        assert made("GET", headers={"X": b"caf\xe9"}).headers["X"] == "café"

    @pytest.mark.parametrize("name", ["", "A B", "A:", "A\r\n", "Ä"])
    def test_what_is_no_name_is_refused(self, name: str) -> None:
        with pytest.raises(RequestBuildException, match="is not a header name"):
            made("GET", headers={name: "x"})

    @pytest.mark.parametrize("value", ["a\r\nB: c", "a\nb", "a\rb", "a\0b"])
    @pytest.mark.parametrize("place", ["headers", "defaults", "cookies"])
    def test_a_value_cannot_start_a_new_line(self, value: str, place: str) -> None:
        with pytest.raises(RequestBuildException, match="holds a line break or NUL") as caught:
            made("GET", **{place: {"X": value}})  # type: ignore[arg-type]
        assert value not in str(caught.value)

    @pytest.mark.parametrize(
        "fields",
        [
            {"headers": {"X": "secret\ud800"}},
            {"params": {"q": "secret\ud800"}},
            {"url": f"{URL}/secret\udcff"},
            {"data": "secret\udcff"},
            {"data": {"a": "secret\udcff"}},
            {"files": {"a": "secret\udcff"}},
        ],
        ids=["header", "params", "url", "text", "form", "file"],
    )
    def test_a_lone_surrogate_is_refused_without_being_quoted(self, fields: dict[str, Any]) -> None:
        with pytest.raises(RequestBuildException, match="surrogate") as caught:
            made("POST", **fields)
        assert "secret" not in str(caught.value)

    def test_cookies_follow_a_cookie_header(self) -> None:
        assert made("GET", cookies={"a": "1", "b": "2"}).headers["Cookie"] == "a=1; b=2"
        request = HttpRequest("GET", URL, headers={"cookie": "c=3"}, cookies={"a": "own"})
        assert encode(request, cookies={"a": "1"}).headers.pairs[-1] == ("Cookie", "c=3; a=own")

    def test_auth_is_above_the_defaults_and_below_the_requests_own_header(self) -> None:
        defaults = {"Authorization": "Bearer user-token-1"}
        assert made("GET", auth=("ada", "pw"), defaults=defaults).headers["Authorization"] == "Basic YWRhOnB3"
        own = made("GET", auth=("ada", "pw"), headers={"authorization": "Own"}, defaults=defaults)
        assert own.headers.get_all("Authorization") == ["Own"]

    def test_what_must_stay_with_the_origin_is_passed_on(self) -> None:
        names, queries = frozenset({"x-api-key"}), frozenset({"key"})
        prepared = encode(HttpRequest("GET", URL), timeout=30, credentials=names, query_credentials=queries)
        assert (prepared.credentials, prepared.query_credentials, prepared.timeout) == (names, queries, 30)
        assert encode(HttpRequest("GET", URL, timeout=5), timeout=30).timeout == 5


class TestBody:
    @pytest.mark.parametrize(
        ("method", "length"),
        [("GET", None), ("HEAD", None), ("DELETE", None), ("POST", "0"), ("PUT", "0"), ("PATCH", "0")],
    )
    def test_without_one_only_methods_that_expect_one_have_a_length(self, method: str, length: str | None) -> None:
        prepared = made(method)
        assert prepared.body is None
        assert prepared.headers.get("Content-Length") == length
        assert "Content-Type" not in prepared.headers

    @pytest.mark.parametrize(
        ("given", "body"),
        [("3", b"12345"), ("7", b"12345"), ("5", None), ("five", b"12345"), (["5", "6"], b"12345")],
        ids=["short", "long", "no body", "word", "two"],
    )
    def test_a_length_that_is_not_the_body_s_is_refused(self, given: Any, body: bytes | None) -> None:
        with pytest.raises(RequestBuildException, match="Content-Length says"):
            made("POST", content=body, headers={"content-length": given})

    @pytest.mark.parametrize(
        ("given", "body"), [("5", b"12345"), ("0", None), ("9", iter([b"12345"]))], ids=["fits", "none", "unknown"]
    )
    def test_a_length_that_fits_or_cannot_be_known_is_kept(self, given: str, body: Any) -> None:
        prepared = made("POST", content=body, headers={"content-length": given})
        assert prepared.headers.get_all("Content-Length") == [given]

    def test_json(self) -> None:
        prepared = made(json_data={"name": "Zoë", "n": None, "list": [1, {"a": 2}]})
        assert json.loads(body_of(prepared)) == {"name": "Zoë", "n": None, "list": [1, {"a": 2}]}
        assert prepared.headers["Content-Type"] == "application/json"
        assert prepared.headers["Content-Length"] == str(len(prepared.body))

    @pytest.mark.parametrize("data", [{}, [], "", 0, False])
    def test_empty_json_is_json(self, data: Any) -> None:
        assert body_of(made(json_data=data)) == json.dumps(data).encode()

    @pytest.mark.parametrize("data", [{"a": object()}, float("nan"), {"a": float("inf")}, {("a",): 1}])
    def test_what_is_not_json_is_refused(self, data: Any) -> None:
        with pytest.raises(RequestBuildException, match="json_data is not JSON"):
            made(json_data=data)

    def test_a_list_that_holds_itself_is_refused(self) -> None:
        loop: list[Any] = []
        loop.append(loop)
        with pytest.raises((RequestBuildException, RecursionError)):
            made(json_data=(loop,))

    @pytest.mark.parametrize(
        ("data", "sent"),
        [
            ({"a": "x y", "b": ["1", None, 2], "c": None, "d": True}, b"a=x+y&b=1&b=2&d=true"),
            ([("a", "1"), ("a", "&=ë")], b"a=1&a=%26%3D%C3%AB"),
            ({}, b""),
        ],
    )
    def test_a_form(self, data: Any, sent: bytes) -> None:
        prepared = made(data=data)
        assert body_of(prepared) == sent
        assert prepared.headers["Content-Type"] == "application/x-www-form-urlencoded"

    @pytest.mark.parametrize(
        ("fields", "sent"),
        [
            ({"data": "Zoë"}, "Zoë".encode()),
            ({"data": b"\0\xff"}, b"\0\xff"),
            ({"data": bytearray(b"ab")}, b"ab"),
            ({"content": memoryview(b"ab")}, b"ab"),
            ({"content": "text"}, b"text"),
            ({"content": b""}, b""),
        ],
    )
    def test_a_raw_one_has_no_content_type_of_its_own(self, fields: dict[str, Any], sent: bytes) -> None:
        prepared = made(**fields)
        assert body_of(prepared) == sent
        assert "Content-Type" not in prepared.headers
        assert prepared.headers["Content-Length"] == str(len(sent))

    def test_a_callers_content_type_wins(self) -> None:
        prepared = made(json_data={}, headers={"content-type": "application/vnd.api+json"})
        assert prepared.headers.get_all("Content-Type") == ["application/vnd.api+json"]
        assert "Content-Type" not in made(json_data={}, headers={"content-type": None}).headers

    @pytest.mark.parametrize(
        "fields",
        [
            {"json_data": {}, "data": {"a": "b"}},
            {"json_data": {}, "files": {"a": b"b"}},
            {"json_data": {}, "content": b"b"},
            {"data": "a", "content": b"b"},
            {"content": b"a", "files": {"a": b"b"}},
            {"data": "text", "files": {"a": b"b"}},
            {"data": b"raw", "files": {"a": b"b"}},
        ],
        ids=lambda fields: " and ".join(fields),
    )
    def test_there_is_one(self, fields: dict[str, Any]) -> None:
        with pytest.raises(RequestBuildException):
            made(**fields)

    @pytest.mark.parametrize("data", [7, object(), 1.5], ids=["int", "object", "float"])
    def test_other_things_are_refused(self, data: Any) -> None:
        with pytest.raises(RequestBuildException, match="a body cannot be a"):
            made(data=data)

    def test_an_iterable_is_sent_once_and_in_chunks(self) -> None:
        prepared = made(content=iter([b"a", "b", bytearray(b"c")]))
        assert prepared.headers["Transfer-Encoding"] == "chunked"
        assert "Content-Length" not in prepared.headers
        assert not prepared.body.replayable
        assert body_of(prepared) == b"abc"

    def test_a_list_of_pieces_is_a_raw_body(self) -> None:
        assert body_of(made(data=[b"ab", b"cd"])) == b"abcd"

    def test_a_length_of_the_callers_is_kept(self) -> None:
        prepared = made(content=iter([b"abc"]), headers={"content-length": "3"})
        assert prepared.headers.get_all("Content-Length") == ["3"]
        assert "Transfer-Encoding" not in prepared.headers


class TestFiles:
    def test_one_is_read_from_where_it_stands_as_often_as_needed(self) -> None:
        file = io.BytesIO(b"0123456789")
        file.seek(4)
        prepared = made(data=file)
        assert prepared.headers["Content-Length"] == "6"
        assert prepared.body.replayable
        assert (body_of(prepared), body_of(prepared)) == (b"456789", b"456789")

    def test_one_that_cannot_be_rewound_is_sent_once(self) -> None:
        read, write = os.pipe()
        os.write(write, b"piped")
        os.close(write)
        with open(read, "rb", buffering=0) as file:
            prepared = made(data=file)
            assert prepared.headers["Transfer-Encoding"] == "chunked"
            assert not prepared.body.replayable
            assert body_of(prepared) == b"piped"

    def test_a_text_file_is_sent_as_utf_8(self, tmp_path: Path) -> None:
        path = tmp_path / "text"
        path.write_text("Zoë", encoding="utf-8")
        with path.open(encoding="utf-8") as file:
            prepared = made(data=file)
            assert prepared.headers["Transfer-Encoding"] == "chunked"
            assert body_of(prepared).decode() == "Zoë"

    def test_a_body_knows_its_path(self, tmp_path: Path) -> None:
        path = tmp_path / "data.bin"
        path.write_bytes(b"x")
        with path.open("rb") as file:
            assert FileBody(file).path == str(path)
        assert FileBody(io.BytesIO()).path is None

    def test_anything_with_read_will_do(self) -> None:
        class Source:
            pieces = (b"a", b"b", b"")

            def __init__(self) -> None:
                self._pieces = iter(self.pieces)

            def read(self, size: int = -1) -> bytes:
                return next(self._pieces)

        assert body_of(made(data=Source())) == b"ab"


class TestMultipart:
    def test_fields_and_files_travel_together(self, tmp_path: Path) -> None:
        path = tmp_path / "photo.png"
        path.write_bytes(b"\x89PNG")
        with path.open("rb") as photo:
            prepared = made(
                data={"name": "Zoë", "tags": ["a", "b"]},
                files={
                    "photo": photo,
                    "note": ("note.txt", "hello", "text/plain"),
                    "raw": b"bytes",
                    "many": [("1", b"x"), ("2", b"y")],
                    "plain": (None, b"no file"),
                },
            )
            parts = parts_of(prepared)
            found = [
                (
                    part.get_param("name", header="content-disposition"),
                    part.get_filename(),
                    part.get_content_type() if part["Content-Type"] else None,
                    part.get_payload(decode=True),
                )
                for part in parts
            ]
            assert found == [
                ("name", None, None, "Zoë".encode()),
                ("tags", None, None, b"a"),
                ("tags", None, None, b"b"),
                ("photo", "photo.png", "application/octet-stream", b"\x89PNG"),
                ("note", "note.txt", "text/plain", b"hello"),
                ("raw", "raw", "application/octet-stream", b"bytes"),
                ("many", "1", "application/octet-stream", b"x"),
                ("many", "2", "application/octet-stream", b"y"),
                ("plain", None, None, b"no file"),
            ]
            assert prepared.headers["Content-Length"] == str(len(body_of(prepared)))
            assert prepared.body.replayable
            assert [part.name for part in prepared.parts][-1] == "plain"
            assert prepared.parts[3].path == str(path)

    def test_each_body_has_a_boundary_of_its_own(self) -> None:
        first, second = (made(files={"a": b"b"}).headers["Content-Type"] for _ in range(2))
        assert first.startswith("multipart/form-data; boundary=")
        assert first != second

    def test_one_part_that_cannot_be_rewound_makes_the_body_so(self) -> None:
        class Pipe(io.BytesIO):
            def seekable(self) -> bool:
                return False

        prepared = made(files={"a": b"x", "b": Pipe(b"y")})
        assert not prepared.body.replayable
        assert prepared.headers["Transfer-Encoding"] == "chunked"

    def test_a_name_cannot_break_out_of_its_quotes(self) -> None:
        prepared = made(files={'a"\r\nX: y': ('f"\n.txt', b"z")})
        [part] = parts_of(prepared)
        assert part["X"] is None
        assert b'name="a%22%0D%0AX: y"; filename="f%22%0A.txt"' in body_of(prepared)

    def test_a_file_may_be_any_binary_object(self) -> None:
        source: BinaryIO = io.BytesIO(b"abc")
        [part] = parts_of(made(files={"a": ("x.bin", source)}))
        assert part.get_payload(decode=True) == b"abc"


def test_files_as_pairs_are_parts_in_this_order() -> None:
    request = HttpRequest("POST", URL, files=[("a", (None, "1")), ("b", ("b.bin", b"2")), ("a", (None, "3", "text/x"))])
    assert repr(request).endswith("files=['a', 'b'])")
    parts = parts_of(encode(request))
    assert [part.get_param("name", header="Content-Disposition") for part in parts] == ["a", "b", "a"]
    assert [part.get_payload() for part in parts] == ["1", "2", "3"]
    assert parts[2]["Content-Type"] == "text/x"
    assert re.findall(r"-(?:F|-form-string) '?(\w)=", request.to_curl()) == ["a", "b", "a"]
