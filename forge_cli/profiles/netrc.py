"""The user name and password that the user's netrc file has for a profile's own host."""

from __future__ import annotations

import netrc
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import MissingSecret, ProfileError
from ..files import on_windows
from ..login.definition import InjectTable
from ..login.hook import LoginHook
from ..models import Headers, PreparedRequest, RequestContext
from ..redact import REDACTOR
from .schema import PipelineAuth

_LARGEST = 1024 * 1024
_NAME = "_netrc" if on_windows() else ".netrc"


def login(base_url: str, environ: Mapping[str, str], notice: Callable[[str], None]) -> PipelineAuth:
    """The login for the host of `base_url`: Basic, or none, with a notice, where the file has nothing for it.

    ProfileError when there is a file and it cannot be used.
    """
    host = (urlsplit(base_url).hostname or "").lower()
    path = _path(environ)
    found = _entry(path, host, notice) if host else None
    if found is None:
        notice(f"{path} has no entry for {host or 'a profile without a base_url'}: no credential is sent")
        return PipelineAuth(inject=())
    user, password = found
    if ":" in user:
        raise ProfileError(
            f"{path}: the user name for {host} has a colon, which Basic authentication cannot send",
            hint="correct it there, or log in by `auth` instead of `netrc`",
        )
    REDACTOR.add(password)
    place = InjectTable(in_="basic", name=_literal(user), value=_literal(password), hosts=(host,))
    return PipelineAuth(inject=(place,))


class NetrcHook(LoginHook):
    """Sends what the file has for a host to that host alone, also where others may see a profile's credential."""

    def finish(self, prepared: PreparedRequest, context: RequestContext) -> PreparedRequest:
        hosts = {host for entry in self.login.inject for host in entry.hosts or ()}
        if self._attempt_of in context.metadata and (urlsplit(prepared.url).hostname or "").lower() not in hosts:
            kept = Headers(pair for pair in prepared.headers.pairs if pair[0].lower() != "authorization")
            return replace(prepared, headers=kept)
        return super().finish(prepared, context)


def _path(environ: Mapping[str, str]) -> Path:
    """NETRC, else the file in the home directory; a `~` is the home directory of the environment given."""
    home = environ.get("HOME")
    named = environ.get("NETRC") or f"~/{_NAME}"
    if home and named.startswith("~/"):
        return Path(home, named[2:])
    return Path(named).expanduser()


def _entry(path: Path, host: str, notice: Callable[[str], None]) -> tuple[str, str] | None:
    """The user name and the password, None without an entry or a file."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
            raise ProfileError(f"{path} is no netrc file", hint="NETRC names the file: machine HOST login USER …")
        found = netrc.netrc(os.fspath(path)).authenticators(host)
    except FileNotFoundError:
        return None
    except netrc.NetrcParseError as exc:
        # The original quotes what it could not understand.
        raise ProfileError(
            f"{path}:{exc.lineno}: is not understood", hint="an entry is: machine HOST login USER password PASSWORD"
        ) from None
    except OSError as exc:
        raise MissingSecret(
            f"{path} cannot be read: {(exc.strerror or 'failed').lower()}", hint=f"chmod 600 {path}"
        ) from exc
    except ValueError:
        raise ProfileError(
            f"{path} is not text in UTF-8", hint="save it as UTF-8, or name another with NETRC"
        ) from None
    if not on_windows() and status.st_mode & 0o077:
        notice(f"{path} can be read by others: chmod 600 {path}")
    if found is None or not (found[0] or found[2]):
        return None
    return found[0] or "", found[2] or ""


def _literal(text: str) -> str:
    """The text as a template that refers to nothing."""
    return text.replace("${", "$${")
