"""Whether everything that a run was made of is still there, so that it can be repeated exactly; and what to do if not."""

from collections.abc import Callable, Collection, Iterator, Mapping

from fastflow.kernel.environments.domain.environment import Environment
from fastflow.kernel.runs.domain.capsule import Capsule
from fastflow.kernel.runs.domain.errors import CapsuleIncomplete, MissingPart
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.ports import Catalogue, EnvironmentCatalogue, SecretVersions
from fastflow.kit.errors import FastFlowError, Forbidden, InvalidInput, NotFound


class Parts:
    """Finds the parts of runs.

    Args:
        catalogue: the code.
        environments: the environments.
        secrets: the secrets' versions.
        executors: kinds that exist.
        has_inputs: whether inputs are here, by their hash.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        environments: EnvironmentCatalogue,
        secrets: SecretVersions,
        executors: Collection[str],
        has_inputs: Callable[[str], bool],
    ) -> None:
        self._catalogue = catalogue
        self._environments = environments
        self._secrets = secrets
        self._executors = executors
        self._has_inputs = has_inputs

    def require_all(self, run: Run) -> Environment:
        """The environment of an exact repeat, after every part was found to be there.

        Raises:
            CapsuleIncomplete: parts are gone; names each and says how to go on.
        """
        capsule = Capsule.from_json(run.capsule)
        environment = self._find_environment(run, capsule)
        missing = [
            *self._missing_code(run, capsule),
            *([environment] if isinstance(environment, MissingPart) else _missing_interpreter(run, environment)),
            *self._missing_secrets(run.pipeline_name, capsule.secrets),
            *self._missing_executor(capsule),
            *self._missing_inputs(capsule),
        ]
        if missing or isinstance(environment, MissingPart):
            raise CapsuleIncomplete(run.id, missing)
        return environment

    def are_all_here(self, run: Run) -> bool:
        """Whether the run can be repeated exactly."""
        try:
            self.require_all(run)
        except CapsuleIncomplete:
            return False
        return True

    def _missing_code(self, run: Run, capsule: Capsule) -> Iterator[MissingPart]:
        try:
            self._catalogue.thaw(capsule.tree_hash)
        except NotFound as error:
            remedy = "The copy of its code cannot be made again."
            if run.commit:
                remedy = (
                    f"Bring the pipeline's folder to commit {run.commit[:12]} and submit it: that is the same code."
                )
            yield MissingPart(f"code snapshot {capsule.tree_hash[:12]}: {error.message}", remedy)

    def _find_environment(self, run: Run, capsule: Capsule) -> Environment | MissingPart:
        wanted = run.environment or capsule.environment.hash
        if wanted is None:
            return MissingPart("environment: the run never got one", "It has no environment to be repeated in.")
        try:
            return self._environments.get(wanted)
        except (NotFound, InvalidInput) as error:
            return MissingPart(
                f"environment {wanted[:12]}: {error.message}",
                "Run the pipeline once as it is now: unless its requirements changed, that builds the same environment again.",
            )

    def _missing_secrets(self, pipeline_name: str, versions: Mapping[str, int]) -> Iterator[MissingPart]:
        if not versions:
            return
        try:
            self._secrets.reveal(pipeline_name, versions)
        except NotFound as error:
            names = " and ".join(error.fields or versions)
            yield MissingPart(
                f"secrets: {error.message}",
                f"A removed value never comes back: give {names} a value again with `POST /secrets`, which becomes a new "
                "version, and re-run without `exact`.",
            )
        except Forbidden as error:
            names = " and ".join(error.fields or versions)
            yield MissingPart(
                f"secrets: {error.message}", f"Allow {names} for the pipeline again: `PUT /secrets/{{key}}`."
            )
        except FastFlowError as error:
            yield MissingPart(f"secrets cannot be read: {error.message}", error.hint)

    def _missing_executor(self, capsule: Capsule) -> Iterator[MissingPart]:
        if capsule.executor not in self._executors:
            yield MissingPart(
                f"executor {capsule.executor}: not available",
                f"Repeat it on a server with executor {capsule.executor}.",
            )

    def _missing_inputs(self, capsule: Capsule) -> Iterator[MissingPart]:
        if capsule.inputs is not None and not self._has_inputs(capsule.inputs):
            yield MissingPart(
                f"inputs {capsule.inputs[:12]}: not on this server",
                "Start it again from the workbench that it belongs to.",
            )


def _missing_interpreter(run: Run, environment: Environment) -> Iterator[MissingPart]:
    if not (environment.python.exists() or environment.python.is_symlink()):  # of an image it is a link into it
        yield MissingPart(
            f"interpreter {environment.interpreter}: {environment.python} is not there", "Install that Python again."
        )
    elif run.interpreter not in (None, environment.interpreter):
        yield MissingPart(
            f"interpreter {run.interpreter}: the environment now has {environment.interpreter}",
            f"Install {run.interpreter} again.",
        )
