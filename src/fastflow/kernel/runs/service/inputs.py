"""What a room of the product hands to the runs of the pipelines that it ships."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.runs.domain.errors import InputsNotFound, InputsNotTaken, ShippedCovered, StartedByWorkbench
from fastflow.kernel.runs.ports import InputStore
from fastflow.kernel.runs.service.policy import RunPolicy


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a workbench starts a run with.

    Attributes:
        workbench: its name.
        inputs: hash of what it kept for the run.
    """

    workbench: str
    inputs: str


class InputRules:
    """Whether a run can have the inputs it is submitted with.

    Args:
        store: what is kept; None: nothing is.
        policy: which executors can hand inputs over.
    """

    def __init__(self, store: InputStore | None, policy: RunPolicy) -> None:
        self._store = store
        self._policy = policy

    def keep(self, fill: Callable[[Path], None]) -> str:
        """See `InputStore.keep`."""
        assert self._store is not None
        return self._store.keep(fill)

    def are_here(self, inputs: str) -> bool:
        """Whether they are on this server."""
        return self._store is not None and self._store.find(inputs) is not None

    def require(self, pipeline: Pipeline, given: Given | None, inputs: str | None, executor: str) -> None:
        """Raises:
        StartedByWorkbench: a shipped pipeline without inputs.
        ShippedCovered: a pipeline of the user has the place of the workbench's.
        InputsNotFound, InputsNotTaken: the run could not have them.
        """
        if given is not None and pipeline.workbench != given.workbench:
            raise ShippedCovered(
                f"The workbench {given.workbench} cannot run its pipeline {pipeline.name!r}: another one has its name."
            )
        if inputs is None:
            if pipeline.workbench is not None:
                raise StartedByWorkbench(
                    f"The pipeline {pipeline.name!r} runs on inputs that the workbench {pipeline.workbench} gives it.",
                    hint=f"Start it from the workbench: `fastflow {pipeline.workbench} --help`.",
                )
            return
        if executor in self._policy.node_executors:
            raise InputsNotTaken(
                f"The executor {executor} hands no inputs to runs.",
                hint="Set EXECUTOR to process or docker; other pipelines may name theirs in pipeline.toml.",
                fields={"executor": "hands no inputs to runs"},
            )
        if not self.are_here(inputs):
            raise InputsNotFound(f"The inputs {inputs[:12]!r} are not on this server.")
