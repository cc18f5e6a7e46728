"""Writing behind: what is written in a thread of its own while the next thing is prepared."""

import threading

import psycopg
import pytest

from recsys.database import WriteBehind

PATIENCE = 10


@pytest.fixture
def numbers(connection: psycopg.Connection) -> psycopg.Connection:
    connection.execute("CREATE TEMPORARY TABLE number (n integer PRIMARY KEY)")
    return connection


def test_a_write_does_not_hold_up_its_caller_and_a_question_waits_for_it(numbers: psycopg.Connection) -> None:
    may_go_on = threading.Event()
    with WriteBehind(numbers) as behind:
        behind.write([lambda _: may_go_on.wait(PATIENCE), lambda c: c.execute("INSERT INTO number VALUES (1)")])
        assert not may_go_on.is_set()
        may_go_on.set()
        assert behind.execute("SELECT n FROM number").fetchall() == [(1,)]


def test_writes_happen_in_their_order(numbers: psycopg.Connection) -> None:
    with WriteBehind(numbers) as behind:
        behind.write([lambda c: c.execute("INSERT INTO number VALUES (1)")])
        behind.write([lambda c: c.execute("UPDATE number SET n = 2")])
        behind.write([lambda c: c.execute("INSERT INTO number VALUES (1)")])
    assert numbers.execute("SELECT n FROM number ORDER BY n").fetchall() == [(1,), (2,)]


def test_an_error_of_a_write_is_raised_by_the_next_call(numbers: psycopg.Connection) -> None:
    with WriteBehind(numbers) as behind:
        behind.write([lambda c: c.execute("SELECT 1 / 0")])
        with pytest.raises(psycopg.errors.DivisionByZero):
            behind.execute("SELECT 1")
        assert behind.execute("SELECT 1").fetchall() == [(1,)]


def test_an_error_of_the_last_write_is_raised_at_the_end(numbers: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero), WriteBehind(numbers) as behind:
        behind.write([lambda c: c.execute("SELECT 1 / 0")])


def interrupted(connection: psycopg.Connection) -> None:
    with WriteBehind(connection) as behind:
        behind.write(
            [lambda c: c.execute("SELECT pg_sleep(0.2)"), lambda c: c.execute("INSERT INTO number VALUES (1)")]
        )
        raise KeyboardInterrupt


def test_an_interruption_waits_for_what_is_being_written(numbers: psycopg.Connection) -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupted(numbers)
    assert numbers.execute("SELECT n FROM number").fetchall() == [(1,)]
