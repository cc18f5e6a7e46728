"""What votes in a recommender: profiles of titles, of artists and songs that they name, and what an adapter expects."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg

from recsys.database import copy_rows, read_vectors
from recsys.errors import NotReadyError
from recsys.progress import Progress, silent
from recsys.titles.entries import Entries, Ids, title_names
from recsys.titles.named import ArtistVote, SongVote, artist_votes, named_songs, song_votes
from recsys.titles.smoothing import DEFAULT, Profiles, Smoothing, neighbour_profiles, smoothed_profiles

VECTORS = """
SELECT e.title_id, e.embedding FROM title_embedding AS e WHERE e.model_id = %(model)s ORDER BY e.title_id
"""

PROFILE = {"model_id": "int8", "title_id": "int8", "playlists": "int4", "track_ids": "int4[]", "weights": "float4[]"}
LEARNED_PROFILE = {"model_id": "int8", "title_id": "int8", "track_ids": "int4[]", "weights": "float4[]"}
ARTIST_PROFILE = {
    "model_id": "int8",
    "artist_id": "int8",
    "key": "text",
    "playlists": "int4",
    "meant": "float4",
    "track_ids": "int4[]",
    "weights": "float4[]",
}
SONG_PROFILE = {"song_id" if column == "artist_id" else column: kind for column, kind in ARTIST_PROFILE.items()}

ARTIST_TRACKS = 500
"""Tracks that an artist's profile keeps, the heaviest first."""


def build_profiles(
    connection: psycopg.Connection,
    model_id: int,
    entries: Entries,
    *,
    smoothing: Smoothing = DEFAULT,
    progress: Progress = silent,
) -> int:
    """Build what a recommender's titles vote for anew, the old profiles answer until the commit.

    Returns how many titles have one. `build_named` builds what else votes.

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
    connection.execute("DELETE FROM title_profile WHERE model_id = %s", (model_id,))
    titles = zip(entries.title_ids.tolist(), sizes.tolist(), _voices(entries, profiles), strict=True)
    rows = [(model_id, title, size, *voice) for title, size, voice in titles]
    copy_rows(connection, "title_profile", PROFILE, rows)
    connection.execute("UPDATE model SET profiled_at = now() WHERE id = %s", (model_id,))
    connection.commit()
    _vacuum(connection)
    return len(entries.title_ids)


def _vacuum(connection: psycopg.Connection) -> None:
    """Tell Postgres which rows all may see: without it, a vote that looks titles up in an index also reads the rows."""
    was_autocommit = connection.autocommit
    connection.autocommit = True
    connection.execute("VACUUM (ANALYZE) title_embedding, title_profile, learned_profile, artist_profile, song_profile")
    connection.autocommit = was_autocommit


def write_learned(connection: psycopg.Connection, model_id: int, entries: Entries, expected: Profiles) -> None:
    """Write what an adapter expects in playlists of each title anew; it is kept when profiles are built anew."""
    connection.execute("DELETE FROM learned_profile WHERE model_id = %s", (model_id,))
    titles = entries.title_ids.tolist()
    rows = [(model_id, title, *voice) for title, voice in zip(titles, _voices(entries, expected), strict=True)]
    copy_rows(connection, "learned_profile", LEARNED_PROFILE, rows)


def _voices(entries: Entries, profiles: Profiles) -> Iterator[tuple[list[int], list[float]]]:
    """Tracks and weights of each profile."""
    for first, last in pairwise(profiles.starts.tolist()):
        yield entries.track_ids[profiles.songs[first:last]].tolist(), profiles.weights[first:last].tolist()


def build_named(
    connection: psycopg.Connection,
    model_id: int,
    entries: Entries,
    artist_ids: Ids,
    credited: Any,
    *,
    progress: Progress = silent,
) -> None:
    """Build what the artists and songs that a title may name vote for anew; `build_profiles` commits it.

    Args:
        connection: an open connection.
        model_id: the recommender's.
        entries: the playlists that may vote.
        artist_ids: of the songs' artists, see `read_credits`.
        credited: which song is by which of them.
        progress: called as work goes on.
    """
    progress("learning which names titles mean", 0, 0)
    names = title_names(connection, entries.title_ids)
    titles = [names[title] for title in entries.title_ids.tolist()]
    query = "SELECT id, key, name FROM artist WHERE id = ANY(%s) ORDER BY id"
    artists = connection.execute(query, (artist_ids.tolist(),)).fetchall()
    of_artists = artist_votes(entries, artists, credited, titles, ARTIST_TRACKS)
    places = named_songs(entries)
    query = "SELECT id, title FROM song WHERE id = ANY(%s)"
    song_titles: dict[int, str] = dict(connection.execute(query, (entries.song_ids[places].tolist(),)).fetchall())
    song_names = [song_titles[song] for song in entries.song_ids[places].tolist()]
    of_songs = song_votes(entries, places, song_names, titles)
    connection.execute("DELETE FROM artist_profile WHERE model_id = %s", (model_id,))
    connection.execute("DELETE FROM song_profile WHERE model_id = %s", (model_id,))
    rows = [(model_id, vote.artist, *_named_row(entries, vote)) for vote in of_artists]
    copy_rows(connection, "artist_profile", ARTIST_PROFILE, rows)
    rows = [(model_id, int(entries.song_ids[vote.song]), *_named_row(entries, vote)) for vote in of_songs]
    copy_rows(connection, "song_profile", SONG_PROFILE, rows)


def _named_row(entries: Entries, vote: ArtistVote | SongVote) -> tuple[str, int, float, list[int], list[float]]:
    return vote.key, vote.playlists, vote.meant, entries.track_ids[vote.songs].tolist(), vote.weights.tolist()


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
