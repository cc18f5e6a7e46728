"""Profiles that hear those of the nearest titles, against the same in loops, and what holds for any of them."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from recsys.titles import smoothing
from recsys.titles.smoothing import Heard, Profiles, Smoothing, neighbour_profiles

Profile = dict[int, float]
"""Song -> weight, in the order in which a profile has them."""
Vectors = npt.NDArray[np.float32]

OPTIONS = Smoothing(neighbours=4, neighbour_temperature=0.2, neighbour_balance=0.3)

# --- what is tested, and the same in loops ---------------------------------------------------------------------


def heard(
    profiles: Sequence[Profile], vectors: npt.ArrayLike, playlists: Sequence[int], options: Smoothing
) -> list[Profile]:
    lengths = [len(profile) for profile in profiles]
    given = Profiles(
        np.concatenate([[0], np.cumsum(lengths)]),
        np.array([song for profile in profiles for song in profile], dtype=np.int64),
        np.array([weight for profile in profiles for weight in profile.values()], dtype=np.float32),
    )
    found = neighbour_profiles(Heard(given, np.asarray(vectors, dtype=np.float32), np.array(playlists)), options)
    songs, weights = found.songs.tolist(), found.weights.tolist()
    assert (found.starts[0], found.starts[-1]) == (0, len(songs))
    assert (found.starts.dtype, found.songs.dtype, found.weights.dtype) == (np.int64, np.int64, np.float32)
    return [
        dict(zip(songs[first:last], weights[first:last], strict=True))
        for first, last in zip(found.starts[:-1], found.starts[1:], strict=True)
    ]


def in_loops(
    profiles: Sequence[Profile], vectors: Vectors, playlists: Sequence[int], options: Smoothing
) -> list[Profile]:
    made = []
    for own in vectors.tolist():
        nearness = {
            other: math.fsum(x * y for x, y in zip(own, vector, strict=True))
            for other, vector in enumerate(vectors.tolist())
        }
        nearest = sorted(nearness, key=lambda other: -nearness[other])[: options.neighbours]
        weights: dict[int, float] = defaultdict(float)
        for other in nearest:
            distance = nearness[other] - nearness[nearest[0]]
            voice = math.exp(distance / options.neighbour_temperature) / playlists[other] ** options.neighbour_balance
            for song, weight in profiles[other].items():
                weights[song] += voice * weight
        kept = sorted(weights, key=lambda song: (-weights[song], song))[: options.tracks]
        whole = math.fsum(weights[song] for song in kept)
        made.append({song: weights[song] / whole for song in kept})
    return made


def made_up(titles: int, songs: int, seed: int) -> tuple[list[Profile], Vectors, list[int]]:
    """Profiles of 1 to 8 songs, heaviest first, unit vectors and playlists of each title."""
    chance = np.random.default_rng(seed)
    profiles = []
    for _ in range(titles):
        chosen = chance.choice(songs, chance.integers(1, 9), replace=False).tolist()
        weights = np.sort(chance.random(len(chosen)).astype(np.float32) + np.float32(0.1))[::-1].tolist()
        profiles.append(dict(zip(chosen, weights, strict=True)))
    vectors = chance.normal(size=(titles, 5))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return profiles, vectors.astype(np.float32), chance.integers(1, 40, titles).tolist()


def assert_same(found: list[Profile], expected: list[Profile]) -> None:
    assert [list(profile) for profile in found] == [list(profile) for profile in expected]
    assert found == [pytest.approx(profile, rel=1e-4) for profile in expected]


# --- worked by hand --------------------------------------------------------------------------------------------

ACROSS = [[1, 0], [0, 1]]
"""Two titles with a cosine of 0: at a temperature of 1 / ln 3, the other one's voice is a third."""
THIRD = replace(OPTIONS, neighbour_temperature=1 / math.log(3), neighbour_balance=0)


def test_a_profile_is_the_mean_of_its_neighbours_and_itself() -> None:
    """Of masses 2 and 4: title 0 has heard {a: 1, b: 1} and a third of {b: 3, c: 1}, title 1 the other way round."""
    first, second = heard([{0: 1, 1: 1}, {1: 3, 2: 1}], ACROSS, [1, 1], THIRD)
    assert list(first.items()) == [(1, pytest.approx(6 / 10)), (0, pytest.approx(3 / 10)), (2, pytest.approx(1 / 10))]
    assert list(second.items()) == [(1, pytest.approx(10 / 14)), (2, pytest.approx(3 / 14)), (0, pytest.approx(1 / 14))]


def test_a_voice_is_divided_by_a_power_of_its_playlists() -> None:
    """16 playlists at a balance of 1/2: the voice of title 1, a third, is a twelfth; in its own profile a quarter."""
    balanced = replace(THIRD, neighbour_balance=0.5)
    first, second = heard([{0: 1}, {1: 12}], ACROSS, [1, 16], balanced)
    assert first == pytest.approx({0: 1 / 2, 1: 1 / 2})
    assert second == pytest.approx({1: 9 / 10, 0: 1 / 10})


def test_one_neighbour_is_the_title_itself() -> None:
    """At mass 1, however heavy it was."""
    alone = replace(OPTIONS, neighbours=1)
    assert heard([{3: 6, 1: 2}, {0: 5}], ACROSS, [7, 1], alone) == [{3: 0.75, 1: 0.25}, {0: 1}]


def test_the_only_title_hears_itself() -> None:
    assert heard([{3: 6, 1: 2}], [[0.6, 0.8]], [7], Smoothing()) == [{3: 0.75, 1: 0.25}]


def test_equal_songs_stand_in_the_order_of_their_places() -> None:
    [first, _] = heard([{5: 1, 2: 1, 9: 1}, {7: 3, 0: 3}], ACROSS, [1, 1], THIRD)
    assert list(first) == [0, 2, 5, 7, 9]
    assert list(first.values()) == pytest.approx([1 / 5] * 5)


def test_among_equal_songs_the_first_ones_are_kept() -> None:
    [first, _] = heard([{5: 1, 2: 1, 9: 1}, {7: 3, 0: 3}], ACROSS, [1, 1], replace(THIRD, tracks=2))
    assert list(first.items()) == [(0, pytest.approx(1 / 2)), (2, pytest.approx(1 / 2))]


def test_what_is_kept_of_a_cut_profile_has_mass_1() -> None:
    [first, _] = heard([{0: 1, 1: 1}, {1: 3, 2: 1}], ACROSS, [1, 1], replace(THIRD, tracks=2))
    assert list(first.items()) == [(1, pytest.approx(6 / 9)), (0, pytest.approx(3 / 9))]


def test_far_titles_are_not_heard_beyond_the_neighbours() -> None:
    """Title 2 is nearer to title 0 than title 1 is."""
    vectors = [[1, 0], [0, 1], [0.8, 0.6]]
    first, *_ = heard([{0: 1}, {1: 1}, {2: 1}], vectors, [1, 1, 1], replace(OPTIONS, neighbours=2))
    assert list(first) == [0, 2]
    assert first[2] / first[0] == pytest.approx(math.exp(-0.2 / 0.2))


# --- against the loops -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "options",
    [
        OPTIONS,
        replace(OPTIONS, neighbours=1),
        replace(OPTIONS, neighbours=23),
        replace(OPTIONS, neighbours=1000),
        replace(OPTIONS, neighbour_temperature=0.05),
        replace(OPTIONS, neighbour_temperature=3),
        replace(OPTIONS, neighbour_balance=0),
        replace(OPTIONS, neighbour_balance=1.5, neighbours=12),
        replace(OPTIONS, neighbour_balance=-0.5),
        replace(OPTIONS, tracks=7, neighbours=20),
        replace(OPTIONS, tracks=1),
        Smoothing(),
    ],
)
def test_profiles_are_those_of_the_loops(options: Smoothing, seed: int) -> None:
    world = made_up(23, 40, seed)
    assert_same(heard(*world, options), in_loops(*world, options))


@pytest.mark.parametrize("block", [1, 5, 23, 24])
def test_titles_that_hear_block_by_block_are_the_same(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    world = made_up(23, 40, seed=7)
    expected = in_loops(*world, OPTIONS)
    monkeypatch.setattr(smoothing, "BLOCK", block)
    assert_same(heard(*world, OPTIONS), expected)


def test_progress_counts_titles_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoothing, "BLOCK", 2)
    own = Profiles(np.arange(6), np.zeros(5, dtype=np.int64), np.ones(5, dtype=np.float32))
    seen: list[tuple[int, int]] = []
    vectors = np.ones((5, 1), dtype=np.float32)
    neighbour_profiles(Heard(own, vectors, np.ones(5, dtype=np.int64)), OPTIONS, lambda *step: seen.append(step))
    assert seen == [(2, 5), (4, 5), (5, 5)]


# --- what holds for any profiles -------------------------------------------------------------------------------

PROFILES = st.lists(
    st.dictionaries(st.integers(0, 15), st.integers(1, 1000).map(lambda n: n / 8), min_size=1, max_size=10),
    min_size=1,
    max_size=12,
)


@examples(max_examples=150, deadline=None)
@given(
    PROFILES,
    st.integers(0, 2**32 - 1),
    st.integers(1, 15),
    st.sampled_from([0.03, 0.15, 1.0]),
    st.sampled_from([-0.3, 0.0, 0.3, 1.0]),
    st.integers(1, 20),
)
def test_what_holds_for_any_profile(
    profiles: list[Profile], seed: int, neighbours: int, temperature: float, balance: float, kept: int
) -> None:
    chance = np.random.default_rng(seed)
    vectors = chance.normal(size=(len(profiles), 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    playlists = chance.integers(1, 10_000, len(profiles)).tolist()
    options = Smoothing(
        neighbours=neighbours, neighbour_temperature=temperature, neighbour_balance=balance, tracks=kept
    )
    found = heard(profiles, vectors, playlists, options)
    assert len(found) == len(profiles)
    for own, profile in zip(profiles, found, strict=True):
        weights = list(profile.values())
        assert 0 < len(weights) <= kept
        assert weights == sorted(weights, reverse=True)
        assert min(weights) > 0
        assert math.fsum(weights) == pytest.approx(1, rel=1e-5)
        assert len(profile) == kept or profile.keys() >= own.keys()
        assert profile.keys() <= {song for other in profiles for song in other}
        if neighbours == 1:
            assert profile.keys() <= own.keys()


# --- what goes wrong yet ---------------------------------------------------------------------------------------


def test_a_title_hears_itself_among_many_of_the_same_vector() -> None:
    """An encoder reads all titles of one unknown symbol alike."""
    found = heard([{song: 1} for song in range(6)], [[1]] * 6, [1] * 6, replace(OPTIONS, neighbours=3))
    assert all(song in profile for song, profile in enumerate(found))


def test_songs_whose_weight_is_nothing_are_left_out() -> None:
    """A cosine of -1 at a temperature of .01: a voice of exp(-200)."""
    assert heard([{0: 1}, {1: 1}], [[1], [-1]], [1, 1], replace(OPTIONS, neighbour_temperature=0.01)) == [
        {0: 1},
        {1: 1},
    ]
