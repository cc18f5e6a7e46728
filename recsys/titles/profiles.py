"""What votes in a recommender: profiles of titles, of artists and songs that they name, and what an adapter expects."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg import sql

from recsys.database import copy_rows, read_vectors
from recsys.errors import NotReadyError
from recsys.names import name_key
from recsys.progress import Progress, silent
from recsys.titles.basis import Names
from recsys.titles.entries import Entries, title_names
from recsys.titles.held import Ids, rows_of
from recsys.titles.named import (
    ArtistVote,
    SongVote,
    artist_votes,
    least_held,
    named_keys,
    named_songs,
    song_votes,
)
from recsys.titles.smoothing import (
    DEFAULT,
    Ground,
    Heard,
    Profiles,
    Smoothing,
    ground_of,
    neighbour_profiles,
    smoothed_profiles,
)

VECTORS = """
SELECT e.title_id, e.embedding
  FROM title_embedding AS e
 WHERE e.model_id = %(model)s AND (%(titles)s::bigint[] IS NULL OR e.title_id = ANY(%(titles)s))
 ORDER BY e.title_id
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


@dataclass(frozen=True)
class Touched:
    """What the tables do not show yet."""

    titles: Ids
    """By their places in the entries; so `songs`."""
    songs: Ids
    """Of playlists that changed, now or before."""


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
    ground, heard = title_ground(connection, model_id, entries, smoothing, progress)
    connection.execute("DELETE FROM title_profile WHERE model_id = %s", (model_id,))
    write_profiles(connection, model_id, entries, ground, heard, entries.title_ids, smoothing, progress=progress)
    finish(connection, model_id)
    return len(entries.title_ids)


def title_ground(
    connection: psycopg.Connection, model_id: int, entries: Entries, smoothing: Smoothing, progress: Progress = silent
) -> tuple[Ground, Heard]:
    """What profiles of titles are smoothed by, and the titles that are heard by those near to them."""
    counts = entries.counts()
    ground = ground_of(counts, smoothing)
    profiles = smoothed_profiles(
        counts, smoothing, lambda done, of: progress("building title profiles", done, of), ground=ground
    )
    vectors = np.zeros((len(entries.title_ids), 0), dtype=np.float32)
    if smoothing.neighbours > 0:
        vectors = _compared_vectors(connection, model_id, entries.title_ids)
    return ground, Heard(profiles, vectors, entries.playlists_of_titles())


def write_profiles(
    connection: psycopg.Connection,
    model_id: int,
    entries: Entries,
    ground: Ground,
    heard: Heard,
    heard_ids: Ids,
    smoothing: Smoothing,
    titles: Ids | None = None,
    *,
    progress: Progress = silent,
) -> None:
    """Write profiles of titles in place of the former ones; what they are worked out from is in `Basis`.

    Args:
        connection: an open connection.
        model_id: the recommender's.
        entries: the playlists that may vote.
        ground: what profiles are smoothed by, and `heard` who is heard, with songs by their places in `entries`.
        heard: see there.
        heard_ids: the titles of both.
        smoothing: how.
        titles: by their places in `entries`; all if None.
        progress: called as work goes on.
    """
    titles = np.arange(len(entries.title_ids)) if titles is None else titles
    ids, sizes = entries.title_ids[titles], entries.playlists_of_titles()[titles]
    counts = entries.counts()[titles]
    itself = rows_of(ids, heard_ids)
    is_known = np.array([row >= 0 and _same(counts, place, ground.counts, row) for place, row in enumerate(itself)])
    fresh = np.flatnonzero(~is_known) if len(titles) else np.empty(0, dtype=np.int64)
    profiles = _taken(heard.profiles, itself)
    if len(fresh):
        made = smoothed_profiles(
            counts[fresh],
            smoothing,
            lambda done, of: progress("building title profiles", done, of),
            ground=ground,
            itself=itself[fresh],
        )
        profiles = _replaced(profiles, fresh, made)
    if smoothing.neighbours > 0:
        profiles = neighbour_profiles(
            Heard(profiles, _compared_vectors(connection, model_id, ids), sizes),
            smoothing,
            lambda done, of: progress("hearing neighbours", done, of),
            heard=heard,
            itself=itself,
        )
    _delete_titles(connection, "title_profile", model_id, ids)
    voices = zip(ids.tolist(), sizes.tolist(), _voices(entries, profiles), strict=True)
    copy_rows(connection, "title_profile", PROFILE, [(model_id, title, size, *voice) for title, size, voice in voices])


def _same(counts: Any, row: int, others: Any, other: int) -> bool:
    own = slice(counts.indptr[row], counts.indptr[row + 1])
    theirs = slice(others.indptr[other], others.indptr[other + 1])
    return np.array_equal(counts.indices[own], others.indices[theirs]) and np.array_equal(
        counts.data[own], others.data[theirs]
    )


def _taken(profiles: Profiles, rows: Ids) -> Profiles:
    """The profiles of some rows, empty where a row is -1."""
    firsts, lasts = np.append(profiles.starts[:-1], 0)[rows], np.append(profiles.starts[1:], 0)[rows]
    starts = np.concatenate([[0], np.cumsum(lasts - firsts)])
    places = np.arange(starts[-1]) - np.repeat(starts[:-1] - firsts, lasts - firsts)
    return Profiles(starts, profiles.songs[places], profiles.weights[places])


def _replaced(profiles: Profiles, rows: Ids, others: Profiles) -> Profiles:
    """The same with other profiles in some rows."""
    both = Profiles(
        np.concatenate([profiles.starts, others.starts[1:] + profiles.starts[-1]]),
        np.concatenate([profiles.songs, others.songs]),
        np.concatenate([profiles.weights, others.weights]),
    )
    chosen = np.arange(len(profiles.starts) - 1)
    chosen[rows] = len(chosen) + np.arange(len(rows))
    return _taken(both, chosen)


def _delete_titles(connection: psycopg.Connection, table: str, model_id: int, titles: Ids) -> None:
    query = f"DELETE FROM {table} WHERE model_id = %s AND title_id = ANY(%s)"  # noqa: S608 - our own names
    connection.execute(query, (model_id, titles.tolist()))


def forget_profiles(connection: psycopg.Connection, model_id: int, titles: Ids) -> None:
    """Delete what titles voted for that no playlist has any more."""
    for table in ("title_profile", "learned_profile"):
        _delete_titles(connection, table, model_id, titles)


def finish(connection: psycopg.Connection, model_id: int, *, analyze: bool = True) -> None:
    """Let what was written answer: commit it, and bring the tables into a shape in which they are read fast.

    Statistics need to be made anew only after much was written.
    """
    connection.execute("UPDATE model SET profiled_at = now() WHERE id = %s", (model_id,))
    connection.commit()
    _vacuum(connection, analyze)


def _vacuum(connection: psycopg.Connection, analyze: bool) -> None:
    """Tell Postgres which rows all may see: without it, a vote that looks titles up in an index also reads the rows."""
    was_autocommit = connection.autocommit
    connection.autocommit = True
    tables = sql.SQL("title_embedding, title_profile, learned_profile, artist_profile, song_profile")
    connection.execute(sql.SQL("VACUUM (ANALYZE {}) {}").format(sql.SQL("on" if analyze else "off"), tables))
    connection.autocommit = was_autocommit


def write_learned(
    connection: psycopg.Connection, model_id: int, entries: Entries, titles: Ids, expected: Profiles
) -> None:
    """Write what an adapter expects in playlists of titles, in place of what it expected."""
    _delete_titles(connection, "learned_profile", model_id, titles)
    rows = [(model_id, title, *voice) for title, voice in zip(titles.tolist(), _voices(entries, expected), strict=True)]
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
    names: Names | None = None,
    popularity: npt.NDArray[Any] | None = None,
    touched: Touched | None = None,
    *,
    progress: Progress = silent,
) -> Names:
    """Write what the artists and songs that a title may name vote for, in place of what they voted for.

    Args:
        connection: an open connection.
        model_id: the recommender's.
        entries: the playlists that may vote.
        artist_ids: of the songs' artists, see `read_credits`.
        credited: which song is by which of them.
        names: how names are weighed; worked out of the entries, and returned, if None.
        popularity: holders of songs by which neighbours are damped; those of now if None.
        touched: what changed; everything is written anew if None.
        progress: called as work goes on.
    """
    progress("learning which names titles mean", 0, 0)
    title_of = title_names(connection, entries.title_ids)
    titles = [title_of[title] for title in entries.title_ids.tolist()]
    query = "SELECT id, key, name FROM artist WHERE id = ANY(%s) ORDER BY id"
    artists = connection.execute(query, (artist_ids.tolist(),)).fetchall()
    of_artists, artist_priors = artist_votes(
        entries, artists, credited, titles, ARTIST_TRACKS, None if names is None else names.artists
    )
    holders = entries.holders()
    known = named_songs(holders) if names is None else named_songs(holders, names.named, names.least)
    query = "SELECT id, title FROM song WHERE id = ANY(%s)"
    song_titles: dict[int, str] = dict(connection.execute(query, (entries.song_ids[known].tolist(),)).fetchall())
    song_names = [song_titles[song] for song in entries.song_ids[known].tolist()]
    asked, asked_names = known, song_names
    if touched is None:
        connection.execute("DELETE FROM artist_profile WHERE model_id = %s", (model_id,))
        connection.execute("DELETE FROM song_profile WHERE model_id = %s", (model_id,))
    else:
        called = [titles[place] for place in touched.titles.tolist()]
        credits_of = credited[touched.songs].indices
        ids = set(artist_ids[np.unique(credits_of)].tolist())
        keys = {key for title in called for key in named_keys(title)}
        ids |= {artist for artist, key, _ in artists if key in keys}
        of_artists = [vote for vote in of_artists if vote.artist in ids]
        by = "DELETE FROM artist_profile WHERE model_id = %s AND artist_id = ANY(%s)"
        connection.execute(by, (model_id, sorted(ids)))
        keys = {name_key(title) for title in called} | _keys_of(connection, entries.song_ids[touched.songs])
        connection.execute("DELETE FROM song_profile WHERE model_id = %s AND key = ANY(%s)", (model_id, sorted(keys)))
        chosen = [place for place, name in enumerate(song_names) if name_key(name) in keys]
        asked, asked_names = known[chosen], [song_names[place] for place in chosen]
    of_songs, song_priors = song_votes(
        entries, asked, asked_names, titles, None if names is None else names.songs, popularity
    )
    rows = [(model_id, vote.artist, *_named_row(entries, vote)) for vote in of_artists]
    copy_rows(connection, "artist_profile", ARTIST_PROFILE, rows)
    rows = [(model_id, int(entries.song_ids[vote.song]), *_named_row(entries, vote)) for vote in of_songs]
    copy_rows(connection, "song_profile", SONG_PROFILE, rows)
    return names or Names(artist_priors, song_priors, known, least_held(holders, known))


def _keys_of(connection: psycopg.Connection, songs: Ids) -> set[str]:
    rows = connection.execute("SELECT title FROM song WHERE id = ANY(%s)", (songs.tolist(),))
    return {key for (title,) in rows if (key := name_key(title))}


def _named_row(entries: Entries, vote: ArtistVote | SongVote) -> tuple[str, int, float, list[int], list[float]]:
    return vote.key, vote.playlists, vote.meant, entries.track_ids[vote.songs].tolist(), vote.weights.tolist()


def title_vectors(
    connection: psycopg.Connection, model_id: int, titles: Ids | None = None
) -> tuple[Ids, npt.NDArray[np.float32]]:
    """The titles that have a vector of a model, of these or all, ascending, and the vectors (titles, dimension)."""
    [(dimension,)] = connection.execute("SELECT dimension FROM model WHERE id = %s", (model_id,)).fetchall()
    asked = None if titles is None else titles.tolist()
    return read_vectors(connection, VECTORS, {"model": model_id, "titles": asked}, dimension)


def _compared_vectors(connection: psycopg.Connection, model_id: int, titles: Ids) -> npt.NDArray[np.float32]:
    """The vectors that a recommender compares these titles by, which are ascending.

    Raises:
        NotReadyError: a title has none.
    """
    [(compared,)] = connection.execute("SELECT vectors_of(%s)", (model_id,)).fetchall()
    found, vectors = title_vectors(connection, compared, titles)
    if len(found) != len(titles):
        raise NotReadyError("not every title has a vector: run `recsys titles embed`")
    return vectors
