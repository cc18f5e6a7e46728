"""What recommenders for DJs are measured against, over worlds of a few tracklists."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from cli import evaluate_graph
from recsys.evaluation.graph import Scorer, first_songs
from recsys.evaluation.graph_baselines import DjNeighbours, OwnRepeats, Popularity, SongNeighbours, recent_plays
from recsys.evaluation.graph_factors import Factors, fit_als, fit_bpr, fit_lightgcn, mean_fold_in
from recsys.evaluation.graph_methods import METHODS, Fitting
from recsys.tracklists.past import Newcomers
from tests.graph_worlds import LETTERS, newcomers_of, places, snapshot_of

pytestmark = pytest.mark.usefixtures("one_thread")

TWO_TASTES = snapshot_of(
    *((0, songs, day) for day, songs in enumerate(["abc", "bcd", "abd", "abd"])),
    *((1, songs, day) for day, songs in enumerate(["ab", "cd", "ad"])),
    *((2, songs, day) for day, songs in enumerate(["efg", "fgh", "egh", "eg"])),
    *((3, songs, day) for day, songs in enumerate(["ef", "gh", "eh"])),
    (4, "abc", 9),
    (5, "efg", 9),
)
"""DJs 0, 1 and 4 play a to d, the others e to h."""


def ranked(scorer: Scorer, dj: int, n: int = len(LETTERS)) -> str:
    [scores] = scorer.of_djs(np.array([dj]))
    return "".join(LETTERS[song] for song in first_songs(scores, n))


def ranked_for(scorer: Scorer, plays: str, n: int = len(LETTERS)) -> str:
    [scores] = scorer.of_newcomers(newcomers_of(plays))
    return "".join(LETTERS[song] for song in first_songs(scores, n))


def test_popularity_counts_tracklists() -> None:
    popular = Popularity(snapshot_of((0, "aab", 1), (0, "b", 1), (1, "bc", 2), (1, "c", 2)))
    assert ranked(popular, 0, 3) == ranked(popular, 1, 3) == ranked_for(popular, "h", 3) == "bca"
    assert popular.of_newcomers(newcomers_of("", "a")).shape == (2, len(LETTERS))


def test_own_plays_come_first_then_popular_songs() -> None:
    own = OwnRepeats(snapshot_of((0, "ab", 1), (0, "b", 1), (1, "cde", 2), (1, "de", 2), (2, "e", 3)))
    assert ranked(own, 0, 5) == "baedc"
    assert ranked(own, 1, 5) == "edcba"
    assert ranked_for(own, "cca", 4) == "caeb"


def test_older_plays_count_less() -> None:
    snapshot = snapshot_of((0, "a", 0), (0, "ab", 90), (0, "c", 180), (1, "a", 50), (1, "b", None))
    recent = recent_plays(snapshot, 90).toarray()
    assert recent[0, :3] == pytest.approx([1 / 4 + 1 / 2, 1 / 2, 1])
    # No date is the first day, 50 days before the last of this DJ.
    assert recent[1, :2] == pytest.approx([1, 2 ** (-50 / 90)])
    assert ranked(OwnRepeats(snapshot, 90), 0, 3) == "cab"
    assert ranked(OwnRepeats(snapshot), 0, 3) == "abc"


def test_nearest_djs_tell_new_songs() -> None:
    snapshot = snapshot_of((0, "ab", 1), (1, "abc", 1), (2, "bd", 1), (3, "e", 1))
    near = DjNeighbours(snapshot)
    assert ranked(near, 0, 4)[2:] == "cd"
    assert ranked_for(near, "e", 1) == "e"
    assert ranked_for(near, "ab", 4)[2:] == "cd"
    nearest = DjNeighbours(snapshot, neighbours=1)
    [scores] = nearest.of_djs(np.array([0]))
    # The best song of the neighbours counts 1, each of the two own ones 10 log 5 beside it.
    assert scores[places("cd")] == pytest.approx([1, 0])
    assert scores[places("ab")] == pytest.approx(1 + 10 * math.log(5))


def test_what_neighbours_lately_play_counts_more() -> None:
    snapshot = snapshot_of((0, "a", 365), (1, "a", 365), (1, "b", 365), (1, "c", 0))
    [scores] = DjNeighbours(snapshot, half_life=365.0).of_djs(np.array([0]))
    assert scores[places("bc")] == pytest.approx([1, math.log1p(4 / 2) / math.log1p(4)])


def test_songs_of_the_same_tracklists_follow() -> None:
    snapshot = snapshot_of((0, "a", 1), (1, "ab", 1), (1, "acde", 1), (1, "dfgh", 1))
    [scores] = SongNeighbours(snapshot).of_djs(np.array([0]))
    # b shares one list of two songs, c one of four; d as c, but it stands in two lists.
    told = [1 / math.sqrt(2), 1 / 2, 1 / 2 / math.sqrt(2), 0]
    assert scores[places("bcdf")] == pytest.approx(np.array(told) / told[0])
    assert scores[places("a")] == pytest.approx(10 * math.log(5))
    assert ranked_for(SongNeighbours(snapshot), "f", 3)[0] == "f"


def test_a_newcomer_without_plays_is_no_error() -> None:
    for name in ("popularity", "own", "own-90d", "dj-knn", "item-knn", "bpr", "als"):
        scores = METHODS[name](TWO_TASTES, Fitting()).of_newcomers(newcomers_of("", "a"))
        assert scores.shape == (2, len(LETTERS))
        assert scores.dtype == np.float32
        assert not np.isnan(scores).any()


@pytest.mark.parametrize(
    "fit",
    [
        lambda: fit_als(TWO_TASTES, factors=2, regularization=0.1),
        lambda: fit_bpr(TWO_TASTES, factors=4),
        lambda: fit_lightgcn(TWO_TASTES, factors=8, steps=100, batch=64, device="cpu"),
    ],
    ids=["als", "bpr", "lightgcn"],
)  # fmt: skip
def test_factors_find_songs_of_the_same_taste_and_fold_listeners_in(fit: Callable[[], Factors]) -> None:
    factors = fit()
    assert set(ranked(factors, 4, 4)) == set("abcd")
    assert set(ranked(factors, 5, 4)) == set("efgh")
    assert set(ranked_for(factors, "ab", 4)) == set("abcd")
    assert set(ranked_for(factors, "h", 4)) == set("efgh")
    again = fit()
    np.testing.assert_array_equal(again.djs, factors.djs)
    np.testing.assert_array_equal(again.songs, factors.songs)


def test_a_listener_is_the_mean_of_the_songs() -> None:
    songs = np.array([[1, 0], [3, 4], [5, 5]], dtype=np.float32)
    told = newcomers_of("aab", "")
    three_songs = Newcomers(told.lists[:, :3], told.days, told.owned)
    np.testing.assert_allclose(mean_fold_in(songs, three_songs), [[2, 2], [0, 0]])


def test_the_command_names_all_methods() -> None:
    assert tuple(METHODS) == evaluate_graph.METHODS
