"""How much memory a configured HttpClient takes: over many requests, and for a large download. Run by hand.

    python -m tests.benchmarks.client_memory [requests] [megabytes]

Each measurement is a process of its own; its peak is what the kernel says when it has ended (wait4(2), ru_maxrss).
The aims: no more than 1.1 times the memory of 1,000 requests, and 70 MB for 1 GB.
"""

from __future__ import annotations

import os
import socket
import socketserver
import subprocess
import sys

from tests.benchmarks.client_rate import ANSWER, configured

AIM_GROWTH = 1.1
AIM_DOWNLOAD = 70.0
FEW = 1000
MEGABYTE = 1_000_000
PIECE = bytes(MEGABYTE)


class Both(socketserver.BaseRequestHandler):
    """A small answer to every request, except for `/size/<megabytes>`, which is that long."""

    def handle(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while request := self.request.recv(65536):
            target = request.split(b" ", 2)[1]
            if not target.startswith(b"/size/"):
                self.request.sendall(ANSWER)
                continue
            size = int(target.rpartition(b"/")[2])
            self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (size * MEGABYTE))
            for _ in range(size):
                self.request.sendall(PIECE)


def serve() -> None:
    """Print the port and listen until killed."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Both) as listener:
        print(listener.server_address[1], flush=True)
        listener.serve_forever()


def send(base_url: str, count: int) -> None:
    """So many requests with one client."""
    with configured(base_url) as client:
        for _ in range(count):
            client.get("/users", params={"page": 2})


def download(base_url: str, megabytes: int) -> None:
    """One large answer, in pieces."""
    with configured(base_url) as client, client.stream("GET", f"/size/{megabytes}") as answer:
        length = sum(len(piece) for piece in answer.iter_bytes())
    if length != megabytes * MEGABYTE:
        raise SystemExit(f"{length} bytes came")


def peak(action: str, base_url: str, size: int) -> float:
    """The most memory that a process of its own had, in MB."""
    child = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.client_memory", action, base_url, str(size)])
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(child.returncode)
    # Kilobytes, but bytes on macOS.
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / MEGABYTE


def main(count: int = 100_000, megabytes: int = 1000) -> int:
    command = [sys.executable, "-m", "tests.benchmarks.client_memory", "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            base_url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
            few, many = (peak("--send", base_url, n) for n in (FEW, count))
            large = peak("--download", base_url, megabytes)
        finally:
            server.kill()
    print(f"{FEW:>9,} requests      {few:6.1f} MB")
    print(f"{count:>9,} requests      {many:6.1f} MB    {many / few:.2f} x (aim: {AIM_GROWTH})")
    print(f"{megabytes:>9,} MB streamed   {large:6.1f} MB    (aim: {AIM_DOWNLOAD:.0f})")
    return 0 if many <= AIM_GROWTH * few and large <= AIM_DOWNLOAD else 1


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--serve"]:
            serve()
        case ["--send", url, number]:
            send(url, int(number))
        case ["--download", url, number]:
            download(url, int(number))
        case numbers:
            sys.exit(main(*map(int, numbers)))
