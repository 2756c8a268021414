"""Outputs: where they are found, what counts as absent, and JSON pointers."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.errors import ForgeError
from forge_cli.login.definition import Extract, ExtractTable
from forge_cli.login.extract import Missing, check_pointer, outputs, pointer
from forge_cli.login.scope import Scope
from forge_cli.profiles.secrets import Secrets

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


@dataclass(frozen=True)
class Set:
    """A cookie that an answer sets."""

    value: str


class Reply:
    """An answer of a test; counts how often its body is parsed."""

    def __init__(
        self, body: str, headers: Mapping[str, str] | None = None, cookies: Mapping[str, str] | None = None
    ) -> None:
        self.text = body
        self.headers = {name.lower(): value for name, value in (headers or {}).items()}
        self.cookies = {name: Set(value) for name, value in (cookies or {}).items()}
        self.parsed = 0

    def json(self) -> Any:
        self.parsed += 1
        return json.loads(self.text)

    def header(self, name: str) -> str | None:
        return self.headers.get(name.lower())


def reply(document: Any, **headers: str) -> Reply:
    return Reply(json.dumps(document), {name.replace("_", "-"): value for name, value in headers.items()})


def taken(table: Extract, answer: Reply, **values: Any) -> dict[str, Any]:
    secrets = Secrets({}, environ={}, prompt=None, base_dir=Path())
    return outputs(table, answer, Scope(secrets=secrets, **values))


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
    assert taken(table, reply(document, X_Token="header-token-1")) == found


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
        taken({"token": place}, reply({"null": None, "empty": "", "yes": True, "list": ["secret-1"]}))
    assert caught.value.message == message
    assert caught.value.output == "token"
    assert isinstance(caught.value, ForgeError)
    assert caught.value.hint == "check `extract` in this step"


@pytest.mark.parametrize("body", ["", "<html>", "{"])
def test_an_answer_that_is_not_json_says_so(body: str) -> None:
    with pytest.raises(Missing, match="the answer is not JSON, so it has no '/token' for 'token'"):
        taken({"token": "/token"}, Reply(body))


def test_the_body_is_parsed_once_and_only_when_asked_for() -> None:
    answer = reply({"t": "user-token-1"}, X_Token="header-token-1")
    taken({"token": ExtractTable(header="X-Token")}, answer)
    assert answer.parsed == 0
    taken({"token": "/t", "again": "/t", "more": ExtractTable(pointer="/x", optional=True)}, answer)
    assert answer.parsed == 1
    broken = Reply("<html>")
    assert taken(
        {"a": ExtractTable(pointer="/a", optional=True), "b": ExtractTable(pointer="/b", default=1)}, broken
    ) == {"b": 1}
    assert broken.parsed == 1


STS = """<?xml version="1.0"?>
<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleResult>
    <Credentials>
      <AccessKeyId>access-key-1</AccessKeyId>
      <SecretAccessKey>secret/key+1</SecretAccessKey>
      <SessionToken>session&amp;token-1</SessionToken>
      <Expiration>2030-06-01T13:00:00Z</Expiration>
    </Credentials>
    <Credentials><AccessKeyId>access-key-2</AccessKeyId></Credentials>
  </AssumeRoleResult>
</AssumeRoleResponse>"""
DJANGO = """<form method="post">
<input type="hidden" name="csrfmiddlewaretoken" value="form-token-1">
<input type="text" name="username"></form>"""
RAILS = (
    '<head><meta name="csrf-param" content="authenticity_token" /><meta name="csrf-token" content="Zm9+/w==" /></head>'
)
INSTALLATIONS = [
    {"id": 11, "account": {"login": "someone"}, "tags": ["old"]},
    {"id": 12, "account": {"login": "acme"}, "suspended": True},
    {"id": 13, "account": {"login": "acme"}},
]


@pytest.mark.parametrize(
    ("name", "place", "found"),
    [
        ("token", ExtractTable(header="Authorization"), "Bearer token-1"),
        ("realm", ExtractTable(header="www-authenticate", param="realm"), "https://auth.example/token"),
        ("scope", ExtractTable(header="www-authenticate", param="Scope"), "repository:a/b:pull,push"),
        ("token", ExtractTable(header="X-Token", param="token"), "abc"),
        ("name", ExtractTable(header="Content-Disposition", param="filename"), 'a "b"; token=c'),
        ("token", ExtractTable(cookie="sessionid"), "session-1"),
        ("token", ExtractTable(cookie="none", alternatives=(ExtractTable(cookie="sessionid"),)), "session-1"),
    ],
)
def test_outputs_come_from_headers_their_parameters_and_cookies(name: str, place: ExtractTable, found: str) -> None:
    answer = Reply(
        "",
        {
            "WWW-Authenticate": 'Bearer realm="https://auth.example/token",scope="repository:a/b:pull,push"',
            "X-Token": 'v=1; fake="token=1" ;token=abc, token=def',
            "Content-Disposition": 'attachment; filename="a \\"b\\"; token=c"',
            "Authorization": "Bearer token-1",
        },
        {"sessionid": "session-1"},
    )
    assert taken({name: place}, answer) == {name: found}


@pytest.mark.parametrize(
    ("place", "found"),
    [
        (ExtractTable(pointer="/i", where={"/account/login": "${vars.org}"}, each="/id"), "12"),
        (
            ExtractTable(pointer="/i", where={"/account/login": "acme", "/suspended": {"exists": False}}, each="/id"),
            "13",
        ),
        (ExtractTable(pointer="/i", where={"/id": {"in": [13, 12]}}, each="/account/login"), "acme"),
        (ExtractTable(pointer="/i", where={"/tags/0": "old"}, each="/id"), "11"),
        (ExtractTable(pointer="/i", each="/id"), "11"),
        (ExtractTable(pointer="/names", where={"": {"matches": "^b"}}), "bb"),
    ],
)
def test_an_element_of_an_array_is_picked(place: ExtractTable, found: str) -> None:
    answer = reply({"i": INSTALLATIONS, "names": ["aa", "bb", "bc"]})
    assert taken({"token": place}, answer, vars={"org": "acme"}) == {"token": found}


@pytest.mark.parametrize(
    ("body", "pattern", "found"),
    [
        (DJANGO, r'name="csrfmiddlewaretoken" value="([^"]+)"', "form-token-1"),
        (RAILS, r'<meta name="csrf-token" content="([^"]+)"', "Zm9+/w=="),
        ("token=abc", r"[a-z]+$", "abc"),
        ("a=1;b=2", r"(?:x=(\d)|b=(\d))", "2"),
        ("a", r"(a)|(b)", "a"),
        ("x" * (1024 * 1024 - 3) + "end", "end$", "end"),
    ],
)
def test_a_regular_expression_finds_its_group_or_all_of_it(body: str, pattern: str, found: str) -> None:
    assert taken({"token": ExtractTable(regex=pattern)}, Reply(body)) == {"token": found}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("AssumeRoleResponse/AssumeRoleResult/Credentials/AccessKeyId", "access-key-1"),
        ("AssumeRoleResponse/AssumeRoleResult/Credentials/SecretAccessKey", "secret/key+1"),
        ("AssumeRoleResponse/AssumeRoleResult/Credentials/SessionToken", "session&token-1"),
    ],
)
def test_an_element_of_xml_is_found_whatever_its_namespace(path: str, found: str) -> None:
    assert taken({"token": ExtractTable(xml=path)}, Reply(STS)) == {"token": found}


@pytest.mark.parametrize(
    ("body", "path", "found"),
    [
        ('<a:r xmlns:a="u"><a:t a:id="1"/><a:t a:id="2" k="x"/></a:r>', "r/t/@k", "x"),
        ('<r id="7"/>', "r/@id", "7"),
        ("<r><t> a<b>c</b>d\n</t></r>", "r/t", "acd"),
        ("<r><t><![CDATA[<&>]]></t></r>", "r/t", "<&>"),
        ("<r><s><t>no</t></s><t>yes</t></r>", "r/t", "yes"),
        ('<?xml version="1.0" encoding="ISO-8859-1"?><r>é</r>', "r", "é"),
    ],
)
def test_places_in_xml(body: str, path: str, found: str) -> None:
    assert taken({"token": ExtractTable(xml=path)}, Reply(body)) == {"token": found}


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("<html>", "the answer is not XML, so it has no 'r/t' for 'token'"),
        ("", "the answer is not XML, so it has no 'r/t' for 'token'"),
        ("\ud800", "the answer is not XML, so it has no 'r/t' for 'token'"),
        ("<r><t>a</t>", "the answer is not XML, so it has no 'r/t' for 'token'"),
        ("<r><u>a</u></r>", "the answer has no 'r/t' for 'token'"),
        ("<t>a</t>", "the answer has no 'r/t' for 'token'"),
        ("<r><t/></r>", "'r/t' is empty, which cannot be 'token'"),
        (
            '<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/hostname">]><r><t>&e;</t></r>',
            "the answer has a document type declaration, which is refused, so it has no 'r/t' for 'token'",
        ),
        ("<!DOCTYPE r><r><t>a</t></r>", "the answer has a document type declaration, which is refused, so"),
        ("<r><t>&e;</t></r>", "the answer is not XML, so it has no 'r/t' for 'token'"),
    ],
)
def test_what_is_no_xml_or_has_entities_is_refused(body: str, problem: str) -> None:
    with pytest.raises(Missing) as caught:
        taken({"token": ExtractTable(xml="r/t")}, Reply(body))
    assert caught.value.message.startswith(problem)


def test_xml_may_be_nested_deeply() -> None:
    body = "<r>" + "<x>" * 100_000 + "</x>" * 100_000 + "<t>a</t></r>"
    assert taken({"token": ExtractTable(xml="r/t")}, Reply(body)) == {"token": "a"}


def test_the_whole_body_is_an_output_without_the_line_end() -> None:
    assert taken({"token": ExtractTable(body=True)}, Reply("token-1 \r\n")) == {"token": "token-1 "}


def test_a_computed_output_sees_those_above_it_and_the_answer() -> None:
    table: Extract = {
        "id": "/id",
        "key": "/api_key",
        "token": ExtractTable(value="${self.id}:${self.key}"),
        "old": ExtractTable(value="${self.kept}"),
        "raw": ExtractTable(value="${self.id | b64 | b64d}"),
        "where": ExtractTable(value="${steps.app.region}-${response.status}"),
        "at": ExtractTable(value="${now}"),
        "number": ExtractTable(value="${self.count}"),
    }
    found = taken(
        {"count": "/count", **table},
        reply({"id": "a", "api_key": "b", "count": 3}),
        own={"kept": "before", "id": "replaced"},
        steps={"app": {"region": "eu"}},
        response={("status",): 201},
        now=1906000000.5,
    )
    assert found == {
        "count": 3,
        "id": "a",
        "key": "b",
        "token": "a:b",
        "old": "before",
        "raw": "a",
        "where": "eu-201",
        "at": 1906000000,
        "number": 3,
    }
    assert type(found["at"]) is int


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("${self.later}", "`value` cannot be computed, because 'self.later' has no value, for 'token'"),
        ("${self.t | b64d}", "`value` cannot be computed, because 'self.t' cannot go through 'b64d'"),
        ("${self.bytes | b64d}", "`value` is bytes that are no text, which cannot be 'token'"),
        ("", "`value` is empty, which cannot be 'token'"),
    ],
)
def test_a_value_that_cannot_be_computed_is_missing(value: str, message: str) -> None:
    table: Extract = {"t": "/t", "bytes": "/b", "token": ExtractTable(value=value), "later": "/t"}
    body = {"t": "%%%", "b": base64.b64encode(b"\xff\xfe").decode()}
    with pytest.raises(Missing) as caught:
        taken(table, reply(body))
    assert caught.value.message.startswith(message)
    assert caught.value.found == {"t": "%%%", "bytes": body["b"]}
    optional: Extract = {**table, "token": ExtractTable(value=value, alternatives=("/t",))}
    assert taken(optional, reply(body))["token"] == "%%%"


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (ExtractTable(), "there is no place to look for 'token'"),
        (ExtractTable(value="${vars.none}"), "`value` is null for 'token'"),
        (ExtractTable(header="X-T", param="p"), "header 'X-T' has no parameter 'p' for 'token'"),
        (ExtractTable(header="X-E", param="p"), "'p' of header 'X-E' is empty, which cannot be 'token'"),
        (ExtractTable(cookie="c"), "the answer sets no cookie 'c' for 'token'"),
        (ExtractTable(cookie="empty"), "cookie 'empty' is empty, which cannot be 'token'"),
        (ExtractTable(regex="zz(.)"), "nothing in the answer matches `regex` for 'token'"),
        (ExtractTable(regex="u()"), "what `regex` finds is empty, which cannot be 'token'"),
        (ExtractTable(pointer="/user", each="/id"), "'/user' is a table and not a list, so nothing can be picked for"),
        (ExtractTable(pointer="/list", where={"/id": 9}), "'/list' has no element that `where` wants for 'token'"),
        (ExtractTable(pointer="/none", each="/id"), "'/none' is an empty list for 'token'"),
        (ExtractTable(pointer="/list", each="/no"), "the element of '/list' has no '/no' for 'token'"),
        (ExtractTable(pointer="/list", each="/in"), "'/list', then '/in', is a table, which cannot be 'token'"),
        (ExtractTable(pointer="/a", each="/id"), "the answer has no '/a' for 'token'"),
    ],
)
def test_a_message_names_the_place_and_what_was_there_and_no_value(place: ExtractTable, message: str) -> None:
    body = json.dumps({"user": {"id": 1}, "list": [{"id": "leaked-1", "in": {"x": "leaked-2"}}], "none": []})
    answer = Reply(body, {"X-T": "leaked-3; q=leaked-4", "X-E": "p="}, {"empty": ""})
    with pytest.raises(Missing) as caught:
        taken({"token": place}, answer, vars={"none": None})
    assert caught.value.message.startswith(message)
    assert "leaked" not in caught.value.message


def test_only_the_beginning_of_a_long_body_is_searched_and_the_message_says_so() -> None:
    with pytest.raises(Missing, match="only its first 1 MiB is searched"):
        taken({"token": ExtractTable(regex="end")}, Reply("x" * 1024 * 1024 + "end"))
    with pytest.raises(Missing, match=r"matches `regex` for 'token'$"):
        taken({"token": ExtractTable(regex="end")}, Reply("x" * 1024 * 1024))


def test_long_numbers_keep_their_digits() -> None:
    assert taken({"token": "/t"}, Reply('{"t": 123456789012345678901234567890}')) == {
        "token": "123456789012345678901234567890"
    }


def test_a_list_of_scopes_becomes_one_text() -> None:
    assert taken({"scope": "/s", "list": "/s"}, reply({"s": ["a", "b"]})) == {"scope": "a b", "list": ["a", "b"]}


def test_defaults_and_optional_hold_for_all_alternatives() -> None:
    inner = ExtractTable(pointer="/b", default="from-inside")
    assert taken({"kind": ExtractTable(pointer="/a", alternatives=(inner,))}, reply({})) == {"kind": "from-inside"}
    assert taken({"kind": ExtractTable(pointer="/a", alternatives=(inner,))}, reply({"b": "x"})) == {"kind": "x"}
    optional = ExtractTable(pointer="/b", optional=True)
    assert taken({"kind": ExtractTable(pointer="/a", alternatives=(optional,))}, reply({})) == {}


@pytest.mark.parametrize(
    ("table", "body", "found"),
    [
        (  # a registry: either name
            {"token": ExtractTable(pointer="/token", alternatives=("/access_token",))},
            {"access_token": "registry-token-1"},
            {"token": "registry-token-1"},
        ),
        (  # Kubernetes, TokenRequest
            {"token": "/status/token", "expiration": "/status/expirationTimestamp"},
            {"kind": "TokenRequest", "status": {"token": "pod-token-1", "expirationTimestamp": "2030-06-01T13:00:00Z"}},
            {"token": "pod-token-1", "expiration": "2030-06-01T13:00:00Z"},
        ),
        (  # Kubernetes, client certificate
            {"token": "/status/clientCertificateData", "key": "/status/clientKeyData"},
            {"status": {"clientCertificateData": "-----BEGIN\n", "clientKeyData": "-----BEGIN KEY\n"}},
            {"token": "-----BEGIN\n", "key": "-----BEGIN KEY\n"},
        ),
        (  # Vault: login, then a secret with several values
            {"token": "/auth/client_token", "renewable": "/auth/renewable"},
            {"auth": {"client_token": "vault-token-1", "renewable": True, "lease_duration": 0}},
            {"token": "vault-token-1", "renewable": True},
        ),
        (
            {"token": "/data/access_key", "secret": "/data/secret_key"},
            {"data": {"access_key": "access-1", "secret_key": "secret-1"}, "lease_duration": 60},
            {"token": "access-1", "secret": "secret-1"},
        ),
        (  # Elasticsearch
            {"id": "/id", "key": "/api_key", "token": ExtractTable(value="${self.id}:${self.key}")},
            {"id": "VuaCfG", "api_key": "ui2lp2ax", "expiration": 1906000000000},
            {"id": "VuaCfG", "key": "ui2lp2ax", "token": "VuaCfG:ui2lp2ax"},
        ),
        (  # Withings
            {"token": "/body/access_token", "refresh_token": "/body/refresh_token"},
            {"status": 0, "body": {"access_token": "user-token-1", "refresh_token": "refresh-1", "expires_in": 10800}},
            {"token": "user-token-1", "refresh_token": "refresh-1"},
        ),
    ],
    ids=["registry", "kubernetes", "kubernetes certificate", "vault", "vault secret", "elasticsearch", "withings"],
)
def test_answers_of_real_apis(table: Extract, body: Any, found: dict[str, Any]) -> None:
    assert taken(table, reply(body)) == found


@given(
    st.one_of(st.text(), documents.map(json.dumps)),
    st.sampled_from(
        [
            "/a",
            ExtractTable(pointer="", each="/0"),
            ExtractTable(pointer="", where={"/a": {"exists": True}}),
            ExtractTable(regex="(a)|b"),
            ExtractTable(xml="a/b"),
            ExtractTable(body=True),
            ExtractTable(header="X", param="a"),
            ExtractTable(value="${self.above | b64d}"),
        ]
    ),
)
def test_whatever_a_server_answers_it_is_an_output_or_missing(body: str, place: str | ExtractTable) -> None:
    above = ExtractTable(body=True)
    try:
        found = taken({"above": above, "token": place}, Reply(body, {"X": body}))
    except Missing as exc:
        assert exc.output == "token"
    else:
        assert found["token"] and isinstance(found["token"], str)
