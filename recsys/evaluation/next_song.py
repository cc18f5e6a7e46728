"""The next song of a tracklist, foretold from what was played before it, on tracklists that a snapshot was kept from.

Of each drawn tracklist some positions are drawn; a method sees the plays before one, and names the songs that it holds
likeliest. A song that is played again is no target. A target is known if the past's tracklists hold it often enough;
one that is not is a miss whatever is answered, so that nobody is asked for it. Pure arrays.

Metrics of the one target, as in Ludewig and Jannach, "Evaluation of session-based recommendation algorithms" (UMUAI 28,
2018): the hit rate HR@k, 1 if it is among the first k; MRR@k, 1 over its rank, 0 behind the k-th. They are means over
positions, and their bootstrap draws whole tracklists.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from recsys.evaluation.metrics import MetricKey
from recsys.progress import Progress, silent
from recsys.tracklists.running_order import UNKNOWN, RunningOrder, Sets
from recsys.tracklists.stored_arrays import Integers

K = 20
"""Songs that a method is asked for."""

HIT_CUTS = (1, 10, 20)

KNOWN, ALL = "known targets", "every position"

POSITIONS_AT_ONCE = 256
"""Positions that a method is asked for in one call."""

Values = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Ranked = tuple[Integers, npt.NDArray[np.floating[Any]]]
"""Rows of songs, best first, `UNKNOWN` where there are fewer, and their scores; both (prefixes, k)."""


class NextSongMethod(Protocol):
    """What foretells the next song."""

    def next(self, prefixes: Sets, k: int, /) -> Ranked:
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
    days: int | None = None
    """Only tracklists of so many days, from the first later one on; None is no bound."""
    renew: int | None = None
    """Every so many days, what was played since is told to the methods; None leaves the past as it is."""
    least_plays: int = 3
    """Plays in the past's tracklists that make a song known."""
    seed: int = 0


@dataclass(frozen=True)
class Positions:
    """Drawn positions in the order of their tracklists; all are (positions,)."""

    lists: Integers
    """Tracklists, by their rows in `RunningOrder.later`."""
    places: Integers
    """Plays of the tracklist before the target, 1 or more."""
    targets: Integers
    """Rows of the songs; `UNKNOWN` for one that is not known."""


@dataclass(frozen=True)
class Ranks:
    """What a method answered at some positions."""

    positions: Positions
    ranks: Integers
    """Of the targets, from 1 on; 0 where one is not among the first `K`."""
    seconds: float


@dataclass(frozen=True)
class NextSongResult:
    """Scores of one method in one view, by tracklist."""

    method: str
    view: str
    positions: Integers
    """Positions of each tracklist, by which its scores are weighed."""
    scores: Mapping[MetricKey, Values]
    """Means over the positions of each tracklist."""
    seconds: float
    """For all of the method's answers."""
    answers: int

    def mean(self, metric: str, k: int) -> float:
        """The mean of a metric over the positions."""
        return float(np.average(self.scores[metric, k], weights=self.positions))


# --- what is asked ------------------------------------------------------------------------------------------------


def orders(order: RunningOrder, options: NextSongOptions) -> Iterator[RunningOrder]:
    """The order as it is when questions are asked: once, or of every `renew` days, with all before them as the past.

    What is played later shares the rows of the past's songs: one that only later tracklists hold stays unknown.
    """
    later = asked_tracklists(order.later, options.days)
    if options.renew is None or not len(later):
        yield replace(order, later=later)
        return
    periods = (later.days - later.days.min()) // options.renew
    for period in np.unique(periods):
        before = later.at(np.flatnonzero(periods < period))
        yield replace(order, past=_joined(order.past, before), later=later.at(np.flatnonzero(periods == period)))


def asked_tracklists(later: Sets, days: int | None) -> Sets:
    """The later tracklists of the first `days` days; None is no bound."""
    if days is None or not len(later):
        return later
    return later.at(np.flatnonzero(later.days < later.days.min() + days))


def draw_positions(order: RunningOrder, options: NextSongOptions) -> Positions:
    """Positions of the later tracklists, drawn at random."""
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
    is_known = at(known_songs(order, options.least_plays), targets)
    return Positions(list_of[plays], places[plays], np.where(is_known, targets, UNKNOWN))


def known_songs(order: RunningOrder, least_plays: int) -> Flags:
    """Whether the past's tracklists hold a song so often, shape (songs,)."""
    songs = order.past.songs
    return np.greater_equal(np.bincount(songs[songs != UNKNOWN], minlength=len(order.songs)), least_plays)


def at(flags: Flags, songs: Integers) -> Flags:
    """Flags of songs by their rows, false for one without a row."""
    return np.append(flags, False)[songs]


# --- what is answered ---------------------------------------------------------------------------------------------


def ask(
    order: RunningOrder,
    positions: Positions,
    method: NextSongMethod,
    options: NextSongOptions,
    progress: Progress = silent,
    name: str = "asking",
) -> Ranks:
    """Where a method ranks the targets.

    Raises:
        ValueError: its answers have another shape, repeat a song, or name one of the prefix.
    """
    asked = np.flatnonzero(positions.targets != UNKNOWN)
    ranks = np.zeros(len(positions.targets), dtype=np.int64)
    begin = time.perf_counter()
    for first in range(0, len(asked), POSITIONS_AT_ONCE):
        progress(name, first, len(asked))
        rows = asked[first : first + POSITIONS_AT_ONCE]
        prefixes = order.later.upto(positions.lists[rows], positions.places[rows], options.context)
        songs, _ = method.next(prefixes, K)
        _check(songs, prefixes, len(order.songs))
        is_target = songs == positions.targets[rows, None]
        ranks[rows] = np.where(is_target.any(axis=1), 1 + is_target.argmax(axis=1), 0)
    return Ranks(positions, ranks, time.perf_counter() - begin)


def score_method(name: str, answered: Sequence[Ranks]) -> list[NextSongResult]:
    """A method's results in the views `KNOWN` and `ALL`."""
    ranks = np.concatenate([each.ranks for each in answered])
    is_known = np.concatenate([each.positions.targets != UNKNOWN for each in answered])
    before = np.cumsum([0, *(1 + each.positions.lists.max(initial=0) for each in answered)])
    lists = np.concatenate([first + each.positions.lists for first, each in zip(before, answered, strict=False)])
    results = []
    for view, chosen in ((KNOWN, is_known), (ALL, np.ones_like(is_known))):
        _, rows, counts = np.unique(lists[chosen], return_inverse=True, return_counts=True)
        scores = {key: np.bincount(rows, values) / counts for key, values in score_ranks(ranks[chosen]).items()}
        seconds = sum(each.seconds for each in answered)
        results.append(NextSongResult(name, view, counts, scores, seconds, int(is_known.sum())))
    return results


def score_ranks(ranks: Integers) -> dict[MetricKey, Values]:
    """Every metric of each position, from the target's rank from 1 on, 0 where it was not named."""
    named = (ranks > 0) & (ranks <= K)
    scores: dict[MetricKey, Values] = {("hit_rate", k): (named & (ranks <= k)).astype(np.float64) for k in HIT_CUTS}
    scores["mrr", K] = np.where(named, 1 / np.maximum(ranks, 1), 0.0)
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
    ranks: Integers = np.arange(len(groups)) - starts[np.cumsum(first) - 1]
    return ranks


def _joined(first: Sets, second: Sets) -> Sets:
    """The tracklists of both."""
    names = [part.name for part in fields(Sets)]
    parts = {name: np.concatenate([getattr(first, name), getattr(second, name)]) for name in names}
    parts["starts"] = np.concatenate([first.starts, first.starts[-1] + second.starts[1:]])
    return Sets(**parts)
