"""What is said once a profile is written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ....profiles.document import Document
from ...output.text import visible_line


def where_it_is(document: Document, name: str, lines: Iterable[str]) -> str:
    """Where the new profile is, and the commands to run now."""
    where = visible_line(f"{document.path}:{document.line(('profiles', name))}")
    return f"profile {name} is written: {where}\n\nnext:\n" + "".join(f"  {line}\n" for line in lines)


def variables_of(profile: Mapping[str, Any]) -> list[str]:
    """The environment variables that a profile, as it is written, takes something from."""
    places = profile.get("secrets", {}).values()
    names = [place["env"] for place in places if isinstance(place, dict) and isinstance(place.get("env"), str)]
    return list(dict.fromkeys([*names, *re.findall(r"\$\{\s*env\.([A-Za-z0-9_]+)", str(profile))]))
