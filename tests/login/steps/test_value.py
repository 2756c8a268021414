from __future__ import annotations

from collections.abc import Callable

import pytest

from forge_cli.errors import ProfileError
from forge_cli.login.steps.value import ValueStep
from forge_cli.login.work import Work
from forge_cli.redact import REDACTOR

MakeWork = Callable[..., Work]


def test_the_value_is_the_token_is_masked_and_is_never_stored(work: MakeWork) -> None:
    step = ValueStep(kind="value", value="${env.KEY}-x")
    result = step.run(work(environ={"KEY": "env-key-value-1"}))
    assert (result.outputs, result.end.at, result.end.known) == ({"token": "env-key-value-1-x"}, None, False)
    assert REDACTOR.text("it is env-key-value-1-x") == "it is ***"
    assert step.usual_cache == "computed"


def test_a_value_is_made_anew_instead_of_renewed(work: MakeWork) -> None:
    step = ValueStep(kind="value", value="x")
    assert step.renew(work()) is None  # type: ignore[func-returns-value]  # that is what is tested


@pytest.mark.parametrize(("value", "trouble"), [("", "is empty"), ("a\nb", "holds a line break")])
def test_a_value_that_no_header_can_carry_is_an_error_without_it(work: MakeWork, value: str, trouble: str) -> None:
    with pytest.raises(ProfileError, match=f"step 'user': the token {trouble}") as caught:
        ValueStep(kind="value", value="${env.KEY}").run(work(environ={"KEY": value}))
    assert caught.value.hint
