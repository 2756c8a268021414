"""The step that computes its token."""

from __future__ import annotations

from typing import ClassVar

from ...errors import ProfileError
from ...redact import REDACTOR
from ..definition import StepTable, TemplateText, key, table
from ..expiry import End
from ..work import Result, Work, unfit_token


@table
class ValueStep(StepTable):
    """Hand a computed value on as the token. It is never stored."""

    usual_cache: ClassVar[str] = "computed"

    value: TemplateText = key("the template that becomes the token")

    def run(self, work: Work) -> Result:
        """Compute the value."""
        token = work.scope.text(self.value)
        REDACTOR.add(token)
        unfit = unfit_token(token)
        if unfit is not None:
            raise ProfileError(f"step '{work.step}': {unfit}", hint="check the secret or variable that it is made from")
        return Result({"token": token}, End(None, known=False))

    def renew(self, work: Work) -> None:
        """A value is computed anew instead."""
