"""The guided run of `forge demo`: what is typed, what it prints, and what the API saw meanwhile."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

from .api import Lives
from .stage import Stage, WatchedApi

_STEPS = {
    "/v1/devices/token": "device",
    "/v1/apps/token": "app",
    "/v1/users/login": "user",
    "/v1/users/refresh": "user, by its refresh token",
}
"""What a request for a token is called, by its path."""

_DEVICE, _APP, _LOGIN, _RENEW = (f"200 {path}" for path in _STEPS)
# Seconds. Long enough for the requests that follow a renewal, short enough to wait for.
_SHORT_LIFE = 2
_STRONG, _FAINT, _BAD, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[0m"


@dataclass(frozen=True)
class Scene:
    """One command. `answers` are those that the API should give meanwhile; `before` happens first.

    `after` is how many seconds pass, for all to see, before it is typed.
    With `needs`, programs that may not be installed, a shell runs it.
    """

    title: str
    command: str
    told: str
    answers: Mapping[str, int] = field(default_factory=dict)
    before: Callable[[WatchedApi], None] | None = None
    after: float = 0
    needs: tuple[str, ...] = ()


def _refuse_user(api: WatchedApi) -> None:
    api.expire_user()
    api.user_life(_SHORT_LIFE)


SCENES = (
    Scene(
        "The login, before anything has happened",
        "forge token explain",
        "Three steps: a device token buys an app token, and that one buys the user's token, which\n"
        "is what requests carry. The order comes from what each step refers to.",
    ),
    Scene(
        "The first request logs in",
        "forge get /users",
        "All three steps ran, then the request. Each token was written to disk, with its own end.",
        {_DEVICE: 1, _APP: 1, _LOGIN: 1, "200 /users": 1},
    ),
    Scene(
        "The second one does not",
        "forge get /users",
        "Another process, the same tokens: nothing but the request was sent.",
        {"200 /users": 1},
    ),
    Scene(
        "The user's token is refused before its time",
        "forge get /users -v",
        "The 401 made forge forget the token it had sent. This step has a refresh token, so one\n"
        "request renewed it, without device or app, and `/users` was asked once more.",
        {"401 /users": 1, _RENEW: 1, "200 /users": 1},
        before=_refuse_user,
    ),
    Scene(
        "The user's token ends",
        "forge get /users",
        f"The new token was good for {_SHORT_LIFE} seconds, as its answer said in `expires_in`. So forge renewed it\n"
        "before the request, not after a 401; the other two tokens had not ended, and were left alone.",
        {_RENEW: 1, "200 /users": 1},
        before=lambda api: api.user_life(Lives().user),
        after=_SHORT_LIFE,
    ),
    Scene(
        "The app's token is refused",
        "forge get /strict",
        "The API answered 401 with APP_TOKEN_EXPIRED, and the profile says what that means: two of\n"
        "three steps ran again, then the request. The device token is still good.",
        {"401 /strict": 1, _APP: 1, _LOGIN: 1, "200 /strict": 1},
    ),
    Scene(
        "The API is busy",
        "forge get /flaky",
        "Two answers were 503 with `Retry-After: 1`, so forge waited a second, twice. Such notices go\n"
        "to stderr; stdout has the last answer alone.",
        {"503 /flaky": 2, "200 /flaky": 1},
    ),
    Scene(
        "Five processes at once, and nothing cached",
        "forge token clear -s; seq 5 | xargs -P 5 -I n forge get /users -o /dev/null",
        "One process logged in, the others waited for it and used its tokens.",
        {_DEVICE: 1, _APP: 1, _LOGIN: 1, "200 /users": 5},
        needs=("sh", "seq", "xargs"),
    ),
    Scene(
        "What is stored",
        "forge token show",
        "Masked, and nothing was sent. `token show --raw` prints the token itself, for a script,\n"
        "renewed first if need be.",
    ),
    Scene(
        "The same request for a colleague",
        "forge curl GET /users",
        "A cURL command without a secret in it: it asks for the token when it runs.",
    ),
    Scene(
        "... and it runs",
        "forge curl GET /users | sh",
        "This request was sent by curl, with the token that forge keeps.",
        {"200 /users": 1},
        needs=("sh", "curl"),
    ),
)


class Tour:
    """Plays the scenes. On a terminal the commands write to it themselves, as they would by hand."""

    def __init__(
        self,
        stage: Stage,
        out: TextIO,
        *,
        color: bool,
        scenes: Sequence[Scene] = SCENES,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._stage = stage
        self._scenes = scenes
        self._out = out
        self._color = color
        self._sleep = sleep
        self._terminal = out.isatty()

    def run(self) -> bool:
        """Play all scenes; True when each did what it should."""
        self._say(f"An API whose login takes three steps now listens on {self._stage.url}, for this tour only.")
        self._say(f"Its profile is in {self._stage.config_dir / 'profiles.toml'}.")
        good = [self._play(number, scene) for number, scene in enumerate(self._scenes, 1)]
        self._write("\n")
        if not all(good):
            self._say(f"{good.count(False)} of {len(good)} commands did not do what they should have done.", _BAD)
            return False
        program = self._stage.program
        self._say("The API stops now, and nothing is left of it. Next:", _STRONG)
        self._say(f"  {program} demo --serve      keep it running, to try things by hand")
        self._say(f"  {program} profile init      write a profile for an API of yours")
        return True

    def _play(self, number: int, scene: Scene) -> bool:
        self._write("\n")
        self._say(f"{number}. {scene.title}", _STRONG)
        if missing := self._missing(scene):
            self._say(f"Left out: {' and '.join(missing)} cannot be found.")
            return True
        if scene.before is not None:
            scene.before(self._stage.api)
        if scene.after:
            self._say(f"# {scene.after:g} seconds later", _FAINT)
            self._sleep(scene.after)
        before = Counter(self._stage.api.answers)
        typed = scene.command.replace("forge", self._stage.program)
        self._say(f"$ {typed}", _STRONG)
        code = self._child(["sh", "-c", typed] if scene.needs else self._stage.command(*typed.split()[1:]))
        if self._terminal and "curl" in scene.needs:
            self._write("\n")  # curl shows the body as it is, and this one does not end its line
        answers = self._stage.api.answers - before
        self._say(f"# {_counted(answers)}", _FAINT)
        self._say("".join(f"# {line}\n" for line in scene.told.splitlines()).rstrip(), _FAINT)
        if code == 0 and answers == scene.answers:
            return True
        self._say(f"This is wrong: exit code {code}, answers {_listed(answers)}, not {_listed(scene.answers)}.", _BAD)
        return False

    def _missing(self, scene: Scene) -> list[str]:
        path = self._stage.environ.get("PATH", os.defpath)
        return [program for program in scene.needs if shutil.which(program, path=path) is None]

    def _child(self, command: list[str]) -> int:
        """Run a command to its end; its exit code."""
        settings: dict[str, Any] = {
            "cwd": self._stage.folder,
            "env": self._stage.environ,
            "stdin": subprocess.DEVNULL,
        }
        self._out.flush()
        if self._terminal:
            return subprocess.run(command, **settings).returncode
        # One pipe for both streams keeps their lines in order.
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **settings)
        text = result.stdout.decode("utf-8", "replace")
        self._write(text if not text or text.endswith("\n") else f"{text}\n")
        return result.returncode

    def _say(self, text: str, style: str = "") -> None:
        self._write(f"{style}{text}{_PLAIN}\n" if style and self._color else f"{text}\n")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def _counted(answers: Mapping[str, int]) -> str:
    """How many requests, and for what."""
    paths = [answer.partition(" ")[2] for answer, count in answers.items() for _ in range(count)]
    steps = [name for path, name in _STEPS.items() for _ in range(paths.count(path))]
    named = f" ({', '.join(steps)})" if steps else ""
    return f"{_plural(len(steps), 'token request')}{named}, {_plural(len(paths) - len(steps), 'API request')}"


def _plural(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _listed(answers: Mapping[str, int]) -> str:
    return ", ".join(f"{count} x {answer}" for answer, count in answers.items()) or "none"
