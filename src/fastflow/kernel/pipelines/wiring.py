"""Assembles pipelines."""

import os
import platform
from collections.abc import Collection
from functools import partial
from pathlib import Path

from fastflow.kernel.db.engine import Database
from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.pipelines.domain.reading import read_pipeline
from fastflow.kernel.pipelines.domain.source import Source
from fastflow.kernel.pipelines.infra.folder import PipelinesFolder
from fastflow.kernel.pipelines.infra.git import GitRevisions
from fastflow.kernel.pipelines.infra.snapshots import DiskSnapshots
from fastflow.kernel.pipelines.infra.store import SqlPipelineStore
from fastflow.kernel.pipelines.ports import Located, PipelineTree
from fastflow.kernel.pipelines.service import PipelineCatalog
from fastflow.kit.clock import Clock, SystemClock


def build_pipelines(
    database: Database,
    *,
    pipelines_dir: Path,
    data_dir: Path,
    known_executors: Collection[str] | None = None,
    clock: Clock | None = None,
) -> PipelineCatalog:
    """The catalogue of `pipelines_dir`, with its copies of code in `data_dir/code`, opened.

    Args:
        database: the product's database.
        pipelines_dir: may be missing now and come later.
        data_dir: holds `code`.
        known_executors: names a pipeline may choose from; None: any.
        clock: None: the machine's own.
    """
    snapshots = DiskSnapshots(data_dir / "code")
    snapshots.open()
    snapshots.sweep()
    path_variable = os.environ.get("PATH", os.defpath)  # noqa: TID251 - where Git is found
    return PipelineCatalog(
        files=PipelinesFolder(pipelines_dir),
        snapshots=snapshots,
        revisions=GitRevisions(pipelines_dir, path_variable),
        store=SqlPipelineStore(database),
        read=partial(_read, known_executors),
        clock=clock or SystemClock(),
    )


def _read(known_executors: Collection[str] | None, located: Located, tree: PipelineTree) -> Pipeline:
    source = Source(name=located.name, kind=located.kind, script=located.script, files=tree, faults=tree.faults)
    return read_pipeline(source, server_python=platform.python_version(), known_executors=known_executors)
