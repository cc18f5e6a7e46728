"""What tells whether a player will play a song: his own plays, artists, tracklists, DJs like him, what is current.

A player is a DJ, or anybody whose plays are given. Pure arrays; all counts are of tracklists that were handed in, so
that the same code reads the past for training and all there is for answering.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from recsys.tracklists.graph_snapshot import NO_DATE, GraphSnapshot
from recsys.tracklists.song_space import Floats, song_scales, song_vectors, units
from recsys.tracklists.stored_arrays import Matrix

Integers = npt.NDArray[np.int64]

HALF_LIVES = (30, 90, 365)
"""Days after which a play counts half, back from the player's last tracklist."""

CURRENT_HALF_LIVES = (30, 180)
"""The same for what anybody plays, back from the day on which the player is asked for."""

PEERS = 50
"""DJs who count as similar, the nearest ones."""

PEER_HALF_LIFE = 180
_PEER_DAYS = 60
"""Days that share one reading of what DJs lately play."""

NEVER = 9.0
"""Stands for the log of the days since a play that never was; log(1 + 22 years)."""

_CURRENT_KEPT = 64

AT_ONCE = 16
"""Players whose channels are in memory, as dense rows over all songs."""

CHANNELS = {
    "own plays": ("own", *(f"own {days}" for days in HALF_LIVES), "since"),
    "artists": ("artist", *(f"artist {days}" for days in HALF_LIVES[::2]), "artist share"),
    "lists": ("beside", *(f"beside {days}" for days in HALF_LIVES[::2])),
    "space": ("space", f"space {HALF_LIVES[1]}"),
    "similar DJs": ("peers", f"peers {PEER_HALF_LIFE}"),
    "popularity": ("popularity", *(f"current {days}" for days in CURRENT_HALF_LIVES), "age"),
    "habits": ("lists", "repeats", "songs a list"),
}
"""Features by what they tell of."""

FEATURES = tuple(name for names in CHANNELS.values() for name in names)


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
        self.lists = _ones(lists)
        self.dj_lists = dj_lists.tocsr()
        self.is_known = np.diff(self.lists.indptr) > 0
        dated = self.is_known & (days != NO_DATE)
        self.first_day = int(days[dated].min()) if dated.any() else 0
        self.last_day = int(days[dated].max()) if dated.any() else 0
        self.days = np.where(days == NO_DATE, self.first_day, days)
        """A tracklist without a date is of the first day."""
        self.popularity = _sums(self.lists)
        self.plays = (self.dj_lists @ self.lists).tocsr()
        self.vectors = song_vectors(self.lists, self.popularity) if vectors is None else vectors
        self.unit_vectors = units(self.vectors)
        self._song_scales = song_scales(self.popularity)
        self.scaled_lists = _scaled(self.lists, columns=1 / np.sqrt(np.maximum(self.popularity, 1)))
        self.lists_of_songs = self.scaled_lists.T.tocsr()
        self.credited = credited.tocsr()
        self.by_artist = self.credited.T.tocsr()
        self.artist_plays = np.maximum(self.by_artist @ self.popularity, 1).astype(np.float32)
        self.dj_logs = _log(self.plays)
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
        own = _scaled(self.dj_lists[djs], columns=self.is_known.astype(np.float32))
        own.eliminate_zeros()
        dj_of = np.repeat(np.arange(len(djs)), np.diff(own.indptr))
        last = np.full(len(djs), self.first_day, dtype=np.int64)
        np.maximum.at(last, dj_of, self.days[own.indices])
        age = (last[dj_of] - self.days[own.indices]).astype(np.float32)
        recent = {}
        for days in HALF_LIVES:
            weighted = own.copy()
            weighted.data = np.exp2(-age / days)
            recent[days] = (weighted @ self.lists).tocsr()
        plays = (own @ self.lists).tocsr()
        return Histories(
            plays, recent, self._days_since(own, age, plays), np.diff(own.indptr).astype(float), last, np.asarray(djs)
        )

    def _days_since(self, own: Matrix, age: Floats, plays: Matrix) -> Matrix:
        latest = plays.copy()
        latest.sort_indices()
        latest.data[:] = np.float32(2**24)
        for row in range(own.shape[0]):
            span = slice(own.indptr[row], own.indptr[row + 1])
            held = self.lists[own.indices[span]]
            places = latest.indptr[row] + np.searchsorted(
                latest.indices[latest.indptr[row] : latest.indptr[row + 1]], held.indices
            )
            np.minimum.at(latest.data, places, 1 + np.repeat(age[span], np.diff(held.indptr)))
        return latest

    def dj_units(self, plays: Matrix) -> Matrix:
        """Rows of length 1, log(1 + plays) * log(DJs / DJs who play the song): their products say how near DJs are."""
        weighted = _scaled(_log(plays), columns=self._rarity)
        norms = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
        return _scaled(weighted, rows=1 / np.where(norms > 0, norms, 1))

    def player_vectors(self, plays: Matrix) -> Floats:
        """Where players stand among the songs, by their plays (players, songs); not scaled, (players, size)."""
        vectors: Floats = _scaled(_log(plays), columns=self._song_scales) @ self.vectors
        return vectors

    def artist_vectors(self) -> Floats:
        """Unit vectors of the artists, by their songs' plays, (artists, size)."""
        plays = np.log1p(self.popularity)[:, None]
        return units(self.by_artist @ (plays * units(self.vectors)))

    def listeners(self, likes: Matrix) -> Histories:
        """Somebody's liked songs as plays of today, scores (listeners, songs) as counts; a score of 1 is one play."""
        likes = likes.tocsr().astype(np.float32)
        since = _ones(likes)
        per_list = self.lists.sum() / max(int(self.is_known.sum()), 1)
        lists = np.maximum(np.asarray(likes.sum(axis=1)).ravel() / max(per_list, 1), 1)
        last = np.full(likes.shape[0], self.last_day, dtype=np.int64)
        nobody = np.full(likes.shape[0], -1, dtype=np.int64)
        return Histories(likes, dict.fromkeys(HALF_LIVES, likes), since, lists, last, nobody)

    def candidates(
        self, histories: Histories, n: int, others: int = 0, random: np.random.Generator | None = None
    ) -> Iterator[Candidates]:
        """For each player: every song that he played, the `n` others that most tells for, and some drawn `others`."""
        order = np.argsort(histories.last_days // _PEER_DAYS, kind="stable")
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
        told = _Told(self, players)
        for row in range(len(players.lists)):
            known = players.plays.indices[players.plays.indptr[row] : players.plays.indptr[row + 1]]
            is_open = self.popularity > 0
            is_open[known] = False
            free = np.flatnonzero(is_open)
            best = free[_first(told.promise(row)[free], n)]
            if random is not None and len(free) > n:
                best = np.union1d(best, random.choice(free, min(others, len(free)), replace=False))
            songs = np.concatenate([np.sort(known), np.sort(best)]).astype(np.int64)
            is_known = np.arange(len(songs)) < len(known)
            yield Candidates(songs, told.features(row, songs), is_known)

    def peers_lately(self, day: int) -> Matrix:
        """What DJs played around a day, newer plays counting more, log-scaled; (DJs, songs)."""
        span = day // _PEER_DAYS
        if self._peers is None or self._peers[0] != span:
            weights = self.weights(span * _PEER_DAYS + _PEER_DAYS // 2, PEER_HALF_LIFE)
            weighted = _scaled(self.dj_lists, columns=weights)
            weighted.eliminate_zeros()
            self._peers = (span, _log((weighted @ self.lists).tocsr(), 4))
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
        places, values = _entries(matrix, row)
        spread[places] = values
        return spread

    def weights(self, day: int, half_life: float) -> Floats:
        """By tracklist, 2^(-age / half-life) seen from a day, 0 for later ones."""
        age = day - self.days
        return np.where(self.is_known & (age >= 0), np.exp2(-np.maximum(age, 0) / half_life), 0).astype(np.float32)


class _Told:
    """What tells of songs for some players: rows of sparse matrices (players, songs), dense where DJs speak."""

    def __init__(self, past: Past, players: Histories) -> None:
        self._past = past
        self._players = players
        self._own = {"": players.plays} | {f" {days}": matrix for days, matrix in players.recent.items()}
        self._made: dict[tuple[str, int, float], Matrix] = {}
        share = _scaled(players.plays @ past.credited, columns=1 / past.artist_plays) @ past.by_artist
        share.data = np.sqrt(share.data)
        self._sparse = {"artist share": share}
        for name in CHANNELS["artists"][:-1]:
            self._sparse[name] = self._by_own(name, "artist", 1 if name == "artist" else 4, self._of_artists)
        for name in CHANNELS["lists"]:
            self._sparse[name] = self._by_own(
                name, "beside", 4 if name == f"beside {HALF_LIVES[0]}" else 1, self._beside
            )
        self._vectors = {
            name: self._by_own(name, "space", 1 if name == "space" else 4, self._placed) for name in CHANNELS["space"]
        }
        self._dense = dict(zip(CHANNELS["similar DJs"], self._peers(), strict=True))

    def _by_own(self, name: str, stem: str, scale: float, make: Callable[[Matrix, float], Any]) -> Any:
        """Made of the player's own plays, or of late ones; once where they are the same, as a listener's likes are."""
        plays = self._own[name.removeprefix(stem)]
        key = (stem, id(plays), scale)
        if key not in self._made:
            self._made[key] = make(plays, scale)
        return self._made[key]

    def _of_artists(self, plays: Matrix, scale: float) -> Matrix:
        return _log(plays @ self._past.credited @ self._past.by_artist, scale)

    def _beside(self, plays: Matrix, scale: float) -> Matrix:
        weights = _log(plays, scale)
        reached = (weights @ self._past.lists_of_songs @ self._past.scaled_lists - weights).tocsr()
        reached.data = np.maximum(reached.data, 0)
        return _level(reached)

    def _placed(self, plays: Matrix, scale: float) -> Floats:
        return units(self._past.player_vectors(scale * plays))

    def _peers(self) -> Iterator[Floats]:
        """By all that similar DJs played, and by what they play lately."""
        past, players = self._past, self._players
        near = _dense(past.dj_units(players.plays) @ past.djs_of_songs)
        rows = np.flatnonzero(players.djs >= 0)
        near[rows, players.djs[rows]] = 0
        if near.shape[1] > PEERS:
            near[near < -np.partition(-near, PEERS - 1, axis=1)[:, PEERS - 1, None]] = 0
        near = sparse.csr_matrix(near)
        yield _dense(_level(near @ past.dj_logs))
        lately = np.zeros((near.shape[0], past.lists.shape[1]), dtype=np.float32)
        spans = players.last_days // _PEER_DAYS
        for span in np.unique(spans):
            rows = np.flatnonzero(spans == span)
            lately[rows] = _dense(_level(near[rows] @ past.peers_lately(int(span) * _PEER_DAYS)))
        yield lately

    def promise(self, row: int) -> Floats:
        """How much tells for each song, of the songs that a player does not know."""
        reached = self._past.zeros()
        for name in CHANNELS["similar DJs"]:
            reached += self._dense[name][row]
        for name in ("artist share", f"beside {HALF_LIVES[-1]}"):
            places, values = _entries(self._sparse[name], row)
            reached[places] += values
        return reached

    def features(self, row: int, songs: Integers) -> Floats:
        """Those of one player for some songs, (songs, features)."""
        players, past = self._players, self._past
        told = {name: values[row, songs] for name, values in self._dense.items()}
        told |= {name: past.spread(matrix, row)[songs] for name, matrix in self._sparse.items()}
        vectors = past.unit_vectors[songs]
        told |= {name: vectors @ placed[row] for name, placed in self._vectors.items()}
        for name in CHANNELS["own plays"][:-1]:
            plays = past.spread(self._own[name.removeprefix("own")], row)[songs]
            told[name] = np.log1p(plays if name == "own" else 4 * plays)
        since = past.spread(players.days_since, row)[songs]
        told["since"] = np.where(since > 0, np.log(np.maximum(since, 1)), NEVER)
        day = int(players.last_days[row])
        told["popularity"] = np.log(np.maximum(past.popularity[songs], 1))
        told |= {f"current {days}": past.current(day, days)[songs] for days in CURRENT_HALF_LIVES}
        told["age"] = np.log1p(np.maximum(day - past.first_played[songs], 0) / 30)
        _, counts = _entries(players.plays, row)
        total = max(float(counts.sum()), 1.0)
        told["lists"] = np.full(len(songs), np.log(players.lists[row]))
        told["repeats"] = np.full(len(songs), 1 - len(counts) / total)
        told["songs a list"] = np.full(len(songs), np.log(total / players.lists[row]))
        return np.stack([told[name] for name in FEATURES], axis=1).astype(np.float32)


def past_of(snapshot: GraphSnapshot, vectors: Floats | None = None) -> Past:
    """All that a snapshot knows; the songs' vectors are made if not given."""
    return Past(snapshot.lists, snapshot.days, snapshot.dj_lists, snapshot.credits, vectors)


def past_before(snapshot: GraphSnapshot, is_seen: npt.NDArray[np.bool_]) -> Past:
    """What a snapshot knows from some of its tracklists."""
    seen = is_seen.astype(np.float32)
    lists, dj_lists = _scaled(snapshot.lists, rows=seen), _scaled(snapshot.dj_lists, columns=seen)
    for matrix in (lists, dj_lists):
        matrix.eliminate_zeros()
    return Past(lists, snapshot.days, dj_lists, snapshot.credits)


def _ones(matrix: Matrix) -> Matrix:
    made = matrix.tocsr().astype(np.float32, copy=True)
    made.data[:] = 1
    return made


def _log(matrix: Matrix, scale: float = 1) -> Matrix:
    made = matrix.tocsr(copy=True)
    made.data = np.log1p(scale * made.data)
    return made


def _scaled(matrix: Matrix, rows: Any = None, columns: Any = None) -> Matrix:
    if rows is not None:
        matrix = sparse.diags(np.asarray(rows, dtype=np.float32)) @ matrix
    if columns is not None:
        matrix = matrix @ sparse.diags(np.asarray(columns, dtype=np.float32))
    return matrix.tocsr()


def _sums(matrix: Matrix) -> Floats:
    sums: Floats = np.asarray(matrix.sum(axis=0), dtype=np.float32).ravel()
    return sums


def _dense(matrix: Matrix) -> Floats:
    dense: Floats = np.asarray(matrix.toarray() if sparse.issparse(matrix) else matrix, dtype=np.float32)
    return dense


def _entries(matrix: Matrix, row: int) -> tuple[Integers, Floats]:
    """Places and values of a row."""
    span = slice(matrix.indptr[row], matrix.indptr[row + 1])
    return matrix.indices[span], matrix.data[span]


def _level(scores: Matrix) -> Matrix:
    """Roots of scores, 0 or more, on a level that does not depend on how much a player played."""
    level = scores.tocsr(copy=True)
    counts = np.diff(level.indptr)
    rows = np.repeat(np.arange(len(counts)), counts)
    norms = np.sqrt(np.bincount(rows, level.data**2, len(counts)))
    level.data = np.sqrt(30 * level.data / np.maximum(norms[rows], 1e-9)).astype(np.float32)
    return level


def _first(scores: Floats, n: int) -> Integers:
    """Places of the n largest, in no order."""
    places: Integers = np.argpartition(-scores, n)[:n] if n < len(scores) else np.arange(len(scores))
    return places
