"""Names in templates, and the steps of a login."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from forge_cli.profiles import references
from forge_cli.profiles.kinds import Problem, Use
from forge_cli.profiles.reader import read
from forge_cli.profiles.schema import ProfileTable

LOGIN: dict[str, Any] = tomllib.loads(
    """
    base_url = "https://a.example"
    vars = { shop = "acme" }
    secrets = { client_secret = { env = "X" } }
    [auth]
    type = "pipeline"
    [auth.steps.app]
    request = { url = "/app", json = { secret = "${secrets.client_secret}" } }
    extract = { token = "/t", id = "/id" }
    [auth.steps.user]
    request = { url = "/user", headers = { X-App = "${steps.app.token}" } }
    extract = { token = "/t", refresh_token = "/r" }
    refresh = { request = { url = "/r", text = "${self.refresh_token}" } }
    """
)


def found(profile: dict[str, Any]) -> list[tuple[str, str]]:
    uses: list[Use] = []
    shape: list[Problem] = []
    read(ProfileTable, profile, (), shape, uses)
    return [(".".join(map(str, item.path)), item.message) for item in references.problems(profile, uses)]


def changed(change: str, tree: dict[str, Any] = LOGIN) -> dict[str, Any]:
    """The login with some of its keys replaced; a table lies over a table."""

    def lay(under: Any, over: Any) -> Any:
        if not (isinstance(under, dict) and isinstance(over, dict)):
            return over
        return {**under, **{key: lay(under.get(key), value) for key, value in over.items()}}

    result: dict[str, Any] = lay(tree, tomllib.loads(change))
    return result


def test_a_sound_login_has_no_problems() -> None:
    assert found(LOGIN) == []


@pytest.mark.parametrize(
    "text",
    [
        "${vars.shop}",
        "${env.ANYTHING}",
        "${secrets.client_secret | b64}",
        "${now}",
        "${now + 60}",
        "${uuid}",
        "${base_url}/x",
        "${'literal'}",
        "$${nothing.here}",
    ],
)
def test_a_known_reference_is_fine(text: str) -> None:
    assert found(changed(f'headers.A = "{text}"')) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${vars.shpo}", "unknown var 'shpo' (nearest: shop)"),
        ("${secrets.client_secert}", "unknown secret 'client_secert' (nearest: client_secret)"),
        ("${secrets.zzz}", "unknown secret 'zzz' (one of: client_secret)"),
        ("${env.X ?? vars.no}", "unknown var 'no'"),
        ("${secret.client_secret}", "unknown reference 'secret.client_secret' (nearest: secrets)"),
        ("${vars}", "'vars' is not a reference: write ${vars.NAME}"),
        ("${vars.a.b}", "'vars.a.b' is not a reference: write ${vars.NAME}"),
        ("${now.iso}", "'now.iso' is not a reference: write ${now}"),
        ("${steps.app.token}", "a step's output is for `auth` only"),
        ("${self.token}", "'self.token' has a value only in a step"),
    ],
)
def test_an_unknown_reference_is_named_with_the_nearest(text: str, message: str) -> None:
    ((path, words),) = found(changed(f'headers.A = "{text}"'))
    assert path == "headers.A"
    assert words.startswith(message)


@pytest.mark.parametrize(
    ("change", "path", "message"),
    [
        pytest.param(
            'auth.steps.user.request.headers.X-App = "${steps.ap.token}"',
            "auth.steps.user.request.headers.X-App",
            "unknown step 'ap' (nearest: app)",
            id="an unknown step",
        ),
        pytest.param(
            'auth.steps.user.request.headers.X-App = "${steps.app.tokn}"',
            "auth.steps.user.request.headers.X-App",
            "step 'app' has no output 'tokn' (nearest: token)",
            id="an unknown output",
        ),
        pytest.param(
            'auth.steps.user.request.headers.X-App = "${steps.app}"',
            "auth.steps.user.request.headers.X-App",
            "write ${steps.STEP.OUTPUT}",
            id="a step without an output",
        ),
        pytest.param(
            'auth.steps.user.refresh.request.text = "${self.refesh_token}"',
            "auth.steps.user.refresh.request.text",
            "the step has no output 'refesh_token' (nearest: refresh_token)",
            id="an unknown output of its own",
        ),
        pytest.param(
            'auth.steps.user.request.text = "${self.refresh_token}"',
            "auth.steps.user.request.text",
            "has a value only in `refresh`",
            id="its own output before it ran",
        ),
        pytest.param(
            'auth.inject = [{ in = "header", name = "A", value = "${steps.usr.token}" }]',
            "auth.inject.0.value",
            "unknown step 'usr' (nearest: user)",
            id="inject",
        ),
        pytest.param('base_url = "${base_url}"', "base_url", "refers to itself", id="base_url in itself"),
        pytest.param('auth.steps.user.needs = ["ap"]', "auth.steps.user.needs.0", "(nearest: app)", id="needs"),
        pytest.param('auth.steps.user.unbound = ["ap"]', "auth.steps.user.unbound.0", "(nearest: app)", id="unbound"),
        pytest.param(
            'auth.steps.app.unbound = ["user"]',
            "auth.steps.app.unbound.0",
            "neither refers to 'user' nor needs it",
            id="unbound from a step it has nothing to do with",
        ),
        pytest.param(
            'auth.invalidate = [{ when = { status = 401 }, steps = ["app", "usr"] }]',
            "auth.invalidate.0.steps.1",
            "unknown step 'usr' (nearest: user)",
            id="invalidate",
        ),
        pytest.param(
            'auth.steps.app.needs = ["user"]',
            "auth.steps.app",
            "steps need each other in a circle: app -> user -> app",
            id="a circle by needs and reference",
        ),
        pytest.param(
            'auth.steps.app.request.text = "${steps.app.token}"',
            "auth.steps.app",
            "in a circle: app -> app",
            id="a step that needs itself",
        ),
        pytest.param(
            'auth.steps.app.request.json.secret = "${env.X ?? steps.user.token}"',
            "auth.steps.app",
            "in a circle: app -> user -> app",
            id="a circle by the second choice",
        ),
        pytest.param(
            'auth.steps.other = { kind = "value", value = "x" }',
            "auth",
            "no step needs any of user, other: say with `inject`",
            id="two last steps",
        ),
        pytest.param(
            'auth.steps.b = { request = { url = "/" }, extract = { id = "/id" }, needs = ["user"] }',
            "auth.steps.b.extract",
            "one output must be `token`",
            id="no token",
        ),
        pytest.param(
            'auth.steps."a b" = { kind = "value", value = "x", needs = ["user"] }',
            "auth.steps.a b",
            "a name is 1 to 64 letters",
            id="a step's name",
        ),
        pytest.param(
            'auth.steps.app.extract."a.b" = "/x"', "auth.steps.app.extract.a.b", "a name is", id="an output's name"
        ),
        pytest.param(f'vars.{"x" * 65} = "1"', f"vars.{'x' * 65}", "a name is", id="a var's name"),
        pytest.param('secrets."" = { env = "A" }', "secrets.", "a name is", id="a secret's name"),
    ],
)
def test_what_a_login_refers_to_must_be_there(change: str, path: str, message: str) -> None:
    ((where, words),) = found(changed(change))
    assert where == path
    assert message in words


@pytest.mark.parametrize(
    "change",
    [
        pytest.param('auth.steps.user.unbound = ["app"]', id="unbound from a step referred to"),
        pytest.param(
            'auth.steps.more = { kind = "value", value = "x", needs = ["user"], unbound = ["user"] }',
            id="unbound from a step needed",
        ),
        pytest.param(
            'auth.steps.other = { kind = "value", value = "x" }\n'
            'auth.inject = [{ in = "query", name = "k", value = "${steps.other.token}-${steps.app.id}" }]',
            id="two last steps with inject",
        ),
        pytest.param(
            'auth.steps.app.refresh = { request = { url = "/" }, extract = { more = "/m" } }\n'
            'auth.steps.user.request.text = "${steps.app.more}"',
            id="an output of a refresh",
        ),
        pytest.param('auth.steps.user.refresh.request.text = "${steps.app.token}"', id="another step in a refresh"),
    ],
)
def test_what_is_there_may_be_referred_to(change: str) -> None:
    assert found(changed(change)) == []


@pytest.mark.parametrize(
    "change",
    [
        "auth = 1",
        "auth.steps = 1",
        "auth.steps.app = 1",
        "auth.steps.app.extract = 1",
        "auth.steps.app.needs = [1, 'x']",
        "auth.inject = 1",
        "auth.invalidate = 1",
        "auth.invalidate = [1, { steps = 1 }]",
        "vars = 1",
        "secrets = [1]",
    ],
)
def test_a_wrong_type_stops_nothing(change: str) -> None:
    found(changed(change))


def test_a_long_chain_of_steps_is_no_trouble() -> None:
    steps = {f"s{n}": {"kind": "value", "value": f"${{steps.s{n - 1}.token}}" if n else "x"} for n in range(300)}
    profile = {"auth": {"type": "pipeline", "steps": steps}}
    assert found(profile) == []
    steps["s0"]["value"] = "${steps.s299.token}"
    ((_, message),) = found(profile)
    assert message.startswith("steps need each other in a circle: s0 -> s299 -> ")
