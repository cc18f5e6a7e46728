"""A CSV table of any columns, a song a row, whose headers somebody has named."""

import csv
import re
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import chain
from pathlib import Path

from recsys.errors import SourceError
from recsys.sources.batches import Parsed
from recsys.sources.decoding import text_pieces
from recsys.sources.inputs import Bytes, Input
from recsys.sources.list_files import damage_told, file_id, file_title, list_batches, list_inputs, path_id, song
from recsys.sources.records import Batch, Entry, Playlist, Rejected
from recsys.sources.texts import UnusableError, excerpt, safe

CSV_FIELDS = ("title", "artist", "uri", "album", "duration_ms", "playlist")
"""What a column can be; only `title` must be there, where artists stand in it as "Artist - Title"."""
_DELIMITERS = ",;\t|"
_BARE_COMMA = re.compile(r"(?<=[^\s,\d]),(?=[^\s,\d])")

_Row = tuple[int, list[str], str | None]


def mapped_csv_inputs(path: Path) -> list[Input]:
    """Return one file, or a folder's .csv and .tsv files; raise SourceError if there are none."""
    return list_inputs(path, (".csv", ".tsv"))


def read_mapped_csv(path: Path, columns: Mapping[str, str]) -> Iterator[Batch]:
    """Yield the playlists of tables; `columns` gives the header of each field of CSV_FIELDS that they have.

    A table without a `playlist` column is one playlist, by the file's name. With one, rows of the same playlist must
    stand together; its id is its name. Raises SourceError if the path holds no such file, or a field is unknown.
    """
    unknown = [field for field in columns if field not in CSV_FIELDS]
    if unknown or "title" not in columns:
        what = f"there is no field {unknown[0]!r}" if unknown else "the field title is needed"
        raise SourceError(f"{what}: columns are named for {', '.join(CSV_FIELDS)}")
    yield from list_batches(mapped_csv_inputs(path), partial(_parsed, columns))


def _parsed(columns: Mapping[str, str], stream: Bytes) -> Iterator[Parsed]:
    source = stream.source
    lines = _lines(stream)
    head = next(lines, "")
    rows = _rows(chain((head,), lines), max(_DELIMITERS, key=head.count))
    _, header, fault = next(rows, (1, [], None))
    titles = [cell.strip().casefold() for cell in header]
    missing = [name for name in columns.values() if name.strip().casefold() not in titles]
    if fault or (header and missing):
        reason = fault or f"the table has no column {missing[0]}; it has {', '.join(header)}"
        told = damage_told(stream, "line 1", is_empty=False)
        yield [], told or [Rejected(source.file, "line 1", safe(reason), excerpt(head))]
        return
    if header:
        places = {field: titles.index(name.strip().casefold()) for field, name in columns.items()}
        yield from _lists(rows, places, source)
    if told := damage_told(stream, f"byte {source.size}", is_empty=not header):
        yield [], told


def _lists(rows: Iterator[_Row], places: Mapping[str, int], source: Input) -> Iterator[Parsed]:
    met: set[str] = set()
    group: Playlist | None = None
    rejected: list[Rejected] = []
    for number, row, fault in rows:
        cells = {field: row[place] if place < len(row) else "" for field, place in places.items()}
        name = cells["playlist"].strip() if "playlist" in places else file_title(source)
        own = path_id([name]) if "playlist" in places else file_id(source)
        place = f"line {number}"
        if fault is None and (group is None or own != group.external_id):
            yield [] if group is None else [group], rejected
            group, rejected = None if own in met else Playlist(own, safe(name), [], source.file, place), []
            met.add(own)
        try:
            if fault is not None:
                raise UnusableError(fault)
            if group is None:
                raise UnusableError("other playlists stand between this row and those of its playlist")
            group.entries.append(_entry(cells))
        except UnusableError as error:
            if group is not None:
                group.entries.append(None)
            rejected.append(Rejected(source.file, place, str(error), excerpt(" | ".join(row)), of_entry=True))
    yield [] if group is None else [group], rejected


def _entry(cells: Mapping[str, str]) -> Entry | None:
    artist = cells.get("artist")
    return song(
        cells["title"],
        # Programs part artists by bare commas; a name that holds a comma has a space behind it.
        artist and _BARE_COMMA.sub(", ", artist),
        uris=(cells.get("uri"),),
        album=cells.get("album"),
        duration_ms=cells.get("duration_ms"),
    )


def _rows(lines: Iterator[str], delimiter: str) -> Iterator[_Row]:
    """Yield each row that is not blank, the line at which it begins, and what is wrong with it as CSV."""
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        number = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, [], f"not valid CSV: {error}"
            continue
        if any(cell.strip() for cell in row):
            yield number, row, None


def _lines(stream: Bytes) -> Iterator[str]:
    """Yield a text's lines with their ends; NUL characters, which CSV cannot hold, are replaced."""
    rest = ""
    for piece in text_pieces(stream):
        *whole, rest = (rest + piece.replace("\x00", "\ufffd")).split("\n")
        yield from (f"{line}\n" for line in whole)
    if rest:
        yield rest
