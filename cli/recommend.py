"""`recsys recommend`: tracks for a title, and songs for a DJ or somebody's likes."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from . import output
from .forecasts import Asked, answer_djs, answer_likes, answer_listener
from .likes import LIKE, LIKES, LISTENER, taste
from .lists import (
    AS_OF,
    EXCLUDE_ARTIST,
    EXCLUDE_TRACK,
    FORMAT,
    MAX_PER_ARTIST,
    OUTPUT,
    FileFormat,
    N,
    excluded,
    form_of,
    print_tracks,
    split_as_of,
    wrote_file,
)

if TYPE_CHECKING:
    from recsys.catalog import ListedTrack
    from recsys.titles import Recommendation, Voter


class Vote(StrEnum):
    """How titles vote."""

    SOFT = "soft"
    SEED = "seed"


SHOWN_TITLE = 60


def recommend(
    title: str | None = typer.Argument(
        None,
        metavar="TITLE",
        help='The playlist\'s title, for example "late night drive"; none with --seed-track, --dj or --like.',
    ),
    n: int = N,
    vote: Vote = typer.Option(
        Vote.SOFT, metavar="VOTE", help="soft: titles by nearness; seed: the paper's count of 50 playlists."
    ),
    exclude_artist: list[str] = EXCLUDE_ARTIST,
    exclude_track: list[str] = EXCLUDE_TRACK,
    max_per_artist: int = MAX_PER_ARTIST,
    seed_track: list[str] = typer.Option(
        [], metavar="SONG", help='Go on with a song: a URI or "Artist - Title"; may be repeated.'
    ),
    dj: str = typer.Option(None, "--dj", metavar="NAME", help="What a DJ will play, of old and new songs."),
    djs: Path = typer.Option(
        None,
        exists=True,
        dir_okay=False,
        metavar="FILE",
        help="A DJ a line; a line {dj, tracks: [{title, artists, score}]}, or a file, comes out for each.",
    ),
    like: list[str] = LIKE,
    likes: Path = LIKES,
    listener: str = LISTENER,
    new: bool = typer.Option(False, "--new", help="With --dj or --djs: only songs that the DJ never played."),
    model: str = typer.Option(None, metavar="NAME", help="Which tracklist recommender; the last one by default."),
    as_of: str = AS_OF,
    explain: bool = typer.Option(False, "--explain", help="Show which titles voted for each track."),
    as_json: bool = output.JSON,
    file_format: FileFormat = FORMAT,
    out: Path = OUTPUT,
) -> None:
    """Tracks for a playlist's title, for songs that it begins with, for a DJ, or for somebody's likes.

    A listener is answered alone, or bends what is asked for: what he dislikes is left out, and what he likes votes
    beside a title or its first songs.
    """
    form = form_of(as_json=as_json, file_format=file_format, out=out, else_json=djs is not None)
    asked = {
        "--dj": dj,
        "--djs": djs,
        "--like": like or likes,
        "TITLE": title,
        "--seed-track": seed_track and not title,
        "--listener": listener and not (dj or djs or title or seed_track),
    }
    asked_for = [name for name, value in asked.items() if value]
    if len(asked_for) > 1:
        raise typer.BadParameter(f"ask for one of {' and '.join(asked_for)}", param_hint=asked_for[0])
    if new and asked_for and asked_for[0] in ("--like", "--listener"):
        raise typer.BadParameter("what goes with likes is new anyway: it goes with --dj or --djs", param_hint="--new")
    if asked_for and asked_for[0] not in ("TITLE", "--seed-track"):
        _only_with_title(max_per_artist, as_of, explain, vote is not Vote.SOFT)
        wanted = Asked(
            n,
            only_new=new,
            exclude_artist=exclude_artist,
            exclude_track=exclude_track,
            listener=listener,
            model=model,
            form=form,
            out=out,
            as_json=as_json,
        )
        if dj or djs:
            answer_djs(dj, djs, wanted)
        elif like or likes:
            answer_likes(like, likes, wanted)
        else:
            answer_listener(wanted)
        return
    if new or model:
        raise typer.BadParameter("it goes with --dj, --djs or --like", param_hint="--new" if new else "--model")
    if title is None and not seed_track:
        message = "give a title, a song with --seed-track, a DJ with --dj, songs with --like, or a --listener"
        raise typer.BadParameter(message, param_hint="'TITLE'")
    if (seed_track or listener) and (explain or vote is not Vote.SOFT):
        given = "--seed-track" if seed_track else "--listener"
        raise typer.BadParameter("it does not go with --explain or --vote", param_hint=given)
    split = split_as_of(as_of)
    from recsys.catalog import find_song
    from recsys.config import load_settings
    from recsys.database import connect, require_migrated, translated_errors
    from recsys.titles import Filters, recommender_as_of
    from recsys.titles import recommend as recommend_tracks

    with translated_errors(), connect(load_settings(), autocommit=True) as connection:
        require_migrated(connection)
        liked = taste(connection, listener)
        filters = Filters(
            **vars(excluded(connection, exclude_track, exclude_artist, liked)), max_per_artist=max_per_artist
        )
        recommender = None if split is None else recommender_as_of(connection, split)
        if title is None or seed_track or listener:
            from recsys.titles.continuation import continue_playlist, liked_tracks, tracks_of_songs

            songs = [find_song(connection, text).id for text in seed_track]
            seeds = list(tracks_of_songs(connection, songs).values())
            voting = liked_tracks(connection, liked.likes)
            continued = continue_playlist(connection, title, seeds, n, likes=voting, filters=filters, model=recommender)
            _print_continued(continued, form, out, name=title or seed_track[0], as_json=as_json)
            return
        answer = recommend_tracks(
            connection,
            title,
            n,
            method=vote.value,
            filters=filters,
            explain=explain or form is FileFormat.JSPF,
            model=recommender,
        )
    if answer.is_stale:
        output.note("lists were loaded since: run `recsys refresh` to count them in")
    if wrote_file(answer.tracks, form, out, name=title, as_json=as_json):
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


def _only_with_title(*given: object) -> None:
    names = ("--max-per-artist", "--as-of", "--explain", "--vote")
    for name, value in zip(names, given, strict=True):
        if value:
            raise typer.BadParameter("it goes with a title", param_hint=name)


def _print_continued(
    tracks: "Sequence[ListedTrack]", form: FileFormat | None, out: Path | None, *, name: str, as_json: bool
) -> None:
    if wrote_file(tracks, form, out, name=name, as_json=as_json):
        return
    print_tracks(tracks, 4)


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
