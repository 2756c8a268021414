"""`forge batch`."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from forge_cli.files import config_dir
from tests.cli.test_startup import loaded
from tests.conftest import Forge, Require
from tests.redis_server import redis_server
from tests.server import Reply, Seen, Server

ROOT = Path(__file__).parents[3]


def records(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def child(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "forge_cli", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def profiles(server: Server, profile_file: Callable[[str], Path]) -> Callable[[str], Path]:
    """A profile with a login of one step, and what the test adds."""

    def write(more: str = "") -> Path:
        return profile_file(
            f'default_profile = "api"\n[profiles.api]\nbase_url = "{server.url}"\n{more}'
            '[profiles.api.auth]\ntype = "pipeline"\n[profiles.api.auth.steps.one]\nrequest = { url = "/login" }\n'
            'extract = { token = "/token", expires_in = "/expires_in" }\n'
        )

    return write


def test_lines_come_out_in_their_order_after_one_login(
    forge: Forge, server: Server, profiles: Callable[[str], Path], tmp_path: Path
) -> None:
    profiles("")
    server.reply("/login", Reply(200, {"token": "user-token-1", "expires_in": 3600}))
    server.reply("/x", Reply(200, {"a": 1}))
    (tmp_path / "in").write_text('{"url": "/x", "id": "a"}\n/x\n{"url": "/x", "method": "DELETE"}\n')
    result = forge("batch", str(tmp_path / "in"), "-H", "X-All: 1")
    assert result.exit_code == 0
    found = records(result.stdout)
    assert [(item["id"], item["status"], item["body"]) for item in found] == [
        ("a", 200, {"a": 1}), (2, 200, {"a": 1}), (3, 200, {"a": 1})
    ]  # fmt: skip
    assert len(server.seen_at("/login")) == 1
    assert {seen.headers["Authorization"] for seen in server.seen_at("/x")} == {"Bearer user-token-1"}
    assert {seen.headers["X-All"] for seen in server.seen_at("/x")} == {"1"}
    assert re.search(r"3 requests in [\d.]+ s \([\d.]+/s\), 0 failed\n", result.stderr)
    assert re.search(r"latency p50 .*, p90 .*, p95 .*, p99 .*, max ", result.stderr)
    assert re.search(r"^(forge: )?  <= +[\d.]+ m?s #+ \d$", result.stderr, re.MULTILINE)


@pytest.mark.parametrize(
    ("lines", "code"),
    [("/ok /e4", 4), ("/e4 /e5", 5), ("/broken /e5", 10), ("{ /ok", 2), ("{ /e4", 4), ("/ok", 0)],
)
def test_the_exit_code_is_of_the_worst_class(forge: Forge, server: Server, lines: str, code: int) -> None:
    for path, reply in (("/ok", Reply(200)), ("/e4", Reply(404)), ("/e5", Reply(500))):
        server.reply(path, reply, optional=True)
    server.reply("/broken", Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"), optional=True)
    text = "\n".join(word if word == "{" else server.url + word for word in lines.split())
    result = forge("batch", "-", "--retry", "0", input=text)
    assert result.exit_code == code
    assert len(records(result.stdout)) == len(lines.split())


def test_what_is_not_as_expected_is_an_error_of_its_line(forge: Forge, server: Server) -> None:
    url = server.reply("/x", Reply(200, {"a": [1]}), Reply(200, {"a": [2]}))
    result = forge("batch", "-", "--jobs", "1", "--expect", "body:/a/0==1", "--select", "a", input=f"{url}\n{url}\n")
    first, second = records(result.stdout)
    assert result.exit_code == 12
    assert first["body"] == [1] and "error" not in first
    assert second["status"] == 200 and second["error"] == "expected body:/a/0==1, got 2"


@pytest.mark.parametrize("select", [(), ("--select", "@")], ids=["", "--select"])
def test_every_digit_goes_out_and_comes_back(forge: Forge, server: Server, select: tuple[str, ...]) -> None:
    numbers = "[1.10, 1e400, 12345678901234567890.0, -0]"
    url = server.reply(
        "/x", Reply(200, f'{{"n": {numbers}}}'.encode(), {"Content-Type": "application/json"}), method="POST"
    )
    line = f'{{"url": "{url}", "query": {{"n": 2.50}}, "id": 3.0e1, "json": {{"n": {numbers}}}}}\n'
    result = forge("batch", "-", *select, input=line)
    assert result.exit_code == 0
    (seen,) = server.seen
    assert seen.body == f'{{"n": {numbers}}}'.encode()
    assert dict(seen.query) == {"n": "2.50"}
    assert seen.headers["Content-Type"] == "application/json"
    text = result.stdout.replace(" ", "")
    assert text.startswith('{"id":3.0e1,') and f'"body":{{"n":{numbers.replace(" ", "")}}}' in text


def test_headers_of_the_command_and_the_profile_win_over_those_that_go_with_a_body(
    forge: Forge, server: Server, profile_file: Callable[[str], Path]
) -> None:
    profile_file(
        f'default_profile = "api"\n[profiles.api]\nbase_url = "{server.url}"\nheaders = {{ Accept = "a/b" }}\n'
    )
    server.reply("/x", Reply(200), method="POST")
    lines = '{"url": "/x", "json": 1}\n{"url": "/x", "json": 2, "headers": {"content-type": "own/line"}}\n'
    assert forge("batch", "-", "--jobs", "1", "-H", "Content-Type: c/d", input=lines).exit_code == 0
    assert [(seen.headers["Content-Type"], seen.headers["Accept"]) for seen in server.seen] == [
        ("c/d", "a/b"), ("own/line", "a/b")
    ]  # fmt: skip


def test_a_run_resumes_what_is_not_done(forge: Forge, server: Server, tmp_path: Path) -> None:
    url = server.reply("/x", Reply(200))
    results = tmp_path / "results"
    results.write_text('{"id": 1, "status": 200}\n{"id": 2, "status": null, "error": "x"}\n{"id": 3, "sta')
    result = forge("batch", "-", "--resume", str(results), input=f"{url}\n" * 4)
    assert result.exit_code == 0 and result.stdout == ""
    found = records(results.read_text())
    assert [item["id"] for item in found if "error" not in item] == [1, 2, 3, 4]
    assert len(server.seen) == 3


@pytest.mark.parametrize("link", [False, True], ids=["", "by a link"])
def test_the_input_is_no_file_to_resume(forge: Forge, tmp_path: Path, link: bool) -> None:
    lines = tmp_path / "in"
    lines.write_text("http://127.0.0.1:9/x\n")
    results = tmp_path / "out" if link else lines
    if link:
        results.hardlink_to(lines)
    result = forge("batch", str(lines), "--resume", str(results))
    assert result.exit_code == 2 and "FILE and --resume" in result.stderr
    assert lines.read_text() == "http://127.0.0.1:9/x\n"


def test_a_file_of_something_else_is_not_resumed(forge: Forge, tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("Dear Ada,\nthis is a")
    result = forge("batch", "-", "--resume", str(tmp_path / "letter"), input="http://127.0.0.1:9/x\n")
    assert result.exit_code == 9 and "no file of results" in result.stderr
    assert (tmp_path / "letter").read_text() == "Dear Ada,\nthis is a"


def test_a_second_run_does_not_resume_what_the_first_one_writes(forge: Forge, server: Server, tmp_path: Path) -> None:
    held = threading.Event()
    sent = threading.Event()

    def answer(request: Seen) -> Reply:
        sent.set()
        return Reply(200, hold=held)

    url, results = server.reply("/x", answer), str(tmp_path / "out")
    (tmp_path / "in").write_text(f"{url}\n" * 2)
    first = child("batch", str(tmp_path / "in"), "--resume", results)
    assert sent.wait(30)
    second = forge("batch", str(tmp_path / "in"), "--resume", results)
    held.set()
    first.communicate(timeout=30)
    assert second.exit_code == 9 and "another run" in second.stderr
    assert len(server.seen) == 2 and len(records(Path(results).read_text())) == 2


def test_standard_input_has_one_reader(forge: Forge) -> None:
    result = forge("batch", "-", "--bearer", "-", input="user-token-1\n")
    assert result.exit_code == 2
    assert "FILE and --bearer both read standard input" in result.stderr


def test_the_timeout_of_a_line_is_none_for_the_input(server: Server) -> None:
    url = server.reply("/x", Reply(200))
    running = child("batch", "-", "--timeout", "0.3")
    assert running.stdin is not None
    with pytest.raises(subprocess.TimeoutExpired):
        running.wait(1)
    out, err = running.communicate(f"{url}\n", timeout=30)
    assert running.returncode == 0, err
    assert len(records(out)) == 1


def test_a_select_that_fails_is_a_failure_of_its_line(forge: Forge, server: Server, tmp_path: Path) -> None:
    url = server.reply("/x", Reply(200, {"a": 1}), Reply(200, {"a": "text"}))
    report = tmp_path / "report.xml"
    words = ("--jobs", "1", "--select", "length(a)", "--report", str(report))
    result = forge("batch", "-", *words, input=f"{url}\n{url}\n")
    first, second = records(result.stdout)
    assert result.exit_code == 10
    assert first["status"] == 200 and "does not fit the body" in first["error"]
    assert second["body"] == 4 and "error" not in second
    assert "1 failed" in result.stderr
    root = ElementTree.parse(report).getroot()
    assert root[0].attrib["failures"] == "1" and "does not fit" in root[0][0][0].attrib["message"]


def test_the_class_of_a_failed_answer_is_its_status_also_when_select_fails(forge: Forge, server: Server) -> None:
    url = server.reply("/x", Reply(404, {"a": 1}))
    result = forge("batch", "-", "--select", "length(a)", input=f"{url}\n")
    assert result.exit_code == 4
    assert "does not fit the body" in records(result.stdout)[0]["error"]


@pytest.mark.parametrize("select", ["sum(a)", "`NaN`", "`[1e999]`"])
def test_what_select_makes_is_json_or_an_error(forge: Forge, server: Server, select: str) -> None:
    url = server.reply("/x", Reply(200, {"a": [1e308, 1e308]}))
    result = forge("batch", "-", "--select", select, input=f"{url}\n")
    (found,) = [json.loads(line, parse_constant=pytest.fail) for line in result.stdout.splitlines()]
    assert result.exit_code == 10 and "no JSON number" in found["error"]


def test_every_result_is_utf_8_and_what_is_no_character_is_escaped(forge: Forge, server: Server) -> None:
    url = server.reply("/x", Reply(200, b'{"a": "\\ud800"}', {"Content-Type": "application/json"}))
    line = f'{{"url": "{url}", "id": "\\ud800 \\\\ \u00e9"}}\n'
    for words in ((), ("--select", "a")):
        result = forge("batch", "-", *words, input=line)
        assert result.exit_code == 0
        (found,) = records(result.stdout_bytes.decode("utf-8"))
        assert found["id"] == "\ud800 \\ \u00e9"
        assert found["body"] == ("\ud800" if words else {"a": "\ud800"})


@pytest.mark.parametrize("name", ["same.html", "./same.html"])
def test_each_report_has_a_file_of_its_own(forge: Forge, name: str) -> None:
    words = ("--report", "same.html", "--report", name)
    result = forge("batch", "-", *words, input="http://127.0.0.1:9/x\n")
    assert result.exit_code == 2 and "same file" in result.stderr


def test_a_report_does_not_replace_what_is_read_or_resumed(forge: Forge, tmp_path: Path) -> None:
    lines, results = tmp_path / "in.json", str(tmp_path / "out.json")
    lines.write_text("http://127.0.0.1:9/x\n")
    assert forge("batch", str(lines), "--report", str(lines)).exit_code == 2
    assert forge("batch", str(lines), "--resume", results, "--report", results).exit_code == 2
    assert lines.read_text() == "http://127.0.0.1:9/x\n"


@pytest.mark.parametrize("name", ["d.html", "none/x.html"])
def test_a_report_that_cannot_be_made_is_told_before_anything_is_sent(forge: Forge, name: str) -> None:
    Path("d.html").mkdir()
    result = forge("batch", "-", "--report", name, input="http://127.0.0.1:9/x\n")
    assert result.exit_code == 9 and name in result.stderr
    assert result.stdout == ""
    assert [path.name for path in Path().iterdir()] == ["d.html"]


def test_a_process_that_is_killed_leaves_no_part_of_a_report(server: Server, tmp_path: Path) -> None:
    held, sent = threading.Event(), threading.Event()

    def answer(request: Seen) -> Reply:
        sent.set()
        return Reply(200, hold=held)

    (tmp_path / "in").write_text(server.reply("/x", answer))
    running = child("batch", str(tmp_path / "in"), "--report", str(tmp_path / "x.html"))
    assert sent.wait(30)
    running.kill()
    running.communicate(timeout=30)
    held.set()
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_disk_that_is_full_is_told_with_a_report_of_what_came(server: Server, tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    (tmp_path / "in").write_text(f"{server.reply('/x', Reply(200))}\n" * 3)
    report = tmp_path / "x.json"
    with open("/dev/full", "wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "forge_cli", "batch", str(tmp_path / "in"), "--report", str(report)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert ended.returncode == 9 and "no space left" in ended.stderr
    assert "requests in" in ended.stderr
    assert json.loads(report.read_text())["count"] >= 1


def test_the_help_says_what_is_of_each_line(forge: Forge) -> None:
    text = " ".join(forge("batch", "--help").stdout.split())
    assert "A limit for each line" in text and "retry budget" in text
    assert "A limit for everything" in " ".join(forge("get", "--help").stdout.split())


def test_a_login_that_says_no_is_asked_no_further(
    forge: Forge, server: Server, profiles: Callable[[str], Path]
) -> None:
    profiles("")
    server.reply("/login", Reply(401))
    result = forge("batch", "-", "--jobs", "2", input="/x\n" * 100)
    assert result.exit_code == 7
    assert "stopped" in result.stderr
    assert len(server.seen_at("/login")) <= 2
    assert all(item["error"] for item in records(result.stdout))


def test_reports_say_what_came_without_running_anything(forge: Forge, server: Server, tmp_path: Path) -> None:
    url = server.reply("/x", Reply(200), Reply(500))
    names = [str(tmp_path / f"report.{kind}") for kind in ("html", "xml", "json")]
    words = [word for name in names for word in ("--report", name)]
    lines = "".join(f'{{"url": "{url}", "id": "<b>&\\u0001{n}"}}\n' for n in range(2))
    assert forge("batch", "-", "--jobs", "1", "--retry", "0", *words, input=lines).exit_code == 5
    page = Path(names[0]).read_text()
    assert page.count("<svg") == 4 and "<script" not in page and "http://" not in page
    root = ElementTree.parse(names[1]).getroot()
    assert root[0].attrib["tests"] == "2" and root[0].attrib["failures"] == "1"
    assert root[0][0].attrib["name"] == "<b>&\ufffd0"
    document = json.loads(Path(names[2]).read_text())
    assert document["count"] == 2 and document["statuses"] == {"200": 1, "500": 1}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json", "report.xml"]


def test_progress_is_for_terminals(forge: Forge, server: Server, tmp_path: Path) -> None:
    url = server.reply("/x", Reply(404), Reply(200))
    (tmp_path / "in").write_text(f"{url}\n" * 15)
    words = ("batch", str(tmp_path / "in"), "--rate", "20/s")
    shown = forge(*words, tty=["stderr"]).stderr
    assert re.search(r"\r\d+ done, \d+/s, 1 failed, p50 [\d.]+ (ms|s), p95 [\d.]+ (ms|s), \d+ s left\x1b\[K", shown), (
        shown
    )
    assert "done" not in forge(*words, tty=["stdout", "stderr"]).stderr
    assert "done" in forge(*words, "--resume", "results", tty=["stdout", "stderr"]).stderr
    assert "done" not in forge(*words).stderr
    assert "done" not in forge(*words, "-s", tty=["stderr"]).stderr


def test_progress_is_shown_while_the_first_line_is_slow(forge: Forge, server: Server) -> None:
    held = threading.Event()

    def answer(request: Seen) -> Reply:
        threading.Timer(1.0, held.set).start()
        return Reply(200, hold=held)

    url = server.reply("/x", answer)
    assert "\r0 done, 0/s" in forge("batch", "-", input=f"{url}\n", tty=["stderr"]).stderr


def test_the_time_left_counts_what_is_done_and_not_what_is_read(forge: Forge, server: Server, tmp_path: Path) -> None:
    url = server.reply("/x", Reply(200))
    (tmp_path / "in").write_text("".join(f"{url}?{n:05}\n" for n in range(5000, 5040)))
    (tmp_path / "out").write_text("".join(f'{{"id": {n}, "status": 200}}\n' for n in range(1, 21)))
    words = ("batch", str(tmp_path / "in"), "--rate", "10/s", "--resume", str(tmp_path / "out"))
    shown = forge(*words, tty=["stderr"]).stderr
    left = [int(found) for found in re.findall(r"(\d+) s left", shown)]
    # Twenty of forty are left, for two seconds.
    assert left and left[0] in (1, 2) and left[-1] == 0 and left == sorted(left, reverse=True)


def test_the_time_left_is_not_guessed_where_nobody_knows_the_length(forge: Forge, server: Server) -> None:
    url = server.reply("/x", Reply(200))
    shown = forge("batch", "-", "--rate", "20/s", input=f"{url}\n" * 15, tty=["stderr"]).stderr
    assert "done" in shown and "left" not in shown


def test_unordered_results_are_written_as_they_end(server: Server, tmp_path: Path) -> None:
    held = threading.Event()
    slow, url = server.reply("/slow", Reply(200, hold=held)), server.reply("/x", Reply(200))
    (tmp_path / "in").write_text(f"{slow}\n{url}\n")
    running = child("batch", str(tmp_path / "in"), "--unordered", "--jobs", "2")
    assert running.stdout is not None
    first = json.loads(running.stdout.readline())
    held.set()
    out, _ = running.communicate(timeout=30)
    assert (first["id"], json.loads(out)["id"]) == (2, 1)


@pytest.mark.parametrize("jobs", [1, 3])
def test_no_more_than_so_many_run_at_a_time(forge: Forge, server: Server, jobs: int) -> None:
    lock, running, most = threading.Lock(), 0, 0

    def answer(request: Seen) -> Reply:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.02)  # what the work of a server takes
        with lock:
            running -= 1
        return Reply(200)

    url = server.reply("/x", answer)
    assert forge("batch", "-", "--jobs", str(jobs), input=f"{url}\n" * 20).exit_code == 0
    assert most == jobs


def test_the_shards_of_an_input_are_all_of_it_and_nothing_twice(forge: Forge, server: Server, tmp_path: Path) -> None:
    url = server.reply("/x", Reply(200))
    (tmp_path / "in").write_text(f"{url}\n\n{{\n" + f"{url}\n" * 8)
    parts = [
        [item["id"] for item in records(forge("batch", str(tmp_path / "in"), "--shard", f"{n}/3").stdout)]
        for n in (1, 2, 3)
    ]
    assert parts == [[1, 4, 7, 10], [5, 8, 11], [3, 6, 9]]


def test_a_token_that_expires_in_the_middle_is_renewed_once_for_all(
    forge: Forge, server: Server, profiles: Callable[[str], Path], tmp_path: Path
) -> None:
    life, logins = 0.5, [0.0]
    lock = threading.Lock()

    def login(request: Seen) -> Reply:
        with lock:
            logins.append(time.monotonic())
            return Reply(200, {"token": f"user-token-{len(logins) - 1}", "expires_in": 3600})

    def answer(request: Seen) -> Reply:
        with lock:
            number = int(request.headers["Authorization"].rpartition("-")[2])
            return Reply(200 if time.monotonic() - logins[number] < life else 401)

    profiles("")
    server.reply("/login", login)
    server.reply("/x", answer)
    (tmp_path / "in").write_text("/x\n" * 1000)
    started = time.monotonic()
    result = forge("batch", str(tmp_path / "in"))
    took = time.monotonic() - started
    assert result.exit_code == 0
    assert [item["status"] for item in records(result.stdout)] == [200] * 1000
    assert len(logins) - 1 <= took / life + 1


def test_a_killed_run_is_resumed_with_no_line_twice_and_none_missing(server: Server, tmp_path: Path) -> None:
    half = threading.Event()

    def count(request: Seen) -> Reply:
        if len(server.seen) > 150:
            half.set()
        return Reply(200, {"a": 1})

    url = server.reply("/x", count)
    lines, results = tmp_path / "in", tmp_path / "out"
    lines.write_text(f"{url}\n" * 400)
    words = ("batch", str(lines), "--resume", str(results), "--rate", "400/s")
    first = child(*words)
    assert half.wait(30)
    first.kill()
    first.communicate()
    before = len(results.read_text().splitlines())
    assert 0 < before < 400
    second = child(*words)
    second.communicate(timeout=60)
    assert second.returncode == 0
    assert sorted(item["id"] for item in records(results.read_text())) == list(range(1, 401))


def test_ctrl_c_keeps_what_finished(server: Server, tmp_path: Path) -> None:
    some = threading.Event()

    def count(request: Seen) -> Reply:
        if len(server.seen) > 20:
            some.set()
        return Reply(200)

    url = server.reply("/x", count)
    (tmp_path / "in").write_text(f"{url}\n" * 5000)
    running = child("batch", str(tmp_path / "in"), "--rate", "100/s")
    assert some.wait(30)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert running.returncode == 130, err
    assert len(records(out)) == len(server.seen) < 5000


def test_a_second_ctrl_c_waits_for_nothing_and_keeps_what_finished(server: Server, tmp_path: Path) -> None:
    held, some = threading.Event(), threading.Event()

    def answer(request: Seen) -> Reply:
        if len(server.seen_at("/x")) < 6:
            return Reply(200)
        some.set()
        return Reply(200, hold=held)

    first, url = server.reply("/first", Reply(200, hold=held)), server.reply("/x", answer)
    (tmp_path / "in").write_text(f"{first}\n" + f"{url}\n" * 100)
    running = child("batch", str(tmp_path / "in"), "--jobs", "2")
    assert some.wait(30)
    assert running.stderr is not None
    running.send_signal(signal.SIGINT)
    assert "again stops at once" in running.stderr.readline()
    running.send_signal(signal.SIGINT)
    out, _ = running.communicate(timeout=10)
    held.set()
    assert running.returncode == 130
    assert [item["id"] for item in records(out)] == [2, 3, 4, 5, 6]


@pytest.mark.parametrize(("words", "told"), [([], 1), (["-v"], 3), (["-s"], 0)], ids=["", "-v", "-s"])
def test_waits_for_retries_are_told_on_standard_error(
    forge: Forge, server: Server, profiles: Callable[[str], Path], words: list[str], told: int
) -> None:
    profiles("retry = { base_delay = 0 }\n")
    server.reply("/login", Reply(200, {"token": "user-token-1", "expires_in": 3600}))
    server.reply("/x", Reply(503), Reply(503), Reply(503), Reply(200))
    result = forge("batch", "-", "--jobs", "1", *words, input="/x\n/x\n")
    assert result.exit_code == 0
    assert result.stderr.count("503, retry ") == told
    assert ("503, retry 1 of 3 in 0 s (--retry 0)" in result.stderr) == bool(told)
    assert ("2 more notices of this kind; -v shows each" in result.stderr) == (told == 1)


def test_a_secret_in_an_error_is_masked(forge: Forge, server: Server, profiles: Callable[[str], Path]) -> None:
    profiles("")
    server.reply("/login", Reply(200, {"token": "user-token-1", "expires_in": 3600}))
    server.reply("/x", Reply(200, {"a": "it is user-token-1"}))
    result = forge("batch", "-", "--expect", "body:/a==1", "--select", "b", input="/x\n")
    assert result.exit_code == 12
    (found,) = records(result.stdout)
    assert "it is ***" in found["error"]
    assert "user-token-1" not in result.stdout + result.stderr


def test_processes_that_share_a_redis_leave_a_failing_server_alone_together(
    require: Require, forge: Forge, server: Server, profiles: Callable[[str], Path]
) -> None:
    server.reply("/login", Reply(200, {"token": "user-token-1", "expires_in": 3600}))
    server.reply("/x", Reply(500))
    with redis_server(require("redis-server", "apt-get install redis-server")) as running:
        profiles(
            f'tokens = {{ storage = "redis", url = "{running.url}", prefix = "t" }}\n'
            'retry = { strategy = "circuit-breaker", failure_threshold = 3, recovery_timeout = "60s" }\n'
        )
        words = ("batch", "-", "--jobs", "1", "--retry", "0", "--timeout", "0.2")
        first = records(forge(*words, input="/x\n" * 5).stdout)
        assert [item["status"] for item in first] == [500, 500, 500, None, None]
        # On another machine there is no file of this one.
        shutil.rmtree(config_dir() / "state", ignore_errors=True)
        result = forge(*words, input="/x\n" * 2)
    assert [item["status"] for item in records(result.stdout)] == [None, None]
    assert "circuit" in result.stdout
    assert len(server.seen_at("/x")) == 3


def test_memory_does_not_grow_with_the_input(server: Server, tmp_path: Path) -> None:
    url = server.reply("/x", Reply(200, "x" * 20_000))

    def peak(lines: int) -> int:
        (tmp_path / "in").write_text(f"{url}\n" * lines)
        running = subprocess.Popen(
            [sys.executable, "-m", "forge_cli", "batch", str(tmp_path / "in"), "-s"],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
        assert running.returncode == 0
        return usage.ru_maxrss

    # The answers alone have 32 MB.
    assert peak(2000) <= 1.15 * peak(400)


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["get", "URL"], ["curl", "get", "URL"]], ids=" ".join)
def test_no_other_command_loads_what_many_requests_take(server: Server, words: list[str]) -> None:
    url = server.reply("/x", Reply(200), optional=True)
    found = loaded(*(url if word == "URL" else word for word in words))
    assert {name for name in found if name.startswith(("forge_cli.batch", "forge_cli.cli.commands.batch"))} == set()


def test_four_processes_are_one_client_of_one_rate(
    require: Require, server: Server, profiles: Callable[[str], Path], tmp_path: Path
) -> None:
    times: list[float] = []
    some = threading.Event()

    def note(request: Seen) -> Reply:
        times.append(time.monotonic())
        if len(times) > 40:
            some.set()
        return Reply(200)

    server.reply("/login", Reply(200, {"token": "user-token-1", "expires_in": 3600}))
    server.reply("/x", note)
    (tmp_path / "in").write_text("/x\n" * 200)
    with redis_server(require("redis-server", "apt-get install redis-server")) as running:
        profiles(f'tokens = {{ storage = "redis", url = "{running.url}", prefix = "t" }}\n')

        def words(shard: int) -> tuple[str, ...]:
            results = str(tmp_path / f"out{shard}")
            return ("batch", str(tmp_path / "in"), "--shard", f"{shard}/4", "--rate", "50/s", "--resume", results)

        children = [child(*words(shard)) for shard in range(1, 5)]
        assert some.wait(20)
        children[1].kill()
        children[1].communicate()
        children[1] = child(*words(2))
        for one in children:
            _, err = one.communicate(timeout=60)
            assert one.returncode == 0, err
    found = [item["id"] for shard in range(1, 5) for item in records((tmp_path / f"out{shard}").read_text())]
    assert sorted(found) == list(range(1, 201))
    assert len(server.seen_at("/login")) == 1
    # What a busy machine delays may arrive together; over a second nothing exceeds the rate.
    assert all(later - first >= 0.9 for first, later in zip(times, times[50:], strict=False))


def test_machines_that_share_a_redis_share_one_login(
    require: Require, forge: Forge, server: Server, profiles: Callable[[str], Path], tmp_path: Path
) -> None:
    server.reply("/login", Reply(200, {"token": "user-token-1", "expires_in": 3600}))
    server.reply("/x", Reply(200))
    with redis_server(require("redis-server", "apt-get install redis-server")) as running:
        here = profiles(f'tokens = {{ storage = "redis", url = "{running.url}", prefix = "t" }}\n').parent
        assert forge("batch", "-", input="/x\n").exit_code == 0
        there = tmp_path / "another"
        there.mkdir(mode=0o700)
        shutil.copy2(here / "profiles.toml", there)
        assert forge("batch", "-", input="/x\n", env={"FORGE_CONFIG_DIR": str(there)}).exit_code == 0
    assert len(server.seen_at("/login")) == 1


@pytest.mark.parametrize("rate", [(), ("--rate", "200/s")], ids=["", "--rate"])
def test_what_a_server_asks_of_one_process_holds_back_all_that_share_a_redis(
    require: Require, server: Server, profiles: Callable[[str], Path], tmp_path: Path, rate: tuple[str, ...]
) -> None:
    lock, both = threading.Lock(), threading.Event()
    times: dict[str, list[float]] = {"1": [], "2": []}
    asked: list[float] = []

    def answer(request: Seen) -> Reply:
        with lock:
            times[request.headers["X-Process"]].append(time.monotonic())
            if all(times.values()):
                both.set()
            if not asked and all(len(moments) > 10 for moments in times.values()):
                asked.append(time.monotonic())
                return Reply(429, headers={"Retry-After": "2"})
        return Reply(200, hold=both)

    server.reply("/login", Reply(200, {"token": "user-token-1", "expires_in": 3600}))
    server.reply("/x", answer)
    (tmp_path / "in").write_text("/x\n" * 200)
    with redis_server(require("redis-server", "apt-get install redis-server")) as running:
        profiles(f'tokens = {{ storage = "redis", url = "{running.url}", prefix = "t" }}\n')
        words = ("batch", str(tmp_path / "in"), "--jobs", "2", *rate)
        children = [child(*words, "-H", f"X-Process: {number}") for number in times]
        for one in children:
            _, err = one.communicate(timeout=60)
            assert one.returncode == 0, err
    # What was under way when it was said comes a moment later, and the pause is counted from its arrival.
    early = [moment - asked[0] for moments in times.values() for moment in moments if moment > asked[0] + 0.3]
    assert min(early) >= 1.9
    assert all(max(moments) > asked[0] + 1.9 for moments in times.values())


def piped(*words: str) -> subprocess.Popen[str]:
    """A run whose input comes as the test writes it."""
    return subprocess.Popen(
        [sys.executable, "-m", "forge_cli", "batch", "-", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"])
def test_answers_come_while_the_input_is_idle_and_a_signal_ends_the_run(
    server: Server, number: signal.Signals, code: int, tmp_path: Path
) -> None:
    url = server.reply("/x", Reply(200))
    report = tmp_path / "report.json"
    running = piped("--report", str(report))
    assert running.stdin is not None and running.stdout is not None and running.stderr is not None
    for line in (1, 2):
        running.stdin.write(f"{url}\n")
        running.stdin.flush()
        assert json.loads(running.stdout.readline())["id"] == line
    running.send_signal(number)
    # The input is still open.
    assert running.wait(10) == code
    err = running.stderr.read()
    assert "2 requests in" in err
    assert json.loads(report.read_text())["statuses"] == {"200": 2}
    with running:
        pass


def test_sigterm_keeps_what_finished_and_writes_summary_and_report(server: Server, tmp_path: Path) -> None:
    held, some = threading.Event(), threading.Event()

    def answer(request: Seen) -> Reply:
        if len(server.seen_at("/x")) < 6:
            return Reply(200)
        some.set()
        return Reply(200, hold=held)

    url = server.reply("/x", answer)
    (tmp_path / "in").write_text(f"{url}\n" * 100)
    report = tmp_path / "report.json"
    running = child("batch", str(tmp_path / "in"), "--jobs", "1", "--report", str(report))
    assert some.wait(30)
    running.terminate()
    out, err = running.communicate(timeout=10)
    held.set()
    assert running.returncode == 143
    assert [item["id"] for item in records(out)] == [1, 2, 3, 4, 5]
    assert "5 requests in" in err and json.loads(report.read_text())["count"] == 5


def test_a_redis_that_goes_down_ends_the_run_and_the_rest_is_resumed(
    require: Require, forge: Forge, server: Server, profiles: Callable[[str], Path], tmp_path: Path
) -> None:
    server.reply("/login", Reply(200, {"token": "user-token-1", "expires_in": 3600}))
    results = tmp_path / "out"
    words = ("batch", "-", "--jobs", "4", "--rate", "500/s", "--resume", str(results))
    with redis_server(require("redis-server", "apt-get install redis-server")) as running:
        profiles(f'tokens = {{ storage = "redis", url = "{running.url}", prefix = "t" }}\n')
        down = threading.Event()

        def answer(request: Seen) -> Reply:
            if len(server.seen_at("/x")) == 30 and not down.is_set():
                running.kill()
                down.set()
            return Reply(200)

        server.reply("/x", answer)
        first = forge(*words, input="/x\n" * 100)
        assert first.exit_code == 9
        assert "stopped" in first.stderr and "check that it is up" in first.stderr
        assert sum("error" in item for item in records(results.read_text())) <= 4
        running.start()
        assert forge(*words, input="/x\n" * 100).exit_code == 0
    found = [item["id"] for item in records(results.read_text()) if "error" not in item]
    assert sorted(found) == list(range(1, 101))
    assert len(server.seen_at("/x")) == 100


def test_a_wait_that_the_server_asks_for_is_told_and_bounded_by_the_time_limit(forge: Forge, server: Server) -> None:
    url = server.reply("/x", Reply(200, headers={"RateLimit": '"d";r=0;t=600'}))
    result = forge("batch", "-", "--jobs", "1", "--timeout", "0.3", input=f"{url}\n" * 2)
    assert result.exit_code == 28
    assert "the server wants no requests for 10 min: all wait" in result.stderr
    assert "no requests for another 10 min" in records(result.stdout)[1]["error"]
    assert len(server.seen) == 1
