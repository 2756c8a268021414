"""Sends the requests: workers, a bounded look-ahead, results in order."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import Any

from ..client import HttpClient
from ..config import HttpClientConfig
from ..encode import build_url
from ..errors import CircuitOpenException, ForgeError, HttpClientException
from ..events import Listener, Received, Sending, overheard
from ..interfaces import RequestHookInterface
from ..models import HttpRequest, HttpResponse, RequestContext
from ..profiles.build import Profile
from ..transport.redirects import address
from .lines import Line, requests_of
from .login import UNDECIDED, Undecided, hopeless, steady
from .pace import Gate, OwnPace, Pace, Turn
from .results import Result, cause_of
from .sharing import shared_pace

Check = Callable[[HttpResponse, float], tuple[str, ...]]
JOBS = 8
MOST_JOBS = 1000
"""Each is a thread, a connection and 32 lines read ahead."""
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
# Seconds after which a line that waits for a circuit looks at it again: another one's trial may have closed it.
_TRY = 0.5
# Seconds between two renewals of a token of which nobody knows whether it is no longer good.
_RESORT = 60.0
_NOTHING = HttpRequest("GET", "")


class _Stopped(Exception):
    """The run ends before this line was finished."""


@dataclass(frozen=True, slots=True)
class _Aside:
    """A line that was refused, and what it comes to if its token was not the reason."""

    position: int
    line: Line
    result: Result
    undecided: Undecided


class Batch:
    """One run over many requests, by one client: one login, one retry budget.

    `pace` instead of `rate` is one that is shared, and is closed at the end. `check` says what of an answer is not as
    expected, given the seconds it took. `idle` is called before the run waits for answers, and now and then while it
    does. `say` is told of what holds all requests back. A login that is refused stops the run, as does a failing store.

    With `apart` the lines are read by a thread of their own, so that no answer waits for the next line.
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
        say: Callable[[str], None] = lambda text: None,
        apart: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not 1 <= jobs <= MOST_JOBS or (rate is not None and not rate > 0):
            raise ValueError(f"jobs must be from 1 to {MOST_JOBS}, and a rate positive")
        self._jobs, self._ordered, self._check, self._idle, self._clock = jobs, ordered, check, idle, clock
        self._apart = apart
        self._patience = math.inf if config.max_elapsed is None else config.max_elapsed
        self._gate = Gate(jobs, pace or OwnPace(rate), clock, sleep, patience=config.max_elapsed, say=say)
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
            sleep=self._rest,
        )
        self._todo: SimpleQueue[tuple[int, Line] | None] = SimpleQueue()
        self._done: SimpleQueue[tuple[int, Result | None]] = SimpleQueue()
        self._most = jobs * _AHEAD
        self._places = threading.Semaphore(self._most)
        self._given = self._freed = 0
        self._more = True
        self._trouble: Exception | None = None
        self._held = 0
        self._room = threading.Condition()
        self._aside: list[_Aside] = []
        self._over = 0
        self._next_resort = -math.inf
        self._judging = threading.Lock()
        self._stopped = self._abandoned = False
        self.refusal: ForgeError | None = None
        """Why nothing more was sent, when a login was refused or a store failed."""

    @property
    def held(self) -> float:
        """Seconds for which the server still wants nothing, as far as somebody waits for that."""
        return self._gate.held

    @property
    def stopped(self) -> bool:
        """Whether nothing more is sent."""
        return self._stopped

    def stop(self) -> None:
        """Send nothing more; what is under way ends and is a result. May be called by a signal handler."""
        self._stopped = True
        self._gate.stop()
        self._done.put((_NO_POSITION, None))

    def abandon(self) -> None:
        """Wait for nothing more: only what has ended is still a result. May be called by a signal handler."""
        self._abandoned = True
        self.stop()

    def results(self, lines: Iterable[Line]) -> Generator[Result]:
        """Send the lines and yield what becomes of them: in their order, or as they end.

        Whatever `lines` raises is raised when all that it gave before has been answered.
        """
        _ = self._client._opened()  # loading the transport takes longer than a turn
        threads = [threading.Thread(target=self._work, name=f"forge-batch-{n}", daemon=True) for n in range(self._jobs)]
        reading = iter(lines)
        if self._apart:
            threads.append(threading.Thread(target=self._read, args=(reading,), name="forge-batch-in", daemon=True))
        for thread in threads:
            thread.start()
        try:
            yield from self._run(reading)
            if self._abandoned:
                return
            for _ in range(self._jobs):
                self._todo.put(None)
            for thread in threads[: self._jobs]:
                thread.join()
            self._client.close()
            self._gate.close()
        finally:
            self.stop()
            for _ in range(self._jobs):
                self._todo.put(None)
            # It may wait for a line that never comes.
            for thread in threads[self._jobs :]:
                thread.join(2 * _LOOK)
        if self._trouble is not None:
            raise self._trouble

    def _read(self, lines: Iterator[Line]) -> None:
        """Hand out all lines, as there is room for them."""
        while self._more and not self._stopped:
            if self._places.acquire(timeout=_LOOK):
                self._hand_out(lines)
        self._done.put((_NO_POSITION, None))

    def _hand_out(self, lines: Iterator[Line]) -> None:
        """Hand out the next line, for which there is a place."""
        try:
            line = next(lines, None)
        except Exception as exc:  # what was answered before must not be lost over it
            line, self._trouble = None, exc
        if line is None:
            self._more = False
        else:
            self._given += 1
            self._todo.put((self._given - 1, line))

    def _run(self, lines: Iterator[Line]) -> Iterator[Result]:
        ended = following = 0
        waiting: dict[int, Result | None] = {}
        while True:
            while not self._apart and self._more and not self._stopped and self._places.acquire(blocking=False):
                self._hand_out(lines)
                # The next line may take long.
                if not self._done.empty():
                    break
            if self._given == ended and (self._stopped or not self._more):
                break
            for position, result in self._ended(self._given - ended):
                if position == _NO_POSITION:
                    continue
                ended += 1
                waiting[position] = result
                if not self._ordered:
                    following = position
                while following in waiting:
                    result = waiting.pop(following)
                    following += 1
                    self._freed += 1
                    self._places.release()
                    if result is not None:
                        self._hold(-result.size)
                        yield result
            if self._abandoned:
                with self._judging:
                    waiting |= {aside.position: aside.result for aside in self._aside}
                yield from (result for _, result in sorted(waiting.items()) if result is not None)
                break

    def _ended(self, pending: int) -> Iterator[tuple[int, Result | None]]:
        """What has ended since, or at least one of so many that will."""
        if self._done.empty():
            yield self._next_ended()
            if pending > self._jobs and not self._stopped:
                time.sleep(_GATHER)
        for _ in range(self._done.qsize()):
            with suppress(Empty):
                yield self._done.get_nowait()

    def _next_ended(self) -> tuple[int, Result | None]:
        idle = False
        while True:
            if self._idle is not None:
                self._idle()
            # When no line is under way and none comes, no line will tell.
            full = self._given - self._freed >= self._most
            if self._aside and (idle or full or not self._more):
                self._judge(last=True, full=full)
            with suppress(Empty):
                return self._done.get(timeout=_LOOK)
            idle = True

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
            undecided = None if result is None else self._hook.undecided
            with self._judging:
                if result is None or undecided is None:
                    self._end(position, result)
                else:
                    self._aside.append(_Aside(position, line, result, undecided))
                    self._done.put((_NO_POSITION, None))
            if self._aside:
                self._judge()

    def _end(self, position: int, result: Result | None) -> None:
        self._over += 1
        self._hold(0 if result is None else result.size)
        self._done.put((position, result))

    def _judge(self, *, last: bool = False, full: bool = False) -> None:
        """Send those lines again whose token was refused for all; the others have had their answer.

        With `last` nothing more will tell, if no line is under way. A token is then renewed: not often, but always
        when the look-ahead is `full`, as that takes as many refusals in a row or a line that was slower than all.
        """
        with self._judging:
            last = self._stopped or (last and self._given == self._over + len(self._aside))
            if last and not self._stopped and (full or self._clock() >= self._next_resort):
                self._next_resort = self._clock() + _RESORT
                for aside in self._aside:
                    aside.undecided.give_up()
            still = []
            for aside in self._aside:
                verdict = aside.undecided.verdict
                if verdict is None and not last:
                    still.append(aside)
                elif verdict and not self._stopped:
                    self._todo.put((aside.position, aside.line))
                else:
                    self._end(aside.position, aside.result)
            self._aside = still

    def _rest(self, seconds: float) -> None:
        """Wait before a request is repeated."""
        if not self._gate.wait(seconds):
            raise _Stopped

    def _result(self, line: Line) -> Result | None:
        """What becomes of a line; None when it was not sent, or not to its end, because the run ends."""
        self._hook.begin(line.request or _NOTHING)
        if self._stopped:
            return None
        if line.request is None:
            return Result(line.number, line.id, None, 0.0, 0, line.error)
        failure, response = None, None
        started = self._clock()
        try:
            turn = self._gate.enter()
            if turn is None:
                return None
            self._hook.granted(turn)
            started = turn.at if turn.scheduled is None else turn.scheduled
            try:
                response, waited = self._answer(line.request)
                started += waited
            finally:
                self._hook.end()
                self._gate.leave()
        except _Stopped:
            return None
        except ForgeError as exc:
            failure = exc
            if hopeless(exc):
                self.refusal = self.refusal or exc
                self.stop()
        except Exception as exc:  # whatever a hook or a login of the user's own raises is of this line alone
            failure = HttpClientException(f"unexpected error: {type(exc).__name__}", exc)
        # What was never sent had no server to be slow.
        ended = self._clock()
        elapsed = ended - started if self._hook.attempts else 0.0
        unmet = self._check(response, elapsed) if self._check is not None and response is not None else ()
        return Result(line.number, line.id, response, elapsed * 1000, self._hook.attempts, failure, unmet, ended)

    def _answer(self, request: HttpRequest) -> tuple[HttpResponse, float]:
        """The answer, and for how many seconds the line waited for an open circuit before it was sent."""
        begun = self._clock()
        while True:
            waited = self._clock() - begun
            try:
                return self._client.request(request), waited
            except ForgeError as exc:
                # To fail all the lines would leave the server alone as well, and them unsent.
                wait = _recovery(exc)
                left = self._patience - waited
                if wait is None or self._hook.attempts or left <= 0:
                    raise
                reason = cause_of(exc).message.partition(" and may")[0]
                self._gate.tell(self._clock() + wait, f"{reason}: lines wait {{}}")
                self._rest(min(wait, left, _TRY))


class _Hook(RequestHookInterface):
    """Counts the attempts of this thread's request, has each exchange wait for its turn, and hears of each answer.

    An exchange counts when it is with the host of the line, whoever sends it: a login, a redirect, a retry.
    """

    def __init__(self, gate: Gate, base_url: str, clock: Callable[[], float]) -> None:
        self._gate = gate
        self._base_url = base_url
        self._clock = clock
        self._here = threading.local()

    def begin(self, request: HttpRequest) -> None:
        """This thread's next request is this one."""
        here = self._here
        here.request, here.turn, here.deadline, here.metadata = request, None, None, {}
        here.attempt = here.attempts = 0
        here.used = here.own = here.sent = here.counted = False

    def granted(self, turn: Turn) -> None:
        """It has this turn."""
        self._here.turn = turn

    def end(self) -> None:
        """It was answered, or will not be."""
        self._give_back()

    @property
    def attempts(self) -> int:
        """How often it was sent."""
        count: int = self._here.attempts
        return count

    @property
    def undecided(self) -> Undecided | None:
        """What will tell whether it is to be sent once more with another token."""
        found: Undecided | None = self._here.metadata.get(UNDECIDED)
        return found

    def before_request(self, request: HttpRequest, context: RequestContext) -> HttpRequest:
        if context.attempt and self._gate.stopped:
            raise _Stopped
        here = self._here
        here.attempt, here.deadline, here.metadata = context.attempt + 1, context.deadline, context.metadata
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
            turn, here.turn = here.turn, None
            self._gate.told(turn, here.started, event.status, event.headers)

    def _sending(self, url: str) -> None:
        here = self._here
        own, here.own = here.own, False
        if own:
            here.attempts = here.attempt
        here.counted = (own and not here.sent) or self._is_home(url)
        here.sent = here.sent or own
        if here.counted:
            # What is not the first has a turn of its own, and so has what missed its turn over a login.
            if here.used or here.turn is None or self._clock() - here.turn.at > _MISSED:
                self._wait(math.inf if own else _LONGEST_FOR_LOGIN)
            here.used = True
            here.started = self._clock()

    def _wait(self, most: float) -> None:
        here, begun = self._here, self._clock()
        self._give_back()
        # What is under way when the run is stopped goes on to its end.
        here.turn = self._gate.turn(most) or Turn(0, begun, granted=False)
        if here.deadline is not None:
            # A line's time is for the server to answer in.
            here.deadline.at += self._clock() - begun

    def _give_back(self) -> None:
        """What had this thread's turn was not answered."""
        turn, self._here.turn = self._here.turn, None
        if turn is not None:
            self._gate.done(turn)

    def _is_home(self, url: str) -> bool:
        return address(url).host == address(build_url(self._base_url, self._here.request.url)).host


def _recovery(error: ForgeError) -> float | None:
    """Seconds after which a circuit that is open may be asked again; None when that is not why it failed."""
    cause = cause_of(error)
    return max(cause.retry_after or 0.0, 0.01) if isinstance(cause, CircuitOpenException) else None


def send(
    requests: Iterable[HttpRequest | Mapping[str, Any] | str],
    config: HttpClientConfig | Profile,
    *,
    jobs: int = JOBS,
    rate: float | None = None,
    ordered: bool = True,
) -> Generator[Result, None, None]:
    """Send requests, or what a line of `forge batch` says, on `jobs` threads; yield what becomes of each.

    In their order, or with `ordered` false as they end. No more than a bounded number of requests and answers is
    held at a time. `rate` is requests a second, evenly spaced; with a profile whose tokens are in Redis, it is that of
    all processes that use the profile. When a login is refused or a store fails, nothing more is sent, and the
    ForgeError is raised after the results that there are.
    """
    pace = None
    if not isinstance(config, HttpClientConfig):
        pace, config = shared_pace(config, rate), config.config()
    run = Batch(config, jobs=jobs, rate=rate, ordered=ordered, pace=pace)
    return _or_refusal(run, requests_of(requests, config.default_headers))


def _or_refusal(run: Batch, lines: Iterable[Line]) -> Generator[Result, None, None]:
    yield from run.results(lines)
    if run.refusal is not None:
        raise cause_of(run.refusal)
