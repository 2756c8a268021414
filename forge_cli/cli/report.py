"""What `--debug` shows of a failure: enough for a maintainer, and nothing that a public ticket must not hold."""

from __future__ import annotations

import os
import platform
import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .. import __version__
from ..errors import ForgeError
from ..redact import REDACTOR
from .context import Context
from .run import Run

_LIBRARIES = ("click", "platformdirs", "requests", "rich", "urllib3", "certifi")
_EXTRAS = ("brotli", "cryptography", "django", "jmespath", "joserfc", "keyring", "redis", "zstandard")
_OPTION = re.compile(r"--[a-z][a-z-]*|-[A-Za-z]")
_AUTHORITY = re.compile(r"(?<=://)[^/?#\s'\"]+")
_PACKAGE = Path(__file__).parents[2]
_LIBRARY = Path(os.__file__).parent
# These are nobody's: without them a report says less, and with them no more.
_ANYBODYS = frozenset({"localhost", "127.0.0.1", "::1", "example.com"})


def report(exc: BaseException, run: Run, commands: Sequence[str] = ()) -> str:
    """The report of a failed run, without secrets, places of the user's and, unless asked for, hosts."""
    text = "\n".join([*_about(run, commands), *_trace(exc)])
    text = REDACTOR.text(text)
    if run.debug < 2:
        text = _without_hosts(text, run)
    return _without_places(text, run)


def _about(run: Run, commands: Sequence[str]) -> Iterator[str]:
    yield f"forge {__version__}, {platform.python_implementation()} {platform.python_version()}"
    yield f"{platform.platform()}, {sys.getfilesystemencoding()}"
    yield ", ".join(f"{name} {found}" for name in (*_LIBRARIES, *_EXTRAS) if (found := _version(name)))
    yield f"command: {next((word for word in run.arguments if word in commands), 'none')}"
    yield f"options: {', '.join(_options(run.arguments)) or 'none'}"
    set_ones = sorted(name for name in run.environ if name.startswith("FORGE_") or name in ("CI", "TERM"))
    yield f"variables: {', '.join(set_ones) or 'none'}"
    yield f"terminal: {'yes' if run.interactive else 'no'}"
    yield from _profile(run)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _options(arguments: Sequence[str]) -> Iterator[str]:
    """The names of the options, without what they were given."""
    for word in arguments:
        if word == "--":
            return
        if (match := _OPTION.match(word)) is not None:
            yield match[0]


def _profile(run: Run) -> Iterator[str]:
    """The kinds of things that the profile says, and none of their values."""
    context = Context.of(run)
    try:
        source = context.source
        yield f"profile file: {source.reason}"
        table = context.settings().table
    except (ForgeError, OSError) as exc:
        yield f"profile: none ({type(exc).__name__})"
        return
    auth = table.auth if isinstance(table.auth, str) else type(table.auth).__name__
    yield f"profile: auth {'shared' if auth is table.auth else auth}, retry {_kind(table.retry.strategy)}"
    storage = run.environ.get("FORGE_TOKEN_STORAGE") or table.tokens.storage
    verify = ("yes" if table.verify else "no") if isinstance(table.verify, bool) else "by a file"
    yield f"  storage {_kind(storage)}, verify {verify}, proxy {'yes' if table.proxy else 'no'}"


def _kind(name: str) -> str:
    return "of the user's own" if ":" in name else name


def _trace(exc: BaseException) -> Iterator[str]:
    yield from _chain(traceback.TracebackException.from_exception(exc))


def _chain(exc: traceback.TracebackException) -> Iterator[str]:
    if exc.__cause__ is not None:
        yield from _chain(exc.__cause__)
        yield "\nwhich was the cause of:\n"
    elif exc.__context__ is not None and not exc.__suppress_context__:
        yield from _chain(exc.__context__)
        yield "\nand while that was handled:\n"
    yield "Traceback (most recent call last):"
    for frame in exc.stack:
        yield f'  File "{_place(frame.filename)}", line {frame.lineno}, in {frame.name}'
        # What the lines of somebody else's file say is theirs to show.
        if frame.line and Path(frame.filename).is_relative_to(_PACKAGE / "forge_cli"):
            yield f"    {frame.line}"
    # Texts of errors quote what they were about: answers, URLs, files.
    yield from (REDACTOR.body(line.rstrip("\n")) for line in exc.format_exception_only())


def _place(file: str) -> str:
    """Where a module is, as far as it says nothing about the machine."""
    path = Path(file)
    if path.is_relative_to(_PACKAGE / "forge_cli"):
        return path.relative_to(_PACKAGE).as_posix()
    for parent in path.parents:
        if parent.name in ("site-packages", "dist-packages"):
            return path.relative_to(parent).as_posix()
    return path.relative_to(_LIBRARY).as_posix() if path.is_relative_to(_LIBRARY) else path.name


def _without_hosts(text: str, run: Run) -> str:
    """The text without the hosts of the profile file and the command line, and without any URL's."""
    known = {authority.rpartition("@")[2] for source in _sources(run, text) for authority in _AUTHORITY.findall(source)}
    # Also without the port, as errors of name resolution and of TLS have it.
    known |= {authority.rpartition(":")[0].strip("[]") for authority in known if re.search(r":\d+$", authority)}
    text = _AUTHORITY.sub("<host>", text)
    for host in sorted(known - _ANYBODYS, key=len, reverse=True):
        if len(host) > 3:
            text = text.replace(host, "<host>")
    return text


def _sources(run: Run, text: str) -> Iterator[str]:
    yield text
    yield from run.arguments
    yield from run.environ.values()
    with suppress(ForgeError, OSError):
        yield Context.of(run).document.text


def _without_places(text: str, run: Run) -> str:
    """The text with the user's directories as `~`, and the working directory as `.`."""
    places = {run.environ.get("HOME", ""): "~", run.environ.get("FORGE_CONFIG_DIR", ""): "<config>"}
    with suppress(OSError):
        places.setdefault(os.getcwd(), "<here>")
    for place in sorted(filter(lambda each: len(each) > 1, places), key=len, reverse=True):
        text = text.replace(place, places[place])
    return re.sub(r"/(home|Users)/[^/\s'\"]+", r"~", text)
