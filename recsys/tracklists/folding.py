"""Songs and DJs whom a trained model never saw, put into its space by what stands beside them (fold-in).

A model's own rows stay as it learned them, all others are made anew; so they depend on its own rows and on the
tracklists of now alone, however often they were made before.
"""

import psycopg

from recsys.database.vector_index import EmbeddedTable
from recsys.tracklists.stored_arrays import Integers

BESIDE = 3
"""Positions apart up to which songs tell of a new one, as in the graphs of MODELS B1."""

LEAST_LISTS = 2
"""Tracklists that must hold a new song."""

NEW_SONGS = """
INSERT INTO {table} (model_id, song_id, embedding)
SELECT %(model)s, new.song_id, l2_normalize(avg(e.embedding))
  FROM tracklist_track AS new
  JOIN tracklist_track AS beside
    ON beside.tracklist_id = new.tracklist_id AND beside.position BETWEEN new.position - %(beside)s
                                                                      AND new.position + %(beside)s
  JOIN {table} AS e ON e.model_id = %(model)s AND e.song_id = beside.song_id
 WHERE NOT EXISTS (SELECT FROM {table} AS own WHERE own.model_id = %(model)s AND own.song_id = new.song_id)
   AND new.song_id IS NOT NULL
 GROUP BY new.song_id
HAVING count(DISTINCT new.tracklist_id) >= %(least)s AND vector_norm(avg(e.embedding)) > 0
"""

# A DJ is the mean of what he plays, before a day if one is given.
NEW_DJS = """
INSERT INTO dj_embedding (model_id, dj_id, embedding)
SELECT %(model)s, td.dj_id, l2_normalize(avg(e.embedding))
  FROM tracklist AS t
  JOIN tracklist_dj AS td ON td.tracklist_id = t.id
  JOIN tracklist_track AS tt ON tt.tracklist_id = t.id
  JOIN song_embedding AS e ON e.model_id = %(model)s AND e.song_id = tt.song_id
 WHERE NOT EXISTS (SELECT FROM dj_embedding AS own WHERE own.model_id = %(model)s AND own.dj_id = td.dj_id)
   AND (%(before)s::date IS NULL OR t.played_on < %(before)s)
 GROUP BY td.dj_id
HAVING vector_norm(avg(e.embedding)) > 0
"""


def fold_in_songs(connection: psycopg.Connection, model_id: int, table: EmbeddedTable, learned: Integers) -> int:
    """Put the songs that a model does not know into one of its spaces; how many there are.

    Args:
        connection: an open connection, whose transaction is left open.
        model_id: the model's.
        table: the space.
        learned: ids of the songs whose vectors are the model's own.
    """
    forget = f"DELETE FROM {table} WHERE model_id = %s AND song_id <> ALL(%s)"  # noqa: S608 - our own names
    connection.execute(forget, (model_id, learned.tolist()))
    asked = {"model": model_id, "beside": BESIDE, "least": LEAST_LISTS}
    return connection.execute(NEW_SONGS.format(table=table), asked).rowcount


def fold_in_djs(
    connection: psycopg.Connection, model_id: int, learned: Integers | None = None, before: str | None = None
) -> int:
    """Put the DJs whom a model did not learn among its songs; how many there are.

    Args:
        connection: an open connection, whose transaction is left open.
        model_id: the model's.
        learned: ids of the DJs whose vectors are the model's own; none if None.
        before: a day from which on nothing is to be seen.
    """
    known = [] if learned is None else learned.tolist()
    connection.execute("DELETE FROM dj_embedding WHERE model_id = %s AND dj_id <> ALL(%s)", (model_id, known))
    return connection.execute(NEW_DJS, {"model": model_id, "before": before}).rowcount
