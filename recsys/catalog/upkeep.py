"""What is made for reading after a load: indexes that were left out during it, and statistics."""

import psycopg
from psycopg import sql

from recsys.database import current_schema

LIST_INDEXES = {
    "playlist_track_track_id_idx": ("playlist_track", "track_id"),
    "tracklist_track_song_id_idx": ("tracklist_track", "song_id"),
    "track_song_id_idx": ("track", "song_id"),
    "song_artist_artist_id_idx": ("song_artist", "artist_id"),
}
"""Indexes that cost more to keep during a large load than to build after it."""

BYTES_PER_ENTRY = 100
"""A low guess of an entry's size in a file, packed or not, that decides whether a load is large."""

SMALL_LOAD = 200_000
"""Entries up to which the indexes are kept."""


def finish_load(connection: psycopg.Connection) -> None:
    """Build the indexes that are missing and bring the statistics up to date; also mends an interrupted load."""
    for name, (table, column) in LIST_INDEXES.items():
        connection.execute(
            sql.SQL("CREATE INDEX IF NOT EXISTS {} ON {} ({})").format(*map(sql.Identifier, (name, table, column)))
        )
    connection.execute("ANALYZE playlist, playlist_track, tracklist, tracklist_track, track, song, song_artist, title")
    connection.execute("SET LOCAL work_mem = '256MB'")
    connection.execute("REFRESH MATERIALIZED VIEW track_stats")
    connection.execute("REFRESH MATERIALIZED VIEW song_stats")
    connection.execute("ANALYZE track_stats, song_stats")
    connection.commit()


def missing_indexes(connection: psycopg.Connection) -> list[str]:
    """Indexes that an interrupted load left for later."""
    rows = connection.execute(
        "SELECT i FROM unnest(%s::text[]) AS i"
        " WHERE NOT EXISTS (SELECT FROM pg_indexes WHERE schemaname = %s AND indexname = i)",
        (list(LIST_INDEXES), current_schema(connection)),
    )
    return [name for (name,) in rows]


def drop_indexes_before_large_load(connection: psycopg.Connection, size: int) -> None:
    """Drop what is cheaper built afterwards, where the load is larger than what is there."""
    schema = current_schema(connection)
    for name, (table, _) in LIST_INDEXES.items():
        row = connection.execute("SELECT reltuples FROM pg_class WHERE oid = to_regclass(%s)", (table,)).fetchone()
        if row is not None and size / BYTES_PER_ENTRY > max(row[0], SMALL_LOAD):
            connection.execute(sql.SQL("DROP INDEX IF EXISTS {}").format(sql.Identifier(schema, name)))
    connection.commit()
