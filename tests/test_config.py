"""What a client can be told, and the builder that collects it."""

from __future__ import annotations

import dataclasses
from typing import Any
from unittest.mock import Mock

import pytest

from forge_cli import (
    ApiKeyAuthHook,
    BasicAuthHook,
    ExponentialBackoffRetryStrategy,
    HttpClientConfig,
    HttpClientConfigBuilder,
    HttpRequest,
    LoggingErrorHook,
    LoggingRequestHook,
    LoggingResponseHook,
    NoRetryStrategy,
    RequestContext,
    TokenAuthHook,
    TokenData,
    config,
)

Builder = HttpClientConfigBuilder


def test_the_defaults_are_those_of_the_contract() -> None:
    made = HttpClientConfig()
    assert made.base_url == ""
    assert made.default_timeout == 30.0
    assert made.default_headers == {}
    assert (made.verify_ssl, made.allow_redirects, made.max_redirects) == (True, True, 10)
    assert (made.retry_strategy, made.auth_hook) == (None, None)
    assert (made.request_hooks, made.response_hooks, made.error_hooks) == ((), (), ())
    assert (made.pool_connection, made.pool_maxsize) == (10, 20)
    assert (made.max_elapsed, made.raise_for_status, made.retry_unsafe_methods) == (None, False, False)
    assert Builder().build() == made


@pytest.mark.parametrize("timeout", [0, -1, -0.5])
def test_a_timeout_that_is_not_positive_is_refused(timeout: float) -> None:
    with pytest.raises(ValueError, match="default_timeout must be positive"):
        Builder().with_timeout(timeout).build()


def test_a_negative_number_of_redirects_is_refused() -> None:
    with pytest.raises(ValueError, match="max_redirects must be non-negative"):
        Builder().with_redirects(max_redirects=-1).build()
    assert HttpClientConfig(max_redirects=0).max_redirects == 0


def test_no_timeout_is_a_choice() -> None:
    assert HttpClientConfig(default_timeout=None).default_timeout is None


def test_a_config_cannot_be_changed() -> None:
    made = Builder().with_header("X-Tenant", "one").build()
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.base_url = "x"  # type: ignore[misc]
    headers: Any = made.default_headers
    with pytest.raises(TypeError):
        headers["X-Tenant"] = "two"


def test_a_config_keeps_its_own_copy_of_what_it_was_given() -> None:
    headers = {"X-Tenant": "one"}
    params = {"tag": ["a"]}
    made = HttpClientConfig(default_headers=headers, default_params=params)
    headers["X-Tenant"] = "two"
    params["tag"].append("b")
    assert made.default_headers == {"X-Tenant": "one"}
    assert made.default_params == {"tag": ["a"]}
    with pytest.raises(TypeError):
        made.default_params["tag"].append("b")


def test_every_method_of_the_builder_returns_it() -> None:
    builder = Builder()
    arguments: dict[str, tuple[Any, ...]] = {
        "with_header": ("A", "b"),
        "with_basic_auth": ("ada", "password-1"),
        "with_redirects": (),
        "with_raise_for_status": (),
        "with_retry": (),
        "with_pool_connection": (),
        "with_pool_maxsize": (),
        "with_logging": (),
        "with_origins": ("https://a.example", "https://b.example"),
        "with_headers": ({},),
        "with_cookies": ({},),
        "with_proxies": ({},),
    }
    for name in dir(builder):
        if name.startswith("with_"):
            assert getattr(builder, name)(*arguments.get(name, ("x",) if "timeout" not in name else (1,))) is builder


@pytest.mark.parametrize(
    ("url", "base"), [("https://h/", "https://h"), ("https://h/v1//", "https://h/v1"), ("https://h", "https://h")]
)
def test_the_base_url_loses_its_trailing_slashes(url: str, base: str) -> None:
    assert Builder().with_base_url(url).build().base_url == base
    assert HttpClientConfig(base_url=url).base_url == url


def test_headers_are_merged() -> None:
    builder = Builder().with_headers({"A": "1", "B": "2"}).with_header("B", "3").with_headers({"C": "4"})
    assert builder.build().default_headers == {"A": "1", "B": "3", "C": "4"}


def test_fixed_credentials_are_default_headers() -> None:
    made = Builder().with_bearer_token("user-token-1").with_api_key("key-1").with_api_key("key-2", "X-Other").build()
    assert made.default_headers == {
        "Authorization": "Bearer user-token-1",
        "X-API-Key": "key-1",
        "X-Other": "key-2",
    }
    assert made.auth_hook is None


def test_settings_reach_the_config() -> None:
    made = (
        Builder()
        .with_timeout(5)
        .with_max_elapsed(60)
        .with_ca_bundle("ca.pem")
        .with_client_cert("cert.pem", "key.pem", "password-1")
        .with_proxies({"http": "http://proxy:8080"})
        .with_cookies({"a": "1"})
        .with_cookies({"b": "2"})
        .with_origins("https://b.example")
        .with_origins("https://c.example")
        .with_redirects(False, 3)
        .with_raise_for_status()
        .with_pool_connection(4)
        .with_pool_maxsize(50)
        .build()
    )
    assert made == HttpClientConfig(
        default_timeout=5,
        max_elapsed=60,
        verify_ssl="ca.pem",
        client_cert=("cert.pem", "key.pem", "password-1"),
        proxies={"http": "http://proxy:8080"},
        cookies={"a": "1", "b": "2"},
        origins=("https://b.example", "https://c.example"),
        allow_redirects=False,
        max_redirects=3,
        raise_for_status=True,
        pool_connection=4,
        pool_maxsize=50,
    )


@pytest.mark.parametrize("verify", [True, False, "ca.pem"])
def test_verification_is_a_switch_or_a_file(verify: bool | str) -> None:
    assert Builder().with_verify_ssl(verify).build().verify_ssl == verify


def test_the_retry_strategy_is_kept_or_made() -> None:
    strategy = NoRetryStrategy()
    assert Builder().with_retry_strategy(strategy).build().retry_strategy is strategy
    made = Builder().with_retry(5, 2.0, 8.0).build().retry_strategy
    assert isinstance(made, ExponentialBackoffRetryStrategy)
    assert made.max_retries == 5
    delays = {made.get_delay(RequestContext(HttpRequest("GET", "/"), attempt)) for attempt in (0, 1, 2, 3)}
    assert len(delays) == 4
    assert all(1.5 <= delay <= 8.0 for delay in delays)


def test_hooks_keep_their_order() -> None:
    first, second, third = Mock(), Mock(), Mock()
    builder = Builder().with_request_hook(first).with_request_hook(second).with_response_hook(third)
    made = builder.with_response_hook(first).with_error_hook(second).with_error_hook(third).build()
    assert made.request_hooks == (first, second)
    assert made.response_hooks == (third, first)
    assert made.error_hooks == (second, third)


def test_the_last_auth_hook_is_used() -> None:
    first, last = Mock(), Mock()
    assert Builder().with_auth_hook(first).with_auth_hook(last).build().auth_hook is last


def test_auth_hooks_are_made() -> None:
    manager = Mock()
    made = Builder().with_token_auth(manager, None, "X-Auth", "Token", {"/login"}, ["/public/*"]).build().auth_hook
    assert isinstance(made, TokenAuthHook)
    assert made.token_manager is manager
    assert [made.should_authenticate(HttpRequest("GET", path)) for path in ("/login", "/public/a", "/x")] == [
        False,
        False,
        True,
    ]
    key = Builder().with_api_key_auth("key-1", excluded_paths={"/login"}).build().auth_hook
    assert isinstance(key, ApiKeyAuthHook)
    assert key.get_token() == TokenData("key-1", "ApiKey")
    basic = Builder().with_basic_auth("ada", "password-1").build().auth_hook
    assert isinstance(basic, BasicAuthHook)
    assert basic.get_token().token_type == "Basic"


def test_logging_adds_one_hook_of_each_kind() -> None:
    made = Builder().with_logging(True, True, {"x-secret"}).build()
    assert [type(hook) for hook in (*made.request_hooks, *made.response_hooks, *made.error_hooks)] == [
        LoggingRequestHook,
        LoggingResponseHook,
        LoggingErrorHook,
    ]


def test_a_builder_can_be_used_again() -> None:
    builder = Builder().with_base_url("https://a.example")
    first = builder.build()
    second = builder.with_header("A", "b").with_request_hook(Mock()).build()
    assert (first.default_headers, first.request_hooks) == ({}, ())
    assert (second.base_url, len(second.request_hooks)) == ("https://a.example", 1)


def test_token_data_can_be_imported_from_here_too() -> None:
    assert config.TokenData is TokenData
