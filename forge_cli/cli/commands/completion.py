"""`forge completion`: the script for a shell, and the candidates that the script asks for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import click
from click.shell_completion import CompletionItem, ShellComplete

from ..group import Sectioned
from ..output.text import unsafe
from ..run import Run, global_options

_BASH = r"""# {program}: completion for bash. In ~/.bashrc:
#   eval "$({program} completion bash)"
_{name}_complete() {{
    local IFS=$'\n' found
    COMPREPLY=()
    while IFS= read -r found; do
        COMPREPLY+=("$found")
    done < <("$1" completion bash -- "${{COMP_LINE:0:COMP_POINT}}" "$2" 2>/dev/null)
    if [[ ${{#COMPREPLY[@]}} -eq 1 && ${{COMPREPLY[0]}} == *[/=] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}}
complete -o nosort -F _{name}_complete {program} 2>/dev/null || complete -F _{name}_complete {program}
"""

_ZSH = r"""#compdef {program}
# {program}: completion for zsh. In ~/.zshrc, after compinit:
#   eval "$({program} completion zsh)"
_{name}() {{
    local -a asked values lines open open_lines
    local found value about
    asked=("${{(@Q)words[1,CURRENT-1]}}")
    for found in "${{(@f)$("${{asked[1]}}" completion zsh -- "${{(@)asked[2,-1]}}" "${{(Q)PREFIX}}" 2>/dev/null)}}"; do
        [[ -n $found ]] || continue
        value=${{found%%$'\t'*}} about=${{found#*$'\t'}}
        [[ -z $about ]] || about="  $about"
        if [[ $value == *[/=] ]]; then
            open+=("$value") open_lines+=("$value$about")
        else
            values+=("$value") lines+=("$value$about")
        fi
    done
    (( $#values )) && compadd -V {name} -l -d lines -a values
    (( $#open )) && compadd -V {name}_open -l -S '' -d open_lines -a open
    (( $#values + $#open ))
}}
if [[ $funcstack[1] == _{name} || $funcstack[1] == _{program} ]]; then
    _{name} "$@"
else
    compdef _{name} {program}
fi
"""

_FISH = r"""# {program}: completion for fish. In ~/.config/fish/config.fish:
#   {program} completion fish | source
function __{name}_complete
    set -l words (commandline -opc)
    set -l program $words[1]
    set -e words[1]
    $program completion fish -- $words (commandline -ct) 2>/dev/null
end
complete -c {program} -e
complete -c {program} -f -a '(__{name}_complete)'
"""

_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


@click.command(cls=Sectioned)
@click.argument("shell", type=click.Choice(list(_SCRIPTS)))
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="")
@global_options
@click.pass_obj
def completion(run: Run, /, shell: str, words: tuple[str, ...]) -> int:
    """Print a script that completes in the shell.

    \b
      eval "$(forge completion bash)"         in ~/.bashrc
      eval "$(forge completion zsh)"          in ~/.zshrc, after compinit
      forge completion fish | source          in ~/.config/fish/config.fish

    It completes commands, options, profiles (--profile), steps (--step), vars (--var), recipes (--from), saved
    requests (run), and files, also after the `@` of an item. Profiles are read from the file in use; one that
    cannot be read completes nothing.
    """
    if words:
        run.stdout.write("".join(f"{line}\n" for line in _asked(run, shell, words)))
    else:
        name = re.sub(r"\W", "_", run.program)
        run.stdout.write(_SCRIPTS[shell].format(program=run.program, name=name))
    return 0


def _asked(run: Run, shell: str, words: tuple[str, ...]) -> list[str]:
    """The lines for a script: candidates, with what they are after a tab where the shell shows that."""
    try:
        if shell == "bash":
            return _for_bash(run, *words[:2])
        *before, last = words
        raw = lexed(last)
        found = _candidates(run, before, raw.words[-1] if shell == "fish" and raw.words else last)
    except Exception:
        # What cannot be completed is completed with nothing, and nobody wants to read why in the middle of a line.
        return []
    return [f"{item.value}\t{(item.help or '').partition(chr(10))[0]}" for item in found]


def _for_bash(run: Run, line: str, current: str = "") -> list[str]:
    """The candidates as bash replaces `current` by them: it takes `=`, `:` and `@` for ends of words."""
    read = lexed(line)
    found = _candidates(run, read.words[1:-1], read.words[-1])
    cut = read.last.removesuffix(current)
    kept = lexed(cut).words[-1] if cut else ""
    values = [item.value.removeprefix(kept) for item in found]
    return values if read.quote else [_quoted(value) for value in values]


def _candidates(run: Run, before: Sequence[str], incomplete: str) -> list[CompletionItem[str]]:
    """What may stand there."""
    root = click.get_current_context().find_root()
    shell = ShellComplete(root.command, {"obj": run}, run.program, "")
    found = shell.get_completions(list(before), incomplete)
    # An option's value is completed without the option.
    option = re.match(r"--[\w-]+=", incomplete)
    start = option[0] if option and not any(item.value.startswith(option[0]) for item in found) else ""
    return [CompletionItem(start + item.value, help=item.help) for item in found if not unsafe(item.value)]


def _quoted(text: str) -> str:
    return re.sub(r"([^\w@%+=:,./~-])", r"\\\1", text)


class Lexed(NamedTuple):
    """A line of a shell as words: the last one is the one that is being typed, and may be empty.

    `last` is that word as it was typed, `quote` the quote that is still open.
    """

    words: list[str]
    last: str
    quote: str


def lexed(line: str) -> Lexed:
    """Read quotes and backslashes as a shell does. Nothing is expanded."""
    words, word, start, quote = list[str](), "", 0, ""
    position = 0
    while position < len(line):
        char = line[position]
        position += 1
        if quote == "'" or (quote and char == quote):
            quote, word = ("", word) if char == quote else (quote, word + char)
        elif char == "\\" and position < len(line) and (not quote or line[position] in '"\\$`'):
            word += line[position]
            position += 1
        elif not quote and char in "'\"":
            quote = char
        elif not quote and char.isspace():
            if line[start : position - 1]:
                words.append(word)
            word, start = "", position
        else:
            word += char
    return Lexed([*words, word], line[start:], quote)
