"""Limits that a run's machine cannot give are cut to what it has, and its log says so."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from fastflow.kernel.executors.port import Executor, RunSpec, SharesOneMachine
from fastflow.kit.words import counted


async def fit_to_machine(executor: Executor, spec: RunSpec, note: Callable[[str], Awaitable[None]]) -> RunSpec:
    """The spec with no more processors than the executor's machine has.

    Args:
        executor: one whose runs find a machine by what they ask for is left alone.
        spec: as the pipeline's limits have it.
        note: writes a line of ours into the run's log.
    """
    wanted = spec.limits.cpus
    if wanted is None or not isinstance(executor, SharesOneMachine):
        return spec
    there = await executor.machine_cpus()
    if there is None or wanted <= there:
        return spec
    has = counted(int(there), "processor")
    await note(f"limits.cpus is {wanted:g}, but the machine has {has}: that is all the run can use")
    return replace(spec, limits=replace(spec.limits, cpus=float(there)))
