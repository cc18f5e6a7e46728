"""Playlists as three CSV tables in one folder: playlists.csv, tracks.csv and items.csv.

This is what the code of "A Language Model-Based Playlist Generation Recommender System" (RecSys 2025) writes
from the MPD.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import msgspec

from recsys.errors import SourceError
from recsys.sources import texts
from recsys.sources.batches import Parsed, batches
from recsys.sources.csv_rows import Table
from recsys.sources.inputs import EMPTY, STDIN, Input, file_name, require_path, unreadable
from recsys.sources.records import Batch, Entry, Playlist, Rejected
from recsys.sources.texts import UnusableError, excerpt

_PID = ("pid", "playlist_id", "playlist")
_URI = ("track_uri", "uri", "track_id")
_PLAYLIST_NAMES = {
    "pid": (*_PID, "id"),
    "name": ("name", "playlist_name", "title"),
    "followers": ("num_followers", "followers"),
    "snapshot": ("modified_at", "snapshot", "date"),
    "description": ("description",),
}
_PLAYLIST_ORDERS = {0: ("pid", "name"), 10: ("pid", "name", "", "", "", "", "followers", "", "snapshot")}
_TRACK_NAMES = {
    "uri": (*_URI, "id"),
    "title": ("track_name", "name", "title"),
    "artist": ("artist_name", "artist"),
    "album": ("album_name", "album"),
    "duration_ms": ("duration_ms",),
}
_TRACK_ORDERS = {0: ("uri", "title", "artist"), 7: ("uri", "title", "", "artist", "", "album", "duration_ms")}
_ITEM_NAMES = {"pid": _PID, "position": ("pos", "position", "track_position"), "uri": _URI}
_ITEM_ORDERS = {0: ("pid", "position", "uri"), 2: ("pid", "uri")}


def csv_inputs(path: Path) -> list[Input]:
    """Return the folder as one input; raise SourceError if one of the three tables is not there."""
    if path == STDIN:
        raise SourceError("csv needs a folder with playlists.csv, tracks.csv and items.csv, not standard input")
    require_path(path)
    folder = path if path.is_dir() else path.parent
    tables = [folder / f"{name}.csv" for name in ("playlists", "tracks", "items")]
    try:
        sizes = [table.stat().st_size for table in tables if table.is_file()]
        missing = [table.name for table in tables if not table.is_file()]
    except OSError as error:
        raise unreadable(folder, error) from None
    if missing:
        raise SourceError(f"{folder} lacks {' and '.join(missing)}: playlists.csv, tracks.csv and items.csv are needed")
    return [Input(file_name(folder), folder, sum(sizes))]


def read_csv(path: Path) -> Iterator[Batch]:
    """Yield the playlists of items.csv, and then those of playlists.csv that have no items.

    The tables of playlists and tracks are held in memory (1,000,000 and 2,260,000 rows for the whole MPD), items are
    streamed: the rows of a playlist must stand together. All lists share the Entry of a track. Raises SourceError if
    a table is not there or lacks a column.
    """
    for source in csv_inputs(path):
        tables = _Tables(source)
        yield from batches(tables.parsed(), source, tables)


class _List(msgspec.Struct, gc=False):
    """A row of playlists.csv that waits for its items."""

    name: str
    line: int
    followers: int | None
    snapshot: date | None
    description: str | None


class _Group(msgspec.Struct):
    """Rows of items.csv that stand together and have one pid."""

    pid: str
    line: int
    reason: str | None
    """Why none of its rows can be used."""
    entries: list[Entry | None] = []
    positions: list[int] = []
    rejected: list[Rejected] = []

    def in_order(self) -> list[Entry | None]:
        """Return the entries by their positions where each row has one, else as they stand."""
        if len(self.positions) < len(self.entries):
            return self.entries
        order = sorted(range(len(self.entries)), key=self.positions.__getitem__)
        return [self.entries[number] for number in order]


class _Tables:
    def __init__(self, source: Input) -> None:
        self.file = source.file
        self.playlists = Table(source.path / "playlists.csv", _PLAYLIST_NAMES, ("pid", "name"), _PLAYLIST_ORDERS)
        self.tracks = Table(source.path / "tracks.csv", _TRACK_NAMES, ("uri", "title", "artist"), _TRACK_ORDERS)
        self.items = Table(source.path / "items.csv", _ITEM_NAMES, ("pid", "uri"), _ITEM_ORDERS)
        self.list_of: dict[str, _List | None] = {}
        """Lists by pid; None once their items were read."""
        self.entry_of: dict[str, Entry] = {}

    @property
    def consumed(self) -> int:
        return self.playlists.consumed + self.tracks.consumed + self.items.consumed

    def parsed(self) -> Iterator[Parsed]:
        yield from self._read_playlists()
        if self.playlists.is_empty:
            yield [], [self._rejected(self.playlists, 1, EMPTY)]
            return
        yield from self._read_tracks()
        yield from self._read_items()
        for table in (self.tracks, self.items):
            if table.is_empty:
                yield [], [self._rejected(table, 1, EMPTY)]
        for pid, waiting in self.list_of.items():
            if waiting is not None:
                yield [self._playlist(pid, waiting, [], _place(self.playlists, waiting.line))], []

    def _read_playlists(self) -> Iterator[Parsed]:
        for line, row, fault in self.playlists.rows():
            try:
                cells = self.playlists.named(row, fault)
                pid = texts.filled(cells["pid"], "pid").strip()
                name = texts.checked(cells["name"], "name").strip()
                if pid in self.list_of:
                    raise UnusableError("a playlist with this pid stands before")
            except UnusableError as error:
                yield [], [self._rejected(self.playlists, line, str(error), row)]
                continue
            self.list_of[pid] = _List(
                name=name,
                line=line,
                followers=texts.whole_number(cells.get("followers")),
                snapshot=texts.day(cells.get("snapshot")),
                description=texts.description(cells.get("description")),
            )

    def _read_tracks(self) -> Iterator[Parsed]:
        shared: dict[str, str] = {}
        for line, row, fault in self.tracks.rows():
            try:
                cells = self.tracks.named(row, fault)
                uri = texts.track_uri(cells["uri"])
                title = texts.filled(cells["title"], "track_name").strip()
                artist = texts.filled(cells["artist"], "artist_name").strip()
            except UnusableError as error:
                yield [], [self._rejected(self.tracks, line, str(error), row)]
                continue
            album = (texts.optional(cells.get("album")) or "").strip()
            if uri not in self.entry_of:
                self.entry_of[uri] = Entry(
                    title,
                    shared.setdefault(artist, artist),
                    uri,
                    shared.setdefault(album, album) or None,
                    texts.whole_number(cells.get("duration_ms")),
                )

    def _read_items(self) -> Iterator[Parsed]:
        group: _Group | None = None
        for line, row, fault in self.items.rows():
            if fault is not None:
                yield [], [self._rejected(self.items, line, fault, row)]
                continue
            pid = row[self.items.columns["pid"]].strip()
            if group is None or pid != group.pid:
                yield from self._finished(group)
                group = _Group(pid, line, self._why_unusable(pid))
            if group.reason is not None:
                yield [], [self._rejected(self.items, line, group.reason, row)]
            else:
                self._add(group, line, row)
        yield from self._finished(group)

    def _why_unusable(self, pid: str) -> str | None:
        if pid not in self.list_of:
            return "pid is not in playlists.csv" if pid else "pid is empty"
        return "other playlists stand between this row and those of its pid" if self.list_of[pid] is None else None

    def _add(self, group: _Group, line: int, row: list[str]) -> None:
        uri = row[self.items.columns["uri"]].strip()
        entry = self.entry_of.get(uri)
        group.entries.append(entry)
        if entry is None:
            reason = "track_uri is not in tracks.csv" if uri else "track_uri is empty"
            group.rejected.append(self._rejected(self.items, line, reason, row))
        place = self.items.columns.get("position")
        position = None if place is None else texts.whole_number(row[place])
        if position is not None:
            group.positions.append(position)

    def _finished(self, group: _Group | None) -> Iterator[Parsed]:
        if group is None or group.reason is not None:
            return
        waiting = self.list_of[group.pid]
        if waiting is not None:
            self.list_of[group.pid] = None
            yield [self._playlist(group.pid, waiting, group.in_order(), _place(self.items, group.line))], group.rejected

    def _playlist(self, pid: str, row: _List, entries: list[Entry | None], place: str) -> Playlist:
        return Playlist(
            external_id=pid,
            name=row.name,
            entries=entries,
            file=self.file,
            place=place,
            description=row.description,
            followers=row.followers,
            snapshot=row.snapshot,
        )

    def _rejected(self, table: Table, line: int, reason: str, row: Sequence[str] = ()) -> Rejected:
        of_entry = table is not self.playlists
        return Rejected(self.file, _place(table, line), reason, excerpt(",".join(row)), of_entry)


def _place(table: Table, line: int) -> str:
    return f"{table.path.name} line {line}"
