"""People for the tests of logins: they do what a person would do, and remember what they were told."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from urllib.error import HTTPError
from urllib.parse import parse_qsl, urlsplit


class Somebody:
    """A person whose browser does `browser` with the URL that it is given, beside the login; None: there is none."""

    def __init__(self, browser: Callable[[str], object] | None = None, answers: tuple[str, ...] = ()) -> None:
        self.told: list[str] = []
        self.asked: list[str] = []
        self.opened: list[str] = []
        self._browser = browser
        self._answers = list(answers)
        self._threads: list[threading.Thread] = []

    def ask(self, text: str, *, hidden: bool) -> str:
        self.asked.append(text)
        return self._answers.pop(0)

    def tell(self, text: str) -> None:
        self.told.append(text)

    def browse(self, url: str) -> bool:
        self.opened.append(url)
        if self._browser is not None:
            thread = threading.Thread(target=self._browser, args=(url,), daemon=True)
            thread.start()
            self._threads.append(thread)
        return self._browser is not None

    def done(self) -> None:
        """Wait until the browser has seen its last page."""
        for thread in self._threads:
            thread.join(20)
            assert not thread.is_alive()


class Typist(Somebody):
    """A person without a browser, who pastes lines: each is made from the URL that was shown."""

    def __init__(self, *lines: Callable[[str], str]) -> None:
        super().__init__()
        self._lines = list(lines)

    def typed(self, seconds: float) -> str | None:
        return self._lines.pop(0)(shown_url(self)) if self._lines else None


def shown_url(person: Somebody) -> str:
    """The URL that a person was told to open."""
    return next(line.strip() for text in person.told for line in text.splitlines() if "://" in line)


def parameters(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def visit(url: str) -> str:
    """Get a page as a browser does, redirects and all."""
    with suppress(HTTPError), urllib.request.urlopen(url, timeout=20) as response:
        return str(response.read().decode())
    return ""


class Holder(set[object]):
    """Whoever may end the process: what it was asked to wait for."""

    def hold(self, what: object) -> None:
        self.add(what)

    def free(self, what: object) -> None:
        self.discard(what)
