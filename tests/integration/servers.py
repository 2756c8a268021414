"""Other people's servers, each in a process of its own, for the tests that must not only believe ours."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

HERE = Path(__file__).parent
OIDC = HERE / "oidc"
HTTPBIN = (sys.executable, "-W", "ignore", str(HERE / "httpbin_server.py"))

_STOP_SECONDS = 10

# The servers are on loopback, whatever proxy the machine has.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@contextmanager
def running(command: Sequence[str], *, cwd: Path = HERE) -> Iterator[Any]:
    """Start a server that prints one line of JSON when it listens and ends with its standard input; yield the line."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        with process:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                line = process.stdout.readline()
                if not line:
                    log.seek(0)
                    raise RuntimeError(f"{command[0]} did not start: {log.read().decode(errors='replace')}")
                yield json.loads(line)
            finally:
                process.stdin.close()
                try:
                    process.wait(_STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()


def call(url: str, *, json_body: object = None, form: dict[str, str] | None = None, basic: str = "") -> tuple[int, Any]:
    """One plain request, POST when it has a body: the status, and the body parsed as JSON."""
    request = urllib.request.Request(url)
    if form is not None:
        request.data = urlencode(form).encode()
    if json_body is not None:
        request.data = json.dumps(json_body).encode()
        request.add_header("Content-Type", "application/json")
    if basic:
        request.add_header("Authorization", "Basic " + base64.b64encode(basic.encode()).decode())
    try:
        with _OPENER.open(request, timeout=10) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, json.loads(refusal.read())


@dataclass(frozen=True)
class OpenIdProvider:
    """`oidc-provider`: rotating refresh tokens, JWT access tokens. `post_client_id` authenticates in the form.

    `client_key` is the private key of `key-client`; access tokens for `opaque` can be introspected.
    """

    issuer: str
    resource: str
    opaque: str
    client_key: str = field(repr=False)
    client_id: str = "basic-client"
    post_client_id: str = "post-client"
    client_secret: str = "provider-client-secret"

    @property
    def token_url(self) -> str:
        return f"{self.issuer}/token"

    def refresh_token(self, scope: str = "openid offline_access read", client_id: str | None = None) -> str:
        """A first refresh token of a family, as a login in a browser would have given."""
        wanted = {"scope": scope, "client_id": client_id or self.client_id}
        return str(call(f"{self.issuer}/test/refresh-token", json_body=wanted)[1]["refresh_token"])

    def access_token_ttl(self, seconds: int) -> None:
        """How long the access tokens from now on are good for."""
        call(f"{self.issuer}/test/settings", json_body={"access_token_ttl": seconds})

    def active(self, token: str) -> bool:
        """Whether the provider still takes a token (RFC 7662)."""
        basic = f"{self.client_id}:{self.client_secret}"
        status, answer = call(f"{self.issuer}/token/introspection", form={"token": token}, basic=basic)
        assert status == 200, answer
        return bool(answer["active"])

    def reset(self) -> None:
        """Set every count to zero, and lives to 60 s."""
        self.access_token_ttl(60)
        call(f"{self.issuer}/test/reset", json_body={})

    def counts(self) -> Any:
        """`token`: requests to the token endpoint; `grants` and `errors`: how they ended, by kind."""
        return call(f"{self.issuer}/test/counts")[1]
