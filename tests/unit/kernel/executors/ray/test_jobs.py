"""Looking at the cluster's jobs: what becomes of attempts, and of jobs that nobody waits for."""

import asyncio
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from fastflow.kernel.executors.port import RunKey
from fastflow.kernel.executors.ray.attempt import RayAttempt
from fastflow.kernel.executors.ray.cluster import OWNER_KEY, Cluster, ClusterAway, ClusterError, Job, Node, NoSuchJob
from fastflow.kernel.executors.ray.folders import AttemptFolder, Claim, Note
from fastflow.kernel.executors.ray.jobs import JobWatch

NODE = Node(id="n", ip="10.0.0.9", is_alive=False, is_head=False, cpus=1, memory_bytes=1)


class ScriptedCluster(Cluster):
    """Jobs in memory."""

    def __init__(self) -> None:
        self.there: dict[str, Job] = {}
        self.did: list[str] = []
        self.is_away = False
        self.refuses = False

    async def version(self) -> str:
        return "2"

    async def nodes(self) -> Sequence[Node]:
        return [NODE]

    async def jobs(self) -> Sequence[Job]:
        if self.is_away:
            raise ClusterAway("it does not answer")
        return list(self.there.values())

    async def job(self, job_id: str) -> Job:
        if job_id not in self.there:
            raise NoSuchJob(job_id)
        return self.there[job_id]

    async def stop(self, job_id: str) -> None:
        self.did.append(f"stop {job_id}")

    async def delete(self, job_id: str) -> None:
        if self.refuses:
            raise ClusterError("it is not over")
        self.did.append(f"delete {job_id}")
        del self.there[job_id]


class Scene:
    """One attempt, and a watch over its job."""

    def __init__(self, folder: Path) -> None:
        self.cluster = ScriptedCluster()
        self.place = AttemptFolder(folder / "r.1")
        self.place.offer(_note(folder), b"order")
        self.attempt = RayAttempt(RunKey(run_id="r", token=1), self.place)
        self.attempt.submission = "j1"
        self.known: Collection[str] = {"j1"}
        self.watch = JobWatch(self.cluster, owner="me", attempts=lambda: [self.attempt], known=lambda: self.known)

    def begin(self, *, silent: bool = True) -> None:
        self.place.take_claim(Claim(submission="j1", node="worker", nonce_digest="", session_digest="", log_base=0))
        assert self.place.begin()
        self.place.put("started", {"at": 50.0, "isolation": {"node": "worker"}})
        self.attempt.look()
        if silent:
            import os

            os.utime(self.place.control / "seen", (1, 1))

    def job(self, status: Any, job_id: str = "j1", **more: Any) -> None:
        self.cluster.there[job_id] = Job(id=job_id, status=status, metadata={OWNER_KEY: "me"}, node_id="n", **more)


def _note(folder: Path) -> Note:
    return Note(
        submission="j1",
        token_digest="",
        log_path=folder / "log",
        artifacts_dir=folder / "a",
        log_max_bytes=None,
        artifacts_max_bytes=1,
    )


@pytest.fixture
async def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def _exit(scene: Scene) -> Mapping[str, Any]:
    record: Mapping[str, Any] = json.loads((scene.place.control / "exit.json").read_bytes())
    return record


async def test_run_when_its_node_died_then_ended_as_lost_with_what_was_known(scene: Scene) -> None:
    scene.begin()
    scene.job("FAILED", message="Actor died")
    await scene.watch.look()
    assert scene.attempt.exit.done()
    record = _exit(scene)
    assert record["reason"] == "lost" and "worker (10.0.0.9) died" in record["reason_text"]
    assert record["started_at"] == 50.0 and record["isolation"] == {"node": "worker"}


async def test_run_when_its_agent_delivers_in_that_moment_then_its_record_stands(scene: Scene) -> None:
    scene.begin()
    scene.job("SUCCEEDED")
    scene.place.put("exit", {"reason": None, "reason_text": None, "exit_code": 0, "finished_at": 1.0})
    await scene.watch.look()
    scene.attempt.look()
    assert (await scene.attempt.exit or {})["exit_code"] == 0


async def test_run_when_its_agent_was_just_heard_of_then_left_alone(scene: Scene) -> None:
    scene.begin(silent=False)
    scene.job("SUCCEEDED")
    await scene.watch.look()
    assert not scene.attempt.exit.done()


async def test_run_when_the_cluster_is_away_then_left_alone(scene: Scene) -> None:
    scene.begin()
    scene.cluster.is_away = True
    with pytest.raises(ClusterAway):
        await scene.watch.look()
    assert not scene.attempt.exit.done()


@pytest.mark.parametrize("status", ["FAILED", None])
async def test_launch_when_its_job_ended_before_the_script_began_then_told(scene: Scene, status: Any) -> None:
    if status is not None:
        scene.job(status, message="no room")
    await scene.watch.look()
    over = await asyncio.wait_for(asyncio.shield(scene.attempt.job_over), 1)
    assert (over.message if over else None) == ("no room" if status else None)
    assert not scene.attempt.exit.done()


async def test_launch_when_its_job_was_submitted_after_the_list_was_asked_for_then_not_judged(scene: Scene) -> None:
    scene.attempt.submitted("j1")
    scene.attempt.submitted_at += 3600
    await scene.watch.look()
    assert not scene.attempt.job_over.done()


async def test_job_when_retired_then_forgotten_once_over_and_stopped_when_it_goes_on(scene: Scene) -> None:
    scene.known = ()
    scene.job("RUNNING")
    scene.watch.retire("j1", at_once=False)
    await scene.watch.look()
    assert scene.cluster.did == []
    scene.watch.retire("j1", at_once=True)
    await scene.watch.look()
    assert scene.cluster.did == ["stop j1"]
    scene.job("STOPPED")
    await scene.watch.look()
    assert scene.cluster.did == ["stop j1", "delete j1"] and scene.cluster.there == {}
    await scene.watch.look()
    assert len(scene.cluster.did) == 2


async def test_job_when_no_attempt_stands_behind_it_then_ended_and_anothers_left_alone(scene: Scene) -> None:
    scene.job("RUNNING")
    scene.job("RUNNING", "left-over")
    scene.cluster.there["strange"] = Job(id="strange", status="RUNNING", metadata={OWNER_KEY: "you"})
    scene.cluster.there["plain"] = Job(id="plain", status="SUCCEEDED")
    await scene.watch.look()
    await scene.watch.look()
    assert set(scene.cluster.did) == {"stop left-over"}


async def test_job_when_it_cannot_be_deleted_yet_then_tried_again(scene: Scene) -> None:
    scene.known = ()
    scene.job("SUCCEEDED")
    scene.cluster.refuses = True
    await scene.watch.look()
    scene.cluster.refuses = False
    await scene.watch.look()
    assert scene.cluster.did == ["delete j1"]
