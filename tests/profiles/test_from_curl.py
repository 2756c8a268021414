"""A login of several steps, from cURL commands."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.curl import quote
from forge_cli.curl.importing import parse
from forge_cli.errors import UsageError
from forge_cli.profiles.from_curl import Place, drafted

URL = "https://api.example.com"


def profile(*commands: str, **outputs: dict[str, Place]) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(drafted("x", parse("\n\n".join(commands)), outputs).text)
    return dict(found["profiles"]["x"])


def steps(*commands: str, **outputs: dict[str, Place]) -> dict[str, Any]:
    return dict(profile(*commands, **outputs)["auth"]["steps"])


def request(options: str, url: str = f"{URL}/t") -> dict[str, Any]:
    found: dict[str, Any] = steps(f"curl {quote(url)} {options}")["step1"]["request"]
    return found


def test_each_command_is_a_step_and_the_last_has_the_base_url() -> None:
    found = profile("curl https://id.example.com/login -d a=b", f"curl {URL}/session -X PUT")
    assert found["base_url"] == URL
    assert [each["request"]["url"] for each in found["auth"]["steps"].values()] == [
        "https://id.example.com/login",
        "/session",
    ]
    assert found["auth"]["steps"]["step2"]["request"]["method"] == "PUT"


def test_steps_come_in_the_order_of_the_commands() -> None:
    found = steps("curl https://a.example/1", "curl https://a.example/2", "curl https://a.example/${steps.step2.token}")
    assert [each.get("needs") for each in found.values()] == [None, ["step1"], None]


@pytest.mark.parametrize("quotes", ["'", '"'])
def test_a_reference_stays_one_wherever_it_is(quotes: str) -> None:
    reference = "${steps.step1.token}"
    options = (
        f"-H {quotes}Authorization: Bearer {reference}{quotes} -b {quotes}sid={reference}{quotes} "
        f"-u {quotes}ada:{reference}{quotes} -d {quotes}token={reference}{quotes}"
    )
    found = steps(
        f"curl {URL}/1", f"curl {quotes}{URL}/2?key={reference}{quotes} {options}", step2={"token": "/access_token"}
    )["step2"]
    assert "needs" not in found
    assert found["request"] == {
        "method": "POST",
        "url": "/2",
        "query": {"key": reference},
        "headers": {"Authorization": f"Bearer {reference}", "Cookie": f"sid={reference}"},
        "basic": ["ada", reference],
        "form": {"token": reference},
    }


@pytest.mark.parametrize(
    ("options", "place"),
    [
        pytest.param(
            "-H 'X-Token: ${steps.step1.token}'",
            {"in": "header", "name": "X-Token", "value": "${steps.step1.token}"},
            id="a header",
        ),
        pytest.param(
            '-b "sid=${steps.step1.token}"',
            {"in": "cookie", "name": "sid", "value": "${steps.step1.token}"},
            id="a cookie",
        ),
        pytest.param(
            "-u '${steps.step1.id}:${steps.step1.token}'",
            {"in": "basic", "name": "${steps.step1.id}", "value": "${steps.step1.token}"},
            id="Basic",
        ),
        pytest.param(
            "-G -d key='${steps.step1.token}'",
            {"in": "query", "name": "key", "value": "${steps.step1.token}"},
            id="a parameter",
        ),
    ],
)
def test_the_last_command_says_where_the_token_goes(options: str, place: dict[str, str]) -> None:
    found = profile(f"curl https://id.example.com/login -d a=b\ncurl {URL}/users -k -H 'Accept: a/b' {options}")
    assert found["base_url"] == URL
    assert found["verify"] is False
    assert found["headers"] == {"Accept": "a/b"}
    assert list(found["auth"]["steps"]) == ["step1"]
    assert found["auth"]["inject"] == [place]


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(f"curl {URL}/2 -d 'token=${{steps.step1.token}}'", id="in the body"),
        pytest.param(f"curl {URL}/2/${{steps.step1.id}} -H 'X-Token: ${{steps.step1.token}}'", id="in the path"),
        pytest.param(f"curl {URL}/2 -H 'X-Token: ${{vars.token}}'", id="of no step"),
        pytest.param(f"curl {URL}/2", id="nowhere"),
    ],
)
def test_any_other_last_command_is_a_step(command: str) -> None:
    found = profile(f"curl {URL}/1\n{command}")
    assert list(found["auth"]["steps"]) == ["step1", "step2"] and "inject" not in found["auth"]


def test_a_command_whose_answer_is_wanted_is_a_step() -> None:
    command = f"curl {URL}/1\ncurl {URL}/2 -H 'X-Token: ${{steps.step1.token}}'"
    assert list(steps(command, step2={"token": "/t"})) == ["step1", "step2"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param("-d a=1 -d a=2 -d b=3", {"form": {"a": ["1", "2"], "b": "3"}}, id="a form"),
        pytest.param("--json '{\"a\": [1, true]}'", {"json": {"a": [1, True]}}, id="JSON"),
        pytest.param("--json '{\"a\": null}'", {"text": '{"a": null}'}, id="JSON that TOML cannot say"),
        pytest.param("-H 'Content-Type: text/xml' -d '<a/>'", {"text": "<a/>"}, id="text"),
        pytest.param(
            "-F a=b -F 'c=d;type=text/css'",
            {"multipart": {"a": "b", "c": {"content": "d", "type": "text/css"}}},
            id="parts",
        ),
        pytest.param(
            "--digest -u 'a:$P'",
            {"sign": {"type": "digest", "username": "a", "password": "${secrets.password}"}},
            id="digest",
        ),
        pytest.param("-u ada", {"basic": ["ada", "${secrets.password}"]}, id="a password that is asked for"),
        pytest.param("-L --max-redirs 3 -m 9", {"redirects": 3, "timeout": 9}, id="how"),
        pytest.param("-d 'a=${x}'", {"form": {"a": "$${x}"}}, id="what is no reference"),
        pytest.param("-H 'Host: x' -H 'Sec-Fetch-Mode: cors' -H 'X-A: b'", {"headers": {"X-A": "b"}}, id="a browser"),
    ],
)
def test_a_request_says_what_the_command_sends(options: str, said: dict[str, Any]) -> None:
    found = request(options)
    assert {name: found[name] for name in said} == said


def test_secrets_become_variables_and_are_not_in_the_text() -> None:
    made = drafted(
        "x", parse(f"curl {URL}/1 -u ada:fake-one-1 -d password=fake-two-2\ncurl {URL}/2 -u ada:fake-three-3"), {}
    )
    assert "fake-" not in made.text
    secrets = tomllib.loads(made.text)["profiles"]["x"]["secrets"]
    assert {place["env"] for place in secrets.values()} == {variable.name for variable in made.variables}
    assert len(secrets) == 3


def test_variables_of_the_shell_are_read_from_the_environment() -> None:
    found = profile(f'curl "{URL}/$TENANT/t" -H "X-Key: $MY_TOKEN" -d "at=$(date)"')
    found_request = found["auth"]["steps"]["step1"]["request"]
    assert found_request["url"] == "/${env.TENANT}/t"
    assert found_request["headers"] == {"X-Key": "${secrets.my_token}"}
    assert found_request["form"] == {"at": "${secrets.value}"}
    assert found["secrets"] == {"my_token": {"env": "MY_TOKEN"}, "value": {"env": "X_VALUE"}}


def test_outputs_are_extracted_and_what_is_not_said_is_to_be_filled_in() -> None:
    made = drafted("x", parse(f"curl {URL}/1\ncurl {URL}/2"), {"step1": {"token": "/t", "id": {"header": "X-Id"}}})
    assert made.unfinished
    assert 'extract = { token = "/t", id = { header = "X-Id" } }\n' in made.text
    assert made.text.count("FILL IN") == 1
    assert not drafted("x", parse(f"curl {URL}/1"), {"step1": {"token": "/t"}}).unfinished


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (f"curl {URL}/ -d @file", "content of a file"),
        (f"curl {URL}/ -F a=@file", "content of a file"),
        (f"curl {URL}/ --aws-sigv4 aws:amz:eu:s3 -u a:b", "--aws-sigv4"),
        ('curl "$URL/x"', "begins with a variable"),
    ],
)
def test_what_no_step_can_send_is_said(command: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        drafted("x", parse(command), {})


@given(
    headers=st.dictionaries(
        st.sampled_from(["X-A", "X-B", "Authorization"]),
        st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126)),
        max_size=3,
    ),
    fields=st.lists(st.tuples(st.sampled_from("abc"), st.text(max_size=9)), max_size=4),
)
def test_any_command_makes_a_profile_that_is_toml(headers: dict[str, str], fields: list[tuple[str, str]]) -> None:
    options = [f"-H {quote(f'{name}: {value}')}" for name, value in headers.items() if value]
    options += [f"--data-urlencode {quote(f'{name}={value}')}" for name, value in fields if "\0" not in value]
    try:
        requests = parse(f"curl {URL}/t {' '.join(options)}")
    except UsageError:
        return
    made = drafted("x", requests, {})
    assert tomllib.loads(made.text)["profiles"]["x"]["base_url"] == URL
