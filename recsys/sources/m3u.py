"""M3U and M3U8, plain and extended: one playlist a file."""

import re
from collections.abc import Iterator
from pathlib import Path

from recsys.sources.batches import Parsed
from recsys.sources.decoding import lines_of, whole_text
from recsys.sources.inputs import Bytes, Input
from recsys.sources.list_files import (
    best_uri,
    damage_told,
    file_id,
    file_title,
    list_batches,
    list_inputs,
    name_of_file,
    song,
)
from recsys.sources.records import Batch, Entry, Playlist, Rejected
from recsys.sources.texts import UnusableError, excerpt, safe

NOT_TEXT = "not a playlist: it holds NUL characters"
_ABOUT = re.compile(r"#EXTINF:\s*+(-?\d++)?(?:\.\d++)?((?:[^,\"]|\"[^\"]*+\")*+),(.*)", re.IGNORECASE)
_NAME = re.compile(r"#PLAYLIST:(.*)", re.IGNORECASE)
_ALBUM = re.compile(r"#EXTALB:(.*)", re.IGNORECASE)


def m3u_inputs(path: Path) -> list[Input]:
    """Return one file, or a folder's .m3u and .m3u8 files; raise SourceError if there are none."""
    return list_inputs(path, (".m3u", ".m3u8"))


def read_m3u(path: Path) -> Iterator[Batch]:
    """Yield a playlist a file, by the file's name, in UTF-8, UTF-16 or Latin-1 (`-` reads standard input).

    A song's name is what #EXTINF says or, without it, its file's name. Raises SourceError if the path holds no such
    file.
    """
    yield from list_batches(m3u_inputs(path), _parsed)


def _parsed(stream: Bytes) -> Iterator[Parsed]:
    source = stream.source
    text = whole_text(stream)
    if "\x00" in text:
        yield [], [Rejected(source.file, "line 1", NOT_TEXT, excerpt(text))]
        return
    name, label, album = file_title(source), "", ""
    duration: int | None = None
    entries: list[Entry | None] = []
    rejected = []
    for number, line in enumerate(map(str.strip, lines_of(text)), start=1):
        if about := _ABOUT.fullmatch(line):
            seconds = int((about[1] or "0")[:9])
            duration, label = (seconds * 1000 if seconds > 0 else None), about[3].strip()
        elif named := _NAME.fullmatch(line):
            name = safe(named[1].strip()) or name
        elif named := _ALBUM.fullmatch(line):
            album = named[1].strip()
        elif line and not line.startswith("#"):
            try:
                entries.append(_entry(line, label, album, duration))
            except UnusableError as error:
                entries.append(None)
                rejected.append(Rejected(source.file, f"line {number}", str(error), excerpt(line), of_entry=True))
            label, album, duration = "", "", None
    rejected += damage_told(stream, f"byte {source.size}", is_empty=not text.strip())
    if text.strip():
        yield [Playlist(file_id(source), name, entries, source.file, "line 1")], rejected
    else:
        yield [], rejected


def _entry(path: str, label: str, album: str, duration: int | None) -> Entry | None:
    uri = best_uri((path,))
    if not label and uri is not None:
        raise UnusableError("the line has a URI and no name: an #EXTINF line before it is needed")
    return song(label or name_of_file(path), None, uris=(path,), album=album, duration_ms=duration)
