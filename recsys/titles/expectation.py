"""The songs that a title's adapter expects in playlists of the title."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recsys.titles.smoothing import BLOCK, Profiles

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Expectation:
    """Songs, and their vectors in the space of an adapter's outputs."""

    songs: npt.NDArray[np.int64]
    """By their places."""
    vectors: Vectors
    """(songs, outputs + 1); the last column is added to the logit whatever the title."""

    def profiles(self, outputs: Vectors, tracks: int) -> Profiles:
        """The likeliest songs of titles with their probabilities, by the softmax of their logits.

        Args:
            outputs: the adapter's, (titles, outputs), see `TitleAdapter.learned`.
            tracks: songs that are kept of each title.
        """
        kept = min(tracks, len(self.songs))
        found, weights = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.float32)]
        for first in range(0, len(outputs), BLOCK):
            logits = outputs[first : first + BLOCK] @ self.vectors[:, :-1].T + self.vectors[:, -1]
            logits -= logits.max(axis=1, keepdims=True)
            shares = np.exp(logits, out=logits)
            shares /= shares.sum(axis=1, keepdims=True)
            best = np.argpartition(-shares, kept - 1, axis=1)[:, :kept]
            best = np.take_along_axis(best, np.argsort(-np.take_along_axis(shares, best, 1), axis=1, kind="stable"), 1)
            found.append(self.songs[best].ravel())
            weights.append(np.take_along_axis(shares, best, 1).ravel())
        starts = np.arange(0, len(outputs) * kept + 1, kept)
        return Profiles(starts, np.concatenate(found), np.concatenate(weights))
