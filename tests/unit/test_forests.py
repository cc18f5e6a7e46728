"""Forests: what is kept as ONNX says what the grown trees say."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier

from recsys.tracklists.forests import Forest, _onnx, _rounded_down, check_forest
from recsys.tracklists.song_space import Floats

WIDTH = 7


def close_rows(rows: int, seed: int) -> Floats:
    """Features that are float32 numbers right beside each other, so that no float32 lies between them."""
    steps = np.random.default_rng(seed).integers(0, 6, (rows, WIDTH))
    return (np.float32(1).view(np.int32) + steps.astype(np.int32)).view(np.float32)


def grown_on(features: Floats, seed: int, **more: Any) -> HistGradientBoostingClassifier:
    random = np.random.default_rng(seed)
    ranks = np.argsort(np.argsort(features[:, :3].astype(np.float64).sum(axis=1)))
    is_played = random.random(len(features)) < ranks / len(features)
    options = {"max_iter": 30, "min_samples_leaf": 5, "learning_rate": 0.5} | more
    return HistGradientBoostingClassifier(early_stopping=False, random_state=0, **options).fit(features, is_played)


def at_thresholds(grown: HistGradientBoostingClassifier, rows: Floats) -> Floats:
    """Rows with one feature at a threshold, right below and right above, as far as float32 can say."""
    made: list[Floats] = []
    for (tree,) in grown._predictors:
        for node in tree.nodes[tree.nodes["is_leaf"] == 0]:
            near = np.float32(node["num_threshold"])
            for value in (near, np.nextafter(near, np.float32(-np.inf)), np.nextafter(near, np.float32(np.inf))):
                row = rows[len(made) % len(rows)].copy()
                row[node["feature_idx"]] = value
                made.append(row)
    return np.stack(made)


@pytest.mark.parametrize("seed", range(3))
def test_a_forest_says_what_the_grown_trees_say(seed: int) -> None:
    features = np.random.default_rng(seed).normal(size=(600, WIDTH)).astype(np.float32)
    grown = grown_on(features, seed)
    forest = Forest(_onnx(grown, WIDTH))
    rows = np.concatenate([features, 3 * features, at_thresholds(grown, features)])
    np.testing.assert_allclose(forest.logits(rows), grown.decision_function(rows), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_a_row_at_a_threshold_between_two_neighbouring_floats_goes_the_same_way(seed: int) -> None:
    features = close_rows(600, seed)
    grown = grown_on(features, seed)
    nodes = np.concatenate([tree.nodes for (tree,) in grown._predictors])
    thresholds = nodes["num_threshold"][nodes["is_leaf"] == 0]
    assert (thresholds.astype(np.float32) > thresholds).any(), "rounding to the nearest would be right here, too"
    rows = np.concatenate([features, at_thresholds(grown, features)])
    logits = Forest(_onnx(grown, WIDTH)).logits(rows)
    np.testing.assert_allclose(logits, grown.decision_function(rows), rtol=1e-4, atol=1e-4)


def test_a_forest_of_trees_that_are_one_leaf_says_the_same_of_all() -> None:
    features = np.random.default_rng(0).normal(size=(20, WIDTH)).astype(np.float32)
    grown = grown_on(features, 0, min_samples_leaf=20)
    logits = Forest(_onnx(grown, WIDTH)).logits(features)
    np.testing.assert_allclose(logits, grown.decision_function(features), rtol=1e-5)
    assert len(set(logits.tolist())) == 1


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_a_threshold_is_rounded_to_the_largest_float32_that_is_not_above_it(values: list[float]) -> None:
    thresholds = np.array(values)
    with np.errstate(over="ignore"):
        rounded = _rounded_down(thresholds)
        above = np.nextafter(rounded, np.float32(np.inf))
    assert rounded.dtype == np.float32
    assert (rounded <= thresholds).all()
    assert (above > thresholds).all()


@pytest.mark.parametrize("onnx", [b"", b"no graph"])
def test_what_is_no_forest_is_said_to_be_none(onnx: bytes) -> None:
    with pytest.raises(ValueError, match="a forest cannot be read"):
        check_forest(Forest(onnx), WIDTH)


def test_a_forest_of_other_features_is_refused() -> None:
    features = np.random.default_rng(0).normal(size=(100, WIDTH + 1)).astype(np.float32)
    forest = Forest(_onnx(grown_on(features, 0), WIDTH + 1))
    with pytest.raises(ValueError, match="cannot be read"):
        check_forest(forest, WIDTH)
