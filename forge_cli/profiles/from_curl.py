"""A profile as text, from cURL commands: requests of its login, and perhaps one to the API itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from ..compiled import compiled
from ..curl.hiding import Variable, Variables, without_secrets
from ..curl.imported import Form, FromFile, Imported, Joined, Json, Multipart, Raw
from ..errors import UsageError
from ..redact import sensitive
from . import toml
from .draft import prefix
from .from_request import OF_ONE_REQUEST

Place = str | Mapping[str, str]
"""Where an output is: a JSON pointer, or a table of `extract`."""

_REFERENCE = compiled(r"\$\{\s*(?:steps|vars|secrets|env|now|uuid|nonce)\b[^{}]*\}")
_STEP = compiled(r"steps\.([A-Za-z0-9_-]+)")
_VARIABLE = compiled(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?")
# What belongs to a connection or a browser rather than to a login.
_LEFT_OUT = compiled(
    r"content-length|host|connection|accept-encoding|sec-.*|upgrade-insecure-requests|priority|te|if-.*|keep-alive",
    re.IGNORECASE,
)
_KIND = {Form: "application/x-www-form-urlencoded", Json: "application/json"}
_BY_FILE = UsageError("a command sends the content of a file", hint="write the content into the command")


@dataclass(frozen=True)
class Steps:
    """The profile's text; the variables to set, the computed ones, and whether something is left to fill in.

    `call` is the request to the API itself, as it is below the profile.
    """

    text: str
    variables: tuple[Variable, ...]
    computed: tuple[str, ...]
    unfinished: bool
    call: Imported | None = None


def step_names(requests: Sequence[Imported], named: Collection[str] = ()) -> list[str]:
    """The names of the steps; `named` are those that something is to be taken from."""
    names = [f"step{number}" for number in range(1, len(requests) + 1)]
    return names[:-1] if len(names) > 1 and names[-1] not in named and _is_call(_marked(requests[-1])) else names


def drafted(name: str, requests: Sequence[Imported], outputs: Mapping[str, Mapping[str, Place]]) -> Steps:
    """A profile whose login sends these requests in turn; `outputs` are to be had from their answers, by step.

    They are of one text, as `parse` gives them. A request may refer to what came before, as in
    ``${steps.step1.token}``. A last one whose credential is such a reference, and from whose answer nothing is to be
    had, is no step, but what the login is for. UsageError for what no step can send.
    """
    return _Drafting(name, requests, outputs).drafted()


class _Drafting:
    def __init__(self, name: str, requests: Sequence[Imported], outputs: Mapping[str, Mapping[str, Place]]) -> None:
        self.name, self.outputs = name, outputs
        self.prefix = prefix(name)
        self.names = step_names(requests, outputs)
        self.secrets: dict[str, dict[str, str]] = {}
        self.computed: dict[str, str] = {}
        found = Variables()
        hidden = [without_secrets(_marked(one), self.prefix, found) for one in requests]
        self.requests, rest = hidden[: len(self.names)], hidden[len(self.names) :]
        self.call = rest[0] if rest else None
        self.variables = found.found

    def drafted(self) -> Steps:
        last = self.call or self.requests[-1]
        parts = urlsplit(last.url)
        if not parts.scheme or not parts.netloc:
            raise UsageError("the last URL begins with a variable, so there is no base URL", hint="write its host")
        origin = f"{parts.scheme}://{parts.netloc}"
        tables = [self._step(step, one, origin) for step, one in zip(self.names, self.requests, strict=True)]
        name = toml.key(self.name)
        below = None if self.call is None else self._below(self.call)
        head = {"base_url": self._filled(last, origin), **self._connection(), **({} if below is None else below.shared)}
        text = f"# From {_count(len(tables) + (below is not None), 'cURL command')}.\n[profiles.{name}]\n"
        text += "".join(self._lines(head))
        if self.secrets:
            text += "\n# Where the secrets are, never the secrets themselves.\n"
            text += f"[profiles.{name}.secrets]\n" + "".join(self._lines(self.secrets))
        if below is None:
            text += (
                f"\n# Requests carry the last step's token as `Authorization: Bearer`;"
                f" [[profiles.{name}.auth.inject]] says otherwise."
            )
        text += f'\n[profiles.{name}.auth]\ntype = "pipeline"\n'
        for place in () if below is None else below.inject:
            tables.append(f"\n[[profiles.{name}.auth.inject]]\n" + "".join(self._lines(place)))
        unfinished = any("token" not in self.outputs.get(step, {}) for step in self.names)
        variables, computed = tuple(self.variables), tuple(self.computed.values())
        return Steps(text + "".join(tables), variables, computed, unfinished, None if below is None else below.request)

    def _below(self, one: Imported) -> _Below:
        """The request to the API: what every request has of it, where the credentials go, and what is left."""

        def fill(text: str) -> str:
            return self._filled(one, text)

        inject: list[dict[str, str]] = []
        headers: dict[str, str] = {}
        left: list[tuple[str, str]] = []
        for name, value in one.headers:
            if _refers(one, value):
                inject.append({"in": "header", "name": name, "value": fill(value)})
            elif OF_ONE_REQUEST.fullmatch(name) or not value:
                left.append((name, value))
            else:
                headers[name] = fill(value)
        inject += [{"in": "cookie", "name": name, "value": fill(value)} for name, value in one.cookies]
        if one.user is not None:
            if one.auth != "basic":
                raise UsageError(f"a command has --{one.auth}", hint="leave it out, and write `sign` by hand")
            user, _, password = one.user.partition(":")
            inject.append({"in": "basic", "name": fill(user), "value": fill(password)})
        url = urlsplit(one.url)
        pairs = parse_qsl(url.query, keep_blank_values=True)
        # What is a secret is one in every request.
        hidden = [(name, value) for name, value in pairs if one.slots.present(value)]
        inject += [{"in": "query", "name": name, "value": fill(value)} for name, value in hidden]
        query = url.query if not hidden else urlencode([pair for pair in pairs if pair not in hidden])
        request = replace(
            one,
            url=(url.path or "/") + (f"?{query}" if query else ""),
            headers=tuple(left),
            cookies=(),
            user=None,
            insecure=False,
            ca_bundle=None,
            proxy=None,
        )
        return _Below({"headers": headers} if headers else {}, inject, request)

    def _step(self, step: str, one: Imported, origin: str) -> str:
        request = self._request(one, origin)
        head = f"[profiles.{toml.key(self.name)}.auth.steps.{step}"
        extract = {"token": "/access_token", **self.outputs.get(step, {})}
        said = "" if "token" in self.outputs.get(step, {}) else "  # FILL IN: where the token is in the JSON answer"
        lines = [f"\n{head}]\n"]
        index = self.names.index(step)
        before = self.names[index - 1 : index]
        if before and not _STEP.search(str(request)):
            # Nothing that it sends says so, and the commands came in this order.
            lines.append(f"needs = {toml.spelled(before)}\n")
        lines.append(f"extract = {toml.spelled(extract)}{said}\n")
        lines.append(
            'expires = { in = "/expires_in" }  # where the answer says how many seconds it is good, if it does\n'
        )
        return "".join([*lines, f"\n{head}.request]\n", *self._lines(request)])

    def _request(self, one: Imported, origin: str) -> dict[str, Any]:
        def fill(text: str) -> str:
            return self._filled(one, text)

        url = urlsplit(one.url)
        there = (
            one.url if f"{url.scheme}://{url.netloc}" != origin else url._replace(scheme="", netloc="").geturl() or "/"
        )
        request: dict[str, Any] = {"method": one.method}
        if url.query and one.slots.present(url.query):
            request["url"] = fill(there.partition("?")[0])
            request["query"] = _repeated((n, fill(v)) for n, v in parse_qsl(url.query, keep_blank_values=True))
        else:
            request["url"] = fill(there)
        body = self._body(one, fill)
        implied = _KIND.get(type(one.body), "") if "text" not in body else ""
        headers = {
            name: fill(value)
            for name, value in one.headers
            if not _LEFT_OUT.fullmatch(name) and not (name.lower() == "content-type" and value == implied)
        }
        if one.cookies:
            headers["Cookie"] = fill("; ".join(f"{name}={value}" if name else value for name, value in one.cookies))
        request |= {"headers": headers} if headers else {}
        request |= self._login(one, fill)
        request |= body
        if one.follow:
            request["redirects"] = 10 if one.max_redirects is None else one.max_redirects
        if one.timeout is not None:
            request["timeout"] = one.timeout
        if one.cert is not None:
            request["client_cert"] = {"cert": fill(one.cert), **({} if one.key is None else {"key": fill(one.key)})}
        return request

    def _login(self, one: Imported, fill: Callable[[str], str]) -> dict[str, Any]:
        if one.auth == "aws-sigv4":
            raise UsageError("a command has --aws-sigv4", hint="write that step by hand: request = { sign = … }")
        if one.user is None:
            return {}
        user, colon, password = one.user.partition(":")
        if not colon:
            self.secrets["password"] = {"prompt": "Password"}
        secret = fill(password) if colon else "${secrets.password}"
        if one.auth == "digest":
            return {"sign": {"type": "digest", "username": fill(user), "password": secret}}
        return {"basic": [fill(user), secret]}

    def _body(self, one: Imported, fill: Callable[[str], str]) -> dict[str, Any]:
        match one.body:
            case None:
                return {}
            case Form(fields=fields) if all(each.path is None for each in fields):
                return {"form": _repeated((each.name, fill(each.value)) for each in fields)}
            case Json() as document:
                value = document.value
                # What TOML cannot say, and what would not come out as it was, stays as text.
                if isinstance(value, dict | list) and _sayable(value):
                    return {"json": _filled_tree(value, fill)}
                return {"text": fill(document.text)}
            case Raw(content=content):
                try:
                    return {"text": fill(content.decode())}
                except UnicodeDecodeError:
                    raise UsageError("a command sends what is no text", hint="leave that request out") from None
            case Multipart(parts=parts) if all(part.path is None for part in parts):
                return {"multipart": {part.name: self._part(part, fill) for part in parts}}
            case FromFile() | Form() | Multipart() | Joined():
                raise _BY_FILE
        raise TypeError(one.body)

    def _part(self, part: Any, fill: Callable[[str], str]) -> Any:
        content = fill(part.value.decode())
        more = {"filename": part.filename, "type": part.content_type}
        said = {name: fill(text) for name, text in more.items() if text is not None}
        return {"content": content, **said} if said else content

    def _connection(self) -> dict[str, Any]:
        """What the profile has for all its requests."""
        found: dict[str, Any] = {}
        for one in (*self.requests, *([] if self.call is None else [self.call])):
            if one.ca_bundle is not None:
                found["verify"] = one.ca_bundle
            if one.insecure:
                found["verify"] = False
            if one.proxy:
                found["proxy"] = self._filled(one, one.proxy)
        return found

    def _filled(self, one: Imported, text: str) -> str:
        """The text as a template: references stay, what a variable has becomes one."""
        pieces = []
        for piece in one.slots.split(text):
            if isinstance(piece, str):
                pieces.append(piece.replace("${", "$${"))
            elif _REFERENCE.fullmatch(piece.expression):
                pieces.append(piece.expression)
            else:
                pieces.append(self._variable(piece.expression))
        return "".join(pieces)

    def _variable(self, expression: str) -> str:
        match = _VARIABLE.fullmatch(expression)
        name = match[1] if match else self._own_variable(expression)
        known = any(name == variable.name for variable in self.variables)
        if match and not known and not sensitive(name):
            return f"${{env.{name}}}"
        key = re.sub("[^a-z0-9_]", "_", name.removeprefix(f"{self.prefix}_").lower())
        self.secrets[key] = {"env": name}
        return f"${{secrets.{key}}}"

    def _own_variable(self, expression: str) -> str:
        """A variable for what the shell would compute."""
        number = len(self.computed) + 1
        usual = f"{self.prefix}_VALUE" + ("" if number == 1 else f"_{number}")
        return self.computed.setdefault(expression, usual)

    def _lines(self, table: Mapping[str, Any]) -> Iterator[str]:
        yield from (f"{toml.key(key)} = {toml.spelled(value)}\n" for key, value in table.items())


class _Below(NamedTuple):
    """A request to the API: the keys that its profile gets, its credentials, and the request as it is below that."""

    shared: Mapping[str, Any]
    inject: Sequence[Mapping[str, str]]
    request: Imported


def _is_call(one: Imported) -> bool:
    """Whether a request is one to the API: its credential, and nothing else of it, refers to a step."""
    url = urlsplit(one.url)
    credentials = (one.user, url.query, *(value for _, value in (*one.headers, *one.cookies)))
    body: tuple[Any, ...] = ()
    match one.body:
        case Form(fields=fields):
            body = tuple(each.value for each in fields)
        case Json(text=text):
            body = (text,)
        case Raw(content=content):
            body = (content.decode("latin-1"),)
        case Multipart(parts=parts):
            body = tuple(part.value.decode("latin-1") for part in parts)
    elsewhere = (url.netloc, url.path, *body)
    return any(_refers(one, text) for text in credentials) and not any(_refers(one, text) for text in elsewhere)


def _refers(one: Imported, text: str | None) -> bool:
    """Whether a text refers to a step."""
    pieces = [] if text is None else one.slots.split(text)
    return any(not isinstance(piece, str) and _STEP.search(piece.expression) is not None for piece in pieces)


def _marked(one: Imported) -> Imported:
    """References to steps as marks, so that nothing takes them for a secret or for text."""

    def mark(text: str) -> str:
        return _REFERENCE.sub(lambda match: one.slots.mark(match[0]), text)

    body = one.body
    match body:
        case Form(fields=fields):
            body = Form(tuple(replace(each, value=mark(each.value)) for each in fields))
        case Json(text=text):
            body = Json(mark(text))
        case Raw(content=content):
            body = Raw(mark(content.decode("latin-1")).encode("latin-1"))
        case Multipart(parts=parts):
            body = Multipart(
                tuple(replace(part, value=mark(part.value.decode("latin-1")).encode("latin-1")) for part in parts)
            )
    return replace(
        one,
        url=mark(one.url),
        headers=tuple((name, mark(value)) for name, value in one.headers),
        cookies=tuple((name, mark(value)) for name, value in one.cookies),
        user=None if one.user is None else mark(one.user),
        body=body,
    )


def _repeated(pairs: Iterator[tuple[str, str]]) -> dict[str, Any]:
    """A table of pairs: a list where a name comes more than once."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        known = found.get(name)
        found[name] = value if known is None else [*(known if isinstance(known, list) else [known]), value]
    return found


def _sayable(value: Any) -> bool:
    match value:
        case dict():
            return all(_sayable(inner) for inner in value.values())
        case list():
            return all(_sayable(inner) for inner in value)
        case bool() | str():
            return True
        case int():
            return -(2**63) <= value < 2**63
    return False


def _filled_tree(value: Any, fill: Callable[[str], str]) -> Any:
    match value:
        case dict():
            return {name: _filled_tree(inner, fill) for name, inner in value.items()}
        case list():
            return [_filled_tree(inner, fill) for inner in value]
        case str():
            return fill(value)
    return value


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
