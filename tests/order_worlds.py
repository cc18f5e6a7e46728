"""Tracklists in order, of songs of one letter: a and b are by the first artist, c and d by the next, and so on."""

import numpy as np

from recsys.tracklists.graph_snapshot import NO_DATE
from recsys.tracklists.running_order import UNKNOWN, RunningOrder, Sets
from tests.graph_worlds import LETTERS

List = tuple[int, str, int | None]
"""DJ, songs, of which `-` has no row, and day."""


def sets_of(*lists: List) -> Sets:
    """Tracklists whose programme is their DJ."""
    songs = np.array([LETTERS.find(song) for _, songs, _ in lists for song in songs], dtype=np.int64)
    djs = np.array([dj for dj, _, _ in lists], dtype=np.int64)
    return Sets(
        starts=np.cumsum([0, *(len(songs) for _, songs, _ in lists)]),
        songs=songs,
        artists=np.where(songs == UNKNOWN, UNKNOWN, songs // 2),
        djs=djs,
        programmes=djs,
        days=np.array([NO_DATE if day is None else day for _, _, day in lists], dtype=np.int64),
    )


def order_of(past: tuple[List, ...], later: tuple[List, ...] = ()) -> RunningOrder:
    """The order of past tracklists, and of later ones."""
    return RunningOrder(
        songs=np.arange(len(LETTERS)) + 100,
        song_artists=np.arange(len(LETTERS)) // 2,
        artists=np.arange(len(LETTERS) // 2),
        programmes=("first", "second"),
        past=sets_of(*past),
        later=sets_of(*later),
    )
