from __future__ import annotations

import pytest

from forge_cli.curl import Slots
from forge_cli.login.placeholder import ExportHook, OfflineHook
from forge_cli.models import HttpRequest, RequestContext
from forge_cli.profiles.build import Profile
from tests.logins import THREE, made, numbered
from tests.server import Server

ENVIRON = {"TOKEN": "env-token-1", "PASSWORD": "user-password-1"}
SECRETS = """
[profiles.demo.secrets]
env = { env = "PASSWORD" }
file = { file = "/nowhere" }
typed = { prompt = "Password" }
"""


def pipeline(*places: str, steps: str = "") -> str:
    return f'{SECRETS}[profiles.demo.auth]\ntype = "pipeline"\ninject = [{", ".join(places)}]\n{steps}'


def value_step(template: str) -> str:
    return f'[profiles.demo.auth.steps.key]\nkind = "value"\nvalue = "{template}"\n'


def header(value: str, name: str = "Authorization", place: str = "header") -> str:
    return f'{{ in = "{place}", name = "{name}", value = "{value}" }}'


class TestOffline:
    def sent(self, profile: Profile) -> HttpRequest:
        request = HttpRequest("GET", "/users")
        return OfflineHook(profile.login).before_request(request, RequestContext(request))

    def test_what_is_absent_is_shown_by_name_and_nothing_is_sent(self, server: Server) -> None:
        request = self.sent(made(THREE, server.url))
        assert request.headers == {"Authorization": "Bearer <token:user>"}

    def test_what_is_there_is_used(self, server: Server) -> None:
        for name in ("device", "app", "user"):
            server.reply(f"/{name}", numbered(name, expires_in=3600))
        profile = made(THREE, server.url)
        profile.login.pipeline.obtain(["user"])
        assert self.sent(profile).headers == {"Authorization": "Bearer user-token-1"}

    def test_a_value_is_computed_from_what_is_there(self, server: Server) -> None:
        server.reply("/device", numbered("device"))
        text = THREE + value_step("<${steps.device.token}>")
        text += f"[[profiles.demo.auth.inject]]\n{header('${steps.key.token}')[2:-2].replace(', ', chr(10))}\n"
        profile = made(text, server.url)
        assert self.sent(profile).headers == {"Authorization": "<token:key>"}
        profile.login.pipeline.obtain(["device"])
        assert self.sent(profile).headers == {"Authorization": "<device-token-1>"}

    @pytest.mark.parametrize(
        ("reference", "expected"),
        [("env.TOKEN", "env-token-1"), ("env.NOBODY", "<token:key>"), ("secrets.typed", "<token:key>")],
        ids=["there", "not there", "typed"],
    )
    def test_a_value_that_cannot_be_computed_is_absent_too(self, reference: str, expected: str) -> None:
        text = pipeline(header("${steps.key.token}"), steps=value_step(f"${{{reference}}}"))
        assert self.sent(made(text, "http://localhost", environ=ENVIRON)).headers == {"Authorization": expected}

    def test_an_answer_renews_nothing(self) -> None:
        hook = OfflineHook(made(THREE, "http://localhost").login)
        assert not hook.recover(None, RequestContext(HttpRequest("GET", "/")))


class TestExport:
    """A header with its shell expression between ``<`` and ``>``."""

    def sent(self, text: str, request: HttpRequest | None = None) -> tuple[HttpRequest, list[str], Slots]:
        slots, warned = Slots(), list[str]()
        hook = ExportHook(
            made(text, "http://localhost", environ=ENVIRON).login,
            slots,
            tokens=lambda step, output: f"$(token {step} {output})",
            header=lambda name: None if name == "X-None" else f"$(header {name})",
            warn=warned.append,
        )
        request = request or HttpRequest("GET", "/users")
        return hook.before_request(request, RequestContext(request)), warned, slots

    @pytest.mark.parametrize(
        ("place", "expected"),
        [
            (header("Bearer ${steps.user.token}"), "Bearer <$(token user token)>"),
            (header("${steps.user.refresh_token}"), "<$(token user refresh_token)>"),
            (header("${env.TOKEN}"), "<$TOKEN>"),
            (header("${secrets.env}"), "<$PASSWORD>"),
            (header("${secrets.file}"), "<$(header Authorization)>"),
            (header("${steps.user.token | b64}"), "<$(header Authorization)>"),
            (header("${steps.user.token}${steps.app.token}"), "<$(header Authorization)>"),
            (header("${steps.user.token}", "ada", "basic"), "<$(header Authorization)>"),
        ],
    )
    def test_a_header_becomes_what_yields_it(self, place: str, expected: str) -> None:
        steps = THREE.partition('"pipeline"')[2]
        request, warned, slots = self.sent(pipeline(place, steps=steps))
        pieces = slots.split(dict(request.headers or {})["Authorization"])
        assert "".join(piece if isinstance(piece, str) else f"<{piece.expression}>" for piece in pieces) == expected
        assert warned == []

    @pytest.mark.parametrize(
        ("template", "expected"),
        [("${env.TOKEN}", "$TOKEN"), ("${secrets.env}", "$PASSWORD"), ("x${env.TOKEN}", "$(token key token)")],
    )
    def test_a_value_step_that_is_one_variable_is_that_variable(self, template: str, expected: str) -> None:
        request, _, slots = self.sent(pipeline(header("${steps.key.token}"), steps=value_step(template)))
        [piece] = slots.split(dict(request.headers or {})["Authorization"])
        assert not isinstance(piece, str)
        assert piece.expression == expected

    @pytest.mark.parametrize("place", ["query", "cookie"])
    def test_what_nothing_yields_is_redacted_and_told(self, place: str) -> None:
        request, warned, _ = self.sent(pipeline(header("${secrets.file}", "key", place)))
        assert "<redacted>" in f"{request.params} {request.cookies}"
        assert warned == ["key"]

    def test_a_header_that_nothing_yields_is_redacted_too(self) -> None:
        request, warned, _ = self.sent(pipeline(header("${secrets.file}", "X-None")))
        assert (request.headers, warned) == ({"X-None": "<redacted>"}, ["X-None"])

    def test_what_the_caller_states_is_left_alone(self) -> None:
        own = HttpRequest("GET", "/users", headers={"Authorization": "mine"})
        assert self.sent(pipeline(header("${env.TOKEN}")), own)[0] is not None
        assert self.sent(pipeline(header("${env.TOKEN}")), own)[0].headers == {"Authorization": "mine"}

    @pytest.mark.parametrize(
        ("template", "expected"),
        [("plain", "plain"), ("${vars.shop}", "acme"), ("${env.TOKEN}", "$TOKEN"), ("x${secrets.file}", "<redacted>")],
    )
    def test_headers_of_the_profile_hold_no_secret(self, template: str, expected: str) -> None:
        slots, warned = Slots(), list[str]()
        login = made('vars = { shop = "acme" }\n' + pipeline(), "http://localhost", environ=ENVIRON).login
        hook = ExportHook(login, slots, tokens=lambda s, o: None, header=lambda n: None, warn=warned.append)
        pieces = slots.split(hook.text(template, "X-Own"))
        assert [piece if isinstance(piece, str) else piece.expression for piece in pieces] == [expected]
        assert warned == (["X-Own"] if expected == "<redacted>" else [])
