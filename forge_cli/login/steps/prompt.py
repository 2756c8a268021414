"""The step that a person answers."""

from __future__ import annotations

from typing import ClassVar

from ...errors import StepFailed
from ...redact import REDACTOR
from ..definition import StepTable, TemplateText, key, table
from ..expiry import End
from ..work import Result, Work, unfit_token


@table
class PromptStep(StepTable):
    """Ask a person; what is typed is the token, such as a one-time code. It is never stored."""

    interactive: ClassVar[bool] = True
    usual_cache: ClassVar[str] = "none"

    text: TemplateText = key("what to ask for")
    hidden: bool = key("do not show what is typed", default=True)

    def run(self, work: Work) -> Result:
        """Ask. NeedsPerson when there is nobody."""
        typed = work.somebody("asks for something to be typed").ask(work.scope.text(self.text), hidden=self.hidden)
        REDACTOR.add(typed)
        unfit = "nothing was entered" if not typed else unfit_token(typed)
        if unfit is not None:
            raise StepFailed(work.step, unfit, hint="type it when asked")
        return Result({"token": typed}, End(None, known=False))

    def renew(self, work: Work) -> None:
        """A person is asked anew instead."""
