"""Digest authentication against servers that other people wrote."""

from __future__ import annotations

import pytest

from tests.login.sign.made import client, signer

TOML = """
type = "digest"
username = "ada"
password = "${secrets.password}"
"""


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "SHA-512"])
@pytest.mark.parametrize("qop", ["auth", "auth-int", "both"])
def test_httpbin_lets_the_right_password_in(httpbin: str, qop: str, algorithm: str) -> None:
    url = f"{httpbin}/digest-auth/{qop}/ada/made-up-password/{algorithm}"
    with client(signer(TOML), {"password": "made-up-password"}) as made:
        answers = [made.get(url) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert answers[0].json() == {"authenticated": True, "user": "ada"}


def test_httpbin_refuses_the_wrong_password(httpbin: str) -> None:
    url = f"{httpbin}/digest-auth/auth/ada/made-up-password/SHA-256"
    with client(signer(TOML), {"password": "made-up-other"}) as made:
        assert made.get(url).status_code == 401


def test_httpbin_s_nonces_that_end_are_replaced(httpbin: str) -> None:
    url = f"{httpbin}/digest-auth/auth/ada/made-up-password/SHA-256/1"
    with client(signer(TOML), {"password": "made-up-password"}) as made:
        assert [made.get(url).status_code for _ in range(4)] == [200] * 4
