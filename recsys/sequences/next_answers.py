"""The next songs of tracklists that somebody has begun, by their names."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psycopg
from psycopg.rows import dict_row

from recsys.catalog import ListedTrack
from recsys.names import SongName, is_unidentified, name_key, song_name
from recsys.sources import Entry, Tracklist
from recsys.tracklists.recommend import read_model, tracklist_model

if TYPE_CHECKING:
    from recsys.sequences.next_folder import TrainedNext
    from recsys.tracklists.running_order import Sets

AT_ONCE = 2048
"""Beginnings whose names are looked up together."""

IDS = """
SELECT k.key, k.id FROM song AS k WHERE k.key = ANY(%(songs)s)
"""

ARTISTS = """
SELECT k.key, k.id FROM artist AS k WHERE k.key = ANY(%(artists)s)
"""

DJS = """
SELECT k.key, k.id FROM dj AS k WHERE k.key = ANY(%(djs)s)
"""

NAMES = """
SELECT s.id AS song_id, st.track_id, s.title, s.version, s.artist, t.uri, t.duration_ms, artists_of(s.id) AS artists
  FROM song AS s LEFT JOIN song_stats AS st ON st.song_id = s.id LEFT JOIN track AS t ON t.id = st.track_id
 WHERE s.id = ANY(%s)
"""


@dataclass
class NextTrack(ListedTrack):
    """A song that may come next."""

    artists: list[str]


@dataclass(frozen=True)
class NextAnswer:
    """The songs that may follow one beginning, best first."""

    id: str | int
    """As it was written."""
    tracks: list[NextTrack]
    known_tracks: int
    """Songs of the beginning that the model knows."""


class _Known(NamedTuple):
    """Ids by key."""

    songs: dict[str, int]
    artists: dict[str, int]
    djs: dict[str, int]


def next_songs(
    connection: psycopg.Connection, begun: Iterable[Tracklist], k: int = 20, *, model: str | None = None
) -> Iterator[NextAnswer]:
    """The k songs most likely to follow each beginning, none that it holds, in the order given.

    Whatever of a beginning is known is used: its songs, their artists, its first DJ, its date, and what its title has
    in common with those of a series.

    Raises:
        UnknownNameError: there is no model of that name.
        NotReadyError: there is none at all, or its folder is gone or damaged.
    """
    trained = loaded_next_recommender(connection, tracklist_model(connection, model, "next-song"))
    yield from answers(connection, trained, begun, k)


def answers(
    connection: psycopg.Connection, trained: "TrainedNext", begun: Iterable[Tracklist], k: int
) -> Iterator[NextAnswer]:
    """The same of a recommender that was read already, which was trained on this database."""
    asked = iter(begun)
    while block := list(islice(asked, AT_ONCE)):
        yield from _answers(connection, trained, block, k)


def loaded_next_recommender(connection: psycopg.Connection, model_id: int) -> "TrainedNext":
    """A recommender with the tracklists that it answers from, read once and kept while its folder does not change.

    Raises:
        NotReadyError: its folder is gone or damaged.
    """
    return read_model(connection, model_id, _loaded)


@lru_cache(maxsize=2)
def _loaded(folder: Path, _fingerprint: str) -> "TrainedNext":
    from recsys.sequences.next_folder import load_next_recommender

    return load_next_recommender(folder)


def _answers(
    connection: psycopg.Connection, trained: "TrainedNext", block: Sequence[Tracklist], k: int
) -> Iterator[NextAnswer]:
    sets = _as_sets(connection, trained, block)
    made = trained.recommender.next(sets, k)
    ids = trained.order.songs[made.songs]
    shown = {int(song) for song in ids[made.songs >= 0]}
    with connection.cursor(row_factory=dict_row) as cursor:
        names = {row["song_id"]: row for row in cursor.execute(NAMES, (sorted(shown),))}
    for row, tracklist in enumerate(block):
        tracks = [
            NextTrack(**names[song], rank=rank, score=score)
            for rank, (song, score, place) in enumerate(
                zip(ids[row].tolist(), made.scores[row].tolist(), made.songs[row], strict=True), start=1
            )
            if place >= 0
        ]
        known = sets.songs[sets.starts[row] : sets.starts[row + 1]] >= 0
        number = int(tracklist.external_id) if tracklist.id_is_number else tracklist.external_id
        yield NextAnswer(number, tracks, int(known.sum()))


def _as_sets(connection: psycopg.Connection, trained: "TrainedNext", block: Sequence[Tracklist]) -> "Sets":
    """Beginnings by the rows of a model; what is not known has none."""
    import numpy as np

    from recsys.tracklists.graph_snapshot import NO_DATE
    from recsys.tracklists.running_order import UNKNOWN, Sets, programme_of
    from recsys.tracklists.stored_arrays import rows_of

    order = trained.order
    # What nobody identified is not in the running order either.
    named = [
        [_name(entry) for entry in tracklist.entries if entry and not is_unidentified(entry.artist, entry.title)]
        for tracklist in block
    ]
    flat = [name for names in named for name in names]
    djs = [name_key(tracklist.djs[0]) if tracklist.djs else "" for tracklist in block]
    known = _known(connection, flat, djs)
    songs = rows_of(np.array([known.songs.get(name.key, UNKNOWN) for name in flat], dtype=np.int64), order.songs)
    lead = [name.artists[0].key if name.artists else "" for name in flat]
    artists = rows_of(np.array([known.artists.get(key, UNKNOWN) for key in lead], dtype=np.int64), order.artists)
    programme_of_key = {key: row for row, key in enumerate(order.programmes)}
    first = date(1970, 1, 1)
    return Sets(
        starts=np.concatenate([[0], np.cumsum([len(names) for names in named])]).astype(np.int64),
        songs=songs,
        artists=np.where(songs >= 0, order.song_artists[songs], artists),
        djs=rows_of(np.array([known.djs.get(key, UNKNOWN) for key in djs], dtype=np.int64), trained.djs),
        programmes=np.array([programme_of_key.get(programme_of(one.title), UNKNOWN) for one in block], dtype=np.int64),
        days=np.array(
            [NO_DATE if one.played_on is None else (one.played_on - first).days for one in block], dtype=np.int64
        ),
    )


def _name(entry: Entry) -> SongName:
    return song_name(entry.title, entry.artist, entry.artists)


def _known(connection: psycopg.Connection, songs: Sequence[SongName], djs: Sequence[str]) -> _Known:
    """Ids of songs, their first artists, and DJs."""
    asked = {
        "songs": list({name.key for name in songs}),
        "artists": list({name.artists[0].key for name in songs if name.artists}),
        "djs": list({key for key in djs if key}),
    }
    return _Known(*(dict(connection.execute(query, asked).fetchall()) for query in (IDS, ARTISTS, DJS)))
