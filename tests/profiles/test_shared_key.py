"""The key of cache keys, where a store is shared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from forge_cli.errors import StorageError
from forge_cli.profiles.build import Profile, load_profile
from forge_cli.tokens.storage.redis import RedisTokenStorage
from tests.conftest import Require
from tests.redis_server import RedisServer, redis_server


@pytest.fixture
def running(require: Require) -> Iterator[RedisServer]:
    with redis_server(require("redis-server", "apt-get install redis-server")) as server:
        yield server


@pytest.fixture
def machine(running: RedisServer, tmp_path: Path) -> Callable[[str], Profile]:
    """The same profile on a machine of that name."""

    def made(name: str) -> Profile:
        home = tmp_path / name
        home.mkdir(mode=0o700, exist_ok=True)
        file = home / "profiles.toml"
        file.write_text(
            '[profiles.api]\nbase_url = "https://api.invalid"\n'
            f'tokens = {{ storage = "redis", url = "{running.url}", prefix = "t" }}\n'
            '[profiles.api.auth]\ntype = "pipeline"\n[profiles.api.auth.steps.one]\nrequest = { url = "/login" }\n'
            'extract = { token = "/token" }\n'
            '[profiles.api.auth.steps.two]\nrequest = { url = "/next", headers = { X = "${steps.one.token}" } }\n'
            'extract = { token = "/token" }\n'
        )
        file.chmod(0o600)
        return load_profile("api", config=file, environ={"FORGE_CONFIG_DIR": str(home), "HOME": str(home)})

    return made


def keys(profile: Profile) -> list[str]:
    return [step.key for step in profile.login.steps.values()]


def test_machines_that_share_a_redis_have_the_same_keys(machine: Callable[[str], Profile], tmp_path: Path) -> None:
    assert keys(machine("here")) == keys(machine("there"))
    assert not (tmp_path / "here" / "state" / "digest.key").exists()


def test_those_of_another_prefix_or_server_have_others(running: RedisServer) -> None:
    made = {RedisTokenStorage(running.url, prefix).shared_key() for prefix in ("a", "b")}
    assert len(made) == 2 and all(len(key) == 64 for key in made)
    assert RedisTokenStorage(running.url, "a").keys() == []


def test_those_who_make_it_at_once_agree_on_one(running: RedisServer) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = pool.map(lambda _: RedisTokenStorage(running.url, "t").shared_key(), range(16))
        assert len(set(made)) == 1


def test_a_login_is_made_without_asking_the_store(machine: Callable[[str], Profile], running: RedisServer) -> None:
    profile = machine("here")
    running.kill()
    step = profile.login.steps["one"]
    with pytest.raises(StorageError, match="redis cannot be reached"):
        _ = step.key
