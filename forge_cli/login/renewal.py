"""Renewing and revoking a token by a request of its own, for every kind of step that can."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

from ..errors import StepFailed
from .definition import Expires, Extract, RefreshTable, RevokeTable, SuccessTable
from .exchange import Reading, answer, exchange, failure, refusal
from .extract import optional
from .work import Result, Work


class Renewable(Protocol):
    """A step's table whose token can be renewed and given back."""

    @property
    def extract(self) -> Extract: ...
    @property
    def success(self) -> SuccessTable | None: ...
    @property
    def expires(self) -> Expires | None: ...
    @property
    def refresh(self) -> RefreshTable | None: ...
    @property
    def revoke(self) -> RevokeTable | None: ...


def renewed(step: Renewable, work: Work) -> Result | None:
    """Renew the token that `work.scope.own` holds; None when that was refused and a login should follow.

    A refresh token that is the same as before is not among the outputs. StepFailed when it was refused and
    `on_failure` is "error", or when the server is in trouble.
    """
    table = step.refresh
    if table is None:
        return None
    own = work.scope.own
    scope = dataclasses.replace(work.scope, values={**work.scope.values, **table.values})
    try:
        result = exchange(
            table.request,
            dataclasses.replace(work, scope=scope),
            extract=_kept(step.extract if table.extract is None else table.extract, own),
            lives_on=table.renew,
            success=step.success if table.success is None else table.success,
            expires=step.expires if table.expires is None else table.expires,
            refresh_end=table.until,
            renewing=True,
        )
    except StepFailed as exc:
        # A server in trouble has refused nothing: the refresh token may still be good.
        trouble = exc.status is not None and (exc.status >= 500 or exc.status in (408, 429))
        if table.on_failure == "error" or trouble:
            raise
        return None
    new = {k: v for k, v in result.outputs.items() if k != "refresh_token" or v != own.get(k)}
    return result._replace(outputs=new)


def revoked(step: Renewable, work: Work) -> None:
    """Give back the token that `work.scope.own` holds. StepFailed when the server does not take it."""
    if step.revoke is None:
        return
    table = step.revoke.request
    response = answer(table, work)
    trouble = refusal(None, response, Reading(response, work.now.timestamp()), work.scope)
    if trouble is not None:
        raise failure(work.step, table, response, f"not revoked: {trouble}")


def _kept(extract: Extract, own: Mapping[str, Any]) -> Extract:
    """The extract of a renewal: what the answer lacks stays as it was."""
    return {name: optional(place) if name != "token" and name in own else place for name, place in extract.items()}
