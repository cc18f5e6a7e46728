"""Networks that were trained on a snapshot, as methods that foretell the next song."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recsys.evaluation.graph import first_songs
from recsys.evaluation.graph_learned import check_snapshot
from recsys.evaluation.next_baselines import Past
from recsys.evaluation.next_song import NextSongOptions, Ranked
from recsys.sequences.next_network import NetworkScores
from recsys.sequences.next_song import NextOptions, NextRecommender, NextSong
from recsys.sequences.next_training import train_next_song
from recsys.sequences.played import Played, counts_of
from recsys.tracklists.graph_snapshot import GraphSnapshot
from recsys.tracklists.running_order import UNKNOWN, RunningOrder, Sets
from recsys.tracklists.stored_arrays import Integers

if TYPE_CHECKING:
    from recsys.sequences.sequence_model import TrainedSequence

CONTEXT = NextSongOptions.context
"""Songs that a network reads."""


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

    def __init__(self, scores: NetworkScores) -> None:
        """Let a network answer."""
        self._scores = scores

    def next(self, prefixes: Sets, k: int) -> Ranked:
        """The k most likely songs that the prefix does not hold."""
        scores = self._scores(prefixes)
        is_known = prefixes.songs != UNKNOWN
        scores[prefixes.list_of[is_known], prefixes.songs[is_known]] = -np.inf
        named = np.full((len(prefixes), k), UNKNOWN)
        ranked = np.full((len(prefixes), k), -np.inf, dtype=np.float32)
        for row, own in enumerate(scores):
            best = first_songs(own, k)
            named[row, : len(best)], ranked[row, : len(best)] = best, own[best]
        return named, ranked


@dataclass(frozen=True)
class NetworkFit:
    """A trained network as what is fitted to a past, though it needs no fitting."""

    trained: "TrainedSequence"
    djs: Integers
    """Ids of the order's DJs, by row."""

    def __call__(self, order: RunningOrder, _past: Past) -> NetworkMethod:
        """Its answers for tracklists of an order."""
        trained = self.trained
        return NetworkMethod(NetworkScores(trained.model, trained.songs, trained.djs, order, self.djs))


def network_method(folder: Path, snapshot: GraphSnapshot, snapshot_hash: str) -> NetworkFit:
    """The network in a folder as a method.

    Raises:
        SourceError: the folder holds none, or a damaged one.
        SettingsError: it was trained on another snapshot.
    """
    from recsys.sequences.sequence_model import load_sequence_model

    trained = load_sequence_model(folder)
    check_snapshot(trained.facts.snapshot_hash, folder.name, snapshot_hash)
    return NetworkFit(trained, snapshot.djs)
