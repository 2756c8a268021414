from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from forge_cli.client import HttpClient
from forge_cli.config import HttpClientConfig
from forge_cli.login.definition import RequestTable
from forge_cli.login.scope import Scope
from forge_cli.login.work import Work
from forge_cli.models import HttpRequest, HttpResponse
from forge_cli.profiles.secrets import Secrets

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def nothing_runs(argv: Sequence[str], env: Sequence[str]) -> str:
    raise AssertionError("this step runs no program")


@pytest.fixture
def work() -> Iterator[Callable[..., Work]]:
    """Makes the work of the step `user` at `NOW`, with these values in its scope; requests are really sent."""
    with HttpClient(HttpClientConfig(keep_cookies=False, allow_redirects=False)) as client:

        def send(table: RequestTable, request: HttpRequest, scope: Scope) -> HttpResponse:
            return client.request(request)

        def make(*, base_dir: Path = Path(), **values: Any) -> Work:
            secrets = Secrets({}, environ={}, prompt=None, base_dir=base_dir)
            scope = Scope(secrets=secrets, **{"vars": {"shop": "acme", "limit": 10}, **values})
            return Work("user", scope, NOW, send, nothing_runs, lambda seconds: None)

        yield make
