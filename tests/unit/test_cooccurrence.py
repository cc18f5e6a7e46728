"""Songs that stand together in tracklists, against the same in loops."""

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from scipy import sparse

from recsys.tracklists.cooccurrence import Plays, cooccurrence, heaviest, information, pairs
from recsys.tracklists.sparse_rows import log_scaled

SONGS = 8
Tracklists = Sequence[Sequence[tuple[int, int]]]
"""Of each tracklist, positions ascending and songs."""

TRACKLISTS = st.lists(
    st.lists(st.tuples(st.integers(1, 4), st.integers(0, SONGS - 1)), max_size=9).map(
        lambda steps: [(sum(step for step, _ in steps[: place + 1]), song) for place, (_, song) in enumerate(steps)]
    ),
    max_size=5,
)
MATRICES = st.lists(st.lists(st.integers(0, 6), min_size=4, max_size=4), min_size=1, max_size=5)


def plays_of(tracklists: Tracklists) -> Plays:
    rows = [
        (number, position, song) for number, tracklist in enumerate(tracklists) for position, song in tracklist
    ] or np.empty((0, 3))
    return Plays(*np.array(rows, dtype=np.int64).T)


def weights_in_a_loop(tracklists: Tracklists, window: int) -> dict[tuple[int, int], float]:
    found: dict[tuple[int, int], float] = defaultdict(float)
    for tracklist in tracklists:
        for place, (position, song) in enumerate(tracklist):
            for later, other in tracklist[place + 1 :]:
                if later - position <= window and song != other:
                    found[song, other] += 1 / (later - position)
                    found[other, song] += 1 / (later - position)
    return found


@examples(max_examples=150)
@given(TRACKLISTS, st.integers(1, 6))
def test_pairs_weigh_one_over_how_far_apart_they_are(tracklists: Tracklists, window: int) -> None:
    expected = weights_in_a_loop(tracklists, window)
    mass = information([plays_of(tracklists)], SONGS, window)
    matrix = cooccurrence([plays_of(tracklists)], np.arange(SONGS), SONGS, window)
    assert {(i, j): matrix[i, j] for i, j in zip(*matrix.nonzero(), strict=True)} == pytest.approx(expected)
    assert mass == pytest.approx([sum(w for (song, _), w in expected.items() if song == own) for own in range(SONGS)])


@examples(max_examples=50)
@given(TRACKLISTS, TRACKLISTS)
def test_how_tracklists_are_divided_into_batches_changes_nothing(first: Tracklists, second: Tracklists) -> None:
    together = [*first, *second]
    apart = cooccurrence([plays_of(first), plays_of(second)], np.arange(SONGS), SONGS)
    np.testing.assert_allclose(apart.toarray(), cooccurrence([plays_of(together)], np.arange(SONGS), SONGS).toarray())


def test_only_kept_songs_have_rows_and_the_others_still_take_their_places() -> None:
    plays = plays_of([[(0, 5), (1, 7), (2, 3)]])
    matrix = cooccurrence([plays], np.array([3, 5]), SONGS).toarray()
    np.testing.assert_allclose(matrix, [[0, 1 / 2], [1 / 2, 0]])


def test_what_was_summed_up_in_parts_is_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    plays = plays_of([[(place, place % 5) for place in range(40)], [(place, place % 3) for place in range(20)]])
    whole = cooccurrence([plays], np.arange(SONGS), SONGS).toarray()
    monkeypatch.setattr("recsys.tracklists.cooccurrence._PAIRS_AT_ONCE", 10)
    np.testing.assert_allclose(cooccurrence([plays, plays], np.arange(SONGS), SONGS).toarray(), 2 * whole)


def test_a_tracklist_of_one_song_says_nothing() -> None:
    assert list(pairs(plays_of([[(0, 1)], [(0, 2)], []]))) == []
    assert information([plays_of([[(0, 1)]])], SONGS).sum() == 0
    assert cooccurrence([], np.arange(SONGS), SONGS).nnz == 0


# --- what is kept ----------------------------------------------------------------------------------------------


def kept_in_a_loop(row: Sequence[float], share: float) -> float:
    """The least value that is kept."""
    whole, held = sum(row), 0.0
    for value in sorted(row, reverse=True):
        held += value
        if value and held >= share * whole * (1 - 1e-12):
            return value
    return math.inf


@examples(max_examples=150)
@given(MATRICES, st.sampled_from([0.1, 0.5, 0.6, 0.8, 1.0]))
def test_the_heaviest_entries_of_a_row_or_column_stay(rows: list[list[int]], share: float) -> None:
    dense = np.array(rows, dtype=float)
    by_row = [kept_in_a_loop(row, share) for row in dense]
    by_column = [kept_in_a_loop(column, share) for column in dense.T]

    def kept(is_kept: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        return np.where(is_kept & (dense > 0), dense, 0)

    in_row = dense >= np.array(by_row)[:, None]
    in_column = dense >= np.array(by_column)[None, :]
    matrix = sparse.csr_matrix(dense)
    np.testing.assert_array_equal(heaviest(matrix, share, by="row").toarray(), kept(in_row))
    np.testing.assert_array_equal(heaviest(matrix, share).toarray(), kept(in_row | in_column))
    np.testing.assert_array_equal(matrix.toarray(), dense)
    stays = heaviest(matrix, share, by="row").toarray().sum(axis=1)
    assert (stays >= share * dense.sum(axis=1) - 1e-9).all()


def test_a_symmetric_matrix_stays_symmetric() -> None:
    chance = np.random.default_rng(0)
    half = chance.integers(0, 9, (12, 12)) * (chance.random((12, 12)) < 0.5)
    kept = heaviest(sparse.csr_matrix((half + half.T).astype(float)), 0.6)
    assert abs(kept - kept.T).max() == 0
    assert 0 < kept.nnz < np.count_nonzero(half + half.T)


def test_log_scaling_takes_the_logarithm_of_one_more() -> None:
    matrix = sparse.csr_matrix(np.array([[0, 1.0], [3.0, 0]]))
    np.testing.assert_allclose(log_scaled(matrix, 2).toarray(), [[0, 2 * math.log(2)], [2 * math.log(4), 0]])
    assert matrix.data.tolist() == [1, 3]
