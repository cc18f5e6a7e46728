"""Recommenders of songs for DJs, measured on what a snapshot of graphs was kept from seeing. Pure arrays.

G is what a DJ is held to play, R the songs in the order of their scores, ties by row. Several views of the same scores:
every later play, with nothing masked; only songs that are new to the DJ, with those that he played masked; songs that
were taken out of his tracklists, both ways; and the first two of DJs who come when all is learned, by fold-in.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from recsys.errors import NotReadyError
from recsys.evaluation.metrics import MetricKey
from recsys.progress import Progress, silent
from recsys.tracklists.graph_snapshot import GraphSnapshot
from recsys.tracklists.later import Later
from recsys.tracklists.past import Newcomers
from recsys.tracklists.sparse_rows import entries, scaled
from recsys.tracklists.stored_arrays import Floats, Integers, Matrix

CUTS = (10, 25, 50, 100, 300, 500)

ALL, NEW = "every later play", "new songs"
PAIRS, MASKED_PAIRS = "held-out pairs", "held-out pairs, known masked"
COLD, COLD_NEW = "cold DJs, every later play", "cold DJs, new songs"
VIEWS = (ALL, NEW, PAIRS, MASKED_PAIRS, COLD, COLD_NEW)

PUBLISHED = {10: 0.0109, 25: 0.0295, 50: 0.0697, 100: 0.1316, 300: 0.2747, 500: 0.3719}
"""The plain recall of held-out pairs that TL-MGCCF reports (MODELS B5): other data, known songs not masked."""

PLAYERS_AT_ONCE = 32
"""Whose scores of all songs are in memory."""

_DISCOUNTS = 1 / np.log2(np.arange(2, max(CUTS) + 2))
_IDEAL = np.concatenate([[0.0], np.cumsum(_DISCOUNTS)])


class Scorer(Protocol):
    """A recommender that scores every song of a snapshot; -inf says never."""

    def of_djs(self, djs: Integers) -> Floats:
        """Scores for DJs by their rows, shape (djs, songs)."""

    def of_newcomers(self, newcomers: Newcomers) -> Floats:
        """Scores for DJs whom the recommender never saw, from their tracklists; the same shape."""


@dataclass(frozen=True)
class TruthOptions:
    """Who is asked for, and what counts."""

    least_lists: int = 5
    """Tracklists that a DJ must have in the past; he is always asked for if songs were taken out of them."""
    least_songs: int = 15
    """Songs, likewise."""
    least_plays: int = 5
    """A later play of a song counts from so many plays on, in all tracklists that there are."""


@dataclass
class GraphResult:
    """Scores of one method in one view, by DJ."""

    method: str
    view: str
    djs: Integers
    """Ids in the database, in the order of the scores."""
    seconds: float = 0.0
    """For all of the method's answers that this view is one of."""
    scores: dict[MetricKey, list[float]] = field(default_factory=dict)

    def mean(self, metric: str, k: int) -> float:
        """The mean of a metric over the DJs."""
        return float(np.mean(self.scores[metric, k]))


class View(NamedTuple):
    """What some players are held to play."""

    name: str
    truth: Matrix
    """(players, songs); a player without any is not asked for."""
    is_masked: bool
    """Whether songs that a player is known to have played are no answer."""


@dataclass(frozen=True)
class _Players:
    djs: Integers
    known: Matrix
    """Plays, (players, songs)."""
    newcomers: Newcomers | None
    """What is told of them, where the snapshot does not know them."""
    views: list[View]

    def asked(self) -> Integers:
        """Rows of those who have a truth in some view."""
        return np.flatnonzero(sum(np.diff(view.truth.indptr) for view in self.views))

    def scores(self, scorer: Scorer, rows: Integers) -> Floats:
        """Checked scores, (rows, songs)."""
        scores = scorer.of_djs(rows) if self.newcomers is None else scorer.of_newcomers(self.newcomers.at(rows))
        if scores.shape != (len(rows), self.known.shape[1]) or np.isnan(scores).any():
            raise ValueError(
                f"scores of shape {scores.shape} are not one number for each of {self.known.shape[1]} songs"
            )
        return scores


def evaluate_graph(
    snapshot: GraphSnapshot,
    later: Later,
    scorers: Mapping[str, Scorer],
    options: TruthOptions | None = None,
    *,
    progress: Progress = silent,
) -> list[GraphResult]:
    """Score the methods in every view for which something is held out, the views of one method in a row.

    The metrics, at each of `CUTS`: `recall`, |G ∩ R[:k]| / min(|G|, k); `plain_recall`, |G ∩ R[:k]| / |G|; `ndcg`, over
    the DCG of a list whose first min(|G|, k) songs are in G.

    Raises:
        NotReadyError: no DJ is held to play anything.
        ValueError: a method's scores have another shape, or are no numbers.
    """
    options = options or TruthOptions()
    check_truth(snapshot, later, options)
    results = []
    for method, scorer in scorers.items():
        for players in _players(snapshot, later, options):
            results += _evaluated(method, scorer, players, progress)
    return results


def check_truth(snapshot: GraphSnapshot, later: Later, options: TruthOptions) -> None:
    """Refuse what cannot be measured before anything is fitted.

    Raises:
        NotReadyError: no DJ is held to play anything.
    """
    if not any(len(players.asked()) for players in _players(snapshot, later, options)):
        raise NotReadyError(
            f"nothing that is held out can be measured: no DJ with {options.least_lists} tracklists and"
            f" {options.least_songs} songs plays any song of the snapshot later"
        )


def _evaluated(method: str, scorer: Scorer, players: _Players, progress: Progress) -> list[GraphResult]:
    asked = players.asked()
    results = {
        view.name: GraphResult(method, view.name, players.djs[np.diff(view.truth.indptr) > 0])
        for view in players.views
        if view.truth.nnz
    }
    begin = time.perf_counter()
    for first in range(0, len(asked), PLAYERS_AT_ONCE):
        progress(method, first, len(asked))
        rows = asked[first : first + PLAYERS_AT_ONCE]
        for row, scores in zip(rows.tolist(), players.scores(scorer, rows), strict=True):
            ranked = {False: first_songs(scores, max(CUTS))}
            masked = scores.copy()
            masked[entries(players.known, row)[0]] = -np.inf
            ranked[True] = first_songs(masked, max(CUTS))
            for view in players.views:
                truth = entries(view.truth, row)[0]
                if len(truth):
                    for key, value in score_songs(ranked[view.is_masked], truth).items():
                        results[view.name].scores.setdefault(key, []).append(value)
    for result in results.values():
        result.seconds = time.perf_counter() - begin
    return list(results.values())


# --- what is held to be played ------------------------------------------------------------------------------------


def _players(snapshot: GraphSnapshot, later: Later, options: TruthOptions) -> list[_Players]:
    """The snapshot's DJs and those who come later, with their views."""
    is_there = np.asarray(snapshot.lists.sum(axis=0)).ravel() > 0
    counts = is_there & (later.song_plays >= options.least_plays)
    known = snapshot.plays
    lists = np.diff(snapshot.dj_lists.indptr)
    played = _ones(later.plays, _has_past(lists, known, options), counts)
    pairs = _ones(later.pairs, np.ones(len(lists)), is_there)
    newcomers = later.newcomers
    cold_past = newcomers.plays
    cold = _ones(later.cold_plays, _has_past(np.diff(newcomers.owned.indptr), cold_past, options), counts)
    return [
        _Players(
            snapshot.djs,
            known,
            None,
            [
                View(ALL, played, False),
                View(NEW, _without(played, known), True),
                View(PAIRS, pairs, False),
                View(MASKED_PAIRS, pairs, True),
            ],
        ),
        _Players(
            later.cold_djs,
            cold_past,
            newcomers,
            [View(COLD, cold, False), View(COLD_NEW, _without(cold, cold_past), True)],
        ),
    ]


def _has_past(lists: Integers, known: Matrix, options: TruthOptions) -> npt.NDArray[np.bool_]:
    has_past: npt.NDArray[np.bool_] = (lists >= options.least_lists) & (np.diff(known.indptr) >= options.least_songs)
    return has_past


def _ones(matrix: Matrix, rows: Any, columns: Any) -> Matrix:
    """Ones where a matrix has entries, in some of its rows and columns."""
    kept = scaled(matrix.sign(), rows, columns)
    kept.eliminate_zeros()
    return kept


def _without(truth: Matrix, known: Matrix) -> Matrix:
    new = (truth - truth.multiply(known.sign())).tocsr()
    new.eliminate_zeros()
    return new


# --- ranks and metrics --------------------------------------------------------------------------------------------


def first_songs(scores: Floats, n: int) -> Integers:
    """Rows of the n highest scores, best first, ties by row; a song of -inf is none of them."""
    n = min(n, len(scores))
    floor = np.partition(scores, -n)[-n] if n else np.float32(np.inf)
    above = np.flatnonzero(scores > floor)
    above = above[np.argsort(-scores[above], kind="stable")]
    ties = np.flatnonzero(scores == floor)[: n - len(above)] if floor > -np.inf else np.arange(0)
    return np.concatenate([above, ties])


def score_songs(ranked: Integers, truth: Integers) -> dict[MetricKey, float]:
    """Every metric of one ranked list without repeats, whose first 500 songs are read.

    Raises:
        ValueError: there is no truth.
    """
    if not len(truth):
        raise ValueError("a list cannot be scored against no songs")
    hits = np.isin(ranked[: max(CUTS)], truth)
    found = np.concatenate([[0], np.cumsum(hits)])
    gain = np.concatenate([[0.0], np.cumsum(hits * _DISCOUNTS[: len(hits)])])
    scores: dict[MetricKey, float] = {}
    for k in CUTS:
        reached, most = min(k, len(hits)), min(k, len(truth))
        scores["recall", k] = float(found[reached] / most)
        scores["plain_recall", k] = float(found[reached] / len(truth))
        scores["ndcg", k] = float(gain[reached] / _IDEAL[most])
    return scores
