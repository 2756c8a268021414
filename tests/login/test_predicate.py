"""Tests on values and answers: what holds, what is ill-formed, and what is said when one fails."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.login.definition import ConditionTable, SuccessTable, WhenTable
from forge_cli.login.predicate import answer_matches, condition_holds, failed_test, holds, problem
from forge_cli.models import Headers

ABSENT = object()

plain = st.one_of(
    st.booleans(), st.integers(-2, 2), st.sampled_from([0.0, 1.0, 0.5]), st.sampled_from(["", "a", "ab", "1"])
)
predicates = st.recursive(
    st.one_of(plain, st.lists(plain, max_size=3)),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "matches": st.sampled_from(["", "a", "^a$", "[0-9]"]),
            "in": st.lists(plain, max_size=3),
            "not": inner,
            "exists": st.booleans(),
        },
    ).filter(bool),
    max_leaves=4,
)
anything = st.recursive(
    st.one_of(st.none(), plain, st.text(max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["matches", "in", "not", "exists", "equals"]), inner, max_size=3),
    ),
)


@pytest.mark.parametrize(
    ("predicate", "value", "result"),
    [
        (401, 401, True),
        (401, 403, False),
        (401, "401", False),
        (1, 1.0, True),
        (True, True, True),
        (True, 1, False),
        (1, True, False),
        (False, 0, False),
        ("ok", "ok", True),
        ("ok", "OK", False),
        ("ok", None, False),
        ("ok", ABSENT, False),
        ([200, 201], 201, True),
        ([200, 201], 204, False),
        ([1], True, False),
        ([], 200, False),
        (["a"], ABSENT, False),
        ({"in": ["a", "b"]}, "b", True),
        ({"in": ["a", "b"]}, "c", False),
        ({"in": ["a"]}, ABSENT, False),
        ({"not": "a"}, "b", True),
        ({"not": "a"}, "a", False),
        ({"not": "a"}, ABSENT, True),
        ({"not": ["a", "b"]}, "b", False),
        ({"not": {"matches": "^ERR"}}, "ERR_1", False),
        ({"not": {"matches": "^ERR"}}, "OK", True),
        ({"not": {"exists": True}}, ABSENT, True),
        ({"exists": True}, None, True),
        ({"exists": True}, ABSENT, False),
        ({"exists": False}, ABSENT, True),
        ({"exists": False}, "a", False),
        ({"matches": "/login"}, "https://h/login?x", True),
        ({"matches": "^/login$"}, "/login/x", False),
        ({"matches": "^4"}, 401, True),
        ({"matches": "true"}, True, True),
        ({"matches": ""}, None, False),
        ({"matches": ""}, {"a": 1}, False),
        ({"matches": ""}, ABSENT, False),
        ({"matches": "^E", "not": "E2"}, "E1", True),
        ({"matches": "^E", "not": "E2"}, "E2", False),
        ({"exists": True, "in": [1, 2]}, 3, False),
    ],
)
def test_a_predicate_holds_or_not(predicate: Any, value: Any, result: bool) -> None:
    present = value is not ABSENT
    assert problem(predicate) is None
    assert holds(predicate, value if present else None, present) is result


@pytest.mark.parametrize(
    ("predicate", "said"),
    [
        ({}, "an empty test; keys are matches, in, not, exists"),
        ({"matchs": "a"}, "unknown key 'matchs' (nearest: matches)"),
        ({"equals": "a"}, "unknown key 'equals' (nearest: matches, in, not, exists)"),
        ({"matches": "("}, "`matches` is no regular expression: missing ), unterminated subpattern"),
        ({"matches": "[[a]"}, "`matches` is ambiguous: write `\\[`, `\\&`, `\\~` or `\\|` inside a set"),
        ({"matches": "(" * 5000 + ")" * 5000}, "`matches` is too large a regular expression"),
        ({"matches": 4}, "`matches` is a regular expression in quotes"),
        ({"exists": "yes"}, "`exists` is true or false"),
        ({"in": "a"}, "`in` is a list"),
        ({"in": [["a"]]}, "a list of a test holds only text, numbers, true and false"),
        ([{"matches": "a"}], "a list of a test holds only text, numbers, true and false"),
        ({"not": {"matches": "("}}, "`matches` is no regular expression: missing ), unterminated subpattern"),
        ({"not": {}}, "an empty test; keys are matches, in, not, exists"),
        (None, "a test is a plain value, a list or a table, not null"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_an_ill_formed_predicate_is_told_why(predicate: Any, said: str) -> None:
    assert problem(predicate) == said


def test_predicates_have_a_depth_limit() -> None:
    predicate: Any = "a"
    for _ in range(100_000):
        predicate = {"not": predicate}
    assert problem(predicate) == "a test is nested too deeply"


@given(anything)
def test_any_value_is_well_formed_or_told_why(predicate: Any) -> None:
    if problem(predicate) is None:
        assert holds(predicate, "a") in (True, False)
        assert holds(predicate, None, present=False) in (True, False)


@given(predicates, st.one_of(st.none(), plain))
def test_not_is_the_opposite_and_a_list_is_any_of(predicate: Any, value: Any) -> None:
    assert problem(predicate) is None
    for present in (True, False):
        result = holds(predicate, value, present)
        assert holds({"not": predicate}, value, present) is not result
        if isinstance(predicate, list):
            assert holds({"in": predicate}, value, present) is result
            assert any(holds(item, value, present) for item in predicate) is result
        if isinstance(predicate, dict):
            assert all(holds({key: test}, value, present) for key, test in predicate.items()) is result


ERROR = {
    "error": {"code": "APP_TOKEN_EXPIRED"},
    "code": 4011,
    "login": {"code": "login-code-1"},
    "ok": False,
    "data": [1],
    "access_token": "user-token-1",
}
HEADERS = Headers([("Location", "/login?next=1"), ("X-Left", "0"), ("X-Auth-Token", "user-token-1")])


@pytest.mark.parametrize(
    ("when", "said"),
    [
        (WhenTable(), None),
        (SuccessTable(), None),
        (WhenTable(status=401, body={"/error/code": "APP_TOKEN_EXPIRED"}), None),
        (WhenTable(status=[400, 401]), None),
        (WhenTable(status={"not": 401}), "the status is 401"),
        (WhenTable(status=200, body={"/ok": True}), "the status is 401"),
        (SuccessTable(body={"/ok": True}), "'/ok' is false"),
        (WhenTable(header={"location": {"matches": "/login"}}), None),
        (WhenTable(header={"x-left": 0}), None),
        (WhenTable(header={"X-Left": {"in": [1, 2]}}), "header 'X-Left' is '0'"),
        (WhenTable(header={"X-Left": {"not": 0}}), "header 'X-Left' is '0'"),
        (WhenTable(header={"X-None": {"exists": False}}), None),
        (WhenTable(header={"X-None": "a"}), "header 'X-None' is absent"),
        (WhenTable(header={"X-Auth-Token": "a"}), "header 'X-Auth-Token' is ***"),
        (WhenTable(header={"X-Left": 0}, body={"/none": {"exists": True}}), "'/none' is absent"),
        (WhenTable(body={"/error/code": "X"}), "'/error/code' is 'APP_TOKEN_EXPIRED'"),
        (WhenTable(body={"/code": 0}), "'/code' is 4011"),
        (WhenTable(body={"/login/code": "X"}), "'/login/code' is ***"),
        (WhenTable(body={"/error": "X"}), "'/error' is a table"),
        (WhenTable(body={"/data": "X"}), "'/data' is a list"),
        (WhenTable(body={"/data/0": 2}), "'/data/0' is 1"),
        (WhenTable(body={"/access_token": "X"}), "'/access_token' is ***"),
        (WhenTable(body={"/none": {"exists": False}, "/ok": False}), None),
    ],
)
def test_an_answer_passes_or_the_first_test_that_fails_is_named(
    when: WhenTable | SuccessTable, said: str | None
) -> None:
    assert failed_test(when, 401, HEADERS, lambda: ERROR) == said
    assert answer_matches(when, 401, HEADERS, lambda: ERROR) is (said is None)


def test_long_values_are_cut_in_the_message() -> None:
    said = failed_test(WhenTable(body={"": "x"}), 200, {}, lambda: "no " * 400)
    assert said == f"'' is '{('no ' * 27)[:80]}…'"


@pytest.mark.parametrize(
    ("place", "value", "shown"),
    [
        ("/state", "MFA_REQUIRED", "'MFA_REQUIRED'"),
        ("/data/x", "aB3dE6gH9jK2", "***"),
        ("/error/code", "aB3dE6gH9jK2", "'aB3dE6gH9jK2'"),
        ("/note", "take aB3dE6gH9jK2mN5p now", "'take *** now'"),
    ],
)
def test_a_value_that_looks_like_a_credential_is_not_quoted(place: str, value: str, shown: str) -> None:
    body: Any = value
    for part in reversed(place.split("/")[1:]):
        body = {part: body}
    assert failed_test(WhenTable(body={place: "x"}), 200, {}, lambda: body) == f"'{place}' is {shown}"


def test_in_a_body_that_is_not_json_everything_is_absent() -> None:
    def body() -> Any:
        return json.loads("<html>")

    assert failed_test(WhenTable(body={"": {"exists": True}}), 200, {}, body) == "'' is absent"
    assert answer_matches(WhenTable(body={"/a": {"exists": False}}), 200, {}, body)


def test_the_body_is_read_once_and_only_when_the_other_tests_hold() -> None:
    reads: list[int] = []

    def body() -> Any:
        reads.append(1)
        return ERROR

    assert not answer_matches(WhenTable(status=200, body={"/ok": False}), 401, HEADERS, body)
    assert not answer_matches(WhenTable(header={"X-Left": "1"}, body={"/ok": False}), 401, HEADERS, body)
    assert answer_matches(WhenTable(status=401), 401, HEADERS, body)
    assert not reads
    assert answer_matches(WhenTable(body={"/ok": False, "/data/0": 1}), 401, HEADERS, body)
    assert len(reads) == 1


@pytest.mark.parametrize(
    ("tests", "value", "result"),
    [
        ({"equals": "MFA_REQUIRED"}, "MFA_REQUIRED", True),
        ({"equals": "MFA_REQUIRED"}, "OK", False),
        ({"equals": "MFA_REQUIRED"}, ABSENT, False),
        ({"equals": ["A", "B"]}, "B", True),
        ({"equals": False}, False, True),
        ({"equals": False}, True, False),
        ({"equals": 0}, 0, True),
        ({"in_": ("A", "B")}, "B", True),
        ({"in_": ("A", "B")}, "C", False),
        ({"in_": ()}, "C", False),
        ({"not_": "OK"}, "MFA", True),
        ({"not_": "OK"}, "OK", False),
        ({"not_": "OK"}, ABSENT, True),
        ({"exists": True}, "", True),
        ({"exists": True}, ABSENT, False),
        ({"exists": True}, None, False),
        ({"exists": False}, ABSENT, True),
        ({"exists": False}, None, True),
        ({"exists": False}, "x", False),
        ({"matches": "^MFA"}, "MFA_SMS", True),
        ({"matches": "^MFA"}, "NO_MFA", False),
        ({"matches": "^4"}, 401, True),
        ({"matches": "^MFA", "not_": "MFA_SMS"}, "MFA_SMS", False),
        ({"equals": "A", "in_": ("B",)}, "A", False),
        ({}, "x", True),
        ({}, ABSENT, False),
    ],
)
def test_a_condition_holds_or_not(tests: dict[str, Any], value: Any, result: bool) -> None:
    present = value is not ABSENT
    condition = ConditionTable(value="${steps.login.status}", **tests)
    assert condition_holds(condition, value if present else None, present) is result
