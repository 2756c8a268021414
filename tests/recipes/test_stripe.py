"""Stripe: a key in every request, and in a POST an Idempotency-Key that its retries share."""

from __future__ import annotations

import re

import pytest

from tests.conftest import Forge
from tests.recipes.stand_in import bearer, form, written
from tests.server import Reply, Seen, Server

KEY = "key-of-the-account-1"
ENV = {"STRIPE_API_KEY": KEY}


class Stripe:
    """Charges cards, each Idempotency-Key once; `trouble` answers that many requests by 503, after the work."""

    def __init__(self, server: Server, trouble: int = 0) -> None:
        self.server = server
        self.trouble = trouble
        self.charges: dict[str, str] = {}
        server.reply("/v1/charges", self.charge, method="POST", optional=True)
        server.reply("/v1/balance", self.balance, method="GET", optional=True)
        path = written("stripe", api=server.url)
        # Nobody wants to wait between attempts here.
        path.write_text(path.read_text() + "\n[profiles.api.retry]\nbase_delay = 0\n")

    def refusal(self, seen: Seen) -> Reply | None:
        if bearer(seen) != KEY:
            return Reply(401, {"error": {"message": f"Invalid API Key provided: {bearer(seen)}"}})
        if not re.fullmatch(r"\d{4}-\d\d-\d\d(\.\w+)?", seen.headers["Stripe-Version"] or ""):
            return Reply(400, {"error": {"message": "Invalid Stripe API version"}})
        return None

    def balance(self, seen: Seen) -> Reply:
        return self.refusal(seen) or Reply(400 if seen.headers["Idempotency-Key"] else 200, {"object": "balance"})

    def charge(self, seen: Seen) -> Reply:
        key = seen.headers["Idempotency-Key"]
        if refusal := self.refusal(seen):
            return refusal
        if key is None or form(seen) != {"amount": "2000", "currency": "eur"}:
            return Reply(400, {"error": {"type": "invalid_request_error"}})
        charge = self.charges.setdefault(key, f"ch_{len(self.charges) + 1}")
        if self.trouble:
            self.trouble -= 1
            return Reply(503)
        return Reply(200, {"id": charge})


@pytest.fixture
def stripe(server: Server) -> Stripe:
    return Stripe(server)


def charge(forge: Forge, *options: str) -> tuple[int, str]:
    result = forge("post", "/v1/charges", "--form", "amount=2000", "currency=eur", *options, env=ENV)
    return result.exit_code, result.stdout


def test_requests_carry_the_key_and_nothing_is_logged_in(forge: Forge, stripe: Stripe) -> None:
    for _ in range(2):
        assert forge("get", "/v1/balance", env=ENV).exit_code == 0
    assert len(stripe.server.seen) == 2


def test_the_retries_of_a_post_share_one_key_and_charge_once(forge: Forge, stripe: Stripe) -> None:
    stripe.trouble = 2
    code, out = charge(forge)
    assert (code, "ch_1" in out) == (0, True)
    assert len(stripe.server.seen) == 3
    assert list(stripe.charges.values()) == ["ch_1"]


def test_another_post_has_another_key(forge: Forge, stripe: Stripe) -> None:
    assert [charge(forge)[0], charge(forge)[0]] == [0, 0]
    assert list(stripe.charges.values()) == ["ch_1", "ch_2"]


def test_a_key_of_the_callers_stays(forge: Forge, stripe: Stripe) -> None:
    assert charge(forge, "Idempotency-Key: order-7")[0] == 0
    assert list(stripe.charges) == ["order-7"]


def test_a_wrong_key_is_not_tried_twice_and_not_shown(forge: Forge, stripe: Stripe) -> None:
    result = forge("get", "/v1/balance", "-v", env={"STRIPE_API_KEY": "a-wrong-key-1"})
    assert (result.exit_code, len(stripe.server.seen)) == (4, 1)
    assert "a-wrong-key-1" not in result.stderr
