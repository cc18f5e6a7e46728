"""Measurements of the next song, kept in the database."""

from collections.abc import Sequence
from dataclasses import asdict

from recsys.config import Settings
from recsys.database import connect, require_migrated, translated_errors, writer_lock
from recsys.evaluation.level_accuracy import LevelResult
from recsys.evaluation.next_song import NextSongOptions, NextSongResult
from recsys.evaluation.next_tables import part_of
from recsys.evaluation.results import store_result
from recsys.tracklists.later import LaterFacts

SUBJECT = "next song: "
"""Before the name of a view, in the leaderboard."""
LEVELS_SUBJECT = "levels of tracklist models"


def store_next_results(
    settings: Settings,
    results: Sequence[NextSongResult],
    facts: LaterFacts,
    options: NextSongOptions,
    levels: Sequence[LevelResult] = (),
) -> None:
    """Keep results: the part is what was held out and how it was told, `playlists` counts tracklists.

    Raises:
        BusyError: another process is writing.
    """
    found: list[tuple[str, NextSongResult | LevelResult]] = [(SUBJECT + result.view, result) for result in results]
    found += [(LEVELS_SUBJECT, result) for result in levels]
    with translated_errors(), connect(settings) as connection:
        require_migrated(connection)
        connection.commit()
        with writer_lock(connection, settings.db_schema):
            for subject, result in found:
                store_result(
                    connection,
                    subject=subject,
                    method=result.method,
                    split_id=None,
                    part=part_of(facts, options),
                    config={"graph": facts.graph_hash} | asdict(options),
                    seconds=result.seconds,
                    scores=result.scores,
                    weights=result.positions,
                )
