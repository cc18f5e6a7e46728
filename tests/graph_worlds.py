"""Small worlds of tracklists whose songs have one letter, as records to load and as snapshots."""

from collections.abc import Sequence

import numpy as np
import psycopg
from scipy import sparse

from recsys.tracklists.graph_snapshot import NO_DATE, GraphSnapshot
from recsys.tracklists.later import Later
from recsys.tracklists.past import Newcomers
from recsys.tracklists.prepare import GraphOptions
from tests.worlds import rows

ALL = GraphOptions(least_information=0, song_mass=1, artist_mass=1, song_artist_mass=1, song_scale=1, least_clicks=1)
"""Nothing is cut away."""

SONGS = {"a": "Ann", "b": "Ann", "c": "Bob", "d": "Bob", "e": "Cid", "z": "Zed"}
"""With their artists."""

LETTERS = "abcdefgh"
"""Songs of a snapshot that was never in a database."""


def tracklist(number: int, dj: str, songs: str, date: str | None = "2019-01-01") -> dict[str, object]:
    """A tracklist of one-letter songs, `-` for one that nobody identified."""
    tracks: list[dict[str, object]] = [
        {"title": "ID", "artists": ["ID"]} if song == "-" else {"title": song, "artists": [SONGS[song]]}
        for song in songs
    ]
    made: dict[str, object] = {"id": str(number), "dj": dj, "title": f"show {number}", "tracks": tracks}
    return made if date is None else made | {"date": date}


def named(connection: psycopg.Connection, snapshot: GraphSnapshot) -> tuple[list[str], list[str], list[str]]:
    """Names of songs, artists and DJs, in the snapshot's order."""
    found = []
    for table, column, ids in (
        ("song", "title", snapshot.songs), ("artist", "name", snapshot.artists), ("dj", "name", snapshot.djs),
    ):  # fmt: skip
        names: dict[int, str] = dict(rows(connection, f"SELECT id, {column} FROM {table}"))
        found.append([names[number] for number in ids.tolist()])
    return found[0], found[1], found[2]


def entries(matrix: object, first: Sequence[str], second: Sequence[str]) -> dict[tuple[str, str], float]:
    """The entries of a matrix by the names of its rows and columns."""
    coordinates = matrix.tocoo()  # type: ignore[attr-defined]
    return {
        (first[row], second[column]): float(value)
        for row, column, value in zip(coordinates.row, coordinates.col, coordinates.data, strict=True)
    }


def snapshot_of(*tracklists: tuple[int, str, int | None]) -> GraphSnapshot:
    """A snapshot of tracklists (DJ, songs, day), whose graphs of songs and artists are empty."""
    djs = 1 + max(dj for dj, _, _ in tracklists)
    lists = np.array([[songs.count(letter) for letter in LETTERS] for _, songs, _ in tracklists], dtype=np.float32)
    dj_lists = np.zeros((djs, len(tracklists)), dtype=np.float32)
    for place, (dj, _, _) in enumerate(tracklists):
        dj_lists[dj, place] = 1
    songs = len(LETTERS)
    none = sparse.csr_matrix((songs, songs), dtype=np.float32)
    return GraphSnapshot(
        songs=np.arange(songs) + 100,
        artists=np.arange(songs),
        djs=np.arange(djs) + 500,
        days=np.array([NO_DATE if day is None else day for _, _, day in tracklists]),
        lists=sparse.csr_matrix(lists),
        dj_lists=sparse.csr_matrix(dj_lists),
        song_song=none,
        song_artist=none,
        artist_artist=none,
        credits=sparse.csr_matrix(np.eye(songs, dtype=np.float32)),
        clicks=sparse.csr_matrix((djs, songs), dtype=np.float32),
        dj_dj=sparse.csr_matrix((djs, djs), dtype=np.float32),
    )


def plays_of(*players: str) -> sparse.csr_matrix:
    """How often each player played each song, (players, songs)."""
    counts = [[songs.count(letter) for letter in LETTERS] for songs in players]
    return sparse.csr_matrix(np.array(counts, dtype=np.float32).reshape(len(players), len(LETTERS)))


def newcomers_of(*players: str, lists: int = 9) -> Newcomers:
    """Players with so many tracklists of one day, a song in as many of them as it is named."""
    owned = np.repeat(np.eye(len(players), dtype=np.float32), lists, axis=1)
    counts = plays_of(*players).toarray()
    held = (counts[:, None, :] > np.arange(lists)[:, None]).astype(np.float32).reshape(-1, len(LETTERS))
    return Newcomers(sparse.csr_matrix(held), np.full(len(held), 100), sparse.csr_matrix(owned))


def later_of(
    snapshot: GraphSnapshot,
    plays: Sequence[str] = (),
    pairs: Sequence[str] = (),
    cold: Sequence[tuple[str, str]] = (),
    song_plays: str = LETTERS * 5,
) -> Later:
    """What is held out: later songs and pairs by DJ, and of cold DJs what they played before and later."""
    nobody = [""] * len(snapshot.djs)
    told = newcomers_of(*(past for past, _ in cold))
    return Later(
        song_plays=np.array([song_plays.count(letter) for letter in LETTERS]),
        plays=plays_of(*(plays or nobody)),
        pairs=plays_of(*(pairs or nobody)),
        cold_djs=np.arange(len(cold)) + 900,
        cold_days=told.days,
        cold_owned=told.owned,
        cold_lists=told.lists,
        cold_plays=plays_of(*(later for _, later in cold)),
    )


def places(songs: str) -> list[int]:
    """Rows of songs."""
    return [LETTERS.index(song) for song in songs]
