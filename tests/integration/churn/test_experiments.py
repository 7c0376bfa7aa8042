"""Experiments over the API and the command line."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.churn.definitions import GIVEN, OTHER
from typer.testing import CliRunner

from fastflow.apps.churn.domain.document import Document, Table
from fastflow.apps.churn.domain.experiment import FAILED, PROCESSED, PROCESSING
from fastflow.apps.churn.domain.files import ChurnRule
from fastflow.apps.churn.errors import ExperimentStatusConflict
from fastflow.apps.churn.ports import Note
from fastflow.bootstrap import Product
from fastflow.cli.app import app as commands
from fastflow.kit.identity import SYSTEM, Role
from fastflow.settings import Settings

ClientOf = Callable[..., httpx.AsyncClient]
COLUMNS = {
    "Kunde": "PRIMARY_KEY",
    "I_TIMEBASE": "TIMEBASE",
    "I_Alive": "TARGET",
    "i_seminar": "DYNAMIC_FEATURE",
    "n_rate": "DYNAMIC_FEATURE",
    "region": {"role": "STATIC_FEATURE", "type": "text"},
    "comment": "IGNORED",
}
FILE: Mapping[str, Any] = {
    "file_id": 1,
    "name": "a.csv",
    "kind": "panel",
    "content_sha256": "a" * 64,
    "rows": 9,
    "customers": 3,
    "first_month": 202101,
    "last_month": 202412,
    "dictionary": COLUMNS,
    "churn_rule": None,
    "ingested_at": "2026-01-01T00:00:00+00:00",
    "ingested_by": "test",
}


def put(product: Product, table: str, *rows: Mapping[str, Any]) -> None:
    """Put rows into a table of records."""

    def edit(document: Document) -> tuple[Document, Note]:
        present = document.tables.get(table) or Table(description="", source="test", records=())
        after = document.with_table(table, present).with_records(table, [*(present.records or ()), *rows])
        return after, Note(actor=SYSTEM, action="test.put", subject=table)

    product.churn.store.change(edit)


def process(product: Product, experiment_id: int, *kpis: str) -> None:
    """As a run would that computed these figures."""
    product.churn.experiments.change_status(experiment_id, PROCESSING, actor=SYSTEM, runs={"churn": "r1"})
    put(product, "experiment_kpis", *({"experiment_id": experiment_id, "kpi": kpi, "value": 0.5} for kpi in kpis))
    product.churn.experiments.change_status(experiment_id, PROCESSED, actor=SYSTEM)


async def test_experiment_when_created_then_it_has_a_number_all_settings_and_an_entry_in_the_audit_log(
    product: Product, client: ClientOf
) -> None:
    put(product, "files", FILE)
    async with client(Role.OPERATOR) as operator:
        made = await operator.post("/experiments", json=GIVEN)
        found = (await operator.get(made.headers["Location"])).json()
    assert made.status_code == 201
    assert (found["experiment_id"], found["status"], found["id_files"], found["results"]) == (1, "created", [1], {})
    assert len(found["data_fingerprint"]) == 64 and found["hyperparameters"]["cutoff_exclusive"] == 202401
    newest = product.audit.list(limit=1).items[0]
    assert (newest.action, newest.subject) == ("churn_experiment.create", "churn_experiment:1")


async def test_experiment_when_much_is_wrong_then_each_field_is_told_with_its_remedy(client: ClientOf) -> None:
    wrong = {**GIVEN, "training_to": 202513, "feature_set": "enhancd", "hyperparameters": {"sede": 1}}
    async with client() as admin:
        told = (await admin.post("/experiments", json=wrong)).json()
        nan = await admin.post(
            "/experiments",
            content=json.dumps({**GIVEN, "hyperparameters": {"ridge": float("nan")}}),
            headers={"Content-Type": "application/json"},
        )
        assert (await admin.get("/experiments")).json()["items"] == []
    assert set(told["fields"]) == {"training_to", "feature_set", "hyperparameters.sede"}
    assert told["problems"][0] == {
        "field": "training_to",
        "problem": "202513 is no month: 13 is not in 01-12",
        "remedy": "Correct the month.",
    }
    assert (nan.status_code, list(nan.json()["fields"])) == (422, ["hyperparameters.ridge"])


async def test_experiment_when_its_windows_or_files_are_not_there_then_it_is_refused(
    product: Product, client: ClientOf
) -> None:
    put(product, "files", {**FILE, "first_month": 202203, "last_month": 202405})
    async with client() as admin:
        months = (await admin.post("/experiments", json=GIVEN)).json()["fields"]
        files = (await admin.post("/experiments", json={**GIVEN, "id_files": [7]})).json()["fields"]
    assert "nothing before 202203" in months["training_from"] and "nothing after 202405" in months["backtest_to"]
    assert "there is no file 7" in files["id_files"]


async def test_experiment_when_it_names_columns_that_the_files_do_not_have_then_the_nearest_are_told(
    product: Product, client: ClientOf
) -> None:
    put(product, "files", FILE)
    policy = {"i_seminars": {"change": "up"}, "region": {"change": "free"}, "comment": {}, "n_rate": {"change": "down"}}
    wrong = {"hyperparameters": {"cox_covariates": ["n_rat", "region"], "cf": {"policy": policy}}}
    async with client() as http:
        refused = await http.post("/experiments", json={**GIVEN, **wrong})
        assert (refused.status_code, refused.json()["code"]) == (422, "churn_experiment_refused")
        assert refused.json()["fields"] == {
            "hyperparameters.cox_covariates": "'n_rat' is unknown. Did you mean 'n_rate'?",
            "hyperparameters.cf.policy.i_seminars": "'i_seminars' is unknown. Did you mean 'i_seminar'?",
            "hyperparameters.cf.policy.region.change": "region holds words, which have no up and down. Make it immutable.",
            "hyperparameters.cf.policy.comment": "'comment' is unknown. Use one of i_seminar, n_rate, region.",
        }
        right = {"hyperparameters": {"cox_covariates": ["region"], "cf": {"policy": {"i_seminar": {"change": "up"}}}}}
        assert (await http.post("/experiments", json={**GIVEN, **right})).status_code == 201
        put(product, "files", {**FILE, "file_id": 2, "dictionary": {**COLUMNS, "n_rate": "STATIC_FEATURE"}})
        refused = await http.post("/experiments", json=OTHER)
        assert "n_rate is DYNAMIC_FEATURE (number) in the file 1" in refused.json()["fields"]["id_files"]


async def test_experiment_when_it_differs_in_its_name_alone_then_the_twin_is_named(client: ClientOf) -> None:
    async with client() as admin:
        await admin.post("/experiments", json=GIVEN)
        again = await admin.post("/experiments", json={**GIVEN, "experiment_name": "winter"})
        await admin.post("/experiments", json=OTHER)
        made_equal = await admin.put("/experiments/2", json=GIVEN)
        renamed = await admin.put("/experiments/1", json={**GIVEN, "experiment_name": "winter"})
    assert (again.status_code, again.json()["code"], again.json()["twin_id"]) == (409, "churn_experiment_twin", 1)
    assert (made_equal.status_code, made_equal.json()["twin_id"]) == (409, 1)
    assert (renamed.status_code, renamed.json()["experiment_name"]) == (200, "winter")


async def test_experiments_when_listed_then_newest_first_filtered_and_page_by_page(
    product: Product, client: ClientOf
) -> None:
    async with client() as admin:
        for month in range(1, 6):
            body = {**GIVEN, "experiment_name": f"E{month}", "backtest_to": 202400 + month}
            assert (await admin.post("/experiments", json=body)).status_code == 201
        process(product, 2)
        first = (await admin.get("/experiments", params={"limit": 2})).json()
        second = (await admin.get("/experiments", params={"limit": 3, "cursor": first["next_cursor"]})).json()
        done = (await admin.get("/experiments", params={"status": "processed"})).json()["items"]
        named = (await admin.get("/experiments", params={"name": "e4"})).json()["items"]
        wrong = await admin.get("/experiments", params={"cursor": "x"})
    numbers = [[one["experiment_id"] for one in items] for items in (first["items"], second["items"], done, named)]
    assert numbers == [[5, 4], [3, 2, 1], [2], [4]] and second["next_cursor"] is None
    assert wrong.status_code == 422


async def test_experiment_when_it_was_computed_then_only_its_name_changes_until_it_is_reset(
    product: Product, client: ClientOf
) -> None:
    async with client() as admin:
        await admin.post("/experiments", json=GIVEN)
        process(product, 1, "churn_roc_auc", "churn_brier")
        refused = await admin.put("/experiments/1", json=OTHER)
        renamed = await admin.put("/experiments/1", json={**GIVEN, "experiment_name": "winter"})
        would = (await admin.post("/experiments/1/reset?dry_run=true")).json()
        assert (await admin.get("/experiments/1")).json()["results"] == {"experiment_kpis": 2}
        done = (await admin.post("/experiments/1/reset")).json()
        again = await admin.post("/experiments/1/reset")
        changed = await admin.put("/experiments/1", json=OTHER)
    assert (refused.status_code, refused.json()["code"]) == (409, "churn_experiment_has_results")
    assert list(refused.json()["fields"]) == ["backtest_to"]
    assert (renamed.status_code, renamed.json()["status"]) == (200, "processed")
    assert would["removed"] == {"experiment_id": 1, "dry_run": True, "rows": {"experiment_kpis": 2}, "row_count": 2}
    assert (done["experiment"]["status"], done["experiment"]["runs"], done["removed"]["row_count"]) == (
        "created",
        {},
        2,
    )
    assert (again.status_code, changed.json()["backtest_to"]) == (409, 202403)
    assert product.churn.store.read().records("experiment_kpis") == ()


async def test_experiment_when_a_run_computes_it_then_nothing_changes_it(product: Product, client: ClientOf) -> None:
    async with client() as admin:
        await admin.post("/experiments", json=GIVEN)
        product.churn.experiments.change_status(1, PROCESSING, actor=SYSTEM, runs={"churn": "r1"})
        answers = [
            await admin.put("/experiments/1", json=OTHER),
            await admin.delete("/experiments/1?cascade=true"),
            await admin.post("/experiments/1/reset"),
        ]
    assert [(one.status_code, one.json()["code"]) for one in answers] == [(409, "churn_experiment_processing")] * 3
    assert answers[0].json()["runs"] == {"churn": "r1"}
    failed = product.churn.experiments.change_status(1, FAILED, actor=SYSTEM, reason="one class only")
    assert (failed.status, failed.reason) == ("failed", "one class only")
    with pytest.raises(ExperimentStatusConflict):
        product.churn.experiments.change_status(1, PROCESSED, actor=SYSTEM)


async def test_experiment_when_deleted_then_its_rows_go_and_nothing_else_and_its_number_is_not_given_again(
    product: Product, client: ClientOf
) -> None:
    put(product, "files", FILE)
    async with client() as admin:
        for body in (GIVEN, OTHER):
            await admin.post("/experiments", json=body)
        for number in (1, 2):
            process(product, number, "churn_roc_auc")
        refused = await admin.delete("/experiments/2")
        would = (await admin.delete("/experiments/2?cascade=true&dry_run=true")).json()
        assert (await admin.get("/experiments/2")).status_code == 200
        done = await admin.delete("/experiments/2?cascade=true")
        gone = await admin.get("/experiments/2")
        anew = (await admin.post("/experiments", json=OTHER)).json()
    assert (refused.status_code, list(refused.json()["fields"])) == (409, ["cascade"])
    assert would["rows"] == {"experiment_kpis": 1, "experiments": 1} == done.json()["rows"]
    assert (gone.status_code, gone.json()["code"]) == (404, "churn_experiment_not_found")
    assert (anew["experiment_id"], anew["experiment_name"]) == (3, "autumn")
    document = product.churn.store.read()
    assert [row["experiment_id"] for row in document.records("experiment_kpis")] == [1]
    assert len(document.records("files")) == 1


async def test_defaults_when_the_file_says_so_then_they_hold_and_a_broken_file_is_told(
    product: Product, client: ClientOf, settings: Settings
) -> None:
    file = settings.data_dir / "churn" / "ui_settings.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"feature_set": "enhanced", "hyperparameters": {"capacity": 0.2}}))
    async with client() as admin:
        made = (await admin.post("/experiments", json=GIVEN)).json()
        file.write_text(json.dumps({"hyperparameters": {"capacty": 0.2}}))
        broken = await admin.post("/experiments", json=OTHER)
    assert (made["feature_set"], made["hyperparameters"]["capacity"]) == ("enhanced", 0.2)
    assert broken.status_code == 503 and "Did you mean 'capacity'" in broken.json()["detail"]


@pytest.mark.parametrize("role", [Role.VIEWER])
async def test_experiments_when_the_role_is_lower_then_they_are_only_looked_at(
    product: Product, client: ClientOf, role: Role
) -> None:
    product.churn.experiments.create(GIVEN, actor=SYSTEM)
    async with client(role) as somebody:
        assert (await somebody.get("/experiments/1")).status_code == 200
        assert (await somebody.post("/experiments", json=OTHER)).status_code == 403
        assert (await somebody.put("/experiments/1", json=OTHER)).status_code == 403
        assert (await somebody.delete("/experiments/1")).status_code == 403
        assert (await somebody.post("/experiments/1/reset")).status_code == 403


def test_commands_when_used_then_an_experiment_is_made_changed_reset_and_deleted(
    product: Product, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("data_dir", "logs_dir", "pipelines_dir"):
        monkeypatch.setenv(name.upper(), str(getattr(settings, name)))

    def run(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(commands, ["churn", "experiments", *words])
        assert done.exit_code == code, done.output
        return done.output

    windows = ("--training", "202201-202312", "--backtest", "202401-202406")
    assert "experiment 1 is created" in run(
        "create", "summer", *windows, "--set", "horizons=[6,12]", "--set", "outcome=end"
    )
    assert "reversed" in run("create", "wrong", "--training", "202312-202201", "--backtest", "202401-202406", code=1)
    assert "The experiment 1" in run(
        "create", "twin", *windows, "--set", "horizons=[6,12]", "--set", "outcome=end", code=1
    )
    run("change", "1", "--training", "202201-202310", "--model", "logistic")
    found = json.loads(run("show", "1", "--json"))
    assert (found["training_to"], found["model_type"], found["hyperparameters"]["outcome"]) == (
        202310,
        "logistic",
        "end",
    )
    assert (found["hyperparameters"]["cutoff_exclusive"], found["hyperparameters"]["horizons"]) == (202311, [6, 12])
    assert "summer" in run("list") and "summer" in run("show", "1")
    process(product, 1, "churn_roc_auc")
    assert "experiment_kpis" in run("reset", "1", "--dry-run")
    assert "1 row of results" in run("reset", "1", "--yes")
    assert "is deleted, with 1 row" in run("delete", "1", "--yes")
    assert "No experiments" in run("list")


async def test_experiment_when_files_contradict_each_other_then_all_of_them_are_refused_and_one_is_taken_with_warnings(
    product: Product, client: ClientOf
) -> None:
    rule = ChurnRule(gap_months=8)
    bought = {"file_id": 2, "name": "b.csv", "kind": "transactions", "churn_rule": rule.record()}
    put(product, "files", FILE, {**FILE, **bought, "dictionary": rule.dictionary().record()})
    async with client() as http:
        refused = await http.post("/experiments", json=GIVEN)
        made = await http.post("/experiments", json={**GIVEN, "id_files": [2]})
        found = await http.get("/experiments/1")
        put(product, "files", {**FILE, "file_id": 3})
        both = await http.post("/experiments", json={**GIVEN, "id_files": [1, 3]})
    told = refused.json()["fields"]["id_files"]
    assert refused.status_code == 422 and "the file 1 (a.csv: says itself who is dead) and the file 2 (b.csv" in told
    assert "after 8 quiet months, but only 6" in made.json()["warnings"][0]
    assert found.json()["warnings"] == made.json()["warnings"]
    assert both.json()["warnings"] == [
        "The files 1 and 3 tell of the same months: where both have a row for a customer and month, that of the file 3 counts."
    ]
