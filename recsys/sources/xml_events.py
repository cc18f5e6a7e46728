"""Streams the elements of XML that may be large, damaged or hostile."""

import re
from collections.abc import Iterator
from typing import Literal
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from recsys.sources.decoding import text_pieces
from recsys.sources.inputs import EMPTY, Bytes

HOSTILE = "the XML declares entities or refers to other files, which is refused: nothing of it was read"
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

Event = tuple[Literal["start", "end"], str, Element]
"""Where an element begins or ends, its name without a namespace, and itself."""


class XmlError(ValueError):
    """Why no more elements come; the message has the line where there is one."""

    def __init__(self, reason: str, place: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.place = place


def xml_events(stream: Bytes, whole: frozenset[str] = frozenset()) -> Iterator[Event]:
    """Yield the beginnings and ends of elements in order; at its end, an element of a name of `whole` has its children.

    All others are dropped when they end, so that a file of any size needs little memory. Bytes that are not of the
    file's encoding and characters that XML does not allow are replaced. Raises XmlError where the file is not XML,
    ends too early, or declares entities.
    """
    stack: list[Element] = []
    inside = 0
    try:
        for event, element in iterparse(_Pieces(stream), events=("start", "end")):
            name = local_name(element)
            if event == "start":
                if not inside:
                    yield "start", name, element
                stack.append(element)
                inside += name in whole
                continue
            stack.pop()
            inside -= name in whole
            if not inside:
                yield "end", name, element
                if stack:
                    stack[-1].remove(element)
    except DefusedXmlException:
        raise XmlError(HOSTILE, "line 1") from None
    except ParseError as error:
        place = f"line {error.position[0]}"
        if stream.damage is not None:
            raise XmlError(stream.damage, place) from None
        message = str(error).partition(": line ")[0]
        if message in ("no element found", "unclosed token"):
            message = "the file ends too early" if stack or message == "unclosed token" else EMPTY
        else:
            message = f"not well-formed XML: {message}"
        raise XmlError(message, place) from None


def local_name(element: Element) -> str:
    """Return an element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


class _Pieces:
    """A file's text as `iterparse` reads it."""

    def __init__(self, stream: Bytes) -> None:
        self._pieces = text_pieces(stream)

    def read(self, _size: int = -1) -> str:
        """Return the next piece, '' at the end."""
        return _NO_XML.sub("\ufffd", next(self._pieces, ""))
