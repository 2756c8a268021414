"""A body on its way out: to a person, to a pipe, to a file."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from forge_cli.cli.output.body import copy, output_file, show
from forge_cli.client import HttpClient, StreamedResponse
from forge_cli.errors import StorageError
from forge_cli.models import HttpRequest
from tests.server import Reply, Server


@pytest.fixture
def client() -> Iterator[HttpClient]:
    with HttpClient() as made:
        yield made


def response(client: HttpClient, server: Server, body: bytes, content_type: str | None) -> StreamedResponse:
    headers = {} if content_type is None else {"Content-Type": content_type}
    return client.send(HttpRequest("GET", server.reply("/x", Reply(200, body, headers))))


def shown(answer: StreamedResponse, *, color: bool = False, head: bool = False) -> tuple[str, str | None]:
    stream = io.StringIO()
    said = show(answer, stream, color=color, head=head)
    answer.close()
    return stream.getvalue(), said


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        (b'{"b":1,"a":2}', "application/json", '{\n  "b": 1,\n  "a": 2\n}\n'),
        (b"[1]\n", "application/problem+json; charset=utf-8", "[\n  1\n]\n"),
        (b"[1]", "text/plain", "[\n  1\n]\n"),
        (b"[1]", "text/html", "[1]\n"),
        (b"<p>", "text/html", "<p>\n"),
        (b"plain\n", None, "plain\n"),
        ("é".encode("latin-1"), "text/plain; charset=iso-8859-1", "é\n"),
        (b"\xef\xbb\xbf[1]", "application/json", "[\n  1\n]\n"),
        (b"a\x1b[2Jb\r\nc", "text/plain", "a\\x1b[2Jb\nc\n"),
        ("\u202eevil".encode(), "text/plain", "\\u202eevil\n"),
        (b'"\x1b]0;owned\x07"', "application/json", '"\\x1b]0;owned\\x07"\n'),
        (b"", "application/json", ""),
        (b"not json", "application/json", "not json\n"),
        (b"a\xffb", "text/plain", "a\ufffdb\n"),
        (b"[red]x[/nope]", "text/plain", "[red]x[/nope]\n"),
        (b"\0", "text/plain; charset=no-such-charset", "\\x00\n"),
    ],
    ids=repr,
)
def test_text_is_shown_and_ends_its_line(
    client: HttpClient, server: Server, body: bytes, kind: str | None, text: str
) -> None:
    assert shown(response(client, server, body, kind)) == (text, None)


def test_json_is_coloured(client: HttpClient, server: Server) -> None:
    text, _ = shown(response(client, server, b'{"a": 1}', "application/json"), color=True)
    assert text == '{\n  \x1b[94m"a"\x1b[0m: \x1b[36m1\x1b[0m\n}\n'


@pytest.mark.parametrize("kind", ["image/png", "application/octet-stream", None], ids=str)
def test_binary_data_is_named_and_not_shown(client: HttpClient, server: Server, kind: str | None) -> None:
    text, said = shown(response(client, server, b"\x89PNG\0\xff", kind))
    assert text == ""
    assert said == f"6 bytes of {kind or 'binary data'} not shown: save them with -o FILE"


def test_a_character_cut_by_the_sample_is_not_binary(client: HttpClient, server: Server) -> None:
    text, said = shown(response(client, server, b"a" * 4095 + "é".encode(), None))
    assert (len(text), said) == (4097, None)


def test_a_body_over_10_mib_is_not_shown(client: HttpClient, server: Server) -> None:
    text, said = shown(response(client, server, b" " * (10 * 1024 * 1024 + 1), "text/plain"))
    assert text == ""
    assert said == "the body is larger than 10 MiB: save it with -o FILE"


def test_the_head_comes_first(client: HttpClient, server: Server) -> None:
    text, _ = shown(response(client, server, b"body", "text/plain"), head=True)
    assert text == "HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: 4\n\nbody\n"


def test_a_copy_is_exact(client: HttpClient, server: Server) -> None:
    body, stream = bytes(range(256)) * 1000, io.BytesIO()
    answer = response(client, server, body, "application/json")
    assert copy(answer, stream) == len(body)
    assert stream.getvalue() == body
    answer.close()


class TestOutputFile:
    """A file that is there whole, or as it was."""

    def test_it_appears_when_all_went_well(self) -> None:
        with output_file("out") as file:
            file.write(b"new")
            assert not Path("out").exists()
        assert Path("out").read_bytes() == b"new"

    def test_the_old_one_stays_after_a_failure(self) -> None:
        Path("out").write_text("old")
        writing = output_file("out")
        writing.__enter__().write(b"new")
        assert writing.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None) is False
        assert [(path.name, path.read_text()) for path in Path().iterdir()] == [("out", "old")]

    def test_the_umask_decides_the_mode_of_a_new_one(self) -> None:
        mask = os.umask(0o027)
        try:
            with output_file("out"):
                pass
        finally:
            os.umask(mask)
        assert stat.S_IMODE(Path("out").stat().st_mode) == 0o640

    def test_an_old_one_keeps_its_mode(self) -> None:
        Path("out").write_text("old")
        Path("out").chmod(0o600)
        with output_file("out") as file:
            file.write(b"new")
        assert stat.S_IMODE(Path("out").stat().st_mode) == 0o600

    def test_a_link_stays_a_link(self) -> None:
        Path("real").write_text("old")
        Path("link").symlink_to("real")
        with output_file("link") as file:
            file.write(b"new")
        assert Path("link").is_symlink()
        assert Path("real").read_text() == "new"

    def test_a_device_is_written_to(self) -> None:
        with output_file("/dev/null") as file:
            file.write(b"new")
        assert not Path("/dev/null").is_file()

    def test_the_home_directory_may_be_a_tilde(self, own_home: Path) -> None:
        with output_file("~/out"):
            pass
        assert (own_home / "out").exists()

    @pytest.mark.parametrize("path", [".", "no/such/out", "a" * 300], ids=["a folder", "no folder", "a long name"])
    def test_what_cannot_be_made_is_said_at_once(self, path: str) -> None:
        with pytest.raises(StorageError, match="cannot write"), output_file(path):
            pytest.fail("nothing must be sent")
