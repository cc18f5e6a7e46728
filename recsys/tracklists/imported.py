"""Trained tracklist recommenders brought home: checked, copied, and their vectors and forecasts put into tables."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psycopg

from recsys.config import Settings
from recsys.database import (
    build_vector_index,
    connect,
    copy_rows,
    copy_vectors,
    drop_vector_index,
    require_migrated,
    translated_errors,
    writer_lock,
)
from recsys.database.vector_index import EmbeddedTable
from recsys.errors import SettingsError, SourceError
from recsys.folders import replaced_folder
from recsys.progress import Progress, silent
from recsys.registry import Kind, ModelFacts, make_current, register_model
from recsys.tracklists.forecasting import Vectors
from recsys.tracklists.prepare import names_hash
from recsys.tracklists.recommender import FILES, MANIFEST_FILE, Trained, load_recommender

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
    settings: Settings, folder: Path, *, name: str | None = None, progress: Progress = silent
) -> RecommenderSummary:
    """Check a trained recommender, copy it into the models' folder and let it answer.

    It takes the place of an older one of its name. The same one again is one model; what was interrupted is run again.

    Raises:
        SourceError: the folder holds no recommender, a damaged one, or one that was trained on another database.
        SettingsError: the name cannot be one.
    """
    name = folder.resolve().name if name is None else name
    if not re.fullmatch(r"\w[\w.-]{0,99}", name):
        raise SettingsError(f"{name!r} cannot name a model: use letters, digits, '.', '_' and '-' with --name")
    progress("reading the model", 0, 0)
    trained = load_recommender(folder)
    with translated_errors(), connect(settings) as connection, writer_lock(connection, settings.db_schema):
        require_migrated(connection)
        _check_names(connection, trained, folder)
        connection.commit()
        home = recommenders_folder(settings) / name
        if folder.resolve() != home.resolve():
            home.parent.mkdir(parents=True, exist_ok=True)
            with replaced_folder(home, MANIFEST_FILE) as draft:
                for file in FILES:
                    shutil.copyfile(folder / file, draft / file)
        facts = trained.facts
        vectors = trained.recommender.vectors
        model_id = register_model(
            settings,
            ModelFacts(
                KIND,
                name,
                vectors.djs.shape[1],
                facts.content_hash,
                home,
                base=facts.model,
                revision=facts.code_version,
                config=facts.options,
                metrics=facts.metrics,
                snapshot_hash=facts.snapshot_hash,
            ),
        )
        _fill(connection, model_id, trained, vectors, progress)
        make_current(settings, model_id)
        _forget_older(connection, model_id, name)
    return RecommenderSummary(
        model_id=model_id,
        name=name,
        model=facts.model,
        folder=home,
        songs=len(trained.songs),
        artists=len(trained.artists),
        djs=len(trained.djs),
        metrics=facts.metrics,
        snapshot_hash=facts.snapshot_hash,
        before=facts.before,
    )


def _check_names(connection: psycopg.Connection, trained: Trained, folder: Path) -> None:
    if names_hash(connection, trained.songs, trained.djs) != trained.facts.names_hash:
        raise SourceError(
            f"{folder} was trained on another database: its songs and DJs are not those of this one; prepare and train"
            " again"
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


def _forget_older(connection: psycopg.Connection, model_id: int, name: str) -> None:
    older = connection.execute(
        "DELETE FROM model WHERE kind = %s AND name = %s AND id <> %s RETURNING id", (KIND, name, model_id)
    ).fetchall()
    for (old,) in older:
        for table in EMBEDDED:
            drop_vector_index(connection, table, old)
    connection.commit()
