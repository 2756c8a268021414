"""The commands that send a request, run as a user runs them against a real server."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Forge
from tests.server import Reply, Seen, Server

VERBS = ["get", "post", "put", "patch", "delete", "head", "options"]
BEARER = """
[profiles.api]
base_url = "{url}"
headers = {{ X-Team = "blue" }}
query = {{ locale = "en" }}
auth = {{ type = "bearer", token = "user-token-1" }}
"""


@pytest.fixture
def api(server: Server, profile_file: Callable[[str], Path]) -> Server:
    """A server with a profile that sends a bearer token."""
    profile_file(BEARER.format(url=server.url))
    return server


def echo(request: Seen) -> Reply:
    return Reply(200, {"method": request.method, "body": request.body.decode("utf-8", "replace")})


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_sends_its_method(forge: Forge, server: Server, verb: str) -> None:
    result = forge(verb, server.reply("/x", Reply(200, "hello")))
    assert (result.exit_code, result.stderr) == (0, "")
    assert [seen.method for seen in server.seen] == [verb.upper()]
    assert result.stdout == ("" if verb == "head" else "hello")


def test_request_sends_any_method(forge: Forge, server: Server) -> None:
    assert forge("request", "PURGE", server.reply("/x", Reply())).exit_code == 0
    assert server.seen[0].method == "PURGE"


def test_x_changes_the_method(forge: Forge, server: Server) -> None:
    assert forge("get", "-X", "POST", server.reply("/x", Reply())).exit_code == 0
    assert server.seen[0].method == "POST"


def test_items_become_headers_query_and_json(forge: Forge, server: Server) -> None:
    url = server.reply("/x", Reply())
    words = ["X-Trace:abc", "state==active", "name=Ada", "admin:=true", "tags[]=a", "tags[]=b"]
    assert forge("post", url, *words).exit_code == 0
    [seen] = server.seen
    assert seen.headers["X-Trace"] == "abc"
    assert seen.query == [("state", "active")]
    assert seen.json() == {"name": "Ada", "admin": True, "tags": ["a", "b"]}
    assert seen.headers["Content-Type"] == "application/json"
    assert seen.headers["Accept"] == "application/json, */*;q=0.5"


def test_a_get_says_no_content_type(forge: Forge, server: Server) -> None:
    assert forge("get", server.reply("/x", Reply())).exit_code == 0
    assert server.seen[0].headers["Content-Type"] is None
    assert server.seen[0].headers["Accept"] == "*/*"
    assert server.seen[0].headers["User-Agent"].startswith("forge/")


def test_f_makes_a_form(forge: Forge, server: Server) -> None:
    assert forge("post", server.reply("/x", Reply()), "-f", "name=Ada Lovelace", "n:=1").exit_code == 0
    assert server.seen[0].form == [("name", "Ada Lovelace"), ("n", "1")]
    assert server.seen[0].headers["Content-Type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize("options", [[], ["-f"]], ids=["alone", "with -f"])
def test_a_file_item_makes_the_body_multipart(forge: Forge, server: Server, options: list[str]) -> None:
    Path("a.txt").write_text("first")
    Path("b.txt").write_text("second")
    url = server.reply("/x", Reply())
    assert forge("post", url, *options, "name=Ada", "doc@a.txt;type=text/plain", "doc@b.txt").exit_code == 0
    [seen] = server.seen
    assert seen.headers.get_content_type() == "multipart/form-data"
    for text in (b'name="name"\r\n\r\nAda', b'filename="a.txt"\r\nContent-Type: text/plain\r\n\r\nfirst', b"second"):
        assert text in seen.body


def test_multipart_needs_no_file(forge: Forge, server: Server) -> None:
    assert forge("post", server.reply("/x", Reply()), "--multipart", "name=Ada").exit_code == 0
    assert server.seen[0].headers.get_content_type() == "multipart/form-data"
    assert b'name="name"\r\n\r\nAda' in server.seen[0].body


def test_a_file_is_the_body_as_it_is(forge: Forge, server: Server) -> None:
    Path("body.json").write_bytes(b'{"a" : 1}\n')
    assert forge("put", server.reply("/x", Reply()), "@body.json").exit_code == 0
    assert server.seen[0].body == b'{"a" : 1}\n'
    assert server.seen[0].headers["Content-Type"] == "application/json"


def test_headers_of_options_repeat_empty_and_leave_out(forge: Forge, server: Server) -> None:
    url = server.reply("/x", Reply())
    assert forge("get", url, "-H", "A: 1", "-H", "A: 2", "-H", "Empty;", "-H", "Accept:").exit_code == 0
    headers = server.seen[0].headers
    assert headers.get_all("A") == ["1", "2"]
    assert headers["Empty"] == ""
    assert headers["Accept"] is None


def test_q_adds_to_the_query(forge: Forge, server: Server) -> None:
    url = server.reply("/x", Reply())
    assert forge("get", f"{url}?a=1", "-q", "b=2 3", "-q", "b=é").exit_code == 0
    assert server.seen[0].query == [("a", "1"), ("b", "2 3"), ("b", "é")]


@pytest.mark.parametrize(
    ("options", "content_type"),
    [
        ([], "application/x-www-form-urlencoded"),
        (["--json"], "application/json"),
        (["-H", "Content-Type: text/csv"], "text/csv"),
    ],
    ids=["as in curl", "--json", "a header"],
)
def test_d_is_the_body_as_it_is(forge: Forge, server: Server, options: list[str], content_type: str) -> None:
    assert forge("post", server.reply("/x", Reply()), "-d", "a=1&b", *options).exit_code == 0
    assert server.seen[0].body == b"a=1&b"
    assert server.seen[0].headers["Content-Type"] == content_type


def test_d_reads_a_file_or_standard_input(forge: Forge, server: Server) -> None:
    url = server.reply("/x", Reply())
    Path("body.bin").write_bytes(b"\0\xff")
    assert forge("post", url, "-d", "@body.bin").exit_code == 0
    assert forge("post", url, "-d", "@-", input=b"\xfe\0").exit_code == 0
    assert [seen.body for seen in server.seen] == [b"\0\xff", b"\xfe\0"]


def test_standard_input_is_read_only_when_asked(forge: Forge, server: Server) -> None:
    url = server.reply("/x", echo)
    assert json.loads(forge("get", url).stdout)["method"] == "GET"
    assert json.loads(forge("post", url, "@-", input='{"a": 1}').stdout)["body"] == '{"a": 1}'


@pytest.mark.parametrize(
    "words",
    [["--bearer", "-", "-d", "@-"], ["-u", "-", "@-"], ["@-", "-d", "@-"]],
    ids=["bearer and data", "user and body", "two bodies"],
)
def test_only_one_option_reads_standard_input(forge: Forge, server: Server, words: list[str]) -> None:
    result = forge("post", server.url, *words, input="a:b")
    assert result.exit_code == 2
    assert server.seen == []


@pytest.mark.parametrize(
    ("given", "input", "warns"),
    [
        ("ada:user-password-1", None, True),
        ("env:LOGIN", None, False),
        ("@login", None, False),
        ("-", "ada:user-password-1\n", False),
    ],
    ids=["literal", "environment", "file", "standard input"],
)
def test_user_is_basic_authentication(forge: Forge, server: Server, given: str, input: str | None, warns: bool) -> None:
    Path("login").write_text("ada:user-password-1\n")
    url = server.reply("/x", Reply())
    result = forge("get", url, "-u", given, "-v", input=input, env={"LOGIN": "ada:user-password-1"})
    assert result.exit_code == 0
    assert server.seen[0].headers["Authorization"] == "Basic YWRhOnVzZXItcGFzc3dvcmQtMQ=="
    assert ("can be seen by others" in result.stderr) is warns
    assert "user-password-1" not in result.stderr
    assert "YWRhOnVzZXItcGFzc3dvcmQtMQ" not in result.stderr


@pytest.mark.parametrize(
    ("given", "input"),
    [("user-token-1", None), ("env:TOKEN", None), ("@token", None), ("-", "user-token-1\n")],
    ids=["literal", "environment", "file", "standard input"],
)
def test_bearer_takes_a_token_from_anywhere(forge: Forge, server: Server, given: str, input: str | None) -> None:
    Path("token").write_text("user-token-1\r\n")
    url = server.reply("/x", Reply())
    result = forge("get", url, "--bearer", given, "-v", input=input, env={"TOKEN": "user-token-1"})
    assert result.exit_code == 0
    assert server.seen[0].headers["Authorization"] == "Bearer user-token-1"
    assert "user-token-1" not in result.stderr


@pytest.mark.parametrize(
    ("words", "say"),
    [
        (["-u", "env:NOT_THERE"], "NOT_THERE is not set"),
        (["--bearer", "@not-there"], "cannot read 'not-there'"),
        (["-u", "a:b", "--bearer", "t"], "cannot go together"),
        (["-u", "env:NO_COLON"], "not USER:PASS"),
        (["--bearer", "@binary"], "not UTF-8"),
        (["--bearer", ""], "--bearer: the credential is empty"),
        (["--bearer", " "], "--bearer: the credential is empty"),
        (["--bearer", "env:EMPTY"], "--bearer: the credential is empty"),
        (["--bearer", "@empty"], "--bearer: the credential is empty"),
        (["-u", ""], "--user: the credential is empty"),
        (["-u", ":"], "--user: the credential is empty"),
        (["-u", "env:EMPTY"], "--user: the credential is empty"),
        (["-u", "env:COLON"], "--user: the credential is empty"),
        (["-u", "ada:@empty"], "--user: the credential is empty"),
    ],
    ids=str,
)
def test_a_credential_that_is_not_there_stops_before_the_request(
    forge: Forge, server: Server, words: list[str], say: str
) -> None:
    Path("binary").write_bytes(b"user-\xff-token")
    Path("empty").write_text("\n")
    env = {"NO_COLON": "user-token-1", "EMPTY": "", "COLON": ":"}
    result = forge("get", f"{server.url}/x", *words, env=env)
    assert (result.exit_code, server.seen) == (2, [])
    assert say in result.stderr
    assert "user-token-1" not in result.stderr


@pytest.mark.parametrize(("given", "sent"), [("ada:", "Basic YWRhOg=="), (":pass-word-1", "Basic OnBhc3Mtd29yZC0x")])
def test_half_of_a_user_and_password_may_be_empty(forge: Forge, server: Server, given: str, sent: str) -> None:
    assert forge("get", server.reply("/x", Reply()), "-u", given).exit_code == 0
    assert server.seen[0].headers["Authorization"] == sent


@pytest.mark.parametrize(
    ("words", "env", "names"),
    [
        (["-x", "socks5://u:user-pass-1@127.0.0.1:9"], {}, "--proxy: socks5"),
        ([], {"ALL_PROXY": "socks5h://u:user-pass-1@127.0.0.1:9"}, "ALL_PROXY: socks5h"),
        ([], {"http_proxy": "ftp://127.0.0.1:9"}, "http_proxy: ftp"),
    ],
    ids=["option", "ALL_PROXY", "http_proxy"],
)
def test_a_proxy_that_speaks_no_http_is_named(
    forge: Forge, server: Server, words: list[str], env: dict[str, str], names: str
) -> None:
    result = forge("get", f"{server.url}/x", *words, env=env)
    assert (result.exit_code, server.seen) == (2, [])
    assert f"forge: {names} proxies are not supported\n" in result.stderr
    assert "user-pass-1" not in result.stderr


def test_a_password_is_asked_for_only_on_a_terminal(forge: Forge, server: Server) -> None:
    result = forge("get", f"{server.url}/x", "-u", "ada")
    assert (result.exit_code, server.seen) == (7, [])
    assert "--user env:NAME" in result.stderr


def test_a_profile_gives_base_url_headers_query_and_credential(forge: Forge, api: Server) -> None:
    api.reply("/users", Reply())
    assert forge("get", "/users", "a==1").exit_code == 0
    [seen] = api.seen
    assert seen.headers["Authorization"] == "Bearer user-token-1"
    assert seen.headers["X-Team"] == "blue"
    assert seen.query == [("locale", "en"), ("a", "1")]


@pytest.mark.parametrize("place", ["before", "after"])
def test_global_options_stand_before_or_after_the_command(
    forge: Forge, server: Server, profile_file: Callable[[str], Path], place: str
) -> None:
    profile_file(
        f'default_profile = "other"\n[profiles.other]\nbase_url = "http://127.0.0.1:1"\n'
        f'[profiles.api]\nbase_url = "{server.url}/${{vars.tenant}}"\nvars = {{ tenant = "a" }}\n'
    )
    server.reply("/b/x", Reply())
    options = ["-p", "api", "--var", "tenant=b"]
    words = [*options, "get", "/x"] if place == "before" else ["get", "/x", *options]
    assert forge(*words).exit_code == 0


def test_no_auth_sends_no_credential(forge: Forge, api: Server) -> None:
    api.reply("/users", Reply())
    assert forge("get", "/users", "--no-auth").exit_code == 0
    assert api.seen[0].headers["Authorization"] is None
    assert api.seen[0].headers["X-Team"] == "blue"


@pytest.mark.parametrize(
    ("words", "sent"),
    [
        (["--bearer", "user-token-2"], "Bearer user-token-2"),
        (["-u", "ada:pass-word-1"], "Basic YWRhOnBhc3Mtd29yZC0x"),
        (["-H", "Authorization: Custom x-y-z"], "Custom x-y-z"),
        (["Authorization:Custom x-y-z"], "Custom x-y-z"),
    ],
    ids=["--bearer", "-u", "-H", "item"],
)
def test_what_is_said_explicitly_beats_the_profile(forge: Forge, api: Server, words: list[str], sent: str) -> None:
    api.reply("/users", Reply())
    assert forge("get", "/users", *words).exit_code == 0
    assert api.seen[0].headers.get_all("Authorization") == [sent]


def test_a_foreign_url_gets_nothing_of_the_profile_and_says_so(forge: Forge, api: Server, other_server: Server) -> None:
    url = other_server.reply("/x", Reply())
    result = forge("get", url, "-p", "api")
    assert result.exit_code == 0
    [seen] = other_server.seen
    assert (seen.headers["Authorization"], seen.headers["X-Team"], seen.query) == (None, None, [])
    assert "not of this profile's origins" in result.stderr


def test_a_foreign_url_gets_no_correlation_id_and_is_verified(
    forge: Forge, server: Server, other_server: Server, profile_file: Callable[[str], Path]
) -> None:
    profile_file(f'[profiles.api]\nbase_url = "{server.url}"\nverify = false\ncorrelation_id = "X-Request-Id"\n')
    result = forge("get", other_server.reply("/x", Reply()))
    assert result.exit_code == 0
    assert other_server.seen[0].headers["X-Request-Id"] is None
    assert "certificates are not verified" not in result.stderr


class TestRedirects:
    """Which are followed, and what is said about those that are not."""

    def test_a_get_follows(self, forge: Forge, server: Server) -> None:
        url = server.reply("/old", Reply(301, headers={"Location": "/new"}))
        server.reply("/new", Reply(200, "there"))
        assert forge("get", url).stdout == "there"

    def test_no_follow_is_exit_3_and_names_the_location(self, forge: Forge, server: Server) -> None:
        url = server.reply("/old", Reply(302, "moved", headers={"Location": "/new"}))
        result = forge("get", url, "--no-follow")
        assert (result.exit_code, result.stdout) == (3, "moved")
        assert result.stderr == "forge: 302 Found, not followed: /new\n  -L follows it\n"

    @pytest.mark.parametrize("status", [301, 302])
    def test_a_post_is_not_turned_into_a_get(self, forge: Forge, server: Server, status: int) -> None:
        url = server.reply("/old", Reply(status, headers={"Location": "/new"}))
        result = forge("post", url, "a=1")
        assert result.exit_code == 3
        assert "not followed: /new\n  -L follows it" in result.stderr

    def test_l_turns_a_post_into_a_get(self, forge: Forge, server: Server) -> None:
        url = server.reply("/old", Reply(301, headers={"Location": "/new"}))
        server.reply("/new", echo)
        assert json.loads(forge("post", url, "-L", "a=1").stdout) == {"method": "GET", "body": ""}

    def test_l_follows_where_the_profile_does_not(
        self, forge: Forge, server: Server, profile_file: Callable[[str], Path]
    ) -> None:
        profile_file(f'[profiles.api]\nbase_url = "{server.url}"\nredirects = 0\n')
        server.reply("/old", Reply(301, headers={"Location": "/new"}))
        server.reply("/new", Reply())
        assert forge("get", "/old").exit_code == 3
        assert forge("get", "/old", "-L").exit_code == 0

    def test_too_many_are_exit_6(self, forge: Forge, server: Server) -> None:
        url = server.reply("/a", Reply(302, headers={"Location": "/b"}))
        server.reply("/b", Reply(302, headers={"Location": "/c"}))
        result = forge("get", url, "--max-redirects", "1")
        assert result.exit_code == 6
        assert "more than 1 redirects" in result.stderr

    def test_a_circle_is_exit_6(self, forge: Forge, server: Server) -> None:
        url = server.reply("/a", Reply(302, headers={"Location": "/a"}))
        result = forge("get", url)
        assert result.exit_code == 6
        assert "circle" in result.stderr

    def test_max_redirects_0_follows_none(self, forge: Forge, server: Server) -> None:
        url = server.reply("/a", Reply(302, headers={"Location": "/b"}))
        assert forge("get", url, "--max-redirects", "0").exit_code == 3

    def test_a_304_is_a_success(self, forge: Forge, server: Server) -> None:
        assert forge("get", server.reply("/a", Reply(304))).exit_code == 0

    @pytest.mark.parametrize("words", [[], ["-u", "ada:pass-word-1"], ["--bearer", "user-token-2"]], ids=str)
    def test_a_401_elsewhere_is_exit_4_and_names_origins(
        self, forge: Forge, api: Server, other_server: Server, words: list[str]
    ) -> None:
        api.reply("/a", Reply(302, headers={"Location": other_server.reply("/b", Reply(401))}))
        result = forge("get", "/a", *words)
        assert result.exit_code == 4
        assert "see `origins` in the profile" in result.stderr
        assert other_server.seen[0].headers["Authorization"] is None
        assert len(api.seen) == 1


class TestRetries:
    """What is repeated, what is said meanwhile, and what is left at the end."""

    @pytest.fixture
    def quick(self, server: Server, profile_file: Callable[[str], Path]) -> Server:
        """A server and a profile that waits for nothing."""
        profile_file(f'[profiles.api]\nbase_url = "{server.url}"\nretry = {{ base_delay = 0 }}\n')
        return server

    def test_each_wait_is_announced_and_only_the_last_body_comes(self, forge: Forge, quick: Server) -> None:
        quick.reply("/x", Reply(503, "no"), Reply(503, "no"), Reply(200, "yes"))
        result = forge("get", "/x")
        assert (result.exit_code, result.stdout) == (0, "yes")
        assert result.stderr == (
            "forge: 503, retry 1 of 3 in 0 s (--retry 0)\nforge: 503, retry 2 of 3 in 0 s (--retry 0)\n"
        )

    def test_the_last_answer_is_the_result(self, forge: Forge, quick: Server) -> None:
        quick.reply("/x", Reply(503, "no"))
        result = forge("get", "/x", "-s")
        assert (result.exit_code, result.stdout, len(quick.seen)) == (5, "no", 4)
        assert result.stderr == "forge: 503 Service Unavailable after 4 attempts\n"

    @pytest.mark.parametrize("how", ["option", "variable"])
    def test_the_number_of_retries_is_chosen(self, forge: Forge, quick: Server, how: str) -> None:
        quick.reply("/x", Reply(503))
        result = forge("get", "/x", *(["--retry", "1"] if how == "option" else []), env={"FORGE_RETRY": "1"})
        assert (result.exit_code, len(quick.seen)) == (5, 2)
        assert "retry 1 of 1" in result.stderr

    def test_retry_keeps_what_else_the_profile_says(
        self, forge: Forge, server: Server, profile_file: Callable[[str], Path]
    ) -> None:
        profile_file(
            f'[profiles.api]\nbase_url = "{server.url}"\n'
            "retry = { base_delay = 0, statuses = [500], max_retries = 9 }\n"
        )
        server.reply("/x", Reply(500))
        server.reply("/y", Reply(503))
        assert forge("get", "/x", "--retry", "1").exit_code == 5
        assert forge("get", "/y", "--retry", "1").exit_code == 5
        assert (len(server.seen_at("/x")), len(server.seen_at("/y"))) == (2, 1)

    def test_retry_0_asks_once(self, forge: Forge, quick: Server) -> None:
        quick.reply("/x", Reply(503))
        assert forge("get", "/x", "--retry", "0").exit_code == 5
        assert len(quick.seen) == 1

    def test_a_bad_forge_retry_is_exit_2(self, forge: Forge, quick: Server) -> None:
        result = forge("get", "/x", env={"FORGE_RETRY": "many"})
        assert (result.exit_code, quick.seen) == (2, [])
        assert "FORGE_RETRY" in result.stderr

    def test_a_post_is_not_repeated_unless_asked(self, forge: Forge, quick: Server) -> None:
        quick.reply("/x", Reply(503))
        assert forge("post", "/x", "a=1").exit_code == 5
        assert len(quick.seen) == 1
        assert forge("post", "/x", "a=1", "--retry-unsafe").exit_code == 5
        assert len(quick.seen) == 5

    def test_a_file_is_sent_again_whole(self, forge: Forge, quick: Server) -> None:
        Path("body").write_bytes(b"content")
        quick.reply("/x", Reply(503), Reply(200))
        assert forge("put", "/x", "@body").exit_code == 0
        assert [seen.body for seen in quick.seen] == [b"content", b"content"]

    def test_a_long_retry_after_stops_at_once_and_is_told(self, forge: Forge, quick: Server) -> None:
        quick.reply("/x", Reply(429, headers={"Retry-After": "7200"}))
        result = forge("get", "/x")
        assert (result.exit_code, len(quick.seen)) == (4, 1)
        assert "the server asks for 2 h, more than the 1 min allowed" in result.stderr

    def test_a_deadline_that_forbids_another_attempt_leaves_the_last_answer(self, forge: Forge, quick: Server) -> None:
        quick.reply("/x", Reply(503, "busy", headers={"Retry-After": "30"}))
        result = forge("get", "/x", "--timeout", "5")
        assert (result.exit_code, result.stdout, len(quick.seen)) == (5, "busy", 1)
        assert "the server asks for 30 s" in result.stderr


def test_a_timeout_is_exit_28_and_names_the_limit(forge: Forge, server: Server) -> None:
    never = threading.Event()
    result = forge("get", server.reply("/x", Reply(hold=never)), "--timeout", "0.2")
    assert result.exit_code == 28
    assert "longer than 0.2 s" in result.stderr
    assert "--timeout" in result.stderr


def test_a_dripping_body_ends_with_the_timeout(forge: Forge, server: Server) -> None:
    never = threading.Event()

    def drip() -> Iterator[bytes]:
        while not never.wait(0.02):
            yield b"."

    try:
        result = forge("get", server.reply("/x", lambda request: Reply(body=drip())), "--timeout", "0.3")
    finally:
        never.set()
    assert result.exit_code == 28


@pytest.mark.parametrize(("status", "code"), [(200, 0), (204, 0), (404, 4), (429, 4), (500, 5), (503, 5)], ids=str)
def test_the_status_decides_the_exit_code(forge: Forge, server: Server, status: int, code: int) -> None:
    url = server.reply("/x", Reply(status, b"" if status == 204 else b"body"))
    result = forge("get", url, "--retry", "0")
    assert result.exit_code == code
    assert (str(status) in result.stderr) is bool(code)
    assert result.stdout == ("" if status == 204 else "body")
    assert forge("get", url, "--retry", "0", "--no-check-status").exit_code == 0


def test_a_401_without_a_credential_says_how_to_send_one(forge: Forge, server: Server) -> None:
    result = forge("get", server.reply("/x", Reply(401)))
    assert result.exit_code == 4
    assert "--bearer" in result.stderr


def test_a_401_with_a_credential_says_where_to_look(forge: Forge, api: Server) -> None:
    api.reply("/x", Reply(401))
    result = forge("get", "/x")
    assert (result.exit_code, len(api.seen)) == (4, 1)
    assert "forge token explain" in result.stderr


def test_not_reached_is_exit_8(forge: Forge) -> None:
    result = forge("get", "http://127.0.0.1:1/x", "--retry", "0")
    assert result.exit_code == 8
    assert "connection refused by 127.0.0.1:1" in result.stderr
    assert "check the address" in result.stderr


def test_a_proxy_that_is_not_there_is_exit_8_and_named(forge: Forge, server: Server) -> None:
    result = forge("get", f"{server.url}/x", "-x", "http://127.0.0.1:1", "--retry", "0")
    assert (result.exit_code, server.seen) == (8, [])
    assert "the proxy 127.0.0.1:1" in result.stderr


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n1234",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n1234\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nnozip",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"a" * 1000)[:-9],
    ],
    ids=["short", "cut chunks", "no gzip", "gzip cut short"],
)
@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
def test_a_broken_body_is_exit_10(forge: Forge, server: Server, answer: bytes, terminal: bool) -> None:
    result = forge("get", server.reply("/x", Reply(raw=answer)), "--retry", "0", tty=terminal)
    assert result.exit_code == 10
    assert result.stderr.startswith("forge: ")


@pytest.mark.parametrize(
    ("words", "say"),
    [
        (["get", "{url}/x", "a:=nonsense"], "is not JSON"),
        (["get", "{url}/x", "nonsense"], "not a request item"),
        (["get", "{url}/x", "-q", "nonsense"], "is not NAME=VALUE"),
        (["post", "{url}/x", "f@not-there"], "cannot read 'not-there'"),
        (["post", "{url}/x", "@not-there"], "cannot read 'not-there'"),
        (["post", "{url}/x", "-d", "@not-there"], "cannot read 'not-there'"),
        (["post", "{url}/x", "-d", "a", "b=c"], "two bodies: --data and field 'b'"),
        (["post", "{url}/x", "--json", "-f", "a=b"], "cannot go together"),
        (["get", "{url}/x", "--cert-key", "k.pem"], "--cert"),
        (["get", "{url}/x", "--verify", "not-there.pem"], "no such file"),
        (["get", "{url}/x", "--timeout", "0"], "--timeout"),
        (["get", "{url}/x", "--as", "env"], "--curl"),
        (["get", "{url}/x", "--frobnicate"], "no such option"),
        (["get"], "missing argument"),
        (["frobnicate"], "no such command"),
        (["request", "G ET", "{url}/x"], "method"),
        (["get", "file:///etc/passwd"], "neither http:// nor https://"),
        (["get", " {url}/x"], "quote and trim"),
        (["get", "/users"], "forge profile init"),
        (["get", "{url}/x", "--var", "a=b"], "--var goes with a profile"),
        (["get", "{url}/x", "--var", "a"], "not NAME=VALUE"),
        (["get", "{url}/x", "-p", "prod"], "forge profile init"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_a_usage_error_is_exit_2_and_nothing_is_sent(forge: Forge, server: Server, words: list[str], say: str) -> None:
    result = forge(*(word.format(url=server.url) for word in words))
    assert (result.exit_code, result.stdout, server.seen) == (2, "", [])
    assert say in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("forge: ")


@pytest.mark.parametrize("text", ["a\udcff", "\ud800"], ids=["bytes", "surrogate"])
def test_words_that_are_not_text_are_exit_2(forge: Forge, server: Server, text: str) -> None:
    for words in (["-d", text], ["-H", f"A: {text}"], ["-q", f"a={text}"], [f"a={text}"], [f"a=={text}"]):
        result = forge("post", f"{server.url}/x", *words)
        assert (result.exit_code, server.seen) == (2, []), words


class TestProfiles:
    """A profile that cannot be used stops the request: exit 2, nothing sent."""

    def check(self, forge: Forge, server: Server, *say: str, words: tuple[str, ...] = ("get", "/x")) -> None:
        result = forge(*words)
        assert (result.exit_code, server.seen) == (2, [])
        for text in say:
            assert text in result.stderr
        assert "Traceback" not in result.stderr

    def test_an_unknown_name_says_the_nearest(self, forge: Forge, api: Server) -> None:
        self.check(forge, api, "no profile 'apj' (nearest: api)", words=("get", "/x", "-p", "apj"))

    def test_broken_toml_says_file_and_line(
        self, forge: Forge, server: Server, profile_file: Callable[[str], Path]
    ) -> None:
        path = profile_file("[profiles.api]\nbase_url = oops\n")
        self.check(forge, server, f"{path}:2", "profile validate")
        self.check(forge, server, f"{path}:2", words=("get", f"{server.url}/x"))

    def test_an_unknown_key_says_file_line_and_the_nearest(
        self, forge: Forge, server: Server, profile_file: Callable[[str], Path]
    ) -> None:
        path = profile_file(f'[profiles.api]\nbase_url = "{server.url}"\nheadrs = {{}}\n')
        self.check(forge, server, f"{path}:3", "headers")

    def test_a_circle_of_parents_is_named(
        self, forge: Forge, server: Server, profile_file: Callable[[str], Path]
    ) -> None:
        profile_file('[profiles.a]\nextends = "b"\n[profiles.b]\nextends = "a"\n')
        self.check(forge, server, "a -> b -> a", words=("get", "/x", "-p", "a"))

    def test_an_undefined_reference_is_named(
        self, forge: Forge, server: Server, profile_file: Callable[[str], Path]
    ) -> None:
        profile_file(f'[profiles.api]\nbase_url = "{server.url}"\nheaders = {{ A = "${{vars.nope}}" }}\n')
        self.check(forge, server, "unknown var 'nope'")

    def test_a_missing_secret_names_the_variable(
        self, forge: Forge, server: Server, profile_file: Callable[[str], Path]
    ) -> None:
        profile_file(
            f'[profiles.api]\nbase_url = "{server.url}"\nauth = {{ type = "bearer", token = "${{secrets.token}}" }}\n'
            '[profiles.api.secrets]\ntoken = { env = "API_TOKEN" }\n'
        )
        self.check(forge, server, "API_TOKEN is not set", "export API_TOKEN=")

    def test_several_profiles_and_no_choice_lists_them(
        self, forge: Forge, server: Server, profile_file: Callable[[str], Path]
    ) -> None:
        profile_file('[profiles.one]\nbase_url = "http://a.test"\n[profiles.two]\nbase_url = "http://b.test"\n')
        self.check(forge, server, "--profile NAME", "one, two")

    def test_a_profile_without_base_url_wants_an_absolute_url(
        self, forge: Forge, server: Server, profile_file: Callable[[str], Path]
    ) -> None:
        profile_file("[profiles.api]\nredirects = 3\n")
        self.check(forge, server, "base_url")

    def test_an_untrusted_project_file_stops_the_command(self, forge: Forge, api: Server, own_home: Path) -> None:
        (own_home / "project" / ".forge.toml").write_text("[profiles.api]\n")
        self.check(forge, api, ".forge.toml", "--no-project")
        api.reply("/x", Reply())
        assert forge("get", "/x", "--no-project").exit_code == 0


def test_a_prompt_without_a_terminal_is_exit_7_and_names_the_setting(
    forge: Forge, server: Server, profile_file: Callable[[str], Path]
) -> None:
    profile_file(
        f'[profiles.api]\nbase_url = "{server.url}"\n'
        'auth = { type = "basic", username = "ada", password = "${secrets.password}" }\n'
        '[profiles.api.secrets]\npassword = { prompt = "Password" }\n'
    )
    result = forge("get", "/x")
    assert (result.exit_code, server.seen) == (7, [])
    assert "password = { env =" in result.stderr
    assert forge("get", "/x", tty=True, env={"CI": "true"}).exit_code == 7
    assert forge("get", "/x", "--no-input", tty=True).exit_code == 7


class TestLogin:
    """A login that fails: which code, and what is said."""

    @pytest.fixture
    def steps(self, server: Server, profile_file: Callable[[str], Path]) -> Server:
        profile_file(
            f'[profiles.api]\nbase_url = "{server.url}"\nretry = {{ strategy = "none" }}\n'
            '[profiles.api.auth]\ntype = "pipeline"\n'
            '[profiles.api.auth.steps.user]\nextract = { token = "/token" }\n'
            'request = { method = "POST", url = "/login", json = { password = "user-password-1" } }\n'
        )
        return server

    def test_a_login_then_the_request(self, forge: Forge, steps: Server) -> None:
        steps.reply("/login", Reply(200, {"token": "user-token-1"}))
        steps.reply("/x", Reply(200, "in"))
        assert forge("get", "/x").stdout == "in"
        assert steps.seen_at("/x")[0].headers["Authorization"] == "Bearer user-token-1"

    def test_refused_is_exit_7_with_step_status_and_redacted_answer(self, forge: Forge, steps: Server) -> None:
        steps.reply("/login", Reply(403, {"error": "wrong", "token": "half-a-token-1"}))
        result = forge("get", "/x")
        assert result.exit_code == 7
        assert "login step 'user'" in result.stderr
        assert "403 Forbidden" in result.stderr
        assert '"error": "wrong"' in result.stderr
        assert "half-a-token-1" not in result.stderr
        assert "user-password-1" not in result.stderr
        assert "forge token explain" in result.stderr

    def test_an_answer_that_is_none_is_exit_7(self, forge: Forge, steps: Server) -> None:
        steps.reply("/login", Reply(200, "<html>", headers={"Content-Type": "text/html"}))
        assert forge("get", "/x").exit_code == 7

    def test_not_reached_is_exit_8_and_names_the_step(
        self, forge: Forge, steps: Server, profile_file: Callable[[str], Path]
    ) -> None:
        path = profile_file("")
        path.write_text(
            '[profiles.api]\nbase_url = "http://127.0.0.1:1"\nretry = { strategy = "none" }\n'
            '[profiles.api.auth]\ntype = "pipeline"\n[profiles.api.auth.steps.user]\n'
            'request = { url = "/login" }\nextract = { token = "/token" }\n'
        )
        result = forge("get", "/x")
        assert result.exit_code == 8
        assert "login step 'user': Connection failed" in result.stderr

    def test_timed_out_is_exit_28_and_names_the_step(self, forge: Forge, steps: Server) -> None:
        steps.reply("/login", Reply(hold=threading.Event()))
        result = forge("get", "/x", "--timeout", "0.3")
        assert result.exit_code == 28
        assert "login step 'user': Request timed out" in result.stderr

    def test_v_shows_the_request_and_vv_the_login_too(self, forge: Forge, steps: Server) -> None:
        steps.reply("/login", Reply(200, {"token": "user-token-1"}))
        steps.reply("/x", Reply(200, {"a": 1}))
        quiet = forge("get", "/x", "-v")
        assert "> GET /x" in quiet.stderr
        assert "/login" not in quiet.stderr
        assert forge("token", "clear").exit_code == 0
        loud = forge("get", "/x", "-vv")
        assert "> [user] POST /login" in loud.stderr
        assert "user-token-1" not in loud.stderr
        assert json.loads(loud.stdout) == {"a": 1}


class TestOffline:
    """The request is printed, and no connection opened."""

    def test_the_request_is_printed(self, forge: Forge, api: Server) -> None:
        result = forge("post", "/users", "--offline", "name=Ada")
        assert (result.exit_code, api.connections) == (0, 0)
        head, _, body = result.stdout.partition("\n\n")
        assert head.splitlines()[0] == "POST /users?locale=en HTTP/1.1"
        assert f"Host: {api.host}" in head
        assert "Authorization: Bearer ***" in head
        assert body == '{"name": "Ada"}\n'

    def test_an_absent_token_is_a_placeholder(
        self, forge: Forge, server: Server, profile_file: Callable[[str], Path]
    ) -> None:
        profile_file(
            f'[profiles.api]\nbase_url = "{server.url}"\n[profiles.api.auth]\ntype = "pipeline"\n'
            '[profiles.api.auth.steps.user]\nextract = { token = "/token" }\nrequest = { url = "/login" }\n'
            '[[profiles.api.auth.inject]]\nin = "header"\nname = "Authorization"\n'
            'value = "Bearer ${steps.user.token}"\n'
            '[[profiles.api.auth.inject]]\nin = "query"\nname = "api_key"\nvalue = "${steps.user.token}"\n'
        )
        result = forge("get", "/x", "--offline")
        assert (result.exit_code, server.connections) == (0, 0)
        assert "GET /x?api_key=<token:user> HTTP/1.1\n" in result.stdout
        assert "Authorization: Bearer <token:user>" in result.stdout

    def test_a_file_is_printed_as_the_body(self, forge: Forge, server: Server) -> None:
        Path("body").write_text("content")
        assert forge("put", f"{server.url}/x", "@body", "--offline").stdout.endswith("\n\ncontent\n")


class TestOutput:
    """What comes out where."""

    BODY = b'{"b": 1.10, "a": [1, 2], "b": "\\u00e9\xc3\xa9"}\r\n\x1b[2J\xff\0'

    def test_a_pipe_gets_the_body_byte_for_byte(self, forge: Forge, server: Server) -> None:
        url = server.reply("/x", Reply(200, self.BODY, headers={"Content-Type": "application/json"}))
        assert forge("get", url).stdout_bytes == self.BODY

    def test_v_leaves_the_pipe_clean(self, forge: Forge, server: Server) -> None:
        url = server.reply("/x", Reply(200, self.BODY, headers={"X-Evil": "a\x1b[2Jb"}))
        result = forge("get", url, "-v")
        assert result.stdout_bytes == self.BODY
        assert "> GET /x HTTP/1.1\n" in result.stderr
        assert "< HTTP/1.1 200 OK\n" in result.stderr
        assert "< X-Evil: a\\x1b[2Jb\n" in result.stderr

    def test_v_masks_secrets(self, forge: Forge, api: Server) -> None:
        api.reply("/x", Reply(200, headers={"Set-Cookie": "session=session-secret-1"}))
        result = forge("get", "/x", "api_key==query-secret-1", "-v")
        assert "Authorization: Bearer ***" in result.stderr
        for secret in ("user-token-1", "session-secret-1", "query-secret-1"):
            assert secret not in result.stderr

    def test_a_terminal_gets_status_headers_and_laid_out_json(self, forge: Forge, server: Server) -> None:
        url = server.reply("/x", Reply(200, b'{"b":1.10,"a":[]}\n', headers={"Content-Type": "application/json"}))
        result = forge("get", url, tty=True, env={"NO_COLOR": "1"})
        head, _, body = result.stdout.partition("\n\n")
        assert head.splitlines()[0] == "HTTP/1.1 200 OK"
        assert "Content-Type: application/json" in head
        assert body == '{\n  "b": 1.10,\n  "a": []\n}\n'

    @pytest.mark.parametrize("body", [b"text", b"text\n", b"[1]", b"[1]\n", b'{"a": ', b'{"a": \n'], ids=repr)
    def test_a_body_on_a_terminal_ends_with_one_line_end(self, forge: Forge, server: Server, body: bytes) -> None:
        result = forge("get", server.reply("/x", Reply(200, body)), tty=True, env={"NO_COLOR": "1"})
        shown = result.stdout.partition("\n\n")[2]
        assert shown.endswith("\n")
        assert not shown.endswith("\n\n")

    @pytest.mark.parametrize(
        ("env", "coloured"),
        [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False), ({"FORCE_COLOR": "1"}, True)],
        ids=["plain", "NO_COLOR", "dumb", "FORCE_COLOR"],
    )
    def test_colour_follows_the_environment(
        self, forge: Forge, server: Server, env: dict[str, str], coloured: bool
    ) -> None:
        url = server.reply("/x", Reply(200, {"a": 1}))
        assert ("\x1b[" in forge("get", url, tty=True, env=env).stdout) is coloured

    def test_force_color_leaves_a_pipe_alone(self, forge: Forge, server: Server) -> None:
        url = server.reply("/x", Reply(200, {"a": 1}))
        result = forge("get", url, "-v", env={"FORCE_COLOR": "1"})
        assert result.stdout == '{"a": 1}'
        assert "\x1b[" in result.stderr

    def test_v_on_a_terminal_shows_the_head_once(self, forge: Forge, server: Server) -> None:
        url = server.reply("/x", Reply(200, {"a": 1}))
        result = forge("get", url, "-v", tty=True, env={"NO_COLOR": "1"})
        assert "HTTP/1.1 200 OK" not in result.stdout
        assert result.stderr.count("HTTP/1.1 200 OK") == 1

    def test_o_writes_a_file_and_nothing_to_stdout(self, forge: Forge, server: Server) -> None:
        url = server.reply("/x", Reply(200, self.BODY))
        result = forge("get", url, "-o", "out.bin")
        assert (result.exit_code, result.stdout_bytes) == (0, b"")
        assert Path("out.bin").read_bytes() == self.BODY
        assert [path.name for path in Path().iterdir()] == ["out.bin"]

    def test_o_keeps_the_old_file_when_the_body_breaks_off(self, forge: Forge, server: Server) -> None:
        Path("out").write_text("old")
        url = server.reply("/x", Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n1234"))
        assert forge("get", url, "-o", "out", "--retry", "0").exit_code == 10
        assert {path.name: path.read_text() for path in Path().iterdir()} == {"out": "old", "out.part": "1234"}

    def test_o_into_no_folder_is_exit_9_and_nothing_is_sent(self, forge: Forge, server: Server) -> None:
        result = forge("get", f"{server.url}/x", "-o", "no/such/folder/out")
        assert (result.exit_code, server.seen) == (9, [])
        assert "cannot write" in result.stderr

    def test_s_keeps_the_body_and_the_error_and_ss_only_the_body(self, forge: Forge, server: Server) -> None:
        url = server.reply("/x", Reply(404, "body"))
        assert forge("get", url, "-s").stderr == "forge: 404 Not Found\n"
        silent = forge("get", url, "-ss")
        assert (silent.exit_code, silent.stdout, silent.stderr) == (4, "body", "")

    def test_ss_silences_every_error_line(self, forge: Forge, server: Server) -> None:
        for words in (["get", "http://127.0.0.1:1/", "--retry", "0"], ["get", "/x"], ["get", server.url, "a:=b"]):
            result = forge(*words, "-ss")
            assert result.exit_code
            assert result.stderr == ""

    def test_s_does_not_silence_k(self, forge: Forge, server: Server) -> None:
        result = forge("get", server.reply("/x", Reply()), "-k", "-s")
        assert "certificates are not verified" in result.stderr


LONG = b"x" * (1 << 20)


def test_a_body_that_is_gone_is_not_sent_again_and_that_is_said(forge: Forge, server: Server) -> None:
    url = server.reply("/x", Reply(503, headers={"Retry-After": "0"}))
    result = forge("put", url, "@-", input=LONG)
    assert result.exit_code == 5
    assert "forge: not retried: the body could be read only once\n" in result.stderr
    [seen] = server.seen
    assert (seen.headers["Transfer-Encoding"], seen.headers["Content-Length"], seen.body) == ("chunked", None, LONG)


def test_a_short_body_of_standard_input_is_sent_again(forge: Forge, server: Server) -> None:
    url = server.reply("/x", Reply(503, headers={"Retry-After": "0"}), Reply(200))
    assert forge("put", url, "@-", input=LONG[1:]).exit_code == 0
    assert [(seen.headers["Content-Length"], seen.body) for seen in server.seen] == [(str(len(LONG) - 1), LONG[1:])] * 2


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_that_needs_a_body_that_is_gone_is_exit_6(forge: Forge, server: Server, status: int) -> None:
    url = server.reply("/x", Reply(status, headers={"Location": "/y"}))
    result = forge("put", url, "@-", input=LONG)
    assert result.exit_code == 6
    assert "it can be read only once" in result.stderr
    assert len(server.seen) == 1
