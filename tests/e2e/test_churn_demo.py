"""The smoke path of the churn workbench on the started product: one command computes it all, and what it found can be read."""

import json
import subprocess

import pytest

from fastflow.testing.served import Served

BUILDING_SECONDS = 420.0
"""Three environments are built on the way."""


def run_demo(served: Served) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        served.command("churn", "demo"),
        env=served.environment,
        cwd=served.folder,
        capture_output=True,
        text=True,
        timeout=BUILDING_SECONDS,
        check=False,
    )


def ask(served: Served, query: str) -> list[list[object]]:
    answer = served.cli("churn", "sql", query, "--json")
    assert answer.returncode == 0, answer.stderr
    rows: list[list[object]] = json.loads(answer.stdout)["rows"]
    return rows


@pytest.mark.timeout(600)
def test_demo_when_run_then_every_pipeline_is_computed_and_its_results_can_be_asked_and_read(served: Served) -> None:
    served.start()
    served.token = served.cli("tokens", "create", "reader", "--role", "viewer").stdout.strip()
    done = run_demo(served)
    assert done.returncode == 0, done.stdout + done.stderr

    found = served.call("GET", "/experiments/1")[1]
    assert (found["status"], found["reason"], sorted(found["runs"])) == ("processed", "", ["cf", "churn", "cox"])
    ((customers, joined),) = ask(
        served,
        "SELECT (SELECT count(*) FROM customer_churn_details_1), "
        "(SELECT count(*) FROM churn_cox_fusion WHERE churn_probability IS NOT NULL AND risk_category IS NOT NULL)",
    )
    assert customers == joined
    assert isinstance(customers, int) and customers > 100
    ((auc,),) = ask(served, "SELECT value FROM experiment_kpis WHERE kpi = 'churn_roc_auc'")
    assert 0.6 < float(str(auc)) < 0.95
    ((valid,),) = ask(served, "SELECT count(*) FROM cf_individual WHERE valid AND p_new < p_old")
    assert int(str(valid)) > 0

    listed = served.cli("churn", "ledger", "1", "--csv", "contacts.csv", "--json")
    assert listed.returncode == 0, listed.stderr
    ledger = json.loads(listed.stdout)
    assert len((served.folder / "contacts.csv").read_text().splitlines()) == ledger["decision"]["contacts"] + 1
    assert [score["outcome_month"] for score in ledger["scores"]] == [202407, 202408, 202409, 202410, 202411, 202412]
    last = ledger["scores"][-1]
    assert (last["is_whole_window"], last["contacted"]) == (True, ledger["decision"]["contacts"])
    assert last["others"] > 0 and last["realised_profit"] is not None

    for name, begins in (("report.html", b"<!doctype html>"), ("report.pdf", b"%PDF-")):
        written = served.cli("churn", "report", "1", name, "--language", "de")
        assert written.returncode == 0, written.stderr
        assert (served.folder / name).read_bytes().startswith(begins)
    text = (served.folder / "report.html").read_text()
    for title in ("Kurz gesagt", "Ist dem zu trauen?", "Überleben", "Kontrafaktische Änderungen", "Entscheidung"):
        assert f"<h2>{title}</h2>" in text
    assert text.count("<figure") >= 6
    again = served.cli("churn", "report", "1", "report.pdf")
    assert again.returncode != 0
    assert "is there already" in again.stderr
    wrong = served.cli("churn", "report", "1", "report.doc")
    assert "ends neither with .html nor with .pdf" in wrong.stderr
