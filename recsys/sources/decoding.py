"""Text of files that name no encoding or a wrong one: UTF-8, UTF-16, and Windows-1252 for bytes that are neither."""

import codecs
import re
from collections.abc import Iterator

from recsys.sources.inputs import Bytes, is_utf16

_DECLARED = re.compile(rb"\s*<\?xml[^>]{0,100}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_TAKEN = re.compile(r"iso8859-\d+|cp125\d|koi8-[ru]|shift_jis|cp932|euc_jp|gb18030|gbk|gb2312|big5|euc_kr")
_LENIENT = "recsys-lenient"


def _lenient(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    if error.encoding.lower().startswith("utf-8"):
        return error.object[error.start : error.end].decode("cp1252", "replace"), error.end
    return "\ufffd", error.end


codecs.register_error(_LENIENT, _lenient)


def text_pieces(stream: Bytes) -> Iterator[str]:
    """Yield a file's text in pieces, none empty, without a byte order mark.

    `stream` takes UTF-16. An XML declaration's encoding counts; what is not UTF-8 otherwise is read as Windows-1252.
    """
    decoder: codecs.IncrementalDecoder | None = None
    for chunk in stream.chunks():
        if decoder is None:
            decoder = codecs.getincrementaldecoder(_encoding(chunk))(_LENIENT)
        if text := decoder.decode(chunk):
            yield text
    if decoder is not None and (text := decoder.decode(b"", True)):
        yield text


def whole_text(stream: Bytes) -> str:
    """Return all the text of a file."""
    return "".join(text_pieces(stream))


def lines_of(text: str) -> list[str]:
    """Return a text's lines, which end in LF, CR or both and in nothing else that Unicode knows."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _encoding(head: bytes) -> str:
    if is_utf16(head):
        return "utf-16"
    if len(head) >= 4 and not head[1] and not head[3]:
        return "utf-16-le"
    if len(head) >= 4 and not head[0] and not head[2]:
        return "utf-16-be"
    declared = _DECLARED.match(head)
    if declared is not None:
        try:
            name = codecs.lookup(declared[1].decode("ascii")).name
        except LookupError:
            name = ""
        if _TAKEN.fullmatch(name):
            return name
    return "utf-8-sig"
