"""The ten categories of the RecSys Challenge 2018 measured one by one, beside what needs no title."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import psycopg

from recsys.config import Settings
from recsys.database import connect, require_migrated, translated_errors, writer_lock
from recsys.evaluation.continuation_baselines import (
    Continue,
    implicit_factors,
    item_neighbours,
    most_popular,
    read_train_playlists,
)
from recsys.evaluation.metrics import MetricKey, N, score_list
from recsys.evaluation.results import store_result
from recsys.evaluation.titles import artists_of_tracks
from recsys.progress import Progress, silent
from recsys.titles import recommender_as_of
from recsys.titles.challenge_categories import CATEGORIES, Category, make_category, read_held_out
from recsys.titles.continuation import continue_playlist
from recsys.titles.splits import split_id


@dataclass
class CategoryResult:
    """One method in one category; the scores stand in the order of the playlists."""

    category: Category
    method: str
    seconds: float
    scores: dict[MetricKey, list[float]] = field(default_factory=dict)

    @property
    def playlists(self) -> int:
        """How many playlists were answered."""
        return len(next(iter(self.scores.values())))

    def mean(self, metric: str) -> float:
        """The mean of one of the challenge's metrics, at 500."""
        return float(np.mean(self.scores[metric, N]))


def evaluate_challenge(
    settings: Settings,
    split: str,
    part: str = "validation",
    *,
    limit: int | None = None,
    seed: int = 0,
    categories: Sequence[Category] = CATEGORIES,
    progress: Progress = silent,
) -> list[CategoryResult]:
    """Answer the held-out playlists of a part in every category, score every method, and keep the results.

    Args:
        settings: where the database is.
        split: name of a split; only its train part is learned from.
        part: validation or test.
        limit: so many playlists of a category at most, the first by id.
        seed: of what a category chooses at random.
        categories: those that are measured; one for which no playlist is long enough is left out.
        progress: called with what is being done, and how much of how much is done.

    Raises:
        UnknownNameError: there is no such split.
        NotReadyError: no recommender was built from the split.
        BusyError: another process is writing.
    """
    results = []
    with translated_errors(), connect(settings, autocommit=True) as connection:
        require_migrated(connection)
        own_id = split_id(connection, split)
        model = recommender_as_of(connection, split)
        held_out = read_held_out(connection, own_id, part)
        artist_of = artists_of_tracks(connection)
        train = read_train_playlists(connection, own_id)
        methods: dict[str, Continue] = {
            "popularity": most_popular(train),
            "item kNN": item_neighbours(train),
            "implicit ALS": implicit_factors(
                train, seed=seed, progress=lambda done, of: progress("fitting implicit ALS", done, of)
            ),
            "ours": continuing(connection, model),
        }
        for category in categories:
            tasks = make_category(held_out, category, seed)[:limit]
            for method, answer in methods.items() if tasks else ():
                begin = time.perf_counter()
                result = CategoryResult(category, method, 0.0)
                for done, task in enumerate(tasks):
                    progress(f"{category}: {method}", done, len(tasks))
                    tracks = answer(task.title, task.given, N)
                    for key, value in score_list(tracks, task.withheld, artist_of).items():
                        result.scores.setdefault(key, []).append(value)
                result.seconds = time.perf_counter() - begin
                results.append(result)
        with writer_lock(connection, settings.db_schema):
            for result in results:
                store_result(
                    connection,
                    subject=f"challenge {result.category.number}: {result.category}",
                    method=result.method,
                    split_id=own_id,
                    part=part,
                    config={"model": model if result.method == "ours" else None, "n": N, "limit": limit, "seed": seed},
                    seconds=result.seconds,
                    scores=result.scores,
                )
    return results


def continuing(connection: psycopg.Connection, model: int) -> Continue:
    """A recommender's own answer, from Postgres."""

    def answer(title: str | None, seeds: Sequence[int], n: int) -> list[int]:
        tracks = continue_playlist(connection, title, seeds, n, model=model)
        return [track.track_id for track in tracks if track.track_id is not None]

    return answer
