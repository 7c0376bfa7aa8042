"""Churn: an honest backtest over the experiment's windows, and the model it deploys.

Reads $FASTFLOW_INPUTS (experiment.json, dictionary.json, panel.parquet); leaves report.json, tables/*.parquet, model.onnx
and feature_contract.json in $FASTFLOW_ARTIFACTS. The science is in the package `churn` that stands beside this file.
"""

import os
import sys
from pathlib import Path

from churn.method.churn_run import run_churn
from churn.method.problems import Refusal
from churn.method.telling import tell

try:
    run_churn(Path(os.environ["FASTFLOW_INPUTS"]), Path(os.environ["FASTFLOW_ARTIFACTS"]), tell)
except Refusal as refusal:
    sys.exit(f"{refusal.problem} {refusal.remedy}")
