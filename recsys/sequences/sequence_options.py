"""How a sequence network is built and trained."""

from dataclasses import dataclass
from typing import Literal

from recsys.device import Device

EncoderName = Literal["lstm", "gru", "transformer"]
HeadName = Literal["hierarchy", "softmax"]

PUBLISHED_SONGS = 31_214
PUBLISHED_LEVELS = (1200, 384, 48)
PUBLISHED_MINIMUM_SIZES = (18, 60, 480)
LEAST_CLUSTERS = (8, 4, 2)


@dataclass(frozen=True)
class SequenceOptions:
    """The defaults are the published ones where nothing else is said."""

    encoder: EncoderName = "lstm"
    head: HeadName = "hierarchy"
    """Cluster by cluster down to the song, or one softmax over all songs."""
    djs: bool = False
    """Whether the network is told the DJ of a tracklist."""
    quarters: bool = False
    """Whether it is told the quarter of a year in which it was played; what is foretold is of the last one."""
    half_life: float = 0.0
    """Years in which the weight of a tracklist in the loss halves, from the last one back; 0 weighs all alike."""
    features: bool = False
    """Whether the softmax' table of songs also has what graph or song space say of them; the hierarchy always does."""
    width: int = 160
    """Of the encoder."""
    layers: int = 2
    """Of a transformer."""
    heads: int = 4
    dropout: float = 0.4
    """Of what the encoder reads; of a transformer also within."""
    recurrent_dropout: float = 0.45
    level_dropouts: tuple[float, ...] = (0.2, 0.3, 0.35, 0.5)
    """Of what each level's head reads, from the top level down to the songs."""
    levels: tuple[int, ...] = PUBLISHED_LEVELS
    """Clusters of each level, from the songs upwards. A vocabulary that is smaller than the published one gets as much
    fewer."""
    song_features: int = 24
    """Size of each of the two parts of a song's features."""
    pooled_features: tuple[int, ...] = (56, 64)
    """Of the clusters, but for the top level's, which are its members' means."""
    collapse_weights: tuple[float, ...] = (0.25, 0.35, 0.5)
    cluster_weight: float = 28.0
    """Of the losses of the clusters beside the cross-entropies."""
    epochs: int = 40
    """750 are published."""
    batch_size: int = 500
    learning_rate: float = 3e-4
    weight_decay: float = 0.0
    """Share of every weight that a step takes off, times the learning rate (AdamW)."""
    clip: float = 10.0
    """Largest entry of a gradient."""
    validation_share: float = 0.05
    """Of the tracklists, by which the best epoch is chosen; with 0 the last one is."""
    seed: int = 0
    device: Device = "auto"

    @property
    def top(self) -> int:
        """Number of the top level."""
        return len(self.levels) - 1

    def cluster_counts(self, songs: int) -> tuple[int, ...]:
        """Clusters of each level for so many songs: in proportion where they are fewer than the published ones."""
        share = min(1.0, songs / PUBLISHED_SONGS)
        least = LEAST_CLUSTERS + (2,) * len(self.levels)
        return tuple(max(least[level], round(share * count)) for level, count in enumerate(self.levels))

    def minimum_sizes(self, songs: int) -> tuple[float, ...]:
        """Songs under which a cluster is driven to vanish: the published shares of the mean size (.69, .74, .74)."""
        shares = [
            size * count / PUBLISHED_SONGS
            for size, count in zip(PUBLISHED_MINIMUM_SIZES, PUBLISHED_LEVELS, strict=True)
        ]
        counts = self.cluster_counts(songs)
        return tuple(shares[min(level, len(shares) - 1)] * songs / count for level, count in enumerate(counts))
