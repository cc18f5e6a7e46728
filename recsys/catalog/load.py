"""Batches of lists into the catalogue, each batch in one transaction."""

from collections.abc import Sequence
from functools import partial
from itertools import chain

import numpy as np
import psycopg
from psycopg import sql

from recsys.catalog.choose import Accepted, Choice, Counts, Met, Stored, choose
from recsys.catalog.resolve import Resolver
from recsys.database import IdRegister, Write, WriteBehind, copy_integers, copy_rows
from recsys.names import name_key, normal_title
from recsys.sources import Batch, Playlist, Rejected, Tracklist

KEPT_TITLES = 200_000
KEPT_DJS = 100_000

STORED_PLAYLISTS = """
SELECT p.external_id, p.id, p.content_hash, p.snapshot
  FROM unnest(%(ids)s::text[]) AS k (external_id)
  JOIN playlist AS p ON p.source_id = %(source)s AND p.external_id = k.external_id
"""
STORED_TRACKLISTS = """
SELECT t.external_id, t.id, t.content_hash, NULL
  FROM unnest(%(ids)s::text[]) AS k (external_id)
  JOIN tracklist AS t ON t.source_id = %(source)s AND t.external_id = k.external_id
"""
PLAYLIST = {
    "id": "int8",
    "source_id": "int8",
    "external_id": "text",
    "title_id": "int8",
    "name": "text",
    "description": "text",
    "followers": "int4",
    "snapshot": "date",
    "entries": "int4",
    "content_hash": "int8",
}
TRACKLIST = {
    "id": "int8",
    "source_id": "int8",
    "external_id": "text",
    "title": "text",
    "played_on": "date",
    "tags": "text[]",
    "entries": "int4",
    "content_hash": "int8",
}
TRACKLIST_TRACK = {
    "tracklist_id": "int8",
    "position": "int4",
    "song_id": "int8",
    "cue_seconds": "int4",
    "credit": "text",
}
KEEP_REJECTED = """
INSERT INTO rejected_record (source_id, file, place, reason, record, ingest_run_id) VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT (source_id, file, place) DO UPDATE
       SET reason = excluded.reason, record = excluded.record, ingest_run_id = excluded.ingest_run_id
"""
HAS_LISTS = """
SELECT EXISTS (SELECT FROM playlist WHERE source_id = %(source)s)
    OR EXISTS (SELECT FROM tracklist WHERE source_id = %(source)s)
"""
KEEP_REACHED = """
INSERT INTO source_cursor (source_id, query, fingerprint, kind, value) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (source_id, query) DO UPDATE
       SET fingerprint = excluded.fingerprint, kind = excluded.kind, value = excluded.value
"""
FORGET_MENDED = "DELETE FROM rejected_record WHERE source_id = %s AND file = %s AND ingest_run_id <> %s"


class Loader:
    """Loads the batches of one run. For the holder of the writer's lock.

    Ids are given in the order of the records and every batch is one transaction, so that a run that was killed and
    run again ends in the same rows as one that was not. A batch is written while the next one is prepared; a source
    that had no lists when the run began is not asked for any, so that a first load never waits.
    """

    def __init__(self, connection: WriteBehind, source_id: int, run_id: int, *, keep: bool) -> None:
        self._connection = connection
        self._keep = keep
        self._writes: list[Write] = []
        self._source_id = source_id
        self._run_id = run_id
        self._resolver = Resolver(connection)
        self._titles = IdRegister(connection, "title", "name", KEPT_TITLES)
        self._djs = IdRegister(connection, "dj", "key", KEPT_DJS)
        self._playlist_ids = IdRegister(connection, "playlist", "external_id", 0)
        self._tracklist_ids = IdRegister(connection, "tracklist", "external_id", 0)
        self._met_playlists: Met = {}
        self._met_tracklists: Met = {}
        row = connection.execute(HAS_LISTS, {"source": source_id}).fetchone()
        self._had_lists = bool(row and row[0])

    def load(self, batch: Batch) -> tuple[Counts, list[Rejected]]:
        """Have one batch written and, if it is to be kept, committed; returns its counts and what was set aside."""
        counts, rejected = Counts(), list(batch.rejected)
        for record in rejected:
            if record.of_entry:
                counts.entries_rejected += 1
            else:
                counts.read += 1
                counts.rejected += 1
        playlists = [record for record in batch.records if isinstance(record, Playlist)]
        tracklists = [record for record in batch.records if isinstance(record, Tracklist)]
        for choice in (self._load_playlists(playlists), self._load_tracklists(tracklists)):
            counts.add(choice.counts)
            rejected += choice.rejected
        self._writes += self._resolver.take_writes()
        self._titles.trim()
        self._djs.trim()
        self._writes.append(partial(self._keep_state, batch=batch, rejected=rejected))
        if self._keep:
            self._writes.append(psycopg.Connection.commit)
        self._connection.write(self._writes)
        self._writes = []
        return counts, rejected

    def _choose(
        self, query: str, records: Sequence[Playlist] | Sequence[Tracklist], met: Met, ids: IdRegister
    ) -> tuple[Choice, list[tuple[int, Accepted]]]:
        names = dict.fromkeys([record.external_id for record in records])
        known = [name for name in names if self._had_lists or hash(name) in met]
        rows = self._connection.execute(query, {"ids": known, "source": self._source_id}) if known else ()
        choice = choose(records, {row[0]: Stored(*row[1:]) for row in rows}, met)
        accepted = [(ids.new_id() if item.id is None else item.id, item) for item in choice.accepted.values()]
        return choice, accepted

    def _load_playlists(self, records: list[Playlist]) -> Choice:
        if not records:
            return Choice()
        choice, accepted = self._choose(STORED_PLAYLISTS, records, self._met_playlists, self._playlist_ids)
        if choice.newer_days:
            days = [(day, list_id) for list_id, day in choice.newer_days.items()]
            self._writes.append(
                lambda c: c.cursor().executemany("UPDATE playlist SET snapshot = %s WHERE id = %s", days)
            )
        if not accepted:
            return choice
        self._note_change("playlists_changed_at")
        self._clear(accepted, "playlist", "playlist_track")
        keys = list(chain.from_iterable([item.keys for _, item in accepted]))
        entries = list(chain.from_iterable([item.record.entries for _, item in accepted]))
        tracks = self._resolver.track_ids(keys, entries)
        is_known = tracks >= 0
        lengths = np.array([len(item.keys) for _, item in accepted])
        starts = np.cumsum(lengths) - lengths
        rows = {
            "playlist_id": np.repeat(np.array([list_id for list_id, _ in accepted], dtype=np.int64), lengths),
            "position": (np.arange(len(tracks)) - np.repeat(starts, lengths)).astype(np.int32),
            "track_id": tracks,
        }
        names = {list_id: normal_title(item.record.name) for list_id, item in accepted}  # type: ignore[union-attr]
        new_titles = [
            (self._titles.add(name), name) for name in self._titles.missing(name for name in names.values() if name)
        ]
        columns = {name: values[is_known] for name, values in rows.items()}
        self._copy("title", {"id": "int8", "name": "text"}, new_titles)
        self._copy("playlist", PLAYLIST, [self._playlist_row(*pair, names) for pair in accepted])
        self._writes.append(partial(copy_integers, table="playlist_track", columns=columns))
        choice.counts.entries_stored = int(is_known.sum())
        choice.counts.entries_unidentified = len(keys) - keys.count("") - choice.counts.entries_stored
        return choice

    def _note_change(self, column: str) -> None:
        changed = sql.SQL("UPDATE ingest_run SET {} = clock_timestamp() WHERE id = %s").format(sql.Identifier(column))
        self._writes.append(lambda c: c.execute(changed, (self._run_id,)))

    def _copy(self, table: str, columns: dict[str, str], rows: Sequence[Sequence[object]]) -> None:
        if rows:
            self._writes.append(partial(copy_rows, table=table, columns=columns, rows=rows))

    def _playlist_row(self, list_id: int, item: Accepted, names: dict[int, str]) -> tuple[object, ...]:
        record, name = item.record, names[list_id]
        assert isinstance(record, Playlist)
        return (
            list_id,
            self._source_id,
            record.external_id,
            self._titles.known(name) if name else None,
            record.name,
            record.description,
            record.followers,
            record.snapshot,
            len(item.keys),
            item.content_hash,
        )

    def _load_tracklists(self, records: list[Tracklist]) -> Choice:
        if not records:
            return Choice()
        choice, accepted = self._choose(STORED_TRACKLISTS, records, self._met_tracklists, self._tracklist_ids)
        if not accepted:
            return choice
        self._note_change("tracklists_changed_at")
        self._clear(accepted, "tracklist", "tracklist_dj", "tracklist_track")
        keys = list(chain.from_iterable([item.keys for _, item in accepted]))
        entries = list(chain.from_iterable([item.record.entries for _, item in accepted]))
        songs = self._resolver.song_ids(keys, entries)
        places = [(list_id, position) for list_id, item in accepted for position in range(len(item.keys))]
        rows = [
            (*place, song, entry.cue_seconds, None if song is not None else _credit(entry.artist, entry.title))
            for place, entry, song in zip(places, entries, songs, strict=True)
            if entry is not None
        ]
        self._copy("tracklist", TRACKLIST, [self._tracklist_row(*pair) for pair in accepted])
        self._copy("tracklist_track", TRACKLIST_TRACK, rows)
        self._write_djs(accepted)
        choice.counts.entries_stored = sum(row[2] is not None for row in rows)
        choice.counts.entries_unidentified = len(rows) - choice.counts.entries_stored
        return choice

    def _tracklist_row(self, list_id: int, item: Accepted) -> tuple[object, ...]:
        record = item.record
        assert isinstance(record, Tracklist)
        return (
            list_id,
            self._source_id,
            record.external_id,
            record.title,
            record.played_on,
            list(record.tags),
            len(item.keys),
            item.content_hash,
        )

    def _write_djs(self, accepted: Sequence[tuple[int, Accepted]]) -> None:
        played: list[tuple[int, str, str]] = []
        for list_id, item in accepted:
            assert isinstance(item.record, Tracklist)
            names = {key: name for name in reversed(item.record.djs) if (key := name_key(name))}
            played += [(list_id, key, names[key]) for key in dict.fromkeys(map(name_key, item.record.djs)) if key]
        spelling = {key: name for _, key, name in reversed(played)}
        new = [(self._djs.add(key), spelling[key], key) for key in self._djs.missing(key for _, key, _ in played)]
        self._copy("dj", {"id": "int8", "name": "text", "key": "text"}, new)
        rows, position = [], 0
        for number, (list_id, key, _) in enumerate(played):
            position = position + 1 if number and played[number - 1][0] == list_id else 0
            rows.append((list_id, position, self._djs.known(key)))
        self._copy("tracklist_dj", {"tracklist_id": "int8", "position": "int2", "dj_id": "int8"}, rows)

    def _clear(self, accepted: Sequence[tuple[int, Accepted]], table: str, *parts: str) -> None:
        replaced = [list_id for list_id, item in accepted if item.id is not None]
        if replaced:
            columns = [(part, f"{table}_id") for part in parts] + [(table, "id")]
            self._writes.append(partial(_delete_rows, columns=columns, ids=replaced))

    def _keep_state(self, connection: psycopg.Connection, batch: Batch, rejected: Sequence[Rejected]) -> None:
        """Keep what was set aside, and what is reached."""
        cursor = connection.cursor()
        if rejected:
            cursor.executemany(
                KEEP_REJECTED,
                [(self._source_id, r.file, r.place, r.reason, r.record, self._run_id) for r in rejected],
            )
        if batch.is_last_of_file:
            cursor.execute(FORGET_MENDED, (self._source_id, batch.file, self._run_id))
        for r in batch.reached:
            cursor.execute(KEEP_REACHED, (self._source_id, r.query, r.fingerprint, r.kind, r.value))


def _delete_rows(connection: psycopg.Connection, columns: Sequence[tuple[str, str]], ids: Sequence[int]) -> None:
    for table, column in columns:
        names = map(sql.Identifier, (table, column))
        connection.execute(sql.SQL("DELETE FROM {} WHERE {} = ANY(%s)").format(*names), (ids,))


def _credit(artist: str, title: str) -> str | None:
    return " - ".join(part for part in (artist, title) if part) or None
