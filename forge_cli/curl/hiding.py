"""An imported request without its secrets: each becomes a variable of the environment."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from ..compiled import compiled
from ..redact import REDACTOR, sensitive
from .imported import Body, Field, Form, Imported, Joined, Json, Multipart, Raw
from .words import Slots

_JWT = compiled(r"(?<![\w-])eyJ[\w-]{8,}+\.[\w-]++\.[\w-]*+")
# A text in which a variable stands may still have a secret beside it.
_SHORT = 8


class Variable(NamedTuple):
    """A variable that is to be set, and what is to be in it."""

    name: str
    place: str


class Variables:
    """The variables of the requests of one text: two values never have one name."""

    def __init__(self) -> None:
        self.found: list[Variable] = []
        self._marks: dict[tuple[str, str], str] = {}

    def mark(self, name: str, value: str, place: str, slots: Slots) -> str:
        """A mark that stands for the value. The same value under the same name is one variable."""
        if (name, value) not in self._marks:
            REDACTOR.add(value)
            taken = {variable.name for variable in self.found}
            names = (name if number == 1 else f"{name}_{number}" for number in count(1))
            free = next(each for each in names if each not in taken)
            self.found.append(Variable(free, place))
            self._marks[name, value] = slots.mark(f"${free}")
        return self._marks[name, value]


def without_secrets(imported: Imported, prefix: str, variables: Variables) -> Imported:
    """The request with marks for its secrets; `variables` gets those that are to have them, named after `prefix`."""
    return _Hiding(imported, prefix, variables).result()


class _Hiding:
    def __init__(self, imported: Imported, prefix: str, variables: Variables) -> None:
        self.imported = imported
        self.slots = imported.slots
        self.prefix = prefix
        self.variables = variables

    def result(self) -> Imported:
        one = self.imported
        return replace(
            one,
            url=self._url(one.url),
            headers=tuple((name, self._header(name, value)) for name, value in one.headers),
            user=None if one.user is None else self._user(one.user),
            cookies=self._cookies(one.cookies),
            proxy=None if one.proxy is None else self._proxy(one.proxy),
            body=None if one.body is None else self._body(one.body),
        )

    def _hide(self, value: str, word: str, place: str) -> str:
        """A mark for the value. What a variable has already stays; the same value is one variable."""
        literal = "".join(piece for piece in self.slots.split(value) if isinstance(piece, str))
        if not value or (literal != value and len(literal.strip()) < _SHORT):
            return value
        word = re.sub("[^A-Z0-9]+", "_", word.upper()).strip("_") or "SECRET"
        return self.variables.mark(f"{self.prefix}_{word}", value, place, self.slots)

    def _header(self, name: str, value: str) -> str:
        if name.lower() == "cookie":
            return self._hide(value, "COOKIE", "the Cookie header")
        if not sensitive(name):
            return _JWT.sub(lambda match: self._hide(match[0], _word(name), f"the header {name}"), value)
        if name.lower() not in ("authorization", "proxy-authorization"):
            return self._hide(value, _word(name), f"the header {name}")
        scheme, space, rest = value.partition(" ")
        word = "TOKEN" if name.lower() == "authorization" else "PROXY_TOKEN"
        if not space or self.slots.present(scheme):
            return self._hide(value, word, f"the header {name}")
        return f"{scheme} {self._hide(rest.strip(), word, f'what follows {scheme} in the header {name}')}"

    def _user(self, user: str) -> str:
        name, colon, password = user.partition(":")
        if colon and not password:
            # An API key stands where a name would.
            return f"{self._hide(name, 'TOKEN', 'the user of -u')}:"
        return f"{name}{colon}{self._hide(password, 'PASSWORD', 'the password of -u')}"

    def _cookies(self, cookies: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        if any(self.slots.present(name + value) for name, value in cookies):
            # Some are in variables already; of the others each gets one of its own.
            return tuple((name, self._hide(value, f"COOKIE_{name}", f"the cookie {name}")) for name, value in cookies)
        text = "; ".join(f"{name}={value}" if value else name for name, value in cookies)
        # As one text it has a name that no cookie has.
        return (("", self._hide(text, "COOKIE", "the cookies of -b")),) if cookies else ()

    def _proxy(self, proxy: str) -> str:
        head, at, host = proxy.rpartition("@")
        start, colon, password = head.rpartition(":")
        if not at or not colon or start.endswith(("http", "https")):
            return proxy
        return f"{start}:{self._hide(password, 'PROXY_PASSWORD', 'the password of the proxy')}@{host}"

    def _url(self, url: str) -> str:
        path, question, query = url.partition("?")
        path = _JWT.sub(lambda match: self._hide(match[0], "TOKEN", "the URL"), path)
        return path + question + "&".join(map(self._pair, query.split("&")))

    def _pair(self, pair: str) -> str:
        name, equals, value = pair.partition("=")
        return name + equals + self._field(unquote_plus(name), value, "the query parameter")

    def _field(self, name: str, value: str, place: str) -> str:
        if sensitive(name) or _JWT.fullmatch(value):
            return self._hide(value, _word(name), f"{place} {name}")
        return value

    def _body(self, body: Body) -> Body:
        match body:
            case Form(fields=fields):
                return Form(tuple(self._form_field(each) for each in fields))
            case Json(text=text):
                return self._json(text)
            case Multipart(parts=parts):
                hide = self._field
                return Multipart(
                    tuple(replace(each, value=self._bytes(each.value, partial(hide, each.name))) for each in parts)
                )
            case Raw(content=content):
                return Raw(self._bytes(content, self._raw))
            case Joined(pieces=pieces):
                hidden = (
                    Raw(self._bytes(each.content, self._raw)) if isinstance(each, Raw) else each for each in pieces
                )
                return Joined(tuple(hidden))
        return body

    def _form_field(self, field: Field) -> Field:
        return replace(field, value=self._field(field.name, field.value, "the field"))

    def _bytes(self, content: bytes, hide: Callable[..., str]) -> bytes:
        try:
            return hide(content.decode(), "the field").encode()
        except UnicodeDecodeError:
            return content

    def _raw(self, text: str, place: str) -> str:
        """A body of no known form: when a secret seems to be in it, all of it."""
        pieces = [piece for piece in self.slots.split(text) if isinstance(piece, str)]
        if all(REDACTOR.content(REDACTOR.body(piece)) == piece for piece in pieces):
            return text
        return self._hide(text, "BODY", "the body, as it stands in the command")

    def _json(self, text: str) -> Body:
        try:
            value = json.loads(text, parse_int=Number, parse_float=Number, object_pairs_hook=Members)
            if not any(_has_secret(value)):
                return Json(text)
            return Json(written(self._hidden(value)))
        except RecursionError:
            return Raw(self._raw(text, "").encode())

    def _hidden(self, value: Any, name: str = "") -> Any:
        match value:
            case Members():
                return Members((key, self._hidden(inner, key)) for key, inner in value)
            case list():
                return [self._hidden(inner, name) for inner in value]
            case str() if not isinstance(value, Number):
                return self._field(name, value, "the field")
        return value


class Number(str):
    """A JSON number as it was written: parsing would round it."""


class Members(list[tuple[str, Any]]):
    """The members of a JSON object, in order and with those that are there twice."""


def written(value: Any) -> str:
    """The value as JSON, its numbers as they were."""
    match value:
        case Members():
            return "{" + ", ".join(f"{json.dumps(k, ensure_ascii=False)}: {written(v)}" for k, v in value) + "}"
        case list():
            return f"[{', '.join(map(written, value))}]"
        case Number():
            return str(value)
    return json.dumps(value, ensure_ascii=False)


def _has_secret(value: Any, name: str = "") -> list[bool]:
    match value:
        case Members():
            return [found for key, inner in value for found in _has_secret(inner, key)]
        case list():
            return [found for inner in value for found in _has_secret(inner, name)]
        case str() if not isinstance(value, Number):
            return [True] if value and (sensitive(name) or _JWT.fullmatch(value)) else []
    return []


def _word(name: str) -> str:
    return re.sub(r"^x-", "", name, flags=re.IGNORECASE)
