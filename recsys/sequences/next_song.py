"""The next song of a tracklist: a forest weighs what tells of the songs that may follow a beginning."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from recsys.sequences.next_channels import CONTEXT, Told
from recsys.sequences.played import Played
from recsys.tracklists.forests import Forest, ForestOptions
from recsys.tracklists.running_order import UNKNOWN, Sets
from recsys.tracklists.stored_arrays import Integers

AT_ONCE = 64
"""Beginnings whose channels are in memory, by thread."""

THREADS = 2


@dataclass(frozen=True)
class NextOptions(ForestOptions):
    """How the forest of next songs is grown."""

    trees: int = 200
    leaf_size: int = 100
    spans: int = 10
    """Spans at the end of the past that are foretold in training, one after the other, each from what came before."""
    span_share: float = 0.01
    """Tracklists of a span, of all that have a date."""
    span_lists: int = 200
    """Tracklists of a span, at least, as long as half of all are left before the first one."""
    scattered: int = 400
    """Also foretold: so many tracklists of any time, from all others."""
    positions: int = 5000
    """Songs of a span that are foretold: once there are so many, no tracklist more is drawn."""
    positions_of_list: int = 10
    """Of one tracklist, at most."""
    others: int = 200
    """Songs beside the one that was played which training sees, drawn of the candidates."""
    without: tuple[str, ...] = ()
    """Channels that are not heard, to see what each is worth."""


class NextSongs(NamedTuple):
    """Songs that may come next, for each beginning, best first."""

    songs: Integers
    """Rows, shape (beginnings, k); `UNKNOWN` where there are no more songs."""
    scores: npt.NDArray[np.float64]
    """The chance that this song comes next if one of those that are weighed does, 0 to 1; 0 for what fills up."""


@dataclass(frozen=True)
class NextSong:
    """A grown forest."""

    options: NextOptions
    forest: Forest
    metrics: dict[str, float] = field(default_factory=dict)


class NextRecommender:
    """Foretells next songs from the tracklists that are known."""

    def __init__(self, grown: NextSong, played: Played) -> None:
        """Let a forest answer from known tracklists."""
        self._forest = replace(grown.forest, threads=1)
        self._played = played

    def next(self, begun: Sets, k: int) -> NextSongs:
        """The k songs most likely to follow each beginning, none that it holds.

        What tells of nothing is followed by the most popular songs, so that there are k wherever there are enough.
        """
        # Those of a week share what is played around it.
        by_day = np.argsort(begun.days, kind="stable")
        blocks = [by_day[first : first + AT_ONCE] for first in range(0, len(begun), AT_ONCE)]
        songs, scores = np.full((len(begun), k), UNKNOWN), np.zeros((len(begun), k))
        with ThreadPoolExecutor(THREADS) as threads:
            for rows, made in zip(
                blocks, threads.map(lambda rows: self._block(begun.at(rows), k), blocks), strict=True
            ):
                songs[rows], scores[rows] = made
        return NextSongs(songs, scores)

    def _block(self, begun: Sets, k: int) -> NextSongs:
        context = begun.last(CONTEXT)
        told = Told(self._played, context)
        songs, scores = np.full((len(begun), k), UNKNOWN), np.zeros((len(begun), k))
        candidates = [told.candidates(row) for row in range(len(begun))]
        logits = self._forest.logits(np.concatenate([one.features for one in candidates]))
        ends = np.cumsum([len(one.songs) for one in candidates])
        for row, (own, found) in enumerate(zip(np.split(logits, ends[:-1]), candidates, strict=True)):
            held = begun.songs[begun.starts[row] : begun.starts[row + 1]]
            is_new = ~np.isin(found.songs, held)
            own, weighed = own[is_new], found.songs[is_new]
            best = np.lexsort((weighed, -own))[:k]
            songs[row, : len(best)] = weighed[best]
            scores[row, : len(best)] = 1 / (1 + np.exp(-own[best].astype(np.float64)))
            if len(best) < k:
                spare = self._played.popular[: k + len(weighed) + len(held)]
                spare = spare[~np.isin(spare, np.concatenate([weighed, held]))][: k - len(best)]
                songs[row, len(best) : len(best) + len(spare)] = spare
        return NextSongs(songs, scores)
