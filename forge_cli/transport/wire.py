"""Connections to many places, kept and used again; a request in, an answer out whose body has not been read."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections import OrderedDict
from collections.abc import Iterable

from . import tls
from .connection import Connection, Fields, Place, framing, head
from .environment import Environment
from .failures import STANDARD
from .head import Response
from .outgoing import Outgoing, Way


class Received:
    """An answer on its connection, which is given back as soon as the last byte of the body is read.

    `remaining` is how much of the body is to come, None when its head does not say; `pairs` are the header fields.
    """

    __slots__ = ("_connection", "_wire", "pairs", "reason", "remaining", "response", "status", "version")

    encoded = True
    errors = (OSError, http.client.HTTPException)

    def __init__(self, wire: Wire, connection: Connection, response: Response) -> None:
        self._wire = wire
        self._connection: Connection | None = connection
        self.response = response
        self.status: int = response.status
        self.reason: str = response.reason
        self.version: int = response.version
        self.pairs: list[tuple[str, str]] = response.headers.items()
        self.remaining = response.length

    def read1(self, size: int) -> bytes:
        """What is there of the body, at most so many bytes; b"" at its end. IncompleteRead when it breaks off."""
        remaining = self.remaining
        data = self.response.read1(size) if remaining != 0 else b""
        if remaining:
            if not data:
                self.close()
                raise http.client.IncompleteRead(b"", remaining)
            self.remaining = remaining = remaining - len(data)
        if remaining == 0 or not data:
            self.finish()
        return data

    def finish(self) -> None:
        """Give the connection back, now that the body is read to its end."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        self.response.close()
        if self.response.will_close or self.status == 101:
            connection.close()
        else:
            self._wire.keep(connection)

    def close(self) -> None:
        """Drop the connection, unless it was given back."""
        if self.remaining == 0:
            self.finish()
        connection, self._connection = self._connection, None
        if connection is not None:
            self.response.close()
            connection.close()

    def __del__(self) -> None:
        # Not `close`: whoever happens to collect garbage may hold the wire's lock.
        if self._connection is not None:
            self._connection.close()


class Wire:
    """Sends requests, from any number of threads, and keeps up to `each` connections to as many as `places` places.

    The TLS settings never change.
    """

    kinds = STANDARD

    def __init__(self, places: int, each: int, verify: bool | str, ambient: Environment) -> None:
        self._places = places
        self._each = each
        self.verify = verify, ambient
        self._idle: OrderedDict[Place, list[Connection]] = OrderedDict()
        self._contexts: dict[tls.ClientCert | None, ssl.SSLContext] = {}
        self._lock = threading.Lock()
        self._tls_lock = threading.Lock()
        self._closed = False

    def send(self, request: Outgoing, way: Way) -> Received:
        """Send a request, and return when the head of its answer is there."""
        return self.exchange(
            way.place, request.method, way.target, way.authority, request.fields, request.body, way.connect
        )

    def exchange(
        self,
        place: Place,
        method: str,
        target: str,
        authority: str,
        fields: Fields,
        body: bytes | Iterable[bytes] | None,
        connect: float | None,
    ) -> Received:
        """As `send`, of its parts. OSError, HTTPException, or ValueError for what HTTP does not allow."""
        pairs = list(fields)
        if place.forwards and place.proxy is not None and place.proxy.authorization is not None:
            pairs = [pair for pair in pairs if pair[0].lower() != "proxy-authorization"]
            pairs.append(("Proxy-Authorization", place.proxy.authorization))
        added, chunked = framing(method, body, frozenset(name.lower() for name, _ in pairs))
        data = head(method, target, authority, pairs, *added)
        self._closed = False
        if place.scheme == "https":
            self.context(place.cert)  # files that cannot be used are found out before anybody is asked
        connection = self._kept(place)
        if connection is None:
            connection = Connection(place)
            connection.open(connect, self.context)
        try:
            connection.send(data, body, chunked=chunked)
            return Received(self, connection, connection.answer(method))
        except BaseException:
            connection.close()
            raise

    def keep(self, connection: Connection) -> None:
        """Take a connection back. Those to places that were not asked for the longest time are given up for it."""
        dropped: list[Connection] = []
        with self._lock:
            kept = self._idle.setdefault(connection.place, [])
            self._idle.move_to_end(connection.place)
            if self._closed or len(kept) >= self._each:
                dropped.append(connection)
            else:
                kept.append(connection)
            while len(self._idle) > self._places:
                dropped += self._idle.popitem(last=False)[1]
        for old in dropped:
            old.close()

    def widen(self, size: int) -> None:
        """Keep up to `size` connections to each place from now on."""
        self._each = size

    def close(self) -> None:
        """Close the connections that nobody uses; the others, when their answers are read."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, OrderedDict()
        for connections in idle.values():
            for connection in connections:
                connection.close()

    def context(self, cert: tls.ClientCert | None) -> ssl.SSLContext:
        """The TLS settings with this client certificate. RequestBuildException for files that cannot be used."""
        with self._tls_lock:
            if cert not in self._contexts:
                self._contexts[cert] = tls.context(authorities(*self.verify), cert)
            return self._contexts[cert]

    def _kept(self, place: Place) -> Connection | None:
        """An open connection to the place, the one that was used last."""
        while True:
            with self._lock:
                kept = self._idle.get(place)
                if not kept:
                    return None
                connection = kept.pop()
            if connection.usable:
                return connection
            connection.close()


def authorities(verify: bool | str, ambient: Environment) -> bool | str:
    """What to verify against: what was asked for, else the environment's CA files, else the usual ones."""
    return verify if verify is not True else ambient.ca_bundle or True
