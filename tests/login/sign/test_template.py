from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.encode import FileBody, OneShot
from forge_cli.errors import ProfileError, RequestBuildException
from forge_cli.login.definition import InjectTable
from forge_cli.login.sign.template import TemplateSign, request_values
from forge_cli.login.template import UndefinedReference
from forge_cli.models import Headers, PreparedRequest
from forge_cli.redact import REDACTOR
from tests.login.sign.made import request, scope, signer

# The vendors' own published examples, keys and all.
BINANCE_SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
KRAKEN_SECRET = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="

BINANCE = """
type = "template"
values = { payload = "${request.query}${request.body}" }

[[inject]]
in = "query"
name = "signature"
value = "${values.payload | hmac_sha256(secrets.key) | hex}"
"""

KRAKEN = """
type = "template"

[values]
key = "${secrets.key | b64d}"
stamped = "${nonce}${request.body}"
digest = "${values.stamped | sha256}"
message = "${request.path}${values.digest}"

[[inject]]
in = "header"
name = "API-Sign"
value = "${values.message | hmac_sha512(values.key) | b64}"
"""

COINBASE = """
type = "template"

[values]
key = "${secrets.key | b64d}"
message = "${now | unix}${request.method}${request.target}${request.body}"

[[inject]]
in = "header"
name = "CB-ACCESS-SIGN"
value = "${values.message | hmac_sha256(values.key) | b64}"

[[inject]]
in = "header"
name = "CB-ACCESS-TIMESTAMP"
value = "${now | unix}"
"""

TUYA = '''
type = "template"

[values]
body = "${request.body | sha256 | hex}"
string = """${request.method}
${values.body}

${request.sorted_target}"""
message = "${vars.client_id}${steps.login.token}${now | unix_ms}${uuid}${values.string}"

[[inject]]
in = "header"
name = "sign"
value = "${values.message | hmac_sha256(secrets.key) | hex | upper}"

[[inject]]
in = "header"
name = "t"
value = "${now | unix_ms}"
'''

ORDER = [("symbol", "LTCBTC"), ("side", "BUY"), ("type", "LIMIT"), ("timeInForce", "GTC")]
PRICE = [("quantity", "1"), ("price", "0.1"), ("recvWindow", "5000"), ("timestamp", "1499827319559")]


@pytest.mark.parametrize(
    ("params", "data", "signature"),
    [
        (ORDER + PRICE, None, "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"),
        (None, ORDER + PRICE, "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"),
        (ORDER, PRICE, "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77"),
    ],
    ids=["query", "body", "both"],
)
def test_binance_signs_query_and_body_as_its_documentation_shows(params: Any, data: Any, signature: str) -> None:
    prepared = request("POST", "https://api.example/api/v3/order", params=params, data=data)
    signed = signer(BINANCE).sign(prepared, scope({"key": BINANCE_SECRET}))
    separator = "&" if params else "?"
    assert signed.url == f"{prepared.url}{separator}signature={signature}"
    assert (signed.body, signed.headers) == (prepared.body, prepared.headers)
    assert signed.query_credentials == {"signature"}


def test_binance_takes_the_signature_at_the_end_of_the_form_too() -> None:
    prepared = request("POST", "https://api.example/api/v3/order", data=ORDER + PRICE)
    signed = signer(BINANCE.replace('"query"', '"form"')).sign(prepared, scope({"key": BINANCE_SECRET}))
    expected = prepared.body + b"&signature=c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
    assert signed.body == expected
    assert signed.headers["Content-Length"] == str(len(expected))
    assert signed.url == prepared.url


def test_kraken_signs_path_and_digest_as_its_documentation_shows() -> None:
    order = {"ordertype": "limit", "pair": "XBTUSD", "price": "37500", "type": "buy", "volume": "1.25"}
    prepared = request("POST", "https://api.example/0/private/AddOrder", data={"nonce": "1616492376594", **order})
    signed = signer(KRAKEN).sign(prepared, scope({"key": KRAKEN_SECRET}, nonce=lambda: 1616492376594))
    expected = "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="
    assert signed.headers["API-Sign"] == expected
    assert "api-sign" in signed.credentials


def test_coinbase_signs_time_method_target_and_body() -> None:
    key = base64.b64encode(b"not a real key: 0123456789").decode()
    prepared = request("POST", "https://api.example/orders?a=b%20c", json_data={"size": "0.01"})
    signed = signer(COINBASE).sign(prepared, scope({"key": key}))
    message = b'1700000000POST/orders?a=b%20c{"size": "0.01"}'
    digest = hmac.new(b"not a real key: 0123456789", message, "sha256").digest()
    assert signed.headers["CB-ACCESS-SIGN"] == base64.b64encode(digest).decode()
    assert signed.headers["CB-ACCESS-TIMESTAMP"] == "1700000000"


def test_tuya_signs_a_text_of_several_lines() -> None:
    prepared = request("GET", "https://api.example/v1.0/devices", params={"size": "20", "page": "a b"})
    known = scope({"key": "tuya-made-up-key"}, vars={"client_id": "client-1"}, steps={"login": {"token": "token-1"}})
    signed = signer(TUYA).sign(prepared, known)
    text = f"GET\n{hashlib.sha256(b'').hexdigest()}\n\n/v1.0/devices?page=a%20b&size=20"
    message = f"client-1token-11700000000250{known.uuid}{text}"
    expected = hmac.new(b"tuya-made-up-key", message.encode(), "sha256").hexdigest().upper()
    assert (signed.headers["sign"], signed.headers["t"]) == (expected, "1700000000250")


def test_references_say_what_is_sent() -> None:
    url = "https://API.example:8443/a%20b/c?z=1&a=2+3&a=%7e!&b"
    prepared = request("POST", url, data={"k": "v w", "a": "1"}, headers={"X-Trace": "t1"})
    found = request_values(prepared)
    assert {name: found[name] for name in found if name[0] != "headers"} == {
        ("method",): "POST",
        ("host",): "api.example:8443",
        ("path",): "/a%20b/c",
        ("query",): "z=1&a=2+3&a=%7e!&b",
        ("target",): "/a%20b/c?z=1&a=2+3&a=%7e!&b",
        ("sorted_query",): "a=2%203&a=~%21&b=&z=1",
        ("sorted_target",): "/a%20b/c?a=2%203&a=~%21&b=&z=1",
        ("body",): b"k=v+w&a=1",
        ("sorted_params",): "a=1&a=2%203&a=~%21&b=&k=v%20w&z=1",
    }
    assert len(found) == len(list(found))
    assert found["headers", "x-trace"] == found["headers", "X-TRACE"] == "t1"
    assert ("headers", "x-none") not in found and ("nobody",) not in found and ("body", "x") not in found


def test_without_query_or_body_the_references_are_empty_and_the_target_is_the_path() -> None:
    found = request_values(request("GET", "http://api.example"))
    texts = {name[0]: found[name] for name in found if name[0] != "headers"}
    assert texts == {
        "method": "GET",
        "host": "api.example",
        "path": "/",
        "query": "",
        "target": "/",
        "sorted_query": "",
        "sorted_target": "/",
        "body": b"",
        "sorted_params": "",
    }


def test_a_host_that_the_caller_states_is_the_one_that_is_signed() -> None:
    found = request_values(request("GET", "http://127.0.0.1:1", headers={"Host": "api.example"}))
    assert found["host",] == found["headers", "host"] == "api.example"


@given(st.lists(st.tuples(st.text(min_size=1), st.text())))
def test_sorted_parameters_are_those_of_query_and_form(pairs: list[tuple[str, str]]) -> None:
    try:
        prepared = request("POST", "http://api.example/", params=pairs[::2], data=pairs[1::2])
    except RequestBuildException:  # a lone surrogate
        return
    text = request_values(prepared)["sorted_params",]
    assert sorted(parse_qsl(text, keep_blank_values=True)) == sorted(pairs)
    pieces = text.split("&") if text else []
    assert pieces == sorted(pieces, key=lambda piece: piece.split("="))
    assert "+" not in text


INJECT = """
type = "template"
values = {{ sum = "${{secrets.key | sha256 | hex}}" }}
[[inject]]
in = "{place}"
name = "s"
value = "{value}"
{more}
"""


def injecting(place: str, value: str = "a b&c", more: str = "") -> Any:
    return signer(INJECT.format(place=place, value=value, more=more))


def test_a_header_and_a_cookie_replace_those_of_the_same_name() -> None:
    prepared = request("GET", "http://a.example/", headers={"S": "old"}, cookies={"s": "old", "t": "1"})
    signed = injecting("header").sign(prepared, scope())
    assert signed.headers.get_all("s") == ["a b&c"]
    assert signed.credentials == {"s"}
    signed = injecting("cookie", "new").sign(prepared, scope())
    assert signed.headers.get_all("cookie") == ["t=1; s=new"]
    assert signed.credentials == {"cookie"}


@pytest.mark.parametrize(
    ("method", "data", "body"),
    [
        ("POST", {"a": "1"}, b"a=1&s=a%20b%26c"),
        ("GET", {"a": "1"}, b"a=1&s=a%20b%26c"),
        ("POST", None, b"s=a%20b%26c"),
        ("PUT", None, b"s=a%20b%26c"),
        ("GET", None, None),
    ],
)
def test_a_form_is_made_where_there_may_be_one(method: str, data: Any, body: bytes | None) -> None:
    signed = injecting("form").sign(request(method, "http://a.example/", data=data), scope())
    assert signed.body == body
    if body is not None:
        assert signed.headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert signed.headers.get_all("Content-Length") == [str(len(body))]


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        ({"content": b'{"a":  1.50 }\n'}, b'{"a":  1.50, "s": "a b&c"}'),
        ({"content": b" {} "}, b' {"s": "a b&c"}'),
        ({}, b'{"s": "a b&c"}'),
    ],
)
def test_a_json_object_gets_one_more_member_and_stays_as_it_is(sent: Any, body: bytes) -> None:
    prepared = request("POST", "http://a.example/", headers={"Content-Type": "application/json"}, **sent)
    signed = injecting("json").sign(prepared, scope())
    assert signed.body == body
    assert json.loads(signed.body)["s"] == "a b&c"
    assert signed.headers.get_all("Content-Length") == [str(len(body))]
    assert signed.headers["Content-Type"] == "application/json"


def test_a_json_member_keeps_the_type_of_its_value() -> None:
    prepared = request("POST", "http://a.example/", json_data={"a": 1})
    signed = injecting("json", "${vars.n}").sign(prepared, scope(vars={"n": 5}))
    assert json.loads(signed.body) == {"a": 1, "s": 5}


@pytest.mark.parametrize("place", ["form", "json"])
@pytest.mark.parametrize(
    "sent",
    [
        {"content": b"x", "headers": {"Content-Type": "text/plain"}},
        {"content": b"[1]", "headers": {"Content-Type": "application/json"}},
        {"content": b"{", "headers": {"Content-Type": "application/json"}},
        {"files": {"f": b"x"}},
        {"content": iter([b"a=1"]), "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
    ],
    ids=["text", "array", "not json", "multipart", "stream"],
)
def test_another_body_is_not_changed_but_refused(place: str, sent: Any) -> None:
    with pytest.raises(RequestBuildException) as caught:
        injecting(place).sign(request("POST", "http://a.example/", **sent), scope())
    assert "another one" in caught.value.message and caught.value.hint


@pytest.mark.parametrize("place", ["base_url", "cookies", "basic"])
def test_a_place_that_no_signature_can_have_is_refused(place: Any) -> None:
    made = TemplateSign(type="template", inject=(InjectTable(in_=place, name="s", value="x"),))
    with pytest.raises(ProfileError, match=f"cannot go into '{place}'"):
        made.sign(request("GET", "http://a.example/"), scope())


@pytest.mark.parametrize("value", ["a\nb", "a\r", "\x00"])
def test_a_header_value_with_a_line_break_is_refused_and_not_repeated(value: str) -> None:
    with pytest.raises(RequestBuildException) as caught:
        injecting("header", "${vars.bad}").sign(request("GET", "http://a.example/"), scope(vars={"bad": value}))
    assert value not in caught.value.message


def test_a_header_name_that_is_none_is_refused() -> None:
    toml = INJECT.format(place="header", value="x", more="").replace('name = "s"', 'name = "a b"')
    with pytest.raises(RequestBuildException, match="not a header name"):
        signer(toml).sign(request("GET", "http://a.example/"), scope())


@pytest.mark.parametrize(
    ("more", "signs"),
    [
        ('methods = ["get"]', True),
        ('methods = ["POST"]', False),
        ('paths = ["/v1/*"]', True),
        ('paths = ["/v2/*"]', False),
        ('hosts = ["*.EXAMPLE"]', True),
        ('hosts = ["b.example"]', False),
        ('hosts = ["a.example"]\npaths = ["/v2"]', False),
    ],
)
def test_an_entry_may_be_for_some_requests_only(more: str, signs: bool) -> None:
    signed = injecting("header", "x", more).sign(request("GET", "http://a.example/v1/x"), scope())
    assert ("s" in signed.headers) is signs


def test_what_one_entry_puts_in_is_no_part_of_what_another_computes() -> None:
    toml = """
    type = "template"
    inject = [
      { in = "query", name = "one", value = "1" },
      { in = "query", name = "two", value = "${request.query}" },
    ]
    """
    signed = signer(toml).sign(request("GET", "http://a.example/?a=1"), scope())
    assert signed.url == "http://a.example/?a=1&one=1&two=a%3D1"


@pytest.mark.parametrize(
    ("place", "sent", "again"),
    [
        ("query", {"params": [("a", "1"), ("s", "x"), ("b", "&")]}, {"params": [("a", "1"), ("b", "&"), ("s", "x")]}),
        ("query", {}, {"params": [("s", "x"), ("s", "y")]}),
        ("form", {"data": [("s", "x"), ("a", "1")]}, {"data": [("a", "1")]}),
        ("json", {"json_data": {"s": 1, "a": 2}}, {"json_data": {"a": 2}}),
        ("header", {"headers": {"S": "x"}}, {}),
    ],
    ids=["query", "twice in the query", "form", "json", "header"],
)
def test_what_was_signed_before_is_signed_anew(place: str, sent: Any, again: Any) -> None:
    made = injecting(place, "${request.target} ${request.body | md5 | hex}")
    one, other = (made.sign(request("POST", "http://a.example/", **fields), scope()) for fields in (sent, again))
    assert (one.url, one.body) == (other.url, other.body)
    assert one.headers["Content-Length"] == other.headers["Content-Length"]
    assert made.sign(one, scope()) == one


def test_values_of_the_step_are_visible() -> None:
    toml = 'type = "template"\nvalues = { b = "${values.a}2" }\n'
    toml += 'inject = [{ in = "header", name = "S", value = "${values.b}" }]'
    signed = signer(toml).sign(request("GET", "http://a.example/"), scope(values={"a": "1"}))
    assert signed.headers["S"] == "12"


def test_a_file_is_read_for_its_digest_and_sent_from_its_start() -> None:
    body = FileBody(io.BytesIO(b"in a file"))
    prepared = PreparedRequest("PUT", "http://a.example/", Headers(), body)
    signed = injecting("header", "${request.body | sha256 | hex}").sign(prepared, scope())
    assert signed.headers["S"] == hashlib.sha256(b"in a file").hexdigest()
    assert b"".join(signed.body.open()) == b"in a file"


def test_a_body_that_can_be_read_once_is_refused_only_where_the_signature_needs_it() -> None:
    prepared = PreparedRequest("PUT", "http://a.example/?a=1", Headers(), OneShot([b"x"]))
    assert injecting("header", "${request.query}").sign(prepared, scope()).body is prepared.body
    with pytest.raises(RequestBuildException, match="read only once"):
        injecting("header", "${request.body | sha256 | hex}").sign(prepared, scope())


def test_a_body_is_read_once_however_often_it_is_referred_to() -> None:
    class Counted(FileBody):
        opened = 0

        def open(self) -> Any:
            self.opened += 1
            return super().open()

    body = Counted(io.BytesIO(b"x"))
    prepared = PreparedRequest("PUT", "http://a.example/", Headers(), body)
    injecting("header", "${request.body | hex}${request.body | md5 | hex}").sign(prepared, scope())
    assert body.opened == 1


def test_an_absent_header_is_an_error_that_names_it() -> None:
    with pytest.raises(UndefinedReference, match=r"request\.headers\.X-None"):
        injecting("header", "${request.headers.X-None}").sign(request("GET", "http://a.example/"), scope())


def test_each_attempt_has_a_signature_of_its_own_moment() -> None:
    made = injecting("header", "${now | unix}-${nonce}-${uuid}")
    prepared = request("GET", "http://a.example/")
    first = made.sign(prepared, scope(now=1.0, nonce=lambda: 1))
    second = made.sign(prepared, scope(now=2.0, nonce=lambda: 2))
    assert (first.headers["S"], second.headers["S"]) == (f"1-1-{scope().uuid}", f"2-2-{scope().uuid}")
    assert not made.challenged(None, scope())


def test_a_signature_is_hidden_wherever_it_is_shown() -> None:
    signed = injecting("query", "${values.sum}").sign(
        request("GET", "http://a.example/"), scope({"key": "made-up-secret"})
    )
    digest = hashlib.sha256(b"made-up-secret").hexdigest()
    assert digest in signed.url
    assert digest not in REDACTOR.text(signed.url) and digest not in repr(signed)
