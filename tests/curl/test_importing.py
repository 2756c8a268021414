"""A cURL command is read as curl itself reads it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from forge_cli.curl import quote, render, to_curl, word
from forge_cli.curl.imported import Field, Form, FromFile, Imported, Joined, Json, Multipart, Part, Raw
from forge_cli.curl.importing import parse
from forge_cli.errors import ForgeError, RequestBuildException, UsageError
from forge_cli.models import HttpRequest
from tests.server import Reply, Server

if TYPE_CHECKING:
    from tests.conftest import Require

FIXTURES = Path(__file__).parents[1] / "fixtures" / "curl"
FORM = ("Content-Type", "application/x-www-form-urlencoded")
JSON = ("Content-Type", "application/json")
URL = "https://h.example/x"
HARD = "'\"$`!\\ @#~*?[]{}()<>|&;=%^-+é𝄞ab01"
VISIBLE = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20) | st.text(HARD, max_size=20)
TEXT = VISIBLE | st.text(HARD + "\n\r\t\x1b\x7f\u202e", max_size=20)
METHODS = st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "M-SEARCH"])
HEADERS = st.dictionaries(
    st.sampled_from(["X-One", "x-two", "Cookie", "If-None-Match", "X_3"]), VISIBLE.map(str.strip), max_size=3
)


def one(text: str) -> Imported:
    [found] = parse(text)
    return found


def body_of(imported: Imported) -> bytes | None:
    """The bytes of a body that is no file."""
    match imported.body:
        case Raw(content=content):
            return content
        case Json(text=text):
            return text.encode()
        case Form(fields=fields):
            return "&".join(f"{quote_plus(each.name)}={quote_plus(each.value)}" for each in fields).encode()
    assert imported.body is None
    return None


# Words


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'a b'", "a b"),
        ("a\\ b", "a b"),
        ('"a \\"b\\" \\\\ \\! \\n !"', 'a "b" \\ \\! \\n !'),
        ("'it'\\''s'", "it's"),
        ("'it'\"'\"'s'", "it's"),
        ("$'a\\'b\\\\n\\tz'", "a'b\\n\tz"),
        ("$'\\x41\\101\\u00e9\\U0001d11e\\cA\\e\\a\\?\\\"'", 'AAé𝄞\x01\x1b\x07?"'),
        ("$'\\xc3\\xa9'", "é"),
        ("$'\\xc3'$'\\xa9'", "é"),
        ("$'\\ud834\\udd1e'", "𝄞"),
        ("$'\\u0021'", "!"),
        ("a\\\nb", "ab"),
        ('"a\\\nb"', "ab"),
        ("a#b", "a#b"),
        ("\"$(printf '\\033[1m')\"x", "\x1b[1mx"),
        ("$", "$"),
        ('"a$ b"', "a$ b"),
        ("ab\\", "ab"),
        ("''", ""),
    ],
)
def test_a_word_is_what_a_shell_makes_of_it(text: str, value: str) -> None:
    assert one(f"curl {URL} --data-raw {text}").body == (Raw(value.encode()))


@pytest.mark.parametrize(
    "text",
    [
        f"curl {URL} # a comment 'with a quote",
        f"# first\n\ncurl \\\n  {URL}\n",
        f"$ curl {URL}",
        f"sudo /usr/bin/curl {URL}",
        f"curl.exe {URL}",
        f"curl {URL} 2>&1",
        f"curl {URL} 2>/dev/null",
        f"if ! curl {URL}; then exit 1; fi",
        f"```bash\ncurl {URL}\n```",
        f"curl --url {URL}",
        f"curl -- {URL}",
        f"curl {URL}#fragment",
        f"(curl {URL})",
    ],
)
def test_what_stands_around_a_command_does_not_change_it(text: str) -> None:
    assert (one(text).method, one(text).url) == ("GET", URL)


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ('"a${X}b"', '"a${X}b"'),
        ("a$X", '"a$X"'),
        ('"$X y"', '"${X} y"'),
        ("$(cat 'a file')", "\"$(cat 'a file')\""),
        ('"$(echo ")")"', '"$(echo ")")"'),
        ("`cat \\`x\\``", '"$(cat `x`)"'),
        ('"${X:-y z}"', '"${X:-y z}"'),
        ("'$X'", "'$X'"),
        ('"\\$X"', "'$X'"),
    ],
)
def test_what_the_shell_fills_in_stays_a_reference(text: str, expression: str) -> None:
    imported = one(f"curl {URL} -H 'A: b' -H X:{text}")
    assert word(imported.slots.split(imported.headers[1][1])) == expression


def test_a_variable_of_cmd_is_a_reference() -> None:
    imported = one(f'curl "{URL}?a=%20%E4%" ^\r\n -H "X: %API_TOKEN%"')
    assert word(imported.slots.split(imported.headers[0][1])) == '"$API_TOKEN"'
    assert imported.url == f"{URL}?a=%20%E4%"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('^"a b^"', "a b"),
        ('^"a ^\\^"b^\\^" ^%^41 ^& ^| ^^^"', 'a "b" %41 & | ^'),
        ('"a \\"b\\" \\\\ & |"', 'a "b" \\\\ & |'),
        ('"a\\\\"', "a\\"),
        ('"a""b"', 'a"b'),
        ('^"a^\n\nb^"', "a\nb"),
        ("a^&b", "a&b"),
    ],
)
def test_a_word_for_cmd_is_what_windows_makes_of_it(text: str, value: str) -> None:
    assert body_of(parse(f"curl ^\r\n {URL} --data-raw {text}")[0]) == value.encode()


@pytest.mark.parametrize(
    "text",
    ["'a", '"a', "$'a", "`a", "$(a", "${a", '"$(a"', "<<E\na"],
)
def test_a_command_that_is_cut_short_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not closed"):
        parse(f"curl {URL} -d {text}")


def test_powershell_is_refused_with_a_hint() -> None:
    with pytest.raises(UsageError, match="PowerShell") as caught:
        parse((FIXTURES / "chrome-powershell.txt").read_text())
    assert caught.value.hint is not None and "Copy as cURL (bash)" in caught.value.hint


def test_curly_quotes_are_named() -> None:
    with pytest.raises(UsageError, match="curly quote"):
        parse(f"curl {URL} -H \u201cA: b\u201d")


# Options

OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "method": ("-XPUT", {"method": "PUT"}),
    "method of any case": ("--request delete", {"method": "DELETE"}),
    "head": ("-I", {"method": "HEAD"}),
    "head and get": ("-I -G -d a=1", {"method": "HEAD", "url": f"{URL}?a=1"}),
    "letters together": ("-sSLk", {"follow": True, "insecure": True, "silent": True}),
    "letters and a value": ("-sXPATCH", {"method": "PATCH", "silent": True}),
    "header": ("-H'A: b: c' -H 'E;' -H 'N:'", {"headers": (("A", "b: c"), ("E", "")), "without": ("N",)}),
    "the same header twice": ("-H A:1 -H A:2", {"headers": (("A", "1"), ("A", "2"))}),
    "pseudo header": ("-H ':authority: h'", {"notes": ("an HTTP/2 pseudo header is left out",)}),
    "agent and referer": ("-A me -e 'http://r/;auto'", {"headers": (("User-Agent", "me"), ("Referer", "http://r/"))}),
    "no agent": ("-A ''", {"headers": ()}),
    "a stated agent wins": ("-A me -H user-agent:you", {"headers": (("user-agent", "you"),)}),
    "data": ("-d a=1 --data b=2 --data-ascii c=3", {"body": Form((Field("a", "1"), Field("b", "2"), Field("c", "3")))}),
    "data that is no form": ("-d a -d 'b c'", {"body": Raw(b"a&b c")}),
    "data and a type": ("-d '<a/>' -H 'Content-Type: text/xml'", {"headers": (("Content-Type", "text/xml"),)}),
    "data without a type": ("-d a=1 -H Content-Type:", {"headers": (), "without": (), "body": Raw(b"a=1")}),
    "data from a file": ("-d@f.txt", {"body": FromFile("f.txt"), "headers": (FORM,)}),
    "data from standard input": ("--data-binary @-", {"body": FromFile("-")}),
    "raw data": ("--data-raw @f", {"body": Raw(b"@f")}),
    "encoded data": (
        "--data-urlencode 'a=b&c d' --data-urlencode '=x y' --data-urlencode 'q=1'",
        {"body": Raw(b"a=b%26c+d&x+y&q=1")},
    ),
    "encoded text": ("--data-urlencode 'x y'", {"body": Raw(b"x+y")}),
    "encoded file": ("--data-urlencode n@f -d a=1", {"body": Form((Field("n", path="f"), Field("a", "1")))}),
    "get": ("-G -d a=1 --data-urlencode 'b=c d'", {"method": "GET", "url": f"{URL}?a=1&b=c+d", "headers": ()}),
    "url-query": ("--url-query 'a=b c' --url-query +x=%20", {"url": f"{URL}?a=b+c&x=%20"}),
    "json": (
        """--json '{"a": 1.10}'""",
        {"method": "POST", "body": Json('{"a": 1.10}'), "headers": (JSON, ("Accept", "application/json"))},
    ),
    "json in pieces": ("""--json '{"a":' --json '1}'""", {"body": Json('{"a":1}')}),
    "json data by its type": ("""-d '[1]' -H 'content-type: application/json; charset=utf-8'""", {"body": Json("[1]")}),
    "form": (
        "-F a=b -F 'f=@/d/x.png;type=image/png' -F 'g=<t.txt' --form-string 'h=@;type=x'",
        {
            "body": Multipart(
                (
                    Part("a", b"b"),
                    Part("f", filename="x.png", content_type="image/png", path="/d/x.png"),
                    Part("g", path="t.txt"),
                    Part("h", b"@;type=x"),
                )
            ),
            "headers": (),
        },
    ),
    "form with quotes": (
        """-F 'a="x;\\"y";type=text/html; charset=utf-8;filename="q;.txt"'""",
        {"body": Multipart((Part("a", b'x;"y', "q;.txt", "text/html; charset=utf-8"),))},
    ),
    "several files": (
        "-F 'f=@a,b;filename=c'",
        {"body": Multipart((Part("f", filename="c", path="a"), Part("f", filename="c", path="b")))},
    ),
    "a type of curl's own": ("-F a=b -H 'Content-Type: multipart/form-data; boundary=x'", {"headers": ()}),
    "user": ("-u ada:p:w", {"user": "ada:p:w"}),
    "user without a password": ("--user ada", {"user": "ada"}),
    "digest": ("--digest -u a:b", {"auth": "digest", "user": "a:b"}),
    "netrc": ("-n", {"netrc": True}),
    "bearer": ("--oauth2-bearer t", {"headers": (("Authorization", "Bearer t"),)}),
    "signature": ("--aws-sigv4 aws:amz:r:s -u k:s", {"auth": "aws-sigv4", "aws": "aws:amz:r:s"}),
    "cookies": ("-b 'a=1; b=2=3'", {"cookies": (("a", "1"), ("b", "2=3"))}),
    "certificates": (
        "-E c.pem --key k.pem --cacert ca.pem",
        {"cert": "c.pem", "key": "k.pem", "ca_bundle": "ca.pem"},
    ),
    "times": ("-m 2.5 --connect-timeout 3 --retry 4", {"timeout": 2.5, "connect_timeout": 3.0, "retries": 4}),
    "no limit": ("-m 0", {"timeout": None}),
    "redirects": ("-L --max-redirs 5", {"follow": True, "max_redirects": 5}),
    "proxy": ("-x p:3128 -U 'a b:c'", {"proxy": "http://a%20b:c@p:3128"}),
    "socks": ("--socks5-hostname p:1080", {"proxy": "socks5h://p:1080"}),
    "no proxy": ("--noproxy '*'", {"proxy": ""}),
    "upload": ("-T f.bin", {"method": "PUT", "body": FromFile("f.bin"), "headers": ()}),
    "range": ("-r 0-9", {"headers": (("Range", "bytes=0-9"),)}),
    "output": ("-o f -v", {"output": "f", "verbose": True}),
    "name of the output": ("-O", {"output": "x"}),
    "what forge does anyway": ("-f -# --compressed --http2 --no-progress-meter -N", {"notes": ()}),
    "what is left out": (
        "-w '%{http_code}' -4",
        {"notes": ("curl's --write-out is left out", "curl's --ipv4 is left out")},
    ),
    "switched off again": ("-k --no-insecure", {"insecure": False}),
}


@pytest.mark.parametrize(("options", "expected"), OPTIONS.values(), ids=OPTIONS.keys())
def test_an_option_says_what_it_says_to_curl(options: str, expected: dict[str, Any]) -> None:
    for text in (f"curl {options} {URL}", f"curl {URL} {options}"):
        imported = one(text)
        assert {name: getattr(imported, name) for name in expected} == expected


@pytest.mark.parametrize(
    "options",
    [
        "--unknown",
        "-%",
        "-K f",
        "--resolve a:1:b",
        "--ntlm",
        "--config=f",
        "-b jar.txt",
        "-H @file",
        "-C -",
        "--pass x",
    ],
)
def test_an_option_that_changes_the_request_unread_is_named(options: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(f"curl {URL} {options}")
    name = options.split()[0].partition("=")[0]
    assert f"curl's {name}" in caught.value.message


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("h.example", "http://h.example/"),
        ("h.example/a?b=c", "http://h.example/a?b=c"),
        ("https://h.example?b=c", "https://h.example/?b=c"),
        ("localhost:8080/a", "http://localhost:8080/a"),
        ("https://[::1]:8/a", "https://[::1]:8/a"),
        ("'https://h/a/{id}'", "https://h/a/{id}"),
    ],
)
def test_a_url_is_completed_as_curl_completes_it(text: str, url: str) -> None:
    assert one(f"curl {text}").url == url


def test_the_user_of_a_url_is_taken_out_of_it() -> None:
    imported = one("curl https://ada:p%40w@h.example/")
    assert (imported.url, imported.user) == ("https://h.example/", "ada:p@w")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "wget x",
        "curl",
        "curl -X POST",
        "curl ftp://h/",
        "curl 'http://a b'",
        "curl word",
        "curl http://",
        "fetch('x')",
    ],
)
def test_what_is_no_request_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse(text)


def test_a_word_that_lost_its_quotes_is_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        parse(f"curl {URL} -H Authorization: Bearer user-token-1")
    assert "token-1" not in str(caught.value) + str(caught.value.hint)


# Several


def test_each_url_and_each_next_is_a_request() -> None:
    found = parse("curl -H A:1 https://h/1 https://h/2 --next -d x=1 https://h/3 -: https://h/4; curl https://h/5")
    assert [(each.method, each.url, each.headers[:1]) for each in found] == [
        ("GET", "https://h/1", (("A", "1"),)),
        ("GET", "https://h/2", (("A", "1"),)),
        ("POST", "https://h/3", (FORM,)),
        ("GET", "https://h/4", ()),
        ("GET", "https://h/5", ()),
    ]


def test_what_comes_after_a_pipe_is_left_out_with_a_note() -> None:
    assert one(f"curl {URL} | jq -r .token > f").notes == ("| jq is left out: give it to forge too",)


def test_a_command_inside_an_assignment_is_found() -> None:
    assert one(f'TOKEN=$(curl -s "{URL}" | jq -r .token)').url == URL


@pytest.mark.parametrize(
    ("text", "content"),
    [
        (f"echo '{{\"a\":1}}' | curl --data-binary @- {URL}", b'{"a":1}\n'),
        (f"echo -n a | curl -d @- {URL}", b"a"),
        (f"printf 'a\\000%%\\n%s' b | curl --data-binary @- {URL}", b"a\0%\nb"),
        (f"printf 'a\\nb' | curl -d @- {URL}", b"ab"),
        (f"curl --data-binary @- {URL} <<'E'\n$a\nb\nE\n", b"$a\nb\n"),
        (f"curl --data-binary @- {URL} <<-E\n\ta\\$\n\tE\n", b"a$\n"),
        (f"curl --data-binary @- {URL} <<< 'a b'", b"a b\n"),
        (f"cat <<E | curl --data-binary @- {URL}\nx\nE\n", b"x\n"),
    ],
)
def test_what_is_fed_to_curl_is_the_body(text: str, content: bytes) -> None:
    assert body_of(one(text)) == content


@pytest.mark.parametrize("text", [f"cat f.json | curl -d @- {URL}", f"curl -d @- {URL} < f.json"])
def test_a_file_that_is_fed_to_curl_is_the_body(text: str) -> None:
    assert one(text).body == FromFile("f.json")


# Round trips


@given(
    METHODS,
    HEADERS,
    st.none() | st.binary(max_size=40) | TEXT.map(str.encode),
    st.lists(st.tuples(VISIBLE, VISIBLE), max_size=3),
    st.none() | st.tuples(st.text("ab é", min_size=1), VISIBLE),
    st.booleans(),
)
def test_an_exported_request_comes_back(
    method: str,
    headers: dict[str, str],
    body: bytes | None,
    params: list[tuple[str, str]],
    auth: tuple[str, str] | None,
    typed: bool,
) -> None:
    headers |= {"Content-Type": "application/json" if typed else "text/x"} if body is not None else {}
    request = HttpRequest(
        method, "https://h.example/a b/é?q=1", headers or None, params or None, content=body, auth=auth, timeout=2.5
    )
    imported = one(to_curl(request))
    assert (imported.method, imported.headers, body_of(imported)) == (method, tuple(headers.items()), body)
    assert imported.url == "https://h.example/a%20b/%C3%A9?q=1" + "".join(
        f"&{quote_plus(name)}={quote_plus(value)}" for name, value in params
    )
    assert (imported.user, imported.timeout) == (None if auth is None else ":".join(auth), 2.5)


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=4))
def test_an_exported_form_comes_back(pairs: list[tuple[str, str]]) -> None:
    imported = one(to_curl(HttpRequest("POST", URL, data=pairs)))
    assert imported.body == Form(tuple(Field(name, value) for name, value in pairs))


@given(st.recursive(st.none() | st.booleans() | st.integers() | TEXT, lambda x: st.lists(x) | st.dictionaries(TEXT, x)))
def test_exported_json_comes_back(value: Any) -> None:
    if value is not None:
        imported = one(to_curl(HttpRequest("POST", URL, json_data=value)))
        assert isinstance(imported.body, Json) and imported.body.value == value


@given(
    st.lists(
        st.builds(
            Part,
            st.text("abé'\"; x", min_size=1),
            TEXT.map(str.encode),
            st.none() | VISIBLE.filter(bool),
            st.sampled_from([None, "text/plain", "text/html; charset=utf-8"]),
        )
        | st.builds(
            Part,
            st.just("file"),
            st.just(b""),
            st.none() | VISIBLE.filter(bool),
            st.sampled_from([None, "image/png"]),
            VISIBLE.filter(bool).map("dir/".__add__),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_exported_parts_come_back(parts: list[Part]) -> None:
    implied = [
        Part(p.name, p.value, p.filename, p.content_type or (p.filename and "application/octet-stream"), p.path)
        for p in parts
    ]
    imported = one(render(method="POST", url=URL, headers=[("Accept", "*/*")], parts=parts))
    assert imported.body == Multipart(tuple(implied))
    assert (imported.method, imported.headers, imported.without) == ("POST", (("Accept", "*/*"),), ("User-Agent",))


SETTINGS: list[dict[str, Any]] = [
    {"follow": True, "max_redirects": 3},
    {"insecure": True, "ca_bundle": "a b.pem"},
    {"cert": "c.pem", "key": "k.pem"},
    {"proxy": "http://p:3128"},
    {"proxy": ""},
]


@pytest.mark.parametrize("given_settings", SETTINGS, ids=str)
def test_exported_settings_come_back(given_settings: Mapping[str, Any]) -> None:
    imported = one(render(method="GET", url=URL, **given_settings))
    assert {name: getattr(imported, name) for name in given_settings} == given_settings


@pytest.mark.parametrize("path", ["f.json", "a b", "-"])
def test_an_exported_file_comes_back(path: str) -> None:
    assert one(render(method="POST", url=URL, body_path=path)).body == FromFile(path)


# Against curl itself

TYPED = st.text(HARD, max_size=20)
OPTION_WORDS = st.one_of(
    st.tuples(
        st.sampled_from(["-d", "--data-raw", "--data-binary", "--data-ascii"]), TYPED.filter(lambda t: t[:1] != "@")
    ),
    st.tuples(st.just("--data-urlencode"), TYPED.filter(lambda t: "@" not in t)),
    st.tuples(st.just("--json"), st.just('{"a": 1}')),
    st.tuples(
        st.just("-H"), st.sampled_from(["X: 1", "X;", "X:", "Content-Type: text/x", "Content-Type:", "Accept:", "no"])
    ),
    st.tuples(st.just("-X"), st.sampled_from(["PUT", "DELETE"])),
    st.tuples(st.just("-A"), st.sampled_from(["me", ""])),
    st.tuples(st.just("-e"), st.just("http://r.example/")),
    st.tuples(st.just("-b"), st.sampled_from(["a=1", "a=1; b=2"])),
    st.tuples(st.just("-r"), st.just("0-9")),
    st.tuples(st.just("--oauth2-bearer"), st.just("some-token")),
    st.tuples(st.just("--url-query"), TYPED.filter(lambda t: "@" not in t and t[:1] != "+")),
    st.tuples(st.just("-G")),
)


def test_curl_sends_what_is_read(server: Server, require: Require) -> None:
    program = require("curl", "apt-get install curl")
    url = server.reply("/x", Reply(204))
    server.seen.clear()

    @settings(max_examples=100)
    @given(st.lists(OPTION_WORDS, max_size=5))
    @example([("-d", "a=1"), ("-G",), ("-X", "PUT")])
    def check(options: list[tuple[str, ...]]) -> None:
        words = [each for option in options for each in option]
        assume("--url-query" not in words)  # curl 7 encodes and joins it otherwise than curl 8
        imported = one(" ".join(["curl", *map(quote, words), url]))
        done = subprocess.run(
            [program, "-sS", "--max-time", "10", *words, url], capture_output=True, text=True, check=False
        )
        if done.returncode == 3:
            return  # -G put into the URL what no URL can have
        assert done.returncode == 0, done.stderr
        seen = server.seen[-1]
        target = re.sub("%[0-9a-f]{2}", lambda match: match[0].upper(), seen.target.encode("latin-1").decode())
        assert (seen.method, target) == (imported.method, imported.url.removeprefix(server.url))
        if isinstance(imported.body, Raw | Json):
            assert seen.body == body_of(imported)
        own = {"host", "content-length", "accept", "user-agent"}
        stated = {name.lower() for name, _ in imported.headers}
        expected = [(name.lower(), value) for name, value in imported.headers]
        if imported.cookies:
            expected.append(("cookie", ";".join(f"{name}={value}" for name, value in imported.cookies)))
        sent = [(name.lower(), value.replace("; ", ";")) for name, value in seen.headers.items()]
        sent = [(name, value) for name, value in sent if name not in own - stated and name != "content-range"]
        assert sorted(sent) == sorted(expected)

    check()


# Any text

PIECES = st.lists(
    st.sampled_from(
        "curl|-X|-H|-d|-F|--json|-u|-b|https://h/x|'|\"|$'|$(|${|`|\\|^|\n|\r\n| |;|&|<<E|E|>|#|$X|a=b|@f|-|--next|:|="
        "|(|)|-sSLk|--data-urlencode|\\x|\\u12|\0|\udc80|\ud800|%A_B%|{|}|[|]".split("|")
    )
    | st.text(max_size=3)
).map("".join)


@settings(max_examples=500)
@given(
    st.text()
    | PIECES
    | PIECES.map(lambda text: f"curl https://h/ {text}")
    | PIECES.map(lambda text: f"curl ^\n h.x {text}")
)
@example("curl h.x -d " + "$(" * 5000)
@example("curl h.x -d " + '"$(' * 5000)
@example("curl h.x -d " + "[" * 100_000 + " -H content-type:application/json")
@example("curl 'http://[x/'")
@example("T=$(T=$(T=$(T=$(T=$(curl x.y")
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse(text)
    except ForgeError as exc:
        assert isinstance(exc, UsageError) and exc.hint
    else:
        assert found and all(isinstance(each, Imported) for each in found)


def test_a_long_text_is_read_in_one_go() -> None:
    long = "\\'x\"$X `a` $(b) \\\n" * 20_000
    imported = one(f"curl {URL} -d {quote(long)} -H 'Content-Type: text/plain'")
    assert imported.body == Raw(long.encode())


def test_what_no_request_can_hold_is_refused() -> None:
    for options in ("-H $'A: b\\nc'", "-X 'A B'", "-H $'A\\x00: b'"):
        with pytest.raises((UsageError, RequestBuildException)):
            parse(f"curl {URL} {options}")


def test_pieces_of_which_some_are_files_stay_pieces() -> None:
    pieces = one(f"curl -d a=1 -d @f --data-raw @g --data-urlencode 'b= ' {URL}").body
    assert pieces == Joined((Raw(b"a=1"), FromFile("f"), Raw(b"@g"), Raw(b"b=+")))
    with pytest.raises(UsageError, match="puts a file into the URL"):
        parse(f"curl -G -d a=1 -d @f {URL}")


def test_an_empty_user_agent_is_left_out() -> None:
    assert one(f"curl -A '' {URL}").without == ("User-Agent",)
    assert one(f"curl -A '' -H 'user-agent: x' {URL}").without == ()


def test_headers_that_a_request_needs_are_not_left_out() -> None:
    found = one(f"curl -H host: -H Content-Length: -H X-A: {URL}")
    assert found.without == ("X-A",)
    assert len(found.notes) == 2
