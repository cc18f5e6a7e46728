"""Somebody's database into the catalogue: another Postgres database, SQLite, and tables beside ours."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from recsys.catalog import Counts, guess_source, ingest, ingest_sql
from recsys.config import Settings
from recsys.database import EmbeddedServer
from recsys.errors import SourceError
from recsys.sources import Playlist, SqlSource, load_mapping
from tests.worlds import dump, entry, playlist, rows, write_lines

TABLES = """
CREATE TABLE playlists (id int PRIMARY KEY, name text, updated_at {time});
CREATE TABLE tracks (id int PRIMARY KEY, title text, artist text, uri text, length_ms {any});
CREATE TABLE playlist_tracks (id int PRIMARY KEY, playlist_id int, position int, track_id int);
CREATE TABLE mixes (id int PRIMARY KEY, title text, dj text, played_on date);
CREATE TABLE mix_tracks (id int PRIMARY KEY, mix_id int, position int, artist text, title text, cue int);
INSERT INTO playlists VALUES (1, 'Gym', '2020-01-01'), (2, 'Sleep', '2020-01-02'), (3, 'Empty', '2020-01-01');
INSERT INTO tracks VALUES
 (1, 'One', 'Ann', 'u:1', '1000'), (2, 'Two''; DROP TABLE tracks; --', 'Bob', NULL, NULL),
 (3, 'Three', 'Ann', 'u:3', NULL);
INSERT INTO playlist_tracks VALUES (1, 1, 1, 2), (2, 1, 0, 1), (3, 2, 0, 3), (4, 2, 1, 1), (5, 2, 2, 3);
INSERT INTO mixes VALUES (1, 'Night', 'Max', '2020-01-02');
INSERT INTO mix_tracks VALUES (1, 1, 0, 'Ann', 'One', 0), (2, 1, 1, 'ID', 'ID', 60);
"""
LINES = [
    playlist(1, "Gym", [entry("Ann", "One", "u:1", duration_ms=1000), entry("Bob", "Two'; DROP TABLE tracks; --")]),
    playlist(2, "Sleep", [entry("Ann", "Three", "u:3"), entry("Ann", "One", "u:1"), entry("Ann", "Three", "u:3")]),
    playlist(3, "Empty", []),
]
THREE = """
[playlists]
changed = "updated_at"
query = "SELECT id AS playlist_id, name AS playlist_title, updated_at FROM playlists"
[items]
query = "SELECT playlist_id, position, track_id, '12:30 100%' AS unused FROM playlist_tracks -- all of them"
[tracks]
query = "SELECT id AS track_id, title AS track_title, artist, uri, length_ms AS duration_ms FROM tracks"
"""
ONE = """
[items]
changed = "item_id"
query = '''
SELECT p.id AS playlist_id, p.name AS playlist_title, i.position, i.id AS item_id, t.title AS track_title, t.artist,
       t.uri, t.length_ms AS duration_ms
  FROM playlists AS p
  LEFT JOIN playlist_tracks AS i ON i.playlist_id = p.id
  LEFT JOIN tracks AS t ON t.id = i.track_id;
'''
"""
MIXES = """
[tracklists]
changed = "mix_id"
query = '''
SELECT m.id AS tracklist_id, m.id AS mix_id, m.title AS tracklist_title, m.dj, m.played_on, i.position, i.artist,
       i.title AS track_title, i.cue
  FROM mixes AS m JOIN mix_tracks AS i ON i.mix_id = m.id
'''
"""
CURSORS = "SELECT query, kind, value FROM source_cursor ORDER BY 1"
LISTS = "SELECT external_id, name, entries FROM playlist ORDER BY external_id"


def fill(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(TABLES.format(time="timestamptz", any="text").encode())


@pytest.fixture
def shop(empty_database: str) -> str:
    """The URL of another database on the server, with tables of somebody's own."""
    fill(empty_database)
    return empty_database


@pytest.fixture
def theirs(shop: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(shop, autocommit=True) as connection:
        yield connection


@pytest.fixture
def sqlite_file(tmp_path: Path) -> Path:
    file = tmp_path / "shop's.db"
    connection = sqlite3.connect(file)
    connection.executescript(TABLES.format(time="text", any="text"))
    connection.close()
    return file


def write(folder: Path, text: str) -> Path:
    file = folder / "shop.toml"
    file.write_text(text, encoding="utf-8")
    return file


def load(settings: Settings, folder: Path, text: str, dsn: str | None, *, whole: bool = False) -> Counts:
    return ingest_sql(settings, load_mapping(write(folder, text)), dsn=dsn, whole=whole).counts


@pytest.mark.parametrize("mapping", [ONE, THREE], ids=["one query", "three queries"])
@pytest.mark.parametrize("dialect", ["postgresql", "sqlite"])
def test_a_database_gives_what_the_same_lists_as_lines_give(
    settings: Settings,
    connection: psycopg.Connection,
    shop: str,
    sqlite_file: Path,
    server: EmbeddedServer,
    tmp_path: Path,
    mapping: str,
    dialect: str,
) -> None:
    dsn = shop if dialect == "postgresql" else f"sqlite:///{sqlite_file}"
    counts = load(settings, tmp_path, mapping, dsn)
    assert counts == Counts(read=3, stored=3, entries_stored=5)
    ours = {table: found for table, found in dump(connection).items() if table != "source"}
    assert rows(connection, "SELECT name, format FROM source") == [("shop", "sql")]

    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE as_lines TEMPLATE template")
        try:
            same = Settings(DATABASE_URL=server.url().replace("@/recsys?", "@/as_lines?"), home=settings.home)
            ingest(same, "playlists", [write_lines(tmp_path / "lists.jsonl", LINES)])
            with psycopg.connect(str(same.database_url), options="-c search_path=recsys,public") as other:
                assert ours == {table: found for table, found in dump(other).items() if table != "source"}
        finally:
            admin.execute("DROP DATABASE as_lines WITH (FORCE)")


def test_a_second_load_reads_what_changed_and_changes_nothing_else(
    settings: Settings, connection: psycopg.Connection, shop: str, theirs: psycopg.Connection, tmp_path: Path
) -> None:
    load(settings, tmp_path, THREE + MIXES, shop)
    [(_, kind, value), mixes] = rows(connection, CURSORS)
    assert (kind, value[:10], mixes) == ("time", "2020-01-02", ("tracklists", "whole number", "1"))
    before = dump(connection)
    again = load(settings, tmp_path, THREE + MIXES, shop)
    # Playlist 2 and the mix are those that changed last, and are looked at once more.
    assert again == Counts(read=2, already_there=2)
    assert dump(connection) == before

    theirs.execute("DELETE FROM playlist_tracks WHERE id = 1")
    theirs.execute("UPDATE playlists SET name = 'Gym!', updated_at = '2020-01-03' WHERE id = 1")
    theirs.execute("INSERT INTO playlists VALUES (4, 'New', '2020-01-04')")
    theirs.execute("INSERT INTO playlist_tracks VALUES (6, 4, 0, 1)")
    theirs.execute("INSERT INTO mixes VALUES (2, 'Day', 'Max', NULL)")
    theirs.execute("INSERT INTO mix_tracks VALUES (3, 2, 0, 'Bob', 'New song', NULL)")
    theirs.execute("UPDATE playlists SET name = 'in silence' WHERE id = 3")
    changed = load(settings, tmp_path, THREE + MIXES, shop)
    assert changed == Counts(read=5, stored=2, replaced=1, already_there=2, entries_stored=3)
    assert rows(connection, LISTS) == [("1", "Gym!", 1), ("2", "Sleep", 3), ("3", "Empty", 0), ("4", "New", 1)]
    assert [value[:10] for _, _, value in rows(connection, CURSORS)] == ["2020-01-04", "2"]

    whole = ingest_sql(settings, load_mapping(tmp_path / "shop.toml"), dsn=shop, whole=True).counts
    assert (whole.read, whole.replaced, whole.already_there) == (6, 1, 5)
    assert rows(connection, LISTS)[2] == ("3", "in silence", 0)


def test_a_list_of_which_one_row_is_new_is_read_whole(
    settings: Settings, connection: psycopg.Connection, sqlite_file: Path, tmp_path: Path
) -> None:
    dsn = f"sqlite:///{sqlite_file}"
    load(settings, tmp_path, ONE, dsn)
    with sqlite3.connect(sqlite_file) as theirs:
        theirs.execute("INSERT INTO playlist_tracks VALUES (6, 1, 2, 3)")
    counts = load(settings, tmp_path, ONE, dsn)
    assert counts == Counts(read=2, replaced=1, already_there=1, entries_stored=3)
    assert rows(connection, LISTS) == [("1", "Gym", 3), ("2", "Sleep", 3), ("3", "Empty", 0)]
    assert rows(connection, CURSORS) == [("items", "whole number", "6")]


def test_a_query_that_was_written_anew_is_read_from_its_beginning(
    settings: Settings, shop: str, tmp_path: Path
) -> None:
    load(settings, tmp_path, THREE, shop)
    rewritten = THREE.replace("name AS playlist_title", "upper(name) AS playlist_title")
    assert load(settings, tmp_path, rewritten, shop).replaced == 3


def test_a_dry_run_moves_no_cursor(
    settings: Settings, connection: psycopg.Connection, shop: str, tmp_path: Path
) -> None:
    tried = ingest_sql(settings, load_mapping(write(tmp_path, THREE)), dsn=shop, dry_run=True)
    assert tried.counts.stored == 3
    assert rows(connection, CURSORS) == []
    assert not any(dump(connection).values())


def test_our_schema_beside_theirs_in_one_database(
    settings: Settings, connection: psycopg.Connection, database: str, tmp_path: Path
) -> None:
    fill(database)
    counts = load(settings, tmp_path, THREE + MIXES, None)
    assert counts == Counts(read=4, stored=4, entries_stored=6, entries_unidentified=1)
    assert rows(connection, "SELECT count(*) FROM public.playlist_tracks") == [(5,)]
    guess = guess_source(settings, None)
    assert "ingest_run" not in guess.text
    named, under = guess.text.partition("source = ")[2].split('"')[1], "# source = "
    assert named in database
    assert load(settings, tmp_path, guess.text.replace("source = ", under), None).already_there >= 3


def test_another_database_is_not_taken_for_the_one_that_was_loaded(
    settings: Settings, connection: psycopg.Connection, shop: str, sqlite_file: Path, tmp_path: Path
) -> None:
    """Ids of two databases may be the same; one that moved is told by reading it whole."""
    before = load(settings, tmp_path, THREE, shop)
    stored = dump(connection)
    with pytest.raises(SourceError, match="the source shop was loaded from another database: name this one with"):
        load(settings, tmp_path, THREE, f"sqlite:///{sqlite_file}")
    assert dump(connection) == stored
    other = ingest_sql(settings, load_mapping(write(tmp_path, THREE)), dsn=f"sqlite:///{sqlite_file}", source="other")
    assert other.counts.stored == before.stored
    load(settings, tmp_path, THREE, f"sqlite:///{sqlite_file}", whole=True)
    load(settings, tmp_path, THREE, f"sqlite:///{sqlite_file}")


def test_a_row_of_the_wrong_type_is_set_aside_and_leaves_when_it_is_mended(
    settings: Settings, connection: psycopg.Connection, shop: str, theirs: psycopg.Connection, tmp_path: Path
) -> None:
    theirs.execute("UPDATE tracks SET length_ms = 'long' WHERE id = 2")
    counts = load(settings, tmp_path, ONE, shop)
    assert counts == Counts(read=3, stored=3, entries_stored=4, entries_rejected=1)
    query = "SELECT file, place, reason FROM rejected_record"
    reason = "duration_ms is not a number from 0 to 2147483647"
    assert rows(connection, query) == [(f"{tmp_path / 'shop.toml'}!items", "playlist_id 1, row 2", reason)]
    load(settings, tmp_path, ONE, shop)  # reads list 2 alone, and says nothing of list 1
    assert len(rows(connection, query)) == 1
    theirs.execute("UPDATE tracks SET length_ms = '7' WHERE id = 2")
    load(settings, tmp_path, ONE, shop, whole=True)
    assert rows(connection, query) == []


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT 1 AS playlist_id", "the query of [items] has no column position and track_title and artist and play"),
        ("SELECT * FROM nothing", 'the query of [items] failed: relation "nothing" does not exist'),
        ("SELECT 1; DROP TABLE tracks", "the query of [items] failed: syntax error"),
        ("DELETE FROM tracks RETURNING 1", "the query of [items] failed: syntax error"),
        (
            "WITH gone AS (DELETE FROM tracks RETURNING 1) SELECT * FROM gone",
            "the query of [items] failed: WITH clause",
        ),
        (
            "SELECT lose() AS playlist_id, 1 AS position, 't' AS track_title, 'a' AS artist, 'p' AS playlist_title",
            "the query of [items] failed: cannot execute DELETE in a read-only transaction",
        ),
    ],
)
def test_a_query_that_does_not_fit_or_that_writes_is_told_and_nothing_is_written(
    settings: Settings,
    connection: psycopg.Connection,
    shop: str,
    theirs: psycopg.Connection,
    tmp_path: Path,
    sql: str,
    said: str,
) -> None:
    theirs.execute("CREATE FUNCTION lose() RETURNS int LANGUAGE sql AS 'DELETE FROM tracks; SELECT 1'")
    with pytest.raises(SourceError) as error:
        load(settings, tmp_path, f'[items]\nquery = "{sql}"', shop)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert rows(theirs, "SELECT count(*) FROM tracks") == [(3,)]
    assert not any(dump(connection).values())


def test_a_column_that_tells_no_changes_is_named(settings: Settings, shop: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"the column is_new of \[items\] tells no changes"):
        load(settings, tmp_path, ONE.replace("item_id", "is_new").replace("i.id AS", "ARRAY[i.id] AS"), shop)


MANY = """
INSERT INTO playlists SELECT i, 'List ' || i, '2021-01-01' FROM generate_series(10, 2509) AS i;
INSERT INTO playlist_tracks SELECT 100 + i, 10 + i / 12, i % 12, 1 + i % 3 FROM generate_series(0, 29999) AS i
"""


def test_a_source_that_changes_under_the_read_is_read_as_it_was(
    shop: str, theirs: psycopg.Connection, tmp_path: Path
) -> None:
    theirs.execute(MANY)
    source = SqlSource(load_mapping(write(tmp_path, THREE)), shop)
    batches = source.read(source.plan([]))
    records = next(batches).records
    theirs.execute("DELETE FROM playlist_tracks WHERE playlist_id > 1500")
    theirs.execute("UPDATE playlists SET name = 'changed'")
    for batch in batches:
        records += batch.records
    lists = [record for record in records if isinstance(record, Playlist)]
    assert len(lists) == 2_503
    assert {(len(found.entries), found.name[:4]) for found in lists if int(found.external_id) >= 10} == {(12, "List")}


def test_a_source_that_is_lost_under_the_read_keeps_what_was_committed_and_moves_no_cursor(
    settings: Settings, connection: psycopg.Connection, shop: str, theirs: psycopg.Connection, tmp_path: Path
) -> None:
    theirs.execute(MANY.replace("2509", "20009").replace("29999", "239999"))
    ended = []

    def end(_rows: int, _counts: Counts) -> None:
        if not ended:
            ended.extend(
                rows(
                    theirs,
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()",
                )
            )

    mapping = load_mapping(write(tmp_path, THREE))
    with pytest.raises(SourceError, match=r"^the query of \[items\] failed: ") as error:
        ingest_sql(settings, mapping, dsn=shop, progress=end)
    assert "\n" not in str(error.value)
    assert ended == [(True,)]
    [(kept,)] = rows(connection, "SELECT count(*) FROM playlist")
    assert 1_000 <= kept < 20_003
    assert rows(connection, CURSORS) == []
    again = ingest_sql(settings, mapping, dsn=shop).counts
    assert (again.stored, again.already_there) == (20_003 - kept, kept)
    assert len(rows(connection, CURSORS)) == 1


LOAD = """
import sys, time
from pathlib import Path
from recsys.catalog import ingest_sql
from recsys.config import load_settings
from recsys.sources import load_mapping
ingest_sql(load_settings(), load_mapping(Path(sys.argv[1])), progress=lambda *_: time.sleep(0.05))
"""


def test_a_load_that_was_killed_ends_in_the_same_rows_when_it_is_run_again(
    settings: Settings,
    connection: psycopg.Connection,
    server: EmbeddedServer,
    shop: str,
    theirs: psycopg.Connection,
    tmp_path: Path,
) -> None:
    theirs.execute(MANY.replace("2509", "8009").replace("29999", "95999"))
    mapping = write(tmp_path, THREE)
    process = subprocess.Popen(
        [sys.executable, "-c", LOAD, str(mapping)],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"DATABASE_URL": str(settings.database_url), "RECSYS_SOURCE_DSN": shop},
    )
    deadline = time.monotonic() + 60
    while rows(connection, "SELECT count(*) > 2000 FROM playlist") == [(False,)]:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    held = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND database ="
    while rows(connection, f"{held} (SELECT oid FROM pg_database WHERE datname = current_database())"):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert rows(connection, CURSORS) == []
    [(kept,)] = rows(connection, "SELECT count(*) FROM playlist")
    again = ingest_sql(settings, load_mapping(mapping), dsn=shop).counts
    assert (again.stored, again.already_there) == (8_003 - kept, kept)
    ours = dump(connection)

    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE run_through TEMPLATE template")
        try:
            other = Settings(DATABASE_URL=server.url().replace("@/recsys?", "@/run_through?"), home=settings.home)
            ingest_sql(other, load_mapping(mapping), dsn=shop)
            with psycopg.connect(str(other.database_url), options="-c search_path=recsys,public") as through:
                assert dump(through) == ours
        finally:
            admin.execute("DROP DATABASE run_through WITH (FORCE)")


@pytest.mark.parametrize("dialect", ["postgresql", "sqlite"])
def test_a_mapping_that_was_guessed_loads(
    settings: Settings, shop: str, sqlite_file: Path, tmp_path: Path, dialect: str
) -> None:
    dsn = shop if dialect == "postgresql" else f"sqlite:///{sqlite_file}"
    guess = guess_source(settings, dsn)
    assert [remark for remark in guess.remarks if "guessed" not in remark] == []
    counts = load(settings, tmp_path, guess.text, dsn)
    assert counts == Counts(read=4, stored=4, entries_stored=6, entries_unidentified=1)


def test_a_sqlite_file_that_is_none_or_holds_other_bytes(settings: Settings, sqlite_file: Path, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("not a database, but long enough to be looked at" * 40)
    with pytest.raises(SourceError, match=r"failed: file is not a database$"):
        load(settings, tmp_path, THREE, f"sqlite:///{tmp_path / 'text.db'}")
    with sqlite3.connect(sqlite_file) as theirs:
        theirs.execute("UPDATE tracks SET title = CAST(x'636166e9' AS text) WHERE id = 3")
    counts = load(settings, tmp_path, THREE, f"sqlite:///{sqlite_file}")
    assert counts == Counts(read=3, stored=3, entries_stored=3, entries_rejected=3)
