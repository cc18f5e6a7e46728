"""Roles that may only read: they may use the public views and functions and nothing else, also after an upgrade."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import errors as pg

from recsys.config import Settings
from recsys.database import FUNCTIONS, VIEWS, connect, grant_reader, revoke_reader, upgrade
from recsys.errors import DatabaseError
from tests.surface_world import connect_as
from tests.worlds import rows

CALLS = {
    "explain_vote": "explain_vote('[1,0]', '{1,2,3}')",
    "find_artist": "find_artist('MOBY')",
    "find_dj": "find_dj('adam  beyer')",
    "find_song": "find_song('digital - deadline')",
    "generator_candidates": "generator_candidates('{1}')",
    "nearest_songs": "nearest_songs('Deadline')",
    "nearest_titles": "nearest_titles('[1,0]')",
    "normal_title": "normal_title('Deep!')",
    "recommend_for_dj": "recommend_for_dj('Bailey')",
    "recommend_for_title": "recommend_for_title('Deep House', 20)",
    "similar_artists": "similar_artists('Moby')",
    "similar_djs": "similar_djs('Bailey')",
    "similar_titles": "similar_titles('Techno')",
    "similar_tracks": "similar_tracks('spotify:track:deadline')",
    "title_vector": "title_vector('techno')",
    "title_voters": "title_voters('[1,0]')",
    "vote": "vote('[1,0]')",
}
"""A call of each public function that has rows in the world."""

OURS = "SELECT DISTINCT proname::text FROM pg_proc WHERE pronamespace = 'recsys'::regnamespace"


@pytest.fixture(scope="module")
def reader(surface: str) -> Iterator[psycopg.Connection]:
    with connect_as(surface) as connection:
        yield connection


@contextmanager
def role(connection: psycopg.Connection, name: str) -> Iterator[str]:
    connection.execute(f"CREATE ROLE {name} LOGIN")
    try:
        yield name
    finally:
        connection.execute(f"DROP OWNED BY {name}")
        connection.execute(f"DROP ROLE {name}")


# --- what a reader may -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", VIEWS)
def test_a_reader_sees_the_rows_of_every_public_view(reader: psycopg.Connection, view: str) -> None:
    assert rows(reader, f"SELECT * FROM {view} LIMIT 1")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_reader_may_call_every_public_function(reader: psycopg.Connection, function: str) -> None:
    [first, *_] = rows(reader, f"SELECT * FROM {CALLS[function]}")
    assert first[0] is not None


def test_what_is_asked_for_by_name_is_what_is_asked_for_by_id(reader: psycopg.Connection) -> None:
    for by_name, by_id in (
        ("similar_tracks('Digital - Deadline', 3)", "similar_tracks(find_song('Deadline'), 3)"),
        ("nearest_songs('Digital - Deadline', 3)", "nearest_songs(find_song('Deadline'), 3)"),
        ("similar_artists('Carl Cox', 2)", "similar_artists(find_artist('carl cox'), 2)"),
        ("similar_djs('Bailey')", "similar_djs(find_dj('bailey'))"),
        ("recommend_for_dj('Bailey', 2, true)", "recommend_for_dj(find_dj('bailey'), 2, true)"),
    ):
        found = rows(reader, f"SELECT * FROM {by_name}")
        assert found
        assert found == rows(reader, f"SELECT * FROM {by_id}")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("find_artist('Mobi')", 'no artist is called "Mobi"; the nearest are: "Moby", '),
        ("similar_djs('Adam Bayer')", 'no DJ is called "Adam Bayer"; the nearest are: "Adam Beyer", "Bailey"'),
        ("find_song('Porcelaine')", 'no song is called "Porcelaine"; the nearest are: "Moby - Porcelain", '),
    ],
)
def test_a_name_that_is_unknown_is_answered_with_the_nearest(reader: psycopg.Connection, call: str, said: str) -> None:
    with pytest.raises(pg.UndefinedObject) as error:
        reader.execute(f"SELECT * FROM {call}")
    assert (error.value.diag.message_primary or "").startswith(said)


def test_a_title_of_several_songs_is_answered_with_them(connection: psycopg.Connection) -> None:
    connection.execute("INSERT INTO song (id, title, artist, key) VALUES (1, 'Up', 'Ann', 'a'), (2, 'Up', 'Bob', 'b')")
    connection.execute("REFRESH MATERIALIZED VIEW song_stats")
    with pytest.raises(pg.UndefinedObject, match='several songs are called "up", name one: "Ann - Up", "Bob - Up"'):
        connection.execute("SELECT find_song('up')")
    assert rows(connection, "SELECT find_song('bob - up'), find_song(NULL)") == [(2, None)]


def test_titles_are_alike_by_their_vectors_and_not_themselves(reader: psycopg.Connection) -> None:
    """The titles' vectors are (1, id) made one long: the next id is the nearest."""
    query = "SELECT rank, title, playlists FROM similar_titles('Deep House!', {})"
    assert rows(reader, query.format(2)) == [(1, "drum & bass", 1), (2, "techno", 1)]
    assert rows(reader, query.format(1)) == [(1, "drum & bass", 1)]
    assert rows(reader, query.format(0)) == []
    assert rows(reader, "SELECT * FROM similar_titles('never heard')") == []


# --- what it may not -------------------------------------------------------------------------------------------


def test_a_reader_may_use_no_table_and_no_other_function(reader: psycopg.Connection) -> None:
    [(tables,)] = rows(
        reader,
        "SELECT count(*) FROM pg_class WHERE relnamespace = 'recsys'::regnamespace AND relkind IN ('r', 'v', 'm')"
        " AND relname <> ALL (%s) AND has_table_privilege(oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')",
        list(VIEWS),
    )
    assert tables == 0
    may_call = {name for (name,) in rows(reader, f"{OURS} AND has_function_privilege(oid, 'EXECUTE')")}
    assert may_call == set(FUNCTIONS)
    assert {"voters", "current_model", "find_named"} <= {name for (name,) in rows(reader, OURS)} - may_call


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM playlist",
        "SELECT * FROM model",
        "SELECT current_model('title-recommender')",
        "INSERT INTO models (model_id) VALUES (9)",
        "DELETE FROM models",
        "UPDATE models SET name = 'mine'",
        "CREATE TABLE recsys.mine (id int)",
        "REFRESH MATERIALIZED VIEW song_stats",
    ],
)
def test_tables_and_writing_are_refused(reader: psycopg.Connection, statement: str) -> None:
    with pytest.raises(pg.InsufficientPrivilege):
        reader.execute(statement)


def test_a_temporary_table_is_not_read_for_one_of_ours(surface: str) -> None:
    with connect_as(surface) as reader:
        honest = rows(reader, "SELECT find_dj('Bailey')")
        reader.execute("CREATE TEMP VIEW dj AS SELECT 99::bigint AS id, 'Bailey'::text AS name, 'bailey'::text AS key")
        assert rows(reader, "SELECT find_dj('Bailey')") == honest


def test_functions_that_run_as_their_owner_are_public_and_keep_a_search_path(connection: psycopg.Connection) -> None:
    found = rows(
        connection,
        "SELECT proname::text, array_to_string(proconfig, ' ') FROM pg_proc"
        " WHERE pronamespace = 'recsys'::regnamespace AND prosecdef",
    )
    assert {name for name, _ in found} == set(FUNCTIONS) - {"normal_title"}
    assert all("search_path=recsys, public, pg_temp" in settings for _, settings in found)


def test_functions_are_nobody_s_until_they_are_granted(connection: psycopg.Connection) -> None:
    with role(connection, "passer_by") as name:
        connection.execute(f"GRANT USAGE ON SCHEMA recsys TO {name}")
        query = f"{OURS} AND has_function_privilege(%s, oid, 'EXECUTE')"
        assert rows(connection, query, name) == []


# --- granting --------------------------------------------------------------------------------------------------


def privileges(connection: psycopg.Connection, name: str) -> set[str]:
    query = (
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'recsys'::regnamespace AND relkind IN ('r', 'v', 'm')"
        " AND has_table_privilege(%(role)s, oid, 'SELECT')"
        f" UNION ALL {OURS} AND has_function_privilege(%(role)s, oid, 'EXECUTE')"
    )
    return {granted for (granted,) in connection.execute(query.encode(), {"role": name})}


def test_what_was_granted_before_is_taken(connection: psycopg.Connection) -> None:
    with role(connection, "ann") as name:
        connection.execute("GRANT SELECT ON playlist TO ann")
        connection.execute("GRANT EXECUTE ON FUNCTION current_model TO ann")
        assert not grant_reader(connection, name, create=True).is_new
        assert privileges(connection, name) == {*VIEWS, *FUNCTIONS}


def test_a_role_is_made_where_that_is_asked_for_and_left_without_anything_at_the_end(
    connection: psycopg.Connection, database: str
) -> None:
    with pytest.raises(DatabaseError, match=r'^there is no role Ann "B": add --create$'):
        grant_reader(connection, 'Ann "B"')
    granted = grant_reader(connection, 'Ann "B"', create=True)
    assert (granted.views, granted.functions, granted.is_new) == (len(VIEWS), len(FUNCTIONS), True)
    with connect_as(database, 'Ann "B"') as other:
        assert rows(other, "SELECT count(*) FROM recsys.songs") == [(0,)]
    revoke_reader(connection, 'Ann "B"')
    connection.execute('DROP ROLE "Ann ""B"""')


def test_a_database_that_is_nobody_s_is_opened_for_a_reader(connection: psycopg.Connection, database: str) -> None:
    connection.execute(f"REVOKE ALL ON DATABASE {connection.info.dbname} FROM PUBLIC")
    connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    with role(connection, "ann") as name:
        grant_reader(connection, name)
        with connect_as(database, name) as reader:
            assert rows(reader, "SELECT '[1,0]'::vector <-> '[0,1]', count(*) FROM songs") == [(2**0.5, 0)]


def test_an_upgrade_keeps_readers_and_gives_them_what_is_new(
    settings: Settings, connection: psycopg.Connection
) -> None:
    with role(connection, "ann") as name, role(connection, "bob") as other:
        grant_reader(connection, name)
        connection.execute(f"GRANT SELECT ON title_stats TO {other}")
        connection.execute("DROP FUNCTION similar_titles")
        connection.execute("DROP VIEW ingest_runs")
        connection.execute("CREATE VIEW ingest_runs AS SELECT 1 AS run_id")
        upgrade(settings)
        assert privileges(connection, name) == {*VIEWS, *FUNCTIONS}
        assert privileges(connection, other) == {"title_stats"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("postgres", "postgres is a superuser, who may do everything anyway: name another role"),
        ("pg_own", 'cannot make the role pg_own: role name "pg_own" is reserved'),
    ],
)
def test_a_role_whom_grants_do_not_hold_back_is_refused(connection: psycopg.Connection, name: str, said: str) -> None:
    with pytest.raises(DatabaseError) as error:
        grant_reader(connection, name, create=True)
    assert str(error.value) == said


def test_a_role_that_reads_all_data_is_refused(connection: psycopg.Connection) -> None:
    with role(connection, "ann") as name:
        connection.execute(f"GRANT pg_read_all_data TO {name}")
        with pytest.raises(DatabaseError, match=f"{name} is a member of pg_read_all_data, who may read every table"):
            grant_reader(connection, name)


def test_a_role_that_could_put_its_own_functions_before_ours_is_refused(
    settings: Settings, connection: psycopg.Connection
) -> None:
    connection.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
    with (
        role(connection, "ann") as name,
        pytest.raises(DatabaseError, match="ann may create objects in the schema public, where"),
        connect(settings) as owner,
    ):
        grant_reader(owner, name)
