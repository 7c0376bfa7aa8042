"""Turns a claimed run into what the executor needs to start it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fastflow.kernel.executors.port import RunSpec
from fastflow.kernel.runs.domain.capsule import Capsule
from fastflow.kernel.runs.domain.errors import InputsNotFound
from fastflow.kernel.runs.domain.params import encode_environment
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.domain.scheduled import schedule_environment
from fastflow.kernel.runs.domain.tracing import trace_environment
from fastflow.kernel.runs.ports import EnvironmentMaker, Handing, InputStore, ReadyCode, RunFiles, SecretVersions


@dataclass(frozen=True, kw_only=True)
class Launchable:
    """A spec and the environment it names."""

    spec: RunSpec = field(repr=False)
    ready: ReadyCode


class SpecMaker:
    """Makes ready what a run needs and writes its spec.

    Args:
        maker: code and environment.
        secrets: values for the launch.
        files: where log and artifacts are.
        log_max_bytes: size at which a log is cut; None means never.
        handing: gathers what a run of a flow is given; None: nothing is.
        trace_share: of the traces that begin here, how many are recorded; None: none is, whatever the caller wants.
        inputs: what rooms handed to runs; None: nothing is.
    """

    def __init__(
        self,
        maker: EnvironmentMaker,
        secrets: SecretVersions,
        files: RunFiles,
        log_max_bytes: int | None,
        handing: Handing | None = None,
        trace_share: float | None = None,
        inputs: InputStore | None = None,
    ) -> None:
        self._maker = maker
        self._secrets = secrets
        self._files = files
        self._log_max_bytes = log_max_bytes
        self._handing = handing
        self._trace_share = trace_share
        self._inputs = inputs

    async def make(self, run: Run, on_line: Callable[[str], None]) -> Launchable:
        """The run, ready to be launched; builds its environment when it has to, with the builder's words in its log.

        Args:
            run: a claimed run.
            on_line: is told each line that was written into its log.

        Raises:
            FastFlowError: a part is gone or cannot be built; the message says which.
        """

        def note(line: str) -> None:
            self._files.append_note(run.id, line)
            on_line(line)

        ready = await self._maker.make_ready(run, note)
        capsule = Capsule.from_json(run.capsule)
        values: Mapping[str, str] = {}
        masked: tuple[str, ...] = ()
        if capsule.secrets:
            revealed = await asyncio.to_thread(self._secrets.reveal, run.pipeline_name, capsule.secrets)
            values, masked = revealed.values, tuple(revealed.masked)
        handed = None
        if self._handing is not None and capsule.flow is not None:
            handed = await asyncio.to_thread(self._handing.of, run)
        inputs = None if capsule.inputs is None else await asyncio.to_thread(self._find_inputs, capsule.inputs)
        spec = RunSpec(
            key=run.key,
            pipeline_name=run.pipeline_name,
            code_dir=ready.code_dir,
            script=capsule.script,
            python=ready.environment.python,
            environment=ready.environment.hash,
            recipe=ready.recipe,
            env={
                **values,
                **encode_environment(run.params),
                "FASTFLOW_RUN_ID": run.id,
                "FASTFLOW_PIPELINE": run.pipeline_name,
                "FASTFLOW_ATTEMPT": str(run.attempt),
                **schedule_environment(capsule.schedule),
                **trace_environment(run.id, run.capsule, self._trace_share),
                **{f"FASTFLOW_{name.upper()}": str(value) for name, value in (capsule.daemon or {}).items()},
            },
            secrets=masked,
            params=run.params,
            log_path=self._files.log_path(run.id),
            artifacts_dir=self._files.artifacts_dir(run.id),
            log_max_bytes=self._log_max_bytes,
            limits=capsule.limits,
            run_timeout=capsule.timeouts.run,
            idle_timeout=capsule.timeouts.idle,
            grace=capsule.grace,
            network=capsule.network,
            warm_modules=capsule.modules,
            handed=handed,
            inputs=inputs,
        )
        return Launchable(spec=spec, ready=ready)

    def _find_inputs(self, name: str) -> Path:
        folder = None if self._inputs is None else self._inputs.find(name)
        if folder is None:
            raise InputsNotFound(f"The inputs {name[:12]} of the run are not on this server.")
        return folder
