"""What of an exchange is shown, in which form, and where: the real command against a real server."""

from __future__ import annotations

import gzip
import json
import os
import stat
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Forge, Require
from tests.server import Reply, Server

ROOT = Path(__file__).parents[3]
PEOPLE = b'[{"id":1,"name":"Ada","n":1.50,"id":2},{"name":"B\xc3\xa9","t":[1,{"x":null}]}]'
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def people(server: Server) -> str:
    return server.reply("/people", Reply(200, PEOPLE, JSON), optional=True)


class TestParts:
    """`--print` and its short forms."""

    @pytest.mark.parametrize(
        ("words", "starts"),
        [
            (["--print", "H"], ["GET /people"]),
            (["--print", "h"], ["HTTP/1.1 200 OK"]),
            (["--headers"], ["HTTP/1.1 200 OK"]),
            (["--print", "hb"], ["HTTP/1.1 200 OK", "[{"]),
            (["--headers", "-b"], ["HTTP/1.1 200 OK", "[{"]),
            (["--print", "bhH"], ["GET /people", "HTTP/1.1 200 OK", "[{"]),
            (["-b"], ["[{"]),
        ],
        ids=" ".join,
    )
    def test_only_what_is_asked_for_reaches_a_pipe(
        self, forge: Forge, people: str, words: list[str], starts: list[str]
    ) -> None:
        result = forge("get", people, *words)
        assert (result.exit_code, result.stderr) == (0, "")
        parts = result.stdout.rstrip("\n").split("\n\n")
        assert len(parts) == len(starts)
        assert all(part.startswith(start) for part, start in zip(parts, starts, strict=True))

    def test_the_request_is_shown_with_its_body_and_without_secrets(self, forge: Forge, people: str) -> None:
        result = forge("post", people, "a=b", "password=user-password-1", "--bearer", "env:T", "--print", "HB",
                       env={"T": "user-token-1"})  # fmt: skip
        head, body = result.stdout.rstrip("\n").split("\n\n")
        assert "Authorization: Bearer ***" in head
        assert '"a": "b"' in body
        assert "user-password-1" not in result.stdout

    def test_the_request_is_shown_also_when_it_is_not_answered(self, forge: Forge) -> None:
        result = forge("get", "http://127.0.0.1:1/x", "--retry", "0", "--print", "Hh")
        assert result.exit_code == 8
        assert result.stdout.startswith("GET /x HTTP/1.1\n")

    def test_of_redirects_and_retries_the_last_request_is_shown(self, forge: Forge, server: Server) -> None:
        url = server.reply("/old", Reply(302, headers={"Location": "/new"}))
        server.reply("/new", Reply(503, headers={"Retry-After": "0"}), Reply(200, "there"))
        result = forge("get", url, "--print", "Hb", "-s")
        assert result.stdout.count("GET /") == 1
        assert result.stdout.startswith("GET /new ")
        assert result.stdout.endswith("\n\nthere")

    def test_the_body_alone_on_a_terminal(self, forge: Forge, people: str) -> None:
        shown = forge("get", people, "-b", tty=True, env={"NO_COLOR": "1"}).stdout
        assert shown.startswith('[\n  {\n    "id": 1,\n')

    def test_h_is_still_help(self, forge: Forge) -> None:
        assert "Usage:" in forge("get", "-h").stdout

    @pytest.mark.parametrize("letters", ["x", "hx", ""])
    def test_other_letters_are_a_usage_error(self, forge: Forge, server: Server, letters: str) -> None:
        result = forge("get", f"{server.url}/x", "--print", letters)
        assert (result.exit_code, server.seen) == (2, [])
        assert "H (request head)" in result.stderr

    def test_headers_alone_do_not_wait_for_the_body(self, forge: Forge, server: Server) -> None:
        never = threading.Event()

        def slow() -> Iterator[bytes]:
            yield b"x"
            never.wait(20)

        try:
            result = forge("get", server.reply("/x", lambda request: Reply(200, slow())), "--headers", "--timeout", "9")
        finally:
            never.set()
        assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "HTTP/1.1 200 OK")


class TestPretty:
    """`--pretty`: laid out, coloured, both or neither, also in a pipe."""

    BODY = b'{"b":1.10,"a":[]}'

    @pytest.mark.parametrize(
        ("how", "laid_out", "coloured"),
        [("all", True, True), ("format", True, False), ("colors", False, True), ("none", False, False)],
    )
    @pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
    def test_each_way(
        self, forge: Forge, server: Server, how: str, laid_out: bool, coloured: bool, terminal: bool
    ) -> None:
        url = server.reply("/x", Reply(200, self.BODY, JSON))
        shown = forge("get", url, "-b", "--pretty", how, tty=terminal).stdout
        assert ("\x1b[" in shown) is coloured
        assert ("\n  " in shown) is laid_out
        assert "1.10" in shown

    def test_auto_in_a_pipe_is_the_body_byte_for_byte(self, forge: Forge, server: Server) -> None:
        url = server.reply("/x", Reply(200, self.BODY, JSON))
        assert forge("get", url, "--pretty", "auto").stdout_bytes == self.BODY

    def test_force_color_colours_stdout_when_its_parts_are_named(self, forge: Forge, server: Server) -> None:
        url = server.reply("/x", Reply(200, self.BODY, JSON))
        shown = forge("get", url, "--print", "hb", env={"FORCE_COLOR": "1"}).stdout
        assert "\x1b[32m200 OK" in shown
        assert '\x1b[94m"b"\x1b[0m:\x1b[36m1.10' in shown

    def test_what_is_laid_out_for_a_pipe_keeps_every_character(self, forge: Forge, server: Server) -> None:
        url = server.reply("/x", Reply(200, '{"a":"\u202e\u2028é"}'.encode(), JSON))
        assert forge("get", url, "--pretty", "format").stdout == '{\n  "a": "\u202e\u2028é"\n}\n'

    @pytest.mark.parametrize(
        "body",
        [b"[" * 100_000 + b"]" * 100_000, b"[NaN,-Infinity,1e999999,12345678901234567890.10]", b'{"a":"\xff"}',
         b'{"a":[1,2', b'{"a":1}}}', b"\x00\x01", b'"\\ud800"', b'{"a":1,"a":2}'],
        ids=["deep", "numbers", "utf-8", "truncated", "too much", "control", "surrogate", "duplicates"],
    )  # fmt: skip
    @pytest.mark.parametrize("words", [[], ["--format", "json"], ["--stream"]], ids=str)
    def test_bad_json_is_shown_and_is_a_success(
        self, forge: Forge, server: Server, body: bytes, words: list[str]
    ) -> None:
        url = server.reply("/x", Reply(200, body, JSON))
        result = forge("get", url, "-b", *words, tty=True, env={"NO_COLOR": "1"})
        assert (result.exit_code, result.stderr) == (0, "")
        kept = "".join(result.stdout.split())
        assert kept == "".join(body.decode("utf-8", "replace").replace("\0", "\\x00").replace("\1", "\\x01").split())

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            (b"\xef\xbb\xbf[1]", "application/json"),
            ("[1]".encode("utf-16"), "application/json"),
            (b"[1]", "application/json; charset=no-such"),
            (b"[1]", "application/json; charset=hex"),
            ("[1]".encode("utf-16-be"), "application/json; charset=utf-16-be"),
        ],
        ids=["bom", "utf-16", "unknown", "no text", "declared"],
    )
    def test_a_charset_is_declared_or_marked_or_utf_8(
        self, forge: Forge, server: Server, body: bytes, kind: str
    ) -> None:
        url = server.reply("/x", Reply(200, body, {"Content-Type": kind}))
        assert forge("get", url, "-b", "--pretty", "format").stdout == "[\n  1\n]\n"

    def test_xml_is_indented(self, forge: Forge, server: Server) -> None:
        body = b'<?xml version="1.0"?><a x="1"><b>text</b><c/></a>'
        url = server.reply("/x", Reply(200, body, {"Content-Type": "application/atom+xml"}))
        shown = forge("get", url, "--pretty", "format").stdout
        assert shown == '<?xml version="1.0"?>\n<a x="1">\n  <b>text</b>\n  <c/>\n</a>\n'


class TestFormats:
    """`--format`: what the body is turned into."""

    def test_json(self, forge: Forge, server: Server) -> None:
        url = server.reply("/x", Reply(200, b"[1]", {"Content-Type": "text/html"}))
        assert forge("get", url, "--format", "json").stdout == "[\n  1\n]\n"

    def test_yaml(self, forge: Forge, people: str) -> None:
        assert forge("get", people, "--format", "yaml").stdout == (
            '- id: 1\n  name: Ada\n  "n": 1.50\n  id: 2\n- name: "Bé"\n  t:\n    - 1\n    - x: null\n'
        )

    def test_table(self, forge: Forge, people: str) -> None:
        lines = forge("get", people, "--format", "table").stdout.splitlines()
        assert [line.split() for line in lines] == [
            ["id", "name", "n", "t"], ["2", "Ada", "1.50"], ["Bé", '[1,{"x":null}]']
        ]  # fmt: skip

    def test_ndjson(self, forge: Forge, people: str) -> None:
        assert forge("get", people, "--format", "ndjson").stdout == (
            '{"id":1,"name":"Ada","n":1.50,"id":2}\n{"name":"Bé","t":[1,{"x":null}]}\n'
        )

    def test_exchange(self, forge: Forge, server: Server) -> None:
        url = server.reply("/old", Reply(302, headers={"Location": "/new"}))
        server.reply(
            "/new",
            Reply(503, headers={"Retry-After": "0"}),
            Reply(201, b'{"n": 1.50}', [*JSON.items(), ("Set-Cookie", "a=cookie-1"), ("X", "1"), ("X", "2")]),
        )
        result = forge("get", url, "api_key==query-secret-1", "--bearer", "env:T", "--format", "exchange", "-s",
                       env={"T": "user-token-1"})  # fmt: skip
        found = json.loads(result.stdout, parse_float=str)
        assert set(found) == {
            "request", "status", "reason", "headers", "body", "elapsed_ms", "attempts", "redirects"
        }  # fmt: skip
        assert found["request"]["method"] == "GET"
        assert found["request"]["headers"]["Authorization"] == "Bearer ***"
        assert (found["status"], found["reason"], found["attempts"]) == (201, "Created", 2)
        assert found["headers"]["X"] == ["1", "2"]
        assert found["body"] == {"n": "1.50"}
        assert [hop["status"] for hop in found["redirects"]] == [302]
        for secret in ("user-token-1", "query-secret-1", "cookie-1"):
            assert secret not in result.stdout

    @pytest.mark.parametrize(
        ("body", "kind", "member"),
        [
            (b"text", "text/plain", ("body", "text")),
            (b"\xff\0", "image/png", ("body_base64", "/wA=")),
            (b"", "application/json", ("body", None)),
            (b"[NaN]", "application/json", ("body", "[NaN]")),
            (b"[" * 5000 + b"]" * 5000, "application/json", ("body", "[" * 5000 + "]" * 5000)),
        ],
        ids=["text", "binary", "empty", "nan", "deep"],
    )
    @pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
    def test_the_body_of_an_exchange_is_what_it_is(
        self, forge: Forge, server: Server, body: bytes, kind: str, member: tuple[str, Any], terminal: bool
    ) -> None:
        url = server.reply("/x", Reply(200, body, {"Content-Type": kind}))
        found = json.loads(forge("get", url, "--format", "exchange", tty=terminal, env={"NO_COLOR": "1"}).stdout)
        assert found[member[0]] == member[1]
        assert ("body" in found) is (member[0] == "body")

    @pytest.mark.parametrize("name", ["yaml", "table", "ndjson"])
    @pytest.mark.parametrize("body", [b"plain words", b"<html>"], ids=["text", "html"])
    def test_what_is_not_suited_is_shown_as_it_is_and_that_is_said(
        self, forge: Forge, server: Server, name: str, body: bytes
    ) -> None:
        result = forge("get", server.reply("/x", Reply(200, body)), "--format", name)
        assert (result.exit_code, result.stdout) == (0, body.decode() + "\n")
        assert f"--format {name}: " in result.stderr

    @pytest.mark.parametrize("body", [b'{"a":1}', b"[1,2]", b"[" * 900 + b"]" * 900], ids=["object", "numbers", "deep"])
    def test_a_table_needs_objects(self, forge: Forge, server: Server, body: bytes) -> None:
        result = forge("get", server.reply("/x", Reply(200, body, JSON)), "--format", "table")
        assert (result.exit_code, result.stdout) == (0, body.decode() + "\n")
        assert "--select" in result.stderr or "deep" in result.stderr

    def test_a_cell_cannot_drive_the_terminal(self, forge: Forge, server: Server) -> None:
        body = b'[{"a\\u001b[2J":"\\u001b]0;x\\u0007[red]x[/nope]","b":{"c":"\\u202e\\u001b"}}]'
        for name in ("table", "yaml"):
            url = server.reply(f"/{name}", Reply(200, body, JSON))
            shown = forge("get", url, "-b", "--format", name, tty=True, env={"NO_COLOR": "1"}).stdout
            assert not set(shown) & set("\x1b\x07\u202e")
            assert "[red]x[/nope]" in shown

    def test_an_empty_body_is_nothing_in_any_format(self, forge: Forge, server: Server) -> None:
        url = server.reply("/x", Reply(204))
        for name in ("auto", "json", "yaml", "table", "ndjson"):
            result = forge("get", url, "--format", name)
            assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")

    def test_o_takes_the_format_too(self, forge: Forge, people: str) -> None:
        assert forge("get", people, "--format", "ndjson", "-o", "out").stdout == ""
        assert Path("out").read_text().count("\n") == 2


class TestSelect:
    """`--select`."""

    @pytest.mark.parametrize(
        ("expression", "text"),
        [("[0].name", "Ada\n"), ("[].name", '["Ada","Bé"]\n'), ("[0].nope", "null\n"), ("[0].id", "2\n"),
         ("length(@)", "2\n"), ("[1].t[1]", '{"x":null}\n')],
    )  # fmt: skip
    def test_a_text_is_raw_and_the_rest_is_json(self, forge: Forge, people: str, expression: str, text: str) -> None:
        result = forge("get", people, "--select", expression)
        assert (result.exit_code, result.stdout, result.stderr) == (0, text, "")

    def test_a_terminal_gets_only_what_was_selected(self, forge: Forge, people: str) -> None:
        shown = forge("get", people, "--select", "[].name", tty=True, env={"NO_COLOR": "1"}).stdout
        assert shown == '[\n  "Ada",\n  "Bé"\n]\n'

    def test_a_text_cannot_drive_the_terminal(self, forge: Forge, server: Server) -> None:
        url = server.reply("/x", Reply(200, b'{"a":"\\u001b[2J"}', JSON))
        assert forge("get", url, "--select", "a", tty=True).stdout == "\\x1b[2J\n"
        assert forge("get", url, "--select", "a").stdout == "\x1b[2J\n"

    def test_what_was_selected_takes_a_format(self, forge: Forge, server: Server) -> None:
        url = server.reply("/x", Reply(200, {"items": [{"a": 1}, {"a": 2}]}))
        assert forge("get", url, "--select", "items", "--format", "ndjson").stdout == '{"a":1}\n{"a":2}\n'
        assert forge("get", url, "--select", "items", "--format", "table").stdout == "a\n1\n2\n"

    @pytest.mark.parametrize("expression", ["[0", "a b", ""])
    def test_a_bad_expression_is_exit_2_before_anything_is_sent(
        self, forge: Forge, server: Server, expression: str
    ) -> None:
        result = forge("get", f"{server.url}/x", "--select", expression)
        assert (result.exit_code, server.seen) == (2, [])
        assert "JMESPath" in result.stderr

    def test_a_missing_extra_is_exit_2_with_the_line_that_installs_it(
        self, forge: Forge, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delitem(sys.modules, "forge_cli.cli.output.select", raising=False)
        monkeypatch.setitem(sys.modules, "jmespath", None)
        result = forge("get", f"{server.url}/x", "--select", "a")
        assert (result.exit_code, server.seen) == (2, [])
        assert "pip install 'forge-http[jmespath]'" in result.stderr

    @pytest.mark.parametrize("body", [b"no json", b"[" * 100_000], ids=["text", "deep"])
    def test_a_body_that_is_no_json_is_exit_10(self, forge: Forge, server: Server, body: bytes) -> None:
        assert forge("get", server.reply("/x", Reply(200, body)), "--select", "a").exit_code == 10

    @pytest.mark.parametrize("kind", ["application/x-ndjson", "application/json"])
    def test_of_json_lines_each_is_selected_from(self, forge: Forge, server: Server, kind: str) -> None:
        url = server.reply("/x", Reply(200, b'{"a":"x"}\n{"a":[1]}\n\n{}\n', {"Content-Type": kind}))
        assert forge("get", url, "--select", "a").stdout == "x\n[1]\nnull\n"
        assert forge("get", url, "--select", "@", "--format", "yaml").stdout == "a: x\n---\na:\n  - 1\n---\n{}\n"
        assert forge("get", url, "--select", "a", "--format", "table").exit_code == 0

    def test_a_line_is_there_before_the_next_one_comes(self, forge: Forge, server: Server) -> None:
        url = server.reply("/x", Reply(200, b'{"a":1}\nno json\n', {"Content-Type": "application/x-ndjson"}))
        result = forge("get", url, "--select", "a")
        assert (result.exit_code, result.stdout) == (10, "1\n")

    def test_of_events_the_data_is_selected_from(self, forge: Forge, server: Server) -> None:
        body = b'data: {"a":\ndata: 1}\n\nevent: e\ndata: {"a":2}\n\ndata: [DONE]\n\n'
        url = server.reply("/x", Reply(200, body, {"Content-Type": "text/event-stream"}))
        result = forge("get", url, "--select", "a")
        assert (result.exit_code, result.stdout) == (0, "1\n2\n")
        assert result.stderr == "forge: 1 event left out, whose data is not JSON\n"

    def test_numbers_keep_their_digits(self, forge: Forge, server: Server) -> None:
        url = server.reply("/x", Reply(200, b'{"a":12345678901234567890.123,"b":[1.10,2.50]}', JSON))
        assert forge("get", url, "--select", "a").stdout == "12345678901234567890.123\n"
        assert forge("get", url, "--select", "{b:b, max:max(b), more:b[?@ > `2`]}").stdout == (
            '{"b":[1.10,2.50],"max":2.50,"more":[2.50]}\n'
        )

    def test_of_an_exchange_the_document_is_selected_from(self, forge: Forge, people: str) -> None:
        result = forge("get", people, "--format", "exchange", "--select", "[status, request.method, body[0].name]")
        assert (result.exit_code, result.stdout) == (0, '[200,"GET","Ada"]\n')
        assert forge("get", people, "--format", "exchange", "--select", "reason").stdout == "OK\n"

    def test_on_a_terminal_it_is_of_the_whole_body(self, forge: Forge, server: Server) -> None:
        url = server.reply("/x", Reply(200, b'["' + b"x" * 11_000_000 + b'","end"]', JSON))
        assert forge("get", url, "--select", "[1]", tty=True).stdout == "end\n"

    def test_a_refused_request_keeps_its_exit_code(self, forge: Forge, server: Server) -> None:
        result = forge("get", server.reply("/x", Reply(404, "<html>")), "--select", "a")
        assert result.exit_code == 4
        assert result.stdout == ""


class TestExpect:
    """`--expect`, and `expect` in a profile."""

    def test_what_holds_is_silent(self, forge: Forge, people: str) -> None:
        words = ["status==200", "header:content-type~=json", "body:/0/id==2", "elapsed<60s"]
        result = forge("get", people, *(word for text in words for word in ("--expect", text)))
        assert (result.exit_code, result.stdout_bytes, result.stderr) == (0, PEOPLE, "")

    def test_each_failure_is_reported(self, forge: Forge, people: str) -> None:
        result = forge("get", people, "--expect", "status==201", "--expect", "body:/0/id==2", "--expect", "body:/9==1")
        assert (result.exit_code, result.stdout_bytes) == (12, PEOPLE)
        assert result.stderr == "forge: expected status==201, got 200\nforge: expected body:/9==1, got nothing\n"

    def test_it_replaces_the_check_of_the_status_when_it_tests_it(self, forge: Forge, server: Server) -> None:
        url = server.reply("/x", Reply(404, "gone"))
        assert forge("get", url, "--expect", "status==404").exit_code == 0
        assert forge("get", url, "--expect", "body~=gone").exit_code == 4
        assert forge("get", url, "--expect", "body~=here").exit_code == 4
        assert forge("get", url, "--expect", "body~=here", "--no-check-status").exit_code == 12

    def test_an_identifier_is_shown_where_another_was_expected(self, forge: Forge, server: Server) -> None:
        name = "123e4567-e89b-12d3-a456-426614174000"
        url = server.reply("/x", Reply(200, {"id": name, "password": name}))
        assert f"got '{name}'" in forge("get", url, "--expect", "body:/id==1").stderr

    def test_a_bad_one_is_exit_2_before_anything_is_sent(self, forge: Forge, server: Server) -> None:
        result = forge("get", f"{server.url}/x", "--expect", "nonsense")
        assert (result.exit_code, server.seen) == (2, [])
        assert "status==200" in result.stderr

    def test_a_profile_expects_of_its_own_api_and_of_no_other(
        self, forge: Forge, server: Server, other_server: Server, profile_file: Callable[[str], Path]
    ) -> None:
        profile_file(f'[profiles.api]\nbase_url = "{server.url}"\nexpect = ["body:/ok==true"]\n')
        server.reply("/x", Reply(200, {"ok": False}), Reply(200, {"ok": True}))
        result = forge("get", "/x", "-p", "api")
        assert (result.exit_code, result.stderr) == (12, "forge: expected body:/ok==true, got false\n")
        assert forge("get", "/x", "-p", "api").exit_code == 0
        assert forge("get", other_server.reply("/x", Reply(200, {"ok": False})), "-p", "api").exit_code == 0

    def test_a_bad_one_in_a_profile_names_the_profile(
        self, forge: Forge, server: Server, profile_file: Callable[[str], Path]
    ) -> None:
        profile_file(f'[profiles.api]\nbase_url = "{server.url}"\nexpect = ["stat==200"]\n')
        result = forge("get", "/x", "-p", "api")
        assert (result.exit_code, server.seen) == (2, [])
        assert "'api'" in result.stderr or "profiles.api" in result.stderr


class TestHar:
    """`--har`: the exchanges, as a file that other tools read."""

    def archive(self) -> Any:
        return json.loads(Path("x.har").read_text())["log"]

    def test_redirects_and_retries_are_entries_and_secrets_are_masked(self, forge: Forge, server: Server) -> None:
        url = server.reply("/old", Reply(302, headers={"Location": "/new"}))
        server.reply("/new", Reply(503, headers={"Retry-After": "0"}), Reply(200, {"access_token": "answer-secret-1"}))
        result = forge("get", url, "--bearer", "env:T", "--har", "x.har", "-s", env={"T": "user-token-1"})
        assert result.exit_code == 0
        log = self.archive()
        assert (log["version"], log["creator"]["name"]) == ("1.2", "forge")
        assert [entry["response"]["status"] for entry in log["entries"]] == [302, 503, 302, 200]
        assert log["entries"][0]["response"]["redirectURL"].endswith("/new")
        for entry in log["entries"]:
            assert set(entry) >= {"startedDateTime", "time", "request", "response", "cache", "timings"}
            assert set(entry["request"]) >= {
                "method", "url", "httpVersion", "cookies", "headers", "queryString", "headersSize", "bodySize"
            }  # fmt: skip
            assert set(entry["response"]) >= {
                "status", "statusText", "httpVersion", "cookies", "headers", "content", "redirectURL", "headersSize",
                "bodySize",
            }  # fmt: skip
            assert set(entry["timings"]) >= {"send", "wait", "receive"}
        text = Path("x.har").read_text()
        assert "user-token-1" not in text
        assert "answer-secret-1" not in text

    def test_the_file_is_private(self, forge: Forge, people: str) -> None:
        mask = os.umask(0)
        try:
            assert forge("get", people, "--har", "x.har").exit_code == 0
        finally:
            os.umask(mask)
        assert stat.S_IMODE(Path("x.har").stat().st_mode) == 0o600
        assert [path.name for path in Path().iterdir()] == ["x.har"]

    def test_it_is_written_when_the_request_fails(self, forge: Forge) -> None:
        assert forge("get", "http://127.0.0.1:1/x", "--retry", "0", "--har", "x.har").exit_code == 8
        [entry] = self.archive()["entries"]
        assert entry["response"]["status"] == 0
        assert entry["comment"]

    def test_it_is_written_when_the_body_breaks_off(self, forge: Forge, server: Server) -> None:
        url = server.reply("/x", Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n1234"))
        assert forge("get", url, "--har", "x.har", "--retry", "0").exit_code == 10
        [entry] = self.archive()["entries"]
        assert (entry["response"]["status"], "4 of 10" in entry["comment"]) == (200, True)

    def test_bodies_are_in_it(self, forge: Forge, server: Server) -> None:
        url = server.reply("/x", Reply(200, b"\x89PNG\0", {"Content-Type": "image/png"}))
        assert forge("post", url, "a=b", "--har", "x.har").stdout_bytes == b"\x89PNG\0"
        [entry] = self.archive()["entries"]
        assert entry["request"]["postData"] == {"mimeType": "application/json", "text": '{"a": "b"}'}
        assert entry["response"]["content"]["encoding"] == "base64"
        assert entry["response"]["content"]["size"] == 5

    def test_identifiers_stay_in_it(self, forge: Forge, server: Server) -> None:
        found = {"id": "123e4567-e89b-12d3-a456-426614174000", "sha": "da39a3ee5e6b4b0d3255bfef95601890afd80709"}
        url = server.reply("/x", Reply(200, {**found, "token": "answer-secret-1"}))
        items = [f"{name}={value}" for name, value in found.items()]
        assert forge("post", url, *items, "--har", "x.har").exit_code == 0
        [entry] = self.archive()["entries"]
        assert json.loads(entry["request"]["postData"]["text"]) == found
        assert json.loads(entry["response"]["content"]["text"]) == {**found, "token": "***"}

    @pytest.mark.parametrize(
        ("header", "secret"),
        [
            ("X-Api-Key:header-secret-1", "header-secret-1"),
            ("Authorization:Bearer header-secret-1", "header-secret-1"),
            ("Authorization:Basic YWRhOmhlYWRlci1zZWNyZXQtMQ==", "header-secret-1"),
            ("Cookie:sid=header-secret-1; lang=english", "header-secret-1"),
        ],
    )
    def test_a_secret_of_a_header_is_masked_where_the_answer_repeats_it(
        self, forge: Forge, server: Server, header: str, secret: str
    ) -> None:
        url = server.reply("/x", Reply(200, {"was": f"{secret}, english"}, {"X-Was": secret}))
        for words in ([header], ["-H", header]):
            shown = forge("get", url, *words, "--har", "x.har", "--format", "exchange").stdout
            for text in (shown, Path("x.har").read_text()):
                assert (secret in text, "***, english" in text) == (False, True)

    def test_what_is_encoded_may_come_and_is_in_it(self, forge: Forge, people: str, server: Server) -> None:
        shown = json.loads(forge("get", people, "--har", "x.har", "--format", "exchange").stdout)
        sent = server.seen[0].headers["Accept-Encoding"]
        assert shown["request"]["headers"]["Accept-Encoding"] == sent
        assert {"name": "Accept-Encoding", "value": sent} in self.archive()["entries"][0]["request"]["headers"]

    def test_a_body_of_more_than_ten_megabytes_is_left_out(self, forge: Forge, server: Server) -> None:
        body = b"x" * (10 * 1024 * 1024)
        url = server.reply("/x", Reply(200, body + b"x"), Reply(200, body))
        assert forge("post", url, "-d", "@-", "--har", "x.har", input=body.decode() + "x").stdout_bytes == body + b"x"
        [entry] = self.archive()["entries"]
        content = entry["response"]["content"]
        assert (content["size"], "text" in content) == (len(body) + 1, False)
        assert "10 MiB" in content["comment"]
        began = time.process_time()
        assert forge("get", url, "--har", "x.har").stdout_bytes == body
        assert len(self.archive()["entries"][0]["response"]["content"]["text"]) == len(body)
        assert time.process_time() - began < 4

    def test_what_cannot_be_written_is_exit_9_and_nothing_is_sent(self, forge: Forge, server: Server) -> None:
        result = forge("get", f"{server.url}/x", "--har", "no/such/x.har")
        assert (result.exit_code, server.seen) == (9, [])
        assert "--har" in result.stderr


class TestMeta:
    """`--meta` and `-vv`: where the time was spent, and over what connection."""

    def test_the_waterfall(self, forge: Forge, server: Server) -> None:
        url = server.reply("/x", Reply(200, b"12345", {"X-RateLimit-Remaining": "57", "X-RateLimit-Limit": "60"}))
        result = forge("get", url, "--meta")
        lines = result.stdout.splitlines()
        assert lines[0] == "HTTP/1.1 200, 5 bytes, 1 attempt, 0 redirects"
        assert lines[1] == f"connected to {server.host}"
        assert lines[2] == "rate limit: 57 left of 60"
        assert [line[:11].strip() for line in lines[3:]] == ["DNS", "connect", "first byte", "transfer", "total"]
        assert all(line.endswith("█") for line in lines[3:-1])

    def test_a_connection_that_was_open_has_no_dns_and_connect(self, forge: Forge, server: Server) -> None:
        url = server.reply("/old", Reply(302, headers={"Location": "/new"}))
        server.reply("/new", Reply(200, "there"))
        shown = forge("get", url, "--meta").stdout
        assert "1 redirect\nconnection used again\nfirst byte" in shown

    def test_vv_tells_redirects_retries_connection_and_times_on_stderr(self, forge: Forge, server: Server) -> None:
        url = server.reply("/old", Reply(302, headers={"Location": "/new"}))
        server.reply("/new", Reply(200, "there"))
        result = forge("get", url, "-vv")
        assert result.stdout == "there"
        for text in ("302, redirected to ", f"* connected to {server.host}\n", "* DNS ", "* transfer ", "total "):
            assert text in result.stderr
        assert "* " not in forge("get", url, "-v").stderr


class TestStreams:
    """What comes message by message is shown message by message."""

    @pytest.mark.parametrize("kind", ["text/event-stream", "application/x-ndjson", "application/json"])
    def test_a_pipe_has_each_message_before_the_next_is_sent(self, server: Server, kind: str) -> None:
        seen = threading.Event()

        def messages() -> Iterator[bytes]:
            yield b'data: {"i": 1}\n\n'
            assert seen.wait(20)
            yield b'data: {"i": 2}\n\n'

        url = server.reply("/x", lambda request: Reply(200, messages(), {"Content-Type": kind}))
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "forge_cli", "get", url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=env) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b'data: {"i": 1}\n'
            seen.set()
            assert child.stdout.read() == b'\ndata: {"i": 2}\n\n'

    def test_events_are_coloured_and_cannot_drive_the_terminal(self, forge: Forge, server: Server) -> None:
        body = b'event: tick\x1b[2J\r\ndata: {"a": 1}\r\n\r\n: note\ndata: see [red]\x1b]0;x\x07\n\n'
        url = server.reply("/x", Reply(200, body, {"Content-Type": "text/event-stream"}))
        shown = forge("get", url, "-b", tty=True).stdout
        assert '\x1b[36mdata:\x1b[0m {\x1b[94m"a"\x1b[0m: \x1b[36m1\x1b[0m}\n' in shown
        assert "tick\\x1b[2J\n" in shown
        assert "see [red]\\x1b]0;x\\x07\n" in shown

    def test_lines_of_json_are_laid_out_one_by_one_and_a_bad_one_spoils_no_other(
        self, forge: Forge, server: Server
    ) -> None:
        body = b'{"a":1}\nnot json\n{"b":2}'
        url = server.reply("/x", Reply(200, body, {"Content-Type": "application/x-ndjson"}))
        shown = forge("get", url, "-b", tty=True, env={"NO_COLOR": "1"}).stdout
        assert shown == '{\n  "a": 1\n}\nnot json\n{\n  "b": 2\n}\n'

    def test_stream_lifts_the_limit_of_a_terminal(self, forge: Forge, server: Server) -> None:
        size = 11 * 1024 * 1024
        url = server.reply("/x", Reply(200, b"x" * size, {"Content-Type": "text/plain"}))
        assert len(forge("get", url, "-b", "--stream", tty=True).stdout) == size + 1
        result = forge("get", url, "-b", tty=True)
        assert (result.exit_code, len(result.stdout)) == (0, 10 * 1024 * 1024 + 1)
        assert "save it with -o FILE" in result.stderr


CODINGS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}
BODIES = st.one_of(
    st.binary(max_size=2000),
    st.text(max_size=500).map(str.encode),
    st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner)).map(
        lambda value: json.dumps(value).encode()
    ),
    st.sampled_from([b"", b"\r\n", b"\xef\xbb\xbf", b"\0", b"<a/>", b"\x1b[2J", b"x" * 200_000]),
)


def coded(name: str | None, body: bytes) -> bytes:
    if name in CODINGS:
        return CODINGS[name](body)
    if name == "br":
        return bytes(Require().package("brotli").compress(body))
    if name == "zstd":
        return bytes(Require().package("compression.zstd", "backports.zstd").compress(body))
    return body


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    BODIES,
    st.sampled_from(["application/json", "text/event-stream", "image/png", "text/xml; charset=utf-16", None]),
    st.sampled_from([None, "gzip", "deflate", "br", "zstd"]),
    st.integers(0, 50),
)
def test_a_pipe_gets_the_servers_bytes_whatever_they_are(
    forge: Forge, server: Server, body: bytes, kind: str | None, coding: str | None, size: int
) -> None:
    sent = coded(coding, body)
    headers = {} if kind is None else {"Content-Type": kind}
    headers |= {} if coding is None else {"Content-Encoding": coding}
    chunks = [sent[start : start + size] for start in range(0, len(sent), size)] if size else []
    answer: object = iter(chunks) if size and len(chunks) < 2000 else sent
    url = server.reply(f"/{len(server.seen)}", lambda request: Reply(200, answer, headers))
    result = forge("get", url)
    assert (result.exit_code, result.stdout_bytes, result.stderr) == (0, body, "")
