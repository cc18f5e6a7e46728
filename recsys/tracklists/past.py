"""What is known of players and songs: tracklists, whose they are and when, and the songs' artists.

A player is a DJ, or anybody whose plays are given. Pure arrays; all counts are of tracklists that were handed in, so
that the same code reads the past for training and all there is for answering.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from recsys.tracklists.channels import HALF_LIVES, PEER_DAYS, PEER_HALF_LIFE, Told
from recsys.tracklists.graph_snapshot import NO_DATE, GraphSnapshot
from recsys.tracklists.song_space import song_scales, song_vectors, units
from recsys.tracklists.sparse_rows import column_sums, entries, largest, log_scaled, ones, scaled, unit_rows
from recsys.tracklists.stored_arrays import Floats, Integers, Matrix

AT_ONCE = 16
"""Players whose channels are in memory, some of them as dense rows over all songs."""

_CURRENT_KEPT = 64


@dataclass(frozen=True)
class Histories:
    """What players played; rows are players, columns songs."""

    plays: Matrix
    recent: dict[int, Matrix]
    """By half-life: plays, an older one counting less."""
    days_since: Matrix
    """1 + days from the last play of a song to the player's last tracklist."""
    lists: npt.NDArray[np.float64]
    last_days: Integers
    """Day of the player's last tracklist, from which on he is asked for."""
    djs: Integers
    """The players' rows among the DJs, -1 for somebody else."""

    def of(self, rows: Any) -> "Histories":
        """Those of some players; what is one matrix stays one."""
        plays = self.plays[rows]
        return Histories(
            plays,
            {days: plays if matrix is self.plays else matrix[rows] for days, matrix in self.recent.items()},
            self.days_since[rows],
            self.lists[rows],
            self.last_days[rows],
            self.djs[rows],
        )


@dataclass(frozen=True)
class Newcomers:
    """Players whom nobody knew, with tracklists of their own; columns of `lists` are the known songs."""

    lists: Matrix
    """1 where a tracklist holds a song, (tracklists, songs)."""
    days: Integers
    """Of the tracklists, `NO_DATE` where there is none."""
    owned: Matrix
    """1 where a tracklist is a player's, (players, tracklists)."""

    def at(self, rows: Integers) -> "Newcomers":
        """Some of the players."""
        return Newcomers(self.lists, self.days, self.owned[rows])

    @property
    def plays(self) -> Matrix:
        """How many of a player's tracklists hold a song, (players, songs)."""
        return (self.owned @ self.lists).tocsr()

    def recent(self, half_life: float) -> Matrix:
        """The same, a tracklist counting 2^(-age / half-life), in days back from the player's last one."""
        return (faded(self.owned, dated(self.days), half_life) @ self.lists).tocsr()


class Candidates(NamedTuple):
    """Songs that a player may play, and what tells of each."""

    songs: Integers
    features: Floats
    """Shape (songs, features), in the order of `FEATURES`."""
    is_known: npt.NDArray[np.bool_]
    """Whether the player played it."""


class Past:
    """Tracklists that are known, and the songs' artists."""

    def __init__(
        self, lists: Matrix, days: Integers, dj_lists: Matrix, credited: Matrix, vectors: Floats | None = None
    ) -> None:
        """Take up the past.

        Args:
            lists: how often a tracklist holds a song, (tracklists, songs); rows of what is not known yet are empty.
            days: of the tracklists, `NO_DATE` where there is none.
            dj_lists: 1 where a known tracklist is a DJ's, (DJs, tracklists).
            credited: how far a song is by an artist, (songs, artists).
            vectors: the songs' as `song_vectors` makes them; they are made if not given.
        """
        self.lists = ones(lists)
        self.dj_lists = dj_lists.tocsr()
        self.is_known = np.diff(self.lists.indptr) > 0
        has_date = self.is_known & (days != NO_DATE)
        self.first_day = int(days[has_date].min()) if has_date.any() else 0
        self.last_day = int(days[has_date].max()) if has_date.any() else 0
        self.days = np.where(days == NO_DATE, self.first_day, days)
        """A tracklist without a date is of the first day."""
        self.popularity = column_sums(self.lists)
        self.plays = (self.dj_lists @ self.lists).tocsr()
        self.vectors = song_vectors(self.lists, self.popularity) if vectors is None else vectors
        self.unit_vectors = units(self.vectors)
        self._song_scales = song_scales(self.popularity)
        self.scaled_lists = scaled(self.lists, columns=1 / np.sqrt(np.maximum(self.popularity, 1)))
        self.lists_of_songs = self.scaled_lists.T.tocsr()
        self.credited = credited.tocsr()
        self.by_artist = self.credited.T.tocsr()
        self.artist_plays = np.maximum(self.by_artist @ self.popularity, 1).astype(np.float32)
        self.dj_logs = log_scaled(self.plays)
        players = np.diff(self.plays.tocsc().indptr)
        self._rarity = np.log((1 + self.plays.shape[0]) / np.maximum(players, 1)).astype(np.float32)
        self.djs_of_songs = self.dj_units(self.plays).T.tocsr()
        self.first_played = self._first_plays()
        self._peers: tuple[int, Matrix] | None = None
        self._current: dict[tuple[int, int], Floats] = {}

    def _first_plays(self) -> Floats:
        first = np.full(self.lists.shape[1], self.last_day, dtype=np.int64)
        list_of = np.repeat(np.arange(self.lists.shape[0]), np.diff(self.lists.indptr))
        np.minimum.at(first, self.lists.indices, self.days[list_of])
        return first.astype(np.float32)

    def histories(self, djs: Integers) -> Histories:
        """What some of the DJs played, by their rows; each must have a known tracklist."""
        own = scaled(self.dj_lists[djs], columns=self.is_known.astype(np.float32))
        own.eliminate_zeros()
        return _histories(own, self.lists, self.days, np.asarray(djs))

    def newcomers(self, newcomers: Newcomers) -> Histories:
        """What players played whom this past does not know; a tracklist without a date is their first."""
        nobody = np.full(newcomers.owned.shape[0], -1, dtype=np.int64)
        return _histories(newcomers.owned.tocsr(), newcomers.lists, dated(newcomers.days, self.last_day), nobody)

    def dj_units(self, plays: Matrix) -> Matrix:
        """Rows of length 1, log(1 + plays) * log(DJs / DJs who play the song): their products say how near DJs are."""
        return unit_rows(scaled(log_scaled(plays), columns=self._rarity))

    def player_vectors(self, plays: Matrix) -> Floats:
        """Where players stand among the songs, by their plays (players, songs); not scaled, (players, size)."""
        vectors: Floats = scaled(log_scaled(plays), columns=self._song_scales) @ self.vectors
        return vectors

    def artist_vectors(self) -> Floats:
        """Unit vectors of the artists, by their songs' plays, (artists, size)."""
        plays = np.log1p(self.popularity)[:, None]
        return units(self.by_artist @ (plays * units(self.vectors)))

    def listeners(self, likes: Matrix) -> Histories:
        """Somebody's liked songs as plays of today, scores (listeners, songs) as counts; a score of 1 is one play."""
        likes = likes.tocsr().astype(np.float32)
        since = ones(likes)
        per_list = self.lists.sum() / max(int(self.is_known.sum()), 1)
        lists = np.maximum(np.asarray(likes.sum(axis=1)).ravel() / max(per_list, 1), 1)
        last = np.full(likes.shape[0], self.last_day, dtype=np.int64)
        nobody = np.full(likes.shape[0], -1, dtype=np.int64)
        return Histories(likes, dict.fromkeys(HALF_LIVES, likes), since, lists, last, nobody)

    def candidates(
        self, histories: Histories, n: int, others: int = 0, random: np.random.Generator | None = None
    ) -> Iterator[Candidates]:
        """For each player: every song that he played, the `n` others that most tells for, and some drawn `others`."""
        order = np.argsort(histories.last_days // PEER_DAYS, kind="stable")
        made: dict[int, Candidates] = {}
        for first in range(0, len(order), AT_ONCE):
            rows = order[first : first + AT_ONCE]
            made.update(zip(rows.tolist(), self._block(histories.of(rows), n, others, random), strict=True))
        for row in range(len(order)):
            yield made.pop(row)

    def _block(
        self, players: Histories, n: int, others: int, random: np.random.Generator | None
    ) -> Iterator[Candidates]:
        """Candidates of at most `AT_ONCE` players."""
        told = Told(self, players)
        for row in range(len(players.lists)):
            known, _ = entries(players.plays, row)
            is_open = self.popularity > 0
            is_open[known] = False
            free = np.flatnonzero(is_open)
            best = free[largest(told.promise(row)[free], n)]
            if random is not None and len(free) > n:
                best = np.union1d(best, random.choice(free, min(others, len(free)), replace=False))
            songs = np.concatenate([np.sort(known), np.sort(best)]).astype(np.int64)
            is_known = np.arange(len(songs)) < len(known)
            yield Candidates(songs, told.features(row, songs), is_known)

    def peers_lately(self, day: int) -> Matrix:
        """What DJs played around a day, newer plays counting more, log-scaled; (DJs, songs)."""
        span = day // PEER_DAYS
        if self._peers is None or self._peers[0] != span:
            weights = self.weights(span * PEER_DAYS + PEER_DAYS // 2, PEER_HALF_LIFE)
            weighted = scaled(self.dj_lists, columns=weights)
            weighted.eliminate_zeros()
            self._peers = (span, log_scaled(weighted @ self.lists, inside=4))
        return self._peers[1]

    def current(self, day: int, half_life: int) -> Floats:
        """What anybody plays up to a day, newer plays counting more, log-scaled; shape (songs,)."""
        if (day, half_life) not in self._current:
            if len(self._current) >= _CURRENT_KEPT:
                self._current.clear()
            self._current[day, half_life] = np.log1p(4 * (self.weights(day, half_life) @ self.lists))
        return self._current[day, half_life]

    def zeros(self) -> Floats:
        """One number a song."""
        return np.zeros(self.lists.shape[1], dtype=np.float32)

    def spread(self, matrix: Matrix, row: int) -> Floats:
        """A row of a sparse matrix (players, songs), shape (songs,)."""
        spread = self.zeros()
        places, values = entries(matrix, row)
        spread[places] = values
        return spread

    def weights(self, day: int, half_life: float) -> Floats:
        """By tracklist, 2^(-age / half-life) seen from a day, 0 for later ones."""
        age = day - self.days
        return np.where(self.is_known & (age >= 0), np.exp2(-np.maximum(age, 0) / half_life), 0).astype(np.float32)


def dated(days: Integers, otherwise: int = 0) -> Integers:
    """Days of which none is missing: a tracklist without one is of the first day, or of another where all lack it."""
    is_missing = days == NO_DATE
    return np.where(is_missing, otherwise if is_missing.all() else days[~is_missing].min(), days)


def faded(own: Matrix, days: Integers, half_life: float) -> Matrix:
    """Ones of players' tracklists, (players, tracklists), as 2^(-age / half-life), back from a player's last one."""
    made = own.tocsr(copy=True)
    _, age = _ages(made, days)
    made.data = np.exp2(-age / half_life)
    return made


def _ages(own: Matrix, days: Integers) -> tuple[Integers, Floats]:
    """Each player's last day, and the days from each of his tracklists to it."""
    player = np.repeat(np.arange(own.shape[0]), np.diff(own.indptr))
    last = np.full(own.shape[0], np.iinfo(np.int64).min)
    np.maximum.at(last, player, days[own.indices])
    return last, (last[player] - days[own.indices]).astype(np.float32)


def _histories(own: Matrix, lists: Matrix, days: Integers, djs: Integers) -> Histories:
    last, age = _ages(own, days)
    plays = (own @ lists).tocsr()
    recent = {half_life: (faded(own, days, half_life) @ lists).tocsr() for half_life in HALF_LIVES}
    since = _days_since(own, lists, age, plays)
    return Histories(plays, recent, since, np.diff(own.indptr).astype(float), last, djs)


def _days_since(own: Matrix, lists: Matrix, age: Floats, plays: Matrix) -> Matrix:
    latest = plays.copy()
    latest.sort_indices()
    latest.data[:] = np.float32(2**24)
    for row in range(own.shape[0]):
        span = slice(own.indptr[row], own.indptr[row + 1])
        held = lists[own.indices[span]]
        places = latest.indptr[row] + np.searchsorted(
            latest.indices[latest.indptr[row] : latest.indptr[row + 1]], held.indices
        )
        np.minimum.at(latest.data, places, 1 + np.repeat(age[span], np.diff(held.indptr)))
    return latest


def past_of(snapshot: GraphSnapshot, vectors: Floats | None = None) -> Past:
    """All that a snapshot knows; the songs' vectors are made if not given."""
    return Past(snapshot.lists, snapshot.days, snapshot.dj_lists, snapshot.credits, vectors)


def past_before(snapshot: GraphSnapshot, is_seen: npt.NDArray[np.bool_]) -> Past:
    """What a snapshot knows from some of its tracklists."""
    seen = is_seen.astype(np.float32)
    lists, dj_lists = scaled(snapshot.lists, rows=seen), scaled(snapshot.dj_lists, columns=seen)
    for matrix in (lists, dj_lists):
        matrix.eliminate_zeros()
    return Past(lists, snapshot.days, dj_lists, snapshot.credits)
