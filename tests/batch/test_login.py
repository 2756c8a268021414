"""One credential for many requests, and when it is worked out anew."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest

from forge_cli.batch import Batch, Result, requests_of, send
from forge_cli.batch.login import Refusals, SteadyHook, Undecided, steady
from forge_cli.errors import ForgeError
from forge_cli.profiles.build import load_profile
from tests.clock import Clock
from tests.server import Reply, Seen, Server


class Write(Protocol):
    """Writes a profile with a login of one step, and what the test adds to the login and to the step."""

    def __call__(self, more: str = "", extra: str = "") -> Path: ...


@pytest.fixture
def write(server: Server, profile_file: Callable[[str], Path]) -> Write:
    def write(more: str = "", extra: str = "") -> Path:
        return profile_file(
            f'default_profile = "api"\n[profiles.api]\nbase_url = "{server.url}"\n[profiles.api.auth]\n'
            f'type = "pipeline"\n{more}\n[profiles.api.auth.steps.one]\nrequest = {{ url = "/login" }}\n'
            f'extract = {{ token = "/token" }}\n{extra}\n'
        )

    return write


def numbered(server: Server) -> None:
    """Each login brings another token."""
    server.reply(
        "/login", lambda seen: Reply(200, {"token": f"user-token-{len(server.seen_at('/login'))}", "expires_in": 3600})
    )


def credentials(server: Server) -> list[str]:
    return [seen.headers["Authorization"] for seen in server.seen_at("/x")]


@pytest.mark.parametrize(
    "more",
    [
        "",
        'inject = [{ in = "header", name = "X-Key", value = "${steps.one.token}", paths = ["/x*"] }]',
        'inject = [{ in = "basic", name = "ada", value = "${steps.one.token}" }]',
    ],
    ids=["bearer", "header", "basic"],
)
def test_a_token_in_a_header_is_worked_out_once(server: Server, write: Write, more: str) -> None:
    write(more)
    numbered(server)
    server.reply("/x", Reply(200))
    config = load_profile().config()
    assert isinstance(steady(config.auth_hook), SteadyHook)
    found = list(Batch(config, jobs=2).results(requests_of(["/x"] * 20)))
    assert [item.status for item in found] == [200] * 20
    assert len(server.seen_at("/login")) == 1
    name = "X-Key" if "X-Key" in more else "Authorization"
    assert len({seen.headers[name] for seen in server.seen_at("/x")}) == 1


@pytest.mark.parametrize(
    "more",
    [
        'inject = [{ in = "header", name = "X-Id", value = "${uuid} ${steps.one.token}" }]',
        'inject = [{ in = "query", name = "key", value = "${steps.one.token}" }]',
        "invalidate = [{ when = { status = 403 }, steps = ['one'] }]",
    ],
    ids=["value of its own", "query", "rule"],
)
def test_what_may_differ_from_request_to_request_is_left_to_the_login(server: Server, write: Write, more: str) -> None:
    write(more)
    hook = load_profile().config().auth_hook
    assert not isinstance(steady(hook), SteadyHook)


def test_a_value_of_its_own_is_another_one_for_each_request(server: Server, write: Write) -> None:
    write('inject = [{ in = "header", name = "X-Id", value = "${uuid} ${steps.one.token}" }]')
    numbered(server)
    server.reply("/x", Reply(200))
    assert len(list(Batch(load_profile().config()).results(requests_of(["/x"] * 20)))) == 20
    assert len({seen.headers["X-Id"] for seen in server.seen_at("/x")}) == 20


def test_what_the_line_says_itself_is_left_alone(server: Server, write: Write) -> None:
    write()
    numbered(server)
    server.reply("/x", Reply(200))
    lines: list[Any] = ["/x", {"url": "/x", "headers": {"authorization": "Bearer own"}}, "/x"]
    assert len(list(Batch(load_profile().config(), jobs=1).results(requests_of(lines)))) == 3
    assert credentials(server) == ["Bearer user-token-1", "Bearer own", "Bearer user-token-1"]


def test_a_token_that_another_process_forgot_is_not_used_for_long(server: Server, write: Write) -> None:
    write()
    numbered(server)
    clock = Clock()

    def answer(seen: Seen) -> Reply:
        if len(server.seen_at("/x")) == 1:
            load_profile().logins[0].pipeline.clear()
        elif len(server.seen_at("/x")) == 2:
            clock.now += 0.2
        return Reply(200)

    server.reply("/x", answer)
    assert len(list(Batch(load_profile().config(), jobs=1, clock=clock).results(requests_of(["/x"] * 4)))) == 4
    assert credentials(server) == ["Bearer user-token-1"] * 2 + ["Bearer user-token-2"] * 2


def test_a_refused_token_is_renewed_once_for_all_workers(server: Server, write: Write) -> None:
    write()
    numbered(server)

    def answer(seen: Seen) -> Reply:
        return Reply(200 if seen.headers["Authorization"] != "Bearer user-token-1" else 401)

    server.reply("/x", answer)
    found = list(Batch(load_profile().config(), jobs=8).results(requests_of(["/x"] * 100)))
    assert [item.status for item in found] == [200] * 100
    assert len(server.seen_at("/login")) == 2
    # Those under way when it was refused, and no more.
    assert credentials(server).count("Bearer user-token-1") <= 8


def test_a_token_that_has_ended_is_not_sent_however_fresh_the_memory_is(server: Server, write: Write) -> None:
    write(extra='skew = "0s"\nexpires = { in = "/expires_in" }')
    logins = server.seen_at
    server.reply("/login", lambda seen: Reply(200, {"token": f"user-token-{len(logins('/login'))}", "expires_in": 0.3}))
    ended = threading.Event()
    timer = threading.Timer(0.4, ended.set)

    def answer(seen: Seen) -> Reply:
        if len(server.seen_at("/x")) == 1:
            timer.start()
        return Reply(200, hold=ended)

    server.reply("/x", answer)
    assert len(list(Batch(load_profile().config(), jobs=1, clock=Clock()).results(requests_of(["/x"] * 2)))) == 2
    timer.join()
    assert credentials(server) == ["Bearer user-token-1", "Bearer user-token-2"]


STEPS = """
[profiles.api.auth.steps.two]
request = { url = "HOST/second", headers = { X = "${steps.one.token}" } }
extract = { token = "/token" }
"""


def spaced(server: Server, clock: Clock, *paths: str) -> list[float]:
    """The moments of what is sent to these paths, of which the last one is that of the lines."""
    moments: list[float] = []

    def note(seen: Seen) -> Reply:
        moments.append(clock.now)
        return Reply(200, {"token": f"user-token-{len(moments)}"})

    for path in paths:
        server.reply(path, note)
    return moments


def test_a_login_at_the_host_of_the_api_counts_in_the_rate(server: Server, write: Write) -> None:
    write(extra=STEPS.replace("HOST", ""))
    clock = Clock()
    moments = spaced(server, clock, "/login", "/second", "/x")
    run = Batch(load_profile().config(), jobs=1, rate=2.0, clock=clock, sleep=clock.sleep)
    found = list(run.results(requests_of(["/x"] * 3)))
    assert [item.status for item in found] == [200] * 3
    assert [moment - moments[0] for moment in moments] == pytest.approx([0, 0.5, 1, 1.5, 2])


def test_a_login_at_another_host_does_not(server: Server, write: Write) -> None:
    port = server.url.rpartition(":")[2]
    write(extra=STEPS.replace("HOST", f"http://localhost:{port}"))
    clock = Clock()
    moments = spaced(server, clock, "/login", "/second", "/x")
    run = Batch(load_profile().config(), jobs=1, rate=2.0, clock=clock, sleep=clock.sleep)
    assert [item.status for item in run.results(requests_of(["/x"] * 3))] == [200] * 3
    # The first step is at the API's host, the second is not.
    assert [moment - moments[0] for moment in moments] == pytest.approx([0, 0, 0.5, 1, 1.5])


def test_the_time_of_a_line_does_not_go_by_while_it_waits_for_a_turn(server: Server, write: Write) -> None:
    write(extra=STEPS.replace("HOST", ""))
    clock = Clock()
    spaced(server, clock, "/login", "/second", "/x")
    config = replace(load_profile().config(), max_elapsed=0.3)
    run = Batch(config, jobs=1, rate=2.0, clock=clock, sleep=clock.sleep)
    assert [item.error for item in run.results(requests_of(["/x"] * 2))] == [None, None]


def test_what_a_login_at_the_host_of_the_api_is_asked_for_holds_the_workers_back(server: Server, write: Write) -> None:
    write()
    clock = Clock()
    moments = spaced(server, clock, "/x")
    server.reply("/login", Reply(200, {"token": "user-token-1"}, {"RateLimit": '"d";r=0;t=7'}))
    run = Batch(load_profile().config(), jobs=1, clock=clock, sleep=clock.sleep)
    assert len(list(run.results(requests_of(["/x"])))) == 1
    assert moments == pytest.approx([1007])


def test_a_token_is_renewed_for_the_first_refusal_and_for_all_who_had_it() -> None:
    refusals, old, new = Refusals(), frozenset({("one", "a")}), frozenset({("one", "b")})
    assert refusals.refused(old) is True and refusals.refused(old) is True
    # The new one came of a refusal, and nobody was answered with it.
    assert refusals.refused(new) is False
    refusals.accepted(new, refusals.put())
    assert refusals.refused(new) is True


def test_each_renewal_in_vain_doubles_how_many_refusals_in_a_row_the_next_one_takes() -> None:
    refusals = Refusals()
    for number, needed in enumerate([1, 2, 4, 8, 16, 32, 32]):
        key = frozenset({("one", str(number))})
        refusals.accepted(key, refusals.put())
        found = [refusals.refused(key) for _ in range(needed)]
        assert found[-1] is True and all(isinstance(each, Undecided) for each in found[:-1])
        assert all(each.verdict is True for each in found if isinstance(each, Undecided))
        refusals.again(frozenset(), in_vain=True)


def test_only_what_was_sent_after_a_refusal_tells_that_its_token_is_good() -> None:
    refusals, key = Refusals(), frozenset({("one", "a")})
    refusals.again(key, in_vain=True)
    refusals.accepted(key, refusals.put())
    before = refusals.put()
    refusal = refusals.refused(key)
    assert isinstance(refusal, Undecided)
    refusals.accepted(key, before)
    assert refusal.verdict is None
    refusals.accepted(key, refusals.put())
    assert refusal.verdict is False
    # The row is broken: it takes two again.
    assert isinstance(refusals.refused(key), Undecided)


QUERY = 'inject = [{ in = "query", name = "key", value = "${steps.one.token}" }]'


@pytest.mark.parametrize("more", ["", QUERY], ids=["steady", "query"])
@pytest.mark.parametrize("jobs", [1, 16])
def test_an_api_that_refuses_every_token_is_not_logged_in_to_for_each_line(
    server: Server, write: Write, jobs: int, more: str
) -> None:
    write(more)
    numbered(server)
    server.reply("/x", Reply(401))
    found = list(send(["/x"] * 300, load_profile().config(), jobs=jobs))
    assert [(item.status, item.error) for item in found] == [(401, None)] * 300
    assert len(server.seen_at("/login")) <= 2


@pytest.mark.parametrize("more", ["", QUERY], ids=["steady", "query"])
@pytest.mark.parametrize("jobs", [1, 8])
def test_lines_that_are_refused_whatever_the_token_do_not_take_it_from_the_others(
    server: Server, write: Write, jobs: int, more: str
) -> None:
    write(more)
    numbered(server)
    server.reply("/x", Reply(200))
    server.reply("/forbidden", Reply(401))
    lines = ["/forbidden" if n % 10 == 3 else "/x" for n in range(1000)]
    found = list(send(lines, load_profile().config(), jobs=jobs))
    assert [item.status for item in found] == [401 if line == "/forbidden" else 200 for line in lines]
    assert len(server.seen_at("/login")) <= 6
    # Only what is renewed for is sent twice.
    assert len(server.seen_at("/forbidden")) <= 100 + 3 * jobs


@pytest.mark.parametrize("jobs", [1, 8])
def test_a_token_that_ends_is_renewed_also_among_lines_that_are_refused_whatever_the_token(
    server: Server, write: Write, jobs: int
) -> None:
    write()
    numbered(server)
    lock, served = threading.Lock(), dict[str, int]()

    def answer(seen: Seen) -> Reply:
        token = seen.headers["Authorization"]
        with lock:
            served[token] = served.get(token, 0) + 1
            return Reply(200 if served[token] <= 100 else 401)

    server.reply("/x", answer)
    server.reply("/forbidden", Reply(401))
    lines = ["/forbidden" if n % 10 == 3 else "/x" for n in range(1000)]
    found = list(send(lines, load_profile().config(), jobs=jobs))
    wrong = [item.id for item, line in zip(found, lines, strict=True) if (item.status == 401) != (line == "/forbidden")]
    assert wrong == []
    assert len(server.seen_at("/login")) <= 9 + 6


@pytest.mark.parametrize("more", ["", QUERY], ids=["steady", "query"])
@pytest.mark.parametrize("deadline", [None, 20.0])
def test_a_login_that_says_no_in_the_middle_is_asked_once_for_all_who_wait(
    server: Server, write: Write, more: str, deadline: float | None
) -> None:
    write(more)
    together, ended = threading.Barrier(32, timeout=20), threading.Event()
    logins = server.seen_at

    def login(seen: Seen) -> Reply:
        return Reply(200, {"token": "user-token-1"}) if len(logins("/login")) == 1 else Reply(403)

    def answer(seen: Seen) -> Reply:
        if len(logins("/x")) <= 20:
            return Reply(200)
        if not ended.is_set():
            together.wait()
            ended.set()
        return Reply(401)

    server.reply("/login", login)
    server.reply("/x", answer)
    config = replace(load_profile().config(), max_elapsed=deadline)
    found = list[Result]()
    with pytest.raises(ForgeError) as refusal:
        found.extend(send(["/x"] * 1000, config, jobs=32))
    assert "403" in refusal.value.message
    assert len(logins("/login")) == 2
    assert 20 <= len(found) <= 20 + 32
    assert all(item.error for item in found if item.status != 200)


def test_a_login_that_says_no_ends_what_a_program_sends_with_its_error(server: Server, write: Write) -> None:
    write()
    server.reply("/login", Reply(403))
    found = list[Result]()
    with pytest.raises(ForgeError, match="403"):
        found.extend(send(["/x"] * 1000, load_profile(), jobs=4))
    assert 1 <= len(found) <= 4 and all(item.error for item in found)
    assert len(server.seen_at("/login")) == 1
