"""Tracklists as people type them, a song a line: "[mm:ss] Artist - Title (Remix) [Label]"."""

import re
from collections.abc import Iterator
from pathlib import Path

from recsys.sources import texts
from recsys.sources.batches import Parsed
from recsys.sources.decoding import lines_of, whole_text
from recsys.sources.djmix_titles import djs_of, parse_mix_title
from recsys.sources.djmix_tracks import parse_track
from recsys.sources.inputs import Bytes, Input
from recsys.sources.list_files import damage_told, file_id, file_title, list_batches, list_inputs
from recsys.sources.records import Batch, Entry, Rejected, Tracklist
from recsys.sources.texts import UnusableError, excerpt, safe

NOT_TEXT = "not a text: it holds NUL characters"
_NUMBER = re.compile(r"\s*(?:#\s?)?\d{1,3}(?:[.)]\s*(?=\D)|\s*[.):]\s+)")
_TIME = re.compile(r"\s*[(\[]?(\d{1,3}:[0-5]\d(?::[0-5]\d)?)[)\]]?(?:\s*[-–—|]\s+|\s+)(?=\S)")


def text_inputs(path: Path) -> list[Input]:
    """Return one file, or a folder's .txt files; raise SourceError if there are none."""
    return list_inputs(path, (".txt",))


def read_text(path: Path) -> Iterator[Batch]:
    """Yield a tracklist a file, by the file's name (`-` reads standard input).

    Its title is the first line where a blank one follows that, else the file's name; "2010-01-02 - DJ @ Club" as
    either also names the day and the DJs. Raises SourceError if the path holds no such file.
    """
    yield from list_batches(text_inputs(path), _parsed)


def _parsed(stream: Bytes) -> Iterator[Parsed]:
    source = stream.source
    text = whole_text(stream)
    rejected = damage_told(stream, f"byte {source.size}", is_empty=not text.strip())
    if "\x00" in text:
        yield [], [Rejected(source.file, "line 1", NOT_TEXT, excerpt(text))]
        return
    lines = list(enumerate(map(str.strip, lines_of(text)), start=1))
    while lines and not lines[0][1]:
        lines.pop(0)
    title = file_title(source)
    if len(lines) > 1 and not lines[1][1] and not _is_numbered(lines[0][1]):
        title = safe(lines.pop(0)[1])
    entries: list[Entry | None] = []
    for number, line in lines:
        if not line:
            continue
        try:
            entries.append(parse_line(texts.checked(line, "the line")))
        except UnusableError as error:
            entries.append(None)
            rejected.append(Rejected(source.file, f"line {number}", str(error), excerpt(line), of_entry=True))
    if not entries:
        yield [], rejected
        return
    parts = parse_mix_title(title)
    if not parts.played_on and not djs_of(parts, ()):
        parts = parse_mix_title(file_title(source))
    tracklist = Tracklist(
        external_id=file_id(source),
        title=title,
        djs=djs_of(parts, ()),
        entries=entries,
        file=source.file,
        place="line 1",
        played_on=parts.played_on,
    )
    yield [tracklist], rejected


def _is_numbered(line: str) -> bool:
    return bool(_TIME.match(line) or _NUMBER.match(line) or line.startswith("["))


def parse_line(line: str) -> Entry:
    """Return the song of a line, without its number; its time may stand in brackets or without."""
    if (number := _NUMBER.match(line)) and number.end() < len(line):
        line = line[number.end() :]
    if time := _TIME.match(line):
        line = f"[{time[1]}] {line[time.end() :]}"
    return parse_track(line)
