"""B4: a secret need not be on a command line, and is on none that the docs show."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from docs.manual import _commands
from forge_cli.cli.app import COMMANDS
from forge_cli.files import config_dir
from forge_cli.redact import sensitive, speaks
from tests.conftest import Forge
from tests.server import Reply, Server

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SECRET = "command-line-secret-1"
# These take where a secret is, not what it is.
_PLACES = ("--extract", "--set")
_BLOCK = re.compile(r"^```(?:sh|console|bash|text|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_OPTIONS = ("-u", "--user", "--bearer")
_ITEM = re.compile(r"(?P<name>[\w.-]+)(?P<sign>:=@|==@|=@|:@|:=|==|=|:)(?P<value>.*)", re.DOTALL)
_STAND_IN = re.compile(r"^(\$|@|env:|-$|<|\{|…|$)")


@pytest.mark.parametrize(
    ("option", "text", "sent"),
    [
        ("--bearer", SECRET, f"Bearer {SECRET}"),
        ("--user", f"ada:{SECRET}", "Basic YWRhOmNvbW1hbmQtbGluZS1zZWNyZXQtMQ=="),
    ],
)
@pytest.mark.parametrize("place", ["env:", "@", "-"])
def test_options_for_secrets_take_a_variable_a_file_and_standard_input(
    forge: Forge, server: Server, tmp_path: Path, option: str, text: str, sent: str, place: str
) -> None:
    url = server.reply("/x", Reply())
    file = tmp_path / "secret"
    file.write_text(f"{text}\n")
    value = {"env:": "env:THE_SECRET", "@": f"@{file}", "-": "-"}[place]
    result = forge("get", url, option, value, input=text if place == "-" else None, env={"THE_SECRET": text})
    assert result.exit_code == 0, result.stderr
    assert server.seen[0].headers["Authorization"] == sent
    assert "can be seen" not in result.stderr


@pytest.mark.parametrize("words", [("--bearer", SECRET), ("-u", f"ada:{SECRET}")])
def test_a_literal_works_and_warns_without_repeating_it(forge: Forge, server: Server, words: tuple[str, str]) -> None:
    result = forge("get", server.reply("/x", Reply()), *words)
    assert result.exit_code == 0
    assert "a secret on the command line can be seen by others" in result.stderr
    assert SECRET not in result.stderr


@pytest.mark.parametrize("item", ["X-Api-Key:@{}", "password=@{}", "key==@{}"])
def test_items_take_a_file(forge: Forge, server: Server, tmp_path: Path, item: str) -> None:
    url = server.reply("/x", Reply())
    (tmp_path / "secret").write_text(SECRET)
    assert forge("post", url, item.format(tmp_path / "secret")).exit_code == 0
    seen = server.seen[0]
    assert SECRET in f"{seen.headers} {seen.target} {seen.body!r}"


@pytest.mark.shows_secrets(reason="curl --reveal is asked to")
@pytest.mark.parametrize("place", ["@", "-"])
@pytest.mark.parametrize("option", ["-H", "-q"])
@pytest.mark.parametrize("command", ["get", "batch", "run", "curl"])
def test_headers_and_parameters_are_read_from_a_file(
    forge: Forge,
    server: Server,
    profile_file: Callable[[str], Path],
    tmp_path: Path,
    command: str,
    option: str,
    place: str,
) -> None:
    profile_file(f'[profiles.a]\nbase_url = "{server.url}"\nrequests.saved = {{ url = "/x" }}\n')
    server.reply("/x", Reply(), optional=command == "curl")
    text = f"X-Api-Key: {SECRET}\r\nX-Team: blue\r\n\r\n" if option == "-H" else f"key={SECRET}\n\nteam=blue"
    (tmp_path / "given").write_text(text)
    Path("requests.jsonl").write_text("/x\n")
    words = {"get": ("get", "/x"), "batch": ("batch", "requests.jsonl"), "run": ("run", "saved")}
    before = words.get(command, ("curl", "GET", "/x", "--reveal"))
    file = "@-" if place == "-" else f"@{tmp_path / 'given'}"
    result = forge(*before, option, file, input=text if place == "-" else None)
    assert result.exit_code == 0, result.stderr
    got = result.stdout if command == "curl" else f"{server.seen[0].target}\n{server.seen[0].headers}"
    for each in (f"X-Api-Key: {SECRET}", "X-Team: blue") if option == "-H" else (f"key={SECRET}", "team=blue"):
        assert each in got


def test_what_begins_like_a_file_and_has_a_value_is_a_parameter(forge: Forge, server: Server) -> None:
    assert forge("get", server.reply("/x", Reply()), "-q", "@p1=5").exit_code == 0
    assert server.seen[0].query == [("@p1", "5")]


@pytest.mark.parametrize("option", ["-H", "-q"])
def test_a_file_that_is_not_there_is_exit_2_and_nothing_is_sent(forge: Forge, server: Server, option: str) -> None:
    result = forge("get", f"{server.url}/x", option, "@nowhere")
    assert (result.exit_code, server.seen) == (2, [])
    assert "nowhere" in result.stderr


@pytest.mark.parametrize(("place", "warns"), [("env:THE_PROXY", False), ("@proxy", False), ("-", False), ("", True)])
def test_a_proxy_is_taken_from_elsewhere(forge: Forge, server: Server, place: str, warns: bool) -> None:
    url = f"http://ada:{SECRET}@{server.host}"
    Path("proxy").write_text(f"{url}\n")
    words = ("get", "http://api.invalid/x", "--retry", "0", "--proxy", place or url)
    result = forge(*words, input=url if place == "-" else None, env={"THE_PROXY": url})
    server._problems.clear()  # a route cannot name another host
    [seen] = server.seen
    assert seen.headers["Proxy-Authorization"] == "Basic YWRhOmNvbW1hbmQtbGluZS1zZWNyZXQtMQ=="
    assert ("can be seen by others" in result.stderr) is warns
    assert SECRET not in result.stderr


@pytest.mark.parametrize(
    "words", [("curl", "--import"), ("profile", "add", "mine", "--from-curl")], ids=["--import", "--from-curl"]
)
def test_curl_commands_are_read_and_warned_of_where_they_are_typed(forge: Forge, words: tuple[str, ...]) -> None:
    text = f"curl https://api.example.com/x -u ada:{SECRET}"
    typed = forge(*words, text)
    (config_dir() / "profiles.toml").unlink(missing_ok=True)
    given = forge(*words, "-", input=text)
    assert (typed.exit_code, given.exit_code) == (0, 0)
    assert (typed.stderr.count("can be seen by others"), given.stderr.count("can be seen by others")) == (1, 0)
    assert SECRET not in typed.stderr
    assert typed.stdout == given.stdout


def documented() -> Iterator[tuple[str, list[str]]]:
    """The words of every forge command of the pages and of `--help`, with the place that shows it."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in _BLOCK.findall(text):
            yield from ((page.name, words) for words in commands(block))
        # In a sentence or a table, in which a | of a shell is written with a backslash.
        for span in re.findall(r"`([^`\n]*\bforge [^`\n]*)`", _BLOCK.sub("", text)):
            yield from ((page.name, words) for words in commands(span.replace("\\|", "|")))
    for name, command in _commands("forge", COMMANDS):
        yield from ((name, words) for words in commands((command.help or "").replace("\b\n", "")))


def commands(text: str) -> Iterator[list[str]]:
    """The words of the forge commands in a text: pipes, loops and substitutions count as their end."""
    for line in joined(text):
        for part in re.split(r"\s*(?:\||&&|;\s|\$\((?=forge))\s*", line.strip().removeprefix("$ ")):
            found = re.search(r"(?:^|[\s(])(forge .*)", part)
            if found is not None:
                with suppress(ValueError):
                    yield shlex.split(found[1].rstrip(")"), comments=True)


def joined(text: str) -> list[str]:
    """The lines of a text; one that ends with a backslash goes on in the next."""
    return re.sub(r"\\\n\s*", " ", text).splitlines()


def nested(words: list[str]) -> Iterator[list[str]]:
    """The words of the curl commands that are an argument."""
    for word in words:
        if word.startswith("curl "):
            with suppress(ValueError):
                yield shlex.split(word)


def exposed(words: list[str]) -> list[str]:
    """The words of a command that are, or hold what looks like, a literal secret."""
    found = [word for inner in nested(words) for word in exposed(inner)]
    for before, word in itertools.pairwise(words):
        option, _, value = word.partition("=")
        if word.startswith("curl ") or before in _PLACES:
            continue
        if before in _OPTIONS or (option in _OPTIONS and value):
            text = word if before in _OPTIONS else value
            secret = text.partition(":")[2] if before in ("-u", "--user") and not text.startswith("env:") else text
            found += [word] if not _STAND_IN.search(secret) else []
        elif re.search(r"://[^/@\s:]+:[^/@\s]+@", word):
            found.append(word)
        elif "://" not in word and not word.startswith("-"):
            pieces = word.split("&") if before in ("-d", "--data") else [word]
            found += [word] if any(map(_literal, pieces)) else []
    return found


def _literal(word: str) -> bool:
    """Whether an item, a header or a field of a form is named like a secret, and says it."""
    item = _ITEM.fullmatch(word)
    if item is None or "@" in item["sign"] or not sensitive(item["name"]):
        return False
    if item["name"].lower() == "cookie":
        return not speaks(*item["value"].strip().partition("=")[::2]) and not _STAND_IN.search(item["value"])
    return not _STAND_IN.search(item["value"].strip().removeprefix("Bearer "))


def test_no_documented_command_holds_a_literal_secret() -> None:
    found = list(documented())
    assert len(found) > 300
    assert {"README.md", "coming-from.md", "batch.md", "forge profile add", "forge curl"} <= {
        place for place, _ in found
    }
    assert [(place, words) for place, words in found if exposed(words)] == []


@pytest.mark.parametrize(
    ("command", "bad"),
    [
        ("forge get /x --bearer abc", True),
        ("forge get /x --bearer=abc", True),
        ("forge get /x --bearer env:A", False),
        ("forge get /x -u ada:pw", True),
        ("forge get /x -u ada", False),
        ("forge get /x -u @f", False),
        ("forge get https://a:b@c/", True),
        ("forge get /x 'Authorization: Bearer abc'", True),
        ("forge get /x 'Authorization: Bearer $T'", False),
        ("forge post /x password=abc", True),
        ("forge post /x password=@f name=ada", False),
        ("forge post /x token==1", True),
        ("forge get /x -x http://ada:pw@proxy", True),
        ("forge get /x -x env:PROXY", False),
        ("forge get /x -H 'X-Api-Key: abc'", True),
        ("forge get /x -H @key", False),
        ("forge get /x -q api_key=abc", True),
        ("forge post /x -d 'user=ada&password=abc'", True),
        ("forge post /x -d password=$PASSWORD", False),
        ("forge curl --import 'curl https://a.b/ -u ada:pw'", True),
        ("forge curl --import 'curl https://a.b/ -H \"Authorization: Bearer abc\"'", True),
        ("forge profile add a --from-curl 'curl https://a.b/ -d password=abc'", True),
        ("forge profile add a --from-curl 'curl https://a.b/ -d password=$P'", False),
    ],
)
def test_a_literal_secret_would_be_seen(command: str, bad: bool) -> None:
    assert bool(exposed(shlex.split(command))) is bad
