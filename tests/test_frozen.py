"""Classes that cannot be changed, and that a start pays little for."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import FrozenInstanceError, field
from typing import Any

import pytest

from forge_cli.frozen import immutable, immutable_by_name


@immutable
class Point:
    x: int
    y: int = 2
    tags: list[str] = field(default_factory=list, compare=False)
    secret: str = field(default="hidden", repr=False)

    @property
    def total(self) -> int:
        return self.x + self.y


@immutable_by_name
class Named:
    name: str


@immutable
class Checked:
    size: int

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError("a size is not negative")

    def __repr__(self) -> str:
        return "checked"


def test_values_are_given_in_order_or_by_name() -> None:
    assert Point(1) == Point(x=1, y=2) == Point(1, y=2)
    assert Point(1, 5).total == 6
    assert Named(name="a").name == "a"


def test_each_has_its_own_default() -> None:
    assert Point(1).tags is not Point(1).tags


@pytest.mark.parametrize(
    ("given", "named", "message"),
    [
        ((), {}, "needs 'x'"),
        ((1, 2, [], "s", 5), {}, "so many"),
        ((1,), {"z": 1}, "does not take z"),
        ((1,), {"x": 1}, "does not take x"),
    ],
)
def test_wrong_values_are_refused(given: tuple[Any, ...], named: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Point(*given, **named)


def test_by_name_means_by_name_only() -> None:
    with pytest.raises(TypeError, match="needs 'name'"):
        Named("a")  # type: ignore[call-arg]  # what is refused


def test_nothing_can_be_changed() -> None:
    point = Point(1)
    with pytest.raises(FrozenInstanceError, match=r"Point\.x"):
        point.x = 2  # type: ignore[misc]  # what is refused
    with pytest.raises(FrozenInstanceError, match=r"Point\.x"):
        del point.x
    assert dataclasses.replace(point, x=3) == Point(3)


def test_equal_ones_have_equal_hashes() -> None:
    assert Point(1, tags=["a"]) == Point(1, tags=["b"])
    assert hash(Point(1, tags=["a"])) == hash(Point(1, tags=["b"]))
    assert Point(1) != Point(2)


def test_what_is_not_to_be_shown_is_not() -> None:
    assert repr(Point(1, secret="user-token-1")) == "Point(x=1, y=2, tags=[])"
    assert repr(Checked(1)) == "checked"


def test_an_instance_is_checked_when_it_is_made() -> None:
    with pytest.raises(ValueError, match="not negative"):
        Checked(-1)


def test_it_is_a_dataclass_and_can_be_copied_pickled_and_matched() -> None:
    point = Point(1, tags=["a"])
    assert [each.name for each in dataclasses.fields(point)] == ["x", "y", "tags", "secret"]
    assert copy.deepcopy(point) == pickle.loads(pickle.dumps(point)) == point
    match point:
        case Point(x, y):
            assert (x, y) == (1, 2)
        case _:
            pytest.fail("it was not matched")
