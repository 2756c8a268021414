"""The reference of the library, from its docstrings: `python docs/api.py` writes docs/api.md."""

from __future__ import annotations

import enum
import functools
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import forge_cli
from forge_cli import testing

PAGE = Path(__file__).with_name("api.md")

SECTIONS = {
    "Profiles": ("profiles",),
    "Client": ("client", "config"),
    "Requests and answers": ("models",),
    "Retries": ("retry", "breaker"),
    "Hooks": ("hooks",),
    "Authentication": ("auth",),
    "Tokens": ("tokens",),
    "Token storages": ("tokens.storage",),
    "cURL": ("curl",),
    "Interfaces": ("interfaces",),
    "Errors": ("errors",),
}
"""The modules of each section; a longer name wins."""
_INTRODUCTION = """\
# API reference

<!-- written by docs/api.py from the docstrings -->

Everything is importable from `forge_cli`, and what the last section has from `forge_cli.testing`. Times are seconds
unless a name says otherwise. How to use it all is in [the guide](library.md); what may be replaced, in
[extending](extending.md)."""


_STARS = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}


def page() -> str:
    """The whole page."""
    found = {name: getattr(forge_cli, name) for name in forge_cli.__all__}
    lines = [_INTRODUCTION]
    for title in SECTIONS:
        members = {name: value for name, value in found.items() if section(value) == title}
        lines += [f"## {title}", *_entries(members)]
    lines += ["## Testing", *_entries({name: getattr(testing, name) for name in testing.__all__})]
    return "\n\n".join(lines) + "\n"


def section(value: Any) -> str:
    """The section of a public object. LookupError when its module is in none."""
    module = value.__module__.removeprefix("forge_cli.") + "."
    fitting = [(part, title) for title, parts in SECTIONS.items() for part in parts if module.startswith(f"{part}.")]
    if not fitting:
        raise LookupError(f"no section for {value.__name__} of {value.__module__}")
    return max(fitting, key=lambda pair: len(pair[0]))[1]


def _entries(members: Mapping[str, Any]) -> Iterator[str]:
    for name, value in members.items():
        yield f"### {name}"
        if not callable(value):
            yield f"`{' | '.join(map(_annotation, get_args(value)))}`"
            continue
        yield f"```text\n{_call(name, value)}\n```"
        yield _prose(inspect.getdoc(value) or "")
        rows = list(_members(value)) if inspect.isclass(value) else []
        told = [f"| `{_bar(call)}` | {text} |" for call, text in rows if text]
        if told:
            yield "\n".join(["| member | |", "| --- | --- |", *told])
        untold = [f"`{call}`" for call, text in rows if not text]
        if untold:
            # A name that says it all needs no sentence.
            yield f"{'Also' if told else 'It has'} {', '.join(untold)}."


def _members(cls: type) -> Iterator[tuple[str, str]]:
    """What a class has of its own, or from bases that are not public."""
    if issubclass(cls, enum.Enum):
        yield ", ".join(item.name for item in cls), "equal to the text of the same name"
        return
    for name in dict.fromkeys(name for base in _own(cls) for name in vars(base)):
        value = inspect.getattr_static(cls, name)
        function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        read = isinstance(value, property | functools.cached_property)
        if name.startswith(("_", "test_")) or not (read or inspect.isfunction(function)):
            continue
        call = name if read else _call(name, function, bound=not isinstance(value, staticmethod))
        yield call, _bar(_prose(" ".join((inspect.getdoc(value) or "").split())))


def _own(cls: type) -> list[type]:
    return [base for base in cls.__mro__ if base is cls or (_ours(base) and base.__name__.startswith("_"))]


def _ours(cls: type) -> bool:
    return cls.__module__.startswith("forge_cli")


def _call(name: str, function: Callable[..., Any], *, bound: bool = False) -> str:
    """The signature, on as many lines as it needs."""
    if inspect.isclass(function) and (inspect.isabstract(function) or issubclass(function, enum.Enum)):
        return f"class {name}"
    parameters = list(inspect.signature(function).parameters.values())[1 if bound else 0 :]
    words: list[str] = []
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in words and not any(w.startswith("*") for w in words):
            words.append("*")
        words.append(_parameter(parameter))
    returned = "" if inspect.isclass(function) else _returned(function)
    line = f"{name}({', '.join(words)}){returned}"
    if len(line) <= 118 or bound:
        return line
    return "\n".join([f"{name}(", *(f"    {word}," for word in words), f"){returned}"])


def _parameter(parameter: inspect.Parameter) -> str:
    text = _STARS.get(parameter.kind.name, "") + parameter.name
    if parameter.annotation is not parameter.empty:
        text += f": {_annotation(parameter.annotation)}"
    if parameter.default is not parameter.empty:
        text += f" = {_value(parameter.default)}"
    return text


def _returned(function: Callable[..., Any]) -> str:
    annotation = inspect.signature(function).return_annotation
    if annotation is inspect.Signature.empty:
        return ""
    text = _annotation(annotation)
    # What a context manager is written as is not what a caller gets.
    managed = getattr(function, "__wrapped__", None) is not None
    return f" -> {re.sub('^Iterator', 'AbstractContextManager', text) if managed else text}"


def _annotation(annotation: Any) -> str:
    if isinstance(annotation, str):
        return re.sub(r"^InitVar\[(.*)\]$", r"\1", annotation)
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", inspect.formatannotation(annotation))


def _value(value: Any) -> str:
    if isinstance(value, enum.Enum):
        return repr(value.value)
    plain = value is None or isinstance(value, bool | int | float | str | tuple)
    return repr(value) if plain else "..."


def _prose(text: str) -> str:
    """A docstring as Markdown: code stays code, and nothing is taken for a tag."""
    pieces = re.split(r"(``.+?``|`.+?`)", text)
    return "".join(piece if piece.startswith("`") else piece.replace("<", "\\<") for piece in pieces)


def _bar(text: str) -> str:
    """The text as it is written in a table."""
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
