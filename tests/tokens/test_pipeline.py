"""The engine: what runs, how often, and what is kept. Its steps are made up; its storage is a real one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from forge_cli.errors import ConnectionException, ForgeError, LockTimeout, StepFailed, StorageError, TimeoutException
from forge_cli.models import Deadline, TokenData
from forge_cli.tokens.pipeline import Pipeline
from forge_cli.tokens.step import identity
from forge_cli.tokens.storage.memory import InMemoryTokenStorage

THREADS = 32


@dataclass
class Clock:
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **span: float) -> None:
        self.now += timedelta(**span)


@dataclass(eq=False)
class Made:
    """A step that logs what it does. `answers` are taken in turn: an error, None (a refused refresh), or a token."""

    name: str
    clock: Clock
    log: list[str]
    needs: Sequence[str] = ()
    unbound: frozenset[str] = frozenset()
    life: float | None = 3600.0
    renews: bool = False
    ends_with_parents: bool = True
    fingerprint: str | None = None
    skew: float | None = None
    stored: bool = True
    refresh_needs: frozenset[str] = frozenset()
    answers: list[Any] = field(default_factory=list)
    given: list[list[str]] = field(default_factory=list)
    hold: Callable[[], None] = lambda: None
    missing: Exception | None = None
    issued: int = 0

    @property
    def key(self) -> str:
        return f"key:{self.name}"

    def preflight(self, *, refreshing: bool = False) -> None:
        if self.missing is not None and not refreshing:
            raise self.missing

    def ask(self) -> None:
        self.log.append(f"ask {self.name}")

    def refreshable(self, current: TokenData) -> bool:
        return current.refresh_token is not None

    def login(self, given: Mapping[str, TokenData], deadline: Deadline | None) -> TokenData:
        token = self._answer("login", given)
        assert token is not None
        return token

    def refresh(
        self, current: TokenData, given: Mapping[str, TokenData], deadline: Deadline | None
    ) -> TokenData | None:
        return self._answer("refresh", given)

    def _answer(self, what: str, given: Mapping[str, TokenData]) -> TokenData | None:
        self.log.append(f"{what} {self.name}")
        self.given.append(sorted(given))
        self.hold()
        answer = self.answers.pop(0) if self.answers else self.token()
        if isinstance(answer, Exception):
            raise answer
        assert answer is None or isinstance(answer, TokenData)
        return answer

    def token(self) -> TokenData:
        self.issued += 1
        return TokenData(
            f"{self.name}-token-{self.issued}",
            expires_at=None if self.life is None else self.clock.now + timedelta(seconds=self.life),
            refresh_token=f"{self.name}-refresh-{self.issued}" if self.renews else None,
            issued_at=self.clock.now,
        )


class Broken(InMemoryTokenStorage):
    """A storage that can be read, and written as long as `full` is false."""

    full = True
    reserved = 0

    def set(self, key: str, token: TokenData) -> None:
        self._refuse()
        super().set(key, token)

    def delete(self, key: str) -> None:
        self._refuse()
        super().delete(key)

    def reserve(self, key: str) -> None:
        self.reserved += 1
        self._refuse()

    def _refuse(self) -> None:
        if self.full:
            raise StorageError("cannot write tokens.toml: no space left on device")


class World:
    """A clock, a log, a storage, and pipelines over them."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.log: list[str] = []
        self.told: list[str] = []
        self.storage: Any = InMemoryTokenStorage()
        self.made: dict[str, Made] = {}

    def step(self, name: str, needs: str = "", **options: Any) -> Made:
        self.made[name] = Made(name, self.clock, self.log, tuple(needs.split()), **options)
        return self.made[name]

    def pipeline(self, *, strict: bool = False) -> Pipeline:
        return Pipeline(list(self.made.values()), self.storage, strict=strict, notice=self.told.append, now=self.clock)

    def three(self, **user: Any) -> Pipeline:
        self.step("device", life=None)
        self.step("app", "device", life=43200.0)
        self.step("user", "app", **user)
        return self.pipeline()

    def took(self) -> list[str]:
        """What was logged since last asked, without the questions."""
        taken = [line for line in self.log if not line.startswith("ask")]
        self.log.clear()
        return taken


@pytest.fixture
def world() -> World:
    return World()


def side_by_side(work: Callable[[], Any], count: int = THREADS) -> list[Any]:
    """What `work` returned or raised in so many threads that begin together."""
    barrier = threading.Barrier(count)
    results: list[Any] = []

    def run() -> None:
        barrier.wait()
        try:
            results.append(work())
        except Exception as exc:
            results.append(exc)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(results) == count, "a thread hangs"
    return results


def test_a_cold_login_runs_each_step_once_and_a_warm_one_none(world: World) -> None:
    pipeline = world.three()
    assert pipeline.obtain(["user"])["user"].access_token == "user-token-1"
    assert world.took() == ["login device", "login app", "login user"]
    assert pipeline.obtain(["user"])["user"].access_token == "user-token-1"
    assert world.took() == []


def test_a_step_is_given_what_it_needs_and_nothing_else(world: World) -> None:
    world.three().obtain(["user"])
    assert [world.made[name].given for name in ("device", "app", "user")] == [[[]], [["device"]], [["app"]]]


def test_only_the_steps_that_are_asked_for_run(world: World) -> None:
    pipeline = world.three()
    world.step("reports", "device")
    world.pipeline().obtain(["app"])
    assert world.took() == ["login device", "login app"]
    assert pipeline.closure(["app"]) == ["device", "app"]


def test_the_order_of_the_steps_is_that_of_their_needs(world: World) -> None:
    world.step("user", "app")
    world.step("app", "device")
    world.step("device")
    assert list(world.pipeline().steps) == ["device", "app", "user"]


def test_an_ended_token_is_renewed_alone(world: World) -> None:
    pipeline = world.three()
    pipeline.obtain(["user"])
    world.took()
    world.clock.pass_(hours=1)
    assert pipeline.obtain(["user"])["user"].access_token == "user-token-2"
    assert world.took() == ["login user"]


def test_an_ended_parent_ends_what_is_bound_to_it(world: World) -> None:
    world.step("device", life=None)
    world.step("app", "device", life=600.0)
    world.step("user", "app", renews=True)
    pipeline = world.pipeline()
    pipeline.obtain(["user"])
    world.took()
    world.clock.pass_(minutes=11)
    pipeline.obtain(["user"])
    # The user's refresh token went with its parent: this is a login.
    assert world.took() == ["login app", "login user"]


def test_the_end_of_an_unbound_parent_ends_nothing(world: World) -> None:
    world.step("assertion", life=600.0)
    world.step("token", "assertion", unbound=frozenset({"assertion"}))
    pipeline = world.pipeline()
    pipeline.obtain(["token"])
    world.took()
    world.clock.pass_(minutes=50)
    pipeline.obtain(["token"])
    assert world.took() == []
    world.clock.pass_(minutes=20)
    pipeline.obtain(["token"])
    assert world.took() == ["login assertion", "login token"]


def test_an_unbound_parent_is_not_obtained_for_a_refresh_that_does_not_use_it(world: World) -> None:
    world.step("assertion", life=600.0)
    world.step("token", "assertion", unbound=frozenset({"assertion"}), renews=True)
    pipeline = world.pipeline()
    pipeline.obtain(["token"])
    world.took()
    world.clock.pass_(minutes=70)
    pipeline.obtain(["token"])
    assert world.took() == ["refresh token"]


def test_an_unbound_parent_is_obtained_for_a_refresh_that_uses_it(world: World) -> None:
    world.step("assertion", life=600.0)
    unbound = frozenset({"assertion"})
    world.step("token", "assertion", unbound=unbound, renews=True, refresh_needs=unbound)
    pipeline = world.pipeline()
    pipeline.obtain(["token"])
    world.took()
    world.clock.pass_(minutes=70)
    pipeline.obtain(["token"])
    assert world.took() == ["login assertion", "refresh token"]


def test_a_parent_that_lives_longer_now_makes_its_child_live_longer(world: World) -> None:
    parent = world.step("session", life=600.0, renews=True)
    world.step("token", "session", life=7200.0)
    pipeline = world.pipeline()
    pipeline.obtain(["token"])
    world.took()
    world.clock.pass_(minutes=9.9)
    first = pipeline.stored("session")
    assert first is not None
    # The renewal leaves the token as it was, and only moves its end.
    parent.answers = [TokenData(first.access_token, expires_at=world.clock.now + timedelta(hours=2))]
    pipeline.obtain(["token"])
    assert world.took() == ["refresh session"]
    world.clock.pass_(minutes=100)
    pipeline.obtain(["token"])
    assert world.took() == []


def test_a_renewal_that_leaves_the_parent_as_it_was_leaves_the_refresh_token_of_its_child(world: World) -> None:
    parent = world.step("session", life=600.0, renews=True)
    world.step("token", "session", life=60.0, renews=True)
    pipeline = world.pipeline()
    pipeline.obtain(["token"])
    world.took()
    world.clock.pass_(minutes=10)
    parent.answers = [TokenData("session-token-1", expires_at=world.clock.now + timedelta(hours=2))]
    pipeline.obtain(["token"])
    assert world.took() == ["refresh session", "refresh token"]


def test_a_diamond_renews_its_top_once(world: World) -> None:
    world.step("top", life=600.0)
    world.step("left", "top")
    world.step("right", "top")
    world.step("bottom", "left right")
    pipeline = world.pipeline()
    pipeline.obtain(["bottom"])
    assert world.took() == ["login top", "login left", "login right", "login bottom"]
    world.clock.pass_(minutes=11)
    pipeline.obtain(["bottom"])
    assert world.took() == ["login top", "login left", "login right", "login bottom"]


def test_a_token_whose_end_is_unknown_is_used(world: World) -> None:
    world.step("user", life=None)
    pipeline = world.pipeline()
    pipeline.obtain(["user"])
    world.clock.pass_(days=400)
    pipeline.obtain(["user"])
    assert world.took() == ["login user"]


@pytest.mark.parametrize("life", [0.0, -5.0, 1.0], ids=["none", "negative", "a second"])
def test_a_token_that_is_hardly_alive_is_used_once_and_by_its_children(world: World, life: float) -> None:
    world.step("app", life=life)
    world.step("user", "app", life=life)
    pipeline = world.pipeline()
    assert pipeline.obtain(["user"])["user"].access_token == "user-token-1"
    assert world.took() == ["login app", "login user"]


def test_a_clock_that_was_set_back_makes_no_token_immortal(world: World) -> None:
    pipeline = world.three()
    pipeline.obtain(["user"])
    world.took()
    world.clock.pass_(days=-30)
    pipeline.obtain(["user"])
    assert world.took() == ["login device", "login app", "login user"]


@pytest.mark.parametrize(
    ("skew", "seconds", "expected"),
    [(None, 3569, []), (None, 3571, ["login user"]), (600.0, 2999, []), (600.0, 3001, ["login user"])],
    ids=["default before", "default within", "own before", "own within"],
)
def test_a_token_is_renewed_its_skew_before_its_end(
    world: World, skew: float | None, seconds: float, expected: list[str]
) -> None:
    world.step("user", skew=skew)
    pipeline = world.pipeline()
    pipeline.obtain(["user"])
    world.took()
    world.clock.pass_(seconds=seconds)
    pipeline.obtain(["user"])
    assert world.took() == expected


def test_what_is_computed_is_computed_each_time_and_kept_nowhere(world: World) -> None:
    world.step("app")
    world.step("header", "app", stored=False)
    pipeline = world.pipeline()
    assert pipeline.obtain(["header"])["header"].access_token == "header-token-1"
    assert pipeline.obtain(["header"])["header"].access_token == "header-token-2"
    assert world.took() == ["login app", "login header", "login header"]
    assert world.storage.keys() == ["key:app"]


def test_what_goes_through_a_computed_step_is_bound_to_what_that_is_computed_from(world: World) -> None:
    world.step("device")
    world.step("signature", "device", stored=False)
    world.step("app", "signature", life=7200.0)
    pipeline = world.pipeline()
    pipeline.obtain(["app"])
    world.took()
    assert pipeline.bound_to(["device"]) == {"signature", "app"}
    world.clock.pass_(minutes=61)
    pipeline.obtain(["app"])
    assert world.took() == ["login device", "login signature", "login app"]


class TestStoredTokens:
    def test_another_pipeline_over_the_same_storage_uses_them(self, world: World) -> None:
        world.three().obtain(["user"])
        world.took()
        world.pipeline().obtain(["user"])
        assert world.took() == []

    def test_a_token_that_was_made_for_something_else_is_not_used(self, world: World) -> None:
        world.step("user", fingerprint="ada", renews=True)
        world.pipeline().obtain(["user"])
        world.made["user"].fingerprint = "grace"
        world.pipeline().obtain(["user"])
        assert world.took() == ["login user", "login user"]

    def test_a_token_that_the_caller_put_there_is_used(self, world: World) -> None:
        world.step("app", fingerprint="x")
        world.step("user", "app", fingerprint="y", ends_with_parents=False)
        world.storage.set("key:user", TokenData("callers-token-1"))
        assert world.pipeline().obtain(["user"])["user"].access_token == "callers-token-1"
        assert world.took() == []

    def test_peeking_and_states_run_nothing(self, world: World) -> None:
        pipeline = world.three(renews=True)
        world.step("header", "user", stored=False)
        pipeline = world.pipeline()
        assert pipeline.peek("user") is None
        assert {name: state.would for name, state in pipeline.states().items()} == {
            "device": "log in",
            "app": "log in",
            "user": "log in",
            "header": "compute",
        }
        assert world.took() == []
        pipeline.obtain(["user"])
        world.took()
        world.clock.pass_(hours=2)
        states = pipeline.states()
        assert [states[name].would for name in pipeline.steps] == ["use", "use", "refresh", "compute"]
        assert [states[name].alive for name in pipeline.steps] == [True, True, False, False]
        world.clock.pass_(hours=12)
        assert [state.would for state in pipeline.states().values()] == ["use", "log in", "log in", "compute"]
        assert world.took() == []


class TestPreflight:
    def test_what_a_later_step_lacks_is_told_before_the_first_request(self, world: World) -> None:
        pipeline = world.three()
        world.made["user"].missing = ForgeError("the password is missing")
        with pytest.raises(ForgeError, match="the password is missing"):
            pipeline.obtain(["user"])
        assert world.took() == []

    def test_a_refresh_needs_nothing_that_only_a_login_does(self, world: World) -> None:
        pipeline = world.three(renews=True)
        pipeline.obtain(["user"])
        world.took()
        world.clock.pass_(hours=1)
        world.made["user"].missing = ForgeError("the password is missing")
        pipeline.obtain(["user"])
        assert world.took() == ["refresh user"]

    def test_a_renewal_of_the_parent_makes_the_child_log_in_which_is_known_beforehand(self, world: World) -> None:
        pipeline = world.three(renews=True)
        pipeline.obtain(["user"])
        world.took()
        world.clock.pass_(hours=12)
        world.made["user"].missing = ForgeError("the password is missing")
        with pytest.raises(ForgeError, match="the password is missing"):
            pipeline.obtain(["user"])
        assert world.took() == []

    def test_a_person_is_asked_for_a_login_only(self, world: World) -> None:
        pipeline = world.three(renews=True)
        pipeline.obtain(["user"])
        assert [line for line in world.log if line.startswith("ask")] == ["ask device", "ask app", "ask user"]
        world.log.clear()
        world.clock.pass_(hours=1)
        pipeline.obtain(["user"])
        assert world.log == ["refresh user"]


class TestRefresh:
    def test_a_new_refresh_token_is_stored_before_the_token_is_used(self, world: World) -> None:
        pipeline = world.three(renews=True)
        pipeline.obtain(["user"])
        world.clock.pass_(hours=1)
        token = pipeline.obtain(["user"])["user"]
        stored = world.storage.get("key:user")
        assert (token.refresh_token, stored.refresh_token) == ("user-refresh-2", "user-refresh-2")

    def test_a_refused_refresh_leads_to_a_login(self, world: World) -> None:
        pipeline = world.three(renews=True)
        pipeline.obtain(["user"])
        world.took()
        world.clock.pass_(hours=1)
        world.made["user"].answers = [None]
        assert pipeline.obtain(["user"])["user"].access_token == "user-token-2"
        assert world.took() == ["refresh user", "login user"]

    def test_a_refused_refresh_token_is_not_tried_again_when_the_login_fails_too(self, world: World) -> None:
        pipeline = world.three(renews=True)
        pipeline.obtain(["user"])
        world.took()
        world.clock.pass_(hours=1)
        world.made["user"].answers = [None, StepFailed("user", "refused", status=401)]
        with pytest.raises(StepFailed):
            pipeline.obtain(["user"])
        pipeline.obtain(["user"])
        assert world.took() == ["refresh user", "login user", "login user"]

    def test_a_refresh_without_a_refresh_token_is_refused_once_and_no_more(self, world: World) -> None:
        class SelfRenewing(Made):
            def refreshable(self, current: TokenData) -> bool:
                return True

        step = world.made["user"] = SelfRenewing("user", world.clock, world.log)
        pipeline = world.pipeline()
        pipeline.obtain(["user"])
        world.took()
        world.clock.pass_(hours=1)
        step.answers = [None]
        pipeline.obtain(["user"])
        assert world.took() == ["refresh user", "login user"]

    def test_a_refusal_that_is_an_error_stands_and_keeps_the_refresh_token(self, world: World) -> None:
        pipeline = world.three(renews=True)
        pipeline.obtain(["user"])
        world.clock.pass_(seconds=3575)
        world.made["user"].answers = [StepFailed("user", "refused", status=400)]
        with pytest.raises(StepFailed):
            pipeline.obtain(["user"])
        assert world.storage.get("key:user").refresh_token == "user-refresh-1"

    @pytest.mark.parametrize(
        "trouble",
        [
            ConnectionException("connection refused"),
            TimeoutException("timed out"),
            StepFailed("user", "refused", status=503),
        ],
        ids=["no connection", "time-out", "server in trouble"],
    )
    def test_when_nobody_answers_a_token_that_is_still_valid_is_used(self, world: World, trouble: Exception) -> None:
        pipeline = world.three(renews=True)
        pipeline.obtain(["user"])
        world.clock.pass_(seconds=3575)
        world.made["user"].answers = [trouble]
        assert pipeline.obtain(["user"])["user"].access_token == "user-token-1"
        assert world.told == ["step 'user' could not renew its token, which is still valid and is used"]
        world.clock.pass_(seconds=30)
        assert pipeline.obtain(["user"])["user"].access_token == "user-token-2"

    @pytest.mark.parametrize("span", [3600, 3575], ids=["ended", "forced"])
    def test_when_nobody_answers_and_the_token_is_no_good_the_failure_stands(self, world: World, span: float) -> None:
        pipeline = world.three(renews=True)
        pipeline.obtain(["user"])
        world.clock.pass_(seconds=span)
        world.made["user"].answers = [ConnectionException("connection refused")]
        with pytest.raises(ConnectionException):
            pipeline.renew(["user"]) if span < 3600 else pipeline.obtain(["user"])
        assert world.storage.get("key:user").refresh_token == "user-refresh-1"

    def test_a_forgotten_token_is_not_used_when_nobody_answers(self, world: World) -> None:
        pipeline = world.three(renews=True)
        pipeline.obtain(["user"])
        pipeline.forget(["user"])
        world.made["user"].answers = [ConnectionException("connection refused")]
        with pytest.raises(ConnectionException):
            pipeline.obtain(["user"])


class TestRenewing:
    def test_it_renews_the_step_and_all_bound_to_it(self, world: World) -> None:
        pipeline = world.three(renews=True)
        world.step("reports", "device")
        pipeline = world.pipeline()
        pipeline.obtain(["user", "reports"])
        world.took()
        assert sorted(pipeline.renew(["app"])) == ["app", "user"]
        assert world.took() == ["login app", "login user"]

    def test_only_leaves_the_children_alive(self, world: World) -> None:
        pipeline = world.three(renews=True)
        pipeline.obtain(["user"])
        world.took()
        assert list(pipeline.renew(["app"], only=True)) == ["app"]
        pipeline.obtain(["user"])
        assert world.took() == ["login app"]

    def test_from_scratch_uses_no_refresh_token(self, world: World) -> None:
        pipeline = world.three(renews=True)
        pipeline.obtain(["user"])
        world.took()
        pipeline.renew(["user"], from_scratch=True)
        pipeline.renew(["user"])
        assert world.took() == ["login user", "refresh user"]

    def test_a_failed_renewal_leaves_the_old_tokens(self, world: World) -> None:
        pipeline = world.three(renews=True)
        pipeline.obtain(["user"])
        world.took()
        world.made["app"].answers = [StepFailed("app", "refused", status=401)]
        with pytest.raises(StepFailed):
            pipeline.renew(["app"])
        world.made["user"].answers = [None, StepFailed("user", "refused", status=401)]
        with pytest.raises(StepFailed):
            pipeline.renew(["user"])
        assert world.took() == ["login app", "refresh user", "login user"]
        assert pipeline.obtain(["user"])["user"].access_token == "user-token-1"
        assert world.took() == []

    def test_of_what_is_computed_it_renews_what_that_is_computed_from(self, world: World) -> None:
        world.step("user", renews=True)
        world.step("header", "user", stored=False)
        pipeline = world.pipeline()
        pipeline.obtain(["header"])
        world.took()
        assert sorted(pipeline.renew(["header"])) == ["header", "user"]
        assert world.took() == ["refresh user", "login header"]

    def test_a_token_that_was_renewed_since_is_taken(self, world: World) -> None:
        pipeline = world.three()
        used = pipeline.obtain(["user"])["user"]
        world.clock.pass_(seconds=1)
        pipeline.renew(["user"])
        world.took()
        assert pipeline.renew(["user"], stale={"user": used})["user"].access_token == "user-token-2"
        assert world.took() == []


class TestForgetting:
    def test_a_forgotten_token_is_not_used_but_its_refresh_token_is(self, world: World) -> None:
        pipeline = world.three(renews=True)
        pipeline.obtain(["user"])
        world.took()
        pipeline.forget(["user"])
        assert pipeline.peek("user") is None
        assert pipeline.obtain(["user"])["user"].access_token == "user-token-2"
        assert world.took() == ["refresh user"]

    def test_what_is_bound_to_it_loses_its_refresh_token_too(self, world: World) -> None:
        pipeline = world.three(renews=True)
        pipeline.obtain(["user"])
        world.took()
        world.made["app"].answers = [TokenData("app-token-1", issued_at=world.clock.now)]
        pipeline.forget(["app"])
        assert pipeline.stored("user") is None
        pipeline.obtain(["user"])
        assert world.took() == ["login app", "login user"]

    def test_it_cascades_through_every_level(self, world: World) -> None:
        pipeline = world.three(renews=True)
        pipeline.obtain(["user"])
        world.took()
        pipeline.forget(["device"])
        assert (pipeline.stored("app"), pipeline.stored("user")) == (None, None)
        pipeline.obtain(["user"])
        assert world.took() == ["login device", "login app", "login user"]

    def test_an_unbound_child_stays(self, world: World) -> None:
        world.step("assertion")
        world.step("token", "assertion", unbound=frozenset({"assertion"}))
        pipeline = world.pipeline()
        pipeline.obtain(["token"])
        world.took()
        pipeline.forget(["assertion"])
        pipeline.obtain(["token"])
        assert world.took() == []

    def test_of_what_is_computed_it_forgets_what_that_is_computed_from(self, world: World) -> None:
        world.step("user", renews=True)
        world.step("header", "user", stored=False)
        pipeline = world.pipeline()
        pipeline.obtain(["header"])
        world.took()
        pipeline.forget(["header"], pipeline.identities(pipeline.obtain(["header"])))
        world.took()
        pipeline.obtain(["header"])
        assert world.took() == ["refresh user", "login header"]

    def test_tokens_that_were_renewed_since_they_were_used_stay(self, world: World) -> None:
        world.three(renews=True)
        world.step("reports", "app")
        pipeline = world.pipeline()
        used = pipeline.identities(pipeline.obtain(["user"]))
        assert sorted(used) == ["app", "device", "user"]
        pipeline.forget(["app"], used)
        pipeline.obtain(["user", "reports"])
        world.took()
        pipeline.forget(["app"], used)
        pipeline.obtain(["user", "reports"])
        assert world.took() == []

    def test_unknown_names_are_ignored(self, world: World) -> None:
        pipeline = world.three()
        pipeline.forget(["nobody"])
        assert pipeline.clear(["nobody"]) == []

    def test_clearing_deletes_with_all_bound_to_it(self, world: World) -> None:
        pipeline = world.three(renews=True)
        pipeline.obtain(["user"])
        assert pipeline.clear(["app"]) == ["app", "user"]
        assert world.storage.keys() == ["key:device"]
        assert pipeline.clear() == ["device"]
        assert pipeline.clear() == []


class TestStorageThatCannotBeWritten:
    def test_the_token_is_used_and_one_warning_given(self, world: World) -> None:
        world.storage = Broken()
        pipeline = world.three(renews=True)
        assert pipeline.obtain(["user"])["user"].access_token == "user-token-1"
        assert pipeline.obtain(["user"])["user"].access_token == "user-token-1"
        assert world.took() == ["login device", "login app", "login user"]
        assert world.told == [
            "cannot write tokens.toml: no space left on device: "
            "the new token is used now and lost when this command ends"
        ]

    def test_it_is_an_error_where_saving_is_the_purpose(self, world: World) -> None:
        world.storage = Broken()
        world.three()
        with pytest.raises(StorageError):
            world.pipeline(strict=True).obtain(["user"])
        assert world.took() == ["login device"]

    def test_no_refresh_token_is_spent_while_the_access_token_is_good(self, world: World) -> None:
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

    def test_a_spent_refresh_token_that_is_lost_is_named(self, world: World) -> None:
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
            "the new token and its refresh token are used now and lost when this command ends"
        ]

    def test_no_room_is_reserved_where_no_refresh_token_is_spent(self, world: World) -> None:
        world.storage = Broken()
        world.storage.full = False
        world.three().obtain(["user"])
        assert world.storage.reserved == 0

    def test_forgetting_and_clearing_work_for_this_process(self, world: World) -> None:
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


class TestThreads:
    def test_any_number_of_threads_log_in_once(self, world: World) -> None:
        pipeline = world.three()
        tokens = side_by_side(lambda: pipeline.obtain(["user"])["user"].access_token)
        assert set(tokens) == {"user-token-1"}
        assert sorted(world.took()) == ["login app", "login device", "login user"]

    def test_threads_with_pipelines_of_their_own_log_in_once_too(self, world: World) -> None:
        world.three()
        side_by_side(lambda: world.pipeline().obtain(["user"]))
        assert sorted(world.took()) == ["login app", "login device", "login user"]

    def test_a_storm_of_refusals_renews_once(self, world: World) -> None:
        pipeline = world.three(renews=True)
        used = pipeline.identities(pipeline.obtain(["user"]))
        world.took()

        def refused() -> str:
            pipeline.forget(["app"], used)
            return pipeline.obtain(["user"])["user"].access_token

        assert set(side_by_side(refused)) == {"user-token-2"}
        assert sorted(world.took()) == ["login app", "login user"]

    def test_threads_that_replace_one_token_renew_it_once(self, world: World) -> None:
        pipeline = world.three(renews=True)
        used = pipeline.obtain(["user"])["user"]
        world.took()
        world.clock.pass_(seconds=1)
        tokens = side_by_side(lambda: pipeline.renew(["user"], stale={"user": used})["user"].access_token)
        assert set(tokens) == {"user-token-2"}
        assert world.took() == ["refresh user"]

    def test_those_who_wait_for_a_dead_server_share_one_failure(self, world: World) -> None:
        world.step("user")
        waiting = threading.Semaphore(0)

        class Counting(InMemoryTokenStorage):
            def lock(self, key: str, timeout: float = 60.0) -> Any:
                waiting.release()
                return super().lock(key, timeout)

        world.storage = Counting()
        pipeline = world.pipeline()

        def hold() -> None:
            for _ in range(THREADS):
                waiting.acquire(timeout=5)

        world.made["user"].hold = hold
        world.made["user"].answers = [ConnectionException("connection refused") for _ in range(THREADS)]
        errors = side_by_side(lambda: pipeline.obtain(["user"]))
        assert {type(error) for error in errors} == {ConnectionException}
        assert world.took() == ["login user"]

    def test_a_failure_is_not_remembered_for_those_who_come_later(self, world: World) -> None:
        world.step("user", answers=[ConnectionException("connection refused")])
        pipeline = world.pipeline()
        with pytest.raises(ConnectionException):
            pipeline.obtain(["user"])
        assert pipeline.obtain(["user"])["user"].access_token == "user-token-1"

    def test_invalidation_in_between_ends_with_one_token_for_all(self, world: World) -> None:
        pipeline = world.three(renews=True)
        order = iter(range(THREADS))

        def mixed() -> str:
            match next(order) % 4:
                case 0:
                    pipeline.clear(["user"])
                case 1:
                    pipeline.renew(["user"])
                case 2:
                    pipeline.forget(["app"])
            return pipeline.obtain(["user"])["user"].access_token

        results = side_by_side(mixed)
        assert all(isinstance(result, str) for result in results)
        last = pipeline.obtain(["user"])["user"]
        assert world.storage.get("key:user") == last

    def test_a_parent_that_was_renewed_while_the_lock_was_waited_for_is_taken(self, world: World) -> None:
        """Else a process would log in with the token that another has just replaced."""
        pipeline = world.three()
        pipeline.obtain(["app"])
        world.took()
        newer = TokenData("app-token-2", expires_at=world.clock.now + timedelta(hours=1), issued_at=world.clock.now)
        with world.storage.lock("key:user"):
            late = threading.Thread(target=lambda: pipeline.obtain(["user"]), daemon=True)
            late.start()
            while world.log != ["ask user"]:  # by now its parents are settled
                threading.Event().wait(0.001)
            world.storage.set("key:app", newer)
        late.join(5)
        assert world.storage.get("key:user").meta["parents"]["app"] == identity(newer)

    def test_a_step_may_ask_its_own_pipeline_to_forget(self, world: World) -> None:
        pipeline = world.three()
        world.made["user"].hold = lambda: pipeline.clear() and None
        assert pipeline.obtain(["user"])["user"].access_token == "user-token-1"

    def test_a_lock_is_waited_for_no_longer_than_the_deadline(self, world: World) -> None:
        pipeline = world.three()
        with world.storage.lock("key:device"), pytest.raises(LockTimeout):
            pipeline.obtain(["user"], Deadline(0.01))
