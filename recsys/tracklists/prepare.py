"""Tracklists read from the database into the graphs of songs, artists and DJs (MODELS B1)."""

import datetime
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg
from scipy import sparse

from recsys.config import Settings
from recsys.database import connect, read_integers, require_migrated, translated_errors
from recsys.errors import NotReadyError
from recsys.progress import Progress, silent
from recsys.tracklists.cooccurrence import WINDOW, Matrix, Plays, cooccurrence, heaviest, information, log_scaled
from recsys.tracklists.graph_snapshot import NO_DATE, GraphFacts, GraphSnapshot, write_graph_snapshot

TRACKLISTS_AT_ONCE = 5_000
"""Tracklists that are in memory."""

# In an order that does not depend on how the rows came into the database.
TRACKLISTS = """
SELECT t.id, coalesce(t.played_on - date '1970-01-01', %(no_date)s)::bigint
  FROM tracklist AS t JOIN source AS s ON s.id = t.source_id
 WHERE %(before)s::date IS NULL OR t.played_on < %(before)s
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

DJS = """
SELECT d.dj_id, place.number
  FROM unnest(%(tracklists)s::bigint[]) WITH ORDINALITY AS place (id, number)
  JOIN tracklist_dj AS d ON d.tracklist_id = place.id
 GROUP BY d.dj_id, place.number
"""

CREDITS = """
SELECT song_id, artist_id, weight::float8 FROM song_artist WHERE song_id = ANY(%s) ORDER BY song_id, artist_id, role
"""

NAMES = """
SELECT md5(coalesce(string_agg(named.key, E'\n' ORDER BY named.part, named.id), ''))
  FROM (SELECT 1 AS part, s.id, s.key FROM song AS s WHERE s.id = ANY(%(songs)s)
         UNION ALL
        SELECT 2, d.id, d.key FROM dj AS d WHERE d.id = ANY(%(djs)s)) AS named
"""


@dataclass(frozen=True)
class GraphOptions:
    """What is kept of the tracklists, and how it is scaled: constants of MODELS B1, but for the first two."""

    window: int = WINDOW
    """Positions apart up to which two songs stand together."""
    least_information: float = 20.0
    """Songs are kept from this sum of their pairs' weights on; three to five plays in the midst of long tracklists."""
    song_mass: float = 0.6
    artist_mass: float = 0.8
    song_artist_mass: float = 0.55
    song_scale: float = 3.26
    least_clicks: int = 15
    """A DJ must have more songs that he played more than once to have clicks."""


DEFAULT = GraphOptions()


@dataclass(frozen=True)
class GraphSummary:
    """What `prepare_graph` wrote."""

    folder: Path
    content_hash: str
    query_hash: str
    before: str | None
    tracklists: int
    sizes: dict[str, tuple[int, int]]
    """By what is counted: how many before and after what is told little of was dropped."""


def prepare_graph(
    settings: Settings,
    folder: Path,
    *,
    before: datetime.date | None = None,
    options: GraphOptions = DEFAULT,
    progress: Progress = silent,
) -> GraphSummary:
    """Write the graphs of songs, artists and DJs into a folder; an older snapshot in it is replaced.

    The plays are read twice, some tracklists at a time: for what they say of each song, and for its pairs.

    Args:
        settings: where the database is.
        folder: where to write; new, empty, or an older snapshot.
        before: use tracklists before this date alone, and none without a date.
        options: what is kept.
        progress: called as work goes on.

    Raises:
        NotReadyError: there are no tracklists (of before that date), or none says enough of a song.
        SourceError: the folder holds something else, or cannot be written.
    """
    with translated_errors(), connect(settings) as connection:
        require_migrated(connection)
        connection.commit()
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        tracklists, days = read_integers(connection, TRACKLISTS, {"before": before, "no_date": NO_DATE}, columns=2)
        if not len(tracklists):
            when = "" if before is None else f" before {before}"
            raise NotReadyError(f"there are no tracklists{when}: load some with `recsys ingest`")
        snapshot, sizes = _Reading(connection, tracklists.tolist(), days, options, progress).snapshot()
        names = names_hash(connection, snapshot.songs, snapshot.djs)
    asked = json.dumps([TRACKLISTS, SONGS, PLAYS, DJS, CREDITS, str(before), asdict(options)])
    facts = GraphFacts(
        query_hash=hashlib.sha256(asked.encode()).hexdigest(),
        names_hash=names,
        before=None if before is None else before.isoformat(),
        options=asdict(options),
        tracklists=len(tracklists),
        sizes=sizes,
    )
    progress("writing", 0, 0)
    written = write_graph_snapshot(snapshot, facts, folder)
    return GraphSummary(folder, written, facts.query_hash, facts.before, facts.tracklists, sizes)


def names_hash(connection: psycopg.Connection, songs: npt.NDArray[np.int64], djs: npt.NDArray[np.int64]) -> str:
    """A hash of the keys of songs and DJs in the order of their ids, 32 hex digits."""
    row = connection.execute(NAMES, {"songs": songs.tolist(), "djs": djs.tolist()}).fetchone()
    return str(row[0]) if row else ""


class _Reading:
    def __init__(
        self,
        connection: psycopg.Connection,
        tracklists: list[int],
        days: npt.NDArray[np.int64],
        options: GraphOptions,
        progress: Progress,
    ) -> None:
        self._connection = connection
        self._tracklists = tracklists
        self._days = days
        self._options = options
        self._progress = progress

    def snapshot(self) -> tuple[GraphSnapshot, dict[str, tuple[int, int]]]:
        options = self._options
        songs = self._song_ids()
        mass = information(self._plays(songs, "weighing songs"), len(songs), options.window)
        kept = np.flatnonzero(mass >= options.least_information)
        if not len(kept):
            raise NotReadyError(
                f"the tracklists say too little of every song: none has information {options.least_information:g},"
                " see --least-information"
            )
        lists = _Lists(len(self._tracklists), len(songs), kept)
        together = cooccurrence(lists.noted(self._plays(songs, "counting pairs")), kept, len(songs), options.window)
        self._progress("cutting the graphs", 0, 0)
        artists, credited = self._credits(songs[kept])
        djs, dj_lists = self._dj_lists()
        plays = (dj_lists @ lists.matrix).tocsr()
        has_played = np.diff(plays.indptr) > 0
        djs, dj_lists, plays = djs[has_played], dj_lists[has_played], plays[has_played]
        beside = (together @ credited).tocsr()
        artist_artist = _without_diagonal((credited.T @ beside).tocsr())
        sizes = {"songs": (len(songs), len(kept))}
        cut = {}
        for name, matrix, mass_kept in (
            ("song-song", together, options.song_mass),
            ("song-artist", beside, options.song_artist_mass),
            ("artist-artist", artist_artist, options.artist_mass),
        ):
            cut[name] = heaviest(matrix, mass_kept)
            sizes[name] = (matrix.nnz, cut[name].nnz)
        del together, beside, artist_artist
        clicks = _clicks(plays, options.least_clicks)
        snapshot = GraphSnapshot(
            songs=songs[kept],
            artists=artists,
            djs=djs,
            days=self._days,
            lists=lists.matrix.astype(np.float32),
            dj_lists=dj_lists.astype(np.float32),
            song_song=log_scaled(cut["song-song"], options.song_scale).astype(np.float32),
            song_artist=log_scaled(cut["song-artist"]).astype(np.float32),
            artist_artist=log_scaled(cut["artist-artist"]).astype(np.float32),
            credits=credited.astype(np.float32),
            clicks=clicks.astype(np.float32),
            dj_dj=_cosines(clicks).astype(np.float32),
        )
        sizes["DJs"] = (len(djs), int(np.count_nonzero(np.diff(clicks.indptr))))
        sizes["songs of DJs"] = (plays.nnz, clicks.nnz)
        return snapshot, sizes

    def _song_ids(self) -> npt.NDArray[np.int64]:
        self._progress("reading songs", 0, 0)
        [songs] = read_integers(self._connection, SONGS, {"tracklists": self._tracklists}, columns=1)
        return np.sort(songs)

    def _plays(self, songs: npt.NDArray[np.int64], step: str) -> Iterator[Plays]:
        for first in range(0, len(self._tracklists), TRACKLISTS_AT_ONCE):
            self._progress(step, first, len(self._tracklists))
            block = self._tracklists[first : first + TRACKLISTS_AT_ONCE]
            tracklist, position, song = read_integers(self._connection, PLAYS, {"tracklists": block}, columns=3)
            order = np.lexsort((position, tracklist))
            yield Plays(first + tracklist[order] - 1, position[order], np.searchsorted(songs, song[order]))

    def _credits(self, songs: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], Matrix]:
        """The songs' artists, and how far each song is by each of them."""
        rows = self._connection.execute(CREDITS, (songs.tolist(),)).fetchall()
        song, artist = (np.array([row[column] for row in rows], dtype=np.int64) for column in (0, 1))
        weights = np.array([row[2] for row in rows], dtype=np.float64)
        artists, place = np.unique(artist, return_inverse=True)
        shape = (len(songs), len(artists))
        credited = sparse.coo_matrix((weights, (np.searchsorted(songs, song), place)), shape=shape).tocsr()
        sums = np.asarray(credited.sum(axis=1)).ravel()
        return artists, (sparse.diags(1 / np.where(sums > 0, sums, 1)) @ credited).tocsr()

    def _dj_lists(self) -> tuple[npt.NDArray[np.int64], Matrix]:
        """The DJs, and which tracklists are theirs."""
        dj, tracklist = read_integers(self._connection, DJS, {"tracklists": self._tracklists}, columns=2)
        djs, row = np.unique(dj, return_inverse=True)
        shape = (len(djs), len(self._tracklists))
        return djs, sparse.coo_matrix((np.ones(len(row)), (row, tracklist - 1)), shape=shape).tocsr()


class _Lists:
    """What tracklists hold of the kept songs, noted while their plays go by."""

    def __init__(self, tracklists: int, songs: int, kept: npt.NDArray[np.int64]) -> None:
        self._shape = (tracklists, len(kept))
        self._column_of = np.full(songs, -1)
        self._column_of[kept] = np.arange(len(kept))
        self._places: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = []

    def noted(self, batches: Iterable[Plays]) -> Iterator[Plays]:
        """The same plays, once they are noted."""
        for plays in batches:
            column = self._column_of[plays.songs]
            self._places.append((plays.tracklists[column >= 0], column[column >= 0]))
            yield plays

    @property
    def matrix(self) -> Matrix:
        """How often each tracklist holds each kept song, (tracklists, kept songs)."""
        rows, columns = (np.concatenate(parts) for parts in zip(*self._places, strict=True))
        return sparse.coo_matrix((np.ones(len(rows)), (rows, columns)), shape=self._shape).tocsr()


def _clicks(plays: Matrix, least: int) -> Matrix:
    """log(plays) of songs that a DJ played more than once, of DJs with more than `least` such songs."""
    clicks = plays.copy()
    clicks.data = np.log(np.maximum(clicks.data, 1))
    clicks.eliminate_zeros()
    has_enough = np.diff(clicks.indptr) > least
    kept = (sparse.diags(has_enough.astype(np.float64)) @ clicks).tocsr()
    kept.eliminate_zeros()
    return kept


def _cosines(clicks: Matrix) -> Any:
    """Cosine of binary rows, without the diagonal."""
    ones = clicks.copy()
    ones.data = np.ones_like(ones.data)
    norms = np.sqrt(np.diff(ones.indptr))
    units = sparse.diags(1 / np.where(norms > 0, norms, 1)) @ ones
    return _without_diagonal((units @ units.T).tocsr())


def _without_diagonal(matrix: Matrix) -> Matrix:
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    matrix.data[row == matrix.indices] = 0
    matrix.eliminate_zeros()
    return matrix
