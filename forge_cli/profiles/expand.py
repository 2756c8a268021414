"""Every type of auth as steps and places: what a shorthand stands for."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from ..login.definition import InjectTable
from ..login.sign import SIGNERS
from ..login.steps.value import ValueStep
from . import oauth2
from .schema import (
    ApiKeyAuth,
    Auth,
    AwsSigV4Auth,
    BasicAuth,
    BearerAuth,
    CompositeAuth,
    DigestAuth,
    NoAuth,
    OAuth1Auth,
    OAuth2Auth,
    PipelineAuth,
)

TOKEN = oauth2.TOKEN
KEY = "key"


def expand(auth: Auth) -> PipelineAuth:
    """The pipeline that an auth table stands for."""
    match auth:
        case PipelineAuth():
            return auth
        case NoAuth() | CompositeAuth():
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
        case DigestAuth() | AwsSigV4Auth() | OAuth1Auth():
            return PipelineAuth(sign=_signature(auth), exclude=auth.exclude)
        case OAuth2Auth():
            return oauth2.expand(auth)
    raise AssertionError(auth)


def _signature(auth: DigestAuth | AwsSigV4Auth | OAuth1Auth) -> Any:
    """The signer of the same name, whose keys are those of the auth table."""
    keys = {item.name: getattr(auth, item.name) for item in fields(auth) if item.name != "exclude"}
    return SIGNERS.load(auth.type)(**keys)
