"""Likes from files: the entries of lists for players, and of any other lists that can be read."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import psycopg

from recsys.catalog.find import songs_of_entries
from recsys.names import is_unidentified
from recsys.sources import Entry, Format, Rejected

AT_ONCE = 10_000
"""Entries whose names are looked up together."""


@dataclass(frozen=True)
class FileLikes:
    """What a file's lists hold."""

    scores: dict[int, float]
    """How many entries each song has."""
    unknown: list[str]
    """Entries that are no song of the catalogue, as "Artist - Title"."""
    rejected: list[Rejected]


def likes_of_file(connection: psycopg.Connection, format_: Format, path: Path) -> FileLikes:
    """The songs of a file's lists; nothing is added to the catalogue.

    Raises:
        SourceError: the path is not there or holds no such file.
    """
    rejected: list[Rejected] = []
    counts: Counter[int] = Counter()
    unknown: dict[str, None] = {}
    entries = _entries(format_, path, rejected)
    while block := list(islice(entries, AT_ONCE)):
        for entry, song in zip(block, songs_of_entries(connection, block), strict=True):
            if song is None:
                unknown[f"{entry.artist} - {entry.title}"] = None
            else:
                counts[song] += 1
    return FileLikes({song: float(count) for song, count in counts.items()}, list(unknown), rejected)


def _entries(format_: Format, path: Path, rejected: list[Rejected]) -> Iterator[Entry]:
    """The entries that somebody identified; what is set aside is added to a list."""
    for batch in format_.read(path):
        rejected += batch.rejected
        for record in batch.records:
            for entry in record.entries:
                if entry is not None and not is_unidentified(entry.artist, entry.title):
                    yield entry
