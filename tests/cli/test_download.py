"""Bodies that become files."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.children import ROOT
from tests.conftest import Forge, Require, Result
from tests.server import Reply, Seen, Server

BODY = bytes(range(256)) * 40


def names() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


class Ranges:
    """A file on a server that knows ranges."""

    def __init__(self, body: bytes = BODY, tag: str = '"one"', date: str | None = None) -> None:
        self.body, self.tag, self.date = body, tag, date

    def __call__(self, seen: Seen) -> Reply:
        headers = {"ETag": self.tag, "Date": "Mon, 01 Jan 2024 00:00:10 GMT"}
        if self.date is not None:
            headers = {"Last-Modified": self.date, "Date": "Mon, 01 Jan 2024 00:00:10 GMT"}
        wanted, condition = seen.headers["Range"], seen.headers["If-Range"]
        if wanted is None or condition not in (None, self.tag, self.date):
            return Reply(200, self.body, headers)
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(self.body):
            return Reply(416, b"no", {"Content-Range": f"bytes */{len(self.body)}"})
        headers["Content-Range"] = f"bytes {start}-{len(self.body) - 1}/{len(self.body)}"
        return Reply(206, self.body[start:], headers)


def cut(kept: int, *headers: str, body: bytes = BODY) -> Reply:
    """An answer that breaks off."""
    head = "\r\n".join(["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers, "", ""])
    return Reply(raw=head.encode() + body[:kept])


def broken(forge: Forge, url: str, *words: str) -> Result:
    result = forge("get", url, *words, "--retry", "0")
    assert result.exit_code == 10
    return result


class TestDownload:
    def test_the_name_is_the_servers(self, forge: Forge, server: Server) -> None:
        url = server.reply("/x", Reply(body=BODY, headers={"Content-Disposition": 'attachment; filename="a b.bin"'}))
        result = forge("get", url, "--download")
        assert (result.exit_code, result.stdout) == (0, "")
        assert result.stderr == f"forge: saved {len(BODY)} bytes as 'a b.bin'\n"
        assert names() == ["a b.bin"]
        assert Path("a b.bin").read_bytes() == BODY
        assert server.seen[0].headers["Accept-Encoding"] == "identity"

    def test_without_one_the_url_names_it(self, forge: Forge, server: Server) -> None:
        assert forge("get", server.reply("/files/a.bin", Reply(body=BODY)), "--download").exit_code == 0
        assert names() == ["a.bin"]

    def test_a_path_of_the_servers_leads_nowhere(self, forge: Forge, server: Server) -> None:
        headers = {"Content-Disposition": 'attachment; filename="../../.bashrc"'}
        assert forge("get", server.reply("/x", Reply(body=BODY, headers=headers)), "--download").exit_code == 0
        assert names() == ["bashrc"]

    def test_a_taken_name_gets_a_number(self, forge: Forge, server: Server) -> None:
        url = server.reply("/a.txt", Reply(body=b"new"))
        Path("a.txt").write_text("old")
        for _ in range(2):
            assert forge("get", url, "--download").exit_code == 0
        found = {path.name: path.read_text() for path in Path().iterdir()}
        assert found == {"a.txt": "old", "a (1).txt": "new", "a (2).txt": "new"}

    def test_a_link_is_a_taken_name(self, forge: Forge, server: Server, tmp_path: Path) -> None:
        Path("a.txt").symlink_to(tmp_path / "victim")
        Path("a.txt.part").symlink_to(tmp_path / "victim")
        assert forge("get", server.reply("/a.txt", Reply(body=b"new")), "--download").exit_code == 0
        assert not (tmp_path / "victim").exists()
        assert Path("a (1).txt").read_text() == "new"

    def test_nothing_has_the_name_before_it_is_complete(self, forge: Forge, server: Server) -> None:
        seen: list[list[str]] = []

        def body() -> Iterator[bytes]:
            seen.append(names())
            yield b"x"

        assert forge("get", server.reply("/a", lambda request: Reply(body=body())), "--download").exit_code == 0
        assert seen == [["a.part"]]
        assert names() == ["a"]

    def test_an_error_is_not_saved(self, forge: Forge, server: Server) -> None:
        url = server.reply("/a", Reply(404, "sorry"))
        assert forge("get", url, "--download").exit_code == 4
        assert names() == []
        assert forge("get", url, "--download", "--no-check-status").exit_code == 0
        assert Path("a").read_text() == "sorry"

    def test_a_short_body_is_exit_10_and_stays_a_part(self, forge: Forge, server: Server) -> None:
        result = broken(forge, server.reply("/a", cut(100)), "--download")
        assert "got 100 of 10240" in result.stderr
        assert "--continue resumes it" in result.stderr
        assert names() == ["a.part"]

    @pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="there is no folder that nobody can write to")
    def test_a_folder_that_cannot_be_written_is_exit_9_and_nothing_is_sent(
        self, forge: Forge, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir("/proc")
        result = forge("get", f"{server.url}/a", "--download")
        assert (result.exit_code, server.seen) == (9, [])


class TestOutput:
    def test_o_is_a_part_until_complete(self, forge: Forge, server: Server) -> None:
        Path("out").write_text("old")
        Path("out").chmod(0o640)
        broken(forge, server.reply("/a", cut(100), Reply(body=BODY)), "-o", "out")
        assert Path("out").read_text() == "old"
        assert forge("get", f"{server.url}/a", "-o", "out").exit_code == 0
        assert Path("out").read_bytes() == BODY
        assert Path("out").stat().st_mode & 0o777 == 0o640
        assert names() == ["out"]

    def test_no_link_is_followed_for_the_part(self, forge: Forge, server: Server, tmp_path: Path) -> None:
        victim = tmp_path / "victim"
        victim.write_text("mine")
        Path("out.part").symlink_to(victim)
        assert forge("get", server.reply("/a", Reply(body=BODY)), "-o", "out").exit_code == 0
        assert victim.read_text() == "mine"
        Path("out.part").symlink_to(victim)
        result = forge("get", f"{server.url}/a", "-o", "out", "--continue")
        assert (result.exit_code, victim.read_text()) == (9, "mine")
        assert len(server.seen) == 1

    def test_of_two_at_a_time_none_is_mixed(self, forge: Forge, server: Server) -> None:
        def second(seen: Seen) -> Reply:
            # Another download of the same name, begun and ended while this one is on its way.
            Path("out.part").unlink()
            Path("out.part").write_text("second")
            return Reply(body=b"first")

        result = forge("get", server.reply("/a", second), "-o", "out")
        assert result.exit_code == 9
        assert "was replaced while it was written" in result.stderr
        assert Path("out.part").read_text() == "second"

    @pytest.mark.parametrize("tty", [False, True], ids=["pipe", "terminal"])
    def test_a_dash_is_stdout_byte_for_byte(self, forge: Forge, server: Server, tty: bool) -> None:
        body = b'{"a":1}\x1b[2J\xff'
        url = server.reply("/a", Reply(200, body, {"Content-Type": "application/json"}))
        result = forge("get", url, "-o", "-", tty=tty)
        assert (result.exit_code, result.stdout_bytes, names()) == (0, body, [])

    def test_a_dash_is_nothing_to_continue(self, forge: Forge, server: Server) -> None:
        assert forge("get", f"{server.url}/a", "-o", "-", "--continue").exit_code == 2

    def test_a_dash_is_no_har(self, forge: Forge, server: Server) -> None:
        result = forge("get", f"{server.url}/a", "--har", "-")
        assert (result.exit_code, names(), server.seen) == (2, [], [])
        assert "--format exchange" in result.stderr

    @pytest.mark.skipif(not os.path.isdir("/dev/fd"), reason="open files have no names")
    @pytest.mark.parametrize(
        "words",
        [
            "-o >(cat >out)",
            "-o /dev/stdout >>out",
            "-o /dev/stdout | cat >>out",
            "-o /dev/fd/5 5>>out",
            "-o /dev/fd/1 >out",
        ],
    )
    def test_what_is_no_place_is_written_directly(self, server: Server, require: Require, words: str) -> None:
        bash = require("bash", "apt-get install bash")
        url = server.reply("/a", Reply(body=BODY))
        Path("out").write_bytes(b"old" if ">>" in words else b"")
        script = f'"$0" -m forge_cli get {url} -s {words}; code=$?; wait; exit $code'
        done = subprocess.run(
            [bash, "-c", script, sys.executable],
            capture_output=True,
            timeout=60,
            env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "PYTHONPATH": str(ROOT)},
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        deadline = time.monotonic() + 20
        wanted = (b"old" if ">>" in words else b"") + BODY
        while Path("out").read_bytes() != wanted and time.monotonic() < deadline:
            time.sleep(0.01)  # bash waits for the command, not for what reads from it
        assert Path("out").read_bytes() == wanted
        assert names() == ["out"]

    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
    def test_a_full_disk_is_exit_9(self, forge: Forge, server: Server) -> None:
        result = forge("get", server.reply("/a", Reply(body=BODY)), "-o", "/dev/full")
        assert result.exit_code == 9
        assert "no space left" in result.stderr


class TestContinue:
    @pytest.mark.parametrize("words", [("-o", "a"), ("--download",)], ids=["-o", "--download"])
    def test_what_is_missing_is_asked_for(self, forge: Forge, server: Server, words: tuple[str, ...]) -> None:
        url = server.reply("/a", cut(100, 'ETag: "one"'), Ranges())
        broken(forge, url, *words)
        result = forge("get", url, *words, "--continue")
        assert result.exit_code == 0
        assert server.seen[1].headers["Range"] == "bytes=100-"
        assert server.seen[1].headers["If-Range"] == '"one"'
        assert names() == ["a"]
        assert Path("a").read_bytes() == BODY

    def test_a_date_will_do_as_a_validator(self, forge: Forge, server: Server) -> None:
        date = "Mon, 01 Jan 2024 00:00:00 GMT"
        url = server.reply(
            "/a", cut(100, f"Last-Modified: {date}", "Date: Mon, 01 Jan 2024 00:00:10 GMT"), Ranges(date=date)
        )
        broken(forge, url, "-o", "a")
        assert forge("get", url, "-o", "a", "--continue").exit_code == 0
        assert server.seen[1].headers["If-Range"] == date
        assert Path("a").read_bytes() == BODY

    @pytest.mark.parametrize("header", ['ETag: W/"one"', "X: y"], ids=["weak", "none"])
    def test_without_a_strong_validator_there_is_no_condition(self, forge: Forge, server: Server, header: str) -> None:
        url = server.reply("/a", cut(100, header), Ranges())
        broken(forge, url, "-o", "a")
        assert forge("get", url, "-o", "a", "--continue").exit_code == 0
        assert server.seen[1].headers["If-Range"] is None
        assert Path("a").read_bytes() == BODY

    def test_a_file_that_changed_comes_from_the_beginning(self, forge: Forge, server: Server) -> None:
        url = server.reply("/a", cut(100, 'ETag: "old"', body=b"?" * 200), Ranges())
        broken(forge, url, "-o", "a")
        result = forge("get", url, "-o", "a", "--continue")
        assert result.exit_code == 0
        assert "from the beginning" in result.stderr
        assert Path("a").read_bytes() == BODY
        assert names() == ["a"]

    def test_a_server_without_ranges_sends_it_again(self, forge: Forge, server: Server) -> None:
        url = server.reply("/a", cut(100), Reply(body=BODY))
        broken(forge, url, "-o", "a")
        assert forge("get", url, "-o", "a", "--continue").exit_code == 0
        assert Path("a").read_bytes() == BODY

    def test_a_complete_part_becomes_the_file(self, forge: Forge, server: Server) -> None:
        Path("a.part").write_bytes(BODY)
        result = forge("get", server.reply("/a", Ranges()), "-o", "a", "--continue")
        assert result.exit_code == 0
        assert "complete already" in result.stderr
        assert names() == ["a"]

    def test_a_part_that_is_too_long_is_another_file(self, forge: Forge, server: Server) -> None:
        Path("a.part").write_bytes(BODY + b"more")
        result = forge("get", server.reply("/a", Ranges()), "-o", "a", "--continue")
        assert result.exit_code == 0
        assert [seen.headers["Range"] for seen in server.seen] == [f"bytes={len(BODY) + 4}-", None]
        assert result.stderr.count("from the beginning") == 1
        assert Path("a").read_bytes() == BODY

    def test_without_a_part_the_file_is_resumed(self, forge: Forge, server: Server) -> None:
        Path("a").write_bytes(BODY[:5000])
        assert forge("get", server.reply("/a", Ranges()), "-o", "a", "--continue").exit_code == 0
        assert server.seen[0].headers["Range"] == "bytes=5000-"
        assert Path("a").read_bytes() == BODY
        assert names() == ["a"]

    def test_a_file_stays_until_the_new_one_is_complete(self, forge: Forge, server: Server) -> None:
        Path("a").write_bytes(b"old")
        url = server.reply("/a", cut(100), Reply(body=BODY))
        broken(forge, url, "-o", "a", "--continue")
        assert Path("a").read_bytes() == b"old"
        Path("a.part").unlink()
        assert forge("get", url, "-o", "a", "--continue").exit_code == 0
        assert Path("a").read_bytes() == BODY
        assert names() == ["a"]

    def test_a_download_that_begins_anew_leaves_the_file_alone(self, forge: Forge, server: Server) -> None:
        Path("a").write_bytes(b"old")
        assert forge("get", server.reply("/a", Reply(body=BODY)), "--download", "--continue").exit_code == 0
        assert Path("a").read_bytes() == b"old"
        assert Path("a (1)").read_bytes() == BODY

    def test_with_nothing_there_all_is_asked_for(self, forge: Forge, server: Server) -> None:
        assert forge("get", server.reply("/a", Ranges()), "-o", "a", "--continue").exit_code == 0
        assert server.seen[0].headers["Range"] is None
        assert Path("a").read_bytes() == BODY

    def test_an_error_leaves_the_part_as_it_is(self, forge: Forge, server: Server) -> None:
        Path("a.part").write_bytes(b"half")
        assert (
            forge("get", server.reply("/a", Reply(500, "oops")), "-o", "a", "--continue", "--retry", "0").exit_code == 5
        )
        assert Path("a.part").read_bytes() == b"half"
        assert names() == ["a.part"]

    @pytest.mark.parametrize(
        "headers",
        [{"Content-Range": "bytes 0-9/10"}, {}, {"Content-Range": "bytes 4-9/10", "Content-Encoding": "gzip"}],
        ids=["another part", "no range", "encoded"],
    )
    def test_another_part_than_was_asked_for_is_exit_10(
        self, forge: Forge, server: Server, headers: dict[str, str]
    ) -> None:
        Path("a.part").write_bytes(b"half")
        result = forge("get", server.reply("/a", Reply(206, b"x" * 10, headers)), "-o", "a", "--continue")
        assert result.exit_code == 10
        assert Path("a.part").read_bytes() == b"half"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["get", "--download", "-o", "x"], ["--download", "--output"]),
        (["get", "--continue"], ["--continue", "--output"]),
        (["post", "--continue", "-o", "x"], ["--continue", "POST"]),
        (["get", "--continue", "-o", "x", "--format", "yaml"], ["--continue", "--format"]),
        (["get", "--continue", "-o", "x", "--print", "hb"], ["--continue", "--print"]),
    ],
    ids=["two names", "no file", "post", "format", "print"],
)
def test_options_that_contradict_each_other_are_named(
    forge: Forge, server: Server, words: list[str], named: list[str]
) -> None:
    result = forge(words[0], f"{server.url}/a", *words[1:])
    assert (result.exit_code, server.seen) == (2, [])
    assert all(name in result.stderr for name in named)
