"""E: an ID token is verified before any use; what was decoded and not verified says so."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from forge_cli.errors import StepFailed
from tests.conftest import Forge
from tests.issuer import Issuer, b64, client, half_hash, logged_in, outputs, pem, published, rsa_key, signed
from tests.logins import made
from tests.people import Somebody, visit
from tests.server import Reply, Server


def refused(server: Server, match: str) -> None:
    """No output of the login is had, and nothing is stored."""
    person = Somebody(visit)
    found = client(server, person)
    with pytest.raises(StepFailed, match=rf"output 'id_token' is not accepted: the ID token .*{match}"):
        outputs(found)
    person.done()
    assert found.login.pipeline.stored("token") is None


def test_one_that_is_what_it_must_be_is_an_output(server: Server) -> None:
    Issuer(server)
    assert logged_in(server)["id_token"].count(".") == 2


def _algorithms(issuer: Issuer) -> dict[str, str]:
    """Tokens by which others have been fooled."""
    public = rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    payload = b64(json.dumps(issuer.usual_claims()).encode())

    def forged(alg: str, secret: bytes) -> str:
        data = f"{b64(json.dumps({'alg': alg, 'kid': 'key-1'}).encode())}.{payload}"
        return f"{data}.{b64(hmac.digest(secret, data.encode(), 'sha256')) if secret else ''}"

    return {
        "none": forged("none", b""),
        "NONE": forged("NONE", b""),
        "no signature": forged("RS256", b""),
        "HS256 with the public key": forged("HS256", public),
        "HS256 with the secret": forged("HS256", b"client-secret-1-abcdef"),
    }


@pytest.mark.parametrize("name", ["none", "NONE", "no signature", "HS256 with the public key", "HS256 with the secret"])
def test_the_algorithm_is_one_of_a_list(server: Server, name: str) -> None:
    issuer = Issuer(server)
    # Symmetric keys that somebody has published, by the very name.
    issuer.keys = {"keys": [published(), {"kty": "oct", "kid": "key-1", "k": b64(b"client-secret-1-abcdef")}]}

    def browse(url: str) -> None:
        visit(url)

    issuer.asked.append({"nonce": "n"})
    made = _algorithms(issuer)[name]
    issuer.asked.clear()
    issuer.id_token = made
    person = Somebody(browse)
    wanted = "signature" if name == "no signature" else "an algorithm that is not allowed"
    with pytest.raises(StepFailed, match=wanted):
        outputs(client(server, person, 'client_secret = "client-secret-1-abcdef"\n'))
    person.done()


@pytest.mark.parametrize(
    ("header", "match"),
    [
        ({"crit": ["exp"]}, "critical"),
        ({"crit": []}, "critical"),
        ({"crit": ["b64"], "b64": False}, "critical"),
        ({"typ": "at+jwt"}, "another kind"),
        ({"typ": "application/AT+JWT"}, "another kind"),
        ({"typ": "logout+jwt"}, "another kind"),
        ({"kid": "key-2"}, "does not publish"),
        ({"kid": ["key-1"]}, "does not publish"),
    ],
    ids=str,
)
def test_a_header_that_says_something_else_is_refused(server: Server, header: dict[str, Any], match: str) -> None:
    Issuer(server).header = header
    refused(server, match)


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c"])
def test_a_token_does_not_bring_its_own_key(server: Server, other_server: Server, name: str) -> None:
    other_server.reply("/jwks", Reply(200, {"keys": [published(2)]}), optional=True)
    brought: Any = {"jwk": published(2), "x5c": ["MIIB"]}.get(name, f"{other_server.url}/jwks")
    issuer = Issuer(server)
    issuer.asked.append({"nonce": "n"})
    issuer.id_token = signed(issuer.usual_claims(), {"alg": "RS256", "kid": "key-1", name: brought}, pem(2))
    refused(server, "wrong signature")
    assert other_server.seen == []


HUGE = b64(((1 << 2040) | 1).to_bytes(256, "big"))


@pytest.mark.parametrize(
    ("keys", "match"),
    [
        ([published(2)], "wrong signature"),
        ([published(use="enc")], "does not publish"),
        ([published(key_ops=["encrypt"])], "does not publish"),
        ([published(alg="RS384")], "does not publish"),
        ([published(e=HUGE)], "wrong signature"),
        ([published(e="AQ")], "wrong signature"),
        ([published(e="")], "wrong signature"),
        ([published(n="AQAB")], "wrong signature"),
        ([published(n=b64(b"\xff" * 100_000))], "wrong signature"),
        ([{"kty": "oct", "kid": "key-1", "k": "AAAA"}], "does not publish"),
        ([{"kty": "RSA", "kid": "key-1"}], "wrong signature"),
        ([published(2)] * 16 + [published()], "wrong signature"),
        ([None, 7, [], "x"], "does not publish"),
        ({}, "does not publish"),
    ],
    ids=[
        *("another key", "for encryption", "not to verify", "another algorithm", "a huge exponent", "exponent 1"),
        *(
            "no exponent",
            "a tiny modulus",
            "a huge modulus",
            "symmetric",
            "no key",
            "one of too many",
            "junk",
            "no list",
        ),
    ],
)
def test_a_key_that_must_not_or_cannot_have_signed_has_not(server: Server, keys: Any, match: str) -> None:
    Issuer(server).keys = {"keys": keys}
    began = time.process_time()
    refused(server, match)
    assert time.process_time() - began < 5


def test_keys_of_more_than_a_megabyte_are_not_looked_at(server: Server) -> None:
    Issuer(server).keys = {"keys": [published()], "x": "a" * (1 << 20)}
    with pytest.raises(StepFailed, match="cannot be had: the answer is larger than 1 MiB"):
        logged_in(server)


def test_the_last_of_sixteen_keys_may_have_signed(server: Server) -> None:
    issuer = Issuer(server)
    issuer.keys = {"keys": [published(2)] * 15 + [published()]}
    assert logged_in(server)["id_token"]


def test_of_two_keys_with_one_name_either_may_have_signed(server: Server) -> None:
    issuer = Issuer(server)
    issuer.keys = {"keys": [published(2), published()]}
    assert logged_in(server)["id_token"]


@pytest.mark.parametrize("status", [302, 404, 500])
def test_keys_that_are_not_there_verify_nothing(server: Server, other_server: Server, status: int) -> None:
    other_server.reply("/jwks", Reply(200, {"keys": [published()]}), optional=True)
    server.reply("/keys", Reply(status, headers={"Location": f"{other_server.url}/jwks"}))
    Issuer(server, jwks_uri=f"{server.url}/keys")
    with pytest.raises(StepFailed, match="the keys for output 'id_token' cannot be had"):
        logged_in(server)
    assert other_server.seen == []


NOW = int(time.time())


@pytest.mark.parametrize(
    ("claims", "match"),
    [
        ({"iss": "https://evil.example"}, "another issuer"),
        ({"iss": "URL/"}, "another issuer"),
        ({"iss": ["URL"]}, "another issuer"),
        ({"iss": ...}, "another issuer"),
        ({"aud": "client-2"}, "another audience"),
        ({"aud": "client-1,client-2"}, "another audience"),
        ({"aud": []}, "another audience"),
        ({"aud": ...}, "another audience"),
        ({"aud": ["client-1", "client-2"]}, "several audiences"),
        ({"aud": ["client-1", "client-2"], "azp": "client-2"}, "several audiences"),
        ({"azp": "client-2"}, "issued to another"),
        ({"nonce": "another"}, "nonce differs"),
        ({"nonce": ...}, "nonce differs"),
        ({"nonce": None}, "nonce differs"),
        ({"exp": NOW - 61}, "has expired"),
        ({"exp": ...}, "no `exp`"),
        ({"exp": str(NOW + 300)}, "no `exp`"),
        ({"exp": None}, "no `exp`"),
        ({"exp": True}, "no `exp`"),
        ({"exp": [NOW + 300]}, "no `exp`"),
        ({"exp": 10**400}, "no `exp`"),
        ({"iat": NOW + 86400}, "from the future"),
        ({"iat": 10**300}, "no `iat`"),
        ({"iat": ...}, "no `iat`"),
        ({"nbf": NOW + 86400}, "not valid yet"),
        ({"sub": ...}, "no subject"),
        ({"at_hash": half_hash("another-access-token")}, "another access token"),
        ({"at_hash": None}, "another access token"),
        ({"at_hash": [half_hash("x")]}, "another access token"),
    ],
    ids=str,
)
def test_a_claim_that_is_not_what_it_must_be_is_refused(server: Server, claims: dict[str, Any], match: str) -> None:
    Issuer(server).claims = {
        name: value.replace("URL", server.url) if isinstance(value, str) else value for name, value in claims.items()
    }
    refused(server, match)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity"])
def test_a_number_that_is_none_is_no_moment(server: Server, number: str) -> None:
    issuer = Issuer(server)
    issuer.asked.append({"nonce": "n"})
    text = json.dumps({**issuer.usual_claims(), "exp": "EXP"}).replace('"EXP"', number)
    issuer.id_token = signed(text, {"alg": "RS256", "kid": "key-1"})
    refused(server, "no `exp`|no JSON object")


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": ["client-1"]},
        {"aud": ["client-2", "client-1"], "azp": "client-1"},
        {"at_hash": ...},
        {"exp": NOW + 86400.5},
        {"iat": NOW + 30},
    ],
    ids=str,
)
def test_what_the_specification_allows_is_accepted(server: Server, claims: dict[str, Any]) -> None:
    Issuer(server).claims = claims
    assert logged_in(server)["id_token"]


def test_a_renewed_one_is_about_the_same_person(server: Server) -> None:
    issuer = Issuer(server)
    issuer.tokens = {"refresh_token": "refresh-token-1", "expires_in": 0}
    person = Somebody(visit)
    found = client(server, person)
    outputs(found)
    person.done()
    # A renewal that is about somebody else is as good as refused: the person is asked again.
    issuer.claims, issuer.tokens = {"sub": "eve"}, {"access_token": "access-token-of-eve"}
    issuer.claims["at_hash"] = half_hash("access-token-of-eve")
    found.login.pipeline.renew(["token"])
    person.done()
    assert [dict(seen.form)["grant_type"] for seen in server.seen_at("/token")][1:] == [
        "refresh_token",
        "authorization_code",
    ]


def test_of_a_login_without_a_browser_it_is_verified_too(server: Server) -> None:
    issuer = Issuer(server)
    issuer.claims = {"iss": "https://evil.example"}
    keys = 'username = "ada"\npassword = "password-1-abcdef"\n'
    with pytest.raises(StepFailed, match="another issuer"):
        outputs(client(server, None, keys, "password"))
    person = Somebody()
    found = client(server, person, "", "device-code")
    found._world.sleep = lambda seconds: None
    with pytest.raises(StepFailed, match="another issuer"):
        outputs(found)


def test_one_that_nobody_can_verify_is_not_handed_on(server: Server) -> None:
    """Without an issuer there are no keys to verify it with."""
    Issuer(server)
    person = Somebody(visit)
    endpoints = f'token_url = "{server.url}/token"\nauthorization_url = "{server.url}/authorize"\n'
    text = f'[profiles.demo.auth]\ntype = "oauth2"\ngrant = "authorization-code"\nclient_id = "client-1"\n{endpoints}'
    from_issuer = client(server, person)
    assert "id_token" in outputs(from_issuer)
    person.done()
    from_issuer.login.pipeline.clear()
    person = Somebody(visit)
    found = made(f'{text}scope = "openid"\n', server.url, person=person)
    assert "id_token" not in outputs(found)
    person.done()


def test_a_decoded_token_says_that_it_is_not_verified(
    forge: Forge, server: Server, profile_file: Callable[[str], Path]
) -> None:
    text = '[profiles.demo]\nbase_url = "@"\n[profiles.demo.auth]\ntype = "pipeline"\n[profiles.demo.auth.steps.user]\n'
    step = 'request = { method = "POST", url = "/token" }\nextract = { token = "/t" }\n'
    profile_file((text + step).replace("@", server.url))
    # Signed by nobody.
    server.reply("/token", Reply(200, {"t": f"{b64(b'{}')}.{b64(json.dumps({'sub': 'ada'}).encode())}."}))
    assert forge("token", "refresh").exit_code == 0
    result = forge("token", "show", "--decode")
    first, _, rest = result.stdout.partition("\n")
    assert first == "# demo user, not verified"
    assert json.loads(rest) == {"sub": "ada"}
    assert "not verified" in forge("token", "show", "--help").stdout
