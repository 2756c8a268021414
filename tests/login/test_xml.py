"""Places in XML; what the outputs of a step make of them is in test_extract.py."""

from __future__ import annotations

import contextlib
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.login.xml import NotXml, text_at

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"))


@given(texts, texts)
def test_what_was_written_is_found(content: str, attribute: str) -> None:
    document = f"<r xmlns:n='u'><other/><n:t n:k={quoteattr(attribute)}>{escape(content)}</n:t></r>"
    assert text_at(document, "r/t") == content.strip()
    assert text_at(document, "r/t/@k") == attribute


@given(
    st.one_of(
        st.text(), st.lists(st.sampled_from(["<r>", "</r>", "<t/>", "&lt;", "<![CDATA[", "]]>", "a"])).map("".join)
    )
)
def test_any_other_text_is_told_apart(document: str) -> None:
    with contextlib.suppress(NotXml):
        assert text_at(document, "r") is None or document.lstrip().startswith("<r>")


@pytest.mark.parametrize(
    "document",
    [
        '<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><r>&b;</r>',
        '<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd"><r>a</r>',
        '<!DOCTYPE r [<!ENTITY % p SYSTEM "file:///etc/hostname"> %p;]><r>a</r>',
    ],
    ids=["entities", "external", "parameter entity"],
)
def test_a_document_type_is_refused(document: str) -> None:
    with pytest.raises(NotXml, match="has a document type declaration, which is refused"):
        text_at(document, "r")
