"""Reading somebody's database: entries/s of `ingest sql` from a local Postgres, beside a bare SELECT and JSON lines.

    python benchmarks/ingest_sql.py [--playlists 20000] [--repeat 2]

The source is another database of the same server: playlists, tracks and their places in playlists. The bare SELECT is
the floor: the same query, through a cursor of psycopg, its rows thrown away. All loads begin with an empty catalogue;
the best of the repetitions counts, since others use the machine too. Beside the speed stands what an entry takes of
our own process's time, which others disturb less.
"""

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time

import msgspec
import psycopg
from made_up_mpd import write_made_up_mpd
from stage import fresh_settings, print_machine

from recsys.catalog import IngestSummary, ingest, ingest_sql
from recsys.config import Settings
from recsys.database import copy_rows, upgrade
from recsys.sources import FORMATS, Playlist, load_mapping

TABLES = """
CREATE TABLE playlist (id int PRIMARY KEY, name text NOT NULL, updated_at timestamptz);
CREATE TABLE track (id int PRIMARY KEY, title text, artist text, uri text, album text, duration_ms int);
CREATE TABLE playlist_track (playlist_id int, position int, track_id int, PRIMARY KEY (playlist_id, position));
"""
FLAT = """
SELECT i.playlist_id, p.name AS playlist_title, i.position, t.title AS track_title, t.artist, t.uri, t.album,
       t.duration_ms, p.updated_at
  FROM playlist_track AS i JOIN playlist AS p ON p.id = i.playlist_id JOIN track AS t ON t.id = i.track_id
"""
ONE_QUERY = f"[items]\nchanged = 'updated_at'\nquery = '''{FLAT}'''\n"
THREE_QUERIES = """
[playlists]
changed = "updated_at"
query = "SELECT id AS playlist_id, name AS playlist_title, updated_at FROM playlist"
[items]
query = "SELECT playlist_id, position, track_id FROM playlist_track"
[tracks]
query = "SELECT id AS track_id, title AS track_title, artist, uri, album, duration_ms FROM track"
"""


def other_database(settings: Settings, name: str) -> str:
    """A new, empty database on the same server."""
    assert settings.database_url is not None
    with psycopg.connect(settings.database_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name}")
        connection.execute(f"CREATE DATABASE {name}")
    return settings.database_url.replace("@/recsys?", f"@/{name}?")


def fill(url: str, folder: Path, lines: Path) -> int:
    """Write the playlists of a folder of slices into the source's tables and as JSON lines; returns the entries."""
    tracks: dict[str, int] = {}
    entries = 0
    with psycopg.connect(url) as connection, lines.open("wb") as file:
        connection.execute(TABLES)
        for batch in FORMATS["mpd"].read(folder):
            playlists, items, new = [], [], []
            for record in batch.records:
                assert isinstance(record, Playlist)
                playlists.append((int(record.external_id), record.name))
                written = []
                for position, entry in enumerate(record.entries):
                    assert entry is not None
                    assert entry.uri is not None
                    if entry.uri not in tracks:
                        tracks[entry.uri] = len(tracks)
                        row = (tracks[entry.uri], entry.title, entry.artist, entry.uri, entry.album, entry.duration_ms)
                        new.append(row)
                    items.append((int(record.external_id), position, tracks[entry.uri]))
                    written.append({name: getattr(entry, name) for name in entry.__struct_fields__[:5]})
                entries += len(written)
                line = {"pid": int(record.external_id), "name": record.name, "tracks": written}
                file.write(msgspec.json.encode(line) + b"\n")
            columns = {"id": "int4", "title": "text", "artist": "text", "uri": "text", "album": "text"}
            copy_rows(connection, "track", {**columns, "duration_ms": "int4"}, new)
            copy_rows(connection, "playlist", {"id": "int4", "name": "text"}, playlists)
            place = {"playlist_id": "int4", "position": "int4", "track_id": "int4"}
            copy_rows(connection, "playlist_track", place, items)
        connection.execute("UPDATE playlist SET updated_at = timestamptz '2026-01-01' + id * interval '1 minute'")
        connection.commit()
        connection.execute("ANALYZE")
    return entries


def bare_select(url: str) -> int:
    """Fetch the rows of the one query; returns how many there are."""
    with psycopg.connect(url) as connection, connection.cursor("bare") as cursor:
        connection.execute("SET LOCAL cursor_tuple_fraction = 1")
        cursor.itersize = 10_000
        cursor.execute(f"SELECT * FROM ({FLAT}) AS q ORDER BY playlist_id, position")
        return sum(1 for _ in cursor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--playlists", type=int, default=20_000, metavar="N", help="playlists to make up")
    parser.add_argument("--repeat", type=int, default=2, metavar="N", help="times that everything is measured")
    arguments = parser.parse_args()
    print_machine()
    with tempfile.TemporaryDirectory() as scratch, fresh_settings() as settings:
        folder = Path(scratch)
        write_made_up_mpd(folder / "slices", arguments.playlists)
        source = other_database(settings, "source")
        entries = fill(source, folder / "slices", folder / "lists.jsonl")
        (folder / "one.toml").write_text(ONE_QUERY)
        (folder / "three.toml").write_text(THREE_QUERIES)

        def fresh() -> Settings:
            made = Settings(DATABASE_URL=other_database(settings, "target"), home=settings.home)
            upgrade(made)
            return made

        def of_mapping(name: str) -> Callable[[Settings], IngestSummary]:
            return lambda made: ingest_sql(made, load_mapping(folder / name), dsn=source)

        loads: dict[str, Callable[[Settings], IngestSummary]] = {
            "ingest playlists, JSON lines": lambda made: ingest(made, "playlists", [folder / "lists.jsonl"]),
            "ingest sql, one query": of_mapping("one.toml"),
            "ingest sql, three queries": of_mapping("three.toml"),
        }
        best: dict[str, tuple[float, float]] = {}

        def measured(name: str, work: Callable[[], int]) -> None:
            begin, busy = perf_counter(), process_time()
            assert work() == entries
            seconds, busy = perf_counter() - begin, process_time() - busy
            best[name] = min(best.get(name, (seconds, busy)), (seconds, busy))

        for _ in range(arguments.repeat):
            measured("bare SELECT", lambda: bare_select(source))
            for name, load in loads.items():
                made = fresh()
                measured(name, lambda load=load, made=made: load(made).counts.entries_stored)  # type: ignore[misc]
        begin = perf_counter()
        again = ingest_sql(made, load_mapping(folder / "three.toml"), dsn=source).counts
        seconds = perf_counter() - begin
    for name, (seconds_, busy) in best.items():
        speed, cost = entries / seconds_, busy / entries * 1e6
        print(f"{name:<30} {entries:>9,} entries   {speed:>9,.0f} entries/s   {cost:5.1f} us of our processor an entry")
    print(f"{'nothing changed, once more':<30} {again.read:>9,} list read {seconds:13.2f} s")


if __name__ == "__main__":
    os.environ.pop("DATABASE_URL", None)
    main()
