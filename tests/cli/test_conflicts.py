"""Options and items that exclude each other: a usage error that names both, before anything is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Forge
from tests.server import Server


@pytest.mark.parametrize(
    ("words", "both"),
    [
        ("post @f @g", ("@f", "@g")),
        ("post @f a=1", ("@f", "'a'")),
        ("post @f a@g", ("@f", "'a'")),
        ("post -d x a=1", ("--data", "'a'")),
        ("post -d x a@f", ("--data", "'a'")),
        ("post -d x @f", ("--data", "@f")),
        ("post -f --json a=1", ("--json", "--form")),
        ("post --multipart --json a=1", ("--json", "--multipart")),
        ("post -f --multipart a=1", ("--form", "--multipart")),
        ("get -o a --download", ("--output", "--download")),
        ("get --continue", ("--continue", "--output")),
        ("post -o a --continue", ("--continue", "POST")),
        ("get -o a --continue --format json", ("--continue", "--format")),
        ("post -d @- -u -", ("--data", "--user")),
        ("post @- --bearer -", ("@-", "--bearer")),
        ("post a@- @-", ("@-", "'a'")),
        ("post a@- b@-", ("'a@-'", "'b@-'")),
        ("get -u a:b --bearer c", ("--user", "--bearer")),
        ("get -k --verify yes", ("--insecure", "--verify yes")),
        ("get -k --verify f", ("--insecure", "--verify f")),
        ("get --max-pages 2", ("--max-pages", "--paginate")),
        ("get --max-items 2", ("--max-items", "--paginate")),
        ("post --paginate", ("--paginate", "POST")),
        ("get --paginate --har f", ("--paginate", "--har")),
        ("get --paginate --format exchange", ("--paginate", "--format exchange")),
        ("get --no-follow --max-redirects 2", ("--no-follow", "--max-redirects 2")),
        ("get -L --max-redirects 0", ("--follow", "--max-redirects 0")),
        ("get --offline --curl", ("--offline", "--curl")),
        ("get --curl --as env --reveal", ("--as env", "--reveal")),
        ("get --as env", ("--as", "--curl")),
        ("get --shell powershell", ("--shell", "--curl")),
        ("get --cert-key f", ("--cert-key", "--cert")),
        ("get -u env:HOME Authorization:x", ("--user", "Authorization")),
        ("get --bearer env:HOME -H authorization:x", ("--bearer", "authorization")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_both_are_named_and_nothing_is_sent(forge: Forge, server: Server, words: str, both: tuple[str, str]) -> None:
    for name in "fg":
        Path(name).write_text("x")
    command, *others = words.split()
    result = forge(command, f"{server.url}/x", *others, input="")
    assert (result.exit_code, result.stdout, server.seen) == (2, "", [])
    first = result.stderr.splitlines()[0]
    assert all(name in first for name in both), first


@pytest.mark.parametrize("words", ["-k --verify no", "--no-follow --max-redirects 0", "-L --max-redirects 2"])
def test_what_says_the_same_twice_is_no_conflict(forge: Forge, words: str) -> None:
    assert forge("get", "http://127.0.0.1:1/", "--retry", "0", *words.split()).exit_code == 8
