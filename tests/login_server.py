"""An authorization server for the tests: it logs in whoever comes, at once, and checks what it is told."""

from __future__ import annotations

import base64
import hashlib
import itertools
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode

from tests.server import Reply, Seen, Server

PROFILE = """
[profiles.api]
base_url = "@URL@"
[profiles.api.auth]
type = "pipeline"

[profiles.api.auth.steps.code]
kind = "browser"
url = "/authorize"
params = { client_id = "client-1", scope = "read" }

[profiles.api.auth.steps.user]
request = { method = "POST", url = "/token", form = { grant_type = "authorization_code", code = "${steps.code.token}", code_verifier = "${steps.code.verifier}", redirect_uri = "${steps.code.redirect_uri}" } }
extract = { token = "/access_token", refresh_token = "/refresh_token" }
expires = { in = "/expires_in" }
refresh = { request = { method = "POST", url = "/token", form = { grant_type = "refresh_token", refresh_token = "${self.refresh_token}" } } }
revoke = { request = { method = "POST", url = "/revoke", form = { token = "${self.refresh_token}" } } }
"""  # noqa: E501  # a table of one line, as a person would write it

DEVICE = """
[profiles.api]
base_url = "@URL@"
[profiles.api.auth]
type = "pipeline"

[profiles.api.auth.steps.user]
kind = "device"
request = { method = "POST", url = "/device", form = { client_id = "client-1" } }
poll = { request = { method = "POST", url = "/token", form = { device_code = "${self.device_code}" } } }
extract = { token = "/access_token" }
expires = { in = "/expires_in" }
"""


class LoginServer:
    """Routes of a server: `/authorize` redirects back with a code, `/token` takes it once.

    `answer` is what it redirects back with instead.
    """

    def __init__(self, server: Server, *, expires_in: int = 3600, answer: Mapping[str, str] | None = None) -> None:
        self.server = server
        self.expires_in = expires_in
        self._answer = answer or {}
        self._codes: dict[str, dict[str, str]] = {}
        self._numbers = itertools.count(1)
        server.reply("/authorize", self._authorize, optional=True)
        server.reply("/token", self._token, optional=True)

    @property
    def logins(self) -> int:
        """How often somebody logged in with a browser."""
        return len(self.server.seen_at("/authorize"))

    def _authorize(self, seen: Seen) -> Reply:
        asked = dict(seen.query)
        code = f"code-{secrets.token_hex(8)}"
        self._codes[code] = asked
        answer = {"state": asked["state"], **(self._answer or {"code": code})}
        return Reply(302, headers={"Location": f"{asked['redirect_uri']}?{urlencode(answer)}"})

    def _token(self, seen: Seen) -> Reply:
        form = dict(seen.form)
        if form["grant_type"] == "authorization_code":
            asked = self._codes.pop(form["code"], None)
            if asked is None or _challenge(form["code_verifier"]) != asked["code_challenge"]:
                return Reply(400, {"error": "invalid_grant"})
            if form["redirect_uri"] != asked["redirect_uri"]:
                return Reply(400, {"error": "invalid_grant"})
        number = next(self._numbers)
        tokens = {"access_token": f"access-token-{number}-abcdef", "refresh_token": f"refresh-token-{number}-abcdef"}
        return Reply(200, {**tokens, "expires_in": self.expires_in})


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def browser(folder: Path) -> str:
    """A value of BROWSER: a program that gets a page and all it is redirected to, and keeps the last one."""
    script = folder / "browser.py"
    script.write_text(
        "import pathlib, sys, urllib.request\n"
        "page = urllib.request.urlopen(sys.argv[1], timeout=20).read()\n"
        f"pathlib.Path({str(folder / 'page.html')!r}).write_bytes(page)\n"
    )
    return f"{sys.executable} {script}"
