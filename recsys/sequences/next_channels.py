"""What tells which song comes next: like tracklists, artists, order, the programme, the DJ, programmes like it, now.

Neighbours are tracklists near to the beginning of one, as in SKNN and VSKNN (Ludewig and Jannach, UMUAI 2018).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from recsys.sequences.played import CURRENT_HALF_LIVES, DAYS_AT_ONCE, Played, first_of_rows, row_of_each, spread
from recsys.tracklists.graph_snapshot import NO_DATE
from recsys.tracklists.running_order import Sets
from recsys.tracklists.sparse_rows import entries, largest
from recsys.tracklists.stored_arrays import Floats, Integers, Matrix

CONTEXT = 15
"""Songs that are read of a beginning, its last ones."""

FADING = 0.9
"""What a song of the beginning counts beside the one after it."""

NEIGHBOURS = 300
NEAR_NEIGHBOURS = 200
OWN_NEIGHBOURS = 100
"""Tracklists that speak: by songs; with nearness in time; of the same programme or DJ before others."""

NEXT_ARTISTS = 100
"""Artists who come next, most likely."""

OWN_BONUS = 2.0
"""What a tracklist of the same programme, or DJ, counts more."""

NEAR_HALF_LIVES = {"near": 180, "own": 365, "artists near": 90}
FAR = 0.1
"""What a tracklist of any time counts, beside 1 for one of the same day."""

RECENT_LISTS = 60
"""Of a programme or a DJ, the tracklists nearest in time."""
PROGRAMME_HALF_LIVES = (7, 30, 365)
DJ_HALF_LIVES = (30, 365)

CHANNELS = {
    "neighbours": ("neighbours", "near neighbours", "own neighbours"),
    "artists": (
        *("artist neighbours", "near artist neighbours", "next artists", "artist", "last artist"),
        *("is last artist", "is an artist", "artist plays"),
    ),
    "order": ("next songs", "after last"),
    "programme": (*(f"programme {days}" for days in PROGRAMME_HALF_LIVES), "programme", "programme lists"),
    "dj": (*(f"dj {days}" for days in DJ_HALF_LIVES), "dj", "dj lists"),
    "peers": ("peers",),
    "popularity": (*(f"current {days}" for days in CURRENT_HALF_LIVES), "popularity", "age", "rest"),
    "habits": ("length", "gap"),
}
"""Features by what they tell of."""

LEVELLED = (
    *("neighbours", "near neighbours", "own neighbours", "artist neighbours", "near artist neighbours"),
    *("next songs", "next artists", "peers", "programme 30", "dj 30"),
)
"""Of which a feature more says how near the song is to the best one."""

FEATURES = (*(name for names in CHANNELS.values() for name in names), *(f"{name}, level" for name in LEVELLED))

DRAWN = {
    "neighbours": 60,
    "near neighbours": 80,
    "own neighbours": 80,
    "artist neighbours": 40,
    "near artist neighbours": 120,
    "next songs": 60,
    "next artists": 30,
    "artist": 40,
    "last artist": 40,
    "programme 7": 80,
    "programme 30": 80,
    "programme": 60,
    "dj 30": 80,
    "dj 365": 60,
    "dj": 60,
    "peers": 80,
}
"""Songs that are weighed, the first of each; and the current ones."""


class Candidates(NamedTuple):
    """Songs that may come next, and what tells of each."""

    songs: Integers
    features: Floats
    """Shape (songs, features), in the order of `FEATURES`."""


class Told:
    """What tells of songs after some beginnings of tracklists: rows of sparse matrices (beginnings, songs)."""

    def __init__(self, played: Played, begun: Sets) -> None:
        """Read what tells.

        Args:
            played: the known tracklists; none of them is a tracklist that is asked for.
            begun: the beginnings' last `CONTEXT` songs.
        """
        self._played, self._begun = played, begun
        self._days = np.where(begun.days == NO_DATE, played.last_day, begun.days)
        self._now = played.known_day(begun.days)
        back = np.repeat(begun.starts[1:], begun.lengths) - 1 - np.arange(len(begun.songs))
        self._told: dict[str, Matrix] = {
            **self._by_neighbours(back),
            **self._by_artists(back),
            **self._by_order(back),
            **self._recent("programme", begun.programmes, played.by_programme, PROGRAMME_HALF_LIVES),
            **self._recent("dj", begun.djs, played.by_dj, DJ_HALF_LIVES),
            "programme": _rows(played.programme_plays, begun.programmes),
            "dj": _rows(played.dj_plays, begun.djs),
            "peers": self._by_peers(),
        }
        self._scratch = np.zeros(played.counts.songs, dtype=np.float32)

    def _context(
        self,
        of: Integers,
        weights: npt.NDArray[np.floating],
        columns: int,
        is_kept: npt.NDArray[np.bool_] | bool = True,
    ) -> Matrix:
        """Weights of what the beginnings hold, (beginnings, songs or artists)."""
        kept = (of >= 0) & is_kept
        return spread(self._begun.list_of[kept], of[kept], (len(self._begun), columns), weights[kept])

    def _by_neighbours(self, back: Integers) -> dict[str, Matrix]:
        played, songs = self._played, self._begun.songs
        heard = self._context(songs, FADING**back * played.rarity[songs], played.counts.songs)
        nearness = (heard @ played.lists_of_songs).tocsr()
        near = self._faded(nearness, NEAR_HALF_LIVES["near"])
        own = self._favoured(self._faded(nearness, NEAR_HALF_LIVES["own"]))
        return {
            "neighbours": first_of_rows(nearness, NEIGHBOURS) @ played.lists,
            "near neighbours": first_of_rows(near, NEIGHBOURS) @ played.lists,
            "own neighbours": first_of_rows(own, OWN_NEIGHBOURS) @ played.lists,
        }

    def _by_artists(self, back: Integers) -> dict[str, Matrix]:
        played, artists = self._played, self._begun.artists
        count = played.counts.artists
        heard = self._context(artists, FADING**back * played.artist_rarity[artists], count)
        nearness = (heard @ played.lists_of_artists).tocsr()
        near = self._favoured(self._faded(nearness, NEAR_HALF_LIVES["artists near"]))
        weights = 1 / (1 + back) / np.sqrt(np.maximum(played.artist_popularity[artists], 1))
        following = self._context(artists, weights, count, back < 3) @ played.following_artists
        plain = np.ones(len(back), dtype=np.float32)
        return {
            "artist neighbours": first_of_rows(nearness, NEIGHBOURS) @ played.lists,
            "near artist neighbours": first_of_rows(near, NEAR_NEIGHBOURS) @ played.lists,
            "next artists": first_of_rows(following.tocsr(), NEXT_ARTISTS) @ played.songs_of_artists,
            "artist": self._context(artists, plain, count) @ played.songs_of_artists,
            "last artist": self._context(artists, plain, count, back == 0) @ played.songs_of_artists,
        }

    def _by_order(self, back: Integers) -> dict[str, Matrix]:
        played, songs = self._played, self._begun.songs
        weights = 1 / (1 + back) / np.sqrt(np.maximum(played.popularity[songs], 1))
        return {
            "next songs": self._context(songs, weights, played.counts.songs, back < 5) @ played.following,
            "after last": self._context(songs, np.ones(len(back)), played.counts.songs, back == 0) @ played.following,
        }

    def _faded(self, nearness: Matrix, half_life: int) -> Matrix:
        """Tracklists count less the more days lie between."""
        made = nearness.copy()
        apart = np.abs(self._played.days[made.indices] - self._now[row_of_each(made)])
        made.data = (made.data * (FAR + np.exp2(-apart / half_life))).astype(np.float32)
        return made

    def _favoured(self, nearness: Matrix) -> Matrix:
        """Tracklists of the same programme and DJ count more."""
        rows, sets = row_of_each(nearness), self._played.sets
        bonus = np.ones(nearness.nnz, dtype=np.float32)
        for theirs, asked in ((sets.programmes, self._begun.programmes), (sets.djs, self._begun.djs)):
            bonus += OWN_BONUS * ((theirs[nearness.indices] == asked[rows]) & (asked[rows] >= 0))
        nearness.data *= bonus
        return nearness

    def _recent(
        self, name: str, rows: Integers, lists_of: list[Integers], half_lives: tuple[int, ...]
    ) -> dict[str, Matrix]:
        """What the programme or the DJ plays around that day, days counted from the tracklist nearest to it."""
        places, lists, ages = [], [], []
        for place in np.flatnonzero(rows >= 0).tolist():
            near = self._played.nearest(lists_of[rows[place]], int(self._days[place]), RECENT_LISTS)
            if len(near):
                apart = np.abs(self._played.days[near] - self._days[place])
                places.append(np.full(len(near), place))
                lists.append(near)
                ages.append(apart - apart.min())
        shape = (len(self._begun), len(self._played.sets))
        if not places:
            nothing = sparse.csr_matrix((len(self._begun), self._played.counts.songs), dtype=np.float32)
            return {f"{name} {half_life}": nothing for half_life in half_lives}
        row, column, age = (np.concatenate(parts) for parts in (places, lists, ages))
        return {
            f"{name} {half_life}": spread(row, column, shape, np.exp2(-age / half_life)) @ self._played.lists
            for half_life in half_lives
        }

    def _by_peers(self) -> Matrix:
        """What programmes like this one play around that day."""
        near = _rows(self._played.peers, self._begun.programmes)
        weeks = self._now // DAYS_AT_ONCE
        made = []
        for week in np.unique(weeks).tolist():
            rows = np.flatnonzero(weeks == week)
            told = (near[rows] @ self._played.peers_lately(week)).tocoo()
            made.append((rows[told.row], told.col, told.data))
        shape = (len(self._begun), self._played.counts.songs)
        row, column, value = (np.concatenate(parts) for parts in zip(*made, strict=True))
        return spread(row, column, shape, value)

    def candidates(self, row: int) -> Candidates:
        """Songs that may follow one beginning, none that it holds."""
        played, begun = self._played, self._begun
        held = slice(begun.starts[row], begun.starts[row + 1])
        week = int(self._now[row]) // DAYS_AT_ONCE
        drawn = [played.current_songs(week)]
        for name, n in DRAWN.items():
            if name in self._told:
                places, values = entries(self._told[name], row)
                drawn.append(places[largest(values, n)])
        songs = np.setdiff1d(np.concatenate(drawn), begun.songs[held])
        songs = songs[played.popularity[songs] > 0].astype(np.int64)
        return Candidates(songs, self._features(row, songs, begun.artists[held], week))

    def _features(self, row: int, songs: Integers, artists: Integers, week: int) -> Floats:
        played, begun = self._played, self._begun
        told: dict[str, Any] = {}
        for name, matrix in self._told.items():
            places, values = entries(matrix, row)
            self._scratch[places] = values
            told[name] = found = self._scratch[songs]
            self._scratch[places] = 0
            if name in LEVELLED:
                told[f"{name}, level"] = found / max(float(values.max(initial=0)), 1e-9)
        theirs = played.song_artists[songs]
        told["is last artist"] = (theirs == artists[-1]) & (theirs >= 0) if len(artists) else 0.0
        told["is an artist"] = np.isin(theirs, artists) & (theirs >= 0)
        told["artist plays"] = np.where(theirs >= 0, played.artist_popularity[theirs], 0)
        current = played.current(week, songs)
        told |= {f"current {days}": current[:, column] for column, days in enumerate(CURRENT_HALF_LIVES)}
        told["popularity"] = played.popularity[songs]
        now = self._now[row]
        told["age"] = np.log1p(np.abs(now - played.first_played[songs]))
        told["rest"] = np.log1p(np.abs(now - played.last_played[songs]))
        told["length"] = float(begun.lengths[row])
        told["gap"] = float(np.log1p(abs(self._days[row] - now)))
        told["programme lists"] = _count(played.by_programme, begun.programmes[row])
        told["dj lists"] = _count(played.by_dj, begun.djs[row])
        features = np.empty((len(songs), len(FEATURES)), dtype=np.float32)
        for column, name in enumerate(FEATURES):
            features[:, column] = told[name]
        return features


def without_channels(features: Floats, channels: tuple[str, ...]) -> Floats:
    """Features in which some channels say the same of every song."""
    silent = {name for channel in channels for name in CHANNELS[channel]}
    made = features.copy()
    made[:, [column for column, name in enumerate(FEATURES) if name.removesuffix(", level") in silent]] = 0
    return made


def _rows(matrix: Matrix, rows: Integers) -> Matrix:
    """Rows of a matrix, empty ones where there is none."""
    places = np.flatnonzero(rows >= 0)
    shape = (len(rows), matrix.shape[0])
    return (spread(places, rows[places], shape, np.ones(len(places))) @ matrix).tocsr()


def _count(lists_of: Mapping[int, Integers] | list[Integers], row: int) -> float:
    return float(len(lists_of[row])) if row >= 0 else 0.0
