"""A real browser for the tests: Chromium without a window, driven by its DevTools protocol over a pipe."""

from __future__ import annotations

import base64
import json
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_SECONDS = 30.0
_TURN = 0.05
_LARGEST_READ = 1 << 20
# The browser reads commands from descriptor 3 and answers on 4.
_WITH_PIPE = 'exec "$@" 3<&0 4>&1 </dev/null >/dev/null'
_OPTIONS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-proxy-server",
    # Nothing but this machine: a page that asks for a font elsewhere does not wait for it.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-sync",
    "--password-store=basic",
    "--window-size=1000,700",
)


class BrowserError(Exception):
    """The browser could not do what it was told."""


class Chromium:
    """One browser process; `page` opens pages that share nothing with each other."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._commands, self._answers = process.stdin.fileno(), process.stdout.fileno()
        self._received = b""
        self._number = 0

    def send(self, method: str, session: str | None = None, /, **params: Any) -> Any:
        """What a command of the protocol answers."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + _SECONDS
        while True:
            answer = self._next(end - time.monotonic())
            if answer.get("id") == self._number:
                break
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    @contextmanager
    def page(self) -> Iterator[Page]:
        """An empty page with cookies of its own."""
        context = self.send("Target.createBrowserContext")["browserContextId"]
        target = self.send("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        try:
            yield Page(self, session)
        finally:
            self.send("Target.disposeBrowserContext", browserContextId=context)

    def _next(self, seconds: float) -> Any:
        end = time.monotonic() + seconds
        while b"\0" not in self._received:
            if not select.select([self._answers], [], [], max(0.0, end - time.monotonic()))[0]:
                raise BrowserError("the browser does not answer")
            data = os.read(self._answers, _LARGEST_READ)
            if not data:
                raise BrowserError("the browser has ended")
            self._received += data
        message, _, self._received = self._received.partition(b"\0")
        return json.loads(message)


class Page:
    """A page, and a person in front of it who looks for things until they are there."""

    def __init__(self, browser: Chromium, session: str) -> None:
        self._browser = browser
        self._session = session

    def open(self, url: str) -> None:
        """Enter an address."""
        self._send("Page.navigate", url=url)

    def click(self, selector: str) -> None:
        """Press the mouse in the middle of an element, once it is there to be seen."""
        place = self._found(
            f"(e => {{ if (!e) return null; e.scrollIntoView({{block: 'center'}}); const r = e.getBoundingClientRect();"
            " return r.width && r.height ? {x: r.x + r.width / 2, y: r.y + r.height / 2} : null})"
            f"(document.readyState === 'complete' ? document.querySelector({json.dumps(selector)}) : null)",
            selector,
        )
        for kind in ("mousePressed", "mouseReleased"):
            self._send("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)

    def enter(self, selector: str, text: str) -> None:
        """Type a text into a field."""
        self.click(selector)
        self._send("Input.insertText", text=text)

    def see(self, text: str) -> str:
        """Wait until the page says this; all of it."""
        script = f"(t => t.includes({json.dumps(text)}) ? t : null)(document.body ? document.body.innerText : '')"
        return str(self._found(script, repr(text)))

    @property
    def url(self) -> str:
        return str(self._value("location.href"))

    def picture(self, path: Path, *, dark: bool = False) -> None:
        """Keep a picture of the page."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._send("Emulation.setEmulatedMedia", features=[scheme])
        path.write_bytes(base64.b64decode(self._send("Page.captureScreenshot", format="png")["data"]))

    def _send(self, method: str, /, **params: Any) -> Any:
        return self._browser.send(method, self._session, **params)

    def _value(self, script: str) -> Any:
        found = self._send("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in found:
            raise BrowserError(found["exceptionDetails"]["text"])
        return found["result"].get("value")

    def _found(self, script: str, what: str) -> Any:
        end = time.monotonic() + _SECONDS
        while time.monotonic() < end:
            # Between two pages there is nothing to look at.
            with suppress(BrowserError):
                if (found := self._value(script)) is not None:
                    return found
            time.sleep(_TURN)
        raise BrowserError(f"no {what} at {self.url}: {self._value('document.body.innerText')}")


@contextmanager
def chromium(program: str, environ: Mapping[str, str]) -> Iterator[Chromium]:
    """A browser that ends with the block, and leaves nothing behind."""
    with tempfile.TemporaryDirectory(prefix="forge-test-", ignore_cleanup_errors=True) as home:
        command = ["sh", "-c", _WITH_PIPE, "sh", program, *_OPTIONS, f"--user-data-dir={home}/data"]
        if os.geteuid() == 0:
            command.append("--no-sandbox")  # which the superuser cannot have
        with subprocess.Popen(
            [*command, "about:blank"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**environ, "HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home},
            start_new_session=True,
        ) as process:
            try:
                yield Chromium(process)
            finally:
                # Its many helpers are of the same group.
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
