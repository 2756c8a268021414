"""Answers that come in pages, through a real client."""

from __future__ import annotations

import json
import re
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.client import HttpClient
from forge_cli.config import HttpClientConfig
from forge_cli.errors import RedirectException, ResponseParseException
from forge_cli.models import Headers, HttpRequest
from forge_cli.pages import PageRule, next_link, pages
from tests.server import Reply, Seen, Server


def got(server: Server, url: str, rule: PageRule | None = None, **limits: Any) -> list[Any]:
    """The items of all pages; a document that is none of items as it is."""
    found: list[Any] = []
    with HttpClient(HttpClientConfig(base_url=server.url, default_params={"key": "k"})) as client:
        for page in pages(client, HttpRequest("GET", url), rule, **limits):
            found += [page.text] if page.items is None else map(json.loads, page.items)
    return found


def numbered(seen: Seen, last: int = 3) -> Reply:
    """A page whose Link header leads to the next one, and repeats the whole query."""
    number = int(dict(seen.query).get("page", "1"))
    link = f'<{seen.path}?key=k&page={number + 1}>; rel="next", </last?page={last}>; rel=last'
    return Reply(200, [number, -number], {"Link": link} if number < last else {})


class TestLink:
    def test_each_page_names_the_next(self, server: Server) -> None:
        assert got(server, server.reply("/x", numbered)) == [1, -1, 2, -2, 3, -3]
        assert [seen.query for seen in server.seen] == [
            [("key", "k")],
            *([("page", str(number)), ("key", "k")] for number in (2, 3)),
        ]

    def test_pages_and_items_can_be_limited(self, server: Server) -> None:
        url = server.reply("/x", numbered)
        assert got(server, url, most_pages=2) == [1, -1, 2, -2]
        assert len(server.seen) == 2
        assert got(server, url, most_items=3) == [1, -1, 2]
        assert len(server.seen) == 4
        assert got(server, url, most_items=2) == [1, -1]
        assert len(server.seen) == 5

    def test_the_next_url_may_be_in_the_body(self, server: Server) -> None:
        url = server.reply(
            "/x",
            Reply(200, {"data": {"items": [1]}, "links": {"next": "/x?after=1"}}),
            Reply(200, {"links": {"next": None}, "data": {"items": [2]}}),
        )
        assert got(server, url, PageRule(pointer="/links/next", items="/data/items")) == [1, 2]
        assert dict(server.seen[1].query)["after"] == "1"

    @pytest.mark.parametrize("field", ["{other}/x", "//{host}/x"])
    def test_another_origin_is_not_asked(self, server: Server, other_server: Server, field: str) -> None:
        target = field.format(other=other_server.url, host=other_server.host)
        url = server.reply("/x", Reply(200, [1], {"Link": f"<{target}>; rel=next"}))
        with pytest.raises(RedirectException, match="another origin"):
            got(server, url)
        assert other_server.seen == []

    @pytest.mark.parametrize("target", ["file:///etc/passwd", "javascript:1", "http://"])
    def test_what_is_no_url_is_refused(self, server: Server, target: str) -> None:
        url = server.reply("/x", Reply(200, [1], {"Link": f"<{target}>; rel=next"}))
        with pytest.raises(RedirectException, match="no http or https URL"):
            got(server, url)

    def test_equal_pages_with_other_links_are_pages(self, server: Server) -> None:
        def page(seen: Seen) -> Reply:
            return Reply(
                200, [1], {"Link": f"</x?page={len(server.seen) + 1}>; rel=next"} if len(server.seen) < 4 else {}
            )

        assert got(server, server.reply("/x", page)) == [1] * 4

    def test_a_link_to_the_page_itself_is_a_circle(self, server: Server) -> None:
        url = server.reply("/x", Reply(200, [1], {"Link": "</x?key=k>; rel=next"}))
        with pytest.raises(RedirectException, match="there before"):
            got(server, url)
        assert len(server.seen) == 1

    def test_a_circle_is_left(self, server: Server) -> None:
        url = server.reply("/x", lambda seen: Reply(200, [len(server.seen)], {"Link": "</x?page=2>; rel=next"}))
        with pytest.raises(RedirectException, match="there before"):
            got(server, url)
        assert len(server.seen) == 2

    def test_an_error_is_the_last_page(self, server: Server) -> None:
        url = server.reply("/x", Reply(200, [1], {"Link": "</x?page=2>; rel=next"}), Reply(404, "gone"))
        assert got(server, url) == [1, "gone"]

    def test_another_document_is_a_page_too(self, server: Server) -> None:
        url = server.reply("/x", Reply(200, {"a": 1}, {"Link": "</x?page=2>; rel=next"}), Reply(200, "text"))
        assert got(server, url) == ['{"a": 1}', "text"]


class TestCursor:
    RULE = PageRule(type="cursor", pointer="/next", items="/items", param="after")

    @pytest.mark.parametrize("end", [None, "", False], ids=["null", "empty", "false"])
    def test_it_is_sent_back_as_it_came(self, server: Server, end: object) -> None:
        url = server.reply(
            "/x",
            Reply(200, '{"next": 12345678901234567890.10, "items": [1]}'),
            Reply(200, {"next": "a&b", "items": [2]}),
            Reply(200, {"next": end, "items": [3]}),
        )
        assert got(server, f"{url}?after=0&q=1", self.RULE) == [1, 2, 3]
        assert [dict(seen.query)["after"] for seen in server.seen] == ["0", "12345678901234567890.10", "a&b"]
        assert [dict(seen.query)["q"] for seen in server.seen] == ["1", "1", "1"]

    def test_the_same_cursor_again_is_a_circle(self, server: Server) -> None:
        url = server.reply("/x", lambda seen: Reply(200, {"next": "a", "items": [len(server.seen)]}))
        with pytest.raises(RedirectException, match="there before"):
            got(server, url, self.RULE)

    def test_a_cursor_that_is_a_table_is_refused(self, server: Server) -> None:
        url = server.reply("/x", Reply(200, {"next": {}, "items": [1]}))
        with pytest.raises(ResponseParseException, match="no text or number"):
            got(server, url, self.RULE)


class TestNumbers:
    def test_pages_are_counted_until_one_is_empty(self, server: Server) -> None:
        url = server.reply("/x", Reply(200, [1]), Reply(200, [2]), Reply(200, []))
        assert got(server, url, PageRule(type="page")) == [1, 2]
        assert [dict(seen.query).get("page") for seen in server.seen] == [None, "2", "3"]

    def test_offsets_go_on_by_what_came_until_it_is_less_than_asked_for(self, server: Server) -> None:
        url = server.reply("/x", Reply(200, [1, 2]), Reply(200, [3, 4]), Reply(200, [5]))
        rule = PageRule(type="offset", param="skip", size=2, size_param="limit")
        assert got(server, url, rule) == [1, 2, 3, 4, 5]
        assert [dict(seen.query).get("skip") for seen in server.seen] == [None, "2", "4"]
        assert {dict(seen.query)["limit"] for seen in server.seen} == {"2"}

    def test_the_caller_may_say_where_to_begin(self, server: Server) -> None:
        url = server.reply("/x", Reply(200, [1]), Reply(200, []))
        assert got(server, f"{url}?page=7", PageRule(type="page")) == [1]
        assert [dict(seen.query)["page"] for seen in server.seen] == ["7", "8"]

    def test_equal_pages_are_pages_when_their_number_is_given(self, server: Server) -> None:
        url = server.reply("/x", Reply(200, [1, 1]))
        assert got(server, url, PageRule(type="page"), most_pages=3) == [1, 1] * 3
        assert got(server, url, PageRule(type="page"), most_items=5) == [1] * 5

    def test_equal_pages_are_no_end(self, server: Server) -> None:
        url = server.reply("/x", Reply(200, [1]), Reply(200, [1]), Reply(200, [1]), Reply(200, []))
        assert got(server, url, PageRule(type="offset")) == [1, 1, 1]

    def test_a_server_that_does_not_count_is_left(self, server: Server) -> None:
        with pytest.raises(RedirectException, match="10 pages in a row are the same") as caught:
            got(server, server.reply("/x", Reply(200, [1])), PageRule(type="page", param="p"))
        assert len(server.seen) == 10
        assert "'p'" in str(caught.value.hint)
        assert "--max-pages" in str(caught.value.hint)

    @pytest.mark.parametrize("type_", ["page", "offset"])
    @pytest.mark.parametrize("cap", [2, 3, 100])
    @pytest.mark.parametrize("items", [0, 1, 6, 7])
    @pytest.mark.parametrize("stated", ["", "?limit=2", "?limit=9"])
    def test_every_item_comes_however_many_the_server_gives_at_once(
        self, server: Server, type_: Literal["page", "offset"], cap: int, items: int, stated: str
    ) -> None:
        def page(seen: Seen) -> Reply:
            query = dict(seen.query)
            size = min(cap, int(query["limit"]))
            start = (int(query.get("page", "1")) - 1) * size if type_ == "page" else int(query.get("offset", "0"))
            return Reply(200, list(range(items))[start : start + size])

        rule = PageRule(type=type_, size=3, size_param="limit")
        assert got(server, server.reply("/x", page) + stated, rule) == list(range(items))

    def test_the_size_may_be_what_the_client_adds_to_every_request(self, server: Server) -> None:
        url = server.reply("/x", lambda seen: Reply(200, [1, 2] if len(server.seen) < 3 else []))
        config = HttpClientConfig(base_url=server.url, default_params={"limit": "2"})
        with HttpClient(config) as client:
            found = list(pages(client, HttpRequest("GET", url), PageRule(type="offset", size=9, size_param="limit")))
        assert sum(len(page.items or ()) for page in found) == 4
        assert {tuple(value for name, value in seen.query if name == "limit") for seen in server.seen} == {("2",)}

    def test_a_404_after_a_page_that_was_not_full_is_the_end(self, server: Server) -> None:
        url = server.reply("/x", Reply(200, [1, 2]), Reply(404, "no such page"))
        assert got(server, url, PageRule(type="page", size=3)) == [1, 2]

    def test_a_404_after_a_full_page_is_an_error(self, server: Server) -> None:
        url = server.reply("/x", Reply(200, [1, 2]), Reply(404, "no such page"))
        assert got(server, url, PageRule(type="page", size=2)) == [1, 2, "no such page"]

    def test_without_items_there_is_nothing_to_count(self, server: Server) -> None:
        with pytest.raises(ResponseParseException, match="no array of items"):
            got(server, server.reply("/x", Reply(200, {"data": [1]})), PageRule(type="page"))


@pytest.mark.parametrize("body", ["[1, 2", "[1 2]", '{"a" [1]}', '{"a": [1], }', '{"a": [1,]}', "[" * 100_000])
def test_a_page_that_is_not_json_to_its_end_is_an_error(server: Server, body: str) -> None:
    with pytest.raises(ResponseParseException):
        got(server, server.reply("/x", Reply(200, body)), PageRule(items="" if body.startswith("[") else "/a"))


def test_items_are_as_they_were_written(server: Server) -> None:
    body = '{"n": [0, [ {"a":1.10,"a":1e400} , "\\u00e9]" ]]}'
    url = server.reply("/x", Reply(200, body))
    with HttpClient(HttpClientConfig(base_url=server.url)) as client:
        [page] = pages(client, HttpRequest("GET", url), PageRule(items="/n/1"))
    assert page.items == ('{"a":1.10,"a":1e400}', '"\\u00e9]"')


@pytest.mark.parametrize(
    ("fields", "target"),
    [
        (["</a>; rel=next"], "/a"),
        (['</a,b;c>; title="x, y; rel=next"; rel="prev NEXT"'], "/a,b;c"),
        (["</a>; rel=prev, </b>; rel=next"], "/b"),
        (["</a>; rel=prev", "</b>;rel = next"], "/b"),
        (["</a>; rel=prev; rel=next"], None),
        (['</a>; rel=next; anchor="/other", </b>; rel=next'], "/b"),
        (['</a>; title="a \\" b"; rel="next"'], "/a"),
        (["</a>"], None),
        (["a; rel=next"], None),
        ([",, </a>; rel=next,"], "/a"),
        (["<>; rel=next"], ""),
        ([], None),
    ],
)
def test_the_next_link_is_found(fields: list[str], target: str | None) -> None:
    assert next_link(Headers([("Link", field) for field in fields])) == target


@given(st.text())
def test_no_link_field_fails(field: str) -> None:
    next_link(Headers([("Link", field)]))


_TOKENS = st.from_regex(re.compile(r"[a-z]{1,8}", re.ASCII), fullmatch=True).filter(lambda name: name != "anchor")
_URLS = st.text(st.characters(exclude_characters="<>", codec="ascii", exclude_categories=["Cc", "Zs"]))
_LINKS = st.tuples(_URLS, st.dictionaries(_TOKENS, st.text(max_size=8), max_size=3), st.booleans())


def _quoted(value: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'


@given(st.lists(_LINKS, max_size=4))
def test_any_links_that_can_be_written_are_read(links: list[tuple[str, dict[str, str], bool]]) -> None:
    written = [
        "; ".join([f"<{url}>", *(f"{name}={_quoted(value)}" for name, value in parameters.items() if name != "rel")])
        + (f"; rel={_quoted('x next')}" if wanted else "")
        for url, parameters, wanted in links
    ]
    expected = next((url for url, _, wanted in links if wanted), None)
    assert next_link(Headers([("Link", ", ".join(written))])) == expected
