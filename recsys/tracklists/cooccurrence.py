"""How often songs stand together in tracklists, nearer ones counting more, and what of it is worth keeping.

Pure arrays. Mass thresholds are those of the Tracklist Generator (2021), MODELS B1.
"""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from recsys.tracklists.stored_arrays import Integers, Matrix

WINDOW = 15
"""Places apart up to which two songs of a tracklist stand together, the length of the published sub-lists."""

_PAIRS_AT_ONCE = 2_000_000


class Plays(NamedTuple):
    """Plays of whole tracklists, ordered by tracklist and position; songs are numbered from 0."""

    tracklists: Integers
    positions: Integers
    songs: Integers


def pairs(plays: Plays, window: int = WINDOW) -> Iterator[tuple[Integers, Integers, npt.NDArray[np.float64]]]:
    """The pairs of songs that stand up to `window` positions apart in a tracklist, with weights 1 / positions.

    Each pair of plays once, a song is no pair with itself. Positions count what nobody identified, too.
    """
    for apart in range(1, window + 1):
        first, second = slice(None, -apart or None), slice(apart, None)
        distance = plays.positions[second] - plays.positions[first]
        near = plays.tracklists[first] == plays.tracklists[second]
        near &= (distance <= window) & (plays.songs[first] != plays.songs[second])
        if near.any():
            yield plays.songs[first][near], plays.songs[second][near], 1 / np.maximum(distance[near], 1)


def information(batches: Iterable[Plays], songs: int, window: int = WINDOW) -> npt.NDArray[np.float64]:
    """By song, the sum of the weights of its pairs: what the tracklists say of it, shape (songs,)."""
    mass = np.zeros(songs)
    for plays in batches:
        for first, second, weights in pairs(plays, window):
            mass += np.bincount(first, weights, minlength=songs) + np.bincount(second, weights, minlength=songs)
    return mass


def cooccurrence(batches: Iterable[Plays], kept: Integers, songs: int, window: int = WINDOW) -> Matrix:
    """The symmetric sum of the pairs' weights among some songs, (kept, kept), without a diagonal.

    Args:
        batches: all plays, in any division by tracklists.
        kept: numbers of the songs that have a row, in the rows' order.
        songs: how many songs the plays know.
        window: see `pairs`.
    """
    row_of = np.full(songs, -1, dtype=np.int64)
    row_of[kept] = np.arange(len(kept))
    shape = (len(kept), len(kept))
    upper = sparse.csr_matrix(shape)
    waiting: list[tuple[Integers, Integers, npt.NDArray[np.float64]]] = []
    for plays in batches:
        for first, second, weights in pairs(plays, window):
            rows, columns = row_of[first], row_of[second]
            both = (rows >= 0) & (columns >= 0)
            rows, columns = rows[both], columns[both]
            waiting.append((np.minimum(rows, columns), np.maximum(rows, columns), weights[both]))
        if sum(len(weights) for *_, weights in waiting) > _PAIRS_AT_ONCE:
            upper, waiting = upper + _summed(waiting, shape), []
    upper = upper + _summed(waiting, shape)
    return (upper + upper.T).tocsr()


def _summed(waiting: list[tuple[Integers, Integers, npt.NDArray[np.float64]]], shape: tuple[int, int]) -> Matrix:
    if not waiting:
        return sparse.csr_matrix(shape)
    rows, columns, weights = (np.concatenate(parts) for parts in zip(*waiting, strict=True))
    return sparse.coo_matrix((weights, (rows, columns)), shape=shape).tocsr()


def heaviest(matrix: Matrix, share: float, by: Literal["row", "either"] = "either") -> Matrix:
    """The largest entries of each row until they have `share` of the row's mass.

    With `by` "either", an entry that its row or its column keeps so stays (the lower of both thresholds), which leaves
    a symmetric matrix symmetric. Entries equal to the last one that is kept stay, too.

    Args:
        matrix: not negative.
        share: of the mass, above 0, at most 1.
        by: whose mass counts.
    """
    matrix = matrix.tocsr()
    stays = matrix.data >= np.repeat(_least_kept(matrix, share), np.diff(matrix.indptr))
    if by == "either":
        stays |= matrix.data >= _least_kept(matrix.T.tocsr(), share)[matrix.indices]
    kept = matrix.copy()
    kept.data = np.where(stays, kept.data, 0.0)
    kept.eliminate_zeros()
    return kept


def _least_kept(matrix: Matrix, share: float) -> npt.NDArray[np.float64]:
    """By row, the smallest entry that is kept; infinite for an empty row."""
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((-matrix.data, row))
    values = matrix.data[order]
    before = np.concatenate([[0.0], np.cumsum(values)])
    starts, ends = before[matrix.indptr[:-1]], before[matrix.indptr[1:]]
    # What its row holds before an entry is short of the share: the entry is needed. Rounding must not ask for one more.
    is_needed = before[:-1] - starts[row] < share * (ends - starts)[row] * (1 - 1e-12)
    least = np.full(matrix.shape[0], np.inf)
    np.minimum.at(least, row[is_needed], values[is_needed])
    return least
