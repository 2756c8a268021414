"""What other programs call it: hints for those who type the options and commands of curl and HTTPie."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Sequence

import click

from ..errors import UsageError
from ..redact import REDACTOR

_OPTIONS = {
    "-a": "-u USER[:PASS], or --bearer",
    "--auth": "-u USER[:PASS], or --bearer",
    "-A": "the item User-Agent:TEXT",
    "--user-agent": "the item User-Agent:TEXT",
    "-e": "the item Referer:URL",
    "--referer": "the item Referer:URL",
    "-j": "--json, which is the default for items",
    "-F": "--multipart with items: name=text name@FILE; redirects are followed without an option",
    "-i": "--print hb",
    "--include": "--print hb",
    "-I": "the command `head`",
    "--head": "the command `head`",
    "-G": "the command `get` with items: name==value",
    "--get": "the command `get` with items: name==value",
    "-m": "--timeout",
    "--max-time": "--timeout",
    "-T": "the command `put` with the item @FILE",
    "--upload-file": "the command `put` with the item @FILE",
    "-O": "--download",
    "--remote-name": "--download",
    "--raw": "--data",
    "--data-raw": "--data, where only @ at the beginning means a file",
    "--data-binary": "--data",
    "--data-urlencode": "--form with items: name=text",
    "--cacert": "--verify FILE",
    "-E": "--cert",
    "--key": "--cert-key",
    "--location": "--follow",
    "-c": "--continue",
    "--session": "a profile, whose steps keep what a login gives: `forge profile init`",
    "--session-read-only": "a profile, whose steps keep what a login gives: `forge profile init`",
    "-n": "`netrc = true` in a profile",
    "--netrc": "`netrc = true` in a profile",
    "--all": "-vv, which shows every answer",
    "-w": "--meta, or --format exchange",
    "--write-out": "--meta, or --format exchange",
}
_DEFAULTS = {
    "--ignore-stdin": "standard input is read only where @- asks for it",
    "-S": "errors are always said; -ss leaves them out",
    "--show-error": "errors are always said; -ss leaves them out",
    "--check-status": "a 3xx, 4xx or 5xx is an exit code; --no-check-status turns it off",
    "--fail": "a 3xx, 4xx or 5xx is an exit code; --no-check-status turns it off",
    "--fail-with-body": "a 3xx, 4xx or 5xx is an exit code; --no-check-status turns it off",
    "--compressed": "compressed answers are asked for and unpacked",
    "-N": "each piece is written when it comes; --stream does so for a terminal",
    "--no-buffer": "each piece is written when it comes; --stream does so for a terminal",
}
_METHODS = frozenset("GET POST PUT PATCH DELETE HEAD OPTIONS".split())
_URL = re.compile(r"https?://|/|:[0-9]|localhost\b|[\w-]+(\.[\w-]+)+(:[0-9]+)?(/|$)", re.IGNORECASE)


def check_option(name: str, ctx: click.Context) -> None:
    """UsageError, with what it is called here, for an option that another program has."""
    known = {each for parameter in ctx.command.params for each in parameter.opts}
    if "--data" not in known:
        return
    if name in _DEFAULTS:
        raise UsageError(f"no such option: {name}", hint=f"leave it out: {_DEFAULTS[name]}")
    here = _OPTIONS.get(name, "-")
    if re.match("[^-]|" + "|".join(f"{re.escape(each)}(?![a-z-])" for each in known), here):
        raise UsageError(f"no such option: {name}", hint=f"here it is {here}")


def check_command(name: str, words: Sequence[str], commands: Collection[str], ctx: click.Context) -> None:
    """UsageError, with the command that was meant, for a method or a URL in its place."""
    program = ctx.find_root().info_name or "forge"
    words = [REDACTOR.url(word) for word in words]
    if name.upper() in _METHODS and name.lower() in commands:
        meant = [name.lower(), *words[1:]]
    elif "get" in commands and _URL.match(name) is not None:
        meant = ["get", *words]
    else:
        return
    # What follows may be a secret.
    shown = shlex.join(meant[:2]) + (" …" if len(meant) > 2 else "")
    raise UsageError(f"no such command {REDACTOR.url(name)!r}", hint=f"did you mean `{program} {shown}`?")
