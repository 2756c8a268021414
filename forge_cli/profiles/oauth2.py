"""The grants of OAuth 2.0 as steps."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from ..errors import ProfileError
from ..login.definition import ExpiresTable, ExtractTable, RequestTable
from ..login.steps.http import HttpStep
from ..login.template import parse
from .schema import OAuth2Auth, PipelineAuth

TOKEN = "token"


def expand(auth: OAuth2Auth) -> PipelineAuth:
    """The steps of a grant."""
    return PipelineAuth(steps={TOKEN: _client_credentials(auth)}, exclude=auth.exclude)


def _client_credentials(auth: OAuth2Auth) -> HttpStep:
    """The client credentials grant (RFC 6749, section 4.4)."""
    secret = auth.client_secret or ""
    client_auth = auth.client_auth or ("basic" if auth.client_secret is not None else "none")
    form: dict[str, Any] = {"grant_type": "client_credentials"}
    if client_auth != "basic":
        form["client_id"] = auth.client_id
    if client_auth == "post":
        form["client_secret"] = secret
    optional = {"scope": auth.scope, "audience": auth.audience, "resource": auth.resource}
    form |= {name: value for name, value in optional.items() if value is not None}
    form |= auth.params
    return HttpStep(
        request=RequestTable(
            method="POST",
            url=auth.token_url or "",
            headers={"Accept": "application/json"},
            form=form,
            basic=(form_encoded(auth.client_id), form_encoded(secret)) if client_auth == "basic" else None,
        ),
        extract={
            "token": "/access_token",
            "token_type": ExtractTable(pointer="/token_type", optional=True),
            "scope": ExtractTable(pointer="/scope", optional=True),
        },
        expires=ExpiresTable(in_="/expires_in"),
    )


def form_encoded(template: str) -> str:
    """The template form-urlencoded, as a client's id and secret are inside Basic (RFC 6749, section 2.3.1)."""
    parsed = parse(template)
    if parsed.literal is not None:
        return quote(parsed.literal, safe="").replace("${", "$${")
    if parsed.single is None:
        raise ProfileError(
            "client_id and client_secret hold at most one ${…}, without filters",
            hint="put the value into `vars` or `secrets`",
        )
    before, reference, after = parsed.single
    return f"{quote(before, safe='')}${{{'.'.join(reference)} | urlencode}}{quote(after, safe='')}"
