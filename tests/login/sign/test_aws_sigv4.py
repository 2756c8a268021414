from __future__ import annotations

import io
import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from forge_cli.encode import FileBody, OneShot
from forge_cli.errors import RequestBuildException
from forge_cli.models import Headers, PreparedRequest
from forge_cli.redact import REDACTOR
from tests.login.sign.made import request, scope, signer

# The keys of the published examples and of the published test suite.
EXAMPLE_KEY = "AKIDEXAMPLE"
EXAMPLE_SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
SUITE_MOMENT = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
S3_KEY = "AKIAIOSFODNN7EXAMPLE"
S3_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
S3_MOMENT = datetime(2013, 5, 24, tzinfo=UTC)


def aws(service: str, session_token: bool = False) -> Any:
    token = 'session_token = "${secrets.session}"' if session_token else ""
    return signer(
        f"""
        type = "aws-sigv4"
        access_key = "${{secrets.key}}"
        secret_key = "${{secrets.secret}}"
        region = "${{vars.region}}"
        service = "{service}"
        {token}
        """
    )


def signed(
    prepared: PreparedRequest,
    service: str = "service",
    *,
    key: str = EXAMPLE_KEY,
    secret: str = EXAMPLE_SECRET,
    session: str | None = None,
    moment: datetime = SUITE_MOMENT,
) -> PreparedRequest:
    known = {"key": key, "secret": secret, "session": session or ""}
    values = scope(known, vars={"region": "us-east-1"}, now=moment.timestamp() + 0.9)
    result: PreparedRequest = aws(service, session is not None).sign(prepared, values)
    return result


def by_botocore(
    prepared: PreparedRequest,
    service: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    key: str = EXAMPLE_KEY,
    secret: str = EXAMPLE_SECRET,
    session: str | None = None,
    moment: datetime = SUITE_MOMENT,
) -> Mapping[str, str]:
    """The headers that AWS's own library gives this request."""
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: moment)
    made = AWSRequest(prepared.method, prepared.url, data=prepared.body)
    for name, value in prepared.headers.pairs:
        made.headers.add_header(name, value)
    kind = S3SigV4Auth if service == "s3" else SigV4Auth
    kind(Credentials(key, secret, session), service, "us-east-1").add_auth(made)
    return dict(made.headers.items())


def minimal(method: str, url: str, body: bytes | None = None, **headers: str) -> PreparedRequest:
    """A request with no header but these, as in the published test suite."""
    return PreparedRequest(method, url, Headers({n.replace("_", "-"): v for n, v in headers.items()}), body)


@pytest.mark.parametrize(
    ("prepared", "signature"),
    [
        (
            minimal("GET", "https://example.amazonaws.com/"),
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            minimal("POST", "https://example.amazonaws.com/"),
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
        (
            minimal("GET", "https://example.amazonaws.com/?Param2=value2&Param1=value1"),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            minimal(
                "POST",
                "https://example.amazonaws.com/",
                b"Param1=value1",
                Content_Type="application/x-www-form-urlencoded",
            ),
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
        (
            minimal("GET", "https://example.amazonaws.com/example/.."),
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            minimal("GET", "https://example.amazonaws.com//"),
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
    ],
    ids=["vanilla", "post-vanilla", "query-order", "post-form", "dots", "slashes"],
)
def test_the_published_test_suite(prepared: PreparedRequest, signature: str, monkeypatch: pytest.MonkeyPatch) -> None:
    value = signed(prepared).headers["Authorization"]
    headers = "content-type;host;x-amz-date" if prepared.body else "host;x-amz-date"
    assert value == (
        f"AWS4-HMAC-SHA256 Credential={EXAMPLE_KEY}/20150830/us-east-1/service/aws4_request,"
        f" SignedHeaders={headers}, Signature={signature}"
    )
    assert by_botocore(prepared, "service", monkeypatch)["Authorization"] == value


def test_the_published_example_of_an_object_store(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = minimal("GET", "https://examplebucket.s3.amazonaws.com/test.txt", Range="bytes=0-9")
    keys: dict[str, Any] = {"key": S3_KEY, "secret": S3_SECRET, "moment": S3_MOMENT}
    made = signed(prepared, "s3", **keys)
    assert made.headers["Authorization"].endswith(
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
        " Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )
    assert dict(made.headers) == by_botocore(prepared, "s3", monkeypatch, **keys)


WORDS = ["a", "B", "photo 1", "ü", "日本", "~x", "a+b", "100%", "a=b", "(x)", "*", "", ".", "a:b", "q/q", "!'", "$&,;@"]


def made_up(random: random.Random, service: str) -> PreparedRequest:
    """Some request: odd paths, repeated and empty parameters, spaces in headers, with and without a body."""
    path = "/".join(quote(random.choice(WORDS), safe=random.choice(["", "!$&'()*+,;=:@"])) for _ in range(4))
    url = f"{random.choice(['http', 'https'])}://{service}.example{random.choice(['', ':8443', ':443'])}/{path}"
    if random.random() < 0.3:
        url += "?" + random.choice(["acl", "a=b/c:d&acl&&x=", "b=2&a=1&a=&a=%c3%bc&a=+"])
    body: dict[str, Any] = random.choice(
        [{}, {"data": {"k": "v w"}}, {"json_data": {"a": "ü"}}, {"content": b"\x00raw"}]
    )
    headers = {"X-Amz-Meta-Odd": random.choice(["  two   spaces ", "a", "", '"q  q"']), "X-Many": ["1", " 2"]}
    params = [(random.choice(WORDS), random.choice(WORDS)) for _ in range(random.randrange(5))]
    return request(random.choice(["GET", "PUT", "POST"]), url, headers=headers, params=params, **body)


@pytest.mark.parametrize("service", ["execute-api", "s3"])
def test_every_header_is_the_one_that_awss_own_library_gives(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = random.Random(f"sigv4 {service}")
    for _ in range(500):
        prepared = made_up(chosen, service)
        session = chosen.choice([None, "made-up/session+token=="])
        ours = signed(prepared, service, session=session)
        theirs = by_botocore(
            PreparedRequest(prepared.method, ours.url, prepared.headers, prepared.body),
            service,
            monkeypatch,
            session=session,
        )
        assert {name: value for name, value in ours.headers.pairs if name != "X-Many"} == {
            name: value for name, value in theirs.items() if name != "X-Many"
        }, prepared.url


def test_a_query_is_sent_as_it_is_signed() -> None:
    prepared = request("GET", "https://es.example/_search?q=a:b/c&acl&", params={"x": "a b+"})
    assert signed(prepared, "es").url == "https://es.example/_search?q=a%3Ab%2Fc&acl&x=a%20b%2B"


def test_the_name_of_an_object_is_sent_as_it_is_signed_and_other_paths_stay() -> None:
    prepared = request("GET", "https://s3.example/bucket//a(b)%7e+c%2Fd")
    assert signed(prepared, "s3").url == "https://s3.example/bucket//a%28b%29~%2Bc/d"
    assert signed(prepared, "es").url == prepared.url


def test_what_was_signed_before_is_signed_anew() -> None:
    prepared = request("GET", "https://es.example/")
    first = signed(prepared, session="made-up-session-1")
    later = datetime(2016, 1, 1, tzinfo=UTC)
    assert signed(first, moment=later).headers == signed(prepared, moment=later).headers


def test_what_a_proxy_may_change_is_not_signed() -> None:
    headers = {"Expect": "x", "X-Amzn-Trace-Id": "x", "TE": "x", "Connection": "close", "Accept": "a/b"}
    value = signed(request("GET", "https://es.example/", headers=headers)).headers["Authorization"]
    assert "SignedHeaders=accept;host;x-amz-date," in value


def test_a_stated_host_is_signed() -> None:
    stated = request("GET", "http://127.0.0.1:1/", headers={"Host": "es.example"})
    real = request("GET", "http://es.example/")
    assert signed(stated).headers["Authorization"] == signed(real).headers["Authorization"]


def test_a_stated_digest_is_taken() -> None:
    prepared = request(
        "PUT", "https://s3.example/k", content=b"x", headers={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    )
    made = signed(prepared, "s3")
    assert made.headers.get_all("x-amz-content-sha256") == ["UNSIGNED-PAYLOAD"]
    assert (
        made.headers["Authorization"]
        != signed(request("PUT", "https://s3.example/k", content=b"x"), "s3").headers["Authorization"]
    )


def test_a_stated_digest_is_taken_elsewhere_too(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = request(
        "PUT", "https://es.example/k", content=b"x", headers={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}
    )
    assert dict(signed(prepared, "es").headers) == by_botocore(prepared, "es", monkeypatch)


def test_a_digest_of_another_body_is_reckoned_anew() -> None:
    first = signed(minimal("PUT", "https://s3.example/k", b"x"), "s3")
    following = replace(first, method="GET", body=None)
    assert signed(following, "s3").headers == signed(minimal("GET", "https://s3.example/k"), "s3").headers


@pytest.mark.parametrize("service", ["s3", "es"])
def test_a_file_is_signed_like_its_bytes(service: str) -> None:
    in_memory = minimal("PUT", "https://s3.example/k", b"content")
    body = FileBody(io.BytesIO(b"content"))
    made = signed(PreparedRequest("PUT", in_memory.url, in_memory.headers, body), service)
    assert made.headers == signed(in_memory, service).headers
    assert b"".join(made.body.open()) == b"content"


def test_a_stream_goes_to_an_object_store_unsigned_where_tls_protects_it() -> None:
    prepared = PreparedRequest("PUT", "https://s3.example/k", Headers(), OneShot([b"x"]))
    assert signed(prepared, "s3").headers["X-Amz-Content-SHA256"] == "UNSIGNED-PAYLOAD"


@pytest.mark.parametrize(("url", "service"), [("http://s3.example/k", "s3"), ("https://es.example/k", "es")])
def test_another_stream_cannot_be_signed(url: str, service: str) -> None:
    with pytest.raises(RequestBuildException, match="read only once") as caught:
        signed(PreparedRequest("PUT", url, Headers(), OneShot([b"x"])), service)
    assert caught.value.hint


def test_keys_are_hidden_and_credentials_stay_at_their_origin() -> None:
    made = signer(
        """
        type = "aws-sigv4"
        access_key = "key"
        secret_key = "${env.SECRET}"
        session_token = "${env.SESSION}"
        region = "us-east-1"
        service = "es"
        """
    ).sign(request("GET", "https://es.example/"), scope(environ={"SECRET": EXAMPLE_SECRET, "SESSION": "made-up-token"}))
    assert made.credentials == {"authorization", "x-amz-security-token"}
    assert REDACTOR.text(f"{EXAMPLE_SECRET} made-up-token") == "*** ***"
    assert "Signature=" not in repr(made)


def test_an_empty_session_token_counts_as_none() -> None:
    made = signer(
        """
        type = "aws-sigv4"
        access_key = "key"
        secret_key = "${secrets.secret}"
        session_token = "${env.AWS_SESSION_TOKEN ?? ''}"
        region = "us-east-1"
        service = "es"
        """
    )
    assert "X-Amz-Security-Token" not in made.sign(request("GET", "https://a.example/"), scope({"secret": "s"})).headers
