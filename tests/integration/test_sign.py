"""Signatures as they arrive: checked from the bytes that a server received, by other people's code."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from oauthlib.oauth1 import RequestValidator, SignatureOnlyEndpoint

from forge_cli.models import HttpRequest
from forge_cli.retry import SimpleRetryStrategy
from tests.login.sign.made import client, signer
from tests.server import Reply, Seen, Server

SECRET = "made-up-client-secret"
MOMENT = datetime.fromtimestamp(1700000000, UTC)
FORM = "application/x-www-form-urlencoded"


class Known(RequestValidator):
    """A server's view of OAuth 1.0: one client, and no nonce twice."""

    enforce_ssl = False
    client_key_length = nonce_length = (1, 100)
    timestamp_lifetime = 10**9

    def __init__(self) -> None:
        super().__init__()
        self.nonces: set[str] = set()

    def check_client_key(self, client_key: str) -> bool:
        return True

    def check_nonce(self, nonce: str) -> bool:
        return 1 <= len(nonce) <= 100

    @property
    def dummy_client(self) -> str:
        return "nobody"

    def get_client_secret(self, client_key: str, request: Any) -> str:
        return SECRET

    def validate_client_key(self, client_key: str, request: Any) -> bool:
        return client_key == "client-1"

    def validate_timestamp_and_nonce(
        self, client_key: str, timestamp: str, nonce: str, *args: Any, **more: Any
    ) -> bool:
        fresh = nonce not in self.nonces
        self.nonces.add(nonce)
        return fresh


def oauth1(server: Server) -> Callable[[Seen], Reply]:
    """Answers 200 to what oauthlib finds well signed."""
    endpoint = SignatureOnlyEndpoint(Known())

    def answer(seen: Seen) -> Reply:
        form = seen.headers.get("Content-Type") == FORM
        headers = {name: value for name, value in seen.headers.items() if form or name != "Content-Type"}
        body = seen.body.decode() if form else None
        valid, _ = endpoint.validate_request(f"{server.url}{seen.target}", seen.method, body, headers)
        return Reply(200 if valid else 401)

    return answer


@pytest.mark.parametrize(
    "sent",
    [
        {"method": "GET", "url": "/x", "params": [("a", "b c+"), ("a", ""), ("ü", "~*'()")]},
        {"method": "GET", "url": "/x?q=%2f&b"},
        {"method": "POST", "url": "/x?a=1", "data": {"b": "c d", "é": "&="}},
        {"method": "POST", "url": "/x", "json_data": {"a": 1}},
        {"method": "DELETE", "url": "/x"},
    ],
    ids=["parameters", "odd query", "form", "json", "delete"],
)
def test_a_server_built_on_oauthlib_accepts_the_signature(server: Server, sent: dict[str, Any]) -> None:
    server.reply("/x", oauth1(server))
    made = signer('type = "oauth1"\nclient_key = "client-1"\nclient_secret = "${secrets.client}"')
    with client(made, {"client": SECRET}, base_url=server.url) as sending:
        assert sending.request(HttpRequest(**sent)).status_code == 200
    with client(made, {"client": "made-up-other"}, base_url=server.url) as sending:
        assert sending.get("/x").status_code == 401


def awss_own(server: Server, service: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[Seen], Reply]:
    """Answers 200 to the signature that AWS's library gives what arrived."""
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: MOMENT)

    def answer(seen: Seen) -> Reply:
        given = seen.headers["Authorization"]
        names = given.partition("SignedHeaders=")[2].partition(",")[0].split(";")
        request = AWSRequest(seen.method, f"{server.url}{seen.target}", data=seen.body)
        for name, value in seen.headers.items():
            if name.lower() in names:
                request.headers.add_header(name, value)
        kind = S3SigV4Auth if service == "s3" else SigV4Auth
        kind(Credentials("key-1", SECRET), service, "eu-west-1").add_auth(request)
        return Reply(200 if request.headers["Authorization"] == given else 403)

    return answer


@pytest.mark.parametrize("service", ["s3", "execute-api"])
@pytest.mark.parametrize(
    "sent",
    [
        {"method": "GET", "url": "/x", "params": [("a", "b c+"), ("a", ""), ("ü", "~*'()")]},
        {"method": "GET", "url": "/x?q=%2f&b=/:"},
        {"method": "PUT", "url": "/x", "content": b"\x00\xff"},
        {"method": "POST", "url": "/x", "json_data": {"é": 1}, "headers": {"X-Odd": " two   blanks "}},
    ],
    ids=["parameters", "odd query", "bytes", "json"],
)
def test_awss_own_library_signs_what_arrived_alike(
    server: Server, monkeypatch: pytest.MonkeyPatch, service: str, sent: dict[str, Any]
) -> None:
    server.reply("/x", awss_own(server, service, monkeypatch))
    made = signer(
        f"""
        type = "aws-sigv4"
        access_key = "key-1"
        secret_key = "${{secrets.client}}"
        region = "eu-west-1"
        service = "{service}"
        """
    )
    with client(made, {"client": SECRET}, base_url=server.url) as sending:
        assert sending.request(HttpRequest(**sent)).status_code == 200


TEMPLATE = """
type = "template"
values = { payload = "${request.query}${request.body}" }
[[inject]]
in = "query"
name = "signature"
value = "${values.payload | hmac_sha256(secrets.client) | hex}"
[[inject]]
in = "header"
name = "X-Nonce"
value = "${nonce}"
"""


def test_a_template_signs_the_bytes_that_arrive(server: Server) -> None:
    def answer(seen: Seen) -> Reply:
        query, _, signature = seen.target.partition("?")[2].rpartition("&signature=")
        expected = hmac.new(SECRET.encode(), query.encode() + seen.body, "sha256").hexdigest()
        return Reply(200 if signature == expected else 400)

    server.reply("/x", answer)
    with client(signer(TEMPLATE), {"client": SECRET}, base_url=server.url) as sending:
        assert sending.post("/x?z=%2f", params={"ü": "a b+"}, data={"c": "d é"}).status_code == 200


@pytest.mark.parametrize("body", [None, b"x"])
def test_a_signature_stays_at_its_origin(server: Server, other_server: Server, body: Any) -> None:
    server.reply("/x", Reply(303, "", {"Location": f"{other_server.url}/y"}))
    other_server.reply("/y", Reply())
    toml = TEMPLATE + '[[inject]]\nin = "cookie"\nname = "c"\nvalue = "${nonce}"\n'
    with client(signer(toml), {"client": SECRET}, base_url=server.url) as sending:
        assert sending.post("/x", content=body).status_code == 200
    assert "signature=" in server.seen[0].target and server.seen[0].headers["Cookie"]
    assert not {"x-nonce", "cookie"} & {name.lower() for name in other_server.seen[0].headers}


def test_every_attempt_is_signed_anew(server: Server) -> None:
    server.reply("/x", Reply(503), Reply(503), Reply(200))
    places = ('{ in = "header", name = "N", value = "${nonce}" }', '{ in = "header", name = "U", value = "${uuid}" }')
    strategy = SimpleRetryStrategy(max_retries=2, delay=0.0, retryable_status_codes=[503])
    made = signer(f'type = "template"\ninject = [{", ".join(places)}]')
    with client(made, base_url=server.url, retry_strategy=strategy) as sending:
        assert sending.get("/x").status_code == 200
    assert [seen.headers["N"] for seen in server.seen] == ["1", "2", "3"]
    assert len({seen.headers["U"] for seen in server.seen}) == 1
