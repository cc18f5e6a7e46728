"""Trained sequence networks as folders that need no database, and what they answer: numpy in, numpy out."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from recsys import __version__
from recsys.folders import Layout, check_replaceable, replaced_folder, training_state
from recsys.progress import Progress, silent
from recsys.sequences.encoders import EncoderState
from recsys.sequences.foreteller import Foreteller
from recsys.sequences.sequence_data import later_part, sequence_data
from recsys.sequences.sequence_module import Frozen, Predictor, Sizes
from recsys.sequences.sequence_options import SequenceOptions
from recsys.sequences.sequence_training import BEST, train_sequence
from recsys.sequences.song_features import song_features
from recsys.sequences.sublists import LENGTH, Sublists
from recsys.sequences.validation import Validation
from recsys.tracklists.graph_snapshot import load_graph_snapshot
from recsys.tracklists.learned import UNTOLD, Learned, learned_of, learned_today
from recsys.tracklists.running_order import UNKNOWN, load_running_order
from recsys.tracklists.stored_arrays import Arrays, Floats, Integers, Matrix, hash_of, matrix_arrays, matrix_of

MANIFEST_FILE = "sequence.json"
LAYOUT = Layout("sequence model", "python -m recsys.sequences.training --output", MANIFEST_FILE, 1)

ARRAYS_FILE = "sequence.safetensors"
FILES = (MANIFEST_FILE, ARRAYS_FILE)

Flags = npt.NDArray[np.bool_]

BEAM = 16

ASSIGNMENTS = 16
"""Clusters of each level that a song is kept to belong to, its largest ones, scaled up to sum 1."""
LEAST_ASSIGNMENT = 1e-3
"""Of those, smaller ones than this are not kept either."""

_HALVED = ("frozen.inputs", "frozen.kernel")
"""What is stored in 16 bits: it has a row for each song, and ranks are the same to one in a thousand."""


@dataclass(frozen=True)
class SequenceFacts:
    """What a trained network is, as its manifest says."""

    options: dict[str, Any]
    metrics: dict[str, float]
    """Of the best epoch."""
    history: list[dict[str, float]]
    """Of every epoch."""
    sizes: dict[str, int]
    snapshot_hash: str
    names_hash: str
    """Of the songs and DJs of the database that the snapshot was read from."""
    recommender_hash: str
    """Of the graph recommender whose features it has, or "" for song space."""
    before: str | None
    """The snapshot's; tracklists of this date and later were not seen."""
    learned: Learned = UNTOLD
    content_hash: str = ""
    code_version: str = __version__


@dataclass(frozen=True)
class SequenceState:
    """Of n sequences that are made one song at a time."""

    hidden: Floats
    """(n, width), as `read` has it."""
    djs: Integers
    inner: EncoderState

    def at(self, sequences: Integers) -> "SequenceState":
        """Some of them, a sequence as often as it is named."""
        return SequenceState(self.hidden[sequences], self.djs[sequences], self.inner.at(_tensor(sequences)))


class SequenceModel:
    """What a network says of sequences. Songs and DJs are rows; `UNKNOWN` is a DJ whom nobody knows."""

    def __init__(self, foreteller: Foreteller, fillers: Integers, assigned: Sequence[Matrix]) -> None:
        """Answer with a network.

        Args:
            foreteller: the network, on a CPU.
            fillers: the song or token that stands for others by DJ, and last without one.
            assigned: soft assignments of songs to clusters, of those to the ones above, and so on.
        """
        self._foreteller, self._fillers, self._assigned = foreteller, fillers, assigned

    @property
    def sizes(self) -> tuple[int, ...]:
        """Clusters of each level, from the songs upwards; none for a plain softmax."""
        return tuple(len(features) for features in self._foreteller.frozen.features)

    @property
    def songs(self) -> int:
        """How many there are."""
        return len(self._foreteller.frozen.kernel)

    @property
    def song_vectors(self) -> Floats:
        """What the network reads of songs, near each other where they go together, (songs, width)."""
        vectors: Floats = self._foreteller.frozen.inputs[: self.songs].numpy()
        return vectors

    def assignments(self, level: int) -> Matrix:
        """C_hat, the soft assignment of songs to the clusters of a level, (songs, k), sparse; rows have sum 1."""
        above = self._assigned[level]
        for assigned in reversed(self._assigned[:level]):
            above = assigned @ above
        return _thinned(above) if level else above

    def read(self, songs: Integers, djs: Integers) -> Floats:
        """States (n, width) after songs (n, at most 15).

        Args:
            songs: the last ones of each sequence, `UNKNOWN` on the left where there are fewer, and for one outside the
                vocabulary after that.
            djs: (n,).
        """
        if not len(songs):
            return np.zeros((0, self._foreteller.predictor.options.width), dtype=np.float32)
        songs = songs[:, -LENGTH:]
        filler = self._fillers[djs][:, None]
        before = np.where((songs >= 0).any(axis=1), (songs >= 0).argmax(axis=1), songs.shape[1])
        place = np.arange(songs.shape[1]) + before[:, None]
        moved = np.take_along_axis(songs, np.minimum(place, songs.shape[1] - 1), axis=1)
        inputs = np.concatenate([filler, np.where(moved == UNKNOWN, filler, moved)], axis=1)
        states = self._foreteller.read(_tensor(inputs), self._dj_rows(djs))
        last = _tensor(songs.shape[1] - before)
        read: Floats = states[torch.arange(len(songs)), last].numpy()
        return read

    def begin(self, djs: Integers) -> SequenceState:
        """Sequences without a song, by DJs (n,)."""
        return self._stepped(None, self._fillers[djs], djs)

    def step(self, state: SequenceState, songs: Integers) -> SequenceState:
        """Sequences with one more song, (n,); a recurrent network carries its state, a transformer reads again."""
        return self._stepped(state.inner, np.where(songs == UNKNOWN, self._fillers[state.djs], songs), state.djs)

    def cluster_logits(self, hidden: Floats, level: int, teacher: Integers | None = None) -> Floats:
        """(n, k_level) of states (n, width), given clusters (n,) of the level above; the top level has none."""
        return self._numpy(self._foreteller.cluster_logits(_tensor(hidden), level, _optional(teacher)))

    def song_logits(self, hidden: Floats, teacher: Integers | None = None, songs: Integers | None = None) -> Floats:
        """(n, songs) of states (n, width), given clusters (n,) of level 0, where there are any; of all or some rows."""
        return self._numpy(self._foreteller.song_logits(_tensor(hidden), _optional(teacher), _optional(songs)))

    def narrowed(self, songs: Integers) -> "SequenceModel":
        """The same network, whose song logits are of some songs; it reads all."""
        return SequenceModel(self._foreteller.narrowed(_tensor(songs)), self._fillers, self._assigned)

    def next_scores(self, hidden: Floats, beam: int = BEAM) -> Floats:
        """Log probabilities (n, songs) of the next song, which nobody helped with: summed over clusters.

        Of each level the `beam` most probable clusters count; a beam of `max(sizes)` is exact.
        """
        return self._numpy(self._foreteller.next_scores(_tensor(hidden), beam))

    def level_hits(self, later: Sublists) -> tuple[dict[str, Flags], Integers]:
        """Whether clusters and songs of later tracklists are foretold level by level, as `Validation.level_hits` names.

        Args:
            later: sub-lists that it was not trained on.

        Returns:
            by name for each of the positions that are drawn, and their tracklists; by no name where there are no
            positions or no clusters.
        """
        validation = Validation(later_part(later, self._fillers, self._foreteller.predictor.sizes), torch.device("cpu"))
        lists = later.lists[validation.rows]
        if not self.sizes or not len(lists):
            return {}, lists
        likeliest = [np.asarray(self.assignments(level).argmax(axis=1)).ravel() for level in range(len(self.sizes))]
        hits = validation.level_hits(self._foreteller, [_tensor(clusters) for clusters in likeliest])
        return {name: is_hit.numpy() for name, is_hit in hits.items()}, lists

    def _stepped(self, inner: EncoderState | None, inputs: Integers, djs: Integers) -> SequenceState:
        made = self._foreteller.step(inner, _tensor(inputs), self._dj_rows(djs))
        return SequenceState(made.hidden.numpy(), djs, made)

    def _dj_rows(self, djs: Integers) -> Tensor:
        return _tensor(np.where(djs == UNKNOWN, self._foreteller.predictor.sizes.djs, djs))

    @staticmethod
    def _numpy(tensor: Tensor) -> Floats:
        values: Floats = tensor.numpy()
        return values


@dataclass(frozen=True)
class TrainedSequence:
    """A network that was read from its folder."""

    facts: SequenceFacts
    songs: Integers
    """Ids in the database, by row; so `djs`."""
    djs: Integers
    model: SequenceModel


def train_sequence_model(
    snapshot_folder: Path,
    folder: Path,
    options: SequenceOptions,
    *,
    recommender: Path | None = None,
    progress: Progress = silent,
    writes: bool = True,
) -> SequenceFacts:
    """Train on a snapshot and write what `load_sequence_model` reads into a folder, there once it is whole.

    The state of training is in a hidden folder beside it, and goes on from there when it was interrupted.

    Args:
        snapshot_folder: graphs and running order, as `recsys tracklists prepare` writes them.
        folder: where to write.
        options: how to train.
        recommender: folder of a TL-MGCCF that was trained on the same snapshot, whose features are taken.
        progress: called as work goes on.
        writes: whether this process does; of several, only the first.

    Raises:
        SourceError: a folder cannot be read, or holds something else.
        NotReadyError: the snapshot has too little to learn from, or training diverged.
        SettingsError: the device is not there, or the recommender is none of this snapshot.
    """
    check_replaceable(folder, MANIFEST_FILE)
    progress("reading the snapshot", 0, 0)
    snapshot, graph_facts = load_graph_snapshot(snapshot_folder)
    order = load_running_order(snapshot_folder, graph_facts.content_hash)
    progress("placing songs", 0, 0)
    features = song_features(snapshot, graph_facts, recommender)
    data = sequence_data(snapshot, order, features, options)
    state = training_state(folder)
    foreteller, history = train_sequence(data, options, state, progress)
    facts = SequenceFacts(
        options=asdict(options),
        metrics=max(history, key=lambda epoch: epoch.get(BEST, 0.0)) if BEST in history[-1] else history[-1],
        history=history,
        sizes=data.sizes._asdict(),
        snapshot_hash=graph_facts.content_hash,
        names_hash=graph_facts.names_hash,
        recommender_hash=features.source,
        before=graph_facts.before,
        learned=learned_today(graph_facts),
    )
    if writes:
        facts = write_sequence_model(folder, facts, foreteller, snapshot.songs, snapshot.djs, data.features.fillers)
        shutil.rmtree(state, ignore_errors=True)
    return facts


def load_sequence_model(folder: Path) -> TrainedSequence:
    """The network in a folder, checked against the hash of its content.

    Raises:
        SourceError: the folder holds none, one of another layout, or a damaged one.
    """
    from safetensors.numpy import load_file

    manifest = LAYOUT.read_manifest(folder)
    del manifest["layout"]
    try:
        facts = SequenceFacts(**manifest | {"learned": learned_of(manifest)})
        arrays: dict[str, Any] = load_file(folder / ARRAYS_FILE)
        if hash_of(arrays) != facts.content_hash:
            raise ValueError("its content is not what its manifest says")
        options = _options_of(facts.options)
        frozen = _frozen_of(arrays)
        widths = tuple(features.shape[1] for features in frozen.features)
        predictor = Predictor(Sizes(**facts.sizes), frozen.inputs.shape[1], widths, options)
        told = {name: torch.from_numpy(arrays[name]) for name in arrays if name.startswith("predictor.")}
        predictor.load_state_dict({name.removeprefix("predictor."): values for name, values in told.items()})
        assigned = _assigned_of(arrays, len(widths))
        songs, djs, fillers = arrays["songs"], arrays["djs"], arrays["fillers"]
    except Exception as error:
        # safetensors, torch and scipy each have their own errors for what is damaged.
        raise LAYOUT.damaged(folder, error) from None
    return TrainedSequence(facts, songs, djs, SequenceModel(Foreteller(predictor, frozen), fillers, assigned))


def write_sequence_model(
    folder: Path, facts: SequenceFacts, foreteller: Foreteller, songs: Integers, djs: Integers, fillers: Integers
) -> SequenceFacts:
    """Write a network into a folder, which is there once it is whole; its facts, with the hash of its content.

    Raises:
        SourceError: the folder holds something else, or cannot be written.
    """
    from safetensors.numpy import save_file

    arrays = _arrays(foreteller, songs, djs, fillers)
    facts = replace(facts, content_hash=hash_of(arrays))
    manifest = {"layout": LAYOUT.number} | asdict(facts)
    with replaced_folder(folder, MANIFEST_FILE) as draft:
        save_file(arrays, draft / ARRAYS_FILE)
        # safetensors lets nobody else read what it writes.
        (draft / ARRAYS_FILE).chmod(0o644)
        (draft / MANIFEST_FILE).write_text(json.dumps(manifest, indent=2), encoding="utf-8")
    return facts


def _arrays(foreteller: Foreteller, songs: Integers, djs: Integers, fillers: Integers) -> dict[str, Any]:
    """All that a folder holds but the facts, by name."""
    frozen = foreteller.frozen
    arrays: dict[str, Any] = {"songs": songs, "djs": djs, "fillers": fillers}
    arrays |= {f"predictor.{name}": weight.cpu().numpy() for name, weight in foreteller.predictor.state_dict().items()}
    named = {"inputs": frozen.inputs, "bias": frozen.bias}
    for level, (assignment, features) in enumerate(zip(frozen.assignments, frozen.features, strict=True)):
        named[f"features.{level}"] = features
        if level:
            arrays[f"assignments.{level}"] = assignment.cpu().numpy()
        else:
            named["kernel"] = frozen.kernel
            arrays |= matrix_arrays("assignments.0", _thinned(assignment.cpu().numpy()))
    arrays |= {f"frozen.{name}": values.cpu().numpy() for name, values in named.items()}
    return {name: _stored(name, values) for name, values in arrays.items()}


def _stored(name: str, values: Any) -> Any:
    return np.ascontiguousarray(values.astype(np.float16) if name in _HALVED else values)


def _thinned(assignment: Floats) -> Matrix:
    """A song's largest assignments as sparse rows of sum 1."""
    from scipy import sparse

    songs, clusters = assignment.shape
    count = min(ASSIGNMENTS, clusters)
    places = np.sort(np.argpartition(-assignment, count - 1, axis=1)[:, :count], axis=1)
    values = np.take_along_axis(assignment, places, axis=1)
    values = np.where(values >= np.minimum(LEAST_ASSIGNMENT, values.max(axis=1, keepdims=True)), values, 0)
    values /= values.sum(axis=1, keepdims=True)
    starts = count * np.arange(songs + 1)
    kept = sparse.csr_matrix((values.ravel(), places.ravel(), starts), shape=assignment.shape)
    kept.eliminate_zeros()
    return kept


def _frozen_of(arrays: Arrays) -> Frozen:
    wide = {name: torch.from_numpy(arrays[name].astype(np.float32)) for name in arrays if name.startswith("frozen.")}
    inputs, bias = wide["frozen.inputs"], wide["frozen.bias"]
    levels = sum(name.startswith("frozen.features.") for name in arrays)
    if not levels:
        return Frozen(inputs, inputs[: len(bias)], bias, [], [])
    features = [wide[f"frozen.features.{level}"] for level in range(levels)]
    return Frozen(inputs, wide["frozen.kernel"], bias, [], features)


def _assigned_of(arrays: Arrays, levels: int) -> list[Matrix]:
    if not levels:
        return []
    return [matrix_of(arrays, "assignments.0"), *(arrays[f"assignments.{level}"] for level in range(1, levels))]


def _options_of(stored: dict[str, Any]) -> SequenceOptions:
    told: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()}
    return SequenceOptions(**told)


def _tensor(values: Any) -> Tensor:
    tensor: Tensor = torch.from_numpy(np.ascontiguousarray(values))
    return tensor


def _optional(rows: Integers | None) -> Tensor | None:
    return None if rows is None else _tensor(rows)
