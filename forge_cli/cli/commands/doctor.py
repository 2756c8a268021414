"""`forge doctor`: what forge works with on this machine, each line ok or with what to do."""

from __future__ import annotations

import json
import os
import platform
import shlex
import shutil
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

import click

from ... import __version__
from ...errors import ForgeError, ProfileError
from ...files import too_open
from ...login.scope import Scope
from ...login.template import Reference, Template, parse
from ...profiles.build import Profile, token_directory
from ...profiles.connection import base_url_trouble
from ...profiles.load import Document, ProfileSettings, default, profile, select
from ...profiles.schema import NoAuth
from ...profiles.secrets import Secrets
from ...profiles.transport import verification
from ...redact import MASK, REDACTOR, sensitive
from ...registry import Registry
from ...transport.environment import checked_proxy, read
from ..clear import travels_in_the_clear
from ..context import Context
from ..exit_codes import ExitCode
from ..group import Sectioned
from ..options import global_options, pass_context
from ..output.text import color_wanted, visible_line
from ..streams import draws

_TLS = Registry("part of the transport", {"context": "forge_cli.transport.tls:context"})
"""Loads the HTTP library, which only this one check needs."""

_THEIRS = "run forge as that user, or set FORGE_CONFIG_DIR to a directory of your own"
_REACH = 3.0
_PROBE = "forge-doctor"
_LIBRARIES = ("click", "platformdirs", "requests", "rich", "tomli-w", "urllib3", "certifi")
_EXTRAS: Mapping[str, tuple[str, ...]] = {
    "compress": ("brotli",),
    "django": ("django",),
    "jmespath": ("jmespath",),
    "jwt": ("joserfc", "cryptography"),
    "keyring": ("keyring",),
    "redis": ("redis",),
}
# Of these the value says nothing about anybody.
_VARIABLES = (
    "FORGE_PROFILE",
    "FORGE_CONFIG",
    "FORGE_CONFIG_DIR",
    "FORGE_NO_INPUT",
    "FORGE_TOKEN_STORAGE",
    "FORGE_RETRY",
    "FORGE_ERRORS",
    "CI",
)


class Finding(NamedTuple):
    """One line: well, or with what to do about it."""

    text: str
    fix: str | None = None


def _failed(exc: ForgeError) -> Finding:
    """An error as a line. A file's problems are left to the command that lists them."""
    if isinstance(exc, ProfileError) and exc.problems:
        return Finding(exc.message, "`forge profile validate` says where and why")
    return Finding(exc.message, exc.hint or "correct it there")


def _versions(context: Context) -> Iterator[Finding]:
    found = f"forge {__version__}, Python {platform.python_version()}, {platform.system()} {platform.release()}"
    old = sys.version_info < (3, 11)
    yield Finding(found, "install Python 3.11 or newer" if old else None)
    versions = {name: _version(name) for name in _LIBRARIES}
    missing = [name for name, found_version in versions.items() if found_version is None]
    yield Finding(
        ", ".join(f"{name} {found_version or 'missing'}" for name, found_version in versions.items()),
        f"pip install {' '.join(missing)}" if missing else None,
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _extras(context: Context) -> Iterator[Finding]:
    for name, packages in _EXTRAS.items():
        versions = {package: _version(package) for package in packages}
        if None in versions.values():
            # Nothing is wrong with that: a profile that needs it says so below.
            yield Finding(f"{name} is not installed (pip install 'forge-http[{name}]')")
        else:
            yield Finding(f"{name}: {', '.join(f'{package} {found}' for package, found in versions.items())}")


def _environment(context: Context) -> Iterator[Finding]:
    given = [f"{name}={context.environ[name]}" for name in _VARIABLES if context.environ.get(name)]
    yield Finding(", ".join(given) or "no variable of forge is set")
    retry = context.environ.get("FORGE_RETRY")
    if retry and not retry.isdecimal():
        yield Finding(f"FORGE_RETRY is {retry!r}, which is no count", "set it to a whole number, such as 0 or 3")


def _terminal(context: Context) -> Iterator[Finding]:
    streams = {"stdin": context.stdin, "stdout": context.stdout, "stderr": context.stderr}
    terminals = [name for name, stream in streams.items() if stream is not None and stream.isatty()]
    size = shutil.get_terminal_size()
    yield Finding(
        f"terminal: {', '.join(terminals) or 'none'}; TERM={context.environ.get('TERM', '')};"
        f" {size.columns}x{size.lines}; colour: {'yes' if color_wanted(context.stdout, context.environ) else 'no'};"
        f" asks: {'yes' if context.interactive else 'no'}"
    )
    encoding = (context.stdout.encoding or "unknown").lower()
    fix = None if draws(context.stdout) else "set PYTHONUTF8=1, or a UTF-8 locale"
    yield Finding(f"output encoding {encoding}", fix)


def _places(context: Context) -> Iterator[Finding]:
    folder = context.config_dir
    if not folder.is_dir():
        yield _writable(folder)
        return
    yield _private(folder)
    yield _writable(folder)
    tokens = token_directory(context.environ)
    if tokens.is_dir():
        yield _private(tokens)
        files = sorted(tokens.rglob("*.toml"))
        bad = [found for found in map(_private, files) if found.fix is not None]
        yield from bad
        yield Finding(f"{len(files) - len(bad)} of {len(files)} token files are private")


def _private(path: Path) -> Finding:
    """Whether a directory or file is one's own alone."""
    if path.is_symlink() and not path.is_dir():
        return Finding(f"{path} is a symbolic link", "remove the link: tokens are read from no other place")
    trouble = too_open(path)
    if trouble is None:
        return Finding(str(path))
    mode = "700" if path.is_dir() else "600"
    return Finding(f"{path} {trouble}", _chmod(mode, path) if "open" in trouble else _THEIRS)


def _chmod(mode: str, path: Path) -> str:
    return f"as its owner, chmod {mode} {shlex.quote(str(path))}"


def _writable(path: Path) -> Finding:
    """Whether something can be made there, or where it will be."""
    there = next((each for each in (path, *path.parents) if each.exists()), path)
    state = "" if there == path else " (not there yet)"
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return Finding(f"{path} can be written{state}")
    return Finding(f"{path} cannot be written{state}", "set FORGE_CONFIG_DIR to a directory that you can write to")


def _profile_file(context: Context) -> Iterator[Finding]:
    source = context.source
    by = source.reason
    if not source.path.exists():
        if source.named_by == "user":
            yield Finding(f"{source.path} is not there yet (`{context.program} profile init` writes it)")
        else:
            yield Finding(f"{source.path} ({by}) is not there", f"correct {source.named_by}")
        return
    count = len(context.document.profiles)
    yield Finding(f"{source.path} ({by}): {count} profile{'' if count == 1 else 's'}")
    # It has no secret in it, but says where secrets go.
    if (trouble := too_open(source.path, 0o022)) is not None:
        yield Finding(f"{source.path} {trouble}", _chmod("go-w", source.path) if "open" in trouble else _THEIRS)


def _profiles(context: Context) -> Iterator[Finding]:
    for name, settings in _settings(context):
        if isinstance(settings, ForgeError):
            yield _failed(settings)
        else:
            yield _profile(context, name, settings)
    if _document(context) is None:
        return
    wanted = context.profile_name or context.environ.get("FORGE_PROFILE")
    if wanted:
        yield Finding(f"used here: {select(context.document, wanted, context.environ)}")
    else:
        yield Finding(f"used when none is named: {default(context.document) or 'none'}")


def _profile(context: Context, name: str, settings: ProfileSettings) -> Finding:
    """Where a profile sends its requests, as it is filled in here."""
    written = settings.table.base_url or ""
    try:
        base_url = _filled(context, written, settings)
    except ForgeError as exc:
        return Finding(f"{name}: {REDACTOR.url(written)}: {exc.message}", exc.hint or "correct it there")
    if trouble := base_url_trouble(base_url):
        return Finding(f"{name}: {REDACTOR.url(base_url)}: it {trouble}", "correct what is filled in there")
    said = f"{name}: {REDACTOR.url(base_url) or 'no base_url'}, retry {settings.table.retry.strategy}"
    if travels_in_the_clear(base_url) and _has_credential(settings):
        return Finding(f"{said}: its credentials travel in the clear", "use https, where the server has it")
    return Finding(said)


def _has_credential(settings: ProfileSettings) -> bool:
    """Whether requests carry one, as far as the profile says."""
    table = settings.table
    return table.netrc or not isinstance(table.auth, NoAuth) or any(map(sensitive, (*table.headers, *table.query)))


def _filled(context: Context, text: str, settings: ProfileSettings) -> str:
    """A template with its values in it. A secret is masked, not looked up: that may ask somebody, or run a program."""
    given = {name: value for name, value in context.variables.items() if name in settings.vars}
    nobody = Secrets({}, environ=context.environ, prompt=None, base_dir=settings.path.parent)
    scope = Scope(vars={**settings.vars, **given}, environ=context.environ, secrets=nobody)
    parts = (Template((part,)) for part in parse(text).parts)
    return "".join(MASK if _is_secret(part.references) else part.text(scope.resolve) for part in parts)


def _is_secret(references: Iterable[Reference]) -> bool:
    return any(reference[0] == "secrets" or sensitive(reference[-1]) for reference in references)


def _document(context: Context) -> Document | None:
    """The profile file; None when it cannot be used, which is a finding of its own."""
    try:
        return context.document
    except (ForgeError, OSError):
        return None


def _settings(context: Context) -> Iterator[tuple[str, ProfileSettings | ForgeError]]:
    """Every profile that can be used, or why not."""
    document = _document(context)
    if document is None:
        return
    for name, table in document.profiles.items():
        if table.get("abstract") is True:
            continue
        try:
            yield name, profile(document, name)
        except ForgeError as exc:
            yield name, exc


def _storages(context: Context) -> Iterator[Finding]:
    """The token storage of every profile is loaded, and asked for a token that is not there."""
    for name, settings in _settings(context):
        if isinstance(settings, ForgeError):
            continue
        kind = context.environ.get("FORGE_TOKEN_STORAGE") or settings.table.tokens.storage
        say = f"{name}: {kind}"
        if kind in ("file", "memory"):
            yield Finding(say)
            continue
        trouble = _within(_REACH, partial(_reach, context, settings))
        yield Finding(say) if trouble is None else Finding(f"{say}: {trouble.text}", trouble.fix)


def _reach(context: Context, settings: ProfileSettings) -> None:
    Profile(settings, environ=context.environ).storage.exists(_PROBE)


def _within(limit: float, check: Callable[[], None]) -> Finding | None:
    """Why the check failed, or that it took too long; None when it passed."""
    found: list[Finding] = []

    def run() -> None:
        try:
            check()
        except ForgeError as exc:
            found.append(_failed(exc))
        except Exception as exc:
            # It may be a class of the user's own. The text may quote a secret.
            found.append(Finding(f"it fails with {type(exc).__name__}", "check the storage and its settings"))

    # Nothing stops a thread that waits for a server; as a daemon it does not keep the command either.
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(limit)
    if thread.is_alive():
        return Finding(f"no answer within {limit:g} s", "check that the server is well and can be reached")
    return found[0] if found else None


def _authorities(context: Context) -> Iterator[Finding]:
    """The CA bundle that requests without a profile use, and those that profiles name."""
    source = next((name for name, _ in read(context.environ).ca_files), "")
    try:
        named = read(context.environ).ca_bundle
        _TLS.load("context")(named or True, None)
        yield Finding(
            f"{named} (from {source})" if named else "the bundle that comes with certifi (no variable names one)"
        )
    except ForgeError as exc:
        yield Finding(exc.message, exc.hint or f"correct or unset {source}")
    for name, settings in _settings(context):
        if isinstance(settings, ForgeError) or settings.table.verify is True:
            continue
        verify = verification(settings.table.verify, settings.path.parent)
        if verify is False:
            yield Finding(f"{name}: certificates are not verified", f"remove `verify = false` from profile {name!r}")
            continue
        try:
            _TLS.load("context")(verify, None)
            yield Finding(f"{name}: {verify} (`verify` of the profile)")
        except ForgeError as exc:
            yield _failed(exc)


def _proxies(context: Context) -> Iterator[Finding]:
    found = read(context.environ)
    for scheme, proxy in found.proxies.items():
        source = found.sources[scheme]
        try:
            yield Finding(f"{scheme}: {REDACTOR.url(checked_proxy(proxy, source))} (from {source})")
        except ForgeError as exc:
            yield _failed(exc)
    if found.no_proxy:
        yield Finding(f"none for {', '.join(found.no_proxy)}")
    if not found.proxies:
        yield Finding("none")


CHECKS: Mapping[str, Callable[[Context], Iterator[Finding]]] = {
    "versions": _versions,
    "extras": _extras,
    "environment": _environment,
    "terminal": _terminal,
    "places": _places,
    "profile file": _profile_file,
    "profiles": _profiles,
    "storage": _storages,
    "authorities": _authorities,
    "proxies": _proxies,
}
"""Name -> what is looked at; an error ends that one check."""


@click.command(cls=Sectioned)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@global_options
@pass_context
def doctor(context: Context, /, as_json: bool) -> int:
    """Check what forge works with, and say what to do.

    \b
      forge doctor
      forge doctor --json | jq '.checks[] | select(.ok | not)'

    Versions, variables, the terminal, the configuration directory and who may read it, the profile file, the
    token storage of every profile, certificate authorities, proxies. Nothing is sent but a question to the storages;
    nothing is changed, and no secret is shown. Exit 0 when each line is ok, else 2.
    """
    rows = [(name, finding) for name, check in CHECKS.items() for finding in _findings(context, check)]
    well = all(finding.fix is None for _, finding in rows)
    if as_json:
        checks = [{"check": name, "ok": fix is None, "text": text, "fix": fix} for name, (text, fix) in rows]
        context.stdout.write(json.dumps({"ok": well, "checks": checks}, indent=2) + "\n")
    else:
        for name, (text, fix) in rows:
            context.stdout.write(f"ok   {name}: {text}\n" if fix is None else f"fix  {name}: {text}: {fix}\n")
    return ExitCode.SUCCESS if well else ExitCode.USAGE


def _findings(context: Context, check: Callable[[Context], Iterator[Finding]]) -> Iterator[Finding]:
    """What a check found, fit to be shown. What makes it fail is one of its findings."""
    try:
        for text, fix in check(context):
            yield Finding(_shown(text), None if fix is None else _shown(fix))
    except ForgeError as exc:
        text, fix = _failed(exc)
        yield Finding(_shown(text), None if fix is None else _shown(fix))
    except OSError as exc:
        yield Finding(_shown(f"{exc.filename}: {(exc.strerror or '').lower()}"), "check who may read it")


def _shown(text: str) -> str:
    return visible_line(REDACTOR.text(text))
