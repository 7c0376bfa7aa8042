"""What the churn workbench contributes to the product; the composition root reads it, nothing below it does."""

from pathlib import Path

from fastflow.kernel.api import Workbench

WORKBENCH = Workbench(name="churn", title="Churn", folder=Path(__file__).parent)
