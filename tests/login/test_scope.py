from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from forge_cli.login.scope import Scope, outputs_of
from forge_cli.login.template import UndefinedReference
from forge_cli.models import TokenData
from forge_cli.profiles.schema import EnvSecret
from forge_cli.profiles.secrets import Secrets
from forge_cli.redact import REDACTOR

ENVIRON = {"SHOP": "acme", "PASSWORD": "user-password-1"}


def scope(**values: Any) -> Scope:
    secrets = Secrets({"password": EnvSecret(env="PASSWORD")}, environ=ENVIRON, prompt=None, base_dir=Path())
    return Scope(secrets=secrets, environ=ENVIRON, **values)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("${base_url}/x", "https://api.example/x"),
        ("${vars.shop}", "acme"),
        ("${env.SHOP}", "acme"),
        ("${secrets.password}", "user-password-1"),
        ("${steps.app.token}:${steps.app.region}", "app-token-1:eu"),
        ("${self.refresh_token}", "refresh-1"),
        ("${now}", "1700000000"),
        ("${now + 60}", "1700000060"),
        ("${uuid}", "11111111-2222-4333-8444-555555555555"),
        ("${steps.mfa.token ?? steps.app.token}", "app-token-1"),
        ("${env.NOBODY ?? vars.shop}", "acme"),
        ("$${vars.shop}", "${vars.shop}"),
    ],
)
def test_references_mean_what_is_known(template: str, expected: str) -> None:
    known = scope(
        base_url="https://api.example",
        vars={"shop": "acme"},
        steps={"app": {"token": "app-token-1", "region": "eu"}},
        own={"refresh_token": "refresh-1"},
        now=1700000000.9,
        uuid="11111111-2222-4333-8444-555555555555",
    )
    assert known.text(template) == expected


@pytest.mark.parametrize(
    "reference", ["base_url", "vars.nobody", "env.NOBODY", "steps.app.token", "self.token", "request.body", "secrets"]
)
def test_what_is_not_known_is_an_error_that_names_it(reference: str) -> None:
    with pytest.raises(UndefinedReference) as caught:
        scope().text(f"${{{reference}}}")
    assert reference in caught.value.message


def test_a_tree_is_filled_in_and_keeps_types() -> None:
    known = scope(vars={"limit": 10, "shop": "acme"})
    filled = known.fill({"n": "${vars.limit}", "list": ["${vars.shop}", 1], "text": "<${vars.limit}>"})
    assert filled == {"n": 10, "list": ["acme", 1], "text": "<10>"}


def test_the_outputs_of_a_token_are_what_it_has() -> None:
    assert outputs_of(TokenData("token-1")) == {"token": "token-1", "token_type": "Bearer"}
    full = TokenData("token-1", "MAC", refresh_token="refresh-1", scope="read", extra={"region": "eu"})
    assert outputs_of(full) == {
        "token": "token-1",
        "token_type": "MAC",
        "refresh_token": "refresh-1",
        "scope": "read",
        "region": "eu",
    }


@pytest.mark.parametrize(
    ("template", "derived"),
    [
        ("${env.SECRETISH | upper}", None),
        ("${steps.login.key | upper}", "KEY-OUTPUT-7788"),
        ("${self.refresh_token | b64}", "cmVmcmVzaC03Nzg4"),
        ("a ${steps.login.key | upper | urlencode} b", "KEY-OUTPUT-7788"),
    ],
    ids=["not a secret", "a step's output", "its own", "within text"],
)
def test_what_filters_make_of_a_secret_is_hidden_too(own_home: Path, template: str, derived: str | None) -> None:
    made = Scope(
        secrets=Secrets({}, environ={}, prompt=None, base_dir=Path()),
        environ={"SECRETISH": "plain-value-7788"},
        steps={"login": {"key": "key-output-7788"}},
        own={"refresh_token": "refresh-7788"},
    )
    value = made.text(template)
    assert made.fill({"x": [template]}) == {"x": [value]}
    shown = REDACTOR.text(value)
    assert (derived is None and shown == value) or (derived is not None and derived in value and derived not in shown)


@pytest.mark.parametrize(
    ("extra", "shown"),
    [
        ({"region": "eu-west-1"}, "eu-west-1"),
        ({"place": "https://login.example/x"}, "https://login.example/x"),
        ({"session": "word-of-mine"}, "***"),
        ({"any": "k3j4h5k3j4h5"}, "***"),
        ({"table": {"deep": ["k9j4h5k3j4h9"]}}, "***"),
        ({"pin": 771923}, "***"),
        ({"number": 771924}, "771924"),
    ],
    ids=["words", "an address", "a name", "a look", "a table", "a number by its name", "a number"],
)
def test_of_a_stored_token_only_credentials_are_hidden(extra: dict[str, Any], shown: str) -> None:
    def text(value: Any) -> str:
        while isinstance(value, dict | list):
            value = next(iter(value.values())) if isinstance(value, dict) else value[0]
        return str(value)

    outputs_of(TokenData("token-1", extra=extra))
    assert REDACTOR.text(text(next(iter(extra.values())))) == shown


@pytest.mark.parametrize(
    ("template", "hidden"),
    [
        ("${steps.metadata.token_endpoint | lower}", False),
        ("${steps.login.token | upper}", True),
        ('${values.made | regex("(.*)")}', True),
    ],
)
def test_what_is_made_of_an_endpoint_stays_readable(template: str, hidden: bool) -> None:
    made = scope(
        steps={"metadata": {"token_endpoint": "https://Login.example/t"}, "login": {"token": "active-word"}},
        values={"made": "some-words"},
    )
    value = made.text(template)
    assert (REDACTOR.text(value) != value) is hidden
