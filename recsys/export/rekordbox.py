"""Writes lists of tracks as a rekordbox library in XML: one collection, and a playlist for each list."""

from collections.abc import Iterable, Iterator, Sequence
from tempfile import SpooledTemporaryFile

from recsys.export.playlists import ExportTrack
from recsys.export.xml_text import attributes

_IN_MEMORY = 2**20
_PIECE = 2**16


def rekordbox_library(lists: Iterable[tuple[str, Sequence[ExportTrack]]]) -> Iterator[str]:
    """Yield the text of a library piece by piece; a song that stands in several lists is in the collection once.

    Its beginning counts what follows, so that both halves wait in temporary files, which leave the memory when
    they are large; only the distinct songs' numbers stay in it.
    """
    number_of: dict[tuple[str, str, str], int] = {}
    count = 0
    with (
        SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="utf-8", newline="") as collection,
        SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="utf-8", newline="") as playlists,
    ):
        for name, tracks in lists:
            count += 1
            node: dict[str, str | int] = {"Name": name, "Type": 1, "KeyType": 0, "Entries": len(tracks)}
            playlists.write(f"      <NODE{attributes(node)}>\n")
            for track in tracks:
                key = (track.artist, track.full_title, track.uri or "")
                if key not in number_of:
                    number_of[key] = len(number_of) + 1
                    collection.write(_song(track, number_of[key]))
                playlists.write(f"        <TRACK{attributes({'Key': number_of[key]})}/>\n")
            playlists.write("      </NODE>\n")
        yield '<?xml version="1.0" encoding="UTF-8"?>\n<DJ_PLAYLISTS Version="1.0.0">\n'
        yield '  <PRODUCT Name="recsys" Version="1.0.0" Company=""/>\n'
        yield f"  <COLLECTION{attributes({'Entries': len(number_of)})}>\n"
        yield from _pieces(collection)
        yield "  </COLLECTION>\n  <PLAYLISTS>\n"
        yield f"    <NODE{attributes({'Type': 0, 'Name': 'ROOT', 'Count': count})}>\n"
        yield from _pieces(playlists)
        yield "    </NODE>\n  </PLAYLISTS>\n</DJ_PLAYLISTS>\n"


def as_rekordbox(tracks: Sequence[ExportTrack], name: str) -> str:
    """Return a library of one playlist."""
    return "".join(rekordbox_library([(name, tracks)]))


def _song(track: ExportTrack, number: int) -> str:
    seconds = None if track.duration_ms is None else round(track.duration_ms / 1000)
    values: dict[str, str | int | None] = {
        "TrackID": number,
        "Name": track.full_title,
        "Artist": track.artist,
        "TotalTime": seconds,
        "Location": track.uri or "",
    }
    return f"    <TRACK{attributes(values)}/>\n"


def _pieces(file: "SpooledTemporaryFile[str]") -> Iterator[str]:
    file.seek(0)
    while piece := file.read(_PIECE):
        yield piece
