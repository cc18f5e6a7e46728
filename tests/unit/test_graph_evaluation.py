"""What is measured of recommenders of songs for DJs, worked out by hand."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.errors import NotReadyError, UnknownNameError
from recsys.evaluation.graph import (
    ALL,
    COLD,
    COLD_NEW,
    CUTS,
    MASKED_PAIRS,
    NEW,
    PAIRS,
    GraphResult,
    TruthOptions,
    evaluate_graph,
    first_songs,
    score_songs,
)
from recsys.evaluation.graph_methods import METHODS, Fitting, chosen_methods, measure
from recsys.evaluation.graph_tables import graph_tables
from recsys.evaluation.metrics import ndcg, paper_scores
from recsys.tracklists.graph_snapshot import GraphSnapshot
from recsys.tracklists.past import Newcomers
from tests.graph_worlds import LETTERS, later_of, places, snapshot_of

Scores = npt.NDArray[np.float32]
ANYBODY = TruthOptions(least_lists=1, least_songs=1, least_plays=2)


class Fixed:
    """The same order of songs for everybody; what it does not name is never played."""

    def __init__(self, order: str) -> None:
        self._scores = np.full(len(LETTERS), -np.inf, dtype=np.float32)
        self._scores[places(order)] = -np.arange(len(order))
        self.asked: list[int] = []

    def of_djs(self, djs: npt.NDArray[np.int64]) -> Scores:
        self.asked += djs.tolist()
        return np.tile(self._scores, (len(djs), 1))

    def of_newcomers(self, newcomers: Newcomers) -> Scores:
        return np.tile(self._scores, (newcomers.owned.shape[0], 1))


def by_view(results: list[GraphResult]) -> dict[str, GraphResult]:
    return {result.view: result for result in results}


def test_songs_are_ranked_by_score_then_row_and_those_that_are_never_played_are_not() -> None:
    scores = np.array([1, 3, -np.inf, 3, 0, 1, 1], dtype=np.float32)
    assert first_songs(scores, 3).tolist() == [1, 3, 0]
    assert first_songs(scores, 4).tolist() == [1, 3, 0, 5]
    assert first_songs(scores, 99).tolist() == [1, 3, 0, 5, 6, 4]
    assert first_songs(np.full(3, -np.inf, dtype=np.float32), 2).tolist() == []
    assert first_songs(np.zeros(0, dtype=np.float32), 2).tolist() == []


def test_metrics_of_a_short_list() -> None:
    scores = score_songs(np.array([3, 1, 4, 0, 2]), np.array([1, 2, 9]))
    # Hits at ranks 2 and 5, of three songs.
    assert scores["recall", 10] == scores["plain_recall", 10] == pytest.approx(2 / 3)
    gained = 1 / math.log2(3) + 1 / math.log2(6)
    assert scores["ndcg", 10] == pytest.approx(gained / (1 + 1 / math.log2(3) + 1 / 2))


def test_recall_is_of_what_is_possible_and_plain_recall_of_all() -> None:
    scores = score_songs(np.arange(0, 1000, 2), np.arange(20))
    # 0, 2, 4 .. 18 are true: ten hits at once.
    assert scores["recall", 10] == 1
    assert scores["plain_recall", 10] == scores["recall", 25] == 0.5
    assert scores["ndcg", 10] == pytest.approx(1)
    assert {k for _, k in scores} == set(CUTS)


@given(st.permutations(range(40)).map(lambda songs: songs[:30]), st.sets(st.integers(0, 45), min_size=1))
def test_metrics_are_those_of_playlists(ranked: list[int], truth: set[int]) -> None:
    scores = score_songs(np.array(ranked), np.array(sorted(truth)))
    for k in CUTS:
        papers = paper_scores(ranked, truth, {}, k)
        assert scores["plain_recall", k] == pytest.approx(papers.recall)
        assert scores["recall", k] == pytest.approx(papers.hit)
        assert scores["ndcg", k] == pytest.approx(ndcg(ranked, truth, k))


def test_no_truth_is_no_score() -> None:
    with pytest.raises(ValueError, match="no songs"):
        score_songs(np.array([1]), np.array([], dtype=np.int64))


def test_later_plays_are_measured_unmasked_and_new_songs_without_the_known_ones() -> None:
    snapshot = snapshot_of((0, "abc", 1), (1, "cde", 2))
    # e has one play in all, f none in the past: neither counts.
    later = later_of(snapshot, plays=["adef", ""], song_plays="aabbccdde" + "ffff")
    results = by_view(evaluate_graph(snapshot, later, {"fixed": Fixed("ebcdaf")}, ANYBODY))
    assert set(results) == {ALL, NEW}
    # e b c d a f: d and a at ranks 4 and 5, of two.
    gained = 1 / math.log2(5) + 1 / math.log2(6)
    assert results[ALL].mean("ndcg", 10) == pytest.approx(gained / (1 + 1 / math.log2(3)))
    # Without a, b and c: e d f.
    assert results[NEW].mean("ndcg", 10) == pytest.approx(1 / math.log2(3))
    assert results[NEW].mean("recall", 10) == 1
    assert results[NEW].djs.tolist() == [500]


def test_songs_taken_from_a_dj_are_measured_with_and_without_his_known_ones() -> None:
    snapshot = snapshot_of((0, "ab", 1), (1, "ce", 2))
    later = later_of(snapshot, pairs=["e", ""], song_plays="e")
    results = by_view(evaluate_graph(snapshot, later, {"fixed": Fixed("abe")}))
    assert set(results) == {PAIRS, MASKED_PAIRS}
    assert results[PAIRS].mean("ndcg", 10) == pytest.approx(1 / 2)
    assert results[MASKED_PAIRS].mean("ndcg", 10) == 1


def test_cold_djs_are_folded_in_from_what_they_played() -> None:
    class OnlyNewcomers(Fixed):
        def of_newcomers(self, newcomers: Newcomers) -> Scores:
            # The song after each that was played.
            return np.roll(newcomers.plays.toarray(), 1, axis=1).astype(np.float32)

    snapshot = snapshot_of((0, "abcd", 1))
    later = later_of(snapshot, cold=[("a", "ab"), ("", "c"), ("b", "")])
    scorer = OnlyNewcomers("")
    results = by_view(evaluate_graph(snapshot, later, {"next": scorer}, ANYBODY))
    assert not scorer.asked
    # Who has no past is not asked for, nor who plays nothing later.
    assert results[COLD].djs.tolist() == results[COLD_NEW].djs.tolist() == [900]
    # b a c ..: both; without a: b.
    assert results[COLD].mean("ndcg", 10) == results[COLD_NEW].mean("ndcg", 10) == 1


def test_only_djs_with_a_past_are_asked_for() -> None:
    snapshot = snapshot_of(*[(0, "abc", 1)] * 5, *[(1, "abc", 1)] * 4, *[(2, "ab", 1)] * 5)
    later = later_of(snapshot, plays=["a", "a", "a"])
    [result, *_] = evaluate_graph(snapshot, later, {"fixed": Fixed("a")}, TruthOptions(5, 3, 5))
    assert result.djs.tolist() == [500]


def test_djs_are_scored_some_at_a_time_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recsys.evaluation.graph.PLAYERS_AT_ONCE", 2)
    snapshot = snapshot_of(*((dj, "ab", 1) for dj in range(5)))
    later = later_of(snapshot, plays=["a", "b", "", "b", "a"])
    scorer = Fixed("ab")
    results = by_view(evaluate_graph(snapshot, later, {"fixed": scorer}, ANYBODY))
    assert scorer.asked == [0, 1, 3, 4]
    assert results[ALL].djs.tolist() == [500, 501, 503, 504]
    assert results[ALL].scores["ndcg", 10] == pytest.approx([1, 1 / math.log2(3), 1 / math.log2(3), 1])


def test_what_cannot_be_measured_is_said() -> None:
    snapshot = snapshot_of((0, "abc", 1))
    for later in (later_of(snapshot), later_of(snapshot, plays=["h"])):
        with pytest.raises(NotReadyError, match="nothing that is held out can be measured"):
            measure(snapshot, later, {"fixed": lambda *_: Fixed("a")}, ANYBODY)


@pytest.mark.parametrize("bad", [np.full((1, len(LETTERS)), np.nan), np.zeros((1, 3))])
def test_scores_that_are_none_are_refused(bad: npt.NDArray[np.float64]) -> None:
    class Broken(Fixed):
        def of_djs(self, djs: npt.NDArray[np.int64]) -> Scores:
            return bad.astype(np.float32)

    snapshot = snapshot_of((0, "abc", 1))
    with pytest.raises(ValueError, match="scores of shape"):
        evaluate_graph(snapshot, later_of(snapshot, plays=["a"]), {"broken": Broken("")}, ANYBODY)


def test_a_method_without_its_package_is_left_out_and_named() -> None:
    def missing(_snapshot: GraphSnapshot, _fitting: Fitting) -> Fixed:
        raise ModuleNotFoundError("No module named 'implicit'", name="implicit")

    snapshot = snapshot_of((0, "abc", 1))
    methods = {"als": missing, "fixed": lambda *_: Fixed("a")}
    measured = measure(snapshot, later_of(snapshot, plays=["a"]), methods, ANYBODY)
    assert measured.missing == {"als": "implicit"}
    assert {result.method for result in measured.results} == {"fixed"}


def test_methods_are_chosen_by_name() -> None:
    assert list(chosen_methods(["own", "als", "own"])) == ["own", "als"]
    assert "lightgcn" in METHODS
    assert "lightgcn" not in chosen_methods()
    with pytest.raises(UnknownNameError, match="no method als2, but popularity"):
        chosen_methods(["als2"])


def test_tables_fit_a_terminal_and_show_what_was_published() -> None:
    snapshot = snapshot_of((0, "abc", 1), (1, "ade", 1))
    later = later_of(snapshot, plays=["abd", "ad"], pairs=["e", "b"], cold=[("ab", "bcd")])
    results = evaluate_graph(snapshot, later, {"item-knn": Fixed("abcde"), "popularity": Fixed("e")}, ANYBODY)
    tables = graph_tables(results)
    assert [table.title.split(":")[0] for table in tables] == [
        f"{view}, {djs} DJ{'' if djs == 1 else 's'}"
        for view, djs in ((ALL, 2), (NEW, 1), (PAIRS, 2), (MASKED_PAIRS, 2), (COLD, 1), (COLD_NEW, 1))
    ]
    for table in tables:
        widths = [max(len(line[place]) for line in [table.head, *table.rows]) for place in range(len(table.head))]
        assert sum(widths) + 3 * (len(widths) - 1) <= 80
        assert [row[0] for row in table.rows][:2] == ["item-knn", "popularity"]
    assert tables[2].rows[-1] == ["published", ".0109", ".0295", ".0697", ".1316", ".2747", ".3719"]
    assert tables[0].rows[0][1] == "1.000"
