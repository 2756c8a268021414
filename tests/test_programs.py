"""Programs that a profile names: what they see, how long they may take, and what is said when they fail (B9)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from forge_cli import programs
from forge_cli.programs import ProgramFailed, located, run
from forge_cli.redact import REDACTOR
from tests.children import start

ENVIRON = {"PATH": "/usr/bin:/bin", "HOME": "/h", "LANG": "C", "TERM": "dumb", "API_KEY": "key-1", "V": "v"}

INTERRUPTED = """
from forge_cli.programs import output
try:
    output(["sh", "-c", f"echo $$ >{path}/pid; sleep 60 & wait"], (), os.environ, folder=path)
except KeyboardInterrupt:
    print("interrupted")
"""


def output(argv: list[str], env: tuple[str, ...], environ: Mapping[str, str], **options: Any) -> str:
    return programs.output(argv, env, environ, folder=Path("/nowhere"), **options)


def printed(text: str, env: tuple[str, ...] = (), **options: Any) -> str:
    return output(["sh", "-c", text], env, options.pop("environ", ENVIRON), **options)


def gone(pid: int) -> bool:
    """Whether a process has ended, or does so soon."""
    for _ in range(500):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("echo secret-1", "secret-1"),
        ("printf secret-1", "secret-1"),
        ("printf 'secret-1\\r\\n'", "secret-1"),
        ("printf ' two\\n\\n'", " two\n"),
        ("printf '\\303\\251'", "é"),
    ],
)
def test_the_output_comes_without_its_last_line_end(text: str, value: str) -> None:
    assert printed(text) == value


def test_the_words_are_no_shell_text() -> None:
    assert output(["printf", "%s|", "$(id)", "a b", "*"], (), ENVIRON) == "$(id)|a b|*|"


def test_a_program_sees_four_variables_and_those_that_are_named() -> None:
    seen = dict(line.split("=", 1) for line in output(["env"], ("V", "MISSING"), ENVIRON).splitlines())
    assert seen == {"PATH": "/usr/bin:/bin", "HOME": "/h", "LANG": "C", "TERM": "dumb", "V": "v"}


def test_the_standard_input_is_at_its_end() -> None:
    assert printed("cat; echo end") == "end"


@pytest.mark.parametrize("given", [b"", b"line\n", b"x" * 300_000])
def test_what_is_given_is_the_standard_input(given: bytes) -> None:
    assert run(["cat"], (), ENVIRON, given=given).output == given


def test_a_program_need_not_read_what_it_is_given() -> None:
    assert run(["true"], (), ENVIRON, given=b"x" * 300_000).code == 0


@pytest.mark.parametrize(
    ("argv", "reason", "started"),
    [
        (["no-such-program"], "cannot run 'no-such-program': no such file", False),
        (["/etc/hostname"], "cannot run '/etc/hostname': (permission denied|exec format error)", False),
        (["/"], "cannot run '/': permission denied", False),
        ([""], "cannot run ''", False),
        (["a\0b"], "not a program's name", False),
        (["false"], "'false' failed with 1$", True),
        (["sh", "-c", "exit 3"], "'sh' failed with 3$", True),
        (["sh", "-c", "kill -9 $$"], "'sh' failed with -9$", True),
        (["sh", "-c", "echo value-1; exit 4"], "'sh' failed with 4$", True),
        (["true"], "'true' printed nothing", True),
        (["echo", ""], "'echo' printed nothing", True),
        (["printf", "value-1\\377"], "what 'printf' printed is not UTF-8", True),
    ],
)
def test_what_goes_wrong_is_said_without_what_was_printed(argv: list[str], reason: str, started: bool) -> None:
    with pytest.raises(ProgramFailed, match=reason) as caught:
        output(argv, (), ENVIRON)
    assert caught.value.started is started
    assert "value-1" not in f"{caught.value!r} {caught.value.__cause__!r}"
    assert caught.value.__cause__ is None or not started


def test_the_last_line_of_the_errors_is_shown_without_secrets_and_control_characters() -> None:
    REDACTOR.add("user-token-1")
    text = "echo first >&2; printf '\\033[31mvault is locked for user-token-1\\n\\n' >&2; exit 1"
    with pytest.raises(ProgramFailed) as caught:
        printed(text)
    assert str(caught.value) == "'sh' failed with 1: [31mvault is locked for ***"


def test_a_long_line_of_errors_is_cut_and_its_end_is_found_in_much_output() -> None:
    with pytest.raises(ProgramFailed, match="failed with 1: last") as caught:
        printed("yes | head -c 300000 >&2; printf 'last' >&2; printf ' word%.0s' $(seq 100) >&2; exit 1")
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    "text", ["sleep 60", "sleep 60 & sleep 60", "trap '' TERM; sleep 60 & wait", "sleep 60 & echo $!"]
)
def test_a_program_that_does_not_end_is_killed_with_all_it_started(tmp_path: Path, text: str) -> None:
    begun = time.monotonic()
    with pytest.raises(ProgramFailed, match=r"'sh' did not end within 0\.3 s") as caught:
        printed(f'echo $$ >"{tmp_path}/pid"; {text}', limit=0.3)
    assert time.monotonic() - begun < 5
    assert caught.value.started
    group = int((tmp_path / "pid").read_text())
    members = subprocess.run(["ps", "-o", "pid=,stat=", "-g", str(group)], capture_output=True, text=True, check=False)
    alive = [line for line in members.stdout.splitlines() if "Z" not in line]
    assert all(gone(int(line.split()[0])) for line in alive)


def test_the_usual_limit_is_ten_seconds() -> None:
    assert programs.LIMIT == 10


def test_a_program_that_prints_too_much_is_killed() -> None:
    assert len(printed("head -c 1048576 /dev/zero | tr '\\0' x")) == 1024 * 1024
    begun = time.monotonic()
    with pytest.raises(ProgramFailed, match="'yes' printed more than 1 MiB"):
        output(["yes"], (), ENVIRON)
    assert time.monotonic() - begun < 5


def test_an_interrupt_ends_the_program(tmp_path: Path) -> None:
    with start(INTERRUPTED, tmp_path) as child:
        for _ in range(1000):
            if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip():
                break
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=10)
    assert out == "interrupted\n", err
    assert gone(int((tmp_path / "pid").read_text()))


def test_programs_run_beside_each_other() -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda n=n: found.append(printed(f"echo {n}"))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [str(n) for n in range(8)]


@pytest.mark.parametrize(
    ("program", "environ", "path"),
    [
        ("op", {}, "op"),
        ("./op", {}, "/profile/op"),
        ("bin/op", {}, "/profile/bin/op"),
        ("/usr/bin/op", {}, "/usr/bin/op"),
        ("~/bin/op", {"HOME": "/home/ada"}, "/home/ada/bin/op"),
        ("~/bin/op", {}, "/profile/~/bin/op"),
    ],
)
def test_only_a_path_starts_at_the_folder_of_the_profile(program: str, environ: Mapping[str, str], path: str) -> None:
    assert located([program, "./word"], Path("/profile"), environ) == (path, "./word")


@pytest.mark.skipif(not hasattr(os, "setsid"), reason="this platform has no terminals to detach from")
def test_a_program_has_no_terminal_to_ask_on() -> None:
    with pytest.raises(ProgramFailed, match="failed with"):
        output([sys.executable, "-c", "open('/dev/tty')"], (), ENVIRON)


WINDOWS = {
    "Path": "x",
    "PATH": r"C:\Windows",
    "SystemRoot": r"C:\Windows",
    "USERPROFILE": r"C:\Users\ada",
    "API_KEY": "key-1",
}


def test_a_program_on_windows_sees_what_windows_programs_need() -> None:
    seen = programs.passed_on(WINDOWS, ("API_KEY",), platform="win32")
    assert seen == {name: value for name, value in WINDOWS.items() if name != "Path"}
    assert set(programs.passed_on(WINDOWS, (), platform="linux")) == {"PATH"}


@pytest.mark.parametrize(
    ("program", "platform", "expected"),
    [
        ("op.exe", "win32", "op.exe"),
        (r"bin\op.exe", "win32", r"/profiles/bin\op.exe"),
        (r"bin\op", "linux", r"bin\op"),
        (r"~\op.exe", "win32", r"C:\Users\ada/op.exe"),
        ("~/op.exe", "win32", r"C:\Users\ada/op.exe"),
        ("~/op", "darwin", "~/op"),
    ],
)
def test_where_a_program_is_is_written_as_its_platform_writes_paths(program: str, platform: str, expected: str) -> None:
    environ = {"USERPROFILE": r"C:\Users\ada"}
    found = located([program, "a"], Path("/profiles"), environ, platform=platform)
    # Without HOME a `~` of another platform is a folder of that name.
    assert found == (expected.replace("~/op", "/profiles/~/op") if platform == "darwin" else expected, "a")
