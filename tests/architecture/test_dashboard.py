"""The dashboard asks only for figures and labels that `/metrics` tells: all it tells, as Prometheus reads it."""

import json
import re
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from fastflow.kernel.http.request_figures import RequestFigures
from fastflow.kernel.metrics.domain.labels import PipelineLabels
from fastflow.kernel.metrics.domain.snapshot import ActiveRuns, DiskUse, Figures, LogUse, SeenRunner, Snapshot
from fastflow.kernel.metrics.domain.totals import Total, TotalKey
from fastflow.kernel.metrics.schemas import Exposition

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 1, 15, tzinfo=UTC)
OF_THE_SCRAPE = {"instance", "job"}
"""Labels that Prometheus adds itself."""


def told_labels() -> dict[str, set[str]]:
    """Name of a series -> its labels, of a server with one of everything."""
    several = {
        "totals": {TotalKey(pipeline_name="a", status="FAILED", reason="exit"): Total()},
        "places": {"a": 0},
        "active": [ActiveRuns(pipeline_name="a", state="QUEUED", runs=1)],
        "runners": [SeenRunner(host="h", hostname="n", seen_at=NOW, is_stopped=False)],
        "oldest_queued_at": NOW,
        "earliest_fire_at": NOW,
        "outbox_oldest_at": NOW,
    }
    counts = {name: 1 for name in Snapshot.__dataclass_fields__ if name not in several}
    figures = Figures(
        snapshot=Snapshot(**several, **counts),  # type: ignore[arg-type]  # every field, by its kind
        now=NOW,
        disks=[DiskUse(folder="DATA_DIR", free_bytes=1, total_bytes=2)],
        logs=LogUse(bytes=1, files=1, counted_at=NOW),
        is_sqlite=True,
    )
    requests = RequestFigures()
    requests.count("/runs", "GET", 200, 0.1)
    labels = PipelineLabels({"a": 0}, most=1, may_see=lambda _name: True)
    exposition = generate_latest(Exposition(figures, labels, "1", requests))
    found: dict[str, set[str]] = defaultdict(set)
    for family in text_string_to_metric_families(exposition.decode()):
        for sample in family.samples:
            found[sample.name] |= set(sample.labels)
    return found


def test_dashboard_when_it_asks_for_a_figure_then_there_is_one_of_that_name_with_those_labels() -> None:
    known = told_labels()
    board = json.loads((ROOT / "deploy/grafana-dashboard.json").read_text())
    asked = [
        (target["expr"], target.get("legendFormat", "")) for panel in board["panels"] for target in panel["targets"]
    ]
    asked += [(one["query"]["query"], "") for one in board["templating"]["list"] if one["type"] == "query"]
    used: set[str] = set()
    for expression, legend in asked:
        names = set(re.findall(r"\b(?:fastflow|process)_[a-z_]+", re.sub(r'"[^"]*"', '""', expression)))
        assert names and names <= known.keys(), (expression, names - known.keys())
        allowed = OF_THE_SCRAPE.union(*(known[name] for name in names))
        grouped = [word.strip() for group in re.findall(r"\bby \(([^)]*)\)", expression) for word in group.split(",")]
        chosen = re.findall(r"(\w+)\s*(?:=~|!=|!~|=)\s*\"", expression)
        shown = re.findall(r"\{\{(\w+)\}\}", legend)
        assert {*grouped, *chosen, *shown} <= allowed, (expression, legend)
        used |= names
    assert len(used) > 20


def test_dashboard_when_laid_out_then_no_panel_hides_another() -> None:
    board = json.loads((ROOT / "deploy/grafana-dashboard.json").read_text())
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
    assert len(places) == len(set(places)) == len({panel["id"] for panel in board["panels"]})
