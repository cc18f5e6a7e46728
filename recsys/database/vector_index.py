"""HNSW indexes, one for each table of vectors and model."""

from typing import Literal

import psycopg
from psycopg import sql

EXACT_SCAN_LIMIT = 5_000
"""Vectors up to which comparing all of them is fast enough, and exact."""

EmbeddedTable = Literal["title_embedding", "song_embedding", "song_likeness", "artist_embedding", "dj_embedding"]


def build_vector_index(
    connection: psycopg.Connection, table: EmbeddedTable, model_id: int, limit: int = EXACT_SCAN_LIMIT
) -> bool:
    """Make the index of a model's unit vectors once there are more than `limit`; returns whether there is one.

    What the open transaction wrote is committed with it.
    """
    row = connection.execute(
        sql.SQL("SELECT max(vector_dims(e.embedding)), count(*) FROM {table} AS e WHERE e.model_id = %s").format(
            table=sql.Identifier(table)
        ),
        (model_id,),
    ).fetchone()
    if row is None or row[1] <= limit:
        return False
    connection.execute(
        sql.SQL(
            "CREATE INDEX IF NOT EXISTS {name} ON {table} USING hnsw"
            " ((embedding::vector({dimension})) vector_ip_ops) WHERE model_id = {model}"
        ).format(
            name=_name(table, model_id),
            table=sql.Identifier(table),
            dimension=sql.Literal(row[0]),
            model=sql.Literal(model_id),
        )
    )
    connection.commit()
    return True


def drop_vector_index(connection: psycopg.Connection, table: EmbeddedTable, model_id: int) -> None:
    """Drop a model's index, if there is one."""
    connection.execute(sql.SQL("DROP INDEX IF EXISTS {}").format(_name(table, model_id)))


def _name(table: EmbeddedTable, model_id: int) -> sql.Identifier:
    return sql.Identifier(f"{table}_hnsw_{model_id}")
