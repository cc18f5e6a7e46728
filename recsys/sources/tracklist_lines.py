"""Tracklists as JSON lines: what one DJ played in one show or mix, a line."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from recsys.sources import texts
from recsys.sources.batches import Parsed, line_batches
from recsys.sources.damaged_json import BrokenError, decode
from recsys.sources.line_entries import LineEntry, Short, WholeId, entries_one_by_one, entry_of
from recsys.sources.playlist_lines import line_inputs
from recsys.sources.records import Batch, Rejected, Tracklist
from recsys.sources.texts import UnusableError, excerpt

MOST_DJS = 1_000


class _Line(msgspec.Struct, gc=False):
    id: WholeId | Short
    tracks: list[LineEntry]
    title: Short | None = None
    dj: Short | None = None
    djs: Annotated[tuple[Short, ...], Meta(max_length=MOST_DJS)] | None = None
    date: str | None = None
    tags: tuple[Short, ...] | None = None


_decoder = msgspec.json.Decoder(_Line)


def read_tracklists(path: Path) -> Iterator[Batch]:
    """Yield the tracklists of JSON lines (`-` reads standard input).

    Raises SourceError if the path holds no such file.
    """
    yield from line_batches(line_inputs(path), parse_tracklist)


def parse_tracklist(line: bytes, file: str, place: str) -> Parsed:
    """Return the tracklist of one line."""
    if b"\\u0000" not in line:
        try:
            decoded = _decoder.decode(line)
            return [_record(decoded, file, place)], []
        except (ValueError, RecursionError):
            pass
    return tracklist_by_entries(line, file, place)


def _record(line: _Line, file: str, place: str) -> Tracklist:
    return Tracklist(
        external_id=texts.identifier(line.id, "id"),
        title=(line.title or "").strip(),
        djs=_distinct(line.djs or ()) or _distinct((line.dj or "",)),
        entries=[entry_of(track, needs_song=False) for track in line.tracks],
        file=file,
        place=place,
        played_on=texts.day(line.date),
        tags=_distinct(line.tags or ()),
        id_is_number=isinstance(line.id, int),
    )


def tracklist_by_entries(line: bytes, file: str, place: str) -> Parsed:
    """Return what is usable of one line: bad entries are set aside one by one."""
    try:
        record = decode(line.decode("utf-8", "surrogateescape"))
        if not isinstance(record, dict):
            raise UnusableError("the line is not an object")
        external_id = texts.identifier(record.get("id"), "id")
        title = "" if record.get("title") is None else texts.checked(record["title"], "title").strip()
        djs = _usable(record.get("djs")) or _usable([record.get("dj")])
        if len(djs) > MOST_DJS:
            raise UnusableError(f"djs holds more than {MOST_DJS} names")
        entries, rejected = entries_one_by_one(record.get("tracks"), file, place, needs_song=False)
    except UnusableError as error:
        return [], [Rejected(file, place, str(error), excerpt(line))]
    except BrokenError as broken:
        return [], [Rejected(file, place, f"not valid JSON: {broken.reason}", excerpt(line))]
    played = record.get("date")
    tracklist = Tracklist(
        external_id=external_id,
        title=title,
        djs=djs,
        entries=entries,
        file=file,
        place=place,
        played_on=texts.day(played) if isinstance(played, str) else None,
        tags=_usable(record.get("tags")),
        id_is_number=isinstance(record["id"], int),
    )
    return [tracklist], rejected


def _usable(values: object) -> tuple[str, ...]:
    if not isinstance(values, list):
        return ()
    return _distinct([text for value in values if (text := texts.optional(value)) is not None])


def _distinct(names: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([stripped for name in names if (stripped := name.strip())]))
