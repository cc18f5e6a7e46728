"""What a continued playlist is measured against: the nearest items, and implicit matrix factorisation.

Both learn from the train part of a split alone and answer `(title, seeds, n) -> track ids`; neither reads the title.
Sources: item-based nearest neighbours by cosine (Sarwar, Karypis, Konstan and Riedl, WWW 2001); alternating least
squares for implicit feedback (Hu, Koren and Volinsky, ICDM 2008), as the package `implicit` has it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg
from scipy import sparse

from recsys.database import read_integers
from recsys.errors import NotReadyError
from recsys.evaluation.implicit_als import fitted_als

Continue = Callable[[str | None, Sequence[int], int], list[int]]
"""A title or None, the ids of the given tracks, and how many track ids are wanted."""

TRAIN = """
SELECT DISTINCT s.playlist_id::bigint, pt.track_id::bigint
  FROM playlist_split AS s JOIN playlist_track AS pt ON pt.playlist_id = s.playlist_id
 WHERE s.split_id = %(split)s AND s.part = 'train'
"""


@dataclass(frozen=True)
class TrainPlaylists:
    """The playlists that may be learned from."""

    held: Any
    """A csr_matrix (playlists, tracks) of ones, float32."""
    track_ids: npt.NDArray[np.int64]
    """Of the columns, ascending."""

    @cached_property
    def holders(self) -> npt.NDArray[np.float64]:
        """Playlists that hold each track."""
        return np.asarray(self.held.sum(axis=0), dtype=np.float64).ravel()

    def columns_of(self, tracks: Sequence[int]) -> npt.NDArray[np.int64]:
        """The columns of tracks; one that no playlist holds is left out."""
        wanted = np.unique(np.asarray(tracks, dtype=np.int64))
        places = np.searchsorted(self.track_ids, wanted)
        places[places == len(self.track_ids)] = 0
        columns: npt.NDArray[np.int64] = places[self.track_ids[places] == wanted]
        return columns

    def best(self, scores: npt.NDArray[np.floating[Any]], given: npt.NDArray[np.int64], n: int) -> list[int]:
        """The n tracks of the highest scores that are not given, ties by popularity, then by id."""
        scores = np.asarray(scores, dtype=np.float64)
        scores[given] = -np.inf
        n = min(n, len(scores) - len(given))
        floor = np.partition(scores, -n)[-n] if n else np.inf
        near = np.flatnonzero(scores >= floor)
        order = np.lexsort((near, -self.holders[near], -scores[near]))
        return [int(track) for track in self.track_ids[near[order[:n]]]]


def read_train_playlists(connection: psycopg.Connection, split: int) -> TrainPlaylists:
    """Read the train part of a split.

    Raises:
        NotReadyError: it is empty.
    """
    playlist, track = read_integers(connection, TRAIN, {"split": split}, columns=2)
    if not len(playlist):
        raise NotReadyError("the split has no playlists to learn from: make it again with `recsys titles split`")
    rows = np.unique(playlist, return_inverse=True)[1]
    track_ids, columns = np.unique(track, return_inverse=True)
    ones = np.ones(len(rows), dtype=np.float32)
    held = sparse.csr_matrix((ones, (rows, columns)), shape=(rows.max() + 1, len(track_ids)))
    return TrainPlaylists(held, track_ids)


def most_popular(playlists: TrainPlaylists) -> Continue:
    """The tracks that most playlists hold."""

    def answer(_title: str | None, seeds: Sequence[int], n: int) -> list[int]:
        return playlists.best(playlists.holders.copy(), playlists.columns_of(seeds), n)

    return answer


def item_neighbours(playlists: TrainPlaylists, shrinkage: float = 20.0) -> Continue:
    """The tracks with the largest sum of cosines to the given ones.

    cosine(i, j) = together(i, j) / sqrt(holders(i) * (holders(j) + shrinkage)): without the shrinkage the tracks of a
    single playlist win.
    """
    by_track = playlists.held.tocsc()

    def answer(_title: str | None, seeds: Sequence[int], n: int) -> list[int]:
        given = playlists.columns_of(seeds)
        voices = by_track[:, given] @ (1 / np.sqrt(playlists.holders[given]))
        scores = (playlists.held.T @ voices) / np.sqrt(playlists.holders + shrinkage)
        return playlists.best(scores, given, n)

    return answer


def implicit_factors(
    playlists: TrainPlaylists,
    *,
    factors: int = 128,
    regularization: float = 0.05,
    confidence: float = 40.0,
    iterations: int = 15,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Continue:
    """The tracks with the largest product with the factors that the given tracks are folded into."""
    model = fitted_als(
        playlists.held,
        factors=factors,
        regularization=regularization,
        confidence=confidence,
        iterations=iterations,
        seed=seed,
        progress=progress,
    )

    def answer(_title: str | None, seeds: Sequence[int], n: int) -> list[int]:
        given = playlists.columns_of(seeds)
        if not len(given):
            return playlists.best(playlists.holders.copy(), given, n)
        ones = np.ones(len(given), dtype=np.float32)
        row = sparse.csr_matrix((ones, (np.zeros(len(given), int), given)), shape=(1, len(playlists.track_ids)))
        return playlists.best(model.item_factors @ model.recalculate_user(0, row), given, n)

    return answer
