"""Books the orders of a night; the third one is broken, as happens. Fails on purpose: see what its run tells."""

import csv
import io
import json
import sys
from datetime import date
from decimal import Decimal, InvalidOperation

NIGHT = """order,day,amount
7001,2026-03-01,19.90
7002,2026-03-01,249.00
7003,2026-03-01,12,50
7004,2026-03-02,5.00
"""


class BrokenOrder(Exception):
    """A row that cannot be booked."""


def read_order(row):
    """A row of the file as (number, day, amount)."""
    if None in row:
        raise BrokenOrder(f"order {row['order']}: {len(row[None])} field(s) too many; a decimal comma?")
    try:
        return int(row["order"]), date.fromisoformat(row["day"]), Decimal(row["amount"])
    except (ValueError, InvalidOperation) as error:
        raise BrokenOrder(f"order {row['order']}: {error}") from error


def book(orders):
    """Book order after order; the first broken one stops the night."""
    total = Decimal(0)
    for count, row in enumerate(orders, start=1):
        print("::fastflow::" + json.dumps({"progress": count / 5, "step": f"order {row['order']}"}), flush=True)
        number, day, amount = read_order(row)
        total += amount
        print(f"booked order {number} of {day}: {amount}", flush=True)
    return total


print("reading the night's orders", file=sys.stderr)
print(f"total: {book(csv.DictReader(io.StringIO(NIGHT)))}")
