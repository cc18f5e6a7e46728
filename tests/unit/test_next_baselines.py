"""What the next song is foretold by without a network, over worlds of a few tracklists."""

import math

import numpy as np
import pytest

from recsys.evaluation.next_baselines import (
    AssociationRules,
    DjPopularity,
    NearestTracklists,
    Past,
    Popularity,
    SequentialRules,
    WeightedNearestTracklists,
)
from recsys.evaluation.next_methods import chosen_methods
from recsys.evaluation.next_song import NextSongMethod
from tests.graph_worlds import LETTERS
from tests.order_worlds import List, order_of, sets_of


def told(method: NextSongMethod, songs: str, dj: int = -1, k: int = 8) -> dict[str, float]:
    """The songs that follow some, in their order, with their scores."""
    [named], [scores] = method.next(sets_of((dj, songs, 99)), k)
    return {LETTERS[song]: float(score) for song, score in zip(named, scores, strict=True) if song >= 0}


def scored(method: NextSongMethod, songs: str, dj: int = -1) -> dict[str, float]:
    """Those that are not filled up with."""
    return {song: score for song, score in told(method, songs, dj).items() if score > 0}


def past_of(*lists: List) -> Past:
    return Past(order_of(lists), least_plays=1)


def test_popularity_counts_tracklists_and_leaves_the_prefix_out() -> None:
    popular = Popularity(past_of((0, "aaab", 1), (0, "bc", 1), (1, "bc", 1), (1, "cd", 1)))
    assert "".join(told(popular, "-")) == "bcad"
    assert "".join(told(popular, "c")) == "bad"
    assert "".join(told(popular, "c", k=2)) == "ba"


def test_only_known_songs_are_named() -> None:
    popular = Popularity(Past(order_of(((0, "ab", 1), (0, "abc", 1), (0, "a", 1))), least_plays=2))
    assert "".join(told(popular, "-")) == "ab"


def test_the_djs_own_songs_come_first_then_popular_ones() -> None:
    lists = ((0, "ab", 1), (0, "b", 1), (1, "cdd", 1), (2, "cb", 1))
    order = order_of(lists)
    own = DjPopularity(order, Past(order, 1))
    # c is more popular than d; a DJ's song counts once a tracklist.
    assert "".join(told(own, "-", dj=0)) == "bacd"
    assert "".join(told(own, "-", dj=1)) == "cdba"
    assert scored(own, "b", dj=0) == {"a": 1}
    for nobody in (-1, 3):
        assert "".join(told(own, "-", dj=nobody)) == "bcad"


def test_association_rules_count_tracklists_with_the_last_known_song() -> None:
    rules = AssociationRules(past_of((0, "abc", 1), (0, "ca", 1), (0, "ad", 1), (0, "bd", 1)))
    # With a: c twice, b and d once, of which as many tracklists hold b as d.
    assert scored(rules, "ba") == {"c": 2, "d": 1}
    assert scored(rules, "a-") == {"c": 2, "b": 1, "d": 1}


def test_sequential_rules_weigh_what_follows_by_the_steps_between() -> None:
    order = order_of(((0, "abc", 1), (0, "a-b", 1), (0, "ba", 1), (0, "ac", 1), (0, "d", 1)))
    rules = SequentialRules(order, Past(order, 1))
    # b follows a at once and after a gap, c after b and at once.
    assert scored(rules, "da") == pytest.approx({"b": 1 + 1 / 2, "c": 1 / 2 + 1})
    assert scored(rules, "b") == {"a": 1, "c": 1}
    near = SequentialRules(order, Past(order, 1), steps=1)
    assert scored(near, "a") == {"b": 1, "c": 1}


def test_a_repeat_of_the_song_in_its_own_tracklist_is_no_answer() -> None:
    order = order_of(((0, "aab", 1),))
    assert scored(SequentialRules(order, Past(order, 1)), "a") == pytest.approx({"b": 1 + 1 / 2})


def test_nearest_tracklists_vote_by_the_cosine_of_their_sets() -> None:
    near = NearestTracklists(past_of((0, "abc", 1), (0, "adef", 1), (0, "gh", 1)))
    # {a, b} beside {a, b, c} and {a, d, e, f}; the prefix's own length is left out: 2 / sqrt(3), 1 / sqrt(4).
    assert scored(near, "ba") == pytest.approx({"c": 2 / math.sqrt(3), "d": 1 / 2, "e": 1 / 2, "f": 1 / 2})
    assert "".join(told(near, "ba")) == "cdefgh"


def test_only_the_nearest_of_the_latest_tracklists_vote() -> None:
    lists = ((0, "abc", 1), (0, "ad", 3), (0, "ae", 2))
    past = past_of(*lists)
    assert scored(NearestTracklists(past, neighbours=1), "ab").keys() == {"c"}
    # The latest that hold a or b are those with d and e, of which that with d is later.
    assert scored(NearestTracklists(past, recent=2), "ab").keys() == {"d", "e"}
    assert scored(NearestTracklists(past, neighbours=1, recent=2), "ab").keys() == {"d"}


def test_late_songs_weigh_more_and_rare_songs_are_named_first() -> None:
    near = WeightedNearestTracklists(past_of((0, "ac", 1), (0, "bd", 1), (0, "c", 1), (0, "e", 1)))
    # Of a b, a weighs 1/2 and b 1; c stands in two of four tracklists, d in one.
    assert scored(near, "ab") == pytest.approx({"d": 1 * math.log(4), "c": 1 / 2 * math.log(2)})
    # What nobody knows takes a place: of a - b, a weighs 1/3.
    assert scored(near, "a-b")["c"] == pytest.approx(1 / 3 * math.log(2))


BASELINES = ("popularity", "dj-popularity", "ar", "sr", "sknn", "vsknn")


def test_who_tells_of_nothing_is_answered_with_popular_songs() -> None:
    order = order_of(((0, "abc", 1), (1, "bd", 1)))
    past = Past(order, 1)
    for name, fit in chosen_methods(BASELINES).items():
        named, scores = fit(order, past).next(sets_of((-1, "--", None), (-1, "", None), (-1, "abcd", None)), 3)
        assert [list(row) for row in named[:2]] == [[1, 0, 2]] * 2, name
        assert named[2].tolist() == [-1, -1, -1], name
        assert (np.diff(scores[:2]) <= 0).all(), name


def test_a_past_without_tracklists_is_no_error() -> None:
    order = order_of(())
    for name, fit in chosen_methods(BASELINES).items():
        named, _ = fit(order, Past(order)).next(sets_of((0, "a", 1)), 2)
        assert named.tolist() == [[-1, -1]], name
