"""catalogue, title models

Revision ID: 0001
Revises: nothing
"""

import pgvector.sqlalchemy
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


TRACK_STATS = """
CREATE MATERIALIZED VIEW track_stats AS
SELECT t.id AS track_id, t.song_id, coalesce(h.playlists, 0)::integer AS playlists
  FROM track AS t
  LEFT JOIN (SELECT track_id, count(*) AS playlists FROM playlist_track GROUP BY track_id) AS h ON h.track_id = t.id
"""

# A song's track is its most held one; among equals one with a URI, then the oldest.
SONG_STATS = """
CREATE MATERIALIZED VIEW song_stats AS
SELECT s.id AS song_id, h.track_id, coalesce(h.playlists, 0)::integer AS playlists,
       coalesce(l.tracklists, 0)::integer AS tracklists
  FROM song AS s
  LEFT JOIN (SELECT DISTINCT ON (x.song_id) x.song_id, x.track_id,
                    sum(x.playlists) OVER (PARTITION BY x.song_id) AS playlists
               FROM track_stats AS x JOIN track AS t ON t.id = x.track_id
              ORDER BY x.song_id, x.playlists DESC, t.uri IS NULL, x.track_id) AS h ON h.song_id = s.id
  LEFT JOIN (SELECT song_id, count(*) AS tracklists FROM tracklist_track
              WHERE song_id IS NOT NULL GROUP BY song_id) AS l ON l.song_id = s.id
"""

TITLE_STATS = """
CREATE VIEW title_stats AS
SELECT t.id AS title_id, t.name AS title, count(*)::integer AS playlists, sum(p.entries)::integer AS entries,
       coalesce(sum(p.followers), 0)::bigint AS followers
  FROM title AS t JOIN playlist AS p ON p.title_id = t.id
 GROUP BY t.id, t.name
"""


def upgrade() -> None:
    op.create_table(
        "artist",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("artist_pkey")),
        sa.UniqueConstraint("key", name=op.f("artist_key_key")),
    )
    op.create_table(
        "dj",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("dj_pkey")),
        sa.UniqueConstraint("key", name=op.f("dj_key_key")),
    )
    op.create_table(
        "model",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("base", sa.Text(), nullable=True),
        sa.Column("revision", sa.Text(), nullable=True),
        sa.Column("dimension", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column(
            "config",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "metrics",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("snapshot_hash", sa.Text(), nullable=True),
        sa.Column("is_current", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("profiled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("model_pkey")),
        sa.UniqueConstraint("kind", "fingerprint", name=op.f("model_kind_fingerprint_key")),
    )
    op.create_index("model_one_current_key", "model", ["kind"], unique=True, postgresql_where=sa.text("is_current"))
    op.create_table(
        "playlist",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("title_id", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("followers", sa.Integer(), nullable=True),
        sa.Column("snapshot", sa.Date(), nullable=True),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("content_hash", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("playlist_pkey")),
        sa.UniqueConstraint("source_id", "external_id", name=op.f("playlist_source_id_external_id_key")),
    )
    op.create_index(op.f("playlist_title_id_idx"), "playlist", ["title_id"], unique=False)
    op.create_table(
        "playlist_track",
        sa.Column("playlist_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("track_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("playlist_id", "position", name=op.f("playlist_track_pkey")),
    )
    op.create_index(op.f("playlist_track_track_id_idx"), "playlist_track", ["track_id"], unique=False)
    op.create_table(
        "song",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("artist", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("song_pkey")),
        sa.UniqueConstraint("key", name=op.f("song_key_key")),
    )
    op.create_table(
        "song_artist",
        sa.Column("song_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("artist_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("weight", sa.REAL(), nullable=False),
        sa.CheckConstraint("role IN ('main', 'featured', 'remixer')", name=op.f("song_artist_role_check")),
        sa.PrimaryKeyConstraint("song_id", "artist_id", name=op.f("song_artist_pkey")),
    )
    op.create_index(op.f("song_artist_artist_id_idx"), "song_artist", ["artist_id"], unique=False)
    op.create_table(
        "source",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("source_pkey")),
        sa.UniqueConstraint("name", name=op.f("source_name_key")),
    )
    op.create_table(
        "title",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("title_pkey")),
        sa.UniqueConstraint("name", name=op.f("title_name_key")),
    )
    op.create_table(
        "track",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("song_id", sa.BigInteger(), nullable=False),
        sa.Column("uri", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("album", sa.Text(), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("track_pkey")),
        sa.UniqueConstraint("uri", name=op.f("track_uri_key")),
    )
    op.create_index(op.f("track_song_id_idx"), "track", ["song_id"], unique=False)
    op.create_index(
        "track_song_without_uri_key",
        "track",
        ["song_id"],
        unique=True,
        postgresql_where=sa.text("uri IS NULL"),
    )
    op.create_table(
        "tracklist",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("played_on", sa.Date(), nullable=True),
        sa.Column("tags", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("content_hash", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("tracklist_pkey")),
        sa.UniqueConstraint("source_id", "external_id", name=op.f("tracklist_source_id_external_id_key")),
    )
    op.create_index(op.f("tracklist_played_on_idx"), "tracklist", ["played_on"], unique=False)
    op.create_table(
        "tracklist_dj",
        sa.Column("tracklist_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("dj_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tracklist_id", "position", name=op.f("tracklist_dj_pkey")),
    )
    op.create_index(op.f("tracklist_dj_dj_id_idx"), "tracklist_dj", ["dj_id"], unique=False)
    op.create_table(
        "tracklist_track",
        sa.Column("tracklist_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("song_id", sa.BigInteger(), nullable=True),
        sa.Column("cue_seconds", sa.Integer(), nullable=True),
        sa.Column("credit", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("tracklist_id", "position", name=op.f("tracklist_track_pkey")),
    )
    op.create_index(op.f("tracklist_track_song_id_idx"), "tracklist_track", ["song_id"], unique=False)
    op.create_table(
        "ingest_run",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("paths", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("playlists_changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "counts",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name=op.f("ingest_run_source_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("ingest_run_pkey")),
    )
    op.create_table(
        "title_embedding",
        sa.Column("model_id", sa.BigInteger(), nullable=False),
        sa.Column("title_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("embedding", pgvector.sqlalchemy.vector.VECTOR(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"], ["model.id"], name=op.f("title_embedding_model_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_id", "title_id", name=op.f("title_embedding_pkey")),
    )
    op.create_table(
        "title_profile",
        sa.Column("model_id", sa.BigInteger(), nullable=False),
        sa.Column("title_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("playlists", sa.Integer(), nullable=False),
        sa.Column("track_ids", sa.ARRAY(sa.Integer()), nullable=False),
        sa.Column("weights", sa.ARRAY(sa.REAL()), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"], ["model.id"], name=op.f("title_profile_model_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_id", "title_id", name=op.f("title_profile_pkey")),
    )
    op.create_table(
        "rejected_record",
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("ingest_run_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["ingest_run_id"], ["ingest_run.id"], name=op.f("rejected_record_ingest_run_id_fkey")),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name=op.f("rejected_record_source_id_fkey")),
        sa.PrimaryKeyConstraint("source_id", "file", "place", name=op.f("rejected_record_pkey")),
    )
    op.execute(TRACK_STATS)
    op.execute("CREATE UNIQUE INDEX track_stats_track_id_idx ON track_stats (track_id)")
    op.execute(SONG_STATS)
    op.execute("CREATE UNIQUE INDEX song_stats_song_id_idx ON song_stats (song_id)")
    op.execute(TITLE_STATS)


def downgrade() -> None:
    # Tables take their indexes with them, whether a load has dropped some or not.
    op.execute("DROP VIEW title_stats")
    op.execute("DROP MATERIALIZED VIEW song_stats")
    op.execute("DROP MATERIALIZED VIEW track_stats")
    op.drop_table("rejected_record")
    op.drop_table("title_profile")
    op.drop_table("title_embedding")
    op.drop_table("ingest_run")
    op.drop_table("tracklist_track")
    op.drop_table("tracklist_dj")
    op.drop_table("tracklist")
    op.drop_table("track")
    op.drop_table("title")
    op.drop_table("source")
    op.drop_table("song_artist")
    op.drop_table("song")
    op.drop_table("playlist_track")
    op.drop_table("playlist")
    op.drop_table("model")
    op.drop_table("dj")
    op.drop_table("artist")
