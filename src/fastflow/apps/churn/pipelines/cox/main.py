"""Cox: how long customers stay, from landmarks before the cutoff, tested on the months after it.

Reads $FASTFLOW_INPUTS (experiment.json, dictionary.json, panel.parquet, and churn/ where a churn run is there); leaves report.json
and tables/*.parquet in $FASTFLOW_ARTIFACTS. The science is in the package `churn` that stands beside this file.
"""

import os
import sys
from pathlib import Path

from churn.method.cox_run import run_cox
from churn.method.problems import Refusal
from churn.method.telling import tell

try:
    run_cox(Path(os.environ["FASTFLOW_INPUTS"]), Path(os.environ["FASTFLOW_ARTIFACTS"]), tell)
except Refusal as refusal:
    sys.exit(f"{refusal.problem} {refusal.remedy}")
