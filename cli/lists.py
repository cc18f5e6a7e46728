"""Lists of tracks as answers: how many, as of what, and in which format."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from . import output

if TYPE_CHECKING:
    import psycopg

    from recsys.catalog import Excluded, ListedTrack, Taste


class FileFormat(StrEnum):
    """Files that a list can be written as."""

    CSV = "csv"
    URIS = "uris"
    LINKS = "links"
    M3U8 = "m3u8"
    JSPF = "jspf"
    XSPF = "xspf"
    REKORDBOX = "rekordbox"


ENDINGS = {"xml": FileFormat.REKORDBOX, "m3u": FileFormat.M3U8}
"""Endings that are not a format's own name."""


N = typer.Option(10, "--n", "-n", min=1, max=10_000, metavar="COUNT", help="How many.")
EXCLUDE_ARTIST = typer.Option([], metavar="NAME", help="Leave an artist out, in any role; may be repeated.")
EXCLUDE_TRACK = typer.Option([], metavar="SONG", help='Leave a song out: a URI or "Artist - Title"; may be repeated.')
MAX_PER_ARTIST = typer.Option(None, min=1, metavar="COUNT", help="At most so many songs of an artist.")
FORMAT = typer.Option(
    None, "--format", metavar="FORMAT", help=f"Write a file's text instead of a table: {', '.join(FileFormat)}."
)
AS_OF = typer.Option(
    None, metavar="split:NAME", help="Answer from the train part of a split, see `recsys titles split`."
)
OUTPUT = typer.Option(
    None, "--output", "-o", metavar="FILE", help="File to write; its ending names the format, .jsonl for JSON lines."
)


def excluded(
    connection: "psycopg.Connection", tracks: Sequence[str], artists: Sequence[str], taste: "Taste"
) -> "Excluded":
    """What must not appear: songs and artists by name, and what a listener dislikes."""
    from recsys.catalog import Excluded, find_artist, find_song

    return Excluded(
        songs=[*(find_song(connection, text).id for text in tracks), *taste.disliked.songs],
        artists=[*(find_artist(connection, name).id for name in artists), *taste.disliked.artists],
    )


def split_as_of(as_of: str | None) -> str | None:
    """The name of the split that `--as-of` names, None where it is not given."""
    if as_of is None:
        return None
    kind, _, name = as_of.partition(":")
    if kind != "split" or not name:
        raise typer.BadParameter(f"{as_of!r} is not split:NAME", param_hint="--as-of")
    return name


def form_of(
    *, as_json: bool, file_format: FileFormat | None, out: Path | None, else_json: bool = False
) -> FileFormat | None:
    """The file format that is asked for, by its name or by a file's ending; None for a table or JSON lines.

    An ending that names no format is refused, or means JSON lines with `else_json`.
    """
    if file_format is not None:
        if as_json:
            raise typer.BadParameter("it does not go with --json: ask for one of them", param_hint="--format")
        return file_format
    ending = out.suffix.lower().removeprefix(".") if out is not None else ""
    if as_json or out is None or str(out) == "-" or ending in ("json", "jsonl"):
        return None
    try:
        return ENDINGS.get(ending) or FileFormat(ending)
    except ValueError:
        if else_json:
            return None
        message = f"the ending of {out.name} names no format: add --format {', '.join(FileFormat)}, or --json"
        raise typer.BadParameter(message, param_hint="--output") from None


def print_tracks(tracks: "Sequence[ListedTrack]", digits: int, *, score: str = "score") -> None:
    """A table of tracks, their artists and scores, which are called so in its head."""
    made = output.table(("#", "right"), ("track", "left"), ("artist", "left"), (score, "right"))
    output.print_table(made, [(t.rank, t.full_title, t.artist, f"{t.score:.{digits}f}") for t in tracks])


def wrote_file(
    tracks: "Sequence[ListedTrack]", file_format: FileFormat | None, out: Path | None, *, name: str, as_json: bool
) -> bool:
    """Write tracks as a file's text or as JSON lines, if either is asked for; returns whether it was."""
    if file_format is not None:
        from recsys.export import export_playlist

        output.write_result(export_playlist(tracks, file_format.value, name), out)
        _tell_lacking(file_format, _lacking(tracks, file_format), len(tracks))
        return True
    return wrote_json_lines((output.json_line(track) for track in tracks), out, as_json=as_json)


def wrote_json_lines(lines: Iterable[str], out: Path | None, *, as_json: bool) -> bool:
    """Write lines as they are made, if they are asked for or a file is named; returns whether either is so."""
    if not as_json and (out is None or str(out) == "-"):
        return False
    output.write_pieces((f"{line}\n" for line in lines), out)
    return True


LACKING = {
    FileFormat.URIS: ("URI", "left out"),
    FileFormat.LINKS: ("Spotify URI", "left out"),
    FileFormat.M3U8: ("URI", "written as names of files"),
}
"""What formats want of a track, and what becomes of one without it."""


def _lacking(tracks: "Sequence[ListedTrack]", file_format: FileFormat) -> int:
    """How many tracks lack what a format wants."""
    from recsys.export import link

    if file_format is FileFormat.LINKS:
        return sum(link(track.uri) is None for track in tracks)
    return sum(track.uri is None for track in tracks) if file_format in LACKING else 0


def _tell_lacking(file_format: FileFormat, lacking: int, of: int) -> None:
    if lacking:
        what, fate = LACKING[file_format]
        lacks = f"has no {what} and is" if lacking == 1 else f"have no {what} and are"
        output.note(f"{lacking} of {of} tracks {lacks} {fate}")


def write_lists(
    lists: "Iterable[tuple[str, Sequence[ListedTrack]]]", file_format: FileFormat, out: Path | None
) -> None:
    """Write named lists as they are made: rekordbox as one library, of any other format a numbered file for each.

    Only one library goes to stdout: the caller refuses other formats without a file.
    """
    from recsys.export import export_playlist, rekordbox_library

    if file_format is FileFormat.REKORDBOX:
        output.write_pieces(rekordbox_library(lists), out)
        return
    assert out is not None
    number = lacking = tracks_written = 0
    for number, (name, tracks) in enumerate(lists, start=1):
        output.write_file((export_playlist(tracks, file_format.value, name),), numbered(out, number))
        lacking += _lacking(tracks, file_format)
        tracks_written += len(tracks)
    if number:
        last = f" to {numbered(out, number).name}" if number > 1 else ""
        output.note(f"written: {numbered(out, 1)}{last}")
    _tell_lacking(file_format, lacking, tracks_written)


def numbered(out: Path, number: int) -> Path:
    """The file of one of several lists."""
    return out.with_name(f"{out.stem}-{number}{out.suffix}")


def require_room_for_several(file_format: FileFormat | None, out: Path | None) -> None:
    """Refuse several lists in a format of one list where no file is named."""
    if file_format not in (None, FileFormat.REKORDBOX) and (out is None or str(out) == "-"):
        message = "several lists need an --output file, each gets a number; or --json, or rekordbox"
        raise typer.BadParameter(message, param_hint="--format")
