"""people: the songs and artists that they like and dislike

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "listener",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("listener_pkey")),
        sa.UniqueConstraint("name", name=op.f("listener_name_key")),
    )
    for noun in ("song", "artist"):
        table = f"listener_{noun}"
        op.create_table(
            table,
            sa.Column("listener_id", sa.BigInteger(), nullable=False),
            sa.Column(f"{noun}_id", sa.BigInteger(), autoincrement=False, nullable=False),
            sa.Column("score", sa.REAL(), nullable=False),
            sa.CheckConstraint("score <> 0", name=op.f(f"{table}_score_check")),
            sa.ForeignKeyConstraint(
                ["listener_id"], ["listener.id"], name=op.f(f"{table}_listener_id_fkey"), ondelete="CASCADE"
            ),
            sa.PrimaryKeyConstraint("listener_id", f"{noun}_id", name=op.f(f"{table}_pkey")),
        )


def downgrade() -> None:
    for table in ("listener_artist", "listener_song", "listener"):
        op.drop_table(table)
