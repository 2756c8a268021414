"""Digest access authentication, against a server that takes each nonce count once and lets nonces go stale."""

from __future__ import annotations

import hashlib
import re

import pytest

from forge_cli.profiles.build import load_profile
from tests.conftest import Forge
from tests.recipes.stand_in import shows_none, written
from tests.server import Reply, Seen, Server

PASSWORD = "password-of-ada-1"
ENV = {"DIGEST_PASSWORD": PASSWORD}
HASHES = {"MD5": "md5", "SHA-256": "sha256"}


class Camera:
    """A device with one user; a nonce is good `uses` times."""

    def __init__(self, server: Server, algorithm: str) -> None:
        self.server = server
        self.algorithm = algorithm
        self.uses = 100
        self.nonces: dict[str, set[int]] = {}
        server.reply("/status", self.status, optional=True)
        written("digest", api=server.url, username="ada")

    def hashed(self, text: str) -> str:
        return hashlib.new(HASHES[self.algorithm], text.encode()).hexdigest()

    def challenge(self, more: str = "") -> Reply:
        nonce = f"nonce-{len(self.nonces) + 1}"
        self.nonces[nonce] = set()
        head = f'Digest realm="camera", qop="auth", algorithm={self.algorithm}, nonce="{nonce}", opaque="o"{more}'
        return Reply(401, "", {"WWW-Authenticate": head})

    def status(self, seen: Seen) -> Reply:
        scheme, _, rest = (seen.headers["Authorization"] or "").partition(" ")
        found = {name: quoted or plain for name, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', rest)}
        if scheme != "Digest" or found.get("nonce") not in self.nonces or found.get("uri") != seen.target:
            return self.challenge()
        counts = self.nonces[found["nonce"]]
        count = int(found["nc"], 16)
        if count in counts or found.get("opaque") != "o" or found.get("qop") != "auth":
            return Reply(400, "replayed")
        first, second = self.hashed(f"ada:camera:{PASSWORD}"), self.hashed(f"{seen.method}:{seen.target}")
        text = f"{first}:{found['nonce']}:{found['nc']}:{found['cnonce']}:auth:{second}"
        if found.get("username") != "ada" or found.get("response") != self.hashed(text):
            return self.challenge()
        if len(counts) >= self.uses:
            return self.challenge(", stale=true")
        counts.add(count)
        return Reply(200, {"recording": True})


@pytest.fixture(params=list(HASHES))
def camera(server: Server, request: pytest.FixtureRequest) -> Camera:
    return Camera(server, request.param)


def test_a_command_answers_the_challenge(forge: Forge, camera: Camera) -> None:
    assert forge("get", "/status", "q==a b", env=ENV).exit_code == 0
    assert [bool(seen.headers["Authorization"]) for seen in camera.server.seen] == [False, True]


def test_one_challenge_serves_many_requests_and_a_stale_nonce_brings_another(
    camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_PASSWORD", PASSWORD)
    camera.uses = 2
    with load_profile("api").client() as http:
        assert [http.get("/status").status_code for _ in range(4)] == [200] * 4
    # Two challenges: the first of all, and the one when the nonce was used up.
    assert (len(camera.nonces), len(camera.server.seen)) == (2, 6)


def test_a_wrong_password_is_refused_and_not_shown(forge: Forge, camera: Camera) -> None:
    result = forge("get", "/status", "-v", env={"DIGEST_PASSWORD": "a-wrong-password"})
    assert (result.exit_code, len(camera.server.seen)) == (4, 2)
    assert shows_none(result, "a-wrong-password")


def test_the_password_is_never_sent(forge: Forge, camera: Camera) -> None:
    forge("get", "/status", env=ENV)
    assert not any(PASSWORD in value for seen in camera.server.seen for value in seen.headers.values())
