"""The commands against a server that somebody else wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Forge, Require


def answer(forge: Forge, *words: str, **settings: Any) -> Any:
    result = forge(*words, **settings)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("verb", ["get", "post", "put", "patch", "delete"])
def test_verbs_with_a_query(forge: Forge, httpbin: str, verb: str) -> None:
    found = answer(forge, verb, f"{httpbin}/{verb}", "a==1", "a==2", "b==é &=")
    assert found["args"] == {"a": ["1", "2"], "b": "é &="}


def test_head_has_no_body(forge: Forge, httpbin: str) -> None:
    result = forge("head", f"{httpbin}/get", "-v")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "< HTTP/1.1 200 OK" in result.stderr


def test_options_are_allowed(forge: Forge, httpbin: str) -> None:
    result = forge("options", f"{httpbin}/get", "-v")
    assert result.exit_code == 0
    assert "< Allow:" in result.stderr


def test_json_items(forge: Forge, httpbin: str) -> None:
    found = answer(forge, "post", f"{httpbin}/anything", "name=Ada", "n:=1", "deep[list][]=x", "X-Trace:abc")
    assert found["json"] == {"name": "Ada", "n": 1, "deep": {"list": ["x"]}}
    assert found["headers"]["X-Trace"] == "abc"
    assert found["headers"]["Content-Type"] == "application/json"


def test_a_form(forge: Forge, httpbin: str) -> None:
    assert answer(forge, "post", f"{httpbin}/post", "-f", "a=1 &=", "b=é")["form"] == {"a": "1 &=", "b": "é"}


def test_a_multipart_body(forge: Forge, httpbin: str) -> None:
    Path("doc.txt").write_text("hello")
    found = answer(forge, "post", f"{httpbin}/post", "a=1", "doc@doc.txt;type=text/plain")
    assert (found["form"], found["files"]) == ({"a": "1"}, {"doc": "hello"})


def test_a_raw_body_from_standard_input(forge: Forge, httpbin: str) -> None:
    words = ["put", f"{httpbin}/put", "-d", "@-", "-H", "Content-Type: text/plain"]
    assert answer(forge, *words, input="raw")["data"] == "raw"


@pytest.mark.parametrize(
    ("status", "code"), [(200, 0), (201, 0), (304, 0), (404, 4), (418, 4), (500, 5), (502, 5)], ids=str
)
def test_a_status_is_an_exit_code(forge: Forge, httpbin: str, status: int, code: int) -> None:
    assert forge("get", f"{httpbin}/status/{status}", "--retry", "0").exit_code == code


@pytest.mark.parametrize("kind", ["redirect", "relative-redirect", "absolute-redirect"])
def test_redirects_are_followed(forge: Forge, httpbin: str, kind: str) -> None:
    assert answer(forge, "get", f"{httpbin}/{kind}/3")["url"] == f"{httpbin}/get"


def test_redirects_end(forge: Forge, httpbin: str) -> None:
    assert forge("get", f"{httpbin}/redirect/4", "--max-redirects", "3").exit_code == 6
    assert forge("get", f"{httpbin}/redirect/1", "--no-follow").exit_code == 3


@pytest.mark.parametrize("status", [307, 308])
def test_a_post_stays_one_where_the_status_says_so(forge: Forge, httpbin: str, status: int) -> None:
    url = f"{httpbin}/redirect-to"
    found = answer(forge, "post", url, "url==/anything", f"status_code=={status}", "a=1")
    assert (found["method"], found["json"]) == ("POST", {"a": "1"})


def test_a_post_becomes_a_get_after_303(forge: Forge, httpbin: str) -> None:
    found = answer(forge, "post", f"{httpbin}/redirect-to", "url==/anything", "status_code==303", "a=1")
    assert (found["method"], found["data"]) == ("GET", "")


def test_basic_authentication(forge: Forge, httpbin: str) -> None:
    url = f"{httpbin}/basic-auth/ada/pass-word-1"
    found = answer(forge, "get", url, "-u", "env:LOGIN", env={"LOGIN": "ada:pass-word-1"})
    assert found == {"authenticated": True, "user": "ada"}
    assert forge("get", url, "-u", "env:LOGIN", env={"LOGIN": "ada:wrong-word"}).exit_code == 4


def test_a_bearer_token(forge: Forge, httpbin: str) -> None:
    found = answer(forge, "get", f"{httpbin}/bearer", "--bearer", "env:TOKEN", env={"TOKEN": "user-token-1"})
    assert found["token"] == "user-token-1"
    assert forge("get", f"{httpbin}/bearer").exit_code == 4


@pytest.mark.parametrize("coding", ["gzip", "deflate", "brotli"])
def test_a_compressed_body_arrives_plain(forge: Forge, httpbin: str, coding: str) -> None:
    if coding == "brotli":
        Require().package("brotli")
    found = answer(forge, "get", f"{httpbin}/{coding}")
    assert found["brotli" if coding == "brotli" else "gzipped" if coding == "gzip" else "deflated"] is True


def test_a_delay_beyond_the_timeout_is_exit_28(forge: Forge, httpbin: str) -> None:
    assert forge("get", f"{httpbin}/delay/5", "--timeout", "0.3").exit_code == 28


def test_a_dripping_body_beyond_the_timeout_is_exit_28(forge: Forge, httpbin: str) -> None:
    result = forge("get", f"{httpbin}/drip", "duration==5", "numbytes==50", "delay==0", "--timeout", "0.5")
    assert result.exit_code == 28


def test_a_stream_comes_line_by_line(forge: Forge, httpbin: str) -> None:
    lines = forge("get", f"{httpbin}/stream/5").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [0, 1, 2, 3, 4]


def test_bytes_arrive_as_they_are(forge: Forge, httpbin: str) -> None:
    url = f"{httpbin}/bytes/100000"
    first, second = (forge("get", url, "seed==1").stdout_bytes for _ in range(2))
    assert len(first) == 100_000
    assert first == second
    assert forge("get", url, "seed==1", "-o", "out").exit_code == 0
    assert Path("out").read_bytes() == first


def test_cookies_live_for_one_command(forge: Forge, httpbin: str) -> None:
    assert answer(forge, "get", f"{httpbin}/cookies/set", "a==1")["cookies"] == {"a": "1"}
    assert answer(forge, "get", f"{httpbin}/cookies")["cookies"] == {}


def test_an_image_is_named_on_a_terminal(forge: Forge, httpbin: str) -> None:
    result = forge("get", f"{httpbin}/image/png", tty=True)
    assert result.exit_code == 0
    assert "bytes of image/png not shown" in result.stderr


@pytest.mark.parametrize("path", ["/encoding/utf8", "/html", "/xml", "/robots.txt", "/deny"])
def test_other_text_is_shown_on_a_terminal(forge: Forge, httpbin: str, path: str) -> None:
    result = forge("get", f"{httpbin}{path}", tty=True)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith("\n")
