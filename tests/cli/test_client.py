"""The client of one command: profile, then options."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from forge_cli.cli.client import build_client
from forge_cli.cli.context import Context
from forge_cli.cli.request import RequestOptions
from forge_cli.cli.run import Run
from forge_cli.config import HttpClientConfig
from forge_cli.errors import ProfileError, RequestBuildException, UsageError
from forge_cli.events import Foreign
from forge_cli.retry import ExponentialBackoffRetryStrategy

PROFILE = """
[profiles.api]
base_url = "https://api.example.com/v1"
origins = ["https://files.example.com"]
headers = { X-Team = "blue" }
query = { l = "en" }
verify = "ca.pem"
client_cert = { cert = "c.pem" }
timeout = { connect = 1, idle = 2, total = 3 }
redirects = 4
auth = { type = "bearer", token = "user-token-1" }
retry = { max_retries = 7, max_retry_after = 5 }
"""


def config(url: str = "/x", listener: Callable[[Any], None] | None = None, **options: Any) -> HttpClientConfig:
    run = Run()
    run.stderr = io.StringIO()
    with build_client(Context.of(run), url, RequestOptions(**options), listener) as client:
        return client.config


@pytest.fixture
def api(profile_file: Callable[[str], Path]) -> Path:
    return profile_file(PROFILE)


def test_without_a_profile_there_are_defaults() -> None:
    made = config("https://api.example.com/x")
    assert (made.default_timeout, made.connect_timeout, made.idle_timeout, made.max_elapsed) == (None, 10.0, 60.0, None)
    assert (made.allow_redirects, made.max_redirects, made.post_to_get) == (True, 10, False)
    assert (made.verify_ssl, made.auth_hook) == (True, None)
    assert isinstance(made.retry_strategy, ExponentialBackoffRetryStrategy)
    assert made.retry_strategy.max_retries == 3


def test_a_profile_decides(api: Path) -> None:
    made = config()
    assert (made.base_url, made.connect_timeout, made.idle_timeout, made.max_elapsed) == (
        "https://api.example.com/v1", 1, 2, 3
    )  # fmt: skip
    assert (made.max_redirects, made.default_headers, made.default_params) == (4, {"X-Team": "blue"}, {"l": "en"})
    assert made.auth_hook is not None


@pytest.mark.parametrize(
    "url", ["https://api.example.com/other", "HTTPS://API.example.com:443/x", "https://files.example.com/x"]
)
def test_an_absolute_url_of_its_origins_is_its_own(api: Path, url: str) -> None:
    assert config(url).auth_hook is not None


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com/x",
        "https://api.example.com:8443/x",
        "https://api.example.com@evil.test/x",
        "https://api.example.com.evil.test/x",
        "https://evil.test/https://api.example.com",
        r"https://evil.test\@api.example.com/x",
    ],
)
def test_any_other_origin_gets_only_retry_timeouts_and_proxy(api: Path, url: str) -> None:
    events: list[Any] = []
    try:
        made = config(url, events.append)
    except RequestBuildException:
        return
    assert events == [Foreign(url)]
    assert (made.default_headers, made.default_params, made.auth_hook, made.client_cert) == ({}, {}, None, None)
    assert (made.verify_ssl, made.request_hooks, made.base_url) == (True, (), "")
    assert (made.connect_timeout, made.max_elapsed) == (1, 3)


@pytest.mark.parametrize(
    ("options", "field", "value"),
    [
        ({"timeout": 9.0}, "max_elapsed", 9.0),
        ({"connect_timeout": 9.0}, "connect_timeout", 9.0),
        ({"follow": False}, "allow_redirects", False),
        ({"follow": True}, "post_to_get", True),
        ({"max_redirects": 2}, "max_redirects", 2),
        ({"max_redirects": 0}, "allow_redirects", False),
        ({"insecure": True}, "verify_ssl", False),
        ({"verify": "no"}, "verify_ssl", False),
        ({"verify": "yes"}, "verify_ssl", True),
        ({"verify": "."}, "verify_ssl", "."),
        ({"cert": "a.pem", "cert_key": "b.pem"}, "client_cert", ("a.pem", "b.pem", None)),
        ({"proxy": "http://p:1"}, "proxies", {"http": "http://p:1", "https": "http://p:1"}),
        ({"retry_unsafe": True}, "retry_unsafe_methods", True),
        ({"no_auth": True}, "auth_hook", None),
        ({"user": "a:b"}, "auth_hook", None),
        ({"bearer": "t"}, "auth_hook", None),
    ],
    ids=str,
)
def test_an_option_beats_the_profile(api: Path, options: dict[str, Any], field: str, value: Any) -> None:
    assert getattr(config(**options), field) == value


def test_retry_changes_the_number_and_nothing_else(api: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for made, retries in ((config(), 7), (config(retry=1), 1), (config(retry=0), 0)):
        assert isinstance(made.retry_strategy, ExponentialBackoffRetryStrategy)
        assert (made.retry_strategy.max_retries, made.retry_strategy.max_retry_after) == (retries, 5)
    monkeypatch.setenv("FORGE_RETRY", "2")
    assert getattr(config().retry_strategy, "max_retries", None) == 2
    assert getattr(config(retry=1).retry_strategy, "max_retries", None) == 1


@pytest.mark.parametrize("text", ["-1", "many", "1.5", "²", "1" * 7])
def test_a_bad_number_in_forge_retry_is_a_usage_error(api: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("FORGE_RETRY", text)
    with pytest.raises(UsageError, match="FORGE_RETRY"):
        config()


@pytest.mark.parametrize("url", ["file:///x", "ftp://host/x", "http:evil", " /x", "/x\n", "javascript:1"])
def test_what_is_neither_a_path_nor_a_url_is_refused_before_a_profile_is_looked_for(url: str) -> None:
    with pytest.raises(RequestBuildException):
        config(url)


def test_a_path_without_a_profile_file_says_what_to_do() -> None:
    with pytest.raises(ProfileError, match="no profile file") as caught:
        config("/x")
    assert caught.value.hint is not None
    assert "forge profile init" in caught.value.hint
    assert "https://" in caught.value.hint
