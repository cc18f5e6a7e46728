"""Measurements on a snapshot of graphs, kept in the database."""

from collections.abc import Sequence
from dataclasses import asdict

from recsys.config import Settings
from recsys.database import connect, require_migrated, translated_errors, writer_lock
from recsys.evaluation.graph import GraphResult, TruthOptions
from recsys.evaluation.results import store_result
from recsys.tracklists.later import LaterFacts

SUBJECT = "DJs: "
"""Before the name of a view, in the leaderboard."""


def check_storable(settings: Settings) -> None:
    """Refuse a database in which no results can be kept, before hours are spent on them.

    Raises:
        DatabaseError: it cannot be reached, or its schema is older than this version.
    """
    with translated_errors(), connect(settings) as connection:
        require_migrated(connection)


def store_graph_results(
    settings: Settings, results: Sequence[GraphResult], facts: LaterFacts, options: TruthOptions, seed: int = 0
) -> None:
    """Keep results: the part is what was held out, `playlists` counts DJs.

    Raises:
        BusyError: another process is writing.
    """
    with translated_errors(), connect(settings) as connection:
        require_migrated(connection)
        connection.commit()
        with writer_lock(connection, settings.db_schema):
            for result in results:
                store_result(
                    connection,
                    subject=SUBJECT + result.view,
                    method=result.method,
                    split_id=None,
                    part=facts.part,
                    config={"graph": facts.graph_hash, "seed": seed} | asdict(options),
                    seconds=result.seconds,
                    scores=result.scores,
                )
