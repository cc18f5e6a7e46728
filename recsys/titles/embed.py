"""Titles into vectors and votes: distinct titles only, batch by batch, going on where it was interrupted."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import psycopg

from recsys.config import Settings
from recsys.database import (
    build_vector_index,
    connect,
    copy_vectors,
    require_migrated,
    translated_errors,
    writer_lock,
)
from recsys.errors import NotReadyError
from recsys.progress import Progress, silent
from recsys.registry import ModelFacts, make_current, register_model
from recsys.titles.adapter import AdaptedEncoder, TitleAdapter, save_adapter
from recsys.titles.encoder import Encoder, Precision, encode_by_length, prepare_encoder
from recsys.titles.entries import Entries, read_credits, read_entries, title_names
from recsys.titles.forget import adapters_folder, delete_recommenders, remove_folders
from recsys.titles.profiles import build_named, build_profiles, title_vectors, write_learned
from recsys.titles.smoothing import Smoothing
from recsys.titles.splits import split_id

if TYPE_CHECKING:
    from recsys.titles.adapter_training import Learned

BATCH = 2048
TITLE_EMBEDDING = ("model_id", "title_id", "embedding")

UNEMBEDDED = """
SELECT t.id, t.name
  FROM title AS t
 WHERE EXISTS (SELECT FROM playlist AS p JOIN playlist_track AS pt ON pt.playlist_id = p.id WHERE p.title_id = t.id)
   AND NOT EXISTS (SELECT FROM title_embedding AS e WHERE e.model_id = %s AND e.title_id = t.id)
"""

# What was fitted by `recsys titles tune` outlives a rebuild, and not what one that was killed was trying.
FORMER = """
SELECT m.id, coalesce(m.config #> '{tuning,start,parameters}', m.config -> 'parameters'),
       coalesce(m.config #> '{tuning,start,smoothing}', m.config -> 'smoothing')
  FROM model AS m
 WHERE m.kind = 'title-recommender' AND (m.config ->> 'encoder')::bigint = %s
   AND (m.config ->> 'split')::bigint IS NOT DISTINCT FROM %s AND (m.config ? 'adapter') = %s
 ORDER BY m.id DESC
"""

LEAST_PLAYLISTS = 1_000
"""Playlists from which on vectors are adapted unless told otherwise: fewer say too little of what titles mean."""


@dataclass(frozen=True)
class EmbedSummary:
    """What `embed_titles` did. `model_id` is the recommender's, `split` the one on whose train part it was built."""

    model_id: int
    encoder: str
    dimension: int
    split: str | None
    embedded: int
    already_there: int
    adapted_to: int
    """Playlists that the vectors were adapted to, 0 where they are the encoder's own."""
    profiles: int
    has_index: bool


def embed_titles(
    settings: Settings,
    encoder_name: str | None = None,
    progress: Progress = silent,
    *,
    split: str | None = None,
    adapt: bool | None = None,
    precision: Precision = "fp32",
) -> EmbedSummary:
    """Embed the titles that have no vector yet, learn from the playlists what titles mean, build what they vote for.

    Without a split, this recommender answers from now on; with one, only playlists of its train part are learned from
    and vote, and it answers where the split is named.

    Args:
        settings: where the database and the models are.
        encoder_name: a hub name or a folder; the setting's if None.
        progress: called as work goes on.
        split: name of a split.
        adapt: adapt the encoder's vectors to the playlists; if None, from `LEAST_PLAYLISTS` playlists on.
        precision: of the encoder's matrices; int8 is another encoder, with vectors of its own.

    Raises:
        EncoderError: the encoder cannot be found, loaded or exported.
        NotReadyError: there are no titles, or nothing could be learned from their playlists.
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
        encoder = prepare_encoder(encoder_name or settings.encoder, settings.models_folder, precision=precision)
        with writer_lock(connection, settings.db_schema):
            encoder_id = register_model(
                settings,
                ModelFacts("title-encoder", encoder.name, encoder.dimension, encoder.fingerprint, encoder.folder),
            )
            embedded, already_there = _embed(connection, encoder, encoder_id, progress)
            entries = read_entries(connection, part_of)
            artist_ids, credited = read_credits(connection, entries)
            if adapt is None:
                adapt = len(entries.playlist_ids) >= LEAST_PLAYLISTS
            former = connection.execute(FORMER, (encoder_id, part_of, adapt)).fetchall()
            parameters, stored = former[0][1:] if former else (None, None)
            smoothing = Smoothing(**(stored or {}))
            config = {
                "encoder": encoder_id,
                "split": part_of,
                "parameters": parameters or {},
                "smoothing": stored or {},
            }
            connection.commit()
            if adapt:
                titles = _read_titles(connection, encoder_id)
                learned = _learn(settings, titles, entries, credited, progress)
                adapter = learned.adapter
                adapted = save_adapter(adapter, encoder, adapters_folder(settings))
                config["adapter"] = {"share": adapter.share, "playlists": len(entries.playlist_ids)}
                model_id = _register(settings, adapted, f"{encoder.name}, adapted", config)
                _write_adapted(connection, adapter, titles, model_id, progress)
                write_learned(connection, model_id, entries, learned.expected)
                dimension = adapted.dimension
            else:
                model_id, dimension = _register(settings, encoder, encoder.name, config), encoder.dimension
            has_index = build_vector_index(connection, "title_embedding", model_id if adapt else encoder_id)
            build_named(connection, model_id, entries, artist_ids, credited, progress=progress)
            profiles = build_profiles(connection, model_id, entries, smoothing=smoothing, progress=progress)
            if split is None:
                make_current(settings, encoder_id)
                make_current(settings, model_id)
            unneeded = delete_recommenders(settings, connection, [own for own, *_ in former if own != model_id])
            connection.commit()
            remove_folders(unneeded)
    return EmbedSummary(
        model_id=model_id,
        encoder=encoder.name,
        dimension=dimension,
        split=split,
        embedded=embedded,
        already_there=already_there,
        adapted_to=len(entries.playlist_ids) if adapt else 0,
        profiles=profiles,
        has_index=has_index,
    )


def _embed(connection: psycopg.Connection, encoder: Encoder, model_id: int, progress: Progress) -> tuple[int, int]:
    """How many titles were embedded now, and before."""
    titles = connection.execute(UNEMBEDDED, (model_id,)).fetchall()
    [(there,)] = connection.execute("SELECT count(*) FROM title_embedding WHERE model_id = %s", (model_id,)).fetchall()
    names = [name for _, name in titles]
    for places, vectors in encode_by_length(
        encoder, names, BATCH, lambda done: progress("embedding titles", done, len(titles))
    ):
        ids = np.array([titles[place][0] for place in places], dtype=np.int64)
        copy_vectors(connection, "title_embedding", TITLE_EMBEDDING, model_id, ids, vectors)
        connection.commit()
    return len(titles), there


def _register(settings: Settings, encoder: Encoder | AdaptedEncoder, name: str, config: dict[str, Any]) -> int:
    split = config["split"]
    fingerprint = encoder.fingerprint if split is None else f"{encoder.fingerprint} split {split}"
    facts = ModelFacts("title-recommender", name, encoder.dimension, fingerprint, encoder.folder, config=config)
    return register_model(settings, facts)


@dataclass(frozen=True)
class _Titles:
    """All titles that an encoder has embedded, by id."""

    ids: npt.NDArray[np.int64]
    names: list[str]
    vectors: npt.NDArray[np.float32]


def _read_titles(connection: psycopg.Connection, encoder_id: int) -> _Titles:
    ids, vectors = title_vectors(connection, encoder_id)
    names = title_names(connection, ids)
    connection.commit()
    return _Titles(ids, [names[title] for title in ids.tolist()], vectors)


def _learn(settings: Settings, titles: _Titles, entries: Entries, credited: Any, progress: Progress) -> "Learned":
    progress("preparing to learn", 0, 0)
    from recsys.titles.adapter_training import AdapterOptions, train_adapter

    places = np.searchsorted(titles.ids, entries.title_ids)
    return train_adapter(
        [titles.names[place] for place in places.tolist()],
        titles.vectors[places],
        entries.held(),
        entries.title_of,
        credited,
        AdapterOptions(device=settings.device),
        progress=lambda done, of: progress("learning what titles mean", done, of),
    )


def _write_adapted(
    connection: psycopg.Connection, adapter: TitleAdapter, titles: _Titles, model_id: int, progress: Progress
) -> None:
    """Every title's adapted vector, as the recommender's own; seen by others once the profiles are there, too."""
    connection.execute("DELETE FROM title_embedding WHERE model_id = %s", (model_id,))
    for first in range(0, len(titles.ids), BATCH):
        progress("adapting titles", first, len(titles.ids))
        block = slice(first, first + BATCH)
        adapted = adapter.adapt(titles.names[block], titles.vectors[block])
        copy_vectors(connection, "title_embedding", TITLE_EMBEDDING, model_id, titles.ids[block], adapted)
