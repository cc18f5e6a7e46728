"""`recsys recommend` and `recsys similar`: questions and their answers."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from . import output

if TYPE_CHECKING:
    from recsys.catalog import ListedTrack
    from recsys.titles import Recommendation, Voter

similar = typer.Typer(help="What goes with a track or a title.", no_args_is_help=True)


class Vote(StrEnum):
    """How titles vote."""

    SOFT = "soft"
    SEED = "seed"


class FileFormat(StrEnum):
    """Files that a list can be written as."""

    CSV = "csv"
    URIS = "uris"
    M3U8 = "m3u8"


SHOWN_TITLE = 60

N = typer.Option(10, "--n", "-n", min=1, max=10_000, metavar="COUNT", help="How many.")
FORMAT = typer.Option(
    None, "--format", metavar="FORMAT", help="Write a file's text instead of a table: csv, uris or m3u8."
)
AS_OF = typer.Option(
    None, metavar="split:NAME", help="Answer from the train part of a split, see `recsys titles split`."
)
OUTPUT = typer.Option(
    None, "--output", "-o", metavar="FILE", help="File to write; its ending names the format, .jsonl for JSON lines."
)


def recommend(
    title: str | None = typer.Argument(
        None, metavar="TITLE", help='The playlist\'s title, for example "late night drive"; none with --seed-track.'
    ),
    n: int = N,
    vote: Vote = typer.Option(
        Vote.SOFT, metavar="VOTE", help="soft: titles by nearness; seed: the paper's count of 50 playlists."
    ),
    exclude_artist: list[str] = typer.Option(
        [], metavar="NAME", help="Leave an artist out, in any role; may be repeated."
    ),
    exclude_track: list[str] = typer.Option(
        [], metavar="SONG", help='Leave a song out: a URI or "Artist - Title"; may be repeated.'
    ),
    max_per_artist: int = typer.Option(None, min=1, metavar="COUNT", help="At most so many songs of an artist."),
    seed_track: list[str] = typer.Option(
        [], metavar="SONG", help='Go on with a song: a URI or "Artist - Title"; may be repeated.'
    ),
    as_of: str = AS_OF,
    explain: bool = typer.Option(False, "--explain", help="Show which titles voted for each track."),
    as_json: bool = output.JSON,
    file_format: FileFormat = FORMAT,
    out: Path = OUTPUT,
) -> None:
    """Tracks for a playlist's title, for songs that it begins with, or for both."""
    form = _form(as_json=as_json, file_format=file_format, out=out)
    if title is None and not seed_track:
        raise typer.BadParameter("give a title, or a song with --seed-track", param_hint="'TITLE'")
    if seed_track and (explain or vote is not Vote.SOFT):
        raise typer.BadParameter("it does not go with --explain or --vote", param_hint="--seed-track")
    split = split_as_of(as_of)
    from recsys.catalog import find_artist, find_song
    from recsys.config import load_settings
    from recsys.database import connect, require_migrated, translated_errors
    from recsys.titles import Filters, recommender_as_of
    from recsys.titles import recommend as recommend_tracks

    with translated_errors(), connect(load_settings(), autocommit=True) as connection:
        require_migrated(connection)
        filters = Filters(
            songs=[find_song(connection, text).id for text in exclude_track],
            artists=[find_artist(connection, name) for name in exclude_artist],
            max_per_artist=max_per_artist,
        )
        model = None if split is None else recommender_as_of(connection, split)
        if title is None or seed_track:
            from recsys.titles.continuation import continue_playlist, tracks_of_songs

            songs = [find_song(connection, text).id for text in seed_track]
            seeds = list(tracks_of_songs(connection, songs).values())
            continued = continue_playlist(connection, title, seeds, n, filters=filters, model=model)
            _print_continued(continued, form, out, name=title or seed_track[0], as_json=as_json)
            return
        answer = recommend_tracks(
            connection, title, n, method=vote.value, filters=filters, explain=explain, model=model
        )
    if answer.is_stale:
        output.note("lists were loaded since the profiles were built: run `recsys titles embed` to count them in")
    if _wrote_file(answer.tracks, form, out, name=title, as_json=as_json):
        return
    made = output.table(("#", "right"), ("track", "left"), ("artist", "left"), ("score", "right"), ("titles", "right"))
    if explain:
        made.add_column("voted for by (similarity)", overflow="fold")
    digits = 0 if vote is Vote.SEED else 4
    if answer.tracks:
        output.print_table(made, [_row(track, digits, explain=explain) for track in answer.tracks])
    if not answer.tracks:
        output.note("no track is left: the titles near it vote for nothing that the filters let through")
    shown = answer.title if len(answer.title) <= SHOWN_TITLE else f"{answer.title[:SHOWN_TITLE]}…"
    output.note(f'{"a title in the database" if answer.is_known else "a new title"}: "{shown}"')


def _print_continued(
    tracks: "Sequence[ListedTrack]", form: FileFormat | None, out: Path | None, *, name: str, as_json: bool
) -> None:
    if _wrote_file(tracks, form, out, name=name, as_json=as_json):
        return
    made = output.table(("#", "right"), ("track", "left"), ("artist", "left"), ("score", "right"))
    output.print_table(made, [(t.rank, t.full_title, t.artist, f"{t.score:.4f}") for t in tracks])


def split_as_of(as_of: str | None) -> str | None:
    """The name of the split that `--as-of` names, None where it is not given."""
    if as_of is None:
        return None
    kind, _, name = as_of.partition(":")
    if kind != "split" or not name:
        raise typer.BadParameter(f"{as_of!r} is not split:NAME", param_hint="--as-of")
    return name


def _row(track: "Recommendation", digits: int, *, explain: bool) -> list[object]:
    row: list[object] = [track.rank, track.full_title, track.artist, f"{track.score:.{digits}f}", track.voters]
    if explain:
        row.append("\n".join(f"{_percent(voter.share):>4s} {_voter(voter)}" for voter in track.voted_by))
    return row


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.005 else "<1%"


def _voter(voter: "Voter") -> str:
    note = {"title": f"{voter.similarity:.2f}", "artist": "named", "song": "named", "learned": "learned"}[voter.kind]
    return f"{voter.title} ({note})"


def _form(*, as_json: bool, file_format: FileFormat | None, out: Path | None) -> FileFormat | None:
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


def _wrote_file(
    tracks: "Sequence[ListedTrack]", file_format: FileFormat | None, out: Path | None, *, name: str, as_json: bool
) -> bool:
    if file_format is not None:
        from recsys.export import export_playlist

        output.write_result(export_playlist(tracks, file_format.value, name), out)
        without = sum(track.uri is None for track in tracks)
        if file_format is FileFormat.URIS and without:
            output.note(f"{without} of {len(tracks)} tracks have no URI and are left out")
        return True
    if as_json or (out is not None and str(out) != "-"):
        output.write_result("".join(f"{output.json_line(track)}\n" for track in tracks), out)
        return True
    return False


@similar.command("track")
def similar_track(
    track: str = typer.Argument(metavar="SONG", help='A URI, "Artist - Title", or a title.'),
    n: int = N,
    as_json: bool = output.JSON,
    file_format: FileFormat = FORMAT,
    out: Path = OUTPUT,
) -> None:
    """Songs that stand in the same playlists and tracklists."""
    form = _form(as_json=as_json, file_format=file_format, out=out)
    from recsys.catalog import find_song, similar_tracks
    from recsys.config import load_settings
    from recsys.database import connect, require_migrated, translated_errors

    with translated_errors(), connect(load_settings(), autocommit=True) as connection:
        require_migrated(connection)
        song = find_song(connection, track)
        tracks = similar_tracks(connection, song.id, n)
    if _wrote_file(tracks, form, out, name=f"like {song}", as_json=as_json):
        return
    made = output.table(
        ("#", "right"), ("track", "left"), ("artist", "left"), ("score", "right"), ("playlists", "right"),
        ("tracklists", "right"),
    )  # fmt: skip
    if tracks:
        rows = [(t.rank, t.full_title, t.artist, f"{t.score:.3f}", t.playlists, t.tracklists) for t in tracks]
        output.print_table(made, rows)
    output.note(f"played together with {song}" if tracks else f"{song} stands in no list with another song")


@similar.command("title")
def similar_title(
    title: str = typer.Argument(metavar="TITLE", help="A playlist title, known or not."),
    n: int = N,
    as_json: bool = output.JSON,
) -> None:
    """Titles of a similar meaning, with how many playlists carry them."""
    from recsys.config import load_settings
    from recsys.database import connect, require_migrated, translated_errors
    from recsys.titles import similar_titles

    with translated_errors(), connect(load_settings(), autocommit=True) as connection:
        require_migrated(connection)
        titles = similar_titles(connection, title, n)
    if as_json:
        output.print_json(titles)
        return
    made = output.table(("title", "left"), ("similarity", "right"), ("playlists", "right"))
    output.print_table(made, [(t.title, f"{t.similarity:.3f}", output.number(t.playlists)) for t in titles])
