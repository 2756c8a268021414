from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from forge_cli.errors import NeedsPerson, StepFailed
from forge_cli.login.definition import RequestTable
from forge_cli.login.scope import Scope
from forge_cli.login.steps.prompt import PromptStep
from forge_cli.login.work import Person, Work
from forge_cli.models import HttpRequest, HttpResponse
from forge_cli.profiles.secrets import Secrets
from forge_cli.redact import REDACTOR


class Typist:
    """Types the same thing whatever is asked, and remembers the questions."""

    def __init__(self, typed: str) -> None:
        self.typed = typed
        self.asked: list[tuple[str, bool]] = []

    def ask(self, text: str, *, hidden: bool) -> str:
        self.asked.append((text, hidden))
        return self.typed

    def tell(self, text: str) -> None:
        raise AssertionError(text)

    def browse(self, url: str) -> bool:
        raise AssertionError(url)


def no_request(table: RequestTable, request: HttpRequest, scope: Scope) -> HttpResponse:
    raise AssertionError("a question needs no request")


def no_command(argv: Sequence[str], env: Sequence[str]) -> str:
    raise AssertionError("a question needs no program")


def work(person: Person | None) -> Work:
    scope = Scope(secrets=Secrets({}, environ={}, prompt=None, base_dir=Path()), vars={"phone": "…42"})
    return Work("mfa", scope, datetime.now(UTC), no_request, no_command, lambda seconds: None, person=person)


@pytest.mark.parametrize(("options", "hidden"), [({}, True), ({"hidden": False}, False)])
def test_what_is_typed_is_the_token_and_is_hidden(options: Any, hidden: bool) -> None:
    person = Typist("123456")
    result = PromptStep(kind="prompt", text="Code sent to ${vars.phone}", **options).run(work(person))
    assert person.asked == [("Code sent to …42", hidden)]
    assert (result.outputs, result.end.at, result.end.known) == ({"token": "123456"}, None, False)
    assert REDACTOR.text("code 123456") == "code ***"


def test_the_answer_is_never_stored_and_no_lock_is_held_meanwhile() -> None:
    assert (PromptStep.usual_cache, PromptStep.interactive) == ("none", True)
    assert PromptStep(kind="prompt", text="Code").renew(work(None)) is None  # type: ignore[func-returns-value]


@pytest.mark.parametrize(("typed", "message"), [("", "nothing was entered"), ("a\nb", "line break")])
def test_what_cannot_be_a_token_is_refused(typed: str, message: str) -> None:
    with pytest.raises(StepFailed, match=f"login step 'mfa': .*{message}"):
        PromptStep(kind="prompt", text="Code").run(work(Typist(typed)))


def test_without_a_person_it_says_so() -> None:
    with pytest.raises(NeedsPerson, match="step 'mfa' asks for something to be typed, and there is no terminal"):
        PromptStep(kind="prompt", text="Code").run(work(None))
