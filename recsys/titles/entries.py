"""The playlists that may vote, and who their songs are by: arrays read from the database in one go."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
from scipy import sparse

from recsys.database import read_integers
from recsys.errors import NotReadyError
from recsys.titles.held import Held, Ids, read_held


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

    def holders(self) -> Ids:
        """How many playlists hold each song."""
        return np.bincount(self.songs, minlength=len(self.song_ids))

    def playlists_of_titles(self) -> Ids:
        """How many playlists each title has."""
        return np.bincount(self.title_of, minlength=len(self.title_ids))

    def held(self) -> Any:
        """Which playlist holds which song, ones, a csr_matrix (playlists, songs), float32."""
        return ones(self.playlists, self.songs, (len(self.playlist_ids), len(self.song_ids)))

    def counts(self) -> Any:
        """Playlists of a title that hold a song, a csr_matrix (titles, songs), float32."""
        return ones(self.title_of[self.playlists], self.songs, (len(self.title_ids), len(self.song_ids)))


def ones(rows: Ids, columns: Ids, shape: tuple[int, int]) -> Any:
    """A csr_matrix, float32, that counts each pair of a row and a column."""
    return sparse.coo_matrix((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=shape).tocsr()


def read_entries(connection: psycopg.Connection, split: int | None = None) -> Entries:
    """Read the playlists that may vote, those of the train part where a split is named.

    Raises:
        NotReadyError: there are none.
    """
    return entries_of(read_held(connection, split))


def entries_of(held: Held, others: tuple[Ids, Ids] | None = None) -> Entries:
    """The playlists that may vote, without those that hold nothing.

    Args:
        held: the playlists.
        others: songs that are to be among the songs, and their tracks, which stand for them where nobody holds them.

    Raises:
        NotReadyError: there are none.
    """
    if not len(held.tracks):
        raise NotReadyError("there are no playlists with a title and tracks: load some with `recsys ingest`")
    lists = np.flatnonzero(np.diff(held.starts))
    title_ids, title_of = np.unique(held.title_ids[lists], return_inverse=True)
    song_ids, track_ids = shown_tracks(held, others)
    rows = np.cumsum(np.diff(held.starts) > 0) - 1
    pairs = np.unique(rows[held.list_of] * len(song_ids) + np.searchsorted(song_ids, held.songs_of(held.tracks)))
    return Entries(
        pairs // len(song_ids),
        pairs % len(song_ids),
        title_of,
        held.playlist_ids[lists],
        title_ids,
        song_ids,
        track_ids,
    )


def shown_tracks(held: Held, others: tuple[Ids, Ids] | None = None) -> tuple[Ids, Ids]:
    """Every song that is held, ascending, and the track that stands for it; then `others` as in `entries_of`."""
    counts = np.bincount(np.searchsorted(held.track_ids, held.tracks), minlength=len(held.track_ids))
    order = np.lexsort((held.track_ids, 1 - held.has_uri, -counts, held.songs))
    songs, first = np.unique(held.songs[order], return_index=True)
    tracks = held.track_ids[order][first]
    if others is None:
        return songs, tracks
    is_missing = ~np.isin(others[0], songs)
    songs = np.concatenate([songs, others[0][is_missing]])
    order = np.argsort(songs)
    return songs[order], np.concatenate([tracks, others[1][is_missing]])[order]


def read_credits(connection: psycopg.Connection, entries: Entries) -> tuple[Ids, Any]:
    """The songs' artists: their ids, ascending, and which song is by which, ones, a csr_matrix (songs, artists)."""
    song, artist = read_integers(
        connection,
        "SELECT DISTINCT song_id::bigint, artist_id::bigint FROM song_artist WHERE song_id = ANY(%(songs)s)",
        {"songs": entries.song_ids.tolist()},
        columns=2,
    )
    artist_ids, places = np.unique(artist, return_inverse=True)
    return artist_ids, ones(np.searchsorted(entries.song_ids, song), places, (len(entries.song_ids), len(artist_ids)))


def title_names(connection: psycopg.Connection, titles: Ids) -> dict[int, str]:
    """The names of titles by their ids."""
    rows = connection.execute("SELECT id, name FROM title WHERE id = ANY(%s)", (titles.tolist(),))
    return dict(rows.fetchall())
