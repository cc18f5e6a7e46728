"""Cue sheets of mixes: one tracklist a file."""

import re
from collections.abc import Iterator
from pathlib import Path

from recsys.names import split_artist_title
from recsys.sources import texts
from recsys.sources.batches import Parsed
from recsys.sources.decoding import lines_of, whole_text
from recsys.sources.djmix_titles import parse_mix_title
from recsys.sources.inputs import Bytes, Input
from recsys.sources.list_files import damage_told, file_id, file_title, list_batches, list_inputs
from recsys.sources.records import Batch, Entry, Rejected, Tracklist
from recsys.sources.texts import UnusableError, excerpt

FOREIGN = "not a cue sheet: no line begins with TRACK"
_LINE = re.compile(r"(REM\s+\w+|\w+)\s+(\S.*)")
_START = re.compile(r"0*1\s+(\d{1,5}):(\d{1,2}):\d{1,2}")


def cue_inputs(path: Path) -> list[Input]:
    """Return one file, or a folder's .cue files; raise SourceError if there are none."""
    return list_inputs(path, (".cue",))


def read_cue(path: Path) -> Iterator[Batch]:
    """Yield a tracklist a sheet, by the file's name, in any encoding; its PERFORMER is the DJ.

    Times are those within the first audio file: those of later ones begin anew. Raises SourceError if the path holds
    no such file.
    """
    yield from list_batches(cue_inputs(path), _parsed)


def _parsed(stream: Bytes) -> Iterator[Parsed]:
    source = stream.source
    text = whole_text(stream)
    sheet = _Sheet(text)
    rejected = damage_told(stream, f"byte {source.size}", is_empty=not text.strip())
    if not sheet.tracks:
        told = [] if rejected else [Rejected(source.file, "line 1", FOREIGN, excerpt(text))]
        yield [], rejected + told
        return
    entries: list[Entry | None] = []
    for track in sheet.tracks:
        try:
            entries.append(track.entry())
        except UnusableError as error:
            entries.append(None)
            place = f"line {track.line}"
            rejected.append(Rejected(source.file, place, str(error), excerpt(track.title), of_entry=True))
    title = (texts.optional(sheet.title) or "").strip() or file_title(source)
    performer = (texts.optional(sheet.performer) or "").strip()
    tracklist = Tracklist(
        external_id=file_id(source),
        title=title,
        djs=(performer,) if performer else (),
        entries=entries,
        file=source.file,
        place="line 1",
        played_on=texts.day(sheet.date) if "-" in sheet.date else parse_mix_title(title).played_on,
        tags=(sheet.genre,) if texts.optional(sheet.genre) else (),
    )
    yield [tracklist], rejected


class _Track:
    def __init__(self, line: int) -> None:
        self.line = line
        self.performer = ""
        """Not the sheet's own, who plays the song and did not make it."""
        self.title = ""
        self.seconds: int | None = None

    def entry(self) -> Entry:
        """Return the song; raise UnusableError for a text that cannot be stored."""
        title = texts.checked(self.title, "the title").strip()
        artist = texts.checked(self.performer, "the performer").strip()
        if not artist and (parts := split_artist_title(title)):
            artist, title = parts
        return Entry(title, artist, cue_seconds=self.seconds)


class _Sheet:
    def __init__(self, text: str) -> None:
        self.title = self.performer = self.date = self.genre = ""
        self.tracks: list[_Track] = []
        files = 0
        for number, line in enumerate(lines_of(text), start=1):
            found = _LINE.fullmatch(line.strip())
            if found is None:
                continue
            command, value = " ".join(found[1].upper().split()), _unquoted(found[2])
            track = self.tracks[-1] if self.tracks else None
            if command == "TRACK":
                self.tracks.append(_Track(number))
            elif command == "FILE":
                files += 1
            elif command == "REM DATE":
                self.date = value
            elif command == "REM GENRE":
                self.genre = value
            elif track is None:
                self.title = value if command == "TITLE" else self.title
                self.performer = value if command == "PERFORMER" else self.performer
            elif command == "TITLE":
                track.title = value
            elif command == "PERFORMER":
                track.performer = value
            elif command == "INDEX" and files <= 1 and (start := _START.fullmatch(value)):
                track.seconds = int(start[1]) * 60 + int(start[2])


def _unquoted(value: str) -> str:
    if value.startswith('"') and '"' in value[1:]:
        value = value[1 : value.rindex('"')]
    return value.strip()
