"""Trained tracklist recommenders brought home: checked, copied, and their vectors and forecasts put into tables."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psycopg

from recsys.config import Settings
from recsys.database import build_vector_index, copy_rows, copy_vectors
from recsys.database.vector_index import EmbeddedTable
from recsys.progress import Progress, silent
from recsys.registry import Kind
from recsys.tracklists.forecasting import Vectors
from recsys.tracklists.recommender import FILES, Trained, load_recommender
from recsys.tracklists.taking_up import TrainedFolder, model_name, take_up

KIND: Kind = "tracklist-recommender"

FORECAST_SONGS = 1000
"""Songs that are kept for a DJ, the best first."""
FORECAST_NEW_SONGS = 500
"""Songs new to him among them; if there are fewer, more follow."""

EMBEDDED: dict[EmbeddedTable, str] = {
    "song_embedding": "song_id",
    "song_likeness": "song_id",
    "artist_embedding": "artist_id",
    "dj_embedding": "dj_id",
}

FORECAST = {"model_id": "int8", "dj_id": "int8", "song_ids": "int4[]", "scores": "float4[]", "is_known": "bool[]"}


@dataclass(frozen=True)
class RecommenderSummary:
    """What `import_recommender` did."""

    model_id: int
    already_there: bool
    """It was imported before, and only made current now."""
    name: str
    model: str
    folder: Path
    songs: int
    artists: int
    djs: int
    metrics: dict[str, float]
    snapshot_hash: str
    before: str | None


def recommenders_folder(settings: Settings) -> Path:
    """Where recommenders are kept, a folder for each schema."""
    return settings.models_folder / "tracklists" / settings.db_schema


def import_recommender(
    settings: Settings,
    folder: Path,
    *,
    name: str | None = None,
    anew: bool = False,
    renews: int | None = None,
    progress: Progress = silent,
) -> RecommenderSummary:
    """Check a trained recommender, copy it into the models' folder and let it answer.

    It takes the place of an older one of its name. The same one again is one model, under the name that was given last,
    and is not stored twice, but for `anew`; what was interrupted is run again. One that `renews` a model takes its
    place only while that one answers.

    Raises:
        NotReadyError: the model that it renews does not answer any more.
        SourceError: the folder holds no recommender, a damaged one, or one that was trained on another database.
        SettingsError: the name cannot be one.
    """
    name = model_name(folder, name)
    progress("reading the model", 0, 0)
    trained = load_recommender(folder)
    facts = trained.facts
    vectors = trained.recommender.vectors
    taken_up = take_up(
        settings,
        TrainedFolder(
            kind=KIND,
            folder=folder,
            files=FILES,
            model=facts.model,
            dimension=vectors.djs.shape[1],
            songs=trained.songs,
            djs=trained.djs,
            facts=facts,
            read_at=facts.read_at,
        ),
        recommenders_folder(settings) / name,
        lambda connection, model_id: _fill(connection, model_id, trained, vectors, progress),
        tuple(EMBEDDED),
        anew=anew,
        renews=renews,
    )
    return RecommenderSummary(
        model_id=taken_up.model_id,
        already_there=taken_up.already_there,
        name=name,
        model=facts.model,
        folder=taken_up.folder,
        songs=len(trained.songs),
        artists=len(trained.artists),
        djs=len(trained.djs),
        metrics=facts.metrics,
        snapshot_hash=facts.snapshot_hash,
        before=facts.before,
    )


def _fill(connection: psycopg.Connection, model_id: int, trained: Trained, made: Vectors, progress: Progress) -> None:
    """Put vectors and forecasts into tables, all or nothing, and index the vectors."""
    parts = (
        (trained.songs, made.songs),
        (trained.songs, made.likeness),
        (trained.artists[: len(made.artists)], made.artists),
        (trained.djs, made.djs),
    )
    for table in (*EMBEDDED, "dj_forecast"):
        connection.execute(f"DELETE FROM {table} WHERE model_id = %s", (model_id,))  # noqa: S608 - our own names
    progress("storing vectors", 0, 0)
    for (table, key), (ids, vectors) in zip(EMBEDDED.items(), parts, strict=True):
        if vectors is None:
            continue
        is_there = vectors.any(axis=1)
        copy_vectors(connection, table, ("model_id", key, "embedding"), model_id, ids[is_there], vectors[is_there])
    copy_rows(connection, "dj_forecast", FORECAST, _forecasts(model_id, trained, progress))
    connection.commit()
    progress("indexing vectors", 0, 0)
    for table in EMBEDDED:
        build_vector_index(connection, table, model_id)


def _forecasts(model_id: int, trained: Trained, progress: Progress) -> Iterator[tuple[object, ...]]:
    rows = np.flatnonzero(np.diff(trained.plays.indptr) > 0)
    for number, (row, scored) in enumerate(zip(rows.tolist(), trained.recommender.for_djs(rows), strict=True)):
        progress("answering for DJs", number, len(rows))
        is_kept = np.arange(len(scored.songs)) < FORECAST_SONGS
        is_kept |= ~scored.is_known & (np.cumsum(~scored.is_known) <= FORECAST_NEW_SONGS)
        songs = trained.songs[scored.songs[is_kept]].tolist()
        scores, is_known = scored.scores[is_kept].tolist(), scored.is_known[is_kept].tolist()
        yield model_id, int(trained.djs[row]), songs, scores, is_known
