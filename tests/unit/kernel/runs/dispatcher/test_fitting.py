"""No run is held to, or refused for, processors that its machine does not have."""

from pathlib import Path

import pytest

from fastflow.kernel.executors.port import Limits, RunKey, RunSpec
from fastflow.kernel.runs.dispatcher.fitting import fit_to_machine
from fastflow.testing.memory_executor import MemoryExecutor


class Machine(MemoryExecutor):
    """One machine."""

    def __init__(self, cpus: float | None) -> None:
        super().__init__()
        self._cpus = cpus

    async def machine_cpus(self) -> float | None:
        return self._cpus


def _spec(limits: Limits) -> RunSpec:
    place = Path("/nowhere")
    return RunSpec(
        key=RunKey(run_id="r", token=1),
        pipeline_name="p",
        code_dir=place,
        script="main.py",
        python=place,
        environment="e",
        env={},
        log_path=place,
        artifacts_dir=place,
        limits=limits,
    )


@pytest.mark.parametrize(
    ("executor", "wanted", "given", "notes"),
    [
        (Machine(2), 64.0, 2.0, ["limits.cpus is 64, but the machine has 2 processors: that is all the run can use"]),
        (Machine(1), 1.5, 1.0, ["limits.cpus is 1.5, but the machine has 1 processor: that is all the run can use"]),
        (Machine(2), 2.0, 2.0, []),
        (Machine(2), None, None, []),
        (Machine(None), 64.0, 64.0, []),
        (MemoryExecutor(), 64.0, 64.0, []),
    ],
)
async def test_cpus_when_the_machine_has_fewer_then_they_are_cut_and_the_log_says_so(
    executor: MemoryExecutor, wanted: float | None, given: float | None, notes: list[str]
) -> None:
    said: list[str] = []

    async def note(text: str) -> None:
        said.append(text)

    limits = Limits(cpus=wanted, memory_bytes=1 << 30)
    fitted = await fit_to_machine(executor, _spec(limits), note)
    assert fitted.limits == Limits(cpus=given, memory_bytes=1 << 30)
    assert said == notes
