"""A cURL command as a forge command, or as a profile."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from ...curl import quote
from ...curl.hiding import Variables, without_secrets
from ...curl.imported import Imported
from ...curl.importing import parse
from ...errors import UsageError
from ...profiles.addition import ProfileFile
from ...profiles.draft import prefix
from ...profiles.from_request import drafted
from ..context import Context
from ..forge_line import forge_line
from .profile.writing import where_it_is

_SECOND_LEVEL = frozenset({"co", "com", "net", "org", "ac", "gov", "edu"})


def import_command(context: Context, text: str, profile: str | None) -> int:
    """Print the command, or write the profile; on standard error, which variables are to be set."""
    typed = text != "-"
    if not typed:
        text = context.read_stdin("--import").decode("utf-8", "surrogateescape")
    requests = parse(text)
    for note in dict.fromkeys(note for one in requests for note in one.notes):
        context.notice(note)
    if profile is not None:
        return _write(context, requests, profile, typed=typed)
    variables = Variables()
    hidden = [without_secrets(one, prefix(_service(one)), variables) for one in requests]
    lines = [forge_line(context.program, one) for one in hidden]
    _say(context, variables, typed=typed)
    context.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def _write(context: Context, requests: Sequence[Imported], name: str, *, typed: bool) -> int:
    """Append the profile of the first request, and say how to send it."""
    file = ProfileFile(context.source, context.notice)
    if said := file.name_trouble(name):
        raise UsageError(f"--as-profile {name}: {said}", hint="give another NAME")
    variables = Variables()
    draft = drafted(name, without_secrets(requests[0], prefix(name), variables))
    flags = [f"-p {quote(name)}", *([] if context.config is None else [f"--config {quote(context.config)}"])]
    line = forge_line(context.program, draft.request, flags)
    document = file.add(name, draft.text)
    _say(context, variables, typed=typed)
    exports = [f"export {variable.name}=…" for variable in variables.found]
    exports += [f'export {each}="$(…)"    # as in the command' for each in draft.computed]
    context.stdout.write(where_it_is(document, name, [*exports, line]))
    if len(requests) > 1:
        context.notice("the profile is of the first of the requests")
    return 0


def _say(context: Context, variables: Variables, *, typed: bool) -> None:
    """Which variables are to be set, and that their values were on a command line."""
    if typed and variables.found:
        context.notice("--import: a secret on the command line can be seen by others: use --import -")
    for variable in variables.found:
        context.warn(f"set {variable.name} to {variable.place}")


def _service(imported: Imported) -> str:
    """A short name for who is asked: `github` for api.github.com."""
    host = urlsplit(imported.url).hostname or ""
    labels = host.split(".")
    if len(labels) < 2 or re.fullmatch(r"[0-9.:]+", host) or imported.slots.present(host):
        return "api"
    at = -3 if len(labels) > 2 and labels[-2] in _SECOND_LEVEL else -2
    return labels[at] or "api"
