"""How Alembic reaches the database: through the same settings and connection as everything else."""

from alembic import context

from recsys.config import load_settings
from recsys.database import kept_surface, make_engine, prepare_schema
from recsys.database.tables import Table


def include_name(name: str | None, kind: str, _parents: object) -> bool:
    """Leave out Alembic's own table, and the vector indexes, which are made per model once its rows are loaded."""
    if kind == "index":
        return "_hnsw_" not in str(name)
    return not (kind == "table" and name == "alembic_version")


def run() -> None:
    settings = context.config.attributes.get("settings") or load_settings()
    engine = make_engine(settings)
    prepare_schema(settings)
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Table.metadata,
            version_table_schema=settings.db_schema,
            include_name=include_name,
            compare_type=True,
            compare_server_default=False,
        )
        with context.begin_transaction(), kept_surface(connection.connection.driver_connection):
            context.run_migrations()


run()
