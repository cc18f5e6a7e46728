"""clusters of songs, on the three levels that tracklist models learn

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SONG_CLUSTER = """
CREATE VIEW song_cluster AS
SELECT m.model_id, ((c.place - 1) * 3 / cardinality(m.clusters))::integer AS level, m.song_id, c.cluster, c.probability
  FROM song_membership AS m
 CROSS JOIN LATERAL unnest(m.clusters, m.probabilities) WITH ORDINALITY AS c (cluster, probability, place)
 WHERE c.probability > 0
"""

# A song counts in its likeliest cluster of each level, the first of the level's places in the arrays.
SONG_CLUSTER_STATS = """
CREATE VIEW song_cluster_stats AS
WITH member AS NOT MATERIALIZED (
  SELECT m.model_id, l.level, m.clusters[l.level * cardinality(m.clusters) / 3 + 1] AS cluster,
         m.clusters[(l.level + 1) * cardinality(m.clusters) / 3 + 1] AS parent, m.song_id,
         coalesce(st.tracklists, 0) AS plays
    FROM song_membership AS m
   CROSS JOIN generate_series(0, 2) AS l (level)
    LEFT JOIN song_stats AS st ON st.song_id = m.song_id
), song_place AS (
  SELECT m.model_id, m.level, m.cluster, m.song_id,
         row_number() OVER (PARTITION BY m.model_id, m.level, m.cluster ORDER BY m.plays DESC, m.song_id) AS place
    FROM member AS m
), artist_place AS (
  SELECT m.model_id, m.level, m.cluster, sa.artist_id,
         row_number() OVER (PARTITION BY m.model_id, m.level, m.cluster
                            ORDER BY sum(m.plays) DESC, sa.artist_id) AS place
    FROM member AS m JOIN song_artist AS sa ON sa.song_id = m.song_id AND sa.role <> 'remixer'
   GROUP BY m.model_id, m.level, m.cluster, sa.artist_id
), songs AS (
  SELECT p.model_id, p.level, p.cluster,
         array_agg(concat_ws(' - ', nullif(s.artist, ''), s.title || coalesce(' (' || s.version || ')', ''))
                   ORDER BY p.place) AS names
    FROM song_place AS p JOIN song AS s ON s.id = p.song_id
   WHERE p.place <= 5
   GROUP BY p.model_id, p.level, p.cluster
), artists AS (
  SELECT p.model_id, p.level, p.cluster, array_agg(a.name ORDER BY p.place) AS names
    FROM artist_place AS p JOIN artist AS a ON a.id = p.artist_id
   WHERE p.place <= 5
   GROUP BY p.model_id, p.level, p.cluster
), counted AS (
  SELECT m.model_id, m.level, m.cluster, mode() WITHIN GROUP (ORDER BY m.parent) AS parent, count(*) AS songs,
         sum(m.plays)::bigint AS plays
    FROM member AS m
   GROUP BY m.model_id, m.level, m.cluster
)
SELECT c.model_id, c.level, c.cluster, c.parent, c.songs, c.plays, coalesce(a.names, '{}') AS top_artists,
       coalesce(s.names, '{}') AS top_songs
  FROM counted AS c
  LEFT JOIN artists AS a ON a.model_id = c.model_id AND a.level = c.level AND a.cluster = c.cluster
  LEFT JOIN songs AS s ON s.model_id = c.model_id AND s.level = c.level AND s.cluster = c.cluster
"""


def upgrade() -> None:
    op.create_table(
        "song_membership",
        sa.Column("model_id", sa.BigInteger(), nullable=False),
        sa.Column("song_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("clusters", sa.ARRAY(sa.Integer()), nullable=False),
        sa.Column("probabilities", sa.ARRAY(sa.REAL()), nullable=False),
        sa.Column("is_acapella", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"], ["model.id"], name=op.f("song_membership_model_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_id", "song_id", name=op.f("song_membership_pkey")),
    )
    op.execute(SONG_CLUSTER)
    op.execute(SONG_CLUSTER_STATS)


def downgrade() -> None:
    op.execute("DROP VIEW song_cluster_stats")
    op.execute("DROP VIEW song_cluster")
    op.drop_table("song_membership")
    op.execute("DELETE FROM model WHERE kind = 'tracklist-model'")
