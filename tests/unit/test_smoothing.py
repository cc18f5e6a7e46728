"""Smoothed profiles against the same in loops over small matrices, and what holds for any matrix."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from scipy import sparse

from recsys.titles import smoothing
from recsys.titles.smoothing import Profiles, Smoothing, smoothed_profiles

OWN = Smoothing(kernel_share=0, low_rank_share=0)
KERNEL = Smoothing(kernel_share=0.5, low_rank_share=0)
LOW_RANK = Smoothing(kernel_share=0, low_rank_share=0.4)
BOTH = Smoothing(kernel_share=0.3, low_rank_share=0.6)

Matrix = npt.NDArray[np.float64]

# --- what is tested, and the same in loops ---------------------------------------------------------------------


def smoothed(counts: npt.ArrayLike, options: Smoothing) -> list[dict[int, float]]:
    """The profiles of a dense matrix: song -> weight, in the order in which a profile has them."""
    profiles = smoothed_profiles(sparse.csr_matrix(np.asarray(counts, dtype=np.float32)), options)
    return as_lists(profiles)


def as_lists(profiles: Profiles) -> list[dict[int, float]]:
    songs, weights = profiles.songs.tolist(), profiles.weights.tolist()
    bounds = list(zip(profiles.starts[:-1], profiles.starts[1:], strict=True))
    assert profiles.starts[0] == 0
    assert profiles.starts[-1] == len(songs) == len(weights)
    assert all(len(set(songs[first:last])) == last - first for first, last in bounds)
    return [dict(zip(songs[first:last], weights[first:last], strict=True)) for first, last in bounds]


def kernel_row(counts: Matrix, title: int, options: Smoothing) -> Matrix:
    """What like titles hold: the counts of the most like ones, by the cosine to a power; zeros where there is none."""
    own = counts[title] / np.linalg.norm(counts[title])
    likeness = []
    for other, row in enumerate(counts):
        likeness.append(0.0 if other == title else float(own @ row / np.linalg.norm(row)) ** options.kernel_power)
    least = sorted(likeness, reverse=True)[: options.kernel_titles][-1]
    total = np.zeros(counts.shape[1])
    for row, like in zip(counts, likeness, strict=True):
        if like >= least:
            total += like * row
    return total


def low_rank_rows(counts: Matrix, options: Smoothing) -> Matrix:
    """Titles x songs, rebuilt by the exact SVD; songs of one title are not, nor is what is negative."""
    holders = counts.sum(axis=0)
    several = (counts > 0).sum(axis=0) > 1
    rank = min(options.rank, counts.shape[0] // 4, several.sum() // 4)
    units = counts / np.linalg.norm(counts, axis=1, keepdims=True) / np.maximum(holders, 1) ** options.damping
    left, values, right = np.linalg.svd(units[:, several], full_matrices=False)
    rebuilt = np.zeros(counts.shape)
    rebuilt[:, several] = (left[:, :rank] * values[:rank]) @ right[:rank] * holders[several] ** options.damping
    return np.maximum(rebuilt, 0)


def of_mass_one(row: Matrix) -> Matrix:
    scaled: Matrix = row / row.sum()
    return scaled


def in_loops(counts: npt.ArrayLike, options: Smoothing) -> Matrix:
    """All profiles, uncut, titles x songs."""
    counts = np.asarray(counts, dtype=np.float64)
    rebuilt = low_rank_rows(counts, options)
    rows = []
    for title, own in enumerate(counts):
        row = of_mass_one(own)
        like = kernel_row(counts, title, options)
        if options.kernel_share and like.any():
            row = (1 - options.kernel_share) * row + options.kernel_share * of_mass_one(like)
        if options.low_rank_share and rebuilt[title].any():
            row = (1 - options.low_rank_share) * row + options.low_rank_share * of_mass_one(rebuilt[title])
        rows.append(of_mass_one(row * np.maximum(counts.sum(axis=0), 1) ** options.popularity) * own.sum())
    return np.array(rows)


def made_up(titles: int, songs: int, seed: int, density: float = 0.3) -> Matrix:
    """Counts of 1 to 4, with a song in every title."""
    chance = np.random.default_rng(seed)
    counts = chance.integers(1, 5, (titles, songs)) * (chance.random((titles, songs)) < density)
    counts[np.arange(titles), chance.integers(0, songs, titles)] += 1
    return counts.astype(np.float64)


def assert_same(found: list[dict[int, float]], expected: Matrix, kept: int = 10**9) -> None:
    """The heaviest songs with their weights; which of two equal ones is last in a cut profile is left open."""
    assert len(found) == len(expected)
    for profile, row in zip(found, expected, strict=True):
        assert list(profile.values()) == sorted(profile.values(), reverse=True)
        assert len(profile) == min(kept, int((row > 0).sum()))
        assert profile == {song: pytest.approx(row[song], rel=1e-4, abs=1e-6) for song in profile}
        assert sorted(profile.values()) == pytest.approx(np.sort(row)[-len(profile) :], rel=1e-4, abs=1e-6)


# --- worked by hand --------------------------------------------------------------------------------------------


def test_without_smoothing_a_profile_is_its_counts_heaviest_first_then_the_most_held_song() -> None:
    """Holders: 6, 2, 2, 6. Songs 1 and 2 are equal in everything, the first of them comes first."""
    counts = [[1, 1, 1, 3], [5, 0, 0, 3], [0, 1, 1, 0]]
    assert [list(profile.items()) for profile in smoothed(counts, OWN)] == [
        [(3, 3), (0, 1), (1, 1), (2, 1)],
        [(0, 5), (3, 3)],
        [(1, 1), (2, 1)],
    ]


def test_half_of_a_profile_is_what_like_titles_hold() -> None:
    """Title 0 meets title 1 only: its own {a: 1/2, b: 1/2}, title 1's {b: 1/4, c: 3/4}, mass 2."""
    counts = [[1, 1, 0, 0], [0, 1, 3, 0], [0, 0, 0, 1]]
    first, second, third = smoothed(counts, KERNEL)
    assert first == pytest.approx({1: 2 * (0.25 + 0.125), 2: 2 * 0.375, 0: 2 * 0.25})
    assert second == pytest.approx({2: 4 * 0.375, 1: 4 * (0.125 + 0.25), 0: 4 * 0.25})
    assert third == {3: 1}


def test_like_titles_are_heard_by_their_cosine_to_a_power() -> None:
    """Title 0 is {a}; cosines 1/sqrt(2) with {a, b} and 1/2 with {a, c, d, e}: squared 1/2 and 1/4."""
    counts = [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 0, 1, 1, 1]]
    heard = {0: 3 / 4, 1: 1 / 2, 2: 1 / 4, 3: 1 / 4, 4: 1 / 4}
    share = 0.5 / sum(heard.values())
    expected = {song: weight * share + (0.5 if song == 0 else 0) for song, weight in heard.items()}
    assert smoothed(counts, KERNEL)[0] == pytest.approx(expected)
    linear = {0: 0.5**0.5 + 0.5, 1: 0.5**0.5, 2: 0.5, 3: 0.5, 4: 0.5}
    share = 0.5 / sum(linear.values())
    expected = {song: weight * share + (0.5 if song == 0 else 0) for song, weight in linear.items()}
    assert smoothed(counts, replace(KERNEL, kernel_power=1))[0] == pytest.approx(expected)


def test_only_the_most_like_titles_are_heard() -> None:
    counts = [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 0, 1, 1, 1]]
    nearest = smoothed(counts, replace(KERNEL, kernel_titles=1))[0]
    assert nearest == pytest.approx({0: 0.5 + 0.25, 1: 0.25})


@pytest.mark.parametrize("options", [KERNEL, BOTH, replace(KERNEL, kernel_share=1)])
def test_a_title_that_shares_no_song_keeps_its_own_profile(options: Smoothing) -> None:
    assert smoothed([[1, 2, 0, 0], [0, 0, 1, 3]], options) == [{1: 2, 0: 1}, {3: 3, 2: 1}]


@pytest.mark.parametrize("options", [OWN, KERNEL, BOTH, replace(BOTH, kernel_share=1)])
def test_one_title_only_keeps_its_own_profile(options: Smoothing) -> None:
    assert smoothed([[1, 0, 2]], options) == [{2: 2, 0: 1}]


def test_nothing_but_like_titles_is_heard_at_a_share_of_1() -> None:
    assert smoothed([[2, 2, 0], [0, 1, 3]], replace(KERNEL, kernel_share=1)) == [
        pytest.approx({2: 3, 1: 1}),
        pytest.approx({0: 2, 1: 2}),
    ]


def test_what_everybody_holds_is_damped_and_the_mass_stays() -> None:
    """Holders 4 and 1: counts 2 and 1 become 2 / 4 and 1, of mass 3."""
    first, _ = smoothed([[2, 1], [2, 0]], replace(OWN, popularity=-1))
    assert first == pytest.approx({1: 2, 0: 1})


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_a_profile_keeps_its_heaviest_songs_as_they_were(kept: int) -> None:
    whole = [(3, 3), (0, 1), (1, 1), (2, 1)]
    assert list(smoothed([[1, 1, 1, 3], [5, 0, 0, 3]], replace(OWN, tracks=kept))[0].items()) == whole[:kept]


# --- against the loops -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "options",
    [
        KERNEL,
        replace(KERNEL, kernel_share=0.9, kernel_power=3),
        replace(KERNEL, kernel_titles=4),
        LOW_RANK,
        replace(LOW_RANK, low_rank_share=1, damping=0),
        replace(LOW_RANK, rank=2, damping=0.7),
        BOTH,
        replace(BOTH, popularity=0.5),
        replace(OWN, popularity=-1),
    ],
)
def test_profiles_are_those_of_the_loops(options: Smoothing, seed: int) -> None:
    """With 13 titles the random projection is of full rank, so that the randomised SVD is exact."""
    counts = made_up(13, 40, seed)
    assert_same(smoothed(counts, options), in_loops(counts, options))


@pytest.mark.parametrize("options", [KERNEL, BOTH])
def test_titles_that_are_smoothed_block_by_block_are_the_same(
    options: Smoothing, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = made_up(13, 40, seed=9)
    monkeypatch.setattr(smoothing, "BLOCK", 5)
    seen: list[tuple[int, int]] = []
    profiles = smoothed_profiles(
        sparse.csr_matrix(counts.astype(np.float32)), options, lambda done, of: seen.append((done, of))
    )
    assert_same(as_lists(profiles), in_loops(counts, options))
    assert seen == [(5, 13), (10, 13), (13, 13)]


def test_more_songs_than_are_kept_are_cut_after_they_were_mixed() -> None:
    counts = made_up(13, 60, seed=4, density=0.5)
    expected = in_loops(counts, KERNEL)
    assert (expected > 0).sum(axis=1).min() > 20
    assert_same(smoothed(counts, replace(KERNEL, tracks=20)), expected, kept=20)


def test_only_the_most_held_songs_of_a_title_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Title 0 has songs a and b in common with the others, but of three songs only c and d are looked at."""
    monkeypatch.setattr(smoothing, "KERNEL_SONGS", 2)
    counts = [[1, 0, 3, 2], [1, 1, 0, 0], [0, 0, 3, 2]]
    first, second, _ = smoothed(counts, KERNEL)
    assert second == {0: 1, 1: 1}
    assert first == pytest.approx({2: 1.5 + 1.8, 3: 1 + 1.2, 0: 0.5})


def test_only_the_most_held_songs_are_reconstructed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoothing, "LOW_RANK_SONGS", 8)
    counts = made_up(13, 40, seed=5)
    most_held = set(np.lexsort((np.arange(40), -counts.sum(axis=0)))[:8].tolist())
    for own, profile in zip(counts, smoothed(counts, LOW_RANK), strict=True):
        assert set(profile) <= most_held | set(np.flatnonzero(own).tolist())


def test_a_large_matrix_is_reconstructed_nearly_as_well_as_can_be() -> None:
    """120 titles of 6 tastes: what the randomised SVD leaves out is noise."""
    chance = np.random.default_rng(0)
    tastes = chance.random((6, 150)) ** 6
    rates = tastes[chance.integers(0, 6, 120)]
    counts = chance.poisson(rates * 3).astype(np.float64)
    counts[:, 0] += 1
    options = replace(LOW_RANK, rank=6)
    expected = in_loops(counts, options)
    found = smoothed(counts, options)
    for profile, row in zip(found, expected, strict=True):
        dense = np.zeros(len(row))
        dense[list(profile)] = list(profile.values())
        assert np.abs(dense - row).sum() < 0.02 * row.sum()


def test_the_same_counts_give_the_same_profiles() -> None:
    counts = made_up(60, 80, seed=6)
    assert smoothed(counts, BOTH) == smoothed(counts, BOTH)


# --- what holds for any matrix ---------------------------------------------------------------------------------

MATRICES = st.integers(1, 14).flatmap(
    lambda songs: st.lists(
        st.lists(st.integers(0, 4), min_size=songs, max_size=songs).filter(any), min_size=1, max_size=14
    )
)
SHARES = st.sampled_from([0.0, 0.3, 0.5, 1.0])


@examples(max_examples=150, deadline=None)
@given(MATRICES, SHARES, SHARES, st.integers(1, 6), st.integers(1, 20))
def test_what_holds_for_any_profile(
    counts: list[list[int]], kernel: float, low_rank: float, titles: int, kept: int
) -> None:
    options = Smoothing(kernel_share=kernel, low_rank_share=low_rank, kernel_titles=titles, tracks=kept)
    profiles = smoothed(counts, options)
    assert len(profiles) == len(counts)
    for own, profile in zip(counts, profiles, strict=True):
        weights = list(profile.values())
        assert 0 < len(weights) <= kept
        assert weights == sorted(weights, reverse=True)
        assert min(weights) > 0
        assert sum(weights) <= sum(own) * (1 + 1e-5)
        if len(weights) < kept:
            assert sum(weights) == pytest.approx(sum(own), rel=1e-5)
        if not kernel and not low_rank:
            assert profile.items() <= {song: float(count) for song, count in enumerate(own) if count}.items()
            assert len(profile) == min(kept, np.count_nonzero(own))
