"""D6: of many requests each has its result, in order; one failure loses no other, and one renewal serves all."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Forge
from tests.server import Reply, Seen, Server

PROFILE = """
[profiles.api]
base_url = "{url}"
retry = {{ base_delay = 0, max_retries = 0 }}
[profiles.api.auth]
type = "pipeline"
[profiles.api.auth.steps.one]
request = {{ method = "POST", url = "/login" }}
extract = {{ token = "/token" }}
expires = {{ ttl = "1h" }}
"""
COUNT = 40


@pytest.fixture
def lines(server: Server, profile_file: Callable[[str], Path], tmp_path: Path) -> Path:
    profile_file(PROFILE.format(url=server.url))
    path = tmp_path / "requests.jsonl"
    path.write_text("".join(f'{{"url": "/item", "query": {{"n": {n}}}, "id": "r{n}"}}\n' for n in range(COUNT)))
    return path


def number(seen: Seen) -> int:
    return int(dict(seen.query)["n"])


def test_results_are_keyed_and_in_order_and_one_failure_loses_nothing(
    forge: Forge, server: Server, lines: Path
) -> None:
    server.reply("/login", Reply(body={"token": "t-1"}))

    def item(seen: Seen) -> Reply:
        n = number(seen)
        if n % 10 == 3:
            return Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\ncut")
        return Reply(500 if n % 10 == 7 else 200, {"n": n})

    server.reply("/item", item)
    result = forge("batch", str(lines), "--jobs", "8", "-s")
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [each["id"] for each in found] == [f"r{n}" for n in range(COUNT)]
    for n, each in enumerate(found):
        if n % 10 == 3:
            assert each["error"]
        else:
            assert each["body"] == {"n": n}
            assert each["status"] == (500 if n % 10 == 7 else 200)
    # Of what occurred, the broken answer is the worst.
    assert result.exit_code == 10


def test_all_workers_share_one_login_and_one_renewal(forge: Forge, server: Server, lines: Path) -> None:
    logins = [0]
    counting = threading.Lock()

    def login(seen: Seen) -> Reply:
        with counting:
            logins[0] += 1
            return Reply(body={"token": f"t-{logins[0]}"})

    server.reply("/login", login)
    served = [0]

    def item(seen: Seen) -> Reply:
        with counting:
            served[0] += 1
            # From the tenth request on the first token is revoked.
            revoked = served[0] > 10 and seen.headers["Authorization"] == "Bearer t-1"
        return Reply(401) if revoked else Reply(200, {"n": number(seen)})

    server.reply("/item", item)
    result = forge("batch", str(lines), "--jobs", "8", "-s")
    assert result.exit_code == 0, result.stderr
    assert [json.loads(line)["status"] for line in result.stdout.splitlines()] == [200] * COUNT
    assert logins == [2]
