"""A load that is killed again and again, and then run to its end, gives what one that ran through gives."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import psycopg
import pytest

from tests.worlds import CATALOGUE, dump, entry, playlist, rows, write_lines, write_slice

CHECKOUT = Path(__file__).parents[2]
SLICES, PLAYLISTS = 12, 300
PATIENCE = 30

# Loads that drop the indexes, with a pause after each batch so that a kill can hit any of them.
LOAD = """
import importlib, sys, time
from pathlib import Path
from recsys.catalog import ingest
from recsys.config import load_settings
importlib.import_module("recsys.catalog.upkeep").SMALL_LOAD = 100
folder = Path(sys.argv[1])
for name, path in (("mpd", "slices"), ("playlists", "lists.jsonl"), ("tracklists", "sets.jsonl")):
    ingest(load_settings(), name, [folder / path], progress=lambda *_: time.sleep(0.02))
"""


class World:
    """Playlists and tracklists over few songs, so that later batches meet what earlier ones made."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def write(self, folder: Path) -> None:
        """Twelve slices, of which one is cut off, and two files of lines, all with bad records and repeated ids."""
        for number in range(SLICES):
            file = write_slice(folder / "slices", number, [self._list(number, place) for place in range(PLAYLISTS)])
        file.write_bytes(file.read_bytes()[:-150])
        write_lines(folder / "lists.jsonl", (self._list(90, place, with_uris=False) for place in range(1_050)))
        write_lines(folder / "sets.jsonl", (self._set(place) for place in range(1_050)))

    def _list(self, number: int, place: int, *, with_uris: bool = True) -> object:
        chance = self._random.random()
        if chance < 0.01:
            return {"pid": place, "name": "no tracks"}
        # One in ten has an id that others have too, here or in another slice, some of them with a day.
        pid = self._random.randrange(60) if chance < 0.1 else number * 1_000 + place + 100
        dated = {"modified_at": 86_400 * self._random.randint(1, 4)} if pid % 2 and chance < 0.1 else {}
        tracks = [self._entry(with_uris) for _ in range(self._random.randint(0, 8))]
        return playlist(
            pid, self._random.choice(("", "🔥", "Mix!", f"mood {self._random.randrange(900)}")), tracks, **dated
        )

    def _entry(self, with_uris: bool) -> object:
        song = int(self._random.expovariate(1 / 300))
        if self._random.random() < 0.02:
            return entry("Ann", "", "u:bad")
        release = self._random.randrange(3)
        uri = f"u:{song}-{release}" if with_uris or release == 0 else None
        title = f"Song {song // 2}" + (" - Remastered 2009", " (Zed Remix)")[song % 2] * (song % 3 == 0)
        return entry(f"Artist {song % 97}" + f" feat. Artist {song % 13}" * (song % 5 == 0), title, uri)

    def _set(self, place: int) -> object:
        tracks = [self._entry(False) for _ in range(self._random.randint(0, 8))]
        external_id = self._random.randrange(40) if self._random.random() < 0.1 else place + 100
        return {
            "id": external_id,
            "dj": f"DJ {self._random.randrange(200)}",
            "tracks": [*tracks, {"title": "ID", "artist": "ID"}],
        }


def committed(connection: psycopg.Connection) -> int:
    """Lists that another connection sees."""
    [(lists,)] = rows(connection, "SELECT (SELECT count(*) FROM playlist) + (SELECT count(*) FROM tracklist)")
    return int(lists)


def runs(connection: psycopg.Connection) -> int:
    [(last,)] = rows(connection, "SELECT coalesce(max(id), 0) FROM ingest_run")
    return int(last)


class Loads:
    """Loads of one folder into one database, each in a process of its own."""

    def __init__(self, folder: Path, database: str, connection: psycopg.Connection) -> None:
        self._command = [sys.executable, "-c", LOAD, str(folder)]
        self._environment = os.environ | {"DATABASE_URL": database}
        self._connection = connection

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(self._command, cwd=CHECKOUT, env=self._environment)

    def run(self) -> None:
        """One that is left alone."""
        assert self._start().wait(PATIENCE) == 0

    def kill_when(self, moment: Callable[[], bool]) -> bool:
        """One that is killed at a moment; whether it had not ended before. Waits until its server process is gone."""
        process = self._start()
        deadline = time.monotonic() + PATIENCE
        while not moment() and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        was_killed = process.wait() == -signal.SIGKILL
        while rows(
            self._connection,
            "SELECT FROM pg_locks WHERE locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        ):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        return was_killed


@pytest.fixture
def loads(tmp_path: Path, database: str, connection: psycopg.Connection) -> Loads:
    World(seed=5).write(tmp_path)
    return Loads(tmp_path, database, connection)


def test_a_load_that_was_killed_at_any_moment_ends_in_the_same_rows_and_ids(
    loads: Loads, connection: psycopg.Connection
) -> None:
    query = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'recsys' ORDER BY 1"
    indexes = rows(connection, query)
    loads.run()
    whole, total = dump(connection), committed(connection)
    [(seconds,)] = rows(
        connection, "SELECT extract(epoch FROM max(finished_at) - min(started_at))::float8 FROM ingest_run"
    )
    assert total > 5_000
    assert {row[3] for row in whole["rejected_record"]} >= {
        "track_name is empty",
        "tracks is missing",
        "the id came before with other content",
        "the file ends in the middle of a playlist",
    }

    def start_again() -> None:
        tables = ", ".join(
            table for table in (*CATALOGUE, "ingest_run", "source_cursor") if not table.endswith("_stats")
        )
        connection.execute(f"TRUNCATE {tables}".encode())

    start_again()
    seen = [
        loads.kill_when(lambda share=share: committed(connection) >= share * total)  # type: ignore[misc]
        for share in (0.01, 0.2, 0.6, 0.85)
    ]
    assert sum(seen) >= 3
    assert committed(connection) >= 0.6 * total
    loads.run()
    assert dump(connection) == whole
    assert rows(connection, query) == indexes

    start_again()
    random = Random(11)
    timed = []
    for _ in range(3):
        before, begin = runs(connection), [0.0]
        delay = random.uniform(0, 0.6 * seconds)

        def moment(before: int = before, begin: list[float] = begin, delay: float = delay) -> bool:
            if not begin[0] and runs(connection) > before:
                begin[0] = time.monotonic()
            return begin[0] > 0 and time.monotonic() > begin[0] + delay

        timed.append(loads.kill_when(moment))
    assert sum(seen) + sum(timed) >= 5
    loads.run()
    assert dump(connection) == whole
    assert rows(connection, query) == indexes
