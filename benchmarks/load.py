"""Loading: entries/s from JSON files to committed, indexed rows, beside pandas.to_sql and a bare COPY of the same rows.

    python benchmarks/load.py FOLDER_OF_MPD_SLICES [--to-sql-slices 1]
    python benchmarks/load.py --made-up 100000

The bare COPY is the floor: rows that are parsed and resolved already, into a table with the same key, then its index.
pandas.to_sql writes the rows of the first slices only, since it is slow, with its quickest method.
"""

import argparse
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from time import perf_counter

import numpy as np
import psutil
from made_up_mpd import write_made_up_mpd
from stage import fresh_settings, print_machine

from recsys.catalog import Counts, ingest
from recsys.config import Settings
from recsys.database import connect, copy_integers, make_engine
from recsys.sources import FORMATS, Playlist


class PeakMemory:
    """Samples the resident memory of this process; `mib` is the peak so far."""

    def __init__(self) -> None:
        self.mib = 0.0
        self._stopped = Event()
        self._thread = Thread(target=self._sample, daemon=True)

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _sample(self) -> None:
        process = psutil.Process()
        while not self._stopped.wait(0.05):
            self.mib = max(self.mib, process.memory_info().rss / 2**20)


def load(settings: Settings, folder: Path) -> float:
    """Load a folder and print speed and memory; returns entries/s."""
    marks: list[tuple[int, float]] = []
    with PeakMemory() as memory:
        begin = perf_counter()

        def note(_bytes: int, counts: Counts) -> None:
            marks.append((counts.entries_stored, memory.mib))

        summary = ingest(settings, "mpd", [folder], progress=note)
        seconds = perf_counter() - begin
    counts = summary.counts
    speed = counts.entries_stored / seconds
    print(f"recsys ingest mpd      {counts.entries_stored:>9,} entries in {seconds:6.1f} s   {speed:>9,.0f} entries/s")
    print(f"                       peak resident {memory.mib:,.0f} MiB; as files were added:", end="")
    for share in (0.25, 0.5, 0.75, 1.0):
        entries, mib = marks[max(0, int(len(marks) * share) - 1)]
        print(f"  {mib:,.0f} MiB at {entries / 1e6:.1f}M", end="")
    print()
    begin = perf_counter()
    again = ingest(settings, "mpd", [folder]).counts
    seconds = perf_counter() - begin
    print(f"the same files again   {again.already_there:,} of {again.read:,} lists already there, {seconds:.1f} s")
    return speed


def bare_copy(settings: Settings) -> float:
    """COPY the loaded entries into a table with the same keys, then build its index; returns entries/s."""
    with connect(settings) as connection:
        rows = np.array(
            connection.execute("SELECT playlist_id, position, track_id FROM playlist_track ORDER BY 1, 2").fetchall()
        )
        connection.execute(
            "CREATE TABLE bare (playlist_id bigint, position integer, track_id bigint,"
            " PRIMARY KEY (playlist_id, position))"
        )
        connection.commit()
        begin = perf_counter()
        for part in np.array_split(rows, max(1, len(rows) // 100_000)):
            columns = {
                "playlist_id": part[:, 0],
                "position": part[:, 1].astype(np.int32),
                "track_id": part[:, 2],
            }
            copy_integers(connection, "bare", columns)
            connection.commit()
        connection.execute("CREATE INDEX ON bare (track_id)")
        connection.commit()
        speed = len(rows) / (perf_counter() - begin)
        connection.execute("DROP TABLE bare")
        connection.commit()
    print(f"COPY, nothing resolved {len(rows):>9,} entries                 {speed:>9,.0f} entries/s")
    return speed


def pandas_to_sql(settings: Settings, folder: Path, slices: int) -> float:
    """Write the entries of the first slices as one flat table with pandas; returns entries/s, parsing included."""
    import pandas

    begin = perf_counter()
    frame = pandas.DataFrame(_flat_rows(folder, slices), columns=["pid", "position", "uri", "title", "artist"])
    engine = make_engine(settings)
    frame.to_sql("flat", engine, index=False, if_exists="replace", method="multi", chunksize=10_000)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE UNIQUE INDEX ON flat (pid, position)")
        connection.exec_driver_sql("CREATE INDEX ON flat (uri)")
    speed = len(frame) / (perf_counter() - begin)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE flat")
    print(f"pandas.to_sql, flat    {len(frame):>9,} entries                 {speed:>9,.0f} entries/s")
    return speed


def _flat_rows(folder: Path, slices: int) -> Iterator[tuple[str, int, str | None, str, str]]:
    done = 0
    for batch in FORMATS["mpd"].read(folder):
        for record in batch.records:
            assert isinstance(record, Playlist)
            for position, entry in enumerate(record.entries):
                if entry is not None:
                    yield record.external_id, position, entry.uri, entry.title, entry.artist
        done += batch.is_last_of_file
        if done == slices:
            return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="folder of MPD slices")
    parser.add_argument("--made-up", type=int, metavar="N", help="make up N playlists instead")
    parser.add_argument("--to-sql-slices", type=int, default=1, help="slices that pandas writes")
    arguments = parser.parse_args()
    print_machine()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder
        if folder is None:
            folder = Path(scratch)
            write_made_up_mpd(folder, arguments.made_up or 100_000)
        with fresh_settings() as settings:
            ours = load(settings, folder)
            floor = bare_copy(settings)
            peer = pandas_to_sql(settings, folder, arguments.to_sql_slices)
    print(f"ratios                 {ours / peer:.1f} x pandas.to_sql, {ours / floor:.2f} of the bare COPY")


if __name__ == "__main__":
    os.environ.pop("DATABASE_URL", None)
    main()
