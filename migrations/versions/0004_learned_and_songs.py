"""what was learned of titles, and songs that a title names

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NAMED = ("artist_profile", "song_profile")


def upgrade() -> None:
    op.create_table(
        "learned_profile",
        sa.Column("model_id", sa.BigInteger(), nullable=False),
        sa.Column("title_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("track_ids", sa.ARRAY(sa.Integer()), nullable=False),
        sa.Column("weights", sa.ARRAY(sa.REAL()), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"], ["model.id"], name=op.f("learned_profile_model_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_id", "title_id", name=op.f("learned_profile_pkey")),
    )
    op.create_table(
        "song_profile",
        sa.Column("model_id", sa.BigInteger(), nullable=False),
        sa.Column("song_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("playlists", sa.Integer(), nullable=False),
        sa.Column("meant", sa.REAL(), nullable=False),
        sa.Column("track_ids", sa.ARRAY(sa.Integer()), nullable=False),
        sa.Column("weights", sa.ARRAY(sa.REAL()), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"], ["model.id"], name=op.f("song_profile_model_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_id", "song_id", name=op.f("song_profile_pkey")),
    )
    op.create_index(op.f("song_profile_model_id_key_idx"), "song_profile", ["model_id", "key"])
    for table in ("learned_profile", "song_profile"):
        op.execute(f"ALTER TABLE {table} SET (toast_tuple_target = 8160)")
    # Names that are nearly a title's, for misspelt ones.
    for table in NAMED:
        op.execute(f"CREATE INDEX {table}_key_trgm_idx ON {table} USING gin (key gin_trgm_ops)")


def downgrade() -> None:
    op.drop_index("artist_profile_key_trgm_idx")
    op.drop_table("song_profile")
    op.drop_table("learned_profile")
