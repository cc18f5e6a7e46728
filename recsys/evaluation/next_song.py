"""The next song of a tracklist, foretold from what was played before it, on tracklists that a snapshot was kept from.

Of each drawn tracklist some positions are drawn; a method sees the plays before one, and names the songs that it holds
likeliest. A song that is played again is no target. A target is known if the past's tracklists hold it often enough;
one that is not is a miss whatever is answered, so that nobody is asked for it. Pure arrays.

Metrics of the one target, as Ludewig and Jannach, "Evaluation of session-based recommendation algorithms" (UMUAI 28,
2018): the hit rate HR@k, 1 if it is among the first k; MRR@k, 1 over its rank, 0 behind the k-th. They are means over
positions, and their bootstrap draws whole tracklists.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from recsys.errors import NotReadyError
from recsys.evaluation.metrics import MetricKey
from recsys.progress import Progress, silent
from recsys.tracklists.running_order import UNKNOWN, RunningOrder, Sets
from recsys.tracklists.stored_arrays import Floats, Integers

K = 20
"""Songs that a method is asked for."""

HIT_CUTS = (1, 10, 20)

KNOWN, ALL = "known targets", "every position"

POSITIONS_AT_ONCE = 256
"""Positions that a method is asked for in one call."""

Values = npt.NDArray[np.float64]
Ranked = tuple[Integers, Floats]
"""Rows of songs, best first, `UNKNOWN` where there are fewer, and their scores; both (prefixes, k)."""


class NextSongMethod(Protocol):
    """What foretells the next song."""

    def next(self, prefixes: Sets, k: int) -> Ranked:
        """The k likeliest songs of each prefix, by their rows in `RunningOrder.songs`; none that the prefix holds."""


@dataclass(frozen=True)
class NextSongOptions:
    """What is asked, and what counts."""

    tracklists: int = 4_000
    """Tracklists that are drawn, all where there are fewer."""
    positions: int = 5
    """Positions that are drawn of a tracklist, at most."""
    context: int = 15
    """Plays before a position that a method sees, at most."""
    least_plays: int = 3
    """Plays in the past's tracklists that make a song known."""
    seed: int = 0


@dataclass(frozen=True)
class Positions:
    """Drawn positions, in the order of their tracklists; all three (positions,)."""

    lists: Integers
    """Tracklists, by their rows in `RunningOrder.later`."""
    places: Integers
    """Plays of the tracklist before the target, 1 or more."""
    targets: Integers
    """Rows of the songs; `UNKNOWN` for one that is not known."""


@dataclass(frozen=True)
class NextSongResult:
    """Scores of one method over positions, by tracklist."""

    method: str
    view: str
    positions: Integers
    """Positions of each tracklist, which weigh its scores."""
    scores: Mapping[MetricKey, Values]
    """Means over the positions of each tracklist."""
    seconds: float
    """For the method's answers."""
    answers: int

    def mean(self, metric: str, k: int) -> float:
        """The mean of a metric over the positions."""
        return float(np.average(self.scores[metric, k], weights=self.positions))


def song_plays(order: RunningOrder) -> Integers:
    """Plays of each song in the past's tracklists, shape (songs,)."""
    songs = order.past.songs
    return np.bincount(songs[songs != UNKNOWN], minlength=len(order.songs))


def draw_positions(order: RunningOrder, options: NextSongOptions) -> Positions:
    """Positions of the later tracklists, drawn at random.

    Raises:
        NotReadyError: no tracklist is held out in which a song follows another, or none of the targets is known.
    """
    later = order.later
    list_of = later.list_of
    places = np.arange(len(list_of)) - later.starts[list_of]
    may_be_asked = (places > 0) & ~_is_repeat(later)
    rng = np.random.default_rng(options.seed)
    lists = np.unique(list_of[may_be_asked])
    drawn = rng.choice(lists, min(options.tracklists, len(lists)), replace=False)
    plays = np.flatnonzero(may_be_asked & np.isin(list_of, drawn))
    plays = plays[np.lexsort((rng.random(len(plays)), list_of[plays]))]
    plays = np.sort(plays[_rank_in_group(list_of[plays]) < options.positions])
    targets = later.songs[plays]
    is_known = np.concatenate([song_plays(order) >= options.least_plays, [False]])[targets]
    if not is_known.any():
        raise NotReadyError(
            "nothing that is held out can be measured: no later tracklist goes on with a song of"
            f" {options.least_plays} plays"
        )
    return Positions(list_of[plays], places[plays], np.where(is_known, targets, UNKNOWN))


def evaluate_next(
    order: RunningOrder,
    positions: Positions,
    method: NextSongMethod,
    name: str,
    options: NextSongOptions,
    *,
    progress: Progress = silent,
) -> list[NextSongResult]:
    """Score a method on drawn positions, in the views `KNOWN` and `ALL`.

    Raises:
        ValueError: its answers have another shape, repeat a song, or name one of the prefix.
    """
    is_known = positions.targets != UNKNOWN
    asked = np.flatnonzero(is_known)
    ranks = np.zeros(len(is_known), dtype=np.int64)
    begin = time.perf_counter()
    for first in range(0, len(asked), POSITIONS_AT_ONCE):
        progress(name, first, len(asked))
        rows = asked[first : first + POSITIONS_AT_ONCE]
        prefixes = order.later.upto(positions.lists[rows], positions.places[rows], options.context)
        songs, _ = method.next(prefixes, K)
        _check(songs, prefixes, len(order.songs))
        is_target = songs == positions.targets[rows, None]
        ranks[rows] = np.where(is_target.any(axis=1), 1 + is_target.argmax(axis=1), 0)
    seconds = time.perf_counter() - begin
    results = []
    for view, chosen in ((KNOWN, is_known), (ALL, np.ones_like(is_known))):
        _, rows, counts = np.unique(positions.lists[chosen], return_inverse=True, return_counts=True)
        scores = {key: np.bincount(rows, values) / counts for key, values in score_ranks(ranks[chosen]).items()}
        results.append(NextSongResult(name, view, counts, scores, seconds, len(asked)))
    return results


def score_ranks(ranks: Integers) -> dict[MetricKey, Values]:
    """Every metric of each position, from the target's rank from 1 on, 0 where it was not named."""
    scores: dict[MetricKey, Values] = {
        ("hit_rate", k): ((ranks > 0) & (ranks <= k)).astype(np.float64) for k in HIT_CUTS
    }
    scores["mrr", K] = np.where((ranks > 0) & (ranks <= K), 1 / np.maximum(ranks, 1), 0.0)
    return scores


def _check(songs: Integers, prefixes: Sets, all_songs: int) -> None:
    if songs.shape != (len(prefixes), K):
        raise ValueError(f"answers of shape {songs.shape} are not {K} songs for each of {len(prefixes)} prefixes")
    answer, place = np.nonzero(songs != UNKNOWN)
    answers = answer * all_songs + songs[answer, place]
    if len(np.unique(answers)) < len(answers):
        raise ValueError("an answer names a song twice")
    known = prefixes.songs != UNKNOWN
    if np.isin(answers, prefixes.list_of[known] * all_songs + prefixes.songs[known]).any():
        raise ValueError("an answer names a song of its prefix")


def _is_repeat(sets: Sets) -> npt.NDArray[np.bool_]:
    """Whether the tracklist holds the song of a play before it, shape (plays,)."""
    known = np.flatnonzero(sets.songs != UNKNOWN)
    together = sets.list_of[known] * (1 + sets.songs.max(initial=0)) + sets.songs[known]
    repeats = np.zeros(len(sets.songs), dtype=np.bool_)
    repeats[known] = True
    repeats[known[np.unique(together, return_index=True)[1]]] = False
    return repeats


def _rank_in_group(groups: Integers) -> Integers:
    """The place of each member in its group, from 0; members of a group stand together."""
    first = np.concatenate([[True], groups[1:] != groups[:-1]])
    starts = np.flatnonzero(first)
    return np.arange(len(groups)) - starts[np.cumsum(first) - 1]
