"""E: what an issuer says of itself, of its answers and of its endpoints; two issuers that must not be mixed up."""

from __future__ import annotations

import base64
import hashlib
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode

import pytest

from forge_cli.errors import ForgeError, ProfileError, StepFailed
from tests.browser_login import profile, token
from tests.conftest import Forge
from tests.issuer import ACCESS, ANNOUNCED, Issuer, client, logged_in, outputs
from tests.login_server import LoginServer
from tests.people import Somebody, parameters, shown_url, visit
from tests.server import Reply, Server

SECRET = 'client_secret = "client-secret-1-abcdef"\n'
STEP = 'kind = "browser"'


def test_a_login_at_an_issuer(server: Server) -> None:
    """What the other tests here change one thing of."""
    Issuer(server)
    assert logged_in(server)["token"] == ACCESS


@pytest.mark.parametrize("named", ["URL/", "URL/realm", "https://evil.example", "", None, ["URL"], ...], ids=str)
def test_the_issuer_in_the_metadata_is_the_one_configured(server: Server, named: Any) -> None:
    Issuer(server, issuer=named.replace("URL", server.url) if isinstance(named, str) else named)
    with pytest.raises(StepFailed, match="'/issuer' is"):
        logged_in(server)
    assert {seen.path for seen in server.seen} == {"/.well-known/openid-configuration"}


def test_metadata_that_is_elsewhere_is_not_fetched(server: Server, other_server: Server) -> None:
    Issuer(other_server, issuer=server.url)
    place = "/.well-known/openid-configuration"
    server.reply(place, Reply(302, headers={"Location": other_server.url + place}))
    with pytest.raises(StepFailed, match="302"):
        logged_in(server)
    assert other_server.seen == []


@pytest.mark.parametrize(
    "name", ["authorization_endpoint", "token_endpoint", "jwks_uri", "device_authorization_endpoint"]
)
@pytest.mark.parametrize("url", ["http://login.example/x", "http://127.0.0.1.evil.example/x", "ftp://127.0.0.1/x"])
def test_endpoints_are_https_or_on_this_machine(server: Server, name: str, url: str) -> None:
    Issuer(server, **{name: url})
    person = Somebody(visit)
    grant = "device-code" if name.startswith("device") else "authorization-code"
    with pytest.raises(StepFailed, match=r"is not https|neither http:// nor https://"):
        outputs(client(server, person, grant=grant))
    person.done()
    if name != "jwks_uri":
        # Nobody logs in for nothing.
        assert (person.opened, person.told) == ([], [])
    assert not any(seen.path.endswith(("/device", "/jwks")) for seen in server.seen)


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "https://user:word@login.example/x", "//", 7, ["a"], "/a"], ids=str
)
def test_no_browser_is_sent_to_what_is_no_web_address(server: Server, url: Any) -> None:
    Issuer(server, authorization_endpoint=url)
    person = Somebody(visit)
    with pytest.raises(StepFailed):
        outputs(client(server, person))
    assert (person.opened, person.told) == ([], [])


def test_what_an_issuer_says_wrong_is_a_login_refused_and_no_usage_error(
    forge: Forge, server: Server, profile_file: Callable[[str], Path]
) -> None:
    """Something was sent by then."""
    Issuer(server, token_endpoint="http://login.example/token")
    profile_file(
        f'[profiles.api]\nbase_url = "{server.url}"\n[profiles.api.auth]\ntype = "oauth2"\n'
        f'grant = "client-credentials"\nissuer = "{server.url}"\nclient_id = "client-1"\n{SECRET}'
    )
    result = forge("get", "/x", "--retry", "0")
    assert result.exit_code == 7, result.stderr
    assert "`token_endpoint` in the issuer's metadata is not https" in result.stderr
    assert [seen.path for seen in server.seen] == ["/.well-known/openid-configuration"]


@pytest.mark.parametrize("key", ["url", "pushed"])
def test_endpoints_of_a_step_of_ones_own_too(server: Server, key: str) -> None:
    change = {
        "url": ('url = "/authorize"', 'url = "http://login.example/authorize"'),
        "pushed": (STEP, f'{STEP}\npushed = {{ url = "http://a.example" }}'),
    }[key]
    person = Somebody(visit)
    with pytest.raises(ProfileError, match="is not https"):
        token(profile(server, person, change))
    assert (person.opened, person.told, server.seen) == ([], [], [])


@pytest.mark.parametrize("methods", [..., ["plain"], [], ["plain", "S256"], "none"], ids=str)
def test_pkce_is_s256_whatever_the_metadata_says_of_it(server: Server, methods: Any) -> None:
    issuer = Issuer(server, code_challenge_methods_supported=methods)
    logged_in(server)
    verifier = dict(server.seen_at("/token")[0].form)["code_verifier"]
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    assert issuer.asked[0]["code_challenge"] == challenge
    assert issuer.asked[0]["code_challenge_method"] == "S256"
    assert len(verifier) >= 43


def test_what_pkce_protects_is_checked_by_the_server_of_these_tests(server: Server) -> None:
    """Or the tests above would prove less than they seem to."""
    LoginServer(server)
    with pytest.raises(StepFailed):
        token(profile(server, Somebody(visit), ("${steps.code.verifier}", "A" * 43)))


@pytest.mark.parametrize(
    "query",
    [
        *(
            "code_challenge_method=plain",
            "state=x",
            "redirect_uri=https://evil.example",
            "client%5Fid=other",
            "nonce=1",
        ),
        *("request_uri=https://evil.example", "request=e30.e30.", "a=b&code_challenge=x", "response_type=token"),
    ],
)
def test_an_endpoint_does_not_say_what_forge_says(server: Server, query: str) -> None:
    """Of a parameter that is there twice, a server might take the first."""
    Issuer(server, authorization_endpoint=f"{server.url}/authorize?{query}")
    person = Somebody(visit)
    with pytest.raises(StepFailed, match="the query of `url` has the parameter"):
        outputs(client(server, person))
    assert (person.opened, person.told) == ([], [])


def test_a_query_of_the_endpoints_own_stays(server: Server) -> None:
    issuer = Issuer(server, authorization_endpoint=f"{server.url}/authorize?policy=signin")
    logged_in(server)
    assert issuer.asked[0]["policy"] == "signin"


@pytest.mark.parametrize("iss", ["https://evil.example", "URL/", "", ...], ids=str)
def test_the_issuer_of_an_answer_is_checked_when_it_is_announced(server: Server, iss: Any) -> None:
    issuer = Issuer(server, **{ANNOUNCED: True})
    issuer.answer = {"iss": iss if iss is ... else iss.replace("URL", server.url)}
    with pytest.raises(StepFailed, match="issue"):
        logged_in(server)
    assert server.seen_at("/token") == []


@pytest.mark.parametrize("announced", [True, False, ...], ids=str)
def test_the_right_issuer_is_taken_announced_or_not(server: Server, announced: Any) -> None:
    Issuer(server, **{ANNOUNCED: announced}).answer = {"iss": server.url}
    assert logged_in(server)["token"] == ACCESS


def test_another_issuer_is_refused_also_when_none_was_announced(server: Server) -> None:
    Issuer(server).answer = {"iss": "https://evil.example"}
    with pytest.raises(StepFailed, match="another issuer"):
        logged_in(server)
    assert server.seen_at("/token") == []


def test_another_issuers_refusal_is_not_told_as_this_ones(server: Server) -> None:
    Issuer(server).answer = {"iss": "https://evil.example", "error": "call 555-0100 to unlock", "code": ...}
    with pytest.raises(StepFailed) as caught:
        logged_in(server)
    assert "555" not in str(caught.value)


def test_a_step_that_requires_an_issuer_says_which(server: Server) -> None:
    person = Somebody(visit)
    with pytest.raises(ProfileError, match="`iss_required` says nothing without `issuer`"):
        token(profile(server, person, (STEP, f"{STEP}\niss_required = true")))
    assert (person.opened, server.seen) == ([], [])


def test_a_code_of_one_issuer_is_not_brought_to_another(server: Server, other_server: Server) -> None:
    """A mix-up: the browser is sent on to the honest server, which answers to the other login's callback."""
    Issuer(server, **{ANNOUNCED: True}).answer = {"iss": server.url, "code": "code-of-the-honest"}
    Issuer(other_server)
    person = Somebody(lambda url: visit(url.replace(other_server.url, server.url)))
    with pytest.raises(StepFailed, match="another issuer"):
        outputs(client(other_server, person))
    person.done()
    assert other_server.seen_at("/token") == []


def test_an_answer_to_one_login_does_not_end_another(server: Server, other_server: Server) -> None:
    """Neither of two that wait at the same time takes the state of the other."""
    Issuer(server)
    Issuer(other_server)
    status: list[int] = []

    def first(url: str) -> None:
        def second(inner: str) -> None:
            # Each answer at the wrong callback, and then at the right one.
            for one, other in ((url, inner), (inner, url)):
                query = urlencode({"code": "evil", "state": parameters(one)["state"]})
                try:
                    urllib.request.urlopen(f"{parameters(other)['redirect_uri']}?{query}", timeout=10)
                except HTTPError as exc:
                    status.append(exc.code)
            visit(inner)

        person = Somebody(second)
        outputs(client(other_server, person))
        person.done()
        visit(url)

    person = Somebody(first)
    outputs(client(server, person))
    person.done()
    assert status == [400, 400]
    for each in (server, other_server):
        assert [dict(seen.form)["code"] for seen in each.seen_at("/token")] == ["code-1-abcdef"]


def test_each_login_has_a_callback_and_a_state_of_its_own(server: Server, other_server: Server) -> None:
    at: dict[str, dict[str, str]] = {}
    for each in (server, other_server):
        Issuer(each)
        person = Somebody(visit)
        outputs(client(each, person))
        person.done()
        at[each.url] = parameters(shown_url(person))
    first, second = at.values()
    for name in ("state", "nonce", "code_challenge", "redirect_uri"):
        assert first[name] != second[name]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("way", ["basic", "post"])
def test_a_token_endpoint_that_redirects_is_not_followed(
    server: Server, other_server: Server, status: int, way: str
) -> None:
    Issuer(server, token_endpoint=f"{server.url}/moved")
    server.reply("/moved", Reply(status, headers={"Location": f"{other_server.url}/steal"}))
    other_server.reply("/steal", Reply(200, {"access_token": "evil"}), optional=True)
    with pytest.raises(StepFailed, match=str(status)) as caught:
        outputs(client(server, None, f'{SECRET}client_auth = "{way}"\n', "client-credentials"))
    assert other_server.seen == []
    assert "client-secret-1" not in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_step_that_may_be_redirected_takes_no_code_and_no_secret_along(
    server: Server, other_server: Server, status: int
) -> None:
    LoginServer(server)
    server.reply("/moved", Reply(status, headers={"Location": f"{other_server.url}/steal"}))
    other_server.reply("/steal", Reply(200, {"access_token": "evil"}), optional=True)
    old = 'url = "/token", form = { grant_type = "authorization_code"'
    more = 'redirects = 3, basic = ["client-1", "secret-1"], headers = { X-Client = "secret-2" }'
    moved = old.replace("/token", "/moved").replace("form =", f"{more}, form =")
    with suppress(ForgeError):
        token(profile(server, Somebody(visit), (old, moved)))
    assert server.seen_at("/moved")
    for seen in other_server.seen:
        assert seen.body == b""
        assert (seen.headers["Authorization"], seen.headers["X-Client"]) == (None, None)
        assert "secret-1" not in seen.target


@pytest.mark.parametrize("kind", ["DPoP", "dpop", "MAC", "pop"])
def test_a_token_that_needs_a_proof_is_not_used_as_if_it_needed_none(server: Server, kind: str) -> None:
    Issuer(server).tokens = {"token_type": kind}
    with pytest.raises(StepFailed, match=f"'/token_type' is '{kind}'"):
        logged_in(server)


@pytest.mark.parametrize("kind", ["bearer", "BEARER", "BearerToken", "", None, ...], ids=str)
def test_every_spelling_of_bearer_is_one(server: Server, kind: Any) -> None:
    Issuer(server).tokens = {"token_type": kind}
    assert logged_in(server)["token"] == ACCESS
