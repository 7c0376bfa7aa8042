"""Assembles pipelines."""

import os
import platform
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from fastflow.kernel.db.engine import Database
from fastflow.kernel.pipelines.domain.faults import Fault
from fastflow.kernel.pipelines.domain.pipeline import Pipeline, PipelineMemory
from fastflow.kernel.pipelines.domain.reading import Judge, read_pipeline
from fastflow.kernel.pipelines.domain.source import Source
from fastflow.kernel.pipelines.infra.archives import SharedSnapshots, SqlArchives
from fastflow.kernel.pipelines.infra.folder import PipelinesFolder
from fastflow.kernel.pipelines.infra.git import GitRevisions
from fastflow.kernel.pipelines.infra.shipped import ShippedFiles, own_files
from fastflow.kernel.pipelines.infra.snapshots import DiskSnapshots
from fastflow.kernel.pipelines.infra.sources import NoSources, SourcedFiles
from fastflow.kernel.pipelines.infra.store import SqlPipelineStore
from fastflow.kernel.pipelines.ports import Located, PipelineTree, Shipped, Snapshots, Sources
from fastflow.kernel.pipelines.service import PipelineCatalog
from fastflow.kernel.pipelines.service.catalog import GraphJudge
from fastflow.kit.clock import Clock, SystemClock


def build_pipelines(
    database: Database,
    *,
    pipelines_dir: Path,
    data_dir: Path,
    known_executors: Collection[str] | None = None,
    judges: Sequence[Judge] = (),
    graph_judges: Sequence[GraphJudge] = (),
    sources: Sources | None = None,
    snapshots: Snapshots | None = None,
    shipped: Sequence[Shipped] = (),
    clock: Clock | None = None,
) -> PipelineCatalog:
    """The catalogue of `pipelines_dir`, with its copies of code in `data_dir/code`, opened.

    Args:
        database: the product's database.
        pipelines_dir: may be missing now and come later.
        data_dir: holds `code`.
        known_executors: names a pipeline may choose from; None: any.
        judges: look at the settings of pipelines as well.
        graph_judges: look at all pipelines together.
        sources: where pipelines come from beside `pipelines_dir`.
        snapshots: the copies of code, opened; None: opened here.
        shipped: what the product's workbenches ship.
        clock: None: the machine's own.
    """
    clock, sources = clock or SystemClock(), sources or NoSources()
    snapshots = snapshots or open_snapshots(database, data_dir, clock)
    path_variable = os.environ.get("PATH", os.defpath)  # noqa: TID251 - where Git is found
    return PipelineCatalog(
        files=SourcedFiles(PipelinesFolder(pipelines_dir), sources, snapshots, ShippedFiles(shipped)),
        snapshots=snapshots,
        sources=sources,
        revisions=GitRevisions(pipelines_dir, path_variable),
        store=SqlPipelineStore(database),
        read=partial(_read, known_executors, judges),
        clock=clock,
        graph_judges=graph_judges,
    )


def preview_pipelines(
    sources: Sources,
    *,
    pipelines_dir: Path,
    snapshots: Snapshots,
    known_executors: Collection[str] | None = None,
    judges: Sequence[Judge] = (),
) -> PipelineCatalog:
    """The catalogue as it would be with these sources; it copies code but remembers nothing. Arguments as in
    `build_pipelines`."""
    return PipelineCatalog(
        files=SourcedFiles(PipelinesFolder(pipelines_dir), sources, snapshots),
        snapshots=snapshots,
        sources=sources,
        revisions=GitRevisions(pipelines_dir, os.defpath),
        store=_NothingRemembered(),
        read=partial(_read, known_executors, judges),
        clock=SystemClock(),
    )


def open_snapshots(database: Database, data_dir: Path, clock: Clock) -> DiskSnapshots | SharedSnapshots:
    """The copies of code in `data_dir/code`, opened; with several servers, those of the others as well."""
    disk = DiskSnapshots(data_dir / "code")
    disk.open()
    disk.sweep()
    return disk if database.is_sqlite else SharedSnapshots(disk, SqlArchives(database, clock))


def _read(
    known_executors: Collection[str] | None, judges: Sequence[Judge], located: Located, tree: PipelineTree
) -> Pipeline:
    files = tree if located.workbench is None else own_files(tree, located.workbench)
    source = Source(name=located.name, kind=located.kind, script=located.script, files=files, faults=tree.faults)
    python = platform.python_version()
    pipeline = read_pipeline(source, server_python=python, known_executors=known_executors, judges=judges)
    if located.workbench is not None:  # its imports are the package's, which was not read: nothing is loaded ahead
        return replace(pipeline, workbench=located.workbench, modules=())
    return replace(pipeline, repository=located.repository, commit=located.commit, covers=located.covers)


def check_folder(
    pipelines_dir: Path,
    names: Collection[str] | None = None,
    *,
    known_executors: Collection[str] | None = None,
    judges: Sequence[Judge] = (),
    graph_judges: Sequence[GraphJudge] = (),
) -> Sequence[Fault]:
    """Every fault of the pipelines in a folder, with neither database nor data folder.

    Args:
        pipelines_dir: the folder.
        names: only these; None: all.
        known_executors: as in `build_pipelines`.
        judges: as in `build_pipelines`.
        graph_judges: as in `build_pipelines`.

    Raises:
        PipelinesDirUnavailable: the folder is missing or cannot be read.
        PipelineNotFound: one of `names` does not exist.
    """
    return look_at_folder(
        pipelines_dir, known_executors=known_executors, judges=judges, graph_judges=graph_judges
    ).check(names)


def find_overlooked(pipelines_dir: Path) -> Sequence[str]:
    """Folders in it with Python files but no main.py, which therefore are no pipelines."""
    return PipelinesFolder(pipelines_dir).overlooked()


def find_shipped(shipped: Sequence[Shipped], pipelines_dir: Path) -> tuple[Sequence[str], Sequence[str]]:
    """The names of the pipelines that are shipped, and those of which a pipeline in the folder has taken the place."""
    names, folder = list(ShippedFiles(shipped).by_name), PipelinesFolder(pipelines_dir)
    return names, [name for name in names if folder.locate(name) is not None]


def look_at_folder(
    pipelines_dir: Path,
    *,
    known_executors: Collection[str] | None = None,
    judges: Sequence[Judge] = (),
    graph_judges: Sequence[GraphJudge] = (),
    sources: Sources | None = None,
    data_dir: Path | None = None,
) -> PipelineCatalog:
    """The catalogue of a folder, and of `sources` whose files are in `data_dir`, for who only looks: it copies nothing and
    remembers nothing."""
    folder, sources = PipelinesFolder(pipelines_dir), sources or NoSources()
    snapshots = DiskSnapshots(
        pipelines_dir if data_dir is None else data_dir / "code"
    )  # never opened: nothing is copied
    return PipelineCatalog(
        files=folder if data_dir is None else SourcedFiles(folder, sources, snapshots),
        snapshots=snapshots,
        sources=sources,
        revisions=GitRevisions(pipelines_dir, os.defpath),
        store=_NothingRemembered(),
        read=partial(_read, known_executors, judges),
        clock=SystemClock(),
        graph_judges=graph_judges,
    )


class _NothingRemembered:
    """A `PipelineStore` for who only looks at files."""

    def remember(self, seen: Mapping[str, bool], at: datetime) -> None:
        """See `PipelineStore.remember`."""

    def save_warmup(self, name: str, at: datetime) -> None:
        """See `PipelineStore.save_warmup`."""

    def load_all(self) -> Mapping[str, PipelineMemory]:
        """See `PipelineStore.load_all`."""
        return {}
