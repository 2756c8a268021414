"""A step that fails for the tokens of others: which of them are made anew, and when the step is run again."""

from __future__ import annotations

import pytest

from forge_cli.errors import StepFailed
from forge_cli.models import TokenData
from tests.tokens.made import World


def blaming(step: str, *blames: str) -> StepFailed:
    failure = StepFailed(step, "refused", status=401)
    failure.blames = blames
    return failure


@pytest.fixture
def ready(world: World) -> World:
    """A login of three steps, and one beside them, whose user token has ended; nobody has taken its log yet."""
    world.step("other", life=None)
    world.three().obtain(["user"])
    world.pipeline().obtain(["other"])
    world.clock.pass_(hours=1)
    world.took()
    return world


def test_a_stored_token_that_is_blamed_is_made_anew_and_the_step_run_again(ready: World) -> None:
    ready.made["user"].answers = [blaming("user", "app")]
    assert ready.pipeline().obtain(["user"])["user"].access_token == "user-token-2"
    assert ready.took() == ["login user", "login app", "login user"]


def test_what_is_bound_to_the_one_that_is_blamed_is_made_anew_too(ready: World) -> None:
    ready.made["user"].answers = [blaming("user", "device")]
    ready.pipeline().obtain(["user"])
    assert ready.took() == ["login user", "login device", "login app", "login user"]


def test_it_is_run_again_once(ready: World) -> None:
    first, second = blaming("user", "app"), blaming("user", "device")
    ready.made["user"].answers = [first, second]
    with pytest.raises(StepFailed) as caught:
        ready.pipeline().obtain(["user"])
    assert caught.value is second
    assert ready.took() == ["login user", "login app", "login user"]


@pytest.mark.parametrize("blamed", ["other", "user", "nobody"], ids=["beside it", "itself", "no step"])
def test_only_tokens_that_it_was_made_from_can_be_to_blame(ready: World, blamed: str) -> None:
    ready.made["user"].answers = [blaming("user", blamed)]
    with pytest.raises(StepFailed):
        ready.pipeline().obtain(["user"])
    assert ready.took() == ["login user"]
    assert ready.pipeline().peek("other") is not None


def test_of_several_only_those_it_was_made_from_are_forgotten(ready: World) -> None:
    ready.made["user"].answers = [blaming("user", "other", "app")]
    ready.pipeline().obtain(["user"])
    assert ready.took() == ["login user", "login app", "login user"]
    assert ready.pipeline().peek("other") is not None


def test_a_token_that_was_just_made_is_not_to_blame(ready: World) -> None:
    pipeline = ready.pipeline()
    pipeline.clear(["app"])
    ready.made["user"].answers = [blaming("user", "app")]
    with pytest.raises(StepFailed):
        pipeline.obtain(["user"])
    assert ready.took() == ["login app", "login user"]


def test_beside_one_that_was_just_made_an_older_one_is_made_anew(ready: World) -> None:
    pipeline = ready.pipeline()
    pipeline.clear(["app"])
    ready.made["user"].answers = [blaming("user", "app", "device")]
    pipeline.obtain(["user"])
    assert ready.took() == ["login app", "login user", "login device", "login app", "login user"]


def test_a_step_that_needs_none_blames_none(ready: World) -> None:
    ready.pipeline().clear(["device"])
    ready.made["device"].answers = [blaming("device", "device", "app")]
    with pytest.raises(StepFailed):
        ready.pipeline().obtain(["user"])
    assert ready.took() == ["login device"]


def test_a_step_with_a_side_effect_is_not_run_again(ready: World) -> None:
    ready.made["user"].side_effect = True
    ready.made["user"].answers = [blaming("user", "app")]
    pipeline = ready.pipeline()
    with pytest.raises(StepFailed):
        pipeline.obtain(["user"], allow=lambda step: True)
    assert ready.took() == ["login user"]
    assert pipeline.peek("app") is not None


def test_the_failure_of_a_step_of_another_login_blames_none(ready: World) -> None:
    ready.made["user"].answers = [blaming("elsewhere", "app")]
    with pytest.raises(StepFailed):
        ready.pipeline().obtain(["user"])
    assert ready.took() == ["login user"]


def test_one_whose_token_is_kept_nowhere_is_not_to_blame(world: World) -> None:
    world.step("assertion", cache="none")
    world.step("user", "assertion")
    world.made["user"].answers = [blaming("user", "assertion")]
    with pytest.raises(StepFailed):
        world.pipeline().obtain(["user"])
    assert world.took() == ["login assertion", "login user"]


def test_a_token_that_somebody_else_has_renewed_meanwhile_is_taken(ready: World) -> None:
    newer = TokenData("app-token-9", issued_at=ready.clock.now)
    ready.made["user"].answers = [blaming("user", "app")]
    ready.made["user"].hold = lambda: ready.storage.set("key:app", newer)
    ready.pipeline().obtain(["user"])
    assert ready.took() == ["login user", "login user"]
    assert ready.pipeline().peek("app") == newer


def test_a_token_that_was_just_made_in_place_of_an_ended_one_is_not_to_blame(ready: World) -> None:
    ready.clock.pass_(hours=12)
    ready.made["user"].answers = [blaming("user", "app")]
    with pytest.raises(StepFailed):
        ready.pipeline().obtain(["user"])
    assert ready.took() == ["login app", "login user"]


def test_one_that_was_left_out_is_not_to_blame(world: World) -> None:
    world.step("mfa", conditional=True, holds=False)
    world.step("user", "mfa")
    world.made["user"].answers = [blaming("user", "mfa")]
    with pytest.raises(StepFailed):
        world.pipeline().obtain(["user"])
    assert world.took() == ["login user"]


def test_renewing_goes_on_as_it_was_asked_for(world: World) -> None:
    world.step("app")
    world.step("user", "app", unbound=frozenset({"app"}), renews=True)
    pipeline = world.pipeline()
    pipeline.obtain(["user"])
    world.took()
    world.made["user"].answers = [blaming("user", "app")]
    assert pipeline.renew(["user"], from_scratch=True)["user"].access_token == "user-token-2"
    assert world.took() == ["login user", "login app", "login user"]


def test_nobody_is_asked_twice_whether_a_side_effect_may_be_had(world: World) -> None:
    world.step("code", life=0.0, side_effect=True)
    world.step("app")
    world.step("user", "code app", unbound=frozenset({"code"}), life=60.0)
    world.made["user"].answers = [world.made["user"].token(), blaming("user", "app")]
    pipeline = world.pipeline()
    pipeline.obtain(["user"])
    world.clock.pass_(minutes=2)
    world.took()
    asked: list[str] = []

    def allow(step: str) -> bool:
        asked.append(step)
        return True

    pipeline.obtain(["user"], allow=allow)
    assert asked == ["code"]
    assert world.took() == ["login code", "login user", "login app", "login code", "login user"]
