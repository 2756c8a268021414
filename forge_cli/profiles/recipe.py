"""Recipes: ready profiles for named APIs, shipped with forge or a person's own.

A recipe is a TOML file: a comment that says what to prepare, `[recipe]`, and `[profile]` with all that
`[profiles.NAME]` may hold. What `profile add` asks for becomes a var or the place of a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from ..compiled import compiled
from ..errors import ProfileError
from ..login.definition import Pattern, key, table
from .document import Document, load_document
from .draft import prefix
from .fill import filled, parsed
from .kinds import Problem, unknown
from .reader import read
from .schema import Secret
from .validate import check, describe

BUILT_IN = Path(__file__).parent / "recipes"
"""Where the recipes are that come with forge."""
_NAME = compiled(r"[A-Za-z0-9_-]{1,64}")
_PEOPLE = ("authorization-code", "device-code")
_PEOPLES_STEPS = ("browser", "device", "prompt")


@table
class AskTable:
    """Something that differs from person to person."""

    text: str = key("what is asked for, with an example")
    into: Literal["vars", "secrets"] = key("whether the answer is a var, or says where a secret is", default="vars")
    default: Any = key("taken when nothing is answered; for a secret such as { env = … }", default=None)
    matches: Pattern | None = key("what an answer must match", default=None)
    fills: tuple[str, ...] = key("secrets that are all in the place that is answered", default=())


@table
class RecipeTable:
    """What a recipe says of itself."""

    title: str = key("what the profile is for")
    summary: str = key("one line for the list of recipes")
    docs: str = key("the page of the API's documentation that describes this login")
    tested: str = key("what it was tested against")
    first: str = key("the path of a request to try it with", default="/")
    asks: Mapping[str, AskTable] = key("what `profile add` asks for, in this order", default_factory=dict)


@table
class RecipeFile:
    """A recipe's file."""

    recipe: RecipeTable = key("what it is, and what it asks for")
    profile: Annotated[Any, "profile"] = key("the profile, as below [profiles.NAME]")


@table
class _Place:
    place: Secret = key("where a secret is")


@dataclass(frozen=True)
class Recipe:
    """A recipe that was read, its head checked."""

    name: str
    document: Document = field(repr=False)
    head: RecipeTable = field(repr=False)
    built_in: bool = True
    hides: bool = False
    """Whether a built-in recipe of this name is not used because of it."""

    @property
    def path(self) -> Path:
        return self.document.path

    @property
    def text(self) -> str:
        """The file as it is."""
        return self.document.text

    @property
    def profile(self) -> Mapping[str, Any]:
        """What the new profile will hold, before anything is asked."""
        found: Mapping[str, Any] = self.document.data["profile"]
        return found

    @property
    def preface(self) -> str:
        """The comment at the top: what to prepare."""
        lines = re.split(r"^\s*\[", self.text, maxsplit=1, flags=re.MULTILINE)[0].splitlines()
        return "\n".join(line[1:].removeprefix(" ") for line in lines if line.startswith("#"))

    @cached_property
    def vars(self) -> Mapping[str, Any]:
        """Every var that can be given, with its default; None is one that has to be."""
        asked = {name: ask.default for name, ask in self.head.asks.items() if ask.into == "vars"}
        written = _table_of(self.profile, "vars")
        return {**asked, **written, **{name: value for name, value in asked.items() if value is not None}}

    @cached_property
    def secrets(self) -> Mapping[str, Any]:
        """Every secret whose place can be given, with the place that the recipe says, if any."""
        asked = {name: ask.default for name, ask in self.head.asks.items() if ask.into == "secrets"}
        written = _table_of(self.profile, "secrets")
        # One place for several secrets: they differ in what is taken from it.
        several = {
            name: {part: value for part, value in written[ask.fills[0]].items() if part != "pointer"}
            for name, ask in self.head.asks.items()
            if ask.fills
        }
        return {**asked, **several, **written, **{name: place for name, place in asked.items() if place is not None}}

    @property
    def person(self) -> bool:
        """Whether somebody has to be there when it logs in."""
        auth = _table_of(self.profile, "auth")
        steps = _table_of(auth, "steps").values()
        prompts = any("prompt" in place for place in self.secrets.values() if isinstance(place, dict))
        kinds = [step.get("kind") for step in steps if isinstance(step, dict)]
        return prompts or auth.get("grant") in _PEOPLE or any(kind in _PEOPLES_STEPS for kind in kinds)

    def place(self, secret: str, profile: str) -> dict[str, Any]:
        """Where a secret is unless it is said: as the recipe says, else in a variable named after the profile."""
        found = self.secrets.get(secret)
        return found if isinstance(found, dict) else {"env": f"{prefix(profile)}_{_shouted(secret)}"}

    def made(self, name: str, variables: Mapping[str, Any], places: Mapping[str, Mapping[str, Any]]) -> str:
        """The profile as text, with these vars and these places of secrets. ProfileError when it has problems."""
        usual = {each: ask.default for each, ask in self.head.asks.items() if ask.into == "vars"}
        variables = {**{each: value for each, value in usual.items() if value is not None}, **variables}
        places = self._each(places)
        asked = {each: _one_line(ask.text) for each, ask in self.head.asks.items()}
        text = filled(self.text, name, {"vars": variables, "secrets": places}, asked)
        wanted = {**self.profile}
        for table_name, values in (("vars", variables), ("secrets", places)):
            if values:
                wanted[table_name] = {**_table_of(self.profile, table_name), **values}
        if parsed(text) != {"profiles": {name: wanted}}:
            raise ProfileError(
                f"{self.path}: the recipe cannot be filled in",
                hint="write its tables under headers of their own, [profile.vars], and each value on one line",
            )
        probe = Document(self.path, self.text, {"profiles": {name: wanted}})
        if found := check(probe, name)[1]:
            lines = [self._described(problem) for problem in found]
            raise ProfileError(f"recipe {self.name!r} makes no valid profile of this", problems=lines)
        title, docs = _one_line(self.head.title), _one_line(self.head.docs)
        return f"# {title}, from the recipe {_one_line(self.name)}.\n# {docs}\n{text}"

    def _each(self, places: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
        """The places by secret. A file keeps the place inside it that the recipe names for the secret."""
        found: dict[str, Mapping[str, Any]] = {}
        for name, place in places.items():
            ask = self.head.asks.get(name)
            for each in ask.fills if ask is not None and ask.fills else (name,):
                usual = _table_of(self.secrets, each)
                inside = "pointer" in usual and "file" in place and "pointer" not in place
                found[each] = {**place, "pointer": usual["pointer"]} if inside else place
        return found

    def _described(self, problem: Problem) -> str:
        # A recipe's profile has no name yet: what stands below [profiles.NAME] stands below [profile] here.
        path = ("profile", *problem.path[2:]) if problem.path[:1] == ("profiles",) else problem.path
        return describe(self.document, Problem(path, problem.message))


def recipes(folder: Path | None) -> Iterator[tuple[str, Path, bool]]:
    """Name, file, and whether it came with forge; of two of a name the person's own is meant."""
    own = _files(folder)
    found = {**_files(BUILT_IN), **own}
    for name in sorted(found):
        yield name, found[name], name not in own


def find(word: str, folder: Path | None, cwd: Path) -> Recipe:
    """The recipe of this name, or in this file. ProfileError with the nearest name."""
    if word.endswith(".toml") or "/" in word:
        path = cwd / word if not word.startswith("~") else Path(word).expanduser()
        # It is not where the current directory was deleted.
        path = path.resolve() if path.is_absolute() else path
        return recipe(path.stem, path, built_in=False)
    known = {name: (path, built_in) for name, path, built_in in recipes(folder)}
    if word not in known:
        begun = [name for name in known if word and name.startswith(word)]
        others = f"(there are: {', '.join(begun)})" if begun else unknown(word, known)
        raise ProfileError(
            f"no recipe {word!r} {others}",
            hint="`forge profile add --list` has them; a file is ./FILE.toml",
        )
    path, built_in = known[word]
    return recipe(word, path, built_in=built_in)


def recipe(name: str, path: Path, *, built_in: bool) -> Recipe:
    """The recipe in this file. ProfileError with all that is wrong with its head."""
    if not path.is_file():
        raise ProfileError(f"no such recipe: {path}", hint="`forge profile add --list` has those that there are")
    try:
        document = load_document(path)
    except ProfileError as exc:
        raise ProfileError(exc.message, hint="correct the recipe there") from None
    found: list[Problem] = []
    file = read(RecipeFile, document.data, (), found)
    if file is not None:
        found += _problems(file)
    if file is None or found:
        lines = [describe(document, problem) for problem in found]
        raise ProfileError(f"{path} is no recipe", problems=lines, hint="docs/profiles.md says what a recipe has")
    hides = not built_in and name in _files(BUILT_IN)
    return Recipe(name, document, file.recipe, built_in, hides)


def _problems(file: RecipeFile) -> Iterator[Problem]:
    written = _table_of(file.profile, "secrets")
    for name, ask in file.recipe.asks.items():
        here = ("recipe", "asks", name)
        if _NAME.fullmatch(name) is None:
            yield Problem(here, "a name is 1 to 64 letters, digits, `_` and `-`")
        if ask.fills and (ask.into == "vars" or ask.default is not None):
            yield Problem((*here, "fills"), 'goes with into = "secrets" and without `default`')
        for each in ask.fills:
            if each not in written:
                yield Problem((*here, "fills"), f"unknown secret {each!r} {unknown(each, written)}")
        if ask.default is None:
            continue
        if ask.into == "secrets":
            found: list[Problem] = []
            read(_Place, {"place": ask.default}, (), found)
            yield from (Problem((*here, "default", *each.path[1:]), each.message) for each in found)
        elif isinstance(ask.default, dict | list) or (isinstance(ask.default, str) and "${" in ask.default):
            yield Problem((*here, "default"), "must be a plain text, a number, true or false")


def _files(folder: Path | None) -> dict[str, Path]:
    if folder is None or not folder.is_dir():
        return {}
    return {path.stem: path for path in sorted(folder.glob("*.toml")) if _NAME.fullmatch(path.stem)}


def _table_of(tree: Any, name: str) -> Mapping[str, Any]:
    found = tree.get(name) if isinstance(tree, dict) else None
    return found if isinstance(found, dict) else {}


def _one_line(text: str) -> str:
    """The text as it may stand in a comment."""
    return "".join(char if char.isprintable() else " " for char in text)


def _shouted(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "_", name.upper())


def trouble(ask: AskTable, answer: str) -> str | None:
    """Why an answer will not do."""
    if not answer:
        return "is empty"
    if not answer.isprintable():
        return "holds a character that cannot be meant"
    if "${" in answer:
        return "holds ${, and templates are not filled in here: write the value itself"
    if ask.matches is not None and re.search(ask.matches, answer) is None:
        return f"does not fit the pattern {ask.matches}"
    return None
