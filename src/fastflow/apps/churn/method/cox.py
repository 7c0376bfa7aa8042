"""Cox's proportional hazards model: fitted by Newton's method with Efron's rule for ties, in arrays throughout.

One matrix product per step, whatever the number of event times, so a million rows fit in seconds. Columns that cannot be
fitted are named with the reason before they make a matrix singular. Standard errors are the model's own, or robust to
repeated rows of a customer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, stats

from .panel import Doubles, Integers
from .problems import Refusal
from .survival import kaplan_meier

STEEP = 12.0
"""A coefficient per standard deviation beyond this (a hazard ratio of 160,000) separates: it has no finite estimate."""


@dataclass(frozen=True)
class Cox:
    """A fitted model.

    Args:
        names: its columns. coefficients: log hazard ratios per unit, shape (p,). covariance: of them, shape (p, p).
        standard_errors: the model's own, or robust ones, shape (p,). robust: the covariance that these are of, shape (p, p).
        scales: standard deviations of the columns, shape (p,).
        log_likelihood, null_log_likelihood: partial, at the estimate and at nought.
        means: of the columns, shape (p,); the baseline is the hazard of a customer who has these.
        times, baseline: cumulative hazard of that customer, shape (k,), at the event times.
        dropped: columns not fitted, each with its reason.
        n, events: rows and events.
    """

    names: tuple[str, ...]
    coefficients: Doubles
    covariance: Doubles
    standard_errors: Doubles
    robust: Doubles
    scales: Doubles
    log_likelihood: float
    null_log_likelihood: float
    means: Doubles
    times: Doubles
    baseline: Doubles
    dropped: tuple[dict[str, str], ...]
    n: int
    events: int

    def log_risk(self, matrix: Doubles) -> Doubles:
        """Log hazard ratio to the customer with mean columns, shape (n,)."""
        return np.asarray((matrix - self.means) @ self.coefficients)

    def survival(self, matrix: Doubles, times: Doubles) -> Doubles:
        """Predicted survival, shape (n, k); after the last event time it stays where it is."""
        place = np.searchsorted(self.times, times, side="right")
        hazard = np.concatenate([[0.0], self.baseline])[place]
        return np.asarray(np.exp(-np.exp(np.clip(self.log_risk(matrix), -50, 50))[:, None] * hazard[None, :]))

    def table(self, z: float = 1.959963984540054) -> list[dict[str, Any]]:
        """Hazard ratios with 95 % intervals and Wald p-values: for one more, and for a standard deviation more."""
        rows = []
        each = zip(self.names, self.coefficients, self.standard_errors, self.scales, strict=True)
        for name, beta, error, scale in each:
            wald = beta / error
            rows.append(
                {
                    "covariate": name,
                    "coefficient": float(beta),
                    "standard_error": float(error),
                    "hazard_ratio": float(np.exp(beta)),
                    "hazard_ratio_low": float(np.exp(beta - z * error)),
                    "hazard_ratio_high": float(np.exp(beta + z * error)),
                    "standard_deviation": float(scale),
                    "hazard_ratio_per_sd": float(np.exp(scale * beta)),
                    "hazard_ratio_per_sd_low": float(np.exp(scale * (beta - z * error))),
                    "hazard_ratio_per_sd_high": float(np.exp(scale * (beta + z * error))),
                    "z": float(wald),
                    "p": float(2 * stats.norm.sf(abs(wald))),
                }
            )
        return rows

    @property
    def likelihood_ratio(self) -> tuple[float, int, float]:
        """Test against no effect at all: statistic, degrees of freedom, p."""
        value = 2 * (self.log_likelihood - self.null_log_likelihood)
        return value, len(self.names), float(stats.chi2.sf(value, len(self.names)))

    @property
    def robust_wald(self) -> tuple[float, int, float]:
        """Test against no effect at all that knows repeated rows of a customer: statistic, degrees of freedom, p.

        With fewer customers than columns the covariance has no inverse; what it does not tell of is not tested.
        """
        z = self.coefficients * self.scales
        covariance = self.robust * np.outer(self.scales, self.scales)
        freedom = int(np.linalg.matrix_rank(covariance, hermitian=True))
        value = float(z @ np.linalg.pinv(covariance, hermitian=True) @ z)
        return value, freedom, float(stats.chi2.sf(value, freedom))


@dataclass(frozen=True)
class _Ties:
    """What does not change from step to step: rows sorted by falling time, and the events within each time.

    Args:
        order: rows by falling time. group: of each sorted row, its event time's number or that of the next earlier one, -1
            before the first. died: sorted rows that are events. tie: of each event, its group. share: of each event, how much of
            its tied events Efron takes out of the risk set. times: of the groups, rising. end: of each group, how many sorted
            rows are at risk.
    """

    order: Integers
    group: Integers
    died: Integers
    tie: Integers
    share: Doubles
    times: Doubles
    end: Integers


def _ties(durations: Doubles, events: NDArray[np.int8]) -> _Ties:
    order = np.argsort(-durations, kind="stable")
    sorted_times = durations[order]
    times = np.unique(durations[events == 1])
    died = np.flatnonzero(events[order] == 1)
    tie = np.searchsorted(times, sorted_times[died])
    counts = np.bincount(tie, minlength=len(times))
    # events come sorted by falling time: number them within their group
    starts = np.concatenate([[0], np.cumsum(counts[::-1])])[:-1][::-1]
    share = (np.arange(len(died)) - starts[tie]) / counts[tie]
    return _Ties(
        order=order,
        group=np.searchsorted(times, sorted_times, side="right") - 1,
        died=died,
        tie=tie,
        share=share,
        times=times,
        end=np.searchsorted(-sorted_times, -times, side="right"),
    )


@dataclass(frozen=True)
class _State:
    likelihood: float
    gradient: Doubles
    information: Doubles
    means: Doubles
    inverse: Doubles
    weights: Doubles


def _evaluate(x: Doubles, beta: Doubles, ties: _Ties) -> _State:
    """Log-likelihood, gradient and information at a point; `x` sorted by falling time."""
    eta = np.clip(x @ beta, -50, 50)
    w = np.exp(eta)
    wx = w[:, None] * x
    s0, s1 = np.cumsum(w)[ties.end - 1], np.cumsum(wx, axis=0)[ties.end - 1]
    groups = len(ties.times)
    d0 = np.bincount(ties.tie, w[ties.died], groups)
    d1 = np.zeros((groups, x.shape[1]))
    np.add.at(d1, ties.tie, wx[ties.died])
    phi = s0[ties.tie] - ties.share * d0[ties.tie]
    means = (s1[ties.tie] - ties.share[:, None] * d1[ties.tie]) / phi[:, None]
    likelihood = float(eta[ties.died].sum() - np.log(phi).sum())
    gradient = x[ties.died].sum(axis=0) - means.sum(axis=0)
    inverse = np.bincount(ties.tie, 1 / phi, groups)
    taken = np.bincount(ties.tie, ties.share / phi, groups)
    total = np.concatenate([[0.0], np.cumsum(inverse)])[ties.group + 1] * w
    total[ties.died] -= taken[ties.tie] * w[ties.died]
    information = (x * total[:, None]).T @ x - means.T @ means
    return _State(likelihood, gradient, information, means, 1 / phi, w)


def fit_cox(
    durations: Doubles,
    events: NDArray[np.int8],
    matrix: Doubles,
    names: Sequence[str],
    *,
    ridge: float = 0.0,
    clusters: NDArray[Any] | None = None,
) -> Cox:
    """Fit the model.

    Args:
        durations: above 0, shape (n,). events: 1 event, 0 censored. matrix: finite, shape (n, p). names: of its columns.
        ridge: penalty on coefficients per standard deviation, n * ridge / 2 * beta squared.
        clusters: key of each row's customer for robust standard errors; None takes the model's own.

    Raises:
        Refusal: no event, a duration that is not above 0, a value that is not finite (the column is named), nothing to fit.

    Source: Cox 1972; Efron 1977; robust variance: Lin and Wei 1989.
    """
    _judge(durations, events, matrix, names)
    kept, dropped = screen_covariates(matrix, names)
    while True:
        if not kept:
            raise Refusal(
                "No covariate can be fitted: " + "; ".join(f"{row['covariate']}: {row['reason']}" for row in dropped),
                "Choose other covariates.",
            )
        x = matrix[:, kept]
        means, scales = x.mean(axis=0), x.std(axis=0)
        z = (x - means) / scales
        ties = _ties(durations, events)
        beta, state, steep = _newton(z[ties.order], ties, ridge * len(z))
        if steep is None:
            break
        dropped.append(
            {
                "covariate": names[kept[steep]],
                "reason": "separating: its values tell events from the rest, and its hazard ratio has no finite estimate",
            }
        )
        kept = [column for index, column in enumerate(kept) if index != steep]
    penalised = state.information + ridge * len(z) * np.eye(len(beta))
    inverse = np.linalg.inv(penalised)
    covariance = inverse / np.outer(scales, scales)
    robust = covariance
    if clusters is not None:
        residuals = score_residuals(z, beta, durations, events)
        _, who = np.unique(clusters, return_inverse=True)
        summed = np.zeros((int(who.max()) + 1, len(beta)))
        np.add.at(summed, who, residuals)
        robust = inverse @ (summed.T @ summed) @ inverse / np.outer(scales, scales)
    hazard = np.bincount(ties.tie, state.inverse, len(ties.times))
    return Cox(
        names=tuple(names[column] for column in kept),
        coefficients=beta / scales,
        covariance=covariance,
        standard_errors=np.sqrt(np.diag(robust)),
        robust=robust,
        scales=scales,
        log_likelihood=state.likelihood,
        null_log_likelihood=_evaluate(z[ties.order], np.zeros(len(beta)), ties).likelihood,
        means=means,
        times=ties.times,
        baseline=np.cumsum(hazard),
        dropped=tuple(dropped),
        n=len(durations),
        events=int(events.sum()),
    )


def _judge(durations: Doubles, events: NDArray[np.int8], matrix: Doubles, names: Sequence[str]) -> None:
    if not events.any():
        raise Refusal(f"All {len(events)} subjects are censored.", "Choose a cutoff before which some churned.")
    if durations.min() <= 0:
        raise Refusal("A duration is not above 0.", "Leave out who churned before the observation began.")
    unknown = ~np.isfinite(matrix).all(axis=0)
    if unknown.any():
        raise Refusal(
            f"{names[int(np.argmax(unknown))]} holds values that are not finite.", "Fill them, or leave the column out."
        )


def _newton(x: Doubles, ties: _Ties, penalty: float) -> tuple[Doubles, _State, int | None]:
    """The estimate, or the number of the column that runs away from every estimate."""
    beta = np.zeros(x.shape[1])
    state = _evaluate(x, beta, ties)
    for _ in range(60):
        gradient = state.gradient - penalty * beta
        step = linalg.solve(state.information + penalty * np.eye(len(beta)), gradient, assume_a="sym")
        worth = state.likelihood - penalty / 2 * float(beta @ beta)
        size = 1.0
        while True:
            tried = beta + size * step
            new = _evaluate(x, tried, ties)
            if new.likelihood - penalty / 2 * float(tried @ tried) >= worth - 1e-9 or size < 1e-6:
                break
            size /= 2
        beta, state = tried, new
        steep = int(np.argmax(np.abs(beta)))
        if abs(beta[steep]) > STEEP:
            return beta, state, steep
        if float(np.abs(size * step).max()) < 1e-9:
            break
    return beta, state, None


def screen_covariates(matrix: Doubles, names: Sequence[str]) -> tuple[list[int], list[dict[str, str]]]:
    """Columns that can be fitted together, and why each of the others cannot: constant, or a combination of earlier ones."""
    kept: list[int] = []
    dropped: list[dict[str, str]] = []
    basis = np.empty((len(matrix), 0))
    for index, name in enumerate(names):
        column = matrix[:, index] - matrix[:, index].mean()
        size = float(np.linalg.norm(column))
        if size <= 1e-12 * max(1.0, float(np.abs(matrix[:, index]).max())) * len(matrix) ** 0.5:
            dropped.append({"covariate": name, "reason": "constant"})
            continue
        unit = column / size
        rest = unit - basis @ (basis.T @ unit)
        rest -= basis @ (basis.T @ rest)
        if float(np.linalg.norm(rest)) < 1e-6:
            dropped.append({"covariate": name, "reason": _combination(matrix, index, kept, names)})
            continue
        kept.append(index)
        basis = np.column_stack([basis, rest / np.linalg.norm(rest)])
    return kept, dropped


def _combination(matrix: Doubles, index: int, kept: list[int], names: Sequence[str]) -> str:
    same = [names[other] for other in range(index) if np.array_equal(matrix[:, other], matrix[:, index])]
    if same:
        return f"collinear: the same as {same[0]}"
    design = np.column_stack([np.ones(len(matrix)), matrix[:, kept]])
    weights = np.linalg.lstsq(design, matrix[:, index], rcond=None)[0][1:]
    scale = matrix[:, kept].std(axis=0) / matrix[:, index].std()
    partners = [names[other] for other, weight in zip(kept, weights * scale, strict=True) if abs(weight) > 1e-4]
    return "collinear: a combination of " + ", ".join(partners)


def score_residuals(x: Doubles, beta: Doubles, durations: Doubles, events: NDArray[np.int8]) -> Doubles:
    """Each row's part of the gradient, shape (n, p), in the order of the rows; Efron's rule for ties."""
    ties = _ties(durations, events)
    z = x[ties.order]
    state = _evaluate(z, beta, ties)
    groups, width = len(ties.times), x.shape[1]
    count = np.bincount(ties.tie, minlength=groups)

    def summed(values: Doubles) -> Doubles:
        total = np.zeros((groups, width))
        np.add.at(total, ties.tie, values)
        return total

    scaled = state.means * state.inverse[:, None]
    a = np.concatenate([[0.0], np.cumsum(np.bincount(ties.tie, state.inverse, groups))])[ties.group + 1]
    b = np.vstack([np.zeros(width), np.cumsum(summed(scaled), axis=0)])[ties.group + 1]
    residuals = -state.weights[:, None] * (z * a[:, None] - b)
    own_a = np.bincount(ties.tie, ties.share * state.inverse, groups)[ties.tie]
    own_b = summed(ties.share[:, None] * scaled)[ties.tie]
    mean = summed(state.means)[ties.tie] / count[ties.tie][:, None]
    died = ties.died
    residuals[died] += z[died] - mean + state.weights[died][:, None] * (z[died] * own_a[:, None] - own_b)
    back = np.empty_like(residuals)
    back[ties.order] = residuals
    return np.asarray(back)


def proportionality_test(
    model: Cox, durations: Doubles, events: NDArray[np.int8], matrix: Doubles, names: Sequence[str]
) -> list[dict[str, Any]]:
    """Does a hazard ratio change over time? One row per covariate, over time as Kaplan-Meier's curve measures it.

    Statistic: squared covariance of scaled Schoenfeld residuals with 1 - S(t), over d * V * sum of squares of it;
    chi-squared with 1 degree of freedom; `violated` after Bonferroni's correction at 0.05. Source: Grambsch and Therneau 1994, in the form that lifelines uses.
    """
    columns = [list(names).index(name) for name in model.names]
    ties = _ties(durations, events)
    x = (matrix[:, columns] - model.means)[ties.order]
    state = _evaluate(x, model.coefficients, ties)
    mean = np.zeros((len(ties.times), x.shape[1]))
    np.add.at(mean, ties.tie, state.means)
    mean /= np.bincount(ties.tie)[:, None]
    schoenfeld = x[ties.died] - mean[ties.tie]
    scaled = len(ties.died) * schoenfeld @ model.covariance
    curve, _ = kaplan_meier(durations, events)
    when = 1 - curve.at(durations[ties.order][ties.died])
    when = when - when.mean()
    rows, level = [], 0.05 / max(1, len(model.names))
    for index, name in enumerate(model.names):
        spread = len(ties.died) * model.covariance[index, index] * float((when**2).sum())
        value = float((when * scaled[:, index]).sum() ** 2 / spread)
        p = float(stats.chi2.sf(value, 1))
        rows.append({"covariate": name, "statistic": value, "p": p, "level": level, "violated": p < level})
    return rows
