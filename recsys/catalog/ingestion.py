"""One ingest from beginning to end: source and run rows, batches read ahead, indexes and statistics after them."""

import gc
import json
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import psycopg

from recsys.catalog.choose import Counts
from recsys.catalog.load import Loader
from recsys.catalog.upkeep import drop_indexes_before_large_load, finish_load, missing_indexes
from recsys.config import Settings
from recsys.database import WriteBehind, connect, require_migrated, translated_errors, writer_lock
from recsys.errors import SourceError
from recsys.sources import FORMATS, STDIN, Batch, Format, Rejected, file_name


@dataclass
class IngestSummary:
    """What an ingest did; rejected records by reason: how many, and where the first one stands."""

    counts: Counts = field(default_factory=Counts)
    reasons: dict[str, int] = field(default_factory=dict)
    first_places: dict[str, str] = field(default_factory=dict)

    def add(self, counts: Counts, rejected: Iterable[Rejected]) -> None:
        """Add what became of a batch."""
        self.counts.add(counts)
        for record in rejected:
            self.reasons[record.reason] = self.reasons.get(record.reason, 0) + 1
            self.first_places.setdefault(record.reason, f"{record.file}: {record.place}")

    def as_dict(self) -> dict[str, Any]:
        """The counts by name, the reasons and their first places."""
        return {**asdict(self.counts), "reasons": self.reasons, "first_places": self.first_places}


Progress = Callable[[int, Counts], None]
"""Called after each batch with the bytes read since the one before and the counts so far."""


def read_ahead(batches: Iterable[Batch], depth: int = 2) -> Iterator[Batch]:
    """Read batches in a thread of their own while the ones before are loaded."""
    waiting: queue.Queue[Batch | BaseException | None] = queue.Queue(maxsize=depth)
    stopped = threading.Event()

    def hand_over(item: Batch | BaseException | None) -> None:
        while not stopped.is_set():
            with suppress(queue.Full):
                waiting.put(item, timeout=0.2)
                return

    def read() -> None:
        try:
            for batch in batches:
                hand_over(batch)
                if stopped.is_set():
                    return
            hand_over(None)
        except BaseException as error:
            hand_over(error)

    thread = threading.Thread(target=read, name="recsys-reader", daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()


_SWITCH_SECONDS = 0.0005


@contextmanager
def _many_small_records() -> Iterator[None]:
    """What Python's own settings cost a load, on 2 cores: a third for seeking cycles among millions of small records,
    and a tenth for the thread that writes, which waits for Python's lock after every piece that it sends.
    """
    was_enabled, interval = gc.isenabled(), sys.getswitchinterval()
    gc.disable()
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        if was_enabled:
            gc.enable()


def openable(format_: Format, paths: Sequence[Path]) -> tuple[int, list[Path], list[Batch]]:
    """The bytes of paths, those of them that can be opened, and of the others, if only some, what is told of them.

    Raises:
        SourceError: a path is not there, or none can be opened.
    """
    size, opened, refused = 0, [], []
    first: SourceError | None = None
    for path in paths:
        try:
            size += format_.total_bytes(path)
            opened.append(path)
        except SourceError as error:
            if not path.exists():
                raise
            first = first or error
            told = Rejected(file_name(path), "file", str(error), "")
            refused.append(Batch([], [told], told.file, 0, 0, is_last_of_file=False))
    if first is not None and not opened:
        raise first
    return size, opened, refused


def ingest(
    settings: Settings,
    format_: str | Format,
    paths: list[Path],
    *,
    source: str | None = None,
    dry_run: bool = False,
    progress: Progress = lambda _bytes, _counts: None,
) -> IngestSummary:
    """Load files of one format. The same files twice change nothing, an interrupted load goes on where it stopped.

    Args:
        settings: where the database is.
        format_: a format, or a name of `FORMATS`.
        paths: files or folders, `-` for standard input where the format allows it.
        source: name under which ids are unique; the format's name if none is given.
        dry_run: read, resolve and count, but keep nothing.
        progress: called after every batch.

    Raises:
        SourceError: a path is not there, none holds such a file, or the source was loaded with another format.
        BusyError: another process is writing.
        DatabaseError: the database is out of reach or not set up.
    """
    if isinstance(format_, str):
        format_ = FORMATS[format_]
    size, opened, refused = openable(format_, paths)
    batches = chain(refused, (batch for path in opened for batch in format_.read(path)))
    named = {os.fspath(path.absolute()): path for path in paths if path != STDIN}
    reading: dict[str, Any] = {"seen": {name: seen(path) for name, path in named.items() if name.isprintable()}}
    if format_.columns:
        reading["columns"] = dict(format_.columns)
    origin = Origin(source or format_.name, format_.name, [str(path) for path in paths], reading)
    return load_batches(settings, origin, lambda *_: (size, batches), dry_run=dry_run, progress=progress)


@dataclass(frozen=True)
class Origin:
    """Where the lists of a load come from: the source's name, its format, and what was read of it."""

    source: str
    format: str
    paths: list[str]
    reading: dict[str, Any]
    """How to read the same again, as `known` does: paths with what was seen of them, and options of the format."""


def seen(path: Path) -> list[int]:
    """What tells whether a file, or a folder, is as it was: the latest change in nanoseconds, and all bytes."""
    files = [path, *path.rglob("*")] if path.is_dir() else [path]
    found = [file.stat() for file in files if file.exists()]
    return [max((one.st_mtime_ns for one in found), default=0), sum(one.st_size for one in found)]


Open = Callable[[psycopg.Connection, int], tuple[int, Iterable[Batch]]]
"""Given the connection of the load and the id of its source, how many bytes there are to read, about, and their
batches. Called under the writer's lock."""


def load_batches(
    settings: Settings, origin: Origin, open_: Open, *, dry_run: bool, progress: Progress
) -> IngestSummary:
    """Load batches as `ingest` does, which tells what it raises."""
    with translated_errors(), connect(settings) as connection:
        require_migrated(connection)
        # Batches need not wait for the disk: what a crash of the machine takes, the same command brings again.
        connection.execute("SET synchronous_commit = off")
        connection.commit()
        with writer_lock(connection, settings.db_schema):
            source_id = _source_id(connection, origin.source, origin.format)
            size, batches = open_(connection, source_id)
            run_id = _start_run(connection, source_id, origin)
            if not dry_run:
                connection.commit()
                drop_indexes_before_large_load(connection, size)
            summary = IngestSummary()
            try:
                with _many_small_records(), WriteBehind(connection) as behind:
                    loader = Loader(behind, source_id, run_id, keep=not dry_run)
                    for batch in read_ahead(batches):
                        summary.add(*loader.load(batch))
                        progress(batch.bytes_read, summary.counts)
            except SourceError:
                connection.rollback()
                finish_load(connection)
                raise
            if dry_run:
                connection.rollback()
            else:
                if summary.counts.stored or summary.counts.replaced or _is_unfinished(connection, run_id):
                    finish_load(connection)
                connection.execute("SET LOCAL synchronous_commit = on")
                connection.execute(
                    "UPDATE ingest_run SET finished_at = clock_timestamp(), counts = %s WHERE id = %s",
                    (json.dumps(asdict(summary.counts)), run_id),
                )
                connection.commit()
    return summary


def _source_id(connection: psycopg.Connection, name: str, format_name: str) -> int:
    if not name.isprintable() or not 0 < len(name) <= 200:
        raise SourceError("the name of a source is up to 200 printable characters")
    row = connection.execute("SELECT id, format FROM source WHERE name = %s", (name,)).fetchone()
    if row is None:
        row = connection.execute(
            "INSERT INTO source (id, name, format) SELECT coalesce(max(id), 0) + 1, %s, %s FROM source"
            " RETURNING id, format",
            (name, format_name),
        ).fetchone()
    assert row is not None
    if row[1] != format_name:
        raise SourceError(f"the source {name} was loaded from the format {row[1]}: give these files another --source")
    return int(row[0])


def _is_unfinished(connection: psycopg.Connection, run_id: int) -> bool:
    """Whether the run before this one left indexes or statistics to be made."""
    before = "SELECT finished_at IS NULL FROM ingest_run WHERE id < %s ORDER BY id DESC LIMIT 1"
    row = connection.execute(before, (run_id,)).fetchone()
    return bool(row is None or row[0] or missing_indexes(connection))


def _start_run(connection: psycopg.Connection, source_id: int, origin: Origin) -> int:
    paths = [path.encode(errors="replace").decode() for path in origin.paths]
    row = connection.execute(
        "INSERT INTO ingest_run (id, source_id, paths, reading)"
        " SELECT coalesce(max(id), 0) + 1, %s, %s, %s FROM ingest_run RETURNING id",
        (source_id, paths, json.dumps(origin.reading)),
    ).fetchone()
    assert row is not None
    return int(row[0])
