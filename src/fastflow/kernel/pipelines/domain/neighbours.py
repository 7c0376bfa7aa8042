"""What pipelines of one file import from the files beside them, which a run does not have."""

import sys
from collections.abc import Mapping, Sequence

from fastflow.kernel.pipelines.domain.faults import Fault
from fastflow.kernel.pipelines.domain.pipeline import Pipeline


def judge_neighbours(pipelines: Sequence[Pipeline]) -> Mapping[str, Sequence[Fault]]:
    """A warning for each import, by a pipeline of one file, of another pipeline's file in the same folder. It is no error:
    a package of the environment may have the name as well."""
    scripts = {(pipeline.repository, pipeline.script) for pipeline in pipelines if pipeline.kind == "file"}
    found: dict[str, Sequence[Fault]] = {}
    for pipeline in pipelines:
        if pipeline.kind != "file":
            continue
        tops = {module.partition(".")[0] for module in pipeline.modules} - sys.stdlib_module_names
        beside = sorted(top for top in tops if (pipeline.repository, f"{top}.py") in scripts)
        if beside:
            found[pipeline.name] = [_fault(pipeline, top) for top in beside]
    return found


def _fault(pipeline: Pipeline, module: str) -> Fault:
    name = pipeline.script.removesuffix(".py")
    return Fault(
        pipeline=pipeline.name,
        file=pipeline.script,
        message=f"It imports {module}, and {module}.py lies beside it; a pipeline of one file runs without its neighbours.",
        hint=f"Make it a folder: {name}/main.py with {module}.py in it (a link to a shared file is followed).",
        severity="warning",
    )
