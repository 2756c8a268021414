"""The real servers, started once and only for a test that asks for them."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest

from tests.conftest import Require
from tests.integration.servers import HTTPBIN, OIDC, OpenIdProvider, running


@pytest.fixture(scope="session")
def httpbin(require: Require) -> Iterator[str]:
    """The address of a running httpbin."""
    if importlib.util.find_spec("httpbin") is None:
        require.missing("httpbin is not installed: pip install 'forge-http[test]'")
    with running(HTTPBIN) as started:
        yield started["url"]


@pytest.fixture(scope="session")
def _oidc(require: Require) -> Iterator[OpenIdProvider]:
    node = require("node", "apt-get install nodejs npm, then npm ci --prefix tests/integration/oidc")
    if not (OIDC / "node_modules" / "oidc-provider").is_dir():
        require.missing("oidc-provider is not installed: npm ci --prefix tests/integration/oidc")
    with running((node, "server.mjs"), cwd=OIDC) as started:
        yield OpenIdProvider(started["issuer"], started["resource"], started["opaque"], started["key"])


@pytest.fixture
def oidc(_oidc: OpenIdProvider) -> OpenIdProvider:
    """The certified OpenID provider, its counts at zero."""
    _oidc.reset()
    return _oidc
