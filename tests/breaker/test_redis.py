from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from forge_cli.breaker import CLOSED, HALF_OPEN, OPEN, Circuit, CircuitBreaker
from forge_cli.breaker.circuit import from_record, to_record
from forge_cli.breaker.redis import RedisBreakerState
from forge_cli.errors import CircuitOpenException, StorageError
from tests.conftest import Require

KEY = "https://api.example.com"


@contextlib.contextmanager
def running(program: str, directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A redis-server of its own that listens at `socket` in the directory."""
    options = ["--port", "0", "--unixsocket", str(directory / "socket"), "--save", "", "--dir", str(directory)]
    with subprocess.Popen([program, *options], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert any(b"ready to accept connections" in line.lower() for line in process.stdout)
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture(scope="session")
def program(require: Require) -> str:
    return require("redis-server", "apt-get install redis-server")


@pytest.fixture
def directory() -> Iterator[Path]:
    # Paths of sockets are short, pytest's are not.
    with tempfile.TemporaryDirectory(prefix="forge-redis-") as path:
        yield Path(path)


@pytest.fixture(scope="module")
def server(program: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="forge-redis-") as path, running(program, Path(path)):
        yield f"unix://{path}/socket"


@pytest.fixture
def client(server: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server) as client:
        client.flushall()
        yield client


@pytest.fixture
def state(client: redis.Redis) -> RedisBreakerState:
    return RedisBreakerState(client=client)


def failed(circuit: Circuit, now: float) -> Circuit:
    return Circuit(CLOSED, circuit.failures + 1, now)


def unchanged(circuit: Circuit, now: float) -> Circuit:
    return circuit


def test_what_one_connection_writes_another_reads(server: str, state: RedisBreakerState) -> None:
    written = state.update(KEY, failed)
    assert RedisBreakerState(server).update(KEY, unchanged) == written
    assert RedisBreakerState(server, prefix="other").update(KEY, unchanged) == Circuit()


def test_the_servers_clock_counts(client: redis.Redis, state: RedisBreakerState) -> None:
    before = client.time()[0]
    assert before <= state.update(KEY, failed).failed_at <= client.time()[0] + 1


def test_a_circuit_is_json_and_is_forgotten_after_a_day(client: redis.Redis, state: RedisBreakerState) -> None:
    state.update(KEY, failed)
    assert from_record(json.loads(client.get(f"forge:breaker:{KEY}") or "null")) == state.update(KEY, unchanged)
    assert 86_000 < client.ttl(f"forge:breaker:{KEY}") <= 86_400


def test_a_closed_circuit_leaves_no_entry(client: redis.Redis, state: RedisBreakerState) -> None:
    state.update(KEY, failed)
    state.update(KEY, lambda circuit, now: Circuit())
    assert client.keys() == []


def test_the_whole_way_round(state: RedisBreakerState) -> None:
    breaker = CircuitBreaker(2, 0.0, state=state)
    breaker.failure(KEY)
    breaker.failure(KEY)
    assert breaker.state(KEY) == OPEN
    breaker.before(KEY)
    assert breaker.state(KEY) == HALF_OPEN
    with pytest.raises(CircuitOpenException):
        breaker.before(KEY)
    breaker.success(KEY)
    assert breaker.state(KEY) == CLOSED


def test_a_clock_that_was_set_back_blocks_nobody(state: RedisBreakerState) -> None:
    state.update(KEY, lambda circuit, now: Circuit(OPEN, 5, now + 3600))
    CircuitBreaker(state=state).before(KEY)


@pytest.mark.parametrize("text", [b"", b"nonsense", b"[]", b"[" * 100_000, b'{"state": "open"}'], ids=lambda t: t[:20])
def test_a_damaged_entry_is_none_and_is_replaced(client: redis.Redis, state: RedisBreakerState, text: bytes) -> None:
    client.set(f"forge:breaker:{KEY}", text)
    assert state.update(KEY, failed).failures == 1
    assert state.update(KEY, unchanged).failures == 1


def test_a_client_that_decodes_works_too(server: str, state: RedisBreakerState) -> None:
    with redis.Redis.from_url(server, decode_responses=True) as decoding:
        other = RedisBreakerState(client=decoding)
        other.update(KEY, failed)
        assert other.update(KEY, failed) == state.update(KEY, unchanged)


@pytest.mark.parametrize("trials", [1, 4])
def test_32_threads_at_half_open_are_admitted_exactly_so_often(server: str, client: redis.Redis, trials: int) -> None:
    barrier, results = threading.Barrier(32), list[bool]()
    state = RedisBreakerState(server)
    state.update(KEY, lambda circuit, now: Circuit(OPEN, 1, now - 60))

    def ask() -> None:
        breaker = CircuitBreaker(1, 60.0, trials, state=state)
        barrier.wait()
        try:
            breaker.before(KEY)
            results.append(True)
        except CircuitOpenException:
            results.append(False)

    threads = [threading.Thread(target=ask) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (results.count(True), results.count(False)) == (trials, 32 - trials)


def test_no_change_of_any_thread_is_lost(state: RedisBreakerState) -> None:
    def work() -> None:
        for _ in range(25):
            state.update(KEY, failed)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert state.update(KEY, unchanged).failures == 200


def test_changes_that_are_always_overtaken_are_given_up(client: redis.Redis, state: RedisBreakerState) -> None:
    overtaking = iter(range(1, 1000))

    def overtaken(circuit: Circuit, now: float) -> Circuit:
        client.set(f"forge:breaker:{KEY}", json.dumps(to_record(Circuit(OPEN, next(overtaking)))))
        return failed(circuit, now)

    with pytest.raises(StorageError, match="at once"):
        state.update(KEY, overtaken)


def test_a_server_that_is_gone_is_a_storage_error_and_one_that_is_back_is_used(program: str, directory: Path) -> None:
    state = RedisBreakerState(f"unix://{directory}/socket")
    with running(program, directory):
        assert state.update(KEY, failed).failures == 1
    with pytest.raises(StorageError, match="redis server"):
        state.update(KEY, failed)
    with running(program, directory):
        assert state.update(KEY, failed).failures == 1


def test_a_server_that_is_replaced_between_two_calls_costs_neither(program: str, directory: Path) -> None:
    state = RedisBreakerState(f"unix://{directory}/socket")
    for _ in range(2):
        with running(program, directory):
            assert state.update(KEY, failed).failures == 1


def test_a_server_that_hangs_costs_the_sharing_once(program: str, directory: Path) -> None:
    told: list[str] = []
    quick = redis.Redis.from_url(f"unix://{directory}/socket", socket_timeout=0.1, retry=None)
    breaker = CircuitBreaker(1, state=RedisBreakerState(client=quick), notice=told.append)
    with running(program, directory) as process, quick:
        process.send_signal(signal.SIGSTOP)
        breaker.failure(KEY)
        with pytest.raises(CircuitOpenException):
            breaker.before(KEY)
    assert told == [
        "the circuit breaker is not shared with other processes: "
        "the redis server of the circuit breaker failed: TimeoutError"
    ]


def test_a_command_whose_answer_is_lost_is_not_sent_again() -> None:
    """It may have admitted a trial."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        came: list[int] = []

        def hang_up() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    came.append(1)
                    connection.close()

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        with pytest.raises(StorageError):
            RedisBreakerState(f"redis://127.0.0.1:{listener.getsockname()[1]}/0").update(KEY, failed)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)
    assert came == [1]


def test_no_message_quotes_the_url() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        port = taken.getsockname()[1]
        with pytest.raises(StorageError) as caught:
            RedisBreakerState(f"redis://:fake-password-1@127.0.0.1:{port}/0").update(KEY, failed)
    assert "fake-password-1" not in str(caught.value) and caught.value.__cause__ is None
    with pytest.raises(StorageError) as caught:
        RedisBreakerState("http://:fake-password-1@127.0.0.1")
    assert "fake-password-1" not in str(caught.value)
