"""How lists look, worked out by hand."""

import math

import numpy as np
import pytest
from scipy import sparse

from recsys.evaluation.list_shape import ListShape, SongFacts, distance_intervals, distances, list_shape
from tests.order_worlds import sets_of

FACTS = SongFacts(
    plays=np.array([0, 1, 3, 7, 0, 0, 0, 0]),
    clusters=(np.array([0, 0, 1, 1, -1, 0, 0, 0]), np.zeros(8, dtype=np.int64)),
    dj_plays=sparse.csr_matrix(np.array([[1, 0, 2, 0, 0, 0, 0, 0], [0] * 8])),
    vectors=np.array([[1, 0], [3, 0], [0, 2], [-1, 0], [0, 0], [0, 0], [0, 0], [0, 0]], dtype=np.float32),
)
"""Songs a, b, c .., in two levels of clusters, of which a and b are alike, c unlike both, and d the opposite of a."""

RESPECTS = ("artist_repetition", "cluster_run_1", "cluster_run_0", "popularity", "dj_affinity", "diversity")


def shape_of(*lists: tuple[int, str, int | None]) -> ListShape:
    return list_shape(sets_of(*lists), FACTS)


def test_artists_that_come_again_are_counted() -> None:
    # a and b are by one artist, c and d by the next: b and the second a repeat theirs.
    shape = shape_of((0, "abca", 1), (0, "ac", 1), (0, "-", 1))
    assert shape.artist_repetition == pytest.approx([2 / 4, 0, np.nan], nan_ok=True)


def test_runs_of_a_cluster_are_measured_over_songs_in_none() -> None:
    # ab|cd|a are runs of 2, 2 and 1; in aebc, e is passed over: ab|c.
    shape = shape_of((0, "abcda", 1), (0, "aebc", 1), (0, "a", 1), (0, "a", 1), (0, "e", 1))
    assert shape.cluster_runs[0] == pytest.approx([5 / 3, 3 / 2, 1, 1, np.nan], nan_ok=True)
    # On the level above all songs are in one cluster.
    assert shape.cluster_runs[1] == pytest.approx([5, 4, 1, 1, 1])


def test_popularity_is_the_mean_log_of_plays() -> None:
    shape = shape_of((0, "ab-", 1), (0, "cd", 1), (0, "--", 1))
    assert shape.popularity == pytest.approx([math.log(2) / 2, (math.log(4) + math.log(8)) / 2, np.nan], nan_ok=True)


def test_affinity_is_the_share_of_songs_that_the_dj_played() -> None:
    # DJ 0 played a and c; DJ 1 has no past, -1 is nobody.
    shape = shape_of((0, "abcd", 1), (0, "ac-", 1), (1, "a", 1), (-1, "a", 1))
    assert shape.dj_affinity == pytest.approx([1 / 2, 1, np.nan, np.nan], nan_ok=True)


def test_diversity_is_one_minus_the_mean_cosine() -> None:
    # Cosines: ab 1, ac 0, bc 0; ad -1; e has no vector.
    shape = shape_of((0, "abc", 1), (0, "ad", 1), (0, "abe", 1), (0, "ae", 1))
    assert shape.diversity == pytest.approx([1 - 1 / 3, 2, 0, np.nan], nan_ok=True)


def test_coverage_is_of_all_lists() -> None:
    assert shape_of((0, "aab", 1), (0, "bc", 1)).coverage == 3 / 8
    assert shape_of().coverage == 0


def test_means_pass_over_lists_without_a_number() -> None:
    means = shape_of((0, "ab", 1), (-1, "cd", 1)).means()
    assert list(means) == [*RESPECTS, "coverage"]
    assert means["dj_affinity"] == 1 / 2
    assert means["artist_repetition"] == 1 / 2
    assert math.isnan(shape_of((-1, "a", 1)).means()["dj_affinity"])


def test_distance_is_the_mean_difference_of_sorted_numbers() -> None:
    # Repetition 0 and 1/2 beside 1/2 and 1/2; runs 1 and 2 beside 2 and 2.
    told = distances(shape_of((0, "ac", 1), (0, "ab", 1)), shape_of((-1, "cd", 1), (-1, "ab", 1)))
    assert told["artist_repetition"] == pytest.approx(1 / 4)
    assert told["cluster_run_0"] == pytest.approx(1 / 2)
    assert math.isnan(told["dj_affinity"])
    same = shape_of((0, "abca", 1), (0, "bd", 1))
    assert distances(same, same) == dict.fromkeys(RESPECTS, 0)


def test_an_interval_of_a_distance_draws_lists_in_pairs() -> None:
    # Runs 1 and 2 beside 2 and 1: in pairs that are drawn once each there is no distance, in one that is drawn twice 1.
    first, second = shape_of((0, "ac", 1), (0, "ab", 1)), shape_of((-1, "ab", 1), (-1, "ac", 1))
    told = distance_intervals(first, second)
    assert tuple(told["cluster_run_0"]) == (0, 0, 1)
    assert tuple(told["cluster_run_1"]) == (0, 0, 0)
    assert "dj_affinity" not in told
    rng = np.random.default_rng(3)
    drawn = rng.integers(2, size=(40, 2))
    apart = [float(one == other) for one, other in drawn]
    assert tuple(distance_intervals(first, second, samples=40, seed=3)["cluster_run_0"])[1:] == pytest.approx(
        tuple(np.quantile(apart, [0.025, 0.975]))
    )
