"""The process executor keeps the executor contract."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fastflow.kernel.executors.errors import LaunchFailed
from fastflow.kernel.executors.port import Executor
from fastflow.kernel.executors.process.executor import ProcessExecutor
from fastflow.testing.executor_contract import ExecutorContract, ExecutorLab

NAMESPACES = ("user", "mount", "pid", "ipc", "network")


@pytest.fixture
async def lab(tmp_path: Path, empty_environment: Path, request: pytest.FixtureRequest) -> AsyncIterator[ExecutorLab]:
    """An opened process executor in a data folder of its own."""
    without = getattr(request.cls, "without", ())
    data = tmp_path / "data"
    data.mkdir(mode=0o711)
    environment = data / "envs" / "contract"
    shutil.copytree(empty_environment.parent.parent, environment, symlinks=True)

    async def opened() -> Executor:
        executor = ProcessExecutor(data_dir=data, without=without)
        await executor.open()
        return executor

    made = [await opened()]

    async def reopen() -> Executor:
        await made[-1].close()
        made.append(await opened())
        return made[-1]

    laboratory = ExecutorLab(executor=made[0], reopen=reopen, folder=data, python=environment / "bin" / "python")
    yield laboratory
    for key in await laboratory.executor.find_all():
        await laboratory.executor.stop(key, reason="cancelled", reason_text="the test is over", grace=0)
        await laboratory.executor.discard(key)
    await laboratory.executor.close()


class TestProcessExecutor(ExecutorContract):
    """Every statement of the contract."""

    async def test_user_when_server_is_root_then_run_is_not(self, lab: ExecutorLab) -> None:
        outcome = await lab.run("import os\nprint(os.getuid(), os.geteuid())")
        assert outcome.text("stdout").split()[0] != b"0"
        assert outcome.exit.isolation["user"] != 0

    async def test_server_files_when_run_looks_then_not_readable(self, lab: ExecutorLab) -> None:
        secret = lab.folder / "encryption.key"
        secret.write_text("key")
        secret.chmod(0o600)
        script = (
            f"import os\nfor path in ({str(secret)!r}, '/proc/{os.getpid()}/environ', '/etc/shadow'):\n"
            "    try:\n        open(path).read(); print('READ', path)\n    except OSError as e:\n        print(type(e).__name__)\n"
            "try:\n    open('/etc/written', 'w')\n    print('WROTE')\nexcept OSError as e:\n    print(type(e).__name__)"
        )
        outcome = await lab.run(script)
        assert b"READ" not in outcome.text("stdout") and b"WROTE" not in outcome.text("stdout")
        assert outcome.exit.reason is None


class TestProcessExecutorWithoutNamespaces(ExecutorContract):
    """The same where the kernel allows no namespaces: Landlock and the supervisor's own care remain."""

    without = NAMESPACES

    async def test_runs_when_two_at_once_then_do_not_see_each_other(self, lab: ExecutorLab) -> None:
        first = lab.spec("import time\nopen('mine', 'w').write('private')\nprint('up', flush=True)\ntime.sleep(600)")
        await lab.launch(first)
        await lab.until_logged(first, b"up")
        other = lab.folder / "supervised" / f"{first.key.run_id}.1" / "work" / "mine"
        script = (
            f"import os, signal\ntry:\n    print(open({str(other)!r}).read())\nexcept OSError as e:\n    print(type(e).__name__)\n"
            f"try:\n    print(os.listdir({str(lab.folder / 'supervised')!r}))\nexcept OSError as e:\n    print(type(e).__name__)"
        )
        outcome = await lab.run(script)
        await lab.executor.stop(first.key, reason="cancelled", reason_text="done", grace=0)
        await lab.finish(first)
        assert outcome.exit.isolation["files"] == "landlock"
        assert outcome.text("stdout") == b"PermissionError\nPermissionError\n"

    async def test_network_when_off_then_unreachable(self, lab: ExecutorLab) -> None:
        with pytest.raises(LaunchFailed, match="no network namespace"):
            await lab.launch(lab.spec("print(1)", network=False))

    async def test_server_files_when_run_looks_then_not_readable(self, lab: ExecutorLab) -> None:
        secret = lab.folder / "server.env"
        secret.write_text("key")
        secret.chmod(0o644)
        script = (
            f"for path in ({str(secret)!r}, '/proc/{os.getpid()}/environ'):\n"
            "    try:\n        open(path).read(); print('READ', path)\n    except OSError as e:\n        print(type(e).__name__)"
        )
        outcome = await lab.run(script)
        assert outcome.text("stdout") == b"PermissionError\nPermissionError\n"
