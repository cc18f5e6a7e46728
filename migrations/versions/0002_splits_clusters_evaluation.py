"""splits, clusters, artist profiles, evaluation

Revision ID: 0002
Revises: 0001
"""

import pgvector.sqlalchemy
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


LEADERBOARD = """
CREATE VIEW leaderboard AS
SELECT r.subject, s.name AS split, s.protocol, r.part, m.metric, m.k, r.method, m.value, m.low, m.high, r.playlists,
       r.id AS run_id, r.created_at
  FROM (SELECT DISTINCT ON (x.subject, x.split_id, x.part, x.method) x.*
          FROM evaluation_run AS x
         ORDER BY x.subject, x.split_id, x.part, x.method, x.id DESC) AS r
  JOIN evaluation_metric AS m ON m.run_id = r.id
  LEFT JOIN split AS s ON s.id = r.split_id
"""

CLUSTER_STATS = """
CREATE VIEW cluster_stats AS
SELECT c.clustering_id, c.number, c.playlists, c.exact_match, c.is_miscellaneous, c.top_titles,
       avg(p.distance)::real AS mean_distance
  FROM cluster AS c LEFT JOIN playlist_cluster AS p ON p.clustering_id = c.clustering_id AND p.cluster = c.number
 GROUP BY c.clustering_id, c.number
"""


def upgrade() -> None:
    op.create_table(
        "split",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column(
            "config", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("protocol IN ('clean', 'seed')", name=op.f("split_protocol_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("split_pkey")),
        sa.UniqueConstraint("name", name=op.f("split_name_key")),
    )
    op.create_table(
        "artist_profile",
        sa.Column("model_id", sa.BigInteger(), nullable=False),
        sa.Column("artist_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("playlists", sa.Integer(), nullable=False),
        sa.Column("meant", sa.REAL(), nullable=False),
        sa.Column("track_ids", sa.ARRAY(sa.Integer()), nullable=False),
        sa.Column("weights", sa.ARRAY(sa.REAL()), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"], ["model.id"], name=op.f("artist_profile_model_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_id", "artist_id", name=op.f("artist_profile_pkey")),
    )
    op.create_index(op.f("artist_profile_model_id_key_idx"), "artist_profile", ["model_id", "key"])
    op.create_table(
        "clustering",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("encoder_name", sa.Text(), nullable=False),
        sa.Column("encoder_fingerprint", sa.Text(), nullable=False),
        sa.Column("split_id", sa.BigInteger(), nullable=True),
        sa.Column("clusters", sa.Integer(), nullable=False),
        sa.Column(
            "config", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column(
            "metrics", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("is_current", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["split_id"], ["split.id"], name=op.f("clustering_split_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("clustering_pkey")),
    )
    op.create_index(
        "clustering_one_current_key", "clustering", ["is_current"], unique=True, postgresql_where=sa.text("is_current")
    )
    op.create_table(
        "evaluation_run",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("split_id", sa.BigInteger(), nullable=True),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("playlists", sa.Integer(), nullable=False),
        sa.Column(
            "config", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("seconds", sa.REAL(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["split_id"], ["split.id"], name=op.f("evaluation_run_split_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("evaluation_run_pkey")),
    )
    op.create_table(
        "playlist_split",
        sa.Column("split_id", sa.BigInteger(), nullable=False),
        sa.Column("playlist_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.CheckConstraint("part IN ('train', 'validation', 'test')", name=op.f("playlist_split_part_check")),
        sa.ForeignKeyConstraint(
            ["split_id"], ["split.id"], name=op.f("playlist_split_split_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("split_id", "playlist_id", name=op.f("playlist_split_pkey")),
    )
    op.create_table(
        "cluster",
        sa.Column("clustering_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("playlists", sa.Integer(), nullable=False),
        sa.Column("exact_match", sa.REAL(), nullable=False),
        sa.Column("top_titles", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("is_miscellaneous", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("centroid", pgvector.sqlalchemy.vector.VECTOR(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clustering_id"], ["clustering.id"], name=op.f("cluster_clustering_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("clustering_id", "number", name=op.f("cluster_pkey")),
    )
    op.create_table(
        "evaluation_metric",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("k", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("value", sa.REAL(), nullable=False),
        sa.Column("low", sa.REAL(), nullable=False),
        sa.Column("high", sa.REAL(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["evaluation_run.id"], name=op.f("evaluation_metric_run_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "metric", "k", name=op.f("evaluation_metric_pkey")),
    )
    op.create_table(
        "playlist_cluster",
        sa.Column("clustering_id", sa.BigInteger(), nullable=False),
        sa.Column("playlist_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("cluster", sa.Integer(), nullable=False),
        sa.Column("distance", sa.REAL(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clustering_id"], ["clustering.id"], name=op.f("playlist_cluster_clustering_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("clustering_id", "playlist_id", name=op.f("playlist_cluster_pkey")),
    )
    op.create_index(
        "title_name_trgm_idx", "title", ["name"], postgresql_using="gin", postgresql_ops={"name": "gin_trgm_ops"}
    )
    op.execute(LEADERBOARD)
    op.execute(CLUSTER_STATS)
    # Profiles belong to a recommender from now on, not to its encoder: `recsys titles embed` builds them anew.
    op.execute("DELETE FROM title_profile")


def downgrade() -> None:
    op.drop_index("title_name_trgm_idx", table_name="title")
    op.execute("DROP VIEW cluster_stats")
    op.execute("DROP VIEW leaderboard")
    op.execute("DELETE FROM model WHERE kind <> 'title-encoder'")
    op.drop_table("playlist_cluster")
    op.drop_table("evaluation_metric")
    op.drop_table("cluster")
    op.drop_table("playlist_split")
    op.drop_table("evaluation_run")
    op.drop_table("clustering")
    op.drop_table("artist_profile")
    op.drop_table("split")
