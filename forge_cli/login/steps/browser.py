"""The step in which a person logs in with a browser: the authorization request of OAuth 2 and OpenID Connect."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable
from urllib.parse import parse_qsl, quote, unquote_plus, urlencode, urlsplit

from ...compiled import compiled
from ...errors import ProfileError, StepFailed, TimeoutException
from ...models import Deadline
from ...redact import REDACTOR
from ...tokens.unbroken import idle
from ..callback import Callback, Place, place_of
from ..definition import RequestTable, StepTable, TemplateText, Tree, key, table
from ..endpoint import checked_endpoint, is_this_machine, said_by
from ..exchange import Reading, absolute, answer, failure, refusal, refused_by
from ..expiry import End
from ..extract import Missing, outputs
from ..filters import text_of
from ..said import one_line
from ..work import Person, Result, Work, unfit_token

_LONGEST = 300.0
# How long a pasted line waits for a look at the other way.
_TURN = 0.2
_MOST_FIELDS = 50
_TEXT_SHOWN = 500
_OWN = ("response_type", "redirect_uri", "state", "code_challenge", "code_challenge_method")
_FIELD = compiled(r"(?:^|[?&#])(?:code|error)=")


@runtime_checkable
class Typing(Protocol):
    """A person who can also paste a line while something else is waited for."""

    def typed(self, seconds: float) -> str | None:
        """A line that was entered, without its end; None when none is within these seconds."""
        ...


class Answer(NamedTuple):
    """What an authorization server says in the end: a code, or what went wrong."""

    code: str = ""
    trouble: str | None = None


@dataclasses.dataclass(frozen=True)
class Expected:
    """Which answer belongs to one authorization request, and what it must say.

    `issuer` is what `iss` must be; with `iss_required` it must be there (RFC 9207, section 2.4).
    """

    state: str
    issuer: str | None = None
    iss_required: bool = False

    def read(self, query: str) -> Answer | None:
        """The answer in a query; None when that belongs to no request of ours."""
        try:
            pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        except ValueError:
            return None
        fields = dict(pairs)
        state = fields.get("state", "").encode("utf-8", "surrogatepass")
        # A parameter that is there twice could mean two things (RFC 6749, section 3.1).
        if len(fields) < len(pairs) or not hmac.compare_digest(state, self.state.encode()):
            return None
        trouble = self._issuer_trouble(fields) or _error(fields)
        if trouble is None and not fields.get("code"):
            trouble = "the answer has no code"
        return Answer(trouble=trouble) if trouble is not None else Answer(fields["code"])

    def pasted(self, line: str) -> Answer | None:
        """The answer in what a person pasted: an address, its query, or the code alone."""
        text = line.strip()
        if _FIELD.search(text):
            return self.read(re.split(r"[?#]", text)[-1] if "?" in text or "#" in text else text)
        if not text or re.search(r"\s|://", text):
            return None
        # A code alone says nothing about who issued it; the verifier still binds it to this login.
        if self.iss_required:
            return Answer(trouble="a code alone does not say who issued it: paste the whole address")
        return Answer(text)

    def _issuer_trouble(self, fields: Mapping[str, str]) -> str | None:
        found = fields.get("iss")
        if found is None:
            return "the answer does not say who issued it (`iss`)" if self.iss_required else None
        if self.issuer is not None and found != self.issuer:
            return "the answer is from another issuer (`iss`) than the one that was asked"
        return None


def _error(fields: Mapping[str, str]) -> str | None:
    """What the server says went wrong (RFC 6749, section 4.1.2.1)."""
    if "error" not in fields:
        return None
    words = ": ".join(text for text in (fields["error"], fields.get("error_description", "")) if text)
    return f"refused: {one_line(REDACTOR.text(words), _TEXT_SHOWN)}"


@table
class BrowserStep(StepTable):
    """Let a person log in with a browser; the code that comes back is for an http step to exchange.

    State and PKCE (S256) are always used. `verifier` and `redirect_uri` go into the exchange with the code.
    """

    interactive: ClassVar[bool] = True
    usual_cache: ClassVar[str] = "none"
    outputs: ClassVar[tuple[str, ...]] = ("token", "code", "verifier", "redirect_uri", "state", "nonce")

    url: TemplateText = key("the authorization endpoint")
    params: Mapping[str, Tree] = key(
        "its parameters, such as client_id and scope; a list repeats one", default_factory=dict
    )
    redirect_uri: TemplateText | None = key(
        "where the answer goes; default: http://127.0.0.1:PORT/callback. forge listens at any http address of "
        "127.0.0.1 or [::1], without a port at a free one; what comes back elsewhere is pasted by the person",
        default=None,
    )
    pushed: RequestTable | None = key(
        "the request that pushes the authorization request (RFC 9126); its form gets the parameters", default=None
    )
    push_if: bool | TemplateText = key(
        "true, or a template that comes to true: push it; else the browser carries the parameters", default=True
    )
    issuer: TemplateText | None = key("what `iss` in the answer must be, if it is there (RFC 9207)", default=None)
    iss_required: bool | TemplateText = key(
        "true, or a template that comes to true: refuse an answer without `iss`, for servers that announce it",
        default=False,
    )

    def run(self, work: Work) -> Result:
        """Have a code issued. StepFailed when the server says no, TimeoutException when nobody comes back."""
        person = work.somebody("opens a browser")
        with said_by(self.url, work.step):
            url = checked_endpoint(absolute(work.scope.text(self.url), work.scope), work.step, "`url`")
            self._check_own_query(url, work)
        pushed = self.pushed if _true(self.push_if, work) else None
        if pushed is not None:
            with said_by(pushed.url, work.step):
                pushing = absolute(work.scope.text(pushed.url), work.scope)
                checked_endpoint(pushing, work.step, "the URL of `pushed`")
        redirect_uri, place = self._redirect(work)
        expected = Expected(
            secrets.token_urlsafe(32),
            None if self.issuer is None else work.scope.text(self.issuer),
            _true(self.iss_required, work),
        )
        if expected.iss_required and expected.issuer is None:
            raise ProfileError(
                f"step '{work.step}': `iss_required` says nothing without `issuer`",
                hint="add `issuer`, which is what `iss` in the answer must be",
            )
        if place is None:
            return self._logged_in(work, person, url, redirect_uri, pushed, expected, None)
        with Callback(work.step, place, expected.read) as callback:
            return self._logged_in(work, person, url, callback.redirect_uri, pushed, expected, callback)

    def renew(self, work: Work) -> None:
        """A code is good once: there is nothing to renew."""

    def _redirect(self, work: Work) -> tuple[str, Place | None]:
        """The redirect URI, and where to listen for it; nowhere, when the person has to bring the answer."""
        if self.redirect_uri is None:
            return "", Place("127.0.0.1", 0, "/callback")
        uri = work.scope.text(self.redirect_uri)
        place = place_of(uri)
        scheme, colon, _ = uri.lower().partition(":")
        if place is None and (not colon or (scheme == "http" and not is_this_machine(_host(uri)))):
            raise ProfileError(
                f"step '{work.step}': `redirect_uri` would carry the code over the network in the clear",
                hint="use http://127.0.0.1/callback, or an address that is https",
            )
        return uri, place

    def _logged_in(
        self,
        work: Work,
        person: Person,
        url: str,
        redirect_uri: str,
        pushed: RequestTable | None,
        expected: Expected,
        callback: Callback[Answer] | None,
    ) -> Result:
        verifier = secrets.token_urlsafe(64)
        REDACTOR.add(verifier)
        params = self._params(work)
        nonce = dict(params).get("nonce")
        if nonce is None and "openid" in dict(params).get("scope", "").split():
            nonce = secrets.token_urlsafe(32)
            params.append(("nonce", nonce))
        params += [
            ("response_type", "code"),
            ("redirect_uri", redirect_uri),
            ("state", expected.state),
            ("code_challenge", _challenge(verifier)),
            ("code_challenge_method", "S256"),
        ]
        if pushed is not None:
            params = _pushed(pushed, params, work)
        with idle():
            found = _fetched(work, person, _with_query(url, params), expected, callback)
        REDACTOR.add(found.code)
        if found.trouble is not None:
            raise StepFailed(work.step, found.trouble, hint="try again with `forge token login`")
        unfit = unfit_token(found.code)
        if unfit is not None:
            raise StepFailed(work.step, f"{unfit}, which is the code", hint="try again with `forge token login`")
        given = {"verifier": verifier, "redirect_uri": redirect_uri, "state": expected.state}
        known = {} if nonce is None else {"nonce": nonce}
        return Result({"token": found.code, "code": found.code, **given, **known}, End(None, known=False))

    def _check_own_query(self, url: str, work: Work) -> None:
        """ProfileError when the endpoint's query says what is forge's to say: of two, a server might take either.

        `request` and `request_uri` stand for all the rest (RFC 9101, section 5).
        """
        query = url.partition("#")[0].partition("?")[2]
        own = {unquote_plus(pair.partition("=")[0]) for pair in query.split("&")}
        twice = [name for name in (*_OWN, "nonce", "request", "request_uri", *self.params) if name in own]
        if twice:
            raise ProfileError(
                f"step '{work.step}': the query of `url` has the parameter {twice[0]}, which is not for it to say",
                hint=f"remove {twice[0]} from `url`",
            )

    def _params(self, work: Work) -> list[tuple[str, str]]:
        """The profile's own parameters, as they are sent."""
        clash = [name for name in _OWN if name in self.params]
        if clash:
            raise ProfileError(
                f"step '{work.step}': forge sets the parameter {clash[0]} itself",
                hint=f"remove {clash[0]} from `params`"
                + ("; `redirect_uri` is a key of the step" if clash[0] == "redirect_uri" else ""),
            )
        filled = work.scope.fill(dict(self.params))
        return [
            (name, text_of(each))
            for name, value in filled.items()
            for each in (value if isinstance(value, list) else [value])
        ]


def _true(value: bool | str, work: Work) -> bool:
    return work.scope.fill(value) in (True, "true")


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _challenge(verifier: str) -> str:
    """RFC 7636, section 4.2."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _with_query(url: str, params: list[tuple[str, str]]) -> str:
    """The endpoint may have a query of its own, which stays (RFC 6749, section 3.1)."""
    before, mark, _ = url.partition("#")[0].partition("?")
    own = url.partition("#")[0][len(before) + len(mark) :]
    return f"{before}?{own}{'&' if own else ''}{urlencode(params, quote_via=quote, safe='')}"


def _pushed(push: RequestTable, params: list[tuple[str, str]], work: Work) -> list[tuple[str, str]]:
    """Push the parameters, and return those that the browser carries instead (RFC 9126, section 4)."""
    client_id = dict(params).get("client_id")
    if client_id is None:
        raise ProfileError(f"step '{work.step}': `pushed` needs client_id", hint="add client_id to `params`")
    form: dict[str, Any] = dict(push.form or {})
    for name, _ in params:
        # They are filled in already.
        form[name] = [value.replace("${", "$${") for known, value in params if known == name]
    request = dataclasses.replace(push, method="POST", form=form)
    response = answer(request, work)
    reading = Reading(response, work.now.timestamp())
    refused = refusal(None, response, reading, work.scope)
    if refused is not None:
        raise refused_by(work.step, request, response, refused)
    try:
        found = outputs({"request_uri": "/request_uri"}, reading, work.scope)
    except Missing as exc:
        raise failure(work.step, request, response, exc.message) from None
    return [("client_id", client_id), ("request_uri", text_of(found["request_uri"]))]


def _fetched(work: Work, person: Person, url: str, expected: Expected, callback: Callback[Answer] | None) -> Answer:
    """Send the person to the browser, and wait for what comes back: by the callback, or pasted."""
    person.tell(f"To log in, open this page in a browser:\n\n    {url}\n")
    opened = person.browse(url)
    pasting = callback is None or not opened
    if callback is None:
        person.tell("Then paste here the address at which it ends, or the code that it shows:")
    elif pasting and isinstance(person, Typing):
        person.tell("Waiting for it. If the browser is on another machine, paste here the address at which it ends:")
    else:
        person.tell("Waiting for the browser.")
    limit = Deadline.earliest(work.deadline, Deadline(_LONGEST))
    while limit is not None and (left := limit.remaining()) > 0:
        found = None if callback is None else callback.wait(min(left, _TURN) if pasting else left)
        if found is None and pasting:
            found = _pasted(person, expected, 0.0 if callback is not None else min(left, _TURN), callback is None)
        if found is not None:
            return found
    raise TimeoutException(
        f"step '{work.step}': nothing came back from the browser in time", hint="try again with `forge token login`"
    )


def _pasted(person: Person, expected: Expected, seconds: float, only: bool) -> Answer | None:
    """The answer that the person pasted, if any. `only`: there is no other way."""
    if isinstance(person, Typing):
        line = person.typed(seconds)
    else:
        line = person.ask("Address or code", hidden=False) if only else None
    if line is None:
        return None
    found = expected.pasted(line)
    if found is None:
        person.tell("That is not the answer to this login. Paste the whole address, from its start to its end:")
    return found
