"""What titles vote for beyond their own playlists: profiles smoothed by song sets, low rank and nearness of titles.

Pure arrays: a matrix of titles x songs in, the same matrix smoothed and cut out. Sources: the title-title kernel by the
cosine of song sets is that of Faggioli, Polato and Aiolli (RecSys Challenge 2018); the truncated SVD of the
popularity-damped counts is PureSVD (Cremonesi, Koren and Turrin, RecSys 2010); that the titles near in the space of
their vectors vote, with weight w(q, t) / n(t)^b, is MODELS A3, done here once for all titles that are known.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

Counts = Any
"""A scipy.sparse.csr_matrix (titles, songs), float32: playlists of the title that hold the song."""


@dataclass(frozen=True)
class Smoothing:
    """How profiles are smoothed. The defaults were chosen on validation, see benchmarks/title_quality.py."""

    kernel_share: float = 0.5
    """Part of a profile that comes from titles with like songs; 0 for none."""
    kernel_power: float = 2.0
    kernel_titles: int = 200
    """Like titles that are heard."""
    low_rank_share: float = 0.3
    """Part of a profile that comes from the low-rank reconstruction; 0 for none."""
    rank: int = 128
    damping: float = 0.3
    """Songs are divided by holders ^ damping before the reconstruction, and multiplied by it after."""
    popularity: float = 0.0
    """Songs count for holders ^ popularity more: below 0 what everybody holds is damped."""
    tracks: int = 900
    """Tracks that a profile keeps, the heaviest first; as many as a row holds inside a page of the database."""
    neighbours: int = 150
    """Titles, the nearest by their vectors and the title itself among them, whose profiles a profile is the mean of;
    0 for none."""
    neighbour_temperature: float = 0.15
    """A neighbour's weight is exp((similarity - largest similarity) / temperature)."""
    neighbour_balance: float = 0.3
    """... over playlists ^ balance, times its profile as it is, which has the mass of its own counts."""


DEFAULT = Smoothing()

KERNEL_SONGS = 200
"""Songs of a title that are compared, its most held ones: what is beyond them changes little and costs most."""

LOW_RANK_SONGS = 100_000
"""Songs that are reconstructed, the most held ones."""

BLOCK = 256


@dataclass(frozen=True)
class Profiles:
    """Profiles one after the other: those of title i are `songs[starts[i]:starts[i + 1]]`, heaviest first."""

    starts: npt.NDArray[np.int64]
    songs: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Ground:
    """What profiles are smoothed by: what titles hold, and the space of their songs."""

    counts: Counts
    """(titles, songs), every title with at least one song."""
    holders: npt.NDArray[Any]
    """Of each song: the sum of its counts."""
    space_songs: npt.NDArray[np.int64]
    """The songs that are reconstructed."""
    space: npt.NDArray[np.float32]
    """Right singular vectors of the damped unit rows, (space_songs, rank)."""


def ground_of(counts: Counts, options: Smoothing) -> Ground:
    """The ground that these counts are."""
    holders = np.asarray(counts.sum(axis=0)).ravel()
    none = Ground(counts, holders, np.empty(0, dtype=np.int64), np.empty((0, 0), dtype=np.float32))
    if options.low_rank_share == 0:
        return none
    titles_with = np.asarray((counts > 0).sum(axis=0)).ravel()
    several = np.flatnonzero(titles_with > 1)
    songs = np.sort(several[np.lexsort((several, -holders[several]))[:LOW_RANK_SONGS]])
    rank = min(options.rank, counts.shape[0] // 4, len(songs) // 4)
    if rank < 1:
        return none
    from scipy.sparse.linalg import svds

    damped = _damped_units(counts, holders, songs, options)
    _, _, right = svds(damped, k=rank, v0=np.ones(min(damped.shape)))
    return Ground(counts, holders, songs, np.ascontiguousarray(right.T, dtype=np.float32))


def smoothed_profiles(
    counts: Counts,
    options: Smoothing,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
    *,
    ground: Ground | None = None,
    itself: npt.NDArray[np.int64] | None = None,
) -> Profiles:
    """Profiles of titles, each with the mass of its own counts; equal weights are ordered by holders, then place.

    Args:
        counts: (titles, songs), every title with at least one song.
        options: how much of what.
        progress: called with titles done and all titles.
        ground: what they are smoothed by, with the same songs; these counts if None.
        itself: the ground's row of each title, -1 where it has none; row after row if None.
    """
    ground = ground or ground_of(counts, options)
    itself = np.arange(counts.shape[0]) if itself is None else itself
    mass = np.asarray(counts.sum(axis=1, dtype=np.float64)).ravel()
    holders = ground.holders
    popular = np.empty(counts.shape[1], dtype=np.int64)
    popular[np.lexsort((np.arange(len(holders)), -holders))] = np.arange(len(holders))
    starts, songs, weights = [0], [], []
    in_space, space = _placed(counts, ground, options)
    for block, kernel in _kernel_blocks(counts, ground, itself, options):
        heard = kernel @ ground.counts
        heard_mass = np.asarray(heard.sum(axis=1)).ravel()
        alone = heard_mass == 0
        heard = heard.multiply((options.kernel_share / np.where(alone, 1, heard_mass))[:, None]).tocsr()
        own_share = np.where(alone, 1, 1 - options.kernel_share)
        mixed = (counts[block].multiply((own_share / mass[block])[:, None]) + heard).tocsr()
        rows = _rebuilt(in_space[block], space)
        for place, title in enumerate(range(block.start, block.stop)):
            found, values = _row(mixed, place, 2 * options.tracks)
            if rows[place].any():
                found, values = _mixed(found, values, ground.space_songs, rows[place], options)
            if options.popularity:
                values = values * np.maximum(holders[found], 1) ** options.popularity
                values = values / values.sum()
            weighed = (values * mass[title]).astype(np.float32)
            best = np.lexsort((popular[found], -weighed))[: options.tracks]
            best = best[weighed[best] > 0]
            songs.append(found[best])
            weights.append(weighed[best])
            starts.append(starts[-1] + len(best))
        progress(block.stop, counts.shape[0])
    return _joined(starts, songs, weights)


def _joined(starts: list[int], songs: list[npt.NDArray[np.int64]], weights: list[npt.NDArray[np.float32]]) -> Profiles:
    none = np.empty(0, dtype=np.int64)
    return Profiles(
        np.array(starts, dtype=np.int64),
        np.concatenate([none, *songs]),
        np.concatenate([none.astype(np.float32), *weights]),
    )


def most_held(holders: npt.NDArray[Any], most: int) -> npt.NDArray[np.int64]:
    """The places of the songs with most holders, of those with several, ascending; the first among equals."""
    several = np.flatnonzero(holders > 1)
    found: npt.NDArray[np.int64] = np.sort(several[np.argsort(-holders[several], kind="stable")[:most]])
    return found


@dataclass(frozen=True)
class Heard:
    """Titles whose profiles are heard by those near to them."""

    profiles: Profiles
    """As `smoothed_profiles` makes them."""
    vectors: npt.NDArray[np.float32]
    """Unit vectors (titles, dimension)."""
    playlists: npt.NDArray[np.int64]
    """Of each title."""


def neighbour_profiles(
    own: Heard,
    options: Smoothing,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
    *,
    heard: Heard | None = None,
    itself: npt.NDArray[np.int64] | None = None,
) -> Profiles:
    """Each title's profile anew: the weighted mean of its neighbours' profiles and its own, of mass 1.

    What a vote of the nearest titles would say for a title is so worked out once, and few titles need to be asked.

    Args:
        own: the titles.
        options: how many neighbours, and how they are weighed.
        progress: called with titles done and all titles.
        heard: who may be a neighbour; the titles themselves if None.
        itself: the row of each title among those, which it does not hear, -1 where it has none; as they come if None.
    """
    heard = heard or own
    titles = len(own.playlists)
    itself = np.arange(titles) if itself is None else itself
    width = max(int(profiles.songs.max(initial=-1)) + 1 for profiles in (own.profiles, heard.profiles))
    theirs, mine = (_as_rows(given, width, options) for given in (heard, own))
    others = min(options.neighbours - 1, len(heard.playlists))
    starts, songs, weights = [0], [], []
    for first in range(0, titles, BLOCK):
        block = slice(first, min(first + BLOCK, titles))
        size = block.stop - block.start
        similar = own.vectors[block] @ heard.vectors.T
        is_there = itself[block] >= 0
        similar[np.flatnonzero(is_there), itself[block][is_there]] = -np.inf
        nearest = np.argpartition(-similar, others - 1, axis=1)[:, :others] if others else np.empty((size, 0), np.int64)
        found = np.take_along_axis(similar, nearest, axis=1).astype(np.float64)
        cosine = (own.vectors[block] * own.vectors[block]).sum(axis=1, dtype=np.float64)
        largest = np.maximum(found.max(axis=1, initial=-np.inf), cosine)
        voices = np.exp((found - largest[:, None]) / options.neighbour_temperature)
        told = sparse.csr_matrix(
            (voices.ravel(), nearest.ravel(), np.arange(size + 1) * others), shape=(size, len(heard.playlists))
        )
        alone = sparse.diags(np.exp((cosine - largest) / options.neighbour_temperature))
        mixed = (told @ theirs + alone @ mine[block]).tocsr()
        for place in range(size):
            row, values = _row(mixed, place, options.tracks)
            best = np.lexsort((row, -values))[: options.tracks]
            shares = (values[best] / values[best].sum()).astype(np.float32)
            best, shares = best[shares > 0], shares[shares > 0]
            songs.append(row[best])
            weights.append(shares)
            starts.append(starts[-1] + len(best))
        progress(block.stop, titles)
    return _joined(starts, songs, weights)


def _as_rows(heard: Heard, width: int, options: Smoothing) -> Counts:
    """Profiles as a matrix (titles, songs), each over the balance of its title's playlists."""
    profiles, titles = heard.profiles, len(heard.playlists)
    rows = sparse.csr_matrix((profiles.weights, profiles.songs, profiles.starts), shape=(titles, width))
    return (sparse.diags(heard.playlists.astype(np.float64) ** -options.neighbour_balance) @ rows).tocsr()


def _row(matrix: Counts, place: int, kept: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The heaviest entries of a row."""
    own = slice(matrix.indptr[place], matrix.indptr[place + 1])
    songs, values = matrix.indices[own].astype(np.int64), matrix.data[own].astype(np.float64)
    if len(values) > kept:
        heavy = values >= np.partition(values, len(values) - kept)[len(values) - kept]
        songs, values = songs[heavy], values[heavy]
    return songs, values


def _mixed(
    found: npt.NDArray[np.int64],
    values: npt.NDArray[np.float64],
    songs: npt.NDArray[np.int64],
    dense: npt.NDArray[np.float32],
    options: Smoothing,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """A sparse row and the heaviest part of a dense one, each of mass 1, mixed."""
    most = min(2 * options.tracks, len(dense))
    kept = np.argpartition(-dense, most - 1)[:most]
    both = np.concatenate([found, songs[kept]])
    all_values = np.concatenate(
        [values * (1 - options.low_rank_share), dense[kept].astype(np.float64) * options.low_rank_share]
    )
    distinct, inverse = np.unique(both, return_inverse=True)
    return distinct, np.bincount(inverse, all_values).astype(np.float64)


def unit_rows(matrix: Counts) -> Counts:
    """The same matrix with rows of length 1, float32; a row of zeros stays one."""
    norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return sparse.diags(1 / np.where(norms == 0, 1, norms)).astype(np.float32) @ matrix


def _heaviest(counts: Counts, kept: int) -> Counts:
    """The same matrix with at most `kept` entries a row, the largest ones, the first among equals."""
    lengths = np.diff(counts.indptr)
    if lengths.max(initial=0) <= kept:
        return counts
    row = np.repeat(np.arange(counts.shape[0]), lengths)
    order = np.lexsort((counts.indices, -counts.data, row))
    place = np.arange(len(order)) - np.repeat(counts.indptr[:-1], lengths)
    chosen = order[place < kept]
    return sparse.csr_matrix((counts.data[chosen], (row[chosen], counts.indices[chosen])), shape=counts.shape)


def _kernel_blocks(
    counts: Counts, ground: Ground, itself: npt.NDArray[np.int64], options: Smoothing
) -> Iterator[tuple[slice, Counts]]:
    """Rows of the title-title kernel: cosine of song sets to a power, without the title itself, of sum 1."""
    titles, others = counts.shape[0], ground.counts.shape[0]
    if options.kernel_share > 0:
        units = unit_rows(_heaviest(counts, KERNEL_SONGS)).tocsr()
        transposed = unit_rows(_heaviest(ground.counts, KERNEL_SONGS)).T.tocsr()
    for first in range(0, titles, BLOCK):
        block = slice(first, min(first + BLOCK, titles))
        size = block.stop - block.start
        if options.kernel_share == 0:
            yield block, sparse.csr_matrix((size, others), dtype=np.float32)
            continue
        cosines = (units[block] @ transposed).toarray() ** options.kernel_power
        is_there = itself[block] >= 0
        cosines[np.flatnonzero(is_there), itself[block][is_there]] = 0
        if others > options.kernel_titles:
            least = np.partition(cosines, others - options.kernel_titles, axis=1)[:, others - options.kernel_titles]
            cosines[cosines < least[:, None]] = 0
        sums = cosines.sum(axis=1, keepdims=True)
        yield block, sparse.csr_matrix(cosines / np.where(sums == 0, 1, sums))


def _damping(holders: npt.NDArray[Any], songs: npt.NDArray[np.int64], options: Smoothing) -> npt.NDArray[Any]:
    damping: npt.NDArray[Any] = np.maximum(holders[songs], 1) ** -options.damping
    return damping


def _damped_units(
    counts: Counts, holders: npt.NDArray[Any], songs: npt.NDArray[np.int64], options: Smoothing
) -> Counts:
    """Unit rows, of some songs alone, each song damped by its holders."""
    units = unit_rows(counts).tocsc()[:, songs]
    return (units @ sparse.diags(_damping(holders, songs, options))).tocsr().astype(np.float32)


def _placed(
    counts: Counts, ground: Ground, options: Smoothing
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Titles and songs in the ground's space, (titles, rank) and (rank, space_songs): products are rebuilt rows."""
    songs = ground.space_songs
    if not len(songs):
        return np.zeros((counts.shape[0], 0), dtype=np.float32), np.zeros((0, 0), dtype=np.float32)
    titles = _damped_units(counts, ground.holders, songs, options) @ ground.space
    undamped = (ground.space / _damping(ground.holders, songs, options)[:, None]).astype(np.float32)
    return titles, np.ascontiguousarray(undamped.T)


def _rebuilt(titles: npt.NDArray[np.float32], songs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Rebuilt rows of mass 1, without what is negative."""
    rows = np.maximum(titles @ songs, 0)
    sums = rows.sum(axis=1, keepdims=True)
    result: npt.NDArray[np.float32] = rows / np.where(sums == 0, 1, sums)
    return result
