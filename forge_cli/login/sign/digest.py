"""Digest access authentication (RFC 7616): the password answers a challenge and is never sent."""

from __future__ import annotations

import hashlib
import os
import threading
import unicodedata
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal
from urllib.parse import quote, urljoin

from ...models import FrozenDict, HttpResponse, PreparedRequest
from ...redact import REDACTOR
from ...transport.redirects import address, origin
from ..challenge import Challenge, challenges
from ..definition import TemplateText, key, table
from ..scope import Scope
from . import Signer, encoded

# The weakest first. SHA-512 is no algorithm of the RFC, but there are servers that offer it.
_HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512": "sha512", "SHA-512-256": "sha512_256"}
_STRENGTH = tuple(name for name, hash in _HASHES.items() if hash in hashlib.algorithms_available)
# One is enough, unless nonces end faster than they can be used.
_MOST_CHALLENGES = 3
# Requests that are on their way at one time; what is forgotten costs one more round trip.
_MOST_REQUESTS = 1000
_MOST_SPACES = 100

Origin = tuple[str, str, int]


@dataclass
class _Space:
    """A challenge that is answered: which requests it is for, and how often its nonce was used."""

    challenge: Challenge
    cnonce: str
    prefixes: tuple[str, ...]
    count: int = 0

    def covers(self, url: str) -> bool:
        return not self.prefixes or url.startswith(self.prefixes)


@dataclass(frozen=True)
class _Sent:
    """What a request was signed with last, and how many challenges it has met."""

    realm: str | None = None
    nonce: str | None = None
    challenges: int = 0


class _Memory:
    """The challenges of each origin, and what the requests on their way were signed with."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.spaces: OrderedDict[tuple[Origin, str], _Space] = OrderedDict()
        self.sent: OrderedDict[str, _Sent] = OrderedDict()

    def space(self, url: str) -> _Space | None:
        """The challenge that a request to this URL will meet: the latest that covers it."""
        home = origin(url)
        fitting = (space for (place, _), space in reversed(self.spaces.items()) if place == home and space.covers(url))
        return next(fitting, None)

    def learn(self, url: str, challenge: Challenge) -> None:
        home = origin(url)
        domain = [urljoin(url, place) for place in challenge.params.get("domain", "").split()]
        if domain and not url.startswith(tuple(domain)):
            domain.append(url.partition("?")[0])  # where it was met, it holds
        name = (home, challenge.params["realm"])
        self.spaces.pop(name, None)
        self.spaces[name] = _Space(challenge, os.urandom(16).hex(), tuple(domain))
        _shorten(self.spaces, _MOST_SPACES)

    def note(self, uuid: str, sent: _Sent) -> None:
        self.sent.pop(uuid, None)
        self.sent[uuid] = sent
        _shorten(self.sent, _MOST_REQUESTS)


def _shorten(entries: OrderedDict[Any, Any], most: int) -> None:
    while len(entries) > most:
        entries.popitem(last=False)


@table
class DigestSign(Signer):
    """Digest access authentication. The first request to a server goes out without; those after its challenge
    are signed at once, as long as this process runs.
    """

    # Each instance's own, but not a key, and no part of what makes two tables equal: so no field of the class.
    __slots__ = ("_memory",)
    _memory: ClassVar[_Memory]

    type: Literal["digest"] = key("sign by digest access authentication (RFC 7616)")
    username: TemplateText = key("the user name")
    password: TemplateText = key("the password of the user")

    def __new__(cls, **values: Any) -> DigestSign:
        made = super().__new__(cls)
        object.__setattr__(made, "_memory", _Memory())
        return made

    def sign(self, request: PreparedRequest, scope: Scope) -> PreparedRequest:
        """As `Signer.sign` says; unchanged before there was a challenge."""
        memory = self._memory
        with memory.lock:
            space = memory.space(request.url)
            met = memory.sent.get(scope.uuid, _Sent()).challenges
            if space is None:
                memory.note(scope.uuid, _Sent(challenges=met))
                return _unsigned(request)
            space.count += 1
            challenge, cnonce, count = space.challenge, space.cnonce, space.count
            memory.note(scope.uuid, _Sent(challenge.params["realm"], challenge.params["nonce"], met))
        username, password = scope.text(self.username), scope.text(self.password)
        REDACTOR.add(password)
        value = authorization(challenge, request, username, password, count=count, cnonce=cnonce)
        return encoded.with_header(request, "Authorization", value)

    def challenged(self, response: HttpResponse, scope: Scope) -> bool:
        """As `Signer.challenged` says: not when the answer to this very challenge was refused."""
        memory = self._memory
        with memory.lock:
            sent = memory.sent.pop(scope.uuid, _Sent())
            if response.status_code != 401:
                self._renew(response, sent)
                return False
            challenge = strongest(challenges(response.headers.get_all("WWW-Authenticate")))
            if challenge is None:
                return False
            if _refused(challenge, sent):
                memory.spaces.pop((origin(response.url), challenge.params["realm"]), None)
                return False
            current = memory.spaces.get((origin(response.url), challenge.params["realm"]))
            # Another thread may have had the same challenge: its count goes on.
            if current is None or current.challenge != challenge:
                memory.learn(response.url, challenge)
            memory.note(scope.uuid, _Sent(challenges=sent.challenges + 1))
            return True

    def _renew(self, response: HttpResponse, sent: _Sent) -> None:
        """Take the next nonce that an answer gives (RFC 7616, section 3.5)."""
        told = [
            info for value in response.headers.get_all("Authentication-Info") for info in challenges([f"x {value}"])
        ]
        nonce = next((info.params["nextnonce"] for info in told if info.params.get("nextnonce")), None)
        space = None if sent.realm is None else self._memory.spaces.get((origin(response.url), sent.realm))
        if nonce is not None and space is not None and space.challenge.params["nonce"] == sent.nonce:
            following = replace(space.challenge, params=FrozenDict({**space.challenge.params, "nonce": nonce}))
            self._memory.learn(response.url, following)


def _unsigned(request: PreparedRequest) -> PreparedRequest:
    """The request without what it was signed with for an earlier hop of a redirect."""
    if not request.headers.get("Authorization", "").lower().startswith("digest "):
        return request
    return replace(request, headers=request.headers.without("Authorization"))


def _refused(challenge: Challenge, sent: _Sent) -> bool:
    """Whether a challenge means that the password is wrong, and not only that a nonce is used up."""
    params = challenge.params
    if params.get("stale", "").lower() == "true" and sent.challenges < _MOST_CHALLENGES:
        return False
    return sent.challenges > 0 or (sent.realm, sent.nonce) == (params["realm"], params["nonce"])


def strongest(offered: Iterable[Challenge]) -> Challenge | None:
    """The Digest challenge with the strongest algorithm, None when none can be answered."""
    usable = [challenge for challenge in offered if _usable(challenge)]
    return max(usable, key=lambda challenge: _STRENGTH.index(_algorithm(challenge)[0]), default=None)


def _usable(challenge: Challenge) -> bool:
    params = challenge.params
    complete = challenge.of("Digest") and params.get("nonce") and "realm" in params
    qop = params.get("qop")
    known = qop is None or bool({"auth", "auth-int"}.intersection(_listed(qop)))
    # What no header can carry cannot be sent back.
    printable = all(value.isprintable() for value in params.values())
    return bool(complete) and known and printable and _algorithm(challenge)[0] in _STRENGTH


def _algorithm(challenge: Challenge) -> tuple[str, bool]:
    """The hash, and whether it is of the session kind."""
    name = challenge.params.get("algorithm", "MD5").upper()
    return name.removesuffix("-SESS"), name.endswith("-SESS")


def _listed(text: str) -> list[str]:
    return [item.strip().lower() for item in text.split(",")]


def authorization(
    challenge: Challenge, request: PreparedRequest, username: str, password: str, *, count: int, cnonce: str
) -> str:
    """The value of the Authorization header that answers a challenge (RFC 7616, section 3.4).

    `count` is how often its nonce was used, this time included.
    """
    params = challenge.params
    name, session = _algorithm(challenge)
    realm, nonce = params["realm"], params["nonce"]
    uri = address(request.url).target
    username, password = (unicodedata.normalize("NFC", text) for text in (username, password))
    qop = _protection(params, request)
    secret = _hashed(name, f"{username}:{realm}:{password}")
    if session:
        secret = _hashed(name, f"{secret}:{nonce}:{cnonce}")
    subject = f"{request.method}:{uri}"
    if qop == "auth-int":
        subject += f":{_body(name, request)}"
    used = f"{count:08x}:{cnonce}:{qop}:" if qop else ""
    answer = _hashed(name, f"{secret}:{nonce}:{used}{_hashed(name, subject)}")
    fields = {
        **_user(name, username, params),
        "realm": _quoted(realm),
        "uri": _quoted(uri),
        "algorithm": params.get("algorithm"),
        "nonce": _quoted(nonce),
        "nc": f"{count:08x}" if qop else None,
        "cnonce": _quoted(cnonce) if qop or session else None,
        "qop": qop,
        "response": _quoted(answer),
        "opaque": _quoted(params["opaque"]) if "opaque" in params else None,
    }
    return "Digest " + ", ".join(f"{field}={value}" for field, value in fields.items() if value is not None)


def _protection(params: Mapping[str, str], request: PreparedRequest) -> str | None:
    """What the answer covers; with the body only where the server wants no less."""
    offered = _listed(params["qop"]) if "qop" in params else []
    return "auth" if "auth" in offered else "auth-int" if offered else None


def _user(name: str, username: str, params: Mapping[str, str]) -> Mapping[str, str]:
    """The user: hashed where that is wanted, in UTF-8 where the server says that it understands it."""
    if params.get("userhash", "").lower() == "true":
        return {"username": _quoted(_hashed(name, f"{username}:{params['realm']}")), "userhash": "true"}
    if not username.isascii() and params.get("charset", "").upper() == "UTF-8":
        return {"username*": f"UTF-8''{quote(username, safe='')}"}
    return {"username": _quoted(username)}


def _hashed(name: str, text: str) -> str:
    return hashlib.new(_HASHES[name], text.encode(), usedforsecurity=False).hexdigest()


def _body(name: str, request: PreparedRequest) -> str:
    digest = hashlib.new(_HASHES[name], usedforsecurity=False)
    for piece in encoded.octets(request):
        digest.update(piece)
    return digest.hexdigest()


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
