"""Titles into vectors: distinct titles only, batch by batch, going on where it was interrupted."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import psycopg

from recsys.config import Settings
from recsys.database import connect, copy_vectors, require_migrated, translated_errors, writer_lock
from recsys.errors import NotReadyError
from recsys.registry import ModelFacts, make_current, register_model
from recsys.titles.encoder import Encoder, prepare_encoder
from recsys.titles.profiles import build_index, build_profiles

BATCH = 2048

UNEMBEDDED = """
SELECT t.id, t.name
  FROM title_profile AS p JOIN title AS t ON t.id = p.title_id
 WHERE p.model_id = %s
   AND NOT EXISTS (SELECT FROM title_embedding AS e WHERE e.model_id = p.model_id AND e.title_id = p.title_id)
"""


@dataclass(frozen=True)
class EmbedSummary:
    """What `embed_titles` did."""

    model_id: int
    encoder: str
    dimension: int
    embedded: int
    already_there: int
    profiles: int
    has_index: bool


Progress = Callable[[str, int, int], None]
"""Called with what is being done, and how much of how much is done (0 of 0 where that is unknown)."""


def embed_titles(
    settings: Settings, encoder_name: str | None = None, progress: Progress = lambda _step, _done, _all: None
) -> EmbedSummary:
    """Build what titles vote for, embed those that have no vector yet, and let this encoder answer from now on.

    Args:
        settings: where the database and the models are.
        encoder_name: a hub name or a folder; the setting's if None.
        progress: called as work goes on.

    Raises:
        EncoderError: the encoder cannot be found, loaded or exported.
        NotReadyError: there are no titles.
        BusyError: another process is writing.
    """
    with translated_errors(), connect(settings) as connection:
        require_migrated(connection)
        if connection.execute("SELECT FROM playlist WHERE title_id IS NOT NULL LIMIT 1").fetchone() is None:
            raise NotReadyError("there are no playlist titles to embed: load some with `recsys ingest`")
        connection.commit()
        progress("preparing the encoder", 0, 0)
        encoder = prepare_encoder(encoder_name or settings.encoder, settings.models_folder)
        with writer_lock(connection, settings.db_schema):
            model_id = register_model(
                settings,
                ModelFacts("title-encoder", encoder.name, encoder.dimension, encoder.fingerprint, encoder.folder),
            )
            progress("building title profiles", 0, 0)
            profiles = build_profiles(connection, model_id)
            embedded = _embed(connection, encoder, model_id, progress)
            has_index = build_index(connection, model_id)
            make_current(settings, model_id)
            row = connection.execute("SELECT count(*) FROM title_embedding WHERE model_id = %s", (model_id,)).fetchone()
            connection.commit()
    there = (int(row[0]) if row else 0) - embedded
    return EmbedSummary(model_id, encoder.name, encoder.dimension, embedded, there, profiles, has_index)


def _embed(connection: psycopg.Connection, encoder: Encoder, model_id: int, progress: Progress) -> int:
    titles = connection.execute(UNEMBEDDED, (model_id,)).fetchall()
    titles.sort(key=lambda row: (len(row[1]), row[0]))
    done = 0

    def count(finished: int) -> None:
        nonlocal done
        done += finished
        progress("embedding titles", done, len(titles))

    for start in range(0, len(titles), BATCH):
        batch = titles[start : start + BATCH]
        vectors = encoder.encode([name for _, name in batch], on_batch=count)
        ids = np.array([title_id for title_id, _ in batch], dtype=np.int64)
        copy_vectors(connection, "title_embedding", ("model_id", "title_id", "embedding"), model_id, ids, vectors)
        connection.commit()
    return len(titles)
