"""What the pictures of pipelines and runs show, and a week of runs before them."""

import sqlite3
from datetime import UTC, datetime, timedelta

from fastflow.testing.served import Served

EXPORT = """import json, sys, time
print("\\x1b[1;34mExport\\x1b[0m of \\x1b[32m2000 tables\\x1b[0m begins")
for number in range(2000):
    print(f"table_{number:03d}: \\x1b[2mread\\x1b[0m {number * 1234} rows")
    if number % 17 == 0:
        print(f"table_{number:03d} has no index", file=sys.stderr)
    print("::fastflow::" + json.dumps({"progress": number / 2000, "step": f"table {number} of 2000"}), flush=True)
    time.sleep(0.5)
"""
TRAIN = """import json, math, os, pathlib, struct, time, zlib
def tell(**what): print("::fastflow::" + json.dumps(what), flush=True)
def picture(width, height):
    rows = b"".join(b"\\0" + bytes(v for x in range(width) for v in (x % 256, (x + y) % 256, 190)) for y in range(height))
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\\x89PNG\\r\\n\\x1a\\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
footer = bytes.fromhex(  # the smallest there is: one column of whole numbers
    "1502192c4806736368656d6115020015022502180161001654191c0028047465737400")
table = b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1"
for epoch in range(24):
    loss = 1.4 * math.exp(-epoch / 7) + 0.05 * math.sin(epoch)
    print(f"epoch {epoch:2d}  loss {loss:.4f}")
    tell(metric={"loss": loss, "concordance": 0.81 - 0.3 * math.exp(-epoch / 5), "learning_rate": 0.01 * 0.9 ** epoch})
    tell(progress=(epoch + 1) / 24, step=f"epoch {epoch + 1} of 24")
    time.sleep(float(os.environ.get("PARAM_PAUSE", "0")))
left = pathlib.Path(os.environ["FASTFLOW_ARTIFACTS"])
(left / "figures").mkdir()
(left / "figures" / "residuals.png").write_bytes(picture(640, 320))
(left / "scores.csv").write_text("customer,score,horizon_days\\n" + "".join(f"C-{n:05d},{n / 40:.3f},{90 + n}\\n" for n in range(40)))
(left / "notes.txt").write_text("Trained on the last 24 months.\\n" * 30)
(left / "model.bin").write_bytes(bytes(4000))
(left / "rows.parquet").write_bytes(table)
tell(output={"best_epoch": 22, "model": {"kind": "cox", "features": ["recency", "frequency", "monetary"]}})
"""
TRAIN_SETTINGS = """description = "Trains the survival model on the last 24 months, and leaves scores and figures"
tags = ["model", "nightly"]
after = ["nightly_export"]
timeout = "2h"
[params.properties.PAUSE]
type = "number"
default = 0
description = "Seconds between epochs"
"""
README = """# How it is trained

A Cox model on *recency*, *frequency* and *monetary value*, with a window of 24 months.

| step | takes | leaves |
|---|---|---|
| features | orders | `scores.csv` |
| fit | features | `model.bin` |

1. Check that `nightly_export` went well.
2. Start it with `PAUSE=0`.

> A run takes about four minutes on two cores.

```sh
fastflow run train_model --param PAUSE=0
```
"""
REPORT = """description = "Sums up the last hour, for the board on the wall"
tags = ["report"]
after = ["train_model"]
[concurrency]
limit = 1
[[schedules]]
name = "hourly"
cron = "0 * * * *"
"""
BROKEN = 'description = "Its settings have a slip"\ntimeout = "soon"\n'


def fill(served: Served) -> None:
    """Pipelines that export, train, report; and one that is broken."""
    served.add("nightly_export", EXPORT)
    scripts = {"train_model": TRAIN, "hourly_report": 'print("done")\n', "broken_settings": 'print("done")\n'}
    settings = {"train_model": TRAIN_SETTINGS, "hourly_report": REPORT, "broken_settings": BROKEN}
    for name, script in scripts.items():
        folder = served.pipelines / name
        folder.mkdir()
        (folder / "main.py").write_text(script)
        (folder / "pipeline.toml").write_text(settings[name])
    (served.pipelines / "train_model" / "README.md").write_text(README)


def run(served: Served, name: str, params: dict[str, object] | None = None, *, wait: int = 60) -> str:
    """Start one, and wait for its end; the run's id."""
    status, told = served.call("POST", f"/pipelines/{name}/run?wait={wait}", {"params": params or {}})
    assert status in (200, 202), told
    return str(told["id"])


def begin(served: Served) -> str:
    """A training that lasts long enough to have its memory looked at; its id."""
    return run(served, "train_model", {"PAUSE": 1}, wait=0)


def act(served: Served, trained: str) -> dict[str, str]:
    """Let it work; the pages worth a picture."""
    for city in ("Ulm", "Bern", "Wien", "Köln"):
        run(served, "greet_city", {"CITY": city, "TIMES": 3})
    done = run(served, "stdlib_report")
    run(served, "hourly_report")
    failed = [run(served, "always_fails") for _ in range(3)][-1]
    many = run(served, "hundred_thousand_lines")
    served.call("GET", f"/runs/{trained}?wait=60")
    main = served.pipelines / "train_model" / "main.py"
    main.write_text(main.read_text().replace("range(24)", "range(12)"))
    again = run(served, "train_model")
    remember(served, done)
    running = run(served, "nightly_export", wait=0)
    run(served, "nightly_export", wait=0)
    run(served, "nightly_export", wait=0)
    waiting = run(served, "hourly_report", wait=0)
    artifacts = f"/runs/{trained}/artifact?path="
    return {
        "overview": "/",
        "pipelines": "/pipelines",
        "pipeline": "/pipelines/greet_city",
        "pipeline-readme": "/pipelines/train_model",
        "pipeline-scheduled": "/pipelines/hourly_report",
        "pipeline-broken": "/pipelines/broken_settings",
        "pipeline-source": "/pipelines/train_model/source",
        "runs": "/runs",
        "runs-filtered": "/runs?state=FAILED&period=day",
        "runs-none": "/runs?pipeline=broken_settings",
        "run-done": f"/runs/{done}",
        "run-trained": f"/runs/{trained}",
        "run-failed": f"/runs/{failed}",
        "run-running": f"/runs/{running}",
        "run-waiting": f"/runs/{waiting}",
        "run-long-log": f"/runs/{many}",
        "diff": f"/runs/{again}/diff?with={trained}",
        "diff-choose": f"/runs/{again}/diff",
        "diff-same": f"/runs/{done}/diff?with={done}",
        "artifact-csv": f"{artifacts}scores.csv",
        "artifact-image": f"{artifacts}figures/residuals.png",
        "artifact-text": f"{artifacts}notes.txt",
        "artifact-parquet": f"{artifacts}rows.parquet",
        "artifact-none": f"{artifacts}model.bin",
        "run-nowhere": "/runs/00000000-0000-7000-8000-000000000000",
        "pipeline-nowhere": "/pipelines/greet_citi",
    }


def remember(served: Served, run_id: str) -> None:
    """A week of runs, as copies of one: more by day than by night, and some that failed."""
    begun = datetime.now(UTC) - timedelta(days=7)
    made: list[tuple[datetime, int]] = []
    for hour in range(1, 7 * 24):
        at = begun + timedelta(hours=hour)
        is_day = 6 <= at.hour <= 19
        many = hour * hour % 23 if is_day else hour % 3
        made += [(at + timedelta(minutes=2 * number), number) for number in range(many)]
    connection = sqlite3.connect(served.data / "fastflow.db", timeout=60)
    columns = [row[1] for row in connection.execute("PRAGMA table_info(run)")]
    given = {"id": ":id", "idempotency_key": "NULL", "status": ":status", "reason": ":reason", "failure_group": "NULL"}
    given |= {name: ":at" for name in ("queued_at", "claimed_at", "started_at", "finished_at") if name in columns}
    names = ", ".join(f'"{column}"' for column in columns)
    chosen = ", ".join(given.get(column, f'"{column}"') for column in columns)
    # only words of this file stand in the statement
    copy = f"INSERT INTO run ({names}) SELECT {chosen} FROM run WHERE id = :of"
    for instant, number in made:
        is_failed = (instant.hour * 7 + number) % 19 == 0
        millis = f"{int(instant.timestamp() * 1000):012x}"
        connection.execute(
            copy,
            {
                "id": f"{millis[:8]}-{millis[8:]}-7000-8000-{instant.hour:04x}{number:08x}",
                "status": "FAILED" if is_failed else "SUCCESS",
                "reason": "timeout" if is_failed else None,
                "at": instant.strftime("%Y-%m-%d %H:%M:%S.%f"),
                "of": run_id,
            },
        )
    connection.commit()
    connection.close()
