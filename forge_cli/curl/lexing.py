"""The text of a shell or of cmd.exe cut into commands and words, without running any of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ..compiled import compiled
from ..errors import UsageError
from .words import Slots

_NAME = compiled(r"[A-Za-z_][A-Za-z0-9_]*")
_ASSIGNMENT = compiled(r"([A-Za-z_][A-Za-z0-9_]*)\+?=", re.DOTALL)
_LITERAL = compiled(r"[^\s'\"\\$`|&;()<>#\u2018\u2019\u201c\u201d]+")
_REDIRECT = compiled(r"(?:[0-9]+|&)?(?:<<<|<<-?|<>|<&|<|>>|>\||>&|&>|>)")
_ESCAPE = compiled(
    r"\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|([0-7]{1,3})|c(.)|(.))", re.DOTALL
)
_PLAIN = {"a": 7, "b": 8, "e": 27, "E": 27, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_CMD_VARIABLE = compiled(r"%([A-Z_][A-Z0-9_]{2,})%")
_FENCE = compiled(r"^[ \t]*```[\w-]*[ \t]*$", re.MULTILINE)
_CURLY = "\u2018\u2019\u201c\u201d"


@dataclass
class Command:
    """One simple command. What the shell would fill in is a mark; bytes that are no text are lone surrogates."""

    words: list[str] = field(default_factory=list)
    assigned: list[str] = field(default_factory=list)
    stdin: str | None = None
    read_from: str | None = None
    written_to: bool = False
    piped: bool = False

    def __bool__(self) -> bool:
        return bool(self.words or self.assigned)


def joined(text: str) -> str:
    """The text with characters put together whose bytes were written one by one."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def as_bytes(text: str) -> bytes:
    """What the text is on the wire."""
    return text.encode("utf-8", "surrogateescape")


def shell_commands(text: str, slots: Slots) -> list[Command]:
    """The commands of a text for sh, bash or zsh. UsageError when a quote is not closed."""
    return _Shell(_FENCE.sub("", text.replace("\r\n", "\n")), slots).commands()


def cmd_commands(text: str, slots: Slots) -> list[Command]:
    """The commands of a text for cmd.exe. UsageError when a quote is not closed."""
    found = []
    for line in _cmd_lines(text.replace("\r\n", "\n"), slots):
        command = Command(_c_runtime_words(line))
        if command:
            found.append(command)
    return found


def escaped(text: str) -> str:
    """What `$'…'` and printf make of backslashes; a byte that is no text becomes a lone surrogate."""
    text = re.sub(r"\\u([dD][89abAB][0-9A-Fa-f]{2})\\u([dD][c-fC-F][0-9A-Fa-f]{2})", _pair, text)
    return _ESCAPE.sub(_one, text)


def _pair(match: re.Match[str]) -> str:
    code = 0x10000 + ((int(match[1], 16) & 0x3FF) << 10) + (int(match[2], 16) & 0x3FF)
    return f"\\U{code:08x}"


def _one(match: re.Match[str]) -> str:
    byte, unicode, long, octal, control, other = match.groups()
    if byte is not None or octal is not None:
        value = int(byte, 16) if byte is not None else int(octal, 8) & 0xFF
        return chr(value) if value < 0x80 else chr(0xDC00 + value)
    if unicode is not None or long is not None:
        code = int(unicode or long, 16)
        return "\ufffd" if code > 0x10FFFF or 0xD800 <= code < 0xE000 else chr(code)
    if control is not None:
        return chr(ord(control) & 0x1F)
    return chr(_PLAIN[other]) if other in _PLAIN else other if other in "\\'\"?" else match[0]


def _unclosed(what: str) -> UsageError:
    return UsageError(f"{what} is not closed", hint="is the command whole? `--import -` reads it from standard input")


class _Shell:
    """A walk through the text."""

    def __init__(self, text: str, slots: Slots) -> None:
        self.text = text
        self.slots = slots
        self.at = 0
        self.found: list[Command] = []
        self.current = Command()
        # The end marks of here-documents whose text begins after this line, and the commands that read them.
        self.waiting: list[tuple[Command, str, bool, bool]] = []

    def commands(self) -> list[Command]:
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == "\n":
                self.at += 1
                self._here_documents()
                self._end()
            elif char in " \t\r":
                self.at += 1
            elif self.text.startswith("\\\n", self.at):
                self.at += 2
            elif char == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif (match := _REDIRECT.match(self.text, self.at)) is not None:
                self._redirect(match)
            elif char in "|&;()":
                self._operator()
            else:
                self._add(self._word())
        self._end()
        return self.found

    def _end(self, piped: bool = False) -> None:
        if self.current:
            self.current.piped = piped
            self.found.append(self.current)
        self.current = Command()

    def _operator(self) -> None:
        for operator in ("||", "&&", ";;", "|&", "|", "&", ";", "(", ")"):
            if self.text.startswith(operator, self.at):
                self.at += len(operator)
                self._end(piped=operator in ("|", "|&"))
                return

    def _add(self, word: str) -> None:
        match = _ASSIGNMENT.match(word)
        if match is not None and (not self.current.words or self.current.words[0] in ("export", "set", "local")):
            self.current.assigned.append(match[1])
        self.current.words.append(word)

    def _redirect(self, match: re.Match[str]) -> None:
        self.at = match.end()
        operator = match[0].lstrip("0123456789&")
        while self.text.startswith((" ", "\t", "\\\n"), self.at):
            self.at += 2 if self.text.startswith("\\\n", self.at) else 1
        start = self.at
        if self.at >= len(self.text) or self.text[self.at] in "\n|&;()<>":
            return
        target = self._word()
        if operator in ("<<", "<<-"):
            quoted = any(char in self.text[start : self.at] for char in "'\"\\")
            self.waiting.append((self.current, target, quoted, operator == "<<-"))
        elif operator == "<<<":
            self.current.stdin = target + "\n"
        elif operator == "<":
            self.current.read_from = target
        else:
            self.current.written_to = self.current.written_to or match[0][:1] != "2"

    def _here_documents(self) -> None:
        for command, mark, quoted, dedented in self.waiting:
            lines = []
            while True:
                if self.at >= len(self.text):
                    raise _unclosed("the text after <<")
                end = self.text.find("\n", self.at)
                end = len(self.text) if end < 0 else end
                line = self.text[self.at : end]
                self.at = end + 1
                line = line.lstrip("\t") if dedented else line
                if line == mark:
                    break
                lines.append(line + "\n")
            content = "".join(lines)
            command.stdin = content if quoted else _Shell(content, self.slots)._inside(None)
        self.waiting = []

    def _word(self) -> str:
        pieces: list[str] = []
        if self.text[self.at] in _CURLY:
            raise UsageError("a word begins with a curly quote, which is none for a shell", hint="write ' or \"")
        while self.at < len(self.text):
            char = self.text[self.at]
            if char in " \t\r\n|&;()<>":
                break
            if char == "'":
                pieces.append(self._until("'"))
            elif char == '"':
                self.at += 1
                pieces.append(self._inside('"'))
            elif char == "\\":
                if not self.text.startswith("\n", self.at + 1):
                    pieces.append(self.text[self.at + 1 : self.at + 2])
                self.at += 2
            elif self.text.startswith("$'", self.at):
                self.at += 1
                pieces.append(self._ansi())
            elif self.text.startswith('$"', self.at):
                self.at += 1
            elif char in "$`":
                pieces.append(self._filled_in())
            elif (match := _LITERAL.match(self.text, self.at)) is not None:
                pieces.append(match[0])
                self.at = match.end()
            else:
                pieces.append(char)
                self.at += 1
        return joined("".join(pieces))

    def _until(self, quote: str) -> str:
        end = self.text.find(quote, self.at + 1)
        if end < 0:
            raise _unclosed("a quote")
        start, self.at = self.at + 1, end + 1
        return self.text[start:end]

    def _ansi(self) -> str:
        match = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL).match(self.text, self.at)
        if match is None:
            raise _unclosed("a quote")
        self.at = match.end()
        return escaped(match[1])

    def _inside(self, end: str | None) -> str:
        """What stands between double quotes, or in a here-document, where `end` is None."""
        pieces: list[str] = []
        plain = re.compile(r'[^"$`\\]+' if end else r"[^$`\\]+")
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == end:
                self.at += 1
                return "".join(pieces)
            if (match := plain.match(self.text, self.at)) is not None:
                pieces.append(match[0])
                self.at = match.end()
            elif char == "\\":
                following = self.text[self.at + 1 : self.at + 2]
                special = following and following in '$`\\"\n' and (end or following != '"')
                pieces.append(("" if following == "\n" else following) if special else char + following)
                self.at += 2
            else:
                pieces.append(self._filled_in())
        if end is not None:
            raise _unclosed("a quote")
        return "".join(pieces)

    def _filled_in(self) -> str:
        """A variable or a command, as a mark; a plain dollar sign as it is."""
        text, start = self.text, self.at
        if text[start] == "`":
            match = re.compile(r"`((?:[^`\\]|\\.)*)`", re.DOTALL).match(text, start)
            if match is None:
                raise _unclosed("a backquote")
            self.at = match.end()
            inner = re.sub(r"\\([`\\$])", r"\1", match[1])
            return self.slots.mark(f"$({inner})")
        if text.startswith("$(", start):
            self.at = _closing(text, start + 2, ")")
            expression = text[start : self.at]
            known = re.fullmatch(r"\$\(printf '([^'%]*)'\)", expression)
            return self.slots.mark(expression) if known is None else escaped(known[1]).rstrip("\n")
        if text.startswith("${", start):
            self.at = _closing(text, start + 2, "}")
            expression = text[start : self.at]
            plain = _NAME.fullmatch(expression[2:-1])
            return self.slots.mark(f"${plain[0]}" if plain else expression)
        name = _NAME.match(text, start + 1)
        if name is not None:
            self.at = name.end()
            return self.slots.mark(f"${name[0]}")
        if text[start + 1 : start + 2] and text[start + 1] in "0123456789?!@*#-$":
            self.at = start + 2
            return self.slots.mark(text[start : self.at])
        self.at = start + 1
        return "$"


def _closing(text: str, at: int, last: str) -> int:
    """The place behind what closes an opened bracket."""
    open_ones = [last]
    while at < len(text):
        char, inner = text[at], open_ones[-1]
        if inner == "'":
            if char == "'":
                open_ones.pop()
        elif char == "\\":
            at += 1
        elif char == '"':
            if inner == '"':
                open_ones.pop()
            else:
                open_ones.append('"')
        elif char == "'" and inner != '"':
            open_ones.append("'")
        elif char == "$" and text[at + 1 : at + 2] in ("(", "{"):
            open_ones.append(")" if text[at + 1] == "(" else "}")
            at += 1
        elif char == "(" and inner == ")":
            open_ones.append(")")
        elif char == inner:
            open_ones.pop()
            if not open_ones:
                return at + 1
        at += 1
    raise _unclosed("$( or ${")


def _cmd_lines(text: str, slots: Slots) -> list[str]:
    """The commands as cmd.exe hands them over: carets obeyed, variables as marks."""
    text = _CMD_VARIABLE.sub(lambda match: slots.mark(f"${match[1]}"), text)
    lines, line, quoted, at = [], "", False, 0
    while at < len(text):
        char = text[at]
        if char == "^" and not quoted:
            # A caret before a line end takes both away, and what comes next stands for itself.
            at += 2 if text.startswith("^\n", at) else 1
            line += text[at : at + 1]
        elif char == "\n" or (char in "&|<>" and not quoted):
            lines.append(line)
            line, quoted = "", False
        else:
            quoted ^= char == '"'
            line += char
        at += 1
    return [*lines, line]


def _c_runtime_words(line: str) -> list[str]:
    """The words of a Windows command line, as the C runtime of a program cuts it."""
    words: list[str] = []
    word: str | None = None
    quoted, at = False, 0
    while at < len(line):
        match = re.compile(r'(\\*)("?)').match(line, at)
        slashes, quote = (match[1], match[2]) if match is not None else ("", "")
        if quote:
            word = (word or "") + "\\" * (len(slashes) // 2)
            at += len(slashes) + 1
            if len(slashes) % 2:
                word += '"'
            elif quoted and line.startswith('"', at):
                word += '"'
                at += 1
            else:
                quoted = not quoted
        elif slashes:
            word = (word or "") + slashes
            at += len(slashes)
        elif line[at] in " \t\n\r" and not quoted:
            words += [] if word is None else [word]
            word = None
            at += 1
        else:
            word = (word or "") + line[at]
            at += 1
    if quoted:
        raise _unclosed("a quote")
    return words if word is None else [*words, word]
