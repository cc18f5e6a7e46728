"""What known tracklists say of songs, worked out by hand."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import sparse

from recsys.sequences import played
from recsys.sequences.played import Counts, Played, counts_of, first_of_rows, row_of_each, spread
from recsys.tracklists.graph_snapshot import NO_DATE
from tests.graph_worlds import LETTERS, entries
from tests.next_worlds import ARTISTS, COUNTS, WORLD, Heard, played_of, sets_of
from tests.order_worlds import order_of

DIGITS = "0123"
"""Artists, programmes or DJs by row."""


def by_song(values: Sequence[float]) -> dict[str, float]:
    return {song: value for song, value in zip(LETTERS, values, strict=True) if value}


def test_a_song_counts_once_a_tracklist_and_artists_of_unknown_songs_count_too() -> None:
    known = played_of([Heard(0, 0, 1, "aab-"), Heard(0, 0, 2, "b01"), Heard(1, 0, 3, "-")])
    assert by_song(known.popularity.tolist()) == {"a": 1, "b": 2}
    # The artist of a and b is in two tracklists, for 0 is a song of his.
    assert known.artist_popularity.tolist() == [2, 1, 0, 0]
    assert known.rarity[[0, 1, 2]].tolist() == pytest.approx([math.log(3), math.log(3 / 2), math.log(3)])
    assert known.artist_rarity.tolist() == pytest.approx([math.log(3 / 2), math.log(3), math.log(3), math.log(3)])
    assert entries(known.dj_plays, DIGITS, LETTERS) == {("0", "a"): 1, ("0", "b"): 2}
    assert entries(known.songs_of_artists, DIGITS, LETTERS) == {("0", "a"): 1, ("0", "b"): 2}


def test_tracklists_weigh_less_the_more_they_hold() -> None:
    known = played_of([Heard(0, 0, 1, "abcda"), Heard(0, 0, 2, "b-"), Heard(0, 0, 3, "--")])
    assert entries(known.lists_of_songs, LETTERS, DIGITS) == {
        **{(song, "0"): 1 / 2 for song in "abcd"},
        ("b", "1"): 1,
    }
    two = 1 / math.sqrt(2)
    assert entries(known.lists_of_artists, DIGITS, DIGITS) == pytest.approx(
        {("0", "0"): two, ("1", "0"): two, ("0", "1"): 1}
    )


def test_songs_follow_each_other_up_to_five_places_apart_and_artists_up_to_three() -> None:
    known = played_of([Heard(0, 0, 1, "a-gb--a"), Heard(0, 0, 2, "g"), Heard(0, 0, 3, "ba")])
    assert entries(known.following, LETTERS, LETTERS) == pytest.approx(
        {("a", "g"): 1 / 2, ("a", "b"): 1 / 3, ("g", "b"): 1, ("g", "a"): 1 / 4, ("b", "a"): 1 / 3 + 1}
    )
    # All are by one artist but g, which is by nobody.
    assert entries(known.following_artists, DIGITS, DIGITS) == pytest.approx({("0", "0"): 1 / 3 + 1 / 3 + 1})


def test_tracklists_of_djs_and_programmes_are_in_the_order_of_their_days() -> None:
    known = played_of(WORLD)
    # The one without a date, 4, counts as of the first day.
    assert [lists.tolist() for lists in known.by_dj] == [[0, 1, 7], [2, 3, 8], [4, 5, 9], []]
    assert [lists.tolist() for lists in known.by_programme] == [[0, 1, 2, 9], [4, 3, 8], [5, 6], []]
    assert (known.first_day, known.last_day) == (1000, 1206)


def test_the_nearest_tracklists_of_a_day() -> None:
    known = played_of([Heard(0, 0, day, "a") for day in (10, 20, 21, 30, 50)])
    lists = np.arange(5)
    assert known.nearest(lists, 22, 2).tolist() == [2, 1]
    assert known.nearest(lists, 22, 9).tolist() == [2, 1, 3, 0, 4]
    assert known.nearest(lists, 25, 2).tolist() == [2, 1]
    assert known.nearest(lists, 0, 2).tolist() == [0, 1]
    assert known.nearest(lists, 99, 2).tolist() == [4, 3]
    assert known.nearest(lists[:0], 22, 2).tolist() == []


def test_a_day_is_taken_for_the_nearest_known_one_and_none_for_the_last() -> None:
    known = played_of(WORLD)
    assert known.known_day(np.array([NO_DATE, 3, 1000, 1100, 1206, 9999])).tolist() == [
        1206,
        1000,
        1000,
        1100,
        1206,
        1206,
    ]


def test_what_is_current_fades_before_and_after_a_week() -> None:
    known = played_of([Heard(0, 0, 0, "ab"), Heard(0, 0, 14, "b"), Heard(0, 0, 21, "c")])
    # The second week begins with day 14.
    assert by_song(known.current(2, np.arange(len(LETTERS)))[:, 0].tolist()) == pytest.approx(
        {"a": 1 / 4, "b": 1 / 4 + 1, "c": 1 / 2}
    )
    month = {"a": 2 ** (-14 / 30), "b": 2 ** (-14 / 30) + 1, "c": 2 ** (-7 / 30)}
    assert by_song(known.current(2, np.arange(len(LETTERS)))[:, 1].tolist()) == pytest.approx(month)


def test_current_songs_are_the_first_by_two_half_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    world = [*[Heard(0, 0, 14, "b")] * 2, *(Heard(0, 0, day, "a") for day in (0, 0, 1, 28, 28)), Heard(0, 0, 70, "c")]
    monkeypatch.setattr(played, "CURRENT_SONGS", {7: 1, 180: 1})
    known = played_of(world)
    assert [LETTERS[song] for song in known.current_songs(2)] == ["a", "b"]
    assert [LETTERS[song] for song in known.current_songs(10)] == ["a", "c"]


def test_songs_know_when_they_were_played_first_and_last() -> None:
    known = played_of([Heard(0, 0, 30, "ab"), Heard(0, 0, 10, "ac"), Heard(0, 0, 20, "ad"), Heard(0, 0, None, "d")])
    assert known.first_played[:5].tolist() == [10, 30, 10, 10, 30]
    assert known.last_played[:5].tolist() == [30, 30, 10, 20, 10]


def test_the_most_popular_songs_come_first_and_equal_ones_by_row() -> None:
    known = played_of([Heard(0, 0, 1, "cab"), Heard(0, 0, 1, "db"), Heard(0, 0, 1, "bd")])
    assert "".join(LETTERS[song] for song in known.popular) == "bdacefgh"


def test_programmes_are_near_by_what_they_play_rarely_played_songs_more() -> None:
    known = played_of([Heard(0, 0, 1, "ab"), Heard(0, 1, 1, "ac"), Heard(0, 2, 1, "bc"), Heard(0, 1, 1, "c")])
    a, b, c = math.log(4 / 2), math.log(4 / 2), math.log(4 / 3)
    one, two, both = math.log(2), math.log(3), math.log(2)
    units = [np.array(values) for values in ((one * a, one * b, 0), (one * a, 0, two * c), (0, both * b, both * c))]
    units = [unit / np.linalg.norm(unit) for unit in units]
    assert entries(known.peers, DIGITS, DIGITS) == pytest.approx(
        {(str(i), str(j)): float(units[i] @ units[j]) for i in range(3) for j in range(3) if i != j}
    )


def test_what_programmes_play_lately_is_of_days_near_by() -> None:
    known = played_of([Heard(0, 0, 14, "a"), Heard(0, 0, 44, "a"), Heard(0, 1, 163, "b"), Heard(0, 1, 164, "c")])
    assert entries(known.peers_lately(2), DIGITS, LETTERS) == pytest.approx(
        {("0", "a"): math.log1p(4 * (1 + 1 / 2)), ("1", "b"): math.log1p(4 * 2 ** (-149 / 30))}
    )


def test_without_a_date_all_is_of_one_day() -> None:
    known = played_of([Heard(0, 0, None, "a"), Heard(0, 0, None, "b")])
    assert (known.first_day, known.last_day) == (0, 0)
    assert known.known_day(np.array([NO_DATE, 77])).tolist() == [0, 0]


def test_nothing_can_be_known() -> None:
    nothing = Played(sets_of([]), np.array(list(ARTISTS.values())), COUNTS)
    assert nothing.popularity.tolist() == [0] * len(LETTERS)
    assert nothing.following.nnz == nothing.peers.nnz == 0


def test_the_largest_of_each_row_are_kept() -> None:
    matrix = sparse.csr_matrix(np.array([[1, 0, 3, 2], [0, 0, 0, 0], [0, 5, 0, 0], [4, 1, 2, 3]], dtype=np.float32))
    assert first_of_rows(matrix, 2).toarray().tolist() == [[0, 0, 3, 2], [0] * 4, [0, 5, 0, 0], [4, 0, 0, 3]]
    assert first_of_rows(matrix, 9).toarray().tolist() == matrix.toarray().tolist()
    assert first_of_rows(matrix[:0], 2).shape == (0, 4)
    assert row_of_each(matrix).tolist() == [0, 0, 0, 2, 3, 3, 3, 3]


def test_values_of_one_place_are_summed() -> None:
    made = spread(np.array([0, 0, 1]), np.array([1, 1, 0]), (2, 2), np.array([1.0, 2.0, 5.0]))
    assert made.dtype == np.float32
    assert made.toarray().tolist() == [[0, 3], [5, 0]]


def test_counts_are_of_a_running_order_and_its_snapshots_djs() -> None:
    assert counts_of(order_of(()), 7) == Counts(songs=len(LETTERS), artists=len(LETTERS) // 2, djs=7, programmes=2)
