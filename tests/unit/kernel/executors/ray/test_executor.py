"""Launching on a cluster that does not do as asked at once."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from fastflow.kernel.executors.errors import LaunchFailed
from fastflow.kernel.executors.port import OWN_PYTHON, RunKey, RunSpec
from fastflow.kernel.executors.ray import executor as module
from fastflow.kernel.executors.ray.cluster import Cluster, Job, NewJob
from fastflow.kernel.executors.ray.executor import MAX_SUBMISSIONS, RayExecutor
from fastflow.kernel.executors.ray.folders import Claim
from fastflow.kernel.executors.ray.jobs import JobWatch
from fastflow.kernel.executors.registry import RaySettings


class ScriptedCluster(Cluster):
    """Takes jobs; what becomes of each is scripted."""

    def __init__(self, executor: RayExecutor, *fates: Job | str) -> None:
        self.executor = executor
        self.fates = list(fates)
        self.submitted: list[NewJob] = []
        self.packages: set[str] = set()

    async def has_package(self, name: str) -> bool:
        return name in self.packages

    async def upload(self, name: str, file: Any) -> None:
        self.packages.add(name)

    async def submit(self, job: NewJob) -> None:
        self.submitted.append(job)
        asyncio.get_running_loop().call_soon(self._befall, self.fates.pop(0))

    def _befall(self, fate: Job | str) -> None:
        key = RunKey(run_id="r", token=1)
        attempt = self.executor._attempts[key]
        if isinstance(fate, Job):
            attempt.tell_job(fate)
            return
        claim = Claim(submission=self.submitted[-1].id, node="worker", nonce_digest="", session_digest="", log_base=0)
        attempt.place.take_claim(claim)
        if fate == "starts":
            attempt.place.put("started", {"at": 5.0, "isolation": {"interpreter": "cpython-3.12.1"}})
        elif fate == "fails":
            attempt.place.put("failed", {"reason": "setup", "text": "no such package", "is_logged": True})
        else:
            attempt.tell_job(Job(id="x", status="FAILED", message="first\nThe node died."))
        attempt.look()


def _failed(error_type: str, message: str = "words of the cluster") -> Job:
    return Job(id="x", status="FAILED", message=message, error_type=error_type)


@pytest.fixture
def spec(tmp_path: Path) -> RunSpec:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "main.py").write_text("print(1)")
    return RunSpec(
        key=RunKey(run_id="r", token=1),
        pipeline_name="p",
        code_dir=tmp_path / "code",
        script="main.py",
        python=OWN_PYTHON,
        environment="e",
        env={"TOKEN": "s3cret"},
        params={"CITY": "Köln"},
        log_path=tmp_path / "r.log",
        artifacts_dir=tmp_path / "a",
    )


async def _launched(tmp_path: Path, spec: RunSpec, *fates: Job | str) -> tuple[ScriptedCluster, Any]:
    executor = RayExecutor(data_dir=tmp_path, settings=RaySettings(address="http://x", server_url="http://me:1"))
    cluster = ScriptedCluster(executor, *fates)
    executor._folders.root.mkdir()
    executor._cluster = cluster
    executor._jobs = JobWatch(cluster, owner="me", attempts=tuple, known=tuple)
    executor._joined.set()
    try:
        return cluster, await executor.launch(spec)
    except LaunchFailed as error:
        return cluster, error
    finally:
        executor._watch.close()


async def test_launch_when_it_starts_then_handle_with_what_only_the_node_knew(tmp_path: Path, spec: RunSpec) -> None:
    cluster, handle = await _launched(tmp_path, spec, "starts")
    assert handle.interpreter == "cpython-3.12.1" and handle.started_at.timestamp() == 5.0
    assert len(cluster.submitted) == 1 and len(cluster.packages) == 1


async def test_job_when_submitted_then_it_asks_for_something_and_tells_nothing(tmp_path: Path, spec: RunSpec) -> None:
    cluster, _handle = await _launched(tmp_path, spec, "starts")
    job = cluster.submitted[0]
    assert job.cpus == 1.0 and job.metadata["fastflow-run-id"] == "r" and job.metadata["fastflow-attempt"] == "1"
    assert "s3cret" not in repr(job) and "Köln" not in repr(job)


@pytest.mark.parametrize("why", ["JOB_SUPERVISOR_ACTOR_START_TIMEOUT", "RUNTIME_ENV_SETUP_FAILURE"])
async def test_job_when_it_ended_before_its_agent_came_then_another_one_with_another_token(
    tmp_path: Path, spec: RunSpec, why: str
) -> None:
    cluster, handle = await _launched(tmp_path, spec, _failed(why), "starts")
    assert handle.interpreter == "cpython-3.12.1"
    first, second = cluster.submitted
    assert first.id != second.id and first.entrypoint != second.entrypoint


async def test_cluster_when_it_has_no_room_for_hours_then_the_run_goes_on_waiting(
    tmp_path: Path, spec: RunSpec
) -> None:
    full = [_failed("JOB_SUPERVISOR_ACTOR_START_TIMEOUT")] * (MAX_SUBMISSIONS * 3)
    cluster, handle = await _launched(tmp_path, spec, *full, "starts")
    assert handle.interpreter and len(cluster.submitted) == MAX_SUBMISSIONS * 3 + 1


async def test_job_when_it_fails_again_and_again_then_launch_fails_in_the_clusters_words(
    tmp_path: Path, spec: RunSpec
) -> None:
    cluster, error = await _launched(tmp_path, spec, *[_failed("RUNTIME_ENV_SETUP_FAILURE")] * MAX_SUBMISSIONS)
    assert isinstance(error, LaunchFailed) and "words of the cluster" in error.message
    assert len(cluster.submitted) == MAX_SUBMISSIONS


async def test_agent_when_it_cannot_reach_the_server_then_launch_fails_in_its_words(
    tmp_path: Path, spec: RunSpec
) -> None:
    words = "exit code 1, last logs:\nThe order could not be fetched: me:1 cannot be reached."
    _cluster, error = await _launched(tmp_path, spec, _failed("JOB_ENTRYPOINT_COMMAND_ERROR", words))
    assert error.message == "The order could not be fetched: me:1 cannot be reached." and "SERVER_URL" in error.hint


async def test_package_when_a_node_unpacks_it_anew_at_this_moment_then_another_job(
    tmp_path: Path, spec: RunSpec
) -> None:
    words = "exit code 2, last logs:\n/usr/bin/python3: can't open file 'fastflow/agent.py': [Errno 2] No such file or directory"
    cluster, handle = await _launched(tmp_path, spec, _failed("JOB_ENTRYPOINT_COMMAND_ERROR", words), "starts")
    assert handle.interpreter == "cpython-3.12.1" and len(cluster.submitted) == 2


async def test_agent_when_it_fails_then_launch_fails_with_what_the_log_says_already(
    tmp_path: Path, spec: RunSpec
) -> None:
    _cluster, error = await _launched(tmp_path, spec, "fails")
    assert (error.message, error.extra) == ("no such package", {"is_logged": True})


async def test_agent_when_it_dies_before_the_script_began_then_its_node_is_named(tmp_path: Path, spec: RunSpec) -> None:
    _cluster, error = await _launched(tmp_path, spec, "dies")
    assert "worker" in error.message and "The node died" in error.message


async def test_log_when_the_cluster_takes_its_time_then_it_says_what_is_waited_for(
    tmp_path: Path, spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAITING_NOTE_SECONDS", 0.0)
    executor = RayExecutor(data_dir=tmp_path, settings=RaySettings(address="http://x", server_url="http://me:1"))
    executor._folders.root.mkdir()
    cluster = executor._cluster = ScriptedCluster(executor, "starts")
    executor._jobs = JobWatch(cluster, owner="me", attempts=tuple, known=tuple)
    executor._joined.set()
    cluster._befall = lambda fate: None  # type: ignore[method-assign]
    launching = asyncio.create_task(executor.launch(spec))
    async with asyncio.timeout(10):
        while not spec.log_path.exists() or b"asks for 1 CPU" not in spec.log_path.read_bytes():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await executor.call_off(spec.key)
    with pytest.raises(LaunchFailed, match="called off"):
        await launching
    executor._watch.close()


@pytest.mark.parametrize(
    ("settings", "code"),
    [(RaySettings(), "no_cluster"), (RaySettings(address="http://x"), "no_server")],
)
async def test_launch_when_something_is_not_set_then_it_says_what(
    tmp_path: Path, spec: RunSpec, settings: RaySettings, code: str
) -> None:
    executor = RayExecutor(data_dir=tmp_path, settings=settings)
    with pytest.raises(LaunchFailed) as caught:
        await executor.launch(spec)
    assert caught.value.code == code and caught.value.hint


async def test_executor_when_no_cluster_is_named_and_none_is_wanted_then_it_makes_nothing(tmp_path: Path) -> None:
    executor = RayExecutor(data_dir=tmp_path, settings=RaySettings(server_url="http://me"))
    await executor.open()
    assert await executor.find_all() == [] and os.listdir(tmp_path) == []
    assert executor.describe()["reachable"] is False and "RAY_ADDRESS" in executor.describe()["why"]
    await executor.close()
