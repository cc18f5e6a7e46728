"""The views of docs/schema.md, which are not made from models, against the database."""

import psycopg

from docs.making.schema import VIEWS

COLUMNS = """
SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum)
  FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
 WHERE c.relkind IN ('v', 'm') AND c.relnamespace = to_regnamespace(current_setting('recsys.schema'))
 GROUP BY c.relname
"""


def test_every_view_is_listed_with_its_columns(connection: psycopg.Connection) -> None:
    found = {name: tuple(columns) for name, columns in connection.execute(COLUMNS)}

    assert {name: columns for name, (columns, _) in VIEWS.items()} == found
