"""The engine over a storage that can be read and not written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from forge_cli.errors import StorageError
from forge_cli.models import TokenData
from forge_cli.tokens.pipeline import Pipeline
from forge_cli.tokens.storage.memory import InMemoryTokenStorage
from tests.tokens.made import Broken, World


def test_the_token_is_used_and_one_warning_given(world: World) -> None:
    world.storage = Broken()
    pipeline = world.three(renews=True)
    assert pipeline.obtain(["user"])["user"].access_token == "user-token-1"
    assert pipeline.obtain(["user"])["user"].access_token == "user-token-1"
    assert world.took() == ["login device", "login app", "login user"]
    assert world.told == [
        "cannot write tokens.toml: no space left on device: the new token is used now and lost when this process ends"
    ]


def test_it_is_no_error_unless_one_asks_for_that(world: World) -> None:
    step = world.step("user")
    assert Pipeline([step], Broken(), now=world.clock).obtain(["user"])["user"].access_token == "user-token-1"


def test_it_is_an_error_where_saving_is_the_purpose(world: World) -> None:
    world.storage = Broken()
    world.three()
    with pytest.raises(StorageError):
        world.pipeline(strict=True).obtain(["user"])
    assert world.took() == ["login device"]


def test_no_refresh_token_is_spent_while_the_access_token_is_good(world: World) -> None:
    world.storage = Broken()
    world.storage.full = False
    pipeline = world.three(renews=True)
    pipeline.obtain(["user"])
    world.took()
    world.storage.full = True
    world.clock.pass_(seconds=3575)
    for _ in range(2):
        assert pipeline.obtain(["user"])["user"].access_token == "user-token-1"
    assert world.took() == []
    assert len(world.told) == 1
    with pytest.raises(StorageError):
        world.pipeline(strict=True).obtain(["user"])
    assert world.took() == []


def test_a_spent_refresh_token_that_is_lost_is_named(world: World) -> None:
    world.storage = Broken()
    world.storage.full = False
    pipeline = world.three(renews=True)
    pipeline.obtain(["user"])
    world.took()
    world.storage.full = True
    world.clock.pass_(hours=1)
    assert pipeline.obtain(["user"])["user"].access_token == "user-token-2"
    assert world.took() == ["refresh user"]
    assert [text.partition("device: ")[2] for text in world.told] == [
        "the new token and its refresh token are used now and lost when this process ends"
    ]


def test_no_room_is_reserved_where_no_refresh_token_is_spent(world: World) -> None:
    world.storage = Broken()
    world.storage.full = False
    world.three().obtain(["user"])
    assert world.storage.reserved == 0


def test_forgetting_and_clearing_work_for_this_process(world: World) -> None:
    world.storage = Broken()
    world.storage.full = False
    pipeline = world.three(renews=True)
    pipeline.obtain(["user"])
    world.took()
    world.storage.full = True
    pipeline.forget(["app"])
    pipeline.obtain(["user"])
    assert world.took() == ["login app", "login user"]
    assert pipeline.clear(["user"]) == ["user"]
    assert pipeline.stored("user") is None
    world.storage.full = False
    pipeline.obtain(["user"])
    assert world.storage.get("key:user").access_token == "user-token-3"


class Attempts(Broken):
    """As `Broken`, and with the locks that are taken and the writes that are tried."""

    def __init__(self) -> None:
        super().__init__()
        self.tried: list[str] = []
        self.locked: list[str] = []
        self.away = False
        self.before_lock: Callable[[], object] = lambda: None

    @contextmanager
    def lock(self, key: str, timeout: float = 60.0) -> Iterator[None]:
        before, self.before_lock = self.before_lock, lambda: None
        before()
        with super().lock(key, timeout):
            self.locked.append(key)
            yield
            self.locked.remove(key)

    def get(self, key: str) -> TokenData | None:
        if self.away:
            raise StorageError("redis cannot be reached")
        return super().get(key)

    def kept(self) -> TokenData:
        """The token of the step "user" that is there."""
        token = self.get("key:user")
        assert token is not None
        return token

    def _refuse(self) -> None:
        self.tried.append(",".join(self.locked))
        super()._refuse()


class TestStorageThatComesBack:
    @pytest.fixture
    def storage(self, world: World) -> Attempts:
        world.storage = attempts = Attempts()
        return attempts

    @pytest.fixture
    def pipeline(self, world: World, storage: Attempts) -> Pipeline:
        """A step "user", over a storage that cannot be written any more; its first token is kept in memory only."""
        world.step("user", renews=True)
        pipeline = made(world)
        pipeline.obtain(["user"])
        world.took()
        storage.tried.clear()
        return pipeline

    def test_the_token_is_saved_at_its_next_use(self, world: World, storage: Attempts, pipeline: Pipeline) -> None:
        storage.full = False
        world.clock.pass_(seconds=5)
        assert pipeline.obtain(["user"])["user"].access_token == "user-token-1"
        assert storage.kept().access_token == "user-token-1"
        assert storage.kept().refresh_token == "user-refresh-1"
        assert made(world).obtain(["user"])["user"].access_token == "user-token-1"
        assert world.took() == []

    def test_it_is_written_once_under_the_lock_of_its_step(
        self, world: World, storage: Attempts, pipeline: Pipeline
    ) -> None:
        storage.full = False
        world.clock.pass_(seconds=5)
        for _ in range(3):
            pipeline.obtain(["user"])
            world.clock.pass_(seconds=5)
        assert storage.tried == ["key:user"]

    def test_it_is_tried_every_five_seconds_at_most_and_told_once(
        self, world: World, storage: Attempts, pipeline: Pipeline
    ) -> None:
        tries = []
        for _ in range(11):
            pipeline.obtain(["user"])
            tries.append(len(storage.tried))
            world.clock.pass_(seconds=1)
        assert tries == [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2]
        assert len(world.told) == 1

    def test_a_storage_that_fails_again_is_not_told_of_again(
        self, world: World, storage: Attempts, pipeline: Pipeline
    ) -> None:
        storage.full = False
        world.clock.pass_(seconds=5)
        pipeline.obtain(["user"])
        storage.full = True
        pipeline.renew(["user"])
        assert len(world.told) == 1
        assert pipeline.obtain(["user"])["user"].access_token == "user-token-2"

    def test_a_newer_token_of_another_process_is_taken_instead(
        self, world: World, storage: Attempts, pipeline: Pipeline
    ) -> None:
        world.clock.pass_(seconds=5)
        newer = another(world)
        InMemoryTokenStorage.set(storage, "key:user", newer)
        storage.full = False
        assert pipeline.obtain(["user"])["user"] == newer
        assert (storage.get("key:user"), storage.tried) == (newer, [])

    def test_so_is_one_of_which_nobody_knows_when_it_was_issued(
        self, world: World, storage: Attempts, pipeline: Pipeline
    ) -> None:
        """A storage of a user's own may not keep that."""
        world.clock.pass_(seconds=5)
        newer = replace(another(world), issued_at=None)
        InMemoryTokenStorage.set(storage, "key:user", newer)
        storage.full = False
        assert pipeline.obtain(["user"])["user"] == newer

    def test_so_is_one_that_was_issued_at_the_same_moment(
        self, world: World, storage: Attempts, pipeline: Pipeline
    ) -> None:
        newer = another(world)
        InMemoryTokenStorage.set(storage, "key:user", newer)
        storage.full = False
        world.clock.pass_(seconds=5)
        assert pipeline.obtain(["user"])["user"] == newer

    def test_so_is_one_when_nobody_knows_when_ours_was_issued(self, world: World, storage: Attempts) -> None:
        world.step("user")
        InMemoryTokenStorage.set(storage, "key:user", TokenData("callers-token"))
        pipeline = made(world)
        pipeline.forget(["user"])
        newer = another(world)
        InMemoryTokenStorage.set(storage, "key:user", newer)
        storage.full = False
        world.clock.pass_(seconds=5)
        assert pipeline.obtain(["user"])["user"] == newer

    def test_an_older_one_is_replaced(self, world: World, storage: Attempts, pipeline: Pipeline) -> None:
        older = replace(another(world), issued_at=world.clock.now - timedelta(seconds=1))
        InMemoryTokenStorage.set(storage, "key:user", older)
        storage.full = False
        world.clock.pass_(seconds=5)
        pipeline.obtain(["user"])
        assert storage.kept().access_token == "user-token-1"

    def test_so_is_what_stood_there_before(self, world: World, storage: Attempts) -> None:
        """Also when it says that it was issued later: a clock may have been set back."""
        world.step("user", renews=True)
        stood = TokenData("user-token-0", expires_at=world.clock.now, issued_at=world.clock.now + timedelta(hours=1))
        InMemoryTokenStorage.set(storage, "key:user", stood)
        pipeline = made(world)
        pipeline.obtain(["user"])
        pipeline.renew(["user"])
        storage.full = False
        world.clock.pass_(seconds=5)
        pipeline.obtain(["user"])
        assert storage.kept().access_token == "user-token-2"

    def test_what_was_forgotten_meanwhile_is_saved_as_such(
        self, world: World, storage: Attempts, pipeline: Pipeline
    ) -> None:
        pipeline.forget(["user"])
        storage.full = False
        world.clock.pass_(seconds=5)
        assert pipeline.peek("user") is None
        assert storage.kept().meta["forgotten"] is True

    def test_a_mark_on_it_does_not_replace_another_s_newer_token(
        self, world: World, storage: Attempts, pipeline: Pipeline
    ) -> None:
        """Saving goes at once here, for what could not be saved was tried just before."""
        pipeline.obtain(["user"])
        world.clock.pass_(seconds=1)
        newer = another(world)
        InMemoryTokenStorage.set(storage, "key:user", newer)
        storage.full = False
        pipeline.forget(["user"])
        assert storage.get("key:user") == newer
        assert pipeline.obtain(["user"])["user"] == newer

    def test_a_deletion_is_made_up_for_too(self, world: World, storage: Attempts) -> None:
        storage.full = False
        world.step("user")
        pipeline = made(world)
        pipeline.obtain(["user"])
        storage.full = True
        pipeline.clear()
        storage.full = False
        world.clock.pass_(seconds=5)
        assert pipeline.stored("user") is None
        assert storage.get("key:user") is None

    def test_but_not_of_what_another_process_has_stored_since(self, world: World, storage: Attempts) -> None:
        storage.full = False
        world.step("user")
        pipeline = made(world)
        pipeline.obtain(["user"])
        storage.full = True
        pipeline.clear()
        world.clock.pass_(seconds=5)
        newer = another(world)
        InMemoryTokenStorage.set(storage, "key:user", newer)
        storage.full = False
        assert pipeline.stored("user") == newer
        assert storage.get("key:user") == newer

    def test_whoever_has_the_lock_is_not_waited_for(self, world: World, storage: Attempts, pipeline: Pipeline) -> None:
        storage.full = False
        world.clock.pass_(seconds=5)
        with storage.lock("key:user"):
            assert pipeline.obtain(["user"])["user"].access_token == "user-token-1"
        assert storage.get("key:user") is None
        world.clock.pass_(seconds=5)
        pipeline.obtain(["user"])
        assert storage.kept().access_token == "user-token-1"

    def test_what_another_thread_has_renewed_just_before_is_not_undone(
        self, world: World, storage: Attempts, pipeline: Pipeline
    ) -> None:
        storage.full = False
        world.clock.pass_(seconds=5)
        storage.before_lock = lambda: pipeline.renew(["user"])
        assert pipeline.obtain(["user"])["user"].access_token == "user-token-2"
        assert storage.kept().access_token == "user-token-2"

    def test_no_second_lock_is_taken_by_who_holds_another_step_s(self, world: World, storage: Attempts) -> None:
        world.step("app")
        world.step("user", "app")
        pipeline = made(world)
        pipeline.obtain(["app"])
        storage.tried.clear()

        def look() -> None:
            world.clock.pass_(seconds=5)
            pipeline.peek("app")

        world.made["user"].hold = look
        pipeline.obtain(["user"])
        assert storage.tried == ["key:user"]
        storage.full = False
        world.clock.pass_(seconds=5)
        pipeline.obtain(["app", "user"])
        assert storage.tried == ["key:user", "key:app", "key:user"]

    def test_a_storage_that_cannot_be_read_either_changes_nothing(
        self, world: World, storage: Attempts, pipeline: Pipeline
    ) -> None:
        storage.full, storage.away = False, True
        world.clock.pass_(seconds=5)
        assert pipeline.obtain(["user"])["user"].access_token == "user-token-1"
        pipeline.renew(["user"])
        assert pipeline.obtain(["user"])["user"].access_token == "user-token-2"


def made(world: World) -> Pipeline:
    """A pipeline whose seconds are those of the world's clock."""
    steps = list(world.made.values())
    began = world.clock.now
    return Pipeline(
        steps,
        world.storage,
        notice=world.told.append,
        now=world.clock,
        monotonic=lambda: (world.clock.now - began).total_seconds(),
    )


def another(world: World) -> TokenData:
    """A token that another process has just been issued."""
    now = world.clock.now
    return TokenData("another-token", expires_at=now + timedelta(hours=1), issued_at=now)
