"""The engine: steps that are conditional, kept elsewhere, have side effects, or wait for a person."""

from __future__ import annotations

import threading

import pytest

from forge_cli.errors import NeedsPerson
from forge_cli.tokens.pipeline import Pipeline
from tests.tokens.made import World, side_by_side


class TestConditional:
    def world(self, world: World, *, holds: bool) -> None:
        world.step("login")
        world.step("mfa", "login", conditional=True, holds=holds)
        world.step("user", "login mfa")

    def test_a_step_whose_condition_does_not_hold_has_no_token(self, world: World) -> None:
        self.world(world, holds=False)
        pipeline = world.pipeline()
        assert list(pipeline.obtain(["user", "mfa"])) == ["user"]
        assert world.took() == ["login login", "login user"]
        assert world.made["user"].given == [["login"]]

    def test_one_whose_condition_holds_is_a_step_like_others(self, world: World) -> None:
        self.world(world, holds=True)
        pipeline = world.pipeline()
        pipeline.obtain(["user"])
        assert world.took() == ["login login", "login mfa", "login user"]
        assert world.made["user"].given == [["login", "mfa"]]
        pipeline.obtain(["user"])
        assert world.took() == []

    def test_what_was_made_without_it_lives_on_without_it(self, world: World) -> None:
        self.world(world, holds=False)
        pipeline = world.pipeline()
        pipeline.obtain(["user"])
        world.took()
        pipeline.obtain(["user"])
        assert world.took() == []

    def test_what_was_made_with_it_goes_when_it_goes(self, world: World) -> None:
        self.world(world, holds=True)
        pipeline = world.pipeline()
        pipeline.obtain(["user"])
        world.took()
        pipeline.forget(["mfa"])
        pipeline.obtain(["user"])
        assert world.took() == ["login mfa", "login user"]

    def test_what_it_would_lack_is_no_trouble_until_it_runs(self, world: World) -> None:
        self.world(world, holds=False)
        world.made["mfa"].missing = NeedsPerson("nobody there")
        assert world.pipeline().obtain(["user"])["user"].access_token == "user-token-1"
        world.made["mfa"].holds = True
        world.storage.clear()
        with pytest.raises(NeedsPerson):
            world.pipeline().obtain(["user"])


class TestCache:
    def test_memory_keeps_a_token_for_the_process_alone(self, world: World) -> None:
        world.step("user", cache="memory")
        pipeline = world.pipeline()
        pipeline.obtain(["user"])
        pipeline.obtain(["user"])
        assert world.took() == ["login user"]
        assert world.storage.get("key:user") is None
        world.pipeline().obtain(["user"])
        assert world.took() == ["login user"]

    def test_none_is_shared_by_the_steps_of_one_renewal_and_then_gone(self, world: World) -> None:
        world.step("page", cache="none")
        world.step("a", "page")
        world.step("b", "page")
        pipeline = world.pipeline()
        pipeline.obtain(["a", "b"])
        assert world.took() == ["login page", "login a", "login b"]
        pipeline.obtain(["a", "b"])
        assert world.took() == []
        world.clock.pass_(hours=2)
        pipeline.obtain(["a"])
        assert world.took() == ["login page", "login a"]

    def test_nothing_is_bound_to_a_step_that_is_kept_nowhere(self, world: World) -> None:
        world.step("page", cache="none")
        world.step("user", "page", renews=True)
        pipeline = world.pipeline()
        pipeline.obtain(["user"])
        world.took()
        world.clock.pass_(hours=2)
        pipeline.obtain(["user"])
        assert world.took() == ["refresh user"]


class TestSideEffect:
    def test_it_runs_where_it_never_ran(self, world: World) -> None:
        world.step("key", side_effect=True)
        assert world.pipeline().obtain(["key"])["key"].access_token == "key-token-1"

    def test_it_is_not_run_again_unasked(self, world: World) -> None:
        world.step("key", side_effect=True)
        pipeline = world.pipeline()
        pipeline.obtain(["key"])
        world.clock.pass_(hours=2)
        assert pipeline.states()["key"].would == "ask"
        with pytest.raises(NeedsPerson, match="side effect") as caught:
            pipeline.obtain(["key"])
        assert "forge token login" in str(caught.value.hint)
        asked: list[str] = []

        def refuse(name: str) -> bool:
            asked.append(name)
            return False

        with pytest.raises(NeedsPerson):
            pipeline.obtain(["key"], allow=refuse)
        world.took()
        assert pipeline.obtain(["key"], allow=lambda name: name == "key")["key"].access_token == "key-token-2"
        assert (asked, world.took()) == (["key"], ["login key"])

    def test_a_refresh_is_not_a_run(self, world: World) -> None:
        world.step("key", side_effect=True, renews=True)
        pipeline = world.pipeline()
        pipeline.obtain(["key"])
        world.clock.pass_(hours=2)
        pipeline.obtain(["key"])
        assert world.took() == ["login key", "refresh key"]

    def test_nor_when_its_parent_was_forgotten(self, world: World) -> None:
        world.step("user")
        world.step("key", "user", side_effect=True, renews=True)
        pipeline = world.pipeline()
        pipeline.obtain(["key"])
        pipeline.forget(["user"])
        with pytest.raises(NeedsPerson):
            pipeline.obtain(["key"])
        kept = pipeline.stored("key")
        assert kept is not None
        assert (kept.refresh_token, kept.meta["forgotten"]) == (None, True)

    def test_nothing_is_sent_before_that_is_known(self, world: World) -> None:
        world.step("user")
        world.step("key", "user", side_effect=True)
        pipeline = world.pipeline()
        pipeline.obtain(["key"])
        world.took()
        world.clock.pass_(hours=2)
        with pytest.raises(NeedsPerson):
            pipeline.obtain(["key"])
        assert world.took() == []


class TestPerson:
    def test_no_lock_is_held_while_one_is_awaited(self, world: World) -> None:
        world.step("device", interactive=True)
        pipeline = world.pipeline()
        free: list[bool] = []

        def look() -> None:
            with world.storage.lock("key:device", 0.0):
                free.append(True)

        world.made["device"].hold = look
        pipeline.obtain(["device"])
        assert free == [True]

    def test_one_is_asked_once_for_all_threads(self, world: World) -> None:
        world.step("browser", cache="none", interactive=True)
        world.step("user", "browser")
        pipeline = world.pipeline()
        tokens = side_by_side(lambda: pipeline.obtain(["user"])["user"].access_token)
        assert set(tokens) == {"user-token-1"}
        assert world.took() == ["login browser", "login user"]

    def test_one_who_says_no_is_not_asked_by_the_other_threads_too(self, world: World) -> None:
        world.step("browser", cache="none", interactive=True)
        world.step("user", "browser")
        started = threading.Barrier(8)
        world.made["browser"].answers = [NeedsPerson("no")]
        world.made["browser"].hold = lambda: None
        pipeline = world.pipeline()

        def work() -> str:
            started.wait()
            return pipeline.obtain(["user"])["user"].access_token

        results = side_by_side(work, 8)
        refused = [each for each in results if isinstance(each, NeedsPerson)]
        assert refused
        assert len(world.took()) <= 3

    def test_who_waited_meanwhile_gets_that_no(self, world: World) -> None:
        """Here all moments are one, so that whoever asks has waited."""
        world.step("browser", cache="none", interactive=True, answers=[NeedsPerson("no")])
        world.step("user", "browser")
        pipeline = Pipeline(list(world.made.values()), world.storage, now=world.clock, monotonic=lambda: 0.0)
        for _ in range(2):
            with pytest.raises(NeedsPerson, match="no"):
                pipeline.obtain(["user"])
        assert world.took() == ["login browser"]


def test_more_can_be_kept_with_a_token_that_is_still_the_same(world: World) -> None:
    world.step("user")
    pipeline = world.pipeline()
    token = pipeline.obtain(["user"])["user"]
    used = pipeline.identities({"user": token})["user"]

    def with_jar(old: object) -> object:
        return type(token)(token.access_token, expires_at=token.expires_at, meta={**token.meta, "jars": {"web": []}})

    pipeline.amend("user", "another", with_jar)  # type: ignore[arg-type]
    assert "jars" not in pipeline.obtain(["user"])["user"].meta
    pipeline.amend("user", used, with_jar)  # type: ignore[arg-type]
    assert pipeline.obtain(["user"])["user"].meta["jars"] == {"web": []}
    assert world.took() == ["login user"]
