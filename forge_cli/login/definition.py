"""The tables of a login as TOML says them: frozen dataclasses whose fields are the keys.

Values are as written: strings that may hold templates are not parsed here. Validation, the docs
and `profile show` read the fields, their types and their ``help``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any, Literal, TypeVar, dataclass_transform

from ..frozen import immutable_by_name

T = TypeVar("T")

TemplateText = Annotated[str, "template"]
"""A string in which ``${…}`` is filled in."""
Tree = Annotated[Any, "tree"]
"""Any TOML value; every string inside may hold ``${…}``."""
Duration = Annotated[float, "duration"]
"""Seconds: a number, or text such as ``"90s"``, ``"25m"``, ``"12h"``, ``"30d"``."""
Size = Annotated[int, "size"]
"""Bytes: a whole number, or text such as ``"100 MiB"``."""
Pointer = Annotated[str, "pointer"]
"""A JSON pointer (RFC 6901), ``"/data/token"``."""
Method = Annotated[str, "method"]
"""A request method (RFC 9110, section 9.1)."""
HeaderText = Annotated[str, "header text"]
"""A template whose text goes into a header field: one line (RFC 9110, section 5.5)."""
QueryName = Annotated[str, "query name"]
"""The name of a query parameter: one line."""
Count = Annotated[int, "count"]
"""A whole number, 0 or more."""
Scalar = Annotated[Any, "scalar"]
"""Text, a finite number, true or false."""
Value = Annotated[Any, "value"]
"""Any TOML value that JSON has too; no template is filled in."""
Predicate = Annotated[Any, "predicate"]
"""What a value is tested with: a plain value, a list (any of), or a table of matches, in, not, exists."""
StatusTest = Annotated[Any, "status test"]
"""A predicate for an HTTP status: its numbers are from 100 to 599."""
Signature = Annotated[Any, "signature"]
"""A table whose `type` is a row of the table of signers."""
Algorithm = Literal[
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]  # fmt: skip
"""How a JWT is signed (RFC 7518, RFC 8037)."""
Argv = Annotated[tuple[str, ...], "argv"]
"""A program and its arguments, run without a shell. No templates: other users can read a command line."""
Variable = Annotated[str, "variable"]
"""The name of an environment variable."""
Pattern = Annotated[str, "pattern"]
"""A regular expression; its first group, or else all of it, is what it finds."""


def key(help: str, **options: Any) -> Any:
    """A TOML key: a dataclass field with the text that explains it."""
    return field(metadata={"help": help}, **options)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(key, field))
def table(cls: type[T]) -> type[T]:
    """A frozen dataclass of keyword fields."""
    return immutable_by_name(cls)


@table
class CertificateTable:
    """A client certificate: each a file, or the PEM text itself."""

    cert: TemplateText = key("the certificate (PEM), or its file")
    password: TemplateText | None = key("the password of the key", default=None)
    # Last, because from here on `key` is this field.
    key: TemplateText | None = key("the key, when it is not beside the certificate", default=None)


@table
class PartTable:
    """One part of a multipart body that is more than a plain field."""

    content: TemplateText = key("the content of the part")
    filename: TemplateText | None = key("the file name that the part claims", default=None)
    type: TemplateText | None = key("the media type of the part", default=None)


@table
class RequestTable:
    """The request of a step: what it is sent with, and nothing from the profile but transport settings."""

    method: Method = key("the HTTP method, such as POST", default="GET")
    url: TemplateText = key("absolute, or relative to the profile's base_url")
    headers: Mapping[str, HeaderText] = key("header fields, by name", default_factory=dict)
    query: Mapping[QueryName, Tree] = key("query parameters; a list repeats one", default_factory=dict)
    form: Mapping[str, Tree] | None = key("a body of form fields (application/x-www-form-urlencoded)", default=None)
    json: Tree = key("a JSON body, of any form", default=None)
    text: TemplateText | None = key("a body as it is", default=None)
    multipart: Mapping[str, TemplateText | PartTable] | None = key("a multipart/form-data body", default=None)
    basic: tuple[TemplateText, ...] | None = key("[user, password] for Basic authentication", default=None)
    client_cert: CertificateTable | None = key("a client certificate for this request (RFC 8705)", default=None)
    cookies: str | None = key("the cookie jar that is sent and updated", default=None)
    redirects: Count = key("how many redirects to follow", default=0)
    timeout: Duration | None = key("the limit of one attempt", default=None)
    sign: Signature = key("how the encoded request is signed", default=None)


@table
class SuccessTable:
    """What an answer must be to count as a success."""

    status: StatusTest = key("the HTTP status, or several; default: 200 to 299", default=None)
    body: Mapping[Pointer, Predicate] = key("JSON pointer -> test", default_factory=dict)
    header: Mapping[str, Predicate] = key("header name -> test", default_factory=dict)
    cookie: str | None = key("a cookie that the answer must set", default=None)


@table
class VerifyTable:
    """What an ID token must be before it is used (OpenID Connect Core, section 3.1.3.7)."""

    jwks: TemplateText = key("the URL of the issuer's keys (RFC 7517): at most 1 MiB; up to 16 that fit are tried")
    issuer: TemplateText = key("what `iss` must be")
    audience: TemplateText = key("what `aud` must hold")
    nonce: TemplateText | None = key("what `nonce` must be", default=None)
    at_hash: str | None = key("the output that `at_hash`, where there is one, must be the hash of", default=None)
    algorithms: tuple[str, ...] = key("the algorithms that are allowed", default=("RS256", "ES256", "PS256", "EdDSA"))


@table
class ExtractTable:
    """Where one output is: one of `pointer`, `header`, `cookie`, `regex`, `xml`, `body` and `value`."""

    pointer: Pointer | None = key("a place in a JSON body", default=None)
    where: Mapping[Pointer, Predicate] = key(
        "with `pointer` to an array: tests on an element; the first that passes is taken", default_factory=dict
    )
    each: Pointer | None = key("with `pointer` to an array: the place in the element that is taken", default=None)
    header: str | None = key("a header field of the answer", default=None)
    param: str | None = key("with `header`: a parameter of the field's value", default=None)
    cookie: str | None = key("a cookie that the answer sets", default=None)
    regex: Pattern | None = key(
        "a regular expression over the body; its first group is taken, else all of it", default=None
    )
    xml: str | None = key(
        "a path from the root of an XML body, as in Result/Token or Result/@id; namespaces are ignored", default=None
    )
    body: Literal[True] | None = key("the whole body as text, without the line end", default=None)
    value: TemplateText | None = key("a template; `self.NAME` are the outputs above it", default=None)
    alternatives: tuple[Any, ...] = field(default=(), metadata={"help": "other places, tried in order", "name": "or"})
    optional: bool = key("whether the answer may lack it", default=False)
    default: Value = key("what it is when it is absent", default=None)
    verify: VerifyTable | None = key("for an ID token: what must hold before it is used", default=None)


@table
class ExpiresTable:
    """When the token ends: exactly one of `in`, `at`, `output`, `jwt`, `cookie` and `ttl`."""

    in_: Pointer | None = field(default=None, metadata={"help": "seconds from now, in the body", "name": "in"})
    at: Pointer | None = key("a moment, in the body", default=None)
    output: str | None = key("the output that is a moment, as in an XML answer", default=None)
    jwt: str | None = key("the output that is a JWT with an `exp` claim", default=None)
    cookie: str | None = key("the cookie whose Max-Age or Expires counts", default=None)
    unit: Literal["s", "ms", "iso", "http"] = key("what `at` or `output` is counted in", default="s")
    ttl: Duration | None = key("a lifetime that no answer says", default=None)
    zero: Literal["never"] | None = key("an answer of 0 seconds means: it never ends", default=None)
    default: Duration | None = key("the lifetime when the answer says none", default=None)
    from_: Pointer | None = field(
        default=None,
        metadata={"help": "with `in`: the moment it counts from, in the body (ISO or epoch)", "name": "from"},
    )


Expires = Literal["never"] | ExpiresTable
Extract = Mapping[str, Pointer | ExtractTable]


@table
class UntilTable:
    """When a refresh token ends: exactly one of `in`, `at` and `ttl`."""

    in_: Pointer | None = field(default=None, metadata={"help": "seconds from now, in the body", "name": "in"})
    at: Pointer | None = key("a moment, in the body", default=None)
    unit: Literal["s", "ms", "iso", "http"] = key("what `at` is counted in", default="s")
    ttl: Duration | None = key("a lifetime that no answer says", default=None)
    zero: Literal["never"] | None = key("an answer of 0 seconds means: it never ends", default=None)


@table
class RefreshTable:
    """How a token is renewed without logging in again. What is left out is the step's own."""

    request: RequestTable = key("the request that renews; `self.NAME` are the outputs there are")
    values: Mapping[str, TemplateText] = key("named intermediate values, beside the step's", default_factory=dict)
    extract: Extract | None = key("outputs; those that the answer lacks are kept", default=None)
    expires: Expires | None = key("when the new token ends", default=None)
    success: SuccessTable | None = key("what counts as success", default=None)
    until: UntilTable | None = key("when the refresh token itself ends", default=None)
    on_failure: Literal["login", "error"] = key("what a refusal leads to", default="login")
    renew: bool = key("must happen before the token ends, and with it", default=False)


@table
class RevokeTable:
    """How a token is given back, for `token clear --revoke`."""

    request: RequestTable = key("the request; `self.NAME` are the step's outputs")


@table
class PollTable:
    """How to ask whether the person is done."""

    request: RequestTable = key("the request; `self.device_code` and the rest are what the first answer said")


@table
class ConditionTable:
    """A test on a value: all of `equals`, `in`, `not`, `exists` and `matches` that are given must hold."""

    value: TemplateText = key("the value; one without a value counts as absent")
    equals: Predicate = key("it is this, or one of these", default=None)
    in_: tuple[Scalar, ...] | None = field(default=None, metadata={"help": "it is one of these", "name": "in"})
    not_: Predicate = field(default=None, metadata={"help": "this test does not hold", "name": "not"})
    exists: bool | None = key("whether there is a value", default=None)
    matches: Pattern | None = key("a regular expression found in it", default=None)


@table
class ClockTable:
    """The server's clock, in an answer: whoever needs the step sees `now` on it."""

    at: Pointer = key("the moment, in the body")
    unit: Literal["s", "ms", "iso", "http"] = key("what it is counted in", default="s")


@table
class StepTable:
    """What every kind of step has."""

    kind: str = key("the kind of step", default="http")
    needs: tuple[str, ...] = key("steps that come first, beside those referred to", default=())
    unbound: tuple[str, ...] = key("steps needed only to obtain this one", default=())
    values: Mapping[str, TemplateText] = key("named intermediate values, in order", default_factory=dict)
    when: ConditionTable | None = key("run only if this holds", default=None)
    expires: Expires | None = key("when the token ends", default=None)
    skew: Duration | None = key("renew this long before the end", default=None)
    cache: Literal["store", "memory", "none"] | None = key(
        "where the token is kept: with the others, in memory only, or not beyond one renewal", default=None
    )
    scope: TemplateText | None = key("what adds to the cache key", default=None)
    side_effect: bool = key("never run again unasked", default=False)


@table
class InjectTable:
    """Where a credential goes in a request."""

    in_: Literal["header", "query", "cookie", "json", "form", "basic", "base_url", "client_cert", "cookies"] = field(
        metadata={"help": "the place in the request", "name": "in"}
    )
    name: TemplateText | None = key(
        "the header, parameter, cookie or field; for basic the user, for cookies the jar", default=None
    )
    value: TemplateText | CertificateTable | None = key(
        "the credential, as in Bearer ${steps.login.token}", default=None
    )
    methods: tuple[str, ...] | None = key("only in requests with one of these methods", default=None)
    paths: tuple[str, ...] | None = key("only where the request's path matches; `*` stands for anything", default=None)
    hosts: tuple[str, ...] | None = key("only where the request's host matches; `*` stands for anything", default=None)


@table
class WhenTable:
    """Tests on an answer; all must hold."""

    status: StatusTest = key("the HTTP status, or several", default=None)
    header: Mapping[str, Predicate] = key("header name -> test", default_factory=dict)
    body: Mapping[Pointer, Predicate] = key("JSON pointer -> test", default_factory=dict)


@table
class InvalidateTable:
    """Which answers mean that a step's token is no longer good."""

    when: WhenTable = key("the tests on an answer; all must hold")
    steps: tuple[str, ...] = key("the steps to forget, and with them what is bound to them")
