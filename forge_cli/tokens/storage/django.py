"""Tokens in a cache of Django."""

from __future__ import annotations

import hashlib
import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any

from django.core.cache import caches
from django.core.cache.backends.base import InvalidCacheBackendError
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from ...compiled import compiled
from ...errors import StorageError
from ...interfaces import TokenStorageInterface
from ...models import TokenData, aware
from .lease import LIFE, Leases
from .record import to_fields
from .text import from_text, to_text

logger = logging.getLogger(__name__)

# Seconds that a token is kept at least: its reader decides by a clock of its own.
_SHORTEST = 60
# What every cache of Django takes as a key; memcached is the strictest.
_PORTABLE = compiled("[!-~\x80-\ud7ff\ue000-\U0010ffff]*")
_LONGEST = 250


class DjangoCacheTokenStorage(TokenStorageInterface):
    """Keeps each token as JSON text under ``<key_prefix>:<key>``, until it ends if nothing can renew it.

    A key that memcached would refuse is replaced by its digest. Locks are as good as the cache's `add`: the
    file-based cache excludes the threads that share a storage for certain, and other processes only nearly. `notice`
    gets a line when an entry is damaged or a lock is waited for; the default logs it. `lease` is in seconds.
    """

    def __init__(
        self,
        cache_alias: str = "default",
        key_prefix: str = "token",
        *,
        notice: Callable[[str], None] | None = None,
        lease: float = LIFE,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._alias = cache_alias
        self._prefix = key_prefix
        self._notice = notice or logger.warning
        self._now = now
        self._leases = Leases(lease, on_wait=self._waiting, on_end=_close)

    def get(self, key: str) -> TokenData | None:
        with _reported(self._alias):
            cache = caches[self._alias]
            value = cache.get(_name(cache, self._prefix, key))
        try:
            return None if value is None else _token(value)
        except ValueError:
            self._notice(f"an entry of the Django cache {self._alias!r} is damaged and is ignored")
            return None

    def set(self, key: str, token: TokenData) -> None:
        text = to_text(token)
        self._leases.check(key)
        with _reported(self._alias):
            cache = caches[self._alias]
            cache.set(_name(cache, self._prefix, key), text, self._life(token))

    def delete(self, key: str) -> None:
        with _reported(self._alias):
            cache = caches[self._alias]
            cache.delete(_name(cache, self._prefix, key))

    def exists(self, key: str) -> bool:
        return self.get(key) is not None

    def lock(self, key: str, timeout: float = 60.0) -> AbstractContextManager[None]:
        return self._locked(key, timeout)

    def reserve(self, key: str) -> None:
        """As the interface says, by asking the cache for what is there. A write might push out another entry."""
        self.get(key)
        self._leases.check(key)

    @contextmanager
    def _locked(self, key: str, timeout: float) -> Iterator[None]:
        begun = time.monotonic()
        with super().lock(key, timeout):
            left = max(0.0, timeout - (time.monotonic() - begun))
            with self._leases.hold(key, _Mark(self._alias, f"{self._prefix}.lock", key), left):
                yield

    def _life(self, token: TokenData) -> int | None:
        """Seconds to the end of a token that nothing can renew; None for ever."""
        if token.expires_at is None or token.refresh_token:
            return None
        return max(_SHORTEST, math.ceil((aware(token.expires_at) - self._now()).total_seconds()))

    def _waiting(self, seconds: float) -> None:
        self._notice(f"waiting for another process that renews a token in the Django cache {self._alias!r}")


class _Mark:
    def __init__(self, alias: str, prefix: str, key: str) -> None:
        name = f"{prefix}:{key}"
        self.label = f"the lock {name!r} in the Django cache {alias!r}"
        self._alias = alias
        self._prefix = prefix
        self._key = key
        self._owner = os.urandom(16).hex()
        self._kept = True

    def take(self, life: float) -> bool:
        with self._cache() as (cache, name):
            if not cache.add(name, self._owner, math.ceil(life)):
                return False
            # The `add` of the file-based cache is a look and then a write; the dummy cache keeps nothing at all.
            found = cache.get(name)
            self._kept = found is not None
            return found in (None, self._owner)

    def renew(self, life: float) -> bool:
        with self._cache() as (cache, name):
            return not self._kept or (cache.get(name) == self._owner and bool(cache.touch(name, math.ceil(life))))

    def release(self) -> None:
        with self._cache() as (cache, name):
            if cache.get(name) == self._owner:
                cache.delete(name)

    @contextmanager
    def _cache(self) -> Iterator[tuple[Any, str]]:
        with _reported(self._alias):
            cache = caches[self._alias]
            yield cache, _name(cache, self._prefix, self._key)


def _name(cache: Any, prefix: str, key: str) -> str:
    name = f"{prefix}:{key}"
    if _PORTABLE.fullmatch(name) and len(cache.make_key(name).encode()) <= _LONGEST:
        return name
    return f"{prefix}:{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _token(value: Any) -> TokenData:
    """The token in a value of the cache. ValueError when it is damaged."""
    if isinstance(value, str):
        return from_text(value)
    if not isinstance(value, Mapping):
        raise ValueError("neither text nor a table")
    # What callers stored before it was text: the fields themselves, None where there is nothing.
    fields = {name: item for name, item in value.items() if item is not None}
    end = fields.get("expires_at")
    if isinstance(end, datetime):
        fields["expires_at"] = aware(end).isoformat()
    return TokenData(**to_fields(fields))


@contextmanager
def _reported(alias: str) -> Iterator[None]:
    """Turn whatever a cache raises into StorageError; not chained, because it may quote addresses and values."""
    try:
        yield
    except InvalidCacheBackendError:
        message, hint = f"there is no Django cache {alias!r} that can be used", "check CACHES in the Django settings"
    except ImproperlyConfigured:
        message, hint = "Django has no usable settings", "set DJANGO_SETTINGS_MODULE, and call django.setup() first"
    except Exception as exc:
        message = f"the Django cache {alias!r} failed ({type(exc).__name__})"
        hint = "check CACHES in the Django settings, and that the server behind it runs"
    else:
        return
    raise StorageError(message, hint=hint) from None


def _close() -> None:
    """Close what Django opened for this thread."""
    caches.close_all()
    connections.close_all()
