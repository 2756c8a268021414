"""D1: what fails is repeated a few times, each wait is announced, and many failures cost a fifth more and ten."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from forge_cli.profiles import transport
from forge_cli.profiles.build import load_profile
from tests.conftest import Forge
from tests.server import Reply, Server

QUICK = 'base_url = "{url}"\nretry = {{ base_delay = 0 }}\n'


def test_each_wait_is_announced(forge: Forge, server: Server, profile_file: Callable[[str], Path]) -> None:
    server.reply("/x", Reply(503), Reply(429), Reply(200, "ok"))
    profile_file("[profiles.api]\n" + QUICK.format(url=server.url))
    result = forge("get", "/x")
    assert (result.exit_code, result.stdout.strip()) == (0, "ok")
    assert re.findall(r"(\d+), retry (\d) of (\d)", result.stderr) == [("503", "1", "3"), ("429", "2", "3")]


def test_all_clients_of_a_process_share_one_budget(server: Server, profile_file: Callable[[str], Path]) -> None:
    server.reply("/x", Reply(503))
    profile_file("[profiles.a]\n" + QUICK.format(url=server.url) + "[profiles.b]\n" + QUICK.format(url=server.url))
    for _ in range(50):
        for name in ("a", "b"):
            with load_profile(name).client() as client:
                assert client.get("/x").status_code == 503
    assert len(server.seen) <= 1.2 * 100 + 10


def test_whoever_asks_for_more_retries_gets_them(
    forge: Forge, server: Server, profile_file: Callable[[str], Path]
) -> None:
    server.reply("/x", Reply(503))
    profile_file("[profiles.api]\n" + QUICK.format(url=server.url))
    assert forge("get", "/x", "--retry", "20").exit_code == 5
    assert len(server.seen) == 21


def test_a_retry_that_the_budget_has_not_is_said(
    forge: Forge, server: Server, profile_file: Callable[[str], Path]
) -> None:
    server.reply("/x", Reply(503))
    profile_file("[profiles.api]\n" + QUICK.format(url=server.url))
    results = [forge("get", "/x") for _ in range(5)]
    assert f"not retried: the retry budget of {server.url} is used up" in results[-1].stderr
    assert {result.exit_code for result in results} == {5}
    assert transport.retry_budget(3) is transport.retry_budget(10)
