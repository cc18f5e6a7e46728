"""What a sequence network is trained on, from a snapshot's folder: steps of sub-lists, and graphs with features."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from recsys.errors import NotReadyError
from recsys.sequences.sequence_module import Sizes
from recsys.sequences.sequence_options import SequenceOptions
from recsys.sequences.song_features import SongFeatures
from recsys.sequences.sublists import Steps, Sublists, split_by_tracklist, steps_of, sublists_of, vocabulary_rows
from recsys.tracklists.graph_snapshot import NO_DATE, GraphSnapshot
from recsys.tracklists.running_order import RunningOrder
from recsys.tracklists.stored_arrays import Integers, hash_of, matrix_arrays

DAYS_A_YEAR = 365
QUARTER = 91
"""Days."""


@dataclass(frozen=True)
class Part:
    """The sub-lists to train or to validate with, n of them."""

    steps: Steps
    djs: Integers
    """Rows, or the number of DJs where the DJ is not known, (n,)."""
    quarters: Integers
    """(n,)."""

    def __len__(self) -> int:
        """How many."""
        return len(self.djs)


@dataclass(frozen=True)
class SequenceData:
    """Arrays alone, on no device."""

    sizes: Sizes
    snapshot: GraphSnapshot
    features: SongFeatures
    """With the fillers that the network reads."""
    training: Part
    validation: Part

    def identity(self, options: SequenceOptions) -> str:
        """A hash of all that decides the weights, but for the number of epochs and the device."""
        arrays: dict[str, Any] = {name: getattr(self.features, name) for name in ("songs", "artists", "fillers")}
        for name in ("training", "validation"):
            part: Part = getattr(self, name)
            for field, values in zip(part.steps._fields, part.steps, strict=True):
                arrays[f"{name}.{field}"] = values
            arrays |= {f"{name}.djs": part.djs, f"{name}.quarters": part.quarters}
        for name in ("song_song", "artist_artist", "credits"):
            arrays |= matrix_arrays(name, getattr(self.snapshot, name))
        asked = {name: value for name, value in asdict(options).items() if name not in ("epochs", "device")}
        return hashlib.sha256((hash_of(arrays) + json.dumps(asked, sort_keys=True)).encode()).hexdigest()


def sequence_data(
    snapshot: GraphSnapshot, order: RunningOrder, features: SongFeatures, options: SequenceOptions
) -> SequenceData:
    """The sub-lists of the past's tracklists, split by whole tracklist.

    Raises:
        NotReadyError: no tracklist is long enough.
    """
    songs = len(snapshot.songs)
    if options.head == "softmax":
        features = replace(features, fillers=np.full_like(features.fillers, songs))
    sublists = sublists_of(order.past, vocabulary_rows(order.songs, snapshot.songs))
    training, validation = split_by_tracklist(sublists, options.validation_share, options.seed)
    if not len(training):
        raise NotReadyError(
            "no tracklist has enough songs in a row that the graph knows: load more with `recsys ingest`, then run"
            " `recsys tracklists prepare` again"
        )
    days = sublists.days[sublists.days != NO_DATE]
    last = int(days.max()) if len(days) else 0
    quarters = 1 + (last - int(days.min())) // QUARTER if len(days) else 1
    sizes = Sizes(songs, len(snapshot.djs), quarters)

    def part_of(chosen: Sublists) -> Part:
        # Undated ones count as of the latest quarter, counted back from the last day.
        day = np.where(chosen.days == NO_DATE, last, chosen.days)
        steps = steps_of(chosen, features.fillers, songs)
        if options.half_life:
            age = (last - day) / (DAYS_A_YEAR * options.half_life)
            steps = steps._replace(weights=(steps.weights * 0.5 ** age[:, None]).astype(np.float32))
        return Part(
            steps,
            np.where(chosen.djs < 0, sizes.djs, chosen.djs),
            quarters - 1 - (last - day) // QUARTER,
        )

    return SequenceData(sizes, snapshot, features, part_of(training), part_of(validation))


def later_part(sublists: Sublists, fillers: Integers, sizes: Sizes) -> Part:
    """Sub-lists of tracklists that come after those trained on, read as of the latest quarter.

    Args:
        sublists: of songs and DJs by the rows of training.
        fillers: what the network reads instead of others, by DJ.
        sizes: the network's.
    """
    djs = np.where(sublists.djs < 0, sizes.djs, sublists.djs)
    return Part(steps_of(sublists, fillers, sizes.songs), djs, np.full(len(sublists), sizes.quarters - 1))
