"""Churn: an honest backtest over the experiment's windows, and the model it deploys.

Reads $FASTFLOW_INPUTS (experiment.json, dictionary.json, panel.parquet); leaves report.json, tables/*.parquet, model.onnx
and feature_contract.json in $FASTFLOW_ARTIFACTS. The science is in the package `churn` that stands beside this file.
"""

import json
import os
import sys
from pathlib import Path

from churn.method.churn_run import run_churn
from churn.method.problems import Refusal


def tell(**facts: object) -> None:
    """Tell Fast-Flow the progress; such a line stays out of the log."""
    print("::fastflow::" + json.dumps(facts), flush=True)


try:
    run_churn(Path(os.environ["FASTFLOW_INPUTS"]), Path(os.environ["FASTFLOW_ARTIFACTS"]), tell)
except Refusal as refusal:
    sys.exit(f"{refusal.problem} {refusal.remedy}")
