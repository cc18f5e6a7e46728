"""The RecSys Challenge 2018's files: a challenge set read, a submission written, and a submission verified."""

import gzip
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

import psycopg

from recsys.errors import NotReadyError, SourceError
from recsys.names import normal_title, song_name
from recsys.sources.damaged_json import BrokenError, decode
from recsys.sources.inputs import Bytes, file_input
from recsys.sources.texts import UnusableError, excerpt, identifier, optional, track_uri
from recsys.titles.adapter import load_title_encoder
from recsys.titles.continuation import continue_playlist, is_spotify_track, tracks_of_songs
from recsys.titles.recommend import NOT_TEXT, LoadEncoder

ANSWERS = 500
"""Tracks that every playlist of a submission has."""

TEAM_INFO = "team_info"

BY_URI = "SELECT uri, id FROM track WHERE uri = ANY(%s)"
SONGS_BY_KEY = "SELECT key, id FROM song WHERE key = ANY(%s)"


@dataclass(frozen=True)
class GivenTrack:
    """A track that a playlist shows; what it cannot be known by is None."""

    uri: str | None
    title: str | None
    artist: str | None


@dataclass(frozen=True)
class ChallengePlaylist:
    """A playlist of the challenge: `name` is None where it has no title, or one without any text."""

    pid: str
    name: str | None
    tracks: tuple[GivenTrack, ...]

    @property
    def uris(self) -> frozenset[str]:
        """The URIs of the given tracks."""
        return frozenset(track.uri for track in self.tracks if track.uri is not None)


def read_challenge_set(path: Path) -> list[ChallengePlaylist]:
    """The playlists of a challenge set, a .json or .json.gz file.

    A field that answers nothing may have any form; a given track that has neither a URI nor a title and artist is kept
    as one that nobody knows.

    Raises:
        SourceError: the file cannot be read whole, or a playlist has no id or no list of tracks; the message names it.
    """
    data = _whole(path)
    try:
        content = decode(data.decode("utf-8", "surrogateescape"))
    except BrokenError as broken:
        raise SourceError(f"{path} is not valid JSON at character {broken.position}: {broken.reason}") from None
    records = content.get("playlists") if isinstance(content, dict) else None
    if not isinstance(records, list):
        raise SourceError(f"{path} is not a challenge set: it has no list named playlists")
    playlists = []
    places: dict[str, int] = {}
    for number, record in enumerate(records):
        place = f"{path}, playlists[{number}]"
        try:
            playlist = _playlist(record)
        except UnusableError as error:
            raise SourceError(f"{place}: {error}") from None
        if playlist.pid in places:
            raise SourceError(f"{place} has the pid {playlist.pid} of playlists[{places[playlist.pid]}]")
        places[playlist.pid] = number
        playlists.append(playlist)
    if not playlists:
        raise SourceError(f"{path} holds no playlists")
    return playlists


def _whole(path: Path) -> bytes:
    stream = Bytes(file_input(path))
    data = stream.read()
    if stream.damage is not None:
        raise SourceError(f"{path}: {stream.damage}")
    return data


def _playlist(record: object) -> ChallengePlaylist:
    if not isinstance(record, dict):
        raise UnusableError("the playlist is not an object")
    pid = identifier(record.get("pid"), "pid")
    if re.search(r"[\s,#]", pid):
        raise UnusableError("pid holds a space, a comma or a #")
    tracks = record.get("tracks", [])
    if not isinstance(tracks, list):
        raise UnusableError("tracks is not a list")
    name = record.get("name")
    text = NOT_TEXT.sub(" ", name) if isinstance(name, str) else ""
    return ChallengePlaylist(pid, text if normal_title(text) else None, tuple(map(_given, tracks)))


def _given(track: object) -> GivenTrack:
    if not isinstance(track, dict):
        return GivenTrack(None, None, None)
    try:
        uri = track_uri(track.get("track_uri"))
    except UnusableError:
        uri = None
    return GivenTrack(
        uri, *((optional(track.get(name)) or "").strip() or None for name in ("track_name", "artist_name"))
    )


# --- answers -----------------------------------------------------------------------------------------------------


def find_given(connection: psycopg.Connection, tracks: Sequence[GivenTrack]) -> list[int]:
    """The ids of given tracks in their order, by URI or else by title and artist; one that nobody knows is left out."""
    by_uri: dict[str | None, int] = dict(
        connection.execute(BY_URI, ([track.uri for track in tracks if track.uri is not None],)).fetchall()
    )
    keys = {
        track: song_name(track.title, track.artist).key
        for track in tracks
        if track.uri not in by_uri and track.title is not None and track.artist is not None
    }
    songs: dict[str, int] = dict(connection.execute(SONGS_BY_KEY, (list(keys.values()),)).fetchall()) if keys else {}
    of_song = tracks_of_songs(connection, list(songs.values())) if songs else {}
    found = (by_uri.get(track.uri, of_song.get(songs.get(keys.get(track, ""), 0))) for track in tracks)
    return list(dict.fromkeys(track_id for track_id in found if track_id is not None))


def answer_challenge(
    connection: psycopg.Connection,
    playlists: Sequence[ChallengePlaylist],
    *,
    model: int | None = None,
    load_encoder: LoadEncoder | None = None,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Iterator[tuple[str, list[str]]]:
    """Each playlist's pid and 500 distinct URIs of Spotify tracks, best first, none of them given.

    Args:
        connection: an open connection.
        playlists: what is to be continued.
        model: the recommender that answers, the current one if None.
        load_encoder: as for `recommend`.
        progress: called with the playlists that are answered, and with all.

    Raises:
        NotReadyError: no titles are embedded yet, or the catalogue has too few tracks.
    """
    load_once = cache(load_encoder or load_title_encoder)
    for number, playlist in enumerate(playlists, start=1):
        tracks = continue_playlist(
            connection,
            playlist.name,
            find_given(connection, playlist.tracks),
            ANSWERS,
            needs_uri=True,
            model=model,
            load_encoder=load_once,
        )
        if len(tracks) < ANSWERS:
            raise NotReadyError(
                f"the catalogue has only {len(tracks)} tracks with a Spotify URI that playlist {playlist.pid} does not"
                f" give, and {ANSWERS} are needed: load more with `recsys ingest`"
            )
        yield playlist.pid, [str(track.uri) for track in tracks]
        progress(number, len(playlists))


# --- the submission ----------------------------------------------------------------------------------------------


def write_submission(path: Path, answers: Iterable[tuple[str, Sequence[str]]], *, team: str, email: str) -> int:
    """Write a submission, gzipped where the name ends in .gz; returns how many playlists it has.

    The file is there once it is whole: until then, and where the answers fail, what was there before stays.
    """
    written = 0
    with _replaced(path) as file:
        file.write(f"{TEAM_INFO},main,{team},{email}\n".encode())
        for pid, uris in answers:
            file.write(f"{','.join([pid, *uris])}\n".encode())
            written += 1
    return written


@contextmanager
def _replaced(path: Path) -> Iterator[IO[bytes]]:
    """A file to write that takes the place of `path` at the end; a device or a pipe is written itself."""
    is_plain = path.is_file() or not path.exists()
    draft = path.with_name(f".{path.name}.{os.getpid()}") if is_plain else path
    try:
        with draft.open("wb") as file:
            if path.suffix == ".gz":
                with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
                    yield packed  # type: ignore[misc]
            else:
                yield file
        if is_plain:
            draft.replace(path)
    finally:
        if is_plain:
            draft.unlink(missing_ok=True)


@dataclass(frozen=True)
class Fault:
    """What is wrong with a submission; `line` counts from 1, None for what is missing from the file."""

    line: int | None
    pid: str | None
    message: str


def verify_submission(playlists: Sequence[ChallengePlaylist], submission: Path) -> list[Fault]:
    """Every fault of a submission, in the order of its lines; none for one that the challenge takes.

    The rules are those of the challenge: lines that are blank or begin with # are passed over, the first other one
    names the team (`team_info,NAME,EMAIL`, or `team_info,main,NAME,EMAIL` as in 2018), and every other one has a pid of
    the set and exactly 500 distinct URIs of tracks that its playlist does not give. Spaces around commas do not count.

    Raises:
        SourceError: the file cannot be read whole.
    """
    faults: list[Fault] = []
    given = {playlist.pid: playlist.uris for playlist in playlists}
    lines_of: dict[str, int] = {}
    has_team = False
    for number, fields in _rows(submission):
        if fields[0] == TEAM_INFO:
            if has_team:
                faults.append(Fault(number, None, "a second team_info line"))
            elif lines_of:
                faults.append(Fault(number, None, "team_info must be the first line"))
            has_team = True
            faults += [Fault(number, None, message) for message in _faults_of_team(fields)]
            continue
        if not has_team and not lines_of:
            faults.append(Fault(number, None, "the first line is not team_info,NAME,EMAIL"))
        pid, *uris = fields
        if pid not in given:
            faults.append(Fault(number, pid, f"the challenge set has no playlist {excerpt(pid)!r}"))
        elif pid in lines_of:
            faults.append(Fault(number, pid, f"playlist {pid} stands already in line {lines_of[pid]}"))
        lines_of.setdefault(pid, number)
        faults += [Fault(number, pid, message) for message in _faults_of_tracks(uris, given.get(pid, frozenset()))]
    if not has_team and not lines_of:
        faults.append(Fault(None, None, "the team_info line is missing"))
    faults += [Fault(None, pid, f"playlist {pid} is missing") for pid in given if pid not in lines_of]
    return faults


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The fields of each line that says something, with its number."""
    stream = Bytes(file_input(path))
    for number, line in enumerate(stream.lines(), start=1):
        text = line.decode("utf-8", "replace").strip()
        if text and not text.startswith("#"):
            yield number, [field.strip() for field in text.split(",")]
    if stream.damage is not None:
        raise SourceError(f"{path}: {stream.damage}")


def _faults_of_team(fields: Sequence[str]) -> Iterator[str]:
    if len(fields) not in (3, 4) or not all(fields):
        yield "team_info must be followed by the team's name and an email address"
    elif len(fields) == 4 and fields[1] not in ("main", "creative"):
        yield f"the second field of a team_info line with four must be main or creative, not {excerpt(fields[1])!r}"
    elif "@" not in fields[-1]:
        yield f"{excerpt(fields[-1])!r} is not an email address"


def _faults_of_tracks(uris: Sequence[str], given: frozenset[str]) -> Iterator[str]:
    if len(uris) != ANSWERS:
        yield f"{len(uris)} tracks instead of {ANSWERS}"
    for uri, times in Counter(uris).items():
        if not is_spotify_track(uri):
            yield f"{excerpt(uri)!r} is not the URI of a Spotify track"
        elif uri in given:
            yield f"{uri} is a given track"
        if times > 1:
            yield f"{excerpt(uri)} stands there {times} times"
