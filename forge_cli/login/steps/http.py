"""The step that sends a request and takes its outputs from the answer."""

from __future__ import annotations

from ..definition import (
    ClockTable,
    Extract,
    RefreshTable,
    RequestTable,
    RevokeTable,
    StepTable,
    SuccessTable,
    key,
    table,
)
from ..exchange import exchange
from ..renewal import renewed, revoked
from ..work import Result, Work


@table
class HttpStep(StepTable):
    """Send a request; the outputs, one of them `token`, are in the answer."""

    request: RequestTable = key("the request")
    success: SuccessTable | None = key("what counts as success; default: 2xx, and the token is there", default=None)
    extract: Extract = key("outputs by name, one of them `token`")
    refresh: RefreshTable | None = key("how to renew the token without logging in", default=None)
    revoke: RevokeTable | None = key("how to give the token back", default=None)
    clock: ClockTable | None = key("the server's clock, which steps that need this one go by", default=None)

    def run(self, work: Work) -> Result:
        """Log in. StepFailed when the answer is a refusal or lacks an output."""
        return exchange(
            self.request,
            work,
            extract=self.extract,
            success=self.success,
            expires=self.expires,
            refresh_end=None if self.refresh is None else self.refresh.until,
            clock=self.clock,
        )

    def renew(self, work: Work) -> Result | None:
        """Renew the token that `work.scope.own` holds; None when that was refused and a login should follow."""
        return renewed(self, work)

    def give_back(self, work: Work) -> None:
        """Revoke the token that `work.scope.own` holds. StepFailed when the server does not."""
        revoked(self, work)
