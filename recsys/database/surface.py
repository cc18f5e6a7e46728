"""What others may use of the schema: the public views and functions, and the roles that may read just these."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import errors as pg
from psycopg import sql

from recsys.database.schema import OURS, current_schema, install_functions
from recsys.errors import DatabaseError

VIEWS = {
    "artist_stats": "How many songs an artist has, but for remixes, and how often playlists and tracklists hold them.",
    "cluster_stats": "Clusters of playlists: how many, their most frequent titles, how near they are to the centre.",
    "credits": "The artists of a song: main, featured, remixer; the weights of a song sum to 1.",
    "dj_profile": "A DJ's tracklists, plays, main artists and songs.",
    "ingest_runs": "What was loaded when, with its counts; finished_at is null for a load that was interrupted.",
    "leaderboard": "What was measured: the last run of each method, with bootstrap intervals.",
    "models": "Models that were trained or exported; the current one of a kind answers where none is named.",
    "playlist_entries": "The tracks of playlists, positions from 0.",
    "playlists": "Playlists with their titles as written (name) and normalised (title).",
    "plays": "The songs of tracklists, positions from 0, a row for each DJ; the song is null where it is unidentified.",
    "rejected_records": "What could not be loaded: its file, its place in it, and why.",
    "song_cluster": "How far a song belongs to clusters of a tracklist model, on three levels, 0 the smallest.",
    "song_cluster_stats": "Clusters of songs: how many songs and plays, the main artists and songs.",
    "song_stats": "In how many playlists and tracklists a song stands, and its most held track.",
    "songs": "What people call the same song, with its most held track; a remix is a song of its own.",
    "title_stats": "Normalised titles of playlists: how many playlists, entries and followers.",
    "track_stats": "In how many playlists a track stands.",
    "tracklists": "Tracklists with their DJs.",
    "tracks": "Releases of songs, with URIs.",
}
"""The public views, and what each holds."""

FUNCTIONS = (
    "explain_vote",
    "find_artist",
    "find_dj",
    "find_song",
    "generator_candidates",
    "nearest_songs",
    "nearest_titles",
    "normal_title",
    "recommend_for_dj",
    "recommend_for_title",
    "similar_artists",
    "similar_djs",
    "similar_titles",
    "similar_tracks",
    "title_vector",
    "title_voters",
    "vote",
)
"""The public functions. Those that read tables are SECURITY DEFINER, as their readers may read none."""

OBJECTS = """
SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'MATERIALIZED VIEW' END, c.relname::text, c.oid::regclass::text
  FROM pg_class AS c
 WHERE c.relnamespace = to_regnamespace(quote_ident(current_setting('recsys.schema')))
   AND c.relname = ANY (%(views)s) AND c.relkind IN ('v', 'm')
 UNION ALL
SELECT 'FUNCTION', p.proname::text, p.oid::regprocedure::text
  FROM pg_proc AS p
 WHERE p.pronamespace = to_regnamespace(quote_ident(current_setting('recsys.schema')))
   AND p.proname = ANY (%(functions)s) AND obj_description(p.oid, 'pg_proc') ~ %(ours)s
"""

READERS = """
SELECT r.rolname
  FROM pg_roles AS r
 WHERE EXISTS (SELECT FROM pg_class AS c, aclexplode(c.relacl) AS a
                WHERE c.relnamespace = to_regnamespace(quote_ident(current_setting('recsys.schema')))
                  AND c.relname = 'title_stats' AND a.grantee = r.oid AND r.oid <> c.relowner)
   AND EXISTS (SELECT FROM pg_proc AS p, aclexplode(p.proacl) AS a
                WHERE p.pronamespace = to_regnamespace(quote_ident(current_setting('recsys.schema')))
                  AND p.proname = 'recommend_for_title' AND a.grantee = r.oid AND r.oid <> p.proowner)
"""
"""Who was granted one view and one function that no version lacks."""

READS_ALL = """
SELECT EXISTS (SELECT FROM pg_roles AS r
                WHERE r.rolname = %(role)s AND pg_has_role(r.oid, 'pg_read_all_data', 'MEMBER'))
"""

SEARCHED = """
SELECT s.name::text, has_schema_privilege(%(role)s, s.name, 'USAGE'), has_schema_privilege(%(role)s, s.name, 'CREATE')
  FROM unnest(current_schemas(false)) AS s (name)
"""


@contextmanager
def kept_surface(connection: psycopg.Connection) -> Iterator[None]:
    """While tables change; afterwards functions, comments of views and what readers may are of this version."""
    readers = connection.execute(READERS).fetchall()
    yield
    install_functions(connection)
    for kind, name, place in _objects(connection):
        if name in VIEWS:
            statement = sql.SQL(f"COMMENT ON {kind} {{}} IS {{}}")
            connection.execute(statement.format(sql.SQL(place), sql.Literal(VIEWS[name])))
    for (role,) in readers:
        _grant(connection, role)


@dataclass(frozen=True)
class Granted:
    """What a reader may use from now on."""

    views: int
    functions: int
    is_new: bool
    """Whether the role was made for it."""


def grant_reader(connection: psycopg.Connection, role: str, *, create: bool = False) -> Granted:
    """Let a role use the public views and functions, and nothing else of the schema.

    With `create` the role is made where it is missing, so that it may log in; it has no password yet.

    Raises:
        DatabaseError: there is no such role, or grants do not hold it back: a superuser, one who reads all data, or
            one who may put objects of his own where our functions look for theirs.
    """
    with connection.transaction():
        is_superuser = _is_superuser(connection, role)
        if is_superuser is None:
            if not create:
                raise DatabaseError(f"there is no role {role}: add --create")
            _create(connection, role)
        elif is_superuser:
            raise DatabaseError(f"{role} is a superuser, who may do everything anyway: name another role")
        [(reads_all,)] = connection.execute(READS_ALL, {"role": role}).fetchall()
        if reads_all:
            raise DatabaseError(f"{role} is a member of pg_read_all_data, who may read every table: name another role")
        for schema, _, may_create in connection.execute(SEARCHED, {"role": role}).fetchall():
            if may_create:
                raise DatabaseError(
                    f"{role} may create objects in the schema {schema}, where functions of ours look for theirs: run"
                    f" REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC, or from the role, first"
                )
        _revoke(connection, role)
        _grant(connection, role)
    return Granted(len(VIEWS), len(FUNCTIONS), is_new=is_superuser is None)


def revoke_reader(connection: psycopg.Connection, role: str) -> None:
    """Take from a role everything that it was granted in the schema; the role itself stays.

    Raises:
        DatabaseError: there is no such role.
    """
    with connection.transaction():
        if _is_superuser(connection, role) is None:
            raise DatabaseError(f"there is no role {role}")
        _revoke(connection, role)
        names = map(sql.Identifier, (current_schema(connection), role))
        connection.execute(sql.SQL("REVOKE ALL ON SCHEMA {} FROM {}").format(*names))


def _is_superuser(connection: psycopg.Connection, role: str) -> bool | None:
    row = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
    return None if row is None else bool(row[0])


def _create(connection: psycopg.Connection, role: str) -> None:
    try:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
    except pg.ReservedName as error:
        raise DatabaseError(f"cannot make the role {role}: {error.diag.message_primary}") from None


def _objects(connection: psycopg.Connection) -> list[tuple[str, str, str]]:
    """The public views and functions that there are: kind, name, and the place as statements name it."""
    return connection.execute(OBJECTS, {"views": list(VIEWS), "functions": list(FUNCTIONS), "ours": OURS}).fetchall()


def _revoke(connection: psycopg.Connection, role: str) -> None:
    names = tuple(map(sql.Identifier, (current_schema(connection), role)))
    for kind in ("TABLES", "FUNCTIONS"):
        connection.execute(sql.SQL(f"REVOKE ALL ON ALL {kind} IN SCHEMA {{}} FROM {{}}").format(*names))


def _grant(connection: psycopg.Connection, role: str) -> None:
    to = sql.Identifier(role)
    row = connection.execute("SELECT has_database_privilege(%s, current_database(), 'CONNECT')", (role,)).fetchone()
    if row == (False,):
        database = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, to))
    ours = current_schema(connection)
    for schema, may_use, _ in connection.execute(SEARCHED, {"role": role}).fetchall():
        if schema == ours or not may_use:
            connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(schema), to))
    for kind, _, place in _objects(connection):
        right = "EXECUTE ON FUNCTION" if kind == "FUNCTION" else "SELECT ON"
        connection.execute(sql.SQL(f"GRANT {right} {{}} TO {{}}").format(sql.SQL(place), to))
