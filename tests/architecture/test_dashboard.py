"""The dashboard asks only for figures that `/metrics` tells."""

import json
import re
from pathlib import Path

from prometheus_client import ProcessCollector

ROOT = Path(__file__).parents[2]
_SUFFIXES = ("", "_total", "_bucket", "_sum", "_count")


def test_dashboard_when_it_asks_for_a_figure_then_there_is_one_of_that_name() -> None:
    source = (ROOT / "src/fastflow/kernel/metrics/schemas.py").read_text()
    names = set(re.findall(r'"(fastflow_[a-z_]+)"', source)) | {
        f"fastflow_{state}_runs" for state in ("queued", "delayed", "running")
    }
    names |= {metric.name for metric in ProcessCollector(registry=None).collect()}
    known = {f"{name}{suffix}" for name in names for suffix in _SUFFIXES}
    board = json.loads((ROOT / "deploy/grafana-dashboard.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    asked += [one["query"]["query"] for one in board["templating"]["list"] if one["type"] == "query"]
    used = {name for expression in asked for name in re.findall(r"\b(?:fastflow|process)_[a-z_]+", expression)}
    assert len(used) > 20 and used - known == set()
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
    assert len(places) == len(set(places)) == len({panel["id"] for panel in board["panels"]})
