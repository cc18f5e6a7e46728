"""`recsys listener`: people whose likes and dislikes are kept, until they are forgotten."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from recsys.errors import RecsysError, UnknownNameError

from . import output
from .ingest import COLUMN, csv_columns
from .likes import find_likes, lines_of, note_some, scored

if TYPE_CHECKING:
    import psycopg

    from recsys.catalog import ListenerSummary, Rating

app = typer.Typer(help="What people like and dislike, for --listener.", no_args_is_help=True)

NAME = typer.Argument(metavar="NAME", help="The listener's name, as it was added.")
SONGS = typer.Argument(None, metavar="SONG", help='A URI, "Artist - Title", or with a score "Artist - Title=2".')
ARTISTS = typer.Option(
    [], "--artist", metavar="NAME[=SCORE]", help="All songs of an artist, in any role; may be repeated."
)

LIKES = "likes"
"""The format of `--likes` among those that `recsys ingest` reads."""

ENDINGS = {
    ".m3u": "m3u", ".m3u8": "m3u", ".xspf": "xspf", ".jspf": "jspf", ".csv": "csv", ".tsv": "csv", ".json": "spotify",
    ".zip": "spotify", ".nml": "traktor", ".xml": "rekordbox", ".jsonl": "playlists",
}  # fmt: skip
"""Formats by the ends of files' names; any other is a file of likes."""

CSV_COLUMNS = ("title=title", "artist=artist")
"""The headers that we write ourselves."""


@app.command()
def add(name: str = typer.Argument(metavar="NAME", help="Any name; it says nothing but who is meant.")) -> None:
    """Add a listener."""
    from recsys.catalog import add_listener
    from recsys.config import load_settings
    from recsys.database import connect, require_migrated, translated_errors

    name = name.strip()
    with translated_errors(), connect(load_settings(), autocommit=True) as connection:
        require_migrated(connection)
        is_new = add_listener(connection, name)
    output.note(f"added: {name}" if is_new else f"already there: {name}")


@app.command()
def like(name: str = NAME, songs: list[str] = SONGS, artist: list[str] = ARTISTS) -> None:
    """Keep songs and artists that a listener likes.

    By 1, or by the score after =, which takes the place of an earlier one and of a dislike. What is not known is
    listed, and the rest is kept.
    """
    _rate(name, songs, artist, sign=1)


@app.command()
def dislike(name: str = NAME, songs: list[str] = SONGS, artist: list[str] = ARTISTS) -> None:
    """Keep what must never come back to a listener.

    A dislike takes the place of an earlier like. What is not known is listed, and the rest is kept.
    """
    _rate(name, songs, artist, sign=-1)


def _rate(name: str, songs: Sequence[str] | None, artists: Sequence[str], *, sign: int) -> None:
    from recsys.catalog import find_listener, rate
    from recsys.config import load_settings
    from recsys.database import connect, require_migrated, translated_errors

    songs = songs or []
    if not [*songs, *artists]:
        raise typer.BadParameter('name a song as "Artist - Title", or an artist with --artist', param_hint="SONG")
    with translated_errors(), connect(load_settings(), autocommit=True) as connection:
        require_migrated(connection)
        listener = find_listener(connection, name)
        liked = find_likes(connection, songs)
        scores = {song: sign * score for song, score in liked.scores.items()}
        names = {song.id: str(song) for song in liked.named}
        of_artists = _find_artists(connection, artists)
        if not scores and not of_artists:
            raise RecsysError(f"nothing is kept for {name}: none of the names is known")
        rate(connection, listener, scores, {key: sign * score for key, (_, score) in of_artists.items()})
    verb = "likes" if sign > 0 else "dislikes"
    for said, score in [
        *((names[song], liked.scores[song]) for song in scores),
        *((f"all of {artist}", score) for artist, score in of_artists.values()),
    ]:
        output.note(f"{name} {verb} {said}" + ("" if score == 1 else f", {score:g}"))


def _find_artists(connection: "psycopg.Connection", texts: Sequence[str]) -> dict[int, tuple[str, float]]:
    """Names and scores of artists by id; a note tells of each that is not known."""
    from recsys.catalog import find_artist

    found = {}
    for text in texts:
        name, score = scored(text)
        try:
            artist = find_artist(connection, name)
        except UnknownNameError as error:
            output.note(str(error))
            continue
        found[artist.id] = (artist.name, score)
    return found


@app.command("import")
def import_(
    name: str = NAME,
    file: Path = typer.Argument(allow_dash=True, metavar="FILE", help="A file, or a folder of them; - is stdin."),
    format: str = typer.Option(
        None, metavar="FORMAT",
        help="likes, a song a line as for --likes, or one of `recsys ingest`; by the file's ending by default.",
    ),
    column: list[str] = COLUMN,
    as_json: bool = output.JSON,
) -> None:  # fmt: skip
    """Keep what a file names as likes.

    A song is liked as often as it is named, in a file of likes by its scores. They take the place of earlier ones, so
    that the same file twice changes nothing. What is not known is listed, and the rest is kept; nothing is added to the
    catalogue.
    """
    from recsys.catalog import find_listener, rate
    from recsys.config import load_settings
    from recsys.database import connect, require_migrated, translated_errors
    from recsys.sources import FORMATS

    read_as = format or ENDINGS.get(Path(file.name.lower().removesuffix(".gz")).suffix, LIKES)
    if read_as not in (LIKES, *FORMATS):
        raise typer.BadParameter(f"{format!r} is not one of {', '.join((LIKES, *FORMATS))}", param_hint="--format")
    if column and read_as != "csv":
        raise typer.BadParameter("it goes with csv", param_hint="--column")
    with translated_errors(), connect(load_settings(), autocommit=True) as connection:
        require_migrated(connection)
        listener = find_listener(connection, name)
        if read_as == LIKES:
            found = find_likes(connection, lines_of(file))
            scores, unknown, rejected = found.scores, found.unknown, 0
        else:
            scores, unknown, rejected = _songs_of(connection, file, read_as, column)
        if not scores:
            raise RecsysError(f"nothing is kept for {name}: {file} names no song that is known")
        changed = rate(connection, listener, scores, {})
    if as_json:
        output.print_json(
            [{"listener": name, "songs": len(scores), "changed": changed, "unknown": unknown, "rejected": rejected}]
        )
        return
    rows = [
        ("songs that are known", len(scores)),
        ("  new or changed", changed),
        ("not known", len(unknown)),
        ("could not be read", rejected),
    ]
    output.print_table(
        output.table(("imported", "left"), ("", "right")), [(what, output.number(n)) for what, n in rows]
    )


def _songs_of(
    connection: "psycopg.Connection", file: Path, format: str, column: list[str]
) -> tuple[dict[int, float], list[str], int]:
    """The songs of a file's lists with scores, the names that are not known, and how much could not be read."""
    from recsys.catalog import likes_of_file
    from recsys.sources import FORMATS, csv_with_columns

    read_as = csv_with_columns(csv_columns(column or CSV_COLUMNS)) if format == "csv" else FORMATS[format]
    found = likes_of_file(connection, read_as, file)
    note_some([f"{record.place}: {record.reason}" for record in found.rejected])
    note_some([f"no song is called {name!r}" for name in found.unknown])
    return found.scores, found.unknown, len(found.rejected)


@app.command()
def show(
    name: str | None = typer.Argument(None, metavar="NAME", help="A listener; all of them where none is named."),
    as_json: bool = output.JSON,
) -> None:
    """Show what a listener likes and dislikes, or who there is."""
    from recsys.catalog import find_listener, list_listeners, ratings_of
    from recsys.config import load_settings
    from recsys.database import connect, require_migrated, translated_errors

    with translated_errors(), connect(load_settings(), autocommit=True) as connection:
        require_migrated(connection)
        if name is None:
            _print_listeners(list_listeners(connection), as_json=as_json)
        else:
            _print_ratings(name, ratings_of(connection, find_listener(connection, name)), as_json=as_json)


def _print_listeners(listeners: "Sequence[ListenerSummary]", *, as_json: bool) -> None:
    if as_json:
        output.print_json(listeners)
        return
    if not listeners:
        output.note("there is no listener yet: add one with `recsys listener add NAME`")
        return
    made = output.table(
        ("listener", "left"), ("songs liked", "right"), ("disliked", "right"), ("artists liked", "right"),
        ("disliked", "right"), ("since", "left"),
    )  # fmt: skip
    rows = [
        (
            one.name,
            *map(output.number, (one.liked_songs, one.disliked_songs, one.liked_artists, one.disliked_artists)),
            one.created_at.date(),
        )
        for one in listeners
    ]
    output.print_table(made, rows)


def _print_ratings(name: str, ratings: "Sequence[Rating]", *, as_json: bool) -> None:
    if as_json:
        output.print_json(ratings)
        return
    if not ratings:
        output.note(f"{name} likes and dislikes nothing yet")
        return
    made = output.table(("score", "right"), ("song", "left"), ("artist", "left"))
    rows = [(f"{one.score:g}", one.full_title or "every song", one.artist) for one in ratings]
    output.print_table(made, rows)


@app.command()
def forget(
    name: str = NAME,
    songs: list[str] = typer.Argument(None, metavar="SONG", help="Take back what was said of these alone."),
    artist: list[str] = typer.Option([], "--artist", metavar="NAME", help="Likewise of an artist; may be repeated."),
    yes: bool = typer.Option(False, "--yes", "-y", help="Do not ask."),
) -> None:
    """Delete every row of a listener, or take back single scores."""
    from recsys.catalog import find_artist, find_listener, find_song, forget_listener, take_back
    from recsys.config import load_settings
    from recsys.database import connect, require_migrated, translated_errors

    with translated_errors(), connect(load_settings(), autocommit=True) as connection:
        require_migrated(connection)
        listener = find_listener(connection, name)
        if songs or artist:
            song_ids = [find_song(connection, text).id for text in songs or []]
            artist_ids = [find_artist(connection, text).id for text in artist]
            taken = take_back(connection, listener, song_ids, artist_ids)
            output.note(f"taken back: {_count(taken, 'score')} of {name}")
            return
        if not yes:
            typer.confirm(f"Forget {name}, with all likes and dislikes?", abort=True, err=True)
        rated_songs, rated_artists = forget_listener(connection, listener)
    output.note(f"forgotten: {name}, with {_count(rated_songs, 'song')} and {_count(rated_artists, 'artist')}")


def _count(number: int, noun: str) -> str:
    return f"{output.number(number)} {noun}{'' if number == 1 else 's'}"
