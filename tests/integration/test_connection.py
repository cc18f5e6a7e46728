"""Reaching the database, and what is said when it cannot be used."""

import psycopg
import pytest

from recsys.config import Settings
from recsys.database import connect, require_migrated
from recsys.errors import NotMigratedError


def test_a_migrated_schema_is_accepted(connection: psycopg.Connection) -> None:
    require_migrated(connection)


def test_an_empty_database_names_the_mend(empty_database: str) -> None:
    with connect(Settings(DATABASE_URL=empty_database)) as connection, pytest.raises(NotMigratedError) as error:
        require_migrated(connection)
    assert "recsys db upgrade" in str(error.value)
    assert "\n" not in str(error.value)
