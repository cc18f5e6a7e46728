"""Trained recommenders of next songs, as folders that need no database."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from recsys import __version__
from recsys.folders import Layout, check_replaceable, replaced_folder
from recsys.progress import Progress, silent
from recsys.sequences.next_channels import FEATURES
from recsys.sequences.next_song import NextOptions, NextRecommender, NextSong
from recsys.sequences.next_training import train_next_song
from recsys.sequences.played import Played, counts_of
from recsys.tracklists.forests import Forest, check_forest
from recsys.tracklists.graph_snapshot import GraphFacts, GraphSnapshot
from recsys.tracklists.learned import UNTOLD, Learned, learned_of, learned_today
from recsys.tracklists.running_order import RunningOrder, order_arrays, order_of
from recsys.tracklists.stored_arrays import Integers, hash_of, read_arrays, write_arrays

MANIFEST_FILE = "next.json"
ARRAYS_FILE = "next.npz"
FILES = (MANIFEST_FILE, ARRAYS_FILE)
LAYOUT = Layout("recommender of next songs", "recsys tracklists train --model next --output", MANIFEST_FILE, 1)


@dataclass(frozen=True)
class NextFacts:
    """What a recommender of next songs is, as its manifest says."""

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
class TrainedNext:
    """A recommender of next songs that was read from its folder."""

    facts: NextFacts
    djs: Integers
    """Ids in the database, by row."""
    order: RunningOrder
    """Songs, artists and programmes by their rows, and the tracklists that it answers from."""
    recommender: NextRecommender


def train_next_recommender(
    snapshot: GraphSnapshot,
    order: RunningOrder,
    facts: GraphFacts,
    folder: Path,
    options: NextOptions | None = None,
    *,
    progress: Progress = silent,
) -> NextFacts:
    """Train on a snapshot and write what `load_next_recommender` reads into a folder, which is there once it is whole.

    Raises:
        SourceError: the folder holds something else, or cannot be written.
        NotReadyError: there are too few tracklists to learn from.
    """
    check_replaceable(folder, MANIFEST_FILE)
    options = options or NextOptions()
    counts = counts_of(order, len(snapshot.djs))
    grown = train_next_song(order.past, order.song_artists, counts, options, progress=progress)
    progress("writing", 0, 0)
    arrays = _arrays(snapshot, order, np.frombuffer(grown.forest.onnx, dtype=np.uint8))
    trained = NextFacts(
        options=asdict(options) | {"without": list(options.without)},
        metrics=grown.metrics,
        snapshot_hash=facts.content_hash,
        names_hash=order.names_hash,
        before=facts.before,
        learned=learned_today(facts),
        read_at=facts.read_at,
        content_hash=hash_of(arrays),
    )
    _write(folder, trained, arrays)
    return trained


def renew_next_recommender(
    former: Path, snapshot: GraphSnapshot, order: RunningOrder, facts: GraphFacts, folder: Path
) -> NextFacts:
    """Write a recommender that answers from another snapshot by what it learned before.

    Args:
        former: the folder of a recommender of next songs.
        snapshot: what it shall answer from; `order` and `facts` are its.
        order: see there.
        facts: see there.
        folder: where to write; new, empty, or such a recommender.

    Raises:
        SourceError: `former` holds none, or a damaged one.
    """
    trained = load_next_recommender(former)
    arrays = _arrays(snapshot, order, read_arrays(former / ARRAYS_FILE)["forest"])
    renewed = replace(
        trained.facts,
        snapshot_hash=facts.content_hash,
        names_hash=order.names_hash,
        before=facts.before,
        read_at=facts.read_at,
        content_hash=hash_of(arrays),
        code_version=__version__,
    )
    _write(folder, renewed, arrays)
    return renewed


def _arrays(snapshot: GraphSnapshot, order: RunningOrder, forest: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[Any]]:
    known = replace(order, later=order.later.at(np.arange(0)))
    return order_arrays(known) | {"djs": snapshot.djs.astype(np.int64), "forest": forest}


def _write(folder: Path, trained: NextFacts, arrays: dict[str, npt.NDArray[Any]]) -> None:
    with replaced_folder(folder, MANIFEST_FILE) as draft:
        write_arrays(draft / ARRAYS_FILE, arrays)
        manifest = {"layout": LAYOUT.number} | asdict(trained)
        (draft / MANIFEST_FILE).write_text(json.dumps(manifest, indent=2), encoding="utf-8")


def load_next_recommender(folder: Path) -> TrainedNext:
    """The recommender in a folder, checked against the hash of its content.

    Raises:
        SourceError: the folder holds none, one of another layout, or a damaged one.
    """
    manifest = LAYOUT.read_manifest(folder)
    del manifest["layout"]
    try:
        facts = NextFacts(**manifest | {"learned": learned_of(manifest)})
        arrays = read_arrays(folder / ARRAYS_FILE)
        if hash_of(arrays) != facts.content_hash:
            raise ValueError("its content is not what its manifest says")
        options = NextOptions(**facts.options | {"without": tuple(facts.options["without"])})
        forest = Forest(arrays["forest"].tobytes())
        check_forest(forest, len(FEATURES))
        order = order_of(arrays)
        played = Played(order.past, order.song_artists, counts_of(order, len(arrays["djs"])))
    except Exception as error:
        # zipfile, zlib, numpy, scipy and onnxruntime each have their own errors for what is damaged.
        raise LAYOUT.damaged(folder, error) from None
    recommender = NextRecommender(NextSong(options, forest, facts.metrics), played)
    return TrainedNext(facts, arrays["djs"], order, recommender)
