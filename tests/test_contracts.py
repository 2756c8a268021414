"""The public surface of the library. Programs rely on these names and signatures: a change here is a breaking one."""

from __future__ import annotations

import enum
import importlib
import inspect
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import forge_cli
from forge_cli.errors import ForgeError
from forge_cli.registry import Registry

ROOT = Path(__file__).parents[1]

# A member without parentheses is a property or a class that callers do not make. A default that is no plain
# value is shown as dots.
SIGNATURES = """
ApiKeyAuthHook(api_key, header_name='X-API-Key', retry_strategy=None, excluded_paths=None)
AuthHookInterface
AuthHookInterface.before_request(self, request, context)
AuthHookInterface.finish(self, prepared, context)
AuthHookInterface.get_token(self)
AuthHookInterface.invalidate_auth(self)
AuthHookInterface.is_auth_error(self, response)
AuthHookInterface.recover(self, response, context)
AuthHookInterface.refresh_auth(self)
AuthHookInterface.retry_strategy
AuthHookInterface.should_authenticate(self, request)
AuthRetryStrategyInterface
AuthRetryStrategyInterface.get_delay(self, attempt)
AuthRetryStrategyInterface.is_auth_error(self, response)
AuthRetryStrategyInterface.max_retries
AuthRetryStrategyInterface.should_retry(self, response, attempt)
AuthenticationException(message, original_exception=None, context=None, service_name=None, *, hint=None)
AuthorizationHook(token_provider)
BadRequestException(message=None, response_body=None, original_exception=None, context=None)
BaseOAuth2TokenProvider(token_url, client_id, client_secret, service_name, scope=None, extra_params=None)
BaseOAuth2TokenProvider.close(self)
BasicAuthHook(username, password, retry_strategy=None, excluded_paths=None)
BodyTokenFetcher(name, base_url, endpoint, method='POST', request_headers=None, request_data=None,
    content_type='form', token_field='access_token', token_type_field='token_type', expires_in_field='expires_in',
    refresh_token_field='refresh_token', default_token_type='Bearer', ttl=None, timeout=30.0, verify_ssl=True,
    depends_on=None)
CircuitBreaker(failure_threshold=5, recovery_timeout=30.0, half_open_max_calls=1, *, state=None, clock=...,
    notice=None)
CircuitBreaker.before(self, key)
CircuitBreaker.counts(status)
CircuitBreaker.failure(self, key)
CircuitBreaker.remaining(self, key)
CircuitBreaker.reset(self, key)
CircuitBreaker.state(self, key)
CircuitBreaker.success(self, key)
CircuitBreakerRetryStrategy(max_retries=3, failure_threshold=5, recovery_timeout=30.0, half_open_max_calls=3,
    base_delay=1.0, *, retryable_status_codes=None, clock=...)
CircuitBreakerRetryStrategy.State
CircuitBreakerRetryStrategy.is_retryable_status(self, code)
CircuitBreakerRetryStrategy.record_success(self)
CircuitBreakerRetryStrategy.reset(self)
CircuitBreakerRetryStrategy.state
CircuitOpenException(message, original_exception=None, context=None, *, retry_after=0.0, hint=None)
ClientCredentialsTokenProvider(token_url, client_id, client_secret, service_name, scope=None,
    grant_type='client_credentials', extra_params=None, auth_method='body')
CompositeAuthHook(hooks, strategy='first_match', retry_strategy=None)
ConditionalAuthRetryStrategy(max_retries=1, delay=0.0, should_retry_func=None, is_auth_error_func=None,
    auth_error_codes=None)
ConnectionException(message, original_exception=None, context=None, *, hint=None)
CorrelationIdHook(header_name='X-Correlation-ID')
DjangoCacheTokenStorage(cache_alias='default', key_prefix='token', *, notice=None, lease=15.0, now=...)
ErrorHookInterface
ErrorHookInterface.on_error(self, exception, context)
ExponentialAuthRetryStrategy(max_retries=2, base_delay=0.5, max_delay=5.0, multiplier=2.0, jitter=True,
    auth_error_codes=None, *, uniform=...)
ExponentialBackoffRetryStrategy(max_retries=3, base_delay=1.0, max_delay=60.0, multiplier=2.0, jitter=True,
    retryable_exceptions=None, retryable_status_codes=None, *, max_retry_after=60.0, max_elapsed=None, uniform=...)
ExponentialBackoffRetryStrategy.is_max_retry(self, context)
ExponentialBackoffRetryStrategy.is_retryable_status(self, code)
FetchContext(tokens=..., metadata=...)
FetchContext.add_token(self, name, token)
FetchContext.get_token(self, name)
FetchContext.get_token_value(self, name)
FetchContext.has_token(self, name)
FetchContext.has_valid_token(self, name)
FileTokenStorage(path, *, notice=None, now=...)
ForbiddenException(message=None, response_body=None, original_exception=None, context=None)
ForgeError(message, *, hint=None)
HeaderTokenFetcher(name, base_url, endpoint, method='POST', request_headers=None, request_data=None,
    token_header='Authorization', token_type='Bearer', ttl=None, timeout=30.0, verify_ssl=True, depends_on=None)
HttpClient(config=None, session=None, *, sleep=None, clock=..., listener=None)
HttpClient.adapter
HttpClient.auth_hook
HttpClient.close(self)
HttpClient.config
HttpClient.delete(self, url, json_data=None, data=None, params=None, headers=None, timeout=None, **kw)
HttpClient.get(self, url, params=None, headers=None, timeout=None, **kw)
HttpClient.head(self, url, params=None, headers=None, timeout=None, **kw)
HttpClient.options(self, url, params=None, headers=None, timeout=None, **kw)
HttpClient.patch(self, url, json_data=None, data=None, params=None, headers=None, timeout=None, **kw)
HttpClient.post(self, url, json_data=None, data=None, params=None, headers=None, timeout=None, **kw)
HttpClient.prepare(self, request, context=None)
HttpClient.put(self, url, json_data=None, data=None, params=None, headers=None, timeout=None, **kw)
HttpClient.request(self, request, *, deadline=None)
HttpClient.request_many(self, requests_list, max_workers=5, fail_fast=False)
HttpClient.send(self, request, *, deadline=None)
HttpClient.session
HttpClient.stream(self, method, url, **kw)
HttpClientConfig(base_url='', default_timeout=30.0, default_headers=..., verify_ssl=True, allow_redirects=True,
    max_redirects=10, retry_strategy=None, auth_hook=None, request_hooks=(), response_hooks=(), error_hooks=(),
    pool_connection=10, pool_maxsize=20, max_elapsed=None, raise_for_status=False, cookies=..., proxies=None,
    client_cert=None, origins=(), max_body=104857600, default_params=..., connect_timeout=10.0, idle_timeout=None,
    post_to_get=True, retry_unsafe_methods=False, circuit_breaker=None, retry_budget=None, keep_cookies=True)
HttpClientConfigBuilder()
HttpClientConfigBuilder.build(self)
HttpClientConfigBuilder.with_api_key(self, api_key, header_name='X-API-Key')
HttpClientConfigBuilder.with_api_key_auth(self, api_key, header_name='X-API-Key', excluded_paths=None)
HttpClientConfigBuilder.with_auth_hook(self, auth_hook)
HttpClientConfigBuilder.with_base_url(self, url)
HttpClientConfigBuilder.with_basic_auth(self, username, password, excluded_paths=None)
HttpClientConfigBuilder.with_bearer_token(self, token)
HttpClientConfigBuilder.with_ca_bundle(self, path)
HttpClientConfigBuilder.with_circuit_breaker(self, breaker)
HttpClientConfigBuilder.with_client_cert(self, cert, key=None, password=None)
HttpClientConfigBuilder.with_cookies(self, cookies)
HttpClientConfigBuilder.with_error_hook(self, hook)
HttpClientConfigBuilder.with_header(self, name, value)
HttpClientConfigBuilder.with_headers(self, headers)
HttpClientConfigBuilder.with_logging(self, log_headers=False, log_body=False, sensitive_keys=None)
HttpClientConfigBuilder.with_max_elapsed(self, seconds)
HttpClientConfigBuilder.with_origins(self, *urls)
HttpClientConfigBuilder.with_pool_connection(self, pool_connection=10)
HttpClientConfigBuilder.with_pool_maxsize(self, pool_maxsize=20)
HttpClientConfigBuilder.with_proxies(self, proxies)
HttpClientConfigBuilder.with_raise_for_status(self, enabled=True)
HttpClientConfigBuilder.with_redirects(self, allow=True, max_redirects=10)
HttpClientConfigBuilder.with_request_hook(self, hook)
HttpClientConfigBuilder.with_response_hook(self, hook)
HttpClientConfigBuilder.with_retry(self, max_retries=3, base_delay=1.0, max_delay=60.0)
HttpClientConfigBuilder.with_retry_budget(self, budget)
HttpClientConfigBuilder.with_retry_strategy(self, strategy)
HttpClientConfigBuilder.with_timeout(self, timeout)
HttpClientConfigBuilder.with_token_auth(self, token_manager, auth_retry_strategy=None,
    auth_header_name='Authorization', auth_header_prefix='Bearer', excluded_paths=None, excluded_path_patterns=None)
HttpClientConfigBuilder.with_verify_ssl(self, verify)
HttpClientException(message, original_exception=None, context=None, *, hint=None)
HttpClientInterface
HttpClientInterface.delete(self, url, json_data=None, data=None, params=None, headers=None, timeout=None, **kw)
HttpClientInterface.get(self, url, params=None, headers=None, timeout=None, **kw)
HttpClientInterface.patch(self, url, json_data=None, data=None, params=None, headers=None, timeout=None, **kw)
HttpClientInterface.post(self, url, json_data=None, data=None, params=None, headers=None, timeout=None, **kw)
HttpClientInterface.put(self, url, json_data=None, data=None, params=None, headers=None, timeout=None, **kw)
HttpClientInterface.request(self, request)
HttpRequest(method, url, headers=None, params=None, data=None, json_data=None, files=None, timeout=None, auth=None,
    cookies=None, content=None, retry_strategy=None)
HttpRequest.to_curl(self, *, redact=False)
HttpRequest.to_dict(self)
HttpRequest.with_headers(self, headers)
HttpResponse(status_code, headers, content, elapsed_ms, url, request, encoding=None, reason='', history=())
HttpResponse.is_client_error
HttpResponse.is_server_error
HttpResponse.is_success
HttpResponse.json(self)
HttpResponse.json_or_none(self)
HttpResponse.raise_for_status(self)
HttpResponse.text
HttpSessionInterface
HttpSessionInterface.close(self)
HttpStatusException(message, status_code, response_body=None, original_exception=None, context=None)
HttpTokenFetcher(base_url, timeout=30.0, verify_ssl=True, headers=None)
HttpTokenFetcher.close(self)
InMemoryTokenStorage()
InMemoryTokenStorage.clear(self)
KeyringTokenStorage(service='forge', *, backend=None, notice=None, environ=..., limit=3.0)
LoggingErrorHook()
LoggingRequestHook(log_headers=False, log_body=False, sensitive_keys=None)
LoggingResponseHook(log_headers=False, log_body=False)
MaxRetryException(message, attempts, original_exception=None, context=None, *, hint=None)
NoAuthRetryStrategy(auth_error_codes=None)
NoRetryStrategy()
NotFoundException(message=None, response_body=None, original_exception=None, context=None)
PasswordGrantTokenProvider(token_url, client_id, client_secret, username, password, service_name, scope=None,
    extra_params=None)
PipelineTokenProvider(pipeline, service_name, refresh_from_step=None)
PipelineTokenProvider.pipeline
PreparedRequest(method, url, headers=..., body=None, parts=(), credentials=frozenset(), query_credentials=frozenset(),
    timeout=None, client_cert=None)
Profile
Profile.login
Profile.tokens
RateLimitResponseHook()
RedisTokenStorage(url='redis://localhost:6379/0', prefix='forge', *, client=None, notice=None, lease=15.0, now=...)
RequestBuildException(message, original_exception=None, context=None, *, hint=None)
RequestContext(request, attempt=0, max_retries=0, metadata=..., deadline=None)
RequestContext.increment_attempt(self)
RequestContext.is_retry
RequestHookInterface
RequestHookInterface.before_request(self, request, context)
ResponseHookInterface
ResponseHookInterface.after_response(self, response, context)
ResponseParseException(message, original_exception=None, context=None, *, hint=None)
RetryBudget(ratio=0.2, minimum=10, *, most=100)
RetryBudget.request(self, key)
RetryBudget.spend(self, key)
RetryStrategyInterface
RetryStrategyInterface.get_delay(self, context)
RetryStrategyInterface.max_retries
RetryStrategyInterface.should_retry(self, context, exception)
SSLException(message, original_exception=None, context=None, *, hint=None)
ServerErrorException(message='Server Error', status_code=500, response_body=None, original_exception=None,
    context=None)
SimpleAuthRetryStrategy(max_retries=1, delay=0.0, auth_error_codes=None)
SimpleRetryStrategy(max_retries=3, delay=1.0, retryable_exceptions=None, *, retryable_status_codes=None,
    max_retry_after=60.0, max_elapsed=None)
SimpleRetryStrategy.is_retryable_status(self, code)
TimeoutException(message, original_exception=None, context=None, *, hint=None)
TokenAuthHook(token_manager, retry_strategy=None, auth_header_name='Authorization', auth_header_prefix='Bearer',
    excluded_paths=None, excluded_path_patterns=None)
TokenAuthHook.invalidate_auth(self)
TokenAuthHook.recover(self, response, context)
TokenAuthHook.refresh_auth(self)
TokenAuthHook.token_manager
TokenData(access_token, token_type='Bearer', expires_at=None, refresh_token=None, scope=None, extra=...,
    issued_at=None, meta=...)
TokenData.authorization_header
TokenData.fresh(self, now, skew=None)
TokenData.from_response(data, expires_in_key='expires_in', access_token_key='access_token',
    refresh_token_key='refresh_token', token_type_key='token_type')
TokenData.is_expired
TokenFetchPipeline(steps, storage, cache_key_prefix='', validate_dependencies=True)
TokenFetchPipeline.execute(self, force_refresh=False)
TokenFetchPipeline.get_step(self, name)
TokenFetchPipeline.invalidate_all(self)
TokenFetchPipeline.invalidate_step(self, step_name)
TokenFetchPipeline.step_names
TokenFetcherInterface
TokenFetcherInterface.depends_on
TokenFetcherInterface.fetch(self, context=None)
TokenFetcherInterface.name
TokenFetcherInterface.on_fetch_error(self, error, context=None)
TokenFetcherInterface.ttl
TokenManager(provider, storage=None)
TokenManagerInterface(provider, storage=None)
TokenManagerInterface.force_refresh(self)
TokenManagerInterface.get_token(self)
TokenManagerInterface.invalidate_token(self)
TokenProviderInterface
TokenProviderInterface.fetch_token(self)
TokenProviderInterface.refresh_token(self, current_token)
TokenProviderInterface.service_name
TokenRefreshException(message, original_exception=None, context=None, service_name=None, *, hint=None)
TokenStorageInterface
TokenStorageInterface.delete(self, key)
TokenStorageInterface.exists(self, key)
TokenStorageInterface.get(self, key)
TokenStorageInterface.lock(self, key, timeout=60.0)
TokenStorageInterface.reserve(self, key)
TokenStorageInterface.set(self, key, token)
UnauthorizedException(message=None, response_body=None, original_exception=None, context=None)
create_client(base_url='', timeout=30.0, max_retries=3, headers=None, enable_logging=True, auth_hook=None)
http_client(base_url='', **kwargs)
load_profile(name=None, *, config=None, vars=None, environ=...)
to_curl(request, mask=False)
"""

EXCEPTIONS = """
ForgeError
    HttpClientException
        MaxRetryException
        TimeoutException
        ConnectionException
        SSLException
        ResponseParseException
        RequestBuildException
        CircuitOpenException
        AuthenticationException
            TokenRefreshException
        HttpStatusException
            BadRequestException
            UnauthorizedException
            ForbiddenException
            NotFoundException
            ServerErrorException
"""

# What a class of one's own has to have.
ABSTRACT = {
    "HttpClientInterface": "request get post put patch delete",
    "HttpSessionInterface": "close __enter__ __exit__",
    "RetryStrategyInterface": "should_retry get_delay max_retries",
    "AuthRetryStrategyInterface": "max_retries should_retry get_delay is_auth_error",
    "RequestHookInterface": "before_request",
    "ResponseHookInterface": "after_response",
    "ErrorHookInterface": "on_error",
    "AuthHookInterface": "before_request should_authenticate is_auth_error refresh_auth invalidate_auth get_token"
    " retry_strategy",
    "TokenStorageInterface": "get set delete exists",
    "TokenProviderInterface": "fetch_token refresh_token service_name",
    "TokenManagerInterface": "get_token invalidate_token force_refresh",
    "TokenFetcherInterface": "name fetch",
}

IMPLEMENTED = {
    "HttpClientInterface": "HttpClient",
    "HttpSessionInterface": "HttpClient",
    "RetryStrategyInterface": "NoRetryStrategy SimpleRetryStrategy ExponentialBackoffRetryStrategy"
    " CircuitBreakerRetryStrategy",
    "AuthRetryStrategyInterface": "NoAuthRetryStrategy SimpleAuthRetryStrategy ExponentialAuthRetryStrategy"
    " ConditionalAuthRetryStrategy",
    "RequestHookInterface": "LoggingRequestHook AuthorizationHook CorrelationIdHook",
    "ResponseHookInterface": "LoggingResponseHook RateLimitResponseHook",
    "ErrorHookInterface": "LoggingErrorHook",
    "AuthHookInterface": "TokenAuthHook ApiKeyAuthHook BasicAuthHook CompositeAuthHook",
    "TokenStorageInterface": "InMemoryTokenStorage FileTokenStorage RedisTokenStorage KeyringTokenStorage"
    " DjangoCacheTokenStorage",
    "TokenProviderInterface": "BaseOAuth2TokenProvider ClientCredentialsTokenProvider PasswordGrantTokenProvider"
    " PipelineTokenProvider",
    "TokenManagerInterface": "TokenManager",
    "TokenFetcherInterface": "HttpTokenFetcher HeaderTokenFetcher BodyTokenFetcher",
}

ROWS = re.sub(r"\n +", " ", SIGNATURES.strip()).splitlines()


def public(path: str) -> Any:
    """A name of the package, or a member of one, as it stands in its class."""
    name, _, member = path.partition(".")
    found = getattr(forge_cli, name)
    return found if not member else inspect.getattr_static(found, member)


def signature(member: Any) -> str:
    """The parameters and their plain defaults; no annotations, which do not concern a call."""
    found = inspect.signature(member)
    shown = [_plain(parameter) for parameter in found.parameters.values()]
    text = str(found.replace(parameters=shown, return_annotation=found.empty))
    return text.replace("<factory>", "...").replace("Ellipsis", "...")


def _plain(parameter: inspect.Parameter) -> inspect.Parameter:
    default = parameter.default
    if isinstance(default, enum.Enum):
        default = default.value
    elif default is not parameter.empty and not isinstance(default, str | int | float | tuple | frozenset | None):
        default = ...
    return parameter.replace(annotation=parameter.empty, default=default)


def exceptions() -> list[tuple[str, str]]:
    """Each exception and its parent, as drawn."""
    above: list[str] = []
    pairs = []
    for line in EXCEPTIONS.strip().splitlines():
        depth = (len(line) - len(line.lstrip())) // 4
        above = [*above[:depth], line.strip()]
        pairs.append((above[-1], above[-2] if depth else "Exception"))
    return pairs


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.partition("(")[0])
def test_a_signature_is_as_it_was(row: str) -> None:
    path = row.partition("(")[0]
    found = public(path)
    if "(" not in row:
        assert isinstance(found, property) or inspect.isclass(found)
    elif isinstance(found, classmethod | staticmethod):
        assert path + signature(getattr(public(path.partition(".")[0]), found.__name__)) == row
    else:
        assert path + signature(found) == row


def test_every_public_name_is_written_down() -> None:
    written = {row.partition("(")[0].partition(".")[0] for row in ROWS}
    assert set(forge_cli.__all__) - written <= {"HttpMethod"}


def test_every_public_name_is_used_by_the_typed_program() -> None:
    words = set(re.findall(r"\w+", (ROOT / "tests" / "typing_public_api.py").read_text(encoding="utf-8")))
    assert set(forge_cli.__all__) - words == set()


@pytest.mark.parametrize(("name", "parent"), exceptions())
def test_the_exceptions_are_a_family(name: str, parent: str) -> None:
    kind = getattr(forge_cli, name)
    ancestors = [ancestor.__name__ for ancestor in kind.__mro__ if not ancestor.__name__.startswith("_")]
    assert ancestors[1] == parent
    assert not issubclass(kind, TimeoutError | ConnectionError)


def test_every_public_exception_is_drawn() -> None:
    drawn = {name for name, _ in exceptions()}
    values = {name: getattr(forge_cli, name) for name in forge_cli.__all__}
    assert {n for n, value in values.items() if isinstance(value, type) and issubclass(value, Exception)} == drawn


@pytest.mark.parametrize("name", ABSTRACT)
def test_an_interface_asks_for_these_members(name: str) -> None:
    assert getattr(forge_cli, name).__abstractmethods__ == set(ABSTRACT[name].split())


@pytest.mark.parametrize("name", IMPLEMENTED)
def test_an_interface_is_implemented_by_these(name: str) -> None:
    interface = getattr(forge_cli, name)
    assert [n for n in IMPLEMENTED[name].split() if not issubclass(getattr(forge_cli, n), interface)] == []


def test_an_auth_hook_is_no_request_hook() -> None:
    assert not issubclass(forge_cli.AuthHookInterface, forge_cli.RequestHookInterface)


def every_exception(kind: type[ForgeError] = ForgeError) -> list[type[ForgeError]]:
    found = [kind]
    for child in kind.__subclasses__():
        if child.__module__.startswith("forge_cli."):
            found += every_exception(child)
    return found


# Required arguments beside the message, by parameter name.
ARGUMENTS: dict[str, Any] = {"attempts": 3, "status_code": 418, "step": "user", "reason": "refused", "output": "token"}


@pytest.mark.parametrize(
    "kind", [k for k in every_exception() if not k.__name__.startswith("_")], ids=lambda k: k.__name__
)
def test_every_exception_can_be_pickled(kind: type[ForgeError]) -> None:
    required = [
        p for p in inspect.signature(kind).parameters.values() if p.default is p.empty and p.kind is not p.VAR_KEYWORD
    ]
    error = kind(**{p.name: ARGUMENTS.get(p.name, "what was wrong") for p in required})
    error.hint = "try this"
    twin = pickle.loads(pickle.dumps(error))
    assert type(twin) is kind
    assert str(twin) == str(error)
    assert vars(twin) == vars(error)


def test_the_names_are_in_their_own_modules_too() -> None:
    assert importlib.import_module("forge_cli.config").TokenData is forge_cli.TokenData
    for module in ("models", "config", "client", "retry", "hooks", "auth", "interfaces", "errors"):
        assert importlib.import_module(f"forge_cli.{module}").__doc__


def test_the_retry_strategies_are_a_table() -> None:
    table = importlib.import_module("forge_cli.retry").RETRIES
    assert isinstance(table, Registry)
    assert {"none", "simple", "exponential", "circuit-breaker"} <= set(table)


@pytest.mark.parametrize(
    ("name", "package"),
    [("RedisTokenStorage", "redis"), ("KeyringTokenStorage", "keyring"), ("DjangoCacheTokenStorage", "django")],
)
def test_a_name_whose_package_is_missing_says_what_to_install(name: str, package: str) -> None:
    # None in sys.modules is how Python itself marks a module that cannot be imported.
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "import forge_cli\n"
        f"try: forge_cli.{name}\n"
        "except ImportError as exc: print(exc)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert result.stderr == ""
    assert result.stdout.startswith(f"{name} needs {package}")
    assert f"pip install 'forge-http[{package}]'" in result.stdout
