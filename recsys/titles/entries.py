"""The playlists that may vote, and who their songs are by: arrays read from the database in one go."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg
from scipy import sparse

from recsys.database import read_integers
from recsys.errors import NotReadyError

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
