"""The views of docs/schema.md, which are not made from models, against the database."""

import psycopg

from recsys.database import VIEWS

NAMES = """
SELECT c.relname FROM pg_class AS c
 WHERE c.relkind IN ('v', 'm') AND c.relnamespace = to_regnamespace(current_setting('recsys.schema'))
"""


def test_every_view_is_listed(connection: psycopg.Connection) -> None:
    assert {name for (name,) in connection.execute(NAMES)} == set(VIEWS)
