"""Tracklists read from the database into the graphs of songs, artists and DJs (MODELS B1)."""

import datetime
import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg
from scipy import sparse

from recsys.config import Settings
from recsys.database import connect, require_migrated, translated_errors
from recsys.errors import NotReadyError
from recsys.progress import Progress, silent
from recsys.tracklists.cooccurrence import WINDOW, cooccurrence, heaviest, information
from recsys.tracklists.graph_snapshot import GraphFacts, GraphSnapshot, Ids, write_graph_snapshot
from recsys.tracklists.later import NOTHING, HoldOut, Later, draw_djs, draw_pairs, write_later
from recsys.tracklists.reading import (
    QUERIES,
    Lists,
    Rows,
    Tracklists,
    main_artists,
    read_credits,
    read_song_plays,
    read_tracklists,
)
from recsys.tracklists.running_order import UNKNOWN, RunningOrder, write_running_order
from recsys.tracklists.sparse_rows import log_scaled, ones
from recsys.tracklists.stored_arrays import Matrix, rows_of

NAMES = """
SELECT md5(coalesce(string_agg(named.key, E'\n' ORDER BY named.part, named.id), ''))
  FROM (SELECT 1 AS part, s.id, s.key FROM song AS s WHERE s.id = ANY(%(songs)s)
         UNION ALL
        SELECT 2, d.id, d.key FROM dj AS d WHERE d.id = ANY(%(djs)s)) AS named
"""

CHANGED = "SELECT max(tracklists_changed_at) FROM ingest_run"


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

LEAST_PLAYS = 2
"""Tracklists that hold a song which the running order tells from others."""


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
    held_out: dict[str, int]
    """By what is counted, where anything is held out: how many are foretold."""


def prepare_graph(
    settings: Settings,
    folder: Path,
    *,
    before: datetime.date | None = None,
    hold_out: HoldOut = NOTHING,
    options: GraphOptions = DEFAULT,
    progress: Progress = silent,
) -> GraphSummary:
    """Write the graphs of songs, artists and DJs into a folder; an older snapshot in it is replaced.

    The plays are read twice, some tracklists at a time: for what they say of each song, and for its pairs. What is
    held out is written beside the graphs, see `later`.

    Args:
        settings: where the database is.
        folder: where to write; new, empty, or an older snapshot.
        before: use tracklists before this date alone, and none without a date; later ones are held out.
        hold_out: what else is; days and DJs need `before`.
        options: what is kept.
        progress: called as work goes on.

    Raises:
        ValueError: what needs a date to be held out is to be, and there is none.
        NotReadyError: there are no tracklists (of before that date), none says enough of a song, or there is nothing
            to hold out.
        SourceError: the folder holds something else, or cannot be written.
    """
    if before is None and (hold_out.until is not None or hold_out.cold_djs):
        raise ValueError("a date until which plays are held out, and DJs who come later, need a date before")
    with translated_errors(), connect(settings) as connection:
        require_migrated(connection)
        connection.commit()
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        [(changed_at,)] = connection.execute(CHANGED).fetchall()
        told = read_tracklists(connection, None, before)
        if not len(told.ids):
            when = "" if before is None else f" before {before}"
            raise NotReadyError(f"there are no tracklists{when}: load some with `recsys ingest`")
        after = told.at(np.arange(0)) if before is None else read_tracklists(connection, before, hold_out.until)
        told, cold = _without_cold_djs(told, after, hold_out)
        told, pairs = _without_pairs(told, options, hold_out, progress)
        snapshot, sizes = _graphs(told, options, progress)
        names = names_hash(connection, snapshot.songs, snapshot.djs)
        order = _order(told, after, snapshot.djs, progress)
        later = _later(after, cold, pairs, snapshot, progress)
    left_out = {"pairs": hold_out.pairs, "cold_djs": hold_out.cold_djs}
    left_out = {name: share for name, share in left_out.items() if share}
    held_out = left_out | ({"seed": hold_out.seed} if left_out else {})
    asked = json.dumps([*QUERIES, str(before), asdict(options), held_out])
    facts = GraphFacts(
        query_hash=hashlib.sha256(asked.encode()).hexdigest(),
        names_hash=names,
        before=None if before is None else before.isoformat(),
        options=asdict(options),
        tracklists=len(told.ids),
        sizes=sizes,
        held_out=held_out,
        read_at=changed_at and changed_at.isoformat(),
    )
    progress("writing", 0, 0)

    def write_beside(draft: Path, graph_hash: str) -> None:
        write_running_order(order, draft, graph_hash)
        if before is not None or held_out:
            write_later(later, draft, graph_hash, hold_out, before, len(after.ids))

    written = write_graph_snapshot(snapshot, facts, folder, write_beside)
    counts = {
        "later tracklists": len(after.ids),
        "songs of DJs later": later.plays.nnz,
        "songs taken from DJs": later.pairs.nnz,
        "DJs who come later": len(later.cold_djs),
    }
    counts = {name: count for name, count in counts.items() if count}
    return GraphSummary(folder, written, facts.query_hash, facts.before, facts.tracklists, sizes, counts)


def names_hash(connection: psycopg.Connection, songs: npt.NDArray[np.int64], djs: npt.NDArray[np.int64]) -> str:
    """A hash of the keys of songs and DJs in the order of their ids, 32 hex digits."""
    row = connection.execute(NAMES, {"songs": songs.tolist(), "djs": djs.tolist()}).fetchone()
    return str(row[0]) if row else ""


@dataclass(frozen=True)
class _ColdDjs:
    djs: Ids
    past: Tracklists


@dataclass(frozen=True)
class _Pairs:
    """Songs taken out of DJs' tracklists, by their ids."""

    djs: Ids
    songs: Ids


def _without_cold_djs(told: Tracklists, after: Tracklists, hold_out: HoldOut) -> tuple[Tracklists, _ColdDjs]:
    djs, lists = told.dj_lists()
    rows = draw_djs(np.diff(lists.indptr), np.diff(after.dj_lists(djs)[1].indptr), hold_out.cold_djs, hold_out.seed)
    if hold_out.cold_djs and not len(rows):
        raise NotReadyError("too few DJs have tracklists before and after the date: none can be left out")
    is_theirs = np.asarray(lists[rows].sum(axis=0)).ravel() > 0
    return told.at(~is_theirs), _ColdDjs(djs[rows], told.at(is_theirs))


def _without_pairs(
    told: Tracklists, options: GraphOptions, hold_out: HoldOut, progress: Progress
) -> tuple[Tracklists, _Pairs]:
    """The tracklists without songs of their DJs, drawn from the clicks that they would have."""
    if not hold_out.pairs:
        return told, _Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64))
    songs = told.song_ids()
    lists = Lists(len(told.ids), len(songs), np.arange(len(songs)))
    plays = lists.noted(told.plays(songs, progress, "drawing pairs"))
    is_kept = information(plays, len(songs), options.window) >= options.least_information
    djs, dj_lists = told.dj_lists()
    held = (lists.matrix @ sparse.diags(is_kept.astype(np.float64))).tocsr()
    pairs = draw_pairs(_clicks((dj_lists @ held).tocsr(), options.least_clicks), hold_out.pairs, hold_out.seed)
    if not pairs.nnz:
        raise NotReadyError(
            f"too few DJs played more than {options.least_clicks} songs more than once: no pair can be held out"
        )
    place, song = lists.matrix.multiply((dj_lists.T @ pairs).tocsr()).nonzero()
    dj, own = pairs.nonzero()
    return replace(told, hidden=np.column_stack([place, songs[song]])), _Pairs(djs[dj], songs[own])


def _later(after: Tracklists, cold: _ColdDjs, pairs: _Pairs, snapshot: GraphSnapshot, progress: Progress) -> Later:
    songs = snapshot.songs
    lists = after.held(songs, progress, "reading later tracklists")
    rows, columns = rows_of(pairs.djs, snapshot.djs), rows_of(pairs.songs, songs)
    known = (rows >= 0) & (columns >= 0)
    shape = (len(snapshot.djs), len(songs))
    return Later(
        song_plays=read_song_plays(after.connection, songs),
        plays=(after.dj_lists(snapshot.djs)[1] @ lists).tocsr(),
        pairs=sparse.csr_matrix((np.ones(known.sum()), (rows[known], columns[known])), shape=shape),
        cold_djs=cold.djs,
        cold_days=cold.past.days,
        cold_owned=cold.past.dj_lists(cold.djs)[1],
        cold_lists=ones(cold.past.held(songs, progress, "reading DJs who come later")),
        cold_plays=(after.dj_lists(cold.djs)[1] @ lists).tocsr(),
    )


def _order(told: Tracklists, after: Tracklists, djs: Ids, progress: Progress) -> RunningOrder:
    progress("reading the order", 0, 0)
    everything, later_songs = told.song_ids(), after.song_ids()
    past = told.in_order(everything, progress, "reading songs in order")
    later = after.in_order(later_songs, progress, "reading later songs in order")
    songs = everything[past.lists_of(everything) >= LEAST_PLAYS]
    everywhere = np.union1d(everything, later_songs)
    artists = main_artists(told.connection, everywhere)
    rows = Rows(
        songs=songs,
        artists=np.unique(artists[artists != UNKNOWN]),
        djs=djs,
        programmes=sorted(set(past.programmes) - {""}),
        credited=(everywhere, artists),
    )
    return RunningOrder(
        songs=songs,
        song_artists=rows.artists_of(songs),
        artists=rows.artists,
        programmes=tuple(rows.programmes),
        past=past.sets(rows),
        later=later.sets(rows),
        names_hash=names_hash(told.connection, songs, djs),
    )


def _graphs(
    told: Tracklists, options: GraphOptions, progress: Progress
) -> tuple[GraphSnapshot, dict[str, tuple[int, int]]]:
    progress("reading songs", 0, 0)
    songs = told.song_ids()
    mass = information(told.plays(songs, progress, "weighing songs"), len(songs), options.window)
    kept = np.flatnonzero(mass >= options.least_information)
    if not len(kept):
        raise NotReadyError(
            f"the tracklists say too little of every song: none has information {options.least_information:g},"
            " see --least-information"
        )
    lists = Lists(len(told.ids), len(songs), kept)
    plays_read = lists.noted(told.plays(songs, progress, "counting pairs"))
    together = cooccurrence(plays_read, kept, len(songs), options.window)
    progress("cutting the graphs", 0, 0)
    artists, credited = read_credits(told.connection, songs[kept])
    djs, dj_lists = told.dj_lists()
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
        days=told.days,
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
