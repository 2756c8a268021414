"""What `forge trust` lists: whatever a profile can send to, however its addresses are put together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.login.definition import RequestTable, VerifyTable
from forge_cli.login.steps.browser import BrowserStep
from forge_cli.profiles.document import Document
from forge_cli.profiles.powers import powers
from forge_cli.profiles.schema import (
    OAuth2Auth,
    ProfileTable,
    ProxyTable,
    SavedRequest,
    SharedTable,
    TokensTable,
)

SENDS, FILES, VARIABLES = "sends requests and credentials to", "reads files", "reads environment variables"
STEP: dict[str, Any] = {"type": "pipeline"}
ADDRESSES: dict[str, Any] = {
    "base_url": lambda url: {"base_url": url},
    "origins": lambda url: {"origins": [url]},
    "proxy": lambda url: {"proxy": url},
    "proxy.http": lambda url: {"proxy": {"http": url}},
    "proxy.https": lambda url: {"proxy": {"https": url}},
    "tokens.url": lambda url: {"tokens": {"storage": "redis", "url": url}},
    "requests.url": lambda url: {"requests": {"r": {"url": url}}},
    "inject base_url": lambda url: {"auth": {**STEP, "inject": [{"in": "base_url", "value": url}]}},
    "step": lambda url: {"auth": {**STEP, "steps": {"s": {"request": {"url": url}}}}},
    "refresh": lambda url: {"auth": {**STEP, "steps": {"s": {"refresh": {"request": {"url": url}}}}}},
    "revoke": lambda url: {"auth": {**STEP, "steps": {"s": {"revoke": {"request": {"url": url}}}}}},
    "poll": lambda url: {"auth": {**STEP, "steps": {"s": {"kind": "device", "poll": {"request": {"url": url}}}}}},
    "pushed": lambda url: {"auth": {**STEP, "steps": {"s": {"kind": "browser", "pushed": {"url": url}}}}},
    "browser": lambda url: {"auth": {**STEP, "steps": {"s": {"kind": "browser", "url": url, "redirect_uri": url}}}},
    "jwks": lambda url: {"auth": {**STEP, "steps": {"s": {"extract": {"id": {"verify": {"jwks": url}}}}}}},
} | {
    name: lambda url, name=name: {"auth": {"type": "oauth2", name: url}}
    for name in ("issuer", "token_url", "authorization_url", "device_url", "revocation_url", "par_url", "redirect_uri")
}


def document(profile: dict[str, Any], **more: Any) -> Document:
    return Document(Path("x.toml"), "", {"profiles": {"p": profile}, **more})


def test_no_address_of_the_schema_is_missing_here() -> None:
    """A key that is new in it has to be listed, and so to be one of these."""
    known = {name.rpartition(".")[2] for name in ADDRESSES} | {"url"}
    for table in (ProfileTable, SharedTable, OAuth2Auth, ProxyTable, TokensTable, SavedRequest, RequestTable,
                  VerifyTable, BrowserStep):  # fmt: skip
        for item in dataclasses.fields(table):
            if "url" in item.name or "uri" in item.name or item.name in ("issuer", "proxy", "origins", "jwks"):
                assert item.name in known, f"{table.__name__}.{item.name}"


PIECES = ["https", "http", ":", "/", "//", "://", "evil.example", ".example", "evil", "/collect", "@", "?", "\\", "%"]
# How a piece is written: as it is, as a var of the file, quoted, or so that only the run knows what it is.
WAYS: dict[str, Callable[[str, int], str]] = {
    "plain": lambda text, n: text,
    "var": lambda text, n: f"${{vars.v{n}}}",
    "quoted": lambda text, n: f'${{"{text}"}}',
    "filtered": lambda text, n: f"${{vars.v{n} | lower}}",
    "env": lambda text, n: f"${{env.E{n}}}",
    "chain": lambda text, n: f"${{env.E{n} ?? vars.v{n}}}",
}


@given(
    place=st.sampled_from(sorted(ADDRESSES)),
    ways=st.lists(st.sampled_from(sorted(WAYS)), min_size=4, max_size=4),
    scheme=st.sampled_from(["https", "http", "HTTP"]),
    rest=st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(sorted(WAYS))), max_size=4),
)
def test_whatever_an_address_is_made_of_it_is_listed(
    place: str, ways: list[str], scheme: str, rest: list[tuple[str, str]]
) -> None:
    written = [*zip((scheme, ":", "//", "evil.example"), ways, strict=True), *rest]
    url = "".join(WAYS[way](text, n) for n, (text, way) in enumerate(written))
    # What it comes to when all that is left open is what an attacker hopes for.
    meant = "".join(text for text, _ in written)
    variables = {f"v{n}": text for n, (text, _) in enumerate(written)}
    found = powers(document({**ADDRESSES[place](url), "vars": variables})).get(SENDS, [])
    host = meant.partition("://")[2].replace("\\", "/").split("/")[0].split("?")[0].rpartition("@")[2]
    composed = any(text.startswith("composed: ") for text in found)
    assert composed or (host and any(host in text for text in found)) or "\\" in "".join(found), found


@pytest.mark.parametrize(
    ("url", "listed"),
    [
        ("${vars.s}://evil.example/collect", "https://evil.example"),
        ("https:${vars.sl}evil.example/collect", "https://evil.example"),
        ("${env.S}://evil.example/collect", "composed: ${env.S}://evil.example/collect"),
        ("${env.S ?? vars.s}://evil", 'composed: ${env.S ?? "https"}://evil'),
        ("${vars.s | upper}://evil", 'composed: ${"https" | upper}://evil'),
        ("https://${env.H}.example", "composed: https://${env.H}.example"),
        ("https://ada:pass-word-1@${env.H}", "composed: https://…@${env.H}"),
        ("${steps.a.url}", "composed: ${steps.a.url}"),
        ("https://good.example\\@evil.example", "https://good.example\\@evil.example"),
    ],
)
def test_a_composed_address_is_shown_as_far_as_the_file_says(url: str, listed: str) -> None:
    table = {**ADDRESSES["step"](url), "vars": {"s": "https", "sl": "//"}}
    assert powers(document(table))[SENDS] == [listed]


@pytest.mark.parametrize("url", ["/users", "oauth/${vars.tenant}/token", "users?a=${env.A}", "/${env.A}", "token"])
def test_a_path_leads_nowhere_else(url: str) -> None:
    assert SENDS not in powers(document({**ADDRESSES["step"](url), "vars": {"tenant": "a"}}))


def test_the_values_of_a_child_count_for_what_it_has_from_its_parent() -> None:
    parent = {"abstract": True, "base_url": "${vars.s}://a.example", "vars": {"s": "https"}}
    both = Document(Path("x.toml"), "", {"profiles": {"p": parent, "child": {"extends": "p", "vars": {"s": "http"}}}})
    assert powers(both)[SENDS] == ["https://a.example", "http://a.example"]


def test_a_shared_login_is_listed_with_values_of_its_own() -> None:
    shared = {"base_url": "${vars.s}://a.example", "vars": {"s": "https"}, "token_url": "${base_url}/token"}
    assert powers(document({}, auth={"s": shared}))[SENDS] == ["https://a.example"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("${env.LANG ?? env.AWS_SECRET_ACCESS_KEY}", ["LANG", "AWS_SECRET_ACCESS_KEY"]),
        ("${env.A ?? vars.x ?? env.B}-${env.C}", ["A", "B", "C"]),
        ("${vars.x | hmac_sha256(env.KEY) | hex}", ["KEY"]),
        ("$${env.NOT}", []),
        ("${env.BROKEN ?? env.AS_WELL", ["BROKEN", "AS_WELL"]),
    ],
)
def test_every_variable_of_a_template_is_listed(text: str, names: list[str]) -> None:
    assert powers(document({"headers": {"X": text}})).get(VARIABLES, []) == names


def test_netrc_and_certificates_that_logins_name_are_files() -> None:
    injected = {"in": "client_cert", "value": {"cert": "${vars.f}.pem", "key": "${env.K}"}}
    table = {"netrc": True, "vars": {"f": "a"}, "auth": {**STEP, "inject": [injected]}}
    assert powers(document(table))[FILES] == ["the netrc file (NETRC, else ~/.netrc)", "a.pem", "composed: ${env.K}"]
    assert FILES not in powers(document({"netrc": False}))


def test_tokens_in_the_keyring_are_entries_of_it() -> None:
    found = powers(document({"tokens": {"storage": "keyring"}}))
    assert found["reads the keyring"] == ["forge"]
