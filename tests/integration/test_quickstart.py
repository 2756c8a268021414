"""The API with ideas of its own in the quickstart, and its profile at work against it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.conftest import Forge
from tests.server import Reply, Seen, Server

PAGE = Path(__file__).parents[2] / "docs" / "quickstart.md"


def test_a_session_in_a_header_and_a_ticket_with_a_date_are_sent_beside_a_key(
    forge: Forge, server: Server, profile_file: Callable[[str], Path]
) -> None:
    [text] = re.findall(
        r"```toml\n(version = 1\n\n\[profiles\.depot\].*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL
    )
    profile_file(text.replace("https://depot.example.com", server.url))
    environ = {"DEPOT_SECRET": "depot-secret-1", "DEPOT_KEY": "account-key-1"}
    until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def login(request: Seen) -> Reply:
        assert request.form == [("login", "ada"), ("secret", "depot-secret-1")]
        return Reply(headers={"X-Session": "session-token-1"})

    def ticket(request: Seen) -> Reply:
        assert request.headers["X-Session"] == "session-token-1"
        return Reply(body={"result": {"ticket": {"value": "ticket-token-1", "validUntil": until}}})

    def stock(request: Seen) -> Reply:
        assert request.headers["X-Session"] == "session-token-1"
        assert request.headers["X-Ticket"] == "ticket-token-1"
        assert request.query == [("key", "account-key-1")]
        return Reply(body=["bolt"])

    server.reply("/api/login", login, method="POST")
    server.reply("/api/tickets", ticket, method="POST")
    server.reply("/api/stock", stock, stock)
    for _ in range(2):
        result = forge("get", "/stock", env=environ)
        assert (result.exit_code, result.stdout) == (0, '["bolt"]'), result.stderr
    shown = forge("token", "show", env=environ).stdout
    assert re.search("session.*expires in 20 min", shown) and re.search("ticket.*expires in (60 min|1 h)", shown)
