"""Titles into vectors and votes: distinct titles only, batch by batch, going on where it was interrupted."""

from dataclasses import asdict, dataclass

import numpy as np
import psycopg

from recsys.config import Settings
from recsys.database import connect, copy_vectors, require_migrated, translated_errors, writer_lock
from recsys.errors import NotReadyError
from recsys.progress import Progress, silent
from recsys.registry import ModelFacts, make_current, register_model
from recsys.titles.encoder import Encoder, encode_by_length, prepare_encoder
from recsys.titles.profiles import build_index, build_profiles
from recsys.titles.smoothing import Smoothing
from recsys.titles.splits import split_id

BATCH = 2048

UNEMBEDDED = """
SELECT t.id, t.name
  FROM title AS t
 WHERE EXISTS (SELECT FROM playlist AS p JOIN playlist_track AS pt ON pt.playlist_id = p.id WHERE p.title_id = t.id)
   AND NOT EXISTS (SELECT FROM title_embedding AS e WHERE e.model_id = %s AND e.title_id = t.id)
"""

# What was fitted by `recsys titles tune` outlives a rebuild.
FITTED = """
SELECT config -> 'parameters', config -> 'smoothing' FROM model
 WHERE kind = 'title-recommender' AND (config ->> 'encoder')::bigint = %s
   AND (config ->> 'split')::bigint IS NOT DISTINCT FROM %s
"""


@dataclass(frozen=True)
class EmbedSummary:
    """What `embed_titles` did. `model_id` is the recommender's, `split` the one on whose train part it was built."""

    model_id: int
    encoder: str
    dimension: int
    split: str | None
    embedded: int
    already_there: int
    profiles: int
    has_index: bool


def embed_titles(
    settings: Settings,
    encoder_name: str | None = None,
    progress: Progress = silent,
    *,
    split: str | None = None,
) -> EmbedSummary:
    """Embed the titles that have no vector yet and build what titles vote for.

    Without a split, this recommender answers from now on; with one, only playlists of its train part vote, and it
    answers where the split is named.

    Args:
        settings: where the database and the models are.
        encoder_name: a hub name or a folder; the setting's if None.
        progress: called as work goes on.
        split: name of a split.

    Raises:
        EncoderError: the encoder cannot be found, loaded or exported.
        NotReadyError: there are no titles.
        UnknownNameError: there is no such split.
        BusyError: another process is writing.
    """
    with translated_errors(), connect(settings) as connection:
        require_migrated(connection)
        if connection.execute("SELECT FROM playlist WHERE title_id IS NOT NULL LIMIT 1").fetchone() is None:
            raise NotReadyError("there are no playlist titles to embed: load some with `recsys ingest`")
        part_of = None if split is None else split_id(connection, split)
        connection.commit()
        progress("preparing the encoder", 0, 0)
        encoder = prepare_encoder(encoder_name or settings.encoder, settings.models_folder)
        with writer_lock(connection, settings.db_schema):
            encoder_id = register_model(
                settings,
                ModelFacts("title-encoder", encoder.name, encoder.dimension, encoder.fingerprint, encoder.folder),
            )
            embedded = _embed(connection, encoder, encoder_id, progress)
            has_index = build_index(connection, encoder_id)
            model_id, smoothing = _register_recommender(settings, connection, encoder, encoder_id, part_of)
            profiles = build_profiles(
                connection,
                model_id,
                split=part_of,
                smoothing=smoothing,
                progress=lambda done, of: progress("building title profiles", done, of),
            )
            if split is None:
                make_current(settings, encoder_id)
                make_current(settings, model_id)
            row = connection.execute(
                "SELECT count(*) FROM title_embedding WHERE model_id = %s", (encoder_id,)
            ).fetchone()
            connection.commit()
    there = (int(row[0]) if row else 0) - embedded
    return EmbedSummary(model_id, encoder.name, encoder.dimension, split, embedded, there, profiles, has_index)


def _register_recommender(
    settings: Settings, connection: psycopg.Connection, encoder: Encoder, encoder_id: int, split_id: int | None
) -> tuple[int, Smoothing]:
    row = connection.execute(FITTED, (encoder_id, split_id)).fetchone()
    connection.commit()
    parameters, stored = row if row is not None else (None, None)
    smoothing = Smoothing(**(stored or {}))
    facts = ModelFacts(
        "title-recommender",
        encoder.name,
        encoder.dimension,
        encoder.fingerprint if split_id is None else f"{encoder.fingerprint} split {split_id}",
        encoder.folder,
        config={
            "encoder": encoder_id,
            "split": split_id,
            "parameters": parameters or {},
            "smoothing": asdict(smoothing),
        },
    )
    return register_model(settings, facts), smoothing


def _embed(connection: psycopg.Connection, encoder: Encoder, model_id: int, progress: Progress) -> int:
    titles = connection.execute(UNEMBEDDED, (model_id,)).fetchall()
    names = [name for _, name in titles]
    for places, vectors in encode_by_length(
        encoder, names, BATCH, lambda done: progress("embedding titles", done, len(titles))
    ):
        ids = np.array([titles[place][0] for place in places], dtype=np.int64)
        copy_vectors(connection, "title_embedding", ("model_id", "title_id", "embedding"), model_id, ids, vectors)
        connection.commit()
    return len(titles)
