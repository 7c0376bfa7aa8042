"""RFM table of the CDNOW customers: who bought last when, how often, and for how much.

The data are all 69,659 purchases that the 23,570 people who first bought at CDNOW in the first quarter of 1997 made
until June 1998. Every customer gets three scores from 1 to 5 (quintiles; 5 is best) and a segment.

Parameters: TOP, customers to print; UNTIL, the day on which recency is measured.
Artifact: rfm.csv, one row per customer.
"""

import json
import os
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
ARTIFACTS = Path(os.environ.get("FASTFLOW_ARTIFACTS", "."))
TOP = int(os.environ.get("PARAM_TOP", "10"))
UNTIL = pd.Timestamp(os.environ.get("PARAM_UNTIL", "1998-06-30"))

SEGMENTS = [  # first match wins
    ("champions", lambda r, f: (r >= 4) & (f >= 4)),
    ("loyal", lambda r, f: (r >= 3) & (f >= 3)),
    ("promising", lambda r, f: (r >= 4) & (f < 3)),
    ("at risk", lambda r, f: (r < 3) & (f >= 3)),
    ("asleep", lambda r, f: (r < 3) & (f < 3)),
]


def tell(**facts):
    """Tell Fast-Flow something: a line like this becomes an event of the run and stays out of its log."""
    print("::fastflow::" + json.dumps(facts), flush=True)


def load():
    """All purchases until UNTIL."""
    purchases = pd.read_csv(
        HERE / "cdnow_master.txt.gz",
        sep=r"\s+",
        skiprows=1,
        names=["customer", "date", "cds", "dollars"],
        dtype={"customer": "int32", "cds": "int16", "dollars": "float64"},
    )
    purchases["date"] = pd.to_datetime(purchases["date"].astype(str), format="%Y%m%d")
    return purchases[purchases["date"] <= UNTIL]


def quintile(values, best_is_high=True):
    """Scores 1 to 5 of equal size; ties are parted by the order of the customer numbers."""
    order = values.rank(method="first", ascending=best_is_high)
    return pd.qcut(order, 5, labels=[1, 2, 3, 4, 5]).astype(int)


def rfm_table(purchases):
    """One row per customer: recency in days, frequency in purchases, monetary value in dollars, scores, segment."""
    table = purchases.groupby("customer").agg(
        last=("date", "max"), frequency=("date", "size"), monetary=("dollars", "sum")
    )
    table.insert(0, "recency", (UNTIL - table.pop("last")).dt.days)
    table["R"] = quintile(table["recency"], best_is_high=False)
    table["F"] = quintile(table["frequency"])
    table["M"] = quintile(table["monetary"])
    table["segment"] = "occasional"
    for name, rule in reversed(SEGMENTS):
        table.loc[rule(table["R"], table["F"]), "segment"] = name
    return table


tell(progress=0.0, step="read the purchases", total=3)
purchases = load()
if purchases.empty:
    raise SystemExit(f"No purchase until {UNTIL.date()}: the data begin on 1997-01-01.")
print(
    f"{len(purchases):,} purchases of {purchases['customer'].nunique():,} customers, ${purchases['dollars'].sum():,.2f}"
)

tell(progress=0.33, step="score the customers", total=3)
table = rfm_table(purchases)

tell(progress=0.66, step="write the table", total=3)
ARTIFACTS.mkdir(parents=True, exist_ok=True)
table.round({"monetary": 2}).to_csv(ARTIFACTS / "rfm.csv")

segments = table.groupby("segment").agg(
    customers=("recency", "size"),
    recency=("recency", "median"),
    frequency=("frequency", "mean"),
    dollars=("monetary", "sum"),
)
segments["share of sales"] = segments["dollars"] / segments["dollars"].sum()
print("\nSegments")
print(
    segments.sort_values("dollars", ascending=False).to_string(
        formatters={
            "recency": "{:.0f}".format, "frequency": "{:.2f}".format, "dollars": "{:,.0f}".format,
            "share of sales": "{:.1%}".format,
        }
    )
)  # fmt: skip
print(f"\nThe {TOP} customers who spent most")
print(table.nlargest(TOP, "monetary").to_string(formatters={"monetary": "{:,.2f}".format}))

champions = segments.loc["champions"] if "champions" in segments.index else None
tell(
    metric={"customers": len(table), "purchases": len(purchases), "sales": round(float(purchases["dollars"].sum()), 2)}
)
tell(
    output={
        "champions": int(champions["customers"]) if champions is not None else 0,
        "champions_share_of_sales": round(float(champions["share of sales"]), 4) if champions is not None else 0.0,
    }
)
tell(progress=1.0, step="done", total=3)
