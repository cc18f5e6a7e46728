"""Files, archives and standard input as bytes: found, counted, unpacked, and salvaged when they are damaged."""

import re
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec

from recsys.errors import SourceError
from recsys.sources.texts import safe

STDIN = Path("-")
LONGEST_LINE = 64 * 2**20
_CHUNK = 2**16
_GZIP_MAGIC = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


class Input(msgspec.Struct, frozen=True):
    """One file of a source, or one member of an archive."""

    file: str
    path: Path
    size: int
    """Bytes on disk, 0 for standard input; of a member, its share of the archive."""
    member: str | None = None


def file_input(path: Path) -> Input:
    """Return the input of one file; `-` is standard input."""
    if path == STDIN:
        return Input("stdin", path, 0)
    return Input(safe(str(path), 4096), path, path.stat().st_size)


def folder_inputs(folder: Path, suffixes: tuple[str, ...]) -> list[Input]:
    """Return the files of a folder that end in one of the suffixes, sorted by name."""
    return [file_input(path) for path in sorted(folder.iterdir()) if path.name.endswith(suffixes) and path.is_file()]


def require_path(path: Path) -> None:
    """Raise SourceError unless the path is there."""
    if path != STDIN and not path.exists():
        raise SourceError(f"{safe(str(path), 4096)} does not exist")


def archive_members(path: Path, pattern: re.Pattern[str]) -> list[Input]:
    """Return the members of a zip archive whose name matches; their sizes add up to the archive's.

    Raises SourceError for a file that is not a zip archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [item for item in archive.infolist() if pattern.search(item.filename)]
    except (zipfile.BadZipFile, OSError) as error:
        raise SourceError(f"{safe(str(path), 4096)} is not a readable zip archive: {error}") from None
    name = safe(str(path), 4096)
    inputs = [Input(f"{name}!{safe(item.filename)}", path, item.compress_size, item.filename) for item in members]
    if inputs:
        others = path.stat().st_size - sum(item.size for item in inputs)
        inputs[-1] = msgspec.structs.replace(inputs[-1], size=max(0, inputs[-1].size + others))
    return inputs


class Bytes:
    """The unpacked bytes of an input. Once they are read, `damage` says why they end early, if they do."""

    def __init__(self, source: Input) -> None:
        self.source = source
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
        """Yield the unpacked bytes in pieces of bounded size."""
        pieces = self._pieces()
        first = next(pieces, b"")
        if not first:
            self.damage = self.damage or "the file is empty"
        elif first.startswith(_GZIP_MAGIC):
            yield from self._unpacked(first, pieces)
        elif self.source.file.endswith(".gz"):
            self.damage = "not gzip data, though its name ends in .gz"
        else:
            yield first
            yield from pieces

    def _pieces(self) -> Iterator[bytes]:
        try:
            if self.source.member is not None:
                with (
                    zipfile.ZipFile(self.source.path) as archive,
                    archive.open(self.source.member) as member,
                ):
                    yield from self._pieces_of(member)
            elif self.source.path == STDIN:
                yield from self._pieces_of(sys.stdin.buffer)
            else:
                with self.source.path.open("rb") as file:
                    yield from self._pieces_of(file)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
            self.damage = f"the archive's member cannot be unpacked: {error}"
        except OSError as error:
            raise SourceError(f"{self.source.file} cannot be read: {error.strerror or error}") from None
        if self.source.path != STDIN:
            self.consumed = self.source.size

    def _pieces_of(self, file: IO[bytes]) -> Iterator[bytes]:
        while piece := file.read(_CHUNK):
            if self.source.member is None:
                self.consumed += len(piece)
            yield piece

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
            self.damage = "the gzip data ends too early"


def _until_damage(inflater: "zlib._Decompress", piece: bytes) -> Iterator[bytes]:
    for position in range(len(piece)):
        try:
            yield inflater.decompress(piece[position : position + 1])
        except zlib.error:
            return
