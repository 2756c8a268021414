"""`--paginate`, run as a user runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Forge
from tests.server import Reply, Seen, Server

PROFILE = """
[profiles.api]
base_url = "{url}"
query = {{ locale = "en" }}
auth = {{ type = "api-key", in = "query", name = "api_key", key = "user-key-1" }}
pagination = {pagination}
"""


def numbered(seen: Seen) -> Reply:
    number = int(dict(seen.query).get("page", "1"))
    link = {"Link": f"<{seen.path}?page={number + 1}>; rel=next"} if number < 3 else {}
    return Reply(200, f'[ {{"n": {number}.10}},\n {{"n": -{number}}} ]', link | {"Content-Type": "application/json"})


def test_arrays_become_one_array_with_every_digit(forge: Forge, server: Server) -> None:
    result = forge("get", server.reply("/x", numbered), "--paginate")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == '[{"n": 1.10},{"n": -1},{"n": 2.10},{"n": -2},{"n": 3.10},{"n": -3}]\n'


def test_ndjson_is_an_item_a_line(forge: Forge, server: Server) -> None:
    result = forge("get", server.reply("/x", numbered), "--paginate", "--format", "ndjson")
    assert result.stdout.splitlines()[:2] == ['{"n":1.10}', '{"n":-1}']
    assert len(result.stdout.splitlines()) == 6


def test_a_terminal_shows_them_laid_out_below_the_first_head(forge: Forge, server: Server) -> None:
    result = forge("get", server.reply("/x", numbered), "--paginate", tty=True, env={"NO_COLOR": "1"})
    assert result.stdout.count("HTTP/1.1 200 OK") == 1
    assert result.stdout.count('"n":') == 6


def test_pages_of_nothing_are_an_empty_array(forge: Forge, server: Server) -> None:
    assert forge("get", server.reply("/x", Reply(200, [])), "--paginate").stdout == "[]\n"


def test_an_empty_page_in_between_leaves_no_comma(forge: Forge, server: Server) -> None:
    link = {"Link": "</x?p=2>; rel=next"}
    other = {"Link": "</x?p=3>; rel=next"}
    url = server.reply("/x", Reply(200, [], link), Reply(200, [1], other), Reply(200, []))
    assert forge("get", url, "--paginate").stdout == "[1]\n"


def test_other_documents_are_one_a_line(forge: Forge, server: Server) -> None:
    link = {"Link": "</x?page=2>; rel=next"}
    url = server.reply("/x", Reply(200, '{"a":\r\n 1}', link), Reply(200, {"a": 2}))
    assert forge("get", url, "--paginate").stdout == '{"a":   1}\n{"a": 2}\n'


def test_what_is_no_json_is_as_it_came(forge: Forge, server: Server) -> None:
    assert forge("get", server.reply("/x", Reply(200, b"a\r\nb")), "--paginate").stdout_bytes == b"a\r\nb"


@pytest.mark.parametrize(
    ("words", "count", "asked"),
    [(["--max-pages", "2"], 4, 2), (["--max-items", "3"], 3, 2), (["--max-items", "2"], 2, 1)],
    ids=["pages", "items", "one page"],
)
def test_limits_end_it(forge: Forge, server: Server, words: list[str], count: int, asked: int) -> None:
    result = forge("get", server.reply("/x", numbered), "--paginate", *words)
    assert len(json.loads(result.stdout)) == count
    assert len(server.seen) == asked


def test_a_page_that_fails_is_repeated_and_then_the_result(forge: Forge, server: Server) -> None:
    link = {"Link": "</y>; rel=next"}
    url = server.reply("/x", Reply(503, headers={"Retry-After": "0"}), Reply(200, [1], link))
    server.reply("/y", Reply(503, headers={"Retry-After": "0"}), Reply(500, "no"))
    result = forge("get", url, "--paginate")
    assert (result.exit_code, result.stdout) == (5, "[1]\n")
    assert result.stderr.count("retry 1 of 3") == 2
    assert "500 Internal Server Error" in result.stderr


def test_a_page_that_breaks_off_is_exit_10_and_what_came_is_a_document(forge: Forge, server: Server) -> None:
    url = server.reply("/x", Reply(200, [1], {"Link": "</y>; rel=next"}))
    server.reply("/y", Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[2"))
    result = forge("get", url, "--paginate", "--retry", "0")
    assert (result.exit_code, result.stdout) == (10, "[1]\n")


def test_the_first_answer_may_be_the_error(forge: Forge, server: Server) -> None:
    result = forge("get", server.reply("/x", Reply(404, {"error": "x"})), "--paginate")
    assert (result.exit_code, result.stdout) == (4, '{"error": "x"}')


def test_another_origin_gets_nothing_and_is_exit_6(forge: Forge, server: Server, other_server: Server) -> None:
    url = server.reply("/x", Reply(200, [1], {"Link": f"<{other_server.url}/x>; rel=next"}))
    result = forge("get", url, "--paginate")
    assert (result.exit_code, result.stdout) == (6, "[1]\n")
    assert "another origin" in result.stderr
    assert other_server.seen == []


def test_the_profile_says_how(forge: Forge, server: Server, profile_file: Callable[[str], Path]) -> None:
    rule = '{ type = "cursor", pointer = "/next", items = "/data", param = "after", size = 2, size_param = "limit" }'
    profile_file(PROFILE.format(url=server.url, pagination=rule))
    server.reply("/x", Reply(200, {"data": [1, 2], "next": "a"}), Reply(200, {"data": [3], "next": None}))
    assert forge("get", "/x", "--paginate").stdout == "[1,2,3]\n"
    assert [sorted(seen.query) for seen in server.seen] == [
        [("api_key", "user-key-1"), ("limit", "2"), ("locale", "en")],
        [("after", "a"), ("api_key", "user-key-1"), ("limit", "2"), ("locale", "en")],
    ]


def test_a_next_link_that_repeats_the_credential_does_not_double_it(
    forge: Forge, server: Server, profile_file: Callable[[str], Path]
) -> None:
    profile_file(PROFILE.format(url=server.url, pagination='{ pointer = "/next", items = "/data" }'))
    following = "/x?page=2&api_key=user-key-1&locale=en"
    server.reply("/x", Reply(200, {"data": [1], "next": following}), Reply(200, {"data": [2]}))
    assert forge("get", "/x", "--paginate").stdout == "[1,2]\n"
    assert sorted(server.seen[1].query) == [("api_key", "user-key-1"), ("locale", "en"), ("page", "2")]


def test_a_foreign_url_has_nothing_of_the_profiles_rule(
    forge: Forge, server: Server, other_server: Server, profile_file: Callable[[str], Path]
) -> None:
    profile_file(PROFILE.format(url=server.url, pagination='{ type = "page", size = 5, size_param = "limit" }'))
    assert forge("get", other_server.reply("/x", Reply(200, [1])), "--paginate", "-s").stdout == "[1]\n"
    assert [seen.query for seen in other_server.seen] == [[]]


def test_it_can_be_saved(forge: Forge, server: Server) -> None:
    assert forge("get", server.reply("/x", numbered), "--paginate", "-o", "all.json").exit_code == 0
    assert len(json.loads(Path("all.json").read_text())) == 6


def test_items_are_there_before_the_last_page_is_asked_for(forge: Forge, server: Server) -> None:
    """In a file as much as in a pipe: nothing is kept back."""
    sizes: list[int] = []

    def last(seen: Seen) -> Reply:
        sizes.append(Path("out.part").stat().st_size)
        return Reply(200, [2])

    url = server.reply("/x", Reply(200, [1], {"Link": "</y>; rel=next"}))
    server.reply("/y", last)
    assert forge("get", url, "--paginate", "-o", "out").exit_code == 0
    assert sizes == [len("[1")]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["get", "--max-pages", "2"], ["--max-pages", "--paginate"]),
        (["post", "--paginate"], ["--paginate", "POST"]),
        (["get", "--paginate", "--har", "x"], ["--paginate", "--har"]),
        (["get", "--paginate", "--format", "exchange"], ["--paginate", "--format exchange"]),
        (["get", "--paginate", "-o", "x", "--continue"], ["--paginate", "--continue"]),
        (["get", "--paginate", "--max-items", "0"], ["--max-items"]),
    ],
    ids=lambda value: " ".join(value[1:]),
)
def test_options_that_do_not_go_with_it_are_named(
    forge: Forge, server: Server, words: list[str], named: list[str]
) -> None:
    result = forge(words[0], f"{server.url}/x", *words[1:])
    assert (result.exit_code, server.seen) == (2, [])
    assert all(name in result.stderr for name in named)


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ('{ type = "cursor" }', "missing key: pointer"),
        ('{ type = "page", pointer = "/a" }', "`pointer` does not go with the type 'page'"),
        ("{ start = 1 }", "`start` does not go with the type 'link'"),
        ('{ type = "page", size_param = "n" }', "`size_param` goes with `size`"),
        ('{ type = "pages" }', "nearest: page"),
    ],
)
def test_a_rule_that_makes_no_sense_is_a_problem_of_the_profile(
    forge: Forge, profile_file: Callable[[str], Path], rule: str, problem: str
) -> None:
    profile_file(PROFILE.format(url="http://127.0.0.1:1", pagination=rule))
    result = forge("profile", "validate")
    assert result.exit_code == 2
    assert problem in result.stdout


def test_equal_pages_in_a_row_are_shown_up_to_max_pages(
    forge: Forge, server: Server, profile_file: Callable[[str], Path]
) -> None:
    profile_file(PROFILE.format(url=server.url, pagination='{ type = "page" }'))
    server.reply("/x", Reply(200, [1]))
    result = forge("get", "/x", "-p", "api", "--paginate", "--max-pages", "3")
    assert (result.exit_code, result.stdout) == (0, "[1,1,1]\n")
    result = forge("get", "/x", "-p", "api", "--paginate")
    assert (result.exit_code, json.loads(result.stdout)) == (6, [1] * 9)
    assert "--max-pages N" in result.stderr


def test_the_size_that_is_sent_counts(forge: Forge, server: Server, profile_file: Callable[[str], Path]) -> None:
    def page(seen: Seen) -> Reply:
        query = dict(seen.query)
        start = int(query.get("offset", "0"))
        return Reply(200, list(range(7))[start : start + int(query["limit"])])

    rule = '{ type = "offset", size = 3, size_param = "limit" }'
    profile_file(PROFILE.format(url=server.url, pagination=rule))
    server.reply("/x", page)
    result = forge("get", "/x", "-p", "api", "--paginate", "limit==2")
    assert (result.exit_code, result.stdout) == (0, "[0,1,2,3,4,5,6]\n")
