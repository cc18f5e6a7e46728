"""What a title recommender answers from: built after a training, and brought up to date with playlists of later."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import psycopg
from psycopg.types.json import Jsonb

from recsys.config import Settings
from recsys.database import build_vector_index, writer_lock
from recsys.errors import NotReadyError
from recsys.progress import Progress, silent
from recsys.titles.adapter import AdaptedEncoder, TitleAdapter, load_title_encoder
from recsys.titles.basis import Basis, load_basis, load_held, remove_other_held, save_basis, save_held
from recsys.titles.encoder import load_export
from recsys.titles.entries import Entries, entries_of, read_credits, shown_tracks
from recsys.titles.expectation import Expectation
from recsys.titles.forget import bases_folder
from recsys.titles.held import Held, Ids, changed_lists, nothing_held, read_held
from recsys.titles.profiles import (
    Touched,
    build_named,
    finish,
    forget_profiles,
    title_ground,
    write_learned,
    write_profiles,
)
from recsys.titles.smoothing import Smoothing
from recsys.titles.vectors import adapt_new, embed_new, forget_vectors, named_vectors

LEARNED_TRACKS = 500
"""Songs that are kept of what a title is expected to hold, the likeliest ones."""

STALE_SHARE = 0.1
"""A recommender is stale once this share of the playlists came after it was built, or changed."""

CURRENT = """
SELECT m.id, m.name, m.folder, (m.config ->> 'encoder')::bigint, e.folder, m.config -> 'built'
  FROM model AS m JOIN model AS e ON e.id = (m.config ->> 'encoder')::bigint
 WHERE m.kind = 'title-recommender' AND m.is_current AND m.config ->> 'split' IS NULL
"""

PROFILED = ("title_profile", "learned_profile", "artist_profile", "song_profile")

SHOW_OTHERS = """
WITH moved AS MATERIALIZED (SELECT * FROM unnest(%(old)s::integer[], %(new)s::integer[]) AS m (old, new)),
     concerned AS MATERIALIZED (
  SELECT p.ctid AS row
    FROM {table} AS p CROSS JOIN LATERAL unnest(p.track_ids) AS t (id) JOIN moved AS m ON m.old = t.id
   WHERE p.model_id = %(model)s
   GROUP BY p.ctid)
UPDATE {table} AS p
   SET track_ids = (SELECT array_agg(coalesce(m.new, t.id) ORDER BY t.place)
                      FROM unnest(p.track_ids) WITH ORDINALITY AS t (id, place) LEFT JOIN moved AS m ON m.old = t.id)
  FROM concerned AS c
 WHERE p.ctid = c.row
"""


@dataclass(frozen=True)
class TitleRefresh:
    """What `refresh_titles` did."""

    model_id: int
    name: str
    playlists: int
    """That have a title and tracks."""
    changed: int
    """Playlists that came or changed, or went, since the last time."""
    embedded: int
    """Titles embedded now."""
    profiles: int
    """Titles whose profiles were worked out."""
    later: int
    """Playlists that came or changed since the recommender was built."""

    @property
    def is_stale(self) -> bool:
        """Whether it should be built anew."""
        return self.later > STALE_SHARE * self.playlists


@dataclass(frozen=True)
class Recommender:
    """Whose tables are written."""

    model_id: int
    encoder_id: int
    adapter: TitleAdapter | None


def build_titles(
    settings: Settings,
    connection: psycopg.Connection,
    recommender: Recommender,
    held: Held,
    entries: Entries,
    song_credits: tuple[Ids, Any],
    smoothing: Smoothing,
    expectation: Expectation | None,
    progress: Progress = silent,
    *,
    keep_basis: bool = True,
) -> int:
    """Write all that a recommender answers from after its training; how many titles have a profile.

    The old rows answer until all are there.

    Args:
        settings: where its basis is kept.
        connection: an open connection, of the holder of the writer's lock.
        recommender: whose titles have the encoder's vectors.
        held: the playlists that may vote.
        entries: `entries_of(held)`.
        song_credits: `read_credits` of these.
        smoothing: how profiles are smoothed.
        expectation: of the adapter, with songs by their places in `entries`.
        progress: called as work goes on.
        keep_basis: so that `refresh_titles` can bring it up to date.
    """
    model_id = recommender.model_id
    _delete_votes(connection, recommender)
    if recommender.adapter is not None:
        adapt_new(connection, recommender.adapter, recommender.encoder_id, model_id, progress)
    names = build_named(connection, model_id, entries, *song_credits, progress=progress)
    ground, heard = title_ground(connection, model_id, entries, smoothing, progress)
    basis = Basis(smoothing, entries.song_ids, entries.track_ids, entries.title_ids, ground, heard, names, expectation)
    everything = np.arange(len(entries.title_ids))
    _write_titles(connection, recommender, entries, basis, everything, everything, progress)
    if keep_basis:
        folder = uuid4().hex[:16]
        save_basis(basis, bases_folder(settings) / folder)
        save_held(held, bases_folder(settings) / folder, 1)
        built = {"folder": folder, "held": 1, "later": 0}
        connection.execute("UPDATE model SET config = config || %s WHERE id = %s", (Jsonb({"built": built}), model_id))
    return len(entries.title_ids)


def refresh_titles(
    settings: Settings, connection: psycopg.Connection, progress: Progress = silent, *, whole: bool = False
) -> TitleRefresh | None:
    """Bring what the current title recommender answers from up to date with the playlists; None if there is none.

    New titles are embedded, and adapted as its training left it; profiles are worked out anew where playlists changed.
    What comes out is what `whole` brings, which works out all of them.

    Raises:
        NotReadyError: it was built by another version of recsys, its files are gone, or no playlist is left.
        EncoderError: its encoder is gone or damaged.
        BusyError: another process is writing.
    """
    with writer_lock(connection, settings.db_schema):
        row = connection.execute(CURRENT).fetchone()
        if row is None:
            return None
        model_id, name, folder, encoder_id, encoder_folder, built = row
        if built is None:
            raise NotReadyError(f"{name} was built by another version of recsys: run `recsys titles embed`")
        home = bases_folder(settings) / built["folder"]
        former = load_held(home, built["held"])
        held = read_held(connection, former=former)
        changed = _changed(held, former)
        if not changed and not whole:
            lists = int((np.diff(held.starts) > 0).sum())
            return TitleRefresh(model_id, name, lists, 0, 0, 0, built["later"])
        embedded = embed_new(connection, encoder_id, lambda: load_export(Path(encoder_folder)), progress)
        trained = load_title_encoder(Path(folder))
        adapter = trained.adapter if isinstance(trained, AdaptedEncoder) else None
        recommender = Recommender(model_id, encoder_id, adapter)
        basis = load_basis(home)
        if whole:
            _delete_votes(connection, recommender)
            former = nothing_held()
        entries, profiles = _bring(connection, recommender, basis, former, held, progress)
        built["later"] += changed
        built["held"] += 1
        save_held(held, home, built["held"])
        connection.execute("UPDATE model SET config = config || %s WHERE id = %s", (Jsonb({"built": built}), model_id))
        build_vector_index(connection, "title_embedding", encoder_id if adapter is None else model_id)
        finish(connection, model_id, analyze=whole)
        remove_other_held(home, built["held"])
    return TitleRefresh(model_id, name, len(entries.playlist_ids), changed, embedded, profiles, built["later"])


def _changed(held: Held, former: Held) -> int:
    """Playlists that came, changed or went."""
    gone = ~np.isin(former.playlist_ids, held.playlist_ids)
    return int(changed_lists(held, former).sum() + gone.sum())


def _delete_votes(connection: psycopg.Connection, recommender: Recommender) -> None:
    tables = PROFILED if recommender.adapter is None else (*PROFILED, "title_embedding")
    for table in tables:
        query = f"DELETE FROM {table} WHERE model_id = %s"  # noqa: S608 - our own names
        connection.execute(query, (recommender.model_id,))


def _bring(
    connection: psycopg.Connection,
    recommender: Recommender,
    basis: Basis,
    former: Held,
    held: Held,
    progress: Progress,
) -> tuple[Entries, int]:
    """Write what changed between two states of the playlists; all playlists, and how many profiles were written."""
    before = basis.song_ids, basis.track_ids
    gone_songs = np.setdiff1d(former.songs, basis.song_ids)
    tracks_before = shown_tracks(former, before)
    gone_tracks = tracks_before[1][np.searchsorted(tracks_before[0], gone_songs)]
    others = np.concatenate([basis.song_ids, gone_songs]), np.concatenate([basis.track_ids, gone_tracks])
    entries = entries_of(held, others)
    known = basis.among(entries)
    touched = _touched(entries, held, former)
    new = np.flatnonzero(~np.isin(entries.title_ids, former.titles))
    gone = np.setdiff1d(former.titles, entries.title_ids)
    if recommender.adapter is not None:
        adapt_new(connection, recommender.adapter, recommender.encoder_id, recommender.model_id, progress)
    if len(gone):
        forget_vectors(connection, [recommender.model_id, recommender.encoder_id])
        forget_profiles(connection, recommender.model_id, gone)
    build_named(
        connection,
        recommender.model_id,
        entries,
        *read_credits(connection, entries),
        known.names,
        known.ground.holders,
        touched,
        progress=progress,
    )
    _write_titles(connection, recommender, entries, known, touched.titles, new, progress)
    if len(former.playlist_ids):
        _show_others(connection, recommender.model_id, tracks_before, shown_tracks(held, before))
    return entries, len(touched.titles)


def _touched(entries: Entries, held: Held, former: Held) -> Touched:
    titles, songs = [], []
    for now, then in ((held, former), (former, held)):
        is_changed = changed_lists(now, then)
        titles.append(now.title_ids[is_changed])
        songs.append(now.songs_of(now.tracks[is_changed[now.list_of]]))
    is_touched = np.isin(entries.title_ids, np.concatenate(titles))
    return Touched(np.flatnonzero(is_touched), np.searchsorted(entries.song_ids, np.unique(np.concatenate(songs))))


def _write_titles(
    connection: psycopg.Connection,
    recommender: Recommender,
    entries: Entries,
    basis: Basis,
    titles: Ids,
    new: Ids,
    progress: Progress,
) -> None:
    """Write profiles of titles, and what is expected of new ones, both by their places."""
    if recommender.adapter is not None and basis.expectation is not None and len(new):
        ids, vectors, names = named_vectors(connection, recommender.encoder_id, entries.title_ids[new])
        expected = basis.expectation.profiles(recommender.adapter.learned(names, vectors), LEARNED_TRACKS)
        write_learned(connection, recommender.model_id, entries, ids, expected)
    write_profiles(
        connection,
        recommender.model_id,
        entries,
        basis.ground,
        basis.heard,
        basis.title_ids,
        basis.smoothing,
        titles,
        progress=progress,
    )


def _show_others(connection: psycopg.Connection, model_id: int, before: tuple[Ids, Ids], now: tuple[Ids, Ids]) -> None:
    """Let the songs that are shown by another track now be shown by it where nothing else changed, too."""
    _, old, new = np.intersect1d(before[0], now[0], assume_unique=True, return_indices=True)
    is_moved = before[1][old] != now[1][new]
    if not is_moved.any():
        return
    moved: dict[str, Any] = {
        "old": before[1][old][is_moved].tolist(),
        "new": now[1][new][is_moved].tolist(),
        "model": model_id,
    }
    for table in PROFILED:
        connection.execute(SHOW_OTHERS.format(table=table), moved)
