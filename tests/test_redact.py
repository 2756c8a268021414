"""Secrets never print, in whatever spelling they travel."""

from __future__ import annotations

import base64
import copy
import json
import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from forge_cli.redact import MASK, REDACTOR, Redactor, Secret, masked, repr_mapping, sensitive

SECRETS = st.text(st.characters(exclude_categories=["Cs"]), min_size=9, max_size=60)
# No spelling of these can begin or end with the brackets around it.
BRACKETED = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="<>"), min_size=9, max_size=60)


def hiding(*values: str | bytes | Secret | None) -> Redactor:
    redactor = Redactor()
    for value in values:
        redactor.add(value)
    return redactor


class Slow(str):
    """A text that lets the other threads go on whenever a table looks it up."""

    __slots__ = ()

    def __hash__(self) -> int:
        time.sleep(0)
        return super().__hash__()


@pytest.fixture
def eager_threads() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


class TestSecret:
    def test_it_prints_as_a_mask_in_every_way_of_printing(self) -> None:
        secret = Secret("user-token-1")
        shown = [
            str(secret),
            repr(secret),
            f"{secret}",
            f"{secret:>40}",
            str([secret]),
            str({"k": secret}),
        ]
        assert not any("user-token-1" in text for text in shown)

    def test_only_reveal_gives_the_value(self) -> None:
        assert Secret("user-token-1").reveal() == "user-token-1"

    def test_two_of_one_value_are_equal_and_hash_alike(self) -> None:
        assert Secret("user-token-1") == Secret("user-token-1") != Secret("user-token-2")
        assert len({Secret("user-token-1"), copy.copy(Secret("user-token-1"))}) == 1

    def test_it_equals_nothing_but_a_secret(self) -> None:
        assert Secret("user-token-1") != "user-token-1"

    def test_its_repr_says_what_it_is_and_it_is_true_unless_it_is_empty(self) -> None:
        assert repr(Secret("user-token-1")) == "Secret(***)"
        assert bool(Secret("user-token-1")) is True
        assert bool(Secret("")) is False

    def test_whoever_makes_one_hides_its_value(self) -> None:
        assert REDACTOR.text("<made-secret-1>") == "<made-secret-1>"
        Secret("made-secret-1")
        assert REDACTOR.text("<made-secret-1>") == f"<{MASK}>"


class TestKnownValues:
    @given(secret=BRACKETED)
    @example(secret="user token/1")  # of the usual URL encodings, no two agree on it
    def test_a_known_value_is_hidden_plain_and_in_each_encoding(self, secret: str) -> None:
        redactor = hiding(secret)
        spellings = [
            secret,
            quote(secret),
            quote(secret, safe=""),
            quote_plus(secret),
            json.dumps(secret)[1:-1],
            json.dumps(secret, ensure_ascii=False)[1:-1],
        ]
        for spelling in spellings:
            assert redactor.text(f"<{spelling}>") == f"<{MASK}>"

    @pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode], ids=["usual", "for URLs"])
    @pytest.mark.parametrize("before", ["", "a", "ab", "user:", "a-user:"])
    @pytest.mark.parametrize("after", ["", "&", "&z"])
    @pytest.mark.parametrize("secret", ["user-token-1", "user-token-12", "user?>>>~~~token", "user-token-W"])
    def test_in_a_longer_base64_text_all_that_only_the_value_decides_is_hidden(
        self, encode: Callable[[bytes], bytes], before: str, after: str, secret: str
    ) -> None:
        text = encode(f"{before}{secret}{after}".encode()).decode()
        # Six bits a character: those which hold a bit of a neighbour are not the value's alone.
        start, end = math.ceil(len(before) * 8 / 6), (len(before) + len(secret)) * 8 // 6
        assert hiding(secret).text(text) == f"{text[:start]}{MASK}{text[end:]}"

    def test_base64_of_less_than_8_characters_occurs_by_chance_and_is_left_alone(self) -> None:
        redactor = hiding("secret")
        assert redactor.text("c2VjcmV0") == MASK
        shifted = base64.b64encode(b"asecret").decode()
        assert redactor.text(shifted) == shifted

    @given(secret=SECRETS, user=st.text(st.characters(codec="ascii", exclude_characters=":"), max_size=9))
    def test_a_password_inside_basic_is_hidden(self, secret: str, user: str) -> None:
        redactor = Redactor()
        redactor.add(secret)
        encoded = base64.b64encode(f"{user}:{secret}".encode()).decode()
        assert encoded not in redactor.text(f"Authorization Basic {encoded}")

    def test_very_short_values_are_left_alone(self) -> None:
        assert hiding("dev").text("a dev server") == "a dev server"
        assert hiding("devs").text("a devs server") == f"a {MASK} server"

    @pytest.mark.parametrize("value", [b"user-token-1", Secret("user-token-1")], ids=["bytes", "a secret"])
    def test_a_value_may_be_bytes_or_a_secret(self, value: bytes | Secret) -> None:
        assert hiding(value).text("<user-token-1>") == f"<{MASK}>"

    @pytest.mark.parametrize("value", [b"\xff\xfe-token", "\ud800-token-1", None, ""], ids=repr)
    def test_a_value_that_is_no_text_or_none_does_no_harm(self, value: str | bytes | None) -> None:
        assert hiding(value, "user-token-1").text("a user-token-1") == f"a {MASK}"

    @pytest.mark.parametrize("longer", ["user-token-1-long", "a-token-1-long", "token-1-long"])
    def test_the_longest_of_overlapping_values_goes_first(self, longer: str) -> None:
        assert hiding("token-1", longer).text(longer) == MASK

    @pytest.mark.parametrize(("length", "encoded"), [(65536, MASK), (65537, None)], ids=["longest", "longer"])
    def test_a_value_longer_than_any_header_is_hidden_only_as_it_is(self, length: int, encoded: str | None) -> None:
        value = "/" * length
        redactor = hiding(value)
        assert redactor.text(f"<{value}>") == f"<{MASK}>"
        assert redactor.text(quote(value, safe="")) == (encoded or quote(value, safe=""))

    def test_memory_is_bounded(self) -> None:
        redactor = Redactor()
        for number in range(5000):
            redactor.add(f"token-number-{number}")
        assert redactor.text("token-number-4999") == MASK
        assert len(redactor._values) == 1000

    def test_a_value_that_is_seen_again_is_kept_for_longer_than_others(self) -> None:
        redactor = hiding("user-token-1", "user-token-2")
        for number in range(999):
            redactor.add("user-token-1")
            redactor.add(f"token-number-{number}")
        assert redactor.text("user-token-1 user-token-2") == f"{MASK} user-token-2"

    def test_values_too_short_to_be_hidden_drive_no_other_out(self) -> None:
        assert hiding("user-token-1", *(f"{number:03}" for number in range(1000))).text("user-token-1") == MASK

    def test_threads_may_add_values_while_others_hide_them(self, eager_threads: None) -> None:
        redactor, failures = Redactor(), list[Exception]()

        def work(thread: int) -> None:
            try:
                for number in range(30):
                    value = Slow(f"token-{thread}-{number}-end")
                    redactor.add(value)
                    assert redactor.text(f"<{value}>") == f"<{MASK}>"
            except Exception as exc:
                failures.append(exc)

        threads = [threading.Thread(target=work, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []


class TestBodies:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ('{"access_token": "abc.def"}', '{"access_token": "***"}'),
            ('{"a": 1, "client_secret":"x\\"y", "b": 2}', '{"a": 1, "client_secret":"***", "b": 2}'),
            ("grant_type=password&password=hunter2&x=1", "grant_type=password&password=***&x=1"),
            ("{'api_key': 'k'}", "{'api_key': '***'}"),
            ('{"token_type": "Bearer"}', '{"token_type": "Bearer"}'),
            ('{"token": null}', '{"token": null}'),
            ('{"error": {"code": "PASSWORD_WRONG"}}', '{"error": {"code": "PASSWORD_WRONG"}}'),
            ('{"code": 4711}', '{"code": 4711}'),
            ("code=4yWv9KzX2mQ8&state=1", "code=***&state=1"),
            ("code=X4711&state=1", "code=***&state=1"),
            ("code=123456&state=1", "code=***&state=1"),
            ("password=Xylophone&x=1", "password=***&x=1"),
            ('{"token": true, "secret": false}', '{"token": true, "secret": false}'),
            ('{"tokens": {"a": 1}}', '{"tokens": {"a": 1}}'),
            ('{"tokens": [1, 2]}', '{"tokens": [1, 2]}'),
            ('{"access_token": "abc', '{"access_token": ***'),
            ("token='abc", "token=***"),
            ('{"password": ""}', '{"password": "***"}'),
            ("password=", "password="),
            ('{"ssn":"1","password" : "hunter2"}', '{"ssn":"1","password" : "***"}'),
        ],
        ids=[
            "json",
            "escaped",
            "form",
            "python",
            "token type",
            "null",
            "error code",
            "number",
            "authorization code",
            "a letter and digits",
            "one-time code",
            "no quotes",
            "booleans",
            "a table",
            "a list",
            "cut off",
            "cut off, single quotes",
            "empty",
            "nothing",
            "spaces",
        ],
    )
    def test_fields_that_usually_hold_secrets_are_masked(self, text: str, shown: str) -> None:
        assert Redactor().body(text) == shown

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("cannot sign in: password=hidden-word-1", "cannot sign in: password=***"),
            ("cannot sign in: password = hidden-word-1", "cannot sign in: password = ***"),
            ("cannot sign in: password: hidden-word-1", "cannot sign in: password: ***"),
            ("cannot sign in: password:hidden-word-1", "cannot sign in: password:***"),
            ("cannot sign in:password: hidden-word-1", "cannot sign in:password: ***"),
            ("error=login=password=hidden-word-1&x=1", "error=login=password=***&x=1"),
            ("see: https://h/x?token=abc&state=1", "see: https://h/x?token=***&state=1"),
            ('{"error": "wrong password=hidden-word-1 given"}', '{"error": "wrong password=*** given"}'),
            ("{'error': 'wrong password=hidden-word-1 given'}", "{'error': 'wrong password=*** given'}"),
            ('{"error": "password=\'two words\' given"}', '{"error": "password=\'***\' given"}'),
            (r'{"error": "password=\"two \n words\" given"}', r'{"error": "password=\"***\" given"}'),
            (
                '{"next": "https://h/x?api_key=abc#f", "password": "x"}',
                '{"next": "https://h/x?api_key=***", "password": "***"}',
            ),
            ('{"a": "b", "c": "d", "token": "x"}', '{"a": "b", "c": "d", "token": "***"}'),
        ],
    )
    def test_so_are_those_within_the_value_of_another_field(self, text: str, shown: str) -> None:
        assert Redactor().body(text) == shown

    @pytest.mark.parametrize(
        "text",
        [
            "scope=token:read&state=1",
            '{"scope": "token:read secret:write"}',
            '{"error": "invalid token: expired"}',
            "grant_type=urn:ietf:params:oauth:grant-type:token-exchange",
            '{"error": "code=PASSWORD_WRONG"}',
            "error: code=PASSWORD_WRONG",
        ],
    )
    def test_what_only_looks_like_a_field_stays(self, text: str) -> None:
        assert Redactor().body(text) == text

    @pytest.mark.parametrize(
        "piece",
        [
            "aa=",
            "aa: ",
            "aa:'bb=\"",
            "token=",
            'token="',
            "token=\\",
            'token=\\"',
            "a.",
            "aa ",
            " ",
            '"',
            "eyJ",
            "a1/",
            "a" * 64,
        ],
    )
    def test_no_text_takes_long(self, piece: str) -> None:
        text = piece * (60_000 // len(piece))
        begun = time.process_time()
        Redactor().body(f"password={text}")
        Redactor().body(f"aa: {text}")
        assert time.process_time() - begun < 2

    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            pytest.param("eyJhbGciOiJ9.eyJ9.c2ln", MASK, id="a JWT"),
            pytest.param("eyJhbGciOiJ9.eyJ9.", MASK, id="a JWT without a signature"),
            pytest.param("eyJhbGciOiJ.eyJ9.c2ln", MASK, id="the shortest JWT"),
            pytest.param("eyJhbGciOi.eyJ9.c2ln", "eyJhbGciOi.eyJ9.c2ln", id="too short for a JWT"),
            pytest.param("a1" * 16, MASK, id="32 letters and digits"),
            pytest.param("a1" * 16 + "==", MASK, id="base64 with its padding"),
            pytest.param("a1" * 15 + "a", "a1" * 15 + "a", id="31 letters and digits"),
            pytest.param("a" * 40, "a" * 40, id="letters only"),
            pytest.param("1" * 40, "1" * 40, id="digits only"),
        ],
    )
    def test_what_looks_like_a_token_is_masked_under_any_name(self, value: str, shown: str) -> None:
        assert Redactor().body(f'{{"id": "{value}"}}') == f'{{"id": "{shown}"}}'


class TestHeaders:
    @pytest.mark.parametrize(
        ("name", "value", "shown"),
        [
            ("Authorization", "Bearer abc", "Bearer ***"),
            ("authorization", "abc", "***"),
            ("X-Api-Key", "abc", "***"),
            ("Cookie", "a=b", "***"),
            ("Accept", "text/plain", "text/plain"),
            ("Authorization", "Bearer <token:user>", "Bearer <token:user>"),
            ("X-Api-Key", "<redacted>", "<redacted>"),
            ("Authorization", "abc ", "***"),
            ("Authorization", "abc-1 def", "***"),
            ("X-Api-Key", "abc def", "***"),
        ],
    )
    def test_values_are_masked_by_name(self, name: str, value: str, shown: str) -> None:
        assert Redactor().header(name, value) == shown

    def test_so_are_those_of_pairs(self) -> None:
        pairs = [("Authorization", "Bearer abc"), ("Accept", "text/plain"), ("X-Note", "user-token-1")]
        shown = [("Authorization", "Bearer ***"), ("Accept", "text/plain"), ("X-Note", "***")]
        assert hiding("user-token-1").headers(pairs) == shown


class TestUrls:
    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("https://user:pass@host/x", "https://user:***@host/x"),
            ("https://:pass@host/x", "https://:***@host/x"),
            ("https://host/x?y=1&api_key=k", "https://host/x?y=1&api_key=***"),
            ("https://host/x?api_key=k&y=1", "https://host/x?api_key=***&y=1"),
            ("https://host/x?access_token=k#f", "https://host/x?access_token=***#f"),
            ("https://host/a?b=c", "https://host/a?b=c"),
        ],
    )
    def test_passwords_and_sensitive_parameters_are_masked(self, url: str, shown: str) -> None:
        assert Redactor().url(url) == shown


@pytest.mark.parametrize(
    "name",
    [
        *("Authorization", "Proxy-Authorization", "Cookie", "Cookie2", "Set-Cookie", "Set-Cookie2"),
        *("id_token", "x-auth-token", "webhook_secret", "passwd", "user-password", "api-key", "api_key", "X-ApiKey"),
        *("X-Signature", "aws_credential", "X-Amz-Security", "sessionid", "session-id", "session_id", "auth", "X-Auth"),
        *("client_assertion", "private_key", "private-key", "PrivateKey"),
        *("code", "key", "jwt", "sid", "otp", "pin", "pwd", "pw"),
    ],
)
def test_names_of_secrets_are_known(name: str) -> None:
    assert sensitive(name)


@pytest.mark.parametrize(
    "name",
    [
        *("Accept", "Content-Type", "grant_type", "username", "Idempotency-Key", "X-CSRF-Token-Required"),
        *("token_type", "Token-Type", "token_endpoint", "subject_token_type"),
        *("postcode", "decoder", "keyboard", "author", "pinned", "X-Cookie", "Cookie-Policy", "authorization_endpoint"),
    ],
)
def test_other_names_are_not(name: str) -> None:
    assert not sensitive(name)


def test_a_masked_token_shows_its_ends_only_when_it_is_long() -> None:
    assert masked("abcdefghijklmnopqrstuvwxyz") == "abcd…wxyz"
    assert masked("short-token") == MASK
    assert masked("a" * 20) == "aaaa…aaaa"
    assert masked("a" * 19) == MASK


def test_the_repr_of_a_mapping_hides_sensitive_values() -> None:
    assert repr_mapping({"Authorization": "Bearer x", "Accept": "y"}) == "{'Authorization': '***', 'Accept': 'y'}"
    assert repr_mapping(None) == "None"


class TestContentOfAnApi:
    @pytest.mark.parametrize(
        "text",
        [
            '{"id": "123e4567-e89b-12d3-a456-426614174000"}',
            '{"sha": "da39a3ee5e6b4b0d3255bfef95601890afd80709"}',
            '{"image": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"}',
            "--8ef8b41e9a42cf0f67d2c75e9bef5203--",
            "<a><id>da39a3ee5e6b4b0d3255bfef95601890afd80709</id></a>",
        ],
    )
    def test_what_only_looks_like_a_token_stays(self, text: str) -> None:
        assert Redactor().content(text) == text
        assert Redactor().body(text) != text or "123e" in text

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ('{"a": {"access_token": "a b", "n": 1}}', '{"a": {"access_token": "***", "n": 1}}'),
            ("a=1&password=x%20y&b=2", "a=1&password=***&b=2"),
            ("<s:Password a='1'>x y</s:Password><b>c</b>", "<s:Password a='1'>***</s:Password><b>c</b>"),
            (
                '--b\r\nContent-Disposition: form-data; name="api_key"\r\nX: y\r\n\r\none\r\ntwo\r\n--b--',
                '--b\r\nContent-Disposition: form-data; name="api_key"\r\nX: y\r\n\r\n***\r\n--b--',
            ),
            ("a known-secret-1 b", "a *** b"),
            (base64.b64encode(b"u:known-secret-1").decode(), "dTp***Q=="),
        ],
    )
    def test_known_secrets_and_what_has_the_name_of_one_are_masked(self, text: str, shown: str) -> None:
        assert hiding("known-secret-1").content(text) == shown

    @pytest.mark.parametrize("piece", ["a", "\0", "a ", "a=b&", 'a="', "token ", '{"a":"b"},', "<a>b</", 'x=\\"'])
    def test_a_megabyte_takes_no_second(self, piece: str) -> None:
        text = "form-data </" + piece * (1_000_000 // len(piece))
        began = time.process_time()
        assert Redactor().content(text) == text
        assert time.process_time() - began < 1


class TestAnswersToLogins:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ('{"t": "aB3dE6gH9jK2"}', '{"t": "***"}'),
            ('{"aB3dE6gH9jK2": 1}', '{"aB3dE6gH9jK2": 1}'),
            ('{"e": "invalid_grant", "s": "MFA_REQUIRED", "k": "Bearer"}',) * 2,
            ('{"r": "eu-west-1", "n": "short1", "at": "2026-01-01T00:00:00Z"}',) * 2,
            ('{"u": "https://login.example/realms/x/token?v=2"}',) * 2,
            ('{"u": "https://login.example/realms/x?t=aB3dE6gH9jK2"}', '{"u": "***"}'),
            ('{"m": "wrong, see aB3dE6gH9jK2mN5p now"}', '{"m": "wrong, see *** now"}'),
            ('{"m": "see https://login.example/x/aB3dE6gH9jK2mN5p"}', '{"m": "see https:***"}'),
            ('["aB3dE6gH9jK2", "words_of_mine"]', '["***", "words_of_mine"]'),
            ('{"t": "aB3dE6gH9j', '{"t": "***'),
            ("<p>aB3dE6gH9jK2mN5p</p>", "<p>***</p>"),
            ('<a x="1"><T>aB3dE6gH9jK2mN5p</T></a>', '<a x="1"><T>***</T></a>'),
            ("<p>an ordinary page</p>",) * 2,
        ],
    )
    def test_what_looks_like_a_credential_is_masked_under_any_name(self, text: str, shown: str) -> None:
        assert Redactor().success(text) == shown

    @pytest.mark.parametrize(
        ("name", "value", "shown"),
        [
            ("Location", "/in?code=a&ticket=b&token=c&state=s", "/in?code=***&ticket=***&token=***&state=s"),
            ("location", "https://u:pw@a.example/in#access_token=c", "https://u:***@a.example/in#access_token=***"),
            ("Location", "/in?odd=aB3dE6gH9jK2mN5p&page=2", "/in?odd=***&page=2"),
            ("Link", '<https://a.example/?page=2>; rel="next"', '<https://a.example/?page=2>; rel="next"'),
            ("Refresh", "0; url=/in?ticket=b", "0; url=/in?ticket=***"),
        ],
    )
    def test_the_url_in_a_header_is_shown_without_its_secrets(self, name: str, value: str, shown: str) -> None:
        assert Redactor().headers([(name, value)]) == [(name, shown)]

    @pytest.mark.parametrize(
        ("name", "value", "shown"),
        [
            ("X-Given", "aB3dE6gH9jK2", MASK),
            ("X-Region", "eu-west-1", "eu-west-1"),
            ("Content-Type", "text/html;charset=utf-8", "text/html;charset=utf-8"),
            ("X-Request-Id", "aB3dE6gH9jK2", "aB3dE6gH9jK2"),
            ("X-Note", "take aB3dE6gH9jK2mN5p", "take ***"),
            ("Location", "/reset/aB3dE6gH9jK2mN5p?odd=aB3dE6gH9&next=/home", "/reset/***?odd=***&next=/home"),
            (
                "Location",
                "https://login-2.example-company.example/realms/1a1b1111-2222-4333-8444-555555555555/",
                "https://login-2.example-company.example/realms/1a1b1111-2222-4333-8444-555555555555/",
            ),
        ],
    )
    def test_any_header_may_be_a_credential(self, name: str, value: str, shown: str) -> None:
        assert Redactor().answered([(name, value)]) == [(name, shown)]

    @given(st.text(alphabet='"\\{}:,aB1 /.?=&h tps', max_size=200))
    def test_any_text_can_be_masked_and_masking_again_changes_nothing_known(self, text: str) -> None:
        Redactor().success(text)
        Redactor().answered([("Location", text), ("X-A", text)])

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ('{"token_endpoint": "https://login.example/1a1b1111-2222-4333-8444-555555555555/oauth2/v2.0/token"}',) * 2,
            ('{"u": "https://hooks.example/services/T000/B000/aBcDeFgHiJkLmNoPqRsT"}', '{"u": "https:***"}'),
        ],
    )
    def test_an_address_is_no_token_in_any_body_unless_a_part_of_it_looks_like_one(self, text: str, shown: str) -> None:
        assert Redactor().body(text) == shown
