"""The blend: its forests are those that were grown, and it learns from earlier tracklists what comes later."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from recsys.errors import NotReadyError
from recsys.tracklists.blend import PARTS, Blend, BlendOptions
from recsys.tracklists.blend_training import spans, train_blend
from recsys.tracklists.channels import FEATURES, NEVER
from recsys.tracklists.forests import Forest, ForestOptions, grown_forest
from recsys.tracklists.graph_snapshot import GraphSnapshot
from recsys.tracklists.past import Candidates, past_of
from recsys.tracklists.song_space import Floats
from tests.graph_worlds import snapshot_of
from tests.scenes import SONGS, scene_sets, snapshot

LITTLE = BlendOptions(trees=10, leaf_size=5, windows=2, least_lists=2, least_songs=3)
WIDTH = len(FEATURES)


def foretold(graph: GraphSnapshot, options: BlendOptions) -> list[tuple[list[int], list[int]]]:
    """Places of known and of later tracklists, span by span."""
    return [
        (np.flatnonzero(span.is_known).tolist(), np.flatnonzero(span.is_later).tolist())
        for span in spans(graph, options)
    ]


def test_the_last_tenths_of_the_time_are_foretold_one_after_the_other_and_then_each_djs_own_last() -> None:
    days = [10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, None]
    graph = snapshot_of(*((number % 2, "ab", day) for number, day in enumerate(days)))
    options = BlendOptions(windows=2, window_share=0.1, last_share=0.25)
    assert foretold(graph, options) == [
        # Days 9 and 10: the span ends with the last day, and begins with the day at a tenth of the others.
        ([2, 3, 4, 5, 6, 7, 8, 9, 10], [0, 1]),
        ([3, 4, 5, 6, 7, 8, 9, 10], [2]),
        # DJ 0 has six: 4.5, made 5, are known, and day 10 is later; so of DJ 1, whose list without a date is his first.
        ([2, 3, 4, 5, 6, 7, 8, 9, 10, 11], [0, 1]),
    ]


def test_tracklists_of_a_day_are_foretold_together() -> None:
    graph = snapshot_of(*((0, "ab", day) for day in (1, 1, 2, 3, 3, 3)))
    first, second, _ = foretold(graph, BlendOptions(windows=2, window_share=0.2))
    assert first == ([0, 1, 2], [3, 4, 5])
    assert second == ([0, 1, 2], [])


def test_spans_end_where_the_past_begins() -> None:
    graph = snapshot_of(*((0, "ab", day) for day in (1, 2, 3)))
    found = foretold(graph, BlendOptions(windows=4, window_share=0.5))
    assert found[:4] == [([0], [1, 2]), ([], [0]), ([], []), ([], [])]


def test_without_dates_the_order_of_reading_is_taken_for_the_time() -> None:
    graph = snapshot_of(*((0, "ab", None) for _ in range(5)))
    assert foretold(graph, BlendOptions(last_share=0.4)) == [([0, 1, 2], [3, 4])]


@pytest.fixture(scope="module")
def scenes() -> GraphSnapshot:
    return snapshot(scene_sets())


@pytest.fixture(scope="module")
def trained(scenes: GraphSnapshot) -> Blend:
    return train_blend(scenes, LITTLE)


def test_it_learns_to_put_the_djs_scene_and_his_favourites_first(scenes: GraphSnapshot, trained: Blend) -> None:
    past = past_of(scenes)
    plays = past.plays.toarray()
    for dj, scored in enumerate(trained.forecast(past, past.histories(np.arange(8)))):
        assert len(scored.songs) == 2 * SONGS
        assert (np.diff(scored.scores) <= 0).all()
        assert (scored.scores > 0).all()
        assert (scored.scores < 1).all()
        assert (plays[dj][scored.songs] > 0).tolist() == scored.is_known.tolist()
        new = scored.songs[~scored.is_known]
        own = new // SONGS == dj % 2
        assert own.sum() > 5
        assert own[: own.sum()].mean() > 0.9
        favourites = np.argsort(-plays[dj], kind="stable")[:8]
        assert len(set(favourites) & set(scored.songs[:12].tolist())) >= 6


def test_likes_of_a_scene_are_answered_with_that_scene(scenes: GraphSnapshot, trained: Blend) -> None:
    past = past_of(scenes)
    likes = np.zeros((2, 2 * SONGS), dtype=np.float32)
    likes[0, [0, 7, 20]] = 1
    likes[1, [SONGS, SONGS + 7, SONGS + 20]] = 1
    for scene, scored in enumerate(trained.forecast(past, past.listeners(sparse.csr_matrix(likes)))):
        best = scored.songs[~scored.is_known][:20]
        assert (best // SONGS == scene).mean() > 0.9


def test_known_and_new_songs_are_weighed_by_forests_of_their_own() -> None:
    def forest(value: float) -> Forest:
        features = np.zeros((40, WIDTH), dtype=np.float32)
        features[::2, FEATURES.index("since")] = NEVER
        weights = np.ones(40, dtype=np.float32)
        return grown_forest(features, np.arange(40) % 2 == value, weights, ForestOptions(trees=1, leaf_size=1))[0]

    forests = {"known": forest(0), "new": forest(1)}
    features = np.zeros((3, WIDTH), dtype=np.float32)
    candidates = Candidates(np.array([4, 2, 9]), features, np.array([True, False, True]))
    logits = Blend(BlendOptions(), forests).logits(candidates)
    expected = {part: float(forests[part].logits(features[:1])[0]) for part in PARTS}
    assert expected["known"] != expected["new"]
    assert logits.tolist() == [expected["known"], expected["new"], expected["known"]]


def test_the_same_seed_grows_the_same_forests_and_another_seed_others(scenes: GraphSnapshot) -> None:
    options = replace(LITTLE, candidates=20, others=10, most_djs=4)
    first, again, other = (train_blend(scenes, replace(options, seed=seed)) for seed in (3, 3, 4))
    assert [first.forests[part].onnx for part in PARTS] == [again.forests[part].onnx for part in PARTS]
    assert first.metrics == again.metrics
    assert first.forests["new"].onnx != other.forests["new"].onnx


def test_the_loss_is_better_than_that_of_the_mean_and_is_told(trained: Blend) -> None:
    assert set(trained.metrics) == {"known_loss", "new_loss"}
    assert all(0 < loss < 0.6 for loss in trained.metrics.values())


@pytest.mark.parametrize(
    "options",
    [
        replace(LITTLE, least_lists=9),
        replace(LITTLE, least_songs=100),
    ],
)
def test_where_no_dj_can_be_learned_from_it_says_what_is_wanting(scenes: GraphSnapshot, options: BlendOptions) -> None:
    with pytest.raises(NotReadyError, match="load more tracklists with `recsys ingest`") as error:
        train_blend(scenes, options)
    assert f"no DJ has {options.least_lists} tracklists, {options.least_songs} songs" in str(error.value)


@pytest.mark.parametrize(
    "graph",
    [
        snapshot_of((0, "abc", 1)),
        # Nothing that he knows is played again, and nothing else is known.
        snapshot_of((0, "abc", 1), (0, "abc", 2), (0, "d", 3)),
        # All that is played is known to him.
        snapshot_of((0, "abc", 1), (0, "abc", 2), (0, "abc", 3)),
    ],
)
def test_where_there_is_nothing_to_learn_it_says_so(graph: GraphSnapshot) -> None:
    with pytest.raises(NotReadyError, match="load more tracklists"):
        train_blend(graph, LITTLE)


def test_what_comes_later_is_not_seen_in_training(scenes: GraphSnapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    """No feature of a training row changes with what a later tracklist holds, only whether the song is played."""
    gathered: list[list[Floats]] = []

    def noted(features: Floats, *_: Any) -> tuple[Forest, float]:
        gathered[-1].append(features)
        return Forest(b""), 0.0

    monkeypatch.setattr("recsys.tracklists.blend_training.grown_forest", noted)
    last = np.argmax(scenes.days)
    lists = scenes.lists.tolil(copy=True)
    lists[last] = 0
    lists[last, [0, 1, SONGS, SONGS + 1]] = 1
    # One window of the last two tracklists; of a DJ's own last ones there are none.
    options = replace(LITTLE, windows=1, window_share=1 / 63, last_share=0.01)
    for graph in (scenes, replace(scenes, lists=lists.tocsr())):
        gathered.append([])
        train_blend(graph, options)
    for one, other in zip(*gathered, strict=True):
        assert one.tolist() == other.tolist()
