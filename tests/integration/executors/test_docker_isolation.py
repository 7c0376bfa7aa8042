"""What a container run can see and do, and what the engine knows of it."""

import json
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from fastflow.kernel.executors.docker.executor import DockerExecutor
from fastflow.kernel.executors.port import Limits
from fastflow.kernel.executors.registry import DockerSettings
from fastflow.testing.docker_lab import DockerLab, docker_lab, labelled
from fastflow.testing.executor_contract import MEGABYTE

SECRET = "kept-from-the-engine-4711"


@pytest.fixture
async def lab(data_dir: Path, docker_host: str) -> AsyncIterator[DockerLab]:
    async with docker_lab(data_dir, docker_host) as made:
        yield made


async def test_container_when_inspected_then_everything_is_taken_away_and_no_value_is_in_it(lab: DockerLab) -> None:
    spec = lab.spec(
        "import time\nprint('up', flush=True)\ntime.sleep(600)",
        env={"TOKEN": SECRET, "PARAM_CITY": "Köln"},
        secrets=(SECRET,),
        params={"CITY": "Köln-Nippes"},
        limits=Limits(cpus=0.5, memory_bytes=200 * MEGABYTE, pids=64),
        network=False,
    )
    await lab.launch(spec)
    await lab.until_logged(spec, b"up")
    told = await lab.engine.inspect(lab.container(spec.key))
    text = json.dumps(told)
    assert SECRET not in text and "Nippes" not in text and "PARAM_CITY" not in text
    host = told["HostConfig"]
    assert host["CapDrop"] == ["ALL"] and not host["CapAdd"] and not host["Privileged"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["ReadonlyRootfs"] is True and set(host["Tmpfs"]) == {"/tmp"}
    assert host["LogConfig"]["Type"] == "none" and host["NetworkMode"] == "none"
    assert (host["Memory"], host["MemorySwap"]) == (200 * MEGABYTE, 200 * MEGABYTE)
    assert (host["NanoCpus"], host["PidsLimit"]) == (500_000_000, 64)
    assert await lab.docker.machine_cpus() == (await lab.engine.info())["NCPU"]
    assert not told["Config"]["User"].startswith("0") and told["Config"]["User"] not in ("", "root")
    labels = told["Config"]["Labels"]
    assert labels["fastflow-run-id"] == spec.key.run_id and labels["fastflow-token"] == "1"
    assert [found["Id"] for found in await labelled(lab.engine, spec.key)] == [told["Id"]]
    writable = {mount["Destination"] for mount in told["Mounts"] if mount["RW"]}
    assert writable == {"/fastflow/work", "/fastflow/artifacts"}


async def test_run_when_it_looks_around_then_no_rights_and_only_its_own_places(lab: DockerLab) -> None:
    script = """
import os
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
print("caps", {name: int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb")})
print("no new privileges", status["NoNewPrivs"].strip(), "seccomp", status["Seccomp"].strip())
print("user", os.getuid() != 0 and os.getgid() != 0, os.getgroups())
for path in ("/x", "/etc/x", "/usr/x", "/fastflow/x", "/fastflow/given/x", "/fastflow/given/code/main.py", "/fastflow/sidecar/x"):
    try:
        open(path, "a").close()
        print("WROTE", path)
    except OSError as error:
        print(type(error).__name__)
for folder in ("/tmp", "/fastflow/work", "/fastflow/artifacts", "/dev/shm"):
    open(os.path.join(folder, "x"), "w").close()
"""
    outcome = await lab.run(script)
    lines = outcome.text("stdout").decode().splitlines()
    assert outcome.exit.reason is None, outcome.log
    assert lines[0].count(": 0") == 5, lines[0]
    assert lines[1] == "no new privileges 1 seccomp 2"
    assert lines[2].startswith("user True")
    assert "WROTE" not in outcome.text("stdout").decode()


async def test_run_when_it_attacks_its_supervisor_then_log_and_exit_are_out_of_its_reach(lab: DockerLab) -> None:
    script = """
import glob, os, signal
for path in ("/proc/1/fd", "/proc/1/environ", "/proc/1/mem", "/proc/1/root"):
    try:
        os.listdir(path) if path.endswith(("fd", "root")) else open(path, "rb").read(1)
        print("REACHED", path)
    except OSError as error:
        print(type(error).__name__)
print([path for path in glob.glob("/fastflow/**", recursive=True) if path.endswith((".log", ".json", ".jsonl", ".sock"))])
print(os.listdir("/fastflow/given"))
for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGINT):
    os.kill(1, number)
print("still here")
raise SystemExit(5)
"""
    outcome = await lab.run(script)
    text = outcome.text("stdout").decode()
    assert "REACHED" not in text and text.splitlines()[4:] == [
        "['/fastflow/given/params.json']",
        "['params.json', 'code']",
        "still here",
    ]
    assert (outcome.exit.reason, outcome.exit.exit_code) == ("exit", 5)


async def test_network_when_allowed_then_there_is_one_and_isolation_tells(lab: DockerLab) -> None:
    outcome = await lab.run("import socket\nprint([name for _, name in socket.if_nameindex()])")
    assert b"eth0" in outcome.text("stdout") and outcome.exit.isolation["network"] is True
    assert outcome.exit.isolation["image"] == "fastflow-worker:bookworm"
    assert outcome.exit.isolation["image_id"].startswith("sha256:")


async def test_paths_of_the_machine_when_allowed_then_seen_under_their_own_names(
    data_dir: Path, docker_host: str, tmp_path: Path
) -> None:
    readable, writable = tmp_path / "readable", tmp_path / "writable"
    for folder in (readable, writable):
        folder.mkdir()
        folder.chmod(0o777)
    (readable / "in.txt").write_text("in")
    async with docker_lab(data_dir, docker_host) as lab:
        await lab.executor.close()
        lab.executor = DockerExecutor(
            data_dir=data_dir,
            settings=DockerSettings(host=docker_host, image="fastflow-worker:bookworm"),
            readable=[readable],
            writable=[writable],
        )
        await lab.executor.open()
        outcome = await lab.run(
            f"print(open('{readable}/in.txt').read())\nopen('{writable}/out.txt', 'w').write('out')\n"
            f"try:\n    open('{readable}/x', 'w')\nexcept OSError as error:\n    print(error.strerror)"
        )
    assert outcome.text("stdout") == b"in\nRead-only file system\n"
    assert (writable / "out.txt").read_text() == "out"


async def test_code_when_the_run_changes_its_working_folder_then_the_snapshot_stays(lab: DockerLab) -> None:
    spec = lab.spec(
        "import os\nos.remove('data.txt')\nopen('data.txt', 'w').write('changed')\nprint(open('data.txt').read())\n"
        "try:\n    os.chmod('/fastflow/given/code/data.txt', 0o777)\nexcept OSError as error:\n    print(error.strerror)"
    )
    (spec.code_dir / "data.txt").write_text("original")
    await lab.launch(spec)
    outcome = await lab.finish(spec)
    assert outcome.text("stdout") == b"changed\nRead-only file system\n"
    assert (spec.code_dir / "data.txt").read_text() == "original"


@pytest.fixture
def elsewhere(data_dir: Path, tmp_path: Path) -> Iterator[Path]:
    """The data folder under another name."""
    place = tmp_path / "as-the-server-sees-it"
    place.mkdir()
    subprocess.run(["mount", "--bind", str(data_dir), str(place)], check=True)
    yield place
    subprocess.run(["umount", str(place)], check=True)


async def test_engine_data_dir_when_the_engine_names_the_folder_otherwise_then_runs_work(
    data_dir: Path, docker_host: str, elsewhere: Path
) -> None:
    """As for a server in a container: what it calls DATA_DIR has another name on the engine's machine."""
    async with docker_lab(elsewhere, docker_host, engine_data_dir=data_dir) as lab:
        outcome = await lab.run("import os\nprint('works')\nopen(os.environ['FASTFLOW_ARTIFACTS'] + '/a', 'w').close()")
        mounts = (await lab.engine.inspect(lab.container(outcome.spec.key)))["Mounts"]
    assert outcome.text("stdout") == b"works\n"
    assert all(mount["Source"].startswith(str(data_dir)) for mount in mounts)
    assert (elsewhere / "artifacts" / outcome.spec.key.run_id / "a").exists()
