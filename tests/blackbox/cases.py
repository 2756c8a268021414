"""What every option of every command is for, as runs of the program and what holds of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from tests.blackbox.program import PEOPLE, Case, Ended
from tests.server import Reply, Seen

HERE = "--profile api --config forge/profiles.toml --no-project --var tenant=b --no-input --debug"
"""All the options that every command takes."""

SEND = ("get", "post", "put", "patch", "delete", "head", "options", "request GET", "run")
BASIC = "Basic " + base64.b64encode(b"ada:password-1").decode()
BODY = json.dumps(PEOPLE).encode()
CHOICE = Reply(302, headers={"Location": "x?2"})
FAULTY = Reply(503, b"busy", {"Retry-After": "0"})
TEXT = {"Content-Type": "text/plain"}


def sent(test: Callable[[Seen], bool]) -> Callable[[Ended], bool]:
    """Whether this holds of the last request."""
    return lambda ended: bool(ended.seen) and test(ended.seen[-1])


def header(name: str, value: str | None) -> Callable[[Ended], bool]:
    """Whether the last request had this header field, or had it not."""
    return sent(lambda seen: seen.headers.get(name) == value)


def body(content: bytes, kind: str | None = None) -> Callable[[Ended], bool]:
    """Whether the last request had this body, of this type."""
    return sent(lambda seen: seen.body == content and kind in (None, seen.headers.get("Content-Type")))


def document(found: Any) -> Callable[[Ended], bool]:
    """Whether the last request had this JSON as its body."""
    return sent(lambda seen: seen.json() == found and seen.headers["Content-Type"] == "application/json")


def requests(number: int) -> Callable[[Ended], bool]:
    """Whether there were so many requests for `/x`."""
    return lambda ended: sum(seen.path.endswith("/x") for seen in ended.seen) == number


def file(name: str, content: bytes) -> Callable[[Ended], bool]:
    """Whether this was left in the directory."""
    return lambda ended: (ended.home / name).read_bytes() == content


def says(found: Any) -> Callable[[Ended], bool]:
    """Whether stdout is this JSON."""
    return lambda ended: bool(json.loads(ended.out) == found)


def exactly(content: bytes) -> Callable[[Ended], bool]:
    """Whether stdout is this, and stderr nothing."""
    return lambda ended: (ended.out, ended.err) == (content, "")


def _all_of_it(method: str) -> Callable[[Ended], bool]:
    return sent(
        lambda seen: (
            (seen.method, seen.query, seen.json()) == (method, [("k", "v")], {"a": "1"})
            and [seen.headers[name] for name in ("X-A", "X-Tenant", "Authorization")]
            == ["1", "b", "Bearer api-token-1"]
        )
    )


def _every_send_command() -> list[Case]:
    """Each option of the commands that send, for each of these commands."""
    found = []
    for name in SEND:
        to = "people" if name == "run" else "/x"
        method = {"request GET": "GET", "run": "GET"}.get(name, name.upper())
        plain = (Reply(200, BODY, TEXT),)
        found += [
            Case(
                name,
                f"{to} {HERE} -H 'X-A: 1' --json -q k=v a=1 --bearer env:API_TOKEN --timeout 30 --connect-timeout 20 "
                "--retry 0 --no-check-status -v --verify yes --cert pair.pem --cert-key key.pem --proxy ''",
                answers=(Reply(418),),
                err=(f"> {method} ", "Authorization: Bearer ***", "< HTTP/1.1 418 "),
                holds=_all_of_it(method),
            ),
            Case(
                name,
                f"{to} -d a=1 -u env:API_USER -X PUT --max-redirects 0 --retry-unsafe --retry 1 --print HBhbm "
                "--pretty none --format auto --stream --har exchange.har --expect status==302 -s",
                answers=(FAULTY, CHOICE),
                out=("PUT /", "\na=1\n", "HTTP/1.1 302", "0 redirects", "2 attempts"),
                holds=lambda ended: (
                    ended.err == ""
                    and [seen.headers["Authorization"] for seen in ended.seen] == [BASIC] * 2
                    and json.loads((ended.home / "exchange.har").read_bytes())["log"]["version"] == "1.2"
                ),
            ),
            Case(name, f"{to} -f a=1 -L -X POST -k --select '[].name' --output names.json -s",
                 holds=lambda ended: file("names.json", b'["Ada","Bob"]\n')(ended) and body(b"a=1")(ended),
                 err=("certificates are not verified",)),
            Case(name, f"{to} --multipart a=1 --no-follow --verify no --body --headers --meta -X POST",
                 answers=(CHOICE,), exit=3, out=("HTTP/1.1 302", "connected to"), err=("not followed",),
                 holds=sent(lambda seen: b'name="a"' in seen.body)),
            Case(name, f"{to} -X GET --download --continue", answers=plain,
                 holds=lambda ended: file("x", BODY)(ended) and "Range" not in ended.seen[0].headers),
            Case(name, f"{to} -X GET --paginate --max-pages 2 --max-items 1 --no-auth --profile login",
                 holds=lambda ended: says(PEOPLE[:1])(ended) and header("Authorization", None)(ended)),
            Case(name, f"{to} --offline --profile login", out=(f"{method} /", "<token:user>"),
                 holds=lambda ended: not ended.seen),
            Case(name, f"{to} --curl --as literal --reveal --shell powershell --bearer env:API_TOKEN -H 'X-A: it’s'",
                 out=("curl.exe ", "Bearer api-token-1", "it’’s"),
                 holds=lambda ended: not ended.seen),
        ]  # fmt: skip
    return found


REQUESTS = [
    # what is sent
    Case("get", "/x Accept:text/plain X-B: X-C; q==a", holds=sent(
        lambda seen: (seen.headers["Accept"], seen.headers["X-C"], seen.query) == ("text/plain", "", [("q", "a")])
        and "X-B" not in seen.headers)),
    Case("get", "/x -H X-Tenant:", holds=header("X-Tenant", None)),
    Case("get", "/x User-Agent:", holds=header("User-Agent", None)),
    Case("get", "/x -H 'X-A: 1' -H 'X-A: 2'", holds=sent(lambda seen: seen.headers.get_all("X-A") == ["1", "2"])),
    Case("get", "/x X-A:@value q==@value", files={"value": b"text\n"}, holds=sent(
        lambda seen: (seen.headers["X-A"], seen.query) == ("text", [("q", "text")]))),
    Case("get", "/x", holds=sent(lambda seen: seen.headers["Accept"] == "*/*" and not seen.body
                                 and seen.headers["User-Agent"].startswith("forge/")
                                 and "Content-Type" not in seen.headers)),
    Case("post", "/x a=1 b:=2 'c[d][]=3' 'c[d][]:=4' 'e\\:f=g'",
         holds=document({"a": "1", "b": 2, "c": {"d": ["3", 4]}, "e:f": "g"})),
    Case("post", "/x a=@text b:=@json", files={"text": b"line\n", "json": b"[1]"},
         holds=document({"a": "line\n", "b": [1]})),
    Case("post", "/x a=1", holds=header("Accept", "application/json, */*;q=0.5")),
    Case("post", "/x", holds=sent(lambda seen: seen.body == b"" and "Content-Type" not in seen.headers)),
    Case("post", "/x @body", files={"body": b"\0\xff"}, holds=body(b"\0\xff", "application/json")),
    Case("post", "/x @a.csv", files={"a.csv": b"a,b"}, holds=body(b"a,b", "text/csv")),
    Case("post", "/x @a.csv --json", files={"a.csv": b"a,b"}, holds=body(b"a,b", "application/json")),
    Case("post", "/x @-", stdin=b"\0\xfe", holds=body(b"\0\xfe", "application/json")),
    Case("post", "/x @- Content-Type:text/csv", stdin=b"a,b", holds=body(b"a,b", "text/csv")),
    Case("post", "/x photo@photo.png", files={"photo.png": b"\x89PNG"},
         holds=sent(lambda seen: b'filename="photo.png"' in seen.body and b"image/png" in seen.body)),
    Case("post", "/x -f 'p@photo.png;type=a/b;filename=c' d=e", files={"photo.png": b"\x89PNG"},
         holds=sent(lambda seen: b'filename="c"' in seen.body and b"a/b" in seen.body and b'name="d"' in seen.body)),
    Case("post", "/x -f 'a=b c' d:=1", holds=body(b"a=b+c&d=1", "application/x-www-form-urlencoded")),
    Case("post", "/x --form a=1", holds=body(b"a=1")),
    Case("post", "/x -d 'a b'", holds=body(b"a b", "application/x-www-form-urlencoded")),
    Case("post", "/x -d a=1 -d @body --data b", files={"body": b"x"},
         holds=body(b"a=1&x&b", "application/x-www-form-urlencoded")),
    Case("post", "/x -d 1 -d 2 --json", exit=2, holds=requests(0), err=("several --data",)),
    Case("post", "/x '@v;type=text/csv'", files={"v": b"a,b"}, holds=body(b"a,b", "text/csv")),
    Case("post", "/x a=@-", stdin=b"text", holds=document({"a": "text"})),
    Case("post", "/x 'a;type=text/x=1' f@f b=2", files={"f": b"3"},
         holds=sent(lambda seen: [seen.body.index(part) for part in (b'"a"', b"text/x", b'"f"', b'"b"')]
                    == sorted(seen.body.index(part) for part in (b'"a"', b"text/x", b'"f"', b'"b"')))),
    Case("get", "/x Host:", exit=2, holds=requests(0), err=("the header Host cannot be left out",)),
    Case("post", "/x --data @body --json", files={"body": b"{}"}, holds=body(b"{}", "application/json")),
    Case("post", "/x -d @- -H content-type:text/csv", stdin=b"a,b", holds=body(b"a,b", "text/csv")),
    Case("get", "/x -q a=1 --query a=2 -q 'b=c d'",
         holds=sent(lambda seen: seen.query == [("a", "1"), ("a", "2"), ("b", "c d")])),
    Case("get", "/x -X purge -q a=b", exit=0, holds=sent(lambda seen: seen.method.upper() == "PURGE")),
    # credentials
    Case("get", "/x -u ada:password-1", holds=header("Authorization", BASIC), err=("can be seen by others",)),
    Case("get", "/x --user env:API_USER", holds=header("Authorization", BASIC)),
    Case("get", "/x -u @user", files={"user": b"ada:password-1\n"}, holds=header("Authorization", BASIC)),
    Case("get", "/x -u -", stdin=b"ada:password-1\n", holds=header("Authorization", BASIC)),
    Case("get", "/x -u ada", exit=7, holds=requests(0), err=("no password",)),
    Case("get", "/x --bearer user-token-1", holds=header("Authorization", "Bearer user-token-1"),
         err=("can be seen by others",)),
    Case("get", "/x --bearer @token", files={"token": b"t-1\n"}, holds=header("Authorization", "Bearer t-1")),
    Case("get", "/x --bearer -", stdin=b"t-1\n", holds=header("Authorization", "Bearer t-1")),
    Case("get", "/x -p login", holds=header("Authorization", "Bearer user-token-1")),
    Case("get", "/x -p login --no-auth", holds=header("Authorization", None)),
    # how it is sent
    Case("get", "/x", answers=(CHOICE, Reply(200, PEOPLE)), holds=requests(2)),
    Case("get", "/x --follow", answers=(CHOICE, Reply(200, PEOPLE)), holds=requests(2)),
    Case("get", "/x --no-follow", answers=(CHOICE,), exit=3, holds=requests(1), err=("302 Found, not followed: x?2",)),
    Case("post", "/x a=1", answers=(CHOICE,), exit=3, holds=requests(1), err=("-L follows it",)),
    Case("post", "/x a=1 -L", answers=(CHOICE, Reply(200)),
         holds=lambda ended: [seen.method for seen in ended.seen] == ["POST", "GET"]),
    Case("post", "/x a=1", answers=(Reply(307, headers={"Location": "x?2"}), Reply(200)),
         holds=lambda ended: [seen.method for seen in ended.seen] == ["POST", "POST"]),
    Case("get", "'/x?n=1' --max-redirects 2", exit=6, err=("redirect",),
         answers=(lambda seen: Reply(302, headers={"Location": f"{seen.target}1"}),)),
    Case("get", "/x --timeout 0.3 --retry 0", answers=(lambda seen: Reply(200, _slowly()),), exit=28),
    Case("get", "/x --timeout 300ms --retry 0", answers=(lambda seen: Reply(200, _slowly()),), exit=28),
    Case("get", "/x --timeout soon", exit=2, holds=requests(0), err=("500ms or 1m",)),
    Case("get", "http://127.0.0.1:1/ --connect-timeout 5 --retry 0", exit=8),
    Case("get", "http://127.0.0.1:1/ --connect-timeout 1m --retry 0", exit=8),
    Case("get", "/x -o -", answers=(Reply(200, BODY, TEXT),),
         holds=lambda ended: exactly(BODY)(ended) and not (ended.home / "-").exists()),
    Case("get", "/x --har -", exit=2, holds=lambda ended: requests(0)(ended) and not (ended.home / "-").exists(),
         err=("--format exchange",)),
    Case("get", "/x -i", exit=2, holds=requests(0), err=("--print hb",)),
    Case("get", "/x --retry 2", answers=(FAULTY, FAULTY, Reply(200, b"there", TEXT)),
         out=("there",), err=("503, retry 1 of 2 in ", " s (--retry 0)",), holds=lambda ended: ended.out == b"there"),
    Case("get", "/x", env={"FORGE_RETRY": "1"}, answers=(FAULTY,), exit=5, holds=requests(2)),
    Case("get", "/x --retry 0", env={"FORGE_RETRY": "1"}, answers=(FAULTY,), exit=5, holds=requests(1)),
    Case("post", "/x a=1 --retry 1", answers=(FAULTY,), exit=5, holds=requests(1)),
    Case("post", "/x a=1 --retry 1 --retry-unsafe", answers=(FAULTY, Reply(200)), holds=requests(2)),
    Case("get", "/x -k", err=("not verified",)),
    Case("get", "/x --insecure -s", err=("not verified",)),
    Case("get", "/x --verify not/there.pem", exit=2, holds=requests(0), err=("no such file",)),
    Case("get", "/x --cert-key key.pem", exit=2, err=("--cert",), holds=requests(0)),
    Case("get", "https://127.0.0.1:1/ --cert not/there.pem --retry 0", exit=2, err=("not/there.pem",)),
    Case("get", "http://api.example.test/{url}/x -x {url}", exit=4, holds=lambda ended: not requests(1)(ended)),
    Case("get", "/x --proxy socks5://127.0.0.1:1", exit=2, holds=requests(0)),
    # instead of it
    Case("post", "/x a=1 --offline", out=("POST /", '{"a": "1"}'), holds=requests(0)),
    Case("post", "/x a=1 --offline --print B", holds=exactly(b'{"a": "1"}\n')),
    Case("post", "/x a=1 --offline -o request --print B", holds=file("request", b'{"a": "1"}\n')),
    Case("get", "/x --offline --select a", exit=2, holds=requests(0), err=("--offline", "--select")),
    Case("get", "/x --curl", out=("curl ", "/x"), holds=requests(0)),
    Case("get", "/x --curl -p login", out=("token show", "--step user --raw"), holds=lambda ended: not ended.seen),
    Case("get", "/x --curl -p login --as env", out=("$FORGE_TOKEN",), holds=lambda ended: not ended.seen),
    Case("get", "/x --curl -p login --reveal", out=("Bearer user-token-1",)),
    Case("get", "/x --as env", exit=2, err=("--curl",)),
]  # fmt: skip

OUTPUT = [
    Case("get", "/x", holds=exactly(BODY)),
    Case("get", "/x -o people.json", holds=lambda ended: exactly(b"")(ended) and file("people.json", BODY)(ended)),
    Case("get", "/x --output no/folder", exit=9, holds=requests(0), err=("no/folder",)),
    Case("get", "/x --download", files={"x": b"mine"},
         holds=lambda ended: file("x", b"mine")(ended) and file("x (1)", BODY)(ended), err=("saved",)),
    Case("get", "/x --download", answers=(Reply(200, b"a", {"Content-Disposition": "attachment; filename=../a.txt"}),),
         holds=file("a.txt", b"a")),
    Case("get", "/x -o f --continue", files={"f.part": b"ab"},
         answers=(Reply(206, b"cd", {"Content-Range": "bytes 2-3/4"}),),
         holds=lambda ended: file("f", b"abcd")(ended) and header("Range", "bytes=2-")(ended)),
    Case("get", "/x -v", out=('"Ada"',), err=("> GET /", "> X-Tenant: a", "< HTTP/1.1 200 OK"),
         holds=lambda ended: ended.out == BODY),
    Case("get", "/x -vv -p login", holds=lambda ended: ended.out == BODY,
         err=("> [app] POST /", "> [user] POST /", "> GET /", "* connected to 127.0.0.1", "total")),
    Case("get", "/x --verbose --verbose", err=("* connected to",)),
    Case("get", "/x -s --retry 1", answers=(FAULTY,), exit=5,
         holds=lambda ended: (ended.out, ended.err) == (b"busy", "forge: 503 Service Unavailable after 2 attempts\n")),
    Case("get", "/x -ss", answers=(Reply(404, b"no"),), exit=4, holds=exactly(b"no")),
    Case("get", "/x --silent --silent", answers=(Reply(404),), exit=4, holds=exactly(b"")),
    Case("get", "/x --print h", out=("HTTP/1.1 200 OK\n",), holds=lambda ended: b"Ada" not in ended.out),
    Case("post", "/x a=1 --print HB", out=("POST /", '{"a": "1"}'), holds=lambda ended: b"Ada" not in ended.out),
    Case("get", "/x --print z", exit=2, holds=requests(0)),
    Case("get", "/x --headers", out=("HTTP/1.1 200 OK\n",), holds=lambda ended: b"Ada" not in ended.out),
    Case("get", "/x -b", holds=exactly(BODY)),
    Case("get", "/x --print bm", holds=lambda ended: ended.out.startswith(BODY + b"\nHTTP/1.1 200, 52 bytes")),
    Case("get", "/x -v", env={"FORCE_COLOR": "1"}, err=("> \x1b[1;32mGET",), holds=lambda ended: ended.out == BODY),
    Case("get", "/x --meta", out=("connected to", "first byte", "transfer", "total"),
         holds=lambda ended: b"Ada" not in ended.out),
    Case("get", "/x --pretty format", out=('[\n  {\n    "id": 1,',), holds=lambda ended: b"\x1b" not in ended.out),
    Case("get", "/x --pretty colors", out=("\x1b[",), holds=lambda ended: ended.out.count(b"\n") <= 1),
    Case("get", "/x --pretty all", out=("\x1b[", "\n  ")),
    Case("get", "/x --pretty none", env={"FORCE_COLOR": "1"}, holds=exactly(BODY)),
    Case("get", "/x", env={"FORCE_COLOR": "1"}, holds=exactly(BODY)),
    Case("get", "/x --print b", env={"FORCE_COLOR": "1"}, out=("\x1b[",)),
    Case("get", "/x --pretty auto --print b", env={"FORCE_COLOR": "1", "NO_COLOR": "1"}, holds=exactly(BODY)),
    Case("get", "/x --format json", answers=(Reply(200, b'{"b":1.50,"b":2}'),),
         holds=exactly(b'{\n  "b": 1.50,\n  "b": 2\n}\n')),
    Case("get", "/x --format yaml", out=("- id: 1\n  name: Ada\n",)),
    Case("get", "/x --format table", out=("id", "name", "Ada", "Bob"), holds=lambda ended: b"{" not in ended.out),
    Case("get", "/x --format ndjson", holds=exactly(b'{"id":1,"name":"Ada"}\n{"id":2,"name":"Bob"}\n')),
    Case("get", "/x --format exchange", holds=lambda ended: (
        list(found := json.loads(ended.out))
        == ["request", "status", "reason", "headers", "body", "elapsed_ms", "attempts", "redirects"]
        and list(found["request"]) == ["method", "url", "headers"]
        and (found["status"], found["reason"], found["body"], found["attempts"]) == (200, "OK", PEOPLE, 1))),
    Case("get", "/x --format exchange", answers=(Reply(200, b"\0\xff"),), out=('"body_base64": "AP8="',)),
    Case("get", "/x --format nonsense", exit=2, holds=requests(0)),
    Case("get", "/x --select '[0].name'", holds=exactly(b"Ada\n")),
    Case("get", "/x --select '[0]'", holds=exactly(b'{"id":1,"name":"Ada"}\n')),
    Case("get", "/x --select 'nothing'", holds=exactly(b"null\n")),
    Case("get", "/x --select a", answers=(Reply(200, b'{"a":1.10}\n{"a":"b"}\n', TEXT),), holds=exactly(b"1.10\nb\n")),
    Case("get", "/x --select status --format exchange", holds=exactly(b"200\n")),
    Case("get", "/x --select '[0'", exit=2, holds=requests(0), err=("--select",)),
    Case("get", "/x --stream", holds=exactly(BODY)),
    Case("get", "/x --expect body:/0/name==Ada --expect 'header:content-type~=json' --expect 'elapsed<50s'",
         holds=exactly(BODY)),
    Case("get", "/x --expect body:/0/id==2 --expect status==201", exit=12, holds=lambda ended: ended.out == BODY,
         err=("expected body:/0/id==2, got 1", "expected status==201, got 200")),
    Case("get", "/x --expect status==404", answers=(Reply(404),), holds=exactly(b"")),
    Case("get", "/x --expect body==gone", answers=(Reply(404, b"gone"),), exit=4),
    Case("get", "/x --expect nonsense", exit=2, holds=requests(0)),
    Case("get", "/x --no-check-status", answers=(Reply(500, b"no"),), env={"FORGE_RETRY": "0"}, holds=exactly(b"no")),
    Case("get", "/x --har x.har --bearer env:API_TOKEN", holds=lambda ended: (
        "api-token-1" not in (har := (ended.home / "x.har").read_text())
        and json.loads(har)["log"]["entries"][0]["response"]["status"] == 200)),
    Case("get", "/x --har x.har", answers=(Reply(200, b"x" * 10485761, TEXT),), holds=lambda ended: (
        "and an archive holds bodies of up to 10 MiB" in (ended.home / "x.har").read_text())),
    Case("get", "/x --har no/folder", exit=9, holds=requests(0)),
    Case("get", "/x --paginate", answers=(
        Reply(200, [1, 2], {"Link": '<x?page=2>; rel="next"', "Content-Type": "application/json"}), Reply(200, [3])),
        holds=says([1, 2, 3])),
    Case("get", "/x --paginate --format ndjson --max-items 2", answers=(
        Reply(200, [1], {"Link": '<x?page=2>; rel="next"', "Content-Type": "application/json"}), Reply(200, [2, 3])),
        holds=exactly(b"1\n2\n")),
    Case("get", "/x --paginate --max-pages 1", answers=(
        Reply(200, [1], {"Link": '<x?page=2>; rel="next"', "Content-Type": "application/json"}),),
        holds=lambda ended: says([1])(ended) and requests(1)(ended)),
    Case("get", "/x", answers=(Reply(304),), holds=exactly(b"")),
]  # fmt: skip


def _slowly() -> Any:
    """A body of which nothing comes but its beginning, until the reader has gone."""
    while True:
        yield b" "


def _curl_options() -> list[Case]:
    nothing: Callable[[Ended], bool] = lambda ended: not ended.seen  # noqa: E731  # shorter than a function here
    return [
        Case("curl", f"POST /x {HERE} -H 'X-A: 1' --json a=1 -q k=v --bearer env:API_TOKEN --timeout 30 "
             "--connect-timeout 5 --retry 0 --retry-unsafe -L --max-redirects 2 -k --as forge -s",
             out=("'X-A: 1'", "X-Tenant: b", '{"a": "1"}', "k=v", '"Authorization: Bearer $API_TOKEN"', "--max-time 30",
                  "--max-redirs 2"), holds=nothing),
        Case("curl", "GET /x -X PUT -d x -u env:API_USER --proxy http://127.0.0.1:1 --no-follow --shell posix "
             "--cert c.pem --cert-key k.pem --verify yes", files={"c.pem": b"", "k.pem": b""},
             out=("PUT", "http://127.0.0.1:1", "c.pem", "k.pem", "$API_USER"), holds=nothing),
        Case("curl", "POST /x -f a=1 -p login --no-auth", out=("a=1",),
             holds=lambda ended: b"token" not in ended.out),
        Case("curl", "POST /x --multipart a=1 --shell powershell", out=("curl.exe", "a=1"), holds=nothing),
        Case("curl", "GET /x --reveal --bearer env:API_TOKEN", out=("Bearer api-token-1",), holds=nothing),
        Case("curl", "--import 'curl -d a=1 https://api.example.com/users'",
             out=("forge post https://api.example.com/users",), holds=nothing),
        Case("curl", "--import - --as-profile example", stdin=b"curl https://api.example.com/users\n",
             out=("forge get /users",),
             holds=lambda ended: "[profiles.example]" in (ended.home / "forge" / "profiles.toml").read_text()),
    ]  # fmt: skip


def _stored(ended: Ended) -> bytes:
    return b"".join(path.read_bytes() for path in (ended.home / "forge" / "tokens").glob("*.toml"))


REFRESH = ("token refresh -p login -s",)
LOGIN = HERE.replace("--profile api", "--profile login")
TOKENS = [
    Case("token show", f"--json --step user -s {LOGIN}", before=REFRESH, holds=lambda ended: (
        [row["step"] for row in json.loads(ended.out)] == ["user"] and "user-token-1" not in ended.text)),
    Case("token show", "--reveal -p login", before=REFRESH, out=("user-token-1",)),
    Case("token show", "-p login", out=(), holds=lambda ended: ended.seen == []),
    Case("token show", "--decode -p login", before=REFRESH, exit=2, err=("opaque",)),
    Case("token show", "--raw --timeout 20 -p login", holds=lambda ended: ended.out == b"user-token-1\n"),
    Case("token show", "--header -p login", holds=lambda ended: ended.out == b"Authorization: Bearer user-token-1\n"),
    Case("token show", "--header authorization -p login", holds=lambda ended: ended.out == b"Bearer user-token-1\n"),
    Case("token show", "--env -p login", out=("export FORGE_TOKEN=user-token-1\n",)),
    Case("token refresh", f"--step user --only --yes --timeout 20 -s {LOGIN}", before=REFRESH,
         holds=lambda ended: [seen.path[-4:] for seen in ended.seen] == ["/app", "user", "user"]),
    Case("token refresh", "--all -p login", before=REFRESH, holds=lambda ended: len(ended.seen) == 4),
    Case("token login", f"--no-browser --step user --yes --timeout 20 -s {LOGIN}"),
    Case("token status", f"--json -s {LOGIN}", out=('"ready": true',), holds=lambda ended: not ended.seen),
    Case("token list", f"--json -s {LOGIN}", before=REFRESH, out=("login", "user")),
    Case("token clear", f"--step app --revoke --timeout 20 -s {LOGIN}", before=REFRESH,
         holds=lambda ended: ended.seen[-1].path.endswith("/revoke") and b"-token-1" not in _stored(ended)),
    Case("token clear", "--all-profiles", before=REFRESH, holds=lambda ended: b"-token-1" not in _stored(ended)),
    Case("token exec", f"--step user --timeout 20 -s {LOGIN} -- sh -c 'echo $FORGE_TOKEN; exit 9'", exit=9,
         holds=lambda ended: ended.out == b"user-token-1\n"),
    Case("token explain", f"--json --timeout 20 -s {LOGIN}", out=('"app"', '"user"'),
         holds=lambda ended: not ended.seen),
    Case("token explain", "--trace -p login", out=("app", "user", "200"),
         holds=lambda ended: len(ended.seen) == 2 and b"user-token-1" not in ended.out),
]  # fmt: skip

PROJECT = {".forge.toml": b'[profiles.o]\nbase_url = "{url}/y"\n'}
OTHERS = [
    Case("profile add", f"--list --json -s {HERE}", out=('"',), holds=lambda ended: bool(json.loads(ended.out))),
    Case("profile add", "--show github-app", out=("[recipe]", "GitHub")),
    Case("profile add", "gh --from github-app --var app_id=1 --var installation_id=2 --set private_key=env:APP_KEY",
         holds=lambda ended: "[profiles.gh]" in (ended.home / "forge" / "profiles.toml").read_text()),
    Case("profile add", "shop --from-curl --extract step1.token=/token 'curl {url}/user -d a=1'",
         holds=lambda ended: "[profiles.shop]" in (ended.home / "forge" / "profiles.toml").read_text()),
    Case("profile init", "new --base-url https://api.example.com --auth oauth2 --token-url /t -s --config "
         "forge/profiles.toml --no-project --no-input --debug",
         holds=lambda ended: 'token_url = "/t"' in (ended.home / "forge" / "profiles.toml").read_text()),
    Case("profile init", "--profile new --base-url https://api.example.com --auth none --var a=b", out=("new",)),
    Case("profile list", f"--json -s {HERE}", out=('"login"',)),
    Case("profile show", f"--expand --json -s {HERE}", out=('"base_url"',)),
    Case("profile validate", f"-s {HERE}"),
    Case("profile schema", f"-s {HERE}", holds=lambda ended: "properties" in json.loads(ended.out)),
    Case("profile path", f"--json -s {HERE}", out=("profiles.toml",)),
    Case("demo", f"--serve {HERE}", interrupt=True, exit=130, out=("The API listens on",)),
    Case("doctor", f"--json {HERE}", holds=lambda ended: bool(json.loads(ended.out))),
    Case("completion", f"bash {HERE}", out=("complete",)),
    Case("trust", f"--yes -s {HERE}", files=PROJECT, out=(".forge.toml",)),
    Case("trust", "", files=PROJECT, exit=2, err=("--yes",)),
    Case("trust", "--revoke", files=PROJECT, before=("trust --yes",), out=(".forge.toml",)),
    Case("trust", "--list", files=PROJECT, before=("trust --yes",), out=(".forge.toml",)),
    Case("get", "/x", files=PROJECT, before=("trust --yes",), exit=4,
         holds=sent(lambda seen: seen.path.endswith("/y/x"))),
    # options before the command
    Case("", f"{HERE} get /x", holds=header("X-Tenant", "b")),
    Case("", "--version", out=("forge ",)),
    Case("", "-p login get /x", holds=header("Authorization", "Bearer user-token-1")),
    Case("", "get /x", env={"FORGE_PROFILE": "login"}, holds=header("Authorization", "Bearer user-token-1")),
    Case("", "get /x -p api", env={"FORGE_PROFILE": "login"}, holds=header("Authorization", None)),
    Case("", "get /x --config other.toml", files={"other.toml": b'[profiles.o]\nbase_url = "{url}/y"\n'}, exit=4,
         holds=sent(lambda seen: seen.path.endswith("/y/x"))),
    Case("", "get /x", env={"FORGE_CONFIG": "other.toml"}, exit=4,
         files={"other.toml": b'[profiles.o]\nbase_url = "{url}/y"\n'},
         holds=sent(lambda seen: seen.path.endswith("/y/x"))),
    Case("", "get /x", files={".forge.toml": b"[profiles.o]\n"}, exit=2, holds=requests(0), err=("trust",)),
    Case("", "get /x --no-project", files={".forge.toml": b"[profiles.o]\n"}, holds=requests(1)),
    Case("", "get http://api.example.test/x", env={"http_proxy": "{url}"}, exit=4),
    Case("", "get http://api.example.test/x", env={"ALL_PROXY": "{url}"}, exit=4),
    Case("", "get /x", env={"HTTP_PROXY": "http://127.0.0.1:1", "NO_PROXY": "127.0.0.1"}, holds=requests(1)),
    Case("", "get /x -x '' --retry 0", env={"HTTP_PROXY": "http://127.0.0.1:1"}, holds=requests(1)),
    Case("", "get /x --retry 0", env={"HTTP_PROXY": "http://127.0.0.1:1"}, exit=8, holds=requests(0)),
    Case("", "get /x -p login -s", env={"FORGE_TOKEN_STORAGE": "memory"}, holds=lambda ended: _stored(ended) == b""),
    Case("", "get /nonsense", env={"FORGE_ERRORS": "json"}, exit=4, holds=lambda ended: (
        list(json.loads(ended.err)) == ["exit", "kind", "step", "retryable", "message", "hint"])),
    Case("", "get /x --var", exit=2, holds=requests(0)),
    Case("", "get /x --debug --expect", exit=2, holds=requests(0)),
    Case("run", "--list -s", out=("people", "GET", "/x")),
    Case("run", "--list --json", holds=lambda ended: json.loads(ended.out)[0]["name"] == "people"),
    Case("run", "peopel", exit=2, err=("nearest: people",), holds=requests(0)),
]  # fmt: skip


def _results(ended: Ended) -> list[Any]:
    return [json.loads(line) for line in ended.out.splitlines()]


TWO = {"two": b'/x?n=1\n{"url": "/x?n=2", "id": "b"}\n'}
BATCH = [
    Case("batch", f"two {HERE} --jobs 1 -H 'X-A: 1' -q k=v --bearer env:API_TOKEN --timeout 30 --connect-timeout 20 "
         "--retry 0 --retry-unsafe --verify yes --cert pair.pem --cert-key key.pem --proxy '' --max-redirects 3 -L -s "
         "--report r.json --expect status==200", files=TWO, holds=lambda ended: (
             [(each["status"], each["body"]) for each in _results(ended)] == [(200, PEOPLE)] * 2
             and [seen.query for seen in ended.seen] == [[("n", n), ("k", "v")] for n in "12"]
             and header("X-A", "1")(ended) and header("Authorization", "Bearer api-token-1")(ended)
             and ended.err == "" and bool(json.loads((ended.home / "r.json").read_text())))),
    Case("batch", "two --unordered --select '[0].name' -k", files=TWO, err=("not verified",),
         holds=lambda ended: [each["body"] for each in _results(ended)] == ["Ada"] * 2),
    Case("batch", "rows.csv --template '/x?n={n}' --rate 1000/s --shard 1/1 -u env:API_USER",
         files={"rows.csv": b"n\n1\n2\n"},
         holds=lambda ended: sorted(seen.query for seen in ended.seen) == [[("n", "1")], [("n", "2")]]
         and header("Authorization", BASIC)(ended)),
    Case("batch", "two --resume done --no-auth -p login", files=TWO | {"done": b'{"id": "b", "status": 200}\n'},
         holds=lambda ended: [seen.query for seen in ended.seen] == [[("n", "1")]]
         and b'"status": 200' in (ended.home / "done").read_bytes().replace(b'":2', b'": 2')),
    Case("batch", "two --no-follow", files=TWO, answers=(CHOICE,), exit=3),
    Case("batch", "two --no-check-status", files=TWO, answers=(Reply(404),),
         holds=lambda ended: [each["status"] for each in _results(ended)] == [404] * 2),
    Case("batch", "two --jobs 1 -v --retry 1", files=TWO, answers=(FAULTY, Reply(200, b"there", TEXT)),
         err=("503, retry 1 of 1 in ",), holds=lambda ended: [each["status"] for each in _results(ended)] == [200] * 2),
    Case("batch", "- -s", stdin=b"/x\n", holds=lambda ended: _results(ended)[0]["status"] == 200),
]  # fmt: skip

PIPE = [*_every_send_command(), *REQUESTS, *OUTPUT, *_curl_options(), *TOKENS, *OTHERS, *BATCH]
