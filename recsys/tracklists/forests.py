"""Forests of boosted trees that weigh what tells of a song: grown by scikit-learn, kept and run as ONNX graphs."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from recsys.tracklists.stored_arrays import Floats


@dataclass(frozen=True)
class ForestOptions:
    """How a forest is grown."""

    trees: int = 150
    learning_rate: float = 0.06
    leaves: int = 15
    """Of a tree, at most."""
    leaf_size: int = 200
    """Songs of a leaf, at least."""
    shrinkage: float = 10.0
    """L2 penalty of the leaves' values."""
    seed: int = 0


@dataclass(frozen=True)
class Forest:
    """Boosted trees, as an ONNX graph."""

    onnx: bytes
    threads: int = 0
    """That weigh songs together, all there are by default. With one, a logit does not depend on the songs beside it."""

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = self.threads
        return onnxruntime.InferenceSession(self.onnx, options, providers=["CPUExecutionProvider"])

    def logits(self, features: Floats) -> Floats:
        """Of songs with features (n, features), shape (n,)."""
        (made,) = self._session.run(None, {"features": features})
        logits: Floats = made.ravel()
        return logits


def check_forest(forest: Forest, features: int) -> None:
    """Run a forest once.

    Raises:
        ValueError: it cannot be read, or weighs another number of features.
    """
    try:
        forest.logits(np.zeros((1, features), dtype=np.float32))
    except Exception as error:
        raise ValueError(f"a forest cannot be read: {error}") from error


def grown_forest(
    features: Floats, is_true: npt.NDArray[np.bool_], weights: Floats, options: ForestOptions
) -> tuple[Forest, float]:
    """A forest whose logits say how likely rows (n, features) are true, and its weighted cross-entropy on them."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import log_loss

    grown = HistGradientBoostingClassifier(
        max_iter=options.trees,
        learning_rate=options.learning_rate,
        max_leaf_nodes=options.leaves,
        min_samples_leaf=options.leaf_size,
        l2_regularization=options.shrinkage,
        early_stopping=False,
        random_state=options.seed,
    ).fit(features, is_true, weights / weights.mean())
    forest = Forest(_onnx(grown, features.shape[1]))
    chances = 1 / (1 + np.exp(-forest.logits(features).astype(np.float64)))
    return forest, float(log_loss(is_true, chances, sample_weight=weights))


def _onnx(grown: Any, features: int) -> bytes:
    """Boosted trees as one `TreeEnsembleRegressor` whose target is the logit.

    A feature is float32 and a threshold was float64: it is rounded down, so that every row goes the same way.
    """
    from onnx import TensorProto, checker, helper

    columns: dict[str, Any] = {
        name: []
        for name in (
            *("nodes_treeids", "nodes_nodeids", "nodes_featureids", "nodes_values", "nodes_modes"),
            *("nodes_truenodeids", "nodes_falsenodeids", "target_treeids", "target_nodeids", "target_weights"),
        )
    }
    for number, (tree,) in enumerate(grown._predictors):
        nodes = tree.nodes
        is_leaf = nodes["is_leaf"].astype(bool)
        columns["nodes_treeids"] += [number] * len(nodes)
        columns["nodes_nodeids"] += range(len(nodes))
        columns["nodes_featureids"] += np.where(is_leaf, 0, nodes["feature_idx"]).tolist()
        columns["nodes_values"] += _rounded_down(np.where(is_leaf, 0, nodes["num_threshold"])).tolist()
        columns["nodes_modes"] += np.where(is_leaf, "LEAF", "BRANCH_LEQ").tolist()
        columns["nodes_truenodeids"] += np.where(is_leaf, 0, nodes["left"]).tolist()
        columns["nodes_falsenodeids"] += np.where(is_leaf, 0, nodes["right"]).tolist()
        leaves = np.flatnonzero(is_leaf)
        columns["target_treeids"] += [number] * len(leaves)
        columns["target_nodeids"] += leaves.tolist()
        columns["target_weights"] += nodes["value"][leaves].tolist()
    trees = helper.make_node(
        "TreeEnsembleRegressor",
        ["features"],
        ["logits"],
        domain="ai.onnx.ml",
        n_targets=1,
        aggregate_function="SUM",
        post_transform="NONE",
        base_values=[float(grown._baseline_prediction.ravel()[0])],
        target_ids=[0] * len(columns["target_weights"]),
        **columns,
    )
    inputs = [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, features])]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [None, 1])]
    versions = [helper.make_opsetid("ai.onnx.ml", 3), helper.make_opsetid("", 17)]
    model = helper.make_model(
        helper.make_graph([trees], "forest", inputs, outputs), opset_imports=versions, ir_version=8
    )
    checker.check_model(model)
    return bytes(model.SerializeToString())


def _rounded_down(values: npt.NDArray[np.float64]) -> Floats:
    near = values.astype(np.float32)
    return np.where(near > values, np.nextafter(near, np.float32(-np.inf)), near)
