"""How often a tracklist model foretells each level on later tracklists, given the true clusters above and on its own.

As published (MODELS C5): sub-lists of 15 songs as in training, at positions after a song; the true cluster of a song is
its most probable one, and the answer of a level its most probable cluster. On its own means that each level takes the
answer of the level above.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from recsys.evaluation.metrics import MetricKey
from recsys.sequences.sublists import sublists_of, vocabulary_rows
from recsys.tracklists.running_order import RunningOrder, Sets
from recsys.tracklists.stored_arrays import Integers

if TYPE_CHECKING:
    from recsys.sequences.sequence_model import TrainedSequence

GIVEN, ALONE = "given", "alone"
SONGS = "songs"

PUBLISHED: Mapping[tuple[str, str], float] = {
    (GIVEN, "clusters_2"): 0.5546,
    (GIVEN, "clusters_1"): 0.4365,
    (GIVEN, "clusters_0"): 0.6109,
    (GIVEN, SONGS): 0.1866,
    (ALONE, "clusters_2"): 0.5546,
    (ALONE, SONGS): 0.028,
}
"""Validation accuracies of 48, 384 and 1,200 clusters and 31,214 songs, of other tracklists."""


@dataclass(frozen=True)
class LevelResult:
    """What a model foretold at the same positions on every level, from the top one down to the songs."""

    method: str
    sizes: Mapping[str, int]
    """How many clusters each level has, and how many songs there are, by `clusters_2` and so on."""
    positions: Integers
    """Positions of each tracklist, by which its accuracies are weighed."""
    scores: Mapping[MetricKey, npt.NDArray[np.float64]]
    """Means over the positions of each tracklist, by `given_clusters_2` and so on."""
    seconds: float

    def mean(self, metric: str, k: int = 1) -> float:
        """An accuracy over all positions."""
        return float(np.average(self.scores[metric, k], weights=self.positions))


def level_accuracy(name: str, trained: "TrainedSequence", later: Sets, order: RunningOrder) -> LevelResult | None:
    """The accuracies of a model on later tracklists of an order; None of one without clusters, or of no positions."""
    begin = time.perf_counter()
    model = trained.model
    hits, lists = model.level_hits(sublists_of(later, vocabulary_rows(order.songs, trained.songs)))
    if not hits:
        return None
    _, rows, counts = np.unique(lists, return_inverse=True, return_counts=True)
    sizes = {f"clusters_{level}": size for level, size in reversed(list(enumerate(model.sizes)))}
    scores: dict[MetricKey, npt.NDArray[np.float64]] = {
        (name, 1): np.bincount(rows, is_hit) / counts for name, is_hit in hits.items()
    }
    return LevelResult(name, sizes | {SONGS: model.songs}, counts, scores, time.perf_counter() - begin)
