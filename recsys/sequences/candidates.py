"""The songs that lists may be made of, with their scores and clusters, read by one statement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import psycopg
from scipy import sparse

from recsys.database import read_arrays, read_integers
from recsys.sequences.levels import Candidates
from recsys.tracklists.stored_arrays import Floats, Integers, Matrix, rows_of

PLACES = 3
"""Clusters of each level that are kept of a song: the likeliest one .."""
LEAST_PROBABILITY = 0.05
""".. and up to two more, from this probability on."""

LEVELS = 3

CANDIDATES = """
SELECT array_agg(song_id), array_agg(seed_score),
       array_agg(user_score) FILTER (WHERE user_score IS NOT NULL),
       array_agg(clusters), array_agg(probabilities)
  FROM generator_candidates(%(beginning)s::bigint[], %(seeds)s::bigint[], %(seed_weights)s::float8[], %(dj)s::bigint,
                            %(liked)s::bigint[], %(liked_weights)s::float8[], %(user_weight)s, %(n)s,
                            %(exclude_songs)s::bigint[], %(exclude_artists)s::bigint[], %(model)s)
"""

MAIN_ARTISTS = """
SELECT song_id, artist_id FROM song_artist WHERE song_id = ANY(%(songs)s::bigint[]) AND role = 'main'
"""


@dataclass(frozen=True)
class Liking:
    """What lists are to be near to, by ids in the database."""

    beginning: Sequence[int]
    """Songs that the lists begin with."""
    seeds: Mapping[int, float] = field(default_factory=dict)
    """Songs with weights, whose mean the seed scores are of; the beginning where there are none."""
    dj_id: int | None = None
    """For whom; or else .."""
    liked: Mapping[int, float] = field(default_factory=dict)
    """.. for somebody who likes these songs."""
    exclude_songs: Sequence[int] = ()
    exclude_artists: Sequence[int] = ()


def read_candidates(
    connection: psycopg.Connection,
    model_id: int,
    songs: Integers,
    sizes: Sequence[int],
    liking: Liking,
    *,
    user_weight: float,
    n: int,
    has_artists: bool = False,
) -> Candidates:
    """The `n` best songs by seed and user, and those that lists begin with.

    Args:
        connection: an open connection.
        model_id: the model's row.
        songs: ids of the songs that it knows, by row.
        sizes: how many clusters it has on each level, the smallest clusters first.
        liking: what they are compared with; the model must know all songs that lists begin with.
        user_weight: of the user's scores, for the choice of the best.
        n: how many, acapellas among them.
        has_artists: whether songs of an artist are to be limited.
    """
    asked = {
        "beginning": list(liking.beginning),
        "seeds": list(liking.seeds) or None,
        "seed_weights": list(liking.seeds.values()) or None,
        "dj": liking.dj_id,
        "liked": list(liking.liked) or None,
        "liked_weights": list(liking.liked.values()) or None,
        "user_weight": user_weight,
        "n": n,
        "exclude_songs": list(liking.exclude_songs),
        "exclude_artists": list(liking.exclude_artists),
        "model": model_id,
    }
    types = ["i8", "f8", "f8", "i4", "f4"]
    found = read_arrays(connection, CANDIDATES, asked, types)
    order = np.argsort(found[0])
    ids, seed, user, clusters, probabilities = (values[order] if len(values) else values for values in found)
    places = [slice(level * PLACES, (level + 1) * PLACES) for level in range(len(sizes))]
    return Candidates(
        songs=rows_of(ids, songs),
        seed_scores=seed,
        user_scores=user if len(user) else None,
        members=tuple(
            membership_matrix(clusters[:, part], probabilities[:, part], size)
            for part, size in zip(places, sizes, strict=True)
        ),
        likeliest=tuple(clusters[:, part.start].astype(np.int64) for part in places),
        beginning=np.searchsorted(ids, np.array(liking.beginning, dtype=np.int64)),
        artists=_main_artists(connection, ids) if has_artists else None,
    )


def membership_matrix(clusters: Integers, probabilities: Floats, count: int) -> Matrix:
    """How far songs belong to clusters, (songs, count), from their clusters and probabilities (songs, places)."""
    is_there = probabilities > 0
    starts = np.concatenate([[0], np.cumsum(is_there.sum(axis=1))])
    values = probabilities[is_there].astype(np.float64)
    return sparse.csr_matrix((values, clusters[is_there], starts), shape=(len(clusters), count))


def memberships(assignment: Floats) -> tuple[Integers, Floats]:
    """The clusters and probabilities that are kept of soft assignments (songs, clusters), each (songs, `PLACES`).

    The likeliest first; a place that is not taken has -1 and 0.
    """
    count = min(PLACES, assignment.shape[1])
    best = np.argpartition(-assignment, count - 1, axis=1)[:, :count]
    chances = np.take_along_axis(assignment, best, axis=1)
    order = np.lexsort((best, -chances), axis=1)
    best, chances = np.take_along_axis(best, order, axis=1), np.take_along_axis(chances, order, axis=1)
    is_kept = chances >= LEAST_PROBABILITY
    is_kept[:, 0] = True
    missing = ((0, 0), (0, PLACES - count))
    return (
        np.pad(np.where(is_kept, best, -1), missing, constant_values=-1),
        np.pad(np.where(is_kept, chances, 0), missing).astype(np.float32),
    )


def _main_artists(connection: psycopg.Connection, ids: Integers) -> Matrix:
    """1 where a song is by a main artist, (songs, artists); ids ascend."""
    song, artist = read_integers(connection, MAIN_ARTISTS, {"songs": ids.tolist()}, columns=2)
    artists, column = np.unique(artist, return_inverse=True)
    shape = (len(ids), len(artists))
    return sparse.csr_matrix((np.ones(len(song)), (np.searchsorted(ids, song), column)), shape=shape)
