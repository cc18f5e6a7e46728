"""Lists in an order that a DJ would play, drawn song by song, or the likeliest ones (MODELS C6); pure arrays."""

from dataclasses import dataclass, field

import numpy as np

from recsys.errors import SettingsError
from recsys.sequences.levels import LEVELS, Candidates, Doubles, Knobs, Levels, SequenceModel, cut
from recsys.tracklists.running_order import UNKNOWN
from recsys.tracklists.stored_arrays import Floats, Integers

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
    """Of the clusters from the top level down and of the song, (lists, songs, 4); NaN for the first song, and where
    none was left. A song that was not drawn by the network has those of its own likeliest clusters, without
    thresholds."""
    halved: Integers
    """How often a threshold left nothing and was halved, on each level from the top and for songs, (4,)."""


def generate(model: SequenceModel, candidates: Candidates, wanted: Wanted) -> Generated:
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
    """Lists that grow: their songs so far, what may come next, and the log probabilities."""

    def __init__(self, candidates: Candidates, wanted: Wanted, count: int) -> None:
        self._candidates = candidates
        self._limit = wanted.max_per_artist
        self.songs = np.zeros((count, 0), dtype=np.int64)
        self.logs = np.zeros((count, 0, LEVELS + 1))
        allowed = np.ones(len(candidates), dtype=bool)
        allowed[candidates.beginning] = False
        self.allowed = np.tile(allowed, (count, 1))
        artists = 0 if self._limit is None or candidates.artists is None else candidates.artists.shape[1]
        self._held = np.zeros((count, artists))

    def at(self, lists: Integers) -> None:
        """Go on with some of them, a list as often as it is named."""
        for name in ("songs", "logs", "allowed", "_held"):
            setattr(self, name, getattr(self, name)[lists])

    def add(self, songs: Integers, logs: Doubles) -> None:
        """A song for each list, -1 for none, and its log probabilities (lists, 4)."""
        self.songs = np.column_stack([self.songs, songs])
        self.logs = np.concatenate([self.logs, logs[:, None]], axis=1)
        lists = np.flatnonzero(songs >= 0)
        self.allowed[lists, songs[lists]] = False
        if self._limit is not None and self._candidates.artists is not None:
            artists = self._candidates.artists
            self._held[lists] += artists[songs[lists]].toarray()
            full = (self._held >= self._limit).astype(np.float64)
            self.allowed &= (artists @ full.T).T == 0

    def read(self, model: SequenceModel, dj: int, lists: Integers) -> Floats:
        """What the network knows after some of the lists."""
        songs = self.songs[lists, -CONTEXT:]
        rows = np.where(songs >= 0, self._candidates.songs[songs], UNKNOWN)
        return model.read(rows, np.full(len(lists), dj))


class _Making:
    """What drawing and searching share: how lists begin."""

    def __init__(self, model: SequenceModel, candidates: Candidates, wanted: Wanted, count: int) -> None:
        self._model = model
        self._wanted = wanted
        self._levels = Levels(model, candidates, wanted.knobs)
        self._lists = _Lists(candidates, wanted, count)
        self._halved = np.zeros(LEVELS + 1, dtype=np.int64)
        self._by_joint_score = np.argsort(-candidates.joint_scores(wanted.knobs.user_weight), kind="stable")
        for place in candidates.beginning.tolist():
            self._add_given(np.full(count, place))

    def _warm_steps(self) -> int:
        begun = self._lists.songs.shape[1]
        return max(min(WARM_SONGS, self._wanted.length) - begun, 0)

    def _add_given(self, songs: Integers) -> None:
        """Songs that the network does not choose; it says how likely it finds them, beside the others that may come."""
        logs = np.full((len(songs), LEVELS + 1), np.nan)
        there = np.flatnonzero(songs >= 0)
        if self._lists.songs.shape[1] and len(there):
            hidden = self._lists.read(self._model, self._wanted.dj, there)
            allowed = self._lists.allowed[there].copy()
            allowed[np.arange(len(there)), songs[there]] = True
            logs[there] = self._levels.of_choice(hidden, songs[there], allowed)
        self._lists.add(songs, logs)

    def _warm(self, draws: Doubles) -> Integers:
        """Songs among the ten of the highest joint scores that are left, by draws 0 to 1, (lists,)."""
        ranked = self._lists.allowed[:, self._by_joint_score]
        left = np.minimum(ranked.sum(axis=1), WARM_AMONG)
        nth = np.floor(draws * left).astype(np.int64)
        place = (np.cumsum(ranked, axis=1) > nth[:, None]).argmax(axis=1)
        return np.where(left > 0, self._by_joint_score[place], UNKNOWN)

    def _cut(self, level: int, probabilities: Doubles) -> Doubles:
        kept, is_halved = cut(probabilities, self._levels.threshold(level))
        self._halved[LEVELS - 1 - level] += int(is_halved.sum())
        return kept

    def _generated(self) -> Generated:
        return Generated(self._lists.songs, self._lists.logs, self._halved)


class _Drawing(_Making):
    """Lists that are drawn, all at once."""

    def __init__(self, model: SequenceModel, candidates: Candidates, wanted: Wanted) -> None:
        super().__init__(model, candidates, wanted, wanted.lists)
        steps = wanted.length - len(candidates.beginning)
        self._draws = np.stack(
            [np.random.default_rng([wanted.seed, number]).random((steps, LEVELS + 1)) for number in range(wanted.lists)]
        )

    def run(self) -> Generated:
        draws = self._draws.swapaxes(0, 1)
        warm = self._warm_steps()
        for step_draws in draws[:warm]:
            self._add_given(self._warm(step_draws[:, LEVELS]))
        for step_draws in draws[warm:]:
            self._add_drawn(step_draws)
        return self._generated()

    def _add_drawn(self, draws: Doubles) -> None:
        songs = np.full(len(draws), UNKNOWN)
        logs = np.full((len(draws), LEVELS + 1), np.nan)
        open_ = np.flatnonzero(self._lists.allowed.any(axis=1))
        if len(open_):
            hidden = self._lists.read(self._model, self._wanted.dj, open_)
            teacher: Integers | None = None
            for step, level in enumerate(reversed(range(LEVELS))):
                kept = self._cut(level, self._levels.of_clusters(hidden, level, teacher))
                teacher, logs[open_, step] = _drawn(kept, draws[open_, step])
            assert teacher is not None
            kept = self._cut(-1, self._levels.of_songs(hidden, teacher, self._lists.allowed[open_]))
            songs[open_], logs[open_, LEVELS] = _drawn(kept, draws[open_, LEVELS])
        self._lists.add(songs, logs)


def _drawn(probabilities: Doubles, draws: Doubles) -> tuple[Integers, Doubles]:
    """A choice for each list by a draw 0 to 1, and its log probability."""
    sums = np.cumsum(probabilities, axis=1)
    chosen = (sums > (np.minimum(draws, 1 - 1e-9) * sums[:, -1])[:, None]).argmax(axis=1)
    return chosen, np.log(probabilities[np.arange(len(chosen)), chosen])


class _Search(_Making):
    """The lists of the highest sum, by a beam over songs and, for each song, over paths through the clusters."""

    def __init__(self, model: SequenceModel, candidates: Candidates, wanted: Wanted) -> None:
        super().__init__(model, candidates, wanted, 1)
        self._width = max(BEAM, wanted.lists)

    def run(self) -> Generated:
        for _ in range(self._warm_steps()):
            self._add_given(self._warm(np.zeros(1)))
        for _ in range(self._wanted.length - self._lists.songs.shape[1]):
            if not self._add_best():
                break
        made, missing = self._generated(), self._wanted.length - self._lists.songs.shape[1]
        first = slice(0, self._wanted.lists)
        return Generated(
            np.pad(made.songs[first], ((0, 0), (0, missing)), constant_values=UNKNOWN),
            np.pad(made.log_probabilities[first], ((0, 0), (0, missing), (0, 0)), constant_values=np.nan),
            made.halved,
        )

    def _add_best(self) -> bool:
        """Add a song to the best lists; returns whether any list could go on."""
        lists = np.flatnonzero(self._lists.allowed.any(axis=1))
        if not len(lists):
            return False
        hidden = self._lists.read(self._model, self._wanted.dj, lists)
        sums = np.nansum(self._lists.logs[lists], axis=(1, 2))
        of = np.arange(len(lists))
        logs = np.zeros((len(lists), 0))
        teacher: Integers | None = None
        for level in reversed(range(LEVELS)):
            kept = self._cut(level, self._levels.of_clusters(hidden[of], level, teacher))
            path, teacher, log = _best(sums[of] + logs.sum(axis=1), kept, BRANCHES * self._width)
            of, logs = of[path], np.column_stack([logs[path], log])
        assert teacher is not None
        kept = self._cut(-1, self._levels.of_songs(hidden[of], teacher, self._lists.allowed[lists[of]]))
        path, songs, log = _best(sums[of] + logs.sum(axis=1), kept, BRANCHES * self._width)
        of, logs = of[path], np.column_stack([logs[path], log])
        _, first = np.unique(np.column_stack([of, songs]), axis=0, return_index=True)
        best = np.sort(first)[: self._width]
        self._lists.at(lists[of[best]])
        self._lists.add(songs[best], logs[best])
        return True


def _best(sums: Doubles, probabilities: Doubles, most: int) -> tuple[Integers, Integers, Doubles]:
    """The choices of the highest sums over all paths, best first: paths, choices, and their log probabilities."""
    path, choice = np.nonzero(probabilities)
    logs = np.log(probabilities[path, choice])
    best = np.lexsort((choice, path, -(sums[path] + logs)))[:most]
    return path[best], choice[best], logs[best]
