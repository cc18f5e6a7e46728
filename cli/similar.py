"""`recsys similar`: what goes with a track, a title, an artist or a DJ."""

from pathlib import Path

import typer

from recsys.errors import RecsysError

from . import output
from .likes import taste
from .lists import FORMAT, OUTPUT, FileFormat, N, form_of, wrote_file

app = typer.Typer(help="What goes with a track, a title, an artist or a DJ.", no_args_is_help=True)


@app.command("track")
def similar_track(
    track: str = typer.Argument(metavar="SONG", help='A URI, "Artist - Title", or a title.'),
    n: int = N,
    model: str | None = typer.Option(
        None, metavar="NAME", help="Compare by a tracklist recommender's vectors, not by the lists in common."
    ),
    listener: str = typer.Option(None, metavar="NAME", help="Leave out what this listener dislikes."),
    as_json: bool = output.JSON,
    file_format: FileFormat = FORMAT,
    out: Path = OUTPUT,
) -> None:
    """Songs that stand in the same playlists and tracklists."""
    form = form_of(as_json=as_json, file_format=file_format, out=out)
    from recsys.catalog import find_song, similar_tracks
    from recsys.config import load_settings
    from recsys.database import connect, require_migrated, translated_errors

    with translated_errors(), connect(load_settings(), autocommit=True) as connection:
        require_migrated(connection)
        song = find_song(connection, track)
        if song.uri is None:
            output.note_reading(track, str(song))
        disliked = taste(connection, listener).disliked
        if model is None:
            tracks = similar_tracks(connection, song.id, n, excluded=disliked)
        else:
            from recsys.tracklists.recommend import nearest_songs, tracklist_model

            model_id = tracklist_model(connection, model)
            tracks = nearest_songs(connection, song.id, n, excluded=disliked, model_id=model_id)
    if not tracks:
        lacks = "stands in no list with another song" if model is None else f"is not known to {model}"
        raise RecsysError(f"{song} {lacks}")
    if wrote_file(tracks, form, out, name=f"like {song}", as_json=as_json):
        return
    made = output.table(
        ("#", "right"), ("track", "left"), ("artist", "left"), ("score", "right"), ("playlists", "right"),
        ("tracklists", "right"),
    )  # fmt: skip
    rows = [(t.rank, t.full_title, t.artist, f"{t.score:.3f}", t.playlists, t.tracklists) for t in tracks]
    output.print_table(made, rows)
    output.note(f"{'played together with' if model is None else f'near by {model} to'} {song}")


@app.command("title")
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


NAMED = typer.Argument(metavar="NAME", help="As tracklists name them, or near it.")
MODEL = typer.Option(None, metavar="NAME", help="Which tracklist recommender; the last one by default.")


@app.command("artist")
def similar_artist(artist: str = NAMED, n: int = N, model: str = MODEL, as_json: bool = output.JSON) -> None:
    """Artists who go together in tracklists."""
    from recsys.catalog import find_artist
    from recsys.config import load_settings
    from recsys.database import connect, require_migrated, translated_errors
    from recsys.tracklists.recommend import similar_artists, tracklist_model

    with translated_errors(), connect(load_settings(), autocommit=True) as connection:
        require_migrated(connection)
        model_id = tracklist_model(connection, model)
        found = find_artist(connection, artist)
        output.note_reading(artist, found.name)
        artists = similar_artists(connection, found.id, n, model_id=model_id)
    if not artists:
        why = "none is played often enough, or all came after training"
        raise RecsysError(f"the model knows no song of {found.name}: {why}")
    if as_json:
        output.print_json(artists)
        return
    made = output.table(("#", "right"), ("artist", "left"), ("similarity", "right"), ("tracklists", "right"))
    rows = [(a.rank, a.name, f"{a.similarity:.3f}", output.number(a.tracklists)) for a in artists]
    output.print_table(made, rows)


@app.command("dj")
def similar_dj(dj: str = NAMED, n: int = N, model: str = MODEL, as_json: bool = output.JSON) -> None:
    """DJs who play the same music."""
    from recsys.catalog import find_dj
    from recsys.config import load_settings
    from recsys.database import connect, require_migrated, translated_errors
    from recsys.tracklists.recommend import similar_djs, tracklist_model

    with translated_errors(), connect(load_settings(), autocommit=True) as connection:
        require_migrated(connection)
        found = find_dj(connection, dj)
        output.note_reading(dj, found.name)
        djs = similar_djs(connection, found.id, n, model_id=tracklist_model(connection, model))
    if not djs:
        raise RecsysError(f"the model does not know {found.name}: he played too little, or came after training")
    if as_json:
        output.print_json(djs)
        return
    made = output.table(
        ("#", "right"), ("DJ", "left"), ("similarity", "right"), ("songs of both", "right"), ("tracklists", "right")
    )
    rows = [(d.rank, d.name, f"{d.similarity:.3f}", output.number(d.songs), output.number(d.tracklists)) for d in djs]
    output.print_table(made, rows)
    output.note(f"like {found.name}")
