"""Requests a second of a configured HttpClient against those of a plain `requests.Session`. Run by hand.

    python tests/benchmarks/client_rate.py [requests per round] [rounds]

Both keep one connection to a server in a process of its own. The rounds alternate, so that a busy machine
slows both down; the medians are compared. The aim is a ratio of 1.6 or more.
"""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import requests

from forge_cli import (
    CorrelationIdHook,
    HttpClient,
    HttpClientConfigBuilder,
    RateLimitResponseHook,
    TokenData,
    TokenManager,
)
from forge_cli.interfaces import TokenProviderInterface

AIM = 1.6
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\n"
    b"X-RateLimit-Remaining: 99\r\nContent-Length: 15\r\n\r\n" + b'{"name": "Ada"}'
)


class Provider(TokenProviderInterface):
    """One token that does not end."""

    @property
    def service_name(self) -> str:
        return "benchmark"

    def fetch_token(self) -> TokenData:
        return TokenData("user-token-1")

    def refresh_token(self, current_token: TokenData) -> TokenData:
        return current_token


def serve() -> None:
    """Answer every request of every connection alike, one connection after the other."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with connection:
                while connection.recv(65536):
                    connection.sendall(ANSWER)


def configured(base_url: str) -> HttpClient:
    """A client with what real programs set: hooks, a managed token, retries."""
    builder = HttpClientConfigBuilder().with_base_url(base_url).with_retry(3).with_header("X-Tenant", "one")
    builder.with_token_auth(TokenManager(Provider()))
    builder.with_request_hook(CorrelationIdHook()).with_response_hook(RateLimitResponseHook())
    return HttpClient(builder.build())


def rate(call: Callable[[], object], count: int) -> float:
    """Calls a second."""
    started = time.perf_counter()
    for _ in range(count):
        call()
    return count / (time.perf_counter() - started)


def measure(call: Callable[[str], Callable[[], object]], count: int) -> float:
    """The rate against a server of its own, after a first request that opens the connection."""
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            once = call(f"http://127.0.0.1:{server.stdout.readline().strip()}")
            once()
            return rate(once, count)
        finally:
            server.kill()


def plain_call(base_url: str) -> Callable[[], object]:
    session = requests.Session()
    headers = {"Authorization": "Bearer user-token-1", "X-Tenant": "one"}
    return lambda: session.get(f"{base_url}/users", params={"page": 2}, headers=headers, timeout=30)


def forge_call(base_url: str) -> Callable[[], object]:
    client = configured(base_url)
    return lambda: client.get("/users", params={"page": 2})


def main(count: int = 2000, rounds: int = 7) -> int:
    plain: list[float] = []
    forge: list[float] = []
    for _ in range(rounds):
        plain.append(measure(plain_call, count))
        forge.append(measure(forge_call, count))
    ratio = statistics.median(forge) / statistics.median(plain)
    print(f"requests.Session().get  {statistics.median(plain):8.0f} requests/s")
    print(f"HttpClient.get          {statistics.median(forge):8.0f} requests/s")
    print(f"ratio                   {ratio:8.2f} (aim: {AIM})")
    return 0 if ratio >= AIM else 1


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        serve()
    sys.exit(main(*map(int, sys.argv[1:])))
