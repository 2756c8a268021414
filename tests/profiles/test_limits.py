"""One limit for a whole command: programs and patterns of a profile end in time, and `--retry` reaches its login."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from forge_cli.errors import TimeoutException
from forge_cli.models import Deadline
from forge_cli.profiles import printed
from tests.conftest import Forge
from tests.server import Reply, Server

ProfileFile = Callable[[str], Path]
HEAD = 'default_profile = "dev"\n[profiles.dev]\nbase_url = "{url}"\n'
SLOW = '["sh", "-c", "sleep 8; echo late-token-1"]'
PROGRAMS = {
    "a secret of `auth`": f'auth = {{ type = "bearer", token = "${{secrets.t}}" }}\nsecrets.t = {{ command = {SLOW} }}',
    "a secret of a header": f'headers = {{ X-Key = "${{secrets.t}}" }}\nsecrets.t = {{ command = {SLOW} }}',
    "a secret that is kept": f'headers.X-Key = "${{secrets.t}}"\nsecrets.t = {{ command = {SLOW}, ttl = "1m" }}',
    "a step": f'auth = {{ type = "pipeline", steps = {{ s = {{ kind = "command", command = {SLOW} }} }} }}',
    "a step, and the profile's own limit": 'timeout = 0.3\nauth = { type = "pipeline", '
    f'steps = {{ s = {{ kind = "command", command = {SLOW} }} }} }}',
}


@pytest.mark.parametrize("text", PROGRAMS.values(), ids=PROGRAMS)
def test_a_program_ends_with_the_command(forge: Forge, server: Server, profile_file: ProfileFile, text: str) -> None:
    profile_file(HEAD.format(url=server.url) + text)
    began = time.monotonic()
    result = forge("get", "/x", *([] if "timeout" in text else ["--timeout", "0.3"]))
    assert time.monotonic() - began < 4
    assert (result.exit_code, result.stdout) == (28, "")
    assert "'sh' did not end within" in result.stderr


def test_a_program_ends_with_a_token_command_too(forge: Forge, server: Server, profile_file: ProfileFile) -> None:
    profile_file(HEAD.format(url=server.url) + PROGRAMS["a step"])
    began = time.monotonic()
    assert forge("token", "show", "--raw", "--timeout", "0.3").exit_code == 28
    assert time.monotonic() - began < 4


def test_what_a_program_took_is_not_there_for_the_request(
    forge: Forge, server: Server, profile_file: ProfileFile
) -> None:
    never = threading.Event()
    server.reply("/x", Reply(hold=never))
    quick = '["sh", "-c", "sleep 0.6; echo key-1"]'
    profile_file(HEAD.format(url=server.url) + f'headers.X-Key = "${{secrets.t}}"\nsecrets.t = {{ command = {quick} }}')
    began = time.monotonic()
    assert forge("get", "/x", "--timeout", "1").exit_code == 28
    assert time.monotonic() - began < 1.5
    never.set()


def test_without_time_nothing_is_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with pytest.raises(TimeoutException, match="was not run"):
        printed.run(["touch", str(mark)], [], {"PATH": "/usr/bin:/bin"}, tmp_path, Deadline(0))
    assert not mark.exists()


@pytest.mark.parametrize(
    "key",
    [
        'extract = { token = { regex = "(a+)+$" } }',
        'success = { body = { "/a" = { matches = "(a+)+$" } } }\nextract = { token = "/a" }',
    ],
    ids=["extract", "success"],
)
def test_a_pattern_that_would_run_for_years_is_given_up(
    forge: Forge, server: Server, profile_file: ProfileFile, key: str
) -> None:
    server.reply("/login", Reply(body={"a": "a" * 60 + "b"}))
    profile_file(
        HEAD.format(url=server.url)
        + f'auth.type = "pipeline"\n[profiles.dev.auth.steps.s]\nrequest.url = "/login"\n{key}\n'
    )
    began = time.monotonic()
    result = forge("get", "/x")
    assert time.monotonic() - began < 8
    assert result.exit_code == 7
    assert "takes longer than 2 s" in result.stderr
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("flags", "environ", "tries"),
    [
        pytest.param(["--retry", "0"], {}, 1, id="none"),
        pytest.param(["--retry", "1"], {}, 2, id="one"),
        pytest.param([], {"FORGE_RETRY": "0"}, 1, id="none by the environment"),
        pytest.param(["--retry", "1"], {"FORGE_RETRY": "0"}, 2, id="the flag first"),
        pytest.param([], {}, 3, id="as the profile says"),
    ],
)
@pytest.mark.parametrize("shared", [False, True], ids=["own", "shared"])
def test_the_number_of_retries_is_that_of_the_login_too(
    forge: Forge,
    server: Server,
    profile_file: ProfileFile,
    flags: list[str],
    environ: dict[str, str],
    tries: int,
    shared: bool,
) -> None:
    server.reply("/login", Reply(503, headers={"Retry-After": "0"}))
    where = "auth.one" if shared else "profiles.dev.auth"
    base = f'base_url = "{server.url}"\n' if shared else ""
    profile_file(
        HEAD.format(url=server.url)
        + "retry = { max_retries = 2, base_delay = 0 }\n"
        + ('auth = "one"\n' if shared else "")
        + f'[{where}]\ntype = "pipeline"\n{base}[{where}.steps.s]\nrequest.url = "/login"\nextract.token = "/t"\n'
    )
    assert forge("get", "/x", *flags, env=environ).exit_code == 7
    # A shared login has the usual number, 3, and nothing of the profile.
    assert len(server.seen) == (4 if shared and not flags and not environ else tries)


def test_token_commands_take_it_from_the_environment(forge: Forge, server: Server, profile_file: ProfileFile) -> None:
    server.reply("/login", Reply(503, headers={"Retry-After": "0"}))
    profile_file(
        HEAD.format(url=server.url)
        + '[profiles.dev.auth]\ntype = "pipeline"\n[profiles.dev.auth.steps.s]\nrequest.url = "/login"\n'
        'extract.token = "/t"\n'
    )
    assert forge("token", "refresh", env={"FORGE_RETRY": "0"}).exit_code == 7
    assert len(server.seen) == 1
