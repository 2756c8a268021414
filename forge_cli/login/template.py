"""The template language of profiles: what ``${…}`` may say, and how it is filled in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any, TypeVar

from ..compiled import compiled
from ..errors import ProfileError
from ..frozen import immutable
from .filters import FILTERS, KEY_FILTERS, Moment, octets_of, text_of

Reference = tuple[str, ...]
"""The names of a reference: ``("steps", "user", "token")``."""
Resolve = Callable[[Reference], Any]
"""Gives the value of a reference, or raises `UndefinedReference`."""
Made = Callable[[Iterable[Reference], Any], None]
"""Is told what filters made, and which references it was made from."""
Operand = Reference | str
"""A reference, or the content of a quoted literal."""

_Form = TypeVar("_Form", str, bytes)
# What these make is as good as never UTF-8; and what those take has to be.
_BINARY = frozenset(name for name in FILTERS if name.startswith(("sha", "md5", "hmac_", "sign_"))) | frozenset(
    ("der", "cert_thumbprint", "pem_fingerprint")
)
_TEXTUAL = frozenset(("upper", "lower", "trim", "json", "pointer", "regex", "split", "text"))
# Looking into keys takes an extra, and some patterns a process of their own.
_LATER = frozenset((*KEY_FILTERS, "regex"))

_SPACE = r"[ \t\r\n]"
_NAME = r"[A-Za-z0-9_-]+"
_MARK = compiled(r"\$?\$\{")
_GAP = compiled(f"{_SPACE}*")
_REFERENCE = compiled(rf"{_NAME}(?:\.{_NAME})*")
_QUOTED = compiled(r"\"[^\"]*\"|'[^']*'")
_FILTER = compiled(_NAME)
# So few digits that the sum with a time is exact, and no number is too long to convert.
_OFFSET = compiled(rf"{_SPACE}+([+-]){_SPACE}+([0-9]{{1,12}}(?:\.[0-9]{{1,6}})?)(?![A-Za-z0-9_.-])")


class TemplateError(ProfileError):
    """A text is not a template; the message ends with the column, counted from 1."""

    def __init__(self, problem: str, column: int, *, hint: str | None = None) -> None:
        super().__init__(f"{problem}: at column {column}", hint=hint)


class UndefinedReference(ProfileError):
    """A reference has no value; what ``??`` catches."""

    def __init__(self, reference: Reference, *, hint: str | None = None) -> None:
        super().__init__(f"'{'.'.join(reference)}' has no value", hint=hint)
        self.reference = reference


@immutable
class Filter:
    """One ``| name(argument)``."""

    name: str
    arguments: tuple[Operand, ...]


@immutable
class Branch:
    """One side of ``??``: a term, what is added to it, and its filters."""

    term: Operand
    offset: int | float | None
    filters: tuple[Filter, ...]

    def references(self) -> Iterator[Reference]:
        """Every reference, those in filter arguments too."""
        operands = [self.term, *(argument for piped in self.filters for argument in piped.arguments)]
        return (operand for operand in operands if not isinstance(operand, str))

    def base(self, resolve: Resolve) -> Any:
        """The value of the term, before its filters."""
        value = _operand(self.term, resolve)
        if self.offset is None or value is None:
            return value
        if isinstance(value, Moment):
            return value.later(self.offset)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ProfileError(f"{_spelled(self.term)} is no number, so nothing can be added to it")
        return value + self.offset

    def piped(self, value: Any, resolve: Resolve, made: Made | None = None) -> Any:
        """The value after the filters; `made` is told of it."""
        for piped in self.filters:
            if value is None and piped.name != "json":
                raise UndefinedReference(_as_reference(self.term))
            arguments = [_argument(argument, resolve) for argument in piped.arguments]
            try:
                value = FILTERS[piped.name].function(value, *arguments)
            except LookupError:
                hint = f"there is nothing where its filter '{piped.name}' looks"
                raise UndefinedReference(_as_reference(self.term), hint=hint) from None
            except ValueError as exc:
                raise ProfileError(f"{_spelled(self.term)} cannot go through '{piped.name}': {exc}") from None
        if self.filters and made is not None:
            made(self.references(), value)
        return int(value) if isinstance(value, Moment) else value


Choice = tuple[Branch, ...]


@immutable
class Template:
    """A parsed text: literal pieces, and choices between ``??`` branches."""

    parts: tuple[str | Choice, ...]

    @property
    def literal(self) -> str | None:
        """The whole text when it holds no ``${…}``."""
        if not self.parts:
            return ""
        only = self.parts[0]
        return only if isinstance(only, str) and len(self.parts) == 1 else None

    @property
    def references(self) -> tuple[Reference, ...]:
        """Every reference once, in order: of all branches, and of filter arguments."""
        branches = (branch for part in self.parts if not isinstance(part, str) for branch in part)
        return tuple(dict.fromkeys(reference for branch in branches for reference in branch.references()))

    @property
    def single(self) -> tuple[str, Reference, str] | None:
        """Text, reference, text: when there is exactly one ``${…}``, and it is a reference and no more."""
        texts = ["", ""]
        found: Reference | None = None
        for part in self.parts:
            if isinstance(part, str):
                texts[found is not None] = part
                continue
            branch = part[0]
            plain = len(part) == 1 and branch.offset is None and not branch.filters
            if found is not None or not plain or isinstance(branch.term, str):
                return None
            found = branch.term
        return None if found is None else (texts[0], found, texts[1])

    def value(self, resolve: Resolve, made: Made | None = None) -> Any:
        """The value: of its own type when the text is exactly one ``${…}``, else text or bytes."""
        if len(self.parts) == 1 and not isinstance(self.parts[0], str):
            return _chosen(self.parts[0], resolve, made)
        pieces = [(part, part if isinstance(part, str) else _chosen(part, resolve, made)) for part in self.parts]
        if any(isinstance(piece, bytes) for _, piece in pieces):
            return b"".join(_formed(octets_of, part, piece) for part, piece in pieces)
        return "".join(_formed(text_of, part, piece) for part, piece in pieces)

    def text(self, resolve: Resolve, made: Made | None = None) -> str:
        """The value as text. UndefinedReference: it is null. ProfileError: it has no text form."""
        value = self.value(resolve, made)
        if isinstance(value, str):
            return value
        return _formed(text_of, next(part for part in self.parts if not isinstance(part, str)), value)


def _operand(operand: Operand, resolve: Resolve) -> Any:
    return operand if isinstance(operand, str) else resolve(operand)


def _argument(operand: Operand, resolve: Resolve) -> Any:
    value = _operand(operand, resolve)
    if value is None:
        raise UndefinedReference(_as_reference(operand))
    return value


# What is quoted may be a secret that somebody wrote into the profile: messages do not repeat it.
def _spelled(operand: Operand) -> str:
    return "a quoted text" if isinstance(operand, str) else f"'{'.'.join(operand)}'"


def _as_reference(operand: Operand) -> Reference:
    return ("a quoted text",) if isinstance(operand, str) else operand


def _chosen(choice: Choice, resolve: Resolve, made: Made | None) -> Any:
    if len(choice) == 1:
        return choice[0].piped(choice[0].base(resolve), resolve, made)
    first: UndefinedReference | None = None
    for branch in choice:
        try:
            # Null is as good as absent here, even for `json`, which could spell it.
            value = branch.base(resolve)
            value = None if value is None else branch.piped(value, resolve, made)
        except UndefinedReference as exc:
            first = first or exc
            continue
        if value is not None:
            return value
        first = first or UndefinedReference(_as_reference(branch.term))
    raise first or UndefinedReference(_as_reference(choice[0].term))


def _formed(form: Callable[[Any], _Form], part: str | Choice, value: Any) -> _Form:
    term = part if isinstance(part, str) else part[0].term
    if value is None:
        raise UndefinedReference(_as_reference(term))
    try:
        return form(value)
    except ValueError as exc:
        hint = "add a filter, such as `| b64` or `| hex`" if isinstance(value, bytes) else "add the filter `| json`"
        raise ProfileError(f"{_spelled(term)} cannot be text: {exc}", hint=hint) from None


@lru_cache(maxsize=1024)
def parse(text: str) -> Template:
    """The template that a text is. TemplateError: it is none."""
    if "${" not in text:
        return Template((text,) if text else ())
    return Template(tuple(_Parser(text).parts()))


class _Parser:
    """One pass over one text; `at` is how far it has come, `opened` the last ``${``."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = self.opened = 0

    def parts(self) -> Iterator[str | Choice]:
        literal: list[str] = []
        while mark := _MARK.search(self.text, self.at):
            literal.append(self.text[self.at : mark.start()])
            self.at, self.opened = mark.end(), mark.start()
            if mark[0] == "$${":
                literal.append("${")
                continue
            if before := "".join(literal):
                yield before
            literal.clear()
            yield self.choice()
        literal.append(self.text[self.at :])
        if after := "".join(literal):
            yield after

    def choice(self) -> Choice:
        branches = [self.branch()]
        while self.take("??"):
            branches.append(self.branch())
        if not self.take("}"):
            raise self.unexpected()
        return tuple(branches)

    def branch(self) -> Branch:
        term = self.operand()
        offset: int | float | None = None
        if not isinstance(term, str) and (found := _OFFSET.match(self.text, self.at)):
            self.at = found.end()
            amount = float(found[2]) if "." in found[2] else int(found[2])
            offset = -amount if found[1] == "-" else amount
        filters = []
        while self.take("|"):
            filters.append(self.filter())
        return Branch(term, offset, tuple(filters))

    def operand(self) -> Operand:
        if quoted := self.match(_QUOTED):
            return quoted[1:-1]
        if reference := self.match(_REFERENCE):
            return tuple(reference.split("."))
        raise self.unexpected(wanted="a reference or a quoted text")

    def filter(self) -> Filter:
        name = self.match(_FILTER)
        if name is None:
            raise self.unexpected(wanted="the name of a filter")
        column = self.at - len(name) + 1
        if name not in FILTERS:
            close = _meant(name)
            problem = f"unknown filter '{name}'" + (f" (nearest: {close})" if close else "")
            raise TemplateError(problem, column, hint=f"one of: {', '.join(FILTERS)}")
        arguments: tuple[Operand, ...] = ()
        if self.take("("):
            self.skip()
            place = self.at + 1
            arguments = (self.operand(),)
            if not self.take(")"):
                raise self.unexpected()
        kind = FILTERS[name]
        if not kind.fewest <= len(arguments) <= kind.most:
            problem = f"filter '{name}' " + ("takes no argument" if arguments else "needs an argument")
            raise TemplateError(problem, column, hint=f"it makes {kind.help}")
        for argument in arguments:
            if isinstance(argument, str) and kind.check is not None and (wrong := kind.check(argument)) is not None:
                raise TemplateError(f"filter '{name}': {wrong}", place, hint=f"it makes {kind.help}")
        return Filter(name, arguments)

    def match(self, pattern: re.Pattern[str]) -> str | None:
        self.skip()
        found = pattern.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found[0]

    def take(self, mark: str) -> bool:
        self.skip()
        if not self.text.startswith(mark, self.at):
            return False
        self.at += len(mark)
        return True

    def skip(self) -> None:
        gap = _GAP.match(self.text, self.at)
        self.at = gap.end() if gap else self.at

    def unexpected(self, wanted: str | None = None) -> TemplateError:
        self.skip()
        column = self.at + 1
        rest = self.text[self.at : self.at + 1]
        if not rest:
            hint = "close it with `}`, or write `$${` for a literal `${`"
            return TemplateError("`${` is not closed", self.opened + 1, hint=hint)
        if rest in "\"'" and wanted:
            return TemplateError("a quote is not closed", column, hint="end the text with the same quote")
        if rest in "+-":
            return TemplateError(f"misplaced '{rest}'", column, hint="write it as in `${now + 60}`, with spaces around")
        problem = f"{wanted} is missing before {rest!r}" if wanted else f"unexpected {rest!r}"
        return TemplateError(problem, column, hint="write `$${` for a literal `${`")


def _meant(word: str) -> str | None:
    """The filter that a word of another language stands for: a slip, a longer name (base64), or a shorter (hmac)."""
    longer = [name for name in FILTERS if _within(name, word.lower())]
    shorter = [name for name in FILTERS if len(word) > 1 and name.startswith(word.lower())]
    usual = next((name for name in shorter if name.endswith("256")), next(iter(shorter), None))
    return nearest(word, FILTERS) or max(longer, key=len, default=None) or usual


def _within(name: str, word: str) -> bool:
    """Whether the letters of a name are in a word, in this order."""
    letters = iter(word)
    return word[0] == name[0] and all(letter in letters for letter in name)


def unfit(template: Template, *, as_text: bool) -> str | None:
    """Why a template can never be filled in, as far as itself says; with `as_text` it has to become text."""
    for part in template.parts:
        for branch in () if isinstance(part, str) else part:
            names = [piped.name for piped in branch.filters]
            wrong = next((a for a, b in pairwise(names) if a in _BINARY and b in _TEXTUAL), None)
            wrong = names[-1] if wrong is None and as_text and names and names[-1] in _BINARY else wrong
            if wrong is not None:
                return f"what '{wrong}' makes is bytes and no text: put `| b64` or `| hex` after it"
            literal = not any(True for _ in branch.references()) and not _LATER.intersection(names)
            if names and literal:
                try:
                    branch.piped(branch.term, _nothing)
                except ProfileError as exc:
                    return exc.message
    return None


def _nothing(reference: Reference) -> Any:
    raise UndefinedReference(reference)


class Noted:
    """Notes in a ProfileError which template could not be filled in: the innermost."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, exc: object, trace: object) -> None:
        if isinstance(exc, ProfileError) and exc.template is None:
            exc.template = self.text


def fill(tree: Any, resolve: Resolve, made: Made | None = None) -> Any:
    """A copy of a tree of tables and lists with every string in it filled in; keys stay."""
    root: list[Any] = [tree]
    pending: list[tuple[Any, Any]] = [(root, 0)]
    while pending:
        holder, place = pending.pop()
        node = holder[place]
        if isinstance(node, str):
            with Noted(node):
                holder[place] = parse(node).value(resolve, made)
        elif isinstance(node, Mapping):
            table = holder[place] = dict(node)
            pending += [(table, name) for name in reversed(table)]
        elif isinstance(node, list | tuple):
            items = holder[place] = list(node)
            pending += [(items, index) for index in reversed(range(len(items)))]
    return root[0]


def references(tree: Any) -> tuple[Reference, ...]:
    """Every reference in the strings of a tree once, in order. TemplateError: a string is no template."""
    return tuple(dict.fromkeys(reference for text in texts(tree) for reference in parse(text).references))


def required(tree: Any) -> tuple[Reference, ...]:
    """Every reference in a tree that must have a value: those for which no ``??`` offers another."""
    found = dict.fromkeys(
        reference
        for text in texts(tree)
        for part in parse(text).parts
        if not isinstance(part, str) and len(part) == 1
        for reference in part[0].references()
    )
    return tuple(found)


def texts(tree: Any) -> Iterator[str]:
    """Every string in a tree, in order."""
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, str):
            yield node
        elif isinstance(node, Mapping):
            pending += reversed(list(node.values()))
        elif isinstance(node, list | tuple):
            pending += reversed(node)


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice a person most likely meant, or None when none is close."""
    # difflib answers the same question, but takes as long to import as the rest of this module.
    limit = min((len(word) + 2) // 3, len(word) - 1)
    best: str | None = None
    for choice in choices:
        if abs(len(choice) - len(word)) > limit or len(word) > 64:
            continue
        distance = _distance(word.lower(), choice.lower())
        if distance <= limit:
            best, limit = choice, distance - 1
    return best


@lru_cache(maxsize=1024)  # a slip is seldom made once
def _distance(one: str, other: str) -> int:
    """Single-letter edits and swaps of neighbours between two words."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, wanted in enumerate(other, 1):
            cost = min(last[j] + 1, row[-1] + 1, last[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]
