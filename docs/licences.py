"""The licences of what forge needs when it runs, as installed: `python docs/licences.py` writes docs/licences.md."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PAGE = Path(__file__).with_name("licences.md")
PROJECT = Path(__file__).parents[1] / "pyproject.toml"

ALLOWED = ("Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0")
"""What a package may be licensed under: each lets a program of any licence use it as it is."""

# The older way to say it, by packages that do not use the expression.
_CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}


@dataclass(frozen=True, order=True, slots=True)
class Row:
    """One package: its name, what needs it (forge itself, or extras), its licence."""

    name: str
    needed_by: str
    licence: str

    def __str__(self) -> str:
        return f"| {self.name} | {self.needed_by} | {self.licence} |"


def roots() -> dict[str, list[Requirement]]:
    """What pyproject.toml asks for: for forge itself and for each extra that a user may choose."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    chosen: Mapping[str, Sequence[str]] = project["optional-dependencies"]
    groups = {"forge": project["dependencies"]}
    groups |= {name: chosen[name] for name in sorted(chosen) if name not in ("all", "dev", "test")}
    return {name: [Requirement(text) for text in texts] for name, texts in groups.items()}


def rows() -> list[Row]:
    """Every package that is installed because forge or an extra needs it."""
    needed_by: dict[str, list[str]] = {}
    for group, requirements in roots().items():
        for name in _closure(requirements):
            needed_by.setdefault(name, []).append(group)
    # What forge itself needs is there with every extra.
    groups = {name: "forge" if "forge" in found else ", ".join(found) for name, found in needed_by.items()}
    return sorted(Row(name, found, licence(name)) for name, found in groups.items())


def _closure(requirements: Iterable[Requirement]) -> set[str]:
    """The installed packages that these lead to."""
    found: dict[tuple[str, str], None] = {}
    waiting = list(requirements)
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        for extra in ("", *sorted(requirement.extras)):
            if (name, extra) not in found:
                found[name, extra] = None
                waiting += _needs(name, extra)
    return {name for name, _ in found}


def _needs(name: str, extra: str) -> Iterator[Requirement]:
    for text in distribution(name).requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            requirement.marker = None
            yield requirement


def licence(name: str) -> str:
    """The licence that an installed package says it has: an SPDX expression, or what comes nearest."""
    metadata = distribution(name).metadata
    [expression, *_] = metadata.get_all("License-Expression", [""])
    [said, *_] = metadata.get_all("License", [""])
    if expression or said in ALLOWED:
        return expression or said
    classifiers = [text.rpartition(" :: ")[2] for text in metadata.get_all("Classifier", []) if text[:7] == "License"]
    # What has no name here stands as it is, and is not allowed.
    return " AND ".join(sorted({_CLASSIFIERS.get(text, text) for text in classifiers})) or said[:40] or "unknown"


def allowed(expression: str) -> bool:
    """Whether one of the licences that may be chosen is on the list, and with it all that it is joined to."""
    if "(" in expression:
        return all(word in (*ALLOWED, "AND", "OR") for word in re.split(r"[\s()]+", expression.strip("() ")))
    choices = expression.split(" OR ")
    return any(all(word in ALLOWED for word in choice.split(" AND ")) for choice in choices)


def page() -> str:
    """The whole page."""
    return f"""# Licences

forge is under the [MIT licence](../LICENSE). It contains no code of others. What is installed with it, and under which
licence, is below, as the packages themselves say it: with every extra, on Linux and Python 3.11. Written by
`python docs/licences.py`; a test compares it with what is installed.

Allowed are {", ".join(ALLOWED)}.
Another licence fails the tests until somebody has decided about it.

| package | needed by | licence |
|---|---|---|
{chr(10).join(map(str, rows()))}
"""


if __name__ == "__main__":
    try:
        PAGE.write_text(page(), encoding="utf-8")
    except PackageNotFoundError as exc:
        raise SystemExit(f"{exc.name} is not installed: pip install -e '.[all]'") from None
