"""Writes a list of tracks as XSPF, version 1 (https://xspf.org/spec)."""

from collections.abc import Sequence
from urllib.parse import quote

from recsys.export.playlists import ExportTrack, link
from recsys.export.xml_text import content

NAMESPACE = "http://xspf.org/ns/0/"
_IN_URIS = "%:/?#[]@!$&'()*+,;=~"


def as_xspf(tracks: Sequence[ExportTrack], name: str) -> str:
    """Return an XSPF playlist; a Spotify track's page is its location, its URI the identifier."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<playlist version="1" xmlns="{NAMESPACE}">',
        f"  <title>{content(name)}</title>",
        "  <creator>recsys</creator>",
        "  <trackList>",
        *(_track(track) for track in tracks),
        "  </trackList>",
        "</playlist>",
    ]
    return "\n".join(lines) + "\n"


def _track(track: ExportTrack) -> str:
    uri = quote(track.uri, safe=_IN_URIS) if track.uri else None
    parts = {
        "location": link(uri),
        "identifier": uri,
        "title": track.full_title,
        "creator": track.artist or None,
        "duration": None if track.duration_ms is None else str(track.duration_ms),
    }
    inside = "".join(f"<{name}>{content(text)}</{name}>" for name, text in parts.items() if text is not None)
    return f"    <track>{inside}</track>"
