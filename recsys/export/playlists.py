"""Writes a list of tracks as csv, plain URIs, links or m3u8."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Protocol

_SPOTIFY = "spotify:track:"


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
    @property
    def reasons(self) -> Mapping[str, object]: ...  # noqa: D102


def link(uri: str | None) -> str | None:
    """Return the web page of a Spotify track, None for any other URI."""
    if uri is None or not uri.startswith(_SPOTIFY):
        return None
    return f"https://open.spotify.com/track/{uri.removeprefix(_SPOTIFY)}"


def as_csv(tracks: Sequence[ExportTrack], _name: str) -> str:
    """Return a table with a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["rank", "artist", "title", "uri", "score"])
    writer.writerows([t.rank, t.artist, t.full_title, t.uri or "", f"{t.score:.6g}"] for t in tracks)
    return text.getvalue()


def as_uris(tracks: Sequence[ExportTrack], _name: str) -> str:
    """Return a URI a line, of those tracks that have one."""
    return "".join(f"{track.uri}\n" for track in tracks if track.uri)


def as_links(tracks: Sequence[ExportTrack], _name: str) -> str:
    """Return a web page a line, of those tracks that are on Spotify."""
    return "".join(f"{page}\n" for track in tracks if (page := link(track.uri)))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _file_name(label: str) -> str:
    """A path for a track that has no URI; a line that began with # would be a comment."""
    name = label.replace("/", "_")
    return f"./{name}" if name.startswith("#") else name


def as_m3u8(tracks: Sequence[ExportTrack], name: str) -> str:
    """Return an extended M3U; a track without a URI has its name for a file's."""
    lines = ["#EXTM3U", f"#PLAYLIST:{_one_line(name)}"]
    for track in tracks:
        seconds = -1 if track.duration_ms is None else round(track.duration_ms / 1000)
        label = _one_line(f"{track.artist} - {track.full_title}" if track.artist else track.full_title)
        lines += [f"#EXTINF:{seconds},{label}", track.uri or _file_name(label)]
    return "\n".join(lines) + "\n"
