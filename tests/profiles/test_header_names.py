"""Names of header fields, wherever a profile has one."""

from __future__ import annotations

import tomllib

import pytest

from forge_cli.profiles.header_names import problems

STEP = 'auth.steps.s.request.url = "/t"\nauth.steps.s.'
INJECT = 'auth.inject = [{ in = "cookie", name = "a b" }, { in = "header", name = "NAME" }]'
PLACES = {
    "headers.NAME": 'headers = { "NAME" = "x", Accept = "y" }',
    "correlation_id": 'correlation_id = "NAME"',
    "auth.name": 'auth = { type = "api-key", name = "NAME", key = "k" }',
    "auth.steps.s.request.headers.NAME": f'{STEP}request.headers."NAME" = "x"',
    "auth.steps.s.refresh.request.headers.NAME": f'{STEP}refresh.request.headers."NAME" = "x"',
    "auth.steps.s.extract.token.header": f'{STEP}extract.token.header = "NAME"',
    "auth.steps.s.extract.token.or.1.header": f'{STEP}extract.token.or = ["/a", {{ header = "NAME" }}]',
    "auth.steps.s.refresh.extract.token.header": f'{STEP}refresh.extract.token.header = "NAME"',
    "auth.steps.s.success.header.NAME": f'{STEP}success.header."NAME" = "x"',
    "auth.inject.1.name": INJECT,
    "auth.invalidate.0.when.header.NAME": 'auth.invalidate = [{ when = { header = { "NAME" = "x" } }, steps = [] }]',
}


def found(text: str) -> list[str]:
    return [".".join(map(str, problem.path)) for problem in problems(tomllib.loads(text))]


@pytest.mark.parametrize(("path", "text"), PLACES.items(), ids=PLACES)
@pytest.mark.parametrize("name", ["X Token", "X-Token:", "Ünicode", ""])
def test_a_name_that_no_header_can_have_is_a_problem(path: str, text: str, name: str) -> None:
    assert found(text.replace("NAME", name)) == [path.replace("NAME", name)]


@pytest.mark.parametrize("text", PLACES.values(), ids=PLACES)
def test_another_name_is_fine(text: str) -> None:
    assert found(text.replace("NAME", "X-Token_1.a")) == []


@pytest.mark.parametrize("place", ["auth.name", "auth.inject.1.name"])
def test_a_name_that_is_filled_in_is_not_known_yet(place: str) -> None:
    assert found(PLACES[place].replace("NAME", "${vars.name}")) == []


@pytest.mark.parametrize(
    "text",
    [
        'auth = { type = "api-key", in = "query", name = "a b", key = "k" }',
        f'{STEP}request.json = {{ request = {{ headers = {{ "a b" = 1 }} }} }}',
        "headers = 1\nauth = 1",
        "auth.steps = 1\nauth.inject = [1]\nauth.invalidate = 1",
        "auth.steps.s = 1",
        f"{STEP}extract = 1\nauth.steps.s.success = 1",
    ],
)
def test_what_is_no_header_name_is_left_alone(text: str) -> None:
    assert found(text) == []
