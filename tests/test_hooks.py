"""The hooks that come along."""

from __future__ import annotations

import json
import logging
import re
import time
from typing import Any

import pytest

from forge_cli import (
    AuthenticationException,
    AuthorizationHook,
    ConnectionException,
    CorrelationIdHook,
    HttpRequest,
    HttpResponse,
    LoggingErrorHook,
    LoggingRequestHook,
    LoggingResponseHook,
    RateLimitResponseHook,
    RequestContext,
)
from forge_cli.models import Headers
from forge_cli.redact import REDACTOR
from tests.lookalikes import LOOKALIKES

REQUEST = HttpRequest("POST", "/users?token=query-token-1", headers={"Authorization": "Bearer user-token-1", "A": "b"})


LOOKS = pytest.mark.parametrize("value", LOOKALIKES.values(), ids=LOOKALIKES.keys())


def answer(status: int = 200, body: bytes = b"", **headers: str) -> HttpResponse:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpResponse(status, Headers(fields), body, 12.0, "u", REQUEST)


def context(**settings: Any) -> RequestContext:
    return RequestContext(REQUEST, **settings)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, "forge_cli.hooks")
    return caplog


class TestLoggingRequestHook:
    def test_returns_the_same_request_and_marks_the_context(self, log: pytest.LogCaptureFixture) -> None:
        about = context()
        assert LoggingRequestHook().before_request(REQUEST, about) is REQUEST
        assert re.fullmatch("[0-9a-f]{8}", about.metadata["request_id"])
        assert about.metadata["start_time"] == pytest.approx(time.time(), abs=5)
        [record] = log.records
        assert record.levelno == logging.INFO
        assert record.getMessage() == f"[{about.metadata['request_id']}] HTTP POST /users?token=***"

    def test_keeps_an_id_that_is_there_and_says_that_it_is_a_retry(self, log: pytest.LogCaptureFixture) -> None:
        about = context(attempt=1, max_retries=3, metadata={"request_id": "abc"})
        LoggingRequestHook().before_request(REQUEST, about)
        assert about.metadata["request_id"] == "abc"
        assert log.messages == ["[abc] HTTP POST /users?token=*** (retry 1/3)"]

    def test_headers_and_json_are_shown_at_debug_without_secrets(self, log: pytest.LogCaptureFixture) -> None:
        request = HttpRequest(
            "POST",
            "/",
            {"Authorization": "Bearer user-token-1", "Cookie": "a=1", "B": "c"},
            json_data={"password": "p-1"},
        )
        LoggingRequestHook(log_headers=True, log_body=True).before_request(request, context())
        assert [record.levelno for record in log.records] == [logging.INFO, logging.DEBUG, logging.DEBUG]
        text = log.text
        assert "'B': 'c'" in text
        for secret in ("user-token-1", "a=1", "p-1"):
            assert secret not in text

    @LOOKS
    def test_what_only_looks_like_a_token_stays_in_the_body(self, log: pytest.LogCaptureFixture, value: str) -> None:
        REDACTOR.add("known-secret-5511")
        body = {"id": value, "text": "known-secret-5511", "api_key": "named-secret-5511"}
        request = HttpRequest("POST", "/", {"X-Id": value, "X-Api-Key": "named-secret-5511"}, json_data=body)
        LoggingRequestHook(log_headers=True, log_body=True).before_request(request, context())
        assert log.text.count(value) == 2
        assert "secret-5511" not in log.text

    def test_its_own_names_replace_the_usual_ones(self, log: pytest.LogCaptureFixture) -> None:
        request = HttpRequest("GET", "/", {"X-Mine": "value-1", "Cookie": "flavour=plain"})
        LoggingRequestHook(log_headers=True, sensitive_keys={"x-MINE"}).before_request(request, context())
        assert "value-1" not in log.text
        assert "flavour=plain" in log.text


class TestLoggingResponseHook:
    @pytest.mark.parametrize(("status", "level"), [(204, logging.INFO), (302, logging.WARNING), (503, logging.WARNING)])
    def test_returns_the_same_response_and_logs_it(
        self, log: pytest.LogCaptureFixture, status: int, level: int
    ) -> None:
        response = answer(status)
        assert LoggingResponseHook().after_response(response, context(metadata={"request_id": "abc"})) is response
        [record] = log.records
        assert (record.levelno, record.getMessage()) == (level, f"[abc] HTTP {status} in 12 ms")

    def test_measures_from_the_request_hook_where_there_is_one(self, log: pytest.LogCaptureFixture) -> None:
        LoggingResponseHook().after_response(answer(), context(metadata={"start_time": time.time() - 60}))
        match = re.search(r"in (\d+) ms", log.text)
        assert match is not None
        assert 60_000 <= int(match[1]) < 120_000

    def test_shows_headers_and_failed_bodies_without_secrets(self, log: pytest.LogCaptureFixture) -> None:
        hook = LoggingResponseHook(log_headers=True, log_body=True)
        body = b'{"access_token": "user-token-2", "why": "' + b"x" * 1000 + b'"}'
        hook.after_response(answer(400, body, Set_Cookie="sid=cookie-1", X_Ok="yes"), context())
        assert "'X-Ok': 'yes'" in log.text
        assert "xxx" in log.text
        for secret in ("user-token-2", "cookie-1", "x" * 501):
            assert secret not in log.text

    @LOOKS
    def test_what_only_looks_like_a_token_stays(self, log: pytest.LogCaptureFixture, value: str) -> None:
        REDACTOR.add("known-secret-5511")
        body = json.dumps({"no": value, "text": "known-secret-5511", "api_key": "named-secret-5511"}).encode()
        hook = LoggingResponseHook(log_headers=True, log_body=True)
        hook.after_response(answer(404, body, X_Id=value, X_Api_Key="named-secret-5511"), context())
        assert log.text.count(value) == 2
        assert "secret-5511" not in log.text

    def test_shows_no_body_of_a_success(self, log: pytest.LogCaptureFixture) -> None:
        LoggingResponseHook(log_body=True).after_response(answer(200, b"content"), context())
        assert "content" not in log.text


class TestLoggingErrorHook:
    def test_says_which_attempt_failed_and_why(self, log: pytest.LogCaptureFixture) -> None:
        about = context(attempt=1, max_retries=3, metadata={"request_id": "abc"})
        LoggingErrorHook().on_error(ConnectionException("refused, password=pw-12345"), about)
        [record] = log.records
        assert record.levelno == logging.ERROR
        assert record.getMessage() == (
            "[abc] HTTP POST /users?token=*** failed, attempt 2/4: ConnectionException: refused, password=***"
        )

    @LOOKS
    def test_of_an_api_s_failure_what_only_looks_like_a_token_stays(
        self, log: pytest.LogCaptureFixture, value: str
    ) -> None:
        REDACTOR.add("known-secret-5511")
        error = ConnectionException(f"no answer for {value}: known-secret-5511, password=named-secret-5511")
        LoggingErrorHook().on_error(error, context())
        assert value in log.text
        assert "secret-5511" not in log.text

    def test_of_a_login_s_failure_it_does_not(self, log: pytest.LogCaptureFixture) -> None:
        LoggingErrorHook().on_error(AuthenticationException(f"refused: {'a1' * 16}"), context())
        assert log.text.rstrip().endswith("AuthenticationException: refused: ***")


class TestAuthorizationHook:
    def test_adds_the_token_of_the_moment(self) -> None:
        tokens = iter(["user-token-1", "user-token-2"])
        hook = AuthorizationHook(lambda: next(tokens))
        seen = [hook.before_request(HttpRequest("GET", "/"), context()).headers for _ in range(2)]
        assert seen == [{"Authorization": "Bearer user-token-1"}, {"Authorization": "Bearer user-token-2"}]

    @pytest.mark.parametrize("nothing", [None, ""])
    def test_without_a_token_the_request_stays_as_it_is(self, nothing: str | None) -> None:
        assert AuthorizationHook(lambda: nothing).before_request(REQUEST, context()) is REQUEST


class TestCorrelationIdHook:
    def test_the_id_stays_over_retries_and_differs_between_requests(self) -> None:
        about, hook = context(), CorrelationIdHook()
        first, again = (hook.before_request(REQUEST, about).headers or {} for _ in range(2))
        other = hook.before_request(REQUEST, context()).headers or {}
        assert re.fullmatch(
            "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", first["X-Correlation-ID"]
        )
        assert first == again
        assert other != first
        assert about.metadata["correlation_id"] == first["X-Correlation-ID"]

    def test_takes_a_name_and_an_id_that_is_there(self) -> None:
        hook = CorrelationIdHook("X-Request-ID")
        made = hook.before_request(HttpRequest("GET", "/"), context(metadata={"correlation_id": "mine"}))
        assert made.headers == {"X-Request-ID": "mine"}


class TestRateLimitResponseHook:
    @pytest.mark.parametrize(
        ("headers", "metadata"),
        [
            ({"X_RateLimit_Remaining": "7", "X_RateLimit_Reset": "1700000000"}, {"remaining": 7, "reset": 1700000000}),
            ({"x_ratelimit_remaining": " 0 "}, {"remaining": 0}),
            ({"X_RateLimit_Remaining": "-1"}, {"remaining": -1}),
            ({}, {}),
            ({"X_RateLimit_Remaining": "many", "X_RateLimit_Reset": "--5"}, {}),
            ({"X_RateLimit_Remaining": "²", "X_RateLimit_Reset": "9" * 5000}, {}),
        ],
        ids=["both", "any case", "negative", "none", "junk", "more junk"],
    )
    def test_keeps_whole_numbers(self, headers: dict[str, str], metadata: dict[str, int]) -> None:
        about, response = context(), answer(200, b"", **headers)
        assert RateLimitResponseHook().after_response(response, about) is response
        assert about.metadata == {f"rate_limit_{name}": value for name, value in metadata.items()}
