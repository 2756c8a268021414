"""OAuth 1.0a, against a server that is built on other people's code and takes no nonce twice."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from oauthlib.oauth1 import RequestValidator, ResourceEndpoint

from tests.conftest import Forge
from tests.recipes.stand_in import FORM, shows_none, written
from tests.server import Reply, Seen, Server

ENV = {
    "OAUTH1_CLIENT_SECRET": "client&secret-1",
    "OAUTH1_TOKEN": "token-of-ada-1",
    "OAUTH1_TOKEN_SECRET": "token+secret-1",
}


class Known(RequestValidator):
    """One client, one token, each timestamp of the last minute, no nonce twice."""

    enforce_ssl = False
    client_key_length = nonce_length = access_token_length = (1, 100)

    def __init__(self) -> None:
        super().__init__()
        self.nonces: set[str] = set()

    @property
    def allowed_signature_methods(self) -> tuple[str, ...]:
        return ("HMAC-SHA1", "HMAC-SHA256")

    def check_client_key(self, client_key: str) -> bool:
        return bool(client_key)

    def check_access_token(self, request_token: str) -> bool:
        return bool(request_token)

    def check_nonce(self, nonce: str) -> bool:
        return 1 <= len(nonce) <= 100

    @property
    def dummy_client(self) -> str:
        return "nobody"

    @property
    def dummy_access_token(self) -> str:
        return "nothing"

    def get_client_secret(self, client_key: str, request: Any) -> str:
        return ENV["OAUTH1_CLIENT_SECRET"]

    def get_access_token_secret(self, client_key: str, token: str, request: Any) -> str:
        return ENV["OAUTH1_TOKEN_SECRET"]

    def validate_client_key(self, client_key: str, request: Any) -> bool:
        return client_key == "client-1"

    def validate_access_token(self, client_key: str, token: str, request: Any) -> bool:
        return token == ENV["OAUTH1_TOKEN"]

    def validate_realms(self, *args: Any, **more: Any) -> bool:
        return True

    def validate_timestamp_and_nonce(
        self, client_key: str, timestamp: str, nonce: str, *args: Any, **more: Any
    ) -> bool:
        fresh = nonce not in self.nonces and abs(time.time() - int(timestamp)) < 60
        self.nonces.add(nonce)
        return fresh


class Api:
    """An API. `busy`: how many requests that it finds well signed get a 503 all the same."""

    def __init__(self, server: Server, method: str = "HMAC-SHA1") -> None:
        self.server = server
        self.busy = 0
        self.endpoint = ResourceEndpoint(Known())
        server.reply("/items", self.items, optional=True)
        path = written("oauth1", api=server.url, client_key="client-1")
        text = path.read_text().replace('signature_method = "HMAC-SHA1"', f'signature_method = "{method}"')
        path.write_text(text + "\n[profiles.api.retry]\nbase_delay = 0\n")

    def items(self, seen: Seen) -> Reply:
        form = seen.headers["Content-Type"] == FORM
        headers = {name: value for name, value in seen.headers.items() if form or name != "Content-Type"}
        body = seen.body.decode() if form else None
        url = f"{self.server.url}{seen.target}"
        valid, _ = self.endpoint.validate_protected_resource_request(url, seen.method, body, headers)
        if not valid:
            return Reply(401, {"error": "not accepted", "sent": seen.headers["Authorization"]})
        if self.busy:
            self.busy -= 1
            return Reply(503)
        return Reply(200, {"items": []})


@pytest.fixture(params=["HMAC-SHA1", "HMAC-SHA256"])
def api(server: Server, request: pytest.FixtureRequest) -> Api:
    return Api(server, request.param)


def test_every_request_is_signed_and_nothing_is_logged_in(forge: Forge, api: Api) -> None:
    for _ in range(2):
        assert forge("get", "/items", "q==a b+c&d~é*", "empty==", env=ENV).exit_code == 0
    assert forge("post", "/items", "a==1", "--form", "b=c d&=é", env=ENV).exit_code == 0
    assert forge("post", "/items", "b=not signed", env=ENV).exit_code == 0
    assert len(api.server.seen) == 4


def test_a_retry_has_a_nonce_of_its_own(forge: Forge, server: Server) -> None:
    api = Api(server)
    api.busy = 2
    assert forge("get", "/items", env=ENV).exit_code == 0
    found = [re.findall(r'oauth_nonce="([^"]+)"', seen.headers["Authorization"] or "") for seen in server.seen]
    assert len({nonce for nonces in found for nonce in nonces}) == 3


@pytest.mark.parametrize("name", list(ENV))
def test_a_wrong_secret_is_refused_once_and_not_shown(forge: Forge, server: Server, name: str) -> None:
    Api(server)
    result = forge("get", "/items", "-v", env={**ENV, name: "a-wrong-secret"})
    assert (result.exit_code, len(server.seen)) == (4, 1)
    assert not any(secret in result.stderr for secret in ("a-wrong-secret", *ENV.values()))
    signature = re.findall(r'oauth_signature="([^"]+)"', server.seen[0].headers["Authorization"] or "")[0]
    assert signature not in result.stderr


def test_the_secrets_are_sent_to_nobody(forge: Forge, server: Server) -> None:
    Api(server)
    result = forge("get", "/items", env=ENV)
    sent = " ".join(value for seen in server.seen for value in (*seen.headers.values(), seen.target))
    assert "client&secret-1" not in sent and "token+secret-1" not in sent
    assert shows_none(result, *ENV.values())
