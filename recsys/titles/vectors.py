"""Titles' vectors in the database: the encoder's, and the adapted ones of a recommender."""

from collections.abc import Callable

import numpy as np
import psycopg

from recsys.database import copy_vectors
from recsys.progress import Progress
from recsys.titles.adapter import TitleAdapter
from recsys.titles.encoder import Encoder, encode_by_length
from recsys.titles.entries import title_names
from recsys.titles.held import Ids
from recsys.titles.profiles import title_vectors

BATCH = 2048
TITLE_EMBEDDING = ("model_id", "title_id", "embedding")

UNEMBEDDED = """
SELECT t.id, t.name
  FROM title AS t
 WHERE EXISTS (SELECT FROM playlist AS p JOIN playlist_track AS pt ON pt.playlist_id = p.id WHERE p.title_id = t.id)
   AND NOT EXISTS (SELECT FROM title_embedding AS e WHERE e.model_id = %s AND e.title_id = t.id)
"""

UNADAPTED = """
SELECT e.title_id
  FROM title_embedding AS e
 WHERE e.model_id = %s
   AND NOT EXISTS (SELECT FROM title_embedding AS own WHERE own.model_id = %s AND own.title_id = e.title_id)
 ORDER BY e.title_id
"""

FORGET = """
DELETE FROM title_embedding AS e
 WHERE e.model_id = ANY(%s)
   AND NOT EXISTS (SELECT FROM playlist AS p JOIN playlist_track AS pt ON pt.playlist_id = p.id
                    WHERE p.title_id = e.title_id)
"""


def embed_new(
    connection: psycopg.Connection, encoder_id: int, encoder: Callable[[], Encoder], progress: Progress
) -> int:
    """Embed the titles of playlists that have no vector of an encoder yet, batch by batch; how many they were.

    The encoder is asked for only where there are such titles.
    """
    titles = connection.execute(UNEMBEDDED, (encoder_id,)).fetchall()
    if not titles:
        return 0
    names = [name for _, name in titles]
    for places, vectors in encode_by_length(
        encoder(), names, BATCH, lambda done: progress("embedding titles", done, len(titles))
    ):
        ids = np.array([titles[place][0] for place in places], dtype=np.int64)
        copy_vectors(connection, "title_embedding", TITLE_EMBEDDING, encoder_id, ids, vectors)
        connection.commit()
    return len(titles)


def adapt_new(
    connection: psycopg.Connection, adapter: TitleAdapter, encoder_id: int, model_id: int, progress: Progress
) -> None:
    """Adapt the vectors of titles that have none of a recommender yet; seen by others once it is committed."""
    rows = connection.execute(UNADAPTED, (encoder_id, model_id)).fetchall()
    titles = np.array([title for (title,) in rows], dtype=np.int64)
    for first in range(0, len(titles), BATCH):
        progress("adapting titles", first, len(titles))
        _, vectors, names = named_vectors(connection, encoder_id, titles[first : first + BATCH])
        adapted = adapter.adapt(names, vectors)
        copy_vectors(connection, "title_embedding", TITLE_EMBEDDING, model_id, titles[first : first + BATCH], adapted)


def named_vectors(
    connection: psycopg.Connection, encoder_id: int, titles: Ids | None = None
) -> tuple[Ids, "np.ndarray[tuple[int, int], np.dtype[np.float32]]", list[str]]:
    """Titles that an encoder has embedded, ascending, of these or all: their vectors and names."""
    ids, vectors = title_vectors(connection, encoder_id, titles)
    names = title_names(connection, ids)
    return ids, vectors, [names[title] for title in ids.tolist()]


def forget_vectors(connection: psycopg.Connection, models: list[int]) -> None:
    """Delete the vectors of titles that no playlist has any more."""
    connection.execute(FORGET, (models,))
