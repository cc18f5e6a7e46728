"""How lists of songs look, generated ones beside real ones: repeats of artists, runs of a cluster, popularity, variety.

Real lists to compare with are later ones, of as many songs: a DJ has played all songs of those that are known. Pure
arrays.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from recsys.evaluation.metrics import Interval
from recsys.tracklists.running_order import UNKNOWN, Sets
from recsys.tracklists.stored_arrays import Floats, Integers, Matrix

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SongFacts:
    """What is known of songs, by their rows in the lists."""

    plays: Integers
    """In the past's tracklists, (songs,)."""
    clusters: tuple[Integers, ...]
    """Of each level, from the songs upwards; `UNKNOWN` for a song in none."""
    dj_plays: Matrix
    """How often each DJ played each song in the past, (DJs, songs)."""
    vectors: Floats
    """(songs, size); of any length, and 0 for a song without one."""


@dataclass(frozen=True)
class ListShape:
    """One number a list in some respects, (lists,); NaN for a list that has none."""

    artist_repetition: Values
    """Share of the plays, of those whose artist is known, whose artist stands in the list before."""
    cluster_runs: tuple[Values, ...]
    """Of each level the mean length of runs of one cluster; songs in none are passed over."""
    popularity: Values
    """Mean of log(1 + plays) over the songs."""
    dj_affinity: Values
    """Share of the songs that the list's DJ played in the past; of lists whose DJ has a past."""
    diversity: Values
    """1 - mean cosine of two of the songs, of those with a vector: 0 for the same over and over, 1 for no likeness."""
    coverage: float
    """Share of all songs that some list holds; it grows with the number of lists."""

    @property
    def by_respect(self) -> dict[str, Values]:
        """The numbers of the lists by what they are of; the runs of the top level come first."""
        runs = {f"cluster_run_{level}": values for level, values in enumerate(self.cluster_runs)}
        return {
            "artist_repetition": self.artist_repetition,
            **dict(reversed(runs.items())),
            "popularity": self.popularity,
            "dj_affinity": self.dj_affinity,
            "diversity": self.diversity,
        }

    def means(self) -> dict[str, float]:
        """The mean of each respect over the lists that have one, and the coverage; NaN where none has."""
        means = {
            name: float(np.nanmean(values)) if np.isfinite(values).any() else np.nan
            for name, values in self.by_respect.items()
        }
        return means | {"coverage": self.coverage}


def list_shape(lists: Sets, facts: SongFacts) -> ListShape:
    """How each list looks; plays of songs without a row count for artists alone."""
    list_of = lists.list_of
    known = lists.songs != UNKNOWN
    songs, of = lists.songs[known], list_of[known]
    has_artist = lists.artists != UNKNOWN
    count = len(lists)
    played = facts.dj_plays.tocoo()
    has_past = np.isin(lists.djs, played.row)
    of_dj = has_past[of]
    all_songs = len(facts.plays)
    was_played = np.isin(
        lists.djs[of[of_dj]] * all_songs + songs[of_dj], played.row.astype(np.int64) * all_songs + played.col
    )
    return ListShape(
        artist_repetition=_means(
            _is_repeat(list_of[has_artist], lists.artists[has_artist]), list_of[has_artist], count
        ),
        cluster_runs=tuple(_cluster_runs(clusters[songs], of, count) for clusters in facts.clusters),
        popularity=_means(np.log1p(facts.plays[songs]), of, count),
        dj_affinity=_means(was_played, of[of_dj], count),
        diversity=_diversity(facts.vectors[songs], of, count),
        coverage=len(np.unique(songs)) / max(all_songs, 1),
    )


def distances(first: ListShape, second: ListShape) -> dict[str, float]:
    """By respect, how far the lists of two groups are from each other: the Wasserstein distance of their numbers.

    It is the area between their distribution functions (Vallender, Theory of Probability & Its Applications 18, 1974),
    in the respect's own unit; of as many numbers the mean by which sorted ones differ. NaN where a group has no number.
    """
    others = second.by_respect
    return {name: _distance(values, others[name]) for name, values in first.by_respect.items()}


def distance_intervals(first: ListShape, second: ListShape, samples: int = 1000, seed: int = 0) -> dict[str, Interval]:
    """`distances` of two groups whose lists belong together in pairs, with percentile intervals by drawing pairs.

    Pairs that are drawn twice move the groups apart: where the distance is near 0 the interval lies too high. A respect
    in which a group has no number is left out.
    """
    others = second.by_respect
    told = {}
    for name, values in first.by_respect.items():
        if np.isnan(distance := _distance(values, others[name])):
            continue
        rng = np.random.default_rng(seed)
        pairs = rng.integers(len(values), size=(samples, len(values)))
        drawn = [_distance(values[rows], others[name][rows]) for rows in pairs]
        low, high = np.nanquantile(drawn, [0.025, 0.975]).tolist()
        told[name] = Interval(distance, low, high)
    return told


def _distance(first: Values, second: Values) -> float:
    one, other = first[np.isfinite(first)], second[np.isfinite(second)]
    return float(stats.wasserstein_distance(one, other)) if len(one) and len(other) else np.nan


def _means(values: npt.NDArray[np.generic], of: Integers, count: int) -> Values:
    """The mean over the members of each list; NaN for a list without one."""
    members = np.bincount(of, minlength=count)
    sums = np.bincount(of, values.astype(np.float64), minlength=count)
    return np.where(members > 0, sums / np.maximum(members, 1), np.nan)


def _is_repeat(of: Integers, artists: Integers) -> npt.NDArray[np.bool_]:
    is_repeat = np.ones(len(of), dtype=np.bool_)
    is_repeat[np.unique(np.stack([of, artists]), axis=1, return_index=True)[1]] = False
    return is_repeat


def _cluster_runs(clusters: Integers, of: Integers, count: int) -> Values:
    clusters, of = clusters[clusters != UNKNOWN], of[clusters != UNKNOWN]
    begins = np.ones(len(of), dtype=np.bool_)
    begins[1:] = (clusters[1:] != clusters[:-1]) | (of[1:] != of[:-1])
    runs = np.bincount(of[begins], minlength=count)
    return np.where(runs > 0, np.bincount(of, minlength=count) / np.maximum(runs, 1), np.nan)


def _diversity(vectors: Floats, of: Integers, count: int) -> Values:
    """By |sum of unit vectors|^2 = members + the sum of the cosines of all ordered pairs."""
    lengths = np.linalg.norm(vectors, axis=1)
    vectors, of = vectors[lengths > 0] / lengths[lengths > 0, None], of[lengths > 0]
    sums = np.zeros((count, vectors.shape[1]))
    np.add.at(sums, of, vectors)
    members = np.bincount(of, minlength=count)
    pairs = members * (members - 1)
    return np.where(pairs > 0, 1 - ((sums**2).sum(axis=1) - members) / np.maximum(pairs, 1), np.nan)
