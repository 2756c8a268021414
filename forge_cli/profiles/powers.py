"""What a profile file can do to whoever uses it, as far as it can be read from it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ..compiled import compiled
from ..errors import ProfileError
from ..login.template import Branch, Choice, Operand, parse
from .document import BrokenFamily, Document, Place, merged
from .trust import programs

LOADS = "loads Python classes"

_URL_KEYS = frozenset({"url", "base_url", "origins", "proxy", "issuer", "jwks", "redirect_uri"})
# Whose last part alone says what it is: `token_url` and its like, also of a step of somebody's own.
_URL_ENDINGS = ("_url", "_uri")
_ORIGIN = compiled(r"://(?:[^/?#\s\\]*@)?([^/?#\s\\]*)")
_SCHEME = compiled(r"[A-Za-z][A-Za-z0-9+.-]*\Z")
# No scheme is longer; a megabyte of letters before each "://" would be looked through again and again.
_LONGEST_SCHEME = 40
_WHOLE_ORIGIN = compiled(r"([A-Za-z][A-Za-z0-9+.-]*://)(?:[^/?#\s\\$]*@)?([^/?#\s\\@$]+)(?=[/?#]|\Z)")
# What begins so is a path, whatever follows: no scheme has a slash in it.
_PATH = compiled(r"/|[^:/?#$]*[/?#]")
_USER = compiled(r"(?<=//)[^/?#\s\\@${}:]*+:[^/?#\s\\@${}]*+(?=@)")
_QUERY = compiled(r"[?#].*", re.DOTALL)
_VARIABLE = compiled(r"\benv\.([A-Za-z0-9_-]+)")
_CLASS_KEYS = frozenset({"strategy", "kind", "storage"})
# As the storage `keyring` has it, whose module takes an extra.
_USUAL_SERVICE = "forge"


def powers(document: Document) -> dict[str, list[str]]:
    """What it may do -> with what, each once; what it does not do is left out. No text of it is fit for a terminal.

    Where a value is put together from others, it is listed as it is written, with what the file itself says of them.
    """
    values = list(_values(document))
    found: dict[str, Iterable[str]] = {
        "sends requests and credentials to": (origin for value in values for origin in _origins(value)),
        "runs programs": (" ".join(_word(word) for word in words) for _, words in programs(document)),
        LOADS: (name for value in values for name in _classes(value)),
        "reads environment variables": (name for value in values for name in _variables(value)),
        "reads files": (name for value in values for name in _files(value)),
        "reads the keyring": (name for value in values for name in _entries(value)),
        "does not check certificates": sorted(_unchecked(document.data)),
    }
    listed = {what: list(dict.fromkeys(names)) for what, names in found.items()}
    return {what: names for what, names in listed.items() if names}


class _Value(NamedTuple):
    """One value of the file: where it is, the table or list around it, and the profile's or login's own values."""

    place: Place
    content: Any
    around: Any
    constants: Mapping[str, Any]

    @property
    def key(self) -> str:
        """The key that it belongs to; an item of a list belongs to the list's."""
        return next((part for part in reversed(self.place) if isinstance(part, str)), "")

    @property
    def inside(self) -> Any:
        return self.place[-2] if len(self.place) > 1 else None


def _values(document: Document) -> Iterator[_Value]:
    """Every value of the file: a profile's with those of its parents, as they come together in it."""
    for name, table in document.profiles.items():
        try:
            whole: Any = merged(document, name)[0]
        except BrokenFamily:
            whole = table
        yield from _below(whole, ("profiles", name), None, _constants(whole))
    for name, table in document.shared.items():
        yield from _below(table, ("auth", name), None, _constants(table))
    rest = {key: value for key, value in document.data.items() if key not in ("profiles", "auth")}
    yield from _below(rest, (), None, {})


def _constants(table: Any) -> dict[str, Any]:
    """What the file says of the names that a template may refer to."""
    given = table.get("vars") if isinstance(table, dict) else None
    found = {f"vars.{name}": value for name, value in given.items()} if isinstance(given, dict) else {}
    base_url = table.get("base_url") if isinstance(table, dict) else None
    if isinstance(base_url, str):
        found["base_url"] = _Text(base_url, {k: v for k, v in found.items() if k != "base_url"})
    return found


class _Text(NamedTuple):
    """A template among the constants, with its own."""

    written: str
    constants: Mapping[str, Any]


def _below(content: Any, place: Place, around: Any, constants: Mapping[str, Any]) -> Iterator[_Value]:
    if place:
        yield _Value(place, content, around, constants)
    members: Iterable[tuple[Any, Any]] = ()
    if isinstance(content, dict):
        members = content.items()
    elif isinstance(content, list):
        members = enumerate(content)
    for name, inner in members:
        yield from _below(inner, (*place, name), content, constants)


def _filled(text: str, constants: Mapping[str, Any]) -> str:
    """The text with its constants filled in; what else is filled in stays as it is written."""
    try:
        parts = parse(text).parts
    except ProfileError:
        return text
    return "".join(part if isinstance(part, str) else _choice(part, constants) for part in parts)


def _choice(choice: Choice, constants: Mapping[str, Any]) -> str:
    only = choice[0]
    if len(choice) == 1 and only.offset is None and not only.filters:
        if isinstance(only.term, str):
            return only.term
        value = constants.get(".".join(only.term))
        if isinstance(value, _Text):
            return _filled(value.written, value.constants)
        if isinstance(value, str | int | float):
            return _plain(value)
    return "${" + " ?? ".join(_branch(branch, constants) for branch in choice) + "}"


def _branch(branch: Branch, constants: Mapping[str, Any]) -> str:
    text = _operand(branch.term, constants)
    if branch.offset is not None:
        text += f" {'-' if branch.offset < 0 else '+'} {abs(branch.offset):g}"
    for piped in branch.filters:
        arguments = ", ".join(_operand(argument, constants) for argument in piped.arguments)
        text += f" | {piped.name}" + (f"({arguments})" if arguments else "")
    return text


def _operand(operand: Operand, constants: Mapping[str, Any]) -> str:
    """A reference, or what it stands for; quoted as templates quote."""
    value = operand if isinstance(operand, str) else constants.get(".".join(operand))
    if isinstance(value, _Text) or not isinstance(value, str | int | float):
        return ".".join(operand)
    text = _plain(value)
    return f"'{text}'" if '"' in text else f'"{text}"'


def _plain(value: str | int | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _origins(value: _Value) -> Iterator[str]:
    if not isinstance(value.content, str):
        return
    text = _filled(value.content, value.constants)
    if _is_address(value):
        if match := _WHOLE_ORIGIN.match(text):
            yield f"{match[1]}{match[2]}"
        elif text and (_is_no_path(value) or (not _PATH.match(text) and (":" in text or "${" in text))):
            yield _composed(text)
    else:
        yield from _addresses_in(text)
        if "}://" in text:
            yield _composed(text)


def _addresses_in(text: str) -> Iterator[str]:
    """The origins of all that looks like a URL in a text."""
    for match in _ORIGIN.finditer(text):
        scheme = _SCHEME.search(text[max(0, match.start() - _LONGEST_SCHEME) : match.start()])
        if scheme is not None:
            yield f"{scheme[0]}://{match[1]}"


def _is_address(value: _Value) -> bool:
    """Whether a request is sent to what the value says, or by way of it."""
    # Where a credential goes is said beside it.
    injected = value.key == "value" and isinstance(value.around, dict) and value.around.get("in") == "base_url"
    return injected or value.key in _URL_KEYS or value.key.endswith(_URL_ENDINGS) or _is_no_path(value)


def _is_no_path(value: _Value) -> bool:
    """Whether the value is an address even if it looks like a path: a proxy, or the server of a storage."""
    by_scheme = value.inside == "proxy" and value.key in ("http", "https")
    return by_scheme or value.key == "proxy" or (value.inside == "tokens" and value.key == "url")


def _composed(text: str) -> str:
    """What it is made of. What is not of the address, and may be a password, is left out where it is plain text."""
    text = _USER.sub("…", text)
    if "${" not in text:
        return _QUERY.sub("", text) or text
    # A `?` may be one of a `??`, and what looks like a query may become a host: nothing is cut off.
    return f"composed: {text}"


def _variables(value: _Value) -> Iterator[str]:
    if not isinstance(value.content, str):
        return
    try:
        references = parse(value.content).references
        yield from (".".join(names) for head, *names in references if head == "env" and names)
    except ProfileError:
        yield from _VARIABLE.findall(value.content)
    in_a_list = isinstance(value.around, list) and value.key == "env"
    of_a_secret = value.place[-1] == "env" and len(value.place) > 2 and value.place[-3] == "secrets"
    if in_a_list or of_a_secret:
        yield value.content


def _files(value: _Value) -> Iterator[str]:
    last, content = value.place[-1], value.content
    if last == "netrc" and content is True:
        yield "the netrc file (NETRC, else ~/.netrc)"
    if not isinstance(content, str):
        return
    of_a_secret = last == "file" and len(value.place) > 2 and value.place[-3] == "secrets"
    of_a_certificate = last in ("cert", "key") and isinstance(value.around, dict) and "cert" in value.around
    if of_a_secret or of_a_certificate or last in ("verify", "client_cert"):
        text = _filled(content, value.constants)
        # A certificate may be written out.
        if not text.lstrip().startswith("-----BEGIN"):
            yield f"composed: {text}" if "${" in text else text


def _entries(value: _Value) -> Iterator[str]:
    if isinstance(value.content, str) and value.inside == "keyring" and value.place[-1] == "service":
        yield value.content
    if value.place[-1] == "storage" and value.content == "keyring" and isinstance(value.around, dict):
        service = value.around.get("service")
        yield service if isinstance(service, str) else _USUAL_SERVICE


def _classes(value: _Value) -> Iterator[str]:
    if isinstance(value.content, str) and value.place[-1] in _CLASS_KEYS and ":" in value.content:
        yield value.content


def _unchecked(value: Any, name: str = "") -> Iterator[str]:
    """Where `verify = false` stands."""
    if isinstance(value, dict):
        for key, inner in value.items():
            here = f"{name}.{key}" if name else str(key)
            if key == "verify" and inner is False:
                yield name
            else:
                yield from _unchecked(inner, here)


def _word(word: Any) -> str:
    return shlex.quote(word) if isinstance(word, str) else "?"
