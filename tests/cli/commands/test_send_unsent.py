"""`--offline` and `--curl`: what is shown of a request that is not sent, and what goes with them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.conftest import Forge
from tests.server import Server

UUID = "123e4567-e89b-12d3-a456-426614174000"
SHA = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
ABOUT_AN_ANSWER = {
    "--expect": ["--expect", "status==200"],
    "--har": ["--har", "x.har"],
    "--download": ["--download"],
    "--paginate": ["--paginate"],
    "--select": ["--select", "a"],
    "--format": ["--format", "json"],
    "--meta": ["--meta"],
    "--headers": ["--headers"],
    "--body": ["--body"],
    "--stream": ["--stream"],
    "--print": ["--print", "Hh"],
}


def test_identifiers_are_shown_and_what_has_the_name_of_a_secret_is_not(forge: Forge, server: Server) -> None:
    words = (f"id={UUID}", f"sha={SHA}", "password=user-password-1")
    body = forge("post", f"{server.url}/x", *words, "--offline").stdout.partition("\n\n")[2]
    assert body == f'{{"id": "{UUID}", "sha": "{SHA}", "password": "***"}}\n'


def test_a_form_is_shown_with_its_boundaries_and_without_its_secrets(forge: Forge, server: Server) -> None:
    words = ("--multipart", f"id={UUID}", "client_secret=user-secret-1")
    head, _, body = forge("post", f"{server.url}/x", *words, "--offline").stdout.partition("\n\n")
    boundary = head.partition("boundary=")[2].splitlines()[0]
    assert "*" not in boundary
    assert [part.strip().rpartition("\n")[2] for part in body.split(f"--{boundary}")[1:-1]] == [UUID, "***"]


@pytest.mark.parametrize(
    ("size", "fill", "shown"),
    [
        (1_000_000_000, b"", "<1000000000 bytes of application/json>"),
        (2_000_000, b"", "<2000000 bytes of application/json>"),
        (
            1_000_000_000,
            b"a" * 12_000_000,
            "<1000000000 bytes of application/json: more than the 10 MiB that are shown>",
        ),
    ],
    ids=["a gigabyte of NULs", "two megabytes of NULs", "a gigabyte that begins as text"],
)
def test_of_a_body_that_is_no_text_or_too_long_the_size_is_shown(
    forge: Forge, server: Server, size: int, fill: bytes, shown: str
) -> None:
    with Path("body").open("wb") as file:
        file.write(fill)
        file.truncate(size)
    began = time.monotonic()
    result = forge("put", f"{server.url}/x", "@body", "--offline")
    assert result.stdout.partition("\n\n")[2] == shown + "\n"
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(("parts", "starts"), [("H", "POST /x HTTP/1.1\n"), ("B", '{"a": "1"}\n'), ("BH", "POST /x")])
def test_print_says_which_parts_of_the_request(forge: Forge, server: Server, parts: str, starts: str) -> None:
    shown = forge("post", f"{server.url}/x", "a=1", "--offline", "--print", parts).stdout
    assert shown.startswith(starts)
    assert ('{"a": "1"}' in shown, "POST" in shown) == ("B" in parts, "H" in parts)


def test_o_writes_the_request_into_a_file(forge: Forge, server: Server) -> None:
    result = forge("post", f"{server.url}/x", "a=1", "--offline", "-o", "request.txt")
    assert (result.exit_code, result.stdout) == (0, "")
    assert Path("request.txt").read_text().startswith("POST /x HTTP/1.1\n")
    assert Path("request.txt").read_text().endswith('\n\n{"a": "1"}\n')


@pytest.mark.parametrize("option", ABOUT_AN_ANSWER)
@pytest.mark.parametrize("unsent", ["--offline", "--curl"])
def test_what_is_about_an_answer_does_not_go_with_it(forge: Forge, server: Server, unsent: str, option: str) -> None:
    result = forge("get", f"{server.url}/x", unsent, *ABOUT_AN_ANSWER[option])
    assert (result.exit_code, result.stdout, server.connections) == (2, "", 0)
    assert result.stderr.startswith(f"forge: {unsent} and {option} cannot go together\n")


@pytest.mark.parametrize("words", [["-o", "f"], ["--print", "H"]], ids=" ".join)
def test_a_curl_command_has_no_parts_and_no_file(forge: Forge, server: Server, words: list[str]) -> None:
    result = forge("get", f"{server.url}/x", "--curl", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert not Path("f").exists()
