"""The tables of a profile as TOML says them: frozen dataclasses whose fields are the keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Annotated, Any, Literal

from ..login.definition import (
    Algorithm,
    Argv,
    Count,
    Duration,
    HeaderText,
    InjectTable,
    InvalidateTable,
    Method,
    Pointer,
    QueryName,
    Signature,
    Size,
    StepTable,
    TemplateText,
    Tree,
    Variable,
    key,
    table,
)
from ..login.sign import SIGNERS

PositiveCount = Annotated[int, "positive count"]
"""A whole number, 1 or more."""
Factor = Annotated[float, "factor"]
"""A number, 1 or more."""
Status = Annotated[int, "status"]
"""An HTTP status, 100 to 599."""
Plain = Annotated[Any, "plain"]
"""Text, a number, true or false, in which no template is filled in."""
StorageName = Annotated[str, "storage"]
"""A row of the table of token storages."""
StrategyName = Annotated[str, "retry strategy"]
"""A row of the table of retry strategies."""
Step = Annotated[StepTable, "step"]
"""A login step; `kind` says which class of the table of step kinds reads it."""


@table
class EnvSecret:
    """A secret in an environment variable."""

    env: Variable = key("the environment variable that has it")


@table
class FileSecret:
    """A secret in a file."""

    file: str = key("the file; relative to the profile file, `~` is the home directory")
    pointer: Pointer | None = key("a place in a JSON file; without it the whole file", default=None)


@table
class PromptSecret:
    """A secret that a person types."""

    prompt: str = key("what to ask for")


@table
class CommandSecret:
    """A secret that a program prints."""

    command: Argv = key("the program and its arguments, run without a shell for at most 10 seconds")
    env: tuple[Variable, ...] = key("variables it gets beside PATH, HOME, LANG and TERM", default=())
    ttl: Duration | None = key("how long the secret is kept with the tokens; without it in memory only", default=None)


@table
class KeyringEntry:
    """One entry of the operating system's keyring."""

    service: str = key("the service that the entry is kept for")
    username: str = key("the user name of the entry")


@table
class KeyringSecret:
    """A secret in the keyring of the operating system."""

    keyring: KeyringEntry = key("which entry of the keyring")


Secret = Annotated[EnvSecret | FileSecret | PromptSecret | CommandSecret | KeyringSecret, "secret"]
"""Where a secret is; never the secret itself."""


@table
class ClientCertTable:
    """A client certificate for TLS."""

    cert: str = key("the certificate file (PEM)")
    password: TemplateText | None = key("the password of the key", default=None)
    # Last, because from here on `key` is this field.
    key: str | None = key("the key file, when it is not in the certificate file", default=None)


@table
class ProxyTable:
    """Proxies by the scheme of the request."""

    http: TemplateText | None = key("the proxy for http URLs", default=None)
    https: TemplateText | None = key("the proxy for https URLs", default=None)
    no_proxy: tuple[str, ...] = key("hosts reached directly", default=())


@table
class TimeoutTable:
    """Time limits in seconds."""

    connect: Duration = key("until the connection stands", default=10.0)
    idle: Duration = key("until a connection without a byte counts as dead", default=60.0)
    total: Duration | None = key("for everything: login, retries and body", default=None)


@table
class RetryTable:
    """When a failed request is sent again, and how long to wait before."""

    strategy: StrategyName = key(
        'how the delays grow; "circuit-breaker" is exponential and leaves a failing server alone;'
        ' "package.module:Class" is one of your own',
        default="exponential",
    )
    max_retries: Count = key("attempts after the first", default=3)
    base_delay: Duration = key("the first delay", default=0.5)
    max_delay: Duration = key("the longest delay", default=20.0)
    multiplier: Factor = key("each delay is this many times the one before", default=2.0)
    jitter: bool = key("vary the delays", default=True)
    statuses: tuple[Status, ...] = key("statuses that are sent again", default=(408, 429, 502, 503, 504))
    unsafe_methods: bool = key("also POST and PATCH that may have arrived", default=False)
    max_retry_after: Duration = key("the longest wait that a server may ask for", default=60.0)
    max_elapsed: Duration | None = key("no new attempt after this long", default=None)
    failure_threshold: PositiveCount = key("circuit-breaker: failures in a row that open the circuit", default=5)
    recovery_timeout: Duration = key("circuit-breaker: how long a server is left alone", default=30.0)
    half_open_max_calls: PositiveCount = key("circuit-breaker: how many may try it then", default=1)

    def with_retries(self, retries: int) -> RetryTable:
        """The same with so many retries; a strategy that has none becomes the usual one."""
        return replace(self, strategy="exponential" if self.strategy == "none" else self.strategy, max_retries=retries)


@table
class TokensTable:
    """Where tokens are kept."""

    storage: StorageName = key('the token storage; "package.module:Class" is one of your own', default="file")
    url: TemplateText | None = key("redis: where the server is", default=None)
    prefix: str | None = key("redis: what its keys begin with", default=None)
    service: str | None = key("keyring: the name of its entries", default=None)
    read: tuple[str, ...] | None = key("command: prints the entry `{key}`, as JSON", default=None)
    write: tuple[str, ...] | None = key("command: keeps its standard input as the entry `{key}`", default=None)
    delete: tuple[str, ...] | None = key("command: forgets the entry `{key}`", default=None)
    env: tuple[str, ...] | None = key("command: variables it gets beside PATH, HOME, LANG and TERM", default=None)


STORAGE_KEYS: Mapping[str, tuple[str, ...]] = {
    "file": (),
    "memory": (),
    "redis": ("url", "prefix"),
    "keyring": ("service",),
    "command": ("read", "write", "delete", "env"),
}
"""Token storage -> the keys that go with it; a storage of one's own may have them all."""
NEEDED_BY_STORAGE: Mapping[str, tuple[str, ...]] = {"redis": ("url",), "command": ("read", "write", "delete")}
"""Token storage -> the keys that it cannot do without."""


@table
class AuthTable:
    """What every type of auth has."""

    exclude: tuple[str, ...] = key("paths that get no credential; `*` stands for anything", default=())


@table
class NoAuth(AuthTable):
    """Send no credential."""

    type: Literal["none"] = key("send no credential", default="none")


@table
class BearerAuth(AuthTable):
    """Send a token that is already there."""

    type: Literal["bearer"] = key("a bearer token that is already there", default="bearer")
    token: HeaderText = key("the token, as in ${secrets.token}")


@table
class BasicAuth(AuthTable):
    """Send a user name and a password (RFC 7617)."""

    type: Literal["basic"] = key("user name and password", default="basic")
    username: TemplateText = key("the name of the user")
    password: TemplateText = key("the password, as in ${secrets.password}")


@table
class ApiKeyAuth(AuthTable):
    """Send a fixed key in a header, the query or a cookie."""

    type: Literal["api-key"] = key("a fixed key, or API key", default="api-key")
    in_: Literal["header", "query", "cookie"] = field(
        default="header", metadata={"help": "where the key goes", "name": "in"}
    )
    name: TemplateText = key("the header, parameter or cookie")
    # Last, because from here on `key` is this field.
    key: HeaderText = key("the key, as in ${secrets.key}")


@table
class DigestAuth(AuthTable):
    """Digest access authentication (RFC 7616)."""

    type: Literal["digest"] = key("digest access authentication", default="digest")
    username: TemplateText = key("the name of the user")
    password: TemplateText = key("the password, as in ${secrets.password}")


@table
class AwsSigV4Auth(AuthTable):
    """Sign each request as AWS does (Signature Version 4)."""

    type: Literal["aws-sigv4"] = key("AWS Signature Version 4", default="aws-sigv4")
    access_key: TemplateText = key("the access key id")
    secret_key: TemplateText = key("the secret access key")
    session_token: TemplateText | None = key("the session token of temporary credentials", default=None)
    region: TemplateText = key("the AWS region, as in eu-central-1")
    service: TemplateText = key("the service, as in execute-api")


@table
class OAuth1Auth(AuthTable):
    """Sign each request as OAuth 1.0a does (RFC 5849)."""

    type: Literal["oauth1"] = key("requests signed as in OAuth 1.0a", default="oauth1")
    client_key: TemplateText = key("the client's identifier, or consumer key")
    client_secret: TemplateText = key("the client's secret, or consumer secret", default="")
    token: TemplateText | None = key("the token's identifier", default=None)
    token_secret: TemplateText | None = key("the token's secret", default=None)
    signature_method: Literal["HMAC-SHA1", "HMAC-SHA256", "RSA-SHA1", "RSA-SHA256", "PLAINTEXT"] = key(
        "how it is signed", default="HMAC-SHA1"
    )
    private_key: TemplateText | None = key("the client's RSA key (PEM), for the RSA methods", default=None)
    realm: TemplateText | None = key("the realm, which is not signed", default=None)

    @staticmethod
    def problem(table: Mapping[str, Any]) -> str | None:
        """What its keys, as written, must be to each other and are not; as for a signature of this type."""
        problem: str | None = SIGNERS.load("oauth1").problem(table)
        return problem


@table
class OAuth2Auth(AuthTable):
    """Obtain a token from an OAuth 2.0 authorization server (RFC 6749)."""

    type: Literal["oauth2"] = key("a token by OAuth 2.0", default="oauth2")
    grant: Literal[
        "client-credentials",
        "password",
        "authorization-code",
        "device-code",
        "jwt-bearer",
        "token-exchange",
        "refresh-token",
    ] = key("the grant: how the token is obtained (RFC 6749, 7523, 8628, 8693)")
    issuer: TemplateText | None = key("the issuer, whose metadata names the endpoints (RFC 8414)", default=None)
    token_url: TemplateText | None = key("the token endpoint; may be relative to base_url", default=None)
    authorization_url: TemplateText | None = key("authorization-code: where the browser goes", default=None)
    device_url: TemplateText | None = key("device-code: the device authorization endpoint (RFC 8628)", default=None)
    revocation_url: TemplateText | None = key("where tokens are given back (RFC 7009)", default=None)
    par_url: TemplateText | None = key("authorization-code: where requests are pushed (RFC 9126)", default=None)
    client_id: TemplateText | None = key("the id of the client, or app", default=None)
    client_secret: TemplateText | None = key("the secret of the client", default=None)
    client_auth: Literal["basic", "post", "private-key-jwt", "client-secret-jwt", "tls", "none"] | None = key(
        "how the client proves who it is; default: basic with a client_secret, else none", default=None
    )
    private_key: TemplateText | None = key("private-key-jwt, jwt-bearer: the key (PEM or JWK)", default=None)
    key_id: TemplateText | None = key("private-key-jwt, jwt-bearer: the `kid` of the key", default=None)
    alg: Algorithm | None = key("private-key-jwt, client-secret-jwt, jwt-bearer: the algorithm", default=None)
    username: TemplateText | None = key("password: the user name", default=None)
    password: TemplateText | None = key("password: the password", default=None)
    assertion: Mapping[str, Tree] | None = key("jwt-bearer: the claims of the assertion (RFC 7523)", default=None)
    subject_token: TemplateText | None = key("token-exchange: the token to exchange (RFC 8693)", default=None)
    subject_token_type: str | None = key(
        "token-exchange: its type; default: urn:ietf:params:oauth:token-type:access_token", default=None
    )
    actor_token: TemplateText | None = key("token-exchange: the token of who acts", default=None)
    refresh_token: TemplateText | None = key("refresh-token: the refresh token to begin with", default=None)
    scope: TemplateText | None = key("scopes, separated by spaces", default=None)
    audience: TemplateText | None = key("the API the token is for", default=None)
    resource: TemplateText | tuple[TemplateText, ...] | None = key("the resource (RFC 8707)", default=None)
    redirect_uri: TemplateText | None = key("authorization-code: default is loopback, on a free port", default=None)
    authorization_params: Mapping[str, TemplateText] = key(
        "authorization-code: further parameters of the authorization request", default_factory=dict
    )
    params: Mapping[str, TemplateText] = key("further parameters of the token request", default_factory=dict)


@table
class CompositeAuth(AuthTable):
    """Several shared logins in one profile."""

    type: Literal["composite"] = key("several shared logins", default="composite")
    strategy: Literal["first_match", "all"] = key(
        "the first that does not exclude the request's path, or all of them", default="first_match"
    )
    parts: tuple[str, ...] = key("names of [auth.NAME] tables")


@table
class PipelineAuth(AuthTable):
    """Log in by steps, in the order of their references."""

    type: Literal["pipeline"] = key("a login of several steps", default="pipeline")
    steps: Mapping[str, Step] = key("the steps by name", default_factory=dict)
    inject: tuple[InjectTable, ...] | None = key(
        "where credentials go; default: `Authorization: Bearer` with the last step's token", default=None
    )
    sign: Signature = key("how each request is signed, after all else", default=None)
    invalidate: tuple[InvalidateTable, ...] | None = key(
        "answers that mean a token is no longer good; [] also switches off the rule for 401", default=None
    )


Auth = (
    NoAuth
    | BearerAuth
    | BasicAuth
    | ApiKeyAuth
    | DigestAuth
    | AwsSigV4Auth
    | OAuth1Auth
    | OAuth2Auth
    | PipelineAuth
    | CompositeAuth
)


@table
class SharedTable:
    """What a shared login has beside the keys of its auth. It refers to nothing of the profiles that use it."""

    base_url: TemplateText | None = key("what its paths are relative to", default=None)
    vars: Mapping[str, Plain] = key("named values that are not secret", default_factory=dict)
    secrets: Mapping[str, Secret] = key("where each secret is", default_factory=dict)
    verify: bool | str = key("check certificates; a text is a CA file", default=True)


@table
class SharedAuth:
    """A shared login, `[auth.NAME]`."""

    settings: SharedTable = key("its surroundings")
    auth: Auth = key("how to log in")


@table
class PaginationTable:
    """How the API gives its pages, for `--paginate`."""

    type: Literal["link", "cursor", "page", "offset"] = key(
        "by the URL of the next page, a cursor, the number of a page or of an item", default="link"
    )
    pointer: Pointer | None = key(
        "link: where the body has the next URL, without it the Link header; cursor: where it has the cursor",
        default=None,
    )
    items: Pointer | None = key("where the body has the items; without it the body is the array", default=None)
    param: str | None = key(
        'cursor, page, offset: the query parameter; default "cursor", "page" or "offset"', default=None
    )
    start: Count | None = key("page, offset: the first; default 1 for pages, 0 for items", default=None)
    size: PositiveCount | None = key(
        "how many items to ask for; a page with fewer is the last, if one before had more", default=None
    )
    size_param: str | None = key("the query parameter for `size`", default=None)


@table
class SavedRequest:
    """A request for `forge run`; its templates take vars and the environment, and no secret."""

    method: Method = key("the HTTP method, such as GET", default="GET")
    url: TemplateText = key("relative to base_url, or absolute")
    headers: Mapping[str, HeaderText] = key("header fields, by name", default_factory=dict)
    query: Mapping[QueryName, Tree] = key("query parameters; a list repeats one", default_factory=dict)
    json: Tree = key("a JSON body, of any form", default=None)
    form: Mapping[str, Tree] | None = key("a form body; a list repeats a field", default=None)
    text: TemplateText | None = key("a body as it is", default=None)
    expect: tuple[str, ...] = key("what the answer has to be, as --expect says it", default=())


@table
class ProfileTable:
    """One profile, its parents merged in."""

    abstract: bool = key("may only be extended", default=False)
    extends: str | None = key("the profile that it has the rest from", default=None)
    base_url: TemplateText | None = key("what paths are relative to", default=None)
    origins: tuple[TemplateText, ...] = key("further origins that receive this profile's credentials", default=())
    query: Mapping[QueryName, Tree] = key("query parameters of every request", default_factory=dict)
    headers: Mapping[str, HeaderText] = key("header fields of every request", default_factory=dict)
    vars: Mapping[str, Plain] = key("named values that are not secret", default_factory=dict)
    verify: bool | str = key("check certificates; a text is a CA file", default=True)
    client_cert: ClientCertTable | None = key("a client certificate", default=None)
    proxy: TemplateText | ProxyTable | None = key("the proxy; default: from the environment", default=None)
    redirects: Count = key("how many redirects to follow", default=10)
    netrc: bool = key(
        "send the base_url's host what the user's netrc file (NETRC, else ~/.netrc) has for it, unless there is"
        " another credential: one of `auth` or `headers`, --user, --bearer, or a header of the request",
        default=False,
    )
    correlation_id: str | None = key("a header that gets a new id for each request", default=None)
    timeout: TimeoutTable | Duration = key("time limits; a number is the total", default_factory=TimeoutTable)
    max_body: Size = key("the largest answer kept in memory", default=100 * 1024 * 1024)
    expect: tuple[str, ...] = key("what every answer has to be, as --expect says it", default=())
    pagination: PaginationTable | None = key("how the API gives its pages", default=None)
    requests: Mapping[str, SavedRequest] = key("requests for `forge run`, by name", default_factory=dict)
    secrets: Mapping[str, Secret] = key("where each secret is", default_factory=dict)
    retry: RetryTable = key("when to send again", default_factory=RetryTable)
    auth: Auth | str = key("how to log in; a text names a shared login, [auth.NAME]", default_factory=NoAuth)
    tokens: TokensTable = key("where tokens are kept", default_factory=TokensTable)

    @property
    def limits(self) -> TimeoutTable:
        """The time limits; a number in the file is the total."""
        return self.timeout if isinstance(self.timeout, TimeoutTable) else TimeoutTable(total=self.timeout)


@table
class FileTable:
    """The whole file; each entry of `profiles` is read by itself, as a `ProfileTable`."""

    version: Literal[1] = key("the version of the format", default=1)
    default_profile: str | None = key("the profile when none is named", default=None)
    profiles: Mapping[str, Annotated[Any, "profile"]] = key("profiles by name", default_factory=dict)
    auth: Mapping[str, Annotated[Any, "profile"]] = key("shared logins by name", default_factory=dict)
