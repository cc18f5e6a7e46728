"""`recsys generate`: songs in an order that a DJ would play."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from recsys.errors import RecsysError

from . import output
from .likes import LIKE, LIKES, LISTENER, find_likes, like_texts, note_used, taste
from .lists import (
    EXCLUDE_ARTIST,
    EXCLUDE_TRACK,
    FORMAT,
    MAX_PER_ARTIST,
    OUTPUT,
    FileFormat,
    excluded,
    form_of,
    print_tracks,
    require_room_for_several,
    write_lists,
    wrote_file,
    wrote_json_lines,
)

if TYPE_CHECKING:
    import psycopg

    from recsys.sequences.candidates import Liking
    from recsys.sequences.lists import GeneratedLists, GeneratedTrack


def generate(
    seed: list[str] = typer.Option(
        [], "--seed", metavar="SONG", help='Begin with a song: a URI or "Artist - Title"; may be repeated, in order.'
    ),
    title: str = typer.Option(
        None, "--title", metavar="TEXT", help="Take the seed songs from what playlists of such a title hold."
    ),
    dj: str = typer.Option(None, "--dj", metavar="NAME", help="As this DJ would."),
    like: list[str] = LIKE,
    likes: Path = LIKES,
    listener: str = LISTENER,
    length: int = typer.Option(15, min=1, metavar="COUNT", help="Songs of a list, with those that it begins with."),
    user_weight: float | None = typer.Option(
        None, min=0.0, metavar="NUMBER", help="Of the DJ or the likes against the seed songs; 1 by default."
    ),
    temperature: str = typer.Option(
        "1,1,1", metavar="A,B,C", help="Of the levels of clusters, the top one first; over 1 is safer."
    ),
    threshold: str = typer.Option(
        "0.1,0.05,0.05,0.005", metavar="A,B,C,D",
        help="Least probabilities of clusters, the top level first, and of songs.",
    ),
    random_seed: int = typer.Option(0, min=0, metavar="NUMBER", help="The same number draws the same lists."),
    n_lists: int = typer.Option(1, min=1, max=10_000, metavar="COUNT", help="How many lists."),
    beam: bool = typer.Option(False, "--beam", help="Search for the likeliest lists, and draw none."),
    exclude_artist: list[str] = EXCLUDE_ARTIST,
    exclude_track: list[str] = EXCLUDE_TRACK,
    max_per_artist: int = MAX_PER_ARTIST,
    explain: bool = typer.Option(False, "--explain", help="Show what each song was chosen by."),
    model: str = typer.Option(None, metavar="NAME", help="Which tracklist model; the last one by default."),
    as_json: bool = output.JSON,
    file_format: FileFormat = FORMAT,
    out: Path = OUTPUT,
) -> None:  # fmt: skip
    """Lists of songs in an order that a DJ would play, from songs or a title on; for a DJ, or for somebody's likes.

    A song comes once, and acapellas don't, nor does what a listener dislikes. Of several lists in a file format, each
    has a file with its number; rekordbox has all of them in one.
    """
    form = form_of(as_json=as_json, file_format=file_format, out=out)
    if not seed and title is None:
        raise typer.BadParameter("give a song to begin with, or a title with --title", param_hint="--seed")
    if (dj or listener) and (like or likes):
        given = "--dj" if dj else "--listener"
        raise typer.BadParameter(f"ask for one of {given} and --like", param_hint=given)
    if user_weight is not None and not (dj or like or likes or listener):
        raise typer.BadParameter("there is nobody to weigh: add --dj, --like or --listener", param_hint="--user-weight")
    if n_lists > 1:
        require_room_for_several(form, out)
    temperatures = _numbers(temperature, 3, "--temperature")
    thresholds = _numbers(threshold, 4, "--threshold")
    if max(thresholds) > 1:
        raise typer.BadParameter("probabilities are 1 at most", param_hint="--threshold")
    from recsys.config import load_settings
    from recsys.database import connect, require_migrated, translated_errors
    from recsys.sequences.generate import Wanted
    from recsys.sequences.levels import Knobs
    from recsys.sequences.lists import generate_lists

    wanted = Wanted(
        length=length,
        lists=n_lists,
        seed=random_seed,
        has_beam=beam,
        max_per_artist=max_per_artist,
        knobs=Knobs(
            1.0 if user_weight is None else user_weight,
            (temperatures[0], temperatures[1], temperatures[2]),
            (thresholds[0], thresholds[1], thresholds[2], thresholds[3]),
        ),
    )
    asked = _Asked(seed, title, dj, like, likes, listener, exclude_artist, exclude_track, model)
    with translated_errors(), connect(load_settings(), autocommit=True) as connection:
        require_migrated(connection)
        made = generate_lists(connection, _liking(connection, asked), wanted, model=model)
    if not _wrote(made, form, out, name=title or seed[0], as_json=as_json):
        for number, tracks in enumerate(made.lists, start=1):
            if n_lists > 1:
                typer.echo(f"list {number}")
            if explain:
                _print_explained(tracks, made.levels)
            else:
                print_tracks(tracks, 2, score="log chance")
    _tell(made, length, n_lists)


@dataclass(frozen=True)
class _Asked:
    seed: list[str]
    title: str | None
    dj: str | None
    like: list[str]
    likes: Path | None
    listener: str | None
    exclude_artist: list[str]
    exclude_track: list[str]
    model: str | None


def _numbers(text: str, count: int, name: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count or not all(0 <= number < float("inf") for number in numbers):
        raise typer.BadParameter(f"name {count} numbers from 0, with commas between them", param_hint=name)
    return numbers


def _liking(connection: "psycopg.Connection", asked: _Asked) -> "Liking":
    """What is asked for by names, as ids."""
    from recsys.catalog import find_dj, find_song
    from recsys.sequences.candidates import Liking
    from recsys.sequences.lists import known_songs, liking_of_dj, require_known, title_seeds
    from recsys.titles import Filters

    beginning = [find_song(connection, text) for text in dict.fromkeys(asked.seed)]
    for song in beginning:
        require_known(connection, song, asked.model)
    listener = taste(connection, asked.listener)
    barred = excluded(connection, asked.exclude_track, asked.exclude_artist, listener)
    seeds: dict[int, float] = {}
    if asked.title is not None:
        seeds = title_seeds(connection, asked.title, Filters(barred.songs, barred.artists), asked.model)
    dj_id: int | None = None
    liked: dict[int, float] = {}
    if asked.dj:
        dj = find_dj(connection, asked.dj)
        output.note_reading(asked.dj, dj.name)
        dj_id, liked = liking_of_dj(connection, dj, asked.model)
    elif asked.like or asked.likes:
        texts = like_texts(asked.like, asked.likes)
        found = find_likes(connection, texts)
        known = known_songs(connection, asked.model)
        liked = {song: score for song, score in found.scores.items() if song in known}
        if not liked:
            raise RecsysError("no song is left to go by: none is known and in tracklists enough; name others")
        used = sum(song.id in liked for song in found.named)
        note_used(used, len(texts))
    elif listener.likes:
        known = known_songs(connection, asked.model)
        liked = {song: score for song, score in listener.likes.items() if song in known}
        note_used(len(listener.named & known), len(listener.named))
    first = [song.id for song in beginning] or [next(iter(seeds))]
    return Liking(list(dict.fromkeys(first)), seeds, dj_id, liked, barred.songs, barred.artists)


def _wrote(made: "GeneratedLists", form: FileFormat | None, out: Path | None, *, name: str, as_json: bool) -> bool:
    if form is None:
        lines = (output.json_line(track) for tracks in made.lists for track in tracks)
        return wrote_json_lines(lines, out, as_json=as_json)
    if len(made.lists) == 1:
        return wrote_file(made.lists[0], form, out, name=name, as_json=as_json)
    write_lists(((f"{name} {number}", tracks) for number, tracks in enumerate(made.lists, start=1)), form, out)
    return True


def _print_explained(tracks: "list[GeneratedTrack]", levels: tuple[str, ...]) -> None:
    heads = [level.removesuffix(" clusters") for level in levels]
    made = output.table(
        ("#", "right"), ("song", "left"), ("user", "right"), ("seed", "right"),
        *((head, "right") for head in heads), ("sum", "right"),
    )  # fmt: skip
    rows = [
        [
            track.rank,
            f"{track.artist} - {track.full_title}" if track.artist else track.full_title,
            "" if track.user_score is None else _hundredths(track.user_score),
            _hundredths(track.seed_score),
            *map(_hundredths, track.log_probabilities),
            _hundredths(track.score),
        ]
        for track in tracks
    ]
    output.print_table(made, rows)
    output.note(
        f"sum {sum(track.score for track in tracks):.2f}: logs of the probabilities of {', '.join(levels)}; user is out"
        " of 2.2, seed out of 2"
    )


def _hundredths(value: float) -> str:
    """A number with two digits, and no minus before a zero."""
    return f"{round(value, 2) + 0.0:.2f}"


def _tell(made: "GeneratedLists", length: int, n_lists: int) -> None:
    for level, count in made.halved.items():
        times = "once" if count == 1 else f"{count:,} times"
        output.note(f"the threshold of {level} left nothing {times}; it was halved there until something was left")
    short = [tracks for tracks in made.lists if len(tracks) < length]
    if short:
        told = f"{len(short)} of {n_lists} lists are shorter" if n_lists > 1 else f"only {len(short[0])} songs"
        output.note(f"{told}: no more are left that the filters let through")
    if len(made.lists) < n_lists:
        output.note(f"the search found {len(made.lists)} lists")
