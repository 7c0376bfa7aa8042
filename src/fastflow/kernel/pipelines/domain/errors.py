"""Errors of pipelines."""

from collections.abc import Sequence

from fastflow.kernel.pipelines.domain.faults import Fault
from fastflow.kit.errors import Conflict, InvalidInput, NotFound, Unavailable


class PipelineNotFound(NotFound):
    """No pipeline of that name is in PIPELINES_DIR."""

    default_code = "pipeline_not_found"
    default_hint = "`GET /pipelines` lists what exists."


class BadPipelineName(InvalidInput):
    """The text can be no pipeline's name."""

    default_code = "invalid_pipeline_name"
    default_hint = "A name holds letters, digits, `_`, `-` and `.`, and starts with a letter or digit."


class PipelineBroken(InvalidInput):
    """The pipeline has faults and cannot run."""

    default_code = "pipeline_broken"
    default_hint = "Correct the faults; `GET /pipelines/{name}/check` names them all."

    def __init__(self, name: str, faults: Sequence[Fault]) -> None:
        errors = [fault for fault in faults if fault.severity == "error"]
        told = "; ".join(str(fault) for fault in errors[:3])
        more = f" (and {len(errors) - 3} more)" if len(errors) > 3 else ""
        super().__init__(
            f"The pipeline {name!r} cannot run: {told}{more}",
            hint=self.default_hint.replace("{name}", name),
            fields={fault.place: fault.message for fault in errors},
            extra={"faults": [vars(fault) for fault in errors]},
        )


class PipelineChanging(Conflict):
    """The pipeline's files changed each time they were copied."""

    default_code = "pipeline_changing"
    default_hint = "Submit again when whatever writes into the pipeline's folder has finished."


class SnapshotNotFound(NotFound):
    """The copy of the code that a run was made from is gone."""

    default_code = "code_snapshot_not_found"
    default_hint = "Run the pipeline as it is now; an exact repeat is no longer possible."


class PipelinesDirUnavailable(Unavailable):
    """PIPELINES_DIR is missing or cannot be read."""

    default_code = "pipelines_dir_unavailable"
    default_hint = "Create the folder, correct its rights, or point PIPELINES_DIR to where the pipelines are."


class CodeNotHere(Unavailable):
    """The files of a repository's active version are not on this machine."""

    default_code = "code_not_here"
    default_hint = "Sync the repository again: `POST /sync`; with several servers, see that they share one database."


class SnapshotFailed(Unavailable):
    """The copy of the code could not be written."""

    default_code = "code_snapshot_failed"
    default_hint = "Check free space and rights of DATA_DIR."
