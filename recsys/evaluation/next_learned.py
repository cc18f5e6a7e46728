"""Networks that were trained on a snapshot, as methods that foretell the next song."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

from recsys.evaluation.graph import first_songs
from recsys.evaluation.graph_learned import check_snapshot
from recsys.evaluation.next_baselines import Past
from recsys.evaluation.next_song import NextSongMethod, NextSongOptions, Ranked
from recsys.sequences.next_channels import CHANNELS
from recsys.sequences.next_song import NextOptions, NextRecommender, NextSong
from recsys.sequences.next_training import train_next_song
from recsys.sequences.played import Played, counts_of
from recsys.tracklists.graph_snapshot import GraphSnapshot
from recsys.tracklists.running_order import UNKNOWN, RunningOrder, Sets
from recsys.tracklists.stored_arrays import Floats, Integers, rows_of

CONTEXT = NextSongOptions.context
"""Songs that a network reads."""


class Network(Protocol):
    """What reads songs one after the other, by its own rows of songs and DJs."""

    def read(self, songs: Integers, djs: Integers) -> Floats:
        """States (n, width) after songs (n, 15), `UNKNOWN` on the left where there are fewer; djs are (n,)."""

    def next_scores(self, hidden: Floats) -> Floats:
        """Log probabilities of the next song, (n, songs)."""


SILENCEABLE = tuple(name for name in CHANNELS if name != "network")
"""Channels that the forest can be grown without, to see what each is worth."""


class GrownOnce:
    """`next`, the forest over all channels: grown from the first past that it is shown, and told of later ones."""

    def __init__(self, without: tuple[str, ...] = ()) -> None:
        """Leave channels out."""
        self._options = NextOptions(without=without)
        self._grown: NextSong | None = None

    def __call__(self, order: RunningOrder, _past: Past) -> NextRecommender:
        """The method for a past."""
        djs = 1 + max(int(part.djs.max(initial=UNKNOWN)) for part in (order.past, order.later))
        counts = counts_of(order, djs)
        if self._grown is None:
            self._grown = train_next_song(order.past, order.song_artists, counts, self._options)
        return NextRecommender(self._grown, Played(order.past, order.song_artists, counts))


class NetworkMethod:
    """A network's answers: the songs that are most likely by it alone."""

    def __init__(
        self, network: Network, songs: Integers, djs: Integers, order: RunningOrder, order_djs: Integers
    ) -> None:
        """Let a network answer.

        Args:
            network: reads and foretells songs.
            songs: ids of its songs, by row; so `djs`.
            djs: ids of the DJs whom it knows.
            order: the tracklists that it answers for.
            order_djs: ids of their DJs, by row.
        """
        self._network = network
        self._song_of = rows_of(order.songs, songs)
        self._dj_of = rows_of(order_djs, djs)
        self._answer_of = rows_of(songs, order.songs)

    def next(self, prefixes: Sets, k: int) -> Ranked:
        """The k most likely songs that the prefix does not hold."""
        read = prefixes.upto(np.arange(len(prefixes)), prefixes.lengths, CONTEXT)
        songs = np.full((len(prefixes), CONTEXT), UNKNOWN)
        places = CONTEXT + np.arange(len(read.songs)) - read.starts[1:][read.list_of]
        songs[read.list_of, places] = _translated(read.songs, self._song_of)
        scores = self._network.next_scores(self._network.read(songs, _translated(prefixes.djs, self._dj_of)))
        held = _translated(prefixes.songs, self._song_of)
        scores = np.where(self._answer_of == UNKNOWN, -np.inf, scores)
        scores[prefixes.list_of[held != UNKNOWN], held[held != UNKNOWN]] = -np.inf
        named = np.full((len(prefixes), k), UNKNOWN)
        ranked = np.full((len(prefixes), k), -np.inf, dtype=np.float32)
        for row, own in enumerate(scores):
            best = first_songs(own, k)
            named[row, : len(best)], ranked[row, : len(best)] = self._answer_of[best], own[best]
        return named, ranked


def network_method(
    folder: Path, snapshot: GraphSnapshot, snapshot_hash: str
) -> Callable[[RunningOrder, Past], NextSongMethod]:
    """The network in a folder as a method, which needs no fitting.

    Raises:
        SourceError: the folder holds none, or a damaged one.
        SettingsError: it was trained on another snapshot.
    """
    from recsys.sequences.sequence_model import load_sequence_model

    trained = load_sequence_model(folder)
    check_snapshot(trained.facts.snapshot_hash, folder.name, snapshot_hash)
    return lambda order, _: NetworkMethod(trained.model, trained.songs, trained.djs, order, snapshot.djs)


def _translated(rows: Integers, into: Integers) -> Integers:
    """Rows by a table of others; `UNKNOWN` stays so."""
    translated: Integers = np.append(into, UNKNOWN)[rows]
    return translated
