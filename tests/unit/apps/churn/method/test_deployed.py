"""The model as it is served: the script of the how-to scores as the run did."""

import csv
import io
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from tests.unit.apps.churn.method.test_churn_run import EXPERIMENT, lay_out

from fastflow.apps.churn.method.churn_run import run_churn

PAGE = Path(__file__).parents[5] / "docs" / "how-to" / "score-new-customers.md"


def test_script_when_run_on_the_months_up_to_the_backtest_then_it_gives_what_the_run_did(
    tmp_path: Path, columns_of: Callable[[int, int, int], dict[str, Any]]
) -> None:
    inputs, model = lay_out(tmp_path / "in", columns_of(300, 30, 11), EXPERIMENT), tmp_path / "model"
    run_churn(inputs, model, lambda **_facts: None)
    tested = pq.read_table(model / "tables" / "backtest_results.parquet")
    panel = pq.read_table(inputs / "panel.parquet")
    until = pc.less_equal(panel["I_TIMEBASE"], tested["features_until"][0].as_py())
    pq.write_table(panel.filter(until), tmp_path / "new.parquet")
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    (tmp_path / "score.py").write_text(found[1], encoding="utf-8")

    def score(*words: Path) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, str(tmp_path / "score.py"), *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    done = score(model, tmp_path / "new.parquet")
    assert done.returncode == 0, done.stderr
    told = {row["Kunde"]: float(row["churn_probability"]) for row in csv.DictReader(io.StringIO(done.stdout))}
    expected = dict(zip(map(str, tested["Kunde"].to_pylist()), tested["churn_probability"].to_pylist(), strict=True))
    assert expected.keys() <= told.keys()
    assert [told[customer] for customer in expected] == pytest.approx(list(expected.values()), abs=2e-5)
    assert list(told.values()) == sorted(told.values(), reverse=True)

    (model / "model.onnx").write_bytes(b"another")
    refused = score(model, tmp_path / "new.parquet")
    assert (refused.returncode, "not the one" in refused.stderr) == (1, True)
