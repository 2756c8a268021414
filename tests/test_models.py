"""Requests, responses, contexts and tokens as values."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli import (
    AuthenticationException,
    BadRequestException,
    FetchContext,
    ForbiddenException,
    HttpMethod,
    HttpRequest,
    HttpResponse,
    HttpStatusException,
    NotFoundException,
    PreparedRequest,
    RequestBuildException,
    RequestContext,
    ResponseParseException,
    ServerErrorException,
    TokenData,
    UnauthorizedException,
)
from forge_cli.curl import iter_params
from forge_cli.models import Deadline, FrozenDict, Headers, aware, decode_text, expires_after, local
from tests.clock import Clock

ROOT = Path(__file__).parents[1]
FULL = HttpRequest(
    HttpMethod.POST,
    "/users",
    headers={"X-Tenant": "one"},
    params={"page": 2, "tag": ["a", "b"]},
    json_data={"name": "Ada", "roles": ["admin", {"area": "all"}]},
    timeout=5.0,
    auth=("ada", "password-1"),
    cookies={"session": "cookie-1"},
)

FULL_TOKEN = TokenData(
    "user-token-1",
    "MAC",
    datetime(2090, 1, 2, tzinfo=UTC),
    "user-refresh-1",
    "read",
    {"id": 7, "roles": ["a", {"b": 1}]},
    issued_at=datetime(2026, 1, 2, tzinfo=UTC),
    meta={"parents": {"app": "abc"}},
)


def response(content: bytes = b"", status: int = 200, encoding: str | None = None, **headers: str) -> HttpResponse:
    return HttpResponse(status, Headers(headers), content, 1.0, "https://api.example.com/x", FULL, encoding)


class TestHttpMethod:
    def test_is_text_equal_to_its_name(self) -> None:
        for method in HttpMethod:
            assert method == method.value == method.name
            assert isinstance(method, str)
        assert [m.value for m in HttpMethod] == ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]


class TestHttpRequest:
    def test_cannot_be_changed(self) -> None:
        with pytest.raises(AttributeError):
            FULL.url = "/other"  # type: ignore[misc]
        assert issubclass(FrozenInstanceError, AttributeError)

    @pytest.mark.parametrize("change", ["item", "del", "update", "pop", "clear", "setdefault", "popitem", "ior"])
    def test_its_mappings_cannot_be_changed(self, change: str) -> None:
        headers: Any = FULL.headers
        attempts: dict[str, Callable[[], object]] = {
            "item": lambda: headers.__setitem__("a", "b"),
            "del": lambda: headers.__delitem__("X-Tenant"),
            "update": lambda: headers.update({"a": "b"}),
            "pop": lambda: headers.pop("X-Tenant"),
            "clear": lambda: headers.clear(),
            "setdefault": lambda: headers.setdefault("a", "b"),
            "popitem": lambda: headers.popitem(),
            "ior": lambda: headers.__ior__({"a": "b"}),
        }
        with pytest.raises(TypeError, match="cannot be changed"):
            attempts[change]()
        assert FULL.headers == {"X-Tenant": "one"}

    def test_nested_mappings_cannot_be_changed_either(self) -> None:
        assert isinstance(FULL.json_data["roles"][1], FrozenDict)

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(lambda roles: roles.append("root"), id="append"),
            pytest.param(lambda roles: roles.extend(["root"]), id="extend"),
            pytest.param(lambda roles: roles.insert(0, "root"), id="insert"),
            pytest.param(lambda roles: roles.__setitem__(0, "root"), id="item"),
            pytest.param(lambda roles: roles.__setitem__(slice(0, 1), ["root"]), id="slice"),
            pytest.param(lambda roles: roles.__delitem__(0), id="del"),
            pytest.param(lambda roles: roles.__iadd__(["root"]), id="iadd"),
            pytest.param(lambda roles: roles.__imul__(2), id="imul"),
            pytest.param(lambda roles: roles.pop(), id="pop"),
            pytest.param(lambda roles: roles.remove("admin"), id="remove"),
            pytest.param(lambda roles: roles.clear(), id="clear"),
            pytest.param(lambda roles: roles.reverse(), id="reverse"),
            pytest.param(lambda roles: roles.sort(key=str), id="sort"),
        ],
    )
    def test_its_lists_cannot_be_changed_either(self, change: Callable[[Any], object]) -> None:
        nested = FULL.json_data["roles"]
        top = HttpRequest("POST", "/users", json_data=["admin", {"area": "all"}]).json_data
        for roles in (nested, top):
            with pytest.raises(TypeError, match="FrozenList cannot be changed"):
                change(roles)
            assert roles == ["admin", {"area": "all"}]

    def test_its_lists_are_lists_in_every_other_way(self) -> None:
        roles = FULL.json_data["roles"]
        assert isinstance(roles, list)
        assert json.dumps(roles) == '["admin", {"area": "all"}]'
        for copied in (copy.copy(roles), copy.deepcopy(roles), pickle.loads(pickle.dumps(roles))):
            assert (type(copied), copied) == (type(roles), roles)
        assert {roles: 1}[copy.deepcopy(roles)] == 1
        assert (roles.copy(), roles[:1]) == (roles, ["admin"])
        assert dataclasses.asdict(FULL)["json_data"]["roles"] == roles
        assert type(FULL.to_dict()["json_data"]["roles"]) is list

    def test_a_later_change_of_what_it_was_made_from_does_not_show(self) -> None:
        body = {"name": "Ada", "roles": ["admin"]}
        request = HttpRequest("POST", "/users", json_data=body)
        body["name"] = "Eve"
        body["roles"].append("root")  # type: ignore[attr-defined]
        assert request.json_data == {"name": "Ada", "roles": ["admin"]}

    @pytest.mark.parametrize("field", ["params", "data", "json_data"])
    def test_a_list_on_its_own_is_taken_as_it_was(self, field: str) -> None:
        pairs: list[Any] = [("a", "1")]
        request = HttpRequest("POST", "/users", **{field: pairs})  # type: ignore[arg-type]  # any of several fields
        pairs.append(("b", "2"))
        assert getattr(request, field) == [("a", "1")]

    def test_with_headers_makes_a_new_one_in_which_the_argument_wins(self) -> None:
        other = FULL.with_headers({"X-Tenant": "two", "Accept": "text/plain"})
        assert other.headers == {"X-Tenant": "two", "Accept": "text/plain"}
        assert isinstance(other.headers, FrozenDict)
        assert FULL.headers == {"X-Tenant": "one"}
        assert other.json_data is FULL.json_data
        assert dataclasses.replace(other, headers=FULL.headers) == FULL
        assert HttpRequest("GET", "/").with_headers({"A": "b"}).headers == {"A": "b"}

    def test_with_headers_keeps_the_case_of_names(self) -> None:
        request = HttpRequest("GET", "/", headers={"accept": "a"}).with_headers({"Accept": "b"})
        assert request.headers == {"accept": "a", "Accept": "b"}

    def test_to_dict_has_every_field_as_plain_values(self) -> None:
        values = FULL.to_dict()
        nine = ["method", "url", "headers", "params", "data", "json_data", "files", "timeout", "auth"]
        assert list(values)[:9] == nine
        assert values["method"] is HttpMethod.POST
        assert type(values["headers"]) is dict
        assert type(values["json_data"]["roles"][1]) is dict
        assert values == dataclasses.asdict(FULL)

    @pytest.mark.parametrize(
        "again",
        [
            pytest.param(copy.copy, id="copy"),
            pytest.param(copy.deepcopy, id="deepcopy"),
            pytest.param(lambda r: pickle.loads(pickle.dumps(r)), id="pickle"),
            pytest.param(lambda r: HttpRequest(**r.to_dict()), id="to_dict"),
            pytest.param(lambda r: HttpRequest(**dataclasses.asdict(r)), id="asdict"),
            pytest.param(lambda r: dataclasses.replace(r), id="replace"),
        ],
    )
    def test_a_copy_is_equal_and_has_the_same_hash(self, again: Callable[[HttpRequest], HttpRequest]) -> None:
        for request in (FULL, HttpRequest("GET", "/x"), FULL.with_headers({"A": "b"})):
            twin = again(request)
            assert twin == request
            assert hash(twin) == hash(request)

    @pytest.mark.parametrize(
        ("one", "other"), [(b"raw", bytearray(b"raw")), ({1, 2, 3}, {3, 2, 1}), ({"a": 1}, {"a": 1.0})]
    )
    def test_equal_ones_have_equal_hashes_whatever_is_in_them(self, one: object, other: object) -> None:
        first, second = HttpRequest("PUT", "/", data=one), HttpRequest("PUT", "/", data=other)
        assert first == second
        assert hash(first) == hash(second)

    def test_what_cannot_be_hashed_does_not_keep_it_from_being(self) -> None:
        class Odd:
            __hash__ = None  # type: ignore[assignment]

        odd = Odd()
        assert hash(HttpRequest("PUT", "/", data=odd)) == hash(HttpRequest("PUT", "/", data=odd))

    def test_is_equal_by_value(self) -> None:
        assert HttpRequest("GET", "/", headers={"A": "b"}) == HttpRequest(HttpMethod.GET, "/", {"A": "b"})
        assert HttpRequest("GET", "/", headers={"A": "b"}) != HttpRequest("GET", "/", headers={"A": "c"})
        assert len({FULL, copy.deepcopy(FULL), FULL.with_headers({"A": "b"})}) == 2

    @pytest.mark.parametrize("method", ["get", "Get", "GET", HttpMethod.GET])
    def test_known_methods_may_be_text_in_any_case(self, method: str) -> None:
        assert HttpRequest(method, "/").method is HttpMethod.GET

    def test_other_methods_are_kept_as_they_are(self) -> None:
        assert HttpRequest("PROPFIND", "/").method == "PROPFIND"
        assert HttpRequest("purge", "/").method == "purge"

    @pytest.mark.parametrize("method", ["", "GE T", "GET\r\nX: y", "GÉT", "GET/", None, 7])
    def test_what_is_no_method_is_refused(self, method: Any) -> None:
        with pytest.raises(RequestBuildException, match="is not a method"):
            HttpRequest(method, "/")

    def test_its_repr_shows_no_secret(self) -> None:
        request = dataclasses.replace(
            FULL,
            url="https://ada:password-1@api.example.com/?api_key=key-1",
            headers={"Authorization": "Bearer user-token-1", "X-Tenant": "one"},
            json_data={"password": "password-2", "name": "Ada"},
        )
        text = repr(request)
        for secret in ("password-1", "key-1", "user-token-1", "password-2", "cookie-1"):
            assert secret not in text
        for shown in ("method=POST", "'X-Tenant': 'one'", "'name': 'Ada'", "timeout=5.0", "'ada'"):
            assert shown in text

    def test_its_repr_names_files_and_bodies_without_reading_them(self) -> None:
        assert "files=['a', 'b']" in repr(HttpRequest("POST", "/", files={"b": b"x", "a": b"y"}))
        assert "content=…" in repr(HttpRequest("POST", "/", content=b"secret body"))
        assert "password-3" not in repr(HttpRequest("POST", "/", data="password=password-3"))


class TestFrozenDict:
    def test_is_equal_to_a_plain_one(self) -> None:
        assert FrozenDict({"a": {"b": [1]}}) == {"a": {"b": [1]}}
        assert copy.copy(FrozenDict({"a": 1})) == {"a": 1}
        assert json.dumps(FrozenDict({"a": 1})) == '{"a": 1}'

    @given(st.dictionaries(st.text(), st.lists(st.integers()) | st.text() | st.none()))
    def test_equal_ones_hash_alike_in_any_order(self, values: dict[str, Any]) -> None:
        backwards = dict(reversed(values.items()))
        assert hash(FrozenDict(values)) == hash(FrozenDict(backwards))
        assert pickle.loads(pickle.dumps(FrozenDict(values))) == values


class TestHeaders:
    FIELDS = Headers([("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("set-cookie", "b=2")])

    @pytest.mark.parametrize("name", ["content-type", "Content-Type", "CONTENT-TYPE"])
    def test_names_are_found_in_any_case(self, name: str) -> None:
        assert self.FIELDS[name] == self.FIELDS.get(name) == "text/plain"
        assert name in self.FIELDS

    def test_repeated_fields_are_kept_and_joined(self) -> None:
        assert self.FIELDS.get_all("SET-COOKIE") == ["a=1", "b=2"]
        assert self.FIELDS["Set-Cookie"] == "a=1, b=2"
        assert self.FIELDS.pairs[2] == ("set-cookie", "b=2")
        assert dict(self.FIELDS) == {"Content-Type": "text/plain", "Set-Cookie": "a=1, b=2"}

    def test_what_is_not_there_is_none_or_a_key_error(self) -> None:
        assert self.FIELDS.get("X-None") is None
        assert self.FIELDS.get("X-None", "default") == "default"
        assert self.FIELDS.get_all("X-None") == []
        missing: object = 7
        assert missing not in self.FIELDS
        with pytest.raises(KeyError):
            _ = self.FIELDS["X-None"]

    def test_without_and_with_field_make_new_ones(self) -> None:
        assert self.FIELDS.without("SET-cookie").pairs == (("Content-Type", "text/plain"),)
        replaced = self.FIELDS.with_field("set-cookie", "c=3")
        assert replaced.pairs == (("Content-Type", "text/plain"), ("set-cookie", "c=3"))
        assert self.FIELDS.with_field("X-New", "1").pairs[-1] == ("X-New", "1")
        assert len(self.FIELDS.pairs) == 3

    def test_copies_keep_repeated_fields(self) -> None:
        for twin in (copy.deepcopy(self.FIELDS), pickle.loads(pickle.dumps(self.FIELDS)), Headers(self.FIELDS)):
            assert twin == self.FIELDS
            assert twin.pairs == self.FIELDS.pairs
            assert hash(twin) == hash(self.FIELDS)


class TestHttpResponse:
    @pytest.mark.parametrize(
        ("status", "success", "client", "server"),
        [
            (199, False, False, False),
            (200, True, False, False),
            (299, True, False, False),
            (300, False, False, False),
            (400, False, True, False),
            (499, False, True, False),
            (500, False, False, True),
            (599, False, False, True),
            (600, False, False, False),
        ],
    )
    def test_knows_what_kind_of_status_it_has(self, status: int, success: bool, client: bool, server: bool) -> None:
        answer = response(status=status)
        assert (answer.is_success, answer.is_client_error, answer.is_server_error) == (success, client, server)

    def test_plain_headers_become_case_insensitive(self) -> None:
        plain: Any = {"Content-Type": "text/plain"}
        answer = HttpResponse(200, plain, b"", 0.0, "u", FULL)
        assert answer.headers["content-type"] == "text/plain"
        assert answer.headers == {"Content-Type": "text/plain"}

    @pytest.mark.parametrize(
        ("content", "charset", "text"),
        [
            pytest.param("Zoë €".encode(), None, "Zoë €", id="UTF-8 without a charset"),
            pytest.param("Zoë".encode("latin-1"), "latin-1", "Zoë", id="declared"),
            pytest.param("Zoë".encode(), "no-such-charset", "Zoë", id="unknown charset"),
            pytest.param("Zoë".encode(), "base64", "Zoë", id="a codec that makes no text"),
            pytest.param("Zoë".encode(), "a\0b", "Zoë", id="a NUL for a charset"),
            pytest.param(b"\xef\xbb\xbfZo", None, "Zo", id="BOM"),
            pytest.param(b"\xef\xbb\xbfZo", "utf-8", "Zo", id="BOM and charset"),
            pytest.param("Zoë".encode("utf-16"), None, "Zoë", id="UTF-16 BOM"),
            pytest.param(b"Zo\xeb", None, "Zo�", id="not UTF-8"),
            pytest.param(b"", "utf-8", "", id="empty"),
        ],
    )
    def test_its_text_is_decoded(self, content: bytes, charset: str | None, text: str) -> None:
        assert response(content, encoding=charset).text == text

    @given(st.binary(max_size=50), st.none() | st.text(max_size=10))
    def test_any_bytes_are_some_text(self, content: bytes, charset: str | None) -> None:
        assert isinstance(decode_text(content, charset), str)

    def test_json_is_parsed(self) -> None:
        assert response(b'\xef\xbb\xbf{"a": [1, null]}').json() == {"a": [1, None]}

    @pytest.mark.parametrize(
        "content", [b"", b"<html>", b'{"a": ', b"[" * 100_000], ids=["empty", "html", "cut", "deep"]
    )
    def test_what_is_not_json_is_an_error_with_its_start(self, content: bytes) -> None:
        answer = response(content)
        with pytest.raises(ResponseParseException, match="Failed to parse JSON response") as caught:
            answer.json()
        assert caught.value.context == {"content_preview": answer.text[:500]}
        assert caught.value.original_exception is caught.value.__cause__ is not None
        assert answer.json_or_none() is None

    def test_the_error_and_its_preview_hold_no_secret(self) -> None:
        with pytest.raises(ResponseParseException) as caught:
            response(b'{"access_token": "user-token-1", ').json()
        assert "user-token-1" not in f"{caught.value} {caught.value.context}"

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (400, BadRequestException),
            (401, UnauthorizedException),
            (403, ForbiddenException),
            (404, NotFoundException),
            (418, HttpStatusException),
            (500, ServerErrorException),
            (503, ServerErrorException),
        ],
    )
    def test_raise_for_status_raises_the_class_that_fits(self, status: int, kind: type[HttpStatusException]) -> None:
        body = b'{"access_token": "user-token-1", "error": "no", "id": "%b"}' % (b"c3" * 16)
        with pytest.raises(HttpStatusException) as caught:
            response(body + b" " * 5000, status).raise_for_status()
        assert type(caught.value) is kind
        assert caught.value.status_code == status
        assert caught.value.context == {"request": FULL}
        shown = caught.value.response_body
        assert shown is not None
        assert len(shown) <= 500
        assert '"error": "no"' in shown
        assert "c3c3c3" in shown
        assert "user-token-1" not in shown

    @pytest.mark.parametrize("status", [200, 204, 302, 399])
    def test_raise_for_status_returns_what_is_no_error(self, status: int) -> None:
        answer = response(status=status)
        assert answer.raise_for_status() is answer

    def test_can_be_pickled_copied_and_hashed(self) -> None:
        answer = dataclasses.replace(response(b"x", A="b"), history=(response(status=302),))
        assert pickle.loads(pickle.dumps(answer)) == copy.deepcopy(answer) == answer
        assert hash(copy.deepcopy(answer)) == hash(answer)
        assert dataclasses.asdict(answer)["headers"] == {"A": "b"}

    def test_its_repr_shows_no_body_and_no_secret(self) -> None:
        answer = dataclasses.replace(response(b"user-token-1"), url="https://h/?token=user-token-2")
        assert repr(answer) == "HttpResponse(200, 'https://h/?token=***', 12 bytes)"


def test_a_prepared_request_shows_no_secret() -> None:
    prepared = PreparedRequest("GET", "https://h/?token=user-token-1", Headers({"X-Api-Key": "key-1", "A": "b"}))
    assert repr(prepared) == "PreparedRequest(GET https://h/?token=***, headers={'X-Api-Key': '***', 'A': 'b'})"


class TestContexts:
    def test_a_request_context_counts_attempts(self) -> None:
        context = RequestContext(FULL)
        assert (context.attempt, context.max_retries, context.metadata, context.is_retry) == (0, 0, {}, False)
        context.increment_attempt()
        assert (context.attempt, context.is_retry) == (1, True)
        context.request = HttpRequest("GET", "/other")
        assert RequestContext(FULL).metadata is not context.metadata

    def test_a_fetch_context_keeps_tokens_by_name(self) -> None:
        context = FetchContext()
        old = TokenData("user-token-1", expires_at=datetime.now() - timedelta(hours=1))
        context.add_token("old", old)
        context.add_token("new", TokenData("user-token-2"))
        assert context.get_token("old") is old
        assert context.get_token("none") is None
        assert (context.get_token_value("new"), context.get_token_value("none")) == ("user-token-2", None)
        assert [context.has_token(name) for name in ("old", "new", "none")] == [True, True, False]
        assert [context.has_valid_token(name) for name in ("old", "new", "none")] == [False, True, False]

    def test_a_deadline_counts_down_and_the_earliest_wins(self) -> None:
        clock = Clock()
        near, far = Deadline(5, clock), Deadline(9, clock)
        clock.sleep(2)
        assert (near.remaining(), near.seconds) == (3, 5)
        assert Deadline.earliest(far, None, near) is near
        assert Deadline.earliest(None) is None


class TestTokenData:
    def test_is_immutable_and_equal_by_value(self) -> None:
        token = TokenData("user-token-1", extra={"a": {"b": 1}})
        with pytest.raises(AttributeError):
            token.access_token = "x"  # type: ignore[misc]
        with pytest.raises(TypeError):
            token.extra["a"]["b"] = 2
        with pytest.raises(TypeError):
            FULL_TOKEN.extra["roles"].append("b")
        twin = TokenData("user-token-1", extra={"a": {"b": 1}}, issued_at=datetime.now(UTC), meta={"by": "me"})
        assert twin == token
        assert hash(twin) == hash(token)
        assert pickle.loads(pickle.dumps(token)) == copy.deepcopy(token) == token

    def test_what_is_written_down_of_it_are_the_six_fields(self) -> None:
        fields = dataclasses.asdict(FULL_TOKEN)
        assert list(fields) == ["access_token", "token_type", "expires_at", "refresh_token", "scope", "extra"]
        assert (type(fields["extra"]), type(FULL_TOKEN.extra)) == (FrozenDict, FrozenDict)
        assert TokenData(**fields) == TokenData(*dataclasses.astuple(FULL_TOKEN)) == FULL_TOKEN

    @pytest.mark.parametrize("end", [datetime(2090, 1, 2, 3, 4, 5, 6), datetime(2090, 1, 2, tzinfo=UTC), None], ids=str)
    @pytest.mark.parametrize("written", [dataclasses.asdict, vars], ids=["asdict", "vars"])
    def test_it_comes_back_from_json_that_was_made_of_its_fields(
        self, end: datetime | None, written: Callable[[TokenData], dict[str, Any]]
    ) -> None:
        token = dataclasses.replace(FULL_TOKEN, expires_at=end)
        found = TokenData(**json.loads(json.dumps(written(token), default=str)))
        assert found == token
        assert not found.is_expired
        assert found.fresh(datetime.now(UTC))

    @pytest.mark.parametrize("name", ["expires_at", "issued_at"])
    def test_text_that_is_no_moment_is_refused_without_being_quoted(self, name: str) -> None:
        with pytest.raises(ValueError, match="^" + name) as caught:
            TokenData("user-token-1", **{name: "next week"})  # type: ignore[arg-type]  # as JSON may bring it
        assert (caught.value.__suppress_context__, "next week" in str(caught.value)) == (True, False)

    @pytest.mark.parametrize(
        "copied",
        [
            copy.copy,
            copy.deepcopy,
            pytest.param(lambda token: pickle.loads(pickle.dumps(token)), id="pickle"),
            dataclasses.replace,
            pytest.param(lambda token: dataclasses.replace(token, scope=token.scope), id="replace a field"),
        ],
    )
    def test_a_copy_keeps_what_is_noted_beside_the_fields(self, copied: Callable[[TokenData], TokenData]) -> None:
        token = copied(FULL_TOKEN)
        assert token == FULL_TOKEN
        assert (token.issued_at, token.meta) == (FULL_TOKEN.issued_at, {"parents": {"app": "abc"}})

    def test_what_is_noted_beside_the_fields_can_be_replaced_and_not_be_changed(self) -> None:
        noted = {"by": "me"}
        token = dataclasses.replace(FULL_TOKEN, issued_at=None, meta=noted)
        noted["by"] = "you"
        assert (token.issued_at, token.meta) == (None, {"by": "me"})
        assert TokenData("user-token-1").meta == {}
        for name in ("issued_at", "meta"):
            with pytest.raises(AttributeError):
                setattr(token, name, None)
        with pytest.raises(TypeError):
            token.meta["by"] = "you"  # type: ignore[index]  # that it is refused is the point

    def test_what_it_was_made_from_may_change_later(self) -> None:
        extra = {"scope": "read"}
        token = TokenData("user-token-1", extra=extra)
        extra["scope"] = "write"
        assert token.extra == {"scope": "read"}

    def test_its_repr_shows_no_secret(self) -> None:
        text = repr(TokenData("user-token-1", refresh_token="refresh-token-1", extra={"id_token": "id-token-1"}))
        for secret in ("user-token-1", "refresh-token-1", "id-token-1"):
            assert secret not in text

    @pytest.mark.parametrize(
        ("kind", "header"), [("Bearer", "Bearer user-token-1"), ("MAC", "MAC user-token-1"), ("", "user-token-1")]
    )
    def test_knows_its_header(self, kind: str, header: str) -> None:
        assert TokenData("user-token-1", kind).authorization_header == header

    @pytest.mark.parametrize(
        ("seconds", "expired"),
        [(None, False), (3600, False), (31, False), (29, True), (20, True), (0, True), (-60, True)],
    )
    @pytest.mark.parametrize(
        "now",
        [
            pytest.param(lambda: datetime.now(), id="naive"),
            pytest.param(lambda: datetime.now(UTC), id="UTC"),
            pytest.param(lambda: datetime.now(timezone(timedelta(hours=-7))), id="another zone"),
        ],
    )
    def test_is_expired_thirty_seconds_early(
        self, seconds: int | None, expired: bool, now: Callable[[], datetime]
    ) -> None:
        end = None if seconds is None else now() + timedelta(seconds=seconds)
        token = TokenData("user-token-1", expires_at=end)
        assert token.is_expired is expired
        assert token.expires_at is end

    @pytest.mark.parametrize(("end", "expired"), [(datetime.max, False), (datetime.min, True)])
    def test_the_ends_of_the_calendar_are_no_error(self, end: datetime, expired: bool) -> None:
        for moment in (end, end.replace(tzinfo=UTC), end.replace(tzinfo=timezone(timedelta(hours=9)))):
            token = TokenData("user-token-1", expires_at=moment)
            assert token.is_expired is expired
            assert token.fresh(datetime.now(UTC)) is not expired

    @pytest.mark.parametrize(
        ("life", "age", "fresh"),
        [
            pytest.param(10, 8, True, id="a life of 10 s is usable for 9"),
            pytest.param(10, 9.5, False, id="and no longer"),
            pytest.param(3600, 3569, True, id="30 s before the end of an hour"),
            pytest.param(3600, 3571, False, id="less than 30 s before"),
            pytest.param(None, 1e6, True, id="an end that is not known"),
        ],
    )
    def test_fresh_leaves_a_tenth_of_the_life_and_at_most_30_s(
        self, life: float | None, age: float, fresh: bool
    ) -> None:
        start = datetime(2024, 5, 1, tzinfo=UTC)
        end = None if life is None else start + timedelta(seconds=life)
        token = TokenData("user-token-1", expires_at=end, issued_at=start)
        assert token.fresh(start + timedelta(seconds=age)) is fresh

    def test_fresh_takes_a_skew_and_knows_no_life_without_a_stamp(self) -> None:
        now = datetime(2024, 5, 1, tzinfo=UTC)
        token = TokenData("user-token-1", expires_at=now + timedelta(seconds=20))
        assert (token.fresh(now), token.fresh(now, 10), token.fresh(now, 0)) == (False, True, True)

    def test_a_clock_that_was_set_back_makes_no_token_immortal(self) -> None:
        stamped = datetime(2024, 5, 1, tzinfo=UTC)
        token = TokenData("user-token-1", issued_at=stamped)
        assert token.fresh(stamped - timedelta(minutes=4))
        assert not token.fresh(stamped - timedelta(minutes=6))


class TestTokenFromResponse:
    def test_reads_an_answer(self) -> None:
        token = TokenData.from_response(
            {
                "access_token": "user-token-1",
                "token_type": "MAC",
                "expires_in": 3600,
                "refresh_token": "refresh-token-1",
                "scope": "read",
                "id_token": "id-token-1",
            }
        )
        assert (token.access_token, token.token_type, token.refresh_token) == ("user-token-1", "MAC", "refresh-token-1")
        assert (token.scope, token.extra) == ("read", {"id_token": "id-token-1"})
        assert token.expires_at is not None
        # Callers subtract a naive local time.
        assert 3590 < (token.expires_at - datetime.now()).total_seconds() <= 3600
        assert not token.is_expired

    def test_takes_other_names(self) -> None:
        data = {"jwt": "user-token-1", "ttl": "60", "renew": "refresh-token-1", "kind": "JWT", "expires_in": 5}
        token = TokenData.from_response(data, "ttl", "jwt", "renew", "kind")
        assert (token.access_token, token.refresh_token, token.token_type) == ("user-token-1", "refresh-token-1", "JWT")
        assert token.extra == {"expires_in": 5}
        assert token.is_expired is False

    @pytest.mark.parametrize(
        ("value", "life"),
        [
            (3600, 3600),
            ("3600", 3600),
            (" 90 ", 90),
            (12.5, 12.5),
            ("12.5", 12.5),
            (0, 0),
            (-5, -5),
            (1e12, 100 * 365 * 86400),
            ("1e400", 100 * 365 * 86400),
            (10**400, None),
            (None, None),
            ("soon", None),
            ("nan", None),
            ("", None),
            (True, None),
            ([], None),
        ],
        ids=repr,
    )
    def test_every_kind_of_lifetime_is_defined(self, value: object, life: float | None) -> None:
        token = TokenData.from_response({"access_token": "user-token-1", "expires_in": value})
        if life is None:
            assert token.expires_at is None
            assert not token.is_expired
        else:
            assert token.expires_at is not None
            assert (token.expires_at - datetime.now()).total_seconds() == pytest.approx(life, abs=5)

    def test_without_a_lifetime_the_end_is_unknown(self) -> None:
        token = TokenData.from_response({"access_token": "user-token-1"})
        assert (token.expires_at, token.token_type, token.refresh_token, token.scope) == (None, "Bearer", None, None)

    @pytest.mark.parametrize(
        "data", [{}, {"access_token": ""}, {"access_token": None}, {"access_token": ["user-token-1"]}]
    )
    def test_without_a_token_it_is_an_error_that_names_the_field(self, data: dict[str, Any]) -> None:
        with pytest.raises(AuthenticationException, match="Token field 'access_token' not found in response"):
            TokenData.from_response(data)

    @pytest.mark.parametrize(
        "token", ["user-\ufffd-token-1", "user-tokén-1", "user\ntoken", "user-token-1\x7f", "\x00"]
    )
    @pytest.mark.parametrize("field", ["access_token", "refresh_token"])
    def test_a_token_that_is_no_printable_ascii_is_refused_and_not_quoted(self, field: str, token: str) -> None:
        with pytest.raises(AuthenticationException, match=f"Token field '{field}' holds a character") as caught:
            TokenData.from_response({"access_token": "user-token-1", field: token})
        assert token not in str(caught.value)

    def test_every_character_that_a_token_may_have_is_accepted(self) -> None:
        token = "".join(map(chr, range(0x20, 0x7F)))
        assert TokenData.from_response({"access_token": token}).access_token == token

    def test_fields_of_the_wrong_kind_are_not_there(self) -> None:
        odd = {"access_token": "user-token-1", "token_type": None, "refresh_token": 7, "scope": ["read", "write"]}
        token = TokenData.from_response(odd)
        assert (token.token_type, token.refresh_token, token.scope) == ("Bearer", None, "read write")


class TestMoments:
    @given(st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC)))
    def test_local_and_aware_are_each_others_inverse(self, moment: datetime) -> None:
        assert local(moment).tzinfo is None
        assert aware(local(moment)) == moment

    @pytest.mark.parametrize(
        "zone", ["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe"]
    )
    def test_clock_changes_and_zones_do_not_matter(self, zone: str) -> None:
        # The two equal hours of an autumn night, and the missing one of spring, in a process of that zone.
        code = """
            import time; time.tzset()
            from datetime import UTC, datetime, timedelta
            from forge_cli.models import TokenData, aware, local
            for month, day in ((3, 10), (3, 31), (4, 6), (10, 5), (10, 27), (11, 3)):
                start = datetime(2024, month, day, tzinfo=UTC)
                for minutes in range(0, 1440, 15):
                    now = start + timedelta(minutes=minutes)
                    assert aware(local(now)) == now
                    token = TokenData("user-token-1", expires_at=local(now + timedelta(hours=1)), issued_at=now)
                    assert token.fresh(now + timedelta(minutes=59)), now
                    assert not token.fresh(now + timedelta(minutes=60)), now
        """
        lines = [line[12:] for line in code.splitlines()]
        environ = {**os.environ, "TZ": zone, "PYTHONPATH": str(ROOT)}
        run = subprocess.run([sys.executable, "-c", "\n".join(lines)], env=environ, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr

    def test_a_naive_moment_is_local_time(self) -> None:
        code = (
            "from datetime import *; from forge_cli.models import *; print(aware(datetime(2024, 7, 1, 12)).isoformat())"
        )
        environ = {**os.environ, "TZ": "Asia/Tokyo", "PYTHONPATH": str(ROOT)}
        run = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
        assert run.stdout.strip() == "2024-07-01T03:00:00+00:00"

    def test_an_unknown_lifetime_has_no_end(self) -> None:
        assert expires_after(object(), datetime.now(UTC)) is None


@pytest.mark.parametrize(
    ("params", "pairs"),
    [
        (None, []),
        ({}, []),
        ({"a": 1, "b": None, "c": ["x", None, True], "d": 1.5}, [("a", "1"), ("c", "x"), ("c", "true"), ("d", "1.5")]),
        ([("a", 1), ("a", 2)], [("a", "1"), ("a", "2")]),
        ({"a": b"\xc3\xab"}, [("a", "ë")]),
    ],
)
def test_parameters_become_pairs_of_text(params: Any, pairs: list[tuple[str, str]]) -> None:
    assert list(iter_params(params)) == pairs


@pytest.mark.parametrize("value", [math.nan, math.inf, 0, 1e18, True])
def test_a_number_is_no_moment(value: Any) -> None:
    for name in ("expires_at", "issued_at"):
        with pytest.raises(ValueError, match=f"{name} is neither a datetime nor ISO 8601 text"):
            TokenData("user-token-1", **{name: value})
