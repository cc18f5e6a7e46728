"""Writes a list of tracks as csv, plain URIs or m3u8."""

import csv
import io
from collections.abc import Callable, Sequence
from typing import Protocol


class ExportTrack(Protocol):
    """What an export needs to know of a track."""

    @property
    def rank(self) -> int: ...  # noqa: D102
    @property
    def artist(self) -> str: ...  # noqa: D102
    @property
    def full_title(self) -> str: ...  # noqa: D102
    @property
    def uri(self) -> str | None: ...  # noqa: D102
    @property
    def duration_ms(self) -> int | None: ...  # noqa: D102
    @property
    def score(self) -> float: ...  # noqa: D102


def _as_csv(tracks: Sequence[ExportTrack], _name: str) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["rank", "artist", "title", "uri", "score"])
    writer.writerows([t.rank, t.artist, t.full_title, t.uri or "", f"{t.score:.6g}"] for t in tracks)
    return text.getvalue()


def _as_uris(tracks: Sequence[ExportTrack], _name: str) -> str:
    return "".join(f"{track.uri}\n" for track in tracks if track.uri)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _file_name(label: str) -> str:
    """A path for a track that has no URI; a line that began with # would be a comment."""
    name = label.replace("/", "_")
    return f"./{name}" if name.startswith("#") else name


def _as_m3u8(tracks: Sequence[ExportTrack], name: str) -> str:
    lines = ["#EXTM3U", f"#PLAYLIST:{_one_line(name)}"]
    for track in tracks:
        seconds = -1 if track.duration_ms is None else round(track.duration_ms / 1000)
        label = _one_line(f"{track.artist} - {track.full_title}" if track.artist else track.full_title)
        lines += [f"#EXTINF:{seconds},{label}", track.uri or _file_name(label)]
    return "\n".join(lines) + "\n"


EXPORT_FORMATS: dict[str, Callable[[Sequence[ExportTrack], str], str]] = {
    "csv": _as_csv,
    "uris": _as_uris,
    "m3u8": _as_m3u8,
}


def export_playlist(tracks: Sequence[ExportTrack], format_name: str, name: str) -> str:
    """The text of a file of a format of `EXPORT_FORMATS`; `uris` leaves out tracks that have none.

    `name` is the playlist's name where the format has room for one.
    """
    return EXPORT_FORMATS[format_name](tracks, name)
