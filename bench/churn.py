"""The churn workbench at scale: a panel of about a million rows and 40 columns; every ratio against the usual way in the same run."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from lifelines import CoxPHFitter

from bench.figures import Figure, median, spread
from fastflow.apps.churn.method.cox import fit_cox
from fastflow.apps.churn.method.features import compute_features, feature_set
from fastflow.apps.churn.method.panel import Panel, read_panel
from fastflow.bootstrap import Product, build_product
from fastflow.kit.identity import SYSTEM
from fastflow.settings import Settings

MONTHS, CUSTOMERS, COUNTS, RATES = 36, 31_000, 34, 3
WINDOWS = (3, 6, 12)
TURNS = 3
"""Of taking in and of what it is compared with, one after the other: both meet the machine as it is."""
LOOPED = 200
"""Customers of the loop that features are compared with; its time is per customer."""
COX_ROWS, COVARIATES = 20_000, 8
DYNAMIC = [f"i_{n}" for n in range(COUNTS)] + [f"n_{n}" for n in range(RATES)]
DICTIONARY = {
    "Kunde": "PRIMARY_KEY",
    "I_TIMEBASE": "TIMEBASE",
    "I_Alive": "TARGET",
    **{name: {"role": "DYNAMIC_FEATURE", "type": "integer"} for name in DYNAMIC[:COUNTS]},
    **{name: {"role": "DYNAMIC_FEATURE", "type": "number"} for name in DYNAMIC[COUNTS:]},
}
EXPERIMENT = {
    "experiment_name": "bench",
    "training_from": 202101,
    "training_to": 202306,
    "backtest_from": 202307,
    "backtest_to": 202312,
    "model_type": "gradient_boosting",
}
_DUMP = "import sys, pandas; pandas.read_csv(sys.argv[1]).to_json(sys.argv[2], orient='records')"
_RUN = """import sys
from pathlib import Path
from fastflow.apps.churn.method.churn_run import run_churn
run_churn(Path(sys.argv[1]), Path(sys.argv[2]), lambda **facts: None)
status = Path("/proc/self/status").read_text()
print(int(status.split("VmHWM:")[1].split()[0]) * 1024)
"""
"""Prints the peak of its own memory; `ru_maxrss` would hold that of the process that started it as well."""


def bench_churn(folder: Path) -> list[Figure]:
    """Taking in, saving beside it, SQL, features, a whole run's memory, and the Cox fit."""
    source = folder / "panel.csv"
    rows = draw_panel(source)
    product, figure = taking_in(folder, source, rows)
    with closing(product):
        found = [figure, saving(product)]
        found += asking(product)
        inputs = folder / "inputs"
        inputs.mkdir()
        product.churn.files.write_inputs([1], inputs)
    panel = read_panel(inputs / "panel.parquet", DYNAMIC, ())
    found.append(features(panel))
    held = sum(grid.nbytes for grid in panel.dynamic.values()) + panel.alive.nbytes
    found += [whole_run(inputs, folder / "run", held, rows), cox()]
    return found


def framed(inputs: Path) -> int:
    """Bytes of the panel as a frame of pandas."""
    columns = ["Kunde", "I_TIMEBASE", "I_Alive", *DYNAMIC]
    return int(pd.read_parquet(inputs / "panel.parquet", columns=columns).memory_usage(deep=True).sum())


def draw_panel(target: Path) -> int:
    """Customers whose last row is their death or the last month; how many rows."""
    counts = ", ".join(f"CAST(floor(random() * 10) AS INTEGER) AS {name}" for name in DYNAMIC[:COUNTS])
    rates = ", ".join(f"round(random(), 4) AS {name}" for name in DYNAMIC[COUNTS:])
    query = (
        f"SELECT 'K' || lpad(CAST(c AS VARCHAR), 6, '0') AS Kunde, (2021 + m // 12) * 100 + m % 12 + 1 AS I_TIMEBASE, "
        f"CASE WHEN m = death THEN 0 ELSE 1 END AS I_Alive, {counts}, {rates} "
        f"FROM (SELECT c, 8 + c * 7919 % 90 AS death FROM range({CUSTOMERS}) AS every(c)), "
        f"range({MONTHS}) AS months(m) WHERE m <= death ORDER BY c, m"
    )
    with duckdb.connect() as connection:
        connection.execute("SELECT setseed(0.42)")
        connection.execute(f"COPY ({query}) TO '{target}' (HEADER)")
        ((rows,),) = connection.execute(f"SELECT count(*) FROM read_csv('{target}')").fetchall()
    return int(rows)


def timed(do: Callable[[], Any]) -> float:
    """Seconds that it takes."""
    begun = time.perf_counter()
    do()
    return time.perf_counter() - begun


Taken = tuple[float, float]
"""Seconds by the clock and of the processors, those of child processes among them."""


def taken(do: Callable[[], Any]) -> Taken:
    """What it takes."""
    before, begun = os.times(), time.perf_counter()
    do()
    after = os.times()
    return time.perf_counter() - begun, sum(after[:4]) - sum(before[:4])


def taking_in(folder: Path, source: Path, rows: int) -> tuple[Product, Figure]:
    """A CSV file into an empty database, against `pandas.read_csv` and a JSON dump, in turns; the last database stays."""
    dumped = source.with_suffix(".json")
    command = [sys.executable, "-c", _DUMP, str(source), str(dumped)]
    usual, own, products = list[Taken](), list[Taken](), list[Product]()
    for turn in range(TURNS):
        usual.append(taken(lambda: subprocess.run(command, check=True)))
        data = folder / f"churn{turn}"
        product = build_product(Settings(data_dir=data, pipelines_dir=folder, logs_dir=folder / "logs", _env_file=None))
        ingest = partial(product.churn.files.ingest, source, name="panel.csv", dictionary={"columns": DICTIONARY})
        own.append(taken(partial(ingest, actor=SYSTEM)))
        products.append(product)
    for product in products[:-1]:
        product.close()
    size = dumped.stat().st_size
    dumped.unlink()
    seconds = [median([one[part] for one in took]) for took in (usual, own) for part in (0, 1)]
    ratio = (
        f"{seconds[0] / seconds[2]:.1f} × faster than read_csv + JSON dump ({seconds[0]:.1f} s, {size / 2**20:.0f} MB)"
    )
    work = f"{seconds[1] / seconds[3]:.1f} × less of the processors ({seconds[1]:.1f} s and {seconds[3]:.1f} s)"
    name = f"taking in {rows:,} rows × {len(DICTIONARY)} columns of CSV"
    told = f"{work}; {spread([one[0] for one in own], 's', 1)}, load {os.getloadavg()[0]:.1f}"
    return products[-1], Figure(name, f"{seconds[2]:.1f} s", ratio, "≥ 5 ×", told)


def saving(product: Product) -> Figure:
    """An experiment saved beside the panel."""
    given = [{**EXPERIMENT, "hyperparameters": {"seed": number}} for number in range(30)]
    times = [timed(partial(product.churn.experiments.create, one, actor=SYSTEM)) for one in given]
    return Figure("saving an experiment beside it", f"{median(times) * 1000:.1f} ms", "", "≤ 50 ms", spread(times))


def asking(product: Product) -> list[Figure]:
    """Pages of SQL over the panel, the engine's process being there."""
    queries = {
        "a page of rows": "SELECT * FROM rawdata LIMIT 1000",
        "rows of a customer": "SELECT * FROM rawdata WHERE Kunde = 'K012345' ORDER BY I_TIMEBASE",
        "a mean per month": "SELECT I_TIMEBASE, count(*), avg(i_0) FROM rawdata GROUP BY ALL ORDER BY 1",
    }
    found = []
    for name, query in queries.items():
        ask = partial(product.churn.sql.query, query, limit=1000, actor=SYSTEM)
        ask()
        times = [timed(ask) for _ in range(20)]
        found.append(Figure(f"SQL: {name}", f"{median(times) * 1000:.0f} ms", "", "≤ 200 ms", spread(times)))
    return found


def features(panel: Panel) -> Figure:
    """All features of all customers, against a loop over customers in pandas; both per customer."""
    plan = feature_set(panel, WINDOWS)
    everybody = np.arange(len(panel.customers))
    own = [timed(lambda: compute_features(panel, everybody, panel.last_month, plan)) for _ in range(3)]
    chosen = np.flatnonzero((panel.alive >= 0).all(axis=1))[:LOOPED]
    frames = [pd.DataFrame({name: panel.dynamic[name][row] for name in DYNAMIC}) for row in chosen]
    begun = time.perf_counter()
    looped = [loop_features(frame) for frame in frames]
    per_customer = (time.perf_counter() - begun) / len(frames)
    matrix, names = compute_features(panel, chosen, panel.last_month, plan), list(plan.names)
    for name in ("i_0__mean_6", "n_1__std_12", "i_3__trend_3"):
        assert np.allclose([row[name] for row in looped], matrix[:, names.index(name)], atol=1e-4), name
    ratio = per_customer / (median(own) / len(everybody))
    return Figure(
        f"{len(names)} features of {len(everybody):,} customers",
        f"{median(own):.1f} s",
        f"{ratio:.0f} × faster than a loop in pandas ({per_customer * 1000:.0f} ms a customer)",
        "≥ 10 ×",
        spread(own, "s", 1),
    )


def loop_features(frame: pd.DataFrame) -> dict[str, float]:
    """One customer's rolling features as one would write them in pandas; fewer than ours, so the ratio is rather too low."""
    found: dict[str, float] = {}
    for name in DYNAMIC:
        column = frame[name]
        for window in WINDOWS:
            tail = column.iloc[-window:]
            found[f"{name}__mean_{window}"] = tail.mean()
            found[f"{name}__std_{window}"] = tail.std(ddof=0)
            found[f"{name}__sum_{window}"] = tail.sum()
            found[f"{name}__trend_{window}"] = float(np.polyfit(np.arange(window), tail, 1)[0])
        found[f"{name}__total"] = column.sum()
        found[f"{name}__peak"] = column.max()
    return found


def whole_run(inputs: Path, target: Path, held: int, rows: int) -> Figure:
    """The churn pipeline on it, in a process of its own."""
    given = {
        "experiment_id": 1,
        **EXPERIMENT,
        "feature_set": "standard",
        "hyperparameters": {"bootstrap_replicates": 50},
    }
    (inputs / "experiment.json").write_text(json.dumps(given))
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _RUN, str(inputs), str(target)], check=True, capture_output=True, text=True
    )
    seconds, peak, frame = time.perf_counter() - begun, int(done.stdout), framed(inputs)
    return Figure(
        f"churn run on {rows:,} rows: peak memory, libraries included",
        f"{peak / 2**20:.0f} MB",
        f"{peak / frame:.1f} × the panel in pandas ({frame / 2**20:.0f} MB); "
        f"{peak / held:.1f} × as the run's own grids ({held / 2**20:.0f} MB)",
        "≤ 3 ×",
        f"n = 1, {seconds:.0f} s",
    )


def cox() -> Figure:
    """Our Cox fit against lifelines on the same frame, one after the other."""
    draw = np.random.default_rng(7)
    matrix = draw.normal(size=(COX_ROWS, COVARIATES))
    risk = np.exp(matrix @ np.linspace(-0.5, 0.5, COVARIATES))
    lasting = np.ceil(draw.exponential(20 / risk))
    events, durations = (lasting <= 24).astype(np.int8), np.minimum(lasting, 24.0)
    names = [f"x{n}" for n in range(COVARIATES)]
    frame = pd.DataFrame(matrix, columns=names).assign(T=durations, E=events)
    own, theirs = [], []
    for _ in range(5):
        own.append(timed(lambda: fit_cox(durations, events, matrix, names)))
        theirs.append(timed(lambda: CoxPHFitter().fit(frame, "T", "E")))
    reference = CoxPHFitter().fit(frame, "T", "E").params_.to_numpy()
    fitted = [row["coefficient"] for row in fit_cox(durations, events, matrix, names).table()]
    assert np.allclose(fitted, reference, atol=1e-5)
    return Figure(
        f"Cox fit, {COX_ROWS:,} rows × {COVARIATES}",
        f"{median(own) * 1000:.0f} ms",
        f"{median(theirs) / median(own):.1f} × faster than lifelines ({median(theirs) * 1000:.0f} ms), same coefficients",
        "≥ 1 ×",
        spread(own),
    )
