"""Signers read from TOML, encoded requests and scopes, for the tests of signatures."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from forge_cli.client import HttpClient
from forge_cli.config import HttpClientConfig
from forge_cli.encode import encode
from forge_cli.interfaces import AuthHookInterface, AuthRetryStrategyInterface
from forge_cli.login.scope import Scope
from forge_cli.login.sign import SIGNERS, Signer
from forge_cli.models import HttpRequest, HttpResponse, PreparedRequest, RequestContext, TokenData, random_uuid
from forge_cli.profiles.kinds import Problem
from forge_cli.profiles.reader import read
from forge_cli.profiles.schema import EnvSecret
from forge_cli.profiles.secrets import Secrets
from forge_cli.retry import SimpleAuthRetryStrategy

UUID = "11111111-2222-4333-8444-555555555555"


def signer(toml: str) -> Any:
    """The signer that a table says, as a profile's would be read."""
    table = tomllib.loads(toml)
    problems: list[Problem] = []
    made: Signer | None = read(SIGNERS.load(table["type"]), table, (), problems)
    assert made is not None, problems
    return made


def scope(secrets: Mapping[str, str] | None = None, **values: Any) -> Scope:
    """What templates may refer to: these secrets, and what else is given."""
    known = secrets or {}
    source = Secrets({name: EnvSecret(env=name) for name in known}, environ=known, prompt=None, base_dir=Path())
    return Scope(secrets=source, **{"uuid": UUID, "now": 1700000000.25, "nonce": lambda: 4711, **values})


def request(method: str, url: str, **fields: Any) -> PreparedRequest:
    """A request as the client would hand it to a signer."""
    return encode(HttpRequest(method, url, **fields))


class Signing(AuthHookInterface):
    """Signs every attempt, and once more as long as the signer says so."""

    def __init__(self, signer: Signer, secrets: Mapping[str, str] | None = None, *, most: int = 10) -> None:
        self._signer = signer
        self._secrets = secrets
        self._retry_strategy = SimpleAuthRetryStrategy(max_retries=most)
        self._nonces = itertools.count(1)

    @property
    def retry_strategy(self) -> AuthRetryStrategyInterface:
        return self._retry_strategy

    def should_authenticate(self, request: HttpRequest) -> bool:
        return True

    def before_request(self, request: HttpRequest, context: RequestContext) -> HttpRequest:
        context.metadata.setdefault("uuid", random_uuid())
        return request

    def finish(self, prepared: PreparedRequest, context: RequestContext) -> PreparedRequest:
        return self._signer.sign(prepared, self._scope(context))

    def recover(self, response: HttpResponse, context: RequestContext) -> bool:
        return self._signer.challenged(response, self._scope(context))

    def is_auth_error(self, response: HttpResponse) -> bool:
        return response.status_code == 401

    def refresh_auth(self) -> bool:
        return False

    def invalidate_auth(self) -> None:
        return None

    def get_token(self) -> TokenData:
        raise NotImplementedError

    def _scope(self, context: RequestContext) -> Scope:
        number = next(self._nonces)
        return scope(self._secrets, uuid=context.metadata["uuid"], nonce=lambda: number)


def client(signer: Signer, secrets: Mapping[str, str] | None = None, **options: Any) -> HttpClient:
    """A client that signs its requests; `secrets` are what the signer's templates refer to."""
    return HttpClient(HttpClientConfig(auth_hook=Signing(signer, secrets), **options))
