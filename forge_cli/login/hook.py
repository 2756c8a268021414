"""The one auth hook of profiles: puts credentials into requests, signs them, and renews what an answer refuses."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from ..encode import build_url
from ..errors import AuthenticationException, ConnectionException, ForgeError, NeedsPerson, ProfileError, StepFailed
from ..frozen import immutable
from ..interfaces import AuthHookInterface, AuthRetryStrategyInterface, ResponseHookInterface
from ..models import HttpRequest, HttpResponse, PreparedRequest, RequestContext, TokenData, random_uuid
from ..transport.redirects import matched_path
from .blame import blamed
from .challenge import Challenge, challenges
from .challenges import Challenges
from .definition import InjectTable, InvalidateTable, WhenTable
from .inject import Placed, counts, injected, placed
from .login import Login
from .predicate import answer_matches
from .scope import Scope, outputs_of
from .step import clock_of, json_of, plain

_UUID = "login_uuid"


@immutable
class Attempt:
    """What one attempt of a request was authenticated with. `used` are the identities of its tokens.

    `asks` is whether a challenge in its answer would be answered.
    """

    login: Login
    scope: Scope
    tokens: Mapping[str, TokenData]
    used: Mapping[str, str]
    certificate: tuple[str, str | None, str | None] | None = None
    asks: bool = False


class Once(AuthRetryStrategyInterface):
    """Look at every answer, and send once more; twice where a challenge may be followed by a renewal."""

    def __init__(self, max_retries: int = 1) -> None:
        self._max_retries = max_retries

    @property
    def max_retries(self) -> int:
        return self._max_retries

    def should_retry(self, response: HttpResponse, attempt: int) -> bool:
        return attempt < self._max_retries

    def get_delay(self, attempt: int) -> float:
        return 0.0

    def is_auth_error(self, response: HttpResponse) -> bool:
        return response.status_code == 401


class LoginHook(AuthHookInterface):
    """Obtains what a request needs, injects it, signs, and forgets what an answer refuses.

    What the caller states explicitly, a header, parameter or cookie of the same name, is left alone.
    """

    def __init__(self, login: Login) -> None:
        self.login = login
        # Names of its own in a request's context: several logins may authenticate one request.
        self._attempt_of, self._renewed = f"login_attempt:{id(self)}", f"login_renewed:{id(self)}"
        self._met, self._failed = f"login_challenge:{id(self)}", f"login_challenge_failed:{id(self)}"
        answers_challenges = login.sign is not None or login.challenges is not None
        self._retry_strategy = Once(2 if answers_challenges else 1)
        rules = [rule.when for rule in login.rules or ()]
        self.reads_body = any(when.body for when in rules)
        self._challenged = login.challenge_steps() if login.challenges is not None else frozenset()

    @property
    def retry_strategy(self) -> AuthRetryStrategyInterface:
        return self._retry_strategy

    def should_authenticate(self, request: HttpRequest) -> bool:
        base = urlsplit(self.login.scope.base_url).path.rstrip("/")
        whole = matched_path(build_url(self.login.scope.base_url, request.url))
        path = matched_path(request.url if "://" in request.url else "/" + request.url.lstrip("/"))
        # What leads out of the base URL's path is only what it comes to.
        path = path if "://" in request.url or whole == base + path else whole
        return not any(fnmatchcase(path, p) or fnmatchcase(whole, p) for p in self.login.exclude)

    def before_request(self, request: HttpRequest, context: RequestContext) -> HttpRequest:
        context.metadata.pop(self._attempt_of, None)
        url = build_url(self.login.scope.base_url, request.url)
        entries = [entry for entry in self.login.inject if counts(entry, request, url)]
        if not self._asks(entries):
            return self._credited(self.login, request, url, entries, context)
        met: Challenge | None = context.metadata.get(self._met)
        challenge = met or self._remembered(request, url)
        if challenge is None:
            return self._unasked(request, url, entries, context)
        try:
            made = self._credited(self.login.answering(challenge), request, url, entries, context)
        except (AuthenticationException, ConnectionException, ProfileError) as exc:
            if met is not None or not self._about_challenge(exc):
                raise
            # What the server wants may have changed since: it is asked again, once.
            self._memory.forget(str.upper(request.method), urlsplit(url).path)
            context.metadata[self._failed] = challenge, exc
            return self._unasked(request, url, entries, context)
        if met is not None:
            self._memory.remember(str.upper(request.method), urlsplit(url).path, met)
        return made

    def _asks(self, entries: Sequence[InjectTable]) -> bool:
        """Whether these entries, or the signature, wait for what an answer asks for."""
        if not self._challenged:
            return False
        needed = self.login.needed(entries, signed=self.login.sign is not None)
        return bool(self._challenged.intersection(needed))

    def _unasked(
        self, request: HttpRequest, url: str, entries: Sequence[InjectTable], context: RequestContext
    ) -> HttpRequest:
        """The request before anything is known of what the server will ask for: it is asked first."""
        rest = [e for e in entries if not self._challenged.intersection(self.login.needed([e], signed=False))]
        signed = not self._challenged.intersection(self.login.needed((), signed=True))
        return self._credited(self.login, request, url, rest, context, signed=signed, asks=True)

    def _credited(
        self,
        login: Login,
        request: HttpRequest,
        url: str,
        entries: Sequence[InjectTable],
        context: RequestContext,
        *,
        signed: bool = True,
        asks: bool | None = None,
    ) -> HttpRequest:
        """The request with the values of these entries, which are noted for its answer."""
        signed = signed and login.sign is not None
        asks = login is not self.login if asks is None else asks
        if not entries and not signed and not asks:
            return request
        attempt = dataclasses.replace(self._made(login, login.needed(entries, signed=signed), context), asks=asks)
        values = [self._placed(entry, attempt, url) for entry in entries]
        for each in values:
            if each.entry.in_ == "client_cert":
                attempt = dataclasses.replace(attempt, certificate=each.value)
        context.metadata[self._attempt_of] = attempt
        return injected(request, values)

    def finish(self, prepared: PreparedRequest, context: RequestContext) -> PreparedRequest:
        attempt: Attempt | None = context.metadata.get(self._attempt_of)
        if attempt is None:
            return prepared
        if attempt.certificate is not None:
            prepared = dataclasses.replace(prepared, client_cert=attempt.certificate)
        signer = attempt.login.sign
        if signer is None:
            return prepared
        with blamed("`sign`", plain(signer)):
            return signer.sign(prepared, attempt.scope)

    def outputs(
        self, login: Login, names: Sequence[str], context: RequestContext
    ) -> Mapping[str, TokenData | Mapping[str, Any]]:
        """The tokens of these steps, or where there are none what stands for their outputs."""
        return login.pipeline.obtain(names, context.deadline)

    def _made(self, login: Login, names: Sequence[str], context: RequestContext) -> Attempt:
        """The values of one attempt, in `inject` and `sign` alike, and the tokens that they come from."""
        found = self.outputs(login, names, context)
        tokens = {name: token for name, token in found.items() if isinstance(token, TokenData)}
        jars = {jar for step in login.steps.values() for jar in step.jars}
        scope = dataclasses.replace(
            login.scope,
            steps={name: outputs_of(each) if isinstance(each, TokenData) else each for name, each in found.items()},
            cookies={name: login.jar(name, tokens).values for name in jars},
            now=login.now().timestamp() + clock_of(tokens.values()),
            uuid=context.metadata.setdefault(_UUID, random_uuid()),
            nonce=cache(login.nonce),
        )
        return Attempt(login, scope, tokens, login.pipeline.identities(tokens))

    def _placed(self, entry: InjectTable, attempt: Attempt, url: str) -> Placed:
        if entry.in_ != "cookies":
            steps = attempt.login.steps
            computed = [name for name, step in steps.items() if getattr(step.table, "kind", "") == "value"]
            with blamed(f"`inject` ({entry.in_} {entry.name or ''})".replace(" )", ")"), plain(entry)):
                return placed(entry, attempt.scope, computed)
        jar = attempt.login.jar(entry.name or "", attempt.tokens)
        return Placed(entry, "", [(cookie.name, cookie.value) for cookie in jar.sent(url, attempt.scope.now)])

    @property
    def _memory(self) -> Challenges:
        """The challenges of earlier requests. Only a login with steps that use them has them."""
        if self.login.challenges is None:
            raise TypeError("no step of this login answers challenges")
        return self.login.challenges

    def _remembered(self, request: HttpRequest, url: str) -> Challenge | None:
        """What this path was last challenged with, as far as the steps use it."""
        known = self._memory.get(str.upper(request.method), urlsplit(url).path)
        return None if known is None else self.login.understood(known)

    def _about_challenge(self, error: ForgeError) -> bool:
        """Whether a login may have failed for what the challenge says, and no person and no other step is why."""
        step = error.step if isinstance(error, StepFailed) else getattr(error, "context", {}).get("step")
        return not isinstance(error, NeedsPerson) and (step is None or step in self._challenged)

    def recover(self, response: HttpResponse, context: RequestContext) -> bool:
        """Take up a challenge, or forget the steps of the first rule that the answer matches.

        True when there is something to send anew. A request's tokens are renewed once: what is refused again
        is refused.
        """
        attempt: Attempt | None = context.metadata.get(self._attempt_of)
        if attempt is None:
            return False
        if attempt.login.sign is not None and attempt.login.sign.challenged(response, attempt.scope):
            return True
        if self._takes_up(response, attempt, context):
            return True
        if not attempt.used or context.metadata.get(self._renewed):
            return False
        stored = [name for name in self._refused(response) if self._renewable(name)]
        if stored:
            attempt.login.pipeline.forget(stored, attempt.used)
            context.metadata[self._renewed] = True
        return bool(stored)

    def _takes_up(self, response: HttpResponse, attempt: Attempt, context: RequestContext) -> bool:
        """Whether the answer challenges in a way that was not answered yet.

        Raises what the login for a remembered challenge failed with, when the server still asks for the same.
        """
        if not attempt.asks or response.status_code != 401:
            return False
        offered = map(self.login.understood, challenges(response.headers.get_all("WWW-Authenticate")))
        found = next((challenge for challenge in offered if challenge is not None), None)
        if found is None or found.params == attempt.scope.challenge:
            return False
        before, error = context.metadata.get(self._failed, (None, None))
        if found == before:
            if isinstance(error, ConnectionException):
                raise AuthenticationException(error.message, error, service_name=self.login.name, hint=error.hint)
            raise error
        context.metadata[self._met] = found
        return True

    def is_auth_error(self, response: HttpResponse) -> bool:
        return bool(self._refused(response))

    def refresh_auth(self) -> bool:
        self.login.pipeline.renew(self.login.targets)
        return self.login.renewable

    def invalidate_auth(self) -> None:
        self.login.pipeline.forget(self.login.targets)

    def get_token(self) -> TokenData:
        if not self.login.targets:
            raise AuthenticationException("this login has no step that yields a token")
        return self.login.pipeline.obtain(self.login.targets)[self.login.targets[0]]

    def _refused(self, response: HttpResponse) -> Sequence[str]:
        if self.login.rules == ():
            return ()
        default = InvalidateTable(when=WhenTable(status=401), steps=self.login.targets)
        for rule in (*(self.login.rules or ()), default):
            if answer_matches(rule.when, response.status_code, response.headers, lambda: json_of(response)):
                return rule.steps
        return ()

    def _renewable(self, name: str) -> bool:
        """A value that is computed from a secret is the same the next time."""
        steps = self.login.pipeline.steps
        return any(steps[n].stored for n in self.login.pipeline.closure([name]) if n in steps)


class JarHook(ResponseHookInterface):
    """Keeps the cookies that the API sets in the jars that its requests carried."""

    def after_response(self, response: HttpResponse, context: RequestContext) -> HttpResponse:
        for attempt in [each for each in context.metadata.values() if isinstance(each, Attempt)]:
            hops = [hop for hop in (*response.history, response) if attempt.login.allowed(hop.url)]
            if any("set-cookie" in hop.headers for hop in hops):
                for entry in attempt.login.inject:
                    if entry.in_ == "cookies" and entry.name is not None:
                        _keep(entry.name, hops, attempt)
        return response


def _keep(name: str, hops: Sequence[HttpResponse], attempt: Attempt) -> None:
    """Keep what these answers change in a jar, beside the token that it is stored with."""
    login, step = attempt.login, attempt.login.jar_step(name)
    if step is None or step not in attempt.used:
        return

    def changed(token: TokenData) -> TokenData | None:
        jar = before = login.jar(name, {step: token})
        for hop in hops:
            jar = jar.updated(hop, attempt.scope.now)
        jars = {**token.meta.get("jars", {}), name: jar.plain()}
        return None if jar == before else dataclasses.replace(token, meta={**token.meta, "jars": jars})

    login.pipeline.amend(step, attempt.used[step], changed)
