"""The SQL functions as an interface: how they are replaced, and what they say of arguments that make no sense."""

import re

import psycopg
import pytest

from recsys.config import Settings
from recsys.database import connect, require_migrated, revision, table_sizes, translated_errors, upgrade
from recsys.errors import DatabaseError
from tests.worlds import rows

FUNCTIONS = """
SELECT p.oid::int FROM pg_proc AS p WHERE p.pronamespace = 'recsys'::regnamespace AND p.proname = %s ORDER BY 1
"""


@pytest.fixture
def with_model(connection: psycopg.Connection) -> psycopg.Connection:
    """A catalogue of one title with one playlist of one track, embedded in two dimensions for recommender 1."""
    for statement in (
        "INSERT INTO song (id, title, artist, key) VALUES (1, 'Nightcall', 'Kavinsky', 'k')",
        "INSERT INTO track (id, song_id, title) VALUES (1, 1, 'Nightcall')",
        "INSERT INTO title (id, name) VALUES (1, 'night drive')",
        "INSERT INTO playlist (id, source_id, external_id, title_id, name, entries, content_hash)"
        " VALUES (1, 1, 'p', 1, 'Night Drive', 1, 0)",
        "INSERT INTO playlist_track VALUES (1, 0, 1)",
        "INSERT INTO model (id, kind, name, dimension, fingerprint, folder, is_current, config)"
        " VALUES (2, 'title-encoder', 'made up', 2, 'f', '/nowhere', true, '{}'),"
        " (1, 'title-recommender', 'made up', 2, 'f', '/nowhere', true, '{\"encoder\": 2, \"split\": null}')",
        "INSERT INTO title_embedding VALUES (2, 1, '[1,0]')",
        "INSERT INTO title_profile VALUES (1, 1, 1, '{1}', '{1}')",
    ):
        connection.execute(statement.encode())
    return connection


def test_functions_answer_in_a_session_that_knows_nothing_of_the_schema(
    with_model: psycopg.Connection, database: str
) -> None:
    with psycopg.connect(database) as connection:
        assert rows(connection, "SELECT title FROM recsys.recommend_for_title('Night Drive!')") == [("Nightcall",)]
        assert rows(connection, "SELECT track_id, voters FROM recsys.vote('[0,1]', 5)") == [(1, 1)]
        explained = rows(connection, "SELECT kind, name, share FROM recsys.explain_vote('[0,1]', '{1}')")
        assert explained == [("title", "night drive", 1)]
        assert rows(connection, "SELECT similarity FROM recsys.nearest_titles('[1,0]')") == [(1.0,)]


def test_a_similarity_is_never_above_1(with_model: psycopg.Connection) -> None:
    assert rows(with_model, "SELECT similarity FROM nearest_titles('[1.0001,0]')") == [(1.0,)]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("vote(NULL)", "there is no query vector"),
        ("vote(title_vector('never heard'))", "there is no query vector"),
        ("vote('[1,0,0]')", "title model 1 has 2 dimensions, the query has 3"),
        ("vote('[1,0]', model => 9)", "there is no title model 9"),
        ("vote('[1,0]', method => 'loud')", "no vote is called loud"),
        ("vote('[1,0]', method => NULL)", "no vote is called NULL"),
        ("vote('[1,0]', temperature => 0)", "the temperature must be above 0"),
        ("vote('[1,0]', temperature => -1)", "the temperature must be above 0"),
    ],
)
def test_arguments_without_a_meaning_are_refused(with_model: psycopg.Connection, call: str, said: str) -> None:
    with pytest.raises(psycopg.DatabaseError) as error:
        rows(with_model, f"SELECT * FROM {call}")
    assert (error.value.diag.message_primary or "").startswith(said)


@pytest.mark.parametrize(
    ("call", "count"),
    [
        ("vote('[1,0]', NULL)", 1),
        ("vote('[1,0]', -1)", 0),
        ("vote('[1,0]', exclude_songs => ARRAY[NULL]::bigint[])", 1),
        ("vote('[1,0]', exclude_songs => '{1,NULL}')", 0),
        ("vote('[1,0]', temperature => 0.000001)", 1),
        ("nearest_titles('[1,0]', -5)", 0),
        ("recommend_for_title('never heard')", 0),
        ("recommend_for_title(NULL)", 0),
    ],
)
def test_odd_arguments_with_a_meaning_are_answered(with_model: psycopg.Connection, call: str, count: int) -> None:
    assert len(rows(with_model, f"SELECT * FROM {call}")) == count


def test_a_search_leaves_the_settings_of_its_transaction_as_they_were(with_model: psycopg.Connection) -> None:
    with_model.execute(
        "CREATE INDEX title_embedding_hnsw_1 ON title_embedding USING hnsw ((embedding::vector(2)) vector_ip_ops)"
        " WHERE model_id = 1"
    )
    with with_model.transaction():
        with_model.execute("SET LOCAL hnsw.ef_search = 77")
        assert len(rows(with_model, "SELECT * FROM nearest_titles('[1,0]', 1)")) == 1
        assert rows(with_model, "SHOW hnsw.ef_search") == [("77",)]


def test_an_upgrade_leaves_functions_alone_that_are_as_they_were(
    settings: Settings, connection: psycopg.Connection
) -> None:
    before = rows(connection, FUNCTIONS, "vote")
    connection.execute("CREATE VIEW mine AS SELECT * FROM recommend_for_title('x')")
    connection.execute("CREATE FUNCTION vote(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'")
    upgrade(settings)
    assert len(before) == 1
    assert rows(connection, FUNCTIONS, "vote")[0] == before[0]
    assert rows(connection, "SELECT vote(5)") == [(1,)]


def test_functions_are_described_as_their_files_begin(connection: psycopg.Connection) -> None:
    described = dict(
        rows(
            connection,
            "SELECT p.oid::regprocedure::text, obj_description(p.oid, 'pg_proc') FROM pg_proc AS p"
            " WHERE p.pronamespace = 'recsys'::regnamespace",
        )
    )
    assert all(re.fullmatch(r"[A-Z].*\. \[recsys [0-9a-f]{16}\]", comment) for comment in described.values())
    of_ids, of_names = (described[f"similar_djs({kind},integer,bigint)"] for kind in ("bigint", "text"))
    assert of_ids == of_names
    assert of_ids.startswith("DJs who play what a DJ plays, by the vectors of a tracklist model, best first; ")


def test_an_upgrade_from_a_version_whose_functions_were_everybody_s_makes_them_their_owner_s(
    settings: Settings, connection: psycopg.Connection
) -> None:
    connection.execute("COMMENT ON FUNCTION vote_parameters IS 'recsys, 0123456789abcdef'")
    connection.execute("GRANT EXECUTE ON FUNCTION vote_parameters TO PUBLIC")
    upgrade(settings)
    [(grants, comment)] = rows(
        connection,
        "SELECT array_to_string(proacl, ' '), obj_description(oid, 'pg_proc') FROM pg_proc"
        " WHERE oid = 'vote_parameters'::regproc",
    )
    assert grants == "postgres=X/postgres"
    assert comment.startswith("The parameters of a recommender's vote: ")


def test_an_upgrade_replaces_a_function_whose_arguments_have_changed(
    settings: Settings, connection: psycopg.Connection
) -> None:
    [(arguments,)] = rows(connection, "SELECT pg_get_function_arguments('vote'::regproc)")
    connection.execute("DROP FUNCTION vote")
    connection.execute("CREATE FUNCTION vote(text) RETURNS text LANGUAGE sql AS 'SELECT $1'")
    connection.execute("COMMENT ON FUNCTION vote IS 'recsys, of an older version'")
    upgrade(settings)
    assert rows(connection, "SELECT pg_get_function_arguments('vote'::regproc)") == [(arguments,)]


def test_an_upgrade_names_what_depends_on_a_function_that_must_change(
    settings: Settings, connection: psycopg.Connection
) -> None:
    connection.execute("DROP FUNCTION normal_title")
    connection.execute("CREATE FUNCTION normal_title(raw text) RETURNS integer LANGUAGE sql AS 'SELECT 1'")
    connection.execute("COMMENT ON FUNCTION normal_title IS 'recsys, of an older version'")
    connection.execute("CREATE VIEW mine AS SELECT normal_title('x')")
    with pytest.raises(DatabaseError) as error:
        upgrade(settings)
    assert "view mine depends on function normal_title(text)" in str(error.value)
    assert "\n" not in str(error.value)
    assert rows(connection, "SELECT normal_title('x')") == [(1,)]


def test_a_schema_that_is_not_there_does_not_fall_through_to_public(database: str) -> None:
    upgrade(Settings(DATABASE_URL=database, RECSYS_SCHEMA="public"))
    with connect(Settings(DATABASE_URL=database, RECSYS_SCHEMA="typo")) as connection:
        assert revision(connection) is None
        assert table_sizes(connection) == {}


def test_a_role_that_may_not_use_the_schema_does_not_fall_through_to_public(
    connection: psycopg.Connection, database: str
) -> None:
    upgrade(Settings(DATABASE_URL=database, RECSYS_SCHEMA="public"))
    connection.execute("CREATE ROLE outsider LOGIN")
    try:
        outside = Settings(DATABASE_URL=database.replace("postgres@", "outsider@"))
        with (
            pytest.raises(DatabaseError, match="the role may not do this"),
            translated_errors(),
            connect(outside) as other,
        ):
            require_migrated(other)
    finally:
        connection.execute("DROP ROLE outsider")
