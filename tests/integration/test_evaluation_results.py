"""Results that were stored are read back as a leaderboard."""

import psycopg
import pytest

from recsys.config import Settings
from recsys.database import connect, writer_lock
from recsys.evaluation.metrics import MetricKey, bootstrap
from recsys.evaluation.results import LeaderboardRow, leaderboard, store_result
from tests.worlds import rows

SCORES: dict[MetricKey, list[float]] = {("ndcg", 500): [0.5, 0.25, 0.75, 0.5], ("clicks", 500): [0.0, 3.0, 51.0, 2.0]}


@pytest.fixture
def split(connection: psycopg.Connection) -> int:
    connection.execute("INSERT INTO split (id, name, protocol, seed) VALUES (7, 'main', 'clean', 0)")
    return 7


def store(connection: psycopg.Connection, method: str, split: int | None, **changes: object) -> int:
    given = {"subject": "titles", "part": "test", "config": {"n": 500}, "seconds": 1.5, "scores": SCORES} | changes
    return store_result(connection, method=method, split_id=split, **given)  # type: ignore[arg-type]


def test_a_result_is_read_back_with_its_intervals(connection: psycopg.Connection, split: int) -> None:
    store(connection, "popularity", split)
    clicks, ndcg = leaderboard(connection)
    assert (ndcg.subject, ndcg.split, ndcg.protocol, ndcg.part) == ("titles", "main", "clean", "test")
    assert (ndcg.method, ndcg.metric, ndcg.k, ndcg.playlists) == ("popularity", "ndcg", 500, 4)
    assert (ndcg.value, ndcg.low, ndcg.high) == pytest.approx(bootstrap(SCORES["ndcg", 500]))
    assert (clicks.value, clicks.low, clicks.high) == pytest.approx(bootstrap(SCORES["clicks", 500]))


def test_a_weighted_result_is_a_weighted_mean(connection: psycopg.Connection) -> None:
    store(connection, "popularity", None, scores={("mrr", 20): [1.0, 0.0, 0.5]}, weights=[3, 1, 4])
    [row] = leaderboard(connection)
    assert (row.value, row.playlists) == (pytest.approx(5 / 8), 3)
    assert (row.value, row.low, row.high) == pytest.approx(bootstrap([1.0, 0.0, 0.5], weights=[3, 1, 4]))


def test_a_run_keeps_what_it_was_set_to(connection: psycopg.Connection, split: int) -> None:
    run = store(connection, "popularity", split, config={"n": 500, "model": 3})
    query = "SELECT subject, method, split_id, part, playlists, config, seconds FROM evaluation_run WHERE id = %s"
    [found] = rows(connection, query, run)
    assert found == ("titles", "popularity", 7, "test", 4, {"n": 500, "model": 3}, 1.5)


def test_the_latest_run_of_a_method_counts(connection: psycopg.Connection, split: int) -> None:
    first = store(connection, "ours", split)
    second = store(connection, "ours", split, scores={("ndcg", 500): [1.0, 1.0]})
    assert second == first + 1
    [row] = leaderboard(connection)
    assert (row.run_id, row.value, row.playlists) == (second, 1.0, 2)


def test_the_leaderboard_is_of_what_is_named(connection: psycopg.Connection, split: int) -> None:
    store(connection, "ours", split)
    store(connection, "ours", split, part="validation")
    store(connection, "ours", None, subject="challenge 1")
    assert {(row.subject, row.split, row.part) for row in leaderboard(connection)} == {
        ("titles", "main", "test"),
        ("titles", "main", "validation"),
        ("challenge 1", None, "test"),
    }
    assert {row.part for row in leaderboard(connection, subject="titles", part="test")} == {"test"}
    assert len(leaderboard(connection, split="main")) == 4
    assert leaderboard(connection, split="other") == []


def test_results_stored_under_the_lock_are_kept_when_it_is_let_go(settings: Settings) -> None:
    with connect(settings) as connection:
        with writer_lock(connection, settings.db_schema):
            store(connection, "a", None)
            store(connection, "b", None)
        assert {row.method for row in leaderboard(connection)} == {"a", "b"}


def test_a_result_is_stored_whole_or_not_at_all(connection: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.NumericValueOutOfRange):
        store(connection, "ours", None, scores={("ndcg", 500): [0.5], ("odd", 1 << 40): [0.5]})
    assert rows(connection, "SELECT * FROM evaluation_run") == []


def test_scores_are_of_the_same_playlists(connection: psycopg.Connection) -> None:
    with pytest.raises(ValueError, match="one value a playlist"):
        store(connection, "ours", None, scores={("ndcg", 500): [0.5], ("clicks", 500): [0.0, 1.0]})
    with pytest.raises(ValueError, match="no scores"):
        store(connection, "ours", None, scores={})


def test_a_database_without_results_has_an_empty_leaderboard(connection: psycopg.Connection) -> None:
    found: list[LeaderboardRow] = leaderboard(connection)
    assert found == []
