"""The metrics against lists that were worked out by hand, and what must hold for every list."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.evaluation.metrics import (
    CHALLENGE_METRICS,
    LOWER_IS_BETTER,
    PAPER_CUTS,
    PAPER_METRICS,
    bootstrap,
    bootstrap_columns,
    clicks,
    ndcg,
    paired_bootstrap,
    paper_scores,
    r_precision,
    r_precision_tracks,
    score_list,
)

# True tracks 1 and 2 are by artist 10, 3 by 20, 4 by 30. Of the others 11 is by 10, 12 and 14 by 20, 13 by 99;
# of 15 and 16 no artist is known.
TRUTH = [1, 2, 3, 4]
ARTIST_OF = {1: 10, 2: 10, 3: 20, 4: 30, 11: 10, 12: 20, 13: 99, 14: 20}

RANKED = [1, 13, 12, 14, 2, 15, 4]
"""True at ranks 1, 5 and 7."""

# 1 / log2(rank + 1) by rank: 1 1; 2 .630930; 3 .5; 4 .430677; 5 .386853; 6 .356207; 7 .333333; 8 .315465
IDEAL_OF_4 = 1 + 0.630930 + 0.5 + 0.430677


def near(value: float) -> object:
    return pytest.approx(value, abs=1e-6)


# --- the challenge's metrics ---------------------------------------------------------------------------------------


def test_r_precision_of_tracks_counts_the_first_as_many_as_are_true() -> None:
    # Of the first 4, track 1 is true: 1 / 4.
    assert r_precision_tracks(RANKED, TRUTH) == 0.25


def test_an_artist_earns_a_quarter_once_and_only_by_a_track_that_does_not_match() -> None:
    # First 4: track 1 matches (its artist 10 earns nothing), 13 is a stranger's, 12 and 14 are both by 20, who
    # has the true track 3: one bonus. (1 + .25) / 4.
    assert r_precision(RANKED, TRUTH, ARTIST_OF) == 0.3125


def test_an_artist_of_whom_one_track_matches_still_earns_a_bonus_by_another() -> None:
    # First 4: 1 matches; 11 is by its artist 10 and does not match, as in the challenge's code. (1 + .25) / 4.
    assert r_precision([1, 11, 13, 15], TRUTH, ARTIST_OF) == 0.3125


def test_a_true_track_that_stands_twice_earns_neither_another_hit_nor_a_bonus() -> None:
    assert r_precision([1, 1, 1, 1], TRUTH, ARTIST_OF) == 0.25


def test_an_unknown_artist_matches_nobody() -> None:
    assert r_precision([15, 16], [21, 22], ARTIST_OF) == 0.0


def test_r_precision_divides_by_all_true_tracks_where_the_list_is_short() -> None:
    assert r_precision([3], TRUTH, ARTIST_OF) == 0.25
    assert r_precision_tracks([3], TRUTH) == 0.25


def test_r_precision_reads_500_tracks_also_of_a_longer_truth() -> None:
    # The first 500 of 600 true tracks are answered, 100 more beyond the cut.
    assert r_precision_tracks(range(600), range(600)) == near(500 / 600)
    assert r_precision(range(600), range(600), {}) == near(500 / 600)


def test_ndcg_divides_by_the_ideal_list_of_all_true_tracks() -> None:
    # Ranks 1, 5, 7: (1 + .386853 + .333333) / 2.561607 = .671526
    assert ndcg(RANKED, TRUTH) == near(1.720186 / IDEAL_OF_4) == near(0.671526)


def test_the_ideal_list_of_ndcg_ends_at_the_cut() -> None:
    # At 2: rank 1 is true; the ideal has two of the four: 1 / (1 + .630930) = .613147
    assert ndcg(RANKED, TRUTH, 2) == near(0.613147)


def test_a_repeated_track_is_a_miss_at_its_second_place() -> None:
    # True at ranks 1 and 3, rank 2 repeats 1: (1 + .5) / (1 + .630930)
    assert ndcg([1, 1, 2], [1, 2]) == near(1.5 / 1.630930)


@pytest.mark.parametrize(("rank", "expected"), [(1, 0), (10, 0), (11, 1), (20, 1), (21, 2), (500, 49), (501, 51)])
def test_clicks_count_the_refreshes_before_the_first_true_track(rank: int, expected: int) -> None:
    ranked = [*range(1000, 1000 + rank - 1), 7]
    assert clicks(ranked, [7]) == expected


def test_clicks_of_an_empty_list_are_51() -> None:
    assert clicks([], [7]) == 51


# --- the paper's metrics -------------------------------------------------------------------------------------------


def test_the_papers_metrics_of_a_short_list() -> None:
    scores = paper_scores(RANKED, TRUTH, ARTIST_OF, 10)
    assert scores.hit == 0.75  # 3 of min(10, 4)
    assert scores.precision == near(3 / 7)  # 3 of the 7 that were answered, not of 10
    assert scores.recall == 0.75  # 3 of 4
    assert scores.mrr == 1.0  # rank 1
    # First 4: track 1 matches, and the artists 10 (of that very track) and 20 match: (1 + 2 * .25) / 4.
    assert scores.r_precision == 0.375
    # Its ideal has the three hits first: 1.720186 / (1 + .630930 + .5) = .807246
    assert scores.ndcg == near(0.807246)


def test_the_papers_metrics_at_a_cut_below_the_true_tracks() -> None:
    scores = paper_scores([13, 2, 1, 4], TRUTH, ARTIST_OF, 2)
    assert scores.hit == 0.5  # 1 of min(2, 4)
    assert scores.precision == 0.5
    assert scores.recall == 0.25
    assert scores.mrr == 0.5  # rank 2
    assert scores.r_precision == near((1 + 0.25) / 4)  # tracks 13 and 2: 2 matches, so does its artist
    assert scores.ndcg == near(0.630930)  # the hit at rank 2 over the same at rank 1


def test_the_papers_r_precision_of_a_perfect_list_is_above_one() -> None:
    # 4 tracks and 3 artists: (4 + .75) / 4
    assert paper_scores(TRUTH, TRUTH, ARTIST_OF, 10).r_precision == near(1.1875)


def test_a_list_without_a_true_track_scores_nothing() -> None:
    assert paper_scores([15, 16], TRUTH, ARTIST_OF, 10) == (0, 0, 0, 0, 0, 0)
    assert paper_scores([], TRUTH, ARTIST_OF, 10) == (0, 0, 0, 0, 0, 0)


# --- all of them ---------------------------------------------------------------------------------------------------


def test_one_call_gives_every_metric_at_its_cuts() -> None:
    scores = score_list(RANKED, np.array(TRUTH), ARTIST_OF, "clean")
    assert set(scores) == {(name, 500) for name in CHALLENGE_METRICS} | {
        (n, k) for n in PAPER_METRICS for k in PAPER_CUTS
    }
    assert scores["r_precision", 500] == r_precision(RANKED, TRUTH, ARTIST_OF)
    assert scores["r_precision_tracks", 500] == r_precision_tracks(RANKED, TRUTH)
    assert scores["ndcg", 500] == ndcg(RANKED, TRUTH)
    assert scores["clicks", 500] == clicks(RANKED, TRUTH)
    for k in PAPER_CUTS:
        expected = paper_scores(RANKED, TRUTH, ARTIST_OF, k)
        assert tuple(scores[name, k] for name in PAPER_METRICS) == expected


def test_the_seed_protocol_has_the_papers_metrics_alone() -> None:
    scores = score_list(RANKED, TRUTH, ARTIST_OF, "seed")
    assert set(scores) == {(name, k) for name in PAPER_METRICS for k in PAPER_CUTS}


def test_no_true_tracks_cannot_be_scored() -> None:
    with pytest.raises(ValueError, match="no tracks"):
        score_list([1, 2], [], ARTIST_OF)


@pytest.mark.parametrize("k", [0, 501])
def test_a_cut_outside_1_to_500_is_refused(k: int) -> None:
    with pytest.raises(ValueError, match="1 to 500"):
        ndcg([1], [1], k)


TRACKS = st.integers(0, 60)
LISTS = st.lists(TRACKS, max_size=80)
DISTINCT_LISTS = st.lists(TRACKS, max_size=60, unique=True)
TRUTHS = st.sets(TRACKS, min_size=1, max_size=30)
ARTISTS = {track: track % 7 for track in range(50)}


@given(LISTS, TRUTHS)
def test_every_metric_stays_within_its_bounds(ranked: list[int], truth: set[int]) -> None:
    for (name, _), value in score_list(ranked, truth, ARTISTS).items():
        highest = 51 if name == "clicks" else 1.25 if name == "paper_r_precision" else 1
        assert 0 <= value <= highest + 1e-12, name


@given(DISTINCT_LISTS.filter(bool))
def test_a_perfect_list_scores_one_in_any_order(ranked: list[int]) -> None:
    truth = set(ranked)
    scores = score_list(ranked, truth, ARTISTS)
    assert scores["r_precision", 500] == scores["r_precision_tracks", 500] == 1
    assert scores["ndcg", 500] == near(1)
    assert scores["clicks", 500] == 0
    assert scores["paper_hit", 500] == scores["paper_recall", 500] == scores["paper_mrr", 500] == 1
    assert scores["paper_ndcg", 500] == near(1)


@given(DISTINCT_LISTS, TRUTHS, st.data())
def test_moving_a_true_track_up_never_lowers_a_score(ranked: list[int], truth: set[int], data: st.DataObject) -> None:
    places = [place for place in range(1, len(ranked)) if ranked[place] in truth and ranked[place - 1] not in truth]
    if not places:
        return
    place = data.draw(st.sampled_from(places))
    better = ranked.copy()
    better[place - 1], better[place] = better[place], better[place - 1]
    before, after = (score_list(tracks, truth, {}) for tracks in (ranked, better))
    for key in before:
        gain = before[key] - after[key] if key[0] in LOWER_IS_BETTER else after[key] - before[key]
        # The paper's NDCG falls where a hit that was beyond the cut enters it late: its ideal grows with it.
        assert gain >= -1e-12 or key[0] == "paper_ndcg", key


@given(DISTINCT_LISTS, TRUTHS, TRACKS)
def test_a_longer_list_never_lowers_a_score_of_the_challenge(ranked: list[int], truth: set[int], more: int) -> None:
    before, after = (score_list(tracks, truth, ARTISTS) for tracks in (ranked, [*ranked, more]))
    for name in ("r_precision", "r_precision_tracks", "ndcg"):
        assert after[name, 500] >= before[name, 500] - 1e-12
    assert after["clicks", 500] <= before["clicks", 500]
    assert after["paper_recall", 500] >= before["paper_recall", 500]


@given(LISTS, TRUTHS)
def test_the_challenges_metrics_are_never_above_the_papers(ranked: list[int], truth: set[int]) -> None:
    scores = score_list(ranked, truth, ARTISTS)
    assert scores["ndcg", 500] <= scores["paper_ndcg", 500] + 1e-12
    assert scores["r_precision", 500] <= scores["paper_r_precision", 500] + 1e-12


# --- intervals -----------------------------------------------------------------------------------------------------


def test_equal_values_have_no_spread() -> None:
    assert bootstrap([0.25] * 20) == (0.25, 0.25, 0.25)


def test_the_interval_of_a_share_is_that_of_its_normal_approximation() -> None:
    # 200 of 400: standard error sqrt(.25 / 400) = .025, so .5 -+ 1.96 * .025.
    mean, low, high = bootstrap([0.0, 1.0] * 200, samples=4000)
    assert mean == 0.5
    assert low == pytest.approx(0.451, abs=0.006)
    assert high == pytest.approx(0.549, abs=0.006)


def test_a_lower_level_gives_a_narrower_interval() -> None:
    values = list(np.linspace(0, 1, 50))
    wide, narrow = bootstrap(values), bootstrap(values, level=0.5)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_the_same_seed_gives_the_same_interval() -> None:
    values = list(np.linspace(0, 1, 30))
    assert bootstrap(values, seed=3) == bootstrap(values, seed=3) != bootstrap(values, seed=4)


def test_columns_are_drawn_together_as_each_alone() -> None:
    values = np.random.default_rng(0).random((40, 3))
    assert bootstrap_columns(values) == [pytest.approx(bootstrap(values[:, column])) for column in range(3)]


def test_many_playlists_are_drawn_in_blocks() -> None:
    values = np.random.default_rng(0).random(30_000)
    mean, low, high = bootstrap(values, samples=300)
    error = 1.96 * values.std() / math.sqrt(len(values))
    assert (low, high) == (pytest.approx(mean - error, abs=error / 3), pytest.approx(mean + error, abs=error / 3))


def test_a_small_steady_lead_is_seen_through_a_large_common_spread() -> None:
    first = np.random.default_rng(0).random(100)
    second = first - np.tile([0.005, 0.015], 50)
    difference = paired_bootstrap(first, second)
    assert difference.mean == pytest.approx(0.01)
    assert 0.008 < difference.low < difference.high < 0.012
    assert bootstrap(first).low < bootstrap(second).high


def test_no_values_have_no_interval() -> None:
    with pytest.raises(ValueError, match="no values"):
        bootstrap([])


def test_pairs_are_of_one_length() -> None:
    with pytest.raises(ValueError, match="shorter"):
        paired_bootstrap([0.1, 0.2], [0.1])
