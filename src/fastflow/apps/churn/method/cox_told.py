"""What a fitted Cox model is told by: how much it learned from, whether its covariates say anything, and in which units."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .cox import Cox
from .landmarks import Followed


def fit_metrics(model: Cox, rows: Followed) -> dict[str, float]:
    """Stretches and the customers behind them, and the tests of all covariates together.

    A customer has a stretch for each landmark, so its departure counts once in each: the likelihood ratio takes them for
    different customers, the robust Wald test does not.
    """
    statistic, freedom, p = model.likelihood_ratio
    wald, wald_freedom, wald_p = model.robust_wald
    return {
        "rows": model.n,
        "events": model.events,
        "customers": len(np.unique(rows.customers)),
        "customers_departed": len(np.unique(rows.customers[rows.events == 1])),
        "log_likelihood": model.log_likelihood,
        "likelihood_ratio": statistic,
        "likelihood_ratio_df": freedom,
        "likelihood_ratio_p": p,
        "robust_wald": wald,
        "robust_wald_df": wald_freedom,
        "robust_wald_p": wald_p,
    }


def reference_words(model: Cox, levels: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """Covariate that stands for a word of a text column -> that column, the word, and the one it is compared with."""
    return {
        f"{column}__is_{word}": {"column": column, "word": word, "reference": words[0]}
        for column, words in levels.items()
        for word in words[1:]
        if f"{column}__is_{word}" in model.names
    }
