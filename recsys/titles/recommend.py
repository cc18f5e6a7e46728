"""Answers for a title: the light path, which imports no network library for a title that is known."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import psycopg
from psycopg.rows import class_row

from recsys.catalog.listed import Excluded, ListedTrack
from recsys.errors import NotReadyError, UnknownNameError
from recsys.names import normal_title

if TYPE_CHECKING:
    from recsys.titles.adapter import AdaptedEncoder
    from recsys.titles.encoder import Encoder

Method = Literal["soft", "seed"]
VoterKind = Literal["title", "artist", "song", "learned"]
LoadEncoder: TypeAlias = Callable[[Path], "Encoder | AdaptedEncoder"]

NOT_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters and lone surrogates. What is invisible stays: it joins the parts of an emoji."""

EXPLAINED_TITLES = 3
"""Titles that are named for each track, those with the largest share."""

CURRENT_MODEL = """
SELECT m.folder,
       coalesce(m.profiled_at < (SELECT max(r.playlists_changed_at) FROM ingest_run AS r), false) AS is_stale,
       title_vector(%(title)s, m.id)::text AS vector, m.id
  FROM model AS m
 WHERE m.kind = 'title-recommender' AND CASE WHEN %(model)s::bigint IS NULL THEN m.is_current ELSE m.id = %(model)s END
"""

MODEL_OF_SPLIT = """
SELECT m.id
  FROM split AS s JOIN model AS m ON m.kind = 'title-recommender' AND (m.config ->> 'split')::bigint = s.id
 WHERE s.name = %s AND m.profiled_at IS NOT NULL
 ORDER BY m.config ? 'adapter' DESC, m.profiled_at DESC
 LIMIT 1
"""

VOTE = """
SELECT rank, track_id, song_id, title, version, artist, uri, duration_ms, score, voters
  FROM vote(%(vector)s::vector, %(n)s, %(method)s, exclude_songs => %(songs)s::bigint[],
            exclude_artists => %(artists)s::bigint[], max_per_artist => %(per_artist)s::integer,
            model => %(model)s, title_text => %(title)s)
"""

NEAREST = """
SELECT t.name AS title, n.similarity, p.playlists
  FROM nearest_titles(%(vector)s::vector, %(n)s + 1, %(model)s) AS n
  JOIN title AS t ON t.id = n.title_id
  JOIN title_profile AS p ON p.model_id = %(model)s AND p.title_id = n.title_id
 WHERE t.name <> %(title)s
 ORDER BY n.similarity DESC, t.name
 LIMIT %(n)s
"""

EXPLAIN = """
SELECT track_id, name, similarity, share, kind
  FROM (SELECT v.*, row_number() OVER (PARTITION BY v.track_id ORDER BY v.share DESC, v.kind, v.name) AS place
          FROM explain_vote(%(vector)s::vector, %(tracks)s::bigint[], %(method)s, model => %(model)s,
                            title_text => %(title)s) AS v) AS v
 WHERE place <= %(titles)s
 ORDER BY track_id, place
"""


@dataclass(frozen=True)
class Voter:
    """What voted for a track; `share` is its part of the track's score.

    `kind` is "title", "artist" or "song", which the title names, or "learned": what the adapter expects in playlists of
    a title. The similarity of an artist is the part of the title's words that his name is.
    """

    title: str
    similarity: float
    share: float
    kind: VoterKind = "title"


@dataclass
class Recommendation(ListedTrack):
    """A track with its place in the list. `voters` counts the titles that voted for it."""

    voters: int = 0
    voted_by: list[Voter] = field(default_factory=list)


@dataclass(frozen=True)
class Filters(Excluded):
    """What must not appear, and how many songs one artist may have."""

    max_per_artist: int | None = None


@dataclass(frozen=True)
class Answer:
    """Tracks for a title. `is_known` says that the title was embedded before, `is_stale` that lists came since."""

    title: str
    is_known: bool
    is_stale: bool
    tracks: list[Recommendation]


def recommend(
    connection: psycopg.Connection,
    title: str,
    n: int = 10,
    *,
    method: Method = "soft",
    filters: Filters = Filters(),
    explain: bool = False,
    model: int | None = None,
    load_encoder: LoadEncoder | None = None,
) -> Answer:
    """The tracks that playlists of the nearest titles hold.

    Args:
        connection: an open connection.
        title: as a person writes it; an unseen one is read by the current model's encoder.
        n: how many tracks.
        method: "soft", titles vote by nearness, or "seed", the paper's count over 50 playlists.
        filters: what must not appear.
        explain: name the titles and artists that voted for each track.
        model: the recommender that answers, the current one if None; see `recommender_as_of`.
        load_encoder: loads an encoder from its folder, `adapter.kept_encoder` if None.

    Raises:
        UnknownNameError: the title is blank.
        NotReadyError: no titles are embedded yet.
        EncoderError: the title is unseen and the encoder's files are gone.
    """
    query = _read_title(connection, title, load_encoder, model)
    given = {
        "title": query.name,
        "model": query.model,
        "vector": query.vector,
        "n": n,
        "method": method,
        "songs": list(filters.songs),
        "artists": list(filters.artists),
        "per_artist": filters.max_per_artist,
    }
    with connection.cursor(row_factory=class_row(Recommendation)) as cursor:
        tracks = cursor.execute(VOTE, given).fetchall()
    if explain:
        by_track: dict[int | None, list[Voter]] = {track.track_id: track.voted_by for track in tracks}
        given |= {"tracks": list(by_track), "titles": EXPLAINED_TITLES}
        for track_id, *voter in connection.execute(EXPLAIN, given):
            by_track[track_id].append(Voter(*voter))
    return Answer(query.name, query.is_known, query.is_stale, tracks)


@dataclass(frozen=True)
class SimilarTitle:
    """A title near another one, with how many of the recommender's playlists carry it."""

    title: str
    similarity: float
    playlists: int


def similar_titles(
    connection: psycopg.Connection,
    title: str,
    n: int = 10,
    *,
    model: int | None = None,
    load_encoder: LoadEncoder | None = None,
) -> list[SimilarTitle]:
    """The titles nearest to a title, itself apart; raises as `recommend` does."""
    query = _read_title(connection, title, load_encoder, model)
    with connection.cursor(row_factory=class_row(SimilarTitle)) as cursor:
        return cursor.execute(
            NEAREST, {"vector": query.vector, "title": query.name, "n": n, "model": query.model}
        ).fetchall()


@dataclass(frozen=True)
class _Query:
    name: str
    vector: str
    is_known: bool
    is_stale: bool
    model: int


def recommender_as_of(connection: psycopg.Connection, split: str) -> int:
    """The recommender that was built from the train part of a split.

    Raises:
        NotReadyError: there is none.
    """
    row = connection.execute(MODEL_OF_SPLIT, (split,)).fetchone()
    if row is None:
        raise NotReadyError(f"nothing was built from the split {split}: run `recsys titles embed --split {split}`")
    return int(row[0])


def _read_title(
    connection: psycopg.Connection,
    title: str,
    load_encoder: LoadEncoder | None,
    model: int | None,
) -> _Query:
    name = normal_title(title)
    if not name:
        raise UnknownNameError("the title is blank: give a few words")
    if NOT_TEXT.search(name):
        raise UnknownNameError("the title holds characters that are not text: give a few words")
    row = connection.execute(CURRENT_MODEL, {"title": name, "model": model}).fetchone()
    if row is None:
        raise NotReadyError("no titles are embedded yet: run `recsys titles embed`")
    folder, is_stale, known_vector, model_id = row
    if known_vector is not None:
        return _Query(name, known_vector, is_known=True, is_stale=is_stale, model=model_id)
    if load_encoder is None:
        from recsys.titles.adapter import kept_encoder

        load_encoder = kept_encoder
    vector = load_encoder(Path(folder)).encode([name])[0]
    as_text = "[" + ",".join(map(repr, vector.tolist())) + "]"
    return _Query(name, as_text, is_known=False, is_stale=is_stale, model=model_id)
