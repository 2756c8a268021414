from __future__ import annotations

import json
import tomllib
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.errors import StorageError
from forge_cli.models import TokenData
from forge_cli.tokens.storage.record import to_fields, to_record

text = st.text(st.characters(exclude_categories=["Cs"]))
# Lone surrogates are in: JSON from a server can hold them.
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters())
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=12)
moments = st.none() | st.datetimes(timezones=st.just(UTC))
tokens = st.builds(
    TokenData,
    access_token=text,
    token_type=text,
    expires_at=moments,
    refresh_token=st.none() | text,
    scope=st.none() | text,
    extra=st.dictionaries(text, values, max_size=4),
    issued_at=moments,
    meta=st.dictionaries(text, values, max_size=4),
)


def same(token: TokenData, other: TokenData) -> bool:
    return token == other and (token.issued_at, token.meta) == (other.issued_at, other.meta)


@given(tokens)
def test_a_token_survives_toml_and_json(token: TokenData) -> None:
    record = to_record(token)
    assert same(token, TokenData(**to_fields(tomllib.loads(tomli_w.dumps(record)))))
    assert same(token, TokenData(**to_fields(json.loads(json.dumps(record)))))


def test_what_a_token_does_not_have_is_left_out() -> None:
    assert to_record(TokenData("user-token-1")) == {"access_token": "user-token-1", "token_type": "Bearer"}


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(None, id="null"),
        pytest.param({"$json": "1"}, id="the escape itself"),
        pytest.param({"a": {"$json": "x", "b": None}}, id="the escape inside"),
        pytest.param(2**70, id="large integer"),
        pytest.param("\ud800", id="lone surrogate"),
        pytest.param({"a": {"b": {"c": {"d": {"e": 1}}}}}, id="deep"),
        pytest.param([None, [], {}], id="empty and null in a list"),
    ],
)
def test_values_that_toml_cannot_hold_come_back_as_they_were(value: Any) -> None:
    token = TokenData("user-token-1", extra={"value": value})
    assert TokenData(**to_fields(tomllib.loads(tomli_w.dumps(to_record(token))))) == token


PLAIN: list[Any] = [
    *("text", "gr\u00fcn", True, 1.5, 2**63 - 1, -(2**63), [], {}),
    *({"a": {"b": {"c": {"d": 1}}}}, [[[[1]]]], {"a": [{"b": [1]}]}),
]


@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_what_toml_can_hold_is_written_as_it_is(value: Any) -> None:
    assert to_record(TokenData("user-token-1", extra={"value": value}))["extra"] == {"value": value}


AS_JSON: list[Any] = [
    *(None, "a\ud800", 2**63, -(2**63) - 1, [None], {"a": {"$json": 1}}),
    *({"a": {"b": {"c": {"d": {"e": 1}}}}}, [[[[[1]]]]], {"a": [{"b": [{}]}]}),
]


@pytest.mark.parametrize("value", AS_JSON, ids=ascii)
def test_what_toml_cannot_hold_or_would_hold_at_length_is_written_as_json(value: Any) -> None:
    written = to_record(TokenData("user-token-1", extra={"value": value}))["extra"]["value"]
    assert list(written) == ["$json"]
    assert json.loads(written["$json"]) == value


def test_a_naive_end_comes_back_as_it_was() -> None:
    end = datetime(2030, 7, 1, 12)
    fields = to_fields(to_record(TokenData("user-token-1", expires_at=end)))
    assert (fields["expires_at"], fields["expires_at"].tzinfo) == (end, None)


@pytest.mark.parametrize("value", [b"secret-bytes", object(), {1, 2}], ids=["bytes", "object", "set"])
def test_a_value_that_is_no_json_value_is_an_error_that_does_not_quote_it(value: object) -> None:
    with pytest.raises(StorageError) as caught:
        to_record(TokenData("user-token-1", extra={"value": value}))
    assert "secret-bytes" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    "moment",
    [datetime(2030, 7, 1, 12), datetime(2030, 7, 1, 12, tzinfo=timezone(timedelta(hours=-7)))],
    ids=["local time", "another zone"],
)
def test_moments_are_written_in_utc(moment: datetime) -> None:
    written = to_record(TokenData("user-token-1", expires_at=moment))["expires_at"]
    assert written.endswith("+00:00")
    assert datetime.fromisoformat(written) == moment.astimezone(UTC)


def test_a_moment_that_utc_does_not_have_is_an_error() -> None:
    zone = timezone(timedelta(hours=-7))
    with pytest.raises(StorageError):
        to_record(TokenData("user-token-1", expires_at=datetime.max.replace(tzinfo=zone)))


GOOD = {"access_token": "user-token-1", "token_type": "Bearer"}


@pytest.mark.parametrize(
    "record",
    [
        pytest.param("text", id="no table"),
        pytest.param({}, id="empty"),
        pytest.param({"access_token": 1}, id="token is a number"),
        pytest.param(GOOD | {"token_type": None}, id="type is null"),
        pytest.param(GOOD | {"refresh_token": ["x"]}, id="refresh token is a list"),
        pytest.param(GOOD | {"extra": []}, id="extra is a list"),
        pytest.param(GOOD | {"extra": {"a": {"$json": "{"}}}, id="broken JSON"),
        pytest.param(GOOD | {"extra": {"a": {"$json": 1}}}, id="JSON is a number"),
        pytest.param(GOOD | {"extra": {"a": {"$json": "[" * 100_000}}}, id="deep JSON"),
    ],
)
def test_a_damaged_record_is_said_to_be_one(record: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        to_fields(record)


def test_names_from_a_newer_forge_are_ignored() -> None:
    assert TokenData(**to_fields(GOOD | {"colour": "blue"})) == TokenData("user-token-1")
