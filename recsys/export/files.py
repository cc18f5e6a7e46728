"""The formats that a list of tracks can be written in."""

from collections.abc import Callable, Sequence

from recsys.export.jspf import as_jspf
from recsys.export.playlists import ExportTrack, as_csv, as_links, as_m3u8, as_uris
from recsys.export.rekordbox import as_rekordbox
from recsys.export.xspf import as_xspf

EXPORT_FORMATS: dict[str, Callable[[Sequence[ExportTrack], str], str]] = {
    "csv": as_csv,
    "uris": as_uris,
    "links": as_links,
    "m3u8": as_m3u8,
    "jspf": as_jspf,
    "xspf": as_xspf,
    "rekordbox": as_rekordbox,
}


def export_playlist(tracks: Sequence[ExportTrack], format_name: str, name: str) -> str:
    """The text of a file of a format of `EXPORT_FORMATS`; `uris` and `links` leave out tracks that have none.

    `name` is the playlist's name where the format has room for one.
    """
    return EXPORT_FORMATS[format_name](tracks, name)
