"""Reads playlists and tracklists: one reader a format of files and one for databases, the same few records from all."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

from recsys.sources.csv_mapped import CSV_FIELDS, mapped_csv_inputs, read_mapped_csv
from recsys.sources.csv_tables import csv_inputs, read_csv
from recsys.sources.cue import cue_inputs, read_cue
from recsys.sources.djmix import djmix_inputs, fetch_djmix, read_djmix
from recsys.sources.inputs import STDIN, Input, file_name
from recsys.sources.jspf import jspf_inputs, read_jspf
from recsys.sources.m3u import m3u_inputs, read_m3u
from recsys.sources.mpd import mpd_inputs, read_mpd
from recsys.sources.plain_tracklists import read_text, text_inputs
from recsys.sources.playlist_lines import line_inputs, read_playlists
from recsys.sources.records import MAX_TEXT, Batch, Entry, Playlist, Reached, Record, Rejected, Tracklist
from recsys.sources.rekordbox import read_rekordbox, rekordbox_inputs
from recsys.sources.spotify import read_spotify, spotify_inputs
from recsys.sources.sql_database import SqlSource, place_hash
from recsys.sources.sql_guess import Guess, guess_mapping
from recsys.sources.sql_mapping import SqlMapping, load_mapping
from recsys.sources.tracklist_lines import read_tracklists
from recsys.sources.traktor import read_traktor, traktor_inputs
from recsys.sources.xspf import read_xspf, xspf_inputs

__all__ = [
    "CSV_FIELDS",
    "FORMATS",
    "MAX_TEXT",
    "STDIN",
    "Batch",
    "Entry",
    "Format",
    "Guess",
    "Input",
    "Playlist",
    "Reached",
    "Record",
    "Rejected",
    "SqlMapping",
    "SqlSource",
    "Tracklist",
    "csv_with_columns",
    "fetch_djmix",
    "file_name",
    "guess_mapping",
    "load_mapping",
    "place_hash",
    "read_csv",
    "read_djmix",
    "read_mpd",
    "read_playlists",
    "read_tracklists",
]


class Reader(Protocol):
    """Reads a path batch by batch."""

    def __call__(self, path: Path) -> Iterator[Batch]:
        """Yield the batches in a fixed order; raise SourceError if the path is not of the format."""


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of source that can be read."""

    name: str
    description: str
    kind: Literal["playlists", "tracklists", "both"]
    read: Reader
    inputs: Callable[[Path], list[Input]]
    """The files that `read` will read, in its order; raises the same SourceError."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Headers by field, where a person named them."""

    def total_bytes(self, path: Path) -> int:
        """Return the sum that `bytes_read` of all batches will have; 0 for standard input."""
        return sum(source.size for source in self.inputs(path))


FORMATS: dict[str, Format] = {
    item.name: item
    for item in (
        Format("mpd", "Million Playlist Dataset: a folder, slice or zip", "playlists", read_mpd, mpd_inputs),
        Format("playlists", "playlists as JSON lines, - for stdin", "playlists", read_playlists, line_inputs),
        Format("tracklists", "DJ tracklists as JSON lines, - for stdin", "tracklists", read_tracklists, line_inputs),
        Format("csv", "a folder with playlists.csv, tracks.csv and items.csv", "playlists", read_csv, csv_inputs),
        Format("djmix", "the djmix dataset: its wheel or JSON", "both", read_djmix, djmix_inputs),
        Format("rekordbox", "a rekordbox library in XML", "playlists", read_rekordbox, rekordbox_inputs),
        Format("traktor", "a Traktor collection in NML", "playlists", read_traktor, traktor_inputs),
        Format("m3u", "M3U and M3U8 playlists", "playlists", read_m3u, m3u_inputs),
        Format("xspf", "XSPF playlists", "playlists", read_xspf, xspf_inputs),
        Format("jspf", "JSPF playlists", "playlists", read_jspf, jspf_inputs),
        Format(
            "spotify", "Spotify's account export: its zip, folder or JSON", "playlists", read_spotify, spotify_inputs
        ),
        Format("cue", "cue sheets of mixes", "tracklists", read_cue, cue_inputs),
        Format("text", "tracklists as text, a song a line", "tracklists", read_text, text_inputs),
    )
}


def csv_with_columns(columns: Mapping[str, str]) -> Format:
    """Return the format `csv` for single tables whose headers are given for fields of CSV_FIELDS."""
    read = partial(read_mapped_csv, columns=columns)
    return replace(FORMATS["csv"], description="a table", read=read, inputs=mapped_csv_inputs, columns=columns)
