"""A body on its way out: to a person, to a pipe, to a file."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from forge_cli.cli.output.body import Body, Output, show_response
from forge_cli.cli.output.shown import OutputOptions, decide
from forge_cli.client import HttpClient, StreamedResponse
from forge_cli.models import HttpRequest
from tests.server import Reply, Server


@pytest.fixture
def client() -> Iterator[HttpClient]:
    with HttpClient() as made:
        yield made


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def response(client: HttpClient, server: Server, body: bytes, content_type: str | None) -> StreamedResponse:
    headers = {} if content_type is None else {"Content-Type": content_type}
    return client.send(HttpRequest("GET", server.reply("/x", Reply(200, body, headers))))


def shown(answer: StreamedResponse, *, color: bool = False, head: bool = False) -> tuple[str, str | None]:
    stream, said = Terminal(), list[str]()
    options = OutputOptions(parts="hb" if head else "b")
    what = decide(options, stream, {"FORCE_COLOR" if color else "NO_COLOR": "1"}, 80)
    body = Body(answer, limit=what.limit, keep=None)
    show_response(answer, body, None, what, Output(stream, None), said.append)
    answer.close()
    assert len(said) <= 1
    return stream.getvalue(), said[0] if said else None


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


def test_of_a_body_over_10_mib_the_beginning_is_shown(client: HttpClient, server: Server) -> None:
    text, said = shown(response(client, server, b"x" * (10 * 1024 * 1024 + 1), "text/plain"))
    assert text == "x" * (10 * 1024 * 1024) + "\n"
    assert said == "the body is larger than 10 MiB, and only its beginning is shown: save it with -o FILE"


def test_an_endless_body_ends_there_too(client: HttpClient, server: Server) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"[" * 64 + b'"%s",' % (b"a" * 65536)

    answer = client.send(HttpRequest("GET", server.reply("/x", lambda request: Reply(200, endless()))))
    text, said = shown(answer)
    assert text.startswith("[\n  [\n") and len(text) >= 10 * 1024 * 1024
    assert said is not None and said.startswith("the body is larger than 10 MiB")


def test_of_endless_binary_data_no_more_is_read(client: HttpClient, server: Server) -> None:
    text, said = shown(response(client, server, b"\0" * (10 * 1024 * 1024 + 1), None))
    assert (text, said) == ("", "more than 10 MiB of binary data not shown: save them with -o FILE")


def test_the_head_comes_first(client: HttpClient, server: Server) -> None:
    text, _ = shown(response(client, server, b"body", "text/plain"), head=True)
    assert text == "HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: 4\n\nbody\n"


def test_a_pipe_gets_bytes_and_they_are_counted(client: HttpClient, server: Server) -> None:
    content, stream = bytes(range(256)) * 1000, io.BytesIO()
    answer = response(client, server, content, "application/json")
    what = decide(OutputOptions(), io.StringIO(), {"FORCE_COLOR": "1"}, 80)
    body = Body(answer, limit=what.limit, keep=1_000_000)
    show_response(answer, body, None, what, Output(None, stream), pytest.fail)
    assert stream.getvalue() == body.content == content
    assert body.size == len(content)
    answer.close()


def test_what_is_kept_has_an_end(client: HttpClient, server: Server) -> None:
    answer = response(client, server, b"12345", None)
    body = Body(answer, limit=None, keep=4)
    body.rest()
    assert (body.content, body.size) == (None, 5)
    answer.close()
