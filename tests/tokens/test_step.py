from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.models import TokenData
from forge_cli.tokens.step import bound_parents, identity, in_order, made_for, same
from tests.tokens.made import Clock, Made, World

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def steps(text: str) -> list[Made]:
    """Steps such as ``"user:app app"``: a name, and after a colon what it needs, joined by commas."""
    found = []
    for word in text.split():
        name, _, needs = word.partition(":")
        found.append(Made(name, Clock(), [], tuple(needs.split(",")) if needs else ()))
    return found


@pytest.mark.parametrize(
    ("given_order", "order"),
    [
        ("a b c", "a b c"),
        ("c:b b:a a", "a b c"),
        ("d:b,c b:a c:a a", "a b c d"),
        ("x b:a a y", "x a b y"),
    ],
    ids=["as given", "backwards", "diamond", "what is free stays"],
)
def test_a_step_comes_after_what_it_needs(given_order: str, order: str) -> None:
    assert list(in_order(steps(given_order))) == order.split()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:b b:a", "the steps need each other in a circle: a, b"),
        ("a:a", "the steps need each other in a circle: a"),
        ("z a:c b:a c:b", "the steps need each other in a circle: a, b, c"),
        ("a a", "two steps are called 'a'"),
        ("a:nobody", "Dependency 'nobody' of step 'a' is not available"),
    ],
)
def test_an_order_that_cannot_be_is_an_error(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        in_order(steps(text))


@given(st.integers(1, 8).flatmap(lambda size: st.tuples(st.just(size), st.randoms(use_true_random=False))))
def test_any_steps_without_a_circle_can_be_ordered(case: tuple[int, object]) -> None:
    size, random = case
    made = [
        Made(str(n), Clock(), [], tuple(str(m) for m in range(n) if random.random() < 0.4))  # type: ignore[attr-defined]
        for n in range(size)
    ]
    random.shuffle(made)  # type: ignore[attr-defined]
    done: set[str] = set()
    for name, step in in_order(made).items():
        assert set(step.needs) <= done
        done.add(name)
    assert len(done) == size


def test_a_bond_goes_through_what_is_computed_and_not_through_what_is_unbound() -> None:
    world = World()
    world.step("device")
    world.step("proof", "device", cache="computed")
    world.step("app", "proof")
    world.step("user", "app device", unbound=frozenset({"app"}))
    assert bound_parents(world.pipeline().steps) == {
        "device": (),
        "proof": ("device",),
        "app": ("device",),
        "user": ("device",),
    }


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (TokenData("user-token-1", issued_at=NOW), True),
        (TokenData("user-token-1"), True),
        (TokenData("user-token-1", issued_at=NOW.replace(hour=1)), False),
        (TokenData("user-token-2", issued_at=NOW), False),
        (None, False),
    ],
    ids=["equal", "a storage without stamps", "issued again", "another", "none"],
)
def test_two_tokens_are_the_same_when_they_were_issued_once(other: TokenData | None, expected: bool) -> None:
    token = TokenData("user-token-1", refresh_token="user-refresh-1", issued_at=NOW)
    assert same(token, other) is same(other, token) is expected
    assert same(None, None)


def test_the_identity_is_of_all_outputs_but_the_refresh_token() -> None:
    token = TokenData("user-token-1", extra={"session": "1"})
    assert identity(token) == identity(TokenData("user-token-1", refresh_token="r-1", extra={"session": "1"}))
    assert identity(token) != identity(TokenData("user-token-1", extra={"session": "2"}))
    assert "user" not in identity(token)


@pytest.mark.parametrize(
    ("wanted", "made", "expected"), [("x", "x", True), ("x", "y", False), ("x", None, True), (None, "y", True)]
)
def test_a_token_without_a_fingerprint_is_taken_at_its_word(
    wanted: str | None, made: str | None, expected: bool
) -> None:
    step = Made("user", Clock(), [], fingerprint=wanted)
    token = TokenData("user-token-1", meta={} if made is None else {"fingerprint": made})
    assert made_for(step, token) is expected
