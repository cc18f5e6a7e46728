"""A space in which songs of the same tracklists are near each other, and players and artists near their songs."""

import numpy as np
from scipy import sparse

from recsys.tracklists.stored_arrays import Floats, Matrix

SIZE = 128
RARE = 5
"""Plays that a song is held to have beyond its own: one that is played once or twice says less."""

_PASSES = 3
_NOTHING = 1e-5
"""Share of the first singular value up to which another one is a rounding error."""


def song_scales(popularity: Floats) -> Floats:
    """What a play of each song counts, given in how many tracklists it stands, shape (songs,)."""
    scales: Floats = (1 / np.sqrt(np.maximum(popularity, 1) + RARE)).astype(np.float32)
    return scales


def song_vectors(lists: Matrix, popularity: Floats, size: int = SIZE) -> Floats:
    """The main right singular vectors of the scaled (tracklists, songs) matrix, shape (songs, at most `size`).

    Seeded; a tracklist counts less the longer it is. A song that stands in none is at 0: directions in which no
    tracklist lies are dropped.
    """
    from sklearn.utils.extmath import randomized_svd

    lengths = np.maximum(np.diff(lists.indptr), 1)
    scaled = sparse.diags((1 / np.sqrt(lengths)).astype(np.float32)) @ lists @ sparse.diags(song_scales(popularity))
    _, strengths, vectors = randomized_svd(scaled, min(size, *lists.shape), n_iter=_PASSES, random_state=0)
    return np.ascontiguousarray(vectors[strengths > _NOTHING * strengths[0]].T, dtype=np.float32)


def units(vectors: Floats) -> Floats:
    """Vectors of length 1; what is 0 stays 0."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Floats = (vectors / np.where(norms > 0, norms, 1)).astype(np.float32)
    return scaled
