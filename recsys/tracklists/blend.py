"""The blend: two forests weigh what tells of a song, one for songs that a player knows, one for new ones.

What they weigh is in `channels`, how they are grown in `blend_training`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from recsys.tracklists.forests import Forest, ForestOptions
from recsys.tracklists.past import Candidates, Histories, Past
from recsys.tracklists.stored_arrays import Floats, Integers

PARTS = ("known", "new")
"""The forests: of songs that a player played, and of those that he did not."""


@dataclass(frozen=True)
class BlendOptions(ForestOptions):
    """How a blend is trained, and how many songs it weighs."""

    candidates: int = 3000
    """Songs new to a player that are weighed, those that most tells for."""
    others: int = 1000
    """Songs drawn beside them in training."""
    windows: int = 4
    """Spans at the end of the past that are foretold in training, one after the other."""
    window_share: float = 0.06
    """Tracklists of a span, of all that have a date."""
    last_share: float = 0.2
    """Also foretold: this share of each DJ's own tracklists, his last ones."""
    least_lists: int = 5
    """Tracklists that a DJ must have in the known part to be learned from."""
    least_songs: int = 15
    most_djs: int = 200
    """DJs who are learned from in a span, drawn where there are more."""


class Scored(NamedTuple):
    """Songs for a player, best first."""

    songs: Integers
    scores: npt.NDArray[np.float64]
    """Of the blend, the chance that he plays the song in a span such as training foretold, 0 to 1; else a cosine."""
    is_known: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Blend:
    """The grown forests."""

    options: BlendOptions
    forests: Mapping[str, Forest]
    metrics: dict[str, float] = field(default_factory=dict)

    def logits(self, candidates: Candidates) -> Floats:
        """Of a player's songs, shape (songs,)."""
        made = np.zeros(len(candidates.songs), dtype=np.float32)
        for part in PARTS:
            rows = candidates.is_known == (part == "known")
            if rows.any():
                made[rows] = self.forests[part].logits(candidates.features[rows])
        return made

    def forecast(self, past: Past, players: Histories) -> Iterator[Scored]:
        """What each player will play, of the songs that he knows and of `candidates` new ones; best first."""
        for candidates in past.candidates(players, self.options.candidates):
            logits = self.logits(candidates)
            order = np.lexsort((candidates.songs, -logits))
            scores = 1 / (1 + np.exp(-logits[order].astype(np.float64)))
            yield Scored(candidates.songs[order], scores, candidates.is_known[order])
