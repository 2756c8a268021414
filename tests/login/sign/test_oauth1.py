from __future__ import annotations

import hmac
import random
import re
from base64 import b64decode, b64encode
from typing import Any
from urllib.parse import quote, unquote

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from oauthlib.oauth1 import Client

from forge_cli.errors import ProfileError
from forge_cli.login.sign.oauth1 import base_string
from forge_cli.models import PreparedRequest
from forge_cli.redact import REDACTOR
from tests.login.sign.made import UUID, request, scope, signer

SECRETS = {"client": "made-up client&secret=%", "token": "tøken-secret"}
METHODS = ["HMAC-SHA1", "HMAC-SHA256", "PLAINTEXT"]
WORDS = ["a", "B", "two words", "ü", "日本", "~", "a+b", "100%", "a=b", "(x)", "*", "", "a:b", "!'", "&,;"]


def oauth(**keys: str) -> Any:
    return signer("\n".join(f"{name} = '{value}'" for name, value in {"type": "oauth1", **keys}.items()))


def parameters(signed: PreparedRequest) -> dict[str, str]:
    """What stands in the Authorization header."""
    scheme, _, rest = signed.headers["Authorization"].partition(" ")
    assert scheme == "OAuth"
    return {name: unquote(value) for name, value in re.findall(r'(\w+)="([^"]*)"', rest)}


def by_oauthlib(prepared: PreparedRequest, nonce: str, timestamp: str, **keys: Any) -> dict[str, str]:
    """The parameters that another library gives this request."""
    client: Any = Client(nonce=nonce, timestamp=timestamp, **keys)
    form = prepared.headers.get("Content-Type") == "application/x-www-form-urlencoded"
    body, headers = (prepared.body.decode(), {"Content-Type": prepared.headers["Content-Type"]}) if form else (None, {})
    _, signed, _ = client.sign(prepared.url, prepared.method, body, headers)
    return {name: unquote(value) for name, value in re.findall(r'(\w+)="([^"]*)"', signed["Authorization"])}


def test_the_base_string_of_the_rfc() -> None:
    # RFC 5849, section 3.4.1.1; the header's parameters as given there.
    prepared = request(
        "POST",
        "http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b",
        content=b"c2&a3=2+q",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    given = {
        "oauth_consumer_key": "9djdj82h48djs9d2",
        "oauth_token": "kkk9d7dh3k39sjv7",
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": "137131201",
        "oauth_nonce": "7d8f3e4a",
    }
    assert base_string(prepared, given) == (
        "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540"
        "%3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method"
        "%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
    )


def test_the_signature_of_the_rfc() -> None:
    # RFC 5849, section 1.2: the last request, which has no oauth_version.
    given = {
        "oauth_consumer_key": "dpf43f3p2l4k3l03",
        "oauth_token": "nnch734d00sl2jdk",
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": "137131202",
        "oauth_nonce": "chapoH",
    }
    prepared = request("GET", "http://photos.example.net/photos?file=vacation.jpg&size=original")
    digest = hmac.digest(b"kd94hf93k423kf44&pfkkdhi9sl3r4s00", base_string(prepared, given).encode(), "sha1")
    assert b64encode(digest) == b"MdpQcU8iPSUjWoN/UDMsK2sui9I="


@pytest.mark.parametrize(
    ("url", "headers", "place"),
    [
        ("https://www.example.net:8080/?q=1", {}, "https://www.example.net:8080/"),
        ("http://example.com:80/r%20v/X?id=123", {}, "http://example.com/r%20v/X"),
        ("http://127.0.0.1:99/x", {"Host": "EXAMPLE.com:80"}, "http://example.com/x"),
        ("https://127.0.0.1:99/x", {"Host": "example.com:80"}, "https://example.com:80/x"),
    ],
)
def test_the_place_is_the_one_that_the_host_header_names(url: str, headers: dict[str, str], place: str) -> None:
    assert base_string(request("GET", url, headers=headers), {}).split("&")[1] == quote(place, safe="")


def made_up(random: random.Random) -> PreparedRequest:
    def pairs() -> list[tuple[str, str]]:
        return [(random.choice(WORDS) or "n", random.choice(WORDS)) for _ in range(random.randrange(5))]

    path = "/".join(quote(random.choice(WORDS), safe="") for _ in range(3))
    url = f"{random.choice(['http', 'https'])}://Api.example{random.choice(['', ':80', ':443', ':8443'])}/{path}"
    if random.random() < 0.3:
        url += "?" + random.choice(["a=b%2fc&acl=", "b=2&a=1&a=&a=%c3%bc&a=+", "oauth_x=1"])
    body: dict[str, Any] = random.choice([{}, {"data": [("k", "v w"), *pairs()]}, {"json_data": {"a": "ü"}}])
    method = random.choice(["PUT", "POST"]) if body else random.choice(["GET", "DELETE"])
    return request(method, url, params=pairs(), **body)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("token", [False, True], ids=["client alone", "with a token"])
def test_every_parameter_is_the_one_that_oauthlib_gives(method: str, token: bool) -> None:
    keys = {"client_key": "key ü", "client_secret": "${secrets.client}", "signature_method": method}
    theirs = {"client_key": "key ü", "client_secret": SECRETS["client"], "signature_method": method}
    if token:
        keys |= {"token": "token/1", "token_secret": "${secrets.token}", "verifier": "v 1", "callback": "oob"}
        theirs |= {
            "resource_owner_key": "token/1",
            "resource_owner_secret": SECRETS["token"],
            "verifier": "v 1",
            "callback_uri": "oob",
        }
    chosen = random.Random(f"oauth1 {method} {token}")
    made = oauth(**keys)
    for number in range(100):
        prepared = made_up(chosen)
        signed = made.sign(prepared, scope(SECRETS, now=1.7e9 + number, nonce=lambda number=number: number))
        ours = parameters(signed)
        assert ours == by_oauthlib(prepared, ours["oauth_nonce"], ours["oauth_timestamp"], **theirs), prepared.url
        assert (signed.url, signed.body) == (prepared.url, prepared.body)


@pytest.mark.parametrize(("method", "digest"), [("RSA-SHA1", SHA1()), ("RSA-SHA256", SHA256())])
def test_rsa_signatures_hold_under_the_public_key(method: str, digest: Any) -> None:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    prepared = request("POST", "https://api.example/x?a=1", data={"b": "2"})
    made = oauth(client_key="k", signature_method=method, private_key="${secrets.pem}")
    found = parameters(made.sign(prepared, scope({"pem": pem})))
    signature = b64decode(found.pop("oauth_signature"))
    key.public_key().verify(signature, base_string(prepared, found).encode(), PKCS1v15(), digest)


def test_a_key_that_cannot_sign_is_an_error_that_does_not_quote_it() -> None:
    made = oauth(client_key="k", signature_method="RSA-SHA1", private_key="${secrets.pem}")
    with pytest.raises(ProfileError, match="private_key") as caught:
        made.sign(request("GET", "https://api.example/"), scope({"pem": "made-up-no-key"}))
    assert "made-up" not in caught.value.message


def test_a_nonce_is_new_for_each_attempt_and_of_its_own_for_each_request() -> None:
    made, prepared = oauth(client_key="k"), request("GET", "https://api.example/")
    elsewhere = made.sign(request("GET", "https://api.example/after-a-redirect"), scope(nonce=lambda: 1))
    nonces = [parameters(elsewhere)["oauth_nonce"]] + [
        parameters(made.sign(prepared, scope(uuid=uuid, nonce=lambda n=n: n)))["oauth_nonce"]
        for uuid, n in ((UUID, 1), (UUID, 2), (UUID.replace("1", "9"), 2))
    ]
    assert len(set(nonces)) == 4
    assert not made.challenged(None, scope())


def test_a_realm_is_sent_and_not_signed() -> None:
    prepared = request("GET", "https://api.example/")
    with_realm = oauth(client_key="k", realm='a "b"').sign(prepared, scope())
    assert with_realm.headers["Authorization"].startswith('OAuth realm="a \\"b\\"", oauth_consumer_key="k", ')
    plain = oauth(client_key="k").sign(prepared, scope())
    assert parameters(with_realm)["oauth_signature"] == parameters(plain)["oauth_signature"]


def test_an_empty_token_counts_as_none() -> None:
    made = oauth(client_key="k", token='${env.NOBODY ?? ""}')
    assert "oauth_token" not in parameters(made.sign(request("GET", "https://api.example/"), scope()))


def test_what_was_signed_before_is_signed_anew() -> None:
    made, prepared = oauth(client_key="k"), request("GET", "https://api.example/")
    assert made.sign(made.sign(prepared, scope(now=1.0)), scope()) == made.sign(prepared, scope())


def test_secrets_are_hidden_and_the_signature_stays_at_its_origin() -> None:
    made = oauth(client_key="k", client_secret="${env.client}", token="t", token_secret="${env.token}")
    signed = made.sign(request("GET", "https://api.example/"), scope(environ=SECRETS))
    assert signed.credentials == {"authorization"}
    assert REDACTOR.text(" ".join(SECRETS.values())) == "*** ***"
    assert "oauth_signature" not in repr(signed)
