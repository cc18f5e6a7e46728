"""What a list goes on with: distributions over clusters and songs, of logits and of scores (MODELS C6, point 3)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from recsys.tracklists.stored_arrays import Floats, Integers, Matrix

if TYPE_CHECKING:
    from recsys.sequences.sequence_model import SequenceModel

BEST_SONGS = 15
"""A cluster's score is the mean of so many of its songs' scores, the best ones."""

PEAK = np.log(1000.0)
"""The largest logit, before scores scale it down."""

Doubles = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Candidates:
    """The songs that a list may be made of."""

    songs: Integers
    """Rows of the model's songs, (candidates,)."""
    seed_scores: Doubles
    """0 to 2."""
    user_scores: Doubles | None
    """0 to 2.2; None where the list is for nobody."""
    members: tuple[Matrix, ...]
    """How far candidates belong to the clusters of each level, the smallest clusters first, (candidates, clusters);
    none of a model that knows no clusters."""
    likeliest: tuple[Integers, ...]
    """The cluster of each level that a candidate belongs to most, (candidates,)."""
    beginning: Integers
    """Places among the candidates of the songs that lists begin with, in order; they are not drawn."""
    artists: Matrix | None = None
    """1 where a candidate is by a main artist, (candidates, artists); needed to limit songs of an artist."""

    def __len__(self) -> int:
        """How many."""
        return len(self.songs)

    def joint_scores(self, user_weight: float) -> Doubles:
        """seed * user ^ log2(1 + user weight), by which the songs after the seed are chosen."""
        if self.user_scores is None:
            return self.seed_scores
        joint: Doubles = self.seed_scores * self.user_scores ** np.log2(1 + user_weight)
        return joint


@dataclass(frozen=True)
class Knobs:
    """How far a list may stray from what is likeliest; levels are in the order of drawing, the top one first."""

    user_weight: float = 1.0
    """Of the user's scores against the seed's, from 0."""
    temperatures: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """What the logits of the cluster levels are multiplied by: over 1 is safer, under 1 more surprising."""
    thresholds: tuple[float, float, float, float] = (0.1, 0.05, 0.05, 0.005)
    """Least probabilities on the cluster levels and of songs; what is less likely is not drawn."""


class Levels:
    """The distributions that lists are drawn from, for some candidates.

    A step goes down from the top level to level 0, which has the smallest clusters, and then to the songs.
    """

    def __init__(self, model: "SequenceModel", candidates: Candidates, knobs: Knobs) -> None:
        """Score the clusters and the songs."""
        self._model = model.narrowed(candidates.songs)
        self._candidates = candidates
        self._knobs = knobs
        is_drawn = np.ones(len(candidates), dtype=bool)
        is_drawn[candidates.beginning] = False
        seed, user, weight = candidates.seed_scores, candidates.user_scores, knobs.user_weight
        factors = []
        for members in candidates.members:
            user_part = None if user is None else cluster_scores(members, user * is_drawn)
            score = _joined(cluster_scores(members, seed * is_drawn), user_part, weight)
            factors.append(_over_largest(score, score.max(initial=0)))
        score = _joined(seed, user, weight)
        songs = _over_largest(score, score[is_drawn].max(initial=0))
        self._cluster_factors, self._song_factors = factors, songs
        self.count = len(factors)
        """Of the levels of clusters."""

    def of_clusters(self, hidden: Floats, level: int, teacher: Integers | None) -> Doubles:
        """Probabilities of a level's clusters, (lists, clusters)."""
        logits = self._model.cluster_logits(hidden, level, teacher)
        temperature = self._knobs.temperatures[self.count - 1 - level]
        return scaled_softmax(logits * np.float64(temperature), self._cluster_factors[level])

    def of_songs(self, hidden: Floats, teacher: Integers | None, allowed: Booleans) -> Doubles:
        """Probabilities of the candidates, (lists, candidates), 0 where one is not allowed; in each list one is."""
        logits = self._model.song_logits(hidden, teacher).astype(np.float64)
        logits[~allowed] = -np.inf
        return scaled_softmax(logits, self._song_factors)

    def threshold(self, level: int) -> float:
        """Of a level of clusters, or of songs, which are level -1."""
        return self._knobs.thresholds[-1] if level < 0 else self._knobs.thresholds[self.count - 1 - level]

    def of_choice(self, hidden: Floats, chosen: Integers, allowed: Booleans) -> Doubles:
        """Log probabilities of songs that were chosen otherwise, by their likeliest clusters, (lists, levels + 1)."""
        lists = np.arange(len(chosen))
        logs: list[Doubles] = []
        teacher: Integers | None = None
        for level in reversed(range(self.count)):
            p = self.of_clusters(hidden, level, teacher)
            teacher = self._candidates.likeliest[level][chosen]
            logs.append(np.log(p[lists, teacher]))
        return np.column_stack([*logs, np.log(self.of_songs(hidden, teacher, allowed)[lists, chosen])])


def cluster_scores(members: Matrix, scores: Doubles) -> Doubles:
    """A cluster's score: the mean of its 15 best songs' scores times how far they belong to it, (clusters,).

    The published generator draws 15 times among these songs; their plain mean is what the draws come to. A song that is
    not among the candidates counts as 0.
    """
    weighted = members.data * np.repeat(scores, np.diff(members.indptr))
    # Scores are under 4: in one order the clusters one after the other, and the best songs of each first.
    order = np.argsort(4.0 * members.indices - weighted)
    counts = np.bincount(members.indices, minlength=members.shape[1])
    first = np.cumsum(counts) - counts
    columns = members.indices[order]
    is_best = np.arange(len(columns)) - first[columns] < BEST_SONGS
    means: Doubles = np.bincount(columns[is_best], weighted[order][is_best], len(counts)) / BEST_SONGS
    return means


def _joined(seed: Doubles, user: Doubles | None, user_weight: float) -> Doubles:
    """The cubes of seed and user scores, averaged by the user's weight."""
    return seed**3 if user is None else (seed**3 + user_weight * user**3) / (1 + user_weight)


def _over_largest(scores: Doubles, largest: float) -> Doubles:
    """Scores over the largest that counts, at most 1; 1 where all are 0."""
    return np.minimum(scores / largest, 1) if largest > 0 else np.ones_like(scores)


def scaled_softmax(logits: npt.NDArray[Any], factors: Doubles) -> Doubles:
    """The softmax of logits, shifted so that the largest is log 1000, then scaled by factors 0 to 1, never upwards."""
    shifted = logits - logits.max(axis=1, keepdims=True) + PEAK
    shifted = np.maximum(shifted, 0) * factors + np.minimum(shifted, 0)
    powers = np.exp(shifted - shifted.max(axis=1, keepdims=True))
    probabilities: Doubles = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def cut(probabilities: Doubles, threshold: float) -> tuple[Doubles, Booleans]:
    """What reaches a threshold, scaled to sum 1; where nothing does, the threshold is halved until something is left.

    Returns:
        the probabilities, (lists, choices), and for which lists the threshold was halved.
    """
    largest = probabilities.max(axis=1, keepdims=True)
    is_halved = largest[:, 0] < threshold
    bar = np.full_like(largest, threshold)
    if is_halved.any():
        halvings = np.ceil(np.log2(threshold / largest[is_halved]))
        bar[is_halved] = np.minimum(threshold * 0.5**halvings, largest[is_halved])
    kept = np.where(probabilities >= bar, probabilities, 0)
    return kept / kept.sum(axis=1, keepdims=True), is_halved
