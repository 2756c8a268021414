"""The demo API with all that a command needs to reach it, and nothing of it left afterwards."""

from __future__ import annotations

import os
import re
import shlex
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ..compiled import compiled
from ..errors import StorageError
from .api import DemoApi
from .listener import Call
from .profile import ENVIRON, PROFILE

_PACKAGE = Path(__file__).parents[2]
# What would send the commands of the demo elsewhere than to the demo, or dress their output up.
_AMBIENT = compiled(r"FORGE_.*|.*_PROXY|XDG_CONFIG_HOME|CURL_HOME", re.IGNORECASE)


class WatchedApi(DemoApi):
    """The demo API, counting its `answers`: ``200 /users``; how long a user's token lives can be changed."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: Counter[str] = Counter()
        self._counting = threading.Lock()

    def user_life(self, seconds: float) -> None:
        """User tokens issued from now on end after this long."""
        with self._lock:
            self._lives = replace(self._lives, user=seconds)

    def answer(self, method: str, path: str, call: Call) -> tuple[int, Mapping[str, str], object]:
        """Answer one request, and count it before the client hears of it."""
        status, headers, document = super().answer(method, path, call)
        with self._counting:
            self.answers[f"{status} {path}"] += 1
        return status, headers, document


@dataclass(frozen=True)
class Stage:
    """A running API, a configuration directory with its profile, and an environment that names both."""

    api: WatchedApi
    url: str
    config_dir: Path
    folder: Path
    environ: Mapping[str, str]
    program: str

    def command(self, *arguments: str) -> list[str]:
        """The arguments of forge as a whole command: this very forge, run by this Python."""
        return [sys.executable, "-c", _start(self.program), *arguments]


@contextmanager
def stage(program: str, environ: Mapping[str, str] = os.environ) -> Iterator[Stage]:
    """Start the API and write its profile; stop it and remove all files at the end. StorageError: it cannot start."""
    with ExitStack() as stack:
        try:
            ready = _set_up(stack, program, environ)
        except OSError as exc:
            raise StorageError(
                f"the demo cannot start: {(exc.strerror or type(exc).__name__).lower()}",
                hint="it needs a temporary directory (TMPDIR) and the loopback interface",
            ) from exc
        yield ready


def _set_up(stack: ExitStack, program: str, environ: Mapping[str, str]) -> Stage:
    place = stack.enter_context(tempfile.TemporaryDirectory(prefix="forge-demo-"))
    api = WatchedApi()
    stack.callback(api.stop)
    config_dir, folder, programs = (Path(place, name) for name in ("config", "work", "bin"))
    for path in (config_dir, folder, programs):
        path.mkdir(0o700)
    url = api.start()
    (config_dir / "profiles.toml").write_text(PROFILE.replace("@URL@", url), encoding="utf-8")
    # curl draws a progress meter whenever its output is not a terminal.
    (folder / ".curlrc").write_text("silent\nshow-error\n", encoding="ascii")
    _write_program(programs / program, program)
    return Stage(api, url, config_dir, folder, _environment(environ, config_dir, folder, programs), program)


def _environment(environ: Mapping[str, str], config_dir: Path, folder: Path, programs: Path) -> dict[str, str]:
    kept = {name: value for name, value in environ.items() if not _AMBIENT.fullmatch(name)}
    path = os.pathsep.join(filter(None, (str(programs), environ.get("PATH", os.defpath))))
    return kept | ENVIRON | {"FORGE_CONFIG_DIR": str(config_dir), "CURL_HOME": str(folder), "PATH": path}


def _write_program(path: Path, program: str) -> None:
    """A program by forge's name for what a shell runs, which knows nothing of this Python."""
    words = (sys.executable, "-c", _start(program))
    path.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
    path.chmod(0o700)


def _start(program: str) -> str:
    # The package comes last on the path: what lies beside it must not hide the standard library.
    return (
        f"import sys; sys.path.append({str(_PACKAGE)!r}); sys.argv[0] = {program!r}; "
        "from forge_cli.__main__ import main; sys.exit(main())"
    )
