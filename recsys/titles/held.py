"""What titled playlists hold, as arrays: read whole once, and then only what changed."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import psycopg

from recsys.database import read_integers

Ids = npt.NDArray[np.int64]

# Playlists that may vote: all that have a title, or those of a split's train part.
LISTS = """
SELECT p.id::bigint, p.title_id::bigint, p.content_hash::bigint
  FROM playlist AS p
 WHERE p.title_id IS NOT NULL
   AND (%(split)s::bigint IS NULL
        OR EXISTS (SELECT FROM playlist_split AS s
                    WHERE s.split_id = %(split)s AND s.playlist_id = p.id AND s.part = 'train'))
 ORDER BY p.id
"""

ALL_TRACKS = "SELECT pt.playlist_id::bigint, pt.track_id::bigint FROM playlist_track AS pt"
TRACKS_OF = f"{ALL_TRACKS} WHERE pt.playlist_id = ANY(%(lists)s)"

SONGS_OF = """
SELECT t.id::bigint, t.song_id::bigint, (t.uri IS NOT NULL)::int::bigint FROM track AS t WHERE t.id = ANY(%(tracks)s)
"""


@dataclass(frozen=True)
class Held:
    """Playlists and their tracks. Ids are ascending; a playlist holds a track once."""

    playlist_ids: Ids
    title_ids: Ids
    """Of each playlist."""
    hashes: Ids
    """Of each playlist's content."""
    starts: Ids
    """The tracks of playlist i are `tracks[starts[i]:starts[i + 1]]`."""
    tracks: Ids
    track_ids: Ids
    """Every track that is held."""
    songs: Ids
    """Of each of them; so `has_uri`, 1 or 0."""
    has_uri: Ids

    @property
    def list_of(self) -> Ids:
        """The playlist of each of `tracks`, by its row."""
        return np.repeat(np.arange(len(self.playlist_ids)), np.diff(self.starts))

    @property
    def titles(self) -> Ids:
        """The titles of playlists that hold something, ascending."""
        return np.unique(self.title_ids[np.diff(self.starts) > 0])

    def songs_of(self, tracks: Ids) -> Ids:
        """The songs of tracks that are held."""
        return self.songs[np.searchsorted(self.track_ids, tracks)]

    def arrays(self) -> dict[str, Ids]:
        """Everything by name, for `held_of`."""
        return {part.name: getattr(self, part.name) for part in fields(self)}


def held_of(arrays: Mapping[str, Ids]) -> Held:
    """The same from `Held.arrays`."""
    return Held(**{part.name: arrays[part.name] for part in fields(Held)})


def nothing_held() -> Held:
    """No playlist."""
    none = np.empty(0, dtype=np.int64)
    return Held(none, none, none, np.zeros(1, dtype=np.int64), none, none, none, none)


def changed_lists(held: Held, former: Held) -> npt.NDArray[np.bool_]:
    """Which playlists of `held` are not in `former` as they are."""
    rows = rows_of(held.playlist_ids, former.playlist_ids)
    is_same = rows >= 0
    for now, then in ((held.title_ids, former.title_ids), (held.hashes, former.hashes)):
        is_same[is_same] = now[is_same] == then[rows[is_same]]
    return ~is_same


def read_held(connection: psycopg.Connection, split: int | None = None, former: Held | None = None) -> Held:
    """Read the playlists that may vote, those of the train part where a split is named.

    What is in `former` as it is now is not read again.
    """
    former = former or nothing_held()
    ids, titles, hashes = read_integers(connection, LISTS, {"split": split}, columns=3)
    none = np.empty(0, dtype=np.int64)
    listed = Held(ids, titles, hashes, np.zeros(len(ids) + 1, dtype=np.int64), none, none, none, none)
    is_new = changed_lists(listed, former)
    query, asked = TRACKS_OF, {"lists": ids[is_new].tolist()}
    if is_new.all() and split is None:
        query, asked = ALL_TRACKS, {}
    read = read_integers(connection, query, asked, columns=2)
    is_kept = np.isin(former.playlist_ids, ids[~is_new])[former.list_of]
    lists = np.concatenate([np.repeat(former.playlist_ids, np.diff(former.starts))[is_kept], read[0]])
    tracks = np.concatenate([former.tracks[is_kept], read[1]])
    rows = rows_of(lists, ids)
    rows, tracks = rows[rows >= 0], tracks[rows >= 0]  # Playlists without a title are not asked for.
    order = np.lexsort((tracks, rows))
    rows, tracks = rows[order], tracks[order]
    is_first = np.ones(len(rows), dtype=bool)
    is_first[1:] = (rows[1:] != rows[:-1]) | (tracks[1:] != tracks[:-1])
    rows, tracks = rows[is_first], tracks[is_first]
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(ids)))])
    return Held(ids, titles, hashes, starts, tracks, *_songs(connection, np.unique(tracks), former))


def _songs(connection: psycopg.Connection, tracks: Ids, former: Held) -> tuple[Ids, Ids, Ids]:
    """Tracks, their songs, and whether they have a URI."""
    rows = rows_of(tracks, former.track_ids)
    songs, has_uri = np.append(former.songs, 0)[rows], np.append(former.has_uri, 0)[rows]
    is_new = rows < 0
    if is_new.any():
        found, of, uri = read_integers(connection, SONGS_OF, {"tracks": tracks[is_new].tolist()}, columns=3)
        order = np.argsort(found)
        songs[is_new], has_uri[is_new] = of[order], uri[order]
    return tracks, songs, has_uri


def rows_of(ids: Ids, among: Ids) -> Ids:
    """The places of ids in an ascending array, -1 where they are not in it."""
    if not len(among):
        return np.full(len(ids), -1)
    places = np.minimum(np.searchsorted(among, ids), len(among) - 1)
    return np.where(among[places] == ids, places, -1)
