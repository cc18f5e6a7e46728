"""Trained sequence models brought home: checked, copied, and their vectors and clusters of songs put into tables."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psycopg

from recsys.config import Settings
from recsys.database import copy_rows, copy_vectors
from recsys.progress import Progress, silent
from recsys.registry import Kind
from recsys.sequences.candidates import LEVELS, PLACES, memberships
from recsys.sequences.sequence_model import FILES, TrainedSequence, load_sequence_model
from recsys.tracklists.folding import fold_in_djs
from recsys.tracklists.song_space import units
from recsys.tracklists.sparse_rows import dense
from recsys.tracklists.taking_up import TrainedFolder, model_name, take_up

KIND: Kind = "tracklist-model"

MEMBERSHIP = {"model_id": "int8", "song_id": "int8", "clusters": "int4[]", "probabilities": "float4[]"}

ACAPELLAS = """
UPDATE song_membership AS m SET is_acapella = true
  FROM song AS s
 WHERE m.model_id = %s AND s.id = m.song_id AND is_acapella(s.title, s.version)
"""


@dataclass(frozen=True)
class SequenceSummary:
    """What `import_sequence_model` did."""

    model_id: int
    already_there: bool
    """It was imported before, and only made current now."""
    name: str
    model: str
    folder: Path
    songs: int
    djs: int
    clusters: tuple[int, ...]
    """Of each level, the smallest clusters first."""
    metrics: dict[str, float]
    snapshot_hash: str
    before: str | None


def models_folder(settings: Settings) -> Path:
    """Where sequence models are kept, a folder for each schema."""
    return settings.models_folder / "sequences" / settings.db_schema


def import_sequence_model(
    settings: Settings, folder: Path, *, name: str | None = None, progress: Progress = silent
) -> SequenceSummary:
    """Check a trained sequence model, copy it into the models' folder and let it answer.

    It takes the place of an older one of its name. The same one again is one model; what was interrupted is run again.

    Raises:
        SourceError: the folder holds no model, a damaged one, or one that was trained on another database.
        SettingsError: the name cannot be one.
    """
    name = model_name(folder, name)
    progress("reading the model", 0, 0)
    trained = load_sequence_model(folder)
    facts, sizes = trained.facts, trained.model.sizes
    vectors = trained.model.song_vectors
    model = f"{facts.options['encoder']}, {facts.options['head']}"
    taken_up = take_up(
        settings,
        TrainedFolder(
            kind=KIND,
            folder=folder,
            files=FILES,
            model=model,
            dimension=vectors.shape[1],
            songs=trained.songs,
            djs=trained.djs,
            facts=facts,
        ),
        models_folder(settings) / name,
        lambda connection, model_id: _fill(connection, model_id, trained, progress),
        (),
    )
    return SequenceSummary(
        model_id=taken_up.model_id,
        already_there=taken_up.already_there,
        name=name,
        model=model,
        folder=taken_up.folder,
        songs=len(trained.songs),
        djs=len(trained.djs),
        clusters=sizes,
        metrics=facts.metrics,
        snapshot_hash=facts.snapshot_hash,
        before=facts.before,
    )


def _fill(connection: psycopg.Connection, model_id: int, trained: TrainedSequence, progress: Progress) -> None:
    """Put vectors and clusters into tables, all or nothing."""
    for table in ("song_embedding", "song_membership"):
        connection.execute(f"DELETE FROM {table} WHERE model_id = %s", (model_id,))  # noqa: S608 - our own names
    progress("storing vectors", 0, 0)
    vectors = units(trained.model.song_vectors)
    is_there = vectors.any(axis=1)
    columns = ("model_id", "song_id", "embedding")
    copy_vectors(connection, "song_embedding", columns, model_id, trained.songs[is_there], vectors[is_there])
    # A DJ is the mean of the songs that he played before the day from which on the model saw nothing.
    fold_in_djs(connection, model_id, before=trained.facts.before)
    progress("storing clusters", 0, 0)
    copy_rows(connection, "song_membership", MEMBERSHIP, _memberships(model_id, trained))
    connection.execute(ACAPELLAS, (model_id,))
    connection.commit()


def _memberships(model_id: int, trained: TrainedSequence) -> Iterator[tuple[object, ...]]:
    songs = len(trained.songs)
    clusters = np.full((songs, LEVELS * PLACES), -1)
    probabilities = np.zeros((songs, LEVELS * PLACES), dtype=np.float32)
    for level in range(len(trained.model.sizes)):
        part = slice(level * PLACES, (level + 1) * PLACES)
        clusters[:, part], probabilities[:, part] = memberships(dense(trained.model.assignments(level)))
    for row, song in enumerate(trained.songs.tolist()):
        yield model_id, song, clusters[row].tolist(), probabilities[row].tolist()
