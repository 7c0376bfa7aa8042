"""Experiments computed whole, asked for by the API, over the kernel's own queue."""

import asyncio
from typing import Any

import pytest
from tests.integration.churn.conftest import ClientOf

from fastflow.bootstrap import Product
from fastflow.kit.identity import Role


@pytest.fixture
def database_kind() -> str:
    return "sqlite"


def statuses(experiment: dict[str, Any]) -> list[str]:
    return [step["status"] for step in experiment["chain"]["steps"]]


async def test_demo_when_asked_then_panel_experiment_and_chain_are_there_and_asked_again_they_are_the_same(
    client: ClientOf, product: Product
) -> None:
    async with client(Role.OPERATOR) as api, client(Role.VIEWER) as reader:
        assert (await reader.post("/churn/demo")).status_code == 403
        asked = await api.post("/churn/demo")
        assert (asked.status_code, asked.json()["experiment_id"], asked.json()["file_id"]) == (202, 1, 1)
        waiting = (await api.get("/experiments/1")).json()
        assert (waiting["status"], waiting["runs"], statuses(waiting)) == ("processing", {}, ["waiting"] * 4)
        assert waiting["chain"]["asked_by"] == f"token:t{Role.OPERATOR}"
        assert (await api.post("/churn/demo")).json()["code"] == "experiment_busy"
        assert (await api.put("/experiments/1", json={})).status_code in (409, 422)
        await asyncio.to_thread(product.churn.taking_in.look)
        running = (await reader.get("/experiments/1")).json()
        (job,) = (await reader.get("/jobs?active=true")).json()["items"]
        assert (statuses(running)[0], running["chain"]["steps"][0]["run_id"]) == ("running", job["job_id"])
        assert (job["pipeline"], job["submitted_by"]) == ("churn", f"token:t{Role.OPERATOR}")

        assert (await reader.delete("/experiments/1/chain")).status_code == 403
        assert (await api.delete("/experiments/1/chain?reason=enough")).status_code == 202
        await asyncio.to_thread(product.churn.taking_in.look)
        ended = (await reader.get("/experiments/1")).json()
        assert ended["reason"] == f"The step churn failed: cancelled by token:t{Role.OPERATOR}: enough"
        assert statuses(ended) == ["failed", "dropped", "dropped", "dropped"]
        none = await api.delete("/experiments/1/chain")
        assert (none.status_code, none.json()["code"]) == (409, "churn_no_chain")
        again = (await api.post("/churn/demo")).json()
        assert (again["experiment_id"], again["file_id"]) == (1, 1)


async def test_step_when_the_process_died_after_its_run_was_queued_then_the_same_run_is_the_steps(
    client: ClientOf, product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    churn = product.churn
    async with client(Role.OPERATOR) as api:
        await api.post("/churn/demo")
        with monkeypatch.context() as patch:
            patch.setattr(churn.store, "change", lambda edit, _staged=(): edit(churn.store.read()))
            await asyncio.to_thread(churn.taking_in.look)  # queued, and never saved
        (orphan,) = (await api.get("/jobs")).json()["items"]
        assert statuses((await api.get("/experiments/1")).json())[0] == "waiting"
        await asyncio.to_thread(churn.taking_in.look)
        found = (await api.get("/experiments/1")).json()
        assert found["chain"]["steps"][0] == {"name": "churn", "status": "running", "run_id": orphan["job_id"]}
        assert len((await api.get("/jobs")).json()["items"]) == 1


async def test_run_when_all_is_asked_then_it_is_checked_like_any_run(client: ClientOf) -> None:
    async with client(Role.OPERATOR) as api:
        await api.post("/churn/demo")
        await api.delete("/experiments/1/chain")
        url = "/experiments/1/run"
        checked = await api.post(url, json={"pipeline": "all", "test": True})
        assert (checked.status_code, checked.json()["status"]) == (202, "checked")
        wrong = await api.post(url, json={"pipeline": "all", "cutoff_exclusive": 202406})
        assert (wrong.status_code, list(wrong.json()["fields"])) == (422, ["cutoff_exclusive"])
        asked = (await api.post(url, json={"pipeline": "all"})).json()
        assert (asked["job_id"], asked["status"]) == (None, "waiting")
        assert asked["message"] == "The experiment 1 is computed whole: churn, cox, materialize, cf."
        reset = await api.post("/experiments/1/reset")
        assert reset.json()["code"] == "churn_experiment_processing"
        await api.delete("/experiments/1/chain")
        assert (await api.post("/experiments/1/reset")).json()["experiment"]["chain"] == {}


async def test_runs_of_a_workbench_when_the_role_is_on_its_own_pipeline_alone_then_their_logs_are_open_but_no_others(
    client: ClientOf, product: Product
) -> None:
    async with client(Role.OPERATOR) as api, client(Role.VIEWER) as reader:
        await api.post("/churn/demo")
        await api.delete("/experiments/1/chain")
        job_id = (await api.post("/run/cox", json={"experiment_id": 1})).json()["job_id"]
        for path in (f"/runs/{job_id}", f"/runs/{job_id}/logs", f"/logs/live?job_id={job_id}"):
            assert (await reader.get(path)).status_code == 200, path
        assert [one["id"] for one in (await reader.get("/runs?pipeline_name=cox")).json()["items"]] == [job_id]
        assert (await reader.post(f"/runs/{job_id}/cancel", json={})).status_code == 403
        own = product.settings.pipelines_dir / "cox.py"
        own.write_text("print('mine')\n")
        other = (await client(Role.VIEWER, name="later").get(f"/runs/{job_id}")).json()
        assert (other["status"], other["code"]) == (403, "forbidden")
        assert (await client(Role.VIEWER, name="latest").get("/pipelines/cox")).status_code == 403
