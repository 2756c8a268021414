"""A profile from cURL commands: each is a step of its login."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ....curl import quote
from ....curl.imported import Imported
from ....curl.importing import parse
from ....errors import UsageError
from ....profiles.addition import ProfileFile
from ....profiles.from_curl import Place, drafted, step_names
from ....profiles.kinds import unknown
from ...context import Context
from ...forge_line import forge_line
from .printing import one_name
from .writing import variables_of, where_it_is

_HOW = 'write [STEP.]NAME=/json/pointer, or header:NAME, cookie:NAME or "regex:PATTERN" after the ='
_OTHERS = ("header", "cookie", "regex")


def write_steps(context: Context, name: str | None, commands: Sequence[str], extracts: Sequence[str]) -> int:
    """Append the profile, and say what is left to fill in and to set."""
    file = ProfileFile(context.source, context.notice)
    name = one_name(context, name)
    if name is None:
        raise UsageError("NAME is missing", hint=f"{context.program} profile add NAME --from-curl …")
    if said := file.name_trouble(name):
        raise UsageError(f"NAME {name}: {said}", hint="give another NAME")
    requests = parse(_text(context, commands))
    for note in dict.fromkeys(note for one in requests for note in one.notes):
        context.notice(note)
    named = {before.partition("=")[0].rpartition(".")[0] for before in extracts}
    steps = drafted(name, requests, _outputs(extracts, step_names(requests, named)))
    document = file.add(name, steps.text)
    if steps.variables and _typed(commands):
        context.notice("--from-curl: a secret on the command line can be seen by others: use --from-curl -")
    for variable in steps.variables:
        context.warn(f"set {variable.name} to {variable.place}")
    config = "" if context.config is None else f" --config {quote(context.config)}"
    flags = f"-p {quote(name)}{config}"
    lines = [f"${{EDITOR:-vi}} {quote(str(document.path))}    # every FILL IN"] if steps.unfinished else []
    lines += [f"{context.program} profile validate{config}"] if steps.unfinished else []
    needed = [each for each in variables_of(document.profiles[name]) if each not in steps.computed]
    lines += [f"export {each}=…" for each in needed]
    lines += [f'export {each}="$(…)"    # as in the command' for each in steps.computed]
    lines.append(f"{context.program} token explain --trace {flags}")
    lines.append(f"{context.program} get / {flags}" if steps.call is None else _line(context, steps.call, flags))
    context.stdout.write(where_it_is(document, name, lines))
    return 0


def _line(context: Context, call: Imported, flags: str) -> str:
    """The command that sends the request to the API; what no command line can say is left to the person."""
    try:
        return forge_line(context.program, call, [flags])
    except UsageError:
        return f"{context.program} {call.method.lower()} {quote(call.url)} {flags}"


def _text(context: Context, commands: Sequence[str]) -> str:
    if _typed(commands):
        return "\n\n".join(commands)
    if context.interactive:
        context.tell("Paste the curl commands, and end with Ctrl-D:\n")
    return context.read_stdin("--from-curl").decode("utf-8", "surrogateescape")


def _typed(commands: Sequence[str]) -> bool:
    """Whether the curl commands themselves are on the command line."""
    return bool(commands) and list(commands) != ["-"]


def _outputs(extracts: Sequence[str], steps: Sequence[str]) -> Mapping[str, Mapping[str, Place]]:
    """What `--extract` says, by step. UsageError for what is no place."""
    found: dict[str, dict[str, Place]] = {}
    for text in extracts:
        before, equals, place = text.partition("=")
        step, dot, name = before.rpartition(".")
        kind, colon, rest = place.partition(":")
        if not equals or not name or not (place.startswith("/") or (colon and kind in _OTHERS and rest)):
            raise UsageError(f"--extract {before}: no place of an output", hint=_HOW)
        if not dot and len(steps) > 1:
            raise UsageError(f"--extract {name}: of which step?", hint=f"write {steps[0]}.{name}=…")
        step = step if dot else steps[0]
        if step not in steps:
            raise UsageError(f"--extract {before}: no step {step!r} {unknown(step, steps)}")
        found.setdefault(step, {})[name] = place if place.startswith("/") else {kind: rest}
    return found
