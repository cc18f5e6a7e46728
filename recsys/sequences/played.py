"""What known tracklists say of songs that follow each other: matrices of tracklists, songs and artists; pure arrays."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from recsys.tracklists.graph_snapshot import NO_DATE
from recsys.tracklists.running_order import RunningOrder, Sets
from recsys.tracklists.sparse_rows import column_sums, entries, largest, log_scaled, ones, scaled, unit_rows
from recsys.tracklists.stored_arrays import Floats, Integers, Matrix

SONG_REACH = 5
"""Places apart up to which one song follows another."""
ARTIST_REACH = 3

PEERS = 30
"""Programmes that count as similar to one, the nearest."""
PEER_HALF_LIFE = 30
PEER_DAYS = 150
"""Days before and after which what similar programmes play counts no more."""

CURRENT_HALF_LIVES = (7, 30, 180)
"""In days, of plays by anybody."""
CURRENT_SONGS = {7: 60, 30: 40}
"""Songs that are current, by some of these half-lives."""

DAYS_AT_ONCE = 7
"""Days that share one reading of what anybody plays."""

_WEEKS_KEPT = 16


class Counts(NamedTuple):
    """How many of each there are."""

    songs: int
    artists: int
    djs: int
    programmes: int


class Played:
    """Tracklists that are known."""

    def __init__(self, sets: Sets, song_artists: Integers, counts: Counts) -> None:
        """Take up tracklists, and the row of each song's main artist."""
        self.sets = sets
        self.song_artists = song_artists
        self.counts = counts
        self.days = _dated(sets.days)
        self.first_day, self.last_day = (int(self.days.min()), int(self.days.max())) if len(sets) else (0, 0)
        lists = sets.list_of
        self.lists = ones(_counted(lists, sets.songs, (len(sets), counts.songs)))
        self.lists_of_songs = _scaled_by_length(self.lists)
        artists = ones(_counted(lists, sets.artists, (len(sets), counts.artists)))
        self.lists_of_artists = _scaled_by_length(artists)
        self.popularity = column_sums(self.lists)
        self.artist_popularity = column_sums(artists)
        self.rarity = _rarity(self.popularity, len(sets))
        self.artist_rarity = _rarity(self.artist_popularity, len(sets))
        self.following = _following(lists, sets.songs, counts.songs, SONG_REACH)
        self.following_artists = _following(lists, sets.artists, counts.artists, ARTIST_REACH)
        songs = np.arange(counts.songs)
        by_artist = _counted(song_artists, songs, (counts.artists, counts.songs))
        self.songs_of_artists = scaled(by_artist, columns=self.popularity)
        order = np.argsort(self.days, kind="stable")
        self.by_dj = _grouped(sets.djs, counts.djs, order)
        self.by_programme = _grouped(sets.programmes, counts.programmes, order)
        places = np.arange(len(sets))
        of_programmes = _counted(sets.programmes, places, (counts.programmes, len(sets)))
        self.dj_plays = (_counted(sets.djs, places, (counts.djs, len(sets))) @ self.lists).tocsr()
        self.programme_plays = (of_programmes @ self.lists).tocsr()
        self.peers = self._peers()
        plays = np.repeat(self.days, np.diff(self.lists.indptr))
        self.first_played = np.full(counts.songs, self.last_day)
        np.minimum.at(self.first_played, self.lists.indices, plays)
        self.last_played = np.full(counts.songs, self.first_day)
        np.maximum.at(self.last_played, self.lists.indices, plays)
        self.popular = np.argsort(-self.popularity, kind="stable")
        """Songs, most popular first."""
        days_apart = np.arange(self.last_day - self.first_day + DAYS_AT_ONCE + 1)
        self._fading = np.exp2(-days_apart[:, None] / CURRENT_HALF_LIVES).astype(np.float32)
        self._lists_by_song = self.lists.T.tocsr()
        self._faded = lru_cache(maxsize=_WEEKS_KEPT)(self._faded_lists)
        self.current_songs = lru_cache(maxsize=None)(self._current_songs)
        self.peers_lately = lru_cache(maxsize=_WEEKS_KEPT)(self._peers_lately)

    def _peers(self) -> Matrix:
        """How near the nearest programmes are, by songs; (programmes, programmes)."""
        units = unit_rows(scaled(log_scaled(self.programme_plays), columns=self.rarity))
        near = (units @ units.T).tocsr()
        near.data[near.indices == row_of_each(near)] = 0
        near.eliminate_zeros()
        return first_of_rows(near, PEERS)

    def known_day(self, days: Integers) -> Integers:
        """Days, or the nearest known ones; the last where there is none."""
        return np.where(days == NO_DATE, self.last_day, np.clip(days, self.first_day, self.last_day))

    def nearest(self, lists: Integers, day: int, n: int) -> Integers:
        """Of tracklists in the order of their days, the n nearest to a day."""
        place = int(np.searchsorted(self.days[lists], day))
        near = lists[max(0, place - n) : place + n]
        return near[np.argsort(np.abs(self.days[near] - day), kind="stable")[:n]]

    def current(self, week: int, songs: Integers) -> Floats:
        """How often anybody plays songs around a week, a play counting 2^(-days apart / half-life).

        Shape (songs, half-lives).
        """
        counted: Floats = self._lists_by_song[songs] @ self._faded(week)
        return counted

    def _faded_lists(self, week: int) -> Floats:
        faded: Floats = self._fading[np.abs(week * DAYS_AT_ONCE - self.days)]
        return faded

    def _current_songs(self, week: int) -> Integers:
        """The songs that anybody plays most around a week."""
        counted = dict(zip(CURRENT_HALF_LIVES, (self._lists_by_song @ self._faded(week)).T, strict=True))
        return np.unique(np.concatenate([largest(counted[days], n) for days, n in CURRENT_SONGS.items()]))

    def _peers_lately(self, week: int) -> Matrix:
        """What programmes play around a week, log-scaled, (programmes, songs)."""
        apart = np.abs(week * DAYS_AT_ONCE - self.days)
        near = np.flatnonzero((apart < PEER_DAYS) & (self.sets.programmes >= 0))
        shape = (self.counts.programmes, len(self.sets))
        weighted = spread(self.sets.programmes[near], near, shape, np.exp2(-apart[near] / PEER_HALF_LIFE))
        return log_scaled(weighted @ self.lists, inside=4)


def counts_of(order: RunningOrder, djs: int) -> Counts:
    """Of a running order and the DJs of its snapshot; where no song has an artist, there is one who plays none."""
    return Counts(len(order.songs), max(len(order.artists), 1), djs, len(order.programmes))


def first_of_rows(matrix: Matrix, n: int) -> Matrix:
    """The n largest entries of each row."""
    kept = []
    for row in range(matrix.shape[0]):
        _, values = entries(matrix, row)
        places = np.argpartition(-values, n)[:n] if len(values) > n else np.arange(len(values))
        kept.append(matrix.indptr[row] + places)
    starts = np.concatenate([[0], np.cumsum([len(places) for places in kept])])
    chosen = np.concatenate(kept) if kept else np.zeros(0, dtype=np.int64)
    return sparse.csr_matrix((matrix.data[chosen], matrix.indices[chosen], starts), shape=matrix.shape)


def row_of_each(matrix: Matrix) -> Integers:
    """The row of each entry."""
    rows: Integers = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    return rows


def spread(rows: Integers, columns: Integers, shape: tuple[int, int], values: npt.NDArray[np.floating]) -> Matrix:
    """A matrix of values, those of one place summed."""
    return sparse.coo_matrix((values.astype(np.float32), (rows, columns)), shape=shape).tocsr()


def _counted(rows: Integers, columns: Integers, shape: tuple[int, int]) -> Matrix:
    """How often a row and a column meet; one of an unknown row or column counts nowhere."""
    is_known = (rows >= 0) & (columns >= 0)
    return spread(rows[is_known], columns[is_known], shape, np.ones(int(is_known.sum())))


def _dated(days: Integers) -> Integers:
    is_dated = days != NO_DATE
    return np.where(is_dated, days, days[is_dated].min() if is_dated.any() else 0)


def _scaled_by_length(lists: Matrix) -> Matrix:
    """Tracklists by what they hold, each counting 1 / sqrt(how much it holds); (songs or artists, tracklists)."""
    return scaled(lists, rows=1 / np.sqrt(np.maximum(np.diff(lists.indptr), 1))).T.tocsr()


def _rarity(popularity: Floats, lists: int) -> Floats:
    rarity: Floats = np.log(max(lists, 1) / np.maximum(popularity, 1)).astype(np.float32)
    return rarity


def _following(lists: Integers, played: Integers, count: int, reach: int) -> Matrix:
    """The sum of 1 / places apart over all times that one follows another in a tracklist, (before, after)."""
    parts = list(_followers(lists, played, reach))
    before, after, weights = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return spread(before, after, (count, count), weights)


def _followers(
    lists: Integers, played: Integers, reach: int
) -> Iterator[tuple[Integers, Integers, npt.NDArray[np.float64]]]:
    for apart in range(1, reach + 1):
        before, after = played[:-apart], played[apart:]
        is_known = (lists[:-apart] == lists[apart:]) & (before >= 0) & (after >= 0)
        yield before[is_known], after[is_known], np.full(int(is_known.sum()), 1 / apart)


def _grouped(rows: Integers, count: int, order: Integers) -> list[Integers]:
    """The tracklists of each row, in the order given."""
    sorted_rows = np.argsort(rows[order], kind="stable")
    starts = np.searchsorted(rows[order][sorted_rows], np.arange(count + 1))
    return [order[sorted_rows[first:last]] for first, last in pairwise(starts)]
