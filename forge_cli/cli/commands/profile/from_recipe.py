"""A profile from a recipe: what it asks for, where its secrets are, and what to run next."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from ....compiled import compiled
from ....curl import quote
from ....errors import ProfileError, UsageError
from ....profiles.addition import ProfileFile
from ....profiles.document import Document
from ....profiles.kinds import unknown
from ....profiles.load import current_directory, select
from ....profiles.recipe import AskTable, Recipe, trouble
from ...context import Context
from ...output.text import visible
from .printing import one_name
from .questions import answer, read_line
from .recipes import found
from .writing import variables_of, where_it_is

_WHERE = "env:NAME, file:PATH, keyring:SERVICE/USER, command:PROGRAM ARGUMENTS or prompt"
_VARIABLE = compiled(r"[A-Za-z_][A-Za-z0-9_]*")


class _Answers(NamedTuple):
    variables: dict[str, Any]
    places: dict[str, dict[str, Any]]


def write_profile(context: Context, name: str | None, source: str | None, places: Iterable[str]) -> int:
    """Append the profile to the file, after a look at what it then says."""
    file = ProfileFile(context.source, context.notice)
    name = one_name(context, name)
    if name is not None and (said := file.name_trouble(name)):
        raise UsageError(f"NAME {name}: {said}", hint="give another NAME")
    if source is None:
        if not context.interactive:
            raise UsageError("--from is missing", hint=f"`{context.program} profile add --list` has the recipes")
        source = read_line(context, "--from", "Recipe (`forge profile add --list` has them): ")
    recipe = found(context, source, current_directory())
    given = _given(context, recipe, places)
    if context.interactive:
        _introduce(context, recipe)
    name = answer(context, "NAME", name, "Name of the profile", file.name_trouble, recipe.name)
    answers = _asked(context, recipe, name, given)
    document = file.add(name, recipe.made(name, answers.variables, answers.places))
    context.stdout.write(_next(context, document, name, recipe))
    with suppress(ProfileError):
        select(document, None, {})
        return 0
    context.notice(f'no profile is the default\n  begin the file with `default_profile = "{name}"`, or give -p {name}')
    return 0


def _given(context: Context, recipe: Recipe, places: Iterable[str]) -> _Answers:
    """What the command line and the environment say. UsageError for what the recipe does not know."""
    variables: dict[str, Any] = {}
    for name in recipe.head.asks:
        value = context.environ.get(f"FORGE_VAR_{re.sub('[^A-Z0-9]', '_', name.upper())}")
        if name in recipe.vars and value is not None:
            variables[name] = value
    variables |= context.variables
    found_places: dict[str, dict[str, Any]] = {}
    for each in places:
        name, equals, place = each.partition("=")
        if not equals or not name:
            # The text may be the secret: it is not repeated.
            raise UsageError("--set is not SECRET=PLACE", hint=f"a PLACE is one of: {_WHERE}")
        if name not in recipe.secrets:
            raise UsageError(f"recipe {recipe.name} has no secret {name!r} {unknown(name, recipe.secrets)}")
        where = place_of(place, name)
        if isinstance(where, str):
            raise UsageError(f"--set {name}: {where}", hint=f"a PLACE is one of: {_WHERE}")
        found_places[name] = where
    for name, value in variables.items():
        if name not in recipe.vars:
            other = f" (it is a secret: --set {name}=…)" if name in recipe.secrets else f" {unknown(name, recipe.vars)}"
            raise UsageError(f"recipe {recipe.name} has no var {name!r}{other}")
        ask = recipe.head.asks.get(name)
        if ask is not None and (said := trouble(ask, value)):
            raise UsageError(f"--var {name}: {said}", hint=f"{name}: {ask.text}")
    return _Answers(variables, found_places)


def _introduce(context: Context, recipe: Recipe) -> None:
    words = [recipe.head.title, *(f"  {line}".rstrip() for line in recipe.preface.splitlines())]
    if recipe.head.docs not in recipe.preface:
        words.append(f"  {recipe.head.docs}")
    context.tell(visible("\n".join(words)) + "\n\n")


def _asked(context: Context, recipe: Recipe, profile: str, given: _Answers) -> _Answers:
    """The given answers and what a person adds; where nobody can be asked, the defaults. UsageError for the rest."""
    variables, places = dict(given.variables), dict(given.places)
    told = False
    missing = []
    for name, ask in recipe.head.asks.items():
        if ask.into == "vars" and name not in variables:
            default = recipe.vars[name]
            if context.interactive:
                variables[name] = _var_asked(context, name, ask, default)
            elif default is None:
                missing.append(f"--var {name}=…  {ask.text}")
        elif ask.into == "secrets" and not any(each in places for each in (name, *ask.fills)):
            place = recipe.place(name, profile)
            if context.interactive:
                if not told:
                    context.tell(f"Secrets stay where they are: say where. {_WHERE}\n")
                    told = True
                place = _place_asked(context, name, ask.text, place)
            places[name] = place
    if missing:
        raise ProfileError(
            f"recipe {recipe.name} needs more, and nobody can be asked",
            problems=missing,
            hint="give these options, or use a terminal",
        )
    return _Answers(variables, places)


def _var_asked(context: Context, name: str, ask: AskTable, default: Any) -> Any:
    usual = None if default is None else str(default)
    said = answer(context, f"--var {name}", None, ask.text, lambda text: trouble(ask, text), usual)
    return default if said == usual else said


def _place_asked(context: Context, name: str, text: str, usual: dict[str, Any]) -> dict[str, Any]:
    def wrong(said: str) -> str | None:
        place = place_of(said, name)
        return place if isinstance(place, str) else None

    default = spelled_place(usual)
    said = answer(context, f"--set {name}", None, f"{text}: where is it", wrong, default)
    place = place_of(said, name)
    return usual if said == default or isinstance(place, str) else place


def place_of(text: str, name: str) -> dict[str, Any] | str:
    """A place of a secret as it is typed, or what is wrong with it, without repeating it."""
    kind, _, rest = text.partition(":")
    match kind:
        case "env":
            return {"env": rest} if _VARIABLE.fullmatch(rest) else "env: is followed by the name of a variable"
        case "file" if rest.partition("#")[0]:
            path, _, pointer = rest.partition("#")
            # In the profile a path is relative to the profile's file.
            path = path if path.startswith("~") else os.path.abspath(path)
            return {"file": path, **({"pointer": pointer} if pointer else {})}
        case "keyring":
            service, _, user = rest.rpartition("/")
            if service and user:
                return {"keyring": {"service": service, "username": user}}
            return "keyring: is followed by SERVICE/USER"
        case "command":
            with suppress(ValueError):
                if words := shlex.split(rest):
                    return {"command": words}
            return "command: is followed by a program and its arguments"
        case "prompt":
            return {"prompt": rest or name.replace("_", " ").capitalize()}
    return "that is no place of a secret: say where it is, such as env:NAME or file:PATH, not what it is"


def spelled_place(place: Mapping[str, Any]) -> str:
    """A place of a secret as it is typed."""
    match place:
        case {"env": variable}:
            return f"env:{variable}"
        case {"file": path}:
            return f"file:{path}" + (f"#{place['pointer']}" if "pointer" in place else "")
        case {"keyring": {"service": service, "username": user}}:
            return f"keyring:{service}/{user}"
        case {"command": words}:
            return f"command:{shlex.join(words)}"
    return f"prompt:{place.get('prompt', '')}"


def _next(context: Context, document: Document, name: str, recipe: Recipe) -> str:
    """Where the profile is, and the commands to run now."""
    config = "" if context.config is None else f" --config {quote(context.config)}"
    flags = f"-p {quote(name)}{config}"
    own = document.profiles[name]
    lines = [f"export {variable}=…" for variable in variables_of(own)]
    person = recipe.person or any("prompt" in place for place in own.get("secrets", {}).values())
    lines += [f"{context.program} token login {flags}"] if person else []
    lines += [f"{context.program} get {quote(recipe.head.first)} {flags}"]
    return where_it_is(document, name, lines)
