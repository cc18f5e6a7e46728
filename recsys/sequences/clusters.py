"""The clusters of songs that a tracklist model learned: their sizes, songs and artists, and a map of the songs."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psycopg
from psycopg.rows import class_row

from recsys.database import read_vectors
from recsys.errors import NotReadyError
from recsys.progress import Progress, silent
from recsys.titles.cluster_picture import DOTS, Group, Words, check_endings, draw, make_picture

TOP = 2
"""The level of the largest clusters; that of the smallest is 0."""

WORDS = Words("songs", "name", "most played artists", "plays")

STATS = """
SELECT level, cluster, parent, songs, plays, top_artists, top_songs
  FROM song_cluster_stats
 WHERE model_id = %(model)s AND (%(level)s::integer IS NULL OR level = %(level)s)
 ORDER BY level DESC, songs DESC, cluster
"""

PLAYED_MOST = """
SELECT e.song_id,
       concat_ws(' - ', nullif(s.artist, ''), s.title || coalesce(' (' || s.version || ')', '')),
       m.clusters[%(level)s * cardinality(m.clusters) / 3 + 1]
  FROM song_embedding AS e
  JOIN song_membership AS m ON m.model_id = e.model_id AND m.song_id = e.song_id
  JOIN song AS s ON s.id = e.song_id
  LEFT JOIN song_stats AS st ON st.song_id = e.song_id
 WHERE e.model_id = %(model)s
 ORDER BY coalesce(st.tracklists, 0) DESC, e.song_id
 LIMIT %(n)s
"""

VECTORS = """
SELECT e.song_id, e.embedding FROM song_embedding AS e
 WHERE e.model_id = %(model)s AND e.song_id = ANY(%(songs)s::bigint[])
"""

SIZES = """
SELECT m.dimension, (SELECT count(*) FROM song_embedding AS e WHERE e.model_id = m.id) FROM model AS m WHERE m.id = %s
"""


@dataclass(frozen=True)
class SongCluster:
    """A cluster with the songs that belong to it more than to any other of its level."""

    level: int
    cluster: int
    parent: int | None
    """The cluster one level up that most of its songs belong to; None on the top level."""
    songs: int
    plays: int
    top_artists: list[str]
    """The most played ones; so `top_songs`."""
    top_songs: list[str]


def song_clusters(connection: psycopg.Connection, model_id: int, level: int | None = None) -> list[SongCluster]:
    """The clusters of a model, of one level or all, the top level first, in a level the largest first.

    Raises:
        NotReadyError: the model knows no clusters.
    """
    with connection.cursor(row_factory=class_row(SongCluster)) as cursor:
        found = cursor.execute(STATS, {"model": model_id, "level": level}).fetchall()
    if not found:
        raise NotReadyError("the model knows no clusters: import one that was trained with --head hierarchy")
    return found


def draw_songs(
    connection: psycopg.Connection, model_id: int, file: Path, level: int = TOP, *, progress: Progress = silent
) -> None:
    """Draw a map of a model's songs, the most played ones, coloured by their clusters of a level, into .html or .png.

    Raises:
        SettingsError: it cannot be drawn into such a file.
        NotReadyError: the model knows no clusters.
    """
    check_endings([file])
    clusters = song_clusters(connection, model_id, level)
    progress("placing songs", 0, 0)
    [(dimension, of)] = connection.execute(SIZES, (model_id,)).fetchall()
    asked = {"model": model_id, "level": level, "n": DOTS}
    named = {song: (name, cluster) for song, name, cluster in connection.execute(PLAYED_MOST, asked)}
    ids, vectors = read_vectors(connection, VECTORS, {"model": model_id, "songs": list(named)}, dimension)
    picture = make_picture(
        vectors,
        np.array([named[song][1] for song in ids.tolist()], dtype=np.int32),
        [named[song][0] for song in ids.tolist()],
        [Group(c.cluster, c.songs, f"{c.plays:,}", c.top_artists) for c in clusters],
        WORDS,
        of=of,
    )
    draw(file, picture)
