"""An API that takes what the provider issues, for the tests of logins there."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.server import Reply, Seen, Server


def claims(token: str) -> Any:
    """What a JWT says, unverified."""
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


class Api:
    """Takes JWTs at `/users`, or any token, but none that was used before `refuse_used` was called."""

    def __init__(self, server: Server) -> None:
        self.any = False
        self.used: set[str] = set()
        self.refused: set[str] = set()
        self.url = server.url
        server.reply("/users", self._answer, optional=True)

    def _answer(self, seen: Seen) -> Reply:
        token = (seen.headers["Authorization"] or "").removeprefix("Bearer ")
        if token in self.refused or not (self.any or token.count(".") == 2):
            return Reply(401)
        self.used.add(token)
        return Reply(200, {"ok": True})

    def refuse_used(self) -> None:
        self.refused |= self.used
