"""Tracklists with programmes, of songs of one letter and of songs that have no row, for what comes next."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys.sequences.played import Counts, Played
from recsys.tracklists.graph_snapshot import NO_DATE
from recsys.tracklists.running_order import UNKNOWN, Sets
from tests.graph_worlds import LETTERS

ARTISTS = {"a": 0, "b": 0, "c": 1, "d": 1, "e": 2, "f": 2, "g": UNKNOWN, "h": 3}
"""Of songs; g is by nobody."""

COUNTS = Counts(songs=len(LETTERS), artists=4, djs=4, programmes=4)
"""One DJ and one programme more than `WORLD` has."""


@dataclass(frozen=True)
class Heard:
    """A tracklist: rows of its DJ and programme, its day, its songs.

    Of these `-` has no row and is by nobody, and a digit has none and is by the artist of that row.
    """

    dj: int
    programme: int
    day: int | None
    songs: str

    @property
    def artists(self) -> list[int]:
        """Of each song."""
        return [int(song) if song.isdigit() else ARTISTS.get(song, UNKNOWN) for song in self.songs]


WORLD = (
    Heard(0, 0, 1000, "abcd"),
    Heard(0, 0, 1007, "bcae-f"),
    Heard(1, 0, 1030, "a-c2db"),
    Heard(1, 1, 1045, "dcfgda"),
    Heard(2, 1, None, "efgab"),
    Heard(2, 2, 1100, "gf3ec"),
    Heard(UNKNOWN, 2, 1102, "fbe"),
    Heard(0, UNKNOWN, 1150, "cda"),
    Heard(1, 1, 1206, ""),
    Heard(2, 0, 1190, "-d0bfc"),
)
"""Nobody plays h, though its artist is played; the list without a date counts as of the first day."""


def sets_of(heard: Sequence[Heard]) -> Sets:
    """Tracklists as arrays."""

    def rows(values: Sequence[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.array(values, dtype=np.int64)

    return Sets(
        starts=rows(np.cumsum([0, *(len(one.songs) for one in heard)]).tolist()),
        songs=rows([LETTERS.find(song) for one in heard for song in one.songs]),
        artists=rows([artist for one in heard for artist in one.artists]),
        djs=rows([one.dj for one in heard]),
        programmes=rows([one.programme for one in heard]),
        days=rows([NO_DATE if one.day is None else one.day for one in heard]),
    )


def played_of(heard: Sequence[Heard]) -> Played:
    """What is known of tracklists."""
    return Played(sets_of(heard), np.array([ARTISTS[song] for song in LETTERS]), COUNTS)
