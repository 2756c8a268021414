"""What is fuzzed: each reader of text that a stranger wrote, and the words that such text is made of."""

from __future__ import annotations

import http.client
import io
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from forge_cli.cli import items
from forge_cli.cli.download_name import proposed, safe
from forge_cli.curl import importing
from forge_cli.errors import ForgeError
from forge_cli.login import template
from forge_cli.login.challenge import challenges
from forge_cli.login.jar import set_cookies
from forge_cli.models import Headers, HttpMethod, HttpRequest, HttpResponse, TokenData
from forge_cli.pages import next_link
from forge_cli.profiles.document import load_document
from forge_cli.profiles.validate import problems
from forge_cli.retry import retry_after
from forge_cli.tokens.storage.file import FileTokenStorage
from forge_cli.transport.head import fields
from forge_cli.transport.redirects import address, resolved

SEEDS = Path(__file__).parent / "corpus"


@dataclass(frozen=True)
class Target:
    """One reader. It may raise ForgeError and nothing else, and has to be done within `SLOWEST` seconds."""

    name: str
    read: Callable[[str], object]
    words: str

    def seeds(self) -> list[str]:
        """Texts of the corpus, each of which once was, or could have been, a failure."""
        folder = SEEDS / self.name
        return [path.read_bytes().decode("utf-8", "surrogateescape") for path in sorted(folder.iterdir())]

    def __call__(self, text: str) -> None:
        with suppress(ForgeError):
            self.read(text)


SLOWEST = 2.0


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape") if _encodable(text) else text.encode("utf-8", "surrogatepass")


def _encodable(text: str) -> bool:
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def _profiles(text: str) -> None:
    path = Path("profiles.toml")
    path.write_bytes(_bytes(text))
    document = load_document(path)
    for problem in problems(document):
        document.line(problem.path)


def _tokens(text: str) -> None:
    path = Path("tokens", "dev.toml")
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_bytes(_bytes(text))
    path.chmod(0o600)
    storage = FileTokenStorage(path, notice=lambda line: None)
    storage.get("key")
    storage.items()
    storage.set("key", TokenData("user-token-1"))
    assert storage.get("key") == TokenData("user-token-1")
    for aside in path.parent.glob("*.corrupt-*"):
        aside.unlink()


def _items(text: str) -> None:
    found = items.parse(text.split("\n"), read=lambda path: path.encode("utf-8", "replace"))
    found.json_text()
    found.form()


def _cookies(text: str) -> None:
    headers = Headers([("Set-Cookie", line) for line in text.split("\n")])
    request = HttpRequest(HttpMethod.GET, "https://api.example.com/a/b")
    set_cookies(HttpResponse(200, headers, b"", 1.0, request.url, request), 1_800_000_000.0)


def _name(text: str) -> None:
    name = safe(proposed(text) or text)
    assert name and len(name.encode()) <= 255
    assert not set(name) & set('/\\:\0\r\n\x1b\u202e"') and not name.startswith((".", "-"))


def _location(text: str) -> None:
    address(resolved("https://api.example.com/a/b?c#d", text))


def _seconds(text: str) -> None:
    seconds = retry_after({"Retry-After": text})
    assert seconds is None or seconds >= 0


def _head(text: str) -> None:
    with suppress(http.client.HTTPException), io.BufferedReader(io.BytesIO(_bytes(text))) as fp:
        fields(fp)


TARGETS = {
    target.name: target
    for target in (
        Target(
            "profiles",
            _profiles,
            "[profiles.dev] [profiles.dev.auth] [[ ]] { } = . , # ' \" ''' \"\"\" \\ \\u "
            "\\U000 \n \r\n \ufeff \0 base_url "
            "extends type steps request extract inject expires refresh kind url method headers query json form text "
            '"pipeline" "oauth2" "bearer" "api-key" "${steps.a.token}" "${env.X}" "/x" [1] '
            "[] {} true nan inf -1 1e999 "
            "0x 1979-05-27 default_profile abstract auth tokens retry vars secrets requests pagination command needs",
        ),
        Target("template", template.parse, "${ } $${ $ | ( ) ?? . , ' \" \\ steps a token env X base64 json 1 -1 :"),
        Target(
            "items",
            _items,
            "a b [ ] [] [0] [99999999999] [-1] : ; = == := :=@ =@ ==@ :@ @ \\ \\\\ { } 1e999 nan \n \0 \" '",
        ),
        Target(
            "curl",
            lambda text: [str(one) for one in importing.parse(text)],
            "curl curl.exe -X -H -d --data-urlencode --data @x -u a:b -F a=@b;type=x -b -c --url --json -k -L -sS -- "
            "https://api.example.com/x $( ) ` $'\\x41' $'\\u00 ' \" \\ ^ ^\" % ! \n \\\n ; "
            "&& || | > < & # {a,b} [1-9] -K --next",
        ),
        Target(
            "disposition",
            _name,
            "attachment inline ; filename= filename*= UTF-8'' ISO-8859-1'en' %2F %00 %80 "
            '%2e%2e % " \\ / .. . - CON nul: '
            "\u202e \x1b \ud800 a .txt =?utf-8?b? ?=",
        ),
        Target("retry-after", _seconds, "0 1 9 -1 1e9 . : , \u0661 Fri Nov GMT UTC 1970 9999 99 31 Feb + _ 00:00:60"),
        Target(
            "challenge",
            lambda text: challenges(text.split("\n")),
            'Bearer Basic Digest realm= error="invalid_token" nonce= qop="auth" stale=true , '
            '= " \\ \\" == a b \n ; \u202e',
        ),
        Target(
            "set-cookie",
            _cookies,
            "a=b sid= ; = Path=/ Domain=example.com Domain=. Domain=com Expires=Fri, "
            "31-Dec-9999 23:59:59 GMT Max-Age= "
            '-1 99999999999999999999 \u0661 nan Secure HttpOnly SameSite=None __Host- __Secure- " , \n \0 \x1b',
        ),
        Target(
            "tokens",
            _tokens,
            "version = 1 2 -1 [tokens.key] [tokens] access_token refresh_token expires_at "
            "scope extra meta issued_at "
            "\"a\" 'b' nan inf 1e400 1979-05-27T00:00:00Z 9999-12-31T23:59:59-23:59 "
            "0001-01-01T00:00:00+23:59 [] {} true \n \0 . #",
        ),
        Target(
            "link",
            lambda text: next_link(Headers([("Link", text)])),
            '<https://a/> < > ; rel= next " \' , "next prev" rel*= anchor="x" \\ title*=UTF-8\'\'%',
        ),
        Target(
            "location",
            _location,
            "https: http: // / \\ @ : ? # .. . [::1] [ ] 127.1 0x7f 017700000001 %2e %00 "
            "xn-- \u2100 \u3002 \u00df a b 65536 javascript: \t \ud800",
        ),
        Target(
            "head",
            _head,
            "A: b X-Y : \r\n \r \n \r\n\r\n \t \0 \x85 \x1c Content-Length: 4 Transfer-Encoding: chunked : \ud800",
        ),
    )
}
