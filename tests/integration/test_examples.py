"""The examples are healthy pipelines, and plain scripts that run without any server."""

import gzip
import os
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from fastflow.kernel.db.engine import Database
from fastflow.kernel.pipelines.wiring import build_pipelines

PIPELINES = Path(__file__).parents[2] / "examples" / "pipelines"
EXPECTED = {
    "always_fails": "none",
    "cdnow_rfm": "requirements",
    "greet_city": "none",
    "hundred_thousand_lines": "none",
    "pep723_quotes": "script",
    "rossi_survival": "project",
    "stdlib_report": "none",
}


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_examples_when_read_then_each_is_healthy_and_brings_its_dependencies(
    database: Database, data_dir: Path
) -> None:
    catalog = build_pipelines(database, pipelines_dir=PIPELINES, data_dir=data_dir)
    found = {pipeline.name: pipeline for pipeline in catalog.list()}
    assert {name: pipeline.dependencies for name, pipeline in found.items()} == EXPECTED
    assert {name: list(pipeline.faults) for name, pipeline in found.items() if pipeline.faults} == {}


def _run(script: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8", **variables}
    return subprocess.run(
        [sys.executable, str(PIPELINES / script)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_stdlib_report_when_run_by_hand_then_it_computes_rightly(tmp_path: Path) -> None:
    done = _run("stdlib_report.py", tmp_path)
    assert done.returncode == 0, done.stderr
    assert '"output": {"all_correct": true}' in done.stdout
    assert "may write" in done.stdout


def test_greet_city_when_run_by_hand_then_it_takes_its_parameters(tmp_path: Path) -> None:
    done = _run("greet_city/main.py", tmp_path, PARAM_CITY="Ulm", PARAM_TIMES="2", PARAM_LANGUAGE="de")
    assert done.stdout.splitlines()[:2] == ["Guten Tag, Ulm!"] * 2


def test_greet_city_when_the_city_is_missing_then_it_says_so(tmp_path: Path) -> None:
    done = _run("greet_city/main.py", tmp_path)
    assert done.returncode == 1
    assert "PARAM_CITY" in done.stderr


def test_always_fails_when_run_by_hand_then_it_ends_with_a_traceback(tmp_path: Path) -> None:
    done = _run("always_fails/main.py", tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("BrokenOrder: order 7003: 1 field(s) too many; a decimal comma?")


def test_hundred_thousand_lines_when_run_by_hand_then_its_checksum_is_that_of_its_lines(tmp_path: Path) -> None:
    done = _run("hundred_thousand_lines.py", tmp_path)
    printed = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("::fastflow::")]
    checksum = zlib.crc32("".join(f"{line}\n" for line in sorted(printed)).encode())
    assert len(printed) == 100_000
    assert f'"crc32": "{checksum:08x}"' in done.stdout


def test_cdnow_data_when_unpacked_then_they_are_the_published_ones() -> None:
    text = gzip.decompress((PIPELINES / "cdnow_rfm" / "cdnow_master.txt.gz").read_bytes())
    rows = [line.split() for line in text.decode().splitlines()[1:]]
    assert len(rows) == 69_659
    assert len({row[0] for row in rows}) == 23_570
