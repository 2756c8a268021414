"""The browser step: what it asks for, and which answers it takes."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from forge_cli.client import HttpClient
from forge_cli.config import HttpClientConfig
from forge_cli.errors import (
    ConnectionException,
    MaxRetryException,
    NeedsPerson,
    ProfileError,
    RequestBuildException,
    StepFailed,
    TimeoutException,
)
from forge_cli.login.definition import RequestTable
from forge_cli.login.scope import Scope
from forge_cli.login.steps.browser import Answer, BrowserStep, Expected
from forge_cli.login.work import Person, Result, Work
from forge_cli.models import Deadline, HttpRequest, HttpResponse
from forge_cli.profiles.secrets import Secrets
from forge_cli.redact import REDACTOR
from forge_cli.tokens.unbroken import requested, unbroken
from tests.people import Holder, Somebody, Typist, parameters, shown_url, visit
from tests.server import Reply, Server

NOW = datetime(2026, 1, 1, tzinfo=UTC)
URL = "https://login.example/authorize"
MakeWork = Callable[..., Work]


@pytest.fixture
def work() -> Iterator[MakeWork]:
    """Work of the step `login`, for a person."""
    with HttpClient(HttpClientConfig(allow_redirects=False)) as client:

        def send(table: RequestTable, request: HttpRequest, scope: Scope) -> HttpResponse:
            try:
                return client.request(request)
            except MaxRetryException as exc:
                raise exc.original_exception or exc from None

        def command(argv: Any, env: Any) -> str:
            raise AssertionError("no command is run")

        def make(person: Person | None, seconds: float = 20) -> Work:
            secrets = Secrets({}, environ={}, prompt=None, base_dir=Path())
            scope = Scope(secrets=secrets, vars={"id": "client-1", "announced": True})
            return Work("login", scope, NOW, send, command, lambda s: None, person=person, deadline=Deadline(seconds))

        yield make


def step(url: str = URL, **options: Any) -> BrowserStep:
    options.setdefault("params", {"client_id": "${vars.id}", "scope": "read write"})
    return BrowserStep(kind="browser", url=url, **options)


def back(url: str, **fields: str) -> None:
    """The end of a login at the server: it sends the browser back, with these and the state."""
    asked = parameters(url)
    visit(asked["redirect_uri"] + "?" + urlencode({"state": asked["state"], **fields}))


def good(url: str) -> None:
    back(url, code="auth-code-1")


def ran(work: MakeWork, browser: Callable[[str], None], **options: Any) -> tuple[Result, str]:
    """The result of a step, and the URL that its person was shown."""
    person = Somebody(browser)
    result = step(**options).run(work(person))
    person.done()
    return result, shown_url(person)


def test_the_code_comes_back_with_what_its_exchange_needs(work: MakeWork) -> None:
    result, url = ran(work, good)
    asked = parameters(url)
    assert url.startswith(f"{URL}?")
    assert result.outputs["token"] == result.outputs["code"] == "auth-code-1"
    assert result.outputs["redirect_uri"] == asked["redirect_uri"]
    assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+/callback", asked["redirect_uri"])
    assert result.outputs["state"] == asked["state"]
    assert (result.end.at, result.end.known) == (None, False)
    assert asked["client_id"] == "client-1"
    assert asked["scope"] == "read write"
    assert asked["response_type"] == "code"


def test_pkce_is_always_s256(work: MakeWork) -> None:
    result, url = ran(work, good)
    asked, verifier = parameters(url), str(result.outputs["verifier"])
    assert 43 <= len(verifier) <= 128
    assert re.fullmatch(r"[A-Za-z0-9._~-]+", verifier)
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    assert (asked["code_challenge"], asked["code_challenge_method"]) == (digest, "S256")


def test_state_and_verifier_are_long_and_new_each_time(work: MakeWork) -> None:
    first, second = (ran(work, good)[0].outputs for _ in range(2))
    for name in ("state", "verifier", "redirect_uri"):
        assert first[name] != second[name]
    assert len(base64.urlsafe_b64decode(str(first["state"]) + "==")) >= 16


def test_the_code_and_the_verifier_are_secret_from_then_on(work: MakeWork) -> None:
    result, _ = ran(work, good)
    shown = REDACTOR.text(f"{result.outputs['code']} {result.outputs['verifier']}")
    assert shown == "*** ***"


@pytest.mark.parametrize(("scope", "sent"), [("openid email", True), ("openid-ish", False)])
def test_a_nonce_is_sent_with_openid(work: MakeWork, scope: str, sent: bool) -> None:
    result, url = ran(work, good, params={"client_id": "c", "scope": scope})
    assert ("nonce" in parameters(url), "nonce" in result.outputs) == (sent, sent)
    assert result.outputs.get("nonce") == parameters(url).get("nonce")


def test_a_nonce_of_the_profile_stays(work: MakeWork) -> None:
    result, url = ran(work, good, params={"client_id": "c", "scope": "openid", "nonce": "nonce-1"})
    assert result.outputs["nonce"] == parameters(url)["nonce"] == "nonce-1"


def test_the_endpoints_own_query_stays_and_a_list_repeats(work: MakeWork) -> None:
    _, url = ran(
        work, good, url=f"{URL}?p=policy#top", params={"client_id": "c", "resource": ["https://a", "https://b"]}
    )
    assert url.startswith(f"{URL}?p=policy&client_id=c&resource=https%3A%2F%2Fa&resource=https%3A%2F%2Fb&")
    assert "#" not in url


@pytest.mark.parametrize("name", ["state", "redirect_uri", "code_challenge", "response_type"])
def test_what_forge_sets_itself_cannot_be_set(work: MakeWork, name: str) -> None:
    person = Somebody(good)
    with pytest.raises(ProfileError, match=f"forge sets the parameter {name} itself"):
        step(params={"client_id": "c", name: "x"}).run(work(person))
    assert (person.opened, person.told) == ([], [])


@pytest.mark.parametrize(
    "url",
    [
        "http://login.example/authorize",
        "ftp://login.example/",
        "https://me:pw@login.example/",
        "https://",
        "javascript:x",
    ],
)
def test_an_endpoint_that_is_not_https_is_refused_before_anything_opens(work: MakeWork, url: str) -> None:
    person = Somebody(good)
    with pytest.raises((ProfileError, RequestBuildException)):
        step(url).run(work(person))
    with pytest.raises(ProfileError, match="the URL of `pushed`"):
        step(pushed=RequestTable(url="http://login.example/par")).run(work(person))
    assert (person.opened, person.told) == ([], [])


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/authorize", "http://[::1]/authorize", "http://localhost/authorize"]
)
def test_this_machine_needs_no_https(work: MakeWork, url: str) -> None:
    assert ran(work, good, url=url)[0].outputs["code"] == "auth-code-1"


def test_a_refusal_is_told_in_the_servers_words(work: MakeWork) -> None:
    person = Somebody(lambda url: back(url, error="access_denied", error_description="Ada said no"))
    with pytest.raises(StepFailed, match="refused: access_denied: Ada said no") as caught:
        step().run(work(person))
    assert caught.value.step == "login"


def test_a_refusal_of_several_lines_is_one_line(work: MakeWork) -> None:
    words = "no\nforge: note: all is well\r\u2028\x1b[2K"
    person = Somebody(lambda url: back(url, error="denied", error_description=words))
    with pytest.raises(StepFailed) as caught:
        step().run(work(person))
    assert caught.value.message.endswith(r"refused: denied: no\nforge: note: all is well\r\u2028\x1b[2K")


def test_a_forged_answer_does_not_end_the_login(work: MakeWork) -> None:
    def browser(url: str) -> None:
        asked = parameters(url)
        for query in ("code=evil", "code=evil&state=", "code=evil&state=x", "error=x&state=x", "state=%FF&code=evil"):
            visit(f"{asked['redirect_uri']}?{query}")
        visit(f"{asked['redirect_uri']}?code=evil&code=evil&state={asked['state']}")
        good(url)

    assert ran(work, browser)[0].outputs["code"] == "auth-code-1"


def test_a_state_is_good_once(work: MakeWork) -> None:
    result, url = ran(work, good)
    with pytest.raises(OSError, match="refused"):
        back(url, code="auth-code-2")
    assert result.outputs["code"] == "auth-code-1"


@pytest.mark.parametrize(
    ("options", "iss", "trouble"),
    [
        ({}, "https://evil", None),
        ({"issuer": "https://${vars.id}"}, "https://client-1", None),
        ({"issuer": "https://${vars.id}"}, None, None),
        ({"issuer": "https://a"}, "https://a/", "another issuer"),
        ({"issuer": "https://a", "iss_required": True}, "https://a", None),
        ({"issuer": "https://a", "iss_required": True}, None, "does not say who issued it"),
        ({"issuer": "https://a", "iss_required": "${vars.announced}"}, None, "does not say who issued it"),
        ({"iss_required": "${vars.id}"}, None, None),
    ],
)
def test_the_issuer_in_the_answer_is_checked(
    work: MakeWork, options: dict[str, Any], iss: str | None, trouble: str | None
) -> None:
    person = Somebody(lambda url: back(url, code="auth-code-1", **({} if iss is None else {"iss": iss})))
    if trouble is None:
        assert step(**options).run(work(person)).outputs["code"] == "auth-code-1"
    else:
        with pytest.raises(StepFailed, match=trouble):
            step(**options).run(work(person))


def test_an_answer_without_a_code_is_none(work: MakeWork) -> None:
    with pytest.raises(StepFailed, match="the answer has no code"):
        step().run(work(Somebody(lambda url: back(url, code=""))))


def test_a_code_with_a_control_character_is_refused(work: MakeWork) -> None:
    with pytest.raises(StepFailed, match="control character"):
        step().run(work(Somebody(lambda url: back(url, code="a\r\nb"))))


def test_nobody_comes_back_within_the_time_limit(work: MakeWork) -> None:
    with pytest.raises(TimeoutException, match="nothing came back from the browser"):
        step().run(work(Somebody(lambda url: None), seconds=0.3))


def test_without_a_person(work: MakeWork) -> None:
    with pytest.raises(NeedsPerson, match="step 'login' opens a browser"):
        step().run(work(None))


def test_the_address_is_shown_also_when_no_browser_opens(work: MakeWork) -> None:
    person = Typist(lambda url: f"{parameters(url)['redirect_uri']}?code=c-1&state={parameters(url)['state']}")
    result = step().run(work(person))
    assert result.outputs["code"] == "c-1"
    assert URL in shown_url(person)
    assert any("paste here" in text for text in person.told)


def test_the_browser_and_a_paste_are_waited_for_at_once(work: MakeWork) -> None:
    class Slow(Typist):
        def browse(self, url: str) -> bool:
            Somebody(good).browse(url)  # on another screen, which nobody here knows of
            return False

        def typed(self, seconds: float) -> str | None:
            return None

    assert step().run(work(Slow())).outputs["code"] == "auth-code-1"


def test_what_is_pasted_wrongly_is_asked_for_again(work: MakeWork) -> None:
    person = Typist(
        lambda url: "",
        lambda url: "https://login.example/welcome",
        lambda url: f"{parameters(url)['redirect_uri']}?code=evil&state=x",
        lambda url: "  the code  ",
        lambda url: f"code=c-1&state={parameters(url)['state']}\r",
    )
    assert step().run(work(person)).outputs["code"] == "c-1"
    assert sum("not the answer" in text for text in person.told) == 4


@pytest.mark.parametrize(
    "uri", ["https://app.example/cb", "com.example.app:/cb", "urn:ietf:wg:oauth:2.0:oob", "https://localhost:1/cb"]
)
def test_a_redirect_elsewhere_is_brought_back_by_the_person(work: MakeWork, uri: str) -> None:
    person = Somebody(None, answers=("auth-code-2",))
    result = step(redirect_uri=uri).run(work(person))
    assert (result.outputs["code"], result.outputs["redirect_uri"]) == ("auth-code-2", uri)
    assert parameters(shown_url(person))["redirect_uri"] == uri


@pytest.mark.parametrize("uri", ["http://app.example/cb", "HTTP://app.example/cb", "http://[x", "/cb", ""])
def test_a_code_is_not_sent_over_the_network_in_the_clear(work: MakeWork, uri: str) -> None:
    person = Somebody(good)
    with pytest.raises(ProfileError, match="in the clear"):
        step(redirect_uri=uri).run(work(person))
    assert person.told == []


def test_a_redirect_of_the_profile_has_its_own_path(work: MakeWork) -> None:
    result, _ = ran(work, good, redirect_uri="http://127.0.0.1/done")
    assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+/done", str(result.outputs["redirect_uri"]))


def test_a_pushed_request_carries_the_parameters(server: Server, work: MakeWork) -> None:
    push = server.reply("/par", Reply(201, {"request_uri": "urn:request:1", "expires_in": 60}))
    found: list[dict[str, str]] = []

    def browser(url: str) -> None:
        form = dict(server.seen[0].form)
        found.append(parameters(url))
        visit(f"{form['redirect_uri']}?code=c-1&state={form['state']}")

    person = Somebody(browser)
    request = RequestTable(method="POST", url=push, form={"client_secret": "secret-1"})
    result = step(pushed=request, params={"client_id": "client-1", "note": "a $${b} c"}).run(work(person))
    person.done()
    [seen] = server.seen
    form = dict(seen.form)
    assert found == [{"client_id": "client-1", "request_uri": "urn:request:1"}]
    assert (form["client_secret"], form["note"], form["code_challenge_method"]) == ("secret-1", "a ${b} c", "S256")
    assert (form["redirect_uri"], form["state"]) == (result.outputs["redirect_uri"], result.outputs["state"])


@pytest.mark.parametrize("push_if", [False, "false"])
def test_what_need_not_be_pushed_is_carried_by_the_browser(work: MakeWork, push_if: bool | str) -> None:
    # Nor does it matter where it would go.
    pushed = RequestTable(method="POST", url="${steps.metadata.endpoint}")
    result, url = ran(work, good, pushed=pushed, push_if=push_if)
    assert result.outputs["code"] == "auth-code-1"
    assert "code_challenge" in parameters(url)


@pytest.mark.parametrize(
    ("reply", "trouble"),
    [(Reply(400, {"error": "invalid_request"}), "refused: the status is 400"), (Reply(201, {}), "no '/request_uri'")],
    ids=["refused", "no request_uri"],
)
def test_a_push_that_fails_opens_nothing(server: Server, work: MakeWork, reply: Reply, trouble: str) -> None:
    person = Somebody(good)
    with pytest.raises(StepFailed, match=trouble):
        step(pushed=RequestTable(url=server.reply("/par", reply))).run(work(person))
    assert (person.opened, person.told) == ([], [])


def test_a_push_needs_a_client(work: MakeWork) -> None:
    with pytest.raises(ProfileError, match="needs client_id"):
        step(pushed=RequestTable(url="https://login.example/par"), params={}).run(work(Somebody(good)))


def test_a_push_that_reaches_nobody_stays_what_it_is(work: MakeWork) -> None:
    with pytest.raises(ConnectionException):
        step(pushed=RequestTable(url="http://127.0.0.1:1/par")).run(work(Somebody(good)))


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("4/0AXabc-def_1", Answer("4/0AXabc-def_1")),
        ("?code=c&state=s", Answer("c")),
        ("app:/cb#code=c&state=s", Answer("c")),
        ("app:/cb?error=denied&state=s", Answer(trouble="refused: denied")),
        ("app:/cb?code=c&state=t", None),
        ("app:/cb?code=c", None),
        ("two words", None),
        ("   ", None),
    ],
)
def test_what_a_pasted_line_means(line: str, answer: Answer | None) -> None:
    assert Expected("s").pasted(line) == answer


def test_a_code_alone_is_too_little_where_the_issuer_has_to_be_known() -> None:
    found = Expected("s", "https://a", iss_required=True).pasted("code-1")
    assert found is not None
    assert found.trouble is not None


@given(st.text(st.characters(), max_size=200))
@example("code=x&state=\udc80")
@example("%")
@example("&".join(f"a{n}=" for n in range(100)))
def test_no_line_and_no_query_is_too_strange(text: str) -> None:
    for found in (Expected("s").read(text), Expected("s").pasted(text), Expected("s", "i", True).pasted(f"?{text}")):
        assert found is None or found.code or found.trouble
    assert Expected("s" * 40).read(text) is None


def test_while_the_browser_is_waited_for_the_process_may_be_ended(server: Server, work: MakeWork) -> None:
    push = server.reply("/par", Reply(201, {"request_uri": "urn:request:1", "expires_in": 60}))
    holder, held = Holder(), []

    def browser(url: str) -> None:
        held.append(len(holder))
        form = dict(server.seen[0].form)
        visit(f"{form['redirect_uri']}?code=c-1&state={form['state']}")

    person = Somebody(browser)
    made = work(person)

    def send(table: RequestTable, request: HttpRequest, scope: Scope) -> HttpResponse:
        requested()
        return made.send(table, request, scope)

    with unbroken(holder):
        step(pushed=RequestTable(method="POST", url=push)).run(dataclasses.replace(made, send=send))
    person.done()
    assert held == [0]
