"""What tells whether a player will play a song: his own plays, artists, tracklists, DJs like him, what is current."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from recsys.tracklists.song_space import units
from recsys.tracklists.sparse_rows import dense, entries, level, log_scaled, scaled
from recsys.tracklists.stored_arrays import Floats, Integers, Matrix

if TYPE_CHECKING:
    from recsys.tracklists.past import Histories, Past

HALF_LIVES = (30, 90, 365)
"""Days after which a play counts half, back from the player's last tracklist."""

CURRENT_HALF_LIVES = (30, 180)
"""The same for what anybody plays, back from the day on which the player is asked for."""

PEERS = 50
"""DJs who count as similar, the nearest ones."""

PEER_HALF_LIFE = 180
PEER_DAYS = 60
"""Days that share one reading of what DJs lately play."""

NEVER = 9.0
"""Stands for the log of the days since a play that never was; log(1 + 22 years)."""

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


class Told:
    """What tells of songs for some players: rows of sparse matrices (players, songs), dense where DJs speak."""

    def __init__(self, past: "Past", players: "Histories") -> None:
        """Read what tells, of a past and of players who are in it or not."""
        self._past = past
        self._players = players
        self._own = {"": players.plays} | {f" {days}": matrix for days, matrix in players.recent.items()}
        self._made: dict[tuple[str, int, float], Matrix] = {}
        share = scaled(players.plays @ past.credited, columns=1 / past.artist_plays) @ past.by_artist
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
        return log_scaled(plays @ self._past.credited @ self._past.by_artist, inside=scale)

    def _beside(self, plays: Matrix, scale: float) -> Matrix:
        weights = log_scaled(plays, inside=scale)
        reached = (weights @ self._past.lists_of_songs @ self._past.scaled_lists - weights).tocsr()
        reached.data = np.maximum(reached.data, 0)
        return level(reached)

    def _placed(self, plays: Matrix, scale: float) -> Floats:
        return units(self._past.player_vectors(scale * plays))

    def _peers(self) -> Iterator[Floats]:
        """By all that similar DJs played, and by what they play lately."""
        past, players = self._past, self._players
        near = dense(past.dj_units(players.plays) @ past.djs_of_songs)
        rows = np.flatnonzero(players.djs >= 0)
        near[rows, players.djs[rows]] = 0
        if near.shape[1] > PEERS:
            near[near < -np.partition(-near, PEERS - 1, axis=1)[:, PEERS - 1, None]] = 0
        near = sparse.csr_matrix(near)
        yield dense(level(near @ past.dj_logs))
        lately = np.zeros((near.shape[0], past.lists.shape[1]), dtype=np.float32)
        spans = players.last_days // PEER_DAYS
        for span in np.unique(spans):
            rows = np.flatnonzero(spans == span)
            lately[rows] = dense(level(near[rows] @ past.peers_lately(int(span) * PEER_DAYS)))
        yield lately

    def promise(self, row: int) -> Floats:
        """How much tells for each song, of the songs that a player does not know."""
        reached = self._past.zeros()
        for name in CHANNELS["similar DJs"]:
            reached += self._dense[name][row]
        for name in ("artist share", f"beside {HALF_LIVES[-1]}"):
            places, values = entries(self._sparse[name], row)
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
        _, counts = entries(players.plays, row)
        total = max(float(counts.sum()), 1.0)
        told["lists"] = np.full(len(songs), np.log(players.lists[row]))
        told["repeats"] = np.full(len(songs), 1 - len(counts) / total)
        told["songs a list"] = np.full(len(songs), np.log(total / players.lists[row]))
        return np.stack([told[name] for name in FEATURES], axis=1).astype(np.float32)
