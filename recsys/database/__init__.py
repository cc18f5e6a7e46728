"""The database's door: connections, sessions, the schema, bulk copy."""

from recsys.database.bulk import (
    IdRegister,
    Questions,
    copy_integers,
    copy_rows,
    copy_vectors,
    read_arrays,
    read_integers,
    read_vectors,
)
from recsys.database.connection import (
    check_server,
    connect,
    database_url,
    make_engine,
    refresh_lock,
    session_scope,
    translated_errors,
    writer_lock,
)
from recsys.database.schema import (
    SCHEMA_REVISION,
    current_schema,
    downgrade,
    prepare_schema,
    require_migrated,
    revision,
    sql_description,
    table_sizes,
    upgrade,
)
from recsys.database.server import EmbeddedServer
from recsys.database.surface import FUNCTIONS, VIEWS, grant_reader, kept_surface, revoke_reader
from recsys.database.vector_index import build_vector_index, drop_vector_index
from recsys.database.writing import Write, WriteBehind

__all__ = [
    "FUNCTIONS",
    "SCHEMA_REVISION",
    "VIEWS",
    "EmbeddedServer",
    "IdRegister",
    "Questions",
    "Write",
    "WriteBehind",
    "build_vector_index",
    "check_server",
    "connect",
    "copy_integers",
    "copy_rows",
    "copy_vectors",
    "current_schema",
    "database_url",
    "downgrade",
    "drop_vector_index",
    "grant_reader",
    "kept_surface",
    "make_engine",
    "prepare_schema",
    "read_arrays",
    "read_integers",
    "read_vectors",
    "refresh_lock",
    "require_migrated",
    "revision",
    "revoke_reader",
    "session_scope",
    "sql_description",
    "table_sizes",
    "translated_errors",
    "upgrade",
    "writer_lock",
]
