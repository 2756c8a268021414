"""A real Redis for the tests, in a process of its own, that can be killed and stopped."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

_START_SECONDS = 20.0


class RedisServer:
    """Keeps nothing on disk, and listens on a socket file only, so that no port is taken."""

    def __init__(self, program: str, directory: Path, *options: str) -> None:
        self._socket = directory / "redis.sock"
        self.url = f"unix://{self._socket}?db=0"
        self._command = [program, "--port", "0", "--unixsocket", str(self._socket), "--save", "", *options]
        self._directory = directory
        self.start()

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        self._process = subprocess.Popen(self._command, cwd=self._directory, stdout=subprocess.DEVNULL)
        end = time.monotonic() + _START_SECONDS
        try:
            while not self._answers():
                assert self._process.poll() is None and time.monotonic() < end, "redis-server did not start"
                time.sleep(0.01)
        except BaseException:
            self.kill()
            raise

    def client(self) -> redis.Redis:
        """A connection of the test's own."""
        return redis.Redis.from_url(self.url)

    def kill(self) -> None:
        """End it without a goodbye."""
        self._process.kill()
        self._process.wait()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """It takes connections, and answers nothing."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.AuthenticationError:
            return True
        except redis.RedisError:
            return False


@contextmanager
def redis_server(program: str, *options: str) -> Iterator[RedisServer]:
    """A Redis that ends with the block; `options` are those of its command line."""
    # The path of a socket may have some hundred characters only, which pytest's own directories can exceed.
    directory = Path(tempfile.mkdtemp(prefix="forge-test-"))
    try:
        server = RedisServer(program, directory, *options)
        try:
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(directory)
