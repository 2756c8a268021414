"""What a retry strategy is asked, and what it is shown of an answer that failed."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest

from forge_cli.client import HttpClient
from forge_cli.config import HttpClientConfig
from forge_cli.errors import HttpClientException, HttpStatusException, RequestBuildException
from forge_cli.models import HttpRequest, RequestContext
from forge_cli.redact import REDACTOR
from forge_cli.retry import NoRetryStrategy
from tests.lookalikes import LOOKALIKES
from tests.server import Reply, Server


def cause(error: HttpClientException) -> RequestBuildException:
    found = getattr(error, "original_exception", None) or error
    assert isinstance(found, RequestBuildException)
    return found


def strategy(delay: Any) -> Mock:
    return Mock(
        should_retry=Mock(return_value=True),
        is_retryable_status=Mock(return_value=True),
        max_retries=2,
        get_delay=Mock(return_value=delay),
    )


@pytest.mark.parametrize("delay", [Mock(), None, "1", float("nan")], ids=["a stand-in", "nothing", "text", "nan"])
def test_a_retry_strategy_without_a_number_of_seconds_is_named(delay: Any) -> None:
    config = HttpClientConfig(retry_strategy=strategy(delay))
    with HttpClient(config) as http, pytest.raises(HttpClientException) as caught:
        http.get("http://127.0.0.1:1/")
    error = cause(caught.value)
    assert error.message.startswith("get_delay of Mock returned ")
    assert error.message.endswith("which is no number of seconds")
    assert error.hint is not None


@pytest.mark.parametrize("delay", [Mock(), None], ids=["a stand-in", "nothing"])
def test_an_auth_retry_strategy_without_one_is_named(server: Server, delay: Any) -> None:
    url = server.reply("/a", Reply(401))
    hook = Mock(before_request=lambda request, context: request, retry_strategy=strategy(delay))
    with HttpClient(HttpClientConfig(auth_hook=hook)) as http, pytest.raises(HttpClientException) as caught:
        http.request(HttpRequest("GET", url))
    assert cause(caught.value).message.startswith("get_delay of Mock returned ")
    assert len(server.seen) == 1


@pytest.mark.parametrize("delay", [0, 0.0, True, -1])
def test_any_number_will_do(delay: Any) -> None:
    asked = strategy(delay)
    asked.should_retry = Mock(side_effect=[True, True, False])
    with (
        HttpClient(HttpClientConfig(retry_strategy=asked), sleep=lambda seconds: None) as http,
        pytest.raises(HttpClientException),
    ):
        http.get("http://127.0.0.1:1/")
    assert asked.should_retry.call_count == 3


@pytest.mark.parametrize("value", LOOKALIKES.values(), ids=LOOKALIKES.keys())
def test_what_only_looks_like_a_token_stays_in_the_answer_that_failed(server: Server, value: str) -> None:
    REDACTOR.add("known-secret-5511")
    shown: list[str | None] = []

    class Asked(NoRetryStrategy):
        def is_retryable_status(self, status: int) -> bool:
            return status == 503

        def should_retry(self, context: RequestContext, exception: Exception) -> bool:
            assert isinstance(exception, HttpStatusException)
            shown.append(exception.response_body)
            return False

    body = {"no": value, "text": "known-secret-5511", "api_key": "named-secret-5511"}
    url = server.reply("/x", Reply(503, body))
    with HttpClient(HttpClientConfig(retry_strategy=Asked())) as http:
        assert http.get(url).status_code == 503
    assert shown == [f'{{"no": "{value}", "text": "***", "api_key": "***"}}']
