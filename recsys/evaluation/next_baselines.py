"""What foretells the next song without a network: popularity, rules between two songs, nearest tracklists.

AR, SR, S-KNN and V-SKNN are those of Ludewig and Jannach, "Evaluation of session-based recommendation algorithms"
(UMUAI 28, 2018), whose sessions are our tracklists; all name songs that the past's tracklists hold `least_plays` times,
and fill up with the popular ones.

Parameters were chosen on the tracklists of 2016, foretold from those before, and on their first 60 days: 1 to 20 steps,
50 to 500 neighbours among 200 to 5,000. From 5 steps on, and whatever the neighbours, HR@20 differs by .003 at most,
less than its interval.
"""

import numpy as np
from scipy import sparse

from recsys.evaluation.next_song import Flags, NextSongOptions, Ranked, at, known_songs
from recsys.tracklists.running_order import UNKNOWN, RunningOrder, Sets
from recsys.tracklists.sparse_rows import column_sums, entries, ones
from recsys.tracklists.stored_arrays import Floats, Integers, Matrix

STEPS = 20
"""How many plays apart two songs may be to make a sequential rule."""

NEIGHBOURS = 100
RECENT = 500
"""Tracklists that share a song with the prefix, the latest ones, among which the neighbours are."""


class Past:
    """The past's tracklists as sets of known songs, and the songs by their popularity."""

    def __init__(self, order: RunningOrder, least_plays: int = NextSongOptions.least_plays) -> None:
        self.is_known = known_songs(order, least_plays)
        self.latest_first = np.argsort(-order.past.days, kind="stable")
        self.lists = _sets(order.past, self.is_known)[self.latest_first]
        """1 where a tracklist holds a song, the latest tracklist first; (tracklists, songs)."""
        self.popularity = column_sums(self.lists)
        self.popular = np.argsort(-self.popularity, kind="stable")[: int(self.is_known.sum())]
        """Known songs, the most popular first."""

    def first(self, scores: Matrix, prefixes: Sets, k: int) -> Ranked:
        """The k best songs of each row by their scores, then by popularity and row, without those of the prefix.

        What is filled up with popular songs has scores from 0 down.
        """
        songs = np.full((len(prefixes), k), UNKNOWN)
        values = np.zeros((len(prefixes), k), dtype=np.float32)
        for row in range(len(prefixes)):
            seen = prefixes.songs[prefixes.starts[row] : prefixes.starts[row + 1]]
            found, score = entries(scores, row)
            may_be_named = self.is_known[found] & (score > 0) & ~np.isin(found, seen)
            found, score = found[may_be_named], score[may_be_named]
            best = np.lexsort((found, -self.popularity[found], -score))[:k]
            named, score = found[best], score[best]
            if len(named) < k:
                more = self.popular[: k + len(seen)]
                more = more[~np.isin(more, seen) & ~np.isin(more, named)][: k - len(named)]
                named, score = np.concatenate([named, more]), np.concatenate([score, -np.arange(len(more))])
            songs[row, : len(named)], values[row, : len(named)] = named, score
        return songs, values


class Popularity:
    """The songs that most tracklists hold."""

    def __init__(self, past: Past) -> None:
        self._past = past

    def next(self, prefixes: Sets, k: int) -> Ranked:
        """The same for all."""
        return self._past.first(sparse.csr_matrix((len(prefixes), len(self._past.is_known))), prefixes, k)


class DjPopularity:
    """The songs that most of the DJ's own tracklists hold; for one who has none, what is popular."""

    def __init__(self, order: RunningOrder, past: Past) -> None:
        self._past = past
        latest_first = order.past.djs[past.latest_first]
        known = np.flatnonzero(latest_first != UNKNOWN)
        self._djs = 1 + int(latest_first.max(initial=UNKNOWN))
        dj_lists = sparse.csr_matrix(
            (np.ones(len(known), dtype=np.float32), (latest_first[known], known)),
            shape=(self._djs + 1, len(latest_first)),
        )
        self._plays = (dj_lists @ past.lists).tocsr()
        """(DJs and one who is not known, songs)."""

    def next(self, prefixes: Sets, k: int) -> Ranked:
        """By the first DJ of the tracklist."""
        is_known = (prefixes.djs != UNKNOWN) & (prefixes.djs < self._djs)
        return self._past.first(self._plays[np.where(is_known, prefixes.djs, self._djs)], prefixes, k)


class AssociationRules:
    """AR: how many tracklists hold a song and the last known one of the prefix."""

    def __init__(self, past: Past) -> None:
        self._past = past
        self._holding = past.lists.T.tocsr()

    def next(self, prefixes: Sets, k: int) -> Ranked:
        """What goes with the last song, wherever it stands."""
        return self._past.first(_last_songs(prefixes, self._past) @ self._holding @ self._past.lists, prefixes, k)


class SequentialRules:
    """SR: how often a song follows the last known one of the prefix, each time 1 / the steps between."""

    def __init__(self, order: RunningOrder, past: Past, steps: int = STEPS) -> None:
        self._past = past
        songs, lists, size = order.past.songs, order.past.list_of, len(order.songs)
        known = at(past.is_known, songs)
        pairs: list[tuple[Floats, Integers, Integers]] = []
        for apart in range(1, steps + 1):
            pair = known[:-apart] & known[apart:] & (lists[:-apart] == lists[apart:])
            weights = np.full(int(pair.sum()), 1 / apart, dtype=np.float32)
            pairs.append((weights, songs[:-apart][pair], songs[apart:][pair]))
        weights, first, second = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
        self._rules = sparse.csr_matrix((weights, (first, second)), shape=(size, size))

    def next(self, prefixes: Sets, k: int) -> Ranked:
        """What follows the last song."""
        return self._past.first(_last_songs(prefixes, self._past) @ self._rules, prefixes, k)


class NearestTracklists:
    """S-KNN: the songs of the tracklists nearest to the prefix, each counting as much as it is near.

    The nearest `neighbours` of the `recent` latest tracklists that share a song, by the cosine of the sets of songs.
    """

    def __init__(self, past: Past, neighbours: int = NEIGHBOURS, recent: int = RECENT) -> None:
        self._past = past
        self._neighbours = neighbours
        self._recent = recent
        self._holding = past.lists.T.tocsr()
        sizes = np.diff(past.lists.indptr)
        self._scale = sparse.diags(1 / np.sqrt(np.maximum(sizes, 1)).astype(np.float32))

    def next(self, prefixes: Sets, k: int) -> Ranked:
        """By all songs of the prefix, in no order."""
        told = _sets(prefixes, self._past.is_known)
        near = _latest(told @ self._holding, self._recent) @ self._scale
        return self._past.first(_nearest(near, self._neighbours) @ self._past.lists, prefixes, k)


class WeightedNearestTracklists:
    """V-SKNN: as S-KNN, but late songs of the prefix count more, and rare songs are named before common ones.

    The similarity is the dot product of a tracklist's set with the prefix, whose play p of n counts p / n; a song's
    score is multiplied by log(tracklists / tracklists that hold it), as Ludewig, Mauro, Latifi and Jannach (UMUAI 31,
    2021) add.
    """

    def __init__(self, past: Past, neighbours: int = NEIGHBOURS, recent: int = RECENT) -> None:
        self._past = past
        self._neighbours = neighbours
        self._recent = recent
        self._holding = past.lists.T.tocsr()
        lists = max(past.lists.shape[0], 1)
        self._rarity = sparse.diags(np.log(lists / np.maximum(past.popularity, 1)).astype(np.float32))

    def next(self, prefixes: Sets, k: int) -> Ranked:
        """By the songs of the prefix, the last one counting 1."""
        places = 1 + np.arange(len(prefixes.songs)) - prefixes.starts[prefixes.list_of]
        weights = (places / prefixes.lengths[prefixes.list_of]).astype(np.float32)
        told = _weighted(prefixes, self._past.is_known, weights)
        near = _nearest(_latest(told @ self._holding, self._recent), self._neighbours)
        return self._past.first(near @ self._past.lists @ self._rarity, prefixes, k)


def _sets(sets: Sets, is_known: Flags) -> Matrix:
    """1 where a tracklist holds a known song, (tracklists, songs)."""
    return ones(_weighted(sets, is_known, np.ones(len(sets.songs), dtype=np.float32)))


def _weighted(sets: Sets, is_known: Flags, weights: Floats) -> Matrix:
    """The weights of the plays of known songs, (tracklists, songs)."""
    known = at(is_known, sets.songs)
    shape = (len(sets), len(is_known))
    return sparse.csr_matrix((weights[known], (sets.list_of[known], sets.songs[known])), shape=shape)


def _last_songs(prefixes: Sets, past: Past) -> Matrix:
    """1 at the last known song of each prefix, (prefixes, songs)."""
    known = np.flatnonzero(at(past.is_known, prefixes.songs))
    lists = prefixes.list_of[known]
    is_last = np.concatenate([lists[1:] != lists[:-1], [True]])[: len(lists)]
    shape = (len(prefixes), len(past.is_known))
    values = np.ones(int(is_last.sum()), dtype=np.float32)
    return sparse.csr_matrix((values, (lists[is_last], prefixes.songs[known[is_last]])), shape=shape)


def _latest(near: Matrix, n: int) -> Matrix:
    """The first n entries of each row by their columns, which are tracklists, the latest first."""
    near = near.tocsr()
    near.sort_indices()
    rank = np.arange(near.nnz) - np.repeat(near.indptr[:-1], np.diff(near.indptr))
    return _kept(near, rank < n)


def _nearest(near: Matrix, n: int) -> Matrix:
    """The n highest entries of each row, of equal ones the latest."""
    near = near.tocsr()
    rows = np.repeat(np.arange(near.shape[0]), np.diff(near.indptr))
    order = np.lexsort((near.indices, -near.data, rows))
    is_near = np.zeros(near.nnz, dtype=np.bool_)
    is_near[order] = np.arange(near.nnz) - near.indptr[rows] < n
    return _kept(near, is_near)


def _kept(matrix: Matrix, which: Flags) -> Matrix:
    """Some entries of a matrix."""
    starts = np.concatenate([[0], np.cumsum(which)])[matrix.indptr]
    return sparse.csr_matrix((matrix.data[which], matrix.indices[which], starts), shape=matrix.shape)
