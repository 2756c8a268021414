"""What a server proposes as a file name, and what becomes of it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from forge_cli.cli.download_name import from_url, proposed, safe


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("attachment; filename=a.txt", "a.txt"),
        ('attachment; filename="a b.txt"', "a b.txt"),
        ('attachment; filename="a; b=\\"c\\".txt"; size=3', 'a; b="c".txt'),
        ("attachment; FileName = a.txt ; x=y", "a.txt"),
        ("attachment; filename=a.txt; filename*=UTF-8''%e2%82%ac.txt", "€.txt"),
        ("attachment; filename*=iso-8859-1'en'%A3.txt; filename=a.txt", "£.txt"),
        ("attachment; filename*=UTF-8''%ff; filename=a.txt", "a.txt"),
        ("attachment; filename*=klingon''x; filename=a.txt", "a.txt"),
        ("attachment", None),
        ("", None),
        ("inline; name=a.txt", None),
    ],
)
def test_content_disposition_names_a_file(disposition: str, name: str | None) -> None:
    assert proposed(disposition) == name


@pytest.mark.parametrize(
    ("proposal", "name"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\evil.exe", "evil.exe"),
        ("/etc/cron.d/x", "x"),
        (".bashrc", "bashrc"),
        ("..", "download"),
        ("-rf", "rf"),
        (". .-x", "x"),
        ("a.txt. . ", "a.txt"),
        ("C:evil", "C_evil"),
        ("a.txt:stream", "a.txt_stream"),
        ("a\nb\x1b[31m.txt", "ab[31m.txt"),
        ("gpj\u202eexe.txt", "gpjexe.txt"),
        ("con", "_con"),
        ("NUL.txt", "_NUL.txt"),
        ("LPT1 .x", "_LPT1 .x"),
        ("COM²", "_COM²"),
        ("", "download"),
        ("/", "download"),
        ("été.txt", "été.txt"),
    ],
    ids=ascii,
)
def test_a_name_is_made_safe(proposal: str, name: str) -> None:
    assert safe(proposal) == name


def test_a_long_name_keeps_its_suffix() -> None:
    name = safe("é" * 300 + ".tar")
    assert len(name.encode()) <= 240
    assert name.endswith("é.tar")


@given(st.text())
@example("." + "x" * 300)
@example("a" * 239 + ". .b")
@example("\u202e.con")
@example("..\x00.")
def test_no_name_is_a_path_hidden_or_too_long(proposal: str) -> None:
    name = safe(proposal)
    assert name
    assert not set(name) & set('/\\:<>"|?*')
    assert not name.startswith((".", "-", " "))
    assert not name.endswith((".", " "))
    assert all(unicodedata.category(char) not in ("Cc", "Cf", "Cs") for char in name)
    assert len(f"{name} (999).part".encode()) <= 255
    assert name.partition(".")[0].rstrip().upper() not in ("CON", "PRN", "AUX", "NUL", "COM1", "LPT9")
    assert safe(name) == name


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://a.example/files/a%20b.zip?x=/y", "a b.zip"),
        ("https://a.example/a%2F..%2Fb", "b"),
        ("https://a.example/", "download"),
        ("/users/", "users"),
    ],
)
def test_a_url_names_a_file_too(url: str, name: str) -> None:
    assert from_url(url) == name
