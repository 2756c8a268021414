from __future__ import annotations

import json
from base64 import b64decode, urlsafe_b64decode
from pathlib import Path
from typing import Any

import pytest

from forge_cli.errors import ConnectionException, ProfileError, StepFailed
from forge_cli.login.endpoint import EndpointTable
from forge_cli.profiles.build import Profile
from forge_cli.profiles.document import load_document
from forge_cli.profiles.validate import describe, problems
from forge_cli.redact import REDACTOR
from tests.logins import made
from tests.people import Somebody, parameters, visit
from tests.server import Reply, Seen, Server

TOKEN = {"access_token": "access-1", "token_type": "Bearer", "expires_in": 3600}


def oauth(server: Server, keys: str, *, environ: dict[str, str] | None = None) -> Profile:
    text = f'[profiles.demo.auth]\ntype = "oauth2"\n{keys}\n'
    return made(text, server.url, environ=environ)


def asked(server: Server, keys: str, **answer: Any) -> Seen:
    """The token request of a login with these keys."""
    server.reply("/token", Reply(body={**TOKEN, **answer}))
    profile = oauth(server, f'token_url = "/token"\n{keys}')
    profile.login.pipeline.obtain(["token"])
    return server.seen_at("/token")[-1]


def claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def test_password_grant(server: Server) -> None:
    seen = asked(server, 'grant = "password"\nclient_id = "c"\nusername = "ada"\npassword = "p"\nscope = "a b"')
    assert dict(seen.form) == {
        "grant_type": "password", "username": "ada", "password": "p", "scope": "a b", "client_id": "c"
    }  # fmt: skip


def test_token_exchange(server: Server) -> None:
    keys = 'grant = "token-exchange"\nclient_id = "c"\nclient_secret = "s"\nsubject_token = "t"'
    keys += '\nactor_token = "a"\naudience = "x"'
    seen = asked(server, keys)
    kind = "urn:ietf:params:oauth:token-type:access_token"
    assert dict(seen.form) == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": "t",
        "subject_token_type": kind,
        "actor_token": "a",
        "actor_token_type": kind,
        "audience": "x",
    }
    assert b64decode((seen.headers["Authorization"] or "").removeprefix("Basic ")) == b"c:s"


def test_a_given_refresh_token_is_used_once_and_then_the_newest(server: Server) -> None:
    server.reply(
        "/token",
        Reply(body={**TOKEN, "refresh_token": "rt-2", "expires_in": 0}),
        Reply(body={**TOKEN, "access_token": "access-2"}),
    )
    profile = oauth(server, 'grant = "refresh-token"\ntoken_url = "/token"\nclient_id = "c"\nrefresh_token = "rt-1"')
    profile.login.pipeline.obtain(["token"])
    profile.login.pipeline.obtain(["token"])
    assert [dict(seen.form)["refresh_token"] for seen in server.seen_at("/token")] == ["rt-1", "rt-2"]


@pytest.mark.parametrize("client_auth", ["client-secret-jwt", "private-key-jwt"])
def test_a_client_can_sign_instead_of_showing_its_secret(server: Server, client_auth: str) -> None:
    secret = "a-client-secret-of-32-bytes-or-more"
    held = {"client-secret-jwt": "client_secret", "private-key-jwt": 'alg = "HS256"\nprivate_key'}[client_auth]
    keys = f'grant = "client-credentials"\nclient_id = "c"\n{held} = "{secret}"\nclient_auth = "{client_auth}"'
    form = dict(asked(server, keys).form)
    found = claims(form["client_assertion"])
    assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert (found["iss"], found["sub"], found["aud"]) == ("c", "c", f"{server.url}/token")
    assert found["jti"]
    assert 0 < found["exp"] - found["iat"] <= 300
    assert "client_secret" not in form


def test_each_request_has_an_assertion_of_its_own(server: Server) -> None:
    server.reply("/token", Reply(body={**TOKEN, "refresh_token": "rt", "expires_in": 0}), Reply(body=TOKEN))
    keys = 'grant = "password"\nusername = "u"\npassword = "p"\nclient_id = "c"'
    keys += '\nclient_secret = "a-client-secret-of-32-bytes-or-more"'
    profile = oauth(server, f'token_url = "/token"\nclient_auth = "client-secret-jwt"\n{keys}')
    profile.login.pipeline.obtain(["token"])
    profile.login.pipeline.obtain(["token"])
    first, second = (claims(dict(seen.form)["client_assertion"])["jti"] for seen in server.seen_at("/token"))
    assert first != second


class TestMetadata:
    def answer(self, server: Server, **fields: Any) -> None:
        server.reply(
            "/.well-known/openid-configuration",
            Reply(body={"issuer": server.url, "token_endpoint": f"{server.url}/token", **fields}),
        )

    def test_endpoints_come_from_the_issuer_and_are_asked_for_once(self, server: Server, own_home: Path) -> None:
        self.answer(server)
        server.reply("/token", Reply(body={**TOKEN, "expires_in": 0}), Reply(body=TOKEN))
        for _ in range(2):
            profile = oauth(
                server, f'grant = "client-credentials"\nissuer = "{server.url}"\nclient_id = "c"\nclient_auth = "none"'
            )
            profile.login.pipeline.obtain(["token"])
        assert len(server.seen_at("/.well-known/openid-configuration")) == 1
        assert len(server.seen_at("/token")) == 2

    def test_one_that_calls_itself_otherwise_is_refused(self, server: Server) -> None:
        self.answer(server, issuer="https://evil.example")
        profile = oauth(
            server, f'grant = "client-credentials"\nissuer = "{server.url}"\nclient_id = "c"\nclient_auth = "none"'
        )
        with pytest.raises(StepFailed, match="'/issuer' is"):
            profile.login.pipeline.obtain(["token"])

    @pytest.mark.parametrize(
        ("keys", "missing"),
        [
            ('grant = "client-credentials"\nclient_auth = "none"', "token_endpoint"),
            ('grant = "authorization-code"\ntoken_url = "/token"', "authorization_endpoint"),
            ('grant = "device-code"\ntoken_url = "/token"', "device_authorization_endpoint"),
        ],
    )
    def test_an_endpoint_that_is_sought_and_not_named_is_said(self, server: Server, keys: str, missing: str) -> None:
        server.reply("/.well-known/openid-configuration", Reply(body={"issuer": server.url}))
        text = f'[profiles.demo.auth]\ntype = "oauth2"\nissuer = "{server.url}"\nclient_id = "c"\n{keys}\n'
        profile = made(text, server.url, person=Somebody())
        with pytest.raises(StepFailed, match=f"'/{missing}'"):
            profile.login.pipeline.obtain(["token"])

    def test_a_token_is_given_back_where_the_issuer_says(self, server: Server) -> None:
        self.answer(server, revocation_endpoint=f"{server.url}/revoke")
        server.reply("/token", Reply(body={**TOKEN, "refresh_token": "rt-1"}))
        server.reply("/revoke", Reply(200))
        keys = f'grant = "password"\nissuer = "{server.url}"\nclient_id = "c"\nusername = "u"\npassword = "p"'
        login = oauth(server, keys).login
        assert not login.revoke("token")
        login.pipeline.obtain(["token"])
        assert login.revoke("token")
        assert dict(server.seen_at("/revoke")[0].form) == {"token": "rt-1", "client_id": "c"}

    @pytest.mark.parametrize("required", [True, False, None])
    def test_the_authorization_request_is_pushed_where_the_issuer_requires_it(
        self, server: Server, required: bool | None
    ) -> None:
        said = {} if required is None else {"require_pushed_authorization_requests": required}
        endpoints = {"authorization_endpoint": "/authorize", "pushed_authorization_request_endpoint": "/par"}
        self.answer(server, **{name: f"{server.url}{path}" for name, path in endpoints.items()}, **said)
        server.reply("/par", Reply(201, {"request_uri": "urn:request:1", "expires_in": 60}), optional=True)
        server.reply("/token", Reply(body=TOKEN))

        def browser(url: str) -> None:
            asked = dict(server.seen_at("/par")[0].form) if required else parameters(url)
            visit(f"{asked['redirect_uri']}?code=code-1&state={asked['state']}")

        person = Somebody(browser)
        keys = f'type = "oauth2"\ngrant = "authorization-code"\nissuer = "{server.url}"\nclient_id = "c"'
        profile = made(f"[profiles.demo.auth]\n{keys}\n", server.url, person=person)
        profile.login.pipeline.obtain(["token"])
        person.done()
        assert ("request_uri" in parameters(person.opened[0])) is (required is True)

    def test_it_is_asked_for_in_the_other_place_where_the_usual_one_has_nothing(self, server: Server) -> None:
        issuer = f"{server.url}/realms/x"
        server.reply("/realms/x/.well-known/openid-configuration", Reply(404))
        server.reply(
            "/.well-known/oauth-authorization-server/realms/x",
            Reply(body={"issuer": issuer, "token_endpoint": f"{server.url}/token"}),
        )
        server.reply("/token", Reply(body=TOKEN))
        keys = f'grant = "client-credentials"\nissuer = "{server.url}/realms/${{vars.realm}}"\nclient_id = "c"'
        text = f'vars = {{ realm = "x" }}\n[profiles.demo.auth]\ntype = "oauth2"\nclient_auth = "none"\n{keys}\n'
        made(text, server.url).login.pipeline.obtain(["token"])
        assert len(server.seen_at("/token")) == 1

    @pytest.mark.parametrize(
        ("first", "second", "said"),
        [(404, 404, "openid-configuration -> 404"), (404, 500, "authorization-server -> 500"), (500, None, "-> 500")],
    )
    def test_of_two_failures_the_one_that_says_most_is_shown(
        self, server: Server, first: int, second: int | None, said: str
    ) -> None:
        server.reply("/.well-known/openid-configuration", Reply(first))
        server.reply("/.well-known/oauth-authorization-server", Reply(second or 200), optional=second is None)
        profile = oauth(
            server, f'grant = "client-credentials"\nissuer = "{server.url}"\nclient_id = "c"\nclient_auth = "none"'
        )
        with pytest.raises(StepFailed, match=said):
            profile.login.pipeline.obtain(["token"])

    def test_its_endpoints_stay_readable_in_messages(self, server: Server) -> None:
        self.answer(server)
        server.reply("/token", Reply(400, {"error": "invalid_client", "see": server.url}))
        profile = oauth(
            server, f'grant = "client-credentials"\nissuer = "{server.url}"\nclient_id = "c"\nclient_auth = "none"'
        )
        with pytest.raises(StepFailed) as caught:
            profile.login.pipeline.obtain(["token"])
        assert f"POST {server.url}/token -> 400" in caught.value.message
        assert REDACTOR.text(server.url) == server.url

    def test_it_prints_as_a_step_that_a_profile_can_have(self, server: Server) -> None:
        profile = oauth(
            server, f'grant = "client-credentials"\nissuer = "{server.url}"\nclient_id = "c"\nclient_auth = "none"'
        )
        assert profile.login.steps["metadata"].table.kind == "http"


class TestInTheClear:
    """E: endpoints are https, but for those of this machine."""

    @pytest.mark.parametrize(
        ("keys", "named"),
        [
            (
                'grant = "password"\ntoken_url = "http://login.example/token"\nusername = "u"\npassword = "p"',
                "token_url",
            ),
            ('grant = "password"\nissuer = "http://login.example"\nusername = "u"\npassword = "p"', "issuer"),
            (
                'grant = "password"\ntoken_url = "http://127.0.0.1.login.example/"\nusername = "u"\npassword = "p"',
                "token_url",
            ),
            (
                'grant = "device-code"\ntoken_url = "/token"\ndevice_url = "http://login.example/device"',
                "device_url|`request`",
            ),
            (
                'grant = "authorization-code"\ntoken_url = "/t"\nauthorization_url = "/a"\npar_url = "http://login.example"',
                "par_url|`pushed`",
            ),
        ],
        ids=["token", "metadata", "a host that begins like an address", "device", "pushed"],
    )
    def test_nothing_is_sent_to_another_machine(self, server: Server, keys: str, named: str) -> None:
        text = f'[profiles.demo.auth]\ntype = "oauth2"\nclient_id = "c"\n{keys}\n'
        profile = made(text, server.url, person=Somebody())
        with pytest.raises(ProfileError, match=f"({named}).* is not https"):
            profile.login.pipeline.obtain(["token"])
        assert server.seen == []

    def test_nor_where_the_metadata_says_so(self, server: Server) -> None:
        body = {"issuer": server.url, "token_endpoint": "http://login.example/token"}
        server.reply("/.well-known/openid-configuration", Reply(body=body))
        profile = oauth(
            server, f'grant = "client-credentials"\nissuer = "{server.url}"\nclient_id = "c"\nclient_auth = "none"'
        )
        with pytest.raises(StepFailed, match=r"`token_endpoint` in the issuer's metadata is not https"):
            profile.login.pipeline.obtain(["token"])

    @pytest.mark.parametrize("how", ["renewal", "revocation"])
    def test_nor_afterwards(self, server: Server, how: str) -> None:
        server.reply("/token", Reply(body={**TOKEN, "expires_in": 0, "refresh_token": "rt-1"}))
        keys = 'grant = "password"\nclient_id = "c"\nusername = "u"\npassword = "p"\ntoken_url = "${vars.at}/token"'
        text = f'[profiles.demo.auth]\ntype = "oauth2"\n{keys}\nrevocation_url = "http://login.example/revoke"\n'
        profile = made(f'vars = {{ at = "{server.url}" }}\n{text}', server.url)
        profile.login.pipeline.obtain(["token"])
        if how == "revocation":
            with pytest.raises(ProfileError, match="`revocation_url` is not https"):
                profile.login.revoke("token")
            return
        refresh = profile.login.steps["token"].table.refresh
        assert isinstance(refresh.request, EndpointTable)
        assert refresh.request.named == "`token_url`"

    def test_a_step_of_ones_own_may_be_tried_without_tls(self, server: Server) -> None:
        text = '[profiles.demo.auth]\ntype = "pipeline"\n[profiles.demo.auth.steps.user]\n'
        text += 'request = { url = "http://login.invalid/x", timeout = 1 }\nextract = { token = "/t" }\n'
        with pytest.raises(ConnectionException):
            made(f"retry = {{ max_retries = 0 }}\n{text}", server.url).login.pipeline.obtain(["user"])


@pytest.mark.parametrize(
    ("grant", "scope", "there"),
    [
        ('"password"\nusername = "u"\npassword = "p"', '"openid email"', True),
        ('"password"\nusername = "u"\npassword = "p"', '"${vars.scope}"', True),
        ('"password"\nusername = "u"\npassword = "p"', '"email"', False),
        ('"refresh-token"\nrefresh_token = "rt"', '"${vars.scope}"', True),
        ('"token-exchange"\nsubject_token = "t"', '"${vars.scope}"', True),
        ('"authorization-code"', '"${vars.scope}"', True),
        ('"device-code"', '"${vars.scope}"', True),
        ('"client-credentials"\nclient_auth = "none"', '"${vars.scope}"', False),
    ],
)
def test_an_id_token_is_an_output_of_each_grant_that_may_return_one(
    server: Server, grant: str, scope: str, there: bool
) -> None:
    keys = f'issuer = "{server.url}"\nclient_id = "c"\nscope = {scope}\ngrant = {grant}'
    text = f'vars = {{ scope = "openid" }}\n[profiles.demo.auth]\ntype = "oauth2"\n{keys}\n'
    place = made(text, server.url).login.steps["token"].table.extract.get("id_token")
    assert (place is not None and place.optional and place.verify is not None) is there


def logged_in(server: Server, keys: str) -> None:
    """A login by a browser, whose authorization request was pushed, and one renewal."""
    server.reply("/par", Reply(201, {"request_uri": "urn:request:1", "expires_in": 60}))
    server.reply("/token", Reply(body={**TOKEN, "refresh_token": "rt", "expires_in": 0}), Reply(body=TOKEN))

    def browser(url: str) -> None:
        asked = dict(server.seen_at("/par")[0].form)
        visit(f"{asked['redirect_uri']}?code=code-1&state={asked['state']}")

    person = Somebody(browser)
    endpoints = 'token_url = "/token"\nauthorization_url = "/authorize"\npar_url = "/par"'
    text = (
        f'[profiles.demo.auth]\ntype = "oauth2"\ngrant = "authorization-code"\nclient_id = "c"\n{endpoints}\n{keys}\n'
    )
    profile = made(text, server.url, person=person)
    for _ in range(2):
        profile.login.pipeline.obtain(["token"])
    person.done()


@pytest.mark.parametrize("resources", [["https://a.example/"], ["https://a.example/", "https://b.example/"]])
def test_every_request_names_the_resource(server: Server, resources: list[str]) -> None:
    logged_in(server, f"resource = {json.dumps(resources if len(resources) > 1 else resources[0])}")
    found = [[value for name, value in seen.form if name == "resource"] for seen in server.seen]
    assert found == [resources] * 3


def test_what_is_pushed_and_what_is_exchanged_have_an_assertion_of_their_own(server: Server) -> None:
    logged_in(server, 'client_auth = "client-secret-jwt"\nclient_secret = "a-client-secret-of-32-bytes-or-more"')
    assert len({claims(dict(seen.form)["client_assertion"])["jti"] for seen in server.seen}) == 3


def test_when_the_refresh_token_has_ended_it_is_a_login(server: Server) -> None:
    server.reply(
        "/token",
        Reply(body={**TOKEN, "expires_in": 0, "refresh_token": "rt", "refresh_expires_in": -5}),
        Reply(body=TOKEN),
    )
    profile = oauth(server, 'grant = "password"\ntoken_url = "/token"\nclient_id = "c"\nusername = "u"\npassword = "p"')
    profile.login.pipeline.obtain(["token"])
    profile.login.pipeline.obtain(["token"])
    assert [dict(seen.form)["grant_type"] for seen in server.seen_at("/token")] == ["password", "password"]


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ('grant = "password"\ntoken_url = "/t"\nusername = "u"', "missing key: password"),
        ('grant = "client-credentials"\nclient_id = "c"', "missing key: token_url (or issuer)"),
        ('grant = "device-code"\ntoken_url = "/t"\nclient_id = "c"', "missing key: device_url (or issuer)"),
        ('grant = "client-credentials"\ntoken_url = "/t"\nclient_id = "c"\nusername = "u"', "`username` does not go"),
        (
            'grant = "client-credentials"\ntoken_url = "/t"\nclient_id = "c"\nclient_auth = "post"',
            "missing key: client_secret",
        ),
        ('grant = "jwt-bearer"\ntoken_url = "/t"\nassertion = { iss = "x" }', "missing key: private_key"),
    ],
    ids=["no password", "no endpoint", "no device endpoint", "another grant's key", "no secret", "no key"],
)
def test_what_a_grant_lacks_is_said(tmp_path: Path, keys: str, problem: str) -> None:
    path = tmp_path / "profiles.toml"
    path.write_text(f'[profiles.demo]\nbase_url = "https://a.example"\n[profiles.demo.auth]\ntype = "oauth2"\n{keys}\n')
    document = load_document(path)
    assert any(problem in describe(document, each) for each in problems(document))
