"""Cuts what a reader yields into batches, always at the same places."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from recsys.sources.inputs import EMPTY, LONGEST_LINE, Bytes, Input
from recsys.sources.records import Batch, Playlist, Rejected, Tracklist
from recsys.sources.texts import excerpt

MAX_LISTS = 1_000
MAX_ENTRIES = 100_000

Parsed = tuple[list[Playlist | Tracklist], list[Rejected]]
"""What one place of a file gave; it is never torn apart."""


class Progress(Protocol):
    """Knows how many bytes of its input were read so far."""

    @property
    def consumed(self) -> int:
        """Bytes read so far."""


def batches(
    parsed: Iterable[Parsed], source: Input, progress: Progress, max_entries: int = MAX_ENTRIES
) -> Iterator[Batch]:
    """Yield full batches and then the last one, which may be empty.

    A batch is full once it holds MAX_LISTS lists or `max_entries` entries and rejected records.
    """
    records: list[Playlist | Tracklist] = []
    rejected: list[Rejected] = []
    entries = number = reported = 0
    for more_records, more_rejected in parsed:
        if len(records) >= MAX_LISTS or entries + len(rejected) >= max_entries:
            now = progress.consumed
            yield Batch(records, rejected, source.file, number, now - reported, is_last_of_file=False)
            records, rejected = [], []
            entries, number, reported = 0, number + 1, now
        records += more_records
        rejected += more_rejected
        entries += sum(len(record.entries) for record in more_records)
    total = max(source.size, progress.consumed)
    yield Batch(records, rejected, source.file, number, total - reported, is_last_of_file=True)


def line_batches(inputs: Iterable[Input], parse: Callable[[bytes, str, str], Parsed]) -> Iterator[Batch]:
    """Yield the batches of files of one record a line; `parse` gets the line, its file and its place."""
    for source in inputs:
        stream = Bytes(source)
        yield from batches(_parsed_lines(stream, parse), source, stream)


def _parsed_lines(stream: Bytes, parse: Callable[[bytes, str, str], Parsed]) -> Iterator[Parsed]:
    file = stream.source.file
    number = 0
    is_blank = True
    for number, line in enumerate(stream.lines(), start=1):
        if not line or line.isspace():
            continue
        if is_blank and line.strip() in (b"{", b"["):
            reason = "one record a line is needed, this file spreads one over several lines"
            yield [], [Rejected(file, f"line {number}", reason, excerpt(line))]
            return
        is_blank = False
        if len(line) >= LONGEST_LINE:
            reason = f"the line is longer than {LONGEST_LINE // 2**20} MiB"
            yield [], [Rejected(file, f"line {number}", reason, excerpt(line))]
        else:
            yield parse(line, file, f"line {number}")
    if stream.damage is not None:
        yield [], [Rejected(file, f"line {number + 1}", stream.damage)]
    elif is_blank:
        yield [], [Rejected(file, "line 1", EMPTY)]
