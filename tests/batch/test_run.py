"""Many requests as a library does them."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from forge_cli.batch import Batch, Result, requests_of, send, written
from forge_cli.batch.run import MOST_JOBS
from forge_cli.batch.shared_pace import RedisPace
from forge_cli.breaker import CircuitBreaker
from forge_cli.config import HttpClientConfig
from forge_cli.errors import CircuitOpenException, StorageError, TimeoutException
from forge_cli.profiles.build import load_profile
from forge_cli.redact import REDACTOR
from forge_cli.retry import ExponentialBackoffRetryStrategy
from tests.clock import Clock
from tests.conftest import Require
from tests.redis_server import redis_server
from tests.server import Reply, Seen, Server


def test_results_come_in_order_and_keyed(server: Server) -> None:
    late = threading.Event()

    def slow(request: Seen) -> Reply:
        late.wait(5)
        return Reply(200, "slow")

    server.reply("/slow", slow)
    server.reply("/x", lambda request: late.set() or Reply(200, "x"))  # type: ignore[func-returns-value]
    records: list[dict[str, str] | str] = [{"url": "/slow", "id": "first"}, {"url": "/x", "id": "second"}, "/x"]
    found = list(send(records, HttpClientConfig(base_url=server.url), jobs=2))
    assert [(item.id, item.status) for item in found] == [("first", 200), ("second", 200), (3, 200)]


def test_unordered_results_come_as_they_end(server: Server) -> None:
    late = threading.Event()
    server.reply("/slow", Reply(200, hold=late))
    server.reply("/x", Reply(200))
    found = send(["/slow", "/x"], HttpClientConfig(base_url=server.url), jobs=2, ordered=False)
    assert next(found).id == 2
    late.set()
    assert next(found).id == 1


def test_the_input_is_read_no_further_than_the_look_ahead(server: Server) -> None:
    held = threading.Event()
    server.reply("/first", Reply(200, hold=held))
    server.reply("/x", Reply(200))
    taken = itertools.count()
    last = 0

    def endless() -> object:
        nonlocal last
        yield "/first"
        for number in taken:
            last = number
            yield "/x"

    found = send(endless(), HttpClientConfig(base_url=server.url), jobs=2)  # type: ignore[arg-type]
    timer = threading.Timer(0.5, held.set)
    timer.start()
    assert next(found).id == 1
    assert last <= 2 * 32
    found.close()
    timer.join()


def test_one_failure_loses_nothing(server: Server) -> None:
    server.reply("/x", Reply(200))
    server.reply("/broken", Reply(raw=b"nonsense"))
    found = list(send(["/x", "/broken", {"url": 1}, "/x"], HttpClientConfig(base_url=server.url)))
    assert [item.status for item in found] == [200, None, None, 200]
    assert [item.error is None for item in found] == [True, False, False, True]


def test_retries_are_counted_and_share_one_budget(server: Server) -> None:
    server.reply("/x", Reply(503))
    retry = ExponentialBackoffRetryStrategy(3, base_delay=0.0)
    found = list(send(["/x"] * 200, HttpClientConfig(base_url=server.url, retry_strategy=retry), jobs=8))
    assert [item.status for item in found] == [503] * 200
    assert len(server.seen) <= 1.2 * 200 + 10
    assert sum(item.attempts for item in found) == len(server.seen)


def test_with_a_rate_latency_counts_from_the_moment_that_a_request_was_scheduled_for(server: Server) -> None:
    clock = Clock()

    def answer(request: Seen) -> Reply:
        clock.now += 1.0  # twice what the rate allows for
        return Reply(200)

    server.reply("/x", answer)
    paced = Batch(HttpClientConfig(base_url=server.url), jobs=1, rate=2.0, clock=clock, sleep=clock.sleep)
    assert [item.elapsed_ms for item in paced.results(requests_of(["/x"] * 4))] == [1000, 1500, 2000, 2500]
    free = Batch(HttpClientConfig(base_url=server.url), jobs=1, clock=clock, sleep=clock.sleep)
    assert [item.elapsed_ms for item in free.results(requests_of(["/x"] * 4))] == [1000] * 4


def test_a_rate_is_kept_also_by_retries(server: Server) -> None:
    times: list[float] = []

    def note(request: Seen) -> Reply:
        times.append(time.monotonic())
        return Reply(503 if len(times) == 3 else 200)

    server.reply("/x", note)
    retry = ExponentialBackoffRetryStrategy(1, base_delay=0.0)
    config = HttpClientConfig(base_url=server.url, retry_strategy=retry)
    found = list(send(["/x"] * 10, config, jobs=4, rate=50.0))
    assert len(times) == 11
    assert times[-1] - times[0] >= 10 * 0.02 - 0.02
    assert all(item.status == 200 for item in found)


def answered(server: Server, clock: Clock, first: Reply) -> list[float]:
    """The moments at which requests arrive, of which the first one is answered like this and the others well."""
    moments: list[float] = []

    def note(request: Seen) -> Reply:
        moments.append(clock.now)
        return first if len(moments) == 1 else Reply(200)

    server.reply("/x", note)
    return moments


@pytest.mark.parametrize(
    "headers", [{"RateLimit": '"d";r=0;t=7'}, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "7"}]
)
def test_a_used_up_quota_is_waited_for(server: Server, headers: dict[str, str]) -> None:
    clock = Clock()
    moments = answered(server, clock, Reply(200, headers=headers))
    run = Batch(HttpClientConfig(base_url=server.url), jobs=1, clock=clock, sleep=clock.sleep)
    assert len(list(run.results(requests_of(["/x"] * 3)))) == 3
    assert moments == pytest.approx([1000, 1007, 1007])


def test_retry_after_holds_all_workers_back(server: Server) -> None:
    clock, others = Clock(), threading.Event()
    moments: list[float] = []

    def note(request: Seen) -> Reply:
        moments.append(clock.now)
        if len(moments) > 1:
            return Reply(200, hold=others)
        # The other answers come when this one has long been read.
        threading.Timer(0.3, others.set).start()
        return Reply(429, headers={"Retry-After": "7"})

    server.reply("/x", note)
    run = Batch(HttpClientConfig(base_url=server.url), jobs=4, clock=clock, sleep=clock.sleep)
    found = list(run.results(requests_of(["/x"] * 20)))
    assert sorted(item.status or 0 for item in found) == [200] * 19 + [429]
    # Only what was under way already came before.
    assert sum(moment < 1007 for moment in moments) <= 4


def test_an_overloaded_server_gets_as_many_at_a_time_as_it_bears(server: Server) -> None:
    under_way = refused = 0
    lock = threading.Lock()

    def answer(request: Seen) -> Reply:
        nonlocal under_way, refused
        with lock:
            under_way += 1
            well = under_way <= 3
            refused += not well
        threading.Event().wait(0.004)  # what the work of a server takes
        with lock:
            under_way -= 1
        return Reply(200 if well else 503)

    server.reply("/x", answer)
    found = list(send(["/x"] * 300, HttpClientConfig(base_url=server.url), jobs=8))
    assert sum(item.status == 503 for item in found) == refused
    # Eight at a time would have five of eight refused.
    assert 0 < refused < 100


def test_answers_that_wait_for_an_earlier_one_are_limited_by_their_size(server: Server) -> None:
    first = threading.Event()
    server.reply("/first", Reply(200, hold=first))
    server.reply("/x", Reply(200, bytes(8_000_000)))
    found = send(["/first", *["/x"] * 12], HttpClientConfig(base_url=server.url), jobs=2)
    timer = threading.Timer(1.0, first.set)
    timer.start()
    assert next(found).status == 200
    # 32 MiB, and what each worker had begun before they were reached.
    assert len(server.seen_at("/x")) <= 5 + 2
    assert [item.status for item in found] == [200] * 12
    timer.join()


def test_a_stopped_run_sends_nothing_more_and_keeps_what_was_under_way(server: Server) -> None:
    run = Batch(HttpClientConfig(base_url=server.url), jobs=1)

    def stop(request: Seen) -> Reply:
        run.stop()
        return Reply(200)

    server.reply("/x", stop)
    assert [item.id for item in run.results(requests_of(["/x"] * 50))] == [1]
    assert len(server.seen) == 1


def test_a_result_is_one_line_with_headers_masked_and_the_body_as_it_came(server: Server) -> None:
    REDACTOR.add("s3cret-value")
    server.reply("/x", Reply(200, b'{"n": 1.10,\n "a": "s3cret-value"}', [
        ("Content-Type", "application/json"), ("Set-Cookie", "sid=1"), ("X-Other", "has s3cret-value")]))  # fmt: skip
    (found,) = send(["/x"], HttpClientConfig(base_url=server.url))
    text = written(found)
    assert text.endswith("\n") and text.count("\n") == 1
    assert '"n": 1.10' in text
    record = json.loads(text)
    assert record["body"]["a"] == "s3cret-value"
    assert record["headers"]["Set-Cookie"] == "***" and record["headers"]["X-Other"] == "has ***"
    assert list(record) == ["id", "status", "headers", "body", "elapsed_ms", "attempts"]


@pytest.mark.parametrize(
    ("reply", "member"),
    [
        (Reply(200, b"\x00\xff"), {"body_base64": "AP8="}),
        (Reply(200, "plain"), {"body": "plain"}),
        (Reply(200, b"{broken", {"Content-Type": "application/json"}), {"body": "{broken"}),
        (Reply(204), {}),
    ],
)
def test_a_body_is_json_text_or_base64(server: Server, reply: Reply, member: dict[str, str]) -> None:
    server.reply("/x", reply)
    (found,) = send(["/x"], HttpClientConfig(base_url=server.url))
    record = json.loads(written(found))
    assert {name: value for name, value in record.items() if name.startswith("body")} == member


def test_what_was_never_sent_has_no_attempt_and_no_latency(server: Server) -> None:
    server.reply("/x", Reply(200))
    found = list(send(["ftp://x", "/x"], HttpClientConfig(base_url=server.url), jobs=1))
    assert [(item.attempts, item.elapsed_ms > 0) for item in found] == [(0, False), (1, True)]
    assert found[0].error is not None


@pytest.mark.parametrize("apart", [False, True])
def test_a_source_that_fails_loses_no_answer(server: Server, apart: bool) -> None:
    server.reply("/x", Reply(200))

    def failing() -> Iterator[str]:
        yield from ("/x", "/x")
        raise LookupError("no more")

    found = list[Result]()
    run = Batch(HttpClientConfig(base_url=server.url), apart=apart)
    with pytest.raises(LookupError, match="no more"):
        found.extend(run.results(requests_of(failing())))
    assert [item.status for item in found] == [200, 200]


def test_answers_are_results_while_the_next_line_is_waited_for(server: Server) -> None:
    server.reply("/x", Reply(200))
    known = threading.Event()

    def slow() -> Iterator[str]:
        yield "/x"
        assert known.wait(20)
        yield "/x"

    found = Batch(HttpClientConfig(base_url=server.url), apart=True).results(requests_of(slow()))
    assert next(found).id == 1
    known.set()
    assert [item.id for item in found] == [2]


def test_of_answers_that_are_there_none_waits_until_the_look_ahead_is_full(server: Server) -> None:
    server.reply("/x", Reply(200))
    taken = itertools.count()

    def slow() -> Iterator[str]:
        for _ in taken:
            while len(server.seen) < 1:
                threading.Event().wait(0.001)
            yield "/x"
            threading.Event().wait(0.002)  # what it takes to come up with another one

    first = iter(["/x"])
    found = send(itertools.chain(first, slow()), HttpClientConfig(base_url=server.url), jobs=8)
    assert next(found).id == 1
    assert next(taken) < 100
    found.close()


def test_a_run_that_is_stopped_ends_though_its_source_does_not(server: Server) -> None:
    server.reply("/x", Reply(200))
    never = threading.Event()

    def idle() -> Iterator[str]:
        yield "/x"
        never.wait(20)

    run = Batch(HttpClientConfig(base_url=server.url), apart=True)
    found = run.results(requests_of(idle()))
    assert next(found).id == 1
    run.stop()
    assert list(found) == [] and not never.is_set()
    never.set()


def test_a_stopped_run_begins_no_new_wait_and_ends_those_that_are_under_way(server: Server) -> None:
    server.reply("/x", Reply(503, headers={"Retry-After": "30"}))
    retry = ExponentialBackoffRetryStrategy(3)
    clock = Clock()

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        run.stop()

    config = HttpClientConfig(base_url=server.url, retry_strategy=retry)
    run = Batch(config, jobs=1, clock=clock, sleep=sleep)
    assert list(run.results(requests_of(["/x"] * 5))) == []
    # It is no answer yet, and a later run sends it again.
    assert len(server.seen) == 1 and sum(clock.slept) < 1


def test_a_wait_that_the_server_asks_for_is_told_once_and_known(server: Server) -> None:
    clock = Clock()
    told: list[str] = []
    held: list[float] = []

    def sleep(seconds: float) -> None:
        held.append(run.held)
        clock.sleep(seconds)

    answered(server, clock, Reply(200, headers={"RateLimit": '"d";r=0;t=60'}))
    run = Batch(HttpClientConfig(base_url=server.url), jobs=1, clock=clock, sleep=sleep, say=told.append)
    assert len(list(run.results(requests_of(["/x"] * 3)))) == 3
    assert told == ["the server wants no requests for 1 min: all wait"]
    assert held[0] == pytest.approx(60) and run.held == 0


def test_a_line_waits_no_longer_than_its_time_limit_for_what_the_server_asks(server: Server) -> None:
    clock = Clock()
    answered(server, clock, Reply(200, headers={"RateLimit": '"d";r=0;t=3600'}))
    config = HttpClientConfig(base_url=server.url, max_elapsed=30.0)
    first, second = Batch(config, jobs=1, clock=clock, sleep=clock.sleep).results(requests_of(["/x"] * 2))
    assert first.status == 200
    assert isinstance(second.failure, TimeoutException) and second.attempts == 0
    assert "no requests for another" in (second.error or "")
    assert clock.now == pytest.approx(1030)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "headers",
    [
        lambda left: {"X-RateLimit-Remaining": str(left), "X-RateLimit-Reset": "1"},
        lambda left: {"RateLimit": f"limit=20, remaining={left}, reset=1"},
        lambda left: {"RateLimit": f'"default";r={left};t=1'},
    ],
)
def test_a_quota_is_not_overshot_however_the_answers_overtake_each_other(
    server: Server, headers: Callable[[int], dict[str, str]]
) -> None:
    clock, lock = Clock(), threading.Lock()
    began, arrived, count, refused = 0.0, itertools.count(), 0, 0

    def answer(request: Seen) -> Reply:
        nonlocal began, count, refused
        # Some are overtaken by those that were sent after them: before they count, or after.
        number = next(arrived)
        threading.Event().wait(0.015 * (number % 3))
        with lock:
            if clock.now - began >= 1:
                began, count = clock.now, 0
            count += 1
            mine = count
            refused += mine > 20
        threading.Event().wait(0.01 * (number % 4))
        return Reply(200 if mine <= 20 else 429, headers=headers(max(0, 20 - mine)))

    server.reply("/x", answer)
    run = Batch(HttpClientConfig(base_url=server.url), jobs=16, clock=clock, sleep=clock.sleep)
    assert {item.status for item in run.results(requests_of(["/x"] * 100))} == {200}
    assert refused == 0


def test_lines_wait_for_a_circuit_instead_of_failing(server: Server) -> None:
    clock, told = Clock(), list[str]()
    well = itertools.count()
    server.reply("/x", lambda request: Reply(503 if next(well) < 4 else 200))
    config = HttpClientConfig(base_url=server.url, circuit_breaker=CircuitBreaker(3, 10.0, clock=clock))
    run = Batch(config, jobs=1, clock=clock, sleep=clock.sleep, say=told.append)
    found = list(run.results(requests_of(["/x"] * 30)))
    # The fourth is the trial that opens it again.
    assert [item.status for item in found] == [503] * 4 + [200] * 26
    assert clock.now == pytest.approx(1020)
    assert max(item.elapsed_ms for item in found) < 10_000
    assert len(told) == 2 and all("is open" in text and "10 s" in text for text in told)


def test_a_line_waits_no_longer_than_its_time_limit_for_a_circuit(server: Server) -> None:
    clock = Clock()
    server.reply("/x", Reply(503))
    breaker = CircuitBreaker(1, 600.0, clock=clock)
    config = HttpClientConfig(base_url=server.url, circuit_breaker=breaker, max_elapsed=5.0)
    _, second = Batch(config, jobs=1, clock=clock, sleep=clock.sleep).results(requests_of(["/x"] * 2))
    assert isinstance(second.failure, CircuitOpenException) and second.attempts == 0
    assert clock.now == pytest.approx(1005)


@pytest.mark.parametrize("rate", [None, 200.0])
def test_a_store_that_fails_ends_the_run_and_leaves_the_lines(
    require: Require, server: Server, rate: float | None
) -> None:
    with redis_server(require("redis-server", "apt-get install redis-server")) as running:
        server.reply("/x", lambda request: (len(server.seen) == 30 and running.kill()) or Reply(200))  # type: ignore[func-returns-value]
        run = Batch(HttpClientConfig(base_url=server.url), jobs=4, pace=RedisPace(rate, "api", running.url, "t"))
        lines = (["/x"] * 100_000) if rate is None else ["/x"] * 1000
        found = list(run.results(requests_of(lines)))
    assert isinstance(run.refusal, StorageError)
    assert sum(item.error is not None for item in found) <= 4
    assert 20 <= len(found) < len(lines)


@pytest.mark.parametrize("jobs", [0, MOST_JOBS + 1])
def test_impossible_numbers_of_workers_are_refused(jobs: int) -> None:
    with pytest.raises(ValueError, match="jobs must be"):
        send([], HttpClientConfig(), jobs=jobs)


def test_the_calls_of_one_profile_share_its_rate_through_redis(
    require: Require, server: Server, profile_file: Callable[[str], Path]
) -> None:
    times: list[float] = []
    server.reply("/x", lambda request: times.append(time.monotonic()) or Reply(200))  # type: ignore[func-returns-value]
    with redis_server(require("redis-server", "apt-get install redis-server")) as running:
        profile_file(
            f'[profiles.api]\nbase_url = "{server.url}"\n'
            f'tokens = {{ storage = "redis", url = "{running.url}", prefix = "t" }}\n'
        )
        calls = [
            threading.Thread(target=lambda: list(send(["/x"] * 5, load_profile("api"), rate=25.0))) for _ in range(2)
        ]
        for call in calls:
            call.start()
        for call in calls:
            call.join()
    assert len(times) == 10
    assert max(times) - min(times) >= 9 / 25 - 0.03
