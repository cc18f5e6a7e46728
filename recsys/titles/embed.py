"""Titles into vectors and votes: distinct titles only, batch by batch, going on where it was interrupted."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from recsys.config import Settings
from recsys.database import build_vector_index, connect, require_migrated, translated_errors, writer_lock
from recsys.errors import NotReadyError
from recsys.progress import Progress, silent
from recsys.registry import ModelFacts, make_current, register_model
from recsys.titles.adapter import AdaptedEncoder, save_adapter
from recsys.titles.encoder import Encoder, Precision, prepare_encoder
from recsys.titles.entries import Entries, entries_of, read_credits
from recsys.titles.forget import adapters_folder, bases_folder, delete_recommenders, remove_folders
from recsys.titles.held import read_held
from recsys.titles.profiles import finish
from recsys.titles.refresh import Recommender, build_titles
from recsys.titles.smoothing import Smoothing
from recsys.titles.splits import split_id
from recsys.titles.vectors import embed_new, named_vectors

if TYPE_CHECKING:
    from recsys.titles.adapter_training import Learned

# What was fitted by `recsys titles tune` outlives a rebuild, and not what one that was killed was trying.
FORMER = """
SELECT m.id, coalesce(m.config #> '{tuning,start,parameters}', m.config -> 'parameters'),
       coalesce(m.config #> '{tuning,start,smoothing}', m.config -> 'smoothing'), m.config #>> '{built,folder}'
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
            query = "SELECT count(*) FROM title_embedding WHERE model_id = %s"
            [(already_there,)] = connection.execute(query, (encoder_id,)).fetchall()
            embedded = embed_new(connection, encoder_id, lambda: encoder, progress)
            held = read_held(connection, part_of)
            entries = entries_of(held)
            song_credits = read_credits(connection, entries)
            if adapt is None:
                adapt = len(entries.playlist_ids) >= LEAST_PLAYLISTS
            former = connection.execute(FORMER, (encoder_id, part_of, adapt)).fetchall()
            parameters, stored = former[0][1:3] if former else (None, None)
            config = {
                "encoder": encoder_id,
                "split": part_of,
                "parameters": parameters or {},
                "smoothing": stored or {},
            }
            connection.commit()
            recommended: Encoder | AdaptedEncoder = encoder
            adapter = expectation = None
            if adapt:
                learned = _learn(settings, connection, encoder_id, entries, song_credits[1], progress)
                adapter, expectation = learned.adapter, learned.expectation
                recommended = save_adapter(adapter, encoder, adapters_folder(settings))
                config["adapter"] = {"share": adapter.share, "playlists": len(entries.playlist_ids)}
            name = f"{encoder.name}, adapted" if adapt else encoder.name
            model_id = _register(settings, recommended, name, config)
            smoothing = Smoothing(**(stored or {}))
            recommender = Recommender(model_id, encoder_id, adapter)
            profiles = build_titles(
                settings,
                connection,
                recommender,
                held,
                entries,
                song_credits,
                smoothing,
                expectation,
                progress,
                keep_basis=split is None,
            )
            has_index = build_vector_index(connection, "title_embedding", model_id if adapt else encoder_id)
            finish(connection, model_id)
            if split is None:
                make_current(settings, encoder_id)
                make_current(settings, model_id)
            unneeded = delete_recommenders(settings, connection, [own for own, *_ in former if own != model_id])
            unneeded += [bases_folder(settings) / folder for own, *_, folder in former if own == model_id and folder]
            connection.commit()
            remove_folders(unneeded)
    return EmbedSummary(
        model_id=model_id,
        encoder=encoder.name,
        dimension=recommended.dimension,
        split=split,
        embedded=embedded,
        already_there=already_there,
        adapted_to=len(entries.playlist_ids) if adapt else 0,
        profiles=profiles,
        has_index=has_index,
    )


def _register(settings: Settings, encoder: Encoder | AdaptedEncoder, name: str, config: dict[str, Any]) -> int:
    split = config["split"]
    fingerprint = encoder.fingerprint if split is None else f"{encoder.fingerprint} split {split}"
    facts = ModelFacts("title-recommender", name, encoder.dimension, fingerprint, encoder.folder, config=config)
    return register_model(settings, facts)


def _learn(
    settings: Settings,
    connection: psycopg.Connection,
    encoder_id: int,
    entries: Entries,
    credited: Any,
    progress: Progress,
) -> "Learned":
    progress("preparing to learn", 0, 0)
    from recsys.titles.adapter_training import AdapterOptions, train_adapter

    _, vectors, names = named_vectors(connection, encoder_id, entries.title_ids)
    connection.commit()
    return train_adapter(
        names,
        vectors,
        entries.held(),
        entries.title_of,
        credited,
        AdapterOptions(device=settings.device),
        progress=lambda done, of: progress("learning what titles mean", done, of),
    )
