"""B5: what is masked in one place is masked in all, and no message quotes the value of an argument."""

from __future__ import annotations

from pathlib import Path

import pytest

from forge_cli.redact import REDACTOR
from tests.canaries import Canaries
from tests.conftest import Forge
from tests.server import Reply, Server

TICKET = "ST-4815162342canaryabcdefgh"
SECRET = "Hunter2Canary99zz"


def spoken(value: object) -> str:
    return " ".join(value) if isinstance(value, tuple) else str(value)


@pytest.mark.parametrize(
    ("words", "code"),
    [(("-L",), 0), (("-v",), 0), (("--no-follow",), 3), (("--format", "exchange"), 0), (("--har", "x.har"), 0)],
    ids=spoken,
)
def test_what_a_redirect_says_that_looks_secret_is_masked_wherever_it_is_repeated(
    forge: Forge, server: Server, canaries: Canaries, words: tuple[str, ...], code: int
) -> None:
    canaries(TICKET)
    server.reply(
        "/redirect", Reply(302, headers={"Location": f"/cb?sso_ticket={TICKET}&page=2&st=aB3dE6gH9jK2mN5p%3D"})
    )
    server.reply("/cb", Reply(200, {"said": TICKET} if "--format" in words else {}), optional=True)
    result = forge("get", f"{server.url}/redirect", *words)
    assert result.exit_code == code, result.stderr
    shown = result.stdout + result.stderr + (Path("x.har").read_text() if "--har" in words else "")
    assert "aB3" not in shown
    assert "page=2" in shown or words == ("-L",)


def test_a_server_cannot_drive_secrets_out_by_what_it_says() -> None:
    REDACTOR.add("a-secret-of-mine-1")
    for number in range(2000):
        REDACTOR.hear(f"/x?a=aB3dE6gH9jK2mN5p{number}")
    assert REDACTOR.text("a-secret-of-mine-1") == "***"
    assert len(REDACTOR._heard) == 100


@pytest.mark.parametrize(
    "words",
    [
        ("-H", f"Authorization Bearer {SECRET}"),
        (f"Authorization Bearer {SECRET}",),
        (f"Authorization Bearer {SECRET}:",),
        (f"{SECRET}",),
        (f"={SECRET}",),
        (f"password:={SECRET}",),
        (f"pass word {SECRET}:=x",),
        (f"password=@{SECRET}",),
        (f"password;type={SECRET}",),
        ("-q", f"password{SECRET}"),
        ("-q", f"password {SECRET}"),
        ("--timeout", SECRET),
        ("--retry", f"Bearer {SECRET}"),
        (f"--follow={SECRET}",),
        (f"--bearertoken={SECRET}",),
        ("--var", SECRET),
        ("--expect", f"body:/a {SECRET}"),
        ("--expect", f"other=={SECRET}"),
    ],
    ids=spoken,
)
@pytest.mark.parametrize("debug", [(), ("--debug",)], ids=["", "debug"])
def test_a_usage_error_quotes_no_value(forge: Forge, words: tuple[str, ...], debug: tuple[str, ...]) -> None:
    result = forge("get", "https://api.example.com/x", *words, *debug)
    assert result.exit_code == 2, result.stderr
    assert SECRET.lower() not in (result.stdout + result.stderr).lower()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-H", f"Authorization Bearer {SECRET}"), "'Authorization…' is not a request item"),
        (("-q", "page 2"), "--query 'page…' is not NAME=VALUE"),
        (("-q", "page"), "--query 'page' is not NAME=VALUE"),
        (("--timeout", "5x"), "'5x' is not a number of seconds"),
        (("a[b]:={",), "'a[b]:=' is not JSON"),
        (("a=@missing.txt",), "cannot read 'missing.txt'"),
    ],
    ids=spoken,
)
def test_it_still_says_what_is_meant(forge: Forge, words: tuple[str, ...], message: str) -> None:
    assert message in forge("get", "https://api.example.com/x", *words).stderr


@pytest.mark.parametrize(
    ("words", "known"),
    [
        (("X-Foo:@given",), True),
        (("foo==@given",), True),
        (("-H", "@header"), True),
        (("-q", "@query"), True),
        (("password=@given",), True),
        (("a[pin]=@given",), True),
        (("foo=@given",), False),
        (("foo:=@json",), False),
        (("Accept:@given",), False),
        (("foo==@short",), False),
        (("-q", "@words"), False),
    ],
    ids=spoken,
)
def test_a_value_from_a_file_is_a_secret_unless_it_is_data(
    forge: Forge, server: Server, words: tuple[str, ...], known: bool
) -> None:
    Path("given").write_text(f"{SECRET}\n")
    Path("header").write_text(f"X-Foo: {SECRET}\nAccept: text/plain, text/html;q=0.9\n")
    Path("query").write_text(f"foo={SECRET}\n")
    Path("json").write_text(f'"{SECRET}"')
    Path("short").write_text("abc")
    Path("words").write_text("sort=by-name\npage=2\n")
    server.reply("/x", Reply(headers={"X-Echo": f"{SECRET} abc by-name text/plain, text/html;q=0.9"}))
    shown = forge("post", f"{server.url}/x", *words, "-v").stderr
    assert (SECRET not in shown) is known
    assert f"{'***' if known else SECRET} abc by-name text/plain, text/html;q=0.9" in shown


@pytest.mark.parametrize("words", [("X-Foo:@given",), ("-H", "@header")], ids=spoken)
def test_a_header_from_a_file_stays_at_its_origin(
    forge: Forge, server: Server, other_server: Server, words: tuple[str, ...]
) -> None:
    Path("given").write_text(SECRET)
    Path("header").write_text(f"X-Foo: {SECRET}\nAccept: text/plain\n")
    server.reply("/x", Reply(302, headers={"Location": f"{other_server.url}/y?foo={SECRET}"}))
    other_server.reply("/y", Reply())
    result = forge("get", f"{server.url}/x", *words, "X-Bar:plain", "foo==@given")
    assert result.exit_code == 0 and "credentials were left out" in result.stderr
    [first], [seen] = server.seen, other_server.seen
    assert first.headers["X-Foo"] == SECRET
    assert (seen.headers["X-Foo"], seen.headers["X-Bar"], seen.target) == (None, "plain", "/y")
    assert words[0] != "-H" or seen.headers["Accept"] == "text/plain"
