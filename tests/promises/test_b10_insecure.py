"""B10: TLS is off only where it is said, it is said each time, and only for what it was said of."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from forge_cli import HttpClient, HttpClientConfig
from forge_cli.errors import MaxRetryException, SSLException
from tests.conftest import Forge
from tests.server import Reply, Server

WARNING = "certificates are not verified"


@pytest.fixture
def secure() -> Iterator[Server]:
    """A server whose certificate nobody knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with Server(tls=context) as server:
        yield server


@pytest.mark.parametrize("quiet", [(), ("-s",), ("-ss",)], ids=["loud", "-s", "-ss"])
@pytest.mark.parametrize("way", ["-k", "--verify", "verify"])
def test_every_run_says_so_and_nothing_silences_it(
    forge: Forge, secure: Server, profile_file: Callable[[str], Path], quiet: tuple[str, ...], way: str
) -> None:
    profile_file(f'[profiles.api]\nbase_url = "{secure.url}"\nverify = {"false" if way == "verify" else "true"}\n')
    secure.reply("/x", Reply(200, "ok"))
    words = {"-k": ("-k",), "--verify": ("--verify", "no"), "verify": ()}[way]
    for _ in range(2):
        result = forge("get", "/x", *words, *quiet)
        assert (result.exit_code, result.stdout) == (0, "ok")
        assert result.stderr.count(WARNING) == 1


def test_without_it_an_unknown_certificate_is_exit_8_and_nothing_is_sent(forge: Forge, secure: Server) -> None:
    result = forge("get", f"{secure.url}/x", "--retry", "0")
    assert (result.exit_code, secure.seen) == (8, [])
    assert WARNING not in result.stderr


def test_one_insecure_request_does_not_infect_the_next(forge: Forge, secure: Server) -> None:
    url = secure.reply("/x", Reply(200, "ok"))
    for _ in range(2):
        assert forge("get", url, "-k").exit_code == 0
        assert forge("get", url, "--retry", "0").exit_code == 8
    assert len(secure.seen) == 2


def test_nor_another_client_of_the_same_process(secure: Server) -> None:
    secure.reply("/x", Reply(200, "ok"))
    with (
        HttpClient(HttpClientConfig(secure.url, verify_ssl=False)) as loose,
        HttpClient(HttpClientConfig(secure.url)) as strict,
    ):
        for _ in range(2):
            assert loose.get("/x").text == "ok"
            with pytest.raises(MaxRetryException) as caught:
                strict.get("/x")
            assert isinstance(caught.value.original_exception, SSLException)
    assert len(secure.seen) == 2


def test_the_login_of_a_command_is_verified_nevertheless(
    forge: Forge, secure: Server, profile_file: Callable[[str], Path]
) -> None:
    profile_file(
        f'[profiles.api]\nbase_url = "{secure.url}"\n[profiles.api.auth]\ntype = "pipeline"\n'
        '[profiles.api.auth.steps.one]\nrequest = { url = "/login" }\nextract = { token = "/token" }\n'
    )
    result = forge("get", "/x", "-k", "--retry", "0")
    assert (result.exit_code, secure.seen) == (8, [])


@pytest.mark.parametrize("quiet", [(), ("-ss",)], ids=["loud", "-ss"])
@pytest.mark.parametrize(
    "words",
    [("token", "refresh"), ("token", "show", "--raw"), ("batch", "requests.jsonl")],
    ids=" ".join,
)
def test_commands_that_log_in_or_send_many_say_so_too(
    forge: Forge,
    secure: Server,
    profile_file: Callable[[str], Path],
    words: tuple[str, ...],
    quiet: tuple[str, ...],
) -> None:
    profile_file(
        f'[profiles.api]\nbase_url = "{secure.url}"\nverify = false\n[profiles.api.auth]\ntype = "pipeline"\n'
        '[profiles.api.auth.steps.one]\nrequest = { url = "/login" }\nextract = { token = "/token" }\n'
    )
    Path("requests.jsonl").write_text("/x\n")
    secure.reply("/login", Reply(200, {"token": "user-token-1"}))
    secure.reply("/x", Reply(), optional=True)
    for _ in range(2):
        result = forge(words[0], *quiet, *words[1:]) if words[0] == "batch" else forge(*words[:2], *quiet, *words[2:])
        assert result.exit_code == 0, result.stderr
        assert result.stderr.count(WARNING) == 1
