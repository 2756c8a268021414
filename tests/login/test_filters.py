"""Filters: what each makes of a value, by the vectors of its specification, and what it refuses."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.errors import ProfileError
from forge_cli.login.filters import FILTERS, KEY_FILTERS, Moment, kind_of, octets_of, text_of
from forge_cli.login.scope import Scope
from forge_cli.login.template import TemplateError, UndefinedReference, parse
from forge_cli.profiles.secrets import Secrets
from forge_cli.redact import REDACTOR

ROOT = Path(__file__).parents[2]
TWO_BLOCKS = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"


def filled(text: str, **values: Any) -> Any:
    """The value of a template whose references are `values`, or `now`, a moment of RFC 9110."""

    def resolve(reference: tuple[str, ...]) -> Any:
        if reference == ("now",):
            return Moment(784_111_777.654)
        try:
            return values[reference[0]]
        except KeyError:
            raise UndefinedReference(reference) from None

    return parse(text).value(resolve)


@pytest.mark.parametrize(
    ("plain", "encoded"),
    [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ],
)
def test_base64_is_that_of_rfc_4648_section_10(plain: str, encoded: str) -> None:
    assert filled("${x | b64}", x=plain) == encoded
    assert filled("${x | b64url}", x=plain) == encoded.rstrip("=")
    assert filled("${x | b64d}", x=encoded) == plain.encode()
    assert filled("${x | b64d}", x=encoded.rstrip("=")) == plain.encode()


@pytest.mark.parametrize(
    ("plain", "encoded"), [("", ""), ("f", "66"), ("fo", "666f"), ("foo", "666f6f"), ("foobar", "666f6f626172")]
)
def test_hexadecimal_is_that_of_rfc_4648_section_10(plain: str, encoded: str) -> None:
    assert filled("${x | hex}", x=plain) == encoded
    assert filled("${x | hexd}", x=encoded.upper()) == plain.encode()


@pytest.mark.parametrize("text", ["-_-_", "+/+/", "+_-/", "-_-_\n", " +/\r\n+/ ", b"-_-_"])
def test_b64d_takes_both_alphabets_and_broken_lines(text: str | bytes) -> None:
    assert filled("${x | b64d}", x=text) == b"\xfb\xff\xbf"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("secret-$value", "it is not Base64"),
        ("Zm9v.YmFy", "it is not Base64"),
        ("Zg==Zg==", "it is not Base64"),
        ("====", "it is not Base64"),
        ("Zm9vYé", "it is not Base64"),
        ("Zm9vY", "it is Base64 of a wrong length"),
        ("Zm9vYg=", "it is Base64 of a wrong length"),
        ("Zm9v=", "it is Base64 of a wrong length"),
    ],
)
def test_b64d_refuses_what_is_no_base64_and_does_not_repeat_it(text: str, problem: str) -> None:
    with pytest.raises(ProfileError) as caught:
        filled("${x | b64d}", x=text)
    assert caught.value.message == f"'x' cannot go through 'b64d': {problem}"


@pytest.mark.parametrize("text", ["6", "6g", "0x66", "66:6f"])
def test_hexd_refuses_what_is_not_hexadecimal_and_does_not_repeat_it(text: str) -> None:
    with pytest.raises(ProfileError) as caught:
        filled("${x | hexd}", x=text)
    assert caught.value.message == "'x' cannot go through 'hexd': it is not hexadecimal"


@given(st.binary())
def test_every_encoding_can_be_undone(raw: bytes) -> None:
    assert filled("${x | b64 | b64d}", x=raw) == raw
    assert filled("${x | b64url | b64d}", x=raw) == raw
    assert filled("${x | hex | hexd}", x=raw) == raw
    assert filled("${x | hex | upper | hexd | bytes}", x=raw) == raw
    assert filled("${x | b64}", x=raw) == base64.b64encode(raw).decode()


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        # RFC 1321, section A.5; the rest from RFC 6234, section 8.5.
        ("${'abc' | md5 | hex}", "900150983cd24fb0d6963f7d28e17f72"),
        ("${'' | md5 | hex}", "d41d8cd98f00b204e9800998ecf8427e"),
        ("${'abc' | sha1 | hex}", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("${two | sha1 | hex}", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"),
        ("${'abc' | sha256 | hex}", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("${two | sha256 | hex}", "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"),
        (
            "${'abc' | sha384 | hex}",
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
        ),
        (
            "${'abc' | sha512 | hex}",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
    ],
)
def test_digests_are_those_of_their_rfcs(text: str, digest: str) -> None:
    assert filled(text, two=TWO_BLOCKS) == digest


def test_a_digest_is_bytes_and_so_is_what_it_is_beside() -> None:
    assert filled("${x | sha256}", x="a") == hashlib.sha256(b"a").digest()
    assert filled("é${x | md5}", x="a") == "é".encode() + hashlib.md5(b"a").digest()


@pytest.mark.parametrize(
    ("key", "data", "name", "code"),
    [
        # RFC 2202, section 3.
        (b"\x0b" * 20, b"Hi There", "sha1", "b617318655057264e28bc0b6fb378c8ef146be00"),
        ("Jefe", "what do ya want for nothing?", "sha1", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
        (b"\xaa" * 20, b"\xdd" * 50, "sha1", "125d7342b9ac11cd91a39af48aa17b4f63f175d3"),
        # RFC 4231, sections 4.2, 4.3 and 4.7.
        (
            b"\x0b" * 20,
            "Hi There",
            "sha256",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"\x0b" * 20,
            "Hi There",
            "sha512",
            "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
            "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
        ),
        (
            "Jefe",
            "what do ya want for nothing?",
            "sha256",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            "Jefe",
            "what do ya want for nothing?",
            "sha512",
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
            "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        ),
        (
            b"\xaa" * 131,
            "Test Using Larger Than Block-Size Key - Hash Key First",
            "sha256",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
    ],
)
def test_hmacs_are_those_of_their_rfcs(key: Any, data: Any, name: str, code: str) -> None:
    assert filled(f"${{data | hmac_{name}(key) | hex}}", data=data, key=key) == code


def test_the_key_of_an_hmac_may_be_quoted() -> None:
    assert filled("${'data' | hmac_sha256('key')}") == hmac.digest(b"key", b"data", "sha256")
    assert filled('${"data" | hmac_sha256( "key" ) | b64}') == filled("${'data' | hmac_sha256(k) | b64}", k="key")


def test_a_signature_is_what_binance_documents() -> None:
    # The example of "SIGNED endpoint examples" in Binance's public API documentation, with its key.
    query = (
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
    )
    key = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
    signature = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
    assert filled("signature=${query | hmac_sha256(key) | hex}", query=query, key=key) == f"signature={signature}"


def test_a_chain_of_hmacs_over_values_gives_the_signing_key_that_aws_documents() -> None:
    # "Deriving a signing key" in the AWS reference: the key of 2015-08-30, us-east-1, iam.
    values = {
        "date": "${'20150830' | hmac_sha256(vars.start)}",
        "region": "${'us-east-1' | hmac_sha256(values.date)}",
        "service": "${'iam' | hmac_sha256(values.region)}",
        "key": "${'aws4_request' | hmac_sha256(values.service)}",
    }
    secrets = Secrets({}, environ={}, prompt=None, base_dir=Path())
    start = "AWS4wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
    made = Scope(secrets=secrets, values=values, vars={"start": start})
    assert made.text("${values.key | hex}") == "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("${now}", 784_111_777),
        ("${now + 60}", 784_111_837),
        ("${now - 0.7}", 784_111_776),
        ("${now + 0.4}", 784_111_778),
        ("t=${now}", "t=784111777"),
        ("${now | unix}", 784_111_777),
        ("${now + 540 | unix}", 784_112_317),
        ("${now - 60 | unix}", 784_111_717),
        ("${now | unix_ms}", 784_111_777_654),
        ("${now + 1 | unix_ms}", 784_111_778_654),
        ("t=${now | unix_ms}", "t=784111777654"),
        ("${now | text}", "784111777"),
        ("${now | json}", "784111777"),
        ("${now | b64 | b64d | text}", "784111777"),
        # RFC 9110, section 5.6.7.
        ("${now | http_date}", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("${now | iso}", "1994-11-06T08:49:37Z"),
        ('${now | iso("ms")}', "1994-11-06T08:49:37.654Z"),
        ('${now | iso("s")}', "1994-11-06T08:49:37Z"),
        ("${none ?? now | unix_ms}", 784_111_777_654),
        ("${none ?? now}", 784_111_777),
    ],
)
def test_now_has_an_offset_and_a_format(template: str, value: Any) -> None:
    result = filled(template)
    assert result == value
    assert type(result) is type(value)


def test_now_of_a_scope_keeps_its_milliseconds() -> None:
    made = Scope(secrets=Secrets({}, environ={}, prompt=None, base_dir=Path()), now=1_499_827_319.559)
    assert made.text("timestamp=${now | unix_ms}") == "timestamp=1499827319559"
    assert json.dumps(made.fill({"iat": "${now}", "exp": "${now + 540}"})) == '{"iat": 1499827319, "exp": 1499827859}'


@pytest.mark.parametrize(
    ("value", "template", "text"),
    [
        # RFC 5322, appendix A.1.1, and RFC 3339, section 5.8.
        ("1997-11-21T09:55:06-06:00", "${x | rfc2822}", "Fri, 21 Nov 1997 15:55:06 +0000"),
        ("1996-12-19T16:39:57-08:00", "${x | iso}", "1996-12-20T00:39:57Z"),
        ("1985-04-12T23:20:50.52Z", "${x | iso('ms')}", "1985-04-12T23:20:50.520Z"),
        ("1985-04-12T23:20:50.52Z", "${x | unix_ms}", "482196050520"),
        (" 0 ", "${x | http_date}", "Thu, 01 Jan 1970 00:00:00 GMT"),
        (b"1499827319.559", "${x | unix_ms}", "1499827319559"),
        ("1499827319.559", "${x | unix}", "1499827319"),
        (1499827319.999, "${x | unix}", "1499827319"),
        (-1, "${x | iso}", "1969-12-31T23:59:59Z"),
        (253402300799, "${x | iso}", "9999-12-31T23:59:59Z"),
    ],
)
def test_a_time_may_be_a_number_or_a_text(value: Any, template: str, text: str) -> None:
    assert text_of(filled(template, x=value)) == text


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("yesterday", "it is neither a number of seconds nor a time as in RFC 3339"),
        ("2015-10-21T07:28:00", "it is a time without a zone"),
        (True, "it is true or false, and no time"),
        ([1], "it is a list, and no time"),
        (253402300800, "it is no time before the year 10000"),
        (1e300, "it is no time before the year 10000"),
        (math.inf, "it is no time before the year 10000"),
        (math.nan, "it is no time before the year 10000"),
        (10**400, "it is no time before the year 10000"),
        (b"\xff", "its bytes are not UTF-8"),
    ],
    ids=lambda value: str(value)[:20],
)
@pytest.mark.parametrize("name", ["unix", "unix_ms", "iso", "rfc2822", "http_date"])
def test_what_is_no_time_is_refused(name: str, value: Any, problem: str) -> None:
    with pytest.raises(ProfileError) as caught:
        filled(f"${{x | {name}}}", x=value)
    assert caught.value.message == f"'x' cannot go through '{name}': {problem}"


@given(st.integers(-10_000_000_000, 250_000_000_000))
def test_dates_agree_with_the_standard_library(seconds: int) -> None:
    moment = datetime.fromtimestamp(seconds, UTC)
    assert filled("${x | rfc2822}", x=seconds) == format_datetime(moment)
    assert filled("${x | http_date}", x=seconds) == format_datetime(moment, usegmt=True)
    assert parsedate_to_datetime(filled("${x | http_date}", x=seconds)) == moment
    assert datetime.fromisoformat(filled("${x | iso}", x=seconds)) == moment
    assert filled("${x | iso | unix}", x=seconds) == seconds


@given(st.integers(0, 9_999_999_999_999))
def test_no_millisecond_is_lost(milliseconds: int) -> None:
    assert parse("${now | unix_ms}").value(lambda _: Moment(milliseconds / 1000)) == milliseconds
    assert parse("${now}").value(lambda _: Moment(milliseconds / 1000)) == milliseconds // 1000


@pytest.mark.parametrize(
    ("value", "template", "found"),
    [
        ({"a": {"b/c": [1, 2]}}, "${x | pointer('/a/b~1c/1')}", 2),
        (
            '{"client_email": "a@b.example", "n": 12345678901234567890}',
            "${x | pointer('/client_email')}",
            "a@b.example",
        ),
        ('{"n": 12345678901234567890}', "n=${x | pointer('/n')}", "n=12345678901234567890"),
        (b'[{"id": 5}]', "${x | pointer('/0/id')}", 5),
        ([1], "${x | pointer('')}", [1]),
        ({"a": None}, "${x | pointer('/a') ?? 'none'}", "none"),
        ({"a": 1}, "${x | pointer('/b') ?? 'none'}", "none"),
        ({"a": 1}, "${x | pointer(x | b64)}", TemplateError),
        ({"a": 1}, "${x | pointer('/b')}", UndefinedReference),
        ("no json", "${x | pointer('/b')}", ProfileError),
        ("[" * 100_000, "${x | pointer('/0')}", ProfileError),
        (5, "${x | pointer('/0')}", UndefinedReference),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_pointer_looks_into_a_value_or_into_json_text(value: Any, template: str, found: Any) -> None:
    if isinstance(found, type):
        with pytest.raises(found):
            filled(template, x=value)
    else:
        assert filled(template, x=value) == found


@pytest.mark.parametrize(
    ("value", "template", "found"),
    [
        ('name="csrf" value="abc"', """${x | regex('value="([^"]*)"')}""", "abc"),
        ("id=123;", "${x | regex('[0-9]+')}", "123"),
        (b"id=123;", "${x | regex('id=([0-9]+)')}", "123"),
        ("b", "${x | regex('(a)|b') ?? 'none'}", "none"),
        ("abc", "${x | regex('z') ?? 'none'}", "none"),
        ("abc", "${x | regex(p)}", "c"),
        ("abc", "${x | regex('z')}", UndefinedReference),
        ("abc", "${x | regex(bad)}", ProfileError),
        ("abc", "${x | regex(five)}", ProfileError),
        ("a" * 2_000_000, "${x | regex('a')}", ProfileError),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_regex_takes_its_first_group_or_the_whole_match(value: Any, template: str, found: Any) -> None:
    more = {"p": "[bc]$", "bad": "(", "five": 5}
    if isinstance(found, type):
        with pytest.raises(found):
            filled(template, x=value, **more)
    else:
        assert filled(template, x=value, **more) == found


@pytest.mark.parametrize(
    ("value", "template", "found"),
    [
        (" a  b\tc ", "${x | split}", ["a", "b", "c"]),
        ("", "${x | split}", []),
        (b"a b", "${x | split}", ["a", "b"]),
        ("a,b,", "${x | split(',')}", ["a", "b", ""]),
        ("a, b", "${x | split(mark)}", ["a", "b"]),
        ("a b", "${x | split(nothing)}", ProfileError),
        ("a b", "${x | split('')}", TemplateError),
        ([1], "${x | split}", ProfileError),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_text_is_split_into_a_list(value: Any, template: str, found: Any) -> None:
    more = {"mark": ", ", "nothing": ""}
    if isinstance(found, type):
        with pytest.raises(found):
            filled(template, x=value, **more)
    else:
        assert filled(template, x=value, **more) == found


def test_where_a_filter_finds_nothing_the_error_says_which() -> None:
    with pytest.raises(UndefinedReference) as caught:
        filled("${x | pointer('/b')}", x={"a": 1})
    assert caught.value.message == "'x' has no value"
    assert caught.value.hint == "there is nothing where its filter 'pointer' looks"


@pytest.mark.parametrize(
    ("value", "template", "found"),
    [
        ("é", "${x | bytes}", "é".encode()),
        (5, "${x | bytes}", b"5"),
        ("é".encode(), "${x | text}", "é"),
        (True, "${x | text}", "true"),
        ("_w", "${x | b64d | text ?? 'x'}", ProfileError),
        (b"\xff", "${x | text}", ProfileError),
        (math.nan, "${x | json}", ProfileError),
        ({"a": [math.inf]}, "${x | json}", ProfileError),
    ],
)
def test_bytes_and_text_become_each_other(value: Any, template: str, found: Any) -> None:
    if isinstance(found, type):
        with pytest.raises(found):
            filled(template, x=value)
    else:
        result = filled(template, x=value)
        assert result == found
        assert type(result) is type(found)


@given(st.integers(0, 2**256 - 1), st.integers(0, 2**256 - 1))
def test_der_is_the_signature_that_openssl_would_write(r: int, s: int) -> None:
    assert filled("${x | der}", x=r.to_bytes(32, "big") + s.to_bytes(32, "big")) == encode_dss_signature(r, s)


@pytest.mark.parametrize("value", [b"", b"x" * 63, "text"])
def test_der_of_anything_else_is_refused(value: Any) -> None:
    with pytest.raises(ProfileError, match="'x' cannot go through 'der': it is no signature of 64 bytes"):
        filled("${x | der}", x=value)


@pytest.mark.parametrize(
    ("text", "problem", "column"),
    [
        ("${x | regex('(')}", "filter 'regex': the pattern is no regular expression", 13),
        ("a ${x | regex( '(')}", "filter 'regex': the pattern is no regular expression", 16),
        ("${x | pointer('a')}", "filter 'pointer': a JSON pointer starts with '/'", 15),
        ("${x | iso('m')}", 'filter \'iso\': its unit is "s" or "ms"', 11),
        (
            "${x | cert_thumbprint('md4')}",
            "filter 'cert_thumbprint': the digest is one of sha1, sha256, sha384, sha512",
            23,
        ),
        ("${x | hmac_sha256}", "filter 'hmac_sha256' needs an argument", 7),
        ("${x | sign_rs256}", "filter 'sign_rs256' needs an argument", 7),
        ("${x | sha256('x')}", "filter 'sha256' takes no argument", 7),
        ("${x | regex()}", "a reference or a quoted text is missing before ')'", 13),
    ],
)
def test_a_bad_argument_is_found_without_any_value(text: str, problem: str, column: int) -> None:
    with pytest.raises(TemplateError) as caught:
        parse(text)
    assert caught.value.message.startswith(problem)
    assert caught.value.message.endswith(f": at column {column}")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("${x | hmac_sha256(list)}", "'x' cannot go through 'hmac_sha256': its key has no text form"),
        ("${list | hmac_sha256(x)}", "'list' cannot go through 'hmac_sha256': it is a list"),
        ("${x | hmac_sha256(null)}", "'null' has no value"),
        ("${x | hmac_sha256(none)}", "'none' has no value"),
        (
            "${x | iso('ms') }",
            "'x' cannot go through 'iso': it is neither a number of seconds nor a time as in RFC 3339",
        ),
        ("${'secret-7788' | hexd}", "a quoted text cannot go through 'hexd': it is not hexadecimal"),
        ("${'{}' | pointer('/a')}", "'a quoted text' has no value"),
        ("${0 | iso(unit)}", "'0' cannot go through 'iso': its unit is \"s\" or \"ms\""),
        ("${x | cert_thumbprint(unit)}", "'x' cannot go through 'cert_thumbprint': it is not PEM, which begins with"),
    ],
)
def test_a_message_names_the_reference_and_never_the_value(template: str, message: str) -> None:
    with pytest.raises(ProfileError) as caught:
        filled(template, x="secret-7788", list=["secret-7788"], null=None, unit=["secret-7788"], **{"0": 0})
    assert caught.value.message.startswith(message)
    assert "7788" not in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.__cause__ is None


@given(st.sampled_from(sorted(FILTERS)), st.data())
def test_whatever_the_value_a_filter_raises_nothing_but_profile_errors(name: str, data: st.DataObject) -> None:
    plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
    value = data.draw(plain | st.lists(plain, max_size=3) | st.dictionaries(st.text(), plain, max_size=3))
    argument = data.draw(plain | st.sampled_from(["sha256", "ms", "/a", "a+", "-----BEGIN PRIVATE KEY-----"]))
    text = f"${{x | {name}(y)}}" if FILTERS[name].most else f"${{x | {name}}}"
    try:
        filled(text, x=value, y=argument)
    except ProfileError as exc:
        assert re.match(r"'[xy]' (has no value|cannot go through)", exc.message)


@pytest.mark.parametrize("value", [None, True, 5, 0.5, "a", b"a", {}, [], ()])
def test_a_kind_is_said_without_the_value(value: Any) -> None:
    words = kind_of(value)
    expected = {dict: "a table", list: "a list", tuple: "a list", int: "a number", float: "a number"}
    assert words == {**expected, bool: "true or false", str: "text", bytes: "bytes", type(None): "null"}[type(value)]


def test_an_environment_variable_that_is_no_utf8_keeps_its_bytes() -> None:
    assert octets_of("a\udcff") == b"a\xff"


def test_a_secret_is_filtered_once_and_what_is_hidden_is_what_was_made() -> None:
    asked: list[str] = []

    class Asked(Mapping[str, str]):
        def __getitem__(self, name: str) -> str:
            asked.append(name)
            return "user-password-7788"

        def __len__(self) -> int:
            return 1

        def __iter__(self) -> Any:
            return iter(["password"])

    made = Scope(secrets=Secrets({}, environ={}, prompt=None, base_dir=Path()), steps={"login": Asked()})
    text = made.text("key=${steps.login.password | sha256 | b64}")
    # `in` and `[]` of one look-up: each asks the mapping.
    assert len(asked) == 2
    assert REDACTOR.text(text) == "key=***"


def loaded(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_templates_with_keys_are_parsed_without_loading_cryptography() -> None:
    names = " ".join(f"${{x | {name}('sha256')}}" for name in KEY_FILTERS)
    code = (
        f"import sys\nfrom forge_cli.login.template import parse\nassert len(parse({names!r}).parts) == 9\n"
        "assert not {'cryptography', 'joserfc', 'ssl', 'email'} & set(sys.modules), sorted(sys.modules)"
    )
    result = loaded(code)
    assert result.returncode == 0, result.stderr


def test_without_cryptography_the_error_says_how_to_get_it() -> None:
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'cryptography':\n"
        "            raise ModuleNotFoundError(name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from forge_cli.errors import ProfileError\nfrom forge_cli.login.template import parse\n"
        "try:\n    parse(\"${'x' | sign_rs256('k')}\").value(lambda _: None)\n"
        "except ProfileError as exc:\n    print(exc.message, exc.hint, sep='|')"
    )
    result = loaded(code)
    assert result.stdout.strip() == "filter 'sign_rs256' needs cryptography|pip install 'forge-http[jwt]'", (
        result.stderr
    )
