"""Writes a list of tracks as JSPF with MusicBrainz's extensions (https://musicbrainz.org/doc/jspf)."""

import json
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass

from recsys.export.playlists import ExportTrack, link

PLAYLIST_EXTENSION = "https://musicbrainz.org/doc/jspf#playlist"
TRACK_EXTENSION = "https://musicbrainz.org/doc/jspf#track"


def as_jspf(tracks: Sequence[ExportTrack], name: str) -> str:
    """Return a JSPF playlist; a track's score, rank and reasons are in its `additional_metadata`."""
    playlist = {
        "title": name,
        "creator": "recsys",
        "extension": {PLAYLIST_EXTENSION: {"public": False, "additional_metadata": {"tracks": len(tracks)}}},
        "track": [_track(track) for track in tracks],
    }
    return json.dumps({"playlist": playlist}, ensure_ascii=False, indent=1, default=_plain) + "\n"


def _track(track: ExportTrack) -> dict[str, object]:
    made: dict[str, object] = {"title": track.full_title}
    if track.artist:
        made["creator"] = track.artist
    if track.duration_ms is not None:
        made["duration"] = track.duration_ms
    if track.uri:
        made["identifier"] = [track.uri]
    if page := link(track.uri):
        made["location"] = [page]
    metadata = {"rank": track.rank, "score": track.score, **track.reasons}
    made["extension"] = {TRACK_EXTENSION: {"additional_metadata": metadata}}
    return made


def _plain(value: object) -> object:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)
