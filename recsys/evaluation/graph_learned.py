"""The recommenders that are trained, as methods that evaluation fits and scores like its baselines."""

import numpy as np

from recsys.device import Device
from recsys.errors import SettingsError
from recsys.progress import Progress, silent
from recsys.tracklists.blend import BlendOptions
from recsys.tracklists.forecasting import BlendRecommender, MgccfRecommender, Recommender
from recsys.tracklists.graph_snapshot import GraphSnapshot
from recsys.tracklists.mgccf import MgccfOptions, Part, averaged
from recsys.tracklists.past import Newcomers, past_of
from recsys.tracklists.stored_arrays import Floats, Integers

ABLATIONS: dict[str, tuple[Part, ...]] = {
    "tl-mgccf": (),
    "no-artists": ("artists",),
    "no-factors": ("factorisation",),
    "no-graphs": ("multi-graph",),
}
"""TL-MGCCF, and without its artists, its factorisation losses, and the neighbours in its graphs."""


PASSES = 100
"""Of `sampled`, TL-MGCCF with vectors as the notebook makes them."""


class Foretold:
    """A recommender's answers as scores of all songs; what it does not answer with is -inf."""

    def __init__(self, recommender: Recommender, songs: int) -> None:
        """Let a recommender score so many songs."""
        self._recommender = recommender
        self._songs = songs

    def of_djs(self, djs: Integers) -> Floats:
        """Scores for DJs by their rows, (djs, songs)."""
        scores = np.full((len(djs), self._songs), -np.inf, dtype=np.float32)
        for row, scored in enumerate(self._recommender.for_djs(djs)):
            scores[row, scored.songs] = scored.scores
        return scores

    def of_newcomers(self, newcomers: Newcomers) -> Floats:
        """Scores by fold-in, (newcomers, songs)."""
        scores = np.full((newcomers.owned.shape[0], self._songs), -np.inf, dtype=np.float32)
        for row, scored in enumerate(self._recommender.for_newcomers(newcomers)):
            scores[row, scored.songs] = scored.scores
        return scores


def fit_blend(snapshot: GraphSnapshot, *, seed: int = 0, progress: Progress = silent) -> Foretold:
    """The blend, trained on a snapshot."""
    from recsys.tracklists.blend_training import train_blend

    blend = train_blend(snapshot, BlendOptions(seed=seed), progress=progress)
    return Foretold(BlendRecommender(blend, past_of(snapshot)), len(snapshot.songs))


def fit_mgccf(
    snapshot: GraphSnapshot,
    without: tuple[Part, ...] = (),
    *,
    passes: int = 0,
    device: Device = "auto",
    seed: int = 0,
    progress: Progress = silent,
) -> Foretold:
    """TL-MGCCF with its published options, trained on a snapshot; its vectors may be means of sampled `passes`."""
    from recsys.tracklists.mgccf_training import train_mgccf

    model = train_mgccf(snapshot, MgccfOptions(device=device, seed=seed, without=without), None, progress)
    if passes:
        progress("drawing passes", 0, 0)
        model = averaged(snapshot, model, passes, seed)
    return Foretold(MgccfRecommender(model, snapshot.plays), len(snapshot.songs))


def check_snapshot(trained_on: str, name: str, snapshot_hash: str) -> None:
    """Refuse what was trained on another snapshot: it may have seen what it is to foretell.

    Raises:
        SettingsError: it was.
    """
    if trained_on != snapshot_hash:
        raise SettingsError(
            f"{name} was trained on another snapshot, it may have seen what it is to foretell: train it on this one"
        )
