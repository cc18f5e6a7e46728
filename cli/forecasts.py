"""What DJs will play, and what goes with somebody's likes: the half of `recsys recommend` that needs no title."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recsys.errors import NotReadyError, RecsysError, UnknownNameError

from . import output
from .likes import find_likes, like_texts, lines_of, note_used, taste
from .lists import FileFormat, excluded, print_tracks, require_room_for_several, write_lists, wrote_file

if TYPE_CHECKING:
    import psycopg

    from recsys.catalog import Excluded, ListedTrack, Taste
    from recsys.tracklists.recommend import ForecastTrack


ENOUGH = 0.25
"""The part of somebody's likes, by their scores, that a tracklist recommender must know; or else playlists answer."""


@dataclass(frozen=True)
class Asked:
    """How many songs are asked for, of which kind and of whom, and where they go."""

    n: int
    only_new: bool
    exclude_artist: Sequence[str]
    exclude_track: Sequence[str]
    listener: str | None
    model: str | None
    form: FileFormat | None
    out: Path | None
    as_json: bool


def answer_djs(dj: str | None, djs: Path | None, asked: Asked) -> None:
    """What a DJ, or each DJ of a file, will play."""
    from recsys.catalog import find_dj
    from recsys.config import load_settings
    from recsys.database import connect, require_migrated, translated_errors
    from recsys.tracklists.recommend import recommend_for_dj, tracklist_model

    with translated_errors(), connect(load_settings(), autocommit=True) as connection:
        require_migrated(connection)
        model = tracklist_model(connection, asked.model)
        barred = _excluded(connection, asked)
        if djs is not None:
            _answer_file(connection, djs, model, barred, asked)
            return
        found = find_dj(connection, dj or "")
        output.note_reading(dj or "", found.name)
        tracks = recommend_for_dj(
            connection, found.id, asked.n, only_new=asked.only_new, excluded=barred, model_id=model
        )
    if wrote_file(tracks, asked.form, asked.out, name=found.name, as_json=asked.as_json):
        return
    if not tracks:
        output.note(f"the model knows no song that {found.name} played")
        return
    columns = [("#", "right"), ("track", "left"), ("artist", "left"), ("score", "right")]
    rows: list[list[object]] = [[t.rank, t.full_title, t.artist, f"{t.score:.3f}"] for t in tracks]
    if not asked.only_new:
        columns += [("plays", "right"), ("last played", "left")]
        for row, track in zip(rows, tracks, strict=True):
            row += [track.plays or "new", track.last_played_on or ""]
    output.print_table(output.table(*columns), rows)  # type: ignore[arg-type]
    if len(tracks) < asked.n:
        kept = "song is all that is" if len(tracks) == 1 else "songs are all that are"
        output.note(f"{output.number(len(tracks))} {kept} kept for a DJ")
    output.note(f"what {found.name} will play" + (", of songs that are new to him" if asked.only_new else ""))


def _excluded(connection: "psycopg.Connection", asked: Asked) -> "Excluded":
    return excluded(connection, asked.exclude_track, asked.exclude_artist, taste(connection, asked.listener))


def _answer_file(connection: "psycopg.Connection", djs: Path, model: int, barred: "Excluded", asked: Asked) -> None:
    from recsys.catalog import find_dj
    from recsys.tracklists.recommend import recommend_for_dj

    require_room_for_several(asked.form, asked.out)
    names = lines_of(djs)
    ids: list[int | None] = []
    for name in names:
        try:
            found = find_dj(connection, name)
            output.note_reading(name, found.name)
            ids.append(found.id)
        except UnknownNameError as error:
            output.note(str(error))
            ids.append(None)
    if not names:
        raise RecsysError(f"{djs} names no DJ: write one a line")
    unknown = ids.count(None)
    if unknown == len(names):
        raise RecsysError(f"no DJ of {djs} is known")

    def answers() -> "Iterator[tuple[str, Sequence[ForecastTrack]]]":
        for name, dj in zip(names, ids, strict=True):
            if dj is None:
                yield name, []
            else:
                yield (
                    name,
                    recommend_for_dj(connection, dj, asked.n, only_new=asked.only_new, excluded=barred, model_id=model),
                )

    if asked.form is None:
        output.write_pieces((f"{_line(name, tracks)}\n" for name, tracks in answers()), asked.out)
    else:
        write_lists(answers(), asked.form, asked.out)
    if unknown:
        lacks = "is not known; its list has" if unknown == 1 else "are not known; their lists have"
        output.note(f"{unknown} of {len(names)} DJs {lacks} no tracks")


def _line(dj: str, tracks: "Sequence[ForecastTrack]") -> str:
    listed = [{"title": t.full_title, "artists": t.artists, "score": t.score} for t in tracks]
    return output.json_line({"dj": dj, "tracks": listed})


def answer_likes(like: Sequence[str], likes: Path | None, asked: Asked) -> None:
    """Songs for somebody who likes some; what is not known of them is listed, and the rest used."""
    from recsys.config import load_settings
    from recsys.database import connect, require_migrated, translated_errors
    from recsys.tracklists.recommend import known_of, recommend_for_likes, tracklist_model

    texts = like_texts(like, likes)
    with translated_errors(), connect(load_settings(), autocommit=True) as connection:
        require_migrated(connection)
        model = tracklist_model(connection, asked.model)
        found = find_likes(connection, texts)
        known = known_of(connection, found.scores, model)
        used = sum(song.id in known for song in found.named)
        barred = _excluded(connection, asked)
        tracks = recommend_for_likes(connection, found.scores, asked.n, excluded=barred, model_id=model)
    if not tracks:
        raise RecsysError("no song is left to go by: none is known and in tracklists enough; name others")
    note_used(used, len(texts))
    if wrote_file(tracks, asked.form, asked.out, name="for likes", as_json=asked.as_json):
        return
    print_tracks(tracks, 3)


def answer_listener(asked: Asked) -> None:
    """Songs that are new to a listener, for what he likes and without what he dislikes."""
    from recsys.config import load_settings
    from recsys.database import connect, require_migrated, translated_errors

    with translated_errors(), connect(load_settings(), autocommit=True) as connection:
        require_migrated(connection)
        liked = taste(connection, asked.listener)
        if not liked.likes:
            like = f'recsys listener like "{asked.listener}" "Artist - Title"'
            raise RecsysError(f"{asked.listener} likes nothing yet: run `{like}`")
        tracks, by = _for_listener(connection, liked, asked)
    if wrote_file(tracks, asked.form, asked.out, name=f"for {asked.listener}", as_json=asked.as_json):
        return
    print_tracks(tracks, 3)
    output.note(f"what goes with the likes of {asked.listener}, by {by}")


def _for_listener(
    connection: "psycopg.Connection", liked: "Taste", asked: Asked
) -> "tuple[Sequence[ListedTrack], str]":
    """Songs, and what they are by: tracklists, or playlists where a tracklist recommender knows little of the likes."""
    from recsys.titles import Filters
    from recsys.titles.continuation import continue_playlist, liked_tracks
    from recsys.tracklists.recommend import known_of, recommend_for_likes, tracklist_model

    barred = excluded(connection, asked.exclude_track, asked.exclude_artist, liked)
    new = Filters([*barred.songs, *liked.named], barred.artists)
    known: set[int] = set()
    problem = RecsysError("no song is left to go by: none of the likes is in lists enough; like others")
    try:
        model = tracklist_model(connection, asked.model)
    except NotReadyError as error:
        problem = error
    else:
        known = known_of(connection, liked.likes, model)
    is_enough = sum(liked.likes[song] for song in known) >= ENOUGH * sum(liked.likes.values())
    if asked.model is None and not is_enough:
        continued = continue_playlist(
            connection, None, [], asked.n, likes=liked_tracks(connection, liked.likes), filters=new
        )
        if any(track.score for track in continued):
            return continued, "playlists"
    if not known:
        raise problem
    note_used(len(known & liked.named), len(liked.named))
    found = recommend_for_likes(connection, liked.likes, asked.n, only_new=False, excluded=new, model_id=model)
    return found, "tracklists"
