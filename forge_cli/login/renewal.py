"""Renewing and revoking a token by a request of its own, for every kind of step that can."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

from ..errors import StepFailed
from .definition import Expires, Extract, ExtractTable, RefreshTable, RevokeTable, SuccessTable
from .exchange import Reading, answer, exchange, failure, refusal
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

    StepFailed when it was refused and `on_failure` is "error", or when the server is in trouble.
    """
    table = step.refresh
    if table is None:
        return None
    scope = dataclasses.replace(work.scope, values={**work.scope.values, **table.values})
    try:
        return exchange(
            table.request,
            dataclasses.replace(work, scope=scope),
            extract=_kept(table.extract if table.extract is not None else step.extract, work.scope.own),
            success=table.success or step.success,
            expires=table.expires if table.expires is not None else step.expires,
            refresh_end=table.until,
        )
    except StepFailed as exc:
        # A server in trouble has refused nothing: the refresh token may still be good.
        trouble = exc.status is not None and (exc.status >= 500 or exc.status in (408, 429))
        if table.on_failure == "error" or trouble:
            raise
        return None


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
    kept: dict[str, Any] = {}
    for name, place in extract.items():
        known = name != "token" and name in own
        if not known:
            kept[name] = place
        elif isinstance(place, str):
            kept[name] = ExtractTable(pointer=place, optional=True)
        else:
            kept[name] = dataclasses.replace(place, optional=True, default=None)
    return kept
