"""The tour tells the truth: each command runs, and the API saw what the tour says it saw."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import NamedTuple

import pytest

from forge_cli.demo.stage import stage
from forge_cli.demo.tour import SCENES, Scene, Tour


class Played(NamedTuple):
    good: bool
    text: str

    def part(self, title: str) -> str:
        """What was printed from this title to the next."""
        return self.text.partition(f". {title}\n")[2].partition("\n\n")[0]


def play(*scenes: Scene, color: bool = False, environ: Mapping[str, str] | None = None) -> Played:
    out = io.StringIO()
    with stage("forge", {"PATH": "/usr/bin:/bin"} if environ is None else environ) as running:
        good = Tour(running, out, color=color, scenes=scenes).run()
    return Played(good, out.getvalue())


@pytest.fixture(scope="module")
def tour() -> Played:
    return play(*SCENES)


def test_every_command_does_what_it_should(tour: Played) -> None:
    assert tour.good, tour.text
    assert "wrong" not in tour.text


def test_it_is_plain_text_without_a_terminal(tour: Played) -> None:
    assert "\x1b" not in tour.text
    assert all(len(line) <= 100 for line in tour.text.splitlines() if line.startswith("# "))


def test_it_shows_each_command_with_its_output(tour: Played) -> None:
    part = tour.part("The first request logs in")
    assert part.splitlines()[:2] == ["$ forge get /users", '[{"id": 1, "name": "Ada"}, '
        '{"id": 2, "name": "Grace"}, {"id": 3, "name": "Edsger"}]']  # fmt: skip


COUNTS = {
    "The login, before anything has happened": "0 token requests, 0 API requests",
    "The first request logs in": "3 token requests (device, app, user), 1 API request",
    "The second one does not": "0 token requests, 1 API request",
    "The user's token is refused before its time": "1 token request (user, by its refresh token), 2 API requests",
    "The user's token ends": "1 token request (user, by its refresh token), 1 API request",
    "The app's token is refused": "2 token requests (app, user), 2 API requests",
    "The API is busy": "0 token requests, 3 API requests",
    "Five processes at once, and nothing cached": "3 token requests (device, app, user), 5 API requests",
    "What is stored": "0 token requests, 0 API requests",
    "The same request for a colleague": "0 token requests, 0 API requests",
    "... and it runs": "0 token requests, 1 API request",
}


@pytest.mark.parametrize(("title", "counted"), COUNTS.items(), ids=COUNTS)
def test_it_counts_what_the_api_saw(tour: Played, title: str, counted: str) -> None:
    assert f"# {counted}\n" in tour.part(title)


def test_it_says_how_much_time_passes_and_waits_that_long() -> None:
    out, slept = io.StringIO(), list[float]()
    with stage("forge", {"PATH": "/usr/bin:/bin"}) as running:
        Tour(running, out, color=False, scenes=[Scene("", "forge --version", "", after=2)], sleep=slept.append).run()
    assert "# 2 seconds later\n$ forge --version\n" in out.getvalue()
    assert slept == [2]


def test_it_shows_no_token(tour: Played) -> None:
    assert not [line for line in tour.text.splitlines() if "demo-user-token" in line or "demo-password" in line]


def test_a_command_that_goes_wrong_is_told() -> None:
    played = play(Scene("Nowhere", "forge get /nowhere --no-auth", "This is not there.", {"200 /nowhere": 1}))
    assert not played.good
    assert "This is wrong: exit code 4, answers 1 x 404 /nowhere, not 1 x 200 /nowhere." in played.text
    assert "1 of 1 commands did not do what they should have done." in played.text


def test_without_curl_that_part_is_left_out() -> None:
    played = play(Scene("Piped", "forge curl GET /users | sh", "", needs=("sh", "curl")), environ={"PATH": "/nowhere"})
    assert played.good
    assert "Left out: sh and curl cannot be found." in played.text


def test_colour_is_for_its_own_words() -> None:
    played = play(Scene("Help", "forge --version", "The version."), color=True)
    assert "\x1b[1m$ forge --version\x1b[0m\nforge " in played.text
    assert "\x1b[2m# The version.\x1b[0m" in played.text
