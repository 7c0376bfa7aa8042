"""Counterfactuals: the cheapest allowed change that would lower a customer's probability, asked of the deployed model.

Reads $FASTFLOW_INPUTS (experiment.json, dictionary.json, panel.parquet, churn/ with the churn run's artifacts) and the parameters
SAMPLE, LIMIT and SEED; leaves report.json and tables/*.parquet in $FASTFLOW_ARTIFACTS.
"""

import os
import sys
from pathlib import Path

from churn.method.cf_run import run_cf
from churn.method.problems import Refusal
from churn.method.telling import tell

KINDS = {"sample": float, "limit": int, "seed": int}


def overrides() -> dict[str, float | int]:
    """Parameters that this run was given."""
    given = {name: os.environ.get(f"PARAM_{name.upper()}", "") for name in KINDS}
    return {name: KINDS[name](value) for name, value in given.items() if value}


try:
    run_cf(Path(os.environ["FASTFLOW_INPUTS"]), Path(os.environ["FASTFLOW_ARTIFACTS"]), tell, overrides())
except Refusal as refusal:
    sys.exit(f"{refusal.problem} {refusal.remedy}")
