"""What each title and each artist votes for: `title_profile` and `artist_profile`, read from the playlists."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg import sql
from scipy import sparse

from recsys.database import copy_rows, read_integers, read_vectors
from recsys.errors import NotReadyError
from recsys.names import name_key
from recsys.progress import Progress, silent
from recsys.titles.smoothing import DEFAULT, Profiles, Smoothing, neighbour_profiles, smoothed_profiles

EXACT_SCAN_LIMIT = 5_000
"""Vectors up to which comparing all of them is fast enough, and exact."""

LONGEST_NAME = 6
"""Words of a title that are looked up as one artist's name."""

Ids = npt.NDArray[np.int64]

# Playlists that may vote: all that have a title, or those of a split's train part.
ENTRIES = """
SELECT DISTINCT p.id::bigint, p.title_id::bigint, t.song_id::bigint, pt.track_id::bigint
  FROM playlist AS p
  JOIN playlist_track AS pt ON pt.playlist_id = p.id
  JOIN track AS t ON t.id = pt.track_id
 WHERE p.title_id IS NOT NULL
   AND (%(split)s::bigint IS NULL
        OR EXISTS (SELECT FROM playlist_split AS s
                    WHERE s.split_id = %(split)s AND s.playlist_id = p.id AND s.part = 'train'))
"""

VECTORS = """
SELECT e.title_id, e.embedding FROM title_embedding AS e WHERE e.model_id = %(model)s ORDER BY e.title_id
"""

PROFILE = {"model_id": "int8", "title_id": "int8", "playlists": "int4", "track_ids": "int4[]", "weights": "float4[]"}
ARTIST_PROFILE = {
    "model_id": "int8",
    "artist_id": "int8",
    "key": "text",
    "playlists": "int4",
    "meant": "float4",
    "track_ids": "int4[]",
    "weights": "float4[]",
}


@dataclass(frozen=True)
class Entries:
    """The playlists that may vote: each distinct (playlist, song) pair once, as indices into the id arrays."""

    playlists: Ids
    """Index of the playlist of each pair."""
    songs: Ids
    """Index of the song of each pair."""
    title_of: Ids
    """Index of the title of each playlist."""
    playlist_ids: Ids
    title_ids: Ids
    song_ids: Ids
    track_ids: Ids
    """The most held track of each song; among equals one with a URI, then the oldest."""

    def playlists_of_titles(self) -> Ids:
        """How many playlists each title has."""
        return np.bincount(self.title_of, minlength=len(self.title_ids))

    def held(self) -> Any:
        """Which playlist holds which song, ones, a csr_matrix (playlists, songs), float32."""
        return _ones(self.playlists, self.songs, (len(self.playlist_ids), len(self.song_ids)))

    def counts(self) -> Any:
        """Playlists of a title that hold a song, a csr_matrix (titles, songs), float32."""
        return _ones(self.title_of[self.playlists], self.songs, (len(self.title_ids), len(self.song_ids)))


def _ones(rows: Ids, columns: Ids, shape: tuple[int, int]) -> Any:
    """A csr_matrix, float32, that counts each pair of a row and a column."""
    return sparse.coo_matrix((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=shape).tocsr()


def read_entries(connection: psycopg.Connection, split: int | None = None) -> Entries:
    """Read the playlists that may vote, those of the train part where a split is named.

    Raises:
        NotReadyError: there are none.
    """
    playlist, title, song, track = read_integers(connection, ENTRIES, {"split": split}, columns=4)
    if not len(playlist):
        raise NotReadyError("there are no playlists with a title and tracks: load some with `recsys ingest`")
    playlist_ids, first, playlists = np.unique(playlist, return_index=True, return_inverse=True)
    title_ids, title_of = np.unique(title[first], return_inverse=True)
    song_ids, songs = np.unique(song, return_inverse=True)
    pairs = np.unique(np.stack([playlists, songs]), axis=1)
    return Entries(
        pairs[0], pairs[1], title_of, playlist_ids, title_ids, song_ids, _most_held(connection, song, track, song_ids)
    )


def _most_held(connection: psycopg.Connection, song: Ids, track: Ids, song_ids: Ids) -> Ids:
    tracks, first, held = np.unique(track, return_index=True, return_counts=True)
    without_uri = {
        row[0]
        for row in connection.execute("SELECT id FROM track WHERE uri IS NULL AND id = ANY(%s)", (tracks.tolist(),))
    }
    has_no_uri = np.fromiter((t in without_uri for t in tracks.tolist()), dtype=bool, count=len(tracks))
    order = np.lexsort((tracks, has_no_uri, -held, song[first]))
    _, best = np.unique(song[first][order], return_index=True)
    result: Ids = tracks[order][best]
    assert len(result) == len(song_ids)
    return result


class ArtistVote(NamedTuple):
    """An artist's songs, heaviest first with weights of sum 1, and how far a title that names him means him."""

    artist: int
    key: str
    playlists: int
    meant: float
    songs: Ids
    weights: npt.NDArray[np.float32]


PRIOR_PLAYLISTS = 2.0
"""How many playlists the average name of its kind counts for against an artist's own."""


def artist_votes(
    entries: Entries,
    artists: Sequence[tuple[int, str, str]],
    song_artists: tuple[Ids, Ids],
    titles: Sequence[str],
    tracks: int,
) -> list[ArtistVote]:
    """What the artists of at least two playlists vote for.

    `meant` is the mean share of an artist's songs in the playlists whose title names him, drawn towards that of all
    artists with as many words in the name: "lady gaga" means the artist, "love" rarely does.

    Args:
        entries: the playlists that may vote.
        artists: id, key and name of each artist.
        song_artists: index into `entries.song_ids` and into `artists` of every credit.
        titles: names of `entries.title_ids`.
        tracks: songs that are kept.
    """
    songs_there, lists = len(entries.song_ids), len(entries.playlist_ids)
    credited = _ones(*song_artists, (songs_there, len(artists)))
    credited.data[:] = 1
    held = entries.held()
    by_artist = (held @ credited).tocsr()
    lengths = np.maximum(np.diff(held.indptr), 1)
    shares = by_artist.multiply(1 / lengths[:, None]).tocsr()
    per_title = _ones(entries.title_of, np.arange(lists), (len(titles), lists))
    title_shares = (per_title @ shares).tocsr()
    title_sizes = np.asarray(per_title.sum(axis=1)).ravel()
    in_playlists = np.asarray((by_artist > 0).sum(axis=0)).ravel()
    place_of = {key: place for place, (_, key, _) in enumerate(artists) if in_playlists[place] > 1}
    sums, sizes = np.zeros(len(artists)), np.zeros(len(artists))
    has_several_words = np.array([" " in name.casefold().removeprefix("the ") for _, _, name in artists], dtype=bool)
    for title, name in enumerate(titles):
        row = None
        for key in named_keys(name):
            place = place_of.get(key)
            if place is None:
                continue
            if row is None:
                own = slice(title_shares.indptr[title], title_shares.indptr[title + 1])
                row = dict(zip(title_shares.indices[own].tolist(), title_shares.data[own].tolist(), strict=True))
            sums[place] += row.get(place, 0.0)
            sizes[place] += title_sizes[title]
    holders = np.asarray(held.sum(axis=0)).ravel()
    prior = np.zeros(len(artists))
    for kind in (has_several_words, ~has_several_words):
        prior[kind] = sums[kind].sum() / max(sizes[kind].sum(), 1)
    meant = (sums + PRIOR_PLAYLISTS * prior) / (sizes + PRIOR_PLAYLISTS)
    songs_of = credited.tocsc()
    votes = []
    for key, place in place_of.items():
        songs = songs_of.indices[songs_of.indptr[place] : songs_of.indptr[place + 1]].astype(np.int64)
        best = songs[np.lexsort((songs, -holders[songs]))][:tracks]
        weights = (holders[best] / holders[songs].sum()).astype(np.float32)
        votes.append(ArtistVote(artists[place][0], key, int(in_playlists[place]), float(meant[place]), best, weights))
    return votes


def named_keys(title: str) -> set[str]:
    """Keys of all runs of up to LONGEST_NAME words of a title."""
    words = title.split()
    runs = [
        words[first:last]
        for first in range(len(words))
        for last in range(first + 1, min(first + LONGEST_NAME, len(words)) + 1)
    ]
    return {key for run in runs if (key := name_key(" ".join(run)))}


def build_profiles(
    connection: psycopg.Connection,
    model_id: int,
    entries: Entries,
    *,
    smoothing: Smoothing = DEFAULT,
    progress: Progress = silent,
) -> int:
    """Build a recommender's profiles anew, the old ones answer until the commit; returns how many titles have one.

    A song counts as its most held track, and a playlist holds it once.

    Args:
        connection: an open connection.
        model_id: the recommender's, whose titles have their vectors.
        entries: the playlists that may vote.
        smoothing: how profiles are smoothed.
        progress: called as work goes on.

    Raises:
        NotReadyError: neighbours are asked for, and a title has no vector.
    """
    counts = entries.counts()
    sizes = entries.playlists_of_titles()
    profiles = smoothed_profiles(counts, smoothing, lambda done, of: progress("building title profiles", done, of))
    if smoothing.neighbours > 0:
        vectors = _compared_vectors(connection, model_id, entries.title_ids)
        profiles = neighbour_profiles(
            profiles, vectors, sizes, smoothing, lambda done, of: progress("hearing neighbours", done, of)
        )
    artists = _artist_votes(connection, entries, smoothing.tracks)
    connection.execute("DELETE FROM title_profile WHERE model_id = %s", (model_id,))
    connection.execute("DELETE FROM artist_profile WHERE model_id = %s", (model_id,))
    copy_rows(connection, "title_profile", PROFILE, _title_rows(model_id, entries, sizes, profiles))
    rows = [
        (model_id, a.artist, a.key, a.playlists, a.meant, entries.track_ids[a.songs].tolist(), a.weights.tolist())
        for a in artists
    ]
    copy_rows(connection, "artist_profile", ARTIST_PROFILE, rows)
    connection.execute("UPDATE model SET profiled_at = now() WHERE id = %s", (model_id,))
    connection.commit()
    _vacuum(connection)
    return len(entries.title_ids)


def _vacuum(connection: psycopg.Connection) -> None:
    """Tell Postgres which rows all may see: without it, a vote that looks titles up in an index also reads the rows."""
    was_autocommit = connection.autocommit
    connection.autocommit = True
    connection.execute("VACUUM (ANALYZE) title_embedding, title_profile, artist_profile")
    connection.autocommit = was_autocommit


def _title_rows(model_id: int, entries: Entries, sizes: Ids, profiles: Profiles) -> list[tuple[object, ...]]:
    return [
        (
            model_id,
            int(title_id),
            int(sizes[place]),
            entries.track_ids[profiles.songs[first:last]].tolist(),
            profiles.weights[first:last].tolist(),
        )
        for place, (title_id, first, last) in enumerate(
            zip(entries.title_ids, profiles.starts[:-1], profiles.starts[1:], strict=True)
        )
    ]


def _artist_votes(connection: psycopg.Connection, entries: Entries, tracks: int) -> list[ArtistVote]:
    names = title_names(connection, entries.title_ids)
    song, artist = read_integers(
        connection,
        "SELECT song_id::bigint, artist_id::bigint FROM song_artist WHERE song_id = ANY(%(songs)s)",
        {"songs": entries.song_ids.tolist()},
        columns=2,
    )
    artist_ids, places = np.unique(artist, return_inverse=True)
    query = "SELECT id, key, name FROM artist WHERE id = ANY(%s) ORDER BY id"
    artists = connection.execute(query, (artist_ids.tolist(),)).fetchall()
    song_artists = (np.searchsorted(entries.song_ids, song), places)
    return artist_votes(entries, artists, song_artists, [names[t] for t in entries.title_ids.tolist()], tracks)


def title_vectors(connection: psycopg.Connection, model_id: int) -> tuple[Ids, npt.NDArray[np.float32]]:
    """The titles that have a vector of a model, ascending, and the vectors (titles, dimension)."""
    [(dimension,)] = connection.execute("SELECT dimension FROM model WHERE id = %s", (model_id,)).fetchall()
    return read_vectors(connection, VECTORS, {"model": model_id}, dimension)


def _compared_vectors(connection: psycopg.Connection, model_id: int, titles: Ids) -> npt.NDArray[np.float32]:
    """The vectors that a recommender compares these titles by.

    Raises:
        NotReadyError: a title has none.
    """
    [(compared,)] = connection.execute("SELECT vectors_of(%s)", (model_id,)).fetchall()
    found, vectors = title_vectors(connection, compared)
    if not np.isin(titles, found).all():
        raise NotReadyError("not every title has a vector: run `recsys titles embed`")
    wanted: npt.NDArray[np.float32] = vectors[np.searchsorted(found, titles)]
    return wanted


def title_names(connection: psycopg.Connection, titles: Ids) -> dict[int, str]:
    """The names of titles by their ids."""
    rows = connection.execute("SELECT id, name FROM title WHERE id = ANY(%s)", (titles.tolist(),))
    return dict(rows.fetchall())


def build_index(connection: psycopg.Connection, model_id: int, limit: int = EXACT_SCAN_LIMIT) -> bool:
    """Make the HNSW index of a model's vectors once there are more than `limit`; returns whether there is one."""
    row = connection.execute(
        "SELECT m.dimension, (SELECT count(*) FROM title_embedding AS e WHERE e.model_id = m.id)"
        " FROM model AS m WHERE m.id = %s",
        (model_id,),
    ).fetchone()
    if row is None or row[1] <= limit:
        return False
    connection.execute(
        sql.SQL(
            "CREATE INDEX IF NOT EXISTS {name} ON title_embedding USING hnsw"
            " ((embedding::vector({dimension})) vector_ip_ops) WHERE model_id = {model}"
        ).format(
            name=sql.Identifier(f"title_embedding_hnsw_{model_id}"),
            dimension=sql.Literal(row[0]),
            model=sql.Literal(model_id),
        )
    )
    connection.commit()
    return True
