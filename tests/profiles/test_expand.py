"""Every shorthand does on the wire what its steps say."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from forge_cli.errors import ProfileError
from forge_cli.profiles.expand import expand
from forge_cli.profiles.schema import OAuth2Auth
from tests.logins import made
from tests.server import Reply, Seen, Server

ENVIRON = {"SECRET": "s:e%c r/et-1", "USER": "ada"}
ANSWER = {"access_token": "token-1", "token_type": "Bearer", "expires_in": 60, "scope": "read"}


def sent(server: Server, text: str, status: int = 200) -> Seen:
    """The request for /users of a profile with this auth."""
    server.reply("/users", Reply(status))
    secrets = '[profiles.demo.secrets]\nsecret = { env = "SECRET" }\n'
    with made(f"{secrets}[profiles.demo.auth]\n{text}", server.url, environ=ENVIRON).client() as client:
        client.get("/users")
    return server.seen_at("/users")[0]


@pytest.mark.parametrize(
    ("text", "header", "expected"),
    [
        ('type = "bearer"\ntoken = "${secrets.secret}"', "Authorization", f"Bearer {ENVIRON['SECRET']}"),
        (
            'type = "basic"\nusername = "${env.USER}"\npassword = "${secrets.secret}"',
            "Authorization",
            "Basic " + b64encode(f"ada:{ENVIRON['SECRET']}".encode()).decode(),
        ),
        ('type = "api-key"\nkey = "${secrets.secret}"\nname = "X-Key"\nin = "header"', "X-Key", ENVIRON["SECRET"]),
        ('type = "api-key"\nkey = "k-1"\nname = "sid"\nin = "cookie"', "Cookie", "sid=k-1"),
        ('type = "none"', "Authorization", None),
    ],
    ids=["bearer", "basic", "api key", "api key in a cookie", "none"],
)
def test_a_fixed_credential_is_sent_where_it_belongs(
    server: Server, text: str, header: str, expected: str | None
) -> None:
    assert sent(server, text, 401).headers[header] == expected
    assert len(server.seen) == 1


def test_an_api_key_can_be_a_query_parameter(server: Server) -> None:
    assert sent(server, 'type = "api-key"\nkey = "k 1"\nname = "key"\nin = "query"').query == [("key", "k 1")]


@pytest.mark.parametrize("kind", ["bearer", "basic", "api-key", "none"])
def test_excluded_paths_get_none(server: Server, kind: str) -> None:
    keys = {
        "bearer": 'token = "t-1"',
        "basic": 'username = "u"\npassword = "p"',
        "api-key": 'key = "k"\nname = "Authorization"\nin = "header"',
        "none": "",
    }
    seen = sent(server, f'type = "{kind}"\nexclude = ["/users"]\n{keys[kind]}')
    assert "Authorization" not in seen.headers


class TestClientCredentials:
    def token_request(self, server: Server, **options: Any) -> Seen:
        keys = {
            "token_url": server.url + "/token",
            "client_id": "id-1",
            "client_secret": "${secrets.secret}",
            **options,
        }
        text = "".join(f'{name} = "{value}"\n' for name, value in keys.items())
        server.reply("/token", Reply(body=ANSWER))
        seen = sent(server, f'type = "oauth2"\ngrant = "client-credentials"\n{text}params = {{ a = "1" }}')
        assert seen.headers["Authorization"] == "Bearer token-1"
        return server.seen_at("/token")[0]

    def test_the_client_is_in_the_header_form_encoded(self, server: Server) -> None:
        seen = self.token_request(server, client_id="id:1", scope="read", audience="api", resource="urn:x")
        basic = b64encode(b"id%3A1:s%3Ae%25c%20r%2Fet-1").decode()
        assert seen.headers["Authorization"] == f"Basic {basic}"
        assert sorted(seen.form) == [
            ("a", "1"),
            ("audience", "api"),
            ("grant_type", "client_credentials"),
            ("resource", "urn:x"),
            ("scope", "read"),
        ]
        assert seen.headers["Accept"] == "application/json"

    def test_the_client_can_be_in_the_form(self, server: Server) -> None:
        seen = self.token_request(server, client_auth="post")
        assert dict(seen.form)["client_id"] == "id-1"
        assert dict(seen.form)["client_secret"] == ENVIRON["SECRET"]
        assert "Authorization" not in seen.headers

    def test_a_public_client_has_a_name_only(self, server: Server) -> None:
        seen = self.token_request(server, client_auth="none")
        assert dict(seen.form) == {"a": "1", "grant_type": "client_credentials", "client_id": "id-1"}

    def test_a_name_may_hold_one_reference(self, server: Server) -> None:
        seen = self.token_request(server, client_id="x y-${env.USER}$${z", client_secret="plain")
        assert seen.headers["Authorization"] == "Basic " + b64encode(b"x%20y-ada%24%7Bz:plain").decode()

    @pytest.mark.parametrize("name", ["${env.USER}${env.USER}", "${env.USER | upper}"], ids=["two", "a filter"])
    def test_a_name_that_is_composed_is_an_error(self, name: str) -> None:
        with pytest.raises(ProfileError, match="at most one"):
            expand(
                OAuth2Auth(grant="client-credentials", token_url="https://a.example", client_id=name, client_secret="s")
            )
