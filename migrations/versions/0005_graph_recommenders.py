"""what graph recommenders learn of songs, artists and DJs, and what DJs will play

Revision ID: 0005
Revises: 0004
"""

import pgvector.sqlalchemy
import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

EMBEDDED = {
    "song_embedding": "song_id",
    "song_likeness": "song_id",
    "artist_embedding": "artist_id",
    "dj_embedding": "dj_id",
}

DJ_PROFILE = """
CREATE VIEW dj_profile AS
SELECT d.id AS dj_id, d.name, lists.tracklists, lists.first_played_on, lists.last_played_on, played.plays, played.songs,
       artists.names AS top_artists, played.titles AS top_songs
  FROM dj AS d
 CROSS JOIN LATERAL (
   SELECT count(*) AS tracklists, min(t.played_on) AS first_played_on, max(t.played_on) AS last_played_on
     FROM tracklist_dj AS td JOIN tracklist AS t ON t.id = td.tracklist_id
    WHERE td.dj_id = d.id
 ) AS lists
 CROSS JOIN LATERAL (
   SELECT coalesce(sum(s.plays), 0)::bigint AS plays, count(*) AS songs,
          (array_agg(concat_ws(' - ', nullif(s.artist, ''), s.title || coalesce(' (' || s.version || ')', ''))
                     ORDER BY s.plays DESC, s.id))[1\\:5] AS titles
     FROM (SELECT song.id, song.artist, song.title, song.version, count(DISTINCT td.tracklist_id) AS plays
             FROM tracklist_dj AS td JOIN tracklist_track AS tt USING (tracklist_id) JOIN song ON song.id = tt.song_id
            WHERE td.dj_id = d.id
            GROUP BY song.id) AS s
 ) AS played
 CROSS JOIN LATERAL (
   SELECT (array_agg(a.name ORDER BY a.plays DESC, a.id))[1\\:5] AS names
     FROM (SELECT artist.id, artist.name, count(DISTINCT (td.tracklist_id, tt.song_id)) AS plays
             FROM tracklist_dj AS td JOIN tracklist_track AS tt USING (tracklist_id)
             JOIN song_artist AS sa USING (song_id) JOIN artist ON artist.id = sa.artist_id
            WHERE td.dj_id = d.id AND sa.role <> 'remixer'
            GROUP BY artist.id) AS a
 ) AS artists
"""


def _of_model(table: str, key: str, *columns: sa.Column) -> None:
    op.create_table(
        table,
        sa.Column("model_id", sa.BigInteger(), nullable=False),
        sa.Column(key, sa.BigInteger(), autoincrement=False, nullable=False),
        *columns,
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name=op.f(f"{table}_model_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("model_id", key, name=op.f(f"{table}_pkey")),
    )


def upgrade() -> None:
    for table, key in EMBEDDED.items():
        _of_model(table, key, sa.Column("embedding", pgvector.sqlalchemy.VECTOR(), nullable=False))
    _of_model(
        "dj_forecast",
        "dj_id",
        sa.Column("song_ids", sa.ARRAY(sa.Integer()), nullable=False),
        sa.Column("scores", sa.ARRAY(sa.REAL()), nullable=False),
        sa.Column("is_known", sa.ARRAY(sa.Boolean()), nullable=False),
    )
    op.execute("ALTER TABLE dj_forecast SET (toast_tuple_target = 8160)")
    op.execute("CREATE INDEX dj_name_trgm_idx ON dj USING gin (name gin_trgm_ops)")
    op.execute(DJ_PROFILE)


def downgrade() -> None:
    op.execute("DROP VIEW dj_profile")
    op.drop_index("dj_name_trgm_idx")
    op.drop_table("dj_forecast")
    for table in EMBEDDED:
        op.drop_table(table)
