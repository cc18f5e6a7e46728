"""What is said of a database that cannot be used, and what is left alone in one that is shared."""

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from recsys.catalog import ingest
from recsys.config import Settings, load_settings
from recsys.database import (
    check_server,
    connect,
    downgrade,
    require_migrated,
    revision,
    translated_errors,
    upgrade,
    writer_lock,
)
from recsys.database.tables import Table
from recsys.errors import BusyError, DatabaseError, NotMigratedError, SettingsError
from tests.worlds import entry, playlist, rows, write_slice

OBJECTS = """
SELECT 'relation', c.relname::text FROM pg_class AS c WHERE c.relnamespace = %(schema)s::regnamespace
 UNION ALL
SELECT 'function', p.proname FROM pg_proc AS p WHERE p.pronamespace = %(schema)s::regnamespace
   AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = p.oid AND d.deptype = 'e')
 UNION ALL
SELECT 'schema', nspname FROM pg_namespace WHERE nspname !~ '^pg_(toast|temp)'
 ORDER BY 1, 2
"""


def objects(database: str, schema: str) -> list[tuple[str, str]]:
    """Relations and functions of a schema, those of extensions apart, and the names of all schemas."""
    with psycopg.connect(database) as connection:
        return connection.execute(OBJECTS, {"schema": schema}).fetchall()


def message(error: pytest.ExceptionInfo[Exception]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


def test_a_server_that_is_not_there_is_named_without_the_password() -> None:
    settings = Settings(DATABASE_URL="postgres://ann:secret@127.0.0.1:9/music")
    with pytest.raises(DatabaseError) as error:
        connect(settings)
    assert message(error).startswith("cannot reach the database 127.0.0.1:9/music: ")
    assert message(error).endswith(": Connection refused")
    assert "secret" not in message(error)


def test_a_database_that_is_not_there_is_named(database: str) -> None:
    with pytest.raises(DatabaseError) as error:
        connect(Settings(DATABASE_URL=re.sub(r"/test_\d+", "/nowhere", database)))
    assert re.match(
        r'cannot reach the database /\S+/nowhere: FATAL: +database "nowhere" does not exist$', message(error)
    )


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://localhost/music", "DATABASE_URL: must start with postgresql:// or postgres://"),
        ("localhost:5432", "DATABASE_URL: must start with postgresql:// or postgres://"),
        ("postgresql://localhost/music?colour=blue", "DATABASE_URL is not a valid URL: .*colour"),
        ("postgresql://[::1/music", "DATABASE_URL is not a valid URL: "),
    ],
)
def test_a_wrong_url_is_a_wrong_setting(monkeypatch: pytest.MonkeyPatch, url: str, said: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(SettingsError) as error:
        connect(load_settings())
    assert re.match(said, message(error))


def test_every_way_to_write_postgres_is_understood(database: str) -> None:
    for scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        with connect(Settings(DATABASE_URL=database.replace("postgresql", scheme, 1))) as connection:
            require_migrated(connection)


@pytest.mark.parametrize("name", ["Recsys", "1st", "pg_mine", "a-b", "public; DROP", ""])
def test_a_schema_must_have_a_plain_name(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("RECSYS_SCHEMA", name)
    if not name:  # as if it were not set
        assert load_settings().db_schema == "recsys"
        return
    with pytest.raises(SettingsError) as error:
        load_settings()
    assert message(error).startswith("RECSYS_SCHEMA: must be a lower-case identifier")


def test_a_load_into_an_empty_database_says_what_to_run(empty_database: str, tmp_path: Path) -> None:
    file = write_slice(tmp_path, 0, [playlist(0, "one", [entry("Ann", "A", "u:a")])])
    with pytest.raises(NotMigratedError, match="run `recsys db upgrade`") as error:
        ingest(Settings(DATABASE_URL=empty_database), "mpd", [file])
    message(error)


def test_a_schema_of_another_version_is_refused(connection: psycopg.Connection) -> None:
    for version, said in (("0000", "run `recsys db upgrade`"), ("9999", "upgrade the package")):
        connection.execute("UPDATE alembic_version SET version_num = %s", (version,))
        with pytest.raises(NotMigratedError, match=said) as error:
            require_migrated(connection)
        assert version in message(error)


def test_a_table_that_is_not_there_reads_as_a_schema_that_is_not_set_up(connection: psycopg.Connection) -> None:
    for query in ("SELECT FROM nothing", "SELECT nothing()", "SELECT nothing FROM song", "SELECT FROM nothing.song"):
        with pytest.raises(NotMigratedError, match="run `recsys db upgrade`"), translated_errors():
            connection.execute(query.encode())


def test_a_connection_that_is_lost_is_an_error_of_the_database(database: str, connection: psycopg.Connection) -> None:
    with psycopg.connect(database) as other:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", (other.info.backend_pid,))
        with (
            pytest.raises(DatabaseError, match=r"^the server stopped|^the connection was lost") as error,
            translated_errors(),
        ):
            other.execute("SELECT 1")
    message(error)


@pytest.mark.parametrize(
    ("installed", "available", "said"),
    [
        (None, None, "the server has no pgvector: install it"),
        (None, "0.7.4", "pgvector 0.7.4 is too old: 0.8 or newer is needed"),
        ("0.5.1", "0.8.1", "pgvector 0.5.1 is too old: .* ALTER EXTENSION vector UPDATE"),
        (None, "0.8.0", None),
        ("0.8.1", "0.8.1", None),
        (None, "0.10.0", None),
        (None, "1.0", None),
    ],
)
def test_pgvector_must_be_there_and_new_enough(
    connection: psycopg.Connection, installed: str | None, available: str | None, said: str | None
) -> None:
    # Views that hide the server's own catalogue.
    connection.execute("CREATE SCHEMA other_server")
    for view, column, version in (
        ("pg_available_extensions", "name, default_version", available),
        ("pg_extension", "extname, extversion", installed),
    ):
        values = sql.SQL("('vector', {})").format(version) if version else sql.SQL("(NULL, NULL)")
        statement = sql.SQL("CREATE VIEW other_server.{} AS SELECT * FROM (VALUES {}) AS v ({}) WHERE v IS NOT NULL")
        connection.execute(statement.format(sql.Identifier(view), values, sql.SQL(column)))
    connection.execute("SET search_path = other_server, pg_catalog")
    if said is None:
        check_server(connection)
        return
    with pytest.raises(DatabaseError) as error:
        check_server(connection)
    assert re.match(said, message(error))


def test_postgres_must_be_new_enough(connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recsys.database.connection.MIN_POSTGRES", 99)
    with pytest.raises(DatabaseError, match=r"^PostgreSQL \d\d is too old: 99 or newer is needed$"):
        check_server(connection)


@pytest.fixture
def poor_role(empty_database: str) -> Iterator[str]:
    """The URL of a role that may only connect; its name needs quotes."""
    with psycopg.connect(empty_database, autocommit=True) as admin:
        admin.execute('CREATE ROLE "dj-ann" LOGIN')
        yield empty_database.replace("postgres@", "dj-ann@")
        admin.execute('DROP OWNED BY "dj-ann" CASCADE')
        admin.execute('DROP ROLE "dj-ann"')


def test_a_role_that_may_not_set_up_is_told_what_an_administrator_must_run(empty_database: str, poor_role: str) -> None:
    asked = []
    with psycopg.connect(empty_database, autocommit=True) as admin:
        for missing in ("the schema", "the extension vector", "the extension pg_trgm"):
            with pytest.raises(DatabaseError) as error:
                upgrade(Settings(DATABASE_URL=poor_role))
            assert message(error).startswith(f"the role dj-ann may not create {missing}: ask an administrator to run `")
            command = re.search("`(.+)`", message(error))
            assert command is not None
            asked.append(command[1])
            admin.execute(command[1].encode())
    assert asked == [
        'CREATE SCHEMA "recsys" AUTHORIZATION "dj-ann";',
        'CREATE EXTENSION IF NOT EXISTS "vector" WITH SCHEMA public;',
        'CREATE EXTENSION IF NOT EXISTS "pg_trgm" WITH SCHEMA public;',
    ]
    upgrade(Settings(DATABASE_URL=poor_role))
    with connect(Settings(DATABASE_URL=poor_role)) as connection:
        require_migrated(connection)


def test_a_role_that_may_only_read_cannot_load(settings: Settings, database: str, tmp_path: Path) -> None:
    file = write_slice(tmp_path, 0, [playlist(0, "one", [entry("Ann", "A", "u:a")])])
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute("CREATE ROLE reader LOGIN")
        admin.execute("GRANT USAGE ON SCHEMA recsys TO reader")
        admin.execute("GRANT SELECT ON ALL TABLES IN SCHEMA recsys TO reader")
        try:
            with pytest.raises(
                DatabaseError, match=r"^the role may not do this: permission denied for table "
            ) as error:
                ingest(Settings(DATABASE_URL=database.replace("postgres@", "reader@")), "mpd", [file])
            message(error)
        finally:
            admin.execute("DROP OWNED BY reader CASCADE")
            admin.execute("DROP ROLE reader")


def test_upgrade_downgrade_and_upgrade_leave_an_empty_schema_in_between(empty_database: str) -> None:
    settings = Settings(DATABASE_URL=empty_database)
    upgrade(settings)
    full = objects(empty_database, "recsys")
    assert {("function", "vote"), ("relation", "playlist"), ("relation", "song_stats")} <= set(full)
    upgrade(settings)
    assert objects(empty_database, "recsys") == full
    downgrade(settings, "base")
    with connect(settings) as connection:
        assert revision(connection) is None
    left = [name for kind, name in objects(empty_database, "recsys") if kind != "schema"]
    assert left == ["alembic_version", "alembic_version_pkc"]
    upgrade(settings)
    assert objects(empty_database, "recsys") == full


def test_what_was_learned_and_named_songs_go_and_come_with_their_revision(
    settings: Settings, connection: psycopg.Connection, database: str
) -> None:
    """What is older stays, with its rows; what is of this revision is empty again."""
    connection.execute(
        "INSERT INTO model (id, kind, name, dimension, fingerprint, folder, config)"
        " VALUES (1, 'title-recommender', 'made up', 2, 'f', '/nowhere', '{}')"
    )
    connection.execute("INSERT INTO artist_profile VALUES (1, 1, 'ann', 1, 1, '{1}', '{1}')")
    connection.execute("INSERT INTO song_profile VALUES (1, 1, 'up', 1, 1, '{1}', '{1}')")
    connection.execute("INSERT INTO learned_profile VALUES (1, 1, '{1}', '{1}')")
    full = objects(database, "recsys")
    downgrade(settings, "0008")
    before_views = objects(database, "recsys")
    assert set(full) - set(before_views) == {
        ("relation", name)
        for name in (
            *("songs", "tracks", "credits", "artist_stats", "playlists", "playlist_entries", "tracklists", "plays"),
            *("ingest_runs", "rejected_records", "models"),
        )
    }
    downgrade(settings, "0007")
    before_listeners = objects(database, "recsys")
    people = ("listener", "listener_song", "listener_artist")
    assert set(before_views) - set(before_listeners) == {
        *(("relation", name + end) for name in people for end in ("", "_pkey")),
        ("relation", "listener_name_key"),
    }
    downgrade(settings, "0006")
    before_cursors = objects(database, "recsys")
    assert set(before_listeners) - set(before_cursors) == {
        ("relation", "source_cursor"),
        ("relation", "source_cursor_pkey"),
    }
    downgrade(settings, "0005")
    before_clusters = objects(database, "recsys")
    assert set(before_cursors) - set(before_clusters) == {
        ("relation", name) for name in ("song_membership", "song_membership_pkey", "song_cluster", "song_cluster_stats")
    }
    downgrade(settings, "0004")
    graph = ("song_embedding", "song_likeness", "artist_embedding", "dj_embedding", "dj_forecast")
    before_graphs = objects(database, "recsys")
    assert set(before_clusters) - set(before_graphs) == {
        *(("relation", name + end) for name in graph for end in ("", "_pkey")),
        *(("relation", name) for name in ("dj_profile", "dj_name_trgm_idx")),
    }
    downgrade(settings, "0003")
    assert revision(connection) == "0003"
    with pytest.raises(NotMigratedError, match="is at revision 0003, this version needs 0010: run `recsys db upgrade`"):
        require_migrated(connection)
    assert set(before_graphs) - set(objects(database, "recsys")) == {
        ("relation", name)
        for name in (
            *("learned_profile", "learned_profile_pkey", "song_profile", "song_profile_pkey"),
            *("song_profile_model_id_key_idx", "song_profile_key_trgm_idx", "artist_profile_key_trgm_idx"),
        )
    }
    upgrade(settings)
    require_migrated(connection)
    assert objects(database, "recsys") == full
    counts = "SELECT (SELECT count(*) FROM artist_profile), (SELECT count(*) FROM song_profile),"
    assert rows(connection, f"{counts} (SELECT count(*) FROM learned_profile)") == [(1, 0, 0)]


def test_tables_have_the_columns_that_are_described(connection: psycopg.Connection) -> None:
    found = rows(
        connection,
        "SELECT c.table_name::text, c.column_name::text, c.is_nullable = 'YES' FROM information_schema.columns AS c"
        " JOIN information_schema.tables AS t USING (table_schema, table_name)"
        " WHERE table_schema = 'recsys' AND t.table_type = 'BASE TABLE' AND table_name <> 'alembic_version'",
    )
    tables = Table.metadata.tables.values()
    assert set(found) == {(table.name, column.name, column.nullable) for table in tables for column in table.columns}
    assert ("song_profile", "meant", False) in found


def test_a_downgrade_after_an_interrupted_load_needs_none_of_its_indexes(settings: Settings, database: str) -> None:
    with connect(settings, autocommit=True) as connection:
        connection.execute("DROP INDEX playlist_track_track_id_idx")
        connection.execute("CREATE TABLE public.theirs (track_id int)")
        connection.execute("CREATE INDEX playlist_track_track_id_idx ON public.theirs (track_id)")
    downgrade(settings, "base")
    assert ("relation", "playlist_track_track_id_idx") in objects(database, "public")


def test_what_others_have_in_the_database_is_left_alone(empty_database: str) -> None:
    settings = Settings(DATABASE_URL=empty_database)
    with psycopg.connect(empty_database, autocommit=True) as user:
        user.execute("CREATE TABLE public.playlist AS SELECT 1 AS mine")
        user.execute("CREATE TABLE public.title_profile AS SELECT 2 AS mine")
        user.execute("CREATE VIEW public.title_stats AS SELECT 3 AS mine")
        user.execute("CREATE TABLE public.alembic_version AS SELECT 'theirs' AS version_num")
        user.execute("CREATE FUNCTION public.vote() RETURNS int LANGUAGE sql AS 'SELECT 4'")
        before = objects(empty_database, "public")
        for change in ("up", "down", "up"):
            if change == "up":
                upgrade(settings)
            else:
                downgrade(settings, "base")
            # The extension's schema is public, what it needs there is its own.
            assert set(objects(empty_database, "public")) - set(before) <= {("schema", "recsys")}
            assert set(before) <= set(objects(empty_database, "public"))
            for query, answer in (
                ("SELECT mine FROM public.playlist", 1),
                ("SELECT mine FROM public.title_profile", 2),
                ("SELECT mine FROM public.title_stats", 3),
                ("SELECT public.vote()", 4),
                ("SELECT version_num FROM public.alembic_version", "theirs"),
            ):
                assert rows(user, query) == [(answer,)]
    with connect(settings) as connection:
        require_migrated(connection)


def test_two_schemas_of_one_database_do_not_see_each_other(database: str, tmp_path: Path) -> None:
    first, second = Settings(DATABASE_URL=database), Settings(DATABASE_URL=database, RECSYS_SCHEMA="second")
    with connect(second) as connection, pytest.raises(NotMigratedError):
        require_migrated(connection)
    upgrade(second)
    one = write_slice(tmp_path / "one", 0, [playlist(0, "one", [entry("Ann", "A", "u:a"), entry("Ann", "B", "u:b")])])
    two = write_slice(tmp_path / "two", 0, [playlist(0, "two", [entry("Bob", "C", "u:c")])])
    with connect(first) as other, writer_lock(other, "recsys"):
        ingest(second, "mpd", [two])
        with connect(second) as third, pytest.raises(BusyError), writer_lock(third, "recsys"):
            pass
    ingest(first, "mpd", [one])
    for settings, songs in ((first, [("A",), ("B",)]), (second, [("C",)])):
        with connect(settings) as connection:
            assert rows(connection, "SELECT title FROM song ORDER BY id") == songs
            assert rows(connection, "SELECT count(*) FROM song_stats") == [(len(songs),)]
    downgrade(first, "base")
    with connect(second) as connection:
        require_migrated(connection)
        assert rows(connection, "SELECT rank FROM similar_tracks(1)") == []
        assert rows(connection, "SELECT normal_title('Chill  Vibes!!')") == [("chill vibes",)]
