"""A prepared request as a curl command."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Protocol
from urllib.parse import unquote_plus

from ..compiled import compiled
from ..errors import RequestBuildException
from . import powershell
from .words import Slot, Slots, printf, word

# RFC 9110, section 5.6.2
TOKEN = compiled(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
BREAKS = compiled(r"[\r\n\0]")
# curl writes these itself, from the body and the connection.
_CURLS_OWN = frozenset({"accept-encoding", "connection", "content-length"})
# Linux refuses a single argument of 128 KiB; `printf` is built into the shells and has no such limit.
_LONGEST_ARGUMENT = 100_000
# Above this curl waits for "100 Continue" before it sends a body (RFC 9110, section 10.1.1).
_EXPECTS_ABOVE = 1024 * 1024


class PartLike(Protocol):
    """One part of a multipart body: its bytes, or the path of its file (``-`` is standard input)."""

    @property
    def name(self) -> str: ...
    @property
    def value(self) -> bytes: ...
    @property
    def filename(self) -> str | None: ...
    @property
    def content_type(self) -> str | None: ...
    @property
    def path(self) -> str | None: ...


def render(
    *,
    method: str,
    url: str,
    headers: Sequence[tuple[str, str]] = (),
    body: bytes | None = None,
    parts: Sequence[PartLike] = (),
    body_path: str | None = None,
    slots: Slots | None = None,
    user: str | None = None,
    follow: bool = False,
    max_redirects: int = 10,
    insecure: bool = False,
    ca_bundle: str | None = None,
    cert: str | None = None,
    key: str | None = None,
    proxy: str | None = None,
    max_time: float | None = None,
    compressed: bool = False,
    multiline: bool = False,
    complete: bool = True,
    shell: str = "posix",
) -> str:
    """The request as a curl command.

    `complete` says that `headers` is all that will be sent: curl's own defaults are switched off, and
    what curl must write itself (lengths, the boundary) is left out. `max_time` is in seconds; an empty
    `proxy` means none; a `body_path` of ``-`` is standard input. `shell` is ``posix`` or ``powershell``, which has
    no lines to continue. RequestBuildException for what no request can hold.
    """
    command = _Command(slots or Slots())
    if parts and not _fit_for_curl(parts):
        boundary, body = multipart(parts)
        headers = [pair for pair in headers if pair[0].lower() != "content-type"]
        headers, parts = [*headers, ("Content-Type", f"multipart/form-data; boundary={boundary}")], ()
    if method == "POST" and follow and body_path is None and not parts:
        body = body or b""
    has_data = body is not None or body_path is not None
    command.method(method, has_data or bool(parts), follow)
    command.headers(headers, has_data, bool(parts), complete)
    if (len(body or b"") + sum(len(part.value) for part in parts)) > _EXPECTS_ABOVE:
        command.option("-H", "Expect:")
    command.option("-u", user)
    command.body(body, body_path)
    for part in parts:
        command.part(part)
    command.flag("-L", follow)
    command.option("--max-redirs", str(max_redirects) if follow else None)
    command.flag("--compressed", compressed)
    command.flag("-k", insecure)
    command.option("--cacert", ca_bundle)
    command.option("--cert", cert)
    command.option("--key", key)
    command.option("--noproxy" if proxy == "" else "--proxy", "*" if proxy == "" else proxy)
    command.option("--max-time", None if max_time is None else _seconds(max_time))
    command.address(url, as_is=complete)
    return command.for_powershell() if shell == "powershell" else command.text(multiline)


class _Command:
    """A curl command as it grows: options with their quoted values, and what goes to standard input."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        # Each an option or an operand: words as they are, and values that are still to be quoted.
        self.groups: list[list[str | list[str | Slot]]] = []
        self.stdin: bytes | None = None

    def flag(self, name: str, wanted: bool) -> None:
        if wanted:
            self.groups.append([name])

    def option(self, name: str, value: str | None) -> None:
        if value is not None:
            if "\0" in value:
                raise RequestBuildException(f"the value of curl's {name} holds NUL, which no argument can")
            self.groups.append([name, self.slots.split(value)])

    def method(self, method: str, has_body: bool, follow: bool) -> None:
        if TOKEN.fullmatch(method) is None:
            raise RequestBuildException(f"{method!r} is not a method", hint="letters, digits and !#$%&'*+.^_`|~- only")
        if method == "HEAD" and not has_body:
            self.groups.append(["-I"])
        elif not (method == "POST" and follow):
            # With -X curl would repeat a POST after a redirect that asks for a GET; its body says POST as well.
            self.option("-X", method)

    def headers(self, headers: Sequence[tuple[str, str]], has_data: bool, multipart: bool, complete: bool) -> None:
        given = {name.lower() for name, _ in headers}
        for name, value in headers:
            _check_header(name, value)
            if multipart and name.lower() == "content-type":
                # curl chooses the boundary and adds it, also to a type that it is given.
                value = re.sub(r'\s*;\s*boundary=("[^"]*"|[^;]*)', "", value, flags=re.IGNORECASE)
                if value.lower() == "multipart/form-data":
                    continue
            # "Content-Length: 0" without a body is the one length that curl does not write itself.
            nothing = name.lower() == "content-length" and not has_data and not multipart
            if nothing or not (complete and name.lower() in _CURLS_OWN):
                self.option("-H", f"{name}: {value}" if value.strip() else f"{name};")
        # curl calls every raw body a form unless it is told not to.
        self.option("-H", "Content-Type:" if has_data and "content-type" not in given else None)
        for name in ("Accept", "User-Agent"):
            self.option("-H", f"{name}:" if complete and name.lower() not in given else None)

    def body(self, body: bytes | None, path: str | None) -> None:
        if path is not None:
            self.option("--data-binary", f"@{path}")
        elif body is not None:
            text = argument(body)
            if text is None:
                self.stdin = body
            self.option("--data-raw" if text is not None else "--data-binary", "@-" if text is None else text)

    def part(self, part: PartLike) -> None:
        text = None if part.path is not None else argument(part.value)
        settings = _settings(part)
        if text is not None:
            named = "-F" if settings else "--form-string"
            self.option(named, f"{part.name}={_form_quoted(text) if settings else text}{settings}")
            return
        path = "-" if part.path is None else part.path
        if part.path is None:
            self.stdin = part.value
        if re.search(r'[\s,;"\\]', path):
            path = _form_quoted(path)
        self.option("-F", f"{part.name}={'<' if part.filename is None else '@'}{path}{settings}")

    def address(self, url: str, as_is: bool) -> None:
        if BREAKS.search(url):
            raise RequestBuildException("the URL holds a line break or NUL")
        url, hash_, fragment = url.partition("#")
        path, _, query = url.partition("?")
        pairs = query.split("&")
        kept = [pair for pair in pairs if not self.slots.present(pair)]
        for pair in pairs:
            if self.slots.present(pair):
                # Only curl can percent-encode what is not known before the command runs.
                name, _, value = pair.partition("=")
                self.option("--url-query", f"{name.replace('+', '%20')}={unquote_plus(value)}")
        if len(kept) < len(pairs):
            url = "?".join([path, "&".join(kept)] if kept else [path])
        self.flag("--globoff", re.search(r"[\[\]{}]", url + fragment) is not None or self.slots.present(url))
        self.flag("--path-as-is", as_is and re.search(r"/(\.|%2e){1,2}(/|$)", path, re.IGNORECASE) is not None)
        address = self.slots.split(url + hash_ + fragment)
        self.groups.append(["--url", address] if url.startswith("-") else [address])

    def text(self, multiline: bool) -> str:
        groups = (" ".join(each if isinstance(each, str) else word(each) for each in group) for group in self.groups)
        command = (" \\\n  " if multiline else " ").join(["curl", *groups])
        return command if self.stdin is None else f"{printf(self.stdin, self.slots)} | {command}"

    def for_powershell(self) -> str:
        if self.stdin is not None:
            # What goes through a pipe of PowerShell is text, and gets another encoding and a line end.
            raise RequestBuildException("PowerShell cannot hand this body to curl", hint="put it into a file: -d @FILE")
        return powershell.command(self.groups)


def argument(data: bytes) -> str | None:
    """The bytes as the text of one argument; None when only standard input can carry them."""
    if b"\0" in data or len(data) > _LONGEST_ARGUMENT:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _check_header(name: str, value: str) -> None:
    if TOKEN.fullmatch(name) is None:
        raise RequestBuildException(f"{name!r} is not a header name", hint="letters, digits and !#$%&'*+.^_`|~- only")
    if BREAKS.search(value):
        raise RequestBuildException(f"the value of header {name!r} holds a line break or NUL")


def _settings(part: PartLike) -> str:
    """The type and file name of a part, as far as curl would choose others."""
    kind = part.content_type or (None if part.filename is None else "application/octet-stream")
    text = "" if kind is None else f";type={kind}"
    if part.filename is not None and (part.path is None or part.filename != os.path.basename(part.path)):
        text += f";filename={_form_quoted(part.filename)}"
    return text


def _form_quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _seconds(seconds: float) -> str:
    text = f"{seconds:.6f}".rstrip("0")
    return text.rstrip(".")


def _fit_for_curl(parts: Sequence[PartLike]) -> bool:
    # curl ends a name at the first "=", and there is only one standard input.
    fed = [part for part in parts if part.path is None and argument(part.value) is None]
    return len(fed) < 2 and not any("=" in part.name or not part.name or "\0" in part.name for part in parts)


def multipart(parts: Sequence[PartLike]) -> tuple[str, bytes]:
    """A boundary and a body as in RFC 7578, for parts that curl's own options cannot express."""
    if any(part.path is not None for part in parts):
        raise RequestBuildException(
            "curl cannot send these parts together with a file", hint="no '=' in names, at most one binary value"
        )
    boundary, chunks = "forge-part", []
    while any(boundary.encode() in part.value for part in parts):
        boundary += "-x"
    for part in parts:
        lines = f'--{boundary}\r\nContent-Disposition: form-data; name="{_escaped_name(part.name)}"'
        lines += "" if part.filename is None else f'; filename="{_escaped_name(part.filename)}"'
        kind = part.content_type or (None if part.filename is None else "application/octet-stream")
        lines += "" if kind is None else f"\r\nContent-Type: {kind}"
        chunks += [lines.encode(), b"\r\n\r\n", part.value, b"\r\n"]
    return boundary, b"".join([*chunks, f"--{boundary}--\r\n".encode()])


def _escaped_name(name: str) -> str:
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
