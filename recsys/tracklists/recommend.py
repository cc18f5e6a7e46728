"""Answers of tracklist recommenders: for a DJ, for likes, and what is alike."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import psycopg
from psycopg.rows import class_row

from recsys.catalog import NOTHING, Excluded, ListedTrack, SimilarTrack, excluded_songs, first_allowed
from recsys.errors import NotReadyError, SourceError, UnknownNameError

if TYPE_CHECKING:
    from recsys.tracklists.blend import Scored
    from recsys.tracklists.past import Newcomers
    from recsys.tracklists.recommender import Trained
    from recsys.tracklists.stored_arrays import Floats, Integers

Read = TypeVar("Read")

TracklistKind = Literal["tracklist-recommender", "tracklist-model", "next-song"]

NOUNS: dict[TracklistKind, str] = {
    "tracklist-recommender": "tracklist recommender",
    "tracklist-model": "tracklist model",
    "next-song": "recommender of next songs",
}

MODEL = """
SELECT m.id FROM model AS m WHERE m.kind = %s AND m.name = %s
"""

NO_MODEL = "RS001"
"""What current_model() raises."""

MODELS = "SELECT m.name FROM model AS m WHERE m.kind = %s ORDER BY m.name"

FOR_DJ = """
SELECT rank, track_id, song_id, title, version, artist, uri, duration_ms, score, artists, plays, last_played_on
  FROM recommend_for_dj(%s, %s, %s, %s, %s::bigint[], %s::bigint[])
"""

LISTED = """
SELECT wanted.place::integer AS rank, st.track_id, s.id AS song_id, s.title, s.version, s.artist, t.uri, t.duration_ms,
       wanted.score, artists_of(s.id) AS artists, 0 AS plays, NULL::date AS last_played_on
  FROM unnest(%(songs)s::bigint[], %(scores)s::float8[]) WITH ORDINALITY AS wanted (song_id, score, place)
  JOIN song AS s ON s.id = wanted.song_id
  LEFT JOIN song_stats AS st ON st.song_id = s.id LEFT JOIN track AS t ON t.id = st.track_id
 ORDER BY wanted.place
"""

NEAREST_SONGS = "SELECT * FROM nearest_songs(%s, model => %s, n => %s)"

PLAYED = """
SELECT tt.tracklist_id, tt.song_id, t.played_on
  FROM tracklist_dj AS td JOIN tracklist AS t ON t.id = td.tracklist_id
  JOIN tracklist_track AS tt ON tt.tracklist_id = t.id
 WHERE td.dj_id = %s AND tt.song_id IS NOT NULL
 GROUP BY tt.tracklist_id, tt.song_id, t.played_on
"""


@dataclass
class ForecastTrack(ListedTrack):
    """A song that somebody is expected to play; `plays` and `last_played_on` are the DJ's own, of now."""

    artists: list[str]
    plays: int
    last_played_on: date | None


@dataclass(frozen=True)
class SimilarArtist:
    """An artist like another one, and in how many tracklists he stands."""

    rank: int
    artist_id: int
    name: str
    similarity: float
    tracklists: int


@dataclass(frozen=True)
class SimilarDj:
    """A DJ like another one, how many songs both played, and how many tracklists are his."""

    rank: int
    dj_id: int
    name: str
    similarity: float
    songs: int
    tracklists: int


def tracklist_model(
    connection: psycopg.Connection, name: str | None = None, kind: TracklistKind = "tracklist-recommender"
) -> int:
    """The id of a tracklist recommender, or of a model of another kind, by its name; of the current one if None.

    Raises:
        UnknownNameError: there is none of that name; the message lists those that there are.
        NotReadyError: there is none at all.
    """
    if name is None:
        try:
            [(current,)] = connection.execute("SELECT current_model(%s)", (kind,)).fetchall()
        except psycopg.DatabaseError as error:
            if error.sqlstate != NO_MODEL:
                raise
            raise NotReadyError(error.diag.message_primary) from None
        return int(current)
    row = connection.execute(MODEL, (kind, name)).fetchone()
    if row is None:
        names = ", ".join(there for (there,) in connection.execute(MODELS, (kind,)))
        raise UnknownNameError(f"no {NOUNS[kind]} is called {name!r}" + (f"; there are: {names}" if names else ""))
    return int(row[0])


def recommend_for_dj(
    connection: psycopg.Connection,
    dj_id: int,
    n: int = 10,
    *,
    only_new: bool = False,
    excluded: Excluded = NOTHING,
    model_id: int | None = None,
) -> list[ForecastTrack]:
    """What a DJ will play, best first, without what is excluded.

    A DJ whom the model never saw is answered from his plays of now. Empty where the model knows none of the songs that
    he played.
    """
    model_id = tracklist_model(connection) if model_id is None else model_id
    barred = (list(excluded.songs), list(excluded.artists))
    with connection.cursor(row_factory=class_row(ForecastTrack)) as cursor:
        found = cursor.execute(FOR_DJ, (dj_id, n, only_new, model_id, *barred)).fetchall()
    if found:
        return found
    played = connection.execute(PLAYED, (dj_id,)).fetchall()
    trained = loaded_recommender(connection, model_id)
    newcomer = _newcomer(trained, played)
    if not newcomer.lists.nnz:
        return []
    (scored,) = trained.recommender.for_newcomers(newcomer)
    tracks = _listed(connection, trained, scored, n, only_new=only_new, excluded=excluded)
    for track in tracks:
        own = [day for _, song, day in played if song == track.song_id]
        track.plays, track.last_played_on = len(own), max((day for day in own if day is not None), default=None)
    return tracks


def _newcomer(trained: "Trained", played: Sequence[tuple[int, int, date | None]]) -> "Newcomers":
    """A DJ whom the model never saw, by what he played in which tracklist, and when."""
    import numpy as np
    from scipy import sparse

    from recsys.tracklists.graph_snapshot import NO_DATE
    from recsys.tracklists.past import Newcomers
    from recsys.tracklists.stored_arrays import rows_of

    day_of = {number: NO_DATE if day is None else (day - date(1970, 1, 1)).days for number, _, day in played}
    place_of = {number: place for place, number in enumerate(day_of)}
    songs = rows_of(np.array([song for _, song, _ in played], dtype=np.int64), trained.songs)
    places = np.array([place_of[number] for number, _, _ in played], dtype=np.int64)
    ones = np.ones(int((songs >= 0).sum()), dtype=np.float32)
    shape = (len(day_of), len(trained.songs))
    return Newcomers(
        sparse.csr_matrix((ones, (places[songs >= 0], songs[songs >= 0])), shape=shape),
        np.array(list(day_of.values()), dtype=np.int64),
        sparse.csr_matrix(np.ones((1, len(day_of)), dtype=np.float32)),
    )


def recommend_for_likes(
    connection: psycopg.Connection,
    likes: Mapping[int, float],
    n: int = 10,
    *,
    only_new: bool = True,
    excluded: Excluded = NOTHING,
    model_id: int | None = None,
) -> list[ForecastTrack]:
    """What somebody will play who likes these songs, given by id with a score (1 is one play); best first.

    With `only_new` none of these songs, and never what is excluded.

    Nothing is trained. Songs that the model does not know count for nothing; empty where it knows none.
    """
    import numpy as np
    from scipy import sparse

    trained = loaded_recommender(connection, tracklist_model(connection) if model_id is None else model_id)
    rows, scores = known_likes(trained, likes)
    if not len(rows):
        return []
    shape = (1, len(trained.songs))
    asked = sparse.csr_matrix((scores, (np.zeros(len(rows), dtype=np.int64), rows)), shape=shape)
    (scored,) = trained.recommender.for_listeners(asked)
    return _listed(connection, trained, scored, n, only_new=only_new, excluded=excluded)


def _listed(
    connection: psycopg.Connection, trained: "Trained", scored: "Scored", n: int, *, only_new: bool, excluded: Excluded
) -> list[ForecastTrack]:
    import numpy as np

    is_wanted = ~np.isin(trained.songs[scored.songs], list(excluded_songs(connection, excluded)))
    if only_new:
        is_wanted &= ~scored.is_known
    songs = trained.songs[scored.songs[is_wanted][:n]].tolist()
    with connection.cursor(row_factory=class_row(ForecastTrack)) as cursor:
        asked_for = {"songs": songs, "scores": scored.scores[is_wanted][:n].tolist()}
        return cursor.execute(LISTED, asked_for).fetchall()


def known_likes(trained: "Trained", likes: Mapping[int, float]) -> tuple["Integers", "Floats"]:
    """Rows and scores of the liked songs that a model knows and whose score is above 0."""
    import numpy as np

    from recsys.tracklists.stored_arrays import rows_of

    liked = {song: score for song, score in likes.items() if score > 0}
    rows = rows_of(np.array(list(liked), dtype=np.int64), trained.songs)
    return rows[rows >= 0], np.array(list(liked.values()), dtype=np.float32)[rows >= 0]


def known_of(connection: psycopg.Connection, likes: Mapping[int, float], model_id: int) -> set[int]:
    """The liked songs that a model knows."""
    trained = loaded_recommender(connection, model_id)
    return set(trained.songs[known_likes(trained, likes)[0]].tolist())


def loaded_recommender(connection: psycopg.Connection, model_id: int) -> "Trained":
    """A recommender's arrays, read once and kept while its folder does not change.

    Raises:
        NotReadyError: its folder is gone or damaged.
    """
    return read_model(connection, model_id, _loaded)


def read_model(connection: psycopg.Connection, model_id: int, read: Callable[[Path, str], Read]) -> Read:
    """What `read` makes of a model's folder and fingerprint.

    Raises:
        NotReadyError: there is no such model, or its folder is gone or damaged.
    """
    row = connection.execute("SELECT folder, fingerprint FROM model WHERE id = %s", (model_id,)).fetchone()
    if row is None:
        raise NotReadyError(f"there is no tracklist model {model_id}: see `recsys model list`")
    try:
        return read(Path(row[0]), row[1])
    except SourceError:
        message = f"the model's folder {row[0]} is gone or damaged: run `recsys model import` again"
        raise NotReadyError(message) from None


@lru_cache(maxsize=2)
def _loaded(folder: Path, _fingerprint: str) -> "Trained":
    from recsys.tracklists.recommender import load_recommender

    return load_recommender(folder)


def similar_artists(
    connection: psycopg.Connection, artist_id: int, n: int = 10, *, model_id: int | None = None
) -> list[SimilarArtist]:
    """Artists who go with an artist in tracklists, best first; none where the model does not know him."""
    model_id = tracklist_model(connection) if model_id is None else model_id
    with connection.cursor(row_factory=class_row(SimilarArtist)) as cursor:
        return cursor.execute("SELECT * FROM similar_artists(%s, %s, %s)", (artist_id, n, model_id)).fetchall()


def similar_djs(
    connection: psycopg.Connection, dj_id: int, n: int = 10, *, model_id: int | None = None
) -> list[SimilarDj]:
    """DJs who play what a DJ plays, best first; none where the model does not know him."""
    model_id = tracklist_model(connection) if model_id is None else model_id
    with connection.cursor(row_factory=class_row(SimilarDj)) as cursor:
        return cursor.execute("SELECT * FROM similar_djs(%s, %s, %s)", (dj_id, n, model_id)).fetchall()


def nearest_songs(
    connection: psycopg.Connection,
    song_id: int,
    n: int = 10,
    *,
    excluded: Excluded = NOTHING,
    model_id: int | None = None,
) -> list[SimilarTrack]:
    """Songs that go with a song by the model's vectors, best first, without what is excluded.

    None where the model does not know it.
    """
    model_id = tracklist_model(connection) if model_id is None else model_id
    return first_allowed(connection, NEAREST_SONGS, (song_id, model_id), n, excluded)
