"""What strangers say is masked in a time that grows with its length, whatever it is made of."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from forge_cli.batch.quota import quotas
from forge_cli.cli.output.xml import xml
from forge_cli.curl.hiding import _JWT
from forge_cli.login.jar import _MAX_AGE
from forge_cli.models import Headers
from forge_cli.redact import Redactor, speaks

# A third of a megabyte in a third of the time: what grows faster than its length takes minutes over either.
_LENGTH = 330_000
# Each begins what one of the expressions looks for, and does not end it.
PIECES = [
    *("-eyJ", "eyJ", "eyJaaaaaaaa.", "eyJ-aaaaaaaa", "-eyJaaaaaaaa.a", "a1", "a1=", "a-1/", "a1=="),
    *("?", "&a", "?a=", "#", "/", "//", "//a:", "//:", "http://", "http://a", "http://a?", " http://"),
    *('"', '\\"', '"\\', '"a":', '":"', "'", "token", "token=", "token ", 'token="', 'token=\\"', "token:"),
    *(";name=", ';name="token"', ";name=\r\n", "\r\n\r\n", "\r\n--", "; "),
    *("<", "<a", "<token>", "<a ", "</", ">", "1.v1", "/1.v1", "/a", "a.", "aa_", "2020-01-01T", " ", "\n", "é"),
]


def _in_time(work: Callable[[], object]) -> None:
    began = time.process_time()
    work()
    assert time.process_time() - began < 0.7


@pytest.mark.parametrize("piece", PIECES)
def test_a_body_of_one_piece_again_and_again_is_masked_in_time(piece: str) -> None:
    text = piece * (_LENGTH // len(piece))
    _in_time(lambda: Redactor().content(f'form-data; name="a"\r\n</{text}\\'))
    _in_time(lambda: Redactor().success(f'"{text}\\'))


@pytest.mark.parametrize("piece", PIECES)
def test_so_are_a_header_and_an_address(piece: str) -> None:
    text = piece * (_LENGTH // len(piece))
    _in_time(lambda: Redactor().answered([("Location", f"//{text}"), ("X-A", text)]))
    _in_time(lambda: Redactor().hear(f"?{text}"))
    _in_time(lambda: [speaks("", text), speaks("", f"/{text}!")])


@pytest.mark.parametrize(
    "work",
    [
        lambda: list(xml(["<" + "a" * _LENGTH + '"'], color=True)),
        lambda: list(xml(["<a " + "a" * _LENGTH + ">"], color=True)),
        lambda: quotas(Headers({"RateLimit": '"' + '\\"a' * (_LENGTH // 3) + "\\"})),
        lambda: _MAX_AGE.fullmatch("0" * _LENGTH + "x"),
        lambda: _JWT.sub("", "-eyJ" * (_LENGTH // 4)),
    ],
    ids=["a tag", "attributes", "a quota", "the age of a cookie", "a pasted command"],
)
def test_what_else_strangers_write_is_read_in_time(work: Callable[[], object]) -> None:
    _in_time(work)
