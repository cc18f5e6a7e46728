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

EMBEDDED = ("song", "artist", "dj")


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
    for noun in EMBEDDED:
        vectors = ["embedding"] if noun != "song" else ["embedding", "likeness"]
        columns = [sa.Column(name, pgvector.sqlalchemy.VECTOR(), nullable=False) for name in vectors]
        _of_model(f"{noun}_embedding", f"{noun}_id", *columns)
    _of_model(
        "dj_forecast",
        "dj_id",
        sa.Column("song_ids", sa.ARRAY(sa.Integer()), nullable=False),
        sa.Column("scores", sa.ARRAY(sa.REAL()), nullable=False),
        sa.Column("is_known", sa.ARRAY(sa.Boolean()), nullable=False),
    )
    op.execute("ALTER TABLE dj_forecast SET (toast_tuple_target = 8160)")


def downgrade() -> None:
    op.drop_table("dj_forecast")
    for noun in EMBEDDED:
        op.drop_table(f"{noun}_embedding")
