"""Somebody's database into the catalogue by the installed command: guess, look, load, and load what changed."""

import json
import sqlite3
import tomllib
from pathlib import Path

import psycopg
import pytest

from tests.e2e.command import Command, complaint
from tests.e2e.test_command_loading import summary
from tests.worlds import rows

TABLES = """
CREATE TABLE playlists (id INTEGER PRIMARY KEY, name TEXT, updated_at TEXT);
CREATE TABLE playlist_tracks (playlist_id INTEGER, position INTEGER, track_id INTEGER);
CREATE TABLE tracks (id INTEGER PRIMARY KEY, title TEXT, artist TEXT, uri TEXT);
INSERT INTO playlists VALUES (1, 'Gym', '2020-01-01'), (2, 'Sleep', '2020-01-02');
INSERT INTO tracks VALUES (1, 'One', 'Ann', 'u:1'), (2, 'Two', 'Bob', 'u:2');
INSERT INTO playlist_tracks VALUES (1, 0, 1), (1, 1, 2), (2, 0, 2);
"""


@pytest.fixture
def shop(tmp_path: Path) -> str:
    """The URL of a database with tables of somebody's own."""
    connection = sqlite3.connect(tmp_path / "shop.db")
    connection.executescript(TABLES)
    connection.close()
    return f"sqlite:///{tmp_path / 'shop.db'}"


def test_a_mapping_is_guessed_loaded_and_loaded_again(
    recsys: Command, shop: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    guessed = recsys("ingest", "sql", "--init", "--dsn", shop)
    assert (guessed.returncode, guessed.stdout) == (0, "")
    assert guessed.stderr.splitlines() == [
        "written: mapping.toml",
        "[playlists] guessed from playlists",
        "[items] guessed from playlist_tracks",
        "[tracks] guessed from tracks",
        "[tracklists] not found: it is a comment, with an example",
    ]
    assert complaint(recsys("ingest", "sql", "--init", "--dsn", shop)) == (
        "mapping.toml is there already: name another file with --mapping"
    )
    shown = recsys("ingest", "sql", "--init", "--mapping", "-", "--dsn", shop)
    assert tomllib.loads(shown.stdout) == tomllib.loads((tmp_path / "mapping.toml").read_text())

    load = ("ingest", "sql", "--json")
    given = recsys.given(RECSYS_SOURCE_DSN=shop)
    assert summary(given(*load, "--dry-run")) == {"dry_run": True, "read": 2, "stored": 2, "entries_stored": 3}
    assert summary(given(*load)) == {"read": 2, "stored": 2, "entries_stored": 3}
    assert summary(given(*load)) == {"read": 1, "already_there": 1}
    assert summary(given(*load, "--full")) == {"read": 2, "already_there": 2}
    assert rows(connection, "SELECT name, format FROM source") == [("shop", "sql")]
    assert rows(connection, "SELECT name, entries FROM playlist ORDER BY id") == [("Gym", 2), ("Sleep", 1)]


def test_a_text_where_a_number_belongs_is_told_beside_what_loads(recsys: Command, shop: str, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as theirs:
        theirs.execute("UPDATE playlist_tracks SET position = 'last' WHERE playlist_id = 1 AND track_id = 2")
    recsys("ingest", "sql", "--init", "--mapping", "shop.toml", "--dsn", shop)
    done = recsys("ingest", "sql", "--mapping", "shop.toml", "--dsn", shop, "--json")
    assert done.returncode == 1
    counts = json.loads(done.stdout)
    assert (counts["stored"], counts["entries_stored"], counts["entries_rejected"]) == (2, 2, 1)
    place = f"{tmp_path / 'shop.toml'}!items: playlist_id 1, row 2"
    assert counts["first_places"] == {"position is not a number": place}


def test_what_is_wrong_with_a_mapping_or_a_database_is_one_line(recsys: Command, shop: str, tmp_path: Path) -> None:
    load = ("ingest", "sql", "--mapping", "own.toml", "--dsn", shop)
    assert complaint(recsys(*load)) == "own.toml does not exist: `recsys ingest sql --init` writes one"
    (tmp_path / "own.toml").write_text("[items]\n")
    assert complaint(recsys(*load)) == "own.toml: [items] lacks its query"
    (tmp_path / "own.toml").write_text('[items]\nquery = "SELECT playlist_id, position, track_id FROM playlist_tracks"')
    assert complaint(recsys(*load)) == (
        "own.toml: the query of [items] has no column track_title and artist and playlist_title;"
        " it has playlist_id, position, track_id: track_id needs [tracks]"
    )
    (tmp_path / "own.toml").write_text('[items]\nquery = "SELECT * FROM gone"')
    assert complaint(recsys(*load)) == "the query of [items] failed: no such table: gone"
    lost = ("ingest", "sql", "--mapping", "own.toml", "--dsn", "postgresql://ann:secret@127.0.0.1:9/shop")
    assert complaint(recsys(*lost)) == "cannot reach the source 127.0.0.1:9/shop: Connection refused"
