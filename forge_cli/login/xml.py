"""Places in an XML document, without document types and their entities."""

from __future__ import annotations

from xml.parsers.expat import ExpatError, ParserCreate


class NotXml(ValueError):
    """The text is not XML, or not XML that is read; the message says which."""


class _Search:
    """One pass over a document that keeps the first text found at one path."""

    def __init__(self, path: str) -> None:
        elements, _, self._attribute = path.partition("/@")
        self._wanted = elements.split("/")
        self._open: list[str] = []
        self._pieces: list[str] | None = None
        self.found: str | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._open.append(_local(name))
        if self.found is not None or self._open != self._wanted:
            return
        if not self._attribute:
            self._pieces = []
        else:
            self.found = {_local(key): value for key, value in attributes.items()}.get(self._attribute)

    def text(self, piece: str) -> None:
        if self._pieces is not None:
            self._pieces.append(piece)

    def end(self, name: str) -> None:
        if self._pieces is not None and len(self._open) == len(self._wanted):
            self.found, self._pieces = "".join(self._pieces).strip(), None
        self._open.pop()


def text_at(document: str, path: str) -> str | None:
    """The text of the first element at a path from the root element, as in ``Result/Token``; None when there is none.

    A last part such as ``@id`` is an attribute. Prefixes of namespaces are ignored. NotXml: a document
    that is no XML, or that has a document type, in which entities could stand.
    """
    search = _Search(path)
    parser = ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse
    parser.StartElementHandler = search.start
    parser.EndElementHandler = search.end
    parser.CharacterDataHandler = search.text
    try:
        parser.Parse(document, True)
    except (ExpatError, UnicodeError):
        raise NotXml("is not XML") from None
    return search.found


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _refuse(*doctype: object) -> None:
    raise NotXml("has a document type declaration, which is refused")
