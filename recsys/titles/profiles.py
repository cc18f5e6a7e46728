"""What each title votes for, read from its playlists: `title_profile`, and the index over the title vectors."""

import psycopg
from psycopg import sql

PROFILE_TRACKS = 200
"""Tracks that a profile keeps, the most held first."""

EXACT_SCAN_LIMIT = 5_000
"""Vectors up to which comparing all of them is fast enough, and exact."""

BUILD_PROFILES = """
INSERT INTO title_profile (model_id, title_id, playlists, track_ids, weights)
SELECT %(model)s, c.title_id, t.playlists, array_agg(c.track_id::integer ORDER BY c.place),
       array_agg(c.holders::real ORDER BY c.place)
  FROM (SELECT h.title_id, h.track_id, h.holders,
               row_number() OVER (PARTITION BY h.title_id
                                  ORDER BY h.holders DESC, h.playlists DESC, h.track_id) AS place
          FROM (SELECT d.title_id, d.track_id, d.playlists, count(*) AS holders
                  FROM (SELECT DISTINCT p.title_id, p.id, s.track_id, s.playlists
                          FROM playlist AS p
                          JOIN playlist_track AS pt ON pt.playlist_id = p.id
                          JOIN track AS t ON t.id = pt.track_id
                          JOIN song_stats AS s ON s.song_id = t.song_id
                         WHERE p.title_id IS NOT NULL) AS d
                 GROUP BY d.title_id, d.track_id, d.playlists) AS h) AS c
  JOIN title_stats AS t ON t.title_id = c.title_id
 WHERE c.place <= %(tracks)s
 GROUP BY c.title_id, t.playlists
"""

FORGET_TITLES = """
DELETE FROM title_embedding AS e
 WHERE e.model_id = %s
   AND NOT EXISTS (SELECT FROM title_profile AS p WHERE p.model_id = e.model_id AND p.title_id = e.title_id)
"""


def build_profiles(connection: psycopg.Connection, model_id: int, tracks: int = PROFILE_TRACKS) -> int:
    """Build a model's profiles anew, the old ones answer until the commit; returns how many there are.

    A song counts as its most held track, and a playlist holds it once. A title that no playlist with tracks carries
    any more has neither a profile nor a vector, so that every vector that is found can vote.
    """
    connection.execute("SET LOCAL work_mem = '256MB'")
    connection.execute("DELETE FROM title_profile WHERE model_id = %s", (model_id,))
    built = connection.execute(BUILD_PROFILES, {"model": model_id, "tracks": tracks}).rowcount
    connection.execute(FORGET_TITLES, (model_id,))
    connection.execute("UPDATE model SET profiled_at = now() WHERE id = %s", (model_id,))
    connection.commit()
    connection.execute("ANALYZE title_profile, title_embedding")
    connection.commit()
    return built


def build_index(connection: psycopg.Connection, model_id: int, limit: int = EXACT_SCAN_LIMIT) -> bool:
    """Make the model's HNSW index once it has more than `limit` vectors; returns whether there is one."""
    row = connection.execute(
        "SELECT m.dimension, (SELECT count(*) FROM title_embedding AS e WHERE e.model_id = m.id)"
        " FROM model AS m WHERE m.id = %s",
        (model_id,),
    ).fetchone()
    if row is None or row[1] <= limit:
        return False
    connection.execute(
        sql.SQL(
            "CREATE INDEX IF NOT EXISTS {name} ON title_embedding USING hnsw"
            " ((embedding::vector({dimension})) vector_ip_ops) WHERE model_id = {model}"
        ).format(
            name=sql.Identifier(f"title_embedding_hnsw_{model_id}"),
            dimension=sql.Literal(row[0]),
            model=sql.Literal(model_id),
        )
    )
    connection.commit()
    return True
