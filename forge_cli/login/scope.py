"""What the references in a template mean, at one moment of one login or request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, replace
from typing import Any, Protocol

from ..frozen import immutable_by_name
from ..models import FrozenDict, TokenData
from ..redact import REDACTOR, sensitive, speaks
from .filters import Moment
from .template import Noted, Reference, UndefinedReference, fill, parse

_PUBLIC = ("token_type", "scope")
_SECRET_HEADS = ("secrets", "steps", "self", "values", "cookies")


class SecretSource(Protocol):
    """Where the values of `secrets.NAME` come from."""

    def get(self, name: str) -> str:
        """The value. MissingSecret when it is not there, NeedsPerson when nobody can be asked."""
        ...

    def check(self, name: str) -> None:
        """Raise what `get` would raise, but ask nobody."""
        ...

    def reference(self, name: str) -> str:
        """Where it comes from, as part of a cache key; nothing is read or asked."""
        ...

    def source(self, name: str) -> tuple[str, str]:
        """The kind of place, and which."""
        ...


def _no_nonce() -> int:
    raise UndefinedReference(("nonce",))


@immutable_by_name
class Scope:
    """Values for references: those of the profile, and of the steps done so far.

    `steps` and `own` hold outputs by name, `values` templates that are filled in when they are first used,
    `cookies` the cookies of each jar. `request` is the encoded request that a signer looks at, `response`
    an answer, `challenge` the parameters of a WWW-Authenticate. `now` is in seconds since 1970, `uuid` and
    `nonce` one value each for the attempt.
    """

    base_url: str = ""
    vars: Mapping[str, Any] = field(default_factory=FrozenDict)
    environ: Mapping[str, str] = field(default_factory=FrozenDict)
    secrets: SecretSource
    steps: Mapping[str, Mapping[str, Any]] = field(default_factory=FrozenDict)
    own: Mapping[str, Any] = field(default_factory=FrozenDict)
    values: Mapping[str, str] = field(default_factory=FrozenDict)
    cookies: Mapping[str, Mapping[str, str]] = field(default_factory=FrozenDict)
    request: Mapping[Reference, Any] = field(default_factory=dict)
    response: Mapping[Reference, Any] = field(default_factory=dict)
    challenge: Mapping[str, str] = field(default_factory=FrozenDict)
    now: float = 0.0
    uuid: str = ""
    nonce: Callable[[], int] = _no_nonce
    _filled: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def resolve(self, reference: Reference) -> Any:
        """The value of a reference. UndefinedReference when it has none."""
        match reference:
            case ("base_url",) if self.base_url:
                return self.base_url
            case ("now",):
                return Moment(self.now)
            case ("uuid",):
                return self.uuid
            case ("nonce",):
                return self.nonce()
            case ("vars", name) if name in self.vars:
                return self.vars[name]
            case ("env", name):
                if name in self.environ:
                    return self.environ[name]
                raise UndefinedReference(reference, hint=f"export {name}=…")
            case ("secrets", name):
                return self.secrets.get(name)
            case ("steps", step, output) if output in self.steps.get(step, ()):
                return self.steps[step][output]
            case ("self", output) if output in self.own:
                return self.own[output]
            case ("values", name) if name in self.values:
                return self._value(name)
            case ("cookies", jar, name) if name in self.cookies.get(jar, ()):
                return self.cookies[jar][name]
            case ("challenge", name) if name in self.challenge:
                return self.challenge[name]
            case ("request", *rest) if tuple(rest) in self.request:
                return self.request[tuple(rest)]
            case ("response", *rest) if tuple(rest) in self.response:
                return self.response[tuple(rest)]
        raise UndefinedReference(reference)

    def _value(self, name: str) -> Any:
        """A named intermediate value, of its own type: computed once, from those above it."""
        if name not in self._filled:
            earlier = list(self.values)[: list(self.values).index(name)]
            above = replace(self, values={key: self.values[key] for key in earlier})
            object.__setattr__(above, "_filled", self._filled)  # each value is computed once for all that use it
            self._filled[name] = above.fill(self.values[name])
        return self._filled[name]

    def text(self, template: str) -> str:
        """A template's value as text. What filters make of a secret is a secret too."""
        with Noted(template):
            return parse(template).text(self.resolve, _hide)

    def fill(self, tree: Any) -> Any:
        """A tree of values with every template in it filled in."""
        return fill(tree, self.resolve, _hide)


def _hide(references: Iterable[Reference], value: Any) -> None:
    if not isinstance(value, str | bytes):
        return
    secret = [reference for reference in references if reference[0] in _SECRET_HEADS]
    # What is made of an output that says something, such as an endpoint, says something too.
    harmless = isinstance(value, str) and all(
        reference[0] in ("steps", "self") and speaks(reference[-1], value) for reference in secret
    )
    if not harmless:
        REDACTOR.add(value)


def hide(name: str, value: Any) -> None:
    """From here on what an output holds is masked wherever something is shown, unless it says something.

    What is named as a credential is one, whatever it looks like; numbers only then.
    """
    if name in _PUBLIC:
        return
    if isinstance(value, Mapping):
        for key, inner in value.items():
            hide(str(key) if not sensitive(name) else name, inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            hide(name, inner)
    elif isinstance(value, str | bytes):
        text = value if isinstance(value, str) else value.decode("utf-8", "replace")
        REDACTOR.add(None if speaks(name, text) else text)
    elif isinstance(value, int | float) and not isinstance(value, bool) and sensitive(name):
        REDACTOR.add(str(value))


def outputs_of(token: TokenData) -> dict[str, Any]:
    """A stored token as the outputs that templates refer to; from here on those that are credentials are masked."""
    for name, value in token.extra.items():
        hide(name, value)
    found: dict[str, Any] = {"token": token.access_token, "token_type": token.token_type}
    if token.refresh_token is not None:
        found["refresh_token"] = token.refresh_token
    if token.scope is not None:
        found["scope"] = token.scope
    return {**found, **token.extra}
