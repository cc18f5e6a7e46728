"""How made lists look, kept in the database."""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import psycopg

from recsys.config import Settings
from recsys.database import writer_lock
from recsys.evaluation.list_shape import ListShape, distance_intervals
from recsys.evaluation.made_lists import REAL, MadeOptions, MadeResult
from recsys.evaluation.metrics import Interval, MetricKey, bootstrap
from recsys.evaluation.results import store_intervals
from recsys.tracklists.later import LaterFacts

SUBJECT = "generated lists"

NO_CUT = 0
"""Lists are looked at as a whole."""


def store_made_results(
    connection: psycopg.Connection,
    settings: Settings,
    name: str,
    results: Sequence[MadeResult],
    facts: LaterFacts,
    options: MadeOptions,
) -> None:
    """Keep how lists look beside the real ones; the part is what was held out, and whose clusters lists are seen by.

    Raises:
        BusyError: another process is writing.
    """
    real = results[0].shape
    with writer_lock(connection, settings.db_schema):
        for result in results:
            intervals = mean_intervals(result.shape)
            if result.method != REAL:
                off = distance_intervals(real, result.shape)
                intervals |= {(f"{respect}_distance", NO_CUT): interval for respect, interval in off.items()}
            store_intervals(
                connection,
                subject=SUBJECT,
                method=result.method,
                split_id=None,
                part=f"{facts.part}, clusters of {name}",
                config={"graph": facts.graph_hash} | asdict(options),
                seconds=result.seconds,
                playlists=len(real.popularity),
                intervals=intervals,
            )


def mean_intervals(shape: ListShape) -> dict[MetricKey, Interval]:
    """Means over the lists that have a number; the coverage is of all lists together, and has no interval."""
    intervals: dict[MetricKey, Interval] = {}
    for respect, values in shape.by_respect.items():
        if len(there := values[np.isfinite(values)]):
            intervals[respect, NO_CUT] = bootstrap(there)
    return intervals | {("coverage", NO_CUT): Interval(shape.coverage, shape.coverage, shape.coverage)}
