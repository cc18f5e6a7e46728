"""Tracklists read from the database, some at a time, as arrays: their plays, DJs and the artists of their songs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import psycopg
from scipy import sparse

from recsys.database import read_integers
from recsys.progress import Progress
from recsys.tracklists.cooccurrence import Plays
from recsys.tracklists.graph_snapshot import NO_DATE
from recsys.tracklists.running_order import UNKNOWN, Sets, programme_of
from recsys.tracklists.stored_arrays import Integers, Matrix, rows_of

TRACKLISTS_AT_ONCE = 5_000
"""Tracklists that are in memory."""

# In an order that does not depend on how the rows came into the database.
TRACKLISTS = """
SELECT t.id, coalesce(t.played_on - date '1970-01-01', %(no_date)s)::bigint
  FROM tracklist AS t JOIN source AS s ON s.id = t.source_id
 WHERE (%(since)s::date IS NULL OR t.played_on >= %(since)s)
   AND (%(before)s::date IS NULL OR t.played_on < %(before)s)
 ORDER BY s.name COLLATE "C", t.external_id COLLATE "C"
"""

PLAYS = """
SELECT place.number, p.position::bigint, p.song_id
  FROM unnest(%(tracklists)s::bigint[]) WITH ORDINALITY AS place (id, number)
  JOIN tracklist_track AS p ON p.tracklist_id = place.id
 WHERE p.song_id IS NOT NULL
"""

SONGS = """
SELECT DISTINCT p.song_id FROM tracklist_track AS p
 WHERE p.tracklist_id = ANY(%(tracklists)s::bigint[]) AND p.song_id IS NOT NULL
"""

SONG_PLAYS = """
SELECT p.song_id, count(*) FROM tracklist_track AS p WHERE p.song_id = ANY(%(songs)s::bigint[]) GROUP BY p.song_id
"""

DJS = """
SELECT d.dj_id, place.number
  FROM unnest(%(tracklists)s::bigint[]) WITH ORDINALITY AS place (id, number)
  JOIN tracklist_dj AS d ON d.tracklist_id = place.id
 GROUP BY d.dj_id, place.number
"""

MAIN_ARTISTS = """
SELECT DISTINCT ON (song_id) song_id, artist_id FROM song_artist WHERE song_id = ANY(%(songs)s::bigint[])
 ORDER BY song_id, role = 'main' DESC, weight DESC, artist_id
"""

FIRST_DJS = """
SELECT DISTINCT ON (place.number) place.number, d.dj_id
  FROM unnest(%(tracklists)s::bigint[]) WITH ORDINALITY AS place (id, number)
  JOIN tracklist_dj AS d ON d.tracklist_id = place.id
 ORDER BY place.number, d.position
"""

TITLES = """
SELECT t.title
  FROM unnest(%(tracklists)s::bigint[]) WITH ORDINALITY AS place (id, number)
  JOIN tracklist AS t ON t.id = place.id
 ORDER BY place.number
"""

CREDITS = """
SELECT song_id, artist_id, weight::float8 FROM song_artist WHERE song_id = ANY(%s) ORDER BY song_id, artist_id, role
"""

QUERIES = (TRACKLISTS, SONGS, PLAYS, DJS, CREDITS, MAIN_ARTISTS, FIRST_DJS, TITLES)
"""What a snapshot depends on."""


@dataclass(frozen=True)
class Tracklists:
    """Some tracklists, and which of their plays nobody may see."""

    connection: psycopg.Connection
    ids: Integers
    days: Integers
    """From 1970-01-01 to the date; `NO_DATE` where there is none."""
    hidden: Integers = field(default_factory=lambda: np.zeros((0, 2), dtype=np.int64))
    """(tracklist's place, song's id) of plays that are left out."""

    def at(self, places: npt.NDArray[Any]) -> "Tracklists":
        """Some of them, by place or by a mask; nothing may be hidden yet."""
        return replace(self, ids=self.ids[places], days=self.days[places])

    def song_ids(self) -> Integers:
        """All songs in them, ascending."""
        [songs] = read_integers(self.connection, SONGS, {"tracklists": self.ids.tolist()}, columns=1)
        return np.sort(songs)

    def plays(self, songs: Integers, progress: Progress, step: str) -> Iterator[Plays]:
        """Their plays of songs (ids, ascending), some tracklists at a time; tracklists are numbered by place."""
        hidden = _joined(self.hidden[:, 0], rows_of(self.hidden[:, 1], songs), len(songs))
        for first in range(0, len(self.ids), TRACKLISTS_AT_ONCE):
            progress(step, first, len(self.ids))
            block = self.ids[first : first + TRACKLISTS_AT_ONCE].tolist()
            tracklist, position, song = read_integers(self.connection, PLAYS, {"tracklists": block}, columns=3)
            order = np.lexsort((position, tracklist))
            tracklist, position, song = first + tracklist[order] - 1, position[order], rows_of(song[order], songs)
            seen = (song >= 0) & ~np.isin(_joined(tracklist, song, len(songs)), hidden)
            yield Plays(tracklist[seen], position[seen], song[seen])

    def held(self, songs: Integers, progress: Progress, step: str) -> Matrix:
        """How often each of them holds each of some songs (ids, ascending), (tracklists, songs)."""
        lists = Lists(len(self.ids), len(songs), np.arange(len(songs)))
        for _ in lists.noted(self.plays(songs, progress, step)):
            pass
        return lists.matrix

    def in_order(self, songs: Integers, progress: Progress, step: str) -> "InOrder":
        """Their plays of songs (ids, ascending) in order, their first DJs and programmes."""
        parts = list(self.plays(songs, progress, step))
        lists, played = (
            np.concatenate([np.zeros(0, dtype=np.int64), *(getattr(part, name) for part in parts)])
            for name in ("tracklists", "songs")
        )
        asked = {"tracklists": self.ids.tolist()}
        place, dj = read_integers(self.connection, FIRST_DJS, asked, columns=2)
        djs = np.full(len(self.ids), UNKNOWN)
        djs[place - 1] = dj
        programmes = [programme_of(title) for (title,) in self.connection.execute(TITLES, asked)]
        return InOrder(lists, songs[played], djs, programmes, self.days)

    def dj_lists(self, djs: Integers | None = None) -> tuple[Integers, Matrix]:
        """DJs by their ids, ascending, all or those that are asked for; 1 where a tracklist is theirs."""
        dj, tracklist = read_integers(self.connection, DJS, {"tracklists": self.ids.tolist()}, columns=2)
        djs = np.unique(dj) if djs is None else djs
        row = rows_of(dj, djs)
        known = row >= 0
        shape = (len(djs), len(self.ids))
        return djs, sparse.csr_matrix((np.ones(known.sum()), (row[known], tracklist[known] - 1)), shape=shape)


@dataclass(frozen=True)
class Rows:
    """What has a row of its own, by ids that ascend; programmes by their keys."""

    songs: Integers
    artists: Integers
    djs: Integers
    programmes: Sequence[str]
    credited: tuple[Integers, Integers]
    """Every song that is played, and its main artist or `UNKNOWN`."""

    def artists_of(self, songs: Integers) -> Integers:
        """Rows of the main artists of songs, by their ids."""
        everything, artists = self.credited
        return rows_of(artists, self.artists)[np.searchsorted(everything, songs)]


class InOrder(NamedTuple):
    """Tracklists as they were played, by ids."""

    lists: Integers
    """The tracklist of each play, by place."""
    songs: Integers
    djs: Integers
    """First DJs of the tracklists, `UNKNOWN` where there is none."""
    programmes: list[str]
    days: Integers

    def lists_of(self, songs: Integers) -> Integers:
        """In how many tracklists each of some songs (ids, ascending) is played."""
        places = (self.lists, np.searchsorted(songs, self.songs))
        held = sparse.csc_matrix((np.ones(len(self.songs)), places), shape=(len(self.days), len(songs)))
        counts: Integers = np.diff(held.indptr)
        return counts

    def sets(self, rows: Rows) -> Sets:
        """The same by rows; a song that has none is there."""
        row_of = {key: row for row, key in enumerate(rows.programmes)}
        return Sets(
            starts=np.searchsorted(self.lists, np.arange(len(self.days) + 1)),
            songs=rows_of(self.songs, rows.songs),
            artists=rows.artists_of(self.songs),
            djs=rows_of(self.djs, rows.djs),
            programmes=np.array([row_of.get(key, UNKNOWN) for key in self.programmes], dtype=np.int64),
            days=self.days,
        )


class Lists:
    """What tracklists hold of the kept songs, noted while their plays go by."""

    def __init__(self, tracklists: int, songs: int, kept: Integers) -> None:
        self._shape = (tracklists, len(kept))
        self._column_of = np.full(songs, -1)
        self._column_of[kept] = np.arange(len(kept))
        self._places: list[tuple[Integers, Integers]] = []

    def noted(self, batches: Iterable[Plays]) -> Iterator[Plays]:
        """The same plays, once they are noted."""
        for plays in batches:
            column = self._column_of[plays.songs]
            self._places.append((plays.tracklists[column >= 0], column[column >= 0]))
            yield plays

    @property
    def matrix(self) -> Matrix:
        """How often each tracklist holds each kept song, (tracklists, kept songs)."""
        if not self._places:
            return sparse.csr_matrix(self._shape)
        rows, columns = (np.concatenate(parts) for parts in zip(*self._places, strict=True))
        return sparse.coo_matrix((np.ones(len(rows)), (rows, columns)), shape=self._shape).tocsr()


def read_tracklists(connection: psycopg.Connection, since: object, before: object) -> Tracklists:
    """Tracklists of dates from `since` on, before `before`; None is no bound, and lets those without a date in."""
    given = {"since": since, "before": before, "no_date": NO_DATE}
    return Tracklists(connection, *read_integers(connection, TRACKLISTS, given, columns=2))


def read_song_plays(connection: psycopg.Connection, songs: Integers) -> Integers:
    """How often each song (ids, ascending) is played in all tracklists there are, shape (songs,)."""
    song, plays = read_integers(connection, SONG_PLAYS, {"songs": songs.tolist()}, columns=2)
    counted = np.zeros(len(songs), dtype=np.int64)
    counted[np.searchsorted(songs, song)] = plays
    return counted


def main_artists(connection: psycopg.Connection, songs: Integers) -> Integers:
    """The id of each song's main artist, `UNKNOWN` where nobody is credited; songs are ids, ascending."""
    song, artist = read_integers(connection, MAIN_ARTISTS, {"songs": songs.tolist()}, columns=2)
    artists = np.full(len(songs), UNKNOWN)
    artists[np.searchsorted(songs, song)] = artist
    return artists


def read_credits(connection: psycopg.Connection, songs: Integers) -> tuple[Integers, Matrix]:
    """The songs' artists, and how far each song is by each of them."""
    rows = connection.execute(CREDITS, (songs.tolist(),)).fetchall()
    song, artist = (np.array([row[column] for row in rows], dtype=np.int64) for column in (0, 1))
    weights = np.array([row[2] for row in rows], dtype=np.float64)
    artists, place = np.unique(artist, return_inverse=True)
    shape = (len(songs), len(artists))
    credited = sparse.coo_matrix((weights, (np.searchsorted(songs, song), place)), shape=shape).tocsr()
    sums = np.asarray(credited.sum(axis=1)).ravel()
    return artists, (sparse.diags(1 / np.where(sums > 0, sums, 1)) @ credited).tocsr()


def _joined(tracklists: Integers, songs: Integers, count: int) -> Integers:
    """One number for a tracklist and a song; -1 for a song that is not there."""
    return np.where(songs < 0, -1, tracklists * count + songs)
