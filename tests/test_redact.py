"""Secrets never print, in whatever spelling they travel."""

from __future__ import annotations

import base64
import copy
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.redact import MASK, Redactor, Secret, masked, repr_mapping, sensitive

SECRETS = st.text(st.characters(exclude_categories=["Cs"]), min_size=9, max_size=60)


class TestSecret:
    def test_it_prints_as_a_mask_in_every_way_of_printing(self) -> None:
        secret = Secret("user-token-1")
        shown = [
            str(secret),
            repr(secret),
            f"{secret}",
            f"{secret:>40}",
            str([secret]),
            str({"k": secret}),
        ]
        assert not any("user-token-1" in text for text in shown)

    def test_only_reveal_gives_the_value(self) -> None:
        assert Secret("user-token-1").reveal() == "user-token-1"

    def test_two_of_one_value_are_equal_and_hash_alike(self) -> None:
        assert Secret("user-token-1") == Secret("user-token-1") != Secret("user-token-2")
        assert len({Secret("user-token-1"), copy.copy(Secret("user-token-1"))}) == 1


class TestKnownValues:
    @given(secret=SECRETS, before=st.text(max_size=9), after=st.text(max_size=9))
    def test_a_known_value_is_hidden_plain_and_in_each_encoding(self, secret: str, before: str, after: str) -> None:
        redactor = Redactor()
        redactor.add(secret)
        spellings = [
            secret,
            quote(secret, safe=""),
            quote_plus(secret),
            json.dumps(secret)[1:-1],
            json.dumps(secret, ensure_ascii=False)[1:-1],
            base64.b64encode(secret.encode()).decode(),
        ]
        for spelling in spellings:
            assert spelling not in redactor.text(f"<{spelling}>")

    @given(secret=SECRETS, user=st.text(st.characters(codec="ascii", exclude_characters=":"), max_size=9))
    def test_a_password_inside_basic_is_hidden(self, secret: str, user: str) -> None:
        redactor = Redactor()
        redactor.add(secret)
        encoded = base64.b64encode(f"{user}:{secret}".encode()).decode()
        assert encoded not in redactor.text(f"Authorization Basic {encoded}")

    def test_very_short_values_are_left_alone(self) -> None:
        redactor = Redactor()
        redactor.add("dev")
        assert redactor.text("a dev server") == "a dev server"

    def test_the_longest_of_overlapping_values_goes_first(self) -> None:
        redactor = Redactor()
        redactor.add("token-1")
        redactor.add("user-token-1-long")
        assert redactor.text("user-token-1-long") == MASK

    def test_memory_is_bounded(self) -> None:
        redactor = Redactor()
        for number in range(5000):
            redactor.add(f"token-number-{number}")
        assert redactor.text("token-number-4999") == MASK
        assert len(redactor._values) <= 1000


class TestBodies:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ('{"access_token": "abc.def"}', '{"access_token": "***"}'),
            ('{"a": 1, "client_secret":"x\\"y", "b": 2}', '{"a": 1, "client_secret":"***", "b": 2}'),
            ("grant_type=password&password=hunter2&x=1", "grant_type=password&password=***&x=1"),
            ("{'api_key': 'k'}", "{'api_key': '***'}"),
            ('{"token_type": "Bearer"}', '{"token_type": "Bearer"}'),
            ('{"token": null}', '{"token": null}'),
            ('{"error": {"code": "PASSWORD_WRONG"}}', '{"error": {"code": "PASSWORD_WRONG"}}'),
            ('{"code": 4711}', '{"code": 4711}'),
            ("code=4yWv9KzX2mQ8&state=1", "code=***&state=1"),
        ],
        ids=["json", "escaped", "form", "python", "token type", "null", "error code", "number", "authorization code"],
    )
    def test_fields_that_usually_hold_secrets_are_masked(self, text: str, shown: str) -> None:
        assert Redactor().body(text) == shown


class TestHeaders:
    @pytest.mark.parametrize(
        ("name", "value", "shown"),
        [
            ("Authorization", "Bearer abc", "Bearer ***"),
            ("authorization", "abc", "***"),
            ("X-Api-Key", "abc", "***"),
            ("Cookie", "a=b", "***"),
            ("Accept", "text/plain", "text/plain"),
            ("Authorization", "Bearer <token:user>", "Bearer <token:user>"),
        ],
    )
    def test_values_are_masked_by_name(self, name: str, value: str, shown: str) -> None:
        assert Redactor().header(name, value) == shown


class TestUrls:
    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("https://user:pass@host/x", "https://user:***@host/x"),
            ("https://host/x?api_key=k&y=1", "https://host/x?api_key=***&y=1"),
            ("https://host/x?access_token=k#f", "https://host/x?access_token=***#f"),
            ("https://host/a?b=c", "https://host/a?b=c"),
        ],
    )
    def test_passwords_and_sensitive_parameters_are_masked(self, url: str, shown: str) -> None:
        assert Redactor().url(url) == shown


@pytest.mark.parametrize(
    "name", ["Authorization", "x-auth-token", "Set-Cookie", "client_secret", "passwd", "X-Signature"]
)
def test_names_of_secrets_are_known(name: str) -> None:
    assert sensitive(name)


@pytest.mark.parametrize("name", ["Accept", "token_type", "Content-Type", "grant_type", "username", "Idempotency-Key"])
def test_other_names_are_not(name: str) -> None:
    assert not sensitive(name)


def test_a_masked_token_shows_its_ends_only_when_it_is_long() -> None:
    assert masked("abcdefghijklmnopqrstuvwxyz") == "abcd…wxyz"
    assert masked("short-token") == MASK


def test_the_repr_of_a_mapping_hides_sensitive_values() -> None:
    assert repr_mapping({"Authorization": "Bearer x", "Accept": "y"}) == "{'Authorization': '***', 'Accept': 'y'}"
