"""Sends the requests: workers, a bounded look-ahead, results in order."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import Any

from ..client import HttpClient
from ..config import HttpClientConfig
from ..encode import build_url
from ..errors import AuthenticationException, ForgeError, HttpClientException, MissingSecret, ProfileError, StepFailed
from ..events import Listener, Received, Sending, overheard
from ..interfaces import RequestHookInterface
from ..models import HttpRequest, HttpResponse, RequestContext
from ..transport.redirects import address
from .lines import Line, requests_of
from .login import steady
from .pace import Gate, OwnPace, Pace, Turn
from .results import Result, cause_of

Check = Callable[[HttpResponse, float], tuple[str, ...]]
JOBS = 8
# For each worker: enough that a slow answer does not make the others wait for their turn in the results.
_AHEAD = 32
# Answers that nobody has taken yet hold no more than this together, but for one of each worker.
_MOST_HELD = 32 * 1024 * 1024
# Seconds in which results gather: to wake whoever waits for each of them costs as much as to send a request.
_GATHER = 0.01
# Seconds after which a waiting worker looks whether the run was stopped: a signal handler cannot notify.
_LOOK = 0.2
_NO_POSITION = -1
# Seconds by which a turn may be late and still be used.
_MISSED = 0.02
# Seconds that a login waits for a turn at most: everybody waits for it, and for no longer than a minute.
_LONGEST_FOR_LOGIN = 10.0


class Batch:
    """One run over many requests, by one client: one login, one retry budget.

    `pace` instead of `rate` is one that is shared. `check` says what of an answer is not as expected, given the
    seconds it took. `idle` is called before the run waits for answers. A login that is refused stops the run.
    """

    def __init__(
        self,
        config: HttpClientConfig,
        *,
        jobs: int = JOBS,
        rate: float | None = None,
        ordered: bool = True,
        pace: Pace | None = None,
        check: Check | None = None,
        idle: Callable[[], None] | None = None,
        listener: Listener | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if jobs < 1 or (rate is not None and not rate > 0):
            raise ValueError("jobs must be at least 1, and a rate positive")
        self._jobs, self._ordered, self._check, self._idle, self._clock = jobs, ordered, check, idle, clock
        self._gate = Gate(jobs, pace or OwnPace(rate), clock, sleep)
        hook = self._hook = _Hook(self._gate, config.base_url, clock)
        self._client = HttpClient(
            replace(
                config,
                auth_hook=steady(config.auth_hook, clock),
                request_hooks=(*config.request_hooks, hook),
                pool_maxsize=max(config.pool_maxsize, jobs),
                raise_for_status=False,
            ),
            listener=hook.owning(listener),
            clock=clock,
            sleep=sleep,
        )
        self._todo: SimpleQueue[tuple[int, Line] | None] = SimpleQueue()
        self._done: SimpleQueue[tuple[int, Result | None]] = SimpleQueue()
        self._held = 0
        self._room = threading.Condition()
        self._stopped = self._abandoned = False
        self.refusal: ForgeError | None = None
        """Why nothing more was sent, when a login was refused."""

    def stop(self) -> None:
        """Send nothing more; what is under way ends and is a result. May be called by a signal handler."""
        self._stopped = True
        self._gate.stop()

    def abandon(self) -> None:
        """Wait for nothing more: only what has ended is still a result. May be called by a signal handler."""
        self._abandoned = True
        self.stop()
        self._done.put((_NO_POSITION, None))

    def results(self, lines: Iterable[Line]) -> Iterator[Result]:
        """Send the lines and yield what becomes of them: in their order, or as they end."""
        _ = self._client._opened()  # loading the transport takes longer than a turn
        workers = [threading.Thread(target=self._work, name=f"forge-batch-{n}", daemon=True) for n in range(self._jobs)]
        for worker in workers:
            worker.start()
        try:
            yield from self._run(iter(lines))
            if self._abandoned:
                return
            for _ in workers:
                self._todo.put(None)
            for worker in workers:
                worker.join()
            self._client.close()
        finally:
            self.stop()
            for _ in workers:
                self._todo.put(None)

    def _run(self, lines: Iterator[Line]) -> Iterator[Result]:
        most = self._jobs * _AHEAD
        given = ended = following = 0
        waiting: dict[int, Result | None] = {}
        more = True
        while True:
            while more and not self._stopped and given - ended + len(waiting) < most:
                line = next(lines, None)
                if line is None:
                    more = False
                else:
                    self._todo.put((given, line))
                    given += 1
            if given == ended:
                break
            for position, result in self._ended(given - ended):
                if position == _NO_POSITION:
                    continue
                ended += 1
                waiting[position] = result
                if not self._ordered:
                    following = position
                while following in waiting:
                    result = waiting.pop(following)
                    following += 1
                    if result is not None:
                        self._hold(-result.size)
                        yield result
            if self._abandoned:
                yield from (result for _, result in sorted(waiting.items()) if result is not None)
                break

    def _ended(self, pending: int) -> Iterator[tuple[int, Result | None]]:
        """What has ended since, or at least one of so many that will."""
        if self._done.empty():
            if self._idle is not None:
                self._idle()
            yield self._done.get()
            if pending > self._jobs and not self._stopped:
                time.sleep(_GATHER)
        for _ in range(self._done.qsize()):
            with suppress(Empty):
                yield self._done.get_nowait()

    def _hold(self, size: int) -> None:
        """So much more, or less, is held."""
        if size:
            with self._room:
                self._held += size
                self._room.notify_all()

    def _work(self) -> None:
        with overheard(self._hook.heard):
            self._work_on()

    def _work_on(self) -> None:
        while True:
            # Before it takes a line: those that were taken earlier are then all under way or done, and make room.
            while self._held > _MOST_HELD and not self._stopped:
                with self._room:
                    self._room.wait(_LOOK)
            task = self._todo.get()
            if task is None:
                return
            position, line = task
            result = self._result(line)
            self._hold(0 if result is None else result.size)
            self._done.put((position, result))

    def _result(self, line: Line) -> Result | None:
        """What becomes of a line; None when it was not sent because the run ends."""
        if self._stopped:
            return None
        if line.request is None:
            return Result(line.number, line.id, None, 0.0, 0, line.error)
        self._hook.begin(line.request, None)
        started, failure, response = self._clock(), None, None
        try:
            turn = self._gate.enter()
            if turn is None:
                return None
            started = started if turn.scheduled is None else turn.scheduled
            self._hook.begin(line.request, turn)
            try:
                response = self._client.request(line.request)
            finally:
                self._gate.leave()
        except ForgeError as exc:
            failure = exc
            if _hopeless(exc):
                self.refusal = exc
                self.stop()
        except Exception as exc:  # whatever a hook or a login of the user's own raises is of this line alone
            failure = HttpClientException(f"unexpected error: {type(exc).__name__}", exc)
        elapsed = self._clock() - started
        unmet = self._check(response, elapsed) if self._check is not None and response is not None else ()
        return Result(line.number, line.id, response, elapsed * 1000, self._hook.attempts, failure, unmet)


class _Hook(RequestHookInterface):
    """Counts the attempts of this thread's request, has each exchange wait for its turn, and hears of each answer.

    An exchange counts when it is with the host of the line, whoever sends it: a login, a redirect, a retry.
    """

    def __init__(self, gate: Gate, base_url: str, clock: Callable[[], float]) -> None:
        self._gate = gate
        self._base_url = base_url
        self._clock = clock
        self._here = threading.local()

    def begin(self, request: HttpRequest, turn: Turn | None) -> None:
        """This thread's next request has this turn."""
        here = self._here
        here.request, here.turn, here.deadline = request, turn, None
        here.attempts = 0
        here.used = here.own = here.sent = here.counted = False

    @property
    def attempts(self) -> int:
        count: int = self._here.attempts
        return count

    def before_request(self, request: HttpRequest, context: RequestContext) -> HttpRequest:
        self._here.attempts = context.attempt + 1
        self._here.deadline = context.deadline
        return request

    def owning(self, listener: Listener | None) -> Listener:
        """What knows the exchanges of the lines themselves, and tells the listener."""

        def listen(event: Any) -> None:
            if isinstance(event, Sending):
                self._here.own = True
            if listener is not None:
                listener(event)

        return listen

    def heard(self, event: Any) -> None:
        """An exchange of this thread begins or is answered."""
        if isinstance(event, Sending):
            self._sending(event.prepared.url)
        elif isinstance(event, Received) and self._here.counted:
            here = self._here
            self._gate.told(here.turn, here.started, event.status, event.headers)

    def _sending(self, url: str) -> None:
        here = self._here
        own, here.own = here.own, False
        here.counted = (own and not here.sent) or self._is_home(url)
        here.sent = here.sent or own
        if here.counted:
            # What is not the first has a turn of its own, and so has what missed its turn over a login.
            if here.used or self._clock() - here.turn.at > _MISSED:
                self._wait(math.inf if own else _LONGEST_FOR_LOGIN)
            here.used = True
            here.started = self._clock()

    def _wait(self, most: float) -> None:
        here, begun = self._here, self._clock()
        here.turn = self._gate.turn(most) or here.turn
        if here.deadline is not None:
            # A line's time is for the server to answer in.
            here.deadline.at += self._clock() - begun

    def _is_home(self, url: str) -> bool:
        return address(url).host == address(build_url(self._base_url, self._here.request.url)).host


def _hopeless(error: ForgeError) -> bool:
    """Whether every further request would fail the same way, and ask a login that has said no."""
    cause = cause_of(error)
    if isinstance(cause, StepFailed):
        return cause.status is not None and cause.status < 500 and cause.status not in (408, 429)
    return isinstance(cause, MissingSecret | ProfileError | AuthenticationException)


def send(
    requests: Iterable[HttpRequest | Mapping[str, Any] | str],
    config: HttpClientConfig,
    *,
    jobs: int = JOBS,
    rate: float | None = None,
    ordered: bool = True,
) -> Iterator[Result]:
    """Send requests, or what a line of `forge batch` says, on `jobs` threads; yield what becomes of each.

    In their order, or with `ordered` false as they end. No more than a bounded number of requests and answers is
    held at a time. `rate` is requests a second, evenly spaced.
    """
    return Batch(config, jobs=jobs, rate=rate, ordered=ordered).results(requests_of(requests, config.default_headers))
