"""Lists made for held-out tracklists, beside these: each begins with the tracklist's first known song and is as long.

Real ones count with their known songs alone, as only these can be chosen. Songs are rows of the model's vocabulary,
which is the snapshot's. Pure arrays.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recsys.errors import NotReadyError
from recsys.evaluation.list_shape import ListShape, SongFacts, list_shape
from recsys.evaluation.next_song import Flags, asked_tracklists, at
from recsys.progress import Progress, silent
from recsys.tracklists.graph_snapshot import GraphSnapshot
from recsys.tracklists.running_order import UNKNOWN, RunningOrder, Sets
from recsys.tracklists.song_space import song_vectors
from recsys.tracklists.sparse_rows import column_sums, ones
from recsys.tracklists.stored_arrays import Integers, Matrix, rows_of

REAL, FAVOURITES, RANDOM = "real", "DJ's songs", "random"
"""The tracklists themselves; the DJ's most played songs; songs drawn by their plays."""


@dataclass(frozen=True)
class MadeOptions:
    """For which tracklists lists are made."""

    lists: int
    """That are drawn, all where there are fewer."""
    least_known: int = 5
    """Known songs of a tracklist."""
    days: int | None = None
    """Only tracklists of so many days, from the first later one on; None is no bound."""
    seed: int = 0


@dataclass(frozen=True)
class Asked:
    """Which lists are to be made, n of them."""

    firsts: Integers
    """Rows of the songs that they begin with."""
    djs: Integers
    """Rows of the snapshot's DJs, `UNKNOWN` for nobody."""
    lengths: Integers
    """Songs, with the first one."""

    def __len__(self) -> int:
        """How many."""
        return len(self.firsts)


ListMaker = Callable[[Asked, Progress], Sequence[Integers]]
"""Makes every list that is asked for, as rows of its songs in order; one that cannot go on is shorter."""


@dataclass(frozen=True)
class MadeResult:
    """How the lists of one method look."""

    method: str
    shape: ListShape
    seconds: float


def known_tracklists(order: RunningOrder, snapshot: GraphSnapshot, is_known: Flags, options: MadeOptions) -> Sets:
    """Later tracklists with their known songs alone, drawn at random; in the order of the later ones.

    Args:
        order: with the later tracklists.
        snapshot: whose songs are the vocabulary.
        is_known: whether the model knows each of them, (songs,).
        options: which are drawn.

    Raises:
        NotReadyError: none has songs enough.
    """
    later = asked_tracklists(order.later, options.days)
    rows = np.append(rows_of(order.songs, snapshot.songs), UNKNOWN)[later.songs]
    is_kept = at(is_known, rows)
    counts = np.bincount(later.list_of[is_kept], minlength=len(later))
    enough = np.flatnonzero(counts >= options.least_known)
    if not len(enough):
        raise NotReadyError(
            f"no later tracklist has {options.least_known} songs that the model knows: hold out more with an earlier"
            " --before, or keep rarer songs with a lower --least-information, then train again"
        )
    rng = np.random.default_rng(options.seed)
    drawn = np.sort(rng.choice(enough, min(options.lists, len(enough)), replace=False))
    songs = rows[is_kept & np.isin(later.list_of, drawn)]
    lists = np.split(songs, np.cumsum(counts[drawn])[:-1])
    return as_sets(lists, later.djs[drawn], main_artists(order, snapshot))


def main_artists(order: RunningOrder, snapshot: GraphSnapshot) -> Integers:
    """Rows of the main artists of the snapshot's songs, `UNKNOWN` of those whose artist or order is not known."""
    return np.append(order.song_artists, UNKNOWN)[rows_of(snapshot.songs, order.songs)]


def as_sets(lists: Sequence[Integers], djs: Integers, song_artists: Integers) -> Sets:
    """Lists of songs by DJs, each of at least one, as tracklists without days."""
    songs = np.concatenate(lists).astype(np.int64)
    nothing = np.full(len(lists), UNKNOWN)
    starts = np.cumsum([0, *map(len, lists)])
    return Sets(starts, songs, song_artists[songs], djs, nothing, nothing)


def asked_of(real: Sets) -> Asked:
    """What is asked for tracklists of known songs."""
    return Asked(real.songs[real.starts[:-1]], real.djs, real.lengths)


def favourites(snapshot: GraphSnapshot) -> ListMaker:
    """The songs that the DJ played most, then those that everybody did; ties go to the more popular one."""
    plays, popularity = snapshot.plays, column_sums(snapshot.lists)

    def make(asked: Asked, _progress: Progress) -> list[Integers]:
        made = []
        for first, dj, length in zip(asked.firsts, asked.djs, asked.lengths, strict=True):
            own = plays[dj].toarray()[0] if dj != UNKNOWN else np.zeros_like(popularity)
            ranked = np.lexsort((-popularity, -own))
            made.append(np.append(first, ranked[ranked != first][: length - 1]))
        return made

    return make


def random_by_plays(snapshot: GraphSnapshot, seed: int) -> ListMaker:
    """Songs drawn without replacement, each the likelier the more it was played."""
    popularity = column_sums(snapshot.lists).astype(np.float64)

    def make(asked: Asked, _progress: Progress) -> list[Integers]:
        made = []
        for number, (first, length) in enumerate(zip(asked.firsts, asked.lengths, strict=True)):
            weights = popularity.copy()
            weights[first] = 0
            rng = np.random.default_rng([seed, number])
            count = min(length - 1, np.count_nonzero(weights))
            drawn = rng.choice(len(weights), count, replace=False, p=weights / weights.sum() if count else None)
            made.append(np.append(first, drawn))
        return made

    return make


def song_facts(snapshot: GraphSnapshot, assignments: Sequence[Matrix]) -> SongFacts:
    """What lists are looked at by: the past's plays, song space, and the likeliest clusters of a model's songs.

    Song space is made of the snapshot alone, so that variety is not measured with the model's own vectors.
    """
    lists = ones(snapshot.lists)
    return SongFacts(
        plays=column_sums(snapshot.lists).astype(np.int64),
        clusters=tuple(np.asarray(assigned.argmax(axis=1)).ravel() for assigned in assignments),
        dj_plays=snapshot.plays,
        vectors=song_vectors(lists, column_sums(lists)),
    )


def compare_made(
    real: Sets, makers: Mapping[str, ListMaker], facts: SongFacts, song_artists: Integers, progress: Progress = silent
) -> list[MadeResult]:
    """How lists of every method look, the real ones first."""
    results = [MadeResult(REAL, list_shape(real, facts), 0.0)]
    asked = asked_of(real)
    for name, make in makers.items():
        begin = time.perf_counter()
        made = make(asked, progress)
        seconds = time.perf_counter() - begin
        results.append(MadeResult(name, list_shape(as_sets(made, real.djs, song_artists), facts), seconds))
    return results
