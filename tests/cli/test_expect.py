"""The grammar of `--expect`."""

from __future__ import annotations

import pytest

from forge_cli.cli.expect import Facts, expectation
from forge_cli.errors import UsageError
from forge_cli.models import Headers

BODY = b'{"n":1,"b":true,"t":"done","s":"1","l":[{"id":7}],"z":null,"a/b":2,"x==y":3}'
FACTS = Facts(200, Headers([("Content-Type", "application/json"), ("X-Count", "12")]), BODY, None, 1.5)


@pytest.mark.parametrize(
    "text",
    [
        "status==200", "status!=201", "status<300", "status>=200", "status <= 200", "status~=^2",
        "header:content-type==application/json", "header:Content-Type~=json$", "header:content-type!~xml",
        "header:x-count==12", "header:x-count>9", "header:x-count<100", "header:none!=1", "header:none!~x",
        "body:/n==1", "body:/n==1.0", "body:/n<2", "body:/b==true", "body:/b!=1", "body:/t==done", 'body:/t=="done"',
        'body:/s=="1"', "body:/s!=1", "body:/l/0/id==7", 'body:/l==[{"id":7}]', "body:/z==null", "body:/no!=1",
        "body:/a~1b==2", "body:/t~=^do", "body~=done", "body!~failed", "body:/t>a",
        "elapsed<2s", "elapsed>500ms", "elapsed<=1.5", "elapsed<1m", "elapsed<1min", "elapsed<1h",
    ],
)  # fmt: skip
def test_what_holds(text: str) -> None:
    assert expectation(text).failure(FACTS) is None


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("status==201", "200"),
        ("header:content-type==json", "'application/json'"),
        ("header:none==1", "nothing"),
        ("header:none~=.*", "nothing"),
        ("header:content-type<5", "'application/json'"),
        ("body:/n==true", "1"),
        ("body:/b==1", "true"),
        ("body:/s==1", "'1'"),
        ("body:/no==null", "nothing"),
        ("body:/l/1/id<9", "nothing"),
        ("body:/t<5", "'done'"),
        ("body:/b<5", "true"),
        ("elapsed<1s", "1.5 s"),
    ],
)
def test_what_does_not_says_what_was_found(text: str, got: str) -> None:
    assert expectation(text).failure(FACTS) == f"expected {text}, got {got}"


@pytest.mark.parametrize("content", [b"<html>", b"[" * 100_000, None, b"\xff"], ids=["html", "deep", "large", "bytes"])
def test_in_a_body_that_is_no_json_nothing_is_found(content: bytes | None) -> None:
    facts = FACTS.__class__(200, FACTS.headers, content, None, 0.0)
    assert expectation("body:/a==1").failure(facts) == "expected body:/a==1, got nothing"
    assert expectation("body:/a!=1").failure(facts) is None


def test_a_long_value_is_cut_and_a_secret_one_masked() -> None:
    facts = FACTS.__class__(200, FACTS.headers, b'{"token":"user-token-12345","t":"%s"}' % (b"word " * 100), None, 0.0)
    assert "user-token-12345" not in str(expectation("body==1").failure(facts))
    assert len(str(expectation("body:/t==1").failure(facts))) < 150


@pytest.mark.parametrize(
    ("text", "say"),
    [
        ("nonsense", "no operator"),
        ("", "no operator"),
        ("stat==200", "'stat' is none of"),
        ("status:x==1", "has no parts"),
        ("header==1", "name of the header"),
        ("body:items==1", "starts with '/'"),
        ("elapsed<soon", "not a time span"),
        ("elapsed~=1", "not a time span"),
        ("body~=(", "not a regular expression"),
    ],
)
def test_what_is_no_expression_says_why(text: str, say: str) -> None:
    with pytest.raises(UsageError, match="--expect") as caught:
        expectation(text)
    assert say in str(caught.value)
    assert "status==200" in str(caught.value.hint)
