"""The answer of a login that failed, as a person sees it: what helps stays readable, what opens something does not."""

from __future__ import annotations

import base64
from random import Random

import pytest

from forge_cli.redact import MASK, REDACTOR

HELPS = [
    '{"error": "", "detail": "bad"}',
    '{"path": "/v1/oauth2/token"}',
    '{"path": "/rest/api/2/session"}',
    '{"host": "eu-west-1.api.example.com:8443"}',
    '{"instance": "/errors/invalid-credentials"}',
    '{"message": "Not found: /services/oauth2/authorizeUser"}',
    '{"message": "connect to 10.20.30.40:5432 was refused"}',
    '<a href="/login/oauth2/start">log in</a>',
    "path=/api/v1/users/login",
    "Cannot POST /api/v1/sessions/login",
]
OPENS = [
    '{"id": "AbCdEfGhIjKl1234"}',
    '{"path": "/wJalrXUtnF/EMI/K7MDENG/bPxRfiCY"}',
    '{"data": "/reset/0f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c"}',
    '{"host": "x7k2p9q4m1.z8w3v6.example.com"}',
    "session=AbCdEfGhIjKl1234567",
]


@pytest.mark.parametrize("text", HELPS)
def test_what_helps_is_shown(text: str) -> None:
    assert REDACTOR.success(text) == text


@pytest.mark.parametrize("text", OPENS)
def test_what_may_open_something_is_not_shown(text: str) -> None:
    assert MASK in REDACTOR.success(text)


@pytest.mark.parametrize("size", [15, 24, 33, 48])
def test_random_text_is_no_path_and_no_host(size: int) -> None:
    random = Random(size)
    for _ in range(500):
        raw = random.randbytes(size)
        for text in (base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode(), raw.hex()):
            for shown in (f"/{text}", f"{text}.example.com", f"/api/{text}"):
                assert MASK in REDACTOR.success(f'{{"x": "{shown}"}}'), shown
