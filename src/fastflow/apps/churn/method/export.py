"""The fitted model as an ONNX graph, whole: unknown values filled, scaled, scored and calibrated inside the graph.

The graph is written node by node, so that a tree's threshold is rounded downwards to single precision, where
`x <= threshold` says the same for every single-precision x.
"""

from typing import Any

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

from .deployed import INPUT, OUTPUT
from .models import EDGE, Model
from .panel import Doubles, Floats

OPSET, TREE_OPSET = 17, 3


def export_onnx(model: Model, width: int) -> bytes:
    """The graph: input `features` (n, width) single precision, output `probability` (n,).

    Args:
        width: features of the whole matrix; the graph picks its columns itself.
    """
    constants = [
        numpy_helper.from_array(model.columns.astype(np.int64), "columns"),
        numpy_helper.from_array(model.medians.astype(np.float32), "medians"),
        numpy_helper.from_array(model.means.astype(np.float32), "means"),
        numpy_helper.from_array(model.scales.astype(np.float32), "scales"),
        numpy_helper.from_array(np.array([model.slope], dtype=np.float32), "slope"),
        numpy_helper.from_array(np.array([model.intercept], dtype=np.float32), "intercept"),
        numpy_helper.from_array(np.array([-1], dtype=np.int64), "flat"),
    ]
    nodes = [
        helper.make_node("Gather", [INPUT, "columns"], ["chosen"], axis=1),
        helper.make_node("IsNaN", ["chosen"], ["unknown"]),
        helper.make_node("Where", ["unknown", "medians", "chosen"], ["filled"]),
        helper.make_node("Sub", ["filled", "means"], ["centred"]),
        helper.make_node("Div", ["centred", "scales"], ["prepared"]),
    ]
    scoring, weights = _scoring(model)
    nodes += scoring
    constants += weights
    nodes += [
        helper.make_node("Mul", ["log_odds", "slope"], ["sloped"]),
        helper.make_node("Add", ["sloped", "intercept"], ["calibrated"]),
        helper.make_node("Sigmoid", ["calibrated"], ["column"]),
        helper.make_node("Reshape", ["column", "flat"], [OUTPUT]),
    ]
    graph = helper.make_graph(
        nodes,
        "churn",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["n", width])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["n"])],
        constants,
    )
    written = helper.make_model(
        graph,
        producer_name="fastflow",
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", TREE_OPSET)],
    )
    written.ir_version = 8
    checker.check_model(written)
    return bytes(written.SerializeToString(deterministic=True))


def _scoring(model: Model) -> tuple[list[Any], list[Any]]:
    estimator = model.estimator
    if model.kind == "logistic":
        weights = estimator.coef_.astype(np.float32).T
        constants = [
            numpy_helper.from_array(np.ascontiguousarray(weights), "weights"),
            numpy_helper.from_array(estimator.intercept_.astype(np.float32), "bias"),
        ]
        nodes = [
            helper.make_node("MatMul", ["prepared", "weights"], ["weighted"]),
            helper.make_node("Add", ["weighted", "bias"], ["log_odds"]),
        ]
        return nodes, constants
    if model.kind == "gradient_boosting":
        trees = [_boosted(stage[0].nodes) for stage in estimator._predictors]
        return [_ensemble(trees, "log_odds", float(np.ravel(estimator._baseline_prediction)[0]))], []
    share = 1.0 / len(estimator.estimators_)
    trees = [_forest_tree(tree.tree_, share) for tree in estimator.estimators_]
    constants = [
        numpy_helper.from_array(np.array(EDGE, dtype=np.float32), "lowest"),
        numpy_helper.from_array(np.array(1 - EDGE, dtype=np.float32), "highest"),
        numpy_helper.from_array(np.array(1.0, dtype=np.float32), "one"),
    ]
    nodes = [
        _ensemble(trees, "share", 0.0),
        helper.make_node("Clip", ["share", "lowest", "highest"], ["held"]),
        helper.make_node("Sub", ["one", "held"], ["rest"]),
        helper.make_node("Div", ["held", "rest"], ["odds"]),
        helper.make_node("Log", ["odds"], ["log_odds"]),
    ]
    return nodes, constants


def _round_down(thresholds: Doubles) -> Floats:
    single = thresholds.astype(np.float32)
    above = single.astype(np.float64) > thresholds
    single[above] = np.nextafter(single[above], np.float32(-np.inf))
    return single


def _forest_tree(tree: Any, share: float) -> dict[str, Any]:
    leaf = tree.children_left < 0
    counts = tree.value[:, 0, :]
    weight = counts[:, 1] / counts.sum(axis=1) * share
    return {
        "leaf": leaf,
        "feature": np.where(leaf, 0, tree.feature),
        "threshold": _round_down(np.where(leaf, 0.0, tree.threshold)),
        "left": np.where(leaf, 0, tree.children_left),
        "right": np.where(leaf, 0, tree.children_right),
        "weight": weight,
    }


def _boosted(nodes: Any) -> dict[str, Any]:
    leaf = nodes["is_leaf"].astype(bool)
    return {
        "leaf": leaf,
        "feature": np.where(leaf, 0, nodes["feature_idx"]),
        "threshold": _round_down(np.where(leaf, 0.0, nodes["num_threshold"]).astype(np.float64)),
        "left": np.where(leaf, 0, nodes["left"]),
        "right": np.where(leaf, 0, nodes["right"]),
        "weight": nodes["value"],
    }


def _ensemble(trees: list[dict[str, Any]], output: str, base: float) -> Any:
    sizes = [len(tree["leaf"]) for tree in trees]
    joined = {key: np.concatenate([tree[key] for tree in trees]) for key in trees[0]}
    tree_ids = np.repeat(np.arange(len(trees)), sizes)
    node_ids = np.concatenate([np.arange(size) for size in sizes])
    leaf = joined["leaf"]
    return helper.make_node(
        "TreeEnsembleRegressor",
        ["prepared"],
        [output],
        domain="ai.onnx.ml",
        n_targets=1,
        aggregate_function="SUM",
        base_values=[base],
        nodes_treeids=tree_ids.tolist(),
        nodes_nodeids=node_ids.tolist(),
        nodes_featureids=joined["feature"].astype(int).tolist(),
        nodes_modes=np.where(leaf, "LEAF", "BRANCH_LEQ").tolist(),
        nodes_values=joined["threshold"].astype(float).tolist(),
        nodes_truenodeids=joined["left"].astype(int).tolist(),
        nodes_falsenodeids=joined["right"].astype(int).tolist(),
        target_treeids=tree_ids[leaf].tolist(),
        target_nodeids=node_ids[leaf].tolist(),
        target_ids=np.zeros(int(leaf.sum()), dtype=int).tolist(),
        target_weights=joined["weight"][leaf].astype(float).tolist(),
    )
