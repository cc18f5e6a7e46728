"""The title recommender measured: every method on the same held-out playlists, in one run, from the title alone."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg

from recsys.config import Settings
from recsys.database import connect, read_integers, require_migrated, translated_errors, writer_lock
from recsys.errors import NotReadyError, UnknownNameError
from recsys.evaluation.llm import LlmRecommender, Shots, read_examples
from recsys.evaluation.metrics import MetricKey, N, Protocol, score_list
from recsys.evaluation.results import store_result
from recsys.progress import Progress, silent
from recsys.titles.entries import Entries, read_entries, title_names
from recsys.titles.smoothing import unit_rows
from recsys.titles.splits import split_id
from recsys.titles.tuning import objective

KERNEL_POWER = 10
"""Of the title-title cosine, in the baseline of Faggioli et al. 2018 (MODELS A5)."""

LLM_SONGS = 66
"""Songs that a language model is asked for: the shorter list of the paper's metrics."""

Ids = npt.NDArray[np.int64]
Answer = Callable[[str], Sequence[int]]

HELD_OUT = """
SELECT DISTINCT s.playlist_id::bigint, p.title_id::bigint, pt.track_id::bigint
  FROM playlist_split AS s
  JOIN playlist AS p ON p.id = s.playlist_id
  JOIN playlist_track AS pt ON pt.playlist_id = p.id
 WHERE s.split_id = %(split)s AND s.part = %(part)s AND p.title_id IS NOT NULL
"""

# The clean protocol searches what was built from the train part, the seed protocol everything, as the paper does.
RECOMMENDERS = """
SELECT m.id, m.name, m.config ? 'adapter'
  FROM model AS m
 WHERE m.kind = 'title-recommender'
   AND (m.config ->> 'split')::bigint IS NOT DISTINCT FROM CASE WHEN %(protocol)s = 'clean' THEN %(split)s::bigint END
   AND EXISTS (SELECT FROM title_profile AS p WHERE p.model_id = m.id)
 ORDER BY m.config ? 'adapter', m.id
"""

VOTE = """
SELECT v.track_id
  FROM vote(title_vector(%(title)s, %(model)s), %(n)s, %(method)s, model => %(model)s, title_text => %(title)s) AS v
 ORDER BY v.rank
"""


@dataclass(frozen=True)
class HeldOut:
    """The playlists of a part: their titles and distinct tracks."""

    playlist_ids: list[int]
    titles: list[str]
    tracks: list[Ids]


@dataclass
class MethodResult:
    """Scores of one method, per playlist, in the order of `HeldOut.playlist_ids`."""

    method: str
    model: int | None
    titles: int
    """Distinct titles that were answered."""
    seconds: float
    scores: dict[MetricKey, list[float]] = field(default_factory=dict)

    def mean(self, metric: str, k: int) -> float:
        """The mean of a metric over the playlists."""
        return float(np.mean(self.scores[metric, k]))


def held_out(connection: psycopg.Connection, split: int, part: str, limit: int | None = None) -> HeldOut:
    """The playlists of a part, the first `limit` by id.

    Raises:
        NotReadyError: there are none.
    """
    playlist, title, track = read_integers(connection, HELD_OUT, {"split": split, "part": part}, columns=3)
    if not len(playlist):
        raise NotReadyError(f"the split has no playlists in its part {part}: make it again with `recsys titles split`")
    order = np.lexsort((track, playlist))
    ids, starts = np.unique(playlist[order], return_index=True)
    tracks = np.split(track[order], starts[1:])[:limit]
    titles = title[order][starts][:limit]
    names = title_names(connection, np.unique(titles))
    return HeldOut(ids[:limit].tolist(), [names[t] for t in titles.tolist()], tracks)


def artists_of_tracks(connection: psycopg.Connection) -> dict[int, int]:
    """The first main artist of every track, for the challenge's artist rule."""
    track, artist = read_integers(
        connection,
        "SELECT DISTINCT ON (t.id) t.id::bigint, sa.artist_id::bigint FROM track AS t"
        " JOIN song_artist AS sa ON sa.song_id = t.song_id ORDER BY t.id, sa.role <> 'main', sa.artist_id",
        {},
        columns=2,
    )
    return dict(zip(track.tolist(), artist.tolist(), strict=True))


class Baselines:
    """What needs no model (MODELS A5), from the playlists that are searched."""

    def __init__(self, connection: psycopg.Connection, entries: Entries) -> None:
        self._counts = entries.counts()
        self._tracks = entries.track_ids
        names = title_names(connection, entries.title_ids)
        self._row_of = {names[title]: place for place, title in enumerate(entries.title_ids.tolist())}
        holders = np.asarray(self._counts.sum(axis=0)).ravel()
        self._popularity = holders / (holders.max() + 1) / 2
        self._units = unit_rows(self._counts).tocsr()

    def popularity(self, _title: str) -> list[int]:
        """The tracks that most playlists hold."""
        return self._best(np.zeros(len(self._popularity)))

    def exact_title(self, title: str) -> list[int]:
        """The tracks that most playlists of the same title hold, then the most popular ones."""
        scores = np.zeros(len(self._popularity))
        if (row := self._row_of.get(title)) is not None:
            scores += self._counts[row].toarray().ravel()
        return self._best(scores)

    def title_kernel(self, title: str) -> list[int]:
        """The tracks of titles with like song sets, cosine to the power 10, then the most popular ones."""
        scores = np.zeros(len(self._popularity))
        if (row := self._row_of.get(title)) is not None:
            kernel = (self._units @ self._units[row].T).toarray().ravel() ** KERNEL_POWER
            scores += self._counts.T @ kernel
        return self._best(scores)

    def _best(self, scores: npt.NDArray[Any]) -> list[int]:
        # Popularity is under one half: it orders what has equal counts and fills what is missing.
        scores = scores + self._popularity * (1e-6 if scores.any() else 1)
        most = min(N, len(scores))
        kept = np.argpartition(-scores, most - 1)[:most]
        best = kept[np.lexsort((self._tracks[kept], -scores[kept]))]
        found: list[int] = self._tracks[best].tolist()
        return found


def evaluate_titles(
    settings: Settings,
    split: str,
    part: str = "validation",
    *,
    limit: int | None = None,
    shots: Sequence[Shots] = (),
    keep: bool = True,
    progress: Progress = silent,
) -> list[MethodResult]:
    """Answer the titles of a part with every method and score the answers, one method after the other.

    The baselines, then for each recommender of the split (one an encoder) the paper's vote and ours. The metrics are
    those of the split's protocol.

    Args:
        settings: where the database is.
        split: name of the split.
        part: "validation", or "test" for what is reported once.
        limit: so many playlists at most.
        shots: also ask a language model, once for each number of examples that its prompt shows.
        keep: store the results in `evaluation_run` and `evaluation_metric`.
        progress: called as work goes on.

    Raises:
        UnknownNameError: there is no such split.
        NotReadyError: the part is empty, or no recommender was built for the split.
        SettingsError: a language model is to be asked, and none is set.
        EndpointError: the language model does not answer.
        BusyError: another process is writing, where results are kept.
    """
    with translated_errors(), connect(settings) as connection:
        require_migrated(connection)
        own_id = split_id(connection, split)
        protocol = _protocol(connection, own_id)
        ways = [
            *_ways(connection, split, own_id, protocol),
            *_language_model(settings, connection, own_id if protocol == "clean" else None, shots),
        ]
        playlists = held_out(connection, own_id, part, limit)
        artist_of = artists_of_tracks(connection)
        connection.commit()
        results = [_score(*way, playlists, artist_of, protocol, progress) for way in ways]
        if keep:
            with writer_lock(connection, settings.db_schema):
                for result in results:
                    store_result(
                        connection,
                        subject="titles",
                        method=result.method,
                        split_id=own_id,
                        part=part,
                        config={"model": result.model, "n": N, "limit": limit},
                        seconds=result.seconds,
                        scores=result.scores,
                    )
    return results


Way = tuple[str, int | None, Answer]
"""A method's name, its recommender if it has one, and how it answers."""


def _ways(connection: psycopg.Connection, split: str, own_id: int, protocol: Protocol) -> list[Way]:
    models = connection.execute(RECOMMENDERS, {"split": own_id, "protocol": protocol}).fetchall()
    if not models:
        option = f" --split {split}" if protocol == "clean" else ""
        raise NotReadyError(f"nothing was built from the split {split}: run `recsys titles embed{option}`")
    baselines = Baselines(connection, read_entries(connection, own_id if protocol == "clean" else None))
    ways: list[Way] = [
        ("popularity", None, baselines.popularity),
        ("exact title", None, baselines.exact_title),
        ("title kernel, power 10", None, baselines.title_kernel),
    ]
    for model, name, is_adapted in models:
        short = name.rpartition("/")[2]
        if not is_adapted:
            ways.append((f"paper's vote, {short}", model, voting(connection, model, "seed")))
        ways.append((f"ours, {short}", model, voting(connection, model, "soft")))
    return ways


def _language_model(
    settings: Settings, connection: psycopg.Connection, split: int | None, shots: Sequence[Shots]
) -> list[Way]:
    """The paper's baseline of a language model; examples in its prompt are of the searched playlists."""

    def way(count: Shots) -> Way:
        model = LlmRecommender(settings, count)
        examples = read_examples(connection, split, count)

        def answer(title: str) -> list[int]:
            return model.answer(connection, title, LLM_SONGS, examples).track_ids

        return f"{model.model}, {count}-shot", None, answer

    return [way(count) for count in shots]


@dataclass(frozen=True)
class Trial:
    """One playlist as one method answered it; `hits` are the ranks, from 1, of the tracks that it holds."""

    method: str
    title: str
    truth: list[str]
    answer: list[str]
    hits: list[int]
    scores: dict[MetricKey, float]


def explain_playlist(settings: Settings, split: str, playlist: int, progress: Progress = silent) -> list[Trial]:
    """Every method's answer for one held-out playlist, with what was found of it.

    Raises:
        UnknownNameError: there is no such split, or the playlist is not held out in it.
        NotReadyError: no recommender was built for the split.
    """
    with translated_errors(), connect(settings, autocommit=True) as connection:
        require_migrated(connection)
        own_id = split_id(connection, split)
        row = connection.execute(
            "SELECT part FROM playlist_split WHERE split_id = %s AND playlist_id = %s", (own_id, playlist)
        ).fetchone()
        if row is None or row[0] == "train":
            raise UnknownNameError(f"playlist {playlist} is not held out in the split {split}")
        protocol = _protocol(connection, own_id)
        ways = _ways(connection, split, own_id, protocol)
        playlists = held_out(connection, own_id, row[0])
        place = playlists.playlist_ids.index(playlist)
        truth = playlists.tracks[place].tolist()
        held = _track_names(connection, truth)
        artist_of = artists_of_tracks(connection)
        trials = []
        for done, (method, _, answer) in enumerate(ways):
            progress(method, done, len(ways))
            tracks = answer(playlists.titles[place])
            trials.append(
                Trial(
                    method,
                    playlists.titles[place],
                    held,
                    _track_names(connection, tracks),
                    [rank for rank, t in enumerate(tracks, start=1) if t in truth],
                    score_list(tracks, truth, artist_of, protocol),
                )
            )
    return trials


def _track_names(connection: psycopg.Connection, tracks: Sequence[int]) -> list[str]:
    query = (
        "SELECT t.id, s.artist || ' - ' || t.title FROM track AS t JOIN song AS s ON s.id = t.song_id"
        " WHERE t.id = ANY(%s)"
    )
    names: dict[int, str] = dict(connection.execute(query, (list(tracks),)).fetchall())
    return [names[track] for track in tracks]


def validation_score(settings: Settings, split: str, limit: int | None = None) -> Callable[[int], float]:
    """A score of recommenders on the validation part for `tune_titles`, the mean of R-precision * 2 and NDCG."""

    @cache
    def playlists() -> HeldOut:
        with connect(settings, autocommit=True) as connection:
            return held_out(connection, split_id(connection, split), "validation", limit)

    def score(model: int) -> float:
        with translated_errors(), connect(settings, autocommit=True) as connection:
            answer = voting(connection, model, "soft")
            result = _score("ours", model, answer, playlists(), {}, "clean", silent)
        return objective(result.scores["r_precision_tracks", N], result.scores["ndcg", N])

    return score


def voting(connection: psycopg.Connection, model: int, method: str) -> Answer:
    """A vote of a recommender, in SQL, for titles whose vector is stored."""

    def answer(title: str) -> list[int]:
        given = {"title": title, "model": model, "method": method, "n": N}
        return [track for (track,) in connection.execute(VOTE, given, prepare=True)]

    return answer


def _protocol(connection: psycopg.Connection, split: int) -> Protocol:
    row = connection.execute("SELECT protocol FROM split WHERE id = %s", (split,)).fetchone()
    return "seed" if row is not None and row[0] == "seed" else "clean"


def _score(
    method: str,
    model: int | None,
    answer: Answer,
    playlists: HeldOut,
    artist_of: Mapping[int, int],
    protocol: Protocol,
    progress: Progress,
) -> MethodResult:
    begin = time.perf_counter()
    answers: dict[str, Sequence[int]] = {}
    titles = list(dict.fromkeys(playlists.titles))
    for done, title in enumerate(titles):
        if done % 20 == 0:
            progress(method, done, len(titles))
        answers[title] = answer(title)
    result = MethodResult(method, model, len(titles), time.perf_counter() - begin)
    for title, truth in zip(playlists.titles, playlists.tracks, strict=True):
        for key, value in score_list(answers[title], truth, artist_of, protocol).items():
            result.scores.setdefault(key, []).append(value)
    return result
