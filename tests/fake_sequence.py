"""A sequence model that was never trained: small, the same each time, and in numpy alone."""

import copy
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

WIDTH = 5


@dataclass(frozen=True)
class FakeState:
    """As `SequenceState`."""

    hidden: Floats

    def at(self, sequences: Integers) -> "FakeState":
        return FakeState(self.hidden[sequences])


class FakeSequence:
    """Says of songs and clusters what random tables say; as `SequenceModel`, for as many songs and clusters."""

    def __init__(self, songs: int, sizes: tuple[int, ...], seed: int = 0, scale: float = 2.0) -> None:
        random = np.random.default_rng(seed)
        self.sizes, self.songs = sizes, songs
        self.inputs = random.normal(size=(songs + 1, WIDTH)).astype(np.float32)
        self.by_dj = random.normal(size=(10, WIDTH)).astype(np.float32)
        self.clusters = [scale * random.normal(size=(size, WIDTH)).astype(np.float32) for size in sizes]
        self.kernel = scale * random.normal(size=(songs, WIDTH)).astype(np.float32)

    def begin(self, djs: Integers) -> FakeState:
        return FakeState(np.where(djs[:, None] < 0, 0, self.by_dj[djs]).astype(np.float32))

    def step(self, state: FakeState, songs: Integers) -> FakeState:
        return FakeState(np.tanh(0.5 * state.hidden + self.inputs[songs]))

    def read(self, songs: Integers, djs: Integers) -> Floats:
        state = self.begin(djs)
        for step in songs.T:
            state = self.step(state, step)
        return state.hidden

    def cluster_logits(self, hidden: Floats, level: int, teacher: Integers | None = None) -> Floats:
        return self._told(hidden, level, teacher) @ self.clusters[level].T

    def song_logits(self, hidden: Floats, teacher: Integers | None = None) -> Floats:
        return self._told(hidden, -1, teacher) @ self.kernel.T

    def narrowed(self, songs: Integers) -> "FakeSequence":
        made = copy.copy(self)
        made.kernel = self.kernel[songs]
        return made

    def _told(self, hidden: Floats, level: int, teacher: Integers | None) -> Floats:
        return hidden if teacher is None else np.tanh(hidden + self.clusters[level + 1][teacher])
