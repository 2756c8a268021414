"""The step that sends a request and takes its outputs from the answer."""

from __future__ import annotations

from ...registry import Registry
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
from ..work import Result, Work

_RUNS = Registry(
    "way to run a step",
    {
        "exchange": "forge_cli.login.exchange:exchange",
        "renewed": "forge_cli.login.renewal:renewed",
        "revoked": "forge_cli.login.renewal:revoked",
    },
)
"""Loaded when there is something to send, and not to read a profile."""


@table
class HttpStep(StepTable):
    """Send a request; the outputs, one of them `token`, are in the answer."""

    request: RequestTable = key("the request whose answer has the outputs")
    success: SuccessTable | None = key("what counts as success; default: 2xx, and the token is there", default=None)
    extract: Extract = key("outputs by name, one of them `token`")
    refresh: RefreshTable | None = key("how to renew the token without logging in", default=None)
    revoke: RevokeTable | None = key("how to give the token back", default=None)
    clock: ClockTable | None = key("the server's clock, which steps that need this one go by", default=None)

    def run(self, work: Work) -> Result:
        """Log in. StepFailed when the answer is a refusal or lacks an output."""
        result: Result = _RUNS.load("exchange")(
            self.request,
            work,
            extract=self.extract,
            success=self.success,
            expires=self.expires,
            refresh_end=None if self.refresh is None else self.refresh.until,
            clock=self.clock,
        )
        return result

    def renew(self, work: Work) -> Result | None:
        """Renew the token that `work.scope.own` holds; None when that was refused and a login should follow."""
        result: Result | None = _RUNS.load("renewed")(self, work)
        return result

    def give_back(self, work: Work) -> None:
        """Revoke the token that `work.scope.own` holds. StepFailed when the server does not."""
        _RUNS.load("revoked")(self, work)
