"""How good a ranked list of tracks is: the RecSys Challenge 2018's metrics, and the paper's by its own formulas.

G is the set of a playlist's true tracks, R the ranked list, R[:n] its first n tracks. A track that stands in R twice is
a miss at its second place. Sources: Zamani, Schedl, Lamere and Chen, "An Analysis of Approaches Taken in the ACM RecSys
Challenge 2018" (ACM TIST 2019), with the challenge's own code for the artist rule; Charolois-Pasqua et al., "A Language
Model-Based Playlist Generation Recommender System" (RecSys 2025), with its code, for what is named `paper_...`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Protocol = Literal["clean", "seed"]

MetricKey = tuple[str, int]
"""A metric and its cut."""

N = 500
"""Tracks of a list that are read, and the cut of the challenge's metrics."""

PAPER_CUTS = (10, 66, 500)

CHALLENGE_METRICS = ("r_precision", "r_precision_tracks", "ndcg", "clicks")
PAPER_METRICS = ("paper_hit", "paper_precision", "paper_recall", "paper_mrr", "paper_r_precision", "paper_ndcg")

LOWER_IS_BETTER = frozenset(["clicks"])

ARTIST_BONUS = 0.25
"""What an artist counts beside a track."""

CLICKED_TRACKS = 10
"""Tracks that a click on "refresh" shows."""

_DISCOUNTS = 1 / np.log2(np.arange(2, N + 2))
_IDEAL = np.concatenate([[0.0], np.cumsum(_DISCOUNTS)])
"""The DCG of a list whose first n tracks are true, by n."""

_Flags = npt.NDArray[np.bool_]


def score_list(
    ranked: Iterable[int], truth: Iterable[int], artist_of: Mapping[int, int], protocol: Protocol = "clean"
) -> dict[MetricKey, float]:
    """Every metric of one ranked list.

    Args:
        ranked: tracks, best first; the first 500 are read.
        truth: the true tracks, each counted once.
        artist_of: the artist of a track; one that is missing earns no artist bonus.
        protocol: "clean" gives the challenge's metrics at 500 and the paper's at 10, 66 and 500, "seed" the paper's.

    Raises:
        ValueError: there are no true tracks.
    """
    judged = _judge(ranked, truth, N, artist_of)
    scores: dict[MetricKey, float] = {}
    if protocol == "clean":
        values = (judged.r_precision(), judged.r_precision_tracks(), judged.ndcg(N), judged.clicks())
        scores.update(((metric, N), value) for metric, value in zip(CHALLENGE_METRICS, values, strict=True))
    for k in PAPER_CUTS:
        paper = judged.paper_scores(k)
        scores.update(((metric, k), value) for metric, value in zip(PAPER_METRICS, paper, strict=True))
    return scores


# --- the challenge's metrics -------------------------------------------------------------------------------------
def r_precision(ranked: Iterable[int], truth: Iterable[int], artist_of: Mapping[int, int], k: int = N) -> float:
    """R-precision with the challenge's artist rule, 0 to 1: (|G ∩ F| + .25 |A|) / |G|.

    F = R[:k][:|G|]. A holds the artists of true tracks who also have a track in F that is not itself a true one: each
    counts once, and a track that matches earns nothing for its artist.
    """
    return _judge(ranked, truth, k, artist_of).r_precision()


def r_precision_tracks(ranked: Iterable[int], truth: Iterable[int], k: int = N) -> float:
    """R-precision of tracks alone, 0 to 1: |G ∩ R[:k][:|G|]| / |G|."""
    return _judge(ranked, truth, k).r_precision_tracks()


def ndcg(ranked: Iterable[int], truth: Iterable[int], k: int = N) -> float:
    """Normalised discounted cumulative gain, 0 to 1.

    DCG = sum of 1 / log2(i + 1) over the ranks i <= k (from 1) that hold a true track; it is divided by that of a list
    whose first min(|G|, k) tracks are true.
    """
    return _judge(ranked, truth, k).ndcg(k)


def clicks(ranked: Iterable[int], truth: Iterable[int], k: int = N) -> float:
    """Refreshes of ten tracks until a true one is seen, floor((rank - 1) / 10); 51 where none is in R[:k]."""
    return _judge(ranked, truth, k).clicks()


# --- the paper's metrics -----------------------------------------------------------------------------------------
class PaperScores(NamedTuple):
    """The paper's metrics at one cut, by its own formulas."""

    hit: float
    """|G ∩ R[:k]| / min(k, |G|); in spite of its name a share, 0 to 1."""
    precision: float
    """|G ∩ R[:k]| / |R[:k]|: a list shorter than k is divided by its own length."""
    recall: float
    """|G ∩ R[:k]| / |G|."""
    mrr: float
    """1 / rank of the first true track in R[:k], 0 without one."""
    r_precision: float
    """(|G ∩ F| + .25 |artists of G ∩ artists of F|) / |G| with F = R[:k][:|G|].

    A track that matches also earns its artist's bonus, so that up to 1.25 is reached; not the challenge's rule.
    """
    ndcg: float
    """DCG of R[:k] over the DCG of the same hits moved to its top: true tracks that are not retrieved cost nothing."""


def paper_scores(ranked: Iterable[int], truth: Iterable[int], artist_of: Mapping[int, int], k: int) -> PaperScores:
    """The paper's metrics at one cut, see `PaperScores`."""
    return _judge(ranked, truth, k, artist_of).paper_scores(k)


# --- what they share ---------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Judged:
    """A list beside the true tracks."""

    is_true: _Flags
    """By place: whether the track is a true one."""
    hits: _Flags
    """The same, without repeats of a track."""
    all_true: int
    """|G|."""
    artists: list[int | None]
    """Artists of the first |G| places."""
    true_artists: set[int | None]

    def r_precision(self) -> float:
        others = {artist for artist, is_true in zip(self.artists, self.is_true.tolist(), strict=False) if not is_true}
        return self.r_precision_tracks() + ARTIST_BONUS * len(others & self.true_artists) / self.all_true

    def r_precision_tracks(self) -> float:
        return self._found(self.all_true) / self.all_true

    def ndcg(self, k: int) -> float:
        return self._dcg(k) / float(_IDEAL[min(self.all_true, k)])

    def clicks(self) -> float:
        first = self._first_hit(N)
        return float(N // CLICKED_TRACKS + 1 if first is None else first // CLICKED_TRACKS)

    def paper_scores(self, k: int) -> PaperScores:
        found, length, first = self._found(k), len(self.hits[:k]), self._first_hit(k)
        matched = self.true_artists.intersection(self.artists[:k])
        return PaperScores(
            hit=found / min(k, self.all_true),
            precision=found / length if length else 0.0,
            recall=found / self.all_true,
            mrr=0.0 if first is None else 1 / (first + 1),
            r_precision=(self._found(min(k, self.all_true)) + ARTIST_BONUS * len(matched)) / self.all_true,
            ndcg=self._dcg(k) / float(_IDEAL[found]) if found else 0.0,
        )

    def _found(self, k: int) -> int:
        return int(np.count_nonzero(self.hits[:k]))

    def _dcg(self, k: int) -> float:
        return float(self.hits[:k] @ _DISCOUNTS[: len(self.hits[:k])])

    def _first_hit(self, k: int) -> int | None:
        places = np.flatnonzero(self.hits[:k])
        return int(places[0]) if len(places) else None


def _judge(ranked: Iterable[int], truth: Iterable[int], k: int, artist_of: Mapping[int, int] | None = None) -> _Judged:
    if not 1 <= k <= N:
        raise ValueError(f"a cut is 1 to {N}, not {k}")
    listed, true = _as_ids(ranked)[:k], set(_as_ids(truth))
    if not true:
        raise ValueError("a list cannot be scored against no tracks")
    is_true = np.array([track in true for track in listed], dtype=np.bool_)
    hits = is_true
    if len(set(listed)) < len(listed):
        hits = np.zeros_like(is_true)
        hits[np.unique(listed, return_index=True)[1]] = True
        hits &= is_true
    known = artist_of or {}
    artists = [known.get(track) for track in listed[: len(true)]]
    return _Judged(is_true, hits, len(true), artists, {known.get(track) for track in true} - {None})


def _as_ids(tracks: Iterable[int]) -> list[int]:
    return tracks.tolist() if isinstance(tracks, np.ndarray) else list(tracks)


# --- how sure a mean is ------------------------------------------------------------------------------------------
Values = Sequence[float] | npt.NDArray[np.float64]
"""Of one metric, one a playlist."""
Weights = Sequence[float] | npt.NDArray[np.int64]
"""What each playlist counts, more than 0."""


class Interval(NamedTuple):
    """A mean with the bounds of its bootstrap interval."""

    mean: float
    low: float
    high: float


BLOCK = 1 << 22
"""Draws that are held in memory at once."""


def bootstrap(
    values: Values, samples: int = 1000, seed: int = 0, level: float = 0.95, weights: Weights | None = None
) -> Interval:
    """The mean of a metric over playlists with its percentile interval (Efron and Tibshirani 1993, section 13.3).

    Playlists are drawn with replacement; the same seed draws the same ones, in whatever method's scores. With weights
    it is a weighted mean, of every sample too: a value that is a mean over n parts of a playlist has the weight n.

    Raises:
        ValueError: there are no values.
    """
    return bootstrap_columns(np.asarray(values, dtype=np.float64)[:, None], samples, seed, level, weights)[0]


def bootstrap_columns(
    values: npt.NDArray[np.float64],
    samples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    weights: Weights | None = None,
) -> list[Interval]:
    """`bootstrap` of several metrics over the same playlists, drawn once: values (playlists, metrics)."""
    playlists = len(values)
    if not playlists:
        raise ValueError("there is no interval of no values")
    weight = np.ones(playlists) if weights is None else np.asarray(weights, dtype=np.float64)
    weighted = values * weight[:, None]
    rng = np.random.default_rng(seed)
    block = max(1, BLOCK // playlists)
    means = []
    for start in range(0, samples, block):
        rows = min(block, samples - start)
        drawn = rng.integers(playlists, size=(rows, playlists)) + np.arange(rows)[:, None] * playlists
        times = np.bincount(drawn.ravel(), minlength=rows * playlists).reshape(rows, playlists)
        means.append(times @ weighted / (times @ weight)[:, None])  # (rows, metrics)
    low, high = np.quantile(np.concatenate(means), [(1 - level) / 2, (1 + level) / 2], axis=0)
    columns = zip((weighted.sum(axis=0) / weight.sum()).tolist(), low.tolist(), high.tolist(), strict=True)
    return [Interval(*column) for column in columns]


def paired_bootstrap(
    first: Values, second: Values, samples: int = 1000, seed: int = 0, level: float = 0.95
) -> Interval:
    """The mean difference first - second over the same playlists, each drawn with both its scores.

    Raises:
        ValueError: the two are not of one length, or empty.
    """
    differences = [a - b for a, b in zip(first, second, strict=True)]
    return bootstrap(differences, samples, seed, level)
