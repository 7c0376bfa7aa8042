"""The model as it is served: an ONNX graph and its feature contract, and nothing of the libraries that fitted it."""

import hashlib
import json
from typing import Any

import numpy as np
import onnxruntime

from .features import FeatureSet
from .matrices import BATCH
from .panel import Doubles, Floats

INPUT, OUTPUT = "features", "probability"
TOLERANCE = 1e-5
"""Largest difference allowed between the graph's probabilities (single precision) and scikit-learn's (double)."""


class Deployed:
    """The model as it is served. One thread: the sums of trees have one order, and a repeat is equal to the last bit."""

    def __init__(self, graph: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def predict(self, matrix: Floats) -> Doubles:
        """Calibrated probabilities of a feature matrix, shape (n,); `BATCH` rows at a time, as the graph copies them five times."""
        answers = [self._answer(matrix[begin : begin + BATCH]) for begin in range(0, len(matrix), BATCH)]
        return np.concatenate(answers).astype(np.float64) if answers else np.empty(0, dtype=np.float64)

    def _answer(self, rows: Floats) -> Floats:
        answer = self._session.run([OUTPUT], {INPUT: np.ascontiguousarray(rows, dtype=np.float32)})[0]
        return np.asarray(answer)


def feature_contract(plan: FeatureSet, graph: bytes, facts: dict[str, Any]) -> dict[str, Any]:
    """What a caller must hand in, in which order, and from which raw columns it is computed.

    Args:
        facts: what else belongs to the model: its task, windows, thresholds.
    """
    return {
        "input": {"name": INPUT, "type": "float32", "shape": ["n", len(plan.names)], "unknown": "NaN"},
        "output": {"name": OUTPUT, "type": "float32", "shape": ["n"], "meaning": "probability of churn, calibrated"},
        "features": [{"name": name, "from": source} for name, source in zip(plan.names, plan.sources, strict=True)],
        "dynamic": list(plan.dynamic),
        "static": list(plan.static),
        "levels": {name: list(words) for name, words in plan.levels.items()},
        "windows_months": list(plan.windows),
        "model_sha256": hashlib.sha256(graph).hexdigest(),
        **facts,
    }


def plan_of_contract(contract: dict[str, Any]) -> FeatureSet:
    """The feature set that a contract was written for."""
    return FeatureSet(
        dynamic=tuple(contract["dynamic"]),
        static=tuple(contract["static"]),
        levels={name: tuple(words) for name, words in contract["levels"].items()},
        windows=tuple(contract["windows_months"]),
    )


def contract_text(contract: dict[str, Any]) -> str:
    """The contract as it is stored: sorted keys, so that equal contracts are equal files."""
    return json.dumps(contract, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
