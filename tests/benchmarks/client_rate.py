"""Requests a second of a configured HttpClient against those of a plain `requests.Session`. Run by hand.

    python tests/benchmarks/client_rate.py [requests per round] [rounds]

Both keep one connection to a server in a process of its own. The rounds alternate and are short, so that a
busy machine slows both down; the figures are medians. The aim is a ratio of 1.6 or more.
"""

from __future__ import annotations

import socket
import socketserver
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


class Same(socketserver.BaseRequestHandler):
    """Answers every request of a connection alike."""

    def handle(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while self.request.recv(65536):
            self.request.sendall(ANSWER)


def serve() -> None:
    """Print the port and listen until killed."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Same) as listener:
        print(listener.server_address[1], flush=True)
        listener.serve_forever()


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


def plain_call(base_url: str) -> Callable[[], object]:
    session = requests.Session()
    headers = {"Authorization": "Bearer user-token-1", "X-Tenant": "one"}
    return lambda: session.get(f"{base_url}/users", params={"page": 2}, headers=headers, timeout=30)


def forge_call(base_url: str) -> Callable[[], object]:
    client = configured(base_url)
    return lambda: client.get("/users", params={"page": 2})


def measured(count: int, rounds: int) -> list[tuple[float, float]]:
    """The rates of both, round by round."""
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            base_url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
            calls = plain_call(base_url), forge_call(base_url)
            for call in calls:
                rate(call, count)
            return [(rate(calls[0], count), rate(calls[1], count)) for _ in range(rounds)]
        finally:
            server.kill()


def ratio_of(pairs: list[tuple[float, float]]) -> float:
    return statistics.median(forge / plain for plain, forge in pairs)


def main(count: int = 200, rounds: int = 60) -> int:
    pairs = measured(count, rounds)
    plain, forge = (statistics.median(rates) for rates in zip(*pairs, strict=True))
    ratio = ratio_of(pairs)
    print(f"requests.Session().get  {plain:8.0f} requests/s")
    print(f"HttpClient.get          {forge:8.0f} requests/s")
    print(f"ratio                   {ratio:8.2f} (aim: {AIM})")
    return 0 if ratio >= AIM else 1


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        serve()
    sys.exit(main(*map(int, sys.argv[1:])))
