"""The extension points: what comes along when only the necessary is written."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any
from unittest.mock import Mock

import pytest

from forge_cli import (
    AuthHookInterface,
    AuthRetryStrategyInterface,
    HttpRequest,
    HttpResponse,
    NoAuthRetryStrategy,
    PreparedRequest,
    RequestContext,
    TokenData,
    TokenFetcherInterface,
    TokenStorageInterface,
)
from forge_cli.errors import LockTimeout
from forge_cli.interfaces import storage_lock
from forge_cli.models import Headers

REQUEST = HttpRequest("GET", "/")


class Storage(TokenStorageInterface):
    """The least that a storage has to be."""

    def __init__(self) -> None:
        self._tokens: dict[str, TokenData] = {}

    def get(self, key: str) -> TokenData | None:
        return self._tokens.get(key)

    def set(self, key: str, token: TokenData) -> None:
        self._tokens[key] = token

    def delete(self, key: str) -> None:
        self._tokens.pop(key, None)

    def exists(self, key: str) -> bool:
        return key in self._tokens


class Hook(AuthHookInterface):
    """The least that an auth hook has to be; it counts its renewals."""

    def __init__(self, renewable: bool) -> None:
        self.renewals = 0
        self._renewable = renewable

    @property
    def retry_strategy(self) -> AuthRetryStrategyInterface:
        return NoAuthRetryStrategy()

    def before_request(self, request: HttpRequest, context: RequestContext) -> HttpRequest:
        return request

    def should_authenticate(self, request: HttpRequest) -> bool:
        return True

    def is_auth_error(self, response: HttpResponse) -> bool:
        return response.status_code == 401

    def refresh_auth(self) -> bool:
        self.renewals += 1
        return self._renewable

    def invalidate_auth(self) -> None:
        return None

    def get_token(self) -> TokenData:
        return TokenData("user-token-1")


class Fetcher(TokenFetcherInterface):
    """The least that a step has to be."""

    @property
    def name(self) -> str:
        return "user"

    def fetch(self, context: Mapping[str, TokenData] | None = None) -> TokenData:
        return TokenData("user-token-1")


@pytest.mark.parametrize(("status", "renewable", "again"), [(401, True, True), (401, False, False), (200, True, False)])
def test_an_auth_hook_recovers_from_what_it_calls_an_auth_error(status: int, renewable: bool, again: bool) -> None:
    hook = Hook(renewable)
    answer = HttpResponse(status, Headers(), b"", 0.0, "u", REQUEST)
    assert hook.recover(answer, RequestContext(REQUEST)) is again
    assert hook.renewals == (1 if status == 401 else 0)


def test_an_auth_hook_leaves_the_encoded_request_as_it_is() -> None:
    prepared = PreparedRequest("GET", "https://h/")
    assert Hook(True).finish(prepared, RequestContext(REQUEST)) is prepared


def test_a_step_needs_nothing_and_logs_a_failure_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    step = Fetcher()
    assert (step.depends_on, step.ttl) == ([], None)
    with caplog.at_level(logging.WARNING):
        step.on_fetch_error(ValueError("user-token-1"))
    assert "user failed: ValueError" in caplog.text
    assert "user-token-1" not in caplog.text


@pytest.mark.parametrize(
    "storage", [Storage(), Mock(spec_set=["get", "set", "delete", "exists"])], ids=["class", "duck"]
)
def test_a_storage_without_a_lock_gets_one_a_key(storage: Any) -> None:
    entered = threading.Event()

    def hold() -> None:
        with storage_lock(storage, "a", 1.0):
            entered.set()
            release.wait(5)

    release = threading.Event()
    thread = threading.Thread(target=hold)
    thread.start()
    assert entered.wait(5)
    with storage_lock(storage, "b", 0.01):
        pass
    with pytest.raises(LockTimeout, match="'a'"), storage_lock(storage, "a", 0.01):
        pass
    release.set()
    thread.join()
    with storage_lock(storage, "a", 0.01):
        pass


def test_a_lock_is_free_after_a_failure() -> None:
    storage = Storage()
    with pytest.raises(ValueError, match="inside"), storage.lock("a"):
        raise ValueError("inside")
    with storage.lock("a", 0.01):
        storage.reserve("a")


def test_a_storage_with_slots_can_be_locked() -> None:
    class Slotted:
        __slots__ = ()

    with storage_lock(Slotted(), "key", 1.0), pytest.raises(LockTimeout), storage_lock(Slotted(), "key", 0.0):
        pass
