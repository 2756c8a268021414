from __future__ import annotations

import hashlib
import io
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from forge_cli.encode import FileBody, OneShot
from forge_cli.errors import MissingSecret, RequestBuildException
from forge_cli.login.challenge import Challenge, challenges
from forge_cli.login.sign.digest import authorization, strongest
from forge_cli.models import Headers, HttpRequest, HttpResponse, PreparedRequest
from forge_cli.redact import REDACTOR
from tests.login.sign.made import UUID, client, request, scope, signer
from tests.server import Reply, Seen, Server

PASSWORD = "made-up-password"
SECRETS = {"password": PASSWORD}
TOML = """
type = "digest"
username = "ada"
password = "${secrets.password}"
"""
MD5 = 'Digest realm="r", qop="auth", nonce="{}", opaque="o"'


def fields(value: str) -> dict[str, str]:
    """The parameters of an Authorization header, without quotes."""
    return dict(challenges([value])[0].params)


def hexed(name: str, *parts: str) -> str:
    return hashlib.new(name, ":".join(parts).encode()).hexdigest()


def good(seen: Seen, password: str = PASSWORD) -> bool:
    """Whether a request has the right answer to an MD5 challenge with qop=auth: reckoned here once more."""
    found = fields(seen.headers["Authorization"])
    secret, subject = hexed("md5", "ada", found["realm"], password), hexed("md5", seen.method, seen.target)
    answer = hexed("md5", secret, found["nonce"], found["nc"], found["cnonce"], "auth", subject)
    return found["response"] == answer and found["uri"] == seen.target


class Guard:
    """A server's side of MD5: asks for a digest, takes each nonce so many times, and never one count twice."""

    def __init__(self, uses: int = 1000, stale: str = "", realm: str = "r", domain: str = "") -> None:
        self.uses, self.stale = uses, stale
        self.head = f'Digest realm="{realm}", qop="auth", algorithm=MD5{domain}'
        self.issued = 0
        self.used: dict[str, set[str]] = {}
        self.lock = threading.Lock()

    def __call__(self, seen: Seen) -> Reply:
        with self.lock:
            if "Authorization" not in seen.headers:
                return self.refusal("")
            found = fields(seen.headers["Authorization"])
            if found["nonce"] not in self.used or f'realm="{found["realm"]}"' not in self.head:
                return self.refusal("")
            counts = self.used[found["nonce"]]
            assert found["nc"] not in counts, "a count was used twice"
            counts.add(found["nc"])
            if not good(seen):
                return self.refusal("")
            if len(counts) > self.uses:
                return self.refusal(self.stale)
            return Reply(200, "in")

    def refusal(self, more: str) -> Reply:
        self.issued += 1
        nonce = f"nonce-{self.issued}"
        self.used[nonce] = set()
        return Reply(401, "", {"WWW-Authenticate": f'{self.head}, nonce="{nonce}"{more}'})


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_the_rfc(algorithm: str, response: str) -> None:
    # RFC 7616, section 3.9.1
    challenge = Challenge(
        "Digest",
        {
            "realm": "http-auth@example.org",
            "qop": "auth, auth-int",
            "algorithm": algorithm,
            "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            "opaque": "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
        },
    )
    value = authorization(
        challenge,
        request("GET", "http://www.example.org/dir/index.html"),
        "Mufasa",
        "Circle of Life",
        count=1,
        cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )
    assert value == (
        'Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html",'
        f' algorithm={algorithm}, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001,'
        ' cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth,'
        f' response="{response}", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )


@pytest.mark.skipif("sha512_256" not in hashlib.algorithms_available, reason="this OpenSSL has no SHA-512/256")
@pytest.mark.parametrize("userhash", [True, False])
def test_the_example_of_the_rfc_with_a_hashed_user(userhash: bool) -> None:
    # RFC 7616, section 3.9.2, as corrected by erratum 4897
    params = {
        "realm": "api@example.org",
        "qop": "auth",
        "algorithm": "SHA-512-256",
        "nonce": "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
        "opaque": "HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS",
        "charset": "UTF-8",
    }
    found = fields(
        authorization(
            Challenge("Digest", {**params, "userhash": "true"} if userhash else params),
            request("GET", "http://api.example.org/doe.json"),
            "Ja\u0308søn Doe",  # composed as the RFC asks for
            "Secret, or not?",
            count=1,
            cnonce="NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
        )
    )
    assert found["response"] == "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"
    if userhash:
        assert found["username"] == "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"
        assert found["userhash"] == "true" and "username*" not in found
    else:
        assert found["username*"] == "UTF-8''J%C3%A4s%C3%B8n%20Doe"
        assert "username" not in found and "userhash" not in found


def test_a_challenge_without_qop_is_answered_as_of_old() -> None:
    # RFC 2069, section 2.4, as corrected by erratum 749
    params = {"realm": "testrealm@host.com", "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093", "opaque": "5ccc"}
    prepared = request("GET", "http://www.nowhere.org/dir/index.html")
    value = authorization(Challenge("Digest", params), prepared, "Mufasa", "CircleOfLife", count=7, cnonce="x")
    found = fields(value)
    assert found["response"] == "1949323746fe6a43ef61f9606e7febea"
    assert not {"nc", "cnonce", "qop", "algorithm"} & set(found)


@pytest.mark.parametrize(("algorithm", "name"), [("MD5-sess", "md5"), ("sha-256-SESS", "sha256")])
def test_a_session_key_is_made_of_nonces(algorithm: str, name: str) -> None:
    challenge = Challenge("Digest", {"realm": "r", "nonce": "n", "qop": "auth", "algorithm": algorithm})
    found = fields(authorization(challenge, request("GET", "http://a.example/x?y=1"), "u", "p", count=2, cnonce="c"))
    secret = hexed(name, hexed(name, "u", "r", "p"), "n", "c")
    assert found["response"] == hexed(name, secret, "n", "00000002", "c", "auth", hexed(name, "GET", "/x?y=1"))
    assert found["algorithm"] == algorithm


def test_a_session_without_qop_says_its_cnonce() -> None:
    challenge = Challenge("Digest", {"realm": "r", "nonce": "n", "algorithm": "MD5-sess"})
    found = fields(authorization(challenge, request("GET", "http://a.example/"), "u", "p", count=1, cnonce="c"))
    assert found["cnonce"] == "c" and "nc" not in found


@pytest.mark.parametrize("body", [None, b"a body", FileBody(io.BytesIO(b"a body"))], ids=["none", "bytes", "file"])
def test_the_body_is_covered_where_the_server_wants_no_less(body: Any) -> None:
    challenge = Challenge("Digest", {"realm": "r", "nonce": "n", "qop": "auth-int"})
    prepared = PreparedRequest("PUT", "http://a.example/x", Headers(), body)
    found = fields(authorization(challenge, prepared, "u", "p", count=1, cnonce="c"))
    subject = hexed("md5", "PUT", "/x", hexed("md5", "" if body is None else "a body"))
    assert found["response"] == hexed("md5", hexed("md5", "u", "r", "p"), "n", "00000001", "c", "auth-int", subject)
    assert found["qop"] == "auth-int"


def test_a_body_that_can_be_read_once_cannot_be_covered() -> None:
    prepared = PreparedRequest("PUT", "http://a.example/x", Headers(), OneShot([b"x"]))
    params = {"realm": "r", "nonce": "n", "qop": "auth-int"}
    with pytest.raises(RequestBuildException, match="read only once"):
        authorization(Challenge("Digest", params), prepared, "u", "p", count=1, cnonce="c")
    both = Challenge("Digest", {**params, "qop": "auth-int,auth"})
    assert fields(authorization(both, prepared, "u", "p", count=1, cnonce="c"))["qop"] == "auth"


def test_quotes_in_what_the_server_says_are_kept() -> None:
    [challenge] = challenges(['Digest realm="a \\"b\\\\", nonce="\\"", qop=auth'])
    found = fields(authorization(challenge, request("GET", "http://a.example/"), 'u"', "p", count=1, cnonce="c"))
    assert (found["realm"], found["nonce"], found["username"]) == ('a "b\\', '"', 'u"')


@pytest.mark.parametrize(
    ("value", "algorithm"),
    [
        ('Basic realm="x"', None),
        ('Digest realm="r", nonce="n"', "MD5"),
        ('Digest realm="r", nonce="1", algorithm=MD5, Digest realm="r", nonce="2", algorithm=SHA-256', "SHA-256"),
        ('Digest realm="r", nonce="1", algorithm=MD5-sess, Digest realm="r", nonce="2", algorithm=SHA-256', "SHA-256"),
        ('Digest realm="r", nonce="1", algorithm=SHA-256-sess, Digest realm="r", nonce="2"', "SHA-256-sess"),
        ('Digest realm="r", nonce="1", algorithm=SHA-999, Basic realm="x", Digest realm="r", nonce="2"', "MD5"),
        ('Digest realm="r", nonce="1", algorithm=SHA-999', None),
        ('Digest realm="r", nonce="1", qop="auth-conf"', None),
        ('Digest realm="r", nonce="1", qop="auth-conf, AUTH"', "MD5"),
        ('Digest nonce="1"', None),
        ('Digest realm="r"', None),
        ('Digest realm="\x01", nonce="1"', None),
    ],
)  # fmt: skip
def test_the_strongest_challenge_that_can_be_answered_is_taken(value: str, algorithm: str | None) -> None:
    found = strongest(challenges([value]))
    assert (found and found.params.get("algorithm", "MD5")) == algorithm


def test_the_first_request_waits_for_the_challenge_and_later_ones_do_not(server: Server) -> None:
    guard = Guard()
    server.reply("/a", guard)
    server.reply("/b", guard)
    with client(signer(TOML), SECRETS, base_url=server.url) as made:
        assert [made.get(path).status_code for path in ("/a", "/b?x=1&y=%20", "/a")] == [200, 200, 200]
    assert ["Authorization" in seen.headers for seen in server.seen] == [False, True, True, True]
    used = [fields(seen.headers["Authorization"]) for seen in server.seen[1:]]
    assert [(found["nonce"], found["nc"]) for found in used] == [
        ("nonce-1", "00000001"),
        ("nonce-1", "00000002"),
        ("nonce-1", "00000003"),
    ]


def test_a_wrong_password_is_tried_once(server: Server) -> None:
    guard = Guard()
    server.reply("/a", guard)
    with client(signer(TOML), {"password": "made-up-other"}, base_url=server.url) as made:
        assert made.get("/a").status_code == 401
        assert len(server.seen) == 2
        # What was refused is forgotten: the next request asks again.
        assert made.get("/a").status_code == 401
    assert ["Authorization" in seen.headers for seen in server.seen] == [False, True, False, True]


@pytest.mark.parametrize("stale", [", stale=true", ", stale=TRUE", ""], ids=["stale", "STALE", "not said"])
def test_a_nonce_that_is_used_up_is_replaced(server: Server, stale: str) -> None:
    guard = Guard(uses=2, stale=stale)
    server.reply("/a", guard)
    with client(signer(TOML), SECRETS, base_url=server.url) as made:
        assert [made.get("/a").status_code for _ in range(5)] == [200] * 5
    assert len(server.seen) == 1 + 5 + 2


def test_a_server_that_finds_every_nonce_stale_is_not_asked_for_ever(server: Server) -> None:
    server.reply("/a", Guard(uses=0, stale=", stale=true"))
    with client(signer(TOML), SECRETS, base_url=server.url) as made:
        assert made.get("/a").status_code == 401
    assert len(server.seen) == 4


def test_the_same_nonce_again_is_a_refusal(server: Server) -> None:
    server.reply("/a", Reply(401, "", {"WWW-Authenticate": MD5.format("same")}))
    with client(signer(TOML), SECRETS, base_url=server.url) as made:
        assert made.get("/a").status_code == 401
    assert len(server.seen) == 2


def test_a_nonce_that_was_good_and_comes_again_is_a_refusal_too(server: Server) -> None:
    refused = Reply(401, "", {"WWW-Authenticate": MD5.format("same")})
    server.reply("/a", refused, Reply(200), refused)
    with client(signer(TOML), SECRETS, base_url=server.url) as made:
        assert [made.get("/a").status_code for _ in range(2)] == [200, 401]
    assert len(server.seen) == 3


@pytest.mark.parametrize("status", [200, 403, 407])
def test_only_a_401_is_a_challenge(server: Server, status: int) -> None:
    server.reply("/a", Reply(status, "", {"WWW-Authenticate": MD5.format("n")}))
    with client(signer(TOML), SECRETS, base_url=server.url) as made:
        assert made.get("/a").status_code == status
        assert made.get("/a").status_code == status
    assert all("Authorization" not in seen.headers for seen in server.seen)


def test_a_challenge_that_cannot_be_answered_is_left_to_the_caller(server: Server) -> None:
    server.reply("/a", Reply(401, "", {"WWW-Authenticate": 'Digest realm="r", nonce="n", algorithm=SHA-999'}))
    with client(signer(TOML), SECRETS, base_url=server.url) as made:
        assert made.get("/a").status_code == 401
    assert len(server.seen) == 1


def test_challenges_in_several_fields_are_all_seen(server: Server) -> None:
    offered = [("WWW-Authenticate", 'Basic realm="b"'), ("WWW-Authenticate", MD5.format("n"))]
    server.reply("/a", Reply(401, "", offered), lambda seen: Reply(200 if good(seen) else 400))
    with client(signer(TOML), SECRETS, base_url=server.url) as made:
        assert made.get("/a").status_code == 200


def test_realms_of_one_server_are_kept_apart_by_their_domain(server: Server) -> None:
    one, two = Guard(realm="one", domain=', domain="/one"'), Guard(realm="two", domain=', domain="/two /2"')
    for path, guard in (("/one/x", one), ("/one/y", one), ("/two/x", two), ("/2", two)):
        server.reply(path, guard)
    server.reply("/open", Reply())
    with client(signer(TOML), SECRETS, base_url=server.url) as made:
        for path in ("/one/x", "/two/x", "/one/y", "/2", "/open"):
            assert made.get(path).status_code == 200
    signed = [(seen.path, "Authorization" in seen.headers) for seen in server.seen]
    assert signed == [
        ("/one/x", False),
        ("/one/x", True),
        ("/two/x", False),
        ("/two/x", True),
        ("/one/y", True),
        ("/2", True),
        ("/open", False),
    ]


def test_of_realms_without_a_domain_the_last_is_answered(server: Server) -> None:
    server.reply("/one", Guard(realm="one"))
    server.reply("/two", Guard(realm="two"))
    with client(signer(TOML), SECRETS, base_url=server.url) as made:
        assert [made.get(path).status_code for path in ("/one", "/two", "/two")] == [200] * 3
    realms = [fields(seen.headers["Authorization"])["realm"] for seen in server.seen[1:]]
    assert realms == ["one", "one", "two", "two"]


def test_each_hop_of_a_redirect_has_what_it_needs(server: Server) -> None:
    guard = Guard(domain=', domain="/one"')
    moved = {"/one/a": "/one/b", "/one/b": "/open"}

    def hop(seen: Seen) -> Reply:
        answer = guard(seen)
        return Reply(302, "", {"Location": moved[seen.path]}) if answer.status == 200 else answer

    for path in moved:
        server.reply(path, hop)
    server.reply("/open", Reply())
    with client(signer(TOML), SECRETS, base_url=server.url) as made:
        assert made.get("/one/a").status_code == 200
    signed = [(seen.path, "Authorization" in seen.headers) for seen in server.seen]
    assert signed == [("/one/a", False), ("/one/a", True), ("/one/b", True), ("/open", False)]


def test_a_domain_elsewhere_does_not_take_the_password_there(server: Server, other_server: Server) -> None:
    server.reply("/a", Guard(domain=f', domain="{other_server.url}/"'))
    other_server.reply("/a", Reply())
    with client(signer(TOML), SECRETS) as made:
        assert made.get(f"{server.url}/a").status_code == 200
        made.get(f"{other_server.url}/a")
    assert "Authorization" not in other_server.seen[0].headers


def test_a_next_nonce_is_taken(server: Server) -> None:
    told = {"Authentication-Info": 'qop=auth, nextnonce="next, one"'}
    server.reply("/a", Reply(401, "", {"WWW-Authenticate": MD5.format("n")}), Reply(200, "", told))
    made, prepared = signer(TOML), request("GET", f"{server.url}/a")
    with client(made, SECRETS) as sending:
        answer = sending.get(f"{server.url}/a")
    # The client asks about the answer to its last attempt no more, so it is told here.
    made.sign(prepared, scope(SECRETS))
    assert not made.challenged(answer, scope(SECRETS))
    found = fields(made.sign(prepared, scope(SECRETS)).headers["Authorization"])
    assert (found["nonce"], found["nc"], found["opaque"]) == ("next, one", "00000001", "o")


def test_threads_share_a_nonce_and_never_a_count(server: Server) -> None:
    guard = Guard()
    server.reply("/a", guard)
    with client(signer(TOML), SECRETS, base_url=server.url) as made:
        made.get("/a")
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: made.get("/a").status_code, range(100)))
    assert answers == [200] * 100
    assert len(server.seen) == 102
    assert sorted(guard.used["nonce-1"]) == [f"{count:08x}" for count in range(1, 102)]


def test_threads_that_all_meet_a_challenge_all_come_in(server: Server) -> None:
    server.reply("/a", Guard())
    with client(signer(TOML), SECRETS, base_url=server.url) as made, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: made.get("/a").status_code, range(8)))
    assert answers == [200] * 8


def refusal(nonce: str, url: str = "http://a.example/") -> HttpResponse:
    headers = Headers([("WWW-Authenticate", MD5.format(nonce))])
    return HttpResponse(401, headers, b"", 1.0, url, HttpRequest("GET", url))


def test_a_challenge_that_others_have_met_goes_on_with_its_count() -> None:
    made, prepared = signer(TOML), request("GET", "http://a.example/")
    counts = []
    for uuid in ("one", "two"):
        assert made.challenged(refusal("same"), scope(SECRETS, uuid=uuid))
        counts.append(fields(made.sign(prepared, scope(SECRETS, uuid=uuid)).headers["Authorization"])["nc"])
    assert counts == ["00000001", "00000002"]


def test_a_later_attempt_of_a_request_may_meet_a_challenge_of_its_own() -> None:
    made, prepared, known = signer(TOML), request("GET", "http://a.example/"), scope(SECRETS)
    assert made.challenged(refusal("one"), known)
    made.sign(prepared, known)
    assert not made.challenged(replace(refusal("one"), status_code=503), known)
    made.sign(prepared, known)
    assert made.challenged(refusal("two"), known)
    made.sign(prepared, known)
    assert not made.challenged(refusal("three"), known)


def test_a_next_nonce_to_an_older_nonce_is_left() -> None:
    made, prepared = signer(TOML), request("GET", "http://a.example/")
    early, late = scope(SECRETS, uuid="early"), scope(SECRETS, uuid="late")
    assert made.challenged(refusal("old"), early)
    made.sign(prepared, early)
    assert made.challenged(refusal("new"), late)
    told = Headers([("Authentication-Info", 'nextnonce="old too"')])
    assert not made.challenged(replace(refusal("old"), status_code=200, headers=told), early)
    assert fields(made.sign(prepared, late).headers["Authorization"])["nonce"] == "new"


def test_a_cnonce_is_of_its_own_for_each_nonce_and_signer() -> None:
    found = set()
    for _ in range(2):
        made = signer(TOML)
        for nonce in ("one", "two"):
            assert made.challenged(refusal(nonce), scope(SECRETS, uuid=nonce))
            value = made.sign(request("GET", "http://a.example/"), scope(SECRETS, uuid=nonce)).headers["Authorization"]
            found.add(fields(value)["cnonce"])
    assert len(found) == 4
    assert all(re.fullmatch("[0-9a-f]{32}", cnonce) for cnonce in found)


def test_what_a_signer_remembers_is_no_part_of_its_table() -> None:
    made = signer(TOML)
    assert made.challenged(refusal("n"), scope(SECRETS))
    assert made == signer(TOML)
    assert "nonce" not in repr(made)


def test_the_password_is_hidden_and_the_answer_stays_at_its_origin() -> None:
    made, known = signer(TOML.replace("secrets.", "env.")), scope(environ=SECRETS)
    made.challenged(refusal("n"), known)
    signed = made.sign(request("GET", "http://a.example/"), known)
    assert signed.credentials == {"authorization"}
    assert REDACTOR.text(PASSWORD) == "***"
    assert "response=" not in repr(signed)
    assert "Authorization" not in made.sign(request("GET", "http://a.example:8080/"), known).headers


def test_no_password_is_asked_for_before_there_is_a_challenge() -> None:
    made = signer(TOML)
    prepared = request("GET", "http://a.example/")
    assert made.sign(prepared, scope({}, uuid=UUID)) is prepared


def test_a_missing_password_is_an_error_of_the_profile(server: Server) -> None:
    server.reply("/a", Reply(401, "", {"WWW-Authenticate": MD5.format("n")}))
    with client(signer(TOML), {}, base_url=server.url) as made, pytest.raises(MissingSecret, match="password"):
        made.get("/a")


def test_of_very_many_servers_the_oldest_challenge_is_forgotten() -> None:
    made = signer(TOML)
    urls = [f"http://host-{number}.example/" for number in range(101)]
    for url in urls:
        assert made.challenged(refusal("n", url), scope(SECRETS, uuid=url))
    signed = ["Authorization" in made.sign(request("GET", url), scope(SECRETS)).headers for url in urls]
    assert signed == [False] + [True] * 100
