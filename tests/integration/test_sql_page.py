"""docs/sql.md against the database: a role that may only read runs its examples, and it lists all that is public."""

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from recsys.database import FUNCTIONS, VIEWS
from tests.surface_world import connect_as
from tests.worlds import rows

CHECKOUT = Path(__file__).parents[2]
PAGE = (CHECKOUT / "docs" / "sql.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```sql\n(.*?)```\n\n```text\n *(.*?)\n[-+]+\n", PAGE, re.DOTALL)
"""Statements, and the head of what the page shows of each."""
[README_EXAMPLES] = re.findall(r"```sql\n(.*?)```", (CHECKOUT / "README.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def reader(surface: str) -> Iterator[psycopg.Connection]:
    with connect_as(surface) as connection:
        yield connection


@pytest.mark.parametrize(("statement", "head"), EXAMPLES)
def test_an_example_runs_and_has_the_columns_that_are_shown(
    reader: psycopg.Connection, statement: str, head: str
) -> None:
    cursor = reader.execute(statement.encode())
    assert [column.name for column in cursor.description or ()] == re.split(r"\s*\|\s*", head.strip())
    assert cursor.fetchall()


def test_every_example_shows_what_it_gives() -> None:
    assert len(EXAMPLES) == PAGE.count("```sql\n") > 10


@pytest.mark.parametrize("statement", re.findall(r"^SELECT.*?;", README_EXAMPLES, re.DOTALL | re.MULTILINE))
def test_an_example_of_the_readme_has_rows(reader: psycopg.Connection, statement: str) -> None:
    assert rows(reader, statement)


def listed(section: str) -> set[str]:
    """The first cells of the table of a section, in full."""
    _, _, text = PAGE.partition(f"\n## {section}\n")
    return {
        cell
        for row in re.findall(r"^\| (`.*?`) \|", text.partition("\n## ")[0], re.MULTILINE)
        for cell in re.findall(r"`(.*?)`", row)
    }


def test_the_page_lists_the_public_functions_with_their_arguments(reader: psycopg.Connection) -> None:
    query = (
        "SELECT DISTINCT format('%%s(%%s)', proname, array_to_string(proargnames[:pronargs], ', ')) FROM pg_proc"
        " WHERE pronamespace = 'recsys'::regnamespace AND proname = ANY (%s)"
    )
    there = {
        text.replace("(raw)", "(text)").replace("(query", "(vector") for (text,) in rows(reader, query, list(FUNCTIONS))
    }
    assert listed("Functions") == there


def test_the_page_lists_the_public_views_as_the_database_describes_them(reader: psycopg.Connection) -> None:
    assert listed("Views") == set(VIEWS)
    described = dict(
        rows(
            reader,
            "SELECT relname::text, obj_description(oid, 'pg_class') FROM pg_class"
            " WHERE relnamespace = 'recsys'::regnamespace AND relname = ANY (%s)",
            list(VIEWS),
        )
    )
    assert described == VIEWS
    for name, description in VIEWS.items():
        assert f"\n| `{name}` | {description} |\n" in PAGE
