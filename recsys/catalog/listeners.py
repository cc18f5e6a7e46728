"""Listeners: people by name, and the songs and artists that they like and dislike, until they are forgotten."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import psycopg
from psycopg.rows import class_row

from recsys.catalog.find import UNSTORABLE
from recsys.catalog.listed import Excluded
from recsys.errors import SettingsError, UnknownNameError

LONGEST_NAME = 200

ADD = """
INSERT INTO listener (id, name) SELECT coalesce(max(id), 0) + 1, %(name)s FROM listener
HAVING bool_and(lower(name) <> lower(%(name)s)) IS NOT FALSE
RETURNING id
"""

ALIKE = "SELECT name FROM listener ORDER BY similarity(name, %s) DESC, id LIMIT 3"

# Ids of people who were forgotten are given again.
STILL_THERE = "SELECT FROM listener WHERE id = %s AND name = %s FOR KEY SHARE"

RATE = """
INSERT INTO {table} AS r SELECT %(listener)s, k.id, k.score
  FROM unnest(%(ids)s::bigint[], %(scores)s::real[]) AS k (id, score)
    ON CONFLICT (listener_id, {column}) DO UPDATE SET score = excluded.score WHERE r.score <> excluded.score
"""

ARTIST_SONGS = 10
"""Songs that stand for an artist whom somebody likes: his most held ones, which share the artist's score."""

LIKES = """
SELECT l.song_id, sum(l.score)::float8, bool_or(l.is_own)
  FROM (SELECT r.song_id, r.score, true AS is_own
          FROM listener_song AS r WHERE r.listener_id = %(listener)s AND r.score > 0
         UNION ALL
        SELECT best.song_id, r.score / count(*) OVER (PARTITION BY r.artist_id), false
          FROM listener_artist AS r
         CROSS JOIN LATERAL (SELECT sa.song_id
                               FROM song_artist AS sa LEFT JOIN song_stats AS st ON st.song_id = sa.song_id
                              WHERE sa.artist_id = r.artist_id AND sa.role = 'main'
                              ORDER BY st.playlists + st.tracklists DESC NULLS LAST, sa.song_id
                              LIMIT %(artist_songs)s) AS best
         WHERE r.listener_id = %(listener)s AND r.score > 0) AS l
 WHERE l.song_id <> ALL (%(disliked)s::bigint[])
 GROUP BY l.song_id
 ORDER BY l.song_id
"""

RATINGS = """
SELECT 'song' AS kind, s.id, s.artist, s.title, s.version, r.score
  FROM listener_song AS r JOIN song AS s ON s.id = r.song_id WHERE r.listener_id = %(listener)s
 UNION ALL
SELECT 'artist', a.id, a.name, NULL, NULL, r.score
  FROM listener_artist AS r JOIN artist AS a ON a.id = r.artist_id WHERE r.listener_id = %(listener)s
 ORDER BY score DESC, kind DESC, artist, title, version, id
"""

LISTENERS = """
SELECT l.name, count(*) FILTER (WHERE r.is_song AND r.score > 0) AS liked_songs,
       count(*) FILTER (WHERE r.is_song AND r.score < 0) AS disliked_songs,
       count(*) FILTER (WHERE NOT r.is_song AND r.score > 0) AS liked_artists,
       count(*) FILTER (WHERE NOT r.is_song AND r.score < 0) AS disliked_artists, l.created_at
  FROM listener AS l
  LEFT JOIN (SELECT listener_id, score, true AS is_song FROM listener_song
              UNION ALL
             SELECT listener_id, score, false FROM listener_artist) AS r ON r.listener_id = l.id
 GROUP BY l.id
 ORDER BY l.name
"""

TAKE_BACK = """
WITH songs AS (
  DELETE FROM listener_song WHERE listener_id = %(listener)s AND song_id = ANY (%(songs)s::bigint[]) RETURNING 1
), artists AS (
  DELETE FROM listener_artist WHERE listener_id = %(listener)s AND artist_id = ANY (%(artists)s::bigint[]) RETURNING 1
)
SELECT (SELECT count(*) FROM songs), (SELECT count(*) FROM artists)
"""

FORGET = """
WITH songs AS (DELETE FROM listener_song WHERE listener_id = %(listener)s RETURNING 1),
     artists AS (DELETE FROM listener_artist WHERE listener_id = %(listener)s RETURNING 1)
SELECT (SELECT count(*) FROM songs), (SELECT count(*) FROM artists)
"""


@dataclass(frozen=True)
class NamedListener:
    """A listener by id."""

    id: int
    name: str


@dataclass(frozen=True)
class Taste:
    """What somebody likes, by song with scores above 0, and what must never come back to him.

    A liked artist stands in `likes` as his most held songs.
    """

    likes: Mapping[int, float] = field(default_factory=dict)
    named: frozenset[int] = frozenset()
    """Those of the likes that are his own, and so not new to him."""
    disliked: Excluded = field(default_factory=Excluded)


@dataclass(frozen=True)
class Rating:
    """A song or an artist with a listener's score, below 0 where he dislikes it."""

    kind: Literal["song", "artist"]
    id: int
    artist: str
    title: str | None
    version: str | None
    score: float

    @property
    def full_title(self) -> str | None:
        """The song's title with its version, None of an artist."""
        return f"{self.title} ({self.version})" if self.version else self.title


@dataclass(frozen=True)
class ListenerSummary:
    """A listener, and how much he likes and dislikes."""

    name: str
    liked_songs: int
    disliked_songs: int
    liked_artists: int
    disliked_artists: int
    created_at: datetime


def add_listener(connection: psycopg.Connection, name: str) -> bool:
    """Add a listener; returns False where there is one of that name, in whatever case.

    Raises:
        SettingsError: the name cannot be one.
    """
    if not name.isprintable() or not 0 < len(name) <= LONGEST_NAME or name != name.strip():
        raise SettingsError(f"the name of a listener is up to {LONGEST_NAME} printable characters")
    with connection.transaction():
        connection.execute("LOCK TABLE listener IN SHARE ROW EXCLUSIVE MODE")
        return connection.execute(ADD, {"name": name}).fetchone() is not None


def find_listener(connection: psycopg.Connection, name: str) -> NamedListener:
    """The listener of a name.

    Raises:
        UnknownNameError: there is none of that name; the message lists the nearest ones.
    """
    name = UNSTORABLE.sub("\ufffd", name)
    with connection.cursor(row_factory=class_row(NamedListener)) as cursor:
        found = cursor.execute("SELECT id, name FROM listener WHERE lower(name) = lower(%s)", (name,)).fetchone()
    if found is not None:
        return found
    nearest = ", ".join(f'"{alike}"' for (alike,) in connection.execute(ALIKE, (name,)))
    mend = f"the nearest are: {nearest}; or add one" if nearest else "add one"
    raise UnknownNameError(f"no listener is called {name!r}; {mend} with `recsys listener add NAME`")


def rate(
    connection: psycopg.Connection,
    listener: NamedListener,
    songs: Mapping[int, float],
    artists: Mapping[int, float],
) -> int:
    """Store scores by id, below 0 for a dislike, in place of earlier ones; returns how many are new or changed.

    Raises:
        UnknownNameError: the listener was forgotten since he was found.
    """
    changed = 0
    with connection.transaction():
        if connection.execute(STILL_THERE, (listener.id, listener.name)).fetchone() is None:
            raise UnknownNameError(f"{listener.name} was forgotten meanwhile: nothing is kept")
        for table, column, scores in (("listener_song", "song_id", songs), ("listener_artist", "artist_id", artists)):
            asked = {"listener": listener.id, "ids": list(scores), "scores": list(scores.values())}
            changed += connection.execute(RATE.format(table=table, column=column).encode(), asked).rowcount
    return changed


def taste_of(connection: psycopg.Connection, listener: NamedListener) -> Taste:
    """What a listener likes and dislikes."""
    disliked = Excluded(*(
        [number for (number,) in connection.execute(query, (listener.id,))]
        for query in (
            "SELECT song_id FROM listener_song WHERE listener_id = %s AND score < 0 ORDER BY song_id",
            "SELECT artist_id FROM listener_artist WHERE listener_id = %s AND score < 0 ORDER BY artist_id",
        )
    ))  # fmt: skip
    asked = {"listener": listener.id, "artist_songs": ARTIST_SONGS, "disliked": disliked.songs}
    likes = connection.execute(LIKES, asked).fetchall()
    named = frozenset(song for song, _, is_own in likes if is_own)
    return Taste({song: score for song, score, _ in likes}, named, disliked)


def ratings_of(connection: psycopg.Connection, listener: NamedListener) -> list[Rating]:
    """All that a listener likes and dislikes, the best first."""
    with connection.cursor(row_factory=class_row(Rating)) as cursor:
        return cursor.execute(RATINGS, {"listener": listener.id}).fetchall()


def list_listeners(connection: psycopg.Connection) -> list[ListenerSummary]:
    """All listeners by name."""
    with connection.cursor(row_factory=class_row(ListenerSummary)) as cursor:
        return cursor.execute(LISTENERS).fetchall()


def take_back(
    connection: psycopg.Connection, listener: NamedListener, songs: Sequence[int], artists: Sequence[int]
) -> int:
    """Delete a listener's scores of songs and artists; returns how many there were."""
    with connection.transaction():
        [(of_songs, of_artists)] = connection.execute(
            TAKE_BACK, {"listener": listener.id, "songs": list(songs), "artists": list(artists)}
        ).fetchall()
    return int(of_songs + of_artists)


def forget_listener(connection: psycopg.Connection, listener: NamedListener) -> tuple[int, int]:
    """Delete every row of a listener; returns how many songs and artists he had rated."""
    with connection.transaction():
        [(songs, artists)] = connection.execute(FORGET, {"listener": listener.id}).fetchall()
        connection.execute("DELETE FROM listener WHERE id = %s", (listener.id,))
    return songs, artists
