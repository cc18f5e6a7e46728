"""What recommenders of songs for DJs are measured against, without anything learned: popularity, repeats, neighbours.

All read the snapshot alone. Parameters were chosen on tracklists of 2015 and 2016, foretold from those before. Sources:
nearest users and nearest items by cosine, Herlocker, Konstan, Borchers and Riedl (SIGIR 1999) and Sarwar, Karypis,
Konstan and Riedl (WWW 2001); older plays count less, Ding and Li, "Time weight collaborative filtering" (CIKM 2005).
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from recsys.tracklists.graph_snapshot import NO_DATE, GraphSnapshot
from recsys.tracklists.past import Newcomers
from recsys.tracklists.sparse_rows import column_sums, dense, log_scaled, unit_rows
from recsys.tracklists.stored_arrays import Floats, Integers, Matrix

DJ_HALF_LIFE = 180.0
"""Days after which a play of the DJ himself counts half, back from his last tracklist."""

DJ_NEIGHBOURS = 50
NEIGHBOUR_HALF_LIFE = 90.0
"""The same for what DJs like him play, back from the last of all tracklists."""

SONG_HALF_LIFE = 90.0
"""The same for plays whose neighbours are sought."""

OWN_WEIGHT = 10.0
"""What log(1 + 4 plays) of the player himself counts beside the best of his neighbours' songs, which counts 1."""


class Popularity:
    """The songs that most tracklists hold."""

    def __init__(self, snapshot: GraphSnapshot) -> None:
        self._popularity = popularity(snapshot)

    def of_djs(self, djs: Integers) -> Floats:
        """The same for every DJ."""
        return np.tile(self._popularity, (len(djs), 1))

    def of_newcomers(self, newcomers: Newcomers) -> Floats:
        """The same for everybody."""
        return np.tile(self._popularity, (newcomers.owned.shape[0], 1))


class OwnRepeats:
    """The songs that a player played most, then the popular ones."""

    def __init__(self, snapshot: GraphSnapshot, half_life: float | None = None) -> None:
        """Count plays, or with a half-life in days, older ones less."""
        self._half_life = half_life
        self._plays = snapshot.plays if half_life is None else recent_plays(snapshot, half_life)
        most = popularity(snapshot)
        self._fallback = (most / max(float(most.max()), 1) / 1000).astype(np.float32)

    def of_djs(self, djs: Integers) -> Floats:
        """By the DJ's plays, popularity orders what has equal ones and what has none."""
        return self._scores(self._plays[djs])

    def of_newcomers(self, newcomers: Newcomers) -> Floats:
        """By their plays, likewise."""
        return self._scores(newcomers.plays if self._half_life is None else newcomers.recent(self._half_life))

    def _scores(self, plays: Matrix) -> Floats:
        counts = dense(plays)
        return np.where(counts > 0, counts, -1) + self._fallback


class DjNeighbours:
    """What DJs with like songs lately play, beside the player's own songs.

    The cosine is of log(1 + plays) * log(DJs / DJs who play the song), squared, of the `neighbours` nearest DJs.
    """

    def __init__(
        self,
        snapshot: GraphSnapshot,
        neighbours: int = DJ_NEIGHBOURS,
        own_half_life: float = DJ_HALF_LIFE,
        half_life: float = NEIGHBOUR_HALF_LIFE,
    ) -> None:
        self._neighbours = neighbours
        self._own_half_life = own_half_life
        self._plays = snapshot.plays
        self._own = recent_plays(snapshot, own_half_life)
        players = np.diff(self._plays.tocsc().indptr)
        self._rarity = np.log((1 + self._plays.shape[0]) / np.maximum(players, 1)).astype(np.float32)
        self._units = self._unit_rows(self._plays)
        days = known_days(snapshot)
        weights = np.exp2((days - days.max()) / half_life)
        self._lately = log_scaled(snapshot.dj_lists @ sparse.diags(weights) @ snapshot.lists.sign(), inside=4)

    def _unit_rows(self, plays: Matrix) -> Matrix:
        return unit_rows(log_scaled(plays) @ sparse.diags(self._rarity))

    def of_djs(self, djs: Integers) -> Floats:
        """By the DJ's nearest DJs, himself not among them."""
        cosines = dense(self._units[djs] @ self._units.T)
        cosines[np.arange(len(djs)), djs] = 0
        return self._scores(cosines, self._own[djs])

    def of_newcomers(self, newcomers: Newcomers) -> Floats:
        """By the DJs nearest to their plays."""
        cosines = dense(self._unit_rows(newcomers.plays) @ self._units.T)
        return self._scores(cosines, newcomers.recent(self._own_half_life))

    def _scores(self, cosines: Floats, own: Matrix) -> Floats:
        if self._neighbours < cosines.shape[1]:
            least = -np.partition(-cosines, self._neighbours - 1, axis=1)[:, self._neighbours - 1, None]
            cosines = np.where(cosines >= least, cosines, 0)
        told = dense(sparse.csr_matrix(cosines**2) @ self._lately)
        return _level(told) + OWN_WEIGHT * dense(log_scaled(own, inside=4))


class SongNeighbours:
    """Songs that stand in tracklists with what the player lately played, beside his own songs.

    What songs i and j share is counted in tracklists that hold both, each 1 / sqrt(its songs), and divided by
    lists(i) * sqrt(lists(j)) for a played i: the asymmetric cosine of Aiolli (RecSys 2013).
    """

    def __init__(
        self,
        snapshot: GraphSnapshot,
        own_half_life: float = DJ_HALF_LIFE,
        half_life: float = SONG_HALF_LIFE,
    ) -> None:
        self._half_lives = (half_life, own_half_life)
        self._own = recent_plays(snapshot, own_half_life)
        self._sought = recent_plays(snapshot, half_life)
        self._lists = snapshot.lists.sign().astype(np.float32).tocsr()
        self._scale = (1 / np.maximum(popularity(snapshot), 1)).astype(np.float32)
        weights = 1 / np.sqrt(np.maximum(np.diff(self._lists.indptr), 1))
        self._weighted = (sparse.diags(weights.astype(np.float32)) @ self._lists).T.tocsr()
        self._itself = np.asarray(self._weighted.sum(axis=1), dtype=np.float32).ravel()

    def of_djs(self, djs: Integers) -> Floats:
        """By the DJ's plays, older ones counting less."""
        return self._scores(self._sought[djs], self._own[djs])

    def of_newcomers(self, newcomers: Newcomers) -> Floats:
        """By their plays, likewise."""
        return self._scores(*(newcomers.recent(half_life) for half_life in self._half_lives))

    def _scores(self, sought: Matrix, own: Matrix) -> Floats:
        voices = (sought @ sparse.diags(self._scale)).tocsr()
        beside = (self._weighted @ dense(self._lists @ voices.T)).T - dense(voices) * self._itself
        return _level(np.maximum(beside, 0) * np.sqrt(self._scale)) + OWN_WEIGHT * dense(log_scaled(own, inside=4))


def popularity(snapshot: GraphSnapshot) -> Floats:
    """In how many tracklists each song stands, shape (songs,)."""
    return column_sums(snapshot.lists.sign())


def known_days(snapshot: GraphSnapshot) -> npt.NDArray[np.float64]:
    """Days of the tracklists; one without a date is of the first day."""
    dated = snapshot.days != NO_DATE
    first = snapshot.days[dated].min() if dated.any() else 0
    return np.where(dated, snapshot.days, first).astype(np.float64)


def recent_plays(snapshot: GraphSnapshot, half_life: float) -> Matrix:
    """How many of a DJ's tracklists hold a song, each counting 2^(-age / half-life), (DJs, songs).

    The age is in days back from the DJ's last tracklist, which counts 1.
    """
    own = snapshot.dj_lists.tocsr().astype(np.float64)
    dj = np.repeat(np.arange(own.shape[0]), np.diff(own.indptr))
    days = known_days(snapshot)[own.indices]
    last = np.full(own.shape[0], -np.inf)
    np.maximum.at(last, dj, days)
    own.data = np.exp2((days - last[dj]) / half_life)
    return (own @ snapshot.lists.sign()).tocsr()


def _level(scores: Any) -> Floats:
    """Scores, 0 or more, whose highest in a row is 1."""
    highest = scores.max(axis=1, keepdims=True)
    level: Floats = (scores / np.where(highest > 0, highest, 1)).astype(np.float32)
    return level
