"""The engine: which steps run, in what order, and how long their tokens live."""

from __future__ import annotations

from datetime import timedelta

import pytest

from forge_cli.errors import ForgeError
from forge_cli.models import TokenData
from tests.tokens.made import World


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
    world.step("header", "app", cache="computed")
    pipeline = world.pipeline()
    assert pipeline.obtain(["header"])["header"].access_token == "header-token-1"
    assert pipeline.obtain(["header"])["header"].access_token == "header-token-2"
    assert world.took() == ["login app", "login header", "login header"]
    assert world.storage.keys() == ["key:app"]


def test_what_goes_through_a_computed_step_is_bound_to_what_that_is_computed_from(world: World) -> None:
    world.step("device")
    world.step("signature", "device", cache="computed")
    world.step("app", "signature", life=7200.0)
    pipeline = world.pipeline()
    pipeline.obtain(["app"])
    world.took()
    assert pipeline.bound_to(["device"]) == {"signature", "app"}
    world.clock.pass_(minutes=61)
    pipeline.obtain(["app"])
    assert world.took() == ["login device", "login signature", "login app"]


def test_another_pipeline_over_the_same_storage_uses_them(world: World) -> None:
    world.three().obtain(["user"])
    world.took()
    world.pipeline().obtain(["user"])
    assert world.took() == []


def test_a_token_that_does_not_say_when_it_was_issued_was_issued_now(world: World) -> None:
    world.step("user", answers=[TokenData("user-token-1")])
    assert world.pipeline().obtain(["user"])["user"].issued_at == world.clock.now


def test_a_token_that_was_made_for_something_else_is_not_used(world: World) -> None:
    world.step("user", fingerprint="ada", renews=True)
    world.pipeline().obtain(["user"])
    world.made["user"].fingerprint = "grace"
    world.pipeline().obtain(["user"])
    assert world.took() == ["login user", "login user"]


def test_a_token_that_the_caller_put_there_is_used(world: World) -> None:
    world.step("app", fingerprint="x")
    world.step("user", "app", fingerprint="y", ends_with_parents=False)
    world.storage.set("key:user", TokenData("callers-token-1"))
    assert world.pipeline().obtain(["user"])["user"].access_token == "callers-token-1"
    assert world.took() == []


def test_peeking_and_states_run_nothing(world: World) -> None:
    pipeline = world.three(renews=True)
    world.step("header", "user", cache="computed")
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


def test_what_a_later_step_lacks_is_told_before_the_first_request(world: World) -> None:
    pipeline = world.three()
    world.made["user"].missing = ForgeError("the password is missing")
    with pytest.raises(ForgeError, match="the password is missing"):
        pipeline.obtain(["user"])
    assert world.took() == []


def test_a_refresh_needs_nothing_that_only_a_login_does(world: World) -> None:
    pipeline = world.three(renews=True)
    pipeline.obtain(["user"])
    world.took()
    world.clock.pass_(hours=1)
    world.made["user"].missing = ForgeError("the password is missing")
    pipeline.obtain(["user"])
    assert world.took() == ["refresh user"]


def test_a_refresh_needs_nothing_of_a_parent_that_only_a_login_uses(world: World) -> None:
    world.step("assertion", life=600.0)
    world.step("token", "assertion", unbound=frozenset({"assertion"}), renews=True)
    pipeline = world.pipeline()
    pipeline.obtain(["token"])
    world.took()
    world.clock.pass_(minutes=70)
    world.made["assertion"].missing = ForgeError("the key is missing")
    pipeline.obtain(["token"])
    assert world.took() == ["refresh token"]


def test_a_renewal_of_the_parent_makes_the_child_log_in_which_is_known_beforehand(world: World) -> None:
    pipeline = world.three(renews=True)
    pipeline.obtain(["user"])
    world.took()
    world.clock.pass_(hours=12)
    world.made["user"].missing = ForgeError("the password is missing")
    with pytest.raises(ForgeError, match="the password is missing"):
        pipeline.obtain(["user"])
    assert world.took() == []


def test_a_person_is_asked_for_a_login_only(world: World) -> None:
    pipeline = world.three(renews=True)
    pipeline.obtain(["user"])
    assert [line for line in world.log if line.startswith("ask")] == ["ask device", "ask app", "ask user"]
    world.log.clear()
    world.clock.pass_(hours=1)
    pipeline.obtain(["user"])
    assert world.log == ["refresh user"]
