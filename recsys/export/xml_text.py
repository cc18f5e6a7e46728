"""Text inside XML: escaped, and without the characters that XML 1.0 cannot hold."""

import re
from collections.abc import Mapping
from xml.sax import saxutils

_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def content(text: str) -> str:
    """Return a text as an element's content."""
    return saxutils.escape(_NO_XML.sub("\ufffd", text), {"\r": "&#13;"})


def attributes(values: Mapping[str, str | int | None]) -> str:
    """Return attributes with a space before each, without those that have no value."""
    known = {name: _NO_XML.sub("\ufffd", str(value)) for name, value in values.items() if value is not None}
    return "".join(f" {name}={saxutils.quoteattr(value)}" for name, value in known.items())
