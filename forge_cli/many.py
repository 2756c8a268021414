"""Many requests at a time: a few in flight, answers as they come."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from queue import SimpleQueue

from .errors import HttpClientException
from .models import HttpRequest, HttpResponse

Outcome = HttpResponse | HttpClientException


def completed(
    send: Callable[[HttpRequest], HttpResponse], requests: Iterable[HttpRequest], workers: int, fail_fast: bool
) -> Generator[tuple[int, Outcome], None, None]:
    """Send requests on threads; yield (position, answer or error) in the order in which they end.

    A request is taken and sent when an answer before it has been consumed, so that no
    more than `workers` of them or of their answers exist. With `fail_fast` the first error is raised at
    once, and what is in flight ends unheard. Closing the generator waits for what is in flight.
    """
    waiting = enumerate(requests)
    running: dict[Future[HttpResponse], int] = {}
    finished: SimpleQueue[Future[HttpResponse]] = SimpleQueue()
    executor = ThreadPoolExecutor(workers, thread_name_prefix="forge")

    def start(most: int) -> None:
        for index, request in islice(waiting, most):
            future = executor.submit(send, request)
            running[future] = index
            future.add_done_callback(finished.put)

    hurried = True
    try:
        start(workers)
        while running:
            future = finished.get()
            index, outcome = running.pop(future), _outcome(future)
            if fail_fast and isinstance(outcome, HttpClientException):
                raise outcome
            del future  # it holds the answer, which is the caller's now
            yield index, outcome
            del outcome
            start(1)
        hurried = False
    except GeneratorExit:
        hurried = False
        raise
    finally:
        executor.shutdown(wait=not hurried, cancel_futures=True)


def _outcome(future: Future[HttpResponse]) -> Outcome:
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, HttpClientException):
        return error
    if not isinstance(error, Exception):
        raise error
    wrapped = HttpClientException(f"Unexpected error: {type(error).__name__}", error)
    wrapped.__cause__ = error
    return wrapped
