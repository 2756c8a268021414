"""request_many: lazy, in the order of completion, few at a time, and an end to everything."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from forge_cli import HttpClient, HttpClientConfig, HttpClientException, HttpRequest, HttpResponse, MaxRetryException
from forge_cli.models import Headers
from tests.server import Reply, Seen, Server


@pytest.fixture
def client(server: Server) -> Iterator[HttpClient]:
    with HttpClient(HttpClientConfig(base_url=server.url)) as made:
        yield made


def gets(*paths: str) -> list[HttpRequest]:
    return [HttpRequest("GET", path) for path in paths]


def alive() -> int:
    return sum(thread.name.startswith("forge") for thread in threading.enumerate())


def test_all_are_answered_with_their_positions(client: HttpClient, server: Server) -> None:
    server.reply("/x", lambda seen: Reply(200, seen.query[0][1]))
    found = dict(client.request_many(gets(*(f"/x?n={n}" for n in range(20))), 4))
    assert {n: answer.text for n, answer in found.items() if isinstance(answer, HttpResponse)} == {
        n: str(n) for n in range(20)
    }
    assert alive() == 0


def test_nothing_is_sent_or_read_before_it_is_asked_for(client: HttpClient, server: Server) -> None:
    taken: list[int] = []

    def requests() -> Iterator[HttpRequest]:
        taken.append(1)
        yield from gets("/x")

    server.reply("/x", Reply())
    answers = client.request_many(requests())
    assert (taken, server.seen) == ([], [])
    assert len(list(answers)) == 1


def test_answers_come_in_the_order_of_completion(client: HttpClient, server: Server) -> None:
    release = threading.Event()
    server.reply("/slow", Reply(200, hold=release))
    server.reply("/quick", Reply())
    answers = client.request_many(gets("/slow", "/quick"), 2)
    assert next(answers)[0] == 1
    release.set()
    assert [n for n, _ in answers] == [0]


def test_no_more_are_in_flight_or_in_memory_than_there_are_workers(server: Server) -> None:
    now, most, guard = [0], [0], threading.Lock()
    known: list[weakref.ref[Any]] = []

    class Sized(HttpClient):
        def request(self, request: HttpRequest, **kw: Any) -> HttpResponse:
            with guard:
                now[0] += 1
                most[0] = max(most[0], now[0])
            answer = HttpResponse(200, Headers(), b"", 0.0, "u", request)
            known.append(weakref.ref(answer))
            with guard:
                now[0] -= 1
            return answer

    taken = [0]

    def endless() -> Iterator[HttpRequest]:
        while True:
            taken[0] += 1
            yield HttpRequest("GET", "/x")

    answers = Sized().request_many(endless(), 3)
    for consumed, _ in enumerate(answers, 1):
        gc.collect()
        assert taken[0] <= consumed + 2
        assert sum(reference() is not None for reference in known) <= 3
        if consumed == 10:
            break
    answers.close()
    assert most[0] <= 3
    assert alive() == 0


def test_errors_are_values_and_lose_nothing(client: HttpClient, server: Server) -> None:
    server.reply("/x", Reply())
    server.reply("/cut", Reply(raw=b""))
    answers = dict(client.request_many([*gets("/x", "/cut"), HttpRequest("GET", "nowhere://x")]))
    assert isinstance(answers[0], HttpResponse)
    assert isinstance(answers[1], MaxRetryException)
    assert isinstance(answers[2], HttpClientException)


def test_what_nobody_expected_is_wrapped(client: HttpClient) -> None:
    def request(request: HttpRequest, **kw: Any) -> HttpResponse:
        raise KeyError("user-token-1")

    client.request = request  # type: ignore[method-assign]  # callers replace it on the instance
    [(index, error)] = client.request_many(gets("/x"))
    assert index == 0
    assert isinstance(error, HttpClientException)
    assert error.message.startswith("Unexpected error: ")
    assert isinstance(error.original_exception, KeyError)


def test_fail_fast_raises_at_once_and_sends_nothing_more(client: HttpClient, server: Server) -> None:
    release = threading.Event()
    server.reply("/held", Reply(200, hold=release))
    server.reply("/cut", Reply(raw=b""))
    answers = client.request_many(gets("/held", "/cut", *["/never"] * 50), 2, fail_fast=True)
    # The request that is held is not waited for.
    with pytest.raises(MaxRetryException):
        list(answers)
    assert {seen.path for seen in server.seen} <= {"/held", "/cut"}
    release.set()


def test_abandoning_it_waits_for_what_is_in_flight_and_sends_nothing_more(client: HttpClient, server: Server) -> None:
    server.reply("/x", Reply())
    answers = client.request_many(gets(*["/x"] * 50), 3)
    next(answers)
    answers.close()
    assert alive() == 0
    assert len(server.seen) <= 3


def test_less_than_one_worker_is_an_error(client: HttpClient) -> None:
    with pytest.raises(ValueError, match="max_workers"):
        client.request_many([], 0)


@pytest.mark.parametrize("opened", [False, True], ids=["new", "in use"])
def test_the_pool_fits_the_workers(server: Server, opened: bool) -> None:
    barrier = threading.Barrier(8)

    def answer(seen: Seen) -> Reply:
        barrier.wait(20)
        return Reply()

    server.reply("/first", Reply(), optional=True)
    server.reply("/x", answer)
    with HttpClient(HttpClientConfig(base_url=server.url, pool_maxsize=1)) as client:
        if opened:
            client.get("/first")
        for _ in range(3):
            assert len(list(client.request_many(gets(*["/x"] * 8), 8))) == 8
    assert server.connections == 8


def test_cookies_are_shared(client: HttpClient, server: Server) -> None:
    server.reply("/in", Reply(headers={"Set-Cookie": "session=1"}))
    server.reply("/x", Reply())
    client.get("/in")
    list(client.request_many(gets("/x", "/x"), 2))
    assert {seen.headers["Cookie"] for seen in server.seen_at("/x")} == {"session=1"}
