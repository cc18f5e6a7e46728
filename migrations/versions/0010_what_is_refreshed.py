"""how to read again what was read, and since when tracklists are others

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("ingest_run", sa.Column("tracklists_changed_at", sa.DateTime(timezone=True), nullable=True))
    reading = sa.Column(
        "reading", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
    )
    op.add_column("ingest_run", reading)
    # What was loaded before may be newer than any recommender of tracklists.
    op.execute("UPDATE ingest_run SET tracklists_changed_at = finished_at WHERE EXISTS (SELECT FROM tracklist)")


def downgrade() -> None:
    op.drop_column("ingest_run", "reading")
    op.drop_column("ingest_run", "tracklists_changed_at")
