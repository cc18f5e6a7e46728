"""Files, archives and standard input as bytes: found, counted, unpacked, and salvaged when they are damaged."""

import os
import re
import stat
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from recsys.errors import SourceError
from recsys.sources.texts import safe

STDIN = Path("-")
LONGEST_LINE = 64 * 2**20
EMPTY = "the file is empty"
UTF_16 = "the text is UTF-16: save it as UTF-8"
_LONGEST_NAME = 1_000
_LONGEST_NAME_BYTES = 2_000
_CHUNK = 2**16
_GZIP_MAGIC = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


class Input(msgspec.Struct, frozen=True):
    """One file of a source, or one member of an archive."""

    file: str
    """Its name in the database, from `file_name`."""
    path: Path
    size: int
    """Bytes on disk, 0 for standard input; of a member, its share of the archive."""
    member: str | None = None
    is_named: bool = False
    """Whether a person named this very file, so that it must open."""


def file_name(path: Path, member: str | None = None) -> str:
    """Return the absolute path, with an archive's member behind `!`; of a long one its end. `-` is `stdin`.

    It is short enough for the key of a database's index: at most 1,000 characters and 2,000 bytes.
    """
    if path == STDIN:
        return "stdin"
    name = os.path.normpath(path.absolute()) + (f"!{member}" if member else "")
    end = safe(name[-_LONGEST_NAME:], _LONGEST_NAME)
    return end.encode()[-_LONGEST_NAME_BYTES:].decode(errors="ignore")


def file_input(path: Path, *, is_named: bool = True) -> Input:
    """Return the input of one file, perhaps one that cannot be read; `-` is standard input."""
    try:
        size = 0 if path == STDIN else path.stat().st_size
    except OSError:
        size = 0
    return Input(file_name(path), path, size, is_named=is_named)


def folder_inputs(folder: Path, suffixes: tuple[str, ...]) -> list[Input]:
    """Return the files of a folder that end in one of the suffixes, sorted by name.

    Links that lead nowhere are among them. Raises SourceError if the folder cannot be read.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.name.endswith(suffixes))
    except OSError as error:
        raise unreadable(folder, error) from None
    return [file_input(path, is_named=False) for path in paths if _may_be_a_file(path)]


def _may_be_a_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True


def unreadable(path: Path, error: OSError) -> SourceError:
    """Return the error that says that a path cannot be read, and why."""
    return SourceError(f"{safe(str(path), 4096)} cannot be read: {error.strerror or error}")


def require_path(path: Path) -> None:
    """Raise SourceError unless the path is there."""
    try:
        if path != STDIN:
            path.stat()
    except FileNotFoundError:
        raise SourceError(f"{safe(str(path), 4096)} does not exist") from None
    except OSError as error:
        raise unreadable(path, error) from None


def archive_members(path: Path, pattern: re.Pattern[str]) -> list[Input]:
    """Return the members of a zip archive whose name matches; their sizes add up to the archive's.

    Raises SourceError for a file that is not a zip archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [item for item in archive.infolist() if pattern.search(item.filename)]
    except (zipfile.BadZipFile, OSError) as error:
        raise SourceError(f"{safe(str(path), 4096)} is not a readable zip archive: {error}") from None
    inputs = [Input(file_name(path, item.filename), path, item.compress_size, item.filename) for item in members]
    if inputs:
        others = path.stat().st_size - sum(item.size for item in inputs)
        inputs[-1] = msgspec.structs.replace(inputs[-1], size=max(0, inputs[-1].size + others))
    return inputs


def is_utf16(beginning: bytes) -> bool:
    """Say whether a text begins with a byte order mark of UTF-16."""
    return beginning.startswith((b"\xff\xfe", b"\xfe\xff"))


class Bytes:
    """The unpacked bytes of an input. Once they are read, `damage` says why they end early, if they do."""

    def __init__(self, source: Input, *, takes_utf16: bool = False) -> None:
        self.source = source
        self._takes_utf16 = takes_utf16
        self.consumed = 0
        self.damage: str | None = None

    def read(self) -> bytes:
        """Return everything that can be unpacked, without a byte order mark."""
        return b"".join(self.chunks()).removeprefix(_BOM)

    def lines(self) -> Iterator[bytes]:
        """Yield the lines without their ends; of a line over LONGEST_LINE bytes, only the beginning."""
        parts: list[bytes] = []
        length = 0
        for chunk in self.chunks():
            *ends, rest = chunk.split(b"\n")
            for end in ends:
                yield b"".join((*parts, end)).removeprefix(_BOM)
                parts, length = [], 0
            if rest and length < LONGEST_LINE:
                parts.append(rest)
                length += len(rest)
        last = b"".join(parts).removeprefix(_BOM)
        if last and (self.damage is None or last.endswith(b"}")):
            yield last

    def chunks(self) -> Iterator[bytes]:
        """Yield the unpacked bytes in pieces of bounded size; none of a text that is UTF-16, if that is not taken.

        Raises SourceError if a file that a person named cannot be opened.
        """
        chunks = filter(None, self._chunks())
        head = next(chunks, b"")
        if len(head) == 1:
            head += next(chunks, b"")
        if is_utf16(head) and not self._takes_utf16:
            self.damage = UTF_16
        elif head:
            yield head
            yield from chunks
        else:
            self.damage = self.damage or EMPTY

    def _chunks(self) -> Iterator[bytes]:
        pieces = self._pieces()
        first = next(pieces, b"")
        if first.startswith(_GZIP_MAGIC):
            yield from self._unpacked(first, pieces)
        elif first and self.source.file.endswith(".gz"):
            self.damage = "not gzip data, though its name ends in .gz"
        else:
            yield first
            yield from pieces

    def _pieces(self) -> Iterator[bytes]:
        try:
            with self._opened() as file:
                while piece := file.read(_CHUNK):
                    if self.source.member is None:
                        self.consumed += len(piece)
                    yield piece
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
            self.damage = f"the archive's member cannot be unpacked: {error}"
        except OSError as error:
            self.damage = f"cannot be read: {error.strerror or error}"
        if self.source.path != STDIN:
            self.consumed = self.source.size

    @contextmanager
    def _opened(self) -> Iterator[IO[bytes]]:
        if self.source.member is not None:
            with zipfile.ZipFile(self.source.path) as archive, archive.open(self.source.member) as member:
                yield member
        elif self.source.path == STDIN:
            yield sys.stdin.buffer
        else:
            try:
                file = self.source.path.open("rb")
            except OSError as error:
                if self.source.is_named:
                    raise unreadable(self.source.path, error) from None
                raise
            with file:
                yield file

    def _unpacked(self, first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
        inflater = zlib.decompressobj(31)
        piece: bytes | None = first
        while piece is not None:
            while piece:
                if inflater.eof:
                    piece = piece.lstrip(b"\0")
                    if not piece.startswith(_GZIP_MAGIC[:1]):
                        break
                    inflater = zlib.decompressobj(31)
                before = inflater.copy()
                try:
                    yield inflater.decompress(piece)
                except zlib.error:
                    self.damage = "the gzip data is damaged"
                    yield from _until_damage(before, piece)
                    return
                piece = inflater.unused_data
            piece = next(rest, None)
        if not inflater.eof:
            self.damage = self.damage or "the gzip data ends too early"


def _until_damage(inflater: "zlib._Decompress", piece: bytes) -> Iterator[bytes]:
    for position in range(len(piece)):
        try:
            yield inflater.decompress(piece[position : position + 1])
        except zlib.error:
            return
