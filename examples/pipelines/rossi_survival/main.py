"""Kaplan-Meier and Cox estimates of the time to re-arrest, on the data of P. H. Rossi and others (1980).

432 people released from prison were followed for a year; half of them had been given money (`fin`). The Cox fit is
compared with reference values: the log-likelihood -658.748 that `coxph` of R's package survival gives on these data,
and the concordance 0.6403. A difference ends the run with exit code 1, so this pipeline also checks an installation.

Artifacts: coefficients.csv, survival.csv.
"""

import json
import os
from pathlib import Path

from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.datasets import load_rossi
from lifelines.statistics import logrank_test

ARTIFACTS = Path(os.environ.get("FASTFLOW_ARTIFACTS", "."))
REFERENCE = {"log_likelihood": (-658.748, 0.001), "concordance": (0.6403, 0.0005)}


def tell(**facts):
    """Tell Fast-Flow something: a line like this becomes an event of the run and stays out of its log."""
    print("::fastflow::" + json.dumps(facts), flush=True)


tell(progress=0.0, step="load the data", total=3)
rossi = load_rossi()
print(f"{len(rossi)} people, {int(rossi['arrest'].sum())} re-arrested within {int(rossi['week'].max())} weeks\n")
ARTIFACTS.mkdir(parents=True, exist_ok=True)

tell(progress=0.33, step="Kaplan-Meier", total=3)
curves = {}
for label, group in (("money", rossi[rossi["fin"] == 1]), ("no money", rossi[rossi["fin"] == 0])):
    fit = KaplanMeierFitter(label=label).fit(group["week"], group["arrest"])
    curves[label] = fit.survival_function_[label]
    print(f"free after 52 weeks, {label:<8}: {float(fit.predict(52)):.3f}")
test = logrank_test(*(rossi.loc[rossi["fin"] == given, "week"] for given in (1, 0)),
                    *(rossi.loc[rossi["fin"] == given, "arrest"] for given in (1, 0)))  # fmt: skip
print(f"log-rank test of money against no money: p = {test.p_value:.4f}\n")
curves["money"].to_frame().join(curves["no money"], how="outer").ffill().to_csv(ARTIFACTS / "survival.csv")

tell(progress=0.66, step="Cox regression", total=3)
cox = CoxPHFitter().fit(rossi, duration_col="week", event_col="arrest")
table = cox.summary[["coef", "exp(coef)", "se(coef)", "z", "p"]]
print(table.to_string(float_format="{:.4f}".format))
table.to_csv(ARTIFACTS / "coefficients.csv")

found = {"log_likelihood": float(cox.log_likelihood_), "concordance": float(cox.concordance_index_)}
print()
for name, (expected, tolerance) in REFERENCE.items():
    verdict = "agrees" if abs(found[name] - expected) <= tolerance else "DIFFERS"
    print(f"{name:<15} {found[name]:.4f}   reference {expected}   {verdict}")
tell(metric=found)
tell(
    output={
        **{name: round(value, 4) for name, value in found.items()},
        "hazard_ratio_of_money": round(float(cox.hazard_ratios_["fin"]), 4),
    }
)
tell(progress=1.0, step="done", total=3)
if any(abs(found[name] - expected) > tolerance for name, (expected, tolerance) in REFERENCE.items()):
    raise SystemExit("The fit differs from the reference values.")
