"""Binance: every request signed over what is sent, on the server's clock, and anew for every attempt."""

from __future__ import annotations

import base64
import hmac
import re
import time
from pathlib import Path
from urllib.parse import parse_qsl, unquote

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.conftest import Forge
from tests.recipes.stand_in import FORM, lines, shows_none, written
from tests.server import Reply, Seen, Server

ENV = {"BINANCE_API_KEY": "api-key-1", "BINANCE_API_SECRET": "api-secret-1"}
HOUR = 3_600_000


class Binance:
    """The spot API. `ahead`: milliseconds that its clock is ahead; `busy`: how many signed requests get a 503.

    `key` is the one that made the API key, where that is not a secret of Binance's making.
    """

    def __init__(self, server: Server, key: Ed25519PrivateKey | None = None) -> None:
        self.server = server
        self.key = key
        self.ahead = HOUR
        self.busy = 0
        self.orders: list[dict[str, str]] = []
        server.reply("/api/v3/time", self.time, method="GET", optional=True)
        server.reply("/api/v3/account", self.account, method="GET", optional=True)
        server.reply("/api/v3/order", self.order, method="POST", optional=True)
        server.reply("/api/v3/avgPrice", self.price, method="GET", optional=True)
        path = written("binance" if key is None else "binance-ed25519", api=server.url)
        path.write_text(path.read_text() + "\n[profiles.api.retry]\nbase_delay = 0\n")

    @property
    def clock(self) -> int:
        return int(time.time() * 1000) + self.ahead

    def time(self, seen: Seen) -> Reply:
        return self.unsigned(seen) or Reply(200, {"serverTime": self.clock})

    def price(self, seen: Seen) -> Reply:
        return self.unsigned(seen) or Reply(200, {"mins": 5, "price": "9.35"})

    @staticmethod
    def unsigned(seen: Seen) -> Reply | None:
        """Public data takes its own parameters only."""
        unread = [name for name, _ in seen.query if name != "symbol"]
        return Reply(400, {"code": -1101, "msg": "Too many parameters"}) if unread else None

    def account(self, seen: Seen) -> Reply:
        return self.refusal(seen) or Reply(200, {"canTrade": True})

    def order(self, seen: Seen) -> Reply:
        if refusal := self.refusal(seen):
            return refusal
        self.orders.append(dict(seen.form))
        return Reply(200, {"orderId": len(self.orders)})

    def refusal(self, seen: Seen) -> Reply | None:
        if seen.headers["X-MBX-APIKEY"] != "api-key-1":
            return Reply(401, {"code": -2015, "msg": f"Invalid API-key: {seen.headers['X-MBX-APIKEY']}"})
        query = seen.target.partition("?")[2]
        form = "[0-9a-f]{64}" if self.key is None else "[A-Za-z0-9%]{86,110}"
        found = re.fullmatch(f"(.*)&signature=({form})", query)
        if found is None:
            return Reply(400, {"code": -1102, "msg": "Mandatory parameter 'signature' was not sent"})
        if seen.body and seen.headers["Content-Type"] != FORM:
            return Reply(400, {"code": -1105})
        # The query and the body, one right after the other.
        signed = found[1].encode() + seen.body
        if not self.good(signed, unquote(found[2])):
            return Reply(400, {"code": -1022, "msg": "Signature for this request is not valid."})
        said = dict(parse_qsl(found[1]))
        if not -1000 < self.clock - int(said["timestamp"]) <= int(said["recvWindow"]):
            return Reply(400, {"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."})
        if self.busy:
            self.busy -= 1
            while self.clock <= int(said["timestamp"]):
                pass  # until another millisecond has begun
            return Reply(503, {"code": -1001})
        return None

    def good(self, signed: bytes, signature: str) -> bool:
        if self.key is None:
            return hmac.compare_digest(hmac.new(b"api-secret-1", signed, "sha256").hexdigest(), signature)
        try:
            self.key.public_key().verify(base64.b64decode(signature, validate=True), signed)
        except InvalidSignature:
            return False
        return True


def key_file(key: Ed25519PrivateKey) -> str:
    """Put the key where the recipe looks for it; return it."""
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    (Path.home() / ".keys").mkdir(exist_ok=True)
    (Path.home() / ".keys" / "binance.pem").write_text(text)
    return text


@pytest.fixture
def binance(server: Server) -> Binance:
    return Binance(server)


def test_the_clock_is_read_once_and_every_request_is_signed(forge: Forge, binance: Binance) -> None:
    for _ in range(2):
        result = forge("get", "/api/v3/account", "omitZeroBalances==true", "note==a b+c&d~é", env=ENV)
        assert result.exit_code == 0, result.stderr
    assert lines(binance.server.seen) == ["GET /api/v3/time", "GET /api/v3/account", "GET /api/v3/account"]


def test_query_and_body_are_signed_together(forge: Forge, binance: Binance) -> None:
    fields = ["symbol=BTCUSDT", "side=BUY", "price=0.1", "newClientOrderId=a b&c=é"]
    result = forge("post", "/api/v3/order", "type==LIMIT", "--form", *fields, env=ENV)
    assert result.exit_code == 0, result.stderr
    assert binance.orders == [{"symbol": "BTCUSDT", "side": "BUY", "price": "0.1", "newClientOrderId": "a b&c=é"}]


def test_a_retry_has_a_time_and_a_signature_of_its_own(forge: Forge, binance: Binance) -> None:
    binance.busy = 2
    assert forge("get", "/api/v3/account", env=ENV).exit_code == 0
    queries = [dict(seen.query) for seen in binance.server.seen_at("/api/v3/account")]
    assert len(queries) == 3
    for name in ("timestamp", "signature"):
        assert len({query[name] for query in queries}) == 3


def test_public_data_is_asked_for_without_a_key(forge: Forge, binance: Binance) -> None:
    assert forge("get", "/api/v3/avgPrice", "symbol==BTCUSDT", env=ENV).exit_code == 0
    [seen] = binance.server.seen
    assert (seen.query, seen.headers["X-MBX-APIKEY"]) == ([("symbol", "BTCUSDT")], None)


def test_a_clock_that_was_set_is_read_anew_when_a_request_is_refused(forge: Forge, binance: Binance) -> None:
    forge("get", "/api/v3/account", env=ENV)
    binance.ahead = -HOUR
    assert forge("get", "/api/v3/account", env=ENV).exit_code == 0
    assert lines(binance.server.seen)[2:] == ["GET /api/v3/account", "GET /api/v3/time", "GET /api/v3/account"]


@pytest.mark.parametrize("name", list(ENV))
def test_a_wrong_secret_is_refused_once_and_not_shown(forge: Forge, binance: Binance, name: str) -> None:
    result = forge("get", "/api/v3/account", "-v", env={**ENV, name: "a-wrong-secret"})
    assert (result.exit_code, len(binance.server.seen_at("/api/v3/account"))) == (4, 1)
    assert not any(secret in result.stderr for secret in ("a-wrong-secret", *ENV.values()))
    assert dict(binance.server.seen[-1].query)["signature"] not in result.stderr


def test_a_secret_that_is_missing_is_said_before_anything_is_sent(forge: Forge, binance: Binance) -> None:
    result = forge("get", "/api/v3/account", env={"BINANCE_API_KEY": "api-key-1"})
    assert (result.exit_code, binance.server.seen_at("/api/v3/account")) == (2, [])
    assert "BINANCE_API_SECRET" in result.stderr
    assert shows_none(result, "api-key-1")


class TestEd25519:
    @pytest.fixture
    def binance(self, server: Server) -> Binance:
        key = Ed25519PrivateKey.generate()
        key_file(key)
        return Binance(server, key)

    def test_query_and_body_are_signed_together_and_every_attempt_anew(self, forge: Forge, binance: Binance) -> None:
        binance.busy = 2
        for _ in range(8):  # every signature has other characters to encode
            assert forge("get", "/api/v3/account", "note==a b+c&d~é", env=ENV).exit_code == 0
        fields = ["symbol=BTCUSDT", "newClientOrderId=a b&c=é"]
        assert forge("post", "/api/v3/order", "type==LIMIT", "--form", *fields, env=ENV).exit_code == 0
        assert (len(binance.server.seen_at("/api/v3/account")), len(binance.server.seen_at("/api/v3/time"))) == (10, 1)

    def test_another_key_is_refused_once_and_not_shown(self, forge: Forge, binance: Binance) -> None:
        other = key_file(Ed25519PrivateKey.generate())
        result = forge("get", "/api/v3/account", "-v", env=ENV)
        assert (result.exit_code, len(binance.server.seen_at("/api/v3/account"))) == (4, 1)
        assert "-1022" in result.stdout
        assert shows_none(result, *other.splitlines()[1:-1])
