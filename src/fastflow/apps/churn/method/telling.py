"""How a pipeline tells how far it is: to Fast-Flow, and in its log to who reads along."""

import json
import sys


def tell(**facts: object) -> None:
    """Tell the progress; `step`, the phase that begins, is a line of the log, too."""
    sys.stdout.write(f"::fastflow::{json.dumps(facts)}\n")  # such a line stays out of the log
    if "step" in facts:
        sys.stdout.write(f"{facts['step']}\n")
    sys.stdout.flush()
