"""The ten categories of the RecSys Challenge 2018, made from playlists that are held out."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psycopg

from recsys.database import read_integers
from recsys.errors import NotReadyError

FEWEST_WITHHELD = 5
"""Tracks that a playlist must have beyond those it gives."""

HELD_OUT = """
SELECT s.playlist_id::bigint, pt.position::bigint, pt.track_id::bigint
  FROM playlist_split AS s JOIN playlist_track AS pt ON pt.playlist_id = s.playlist_id
 WHERE s.split_id = %(split)s AND s.part = %(part)s
"""

TITLES = """
SELECT p.id, p.name
  FROM playlist_split AS s JOIN playlist AS p ON p.id = s.playlist_id
 WHERE s.split_id = %(split)s AND s.part = %(part)s
"""


@dataclass(frozen=True)
class Category:
    """What a playlist shows of itself, by the challenge's own number."""

    number: int
    has_title: bool
    given: int
    at_random: bool = False

    def __str__(self) -> str:
        if not self.given:
            return "title alone"
        tracks = f"{'random' if self.at_random else 'first'} {self.given}"
        return f"title and {tracks}" if self.has_title else f"{tracks}, no title"


CATEGORIES = (
    Category(1, has_title=True, given=0),
    Category(2, has_title=True, given=1),
    Category(3, has_title=True, given=5),
    Category(4, has_title=False, given=5),
    Category(5, has_title=True, given=10),
    Category(6, has_title=False, given=10),
    Category(7, has_title=True, given=25),
    Category(8, has_title=True, given=25, at_random=True),
    Category(9, has_title=True, given=100),
    Category(10, has_title=True, given=100, at_random=True),
)


@dataclass(frozen=True)
class HeldOutPlaylist:
    """A playlist that nothing was learned from, its distinct tracks in their order."""

    playlist_id: int
    title: str
    tracks: tuple[int, ...]


@dataclass(frozen=True)
class Task:
    """A playlist of a category: what it shows, and what is to be found."""

    playlist_id: int
    title: str | None
    given: tuple[int, ...]
    withheld: frozenset[int]


def read_held_out(connection: psycopg.Connection, split: int, part: str) -> list[HeldOutPlaylist]:
    """The playlists of a part of a split, by id.

    Raises:
        NotReadyError: there are none.
    """
    asked = {"split": split, "part": part}
    titles: dict[int, str] = dict(connection.execute(TITLES, asked).fetchall())
    if not titles:
        raise NotReadyError(f"the split has no playlists in its part {part}: make it again with `recsys titles split`")
    playlists, positions, tracks = (column.tolist() for column in read_integers(connection, HELD_OUT, asked, columns=3))
    found: dict[int, dict[int, None]] = {}
    for playlist, _, track in sorted(zip(playlists, positions, tracks, strict=True)):
        found.setdefault(playlist, {})[track] = None
    return [HeldOutPlaylist(playlist, titles[playlist], tuple(own)) for playlist, own in found.items()]


def make_category(playlists: Iterable[HeldOutPlaylist], category: Category, seed: int = 0) -> list[Task]:
    """The playlists that are long enough for a category, as its tasks.

    What is chosen at random depends on the seed and on the playlist, not on the others; it stays in the playlist's
    order.
    """
    tasks = []
    for playlist in playlists:
        tracks = playlist.tracks
        if len(tracks) < category.given + FEWEST_WITHHELD:
            continue
        places: Sequence[int] = range(category.given)
        if category.at_random:
            chance = random.Random(f"{seed} {playlist.playlist_id}")
            places = sorted(chance.sample(range(len(tracks)), category.given))
        given = tuple(tracks[place] for place in places)
        title = playlist.title if category.has_title else None
        tasks.append(Task(playlist.playlist_id, title, given, frozenset(tracks).difference(given)))
    return tasks
