"""Every type of auth as steps and places: what a shorthand stands for."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from ..errors import ProfileError
from ..login.definition import ExpiresTable, ExtractTable, InjectTable, RequestTable
from ..login.steps.http import HttpStep
from ..login.steps.value import ValueStep
from ..login.template import parse
from .schema import ApiKeyAuth, Auth, BasicAuth, BearerAuth, NoAuth, OAuth2Auth, PipelineAuth

TOKEN = "token"
KEY = "key"


def expand(auth: Auth) -> PipelineAuth:
    """The pipeline that an auth table stands for."""
    match auth:
        case PipelineAuth():
            return auth
        case NoAuth():
            return PipelineAuth(inject=(), exclude=auth.exclude)
        case BearerAuth():
            return PipelineAuth(steps={TOKEN: ValueStep(kind="value", value=auth.token)}, exclude=auth.exclude)
        case BasicAuth():
            place = InjectTable(in_="basic", name=auth.username, value=auth.password)
            return PipelineAuth(inject=(place,), exclude=auth.exclude)
        case ApiKeyAuth():
            place = InjectTable(in_=auth.in_, name=auth.name, value=f"${{steps.{KEY}.token}}")
            step = ValueStep(kind="value", value=auth.key)
            return PipelineAuth(steps={KEY: step}, inject=(place,), exclude=auth.exclude)
        case OAuth2Auth():
            return PipelineAuth(steps={TOKEN: _client_credentials(auth)}, exclude=auth.exclude)
    raise AssertionError(auth)


def _client_credentials(auth: OAuth2Auth) -> HttpStep:
    """The client credentials grant (RFC 6749, section 4.4)."""
    secret = auth.client_secret or ""
    form: dict[str, Any] = {"grant_type": "client_credentials"}
    if auth.client_auth != "basic":
        form["client_id"] = auth.client_id
    if auth.client_auth == "post":
        form["client_secret"] = secret
    optional = {"scope": auth.scope, "audience": auth.audience, "resource": auth.resource}
    form |= {name: value for name, value in optional.items() if value is not None}
    form |= auth.params
    return HttpStep(
        request=RequestTable(
            method="POST",
            url=auth.token_url,
            headers={"Accept": "application/json"},
            form=form,
            basic=(_form_encoded(auth.client_id), _form_encoded(secret)) if auth.client_auth == "basic" else None,
        ),
        extract={
            "token": "/access_token",
            "token_type": ExtractTable(pointer="/token_type", optional=True),
            "scope": ExtractTable(pointer="/scope", optional=True),
        },
        expires=ExpiresTable(in_="/expires_in"),
    )


def _form_encoded(template: str) -> str:
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
