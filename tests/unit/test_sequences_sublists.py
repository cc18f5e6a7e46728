"""Sub-lists that a person worked out: windows, what is kept, fillers and weights (MODELS C1)."""

import numpy as np
import pytest

from recsys.sequences.sublists import NOTHING, split_by_tracklist, steps_of, sublists_of, vocabulary_rows
from recsys.tracklists.running_order import UNKNOWN
from tests.toy_sequences import sets_of

ROWS = np.append(np.arange(40), UNKNOWN)


def test_a_long_tracklist_is_cut_into_windows_that_begin_every_seven_songs() -> None:
    sublists = sublists_of(sets_of([list(range(24))], [0]), ROWS)
    assert sublists.songs[:, 0].tolist() == [0, 7, 14]
    assert sublists.songs[0].tolist() == list(range(16))
    assert sublists.songs[1].tolist() == list(range(7, 23))
    assert sublists.songs[2].tolist() == [*range(14, 24), *[NOTHING] * 6]


def test_fifteen_songs_are_one_sublist_and_four_are_none() -> None:
    sublists = sublists_of(sets_of([list(range(15)), list(range(4)), list(range(16))], [0, 1, 2]), ROWS)
    assert sublists.lists.tolist() == [0, 2, 2]
    assert sublists.songs[0].tolist() == [*range(15), NOTHING]


@pytest.mark.parametrize(
    ("songs", "is_kept"),
    [
        ([0, 1, 2, 3, 4, 5, -1], True),  # five pairs
        ([0, 1, 2, 3, 4, -1, 5], False),  # four pairs, six songs
        ([0, -1, 1, -1, 2, -1, 3, -1, 4, -1, 5, -1, 6, -1, 7], True),  # eight songs
        ([0, -1, 1, -1, 2, -1, 3, -1, 4, -1, 5, -1, 6, -1], False),  # seven
    ],
)
def test_a_sublist_is_kept_for_its_known_songs_or_pairs(songs: list[int], is_kept: bool) -> None:
    assert len(sublists_of(sets_of([songs], [0]), ROWS)) == is_kept


def test_a_song_of_the_dj_stands_for_an_unknown_one_and_weighs_less() -> None:
    songs = [0, -1, 1, 2, 3, 4, 5, 6, 7]
    sublists = sublists_of(sets_of([songs, songs], [1, UNKNOWN]), ROWS)
    inputs, targets, weights, is_known = steps_of(sublists, np.array([30, 31, 32]), 40)
    assert inputs[0].tolist() == [31, 0, 31, 1, 2, 3, 4, 5, 6, 7, *[31] * 6]
    assert targets[0].tolist() == [0, 31, 1, 2, 3, 4, 5, 6, 7, *[31] * 7]
    np.testing.assert_allclose(weights[0], [1, 0.1, *[1] * 7, *[0.001] * 7])
    assert inputs[1, 0] == 32
    np.testing.assert_allclose(weights[1], [1, 0.001, *[1] * 7, *[0.001] * 7])
    assert is_known[0].tolist() == [True, False, *[True] * 7, *[False] * 7]


def test_a_filler_that_is_a_token_is_read_but_never_foretold() -> None:
    sublists = sublists_of(sets_of([[0, -1, 1, 2, 3, 4, 5, 6, 7]], [0]), ROWS)
    inputs, targets, weights, _ = steps_of(sublists, np.array([40, 40]), 40)
    assert inputs[0, :3].tolist() == [40, 0, 40]
    assert weights[0, 1] == 0
    assert targets.max() < 40


def test_validation_takes_whole_tracklists_and_the_same_ones_for_a_seed() -> None:
    sublists = sublists_of(sets_of([list(range(30))] * 10, [0] * 10), ROWS)
    training, validation = split_by_tracklist(sublists, 0.3, seed=5)
    assert len(np.unique(validation.lists)) == 3
    assert not np.isin(training.lists, validation.lists).any()
    assert len(training) + len(validation) == len(sublists)
    again = split_by_tracklist(sublists, 0.3, seed=5)[1]
    np.testing.assert_array_equal(again.lists, validation.lists)


def test_songs_of_the_order_are_found_by_their_ids() -> None:
    rows = vocabulary_rows(np.array([3, 5, 8]), np.array([8, 2, 3]))
    assert rows.tolist() == [2, UNKNOWN, 0, UNKNOWN]


def test_tracklists_without_plays_give_no_sublist() -> None:
    assert len(sublists_of(sets_of([], []), ROWS)) == 0
