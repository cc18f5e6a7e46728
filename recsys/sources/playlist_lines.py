"""Playlists as JSON lines: one playlist a line."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import msgspec

from recsys.errors import SourceError
from recsys.sources import texts
from recsys.sources.batches import Parsed, line_batches
from recsys.sources.damaged_json import BrokenError, decode
from recsys.sources.inputs import Input, file_input, folder_inputs, require_path
from recsys.sources.line_entries import LineEntry, Short, WholeId, entries_one_by_one, entry_of
from recsys.sources.records import Batch, Playlist, Rejected
from recsys.sources.texts import UnusableError, excerpt, first_of


class _Line(msgspec.Struct, gc=False):
    name: Short
    tracks: list[LineEntry]
    pid: WholeId | Short | None = None
    id: WholeId | Short | None = None
    description: str | None = None
    num_followers: int | None = None
    followers: int | None = None
    snapshot: int | float | str | None = None
    modified_at: int | float | str | None = None
    date: int | float | str | None = None


_decoder = msgspec.json.Decoder(_Line)


def line_inputs(path: Path) -> list[Input]:
    """Return one file, or a folder's .jsonl and .jsonl.gz files by name; raise SourceError if there are none."""
    require_path(path)
    if not path.is_dir():
        return [file_input(path)]
    inputs = folder_inputs(path, (".jsonl", ".jsonl.gz"))
    if not inputs:
        raise SourceError(f"{path} holds no .jsonl or .jsonl.gz file")
    return inputs


def read_playlists(path: Path) -> Iterator[Batch]:
    """Yield the playlists of JSON lines (`-` reads standard input).

    Raises SourceError if the path holds no such file.
    """
    yield from line_batches(line_inputs(path), parse_playlist)


def parse_playlist(line: bytes, file: str, place: str) -> Parsed:
    """Return the playlist of one line."""
    if b"\\u0000" not in line:
        try:
            decoded = _decoder.decode(line)
            return [_record(decoded, file, place)], []
        except (ValueError, RecursionError):
            pass
    return playlist_by_entries(line, file, place)


def _record(line: _Line, file: str, place: str) -> Playlist:
    snapshot = _first(line.snapshot, line.modified_at, line.date)
    day = texts.day(snapshot)
    return Playlist(
        external_id=_undated(texts.identifier(line.id if line.pid is None else line.pid, "pid"), snapshot, day),
        name=line.name.strip(),
        entries=[entry_of(track, needs_song=True) for track in line.tracks],
        file=file,
        place=place,
        description=texts.description(line.description),
        followers=texts.whole_number(line.followers if line.num_followers is None else line.num_followers),
        snapshot=day,
    )


def _first(*values: object) -> object:
    return next((value for value in values if value is not None), None)


def _undated(external_id: str, snapshot: object, day: date | None) -> str:
    """Return the id that all states of a list share, where it ends in `@` and the state's own snapshot as written."""
    return external_id if day is None else external_id.removesuffix(f"@{snapshot}") or external_id


def playlist_by_entries(line: bytes, file: str, place: str) -> Parsed:
    """Return what is usable of one line: bad entries are set aside one by one."""
    try:
        record = decode(line.decode("utf-8", "surrogateescape"))
        if not isinstance(record, dict):
            raise UnusableError("the line is not an object")
        snapshot = first_of(record, ("snapshot", "modified_at", "date"))[1]
        day = texts.day(snapshot)
        external_id = _undated(texts.identifier(first_of(record, ("pid", "id"))[1], "pid"), snapshot, day)
        name = texts.checked(record.get("name"), "name").strip()
        entries, rejected = entries_one_by_one(record.get("tracks"), file, place, needs_song=True)
    except UnusableError as error:
        return [], [Rejected(file, place, str(error), excerpt(line))]
    except BrokenError as broken:
        return [], [Rejected(file, place, f"not valid JSON: {broken.reason}", excerpt(line))]
    playlist = Playlist(
        external_id=external_id,
        name=name,
        entries=entries,
        file=file,
        place=place,
        description=texts.description(record.get("description")),
        followers=texts.whole_number(first_of(record, ("num_followers", "followers"))[1]),
        snapshot=day,
    )
    return [playlist], rejected
