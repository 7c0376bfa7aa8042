"""Experiments computed by real runs of the shipped pipelines, in their own locked environments."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.integration.runs.houses import House

from fastflow.apps.churn.domain.demo import DICTIONARY, EXPERIMENT, demo_rows
from fastflow.apps.churn.domain.experiment import Experiment
from fastflow.apps.churn.domain.experiment_rows import rows_of
from fastflow.apps.churn.domain.jobs import Ask, find_results
from fastflow.apps.churn.errors import ExperimentBusy, JobRefused, NeedsChurn
from fastflow.bootstrap import build_product
from fastflow.kit.identity import SYSTEM, Actor, Grant, Role
from fastflow.settings import Settings
from fastflow.testing.http import client_of
from fastflow.web import create_app

OLGA = Actor(name="user:olga", role=Role.OPERATOR)


@pytest.fixture
def database_kind() -> str:
    return "sqlite"


@pytest.fixture
def house(settings: Settings) -> Iterator[House]:
    with closing(build_product(settings)) as product:
        yield House(product)


def prepare(house: House, tmp_path: Path, **changes: object) -> Experiment:
    churn, source = house.product.churn, tmp_path / "panel.csv"
    source.write_text("\n".join(demo_rows()) + "\n")
    churn.files.ingest(source, name="panel.csv", dictionary=DICTIONARY, actor=SYSTEM)
    return churn.experiments.create({**EXPERIMENT, **changes}, actor=OLGA)


def ask(pipeline: str, **more: object) -> Ask:
    return Ask(**{"pipeline": pipeline, "windows": {}, **more})  # type: ignore[arg-type]  # a test's own


def experiment_of(house: House, number: int) -> Experiment:
    return house.product.churn.experiments.find(number, actor=OLGA)


async def settled(house: House, number: int) -> Experiment:
    """The experiment as soon as nothing computes it any more."""
    async with asyncio.timeout(110):
        while (found := await asyncio.to_thread(experiment_of, house, number)).status == "processing":  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return found


async def test_smoke_path_when_run_whole_then_each_pipeline_leaves_its_tables(house: House, tmp_path: Path) -> None:
    churn = house.product.churn
    made = prepare(house, tmp_path)
    with pytest.raises(NeedsChurn, match="no results of churn yet"):
        churn.runs.start(made.experiment_id, ask("cf"), actor=OLGA)
    async with house.runner():
        for pipeline in ("churn", "cox", "cf"):
            job = await asyncio.to_thread(churn.runs.start, made.experiment_id, ask(pipeline), actor=OLGA)
            with pytest.raises(ExperimentBusy, match=rf"The run {job.run.id} of {pipeline}, which user:olga started"):
                churn.runs.start(made.experiment_id, ask("churn"), actor=OLGA)
            ended = await settled(house, made.experiment_id)
            assert (ended.status, ended.reason, ended.runs[pipeline]) == ("processed", "", job.run.id)
            told = churn.runs.find(job.run.id, actor=OLGA)
            assert told.run.progress is not None
            assert told.phase
    document = churn.store.read()
    rows = rows_of(document, made.experiment_id)
    for name in ("backtest_results", "customer_churn_details", "cox_survival", "cf_individual", "experiment_kpis"):
        assert rows.get(name, 0) > 0, (name, rows)
    told = churn.sql.tables(actor=OLGA)["tables"]
    given = {table["name"] for table in told} - {"rawdata"}  # whose features are people's own
    silent = [(table["name"], one["name"]) for table in told for one in table["columns"] if not one["description"]]
    assert [each for each in silent if each[0] in given] == []
    assert [table["name"] for table in told if not table["description"]] == []
    record = find_results(document, made.experiment_id, "churn")
    assert record is not None
    assert set(record["files"]) == {"model.onnx", "feature_contract.json"}


async def test_reconciliation_when_the_server_died_before_results_were_taken_in_then_its_next_start_does(
    house: House, tmp_path: Path
) -> None:
    churn, made = house.product.churn, prepare(house, tmp_path)
    number = made.experiment_id
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(house.product, "look_after_workbenches", lambda: None)  # as if it were dead
        async with house.runner():
            job = await asyncio.to_thread(churn.runs.start, number, ask("churn"), actor=OLGA)
            await house.product.runs.wait(job.run.id, 110, actor=SYSTEM)
            assert experiment_of(house, number).status == "processing"
    async with house.runner():
        assert (await settled(house, number)).status == "processed"
    once = rows_of(churn.store.read(), number)
    assert await asyncio.to_thread(churn.taking_in.look) == []
    assert rows_of(churn.store.read(), number) == once


async def test_cancel_when_it_runs_then_its_processes_end_and_the_experiment_says_who_did_it(
    house: House, tmp_path: Path
) -> None:
    churn, made = house.product.churn, prepare(house, tmp_path)
    async with house.runner():
        job = await asyncio.to_thread(churn.runs.start, made.experiment_id, ask("churn"), actor=OLGA)
        await asyncio.to_thread(churn.runs.cancel, job.run.id, actor=OLGA, reason="wrong data")
        ended = await settled(house, made.experiment_id)
    assert (ended.status, ended.reason) == ("failed", "cancelled by user:olga: wrong data")
    assert churn.runs.list(actor=OLGA, active=True, limit=10) == []
    assert [each.run.id for each in churn.runs.list(actor=OLGA, limit=10)] == [job.run.id]


def test_start_when_months_differ_from_the_experiments_then_refused_by_name_and_nothing_starts(
    house: House, tmp_path: Path
) -> None:
    churn, made = house.product.churn, prepare(house, tmp_path)
    wrong = {"training_from": 202201, "training_to": 202405, "test_from": 202513}
    with pytest.raises(JobRefused) as caught:
        churn.runs.start(made.experiment_id, ask("churn", windows=wrong, test_reduction=0.5), actor=OLGA)
    assert set(caught.value.fields) == {"training_to", "test_from", "test_reduction"}
    assert "202405 is not the experiment's training_to, 202406" in caught.value.fields["training_to"]
    for refused in (ask("cox", cutoff_exclusive=202408), ask("cox", cutoff_exclusive=202202), ask("churn", sample=0.5)):
        with pytest.raises(JobRefused):
            churn.runs.start(made.experiment_id, refused, actor=OLGA)
    assert experiment_of(house, made.experiment_id).status == "created"
    assert churn.runs.list(actor=OLGA, limit=10) == []


async def test_routes_when_asked_with_the_role_on_churn_alone_then_they_start_show_and_end_jobs(
    house: House, tmp_path: Path
) -> None:
    product, made = house.product, prepare(house, tmp_path)
    grants = (Grant(role=Role.OPERATOR, pipelines="churn"),)
    token = product.tokens.create("op", Role.NONE, grants=grants, actor=SYSTEM)[1].reveal()
    number = made.experiment_id
    async with client_of(create_app(product), token=token) as client:
        checked = await client.post(f"/experiments/{number}/run", json={"pipeline": "cox", "test": True})
        assert (checked.status_code, checked.json()["job_id"], checked.json()["status"]) == (202, None, "checked")
        needs = await client.post("/run/cf", json={"experiment_id": number})
        assert (needs.status_code, needs.json()["code"]) == (409, "churn_model_missing")
        assert "fastflow churn run EXPERIMENT churn" in needs.json()["hint"]
        months = {"experiment_id": number, "training_from": "202201", "test_to": 202411}
        other = await client.post("/run/churn", json=months)
        assert (other.status_code, list(other.json()["fields"])) == (422, ["test_to"])
        assert (await client.post("/run/churn", json={"experiment_id": 99})).status_code == 404
        assert (await client.post("/run/churn", json={"experiment_id": number, "x": 1})).status_code == 422
        started = await client.post("/run/cox", json={"experiment_id": number, "cutoff_exclusive": 202406})
        assert started.status_code == 202, started.text
        job_id = started.json()["job_id"]
        busy = await client.post("/run/churn", json={"experiment_id": number})
        assert (busy.status_code, busy.json()["code"], busy.json()["run_id"]) == (409, "experiment_busy", job_id)
        job = (await client.get(f"/jobs/{job_id}")).json()
        assert (job["status"], job["params"]["CUTOFF_EXCLUSIVE"]) == ("PENDING", 202406)
        assert job["submitted_by"] == "token:op"
        inputs = house.settings.data_dir / "inputs" / product.runs.get(job_id, actor=SYSTEM).capsule["inputs"]
        assert '"cutoff_exclusive": 202406' in (inputs / "experiment.json").read_text()
        assert [one["job_id"] for one in (await client.get("/jobs?active=true")).json()["items"]] == [job_id]
        assert (await client.delete(f"/jobs/{job_id}?reason=no")).json()["status"] == "FAILED"
        assert (await client.delete(f"/jobs/{job_id}")).status_code == 409
        assert (await client.get("/jobs/nothing")).status_code == 422
        assert (await client.get("/jobs/0199aaaa-0000-7000-8000-000000000000")).status_code == 404
        assert await asyncio.to_thread(product.churn.taking_in.look) == [number]
        failed = (await client.get(f"/experiments/{number}")).json()
        assert (failed["status"], failed["reason"]) == ("failed", "cancelled by token:op: no")
        assert (await client.get(f"/experiments/{number}/results")).json() == {"items": []}
