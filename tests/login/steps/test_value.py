from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from forge_cli.login.scope import Scope
from forge_cli.login.steps.value import ValueStep
from forge_cli.login.work import Work
from forge_cli.models import HttpRequest, HttpResponse
from forge_cli.profiles.secrets import Secrets
from forge_cli.redact import REDACTOR


def nothing(request: HttpRequest, redirects: int) -> HttpResponse:
    raise AssertionError("a value needs no request")


def test_the_value_is_the_token_is_masked_and_is_never_stored(own_home: Path) -> None:
    from_env = Secrets({}, environ={}, prompt=None, base_dir=own_home)
    scope = Scope(secrets=from_env, environ={"KEY": "env-key-value-1"})
    step = ValueStep(kind="value", value="${env.KEY}-x")
    result = step.run(Work("key", scope, datetime.now(UTC), nothing))
    assert (result.outputs, result.end.at, result.end.known) == ({"token": "env-key-value-1-x"}, None, False)
    assert REDACTOR.text("it is env-key-value-1-x") == "it is ***"
    assert not step.stored
