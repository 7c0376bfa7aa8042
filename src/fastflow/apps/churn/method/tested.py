"""The deployed model asked about the test's customers: what it predicts, and what moves each prediction."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .backtest import Sample, Trained
from .deployed import TOLERANCE, Deployed
from .features import FeatureSet
from .findings import levels_of, reasons
from .matrices import batches
from .panel import Doubles
from .problems import Refusal


@dataclass(frozen=True)
class Tested:
    """The answers.

    Args:
        sample: who was asked about. predicted: probabilities, shape (n,).
        largest_difference: from the model that was fitted. effects: raw columns, and how each moves each customer.
        levels: whether a customer is above (1) or below (-1) what is typical in each of these, shape as the effects'.
    """

    sample: Sample
    predicted: Doubles
    largest_difference: float
    effects: tuple[tuple[str, ...], Doubles]
    levels: NDArray[np.int8]


def ask_deployed(trained: Trained, sample: Sample, graph: bytes, features: FeatureSet) -> Tested:
    """The graph's answers, in batches.

    Raises:
        Refusal: they differ from those of the fitted model.
    """
    deployed = Deployed(graph)
    names: tuple[str, ...] = ()
    predicted, effects, levels, difference = [], [], [], 0.0
    for _, rows in batches(sample.features):
        names, effect = reasons(deployed.predict, rows, trained.reference, features)
        predicted.append(deployed.predict(rows))
        effects.append(effect)
        levels.append(levels_of(rows, trained.reference, features))
        difference = max(difference, float(np.abs(predicted[-1] - trained.model.predict(rows)).max()))
    if difference > TOLERANCE:
        raise Refusal(
            f"The exported model differs from the fitted one by {difference:.2g}.", "Choose another model_type."
        )
    told = (names, np.concatenate(effects))
    return Tested(sample, np.concatenate(predicted), difference, told, np.concatenate(levels))
