"""Caches of Django for the tests, without a Django project."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.test import override_settings

_BACKENDS = {
    "memory": "locmem.LocMemCache",
    "file": "filebased.FileBasedCache",
    "redis": "redis.RedisCache",
    "dummy": "dummy.DummyCache",
}


@contextmanager
def django_cache(kind: str, location: str, **options: Any) -> Iterator[None]:
    """Let `default` be a cache of this kind: `memory`, `file`, `redis` or `dummy`."""
    if not settings.configured:
        settings.configure()
    default = {"BACKEND": f"django.core.cache.backends.{_BACKENDS[kind]}", "LOCATION": location, **options}
    with override_settings(CACHES={"default": default}):
        yield
