"""Lists of tracks as answers: how many, as of what, and in which format."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from . import output

if TYPE_CHECKING:
    from recsys.catalog import ListedTrack


class FileFormat(StrEnum):
    """Files that a list can be written as."""

    CSV = "csv"
    URIS = "uris"
    M3U8 = "m3u8"


N = typer.Option(10, "--n", "-n", min=1, max=10_000, metavar="COUNT", help="How many.")
EXCLUDE_ARTIST = typer.Option([], metavar="NAME", help="Leave an artist out, in any role; may be repeated.")
EXCLUDE_TRACK = typer.Option([], metavar="SONG", help='Leave a song out: a URI or "Artist - Title"; may be repeated.')
MAX_PER_ARTIST = typer.Option(None, min=1, metavar="COUNT", help="At most so many songs of an artist.")
FORMAT = typer.Option(
    None, "--format", metavar="FORMAT", help="Write a file's text instead of a table: csv, uris or m3u8."
)
AS_OF = typer.Option(
    None, metavar="split:NAME", help="Answer from the train part of a split, see `recsys titles split`."
)
OUTPUT = typer.Option(
    None, "--output", "-o", metavar="FILE", help="File to write; its ending names the format, .jsonl for JSON lines."
)


def split_as_of(as_of: str | None) -> str | None:
    """The name of the split that `--as-of` names, None where it is not given."""
    if as_of is None:
        return None
    kind, _, name = as_of.partition(":")
    if kind != "split" or not name:
        raise typer.BadParameter(f"{as_of!r} is not split:NAME", param_hint="--as-of")
    return name


def form_of(*, as_json: bool, file_format: FileFormat | None, out: Path | None) -> FileFormat | None:
    """The file format that is asked for, by its name or by a file's ending; None for a table or JSON lines."""
    if file_format is not None:
        if as_json:
            raise typer.BadParameter("it does not go with --json: ask for one of them", param_hint="--format")
        return file_format
    ending = out.suffix.lower().removeprefix(".") if out is not None else ""
    if as_json or out is None or str(out) == "-" or ending in ("json", "jsonl"):
        return None
    try:
        return FileFormat(ending)
    except ValueError:
        message = f"the ending of {out.name} names no format: add --format {', '.join(FileFormat)}, or --json"
        raise typer.BadParameter(message, param_hint="--output") from None


def print_tracks(tracks: "Sequence[ListedTrack]", digits: int) -> None:
    """A table of tracks, their artists and scores."""
    made = output.table(("#", "right"), ("track", "left"), ("artist", "left"), ("score", "right"))
    output.print_table(made, [(t.rank, t.full_title, t.artist, f"{t.score:.{digits}f}") for t in tracks])


def wrote_file(
    tracks: "Sequence[ListedTrack]", file_format: FileFormat | None, out: Path | None, *, name: str, as_json: bool
) -> bool:
    """Write tracks as a file's text or as JSON lines, if either is asked for; returns whether it was."""
    if file_format is not None:
        from recsys.export import export_playlist

        output.write_result(export_playlist(tracks, file_format.value, name), out)
        without = sum(track.uri is None for track in tracks)
        if file_format is FileFormat.URIS and without:
            lacks = "has no URI and is" if without == 1 else "have no URI and are"
            output.note(f"{without} of {len(tracks)} tracks {lacks} left out")
        return True
    if as_json or (out is not None and str(out) != "-"):
        output.write_result("".join(f"{output.json_line(track)}\n" for track in tracks), out)
        return True
    return False
