"""Bodies that become files: whole or not at all, under a safe name, and resumed where they broke off."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import TracebackType
from typing import Self

from ..client import StreamedResponse
from ..compiled import compiled
from ..errors import IncompleteResponseException, StorageError, UsageError
from ..files import followed, open_to_write
from ..frozen import immutable_by_name
from ..models import Headers, HttpRequest
from .download_name import from_url, proposed, safe
from .output.shown import OutputOptions
from .progress import Progress
from .streams import descriptor

_RANGE = compiled(r"bytes\s+(?:(\d+)-(\d+)|\*)/(\d+|\*)", re.IGNORECASE)
_FLAGS = os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
_MOST_NAMES = 1000
_LONGEST_NAME = 255
_UNNAMED = "download"
STDOUT = "-"
"""What `--output` takes for standard output."""


@immutable_by_name
class DownloadOptions:
    """What the options of a download say, as given."""

    download: bool = False
    resume: bool = False


def checked(options: DownloadOptions, chosen: OutputOptions, method: str) -> None:
    """UsageError for options of a download that contradict each other or the rest."""
    if options.download and chosen.output is not None:
        raise UsageError("--download and --output both name the file", hint="--download takes the server's name for it")
    if not options.resume:
        return
    if chosen.output == STDOUT:
        raise UsageError("--continue and --output - cannot go together", hint="name the file: --output FILE")
    if not options.download and chosen.output is None:
        raise UsageError("--continue goes with --output or --download", hint="name the file: --output FILE")
    if method.upper() != "GET":
        raise UsageError(f"--continue and {method.upper()} cannot go together", hint="only a GET can be resumed")
    others = {
        "--print": chosen.parts,
        "--headers": chosen.headers_only,
        "--meta": chosen.meta_only,
        "--pretty": chosen.pretty,
        "--format": chosen.format,
        "--select": chosen.select,
    }
    for name, value in others.items():
        if value:
            raise UsageError(f"--continue and {name} cannot go together", hint="a file is resumed byte for byte")


class Saving:
    """A file that a body is written to. It is a `.part` until it is complete, and what came stays there.

    `path` is the file; None: the server proposes its name, and no file that is there already is touched.
    Used as a context, it is put in place at the end of the block, unless that fails.
    """

    def __init__(self, path: str | None, url: str, *, resume: bool, say: Callable[[str], None]) -> None:
        self._given = None if path is None else os.path.expanduser(path)
        self._final = None if self._given is None else followed(self._given)
        self._url = url
        self._resume = resume
        self._say = say
        self._fd = -1
        self._mode: int | None = None
        self._in_place = False
        self._size = 0
        self._unsaved = False
        self._replaces = path is not None
        self._refused = False
        self.complete = False
        self.part = ""
        self.progress: Progress | None = None

    def __enter__(self) -> Self:
        guess = self._final or from_url(self._url)
        with _translated(self._given or guess):
            number = descriptor(self._given)
            if number is not None:
                self._device(str(self._given), os.dup(number))
                return self
            old = _status(guess)
            if self._given is not None and old is not None and not stat.S_ISREG(old.st_mode):
                self._device(guess)
                return self
            if self._final is not None and old is not None:
                if not os.access(guess, os.W_OK):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
                self._mode = stat.S_IMODE(old.st_mode)
            self._open(guess, old)
        return self

    def _device(self, path: str, fd: int = -1) -> None:
        self.part, self._in_place, self._fd = path, True, fd
        if self._resume:
            raise UsageError(f"--continue: {path!r} is no file", hint="leave --continue out")
        if fd < 0:
            self._fd = open_to_write(path, create=False)

    def _open(self, guess: str, old: os.stat_result | None) -> None:
        self.part = _part(guess)
        if self._resume:
            if _status(self.part) is None and old is not None:
                self.part, self._in_place = guess, True
                self._final = guess
            self._fd = os.open(self.part, _FLAGS | os.O_APPEND, 0o666)
            self._size = os.fstat(self._fd).st_size
        elif self._final is not None:
            self._begin_anew()
        else:
            self.part, self._fd = _free(_numbered(self.part))

    def asking(self, request: HttpRequest) -> HttpRequest:
        """The request for what is still missing."""
        stated = {name.lower() for name in request.headers or ()}
        headers: dict[str, str] = {}
        # A part of an encoded body is worth nothing by itself.
        if (self._resume or self._final is None) and "accept-encoding" not in stated:
            headers["Accept-Encoding"] = "identity"
        if self._resume and self._size:
            if "range" in stated:
                raise UsageError("--continue and a Range header both say what is wanted", hint="leave one of them out")
            headers["Range"] = f"bytes={self._size}-"
            validator = self._validator()
            if validator is not None and "if-range" not in stated:
                headers["If-Range"] = validator
        return request.with_headers(headers) if headers else request

    def refused(self, response: StreamedResponse) -> bool:
        """Whether the server has no such range and the file is to be asked for from the beginning (416)."""
        if response.status_code != 416 or not self._size or not self._resume:
            return False
        match = _RANGE.match(response.headers.get("Content-Range", ""))
        return match is None or match[3] != str(self._size)

    def begin(self, response: StreamedResponse, *, check_status: bool) -> bool:
        """Get ready for the body of this answer. False when it is not to be written: an error, or nothing new."""
        status = response.status_code
        if self._final is None:
            name = proposed(response.headers.get("Content-Disposition", ""))
            self._final = from_url(self._url) if name is None else safe(name)
        if status == 416 and self._resume and self._size:
            self._say(f"{self._shown} is complete already: {self._size} bytes")
            self.complete = True
            return False
        if status == 206 and self._resume and self._size:
            self._check_range(response.headers)
            return True
        if not 200 <= status < 300 and (self._resume or not self._replaces) and check_status:
            self._unsaved = True
            return False
        if self._resume and self._size:
            if not self._refused:
                self._say("the server sends all of it, from the beginning")
            self._from_beginning()
        self._remember(response.headers)
        return True

    def from_beginning(self, request: HttpRequest) -> HttpRequest:
        """The request for everything, after the range was refused."""
        self._say("the server has no more of this file than is here, or another one: from the beginning")
        self._refused = True
        size, self._size = self._size, 0
        request = self.asking(request)
        self._size = size
        return request

    def total(self, response: StreamedResponse) -> int | None:
        """How long the whole file will be, where the server says."""
        length = response.headers.get("Content-Length", "")
        if not length.isdecimal() or len(length) > 18 or response.headers.get("Content-Encoding"):
            return None
        return int(length) + self._size

    @property
    def size(self) -> int:
        """How many bytes are there."""
        return self._size

    def write(self, data: bytes) -> None:
        """Add to the file."""
        view = memoryview(data)
        with _translated(self.part):
            while view:
                written = os.write(self._fd, view)
                self._size += written
                view = view[written:]
        if self.progress is not None:
            self.progress.add(len(data))

    def flush(self) -> None:
        """Nothing is kept back."""

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.progress is not None:
            self.progress.end()
        try:
            if kind is None and not self._unsaved:
                self._finish()
        finally:
            self._close(failed=kind is not None or self._unsaved)

    def _finish(self) -> None:
        final = self._final or ""
        with _translated(final):
            if self._in_place:
                return
            self._see_that_it_stands()
            if self._mode is not None:
                os.chmod(self.part, self._mode)
            os.close(self._fd)
            self._fd = -1
            if self._replaces:
                os.replace(self.part, final)
            else:
                final, placeholder = _free(_numbered(final))
                os.close(placeholder)
                os.replace(self.part, final)
        self._forget()
        if not self._replaces:
            self._say(f"saved {self._size} bytes as {final!r}")

    def _see_that_it_stands(self) -> None:
        """Another process may have begun to write the same file; what is there now is its own."""
        found = _status(self.part)
        if found is None or not os.path.samestat(found, os.fstat(self._fd)):
            raise StorageError(
                f"{self.part!r} was replaced while it was written", hint="is another download writing the same file?"
            )

    def _close(self, *, failed: bool) -> None:
        if self._fd < 0:
            return
        stands = False
        with suppress(StorageError, OSError):
            if not self._in_place:
                self._see_that_it_stands()
                stands = True
        os.close(self._fd)
        self._fd = -1
        if not failed or not stands:
            return
        if self._size == 0:
            with suppress(OSError):
                os.unlink(self.part)
            self._forget()
        elif not self._unsaved:
            self._say(f"{self.part!r} holds what came, {self._size} bytes: --continue resumes it")

    def _from_beginning(self) -> None:
        if self._in_place:
            # The old file stays until the new one is complete.
            os.close(self._fd)
            self._mode = stat.S_IMODE(os.stat(self.part).st_mode)
            self.part, self._in_place = _part(self.part), False
            with _translated(self.part):
                self._begin_anew()
        else:
            with _translated(self.part):
                os.ftruncate(self._fd, 0)
        self._size = 0

    def _begin_anew(self) -> None:
        # Whoever still writes to the old one finds out at its end.
        with suppress(FileNotFoundError):
            os.unlink(self.part)
        self._forget()
        self._fd = _created(self.part)

    def _check_range(self, headers: Headers) -> None:
        match = _RANGE.match(headers.get("Content-Range", ""))
        if match is None or match[1] != str(self._size):
            raise IncompleteResponseException(
                f"the server sent another part than the one from byte {self._size} on", hint="leave --continue out"
            )
        if headers.get("Content-Encoding", "identity").lower() != "identity":
            raise IncompleteResponseException(
                "the server sent a part of an encoded body, which cannot be appended", hint="leave --continue out"
            )

    @property
    def _shown(self) -> str:
        return repr(self._final or self.part)

    @property
    def _note(self) -> str:
        """Where the validator of what is in the `.part` is kept."""
        return f"{self.part}.tag"

    def _validator(self) -> str | None:
        if self._in_place:
            return None
        try:
            fd = os.open(self._note, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        except OSError:
            return None
        with os.fdopen(fd, "rb") as file:
            text = file.read(1000).decode("latin-1").strip()
        return text if re.fullmatch(r'"[!-~\x80-\xff]*"|[A-Za-z0-9:, ]+', text) else None

    def _remember(self, headers: Headers) -> None:
        """Keep what says later whether the server's file is still the same."""
        tag, date = headers.get("ETag", ""), headers.get("Last-Modified", "")
        # Only a strong validator will do (RFC 9110, sections 8.8.2.2 and 13.1.5).
        if date == headers.get("Date", date):
            date = ""
        text = tag if tag.startswith('"') else "" if tag else date
        self._forget()
        if text and not self._in_place:
            with suppress(OSError), os.fdopen(_created(self._note), "wb") as file:
                file.write(text.encode("latin-1", "ignore"))

    def _forget(self) -> None:
        with suppress(OSError):
            os.unlink(self._note)


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _part(path: str) -> str:
    folder, name = os.path.split(path)
    short = name.encode()[: _LONGEST_NAME - len(".part.tag")].decode("utf-8", "ignore")
    return os.path.join(folder, f"{short}.part")


def _created(path: str) -> int:
    return os.open(path, _FLAGS | os.O_EXCL, 0o666)


def _numbered(path: str) -> Iterator[str]:
    """The path, and what it becomes when it is taken: `a (1).txt`."""
    yield path
    folder, name = os.path.split(path)
    stem, suffix = os.path.splitext(name)
    yield from (os.path.join(folder, f"{stem} ({number}){suffix}") for number in range(1, _MOST_NAMES))


def _free(names: Iterator[str]) -> tuple[str, int]:
    """The first name that no file has, and the file made under it."""
    for name in names:
        with suppress(FileExistsError):
            return name, _created(name)
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


@contextmanager
def _translated(path: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as exc:
        reason = (getattr(exc, "strerror", None) or "not a file name").lower()
        raise StorageError(f"cannot write {path!r}: {reason}", hint="choose another file with --output") from exc


def named(chosen: OutputOptions, options: DownloadOptions) -> OutputOptions:
    """The options of output, for which a download is a file too."""
    return replace(chosen, output=_UNNAMED) if options.download else chosen
