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


def smoothed_profiles(
    counts: Counts, options: Smoothing, progress: Callable[[int, int], None] = lambda _done, _all: None
) -> Profiles:
    """Profiles of all titles, each with the mass of its own counts; equal weights are ordered by holders, then place.

    Args:
        counts: (titles, songs), every title with at least one song.
        options: how much of what.
        progress: called with titles done and all titles.
    """
    holders = np.asarray(counts.sum(axis=0)).ravel()
    mass = np.asarray(counts.sum(axis=1, dtype=np.float64)).ravel()
    popular = np.empty(counts.shape[1], dtype=np.int64)
    popular[np.lexsort((np.arange(len(holders)), -holders))] = np.arange(len(holders))
    low_rank = _LowRank(counts, holders, options) if options.low_rank_share > 0 else None
    starts, songs, weights = [0], [], []
    for block, kernel in _kernel_blocks(counts, options):
        heard = kernel @ counts
        heard_mass = np.asarray(heard.sum(axis=1)).ravel()
        alone = heard_mass == 0
        heard = heard.multiply((options.kernel_share / np.where(alone, 1, heard_mass))[:, None]).tocsr()
        own_share = np.where(alone, 1, 1 - options.kernel_share)
        mixed = (counts[block].multiply((own_share / mass[block])[:, None]) + heard).tocsr()
        rows = low_rank.rows(block) if low_rank is not None else None
        for place, title in enumerate(range(block.start, block.stop)):
            found, values = _row(mixed, place, 2 * options.tracks)
            if rows is not None and low_rank is not None and rows[place].any():
                found, values = _mixed(found, values, low_rank.songs, rows[place], options)
            if options.popularity:
                values = values * holders[found] ** options.popularity
                values = values / values.sum()
            weighed = (values * mass[title]).astype(np.float32)
            best = np.lexsort((popular[found], -weighed))[: options.tracks]
            best = best[weighed[best] > 0]
            songs.append(found[best])
            weights.append(weighed[best])
            starts.append(starts[-1] + len(best))
        progress(block.stop, counts.shape[0])
    return Profiles(np.array(starts), np.concatenate(songs), np.concatenate(weights))


def most_held(holders: npt.NDArray[Any], most: int) -> npt.NDArray[np.int64]:
    """The places of the songs with most holders, of those with several, ascending; the first among equals."""
    several = np.flatnonzero(holders > 1)
    found: npt.NDArray[np.int64] = np.sort(several[np.argsort(-holders[several], kind="stable")[:most]])
    return found


def neighbour_profiles(
    profiles: Profiles,
    vectors: npt.NDArray[np.float32],
    playlists: npt.NDArray[np.int64],
    options: Smoothing,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Profiles:
    """Each title's profile anew: the weighted mean of its neighbours' profiles and its own, of mass 1.

    What a vote of the nearest titles would say for a title is so worked out once, and few titles need to be asked.

    Args:
        profiles: of all titles, as `smoothed_profiles` makes them.
        vectors: unit vectors (titles, dimension).
        playlists: of each title.
        options: how many neighbours, and how they are weighed.
        progress: called with titles done and all titles.
    """
    titles, most = len(playlists), min(options.neighbours, len(playlists))
    shape = (titles, int(profiles.songs.max(initial=-1)) + 1)
    heard = sparse.csr_matrix((profiles.weights, profiles.songs, profiles.starts), shape=shape)
    balance = playlists.astype(np.float64) ** -options.neighbour_balance
    starts, songs, weights = [0], [], []
    for first in range(0, titles, BLOCK):
        size = min(BLOCK, titles - first)
        similar = vectors[first : first + size] @ vectors.T
        itself = (np.arange(size), np.arange(first, first + size))
        cosine, similar[itself] = similar[itself], np.inf  # It is heard, whatever has the same vector.
        nearest = np.argpartition(-similar, most - 1, axis=1)[:, :most]
        similar[itself] = cosine
        found = np.take_along_axis(similar, nearest, axis=1).astype(np.float64)
        voices = np.exp((found - found.max(axis=1, keepdims=True)) / options.neighbour_temperature) * balance[nearest]
        own = (voices.ravel(), nearest.ravel(), np.arange(0, size * most + 1, most))
        mixed = (sparse.csr_matrix(own, shape=(size, titles)) @ heard).tocsr()
        for place in range(size):
            row, values = _row(mixed, place, options.tracks)
            best = np.lexsort((row, -values))[: options.tracks]
            shares = (values[best] / values[best].sum()).astype(np.float32)
            best, shares = best[shares > 0], shares[shares > 0]
            songs.append(row[best])
            weights.append(shares)
            starts.append(starts[-1] + len(best))
        progress(first + size, titles)
    return Profiles(np.array(starts), np.concatenate(songs), np.concatenate(weights))


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


def _kernel_blocks(counts: Counts, options: Smoothing) -> Iterator[tuple[slice, Counts]]:
    """Rows of the title-title kernel: cosine of song sets to a power, without the title itself, of sum 1."""
    titles = counts.shape[0]
    units = unit_rows(_heaviest(counts, KERNEL_SONGS)).tocsr()
    transposed = units.T.tocsr()
    for first in range(0, titles, BLOCK):
        block = slice(first, min(first + BLOCK, titles))
        size = block.stop - block.start
        if options.kernel_share == 0:
            yield block, sparse.csr_matrix((size, titles), dtype=np.float32)
            continue
        cosines = (units[block] @ transposed).toarray() ** options.kernel_power
        cosines[np.arange(size), np.arange(block.start, block.stop)] = 0
        if titles > options.kernel_titles:
            least = np.partition(cosines, titles - options.kernel_titles, axis=1)[:, titles - options.kernel_titles]
            cosines[cosines < least[:, None]] = 0
        sums = cosines.sum(axis=1, keepdims=True)
        yield block, sparse.csr_matrix(cosines / np.where(sums == 0, 1, sums))


class _LowRank:
    """Reconstructs rows of the counts from a truncated SVD of their unit rows."""

    def __init__(self, counts: Counts, holders: npt.NDArray[Any], options: Smoothing) -> None:
        from scipy.sparse.linalg import svds

        titles_with = np.asarray((counts > 0).sum(axis=0)).ravel()
        several = np.flatnonzero(titles_with > 1)
        self.songs = np.sort(several[np.lexsort((several, -holders[several]))[:LOW_RANK_SONGS]])
        rank = min(options.rank, counts.shape[0] // 4, len(self.songs) // 4)
        self._left = self._right = None
        if rank < 1:
            return
        damped = np.maximum(holders, 1) ** -options.damping
        units = (unit_rows(counts) @ sparse.diags(damped)).tocsc()[:, self.songs].tocsr().astype(np.float32)
        left, values, right = svds(units, k=rank, v0=np.ones(min(units.shape)))
        self._left = (left * values).astype(np.float32)
        self._right = (right / damped[self.songs]).astype(np.float32)

    def rows(self, block: slice) -> npt.NDArray[np.float32]:
        """Reconstructed rows (block, songs) of mass 1, without what is negative."""
        if self._left is None or self._right is None:
            return np.zeros((block.stop - block.start, 0), dtype=np.float32)
        rows = np.maximum(self._left[block] @ self._right, 0)
        sums = rows.sum(axis=1, keepdims=True)
        result: npt.NDArray[np.float32] = rows / np.where(sums == 0, 1, sums)
        return result
