# /// script
# requires-python = ">=3.11"
# dependencies = ["humanize==4.15.0", "tabulate==0.9.0"]
#
# [tool.fastflow]
# description = "A PEP 723 script: dependencies and settings in its own header"
# tags = ["example"]
# timeout = "1m"
# network = false
#
# [tool.fastflow.params.properties.SUM]
# description = "Amount that is laid out"
# type = "number"
# exclusiveMinimum = 0
# default = 1000
# ///
"""What a sum grows to at the rates of a few quotes: a single file that brings its own dependencies.

Parameter: SUM.
"""

import json
import os
from decimal import Decimal

import humanize
from tabulate import tabulate

SUM = Decimal(os.environ.get("PARAM_SUM", "1000"))
QUOTES = {"savings account": Decimal("1.25"), "fixed deposit": Decimal("2.60"), "bond": Decimal("3.45")}
YEARS = (1, 5, 10, 30)


def grown(rate, years):
    """The sum after `years` at `rate` per cent, interest added once a year."""
    return SUM * (1 + rate / 100) ** years


rows = [
    [name, f"{rate} %", *(humanize.intcomma(float(grown(rate, years)), 2) for years in YEARS)]
    for name, rate in QUOTES.items()
]
print(f"What {humanize.intcomma(float(SUM), 2)} grows to\n")
headers = ["quote", "rate", *(f"{years} years" if years > 1 else "1 year" for years in YEARS)]
print(tabulate(rows, headers=headers, stralign="right", disable_numparse=True))
best = max(QUOTES, key=QUOTES.__getitem__)
print(
    "::fastflow::"
    + json.dumps({"output": {"best_quote": best, "after_30_years": round(float(grown(QUOTES[best], 30)), 2)}})
)
