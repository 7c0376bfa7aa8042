"""Figures with their spread."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One row of the table."""

    name: str
    value: str
    ratio: str
    bar: str
    spread: str


def median(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the values lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def spread(values: Sequence[float], unit: str = "ms", factor: float = 1000.0) -> str:
    """Smallest, 95th percentile and largest, and how many."""
    low, high, top = min(values) * factor, quantile(values, 0.95) * factor, max(values) * factor
    return f"min {low:.3g}, p95 {high:.3g}, max {top:.3g} {unit}, n = {len(values)}"


def table(figures: Sequence[Figure]) -> str:
    """A Markdown table."""
    lines = ["| figure | measured | ratio to the floor | bar | spread |", "|---|---|---|---|---|"]
    lines += [f"| {f.name} | {f.value} | {f.ratio} | {f.bar} | {f.spread} |" for f in figures]
    return "\n".join(lines)
