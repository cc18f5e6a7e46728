"""Lists in an order that a DJ would play, drawn song by song, or the likeliest ones (MODELS C6); pure arrays."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from recsys.errors import SettingsError
from recsys.sequences.levels import Candidates, Doubles, Knobs, Levels, cut
from recsys.tracklists.running_order import UNKNOWN
from recsys.tracklists.stored_arrays import Floats, Integers

if TYPE_CHECKING:
    from recsys.sequences.sequence_model import SequenceModel, SequenceState

CONTEXT = 15
"""Songs that the network reads, the last ones."""

WARM_SONGS = 3
"""With fewer songs to begin with the network knows too little: up to so many are drawn without it .."""
WARM_AMONG = 10
""".. among so many of the highest joint scores."""

BEAM = 10
"""Beginnings of lists that a search for the highest sum keeps."""
BRANCHES = 4
"""Paths through the clusters that it follows for each of them."""


@dataclass(frozen=True)
class Wanted:
    """Which lists are wanted."""

    length: int = 15
    """Songs of a list, with those that it begins with."""
    lists: int = 1
    seed: int = 0
    """Of what is drawn: the same one draws the same lists, and more lists begin with the same ones."""
    has_beam: bool = False
    """Search for the lists of the highest sum of log probabilities, and draw nothing."""
    max_per_artist: int | None = None
    """Songs by one main artist; those that the list begins with count."""
    dj: int = UNKNOWN
    """Row of the DJ who plays, for the network."""
    knobs: Knobs = field(default_factory=Knobs)


@dataclass(frozen=True)
class Generated:
    """Lists, the best one first where they were searched for."""

    songs: Integers
    """Places among the candidates, (lists, songs), -1 where none was left."""
    log_probabilities: Doubles
    """Of the clusters from the top level down and of the song, (lists, songs, levels + 1); NaN where none was left.
    Songs that the network did not choose have those of their own likeliest clusters, before thresholds."""
    halved: Integers
    """How often a threshold left nothing and was halved, on each level from the top and for songs, (levels + 1,)."""


def generate(model: "SequenceModel", candidates: Candidates, wanted: Wanted) -> Generated:
    """Make lists of candidates.

    Raises:
        SettingsError: the lists are to be shorter than what they begin with, or a limit for artists that are not given.
    """
    if wanted.length < len(candidates.beginning):
        raise SettingsError(
            f"a list of {wanted.length} cannot begin with {len(candidates.beginning)} songs: ask for a longer one"
        )
    if wanted.max_per_artist is not None and candidates.artists is None:
        raise SettingsError("the candidates' artists must be given to limit the songs of each")
    return _Search(model, candidates, wanted).run() if wanted.has_beam else _Drawing(model, candidates, wanted).run()


class _Lists:
    """Lists that grow: their songs so far, what the network knows after them, and what may come next."""

    def __init__(self, model: "SequenceModel", candidates: Candidates, wanted: Wanted, count: int) -> None:
        self._model, self._candidates, self._limit = model, candidates, wanted.max_per_artist
        self._djs = np.full(count, wanted.dj)
        self._state: SequenceState = model.begin(self._djs)
        self.songs = np.zeros((count, 0), dtype=np.int64)
        self.logs = np.zeros((count, 0, len(candidates.members) + 1))
        allowed = np.ones(len(candidates), dtype=bool)
        allowed[candidates.beginning] = False
        self.allowed = np.tile(allowed, (count, 1))
        artists = 0 if self._limit is None or candidates.artists is None else candidates.artists.shape[1]
        self._held = np.zeros((count, artists))

    @property
    def hidden(self) -> Floats:
        """What the network knows after the last songs, (lists, width)."""
        if self.songs.shape[1] <= CONTEXT:
            return self._state.hidden
        return self._model.read(self._rows(self.songs[:, -CONTEXT:]), self._djs)

    def at(self, lists: Integers) -> None:
        """Go on with some of them, a list as often as it is named."""
        for name in ("_djs", "songs", "logs", "allowed", "_held"):
            setattr(self, name, getattr(self, name)[lists])
        self._state = self._state.at(lists)

    def add(self, songs: Integers, logs: Doubles) -> None:
        """A song for each list, -1 for none, and its log probabilities (lists, levels + 1)."""
        self.songs = np.column_stack([self.songs, songs])
        self.logs = np.concatenate([self.logs, logs[:, None]], axis=1)
        if self.songs.shape[1] <= CONTEXT:
            self._state = self._model.step(self._state, self._rows(songs))
        lists = np.flatnonzero(songs >= 0)
        self.allowed[lists, songs[lists]] = False
        if self._limit is not None and self._candidates.artists is not None:
            artists = self._candidates.artists
            self._held[lists] += artists[songs[lists]].toarray()
            full = (self._held >= self._limit).astype(np.float64)
            self.allowed &= (artists @ full.T).T == 0

    def _rows(self, songs: Integers) -> Integers:
        return np.where(songs >= 0, self._candidates.songs[songs], UNKNOWN)


class _Making:
    """What drawing and searching share: how lists begin."""

    def __init__(self, model: "SequenceModel", candidates: Candidates, wanted: Wanted, count: int) -> None:
        self._wanted = wanted
        self._levels = Levels(model, candidates, wanted.knobs)
        self._lists = _Lists(model, candidates, wanted, count)
        self._halved = np.zeros(self._levels.count + 1, dtype=np.int64)
        self._by_joint_score = np.argsort(-candidates.joint_scores(wanted.knobs.user_weight), kind="stable")
        self._given = len(candidates.beginning)
        self._warm_steps = max(min(WARM_SONGS, wanted.length) - self._given, 0)
        self._beginning = candidates.beginning

    def _begin(self, draws: Doubles) -> None:
        """Songs that the network does not choose, the warm ones by draws (steps, lists).

        It says how likely it finds them, beside the others that may come.
        """
        begun = []
        for step in range(self._given + self._warm_steps):
            count = len(self._lists.songs)
            is_warm = step >= self._given
            songs = self._warm(draws[step - self._given]) if is_warm else np.full(count, self._beginning[step])
            allowed = self._lists.allowed.copy()
            allowed[np.arange(count), songs] |= songs >= 0
            begun.append((self._lists.hidden, songs, allowed))
            self._lists.add(songs, np.full((count, self._levels.count + 1), np.nan))
        if begun:
            hidden, songs, allowed = (np.concatenate(parts) for parts in zip(*begun, strict=True))
            there = songs >= 0
            logs = np.full((len(songs), self._levels.count + 1), np.nan)
            logs[there] = self._levels.of_choice(hidden[there], songs[there], allowed[there])
            self._lists.logs[:] = logs.reshape(len(begun), -1, self._levels.count + 1).swapaxes(0, 1)

    def _warm(self, draws: Doubles) -> Integers:
        """Songs among the ten of the highest joint scores that are left, by draws 0 to 1, (lists,)."""
        ranked = self._lists.allowed[:, self._by_joint_score]
        left = np.minimum(ranked.sum(axis=1), WARM_AMONG)
        nth = np.floor(draws * left)
        place = (np.cumsum(ranked, axis=1) > nth[:, None]).argmax(axis=1)
        return np.where(left > 0, self._by_joint_score[place], UNKNOWN)

    def _cut(self, level: int, probabilities: Doubles) -> Doubles:
        kept, is_halved = cut(probabilities, self._levels.threshold(level))
        self._halved[self._levels.count - 1 - level] += int(is_halved.sum())
        return kept


class _Drawing(_Making):
    """Lists that are drawn, all at once."""

    def __init__(self, model: "SequenceModel", candidates: Candidates, wanted: Wanted) -> None:
        super().__init__(model, candidates, wanted, wanted.lists)
        shape = (wanted.length - len(candidates.beginning), self._levels.count + 1)
        drawn = [np.random.default_rng([wanted.seed, number]).random(shape) for number in range(wanted.lists)]
        self._draws = np.stack(drawn, axis=1)  # (steps, lists, levels + 1)

    def run(self) -> Generated:
        """The lists."""
        self._begin(self._draws[: self._warm_steps, :, -1])
        for draws in self._draws[self._warm_steps :]:
            self._add_drawn(draws)
        return Generated(self._lists.songs, self._lists.logs, self._halved)

    def _add_drawn(self, draws: Doubles) -> None:
        songs = np.full(len(draws), UNKNOWN)
        logs = np.full(draws.shape, np.nan)
        lists = np.flatnonzero(self._lists.allowed.any(axis=1))
        if len(lists):
            hidden, teacher = self._lists.hidden[lists], None
            for level in reversed(range(self._levels.count)):
                kept = self._cut(level, self._levels.of_clusters(hidden, level, teacher))
                step = self._levels.count - 1 - level
                teacher, logs[lists, step] = _drawn(kept, draws[lists, step])
            kept = self._cut(-1, self._levels.of_songs(hidden, teacher, self._lists.allowed[lists]))
            songs[lists], logs[lists, -1] = _drawn(kept, draws[lists, -1])
        self._lists.add(songs, logs)


def _drawn(probabilities: Doubles, draws: Doubles) -> tuple[Integers, Doubles]:
    """A choice for each list by a draw 0 to 1, and its log probability."""
    sums = np.cumsum(probabilities, axis=1)
    below = np.minimum(draws, 1 - 1e-9) * sums[:, -1]
    chosen = (sums > below[:, None]).argmax(axis=1)
    return chosen, np.log(probabilities[np.arange(len(chosen)), chosen])


class _Search(_Making):
    """The lists of the highest sum, by a beam over songs and, for each song, over paths through the clusters."""

    def __init__(self, model: "SequenceModel", candidates: Candidates, wanted: Wanted) -> None:
        super().__init__(model, candidates, wanted, 1)
        self._width = max(BEAM, wanted.lists)

    def run(self) -> Generated:
        """The lists, best first; fewer than wanted where there are no more."""
        self._begin(np.zeros((self._warm_steps, 1)))
        while self._lists.songs.shape[1] < self._wanted.length and self._lists.allowed.any():
            self._add_best()
        first, missing = slice(0, self._wanted.lists), self._wanted.length - self._lists.songs.shape[1]
        return Generated(
            np.pad(self._lists.songs[first], ((0, 0), (0, missing)), constant_values=UNKNOWN),
            np.pad(self._lists.logs[first], ((0, 0), (0, missing), (0, 0)), constant_values=np.nan),
            self._halved,
        )

    def _add_best(self) -> None:
        """Add a song to the best lists; those that cannot go on are given up, one at least can."""
        lists = np.flatnonzero(self._lists.allowed.any(axis=1))
        hidden = self._lists.hidden[lists]
        sums = self._lists.logs[lists].sum(axis=(1, 2))
        of, logs, teacher = np.arange(len(lists)), np.zeros((len(lists), 0)), None
        for level in (*reversed(range(self._levels.count)), -1):
            if level >= 0:
                p = self._levels.of_clusters(hidden[of], level, teacher)
            else:
                p = self._levels.of_songs(hidden[of], teacher, self._lists.allowed[lists[of]])
            path, teacher, log = _best(sums[of] + logs.sum(axis=1), self._cut(level, p), BRANCHES * self._width)
            of, logs = of[path], np.column_stack([logs[path], log])
        assert teacher is not None
        # Of several paths to a song the best one comes first.
        _, first = np.unique(np.column_stack([of, teacher]), axis=0, return_index=True)
        best = np.sort(first)[: self._width]
        self._lists.at(lists[of[best]])
        self._lists.add(teacher[best], logs[best])


def _best(sums: Doubles, probabilities: Doubles, most: int) -> tuple[Integers, Integers, Doubles]:
    """The choices of the highest sums over all paths, best first: paths, choices, and their log probabilities."""
    path, choice = np.nonzero(probabilities)
    logs = np.log(probabilities[path, choice])
    best = np.lexsort((choice, path, -(sums[path] + logs)))[:most]
    return path[best], choice[best], logs[best]
