"""What was measured, kept in the database: `evaluation_run`, `evaluation_metric` and the view `leaderboard`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from recsys.evaluation.metrics import Interval, MetricKey, Values, Weights, bootstrap_columns

ADD_RUN = """
INSERT INTO evaluation_run (id, subject, method, split_id, part, playlists, config, seconds)
SELECT coalesce(max(id), 0) + 1, %(subject)s, %(method)s, %(split)s, %(part)s, %(playlists)s, %(config)s, %(seconds)s
  FROM evaluation_run
RETURNING id
"""

ADD_METRIC = "INSERT INTO evaluation_metric (run_id, metric, k, value, low, high) VALUES (%s, %s, %s, %s, %s, %s)"

LEADERBOARD = """
SELECT subject, split, protocol, part, metric, k, method, value, low, high, playlists, run_id, created_at
  FROM leaderboard
 WHERE (%(subject)s::text IS NULL OR subject = %(subject)s)
   AND (%(split)s::text IS NULL OR split = %(split)s)
   AND (%(part)s::text IS NULL OR part = %(part)s)
 ORDER BY subject, split, part, run_id, metric, k
"""


@dataclass(frozen=True)
class LeaderboardRow:
    """A metric of the latest run of a method, with the bounds of its 95 % interval; `split` is None for none."""

    subject: str
    split: str | None
    protocol: str | None
    part: str
    metric: str
    k: int
    method: str
    value: float
    low: float
    high: float
    playlists: int
    run_id: int
    created_at: datetime


def store_result(
    connection: psycopg.Connection,
    *,
    subject: str,
    method: str,
    split_id: int | None,
    part: str,
    config: Mapping[str, Any],
    seconds: float,
    scores: Mapping[MetricKey, Values],
    weights: Weights | None = None,
) -> int:
    """Store a method's scores as means with bootstrap intervals, and commit. The caller holds the writer's lock.

    Args:
        connection: to a migrated database.
        subject: what was asked for: `titles`, or a category of the challenge.
        method: its name in the leaderboard, where the latest run of a name counts.
        split_id: the split whose playlists were answered.
        part: validation or test.
        config: what the method was set to.
        seconds: what all answers took.
        scores: per metric and cut, one value a playlist, in one order of playlists.
        weights: what each playlist counts, where not all count the same.

    Returns:
        The id of the run.

    Raises:
        ValueError: there are no scores, or the metrics are not of the same playlists.
    """
    counts = {len(values) for values in scores.values()}
    if len(counts) != 1:
        raise ValueError("every metric needs one value a playlist" if counts else "there are no scores to store")
    values = np.column_stack([np.asarray(column, dtype=np.float64) for column in scores.values()])
    return store_intervals(
        connection,
        subject=subject,
        method=method,
        split_id=split_id,
        part=part,
        config=config,
        seconds=seconds,
        playlists=counts.pop(),
        intervals=dict(zip(scores, bootstrap_columns(values, weights=weights), strict=True)),
    )


def store_intervals(
    connection: psycopg.Connection,
    *,
    subject: str,
    method: str,
    split_id: int | None,
    part: str,
    config: Mapping[str, Any],
    seconds: float,
    playlists: int,
    intervals: Mapping[MetricKey, Interval],
) -> int:
    """`store_result` of what is no mean over all playlists, with its bounds."""
    run = {
        "subject": subject,
        "method": method,
        "split": split_id,
        "part": part,
        "playlists": playlists,
        "config": Jsonb(dict(config)),
        "seconds": seconds,
    }
    with connection.transaction(), connection.cursor() as cursor:
        [(run_id,)] = cursor.execute(ADD_RUN, run).fetchall()
        cursor.executemany(ADD_METRIC, [(run_id, *key, *interval) for key, interval in intervals.items()])
    connection.commit()
    return int(run_id)


def leaderboard(
    connection: psycopg.Connection, *, subject: str | None = None, split: str | None = None, part: str | None = None
) -> list[LeaderboardRow]:
    """The latest results of every method, of all subjects, splits and parts where none is named."""
    with connection.cursor(row_factory=class_row(LeaderboardRow)) as cursor:
        return cursor.execute(LEADERBOARD, {"subject": subject, "split": split, "part": part}).fetchall()
