"""A cURL command as text, back to what the request is."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import parse_qsl, quote_plus, unquote, urlsplit
from urllib.parse import quote as percent_encode

from ..compiled import compiled
from ..errors import UsageError
from .arguments import FLAGS, LEFT_OUT, LEFT_OUT_WITH_VALUE, Argument, arguments
from .command import TOKEN
from .imported import Body, Field, Form, FromFile, Imported, Joined, Json, Multipart, Part, Raw
from .lexing import Command, as_bytes, cmd_commands, escaped, joined, shell_commands
from .words import Slots

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
_MULTIPART = "multipart/form-data"
_BEFORE_CURL = frozenset("sudo time env command exec nohup if then do else while until ! { $ % > set export".split())
_POWERSHELL = compiled(r"\b(Invoke-(WebRequest|RestMethod)|iwr|irm)\b", re.IGNORECASE)
# In quotes a caret or a backquote means nothing: what counts is the one before any quote that cmd.exe has not.
_FIRST = compiled(r"\bcurl(?:\.exe)?\b", re.IGNORECASE)
_CMD = compiled(r"[^'`\n]*?[ \t]\^(?:\"|\r?\n)")
_BACKQUOTED_LINE = compiled(r"[ \t]`\r?\n")
_CURL = compiled(r"(?:.*[/\\])?curl(?:\.exe)?", re.IGNORECASE | re.DOTALL)
_KNOWN_METHODS = frozenset("GET POST PUT PATCH DELETE HEAD OPTIONS".split())
_DEPTH = 3


def parse(text: str) -> list[Imported]:
    """The requests of the curl commands in the text, for sh or cmd.exe. UsageError for what cannot be read.

    Nothing is run and no file is opened. No error quotes a value: it may be a secret.
    """
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise UsageError("the command is not UTF-8 text", hint="save it as UTF-8 and give it by `--import -`") from None
    return _parse(text, Slots(), 0)


def _parse(text: str, slots: Slots, depth: int) -> list[Imported]:
    commands = _commands(text, slots)
    found: list[Imported] = []
    others: list[str] = []
    for index, command in enumerate(commands):
        at = _place_of_curl(command)
        if at is None:
            others += _noted(commands, index)
            continue
        before = commands[index - 1] if index and commands[index - 1].piped else None
        stdin = _standard_input(command, before)
        notes = ["> FILE is left out: give it to forge too"] if command.written_to else []
        found += _requests(command.words[at + 1 :], stdin, slots, notes)
    if not found and depth < _DEPTH:
        others = []
        for command in commands:
            for piece in (piece for word in command.words for piece in slots.split(word)):
                if not isinstance(piece, str) and piece.expression.startswith("$(") and "curl" in piece.expression:
                    found += _parse(piece.expression[2:-1], slots, depth + 1)
    if not found:
        raise UsageError("there is no curl command in it", hint="it begins with the word curl")
    return [_with_notes(one, others) for one in found]


def _commands(text: str, slots: Slots) -> list[Command]:
    first = _FIRST.search(text)
    if first is not None and _CMD.match(text, first.end()):
        return cmd_commands(text, slots)
    powershell = UsageError("this is a command for PowerShell", hint="choose `Copy as cURL (bash)` in the browser")
    if first is None and _POWERSHELL.search(text):
        raise powershell
    backquoted = _BACKQUOTED_LINE.search(text) is not None
    try:
        commands = shell_commands(text, slots)
    except UsageError:
        if backquoted:
            raise powershell from None
        raise
    # Two lines that end in a backquote are the beginning and the end of a command's output for sh.
    pieces = (piece for command in commands for word in command.words for piece in slots.split(word))
    if backquoted and any(not isinstance(piece, str) and piece.expression.startswith("$(\n") for piece in pieces):
        raise powershell
    return commands


def _with_notes(one: Imported, others: Sequence[str]) -> Imported:
    return replace(one, notes=tuple(dict.fromkeys((*one.notes, *others))))


def _noted(commands: Sequence[Command], index: int) -> list[str]:
    """What is said about a command that is not curl."""
    command = commands[index]
    if command.assigned and len(command.assigned) >= len(command.words) - 1:
        return [f"{name} is set before curl: set it for forge too" for name in command.assigned]
    if command.piped and index + 1 < len(commands) and _place_of_curl(commands[index + 1]) is not None:
        return []
    name = os.path.basename(command.words[0]) if command.words else ""
    if re.fullmatch(r"[A-Za-z0-9_.-]{1,30}", name) is None or name in _BEFORE_CURL or name in ("fi", "done", "}"):
        return []
    piped = index > 0 and commands[index - 1].piped
    return [f"| {name} is left out: give it to forge too" if piped else f"the command {name} is left out"]


def _place_of_curl(command: Command) -> int | None:
    for index, word in enumerate(command.words):
        if _CURL.fullmatch(word):
            return index
        if word not in _BEFORE_CURL and not re.match(r"[A-Za-z_][A-Za-z0-9_]*=", word):
            return None
    return None


def _standard_input(command: Command, before: Command | None) -> str | FromFile | None:
    """What curl reads, as far as the text says it."""
    if command.stdin is not None:
        return command.stdin
    if command.read_from is not None:
        return FromFile(command.read_from)
    if before is None:
        return None
    if before.stdin is not None and before.words == ["cat"]:
        return before.stdin
    match before.words:
        case ["cat", path] if not path.startswith("-"):
            return FromFile(path)
        case ["echo", "-n", *texts]:
            return " ".join(texts)
        case ["echo", "-e", *texts]:
            return joined(escaped(" ".join(texts))) + "\n"
        case ["echo", *texts] if not (texts and texts[0].startswith("-")):
            return " ".join(texts) + "\n"
        case ["printf", layout, *values]:
            return _printed(layout, values)
    return None


def _printed(layout: str, values: Sequence[str]) -> str | None:
    rest = iter(values)
    pieces = []
    for piece in re.split(r"(%.?)", layout, flags=re.DOTALL):
        if piece == "%s":
            pieces.append(next(rest, ""))
        elif piece.startswith("%") and piece != "%%":
            return None
        else:
            pieces.append("%" if piece == "%%" else escaped(piece))
    return joined("".join(pieces))


def _requests(words: Sequence[str], stdin: str | FromFile | None, slots: Slots, notes: Sequence[str]) -> list[Imported]:
    found: list[Imported] = []
    request = _Request(slots, stdin, list(notes))
    for argument in arguments(words):
        if argument.name == "next":
            found += request.imported()
            request = _Request(slots, stdin, [])
        else:
            request.take(argument)
    return found + request.imported()


@dataclass
class _Data:
    """One piece of a body: text as it is sent, or a file (of a form's field, when there is a name)."""

    text: str = ""
    path: str | None = None
    name: str | None = None
    urlencoded: bool = False
    json: bool = False


class _Request:
    """One request of a command, as its options come."""

    def __init__(self, slots: Slots, stdin: str | FromFile | None, notes: list[str]) -> None:
        self.slots = slots
        self.stdin = stdin
        self.notes = notes
        self.values: dict[str, str] = {}
        self.on: set[str] = set()
        self.urls: list[str] = []
        self.outputs: list[str] = []
        self.headers: list[tuple[str, str]] = []
        self.without: list[str] = []
        self.cookies: list[tuple[str, str]] = []
        self.data: list[_Data] = []
        self.query: list[str] = []
        self.parts: list[Part] = []
        self.aws: str | None = None

    def take(self, argument: Argument) -> None:
        """Take one option."""
        name, value = argument.name, argument.value
        if name in LEFT_OUT or name in LEFT_OUT_WITH_VALUE:
            self.notes.append(f"curl's --{name} is left out")
            return
        match name:
            case "" | "url":
                self.urls.append(value)
            case "header":
                self._header(value)
            case "data" | "data-ascii" | "data-binary" | "data-raw" | "json":
                self.data.append(self._data(name, value))
            case "data-urlencode":
                self.data.append(self._urlencoded(value))
            case "url-query":
                self._query(value)
            case "form" | "form-string":
                self._part(value, literal=name == "form-string")
            case "cookie":
                self._cookie(value)
            case "output":
                self.outputs.append(value)
            case "socks4" | "socks4a" | "socks5" | "socks5-hostname":
                scheme = "socks5h" if name == "socks5-hostname" else name
                self.values["proxy"] = f"{scheme}://{value}"
            case _ if name in FLAGS:
                (self.on.add if argument.on else self.on.discard)(name)
            case _:
                self.values[name] = value

    def _header(self, text: str) -> None:
        if text.startswith("@"):
            raise UsageError("curl's -H reads headers from a file", hint="write each header into the command")
        name, colon, value = text.partition(":")
        if not colon and text.endswith(";"):
            name, value, colon = text[:-1], "", ";"
        if not colon or not name:
            self.notes.append("a -H that is no header is left out" if name else "an HTTP/2 pseudo header is left out")
            return
        name, value = name.strip(), value.strip(" \t")
        if TOKEN.fullmatch(name) is None or re.search(r"[\r\n\0]", value):
            raise UsageError("a -H holds what no header can", hint="a name, a colon and one line of text")
        if any("\udc80" <= char <= "\udcff" for char in value):
            raise UsageError(f"the value of header {name!r} is not UTF-8 text", hint="write it as UTF-8")
        if value or colon == ";":
            self.headers.append((name, value))
        else:
            self.without.append(name)

    def _content(self, path: str, reads_lines: bool = False) -> str | FromFile:
        """What a file has, as far as it is known: standard input can be in the text."""
        if path != "-" or self.stdin is None:
            if reads_lines:
                self.notes.append("curl leaves out the line ends of a file given by -d, forge does not")
            return FromFile(path)
        if isinstance(self.stdin, FromFile):
            return self.stdin
        return re.sub(r"[\r\n\0]", "", self.stdin) if reads_lines else self.stdin

    def _data(self, option: str, text: str) -> _Data:
        if option == "data-raw" or not text.startswith("@"):
            return _Data(text, json=option == "json")
        content = self._content(text[1:], option in ("data", "data-ascii"))
        if isinstance(content, FromFile):
            return _Data(path=content.path, json=option == "json")
        return _Data(content, json=option == "json")

    def _urlencoded(self, text: str) -> _Data:
        match = re.search("[=@]", text)
        name, mark, value = (text[: match.start()], match[0], text[match.end() :]) if match else ("", "", text)
        if mark == "@":
            content = self._content(value)
            if isinstance(content, FromFile):
                return _Data(path=content.path, name=name, urlencoded=True)
            value = content
        # curl writes a space as forms have it.
        encoded = self._percent(value).replace("%20", "+")
        return _Data((f"{name}=" if name else "") + encoded, urlencoded=True)

    def _percent(self, text: str) -> str:
        return percent_encode(as_bytes(text), safe="")

    def _query(self, text: str) -> None:
        if text.startswith("+"):
            self.query.append(text[1:])
            return
        piece = self._urlencoded(text)
        if piece.path is not None:
            raise UsageError("curl's --url-query reads a file", hint="write its content into the command")
        self.query.append(piece.text)

    def _cookie(self, text: str) -> None:
        if "=" not in text and not self.slots.present(text):
            raise UsageError("curl's -b names a file of cookies", hint="write them as -b 'name=value; …'")
        for pair in text.split(";"):
            name, _, value = pair.strip().partition("=")
            if name or value:
                self.cookies.append((name, value))

    def _part(self, text: str, *, literal: bool) -> None:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError("a -F is not NAME=VALUE", hint="write -F name=value, or -F name=@file")
        if literal:
            self.parts.append(Part(name, as_bytes(value)))
            return
        if value.startswith("(") or (name == "" and value == ")"):
            raise UsageError("a -F opens a nested multipart body", hint="give it as a file: --data-binary @FILE")
        kind = value[:1] if value[:1] in ("@", "<") else ""
        contents, settings = _form_words(value[len(kind) :], several=kind == "@")
        for content in contents:
            self.parts.append(self._one_part(name, kind, content, settings))

    def _one_part(self, name: str, kind: str, content: str, settings: dict[str, str]) -> Part:
        filename, content_type = settings.get("filename"), settings.get("type")
        for other in settings.keys() - {"filename", "type"}:
            self.notes.append(f"{other}= in a -F is left out")
        if not kind:
            return Part(name, as_bytes(content), filename, content_type)
        if kind == "@" and filename is None:
            filename = os.path.basename(content)
        known = self._content(content)
        if isinstance(known, FromFile):
            return Part(name, b"", filename, content_type, known.path)
        return Part(name, as_bytes(known), filename, content_type)

    def imported(self) -> list[Imported]:
        """The requests, one for each URL."""
        if not self.urls:
            raise UsageError("the curl command has no URL", hint="is the command whole?")
        return [self._imported(url, index) for index, url in enumerate(self.urls)]

    def _imported(self, url: str, index: int) -> Imported:
        url, user = self._address(url)
        user = self.values.get("user", user)
        body = self._body()
        if "get" in self.on and isinstance(body, FromFile | Joined):
            raise UsageError("curl's -G puts a file into the URL", hint="write its content into the command")
        upload = self.values.get("upload-file")
        if upload is not None:
            body = self._upload(upload)
            if url.endswith("/") and upload not in ("-", "."):
                url += percent_encode(as_bytes(os.path.basename(upload)))
        query = list(self.query)
        if "get" in self.on and self.data:
            query.append(self._joined(self.data))
            body = None
        if any(query):
            added = re.sub(r"[\x00-\x20]", lambda match: percent_encode(match[0]), "&".join(filter(None, query)))
            url += ("&" if "?" in url else "?") + added
            url = url.partition("#")[0]  # as curl does, also where it came from -d
        method = self.values.get("request") or self._method(body, upload)
        method = method.upper() if method.upper() in _KNOWN_METHODS else method
        if TOKEN.fullmatch(method) is None:
            raise UsageError("curl's -X is no method", hint="a word such as GET or POST")
        headers = self._headers(body)
        without = [name for name in self.without if name.lower() not in ("expect", "content-type")]
        for name in [each for each in without if each.lower() in ("host", "content-length")]:
            self.notes.append(f"-H '{name}:' is left out: a request needs it")
            without.remove(name)
        stated = {name.lower() for name, _ in self.headers}
        if self.values.get("user-agent") == "" and "user-agent" not in stated | {name.lower() for name in without}:
            without.append("User-Agent")
        body = _classified(body, headers)
        if isinstance(body, Raw) and ("Content-Type", FORM) in headers and body.content[:1] in (b"{", b"["):
            self.notes.append("the body looks like JSON, and curl's -d sends it as a form; --json sends it as JSON")
        aws = self.values.get("aws-sigv4")
        auth = "aws-sigv4" if aws is not None else "digest" if "digest" in self.on else "basic"
        number = partial(self._number, url)
        return Imported(
            method=method,
            url=url,
            headers=tuple(headers),
            without=tuple(without),
            body=body,
            user=user,
            auth=auth,
            aws=aws,
            netrc=bool(self.on & {"netrc", "netrc-optional"}),
            cookies=tuple(self.cookies),
            follow=bool(self.on & {"location", "location-trusted"}),
            max_redirects=_whole(number("max-redirs")),
            insecure="insecure" in self.on,
            ca_bundle=self.values.get("cacert"),
            cert=self._certificate(),
            key=self.values.get("key"),
            proxy=self._proxy(),
            timeout=number("max-time") or None,
            connect_timeout=number("connect-timeout") or None,
            retries=_whole(number("retry")),
            output=self._output(url, index),
            include="include" in self.on,
            verbose="verbose" in self.on,
            silent="silent" in self.on,
            notes=tuple(self.notes),
            slots=self.slots,
        )

    def _address(self, url: str) -> tuple[str, str | None]:
        """The URL as curl completes it, and the user in it."""
        if re.search(r"[\x00-\x20\x7f]", url) or any("\udc80" <= char <= "\udcff" for char in url):
            raise UsageError("a URL in it holds a character that no URL has", hint="are quotes missing?")
        url = url.partition("#")[0]
        scheme, slashes, rest = url.partition("://")
        if not slashes:
            if not (self.slots.present(url) or re.search(r"[.:/]", url) or url.lower() == "localhost"):
                raise UsageError("a word in it is neither an option nor a URL", hint="are quotes missing?")
            scheme, rest = (
                ("", url)
                if self.slots.split(url)[:1] and not isinstance(self.slots.split(url)[0], str)
                else ("http", url)
            )
        elif scheme.lower() not in ("http", "https") and not self.slots.present(scheme):
            raise UsageError("a URL in it is not http or https", hint="only these can be sent")
        host, slash, path = re.match(r"([^/?]*)(/?)(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]  # it matches any text
        userinfo, at, host = host.rpartition("@")
        if re.search(r"\{[^}]*\}|\[[^\]]*\]", f"{slash}{path}") and "globoff" not in self.on:
            self.notes.append("{ } and [ ] in the URL are left as they are; curl sends one request for each of them")
        if not _is_host(host):
            raise UsageError("the host of a URL in it is no host", hint="https:// and the name of a server come first")
        if not host:
            raise UsageError("a URL in it has no host", hint="https:// and the name of a server come first")
        if scheme and not slash:
            path = f"/{path}"
        whole = f"{scheme}://{host}{slash}{path}" if scheme else f"{host}{slash}{path}"
        return whole, unquote(userinfo, errors="surrogateescape") if at else None

    def _method(self, body: Body | None, upload: str | None) -> str:
        if "head" in self.on:
            return "HEAD"
        return "PUT" if upload is not None else "GET" if body is None else "POST"

    def _upload(self, path: str) -> Body:
        content = self._content("-" if path == "." else path)
        return content if isinstance(content, FromFile) else Raw(as_bytes(content))

    def _joined(self, pieces: Sequence[_Data]) -> str:
        text = ""
        for index, piece in enumerate(pieces):
            if piece.path is not None:
                raise UsageError("a file and other data make one body", hint="put all of it into the file")
            text += ("&" if index and not piece.json else "") + piece.text
        return text

    def _body(self) -> Body | None:
        if self.parts and self.data:
            raise UsageError("curl's -F and -d both give a body", hint="keep one of them")
        if self.parts:
            return Multipart(tuple(self.parts))
        if not self.data:
            return None
        if len(self.data) == 1 and self.data[0].path is not None and not self.data[0].urlencoded:
            return FromFile(self.data[0].path)
        plain = not any(piece.json or (piece.urlencoded and piece.path is not None) for piece in self.data)
        if plain and any(piece.path is not None for piece in self.data):
            return Joined(
                tuple(Raw(as_bytes(each.text)) if each.path is None else FromFile(each.path) for each in self.data)
            )
        if any(piece.path is not None for piece in self.data):
            return Form(tuple(pair for piece in self.data for pair in self._fields(piece)))
        return Raw(as_bytes(self._joined(self.data)))

    def _fields(self, piece: _Data) -> list[Field]:
        if piece.path is None:
            return [Field(name, value) for name, value in parse_qsl(piece.text, keep_blank_values=True)]
        if not piece.name:
            raise UsageError("a file and other data make one body", hint="put all of it into the file")
        return [Field(piece.name, path=piece.path)]

    def _headers(self, body: Body | None) -> list[tuple[str, str]]:
        headers = list(self.headers)
        given = {name.lower() for name in (*(name for name, _ in headers), *self.without)}
        for name, option in (("User-Agent", "user-agent"), ("Referer", "referer")):
            if option in self.values and name.lower() not in given:
                value = self.values[option].removesuffix(";auto")
                headers += [(name, value)] if value else []
        for name, option, start in (("Authorization", "oauth2-bearer", "Bearer "), ("Range", "range", "bytes=")):
            if option == "range" and option in self.values and body is not None:
                self.notes.append("curl's --range is left out: it goes with a request without a body")
            elif option in self.values and name.lower() not in given:
                headers.append((name, start + self.values[option]))
        if any(re.search(r"[\r\n\0]", value) for _, value in (*headers, *self.cookies)):
            raise UsageError("a header in it holds a line break or NUL", hint="write it as one line")
        if isinstance(body, Multipart):
            return [pair for pair in headers if pair[0].lower() != "content-type" or _MULTIPART not in pair[1].lower()]
        if self.data and "get" not in self.on:
            kind = JSON if any(piece.json for piece in self.data) else FORM
            headers += [("Content-Type", kind)] if "content-type" not in given else []
            headers += [("Accept", JSON)] if kind == JSON and "accept" not in given else []
        return headers

    def _number(self, url: str, option: str) -> float | None:
        text = self.values.get(option)
        if text is None:
            return None
        if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?|\.[0-9]{1,9}|-1", text) is None:
            raise UsageError(f"curl's --{option} is not a number", hint="a number such as 10")
        return None if text == "-1" else float(text)

    def _certificate(self) -> str | None:
        """The file of `--cert`; its password is left out."""
        path = self.values.get("cert")
        match = re.fullmatch(r"((?:[A-Za-z]:[\\/])?(?:\\.|[^:\\])*):(.+)", path or "", re.DOTALL)
        if path is None or match is None:
            return path
        self.notes.append("the password of the certificate is left out: a profile has client_cert = { password = … }")
        return match[1].replace("\\:", ":")

    def _proxy(self) -> str | None:
        proxy, user = self.values.get("proxy"), self.values.get("proxy-user")
        if self.values.get("noproxy") == "*":
            return ""
        if "noproxy" in self.values:
            self.notes.append("curl's --noproxy is left out")
        if not proxy:
            return proxy
        proxy = proxy if "://" in proxy else f"http://{proxy}"
        scheme, _, host = proxy.partition("://")
        if user is None or "@" in host:
            return proxy
        name, colon, password = user.partition(":")
        return f"{scheme}://{self._percent(name)}{colon}{self._percent(password)}@{host}"

    def _output(self, url: str, index: int) -> str | None:
        if index < len(self.outputs):
            return self.outputs[index]
        if "remote-name" not in self.on:
            return None
        name = url.partition("?")[0].rpartition("/")[2]
        if not name:
            raise UsageError("curl's -O needs a URL that ends in a file name", hint="-o FILE names it")
        return name


def _is_host(host: str) -> bool:
    try:
        return urlsplit(f"http://{host}/").port != 0
    except ValueError:
        return False


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


def _form_words(text: str, *, several: bool) -> tuple[list[str], dict[str, str]]:
    """The values of a `-F` and its settings, as curl cuts them."""
    values: list[str] = []
    settings: dict[str, str] = {}
    value, at = _form_word(text, 0, ",;" if several else ";")
    values.append(value)
    while at < len(text) and text[at] == ",":
        value, at = _form_word(text, at + 1, ",;")
        values.append(value)
    last = ""
    while at < len(text):
        setting, end = _form_word(text, at + 1, ";", start=_after_name(text, at + 1))
        name, equals, value = text[at + 1 : end].strip().partition("=")
        if equals and name in ("type", "filename", "encoder", "headers"):
            settings[name] = setting.strip() if name != "filename" else setting
            last = name
        elif last == "type":
            # A parameter of the type, such as charset.
            settings["type"] += ";" + text[at + 1 : end]
        at = end
    return values, settings


def _after_name(text: str, at: int) -> int:
    match = re.compile(r"\s*[a-z]+=").match(text, at)
    return at if match is None else match.end()


def _form_word(text: str, at: int, ends: str, *, start: int | None = None) -> tuple[str, int]:
    """A word from `start` and where it ends: quoted with backslashes, or up to one of `ends`."""
    begin = at if start is None else start
    match = re.compile(r'\s*"((?:[^"\\]|\\.)*)"[^;,]*', re.DOTALL).match(text, begin)
    if match is not None:
        return re.sub(r'\\([\\"])', r"\1", match[1]), match.end()
    end = begin
    while end < len(text) and text[end] not in ends:
        end += 1
    return text[begin:end], end


def _classified(body: Body | None, headers: Sequence[tuple[str, str]]) -> Body | None:
    """A raw body as the form or the JSON that it is, where nothing is lost by it."""
    if not isinstance(body, Raw):
        return body
    kinds = [value.partition(";")[0].strip().lower() for name, value in headers if name.lower() == "content-type"]
    try:
        text = body.content.decode()
    except UnicodeDecodeError:
        return body
    if kinds == [JSON] and _is_json(text):
        return Json(text)
    if kinds == [FORM] and all("=" in pair for pair in text.split("&")) and not _is_json(text):
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict") if _well_encoded(text) else []
        if pairs and "&".join(f"{quote_plus(n)}={quote_plus(v)}" for n, v in pairs) == _normal(text):
            return Form(tuple(Field(name, value) for name, value in pairs))
    return body


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_int=str, parse_float=str, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return False
    return True


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _well_encoded(text: str) -> bool:
    try:
        unquote(text, errors="strict")
    except UnicodeDecodeError:
        return False
    return re.search(r"%(?![0-9A-Fa-f]{2})", text) is None


def _normal(text: str) -> str:
    """A form with each character encoded where forge would encode it, so that two spellings compare equal."""
    text = re.sub("%[0-9a-fA-F]{2}", lambda match: match[0].upper(), re.sub("%20| ", "+", text))
    text = re.sub(r"[^A-Za-z0-9_.~%&=+-]", lambda match: percent_encode(match[0], safe=""), text)
    # "=" in a value; each name ends at the first one.
    pairs = (pair.partition("=") for pair in text.split("&"))
    return "&".join(f"{name}={value.replace('=', '%3D')}" for name, _, value in pairs)
