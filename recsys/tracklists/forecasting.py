"""What foretells songs for DJs and listeners, whatever model is behind it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from recsys.tracklists.blend import Blend, Scored
from recsys.tracklists.mgccf import Mgccf
from recsys.tracklists.past import Newcomers, Past
from recsys.tracklists.song_space import units
from recsys.tracklists.sparse_rows import entries
from recsys.tracklists.stored_arrays import Floats, Integers, Matrix

FORETOLD = 3000
"""Songs new to a player that a model of vectors answers with, the nearest ones."""


@dataclass(frozen=True)
class Vectors:
    """Unit vectors that say who and what is alike; a row of zeros says nothing."""

    songs: Floats
    """In one space with the DJs."""
    likeness: Floats | None
    """Of songs, near each other where they go together; None where `songs` say that, too."""
    artists: Floats
    djs: Floats


class Recommender(Protocol):
    """What foretells songs."""

    @property
    def vectors(self) -> Vectors:
        """Of all songs, artists and DJs."""

    def for_djs(self, djs: Integers) -> Iterator[Scored]:
        """What each DJ, by his row, will play: songs that he played and new ones in one order, best first."""

    def for_listeners(self, likes: Matrix) -> Iterator[Scored]:
        """The same from scores of liked songs, (listeners, songs), of somebody whom training never saw."""

    def for_newcomers(self, newcomers: Newcomers) -> Iterator[Scored]:
        """The same for DJs whom training never saw, from tracklists of their own."""


class BlendRecommender:
    """The blend, over the tracklists that it answers from."""

    def __init__(self, blend: Blend, past: Past) -> None:
        """Let a blend answer from a past."""
        self._blend = blend
        self._past = past

    @property
    def vectors(self) -> Vectors:
        """Songs and DJs by the tracklists that songs share."""
        songs = units(self._past.vectors)
        return Vectors(songs, None, self._past.artist_vectors(), units(self._past.player_vectors(self._past.plays)))

    def for_djs(self, djs: Integers) -> Iterator[Scored]:
        """What each DJ will play, with its chance."""
        return self._blend.forecast(self._past, self._past.histories(djs))

    def for_listeners(self, likes: Matrix) -> Iterator[Scored]:
        """What goes with likes."""
        return self._blend.forecast(self._past, self._past.listeners(likes))

    def for_newcomers(self, newcomers: Newcomers) -> Iterator[Scored]:
        """What newcomers will play, by what they played when."""
        return self._blend.forecast(self._past, self._past.newcomers(newcomers))


class MgccfRecommender:
    """TL-MGCCF: songs by the cosine of their vectors with a DJ's, or with one that likes are folded into."""

    def __init__(self, model: Mgccf, plays: Matrix) -> None:
        """Let a model answer for DJs who played songs, `plays` (DJs, songs)."""
        self._model = model
        self._plays = plays.tocsr()

    @property
    def vectors(self) -> Vectors:
        """As the model learned them."""
        model = self._model
        return Vectors(
            units(model.song_vectors),
            units(model.song_likeness),
            units(model.artist_likeness),
            units(model.dj_vectors),
        )

    def for_djs(self, djs: Integers) -> Iterator[Scored]:
        """The songs nearest to each DJ."""
        return self._nearest(self._model.dj_vectors[djs], self._plays[djs])

    def for_listeners(self, likes: Matrix) -> Iterator[Scored]:
        """The songs nearest to likes."""
        likes = likes.tocsr()
        return self._nearest(self._model.fold_in(likes.log1p()), likes)

    def for_newcomers(self, newcomers: Newcomers) -> Iterator[Scored]:
        """The songs nearest to what they played, whenever it was."""
        return self.for_listeners(newcomers.plays)

    def _nearest(self, vectors: Floats, known: Matrix) -> Iterator[Scored]:
        for row in range(len(vectors)):
            cosines = self._model.scores(vectors[row : row + 1])[0]
            played, _ = entries(known, row)
            n = min(FORETOLD + len(played), len(cosines))
            songs = np.sort(np.argpartition(-cosines, n - 1)[:n])
            songs = songs[np.argsort(-cosines[songs], kind="stable")]
            yield Scored(songs, cosines[songs].astype(np.float64), np.isin(songs, played))
