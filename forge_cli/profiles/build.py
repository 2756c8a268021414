"""From a profile to the objects that work by it: its login, its client, its token manager."""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ProfileError, StorageError
from ..files import config_dir
from ..login.login import Login
from ..login.scope import Scope
from ..login.step import keyed_digest
from ..login.work import Person
from ..models import Deadline
from ..registry import Registry
from ..tokens.storage import STORAGES
from ..tokens.unbroken import Ending
from .connection import base_url_trouble
from .expand import expand
from .load import ProfileSettings, current_directory, find, opened, profile, select
from .login import Surroundings, build, digest_key
from .nonce import Nonces
from .schema import STORAGE_KEYS, CompositeAuth, NoAuth, PipelineAuth, SharedAuth
from .secrets import Secrets
from .world import World

if TYPE_CHECKING:
    from ..breaker import CircuitBreaker
    from ..client import HttpClient
    from ..config import HttpClientConfig
    from ..events import Listener
    from ..interfaces import AuthHookInterface
    from ..tokens.manager import TokenManager
    from .transport import Transport

_LATER = Registry(
    "part of a profile",
    {
        "auth hook": "forge_cli.profiles.client:auth_hook",
        "client": "forge_cli.profiles.client:client",
        "config": "forge_cli.profiles.client:config",
        "netrc": "forge_cli.profiles.netrc:login",
        "receives": "forge_cli.profiles.client:receives",
        "tokens": "forge_cli.profiles.tokens:LoginTokens",
        "transport": "forge_cli.profiles.transport:Transport",
        "wire": "forge_cli.profiles.wire:wire",
        "wire of a shared login": "forge_cli.profiles.wire:shared_wire",
    },
)
"""What only a request needs. It costs more to import than the rest, and a stored token is shown without it."""


class Profile:
    """A profile ready for use. `settings` is what the file says; nothing is resolved before it is needed.

    `person` is whoever can be asked (None: nobody), `notice` is told what a person should know, `listener` of
    each exchange. With `strict`, tokens that cannot be saved are an error. `sleep` waits between polls.
    `ending` is as for `Pipeline`.
    """

    def __init__(
        self,
        settings: ProfileSettings,
        *,
        environ: Mapping[str, str] = os.environ,
        person: Person | None = None,
        notice: Callable[[str], None] = lambda text: None,
        listener: Listener | None = None,
        strict: bool = False,
        sleep: Callable[[float], None] = time.sleep,
        deadline: Deadline | None = None,
        ending: Ending | None = None,
    ) -> None:
        self.settings = settings
        self.name = settings.name
        self._environ = environ
        self._notice = notice
        self._listener = listener
        self._strict = strict
        self._ending = ending
        # Threads that share a profile must share its login, and with that its locks.
        self._building = threading.RLock()
        table = settings.table
        self._prompt = None if person is None else lambda text: person.ask(text, hidden=True)
        self._world = World(
            person,
            sleep=sleep,
            nonce=Nonces(environ, notice=notice).next,
            environ=environ,
            folder=settings.path.parent,
            deadline=lambda: self.deadline,
        )
        self.deadline = deadline
        """By when the programs of its secrets and steps have to end, where a whole command has a limit."""
        self.secrets = self._secrets(table.secrets, lambda: self.storage)
        plain = Scope(vars=settings.vars, environ=environ, secrets=self.secrets)
        self.base_url = plain.text(table.base_url).rstrip("/") if table.base_url else ""
        if trouble := base_url_trouble(self.base_url):
            raise ProfileError(
                f"the base_url of profile {self.name!r} {trouble}", hint="correct what is filled in there"
            )
        self.scope = dataclasses.replace(plain, base_url=self.base_url)
        scope = self.scope
        self.transport: Callable[[], Transport] = cache(
            lambda: _LATER.load("transport")(settings, scope, environ=environ, notice=notice)
        )

    @property
    def circuit_breaker(self) -> CircuitBreaker | None:
        """The breaker of `strategy = "circuit-breaker"`, whose circuits all processes of this user share."""
        return self.transport().circuit_breaker

    def _secrets(self, table: Mapping[str, Any], storage: Callable[[], Any]) -> Secrets:
        """The secrets of a table; what commands print is kept in `storage`, where a lifetime is given."""
        return Secrets(
            table,
            environ=self._environ,
            prompt=self._prompt,
            base_dir=self.settings.path.parent,
            storage=storage,
            digest=lambda text: keyed_digest(digest_key(self._environ, storage()), text),
            notice=self._notice,
            deadline=lambda: self.deadline,
        )

    @cached_property
    def storage(self) -> Any:
        """Where this profile's tokens are. In memory, with a notice, where there is no place for files."""
        kind = self.storage_kind
        storage = STORAGES.load(kind)
        if kind == "memory":
            return storage()
        if ":" in kind:
            return self._own_storage(kind, storage)
        if kind != "file":
            return storage(**self._storage_settings(), notice=self._notice)
        return self._file_storage(Path(f"{self.name}.toml"))

    def _own_storage(self, kind: str, storage: Callable[..., Any]) -> Any:
        """A storage of the user's own, which gets the keys of `tokens` that the profile states."""
        try:
            return storage(**self._storage_settings())
        except TypeError as exc:
            raise ProfileError(
                f"token storage {kind!r} cannot be made: {exc}", hint="it gets the keys of `tokens` by name"
            ) from exc

    def _file_storage(self, name: Path) -> Any:
        """The tokens in a file of this name. In memory, with a notice, where there is no place for files."""
        if self._environ.get("FORGE_TOKEN_STORAGE") == "memory":
            return STORAGES.load("memory")()
        try:
            path = token_directory(self._environ) / name
        except StorageError as exc:
            if self._strict:
                raise
            self._notice(f"{exc.message}: tokens are used now and lost when this process ends")
            return STORAGES.load("memory")()
        return STORAGES.load("file")(path, notice=self._notice)

    @property
    def storage_kind(self) -> str:
        """The row of the storage table: FORGE_TOKEN_STORAGE, else the profile's."""
        return self._environ.get("FORGE_TOKEN_STORAGE") or self.settings.table.tokens.storage

    def _storage_settings(self) -> dict[str, Any]:
        """What the profile says about its storage; what it leaves out is the storage's own default."""
        tokens = self.settings.table.tokens
        names = [f.name for f in dataclasses.fields(tokens) if f.name != "storage"]
        given = {name: getattr(tokens, name) for name in STORAGE_KEYS.get(self.storage_kind, names)}
        found = {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}
        if found.get("url") is not None:
            found["url"] = self.scope.text(str(found["url"]))
        return {name: value for name, value in found.items() if value is not None}

    @property
    def token_file(self) -> Path:
        """The file of this profile's tokens, with file storage."""
        return token_directory(self._environ) / f"{self.name}.toml"

    @cached_property
    def auth(self) -> PipelineAuth:
        """The profile's own login as steps, whatever shorthand the file uses."""
        auth = self.settings.table.auth
        if self.reads_netrc:
            found: PipelineAuth = _LATER.load("netrc")(self.base_url, self._environ, self._notice)
            return dataclasses.replace(found, exclude=() if isinstance(auth, str) else auth.exclude)
        return expand(NoAuth() if isinstance(auth, str) else auth)

    @property
    def reads_netrc(self) -> bool:
        """Whether the credential is the one of the user's netrc file: the profile says so, and has none itself."""
        table = self.settings.table
        stated = any(name.lower() == "authorization" for name in table.headers)
        return table.netrc and isinstance(table.auth, NoAuth) and not stated

    @property
    def login(self) -> Login:
        """The first login, as the library's objects; most profiles have one."""
        return self.logins[0]

    @property
    def logins(self) -> tuple[Login, ...]:
        """The profile's login, or the shared ones that it names."""
        with self._building:
            return self._logins

    @cached_property
    def _logins(self) -> tuple[Login, ...]:
        auth = self.settings.table.auth
        names = (auth,) if isinstance(auth, str) else auth.parts if isinstance(auth, CompositeAuth) else ()
        excluded = auth.exclude if isinstance(auth, CompositeAuth) else ()
        shared = tuple(self._shared_login(name, self.settings.shared[name], excluded) for name in names)
        return shared or (self._own_login(),)

    def _own_login(self) -> Login:
        return build(
            Surroundings(
                name=self.name,
                auth=self.auth,
                scope=self.scope,
                storage=self.storage,
                wire=self._wire(),
                world=self._world,
                allowed=self._receivers(),
                environ=self._environ,
                notice=self._notice,
                strict=self._strict,
                ending=self._ending,
            )
        )

    def _shared_login(self, name: str, shared: SharedAuth, excluded: tuple[str, ...]) -> Login:
        """A shared login, which refers to nothing of this profile but who may receive its credential."""
        around = shared.settings
        folder = self.settings.path.parent
        storage = self._file_storage(Path("auth") / f"{name}.toml")
        secrets = self._secrets(around.secrets, lambda: storage)
        plain = Scope(vars=around.vars, environ=self._environ, secrets=secrets)
        base_url = plain.text(around.base_url).rstrip("/") if around.base_url else ""
        told = self._listener, self._world.nonce, self.settings.retry
        auth = expand(shared.auth)
        return build(
            Surroundings(
                name=f"auth/{name}",
                auth=dataclasses.replace(auth, exclude=(*auth.exclude, *excluded)),
                scope=dataclasses.replace(plain, base_url=base_url),
                storage=storage,
                wire=_LaterWire(cache(lambda: _LATER.load("wire of a shared login")(around, base_url, folder, *told))),
                world=self._world,
                allowed=self._receivers(),
                environ=self._environ,
                notice=self._notice,
                strict=self._strict,
                ending=self._ending,
            )
        )

    def _wire(self) -> _LaterWire:
        # Nothing here refers back to the profile: connections close as soon as nobody uses them.
        transport, retry = self.transport, self.settings.table.retry
        told = self._listener, self._world.nonce
        return _LaterWire(cache(lambda: _LATER.load("wire")(transport().config, retry, *told)))

    def _receivers(self) -> Callable[[str], bool]:
        """Whether a URL is of the origins that receive this profile's credentials."""
        scope, urls = self.scope, (self.base_url, *self.settings.table.origins)
        return lambda url: bool(_LATER.load("receives")(url, [scope.text(known) for known in urls if known]))

    def auth_hook(self, login_hook: Callable[[Login], AuthHookInterface] | None = None) -> AuthHookInterface:
        """What authenticates the profile's requests; `login_hook` makes the hook of one login."""
        hook: AuthHookInterface = _LATER.load("auth hook")(self, login_hook)
        return hook

    @property
    def tokens(self) -> TokenManager:
        """The token that requests are sent with, for programs that send their own."""
        manager: TokenManager = _LATER.load("tokens")(self.name, self.login)
        return manager

    def client(self, *, hook: AuthHookInterface | None = None, **overrides: Any) -> HttpClient:
        """A client that works by this profile; `overrides` are fields of HttpClientConfig.

        `hook` replaces the profile's own authentication.
        """
        made: HttpClient = _LATER.load("client")(self, self._listener, hook, **overrides)
        return made

    def config(
        self, hook: AuthHookInterface | None = None, text: Callable[[str], str] | None = None
    ) -> HttpClientConfig:
        """What this profile says, as a client's config. `text` fills in templates of headers and query."""
        made: HttpClientConfig = _LATER.load("config")(self, hook, text)
        return made

    @property
    def total_timeout(self) -> float | None:
        """Seconds that everything one command does may take, None without a limit."""
        return self.settings.table.limits.total


class _LaterWire:
    """The wire of a login, made when its first request is sent."""

    def __init__(self, wire: Callable[[], Any]) -> None:
        self._wire = wire

    def send(self, *args: Any, **options: Any) -> Any:
        """As `login.step.Wire` says."""
        return self._wire().send(*args, **options)


def load_profile(
    name: str | None = None,
    *,
    config: str | os.PathLike[str] | None = None,
    vars: Mapping[str, str] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Profile:
    """The profile `name` (None: the default one) of the file `config` (None: found as the command finds it).

    ProfileError with every problem when it is not valid.
    """
    source = find(None if config is None else os.fspath(config), environ, current_directory(), False)
    document = opened(source)
    return Profile(profile(document, select(document, name, environ), overrides_vars=vars or {}), environ=environ)


def token_directory(environ: Mapping[str, str]) -> Path:
    """The folder of token files."""
    return config_dir(environ) / "tokens"
