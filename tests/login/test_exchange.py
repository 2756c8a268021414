"""One exchange with a real server: what is sent, what counts as success, cookies, redirects, ID tokens."""

from __future__ import annotations

import base64
import dataclasses
import json
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from forge_cli.errors import ForgeError, ProfileError, RedirectException, StepFailed
from forge_cli.login.definition import (
    ExpiresTable,
    Extract,
    ExtractTable,
    PartTable,
    RequestTable,
    SuccessTable,
    UntilTable,
    VerifyTable,
)
from forge_cli.login.exchange import answer, exchange, request_of
from forge_cli.login.jar import Jar
from forge_cli.login.work import Result, Work
from forge_cli.redact import REDACTOR
from tests.login.conftest import NOW
from tests.server import Reply, Seen, Server

MakeWork = Callable[..., Work]
TOKEN: Extract = {"token": "/token"}
GOOD = {"token": "user-token-1"}


def send(url: str, work: Work, *, extract: Extract = TOKEN, **options: Any) -> Result:
    named = ("success", "expires", "refresh_end", "renewing")
    given = {name: options.pop(name) for name in named if name in options}
    return exchange(RequestTable(**{"method": "POST", "url": url, **options}), work, extract=extract, **given)


def cookies(*fields: str) -> list[tuple[str, str]]:
    return [("Set-Cookie", field) for field in fields]


class TestRequests:
    def test_a_multipart_body_has_its_parts(self, server: Server, work: MakeWork) -> None:
        url = server.reply("/login", Reply(body=GOOD))
        parts = {
            "shop": "${vars.shop}",
            "raw": "${vars.raw | b64d}",
            "key": PartTable(content="<${vars.shop}/>", filename="${vars.shop}.xml", type="text/xml"),
        }
        send(url, work(vars={"shop": "acme", "raw": "/wA="}), multipart=parts)
        [seen] = server.seen
        kind, _, boundary = (seen.headers["Content-Type"] or "").partition("; boundary=")
        assert kind == "multipart/form-data"
        first, second, third = seen.body.removesuffix(f"--{boundary}--\r\n".encode()).split(
            f"--{boundary}\r\n".encode()
        )[1:]
        assert first == b'Content-Disposition: form-data; name="shop"\r\n\r\nacme\r\n'
        assert second == b'Content-Disposition: form-data; name="raw"\r\n\r\n\xff\x00\r\n'
        head, _, content = third.partition(b"\r\n\r\n")
        assert b'name="key"; filename="acme.xml"' in head and b"Content-Type: text/xml" in head
        assert content == b"<acme/>\r\n"

    def test_bytes_stay_bytes_in_a_text_body(self, server: Server, work: MakeWork) -> None:
        send(server.reply("/login", Reply(body=GOOD)), work(vars={"raw": "/wA="}), text="${vars.raw | b64d}")
        assert server.seen[0].body == b"\xff\x00"

    def test_what_has_no_text_form_is_an_error_without_a_traceback(self, work: MakeWork) -> None:
        for body in ({"text": "${vars.list}"}, {"multipart": {"a": "${vars.list}"}}, {"basic": ("${vars.list}", "x")}):
            with pytest.raises(ProfileError, match=r"'vars.list' cannot be text"):
                request_of(RequestTable(url="http://localhost/", **body), work(vars={"list": ["a"]}).scope)


class TestSuccess:
    @pytest.mark.parametrize(
        ("reply", "success", "reason"),
        [
            (
                Reply(200, "<form>"),
                SuccessTable(status=302, cookie="sid"),
                "the status is 200, and `success` wants 302",
            ),
            (Reply(302), SuccessTable(status=302, cookie="sid"), "the answer sets no cookie 'sid'"),
            (
                Reply(302, headers=cookies("sid=; Max-Age=0")),
                SuccessTable(status=302, cookie="sid"),
                "the answer sets no cookie 'sid'",
            ),
            (Reply(200, {"status": 401}), SuccessTable(body={"/status": 0}), "'/status' is 401"),
            (
                Reply(200, GOOD, {"X-Shop": "other"}),
                SuccessTable(header={"X-Shop": "${vars.shop}"}),
                "header 'X-Shop' is 'other'",
            ),
            (Reply(200, {"shop": "other"}), SuccessTable(body={"/shop": ["${vars.shop}"]}), "'/shop' is 'other'"),
            (Reply(200, "<html>"), SuccessTable(body={"/ok": True}), "'/ok' is absent"),
        ],
    )
    def test_what_does_not_hold_is_named(
        self, server: Server, work: MakeWork, reply: Reply, success: SuccessTable, reason: str
    ) -> None:
        url = server.reply("/login", reply)
        with pytest.raises(StepFailed) as caught:
            send(url, work(), success=success)
        assert caught.value.message.split("\n")[0] == f"login step 'user': refused: {reason}"
        assert caught.value.status == reply.status

    @pytest.mark.parametrize(
        ("reply", "success"),
        [
            (Reply(302, headers=cookies("sid=session-value-1")), SuccessTable(status=302, cookie="sid")),
            (Reply(200, GOOD, {"X-Shop": "acme"}), SuccessTable(header={"x-shop": "${vars.shop}"})),
            (Reply(201, {"limit": 10}), SuccessTable(status=[200, 201], body={"/limit": "${vars.limit}"})),
            (Reply(201, GOOD), SuccessTable(status="${response.status}")),
        ],
    )
    def test_an_answer_that_passes_is_taken(
        self, server: Server, work: MakeWork, reply: Reply, success: SuccessTable
    ) -> None:
        extract: Extract = {"token": ExtractTable(value="x-${response.status}")}
        result = send(server.reply("/login", reply), work(), success=success, extract=extract)
        assert result.outputs == {"token": f"x-{reply.status}"}

    def test_an_answer_is_a_reference(self, server: Server, work: MakeWork) -> None:
        url = server.reply("/login", Reply(200, "code=abc", {"x-next": "next-1"}))
        extract: Extract = {
            "token": ExtractTable(value="${response.headers.X-Next}"),
            "code": ExtractTable(value='${response.body | regex("code=(.+)")}'),
            "at": ExtractTable(value="${response.url}"),
            "no": ExtractTable(value="${response.headers.X-No}", optional=True),
            "none": ExtractTable(value="${response.nothing}", optional=True),
        }
        assert send(url, work(), extract=extract).outputs == {"token": "next-1", "code": "abc", "at": url}


class TestFailures:
    def test_the_message_has_step_request_status_body_and_reason(self, server: Server, work: MakeWork) -> None:
        url = server.reply("/login", Reply(403, {"error": "wrong password"}))
        with pytest.raises(StepFailed) as caught:
            send(url, work(), query={"api_key": "leaked-key-1", "shop": "acme"})
        assert caught.value.message == (
            "login step 'user': refused: the status is 403\n"
            f"  POST {url}?api_key=***&shop=acme -> 403 Forbidden\n"
            '  {"error": "wrong password"}'
        )

    def test_a_missing_output_is_named_and_those_found_are_masked(self, server: Server, work: MakeWork) -> None:
        url = server.reply("/login", Reply(200, {"odd": "leaked value one", "other": "x"}))
        with pytest.raises(StepFailed) as caught:
            send(url, work(), extract={"odd": "/odd", **TOKEN})
        assert caught.value.message.startswith("login step 'user': the answer has no '/token' for 'token'\n")
        assert '{"odd": "***", "other": "x"}' in caught.value.message
        assert caught.value.hint == "check `extract` in this step"

    def test_a_huge_answer_costs_little(self, server: Server, work: MakeWork) -> None:
        REDACTOR.add("secret-value-of-a-test")
        url = server.reply("/login", Reply(400, 'a="b" ' * 2_000_000))
        started = time.perf_counter()
        with pytest.raises(StepFailed) as caught:
            send(url, work())
        assert len(caught.value.message) < 700
        assert time.perf_counter() - started < 5


LOGIN_PAGE = '<input type="hidden" name="csrfmiddlewaretoken" value="form-token-1">'


class TestJars:
    def test_a_jar_is_kept_from_step_to_step(self, server: Server, work: MakeWork) -> None:
        """Django: the form's token and cookie, then the login that rotates them, with redirects off."""
        url = server.reply(
            "/login/", Reply(200, LOGIN_PAGE, cookies("csrftoken=first-csrf-token; Path=/")), method="GET"
        )

        def login(seen: Seen) -> Reply:
            assert seen.headers["Cookie"] == "csrftoken=first-csrf-token"
            assert ("csrfmiddlewaretoken", "form-token-1") in seen.form
            assert seen.headers["Referer"] == url
            return Reply(302, headers=[("Location", "/"), *cookies(
                "csrftoken=second-csrf-token; Path=/; Max-Age=31449600",
                "sessionid=session-value-1; Path=/; HttpOnly; Max-Age=1209600",
            )])  # fmt: skip

        server.reply("/login/", login, method="POST")
        jars: dict[str, Jar] = {}
        first = work()
        first.jars.update(jars)
        pattern = 'name="csrfmiddlewaretoken" value="([^"]+)"'
        page = send(url, first, method="GET", cookies="site", extract={"token": ExtractTable(regex=pattern)})
        second = work(steps={"page": page.outputs})
        second.jars.update(first.jars)
        result = send(
            url,
            second,
            cookies="site",
            headers={"Referer": url},
            form={"username": "ada", "csrfmiddlewaretoken": "${steps.page.token}"},
            success=SuccessTable(status=302, cookie="sessionid"),
            extract={
                "token": ExtractTable(cookie="sessionid"),
                "csrf": ExtractTable(value="${cookies.site.csrftoken}"),
            },
            expires=ExpiresTable(cookie="sessionid"),
        )
        assert result.outputs == {"token": "session-value-1", "csrf": "second-csrf-token"}
        assert result.end.at == NOW + timedelta(seconds=1209600)
        assert second.jars["site"].values == {"csrftoken": "second-csrf-token", "sessionid": "session-value-1"}

    def test_a_request_without_a_jar_sends_and_keeps_no_cookies(self, server: Server, work: MakeWork) -> None:
        url = server.reply("/login", Reply(200, GOOD, cookies("sid=session-value-1")))
        made = work()
        send(url, made)
        send(url, made)
        assert [seen.headers["Cookie"] for seen in server.seen] == [None, None]
        assert made.jars == {}

    def test_cookies_that_the_step_states_go_before_those_of_the_jar(self, server: Server, work: MakeWork) -> None:
        url = server.reply("/login", Reply(200, GOOD, cookies("sid=session-é; Path=/")))
        made = work()
        for _ in range(2):
            send(url, made, cookies="site", headers={"cookie": "mine=1"})
        assert [seen.headers["Cookie"].encode("latin-1").decode() for seen in server.seen] == [
            "mine=1",
            "mine=1; sid=session-é",
        ]

    def test_each_hop_is_sent_the_cookies_of_those_before_it(self, server: Server, work: MakeWork) -> None:
        server.reply("/start", Reply(302, headers=[("Location", "/auth"), *cookies("one=first-cookie; Path=/")]))
        server.reply("/auth", Reply(303, headers=[("Location", "/done?x=1"), *cookies("two=other-cookie; Path=/")]))
        server.reply("/done", Reply(200, GOOD, cookies("one=; Path=/; Max-Age=0")))
        made = work()
        result = send(
            f"{server.url}/start",
            made,
            cookies="site",
            redirects=2,
            form={"a": "b"},
            success=SuccessTable(cookie="two"),
            extract={**TOKEN, "two": ExtractTable(cookie="two")},
        )
        assert [(seen.method, seen.target, seen.headers["Cookie"], seen.body) for seen in server.seen] == [
            ("POST", "/start", None, b"a=b"),
            ("GET", "/auth", "one=first-cookie", b""),
            ("GET", "/done?x=1", "one=first-cookie; two=other-cookie", b""),
        ]
        assert result.outputs == {"token": "user-token-1", "two": "other-cookie"}
        assert made.jars["site"].values == {"two": "other-cookie"}

    def test_a_redirect_that_keeps_the_method_keeps_the_body(self, server: Server, work: MakeWork) -> None:
        server.reply("/start", Reply(307, headers={"Location": "/there"}))
        server.reply("/there", Reply(200, GOOD))
        options: dict[str, Any] = {"cookies": "site", "redirects": 1, "query": {"q": 1}, "basic": ("ada", "password-1")}
        send(f"{server.url}/start", work(), json={"a": 1}, headers={"X-Key": "key-1"}, **options)
        first, second = server.seen
        assert (second.method, second.target, second.json()) == ("POST", "/there", {"a": 1})
        assert second.headers["X-Key"] == "key-1"
        assert second.headers["Authorization"] == first.headers["Authorization"]

    def test_another_origin_gets_no_credential_of_the_step(
        self, server: Server, other_server: Server, work: MakeWork
    ) -> None:
        there = other_server.reply("/there", Reply(200, GOOD))
        url = server.reply("/start", Reply(302, headers=[("Location", there), *cookies("sid=session-value-1; Path=/")]))
        options: dict[str, Any] = {"cookies": "site", "redirects": 1, "basic": ("ada", "password-1"), "method": "GET"}
        send(url, work(), headers={"X-Device": "device-1", "Accept": "text/html"}, **options)
        [seen] = other_server.seen
        assert (seen.headers["Authorization"], seen.headers["X-Device"]) == (None, None)
        assert seen.headers["Accept"] == "text/html"

    def test_a_body_is_not_carried_to_another_origin(
        self, server: Server, other_server: Server, work: MakeWork
    ) -> None:
        there = other_server.reply("/there", Reply(200, GOOD), optional=True)
        url = server.reply("/start", Reply(307, headers={"Location": there}))
        with pytest.raises(RedirectException, match="would send this request's body"):
            send(url, work(), cookies="site", redirects=1, json={"a": 1})
        assert other_server.seen == []

    def test_only_so_many_redirects_are_followed(self, server: Server, work: MakeWork) -> None:
        url = server.reply("/start", Reply(302, headers={"Location": "/next"}))
        server.reply("/next", Reply(302, headers={"Location": "/last"}))
        with pytest.raises(RedirectException, match="more than 1 redirects"):
            send(url, work(), cookies="site", redirects=1)

    def test_a_page_may_be_seen_again_with_other_cookies_but_not_with_the_same(
        self, server: Server, work: MakeWork
    ) -> None:
        check = [("Location", "/start"), *cookies("seen=some-cookie; Path=/")]
        url = server.reply("/start", Reply(302, headers=check), Reply(200, GOOD), Reply(302, headers=check))
        assert send(url, work(), method="GET", cookies="site", redirects=5).outputs == GOOD
        with pytest.raises(RedirectException, match="round in a circle"):
            send(url, work(), method="GET", cookies="site", redirects=5)

    def test_without_redirects_none_is_followed(self, server: Server, work: MakeWork) -> None:
        url = server.reply("/start", Reply(302, headers={"Location": "/next"}))
        response = answer(RequestTable(url=url, cookies="site"), work())
        assert (response.status_code, response.history) == (302, ())

    def test_the_first_address_and_the_last_are_named(self, server: Server, work: MakeWork) -> None:
        url = server.reply("/start", Reply(302, headers=[("Location", "/next"), *cookies("sid=session-value-1")]))
        server.reply("/next", Reply(400))
        with pytest.raises(StepFailed) as caught:
            send(url, work(), method="GET", redirects=1)
        assert f"  GET {url} (redirected to {server.url}/next) -> 400" in caught.value.message


@pytest.mark.parametrize("jar", [None, "site"], ids=["no jar", "a jar"])
class TestAnotherOrigin:
    """B1: whatever a step says is its secret, under any name."""

    def test_it_gets_no_header_of_the_step(
        self, server: Server, other_server: Server, work: MakeWork, jar: str | None
    ) -> None:
        there = other_server.reply("/there", Reply(200, GOOD))
        url = server.reply("/start", Reply(302, headers={"Location": there}))
        headers = {"X-S": "canary-1", "X-Device": "canary-2", "Accept-Language": "de"}
        send(url, work(), method="GET", cookies=jar, redirects=1, headers=headers, basic=("ada", "canary-3"))
        [seen] = other_server.seen
        assert "canary" not in str(seen.headers)
        assert seen.headers["Authorization"] is None
        assert seen.headers["Accept-Language"] == "de"

    def test_it_gets_no_query_of_the_step_that_the_server_repeats(
        self, server: Server, other_server: Server, work: MakeWork, jar: str | None
    ) -> None:
        there = other_server.reply("/there", Reply(200, GOOD))
        server.reply("/start", Reply(302, headers={"Location": f"{there}?k=canary-1&ticket=a&%6f=canary-2"}))
        send(f"{server.url}/start?o=canary-2", work(), method="GET", cookies=jar, redirects=1, query={"k": "canary-1"})
        assert other_server.seen[0].query == [("ticket", "a")]

    @pytest.mark.parametrize("status", [307, 308])
    def test_it_gets_no_body(
        self, server: Server, other_server: Server, work: MakeWork, jar: str | None, status: int
    ) -> None:
        there = other_server.reply("/there", Reply(200, GOOD), optional=True)
        url = server.reply("/start", Reply(status, headers={"Location": there}))
        with pytest.raises(RedirectException, match="would send this request's body"):
            send(url, work(), cookies=jar, redirects=1, form={"a": "canary-1"})
        assert other_server.seen == []


WHOLE: Extract = {
    "token": ExtractTable(pointer="/wrong", alternatives=(ExtractTable(pointer="/data/at"),)),
    "other": "/data/ot",
    "several": "/data/list",
    "code": "/data/otp",
}
BODY: dict[str, Any] = {
    "data": {"at": "canary one", "ot": "canary-2-zz81", "list": [{"x": "canary 3"}], "otp": 834111},
    "ok": False,
    "state": "MFA_REQUIRED",
    "error": "invalid_grant",
    "page": "https://login.example/realms/x/help",
    "unnamed": "canary-4-zz81",
    "words": "a text with canary5canary5canary5 in it",
}


class TestWhatAFailureShows:
    """B5: an answer that failed may hold good credentials all the same."""

    @pytest.mark.parametrize(
        ("success", "extract"),
        [
            (SuccessTable(body={"/ok": True}), WHOLE),
            (SuccessTable(body={"/data/ot": "x"}), WHOLE),
            (None, {**WHOLE, "missing": "/nowhere"}),
            (None, {"missing": "/nowhere", **WHOLE}),
        ],
        ids=["refused", "the value is quoted", "missing after them", "missing before them"],
    )
    def test_is_no_credential(
        self, server: Server, work: MakeWork, success: SuccessTable | None, extract: Extract
    ) -> None:
        with pytest.raises(StepFailed) as caught:
            send(server.reply("/login", Reply(200, BODY)), work(), success=success, extract=extract)
        message = caught.value.message
        assert "canary" not in message
        assert "834111" not in message
        for said in ("MFA_REQUIRED", "invalid_grant", "https://login.example/realms/x/help", '"unnamed"'):
            assert said in message

    def test_is_no_output_that_a_test_or_the_status_line_quotes(self, server: Server, work: MakeWork) -> None:
        raw = b'HTTP/1.1 200 canaryword\r\nContent-Length: 19\r\n\r\n{"x": "canaryword"}'
        with pytest.raises(StepFailed) as caught:
            send(
                server.reply("/login", Reply(raw=raw)),
                work(),
                success=SuccessTable(body={"/x": "ok"}),
                extract={**TOKEN, "password": "/x"},
            )
        assert "refused: '/x' is '***'\n" in caught.value.message
        assert "canary" not in caught.value.message

    def test_is_all_of_an_answer_that_says_itself_that_it_is_none(self, server: Server, work: MakeWork) -> None:
        url = server.reply("/login", Reply(400, {"trace": "AADSTS70011:a1b2", "at": "canary one"}))
        with pytest.raises(StepFailed) as caught:
            send(url, work(), extract={"token": "/at"})
        assert "AADSTS70011:a1b2" in caught.value.message
        assert "canary" not in caught.value.message


class TestOutputs:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("state", "active"),
            ("kind", "bearer"),
            ("region", "eu-west-1"),
            ("at", "2026-01-01T01:00:00Z"),
            ("token_endpoint", "https://login.example/realms/x/token"),
            ("place", "http://127.0.0.1:8080/v1/login"),
        ],
    )
    def test_that_say_something_stay_readable(self, server: Server, work: MakeWork, name: str, value: str) -> None:
        send(server.reply("/login", Reply(200, {"it": value, **GOOD})), work(), extract={name: "/it", **TOKEN})
        assert REDACTOR.text(f"POST {value}/x") == f"POST {value}/x"

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("token", "active"),
            ("refresh_token", "bearer"),
            ("id_token", "eu-west-1"),
            ("client_secret", "https://login.example/"),
            ("password", "spring"),
            ("code", "word"),
            ("assertion", "word"),
            ("cookie", "session"),
            ("session", "word-of-mine"),
            ("place", "https://ada:word@login.example/"),
            ("place", "https://login.example/?key=word"),
            ("place", "https://login.example/c/AbC123dEf456GhI789"),
            ("any", "3f2c9a81bb"),
        ],
    )
    def test_that_are_credentials_are_masked(self, server: Server, work: MakeWork, name: str, value: str) -> None:
        extract = {**TOKEN, name: "/it"}
        send(server.reply("/login", Reply(200, {**GOOD, "it": value})), work(), extract=extract)
        assert value not in REDACTOR.text(f"<{value}>")


class TestRenewals:
    @pytest.mark.parametrize(
        ("table", "body", "seconds"),
        [
            (UntilTable(ttl=60), {"r": "refresh-2"}, 60),
            (UntilTable(ttl=60), {"r": "refresh-1"}, None),
            (UntilTable(ttl=60), {}, None),
            (UntilTable(in_="/ends"), {"ends": 90}, 90),
            (UntilTable(in_="/ends"), {"r": "refresh-2"}, None),
            (None, {"r": "refresh-2"}, None),
        ],
    )
    def test_a_fixed_life_of_a_refresh_token_begins_only_with_a_new_one(
        self, server: Server, work: MakeWork, table: UntilTable | None, body: dict[str, Any], seconds: int | None
    ) -> None:
        url = server.reply("/refresh", Reply(200, {**GOOD, **body}))
        extract: Extract = {**TOKEN, "refresh_token": ExtractTable(pointer="/r", optional=True)}
        made = work(own={"token": "user-token-0", "refresh_token": "refresh-1"})
        result = send(url, made, extract=extract, refresh_end=table, renewing=True)
        assert result.until == (None if seconds is None else NOW + timedelta(seconds=seconds))

    def test_a_token_that_is_not_extracted_stays(self, server: Server, work: MakeWork) -> None:
        url = server.reply("/touch", Reply(204))
        assert send(url, work(own=GOOD), extract={}, renewing=True).outputs == {}
        with pytest.raises(StepFailed, match="the token is empty"):
            send(url, work(own=GOOD), extract={})


KEY = RSAKey.generate_key(2048, {"kid": "k1"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "k1"})
CLAIMS = {"iss": "https://issuer.example", "aud": "client-1", "sub": "ada", "nonce": "nonce-1"}


def id_token(key: RSAKey = KEY, **claims: Any) -> str:
    times = {"iat": int(NOW.timestamp()), "exp": int(NOW.timestamp()) + 60}
    whole = {**CLAIMS, **times, **claims}
    return jwt.encode({"alg": "RS256", "kid": "k1"}, {k: v for k, v in whole.items() if v is not None}, key)


class TestVerifying:
    @pytest.fixture
    def unable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without the library that verifies."""
        monkeypatch.delitem(sys.modules, "forge_cli.login.jose", raising=False)
        monkeypatch.setitem(sys.modules, "joserfc.errors", None)

    def test_an_optional_token_that_nobody_can_verify_is_not_handed_on(
        self, server: Server, work: MakeWork, unable: None
    ) -> None:
        assert self.verify(server, self.scope(work), id_token()).outputs == GOOD

    def test_a_token_that_must_be_there_and_that_nobody_can_verify_is_an_error(
        self, server: Server, work: MakeWork, unable: None
    ) -> None:
        with pytest.raises(ProfileError, match="needs joserfc"):
            self.verify(
                server, self.scope(work), id_token(), place=lambda known: dataclasses.replace(known, optional=False)
            )

    def verify(self, server: Server, work: Work, token: Any, **options: Any) -> Result:
        url = server.reply("/login", Reply(200, {"id_token": token, **GOOD}))
        keys = options.pop("keys", Reply(200, {"keys": [KEY.as_dict(private=False)]}))
        table = VerifyTable(
            jwks=server.reply("/jwks", keys, optional=True),
            issuer="https://${vars.issuer}",
            audience="client-1",
            nonce="${vars.nonce}",
        )
        place = ExtractTable(pointer="/id_token", optional=True, verify=table)
        extract: Extract = {**TOKEN, "id_token": options.pop("place", lambda known: known)(place)}
        return send(url, work, extract=extract, **options)

    def scope(self, work: MakeWork, **values: Any) -> Work:
        return work(vars={"issuer": "issuer.example", "nonce": "nonce-1"}, **values)

    def test_a_good_token_is_handed_on(self, server: Server, work: MakeWork) -> None:
        token = id_token()
        result = self.verify(server, self.scope(work), token, expires=ExpiresTable(jwt="id_token"))
        assert result.outputs["id_token"] == token
        assert result.end.at == NOW + timedelta(seconds=60)
        assert [seen.path for seen in server.seen] == ["/login", "/jwks"]

    def test_an_empty_nonce_is_none_where_no_nonce_was_sent(self, server: Server, work: MakeWork) -> None:
        token = id_token(nonce=None)
        made = work(vars={"issuer": "issuer.example", "nonce": ""})
        assert self.verify(server, made, token).outputs["id_token"] == token

    def test_also_at_an_alternative_place(self, server: Server, work: MakeWork) -> None:
        with pytest.raises(StepFailed, match="another audience"):
            self.verify(
                server,
                self.scope(work),
                id_token(aud="client-2"),
                place=lambda known: ExtractTable(pointer="/none", alternatives=(known,)),
            )

    def test_an_optional_token_that_is_absent_needs_no_keys(self, server: Server, work: MakeWork) -> None:
        assert self.verify(server, self.scope(work), None).outputs == GOOD
        assert [seen.path for seen in server.seen] == ["/login"]

    @pytest.mark.parametrize(
        ("token", "reason"),
        [
            (id_token(OTHER_KEY), "has a wrong signature"),
            (id_token(iss="https://evil.example"), "is from another issuer"),
            (id_token(aud="client-2"), "is for another audience"),
            (id_token(nonce="nonce-2"), "its nonce differs"),
            (id_token(nonce=None), "its nonce differs"),
            (id_token(exp=int(NOW.timestamp()) - 600), "has expired"),
            ("not-a-jwt", "is no signed JWT"),
            (5, "is no signed JWT"),
        ],
        ids=["signature", "issuer", "audience", "nonce", "no nonce", "expired", "no jwt", "a number"],
    )
    def test_a_bad_token_fails_the_step(self, server: Server, work: MakeWork, token: Any, reason: str) -> None:
        with pytest.raises(
            StepFailed, match=f"login step 'user': output 'id_token' is not accepted: .*{reason}"
        ) as caught:
            self.verify(server, self.scope(work), token)
        assert str(token) not in caught.value.message or token == 5

    @pytest.mark.parametrize(
        ("keys", "reason"),
        [
            (Reply(503), "the status is 503"),
            (Reply(200, "<html>"), "the answer is no JSON table"),
            (Reply(200, []), "the answer is no JSON table"),
        ],
    )
    def test_keys_that_cannot_be_had_fail_the_step(
        self, server: Server, work: MakeWork, keys: Reply, reason: str
    ) -> None:
        with pytest.raises(StepFailed, match=f"the keys for output 'id_token' cannot be had: {reason}"):
            self.verify(server, self.scope(work), id_token(), keys=keys)

    def test_keys_come_over_https_or_from_this_machine(self, server: Server, work: MakeWork) -> None:
        url = server.reply("/login", Reply(200, {"id_token": id_token(), **GOOD}))
        table = VerifyTable(jwks="http://issuer.example/jwks", issuer="x", audience="x")
        with pytest.raises(ForgeError, match="is not https"):
            send(url, work(), extract={**TOKEN, "id_token": ExtractTable(pointer="/id_token", verify=table)})

    @pytest.mark.parametrize(
        ("claims", "reason"),
        [
            ({"nonce": None}, None),
            ({}, None),
            ({"nonce": "nonce-2"}, "its 'nonce' is not that of the one before"),
            ({"sub": "eve"}, "its 'sub' is not that of the one before"),
            ({"sub": "eve", "nonce": None}, "its 'sub' is not that of the one before"),
        ],
        ids=["no nonce", "same", "other nonce", "other person", "other person, no nonce"],
    )
    def test_a_renewed_token_is_about_the_same_person_and_may_lack_the_nonce(
        self, server: Server, work: MakeWork, claims: dict[str, Any], reason: str | None
    ) -> None:
        own = {"token": "user-token-0", "id_token": id_token(iat=1)}
        made = work(vars={"issuer": "issuer.example"}, own=own)
        token = id_token(**claims)
        if reason is None:
            assert self.verify(server, made, token, renewing=True).outputs["id_token"] == token
            return
        with pytest.raises(StepFailed, match=reason):
            self.verify(server, made, token, renewing=True)


STS = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>access-key-1</AccessKeyId><SecretAccessKey>secret-key-1</SecretAccessKey>
<SessionToken>session-token-1</SessionToken><Expiration>2026-01-01T01:00:00Z</Expiration>
</Credentials></AssumeRoleResult></AssumeRoleResponse>"""
CREDENTIALS = "AssumeRoleResponse/AssumeRoleResult/Credentials"
NEVER = (None, True)


@pytest.mark.parametrize(
    ("reply", "extract", "options", "outputs", "end"),
    [
        pytest.param(
            Reply(200, STS),
            {
                "token": ExtractTable(xml=f"{CREDENTIALS}/SessionToken"),
                "access_key": ExtractTable(xml=f"{CREDENTIALS}/AccessKeyId"),
                "secret_key": ExtractTable(xml=f"{CREDENTIALS}/SecretAccessKey"),
                "expiration": ExtractTable(xml=f"{CREDENTIALS}/Expiration"),
            },
            {"expires": ExpiresTable(output="expiration", unit="iso")},
            {
                "token": "session-token-1",
                "access_key": "access-key-1",
                "secret_key": "secret-key-1",
                "expiration": "2026-01-01T01:00:00Z",
            },
            (NOW + timedelta(hours=1), True),
            id="AWS STS",
        ),
        pytest.param(
            Reply(200, {"status": 0, "body": {"access_token": "a-1", "refresh_token": "r-1", "expires_in": 10800}}),
            {"token": "/body/access_token", "refresh_token": "/body/refresh_token"},
            {"success": SuccessTable(body={"/status": 0}), "expires": ExpiresTable(in_="/body/expires_in")},
            {"token": "a-1", "refresh_token": "r-1"},
            (NOW + timedelta(hours=3), True),
            id="Withings",
        ),
        pytest.param(
            Reply(200, {"auth": {"client_token": "vault-token-1", "lease_duration": 0, "renewable": False}}),
            {"token": "/auth/client_token"},
            {"expires": ExpiresTable(in_="/auth/lease_duration", zero="never")},
            {"token": "vault-token-1"},
            NEVER,
            id="Vault",
        ),
        pytest.param(
            Reply(200, {"access_token": "registry-token-1", "issued_at": "2025-12-31T23:59:30Z"}),
            {"token": ExtractTable(pointer="/token", alternatives=("/access_token",))},
            {"expires": ExpiresTable(in_="/expires_in", default=60, from_="/issued_at")},
            {"token": "registry-token-1"},
            (NOW + timedelta(seconds=30), True),
            id="a registry",
        ),
        pytest.param(
            Reply(201, {"status": {"token": "pod-token-1", "expirationTimestamp": "2026-01-01T01:00:00Z"}}),
            {"token": "/status/token"},
            {"expires": ExpiresTable(at="/status/expirationTimestamp", unit="iso")},
            {"token": "pod-token-1"},
            (NOW + timedelta(hours=1), True),
            id="Kubernetes",
        ),
        pytest.param(
            Reply(200, [{"id": 1, "account": {"login": "x"}}, {"id": 2, "account": {"login": "acme"}}]),
            {"token": ExtractTable(pointer="", where={"/account/login": "${vars.shop}"}, each="/id")},
            {"method": "GET"},
            {"token": "2"},
            (None, False),
            id="a GitHub app",
        ),
        pytest.param(
            Reply(200, b"", [("x-csrf-token", "csrf-token-1"), *cookies("SAP_SESSIONID=session-value-1; path=/")]),
            {"token": ExtractTable(header="X-CSRF-Token")},
            {"method": "GET", "headers": {"X-CSRF-Token": "Fetch"}, "expires": ExpiresTable(ttl=1800)},
            {"token": "csrf-token-1"},
            (NOW + timedelta(minutes=30), True),
            id="SAP",
        ),
        pytest.param(
            Reply(200, {"id": "id-1", "api_key": "key-1"}),
            {"id": "/id", "key": "/api_key", "token": ExtractTable(value="${self.id}")},
            {"expires": ExpiresTable(at="/expiration", unit="ms")},
            {"id": "id-1", "key": "key-1", "token": "id-1"},
            (None, False),
            id="Elasticsearch",
        ),
    ],
)
def test_logins_of_real_apis(
    server: Server,
    work: MakeWork,
    reply: Reply,
    extract: Extract,
    options: dict[str, Any],
    outputs: dict[str, Any],
    end: tuple[Any, bool],
) -> None:
    result = send(server.reply("/login", reply), work(), extract=extract, **options)
    assert result.outputs == outputs
    assert (result.end.at, result.end.known) == end


def test_withings_refuses_inside_a_200(server: Server, work: MakeWork) -> None:
    url = server.reply("/v2/oauth2", Reply(200, {"status": 401, "error": "invalid token"}))
    with pytest.raises(StepFailed, match="refused: '/status' is 401") as caught:
        send(url, work(), success=SuccessTable(body={"/status": 0}), extract={"token": "/body/access_token"})
    assert "invalid token" in caught.value.message


def test_outputs_are_masked_whatever_they_were_made_of(server: Server, work: MakeWork) -> None:
    url = server.reply("/login", Reply(200, {"a": "Output-part-a1", **GOOD}))
    extract: Extract = {"a": "/a", **TOKEN, "joined": ExtractTable(value="${self.a | b64}")}
    send(url, work(), extract=extract)
    coded = base64.b64encode(b"Output-part-a1").decode()
    assert REDACTOR.text(f"Output-part-a1 {coded}") == "*** ***"


def test_the_body_is_read_as_json_once(server: Server, work: MakeWork, monkeypatch: pytest.MonkeyPatch) -> None:
    url = server.reply("/login", Reply(200, {**GOOD, "expires_in": 5, "ok": True}))
    counted: list[str] = []
    real = json.loads

    def loads(text: str) -> Any:
        counted.append(text)
        return real(text)

    monkeypatch.setattr("forge_cli.login.exchange.json.loads", loads)
    send(url, work(), success=SuccessTable(body={"/ok": True}), expires=ExpiresTable(in_="/expires_in"))
    assert len(counted) == 1
