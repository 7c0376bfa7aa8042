"""Freezes what runs are made of: for a run that is submitted now, and for runs that are made later."""

from collections.abc import Mapping

from fastflow.kernel.pipelines.domain.pipeline import FrozenPipeline
from fastflow.kernel.runs.domain.capsule import Capsule
from fastflow.kernel.runs.domain.prepared import PreparedRun
from fastflow.kernel.runs.ports import Catalogue, EnvironmentCatalogue, SecretVersions
from fastflow.kernel.runs.service.freezing import check_executor, freeze_capsule
from fastflow.kernel.runs.service.policy import RunPolicy


class Preparing:
    """Looks at code, environments and secrets once, so that nothing else has to.

    Args:
        catalogue: the code.
        environments: which are built.
        secrets: their versions.
        policy: the installation's rules.
    """

    def __init__(
        self, catalogue: Catalogue, environments: EnvironmentCatalogue, secrets: SecretVersions, policy: RunPolicy
    ) -> None:
        self._catalogue = catalogue
        self._environments = environments
        self._secrets = secrets
        self._policy = policy

    def freeze(
        self,
        frozen: FrozenPipeline,
        executor: str | None,
        *,
        digest: str,
        timeout: float | None = None,
        schedule: Mapping[str, str] | None = None,
        daemon: Mapping[str, int] | None = None,
        trace: str | None = None,
        inputs: str | None = None,
    ) -> Capsule:
        """The capsule of a run of the frozen pipeline; raises as `RunService.submit`."""
        pipeline = frozen.pipeline
        kind = check_executor(executor or pipeline.executor or self._policy.default_executor, self._policy)
        return freeze_capsule(
            frozen,
            self._policy,
            executor=kind,
            environment=None
            if kind in self._policy.image_executors  # only the runner knows the image of today
            else self._environments.resolved_hash(frozen.environment),
            secrets=self._secrets.current_versions(pipeline.name, pipeline.secrets) if pipeline.secrets else {},
            digest=digest,
            timeout=timeout,
            schedule=schedule,
            daemon=daemon,
            trace=trace,
            inputs=inputs,
        )

    def prepare(self, pipeline_name: str, *, executor: str | None = None) -> PreparedRun:
        """Freeze everything that a run of the pipeline is made of but its parameters.

        Args:
            pipeline_name: as the catalogue lists it.
            executor: None takes the pipeline's, else the installation's.

        Raises:
            NotFound, InvalidInput, Forbidden: as `RunService.submit`.
        """
        frozen = self._catalogue.freeze(pipeline_name)
        capsule = self.freeze(frozen, executor, digest="")
        concurrency = frozen.pipeline.concurrency
        return PreparedRun(
            pipeline_name=pipeline_name,
            capsule=capsule.to_json(),
            params_schema=frozen.pipeline.params_schema,
            concurrency_key=concurrency.key,
            pipeline_limit=concurrency.limit,
            key_limit=concurrency.per_key if concurrency.key is not None else None,
            logs_dir=str(self._policy.logs_dir),
        )
