"""What is asked of the next song of a tracklist, and how answers are scored, worked out by hand."""

import numpy as np
import numpy.typing as npt
import pytest

from cli import evaluate_tracklists
from recsys.errors import NotReadyError, UnknownNameError
from recsys.evaluation.metrics import bootstrap
from recsys.evaluation.next_methods import DEFAULT_METHODS, chosen_methods, measure
from recsys.evaluation.next_song import (
    ALL,
    KNOWN,
    K,
    NextSongOptions,
    NextSongResult,
    Positions,
    Ranked,
    Ranks,
    ask,
    draw_positions,
    orders,
    score_method,
    score_ranks,
)
from recsys.evaluation.next_tables import next_tables, part_of
from recsys.tracklists.later import LaterFacts
from recsys.tracklists.running_order import Sets
from tests.graph_worlds import LETTERS, places
from tests.order_worlds import order_of

EVERYTHING = NextSongOptions(positions=99, least_plays=1)
NOBODY: tuple[int, str, int | None] = (0, LETTERS, 1)
"""A past in which every song is known."""


class Fixed:
    """Always the same songs, but for those of the prefix."""

    def __init__(self, songs: str = LETTERS) -> None:
        self._songs = places(songs)
        self.prefixes: list[str] = []

    def next(self, prefixes: Sets, k: int) -> Ranked:
        named = np.full((len(prefixes), k), -1)
        for row, (start, end) in enumerate(zip(prefixes.starts[:-1], prefixes.starts[1:], strict=True)):
            held = prefixes.songs[start:end].tolist()
            self.prefixes.append("".join("-" if song < 0 else LETTERS[song] for song in held))
            told = [song for song in self._songs if song not in held][:k]
            named[row, : len(told)] = told
        return named, -np.tile(np.arange(k, dtype=np.float32), (len(prefixes), 1))


def asked(positions: Positions) -> list[tuple[int, int, str]]:
    """Tracklist, place and target of each position."""
    targets = ["-" if song < 0 else LETTERS[song] for song in positions.targets]
    return list(zip(positions.lists.tolist(), positions.places.tolist(), targets, strict=True))


def test_every_play_but_the_first_and_repeats_is_asked_for() -> None:
    order = order_of((NOBODY,), ((0, "abac", 1), (0, "a", 1), (0, "-a-", 1)))
    assert asked(draw_positions(order, EVERYTHING)) == [(0, 1, "b"), (0, 3, "c"), (2, 1, "a"), (2, 2, "-")]


def test_a_target_is_known_from_so_many_plays_in_the_past() -> None:
    order = order_of(((0, "abb", 1), (0, "bc", 1), (0, "c", 1)), ((0, "dabc", 1),))
    assert asked(draw_positions(order, NextSongOptions())) == [(0, 1, "-"), (0, 2, "b"), (0, 3, "-")]


def test_tracklists_and_their_positions_are_drawn_by_a_seed() -> None:
    order = order_of((NOBODY,), tuple((0, LETTERS, day) for day in range(50)))
    drawn = draw_positions(order, NextSongOptions(tracklists=10, positions=2, least_plays=1, seed=1))
    lists, counts = np.unique(drawn.lists, return_counts=True)
    assert len(lists) == 10
    assert set(counts) == {2}
    assert len(set(asked(drawn))) == 20
    assert {place for _, place, _ in asked(drawn)} == set(range(1, 8))
    assert asked(draw_positions(order, NextSongOptions(10, 2, least_plays=1, seed=1))) == asked(drawn)
    assert asked(draw_positions(order, NextSongOptions(10, 2, least_plays=1, seed=2))) != asked(drawn)


def test_methods_see_the_last_plays_before_a_known_target() -> None:
    order = order_of((NOBODY,), ((0, "a-bc", 1), (0, "d-", 1)))
    method = Fixed()
    options = NextSongOptions(positions=99, context=2, least_plays=1)
    answered = ask(order, draw_positions(order, options), method, options)
    assert method.prefixes == ["a-", "-b"]
    # Of a b c .. without a: b is first; without b: c is second. The others have no known target.
    assert answered.ranks.tolist() == [0, 1, 2, 0]


def test_metrics_of_ranks() -> None:
    scores = score_ranks(np.array([0, 1, 2, 10, 11, 20, 21]))
    assert scores["hit_rate", 1].tolist() == [0, 1, 0, 0, 0, 0, 0]
    assert scores["hit_rate", 10].tolist() == [0, 1, 1, 1, 0, 0, 0]
    assert scores["hit_rate", 20].tolist() == [0, 1, 1, 1, 1, 1, 0]
    assert scores["mrr", 20].tolist() == pytest.approx([0, 1, 1 / 2, 1 / 10, 1 / 11, 1 / 20, 0])


def by_view(results: list[NextSongResult]) -> dict[str, NextSongResult]:
    return {result.view: result for result in results}


def test_unknown_targets_are_misses_among_all_and_none_among_the_known() -> None:
    positions = Positions(np.array([3, 3, 3, 7]), np.array([1, 2, 3, 1]), np.array([5, -1, 4, 2]))
    results = by_view(score_method("fixed", [Ranks(positions, np.array([1, 0, 0, 2]), 1.5)]))
    assert results[KNOWN].positions.tolist() == [2, 1]
    assert results[KNOWN].scores["hit_rate", 20].tolist() == [1 / 2, 1]
    assert results[KNOWN].mean("hit_rate", 20) == pytest.approx(2 / 3)
    assert results[KNOWN].mean("mrr", 20) == pytest.approx((1 + 1 / 2) / 3)
    assert results[ALL].positions.tolist() == [3, 1]
    assert results[ALL].mean("hit_rate", 20) == pytest.approx(2 / 4)
    assert (results[ALL].seconds, results[ALL].answers) == (1.5, 3)


def test_tracklists_of_several_periods_stay_apart() -> None:
    first = Positions(np.array([0, 1]), np.array([1, 1]), np.array([5, 5]))
    [known, _] = score_method("fixed", [Ranks(first, np.array([1, 0]), 1), Ranks(first, np.array([0, 1]), 1)])
    assert known.scores["hit_rate", 1].tolist() == [1, 0, 0, 1]


def test_the_past_is_renewed_every_so_many_days() -> None:
    order = order_of(((0, "a", 0),), ((0, "b", 10), (0, "c", 16), (0, "d", 17), (1, "e", 31)))
    told = [
        (each.past.songs.tolist(), each.past.lengths.tolist(), each.later.songs.tolist())
        for each in orders(order, NextSongOptions(renew=7))
    ]
    assert told == [([0], [1], [1, 2]), ([0, 1, 2], [1] * 3, [3]), ([0, 1, 2, 3], [1] * 4, [4])]
    [only] = orders(order, NextSongOptions(days=8))
    assert (only.past.songs.tolist(), only.later.songs.tolist()) == ([0], [1, 2, 3])
    [same] = orders(order, NextSongOptions())
    assert same.later.songs.tolist() == [1, 2, 3, 4]


def test_a_song_becomes_known_when_it_was_played_lately() -> None:
    order = order_of(((0, "a", 0),), ((0, "ab", 1), (0, "ab", 8)))
    methods = {"fixed": lambda *_: Fixed("b")}
    with pytest.raises(NotReadyError):
        measure(order, methods, NextSongOptions(least_plays=1))
    renewed = by_view(measure(order, methods, NextSongOptions(least_plays=1, renew=7)))
    assert renewed[KNOWN].positions.tolist() == [1]
    assert renewed[KNOWN].mean("hit_rate", 1) == 1
    assert renewed[ALL].mean("hit_rate", 1) == 1 / 2


def test_what_cannot_be_measured_is_said() -> None:
    past = ((0, "abc", 1),)
    for later in ((), ((0, "a", 1),), ((0, "-h", 1),)):
        with pytest.raises(NotReadyError, match="no later tracklist goes on with a song of 3 plays"):
            measure(order_of(past, later), chosen_methods(["popularity", "sknn"]))


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [([0] * 3, "3 songs|shape"), ([1, 1] + [-1] * 18, "twice"), ([2, 0] + [-1] * 18, "of its prefix")],
)
def test_answers_that_are_none_are_refused(answer: list[int], complaint: str) -> None:
    class Broken:
        def next(self, prefixes: Sets, k: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
            return np.tile(answer, (len(prefixes), 1)), np.zeros((len(prefixes), len(answer)), dtype=np.float32)

    order = order_of((NOBODY,), ((0, "ab", 1),))
    with pytest.raises(ValueError, match=complaint):
        ask(order, draw_positions(order, EVERYTHING), Broken(), EVERYTHING)


def test_methods_are_chosen_by_name() -> None:
    assert evaluate_tracklists.METHODS == DEFAULT_METHODS
    assert list(chosen_methods(["sknn", "sr", "sknn"])) == ["sknn", "sr"]
    with pytest.raises(UnknownNameError, match="no method magic, but popularity"):
        chosen_methods(["magic"])


def test_intervals_draw_tracklists_with_all_their_positions() -> None:
    # One tracklist of 99 hits beside 9 of one miss each.
    values, weights = [1.0] + [0.0] * 9, [99] + [1] * 9
    mean, low, high = bootstrap(values, weights=weights)
    assert mean == pytest.approx(99 / 108)
    assert low == 0
    assert high == pytest.approx(5 * 99 / (5 * 99 + 5), abs=0.02)
    assert bootstrap([0.0, 1.0], weights=[1, 1]) == bootstrap([0.0, 1.0])


def test_tables_fit_a_terminal() -> None:
    order = order_of((NOBODY,), ((0, "abc-", 1), (0, "ad", 1)))
    tables = next_tables(measure(order, {"dj-popularity": lambda *_: Fixed()}, EVERYTHING))
    assert [table.title for table in tables] == [
        "known targets: 3 of 2 tracklists",
        "every position: 4 of 2 tracklists",
    ]
    for table in tables:
        assert table.head == ["method", "HR@1", "HR@10", "HR@20", "95 %", "MRR@20", "95 %", "ms"]
    # b after a and c after ab are first, d after a is the third of b c d.
    assert tables[0].rows[0][:4] == ["dj-popularity", ".6667", "1.000", "1.000"]
    assert tables[0].rows[0][5] == ".7778"
    assert [line.split()[0] for line in tables[1].lines()] == ["every", "method", "dj-popularity"]


def test_another_protocol_is_another_part() -> None:
    facts = LaterFacts("hash", "2016-01-01", "2017-01-01", 0, 0, 0, 9, "hash")
    assert part_of(facts, NextSongOptions()) == "2016-01-01 to 2017-01-01"
    assert part_of(facts, NextSongOptions(days=60, renew=7)) == (
        "2016-01-01 to 2017-01-01, the first 60 days, renewed every 7 days"
    )
    assert K == 20
