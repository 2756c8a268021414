"""One run of curl: its options, one after another, as the requests that they ask for."""

from __future__ import annotations

import os
import re
from urllib.parse import quote as percent_encode
from urllib.parse import unquote, urlsplit

from ..errors import UsageError
from .arguments import FLAGS, LEFT_OUT, LEFT_OUT_WITH_VALUE, Argument
from .command import TOKEN
from .imported import Body, FromFile, Imported, Joined, Multipart, Raw
from .lexing import as_bytes
from .payload import FORM, JSON, Payload, classified, percent
from .words import Slots

_MULTIPART = "multipart/form-data"
_KNOWN_METHODS = frozenset("GET POST PUT PATCH DELETE HEAD OPTIONS".split())


class Invocation:
    """One request of a command, as its options come."""

    def __init__(self, slots: Slots, stdin: str | FromFile | None, notes: list[str]) -> None:
        self.slots = slots
        self.notes = notes
        self.values: dict[str, str] = {}
        self.on: set[str] = set()
        self.urls: list[str] = []
        self.outputs: list[str] = []
        self.headers: list[tuple[str, str]] = []
        self.without: list[str] = []
        self.cookies: list[tuple[str, str]] = []
        self.query: list[str] = []
        self.payload = Payload(stdin, notes)

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
            case "data" | "data-ascii" | "data-binary" | "data-raw" | "data-urlencode" | "json":
                self.payload.add(name, value)
            case "url-query":
                self._query(value)
            case "form" | "form-string":
                self.payload.add_part(value, literal=name == "form-string")
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

    def _query(self, text: str) -> None:
        if text.startswith("+"):
            self.query.append(text[1:])
            return
        piece = self.payload.urlencoded(text)
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

    def imported(self) -> list[Imported]:
        """The requests, one for each URL."""
        if not self.urls:
            raise UsageError("the curl command has no URL", hint="is the command whole?")
        return [self._imported(url, index) for index, url in enumerate(self.urls)]

    def _imported(self, url: str, index: int) -> Imported:
        url, user = self._address(url)
        user = self.values.get("user", user)
        body = self.payload.body()
        if "get" in self.on and isinstance(body, FromFile | Joined):
            raise UsageError("curl's -G puts a file into the URL", hint="write its content into the command")
        upload = self.values.get("upload-file")
        if upload is not None:
            body = self.payload.upload(upload)
            if url.endswith("/") and upload not in ("-", "."):
                url += percent_encode(as_bytes(os.path.basename(upload)))
        query = list(self.query)
        if "get" in self.on and self.payload.data:
            query.append(self.payload.joined())
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
        body = classified(body, headers)
        if isinstance(body, Raw) and ("Content-Type", FORM) in headers and body.content[:1] in (b"{", b"["):
            self.notes.append("the body looks like JSON, and curl's -d sends it as a form; --json sends it as JSON")
        aws = self.values.get("aws-sigv4")
        auth = "aws-sigv4" if aws is not None else "digest" if "digest" in self.on else "basic"
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
            max_redirects=_whole(self._number("max-redirs")),
            insecure="insecure" in self.on,
            ca_bundle=self.values.get("cacert"),
            cert=self._certificate(),
            key=self.values.get("key"),
            proxy=self._proxy(),
            timeout=self._number("max-time") or None,
            connect_timeout=self._number("connect-timeout") or None,
            retries=_whole(self._number("retry")),
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
        if self.payload.data and "get" not in self.on:
            kind = JSON if self.payload.json else FORM
            headers += [("Content-Type", kind)] if "content-type" not in given else []
            headers += [("Accept", JSON)] if kind == JSON and "accept" not in given else []
        return headers

    def _number(self, option: str) -> float | None:
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
        return f"{scheme}://{percent(name)}{colon}{percent(password)}@{host}"

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
