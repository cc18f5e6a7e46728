"""Vectors written and read in bulk: what is read is what was written, bit by bit."""

import numpy as np
import psycopg
import pytest

from recsys.database import copy_vectors, read_vectors

COLUMNS = ("model", "place", "vector")
READ = "SELECT place, vector FROM stored WHERE model = %(model)s"


@pytest.fixture
def stored(connection: psycopg.Connection) -> psycopg.Connection:
    connection.execute("CREATE TEMPORARY TABLE stored (model bigint, place bigint, vector vector)")
    return connection


@pytest.mark.parametrize(("count", "dimension"), [(1, 1), (1, 16_000), (5, 3), (3_000, 384)])
def test_vectors_come_back_as_they_were_written(stored: psycopg.Connection, count: int, dimension: int) -> None:
    chance = np.random.default_rng(0)
    vectors = chance.normal(size=(count, dimension)).astype(np.float32)
    ids = chance.permutation(np.arange(count)) * 2**40
    copy_vectors(stored, "stored", COLUMNS, 7, ids, vectors)
    copy_vectors(stored, "stored", COLUMNS, 8, ids[:1], np.zeros((1, 2), np.float32))
    found_ids, found = read_vectors(stored, READ, {"model": 7}, dimension)
    assert (found_ids.dtype, found.dtype, found.shape) == (np.int64, np.float32, (count, dimension))
    order, expected = np.argsort(found_ids), np.argsort(ids)
    np.testing.assert_array_equal(found_ids[order], ids[expected])
    np.testing.assert_array_equal(found[order], vectors[expected])


def test_the_ends_of_single_precision_come_back(stored: psycopg.Connection) -> None:
    limits = np.finfo(np.float32)
    vectors = np.array([[limits.max, limits.min, limits.tiny, limits.smallest_subnormal, -0.0, 1 / 3]], np.float32)
    copy_vectors(stored, "stored", COLUMNS, 7, np.array([-(2**63)]), vectors)
    ids, found = read_vectors(stored, READ, {"model": 7}, 6)
    assert ids.tolist() == [-(2**63)]
    assert found.tobytes() == vectors.tobytes()


def test_postgres_reads_them_as_they_were_written(stored: psycopg.Connection) -> None:
    copy_vectors(stored, "stored", COLUMNS, 7, np.array([3]), np.array([[0.5, -2.25]], np.float32))
    assert stored.execute("SELECT place, vector::text FROM stored").fetchall() == [(3, "[0.5,-2.25]")]
    stored.execute("INSERT INTO stored VALUES (8, 4, '[1, 2, 3]')")
    ids, found = read_vectors(stored, READ, {"model": 8}, 3)
    assert (ids.tolist(), found.tolist()) == ([4], [[1.0, 2.0, 3.0]])


def test_no_rows_are_no_vectors(stored: psycopg.Connection) -> None:
    ids, vectors = read_vectors(stored, READ, {"model": 7}, 3)
    assert (ids.shape, vectors.shape) == ((0,), (0, 3))
    copy_vectors(stored, "stored", COLUMNS, 7, ids, vectors)
    assert stored.execute("SELECT count(*) FROM stored").fetchone() == (0,)
