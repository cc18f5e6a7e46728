"""Trained recommenders of songs for DJs and listeners, as folders that need no database."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from recsys import __version__
from recsys.device import Device
from recsys.errors import SourceError
from recsys.folders import Layout, check_replaceable, replaced_folder, training_state
from recsys.progress import Progress, silent
from recsys.tracklists.blend import PARTS, Blend, BlendOptions
from recsys.tracklists.blend_training import train_blend
from recsys.tracklists.channels import FEATURES
from recsys.tracklists.forecasting import BlendRecommender, MgccfRecommender, Recommender
from recsys.tracklists.forests import Forest, check_forest
from recsys.tracklists.graph_snapshot import GraphFacts, GraphSnapshot
from recsys.tracklists.learned import UNTOLD, Learned, learned_of, learned_today
from recsys.tracklists.mgccf import Mgccf, MgccfOptions
from recsys.tracklists.past import Past
from recsys.tracklists.song_space import song_vectors
from recsys.tracklists.sparse_rows import column_sums, ones
from recsys.tracklists.stored_arrays import (
    Arrays,
    Integers,
    Matrix,
    arrays_of,
    hash_of,
    matrix_of,
    read_arrays,
    write_arrays,
)

MANIFEST_FILE = "recommender.json"
LAYOUT = Layout("tracklist recommender", "recsys tracklists train --output", MANIFEST_FILE, 1)

ModelName = Literal["blend", "tl-mgccf"]

ARRAYS_FILE = "recommender.npz"
FILES = (MANIFEST_FILE, ARRAYS_FILE)

_IDS = ("songs", "artists", "djs", "days")
_MATRICES = ("lists", "dj_lists", "credits")


@dataclass(frozen=True)
class TrainedFacts:
    """What a trained recommender is, as its manifest says."""

    model: ModelName
    options: dict[str, Any]
    metrics: dict[str, float]
    snapshot_hash: str
    names_hash: str
    """Of the songs and DJs of the database that the snapshot was read from."""
    before: str | None
    """The snapshot's; tracklists of this date and later were not seen."""
    learned: Learned = UNTOLD
    read_at: str | None = None
    """The snapshot's: when the tracklists that it answers from had last changed."""
    content_hash: str = ""
    code_version: str = __version__


@dataclass(frozen=True)
class Trained:
    """A recommender that was read from its folder."""

    facts: TrainedFacts
    songs: Integers
    """Ids in the database, by row; so `artists` and `djs`."""
    artists: Integers
    djs: Integers
    plays: Matrix
    """How often each DJ played each song."""
    recommender: Recommender


def training_options(
    model: ModelName, *, seed: int = 0, epochs: int = 600, device: Device = "auto"
) -> BlendOptions | MgccfOptions:
    """The default options of a model; only TL-MGCCF has epochs and a device."""
    return BlendOptions(seed=seed) if model == "blend" else MgccfOptions(seed=seed, epochs=epochs, device=device)


def train_recommender(
    snapshot: GraphSnapshot,
    facts: GraphFacts,
    folder: Path,
    options: BlendOptions | MgccfOptions | None = None,
    *,
    progress: Progress = silent,
) -> TrainedFacts:
    """Train on a snapshot and write what `load_recommender` reads into a folder, which is there once it is whole.

    The options say which model; the default is the blend. TL-MGCCF keeps its state in a hidden folder beside, and goes
    on from there when it was interrupted.

    Raises:
        SourceError: the folder holds something else, or cannot be written.
        NotReadyError: the snapshot has too little to learn from.
        SettingsError: the device that the options name is not there.
    """
    check_replaceable(folder, MANIFEST_FILE)
    options = options or BlendOptions()
    arrays = arrays_of(snapshot, _IDS, _MATRICES)
    state = training_state(folder)
    if isinstance(options, BlendOptions):
        learned, metrics = _trained_blend(snapshot, options, progress)
    else:
        learned, metrics = _trained_mgccf(snapshot, options, state, progress)
    arrays |= learned
    trained = TrainedFacts(
        model="blend" if isinstance(options, BlendOptions) else "tl-mgccf",
        options=asdict(options),
        metrics=metrics,
        snapshot_hash=facts.content_hash,
        names_hash=facts.names_hash,
        before=facts.before,
        learned=learned_today(facts),
        read_at=facts.read_at,
        content_hash=hash_of(arrays),
    )
    _write(folder, trained, arrays)
    shutil.rmtree(state, ignore_errors=True)
    return trained


def renew_recommender(former: Path, snapshot: GraphSnapshot, facts: GraphFacts, folder: Path) -> TrainedFacts:
    """Write a recommender that answers from another snapshot by what it learned before.

    A blend's forests weigh what is told of a song, and are asked of whatever is told now; the songs' space is made of
    the new tracklists.

    Args:
        former: the folder of a blend.
        snapshot: what it shall answer from; `facts` are its.
        facts: see there.
        folder: where to write; new, empty, or a recommender.

    Raises:
        SourceError: `former` holds no blend, or a damaged one.
    """
    trained = load_recommender(former)
    if trained.facts.model != "blend":
        raise SourceError(f"{former} holds {trained.facts.model}, which answers from what it was trained on alone")
    lists = ones(snapshot.lists)
    forests = {name: values for name, values in read_arrays(former / ARRAYS_FILE).items() if name.startswith("forest.")}
    arrays = arrays_of(snapshot, _IDS, _MATRICES) | forests
    arrays["vectors"] = song_vectors(lists, column_sums(lists))
    renewed = replace(
        trained.facts,
        snapshot_hash=facts.content_hash,
        names_hash=facts.names_hash,
        before=facts.before,
        read_at=facts.read_at,
        content_hash=hash_of(arrays),
        code_version=__version__,
    )
    _write(folder, renewed, arrays)
    return renewed


def _write(folder: Path, trained: TrainedFacts, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    manifest = {"layout": LAYOUT.number} | asdict(trained)
    with replaced_folder(folder, MANIFEST_FILE) as draft:
        write_arrays(draft / ARRAYS_FILE, arrays)
        (draft / MANIFEST_FILE).write_text(json.dumps(manifest, indent=2), encoding="utf-8")


_Learned = tuple[dict[str, npt.NDArray[Any]], dict[str, float]]


def _trained_blend(snapshot: GraphSnapshot, options: BlendOptions, progress: Progress) -> _Learned:
    progress("placing songs", 0, 0)
    lists = ones(snapshot.lists)
    vectors = song_vectors(lists, column_sums(lists))
    blend = train_blend(snapshot, options, progress=progress)
    forests = {f"forest.{part}": np.frombuffer(blend.forests[part].onnx, dtype=np.uint8) for part in PARTS}
    return forests | {"vectors": vectors}, blend.metrics


def _trained_mgccf(snapshot: GraphSnapshot, options: MgccfOptions, state: Path, progress: Progress) -> _Learned:
    from recsys.tracklists.mgccf_training import train_mgccf

    model = train_mgccf(snapshot, options, state, progress)
    arrays = {f"mgccf.{name}": values for name, values in model.to_arrays().items()}
    for name in model.history[0] if model.history else ():
        arrays[f"history.{name}"] = np.array([epoch[name] for epoch in model.history])
    return arrays, model.history[-1] if model.history else {}


def load_recommender(folder: Path) -> Trained:
    """The recommender in a folder, checked against the hash of its content.

    Raises:
        SourceError: the folder holds none, one of another layout, or a damaged one.
    """
    manifest = LAYOUT.read_manifest(folder)
    del manifest["layout"]
    try:
        facts = TrainedFacts(**manifest | {"learned": learned_of(manifest)})
        arrays = read_arrays(folder / ARRAYS_FILE)
        if hash_of(arrays) != facts.content_hash:
            raise ValueError("its content is not what its manifest says")
        lists, dj_lists, credited = (matrix_of(arrays, name) for name in _MATRICES)
        made: Recommender
        if facts.model == "blend":
            past = Past(lists, arrays["days"], dj_lists, credited, arrays["vectors"])
            made, plays = BlendRecommender(_blend(arrays, facts), past), past.plays
        else:
            options = MgccfOptions(**facts.options | {"without": tuple(facts.options["without"])})
            own = {name.removeprefix("mgccf."): arrays[name] for name in arrays if name.startswith("mgccf.")}
            plays = (dj_lists @ lists).tocsr()
            made = MgccfRecommender(Mgccf.from_arrays(own, options), plays)
    except Exception as error:
        # zipfile, zlib, numpy, scipy and onnxruntime each have their own errors for what is damaged.
        raise LAYOUT.damaged(folder, error) from None
    return Trained(facts, arrays["songs"], arrays["artists"], arrays["djs"], plays, made)


def _blend(arrays: Arrays, facts: TrainedFacts) -> Blend:
    forests = {part: Forest(arrays[f"forest.{part}"].tobytes()) for part in PARTS}
    for forest in forests.values():
        check_forest(forest, len(FEATURES))
    return Blend(BlendOptions(**facts.options), forests, facts.metrics)
