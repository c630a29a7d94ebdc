"""XML from a stranger as a small tree that knows its lines.

Pure, on expat. Refuses what makes XML dangerous: document types (so no entities at all), depth and
numbers beyond limits. Knows nothing of DASH; namespaces are dropped, prefixes with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.parsers import expat

from bench.player.presentation import ManifestError

BODY_LIMIT_BYTES = 16 * 1024 * 1024
ELEMENTS_LIMIT = 150_000
DEPTH_LIMIT = 32


class Element:
    """One element: local name, attributes by local name, children, text, and its line (from 1)."""

    __slots__ = ("attributes", "children", "line", "name", "text")

    def __init__(self, name: str, attributes: dict[str, str], line: int) -> None:
        self.name = name
        self.attributes = attributes
        self.line = line
        self.children: list[Element] = []
        self.text = ""

    def __repr__(self) -> str:
        return f"<{self.name} line {self.line}, {len(self.children)} children>"

    def all(self, name: str) -> Iterator[Element]:
        """The children called `name`."""
        return (child for child in self.children if child.name == name)

    def first(self, name: str) -> Element | None:
        """The first child called `name`, or None."""
        return next(self.all(name), None)


def parse(body: bytes) -> Element:
    """The root of the document. Raises ManifestError with the line."""
    if len(body) > BODY_LIMIT_BYTES:
        raise ManifestError(f"dash:1: a document of {len(body)} bytes; at most {BODY_LIMIT_BYTES} are read")
    builder = _Builder()
    try:
        builder.parser.Parse(body, True)
    except expat.ExpatError as error:
        raise ManifestError(f"dash:{error.lineno}: not XML: {expat.ErrorString(error.code)}") from error
    assert builder.root is not None, "expat accepts no document without a root"
    return builder.root


class _Builder:
    """Expat's callbacks, which build the tree."""

    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._count = 0
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        line = self.parser.CurrentLineNumber
        if self._count > ELEMENTS_LIMIT:
            raise ManifestError(f"dash:{line}: more than {ELEMENTS_LIMIT} elements")
        if len(self._open) >= DEPTH_LIMIT:
            raise ManifestError(f"dash:{line}: elements nested deeper than {DEPTH_LIMIT}")
        local = {key.rpartition(" ")[2]: value for key, value in attributes.items()}
        element = Element(name.rpartition(" ")[2], local, line)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def _end(self, _: str) -> None:
        self._open.pop()

    def _text(self, data: str) -> None:
        self._open[-1].text += data

    def _doctype(self, *_: object) -> None:
        raise ManifestError(f"dash:{self.parser.CurrentLineNumber}: a DOCTYPE; a manifest needs none")
