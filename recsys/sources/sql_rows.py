"""Rows of somebody's database to records: rows of one list stand together, one of them an entry."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

import msgspec

from recsys.sources import texts
from recsys.sources.batches import Parsed
from recsys.sources.records import MAX_TEXT, Entry, Playlist, Rejected, Tracklist
from recsys.sources.sql_mapping import ENTRY, KEY, TRACK, Lists
from recsys.sources.texts import UnusableError, excerpt

Row = Sequence[Any]
Said = Mapping[str, object]
_REMEMBERED = 500_000
_SHOWN_ID = 100


class Head(msgspec.Struct):
    """What is said of a playlist as a whole."""

    external_id: str
    name: str
    description: str | None
    followers: int | None
    snapshot: date | None


class SqlRows:
    """Turns the rows of one load into records.

    `file` is where all of them are said to stand; a row that cannot be used is told by its list and its number in it,
    so that the next load tells it the same way.
    """

    def __init__(self, file: str) -> None:
        self.consumed = 0
        """Rows of entries that were read so far."""
        self._file = file
        self._tracks: dict[object, Entry] = {}
        self._set_aside: set[object] = set()
        """Ids of tracks that cannot be used."""
        self._heads: dict[object, Head | None] = {}
        """None for one that was set aside."""
        self._has_heads = False
        self._met: set[object] = set()

    def take_tracks(self, columns: Sequence[str], rows: Iterable[Row]) -> Iterator[Parsed]:
        """Remember songs by their `track_id`, the first of the columns; yields what was set aside."""
        read = _song_reader(columns[1:])
        for number, row in enumerate(rows, start=1):
            track_id, *said = row
            try:
                if track_id is None:
                    raise UnusableError("track_id is missing")
                if track_id in self._tracks:
                    raise UnusableError("a track with this track_id stands before")
                self._tracks[track_id] = read(said, True)
            except UnusableError as error:
                if track_id is not None:
                    self._set_aside.add(track_id)
                place = f"row {number}" if track_id is None else _named("track_id", track_id)
                yield [], [self._rejected(f"[tracks] {place}", error, row, of_entry=True)]

    def take_heads(self, columns: Sequence[str], rows: Iterable[Row]) -> Iterator[Parsed]:
        """Remember playlists by their `playlist_id`, the first of the columns; yields what was set aside."""
        self._has_heads = True
        for number, row in enumerate(rows, start=1):
            list_id = row[0]
            try:
                if list_id in self._heads:
                    raise UnusableError("a playlist with this playlist_id stands before")
                self._heads[list_id] = _head(dict(zip(columns, row, strict=True)))
            except UnusableError as error:
                if list_id is not None:
                    self._heads.setdefault(list_id, None)
                place = f"row {number}" if list_id is None else _named("playlist_id", list_id)
                yield [], [self._rejected(f"[playlists] {place}", error, row)]

    def lists(self, section: Lists, columns: Sequence[str], rows: Iterable[Row]) -> Iterator[Parsed]:
        """Yield the lists of rows that are ordered by their list.

        The columns are the list's id, `position`, those of LIST that there are, and then those of ENTRY.
        """
        first = next((place for place, name in enumerate(columns) if name in ENTRY), len(columns))
        entries = _Entries(columns[first:], self._tracks, self._set_aside, needs_song=section == "items")
        for list_id, group in groupby(rows, key=itemgetter(0)):
            members = list(group)
            self.consumed += len(members)
            place = f"row {self.consumed}" if list_id is None else _named(KEY[section], list_id)
            head: Head | None = None
            if section == "items" and self._has_heads and list_id is not None:
                if list_id not in self._heads:
                    yield [], [self._rejected(place, "playlist_id is not in [playlists]", members[0])]
                    continue
                self._met.add(list_id)
                head = self._heads[list_id]
                if head is None:
                    continue
            try:
                said = dict(zip(columns[:first], members[0], strict=False))
                record = self._tracklist(said, place) if section == "tracklists" else self._playlist(head, said, place)
            except UnusableError as error:
                yield [], [self._rejected(place, error, members[0])]
                continue
            if len(members) > 1 or any(cell is not None for cell in (members[0][1], *members[0][first:])):
                record.entries, unusable = entries.of_list(members, first)
                yield (
                    [record],
                    [
                        self._rejected(f"{place}, row {number + 1}", reason, members[number], of_entry=True)
                        for number, reason in unusable
                    ],
                )
            else:  # what an outer join gives for a list without entries
                yield [record], []

    def heads_without_rows(self) -> Iterator[Parsed]:
        """Yield the playlists in which nothing stands."""
        for list_id, head in self._heads.items():
            if head is not None and list_id not in self._met:
                yield [self._playlist(head, {}, _named("playlist_id", list_id))], []

    def _playlist(self, head: Head | None, said: Said, place: str) -> Playlist:
        head = head or _head(said)
        return Playlist(
            external_id=head.external_id,
            name=head.name,
            entries=[],
            file=self._file,
            place=place,
            description=head.description,
            followers=head.followers,
            snapshot=head.snapshot,
        )

    def _tracklist(self, said: Said, place: str) -> Tracklist:
        list_id = _plain(said["tracklist_id"])
        return Tracklist(
            external_id=texts.identifier(list_id, "tracklist_id"),
            title=_text(said.get("tracklist_title"), "tracklist_title"),
            djs=_names(said.get("dj"), "dj"),
            entries=[],
            file=self._file,
            place=place,
            played_on=_day(said.get("played_on"), "played_on"),
            id_is_number=isinstance(list_id, int),
        )

    def _rejected(self, place: str, reason: object, row: Row, *, of_entry: bool = False) -> Rejected:
        cells = ", ".join("" if cell is None else str(cell) for cell in row)
        return Rejected(self._file, place, str(reason), excerpt(cells), of_entry)


class _Entries:
    """Reads the entries of one query, each distinct one once."""

    def __init__(
        self, columns: Sequence[str], tracks: dict[object, Entry], set_aside: set[object], *, needs_song: bool
    ) -> None:
        self._tracks = tracks
        self._set_aside = set_aside
        self._needs_song = needs_song
        self._id_place = columns.index("track_id") if tracks and "track_id" in columns else None
        self._cue_place = columns.index("cue") if "cue" in columns else None
        self._read = _song_reader(columns)
        self._known: dict[object, Entry] = {}

    def of_list(self, members: Sequence[Row], first: int) -> tuple[list[Entry | None], list[tuple[int, str]]]:
        """The entries of a list by their positions, and the numbers of the rows that cannot be used, and why.

        What an entry says begins with the cell `first` of its row; an unusable row is None among the entries, and
        the last of them if its position is what is wrong.
        """
        known = self._known
        # Most often a track's id alone, which need not be looked up as a tuple.
        is_one = len(members[0]) == first + 1
        tails = [row[first] for row in members] if is_one else [row[first:] for row in members]
        try:
            entries = [known.get(tail) for tail in tails]
            is_hashable = True
        except TypeError:  # an array among them
            entries = [None] * len(tails)
            is_hashable = False
        reasons: dict[int, str] = {}
        if not all(entries):
            for number, tail in enumerate(tails):
                if entries[number] is None:
                    try:
                        entries[number] = entry = self._entry((tail,) if is_one else tail)
                    except UnusableError as error:
                        reasons[number] = str(error)
                    else:
                        if is_hashable:
                            known[tail] = entry
            if len(known) > _REMEMBERED:
                known.clear()
        if {type(row[1]) for row in members} != {int}:
            entries = self._in_order(members, entries, reasons)
        return entries, sorted(reasons.items())

    def _entry(self, tail: Row) -> Entry:
        track_id = None if self._id_place is None else tail[self._id_place]
        if track_id is None:
            return self._read(tail, self._needs_song)
        entry = self._tracks.get(track_id)
        if entry is None:
            was_there = track_id in self._set_aside
            raise UnusableError("its track was set aside" if was_there else "track_id is not in [tracks]")
        cue = None if self._cue_place is None else _cue(tail[self._cue_place])
        return entry if cue is None else msgspec.structs.replace(entry, cue_seconds=cue)

    @staticmethod
    def _in_order(members: Sequence[Row], entries: list[Entry | None], reasons: dict[int, str]) -> list[Entry | None]:
        orders = []
        for number, row in enumerate(members):
            try:
                orders.append(_order(row[1]))
            except UnusableError as error:
                orders.append(math.inf)
                entries[number] = None
                reasons[number] = str(error)
        return [entries[number] for number in sorted(range(len(entries)), key=orders.__getitem__)]


def _named(column: str, value: object) -> str:
    return f"{column} {texts.safe(str(value), _SHOWN_ID)}"


def _head(said: Said) -> Head:
    return Head(
        external_id=texts.identifier(_plain(said["playlist_id"]), "playlist_id"),
        name=_text(said.get("playlist_title"), "playlist_title"),
        description=texts.description(said.get("description")),
        followers=_whole(said.get("followers"), "followers"),
        snapshot=_day(said.get("snapshot"), "snapshot"),
    )


_WANTED = (*TRACK, "cue")


def _song_reader(columns: Sequence[str]) -> Callable[[Row, bool], Entry]:
    """What makes an entry of the cells of these columns, and of whether it needs a title and an artist."""
    places = [columns.index(name) if name in columns else len(columns) for name in _WANTED]
    pick = itemgetter(*places)
    return lambda cells, needs_song: _song(pick((*cells, None)), needs_song=needs_song)


def _song(said: tuple[object, ...], *, needs_song: bool) -> Entry:
    title, artist, uri, album, duration_ms, cue = said
    if (
        type(title) is str
        and type(artist) is str
        and (uri is None or type(uri) is str)
        and (album is None or type(album) is str)
        and (duration_ms is None or (type(duration_ms) is int and 0 <= duration_ms <= texts.LARGEST_NUMBER))
        and cue is None
        and len(whole := f"{title}{artist}{uri}{album}") <= MAX_TEXT
        and texts.is_safe(whole)
    ):  # as nearly all are, and three times as quick
        names: tuple[str, ...] = ()
        name, credit, link, record = title.strip(), artist.strip(), (uri or "").strip(), (album or "").strip()
        duration = duration_ms
    else:
        found = _names(artist, "artist")
        names = found if isinstance(artist, list) else ()
        credit = ", ".join(found)[:MAX_TEXT]
        name, link = _text(title, "track_title"), _text(uri, "uri")
        record = (texts.optional(album) or "").strip()
        duration = _whole(duration_ms, "duration_ms")
    if needs_song and not (name and credit):
        raise UnusableError(f"{'artist' if name else 'track_title'} is empty")
    if link and not texts.is_uri(link):
        raise UnusableError("uri holds a space or a control character")
    seconds = None if cue is None else _cue(cue)
    return Entry(name, credit, link or None, record or None, duration, names, seconds)


def _plain(value: object) -> object:
    """Return a number or an id in the types that files have, and anything else as it is."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Decimal) and value.is_finite():
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def _text(value: object, column: str) -> str:
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # SQLite keeps a title like 1979 as a number where its column has no type
    return texts.checked(value, column).strip()


def _names(value: object, column: str) -> tuple[str, ...]:
    names = value if isinstance(value, list) else [value]
    return tuple(dict.fromkeys([text for name in names if (text := _text(name, column))]))


def _whole(value: object, column: str) -> int | None:
    plain = _plain(value)
    if isinstance(plain, float) and math.isfinite(plain):
        plain = int(plain)
    number = texts.whole_number(plain)
    if number is None and value is not None:
        raise UnusableError(f"{column} is not a number from 0 to {texts.LARGEST_NUMBER}")
    return number


def _order(value: object) -> float:
    plain = _plain(value)
    if isinstance(plain, str):
        plain = texts.whole_number(plain)
    if isinstance(plain, bool) or not isinstance(plain, (int, float)) or math.isnan(plain):
        raise UnusableError("position is missing" if value is None else "position is not a number")
    return plain


def _day(value: object, column: str) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    if value is None or isinstance(value, date):
        return value
    day = texts.day(_plain(value))
    if day is None:
        raise UnusableError(f"{column} is not a day")
    return day


def _cue(value: object) -> int | None:
    seconds = texts.cue(value.total_seconds() if isinstance(value, timedelta) else _plain(value))
    if seconds is None and value is not None:
        raise UnusableError("cue is not a time of the tracklist")
    return seconds
