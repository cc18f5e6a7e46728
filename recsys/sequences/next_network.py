"""What a sequence network says of the next song, by the rows of a running order."""

from typing import Protocol

import numpy as np

from recsys.sequences.next_channels import CONTEXT
from recsys.tracklists.running_order import UNKNOWN, RunningOrder, Sets
from recsys.tracklists.stored_arrays import Floats, Integers, rows_of


class Network(Protocol):
    """What reads songs one after the other, by its own rows of songs and DJs."""

    def read(self, songs: Integers, djs: Integers) -> Floats:
        """States (n, width) after songs (n, 15), `UNKNOWN` on the left where there are fewer; djs are (n,)."""

    def next_scores(self, hidden: Floats) -> Floats:
        """Log probabilities of the next song, (n, songs)."""


class NetworkScores:
    """A network's log probabilities, of the songs and DJs of a running order."""

    def __init__(
        self, network: Network, songs: Integers, djs: Integers, order: RunningOrder, order_djs: Integers
    ) -> None:
        """Let a network speak.

        Args:
            network: reads and foretells songs.
            songs: ids of its songs, by row; so `djs`.
            djs: ids of the DJs whom it knows.
            order: the tracklists that it speaks of.
            order_djs: ids of their DJs, by row.
        """
        self._network = network
        self._song_of = rows_of(order.songs, songs)
        self._dj_of = rows_of(order_djs, djs)
        self._answer_of = rows_of(songs, order.songs)
        self._songs = len(order.songs)

    def __call__(self, begun: Sets) -> Floats:
        """Log probabilities (beginnings, songs), -inf of songs that the network does not know."""
        read = begun.last(CONTEXT)
        songs = np.full((len(begun), CONTEXT), UNKNOWN)
        places = CONTEXT + np.arange(len(read.songs)) - read.starts[1:][read.list_of]
        songs[read.list_of, places] = _translated(read.songs, self._song_of)
        told = self._network.next_scores(self._network.read(songs, _translated(begun.djs, self._dj_of)))
        scores = np.full((len(begun), self._songs), -np.inf, dtype=np.float32)
        is_there = self._answer_of != UNKNOWN
        scores[:, self._answer_of[is_there]] = told[:, is_there]
        return scores


def _translated(rows: Integers, into: Integers) -> Integers:
    """Rows by a table of others; `UNKNOWN` stays so."""
    translated: Integers = np.append(into, UNKNOWN)[rows]
    return translated
