"""The engine: refreshing, renewing and forgetting, and what a failure leaves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from forge_cli.errors import AuthenticationException, ConnectionException, StepFailed, TimeoutException
from forge_cli.models import TokenData
from tests.tokens.made import Made, World


def test_a_new_refresh_token_is_stored_before_the_token_is_used(world: World) -> None:
    pipeline = world.three(renews=True)
    pipeline.obtain(["user"])
    world.clock.pass_(hours=1)
    token = pipeline.obtain(["user"])["user"]
    stored = world.storage.get("key:user")
    assert (token.refresh_token, stored.refresh_token) == ("user-refresh-2", "user-refresh-2")


def test_a_refused_refresh_leads_to_a_login(world: World) -> None:
    pipeline = world.three(renews=True)
    pipeline.obtain(["user"])
    world.took()
    world.clock.pass_(hours=1)
    world.made["user"].answers = [None]
    assert pipeline.obtain(["user"])["user"].access_token == "user-token-2"
    assert world.took() == ["refresh user", "login user"]


def test_a_refused_refresh_token_is_not_tried_again_when_the_login_fails_too(world: World) -> None:
    pipeline = world.three(renews=True)
    pipeline.obtain(["user"])
    world.took()
    world.clock.pass_(hours=1)
    world.made["user"].answers = [None, StepFailed("user", "refused", status=401)]
    with pytest.raises(StepFailed):
        pipeline.obtain(["user"])
    assert world.storage.get("key:user").refresh_token is None
    pipeline.obtain(["user"])
    assert world.took() == ["refresh user", "login user", "login user"]


def test_a_refresh_without_a_refresh_token_is_refused_once_and_no_more(world: World) -> None:
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


@pytest.mark.parametrize("status", [400, 428, None])
def test_a_refusal_that_is_an_error_stands_and_keeps_the_refresh_token(world: World, status: int | None) -> None:
    pipeline = world.three(renews=True)
    pipeline.obtain(["user"])
    world.clock.pass_(seconds=3575)
    world.made["user"].answers = [StepFailed("user", "refused", status=status)]
    with pytest.raises(StepFailed):
        pipeline.obtain(["user"])
    assert world.storage.get("key:user").refresh_token == "user-refresh-1"


@pytest.mark.parametrize(
    "trouble",
    [
        ConnectionException("connection refused"),
        TimeoutException("timed out"),
        StepFailed("user", "refused", status=503),
        StepFailed("user", "refused", status=429),
        AuthenticationException("no token", ConnectionException("connection refused")),
    ],
    ids=["no connection", "time-out", "server in trouble", "too many requests", "no connection of a provider"],
)
def test_when_nobody_answers_a_token_that_is_still_valid_is_used(world: World, trouble: Exception) -> None:
    pipeline = world.three(renews=True)
    pipeline.obtain(["user"])
    world.clock.pass_(seconds=3575)
    world.made["user"].answers = [trouble]
    assert pipeline.obtain(["user"])["user"].access_token == "user-token-1"
    assert world.told == ["step 'user' could not renew its token, which is still valid and is used"]
    world.clock.pass_(seconds=30)
    assert pipeline.obtain(["user"])["user"].access_token == "user-token-2"


@pytest.mark.parametrize("span", [3600, 3575], ids=["ended", "forced"])
def test_when_nobody_answers_and_the_token_is_no_good_the_failure_stands(world: World, span: float) -> None:
    pipeline = world.three(renews=True)
    pipeline.obtain(["user"])
    world.clock.pass_(seconds=span)
    world.made["user"].answers = [ConnectionException("connection refused")]
    with pytest.raises(ConnectionException):
        pipeline.renew(["user"]) if span < 3600 else pipeline.obtain(["user"])
    assert world.storage.get("key:user").refresh_token == "user-refresh-1"


def test_a_forgotten_token_is_not_used_when_nobody_answers(world: World) -> None:
    pipeline = world.three(renews=True)
    pipeline.obtain(["user"])
    pipeline.forget(["user"])
    world.made["user"].answers = [ConnectionException("connection refused")]
    with pytest.raises(ConnectionException):
        pipeline.obtain(["user"])


def test_it_renews_the_step_and_all_bound_to_it(world: World) -> None:
    pipeline = world.three(renews=True)
    world.step("reports", "device")
    pipeline = world.pipeline()
    pipeline.obtain(["user", "reports"])
    world.took()
    assert sorted(pipeline.renew(["app"])) == ["app", "user"]
    assert world.took() == ["login app", "login user"]


def test_only_leaves_the_children_alive(world: World) -> None:
    pipeline = world.three(renews=True)
    pipeline.obtain(["user"])
    world.took()
    assert list(pipeline.renew(["app"], only=True)) == ["app"]
    pipeline.obtain(["user"])
    assert world.took() == ["login app"]


def test_only_does_not_revive_what_was_made_from_another_parent(world: World) -> None:
    pipeline = world.three()
    pipeline.obtain(["user"])
    old = world.storage.get("key:user")
    pipeline.renew(["app"])
    world.storage.set("key:user", old)
    pipeline.renew(["app"], only=True)
    assert pipeline.peek("user") is None


def test_from_scratch_uses_no_refresh_token(world: World) -> None:
    pipeline = world.three(renews=True)
    pipeline.obtain(["user"])
    world.took()
    pipeline.renew(["user"], from_scratch=True)
    pipeline.renew(["user"])
    assert world.took() == ["login user", "refresh user"]


def test_a_failed_renewal_leaves_the_old_tokens(world: World) -> None:
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


def test_of_what_is_computed_it_renews_what_that_is_computed_from(world: World) -> None:
    world.step("user", renews=True)
    world.step("header", "user", cache="computed")
    pipeline = world.pipeline()
    pipeline.obtain(["header"])
    world.took()
    assert sorted(pipeline.renew(["header"])) == ["header", "user"]
    assert world.took() == ["refresh user", "login header"]


def test_a_token_that_was_renewed_since_is_taken(world: World) -> None:
    pipeline = world.three()
    used = pipeline.obtain(["user"])["user"]
    world.clock.pass_(seconds=1)
    pipeline.renew(["user"])
    world.took()
    assert pipeline.renew(["user"], stale={"user": used})["user"].access_token == "user-token-2"
    assert world.took() == []


def test_a_forgotten_token_is_not_used_but_its_refresh_token_is(world: World) -> None:
    pipeline = world.three(renews=True)
    pipeline.obtain(["user"])
    world.took()
    pipeline.forget(["user"])
    assert pipeline.peek("user") is None
    assert pipeline.obtain(["user"])["user"].access_token == "user-token-2"
    assert world.took() == ["refresh user"]


def test_what_is_bound_to_it_loses_its_refresh_token_too(world: World) -> None:
    pipeline = world.three(renews=True)
    pipeline.obtain(["user"])
    world.took()
    world.made["app"].answers = [TokenData("app-token-1", issued_at=world.clock.now)]
    pipeline.forget(["app"])
    assert pipeline.stored("user") is None
    pipeline.obtain(["user"])
    assert world.took() == ["login app", "login user"]


def test_it_cascades_through_every_level(world: World) -> None:
    pipeline = world.three(renews=True)
    pipeline.obtain(["user"])
    world.took()
    pipeline.forget(["device"])
    assert (pipeline.stored("app"), pipeline.stored("user")) == (None, None)
    pipeline.obtain(["user"])
    assert world.took() == ["login device", "login app", "login user"]


def test_an_unbound_child_stays(world: World) -> None:
    world.step("assertion")
    world.step("token", "assertion", unbound=frozenset({"assertion"}))
    pipeline = world.pipeline()
    pipeline.obtain(["token"])
    world.took()
    pipeline.forget(["assertion"])
    pipeline.obtain(["token"])
    assert world.took() == []


def test_of_what_is_computed_it_forgets_what_that_is_computed_from(world: World) -> None:
    world.step("user", renews=True)
    world.step("header", "user", cache="computed")
    pipeline = world.pipeline()
    pipeline.obtain(["header"])
    world.took()
    pipeline.forget(["header"], pipeline.identities(pipeline.obtain(["header"])))
    world.took()
    pipeline.obtain(["header"])
    assert world.took() == ["refresh user", "login header"]


def test_tokens_that_were_renewed_since_they_were_used_stay(world: World) -> None:
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


def test_what_was_used_is_known_from_the_token_alone(world: World) -> None:
    """The tokens it was made from may be gone from the storage by the time that somebody asks."""
    pipeline = world.three(renews=True)
    tokens = pipeline.obtain(["user"])
    used = pipeline.identities(tokens)
    world.storage.delete("key:app")
    world.storage.delete("key:device")
    assert pipeline.identities(tokens) == used
    assert sorted(used) == ["app", "device", "user"]
    pipeline.obtain(["user"])
    world.took()
    pipeline.forget(["device"], used)
    pipeline.obtain(["user"])
    assert world.took() == []


def test_a_refresh_does_not_lose_what_the_token_was_first_made_from(world: World) -> None:
    world.step("assertion", life=600.0)
    world.step("token", "assertion", unbound=frozenset({"assertion"}), renews=True)
    pipeline = world.pipeline()
    first = pipeline.identities(pipeline.obtain(["token"]))
    world.clock.pass_(hours=2)
    assert pipeline.identities(pipeline.obtain(["token"]))["assertion"] == first["assertion"]


def test_a_child_that_was_made_from_a_newer_parent_stays_as_it_is(world: World) -> None:
    pipeline = world.three()
    user = pipeline.obtain(["user"])["user"]
    newer = replace(user, meta={**user.meta, "parents": {"app": "another", "device": "another"}})
    world.storage.set("key:user", newer)
    pipeline.forget(["app"])
    assert pipeline.stored("user") == newer


def test_a_parent_that_another_step_only_passed_through_is_the_one_that_counts(world: World) -> None:
    """The ticket was made from an older device token, to which it is not bound; the user from the newer one."""
    world.step("device", life=600.0)
    world.step("ticket", "device", unbound=frozenset({"device"}), life=7200.0)
    world.step("user", "device ticket", life=60.0)
    pipeline = world.pipeline()
    pipeline.obtain(["user"])
    world.took()
    world.clock.pass_(minutes=11)
    pipeline.obtain(["user"])
    pipeline.obtain(["user"])
    assert world.took() == ["login device", "login user"]


def test_what_is_renewed_alone_stays_known_to_all_that_was_made_from_it(world: World) -> None:
    pipeline = world.three()
    pipeline.obtain(["user"])
    pipeline.renew(["device"], only=True)
    used = pipeline.identities(pipeline.obtain(["user"]))
    world.took()
    pipeline.forget(["device"], used)
    pipeline.obtain(["user"])
    assert world.took() == ["login device", "login app", "login user"]


def test_unknown_names_are_ignored(world: World) -> None:
    pipeline = world.three()
    pipeline.forget(["nobody"])
    assert pipeline.clear(["nobody"]) == []


def test_what_was_never_obtained_can_be_forgotten(world: World) -> None:
    pipeline = world.three()
    pipeline.obtain(["app"])
    world.took()
    pipeline.forget(["app", "user"])
    pipeline.obtain(["user"])
    assert world.took() == ["login app", "login user"]


def test_clearing_deletes_with_all_bound_to_it(world: World) -> None:
    pipeline = world.three(renews=True)
    pipeline.obtain(["user"])
    assert pipeline.clear(["app"]) == ["app", "user"]
    assert world.storage.keys() == ["key:device"]
    assert pipeline.clear() == ["device"]
    assert pipeline.clear() == []


def test_clearing_reaches_every_level(world: World) -> None:
    pipeline = world.three()
    pipeline.obtain(["user"])
    assert pipeline.clear(["device"]) == ["device", "app", "user"]


def test_a_token_that_never_ends_is_told_from_one_of_unknown_end(world: World) -> None:
    world.step("user", answers=[TokenData("user-token-1", meta={"never": True, "private": "x"})])
    token = world.pipeline().obtain(["user"])["user"]
    assert dict(token.meta) == {"step": "user", "never": True}


def test_the_child_of_a_newer_parent_is_not_forgotten_with_the_old_one(world: World) -> None:
    """Another process has renewed the child already, from a parent that it has not stored yet."""
    pipeline = world.three()
    pipeline.obtain(["user"])
    child = world.storage.get("key:user")
    newer = replace(child, meta={**child.meta, "parents": {**child.meta["parents"], "app": "another"}})
    world.storage.set("key:user", newer)
    pipeline.forget(["app"])
    assert world.storage.get("key:app").meta["forgotten"] is True
    assert "forgotten" not in world.storage.get("key:user").meta
