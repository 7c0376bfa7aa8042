"""What a cluster does to runs, and what runs must not give away to it: on a real one of two nodes."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.integration.environments.conftest import make_wheel

from fastflow.kernel.executors.errors import LaunchFailed
from fastflow.kernel.executors.port import OWN_PYTHON, EnvironmentRecipe, Limits, RunKey, RunSpec
from fastflow.kernel.executors.ray.uvbinary import describe_uv
from fastflow.testing.ray_cluster import HEAD, SECOND, VICTIM, ClusterRefused, RayCluster
from fastflow.testing.ray_lab import RayLab, opened_lab

pytestmark = pytest.mark.xdist_group("ray-beside")  # two of them: a job costs a second of one processor

PYTHON = Path(sys.executable).resolve()
PATIENCE = 60.0
MORE_THAN_ANYBODY_HAS = 1 << 50
VICTIMS_MEMORY = 1 << 45
"""A node with it is asked for by runs that shall go there and nowhere else."""
COUNTS = "import time\nfor i in range(%d):\n    print(i, flush=True)\n    time.sleep(%g)"
STAYS = "import os, time\nif os.fork() == 0:\n    os.setsid()\nelse:\n    print('up', flush=True)\ntime.sleep(600)"


@pytest.fixture
async def lab(data_dir: Path, ray_cluster: RayCluster) -> AsyncIterator[RayLab]:
    async with opened_lab(data_dir, ray_cluster, PYTHON) as laboratory:
        yield laboratory


@pytest.fixture
def victim(ray_cluster: RayCluster) -> Iterator[int]:
    """A node of the test's own, to be ended: the leader of its session."""
    leader = ray_cluster.add_node(VICTIM, memory=VICTIMS_MEMORY)
    yield leader
    for process in _tree(leader):
        process.kill()


def _tree(pid: int) -> list[psutil.Process]:
    """A process and all below it, whatever session they are in."""
    try:
        top = psutil.Process(pid)
        return [*top.children(recursive=True), top]
    except psutil.NoSuchProcess:
        return []


def _processes_of(key: RunKey) -> list[int]:
    """Processes of the run and of its agent."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if key.run_id.encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


async def _until(holds: Callable[[], Any], what: str) -> None:
    """Wait until it holds; the cluster and its nodes tell nobody."""
    deadline = time.monotonic() + PATIENCE
    while not await asyncio.to_thread(holds):
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.1)


def _job_of(lab: RayLab, key: RunKey) -> dict[str, Any] | None:
    jobs = lab.cluster.ask("GET", "/api/jobs/")
    return next((job for job in jobs if (job["metadata"] or {}).get("fastflow-run-id") == key.run_id), None)


async def _shown(lab: RayLab, path: str) -> Any:
    """What the dashboard shows there: it refuses for as long as it asks a node that another test has just killed."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return await asyncio.to_thread(lab.cluster.ask, "GET", path)
        except ClusterRefused:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.1)


def _on_victim(lab: RayLab, script: str) -> RunSpec:
    return lab.spec(script, limits=Limits(memory_bytes=VICTIMS_MEMORY // 2))


# -- nodes that die ---------------------------------------------------------------------------------------------------


async def test_node_when_killed_with_all_on_it_then_run_is_lost_and_the_sentence_names_it(
    lab: RayLab, victim: int
) -> None:
    spec = _on_victim(lab, STAYS)
    await lab.launch(spec)
    await lab.until_logged(spec, b"up")
    for process in reversed(_tree(victim)):  # the run first: nothing may tell of its end
        process.kill()
    outcome = await lab.finish(spec)
    assert outcome.exit.reason == "lost"
    assert VICTIM in (outcome.exit.reason_text or "") and "died" in (outcome.exit.reason_text or "")
    assert outcome.text("stdout") == b"up\n"
    assert outcome.exit.started_at is not None


async def test_node_when_it_leaves_the_cluster_then_its_runs_are_ended_with_it(lab: RayLab, victim: int) -> None:
    spec = _on_victim(lab, STAYS)
    await lab.launch(spec)
    await lab.until_logged(spec, b"up")
    raylet = next(process for process in _tree(victim) if process.name() == "raylet")
    raylet.kill()
    outcome = await lab.finish(spec)
    assert outcome.exit.reason == "lost" and "node" in (outcome.exit.reason_text or "")
    await _until(lambda: _processes_of(spec.key) == [], "nothing of the run is left behind")


async def test_agent_when_killed_then_nothing_of_the_run_goes_on_and_it_is_lost(lab: RayLab) -> None:
    spec = lab.spec(STAYS)
    await lab.launch(spec)
    await lab.until_logged(spec, b"up")
    agents = [
        process for process in map(psutil.Process, _processes_of(spec.key)) if "fastflow/agent.py" in process.cmdline()
    ]
    min(agents, key=lambda process: process.create_time()).kill()
    outcome = await lab.finish(spec)
    assert outcome.exit.reason == "lost" and outcome.exit.reason_text
    await _until(lambda: _processes_of(spec.key) == [], "nothing of the run is left behind")


async def test_job_when_stopped_from_outside_then_script_has_some_grace_and_it_is_said(lab: RayLab) -> None:
    script = (
        "import os, signal, sys, time\ndef end(*_):\n    os.write(1, b'cleaning\\n')\n    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\nprint('up', flush=True)\ntime.sleep(600)"
    )
    spec = lab.spec(script)
    await lab.launch(spec)
    await lab.until_logged(spec, b"up")
    job = await asyncio.to_thread(_job_of, lab, spec.key)
    assert job is not None
    await asyncio.to_thread(lab.cluster.ask, "POST", f"/api/jobs/{job['submission_id']}/stop")
    outcome = await lab.finish(spec)
    assert outcome.exit.reason == "lost" and "ray job stop" in (outcome.exit.reason_text or "")
    assert outcome.text("stdout") == b"up\ncleaning\n"


# -- a server that is away ----------------------------------------------------------------------------------------------


async def test_server_when_away_for_a_while_then_log_events_and_end_are_complete(lab: RayLab) -> None:
    told = '\n    print(\'::fastflow::{"metric": {"i": %d}}\' % i, flush=True)'
    spec = lab.spec(COUNTS.replace("\n    time", told.replace("%", "%%") + "\n    time") % (60, 0.05))
    await lab.launch(spec)
    await lab.until_logged(spec, b" 5\n")
    await asyncio.to_thread(lab.door.shut)
    seen = spec.log_path.read_bytes()
    await asyncio.sleep(2)
    assert spec.log_path.read_bytes() == seen
    await asyncio.to_thread(lab.door.open)
    outcome = await lab.finish(spec)
    assert outcome.exit.reason is None
    assert outcome.text("stdout") == b"".join(b"%d\n" % i for i in range(60))
    assert [event.data["i"] for event in outcome.events if event.kind == "metric"] == list(range(60))


async def test_server_when_away_at_the_end_then_artifacts_and_exit_arrive_later(lab: RayLab) -> None:
    script = (
        "import os, time\nprint('up', flush=True)\ntime.sleep(1)\n"
        "with open(os.environ['FASTFLOW_ARTIFACTS'] + '/big.bin', 'wb') as f: f.write(os.urandom(9_000_000))\n"
        "os.symlink('/etc/passwd', os.environ['FASTFLOW_ARTIFACTS'] + '/link')\nraise SystemExit(5)"
    )
    spec = lab.spec(script)
    await lab.launch(spec)
    await lab.until_logged(spec, b"up")
    await asyncio.to_thread(lab.door.shut)
    await asyncio.sleep(2)
    await asyncio.to_thread(lab.door.open)
    outcome = await lab.finish(spec)
    assert (outcome.exit.reason, outcome.exit.exit_code) == ("exit", 5)
    assert (spec.artifacts_dir / "big.bin").stat().st_size == 9_000_000
    assert [path.name for path in spec.artifacts_dir.iterdir()] == ["big.bin"]
    assert b"artifact left out, not a regular file" in outcome.text("stderr")


# -- restarts, and launches that take long --------------------------------------------------------------------------------


async def test_job_when_submitted_then_it_is_found_by_its_metadata_and_forgotten_after_the_end(lab: RayLab) -> None:
    spec = lab.spec(STAYS)
    await lab.launch(spec)
    job = await asyncio.to_thread(_job_of, lab, spec.key)
    assert job is not None and job["metadata"]["fastflow-pipeline"] == "contract"
    lab.executor = await lab.reopen()
    await lab.executor.stop(spec.key, reason="cancelled", reason_text="enough", grace=0)
    assert (await lab.finish(spec)).exit.reason == "cancelled"
    await lab.executor.discard(spec.key)
    await _until(lambda: _job_of(lab, spec.key) is None, "the job is forgotten")


async def test_job_when_nobody_stands_behind_it_any_more_then_the_next_start_ends_it(lab: RayLab) -> None:
    spec = lab.spec(STAYS)
    await lab.launch(spec)
    await lab.until_logged(spec, b"up")
    lab.ray._folders.of(spec.key).remove()
    lab.executor = await lab.reopen()
    await _until(lambda: _job_of(lab, spec.key) is None, "the job is ended and forgotten")
    await _until(lambda: _processes_of(spec.key) == [], "its script is ended")


async def test_launch_when_called_off_while_the_cluster_has_no_room_then_it_ends_and_so_does_its_job(
    lab: RayLab,
) -> None:
    spec = lab.spec("print(1)", limits=Limits(memory_bytes=MORE_THAN_ANYBODY_HAS))
    launching = asyncio.create_task(lab.launch(spec))
    await _until(lambda: _job_of(lab, spec.key) is not None, "the job is submitted")
    words = "none of them is large enough, so one that is has to join"
    await _until(lambda: words in (lab.ray.waits_for(spec) or ""), "it is told what is waited for")
    await lab.ray.call_off(spec.key)
    with pytest.raises(LaunchFailed, match="called off"):
        await launching
    assert await lab.executor.seal(spec.key) is True
    await lab.executor.discard(spec.key)
    await _until(lambda: _job_of(lab, spec.key) is None, "the job does not wait for room any more")


async def test_attempt_when_sealed_while_its_agent_is_on_its_way_then_script_never_begins(lab: RayLab) -> None:
    spec = lab.spec("open('/var/tmp/never', 'w')\nprint('never')")
    launching = asyncio.create_task(lab.launch(spec))
    place = lab.ray._folders.of(spec.key)
    await _until(lambda: place.claim() is not None or _job_of(lab, spec.key) is not None, "the job is submitted")
    sealed = await lab.executor.seal(spec.key)
    if sealed:
        await lab.ray.call_off(spec.key)
        with pytest.raises(LaunchFailed):
            await launching
        await _until(lambda: (_job_of(lab, spec.key) or {"status": "SUCCEEDED"})["status"] != "RUNNING", "it leaves")
        assert b"never" not in spec.log_path.read_bytes()
    else:
        await launching


# -- what the cluster must not see ----------------------------------------------------------------------------------------


async def test_secrets_and_parameters_when_a_run_goes_on_then_the_cluster_shows_none_of_them(
    lab: RayLab, ray_cluster: RayCluster
) -> None:
    spec = lab.spec(
        "import os, time\nprint(os.environ['TOKEN'], flush=True)\ntime.sleep(600)",
        env={"TOKEN": "s3cret-in-a-run", "PARAM_CITY": "a-city-of-params"},
        secrets=("s3cret-in-a-run",),
        params={"CITY": "a-city-of-params"},
    )
    await lab.launch(spec)
    await lab.until_logged(spec, b"***")
    job = await asyncio.to_thread(_job_of, lab, spec.key)
    assert job is not None
    ours = f"/api/jobs/{job['submission_id']}"
    states = ("/api/v0/jobs", "/api/v0/actors?detail=true&limit=1000", "/api/v0/runtime_envs?limit=1000")
    paths = ["/api/jobs/", ours, f"{ours}/logs", *states]
    shown = [await _shown(lab, path) for path in paths]
    text = json.dumps(shown).encode() + _files_below(ray_cluster.folder) + b"".join(_words_of_processes(spec.key))
    assert b"s3cret-in-a-run" not in text and b"a-city-of-params" not in text
    kept = _files_below(lab.ray._folders.root)
    assert b"attempt.json" not in kept and b"submission" in kept
    assert b"s3cret-in-a-run" not in kept, "on the server's disk it is encrypted, and gone once the script has begun"


def _files_below(folder: str | Path) -> bytes:
    paths = [path for path in Path(folder).rglob("*") if path.is_file() and not path.is_symlink()]
    return b"".join(path.read_bytes() for path in paths if path.exists())


def _words_of_processes(key: RunKey) -> Iterator[bytes]:
    """Command lines of all processes, and environments of all but the run's own."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if int(folder.name) != os.getpid():
                yield (folder / "cmdline").read_bytes()
                environ = (folder / "environ").read_bytes()
                if f"FASTFLOW_RUN_ID={key.run_id}".encode() not in environ:
                    yield environ
        except OSError:
            continue


async def test_token_when_read_from_the_clusters_job_then_it_opens_nothing_any_more(lab: RayLab) -> None:
    import httpx

    spec = lab.spec(STAYS)
    await lab.launch(spec)
    job = await asyncio.to_thread(_job_of, lab, spec.key)
    assert job is not None
    given = json.loads(job["entrypoint"].split("'")[1])
    async with httpx.AsyncClient(
        base_url=lab.door.url, headers={"Authorization": f"Bearer {given['token']}"}
    ) as client:
        base = f"/agent/{spec.key.run_id}/{spec.key.token}"
        claim = await client.post(f"{base}/claim", json={"nonce": "0" * 32, "submission": "x", "node": "y"})
        log = await client.post(f"{base}/log?offset=0", content=b"forged\n")
    assert (claim.status_code, claim.json()["code"]) == (409, "order_taken")
    assert (log.status_code, log.json()["code"]) == (401, "attempt_token_invalid")


# -- environments and places ----------------------------------------------------------------------------------------------


def _recipe(lab: RayLab, **changes: Any) -> EnvironmentRecipe:
    wheels = lab.folder / "wheels"
    wheels.mkdir(mode=0o755, exist_ok=True)
    make_wheel(wheels, "alpha", "1.0", {"alpha.py": "VALUE = 41\n"})
    given: dict[str, Any] = {
        "hash": "0" * 64,
        "lock": "alpha==1.0",
        "platform": describe_uv(lab.ray._settings.uv).platform,
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "index_options": (f"--find-links {wheels}", "--no-index"),
    }
    return EnvironmentRecipe(**{**given, **changes})


async def test_environment_when_two_runs_want_it_at_once_then_one_builds_it_and_both_have_it(lab: RayLab) -> None:
    script = "import alpha, sys\nprint(alpha.VALUE, sys.prefix)"
    specs = [lab.spec(script, recipe=_recipe(lab), python=OWN_PYTHON) for _ in range(2)]
    await asyncio.gather(*(lab.launch(spec) for spec in specs))
    outcomes = [await lab.finish(spec) for spec in specs]
    assert [outcome.exit.reason_text for outcome in outcomes] == [None, None]
    assert len({outcome.text("stdout") for outcome in outcomes}) == 1
    assert sum(b"Installed 1 package" in outcome.text("stderr") for outcome in outcomes) == 1
    again = await lab.run(script, recipe=_recipe(lab), python=OWN_PYTHON)
    assert again.text("stdout") == outcomes[0].text("stdout") and b"Installed" not in again.text("stderr")


async def test_environment_when_it_cannot_be_made_then_launch_fails_in_uvs_words_which_are_in_the_log(
    lab: RayLab,
) -> None:
    spec = lab.spec("print(1)", recipe=_recipe(lab, lock="beta==3"), python=OWN_PYTHON)
    with pytest.raises(LaunchFailed, match="beta") as caught:
        await lab.launch(spec)
    assert caught.value.extra == {"is_logged": True}
    assert b"beta" in spec.log_path.read_bytes()
    assert await lab.executor.seal(spec.key) is True


async def test_python_when_nothing_is_asked_for_then_the_nodes_own(lab: RayLab) -> None:
    outcome = await lab.run("import sys\nprint(sys.executable)", python=OWN_PYTHON)
    assert outcome.text("stdout").decode().strip() == str(PYTHON)
    assert outcome.exit.isolation["interpreter"].startswith("cpython-3.")


async def test_runs_when_many_then_both_nodes_carry_some_and_leave_nothing_on_them(lab: RayLab) -> None:
    specs = [lab.spec(f"print('one of many', {number})", limits=Limits(cpus=9)) for number in range(5)]
    await asyncio.gather(*(lab.launch(spec) for spec in specs))
    nodes = {job["driver_node_id"] for spec in specs if (job := await asyncio.to_thread(_job_of, lab, spec.key))}
    outcomes = [await lab.finish(spec) for spec in specs]
    assert [outcome.exit.reason for outcome in outcomes] == [None] * 5
    assert len(nodes) == 2 and set(lab.cluster.alive()) >= {HEAD, SECOND}
    await _until(lambda: list((lab.folder / "node" / "runs").iterdir()) == [], "the nodes are tidy")


async def test_cluster_when_described_then_nodes_and_their_resources_are_told(lab: RayLab) -> None:
    await _until(lambda: lab.executor.describe()["reachable"], "the cluster is looked at")
    told = lab.executor.describe()
    assert told["version"] and {HEAD, SECOND} <= {node["ip"] for node in told["nodes"]}
    assert all(node["cpus"] > 0 for node in told["nodes"])


async def test_cluster_when_away_then_launch_fails_at_once_and_says_so(data_dir: Path, ray_cluster: RayCluster) -> None:
    async with opened_lab(data_dir, ray_cluster, PYTHON, address="http://127.0.0.1:9") as lab:
        begun = time.monotonic()
        spec = lab.spec("print(1)")
        with pytest.raises(LaunchFailed, match="does not answer") as caught:
            await lab.launch(spec)
        assert caught.value.code == "cluster_away" and time.monotonic() - begun < 10
        assert lab.executor.describe()["reachable"] is False
        assert await lab.executor.seal(spec.key) is True
