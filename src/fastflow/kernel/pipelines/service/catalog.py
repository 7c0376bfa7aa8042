"""The catalogue of pipelines: what there is, what is wrong with it, and immutable copies of it to run."""

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fastflow.kernel.environments.domain.environment import EnvironmentRequest
from fastflow.kernel.pipelines.domain.errors import (
    BadPipelineName,
    PipelineBroken,
    PipelineChanging,
    PipelineNotFound,
    SnapshotNotFound,
)
from fastflow.kernel.pipelines.domain.faults import Fault
from fastflow.kernel.pipelines.domain.names import name_problem
from fastflow.kernel.pipelines.domain.pipeline import FrozenPipeline, Pipeline, PipelineMemory
from fastflow.kernel.pipelines.domain.source import UnreadableFile
from fastflow.kernel.pipelines.ports import (
    AskNeeded,
    Located,
    PipelineFiles,
    PipelineStore,
    PipelineTree,
    Revisions,
    Snapshots,
    Sources,
)
from fastflow.kit.clock import Clock
from fastflow.kit.errors import InvalidInput
from fastflow.kit.words import did_you_mean

_ATTEMPTS = 5
_NOWHERE = Path("/nonexistent")
"""Stands for the folder of copies where there need not be one."""
_SETTLED_NS = 50_000_000
"""A file that changed this short a time before we looked may change again without its times telling: the clock of file
systems ticks in steps of up to 10 ms. What we know of such a tree is not trusted a second time."""

ReadTree = Callable[[Located, PipelineTree], Pipeline]
"""Makes the pipeline of its files."""

GraphJudge = Callable[[Sequence[Pipeline]], Mapping[str, Sequence[Fault]]]
"""What is wrong with pipelines taken together, such as two that wait for one another, by pipeline."""


@dataclass(frozen=True)
class _Known:
    """What was found out about a tree.

    Attributes:
        tree_hash: hash that its snapshot has or would have; None: not known yet.
        environment: what it asks for, with that snapshot; kept, because it keeps its own hash.
        is_copied: a snapshot was made; else there is only its hash.
    """

    signature: tuple[object, ...]
    pipeline: Pipeline
    tree_hash: str | None = None
    environment: EnvironmentRequest | None = None
    is_copied: bool = False


class PipelineCatalog:
    """Pipelines by name. Safe in threads. Everything is looked up in the files each time; what was found out about
    files that did not change since is reused.

    Args:
        files: PIPELINES_DIR.
        snapshots: the copies of code.
        sources: where pipelines come from beside PIPELINES_DIR.
        revisions: the Git work tree.
        store: what is remembered.
        read: makes the pipeline of its files.
        clock: for what is remembered.
        graph_judges: look at all pipelines together; what they find is told by lists and checks.
    """

    def __init__(
        self,
        *,
        files: PipelineFiles,
        snapshots: Snapshots,
        sources: Sources,
        revisions: Revisions,
        store: PipelineStore,
        read: ReadTree,
        clock: Clock,
        graph_judges: Sequence[GraphJudge] = (),
    ) -> None:
        self._files = files
        self._snapshots = snapshots
        self._sources = sources
        self._revisions = revisions
        self._store = store
        self._read = read
        self._clock = clock
        self._graph_judges = graph_judges
        self._known: dict[str, _Known] = {}
        self._remembered: dict[str, bool] = {}
        self._making: dict[str, threading.Lock] = {}

    def list(self) -> Sequence[Pipeline]:
        """The installation's own pipelines by name, broken ones with their faults: what is declared, scheduled and built
        ahead. Those that are shipped are left alone until somebody uses them.

        Raises:
            PipelinesDirUnavailable: PIPELINES_DIR is missing or cannot be read.
        """
        located = self._files.locate_all()
        pipelines = [self._look(one)[1].pipeline for one in located if one.workbench is None]
        for gone in self._known.keys() - {one.name for one in located}:
            self._known.pop(gone, None)
        return self._judged(pipelines)

    def list_all(self) -> Sequence[Pipeline]:
        """As `list`, and after them the pipelines that workbenches ship."""
        shipped = [one for one in self._files.locate_all() if one.workbench is not None]
        return [*self.list(), *(self._look(one)[1].pipeline for one in shipped)]

    def shipped(self) -> Mapping[str, str]:
        """Name -> workbench of the shipped pipelines that can run: those whose name no pipeline of the user has.

        Raises:
            PipelinesDirUnavailable, CodeNotHere: the user's are not to be seen.
        """
        return {one.name: one.workbench for one in self._files.locate_all() if one.workbench is not None}

    def get(self, name: str) -> Pipeline:
        """The pipeline of that name, perhaps with faults.

        Raises:
            BadPipelineName: no pipeline can be called that.
            PipelineNotFound: there is none; names near ones.
        """
        return self._look(self._locate(name))[1].pipeline

    def look(self, name: str) -> Pipeline:
        """As `get`, but a pipeline whose very name is its fault is found as well."""
        return self._checked(name)

    def check(self, names: Collection[str] | None = None) -> Sequence[Fault]:
        """Every fault of the named pipelines, or of all; errors first within each.

        Raises:
            BadPipelineName: no pipeline can be called that.
            PipelineNotFound: one of `names` does not exist.
        """
        if names is None:
            return [fault for pipeline in self.list() for fault in pipeline.faults]
        checked = [self._checked(name) for name in names]
        together = {pipeline.name: pipeline for pipeline in self.list()}
        return [fault for pipeline in checked for fault in together.get(pipeline.name, pipeline).faults]

    def look_at(self, name: str) -> Pipeline:
        """As `get`, with what is wrong with it together with others among its faults."""
        pipeline = self.get(name)
        return next((one for one in self.list() if one.name == name), pipeline) if self._graph_judges else pipeline

    def files_of(self, name: str) -> PipelineTree:
        """The pipeline's files as they are now, of a repository as they are at its active commit; raises as `get`."""
        return self._files.scan(self._locate(name))

    def _judged(self, pipelines: Sequence[Pipeline]) -> Sequence[Pipeline]:
        """The pipelines, with what is wrong with them together."""
        found: dict[str, list[Fault]] = {}
        for judge in self._graph_judges:
            for name, faults in judge(pipelines).items():
                found.setdefault(name, []).extend(faults)
        if not found:
            return pipelines
        return [
            replace(pipeline, faults=(*found[pipeline.name], *pipeline.faults)) if pipeline.name in found else pipeline
            for pipeline in pipelines
        ]

    def freeze(self, name: str) -> FrozenPipeline:
        """The pipeline with an immutable copy of its code as it is now. Well under a millisecond when nothing changed.

        Raises:
            BadPipelineName: no pipeline can be called that.
            PipelineNotFound: there is none.
            PipelineBroken: it has faults; names them.
            PipelineChanging: its files change while they are copied; a retry can help.
            SnapshotFailed: the copy cannot be written.
        """
        located = self._locate(name)
        tree, known = self._look(located)
        if not known.pipeline.is_healthy:
            raise PipelineBroken(name, known.pipeline.faults)
        code_dir = self._snapshots.find(known.tree_hash) if known.is_copied and known.tree_hash else None
        if code_dir is None:
            with self._making.setdefault(name, threading.Lock()):
                tree, known, code_dir = self._copy(located)
        assert known.tree_hash is not None
        assert known.environment is not None
        commit, dirty = located.commit, False
        if commit is None and located.workbench is None:
            commit, dirty = self._revisions.state_of(located.path, tree.signature)
        self._remember_one(known.pipeline)
        return FrozenPipeline(
            pipeline=known.pipeline,
            tree_hash=known.tree_hash,
            code_dir=code_dir,
            commit=commit,
            dirty=dirty,
            environment=known.environment,
        )

    def thaw(self, tree_hash: str) -> Path:
        """The copy of the code that an earlier run was made from.

        Raises:
            SnapshotNotFound: it is gone.
        """
        is_hash = len(tree_hash) == 64 and all(char in "0123456789abcdef" for char in tree_hash)
        folder = self._snapshots.find(tree_hash) if is_hash else None
        if folder is None:
            raise SnapshotNotFound(f"The copy {tree_hash[:12]!r} of the pipeline's code is gone.")
        return folder

    def environment(self, pipeline: Pipeline) -> EnvironmentRequest:
        """What the pipeline asks of the environments, to look it up by; its code is not copied for that, so what needs
        the code cannot be built from it. Code that is part of the input is read once for each change.

        Raises:
            PipelineNotFound, PipelineBroken, PipelineChanging: it went, broke or changes this moment.
        """
        if not pipeline.environment_needs_code:
            return pipeline.environment(_NOWHERE)
        known = self._identified(self._locate(pipeline.name))
        assert known.environment is not None
        return known.environment

    def remember(self, pipelines: Sequence[Pipeline]) -> None:
        """Note pipelines that were not seen before, or whose requirements came or went. Writes only then."""
        seen = {
            pipeline.name: pipeline.dependencies != "none" for pipeline in pipelines if not name_problem(pipeline.name)
        }
        news = {name: has for name, has in seen.items() if self._remembered.get(name) != has}
        if news:
            self._store.remember(news, self._clock.now())
            self._remembered.update(news)

    def memories(self) -> Mapping[str, PipelineMemory]:
        """What is remembered of pipelines, by name; also of such that are gone."""
        return self._store.load_all()

    def mark_warm(self, name: str) -> None:
        """Note that the pipeline's environment was made ready now."""
        self._store.save_warmup(name, self._clock.now())

    def collect_snapshots(self, needed: AskNeeded, unused_seconds: float) -> Sequence[str]:
        """Remove copies of code that were not used for so long (at least two hours, because a run may be on its way to
        its row) and that neither are `needed` nor belong to a repository's versions. Answers their hashes."""

        def needed_here_too(tree_hashes: Sequence[str]) -> Collection[str]:
            return {*needed(tree_hashes), *self._sources.kept()}

        return self._snapshots.remove_unused(needed_here_too, unused_seconds)

    def places(self) -> Sequence[Located]:
        """Where each of the installation's own pipelines is, by name; raises as `list`."""
        return [one for one in self._files.locate_all() if one.workbench is None]

    def digests(self, located: Located) -> Mapping[str, str]:
        """Path -> content and mode, of each of the pipeline's files; of one that is just changing, what could be read."""
        try:
            return self._snapshots.digests(self._files.scan(located))
        except UnreadableFile:
            return {}

    # --- finding -----------------------------------------------------------------------------------------------------

    def _locate(self, name: str) -> Located:
        problem = name_problem(name)
        if problem is not None:
            raise BadPipelineName(f"{name[:80]!r} is no pipeline: {problem}.", fields={"name": problem})
        located = self._files.locate(name)
        if located is None:
            names = [one.name for one in self._files.locate_all()]
            raise PipelineNotFound(
                f"There is no pipeline {name!r}.{did_you_mean(name, names)}",
                fields={"name": f"there is no pipeline {name!r}"},
                extra={"pipeline": name},
            )
        return located

    def _checked(self, name: str) -> Pipeline:
        """As `get`, but a pipeline whose name is its fault is found too."""
        try:
            return self.get(name)
        except InvalidInput:
            odd = next((one for one in self._files.locate_all() if one.name == name), None)
            if odd is None:
                raise
            return self._look(odd)[1].pipeline

    def _look(self, located: Located) -> tuple[PipelineTree, _Known]:
        """The pipeline's files now, and what they say."""
        looked_at = time.time_ns()
        tree = self._files.scan(located)
        # Links that lead outside are no files of the tree, so what is wrong with the files is part of the signature.
        signature = (located, tree.signature, tuple(tree.faults.found))
        known = self._known.get(located.name)
        if known is not None and known.signature == signature:
            return tree, known
        known = _Known(signature, self._read(located, tree))
        self._keep(located.name, known, tree, looked_at)
        return tree, known

    def _keep(self, name: str, known: _Known, tree: PipelineTree, looked_at: int) -> None:
        if tree.changed_ns < looked_at - _SETTLED_NS:
            self._known[name] = known
        else:
            self._known.pop(name, None)

    # --- copying -----------------------------------------------------------------------------------------------------

    def _identified(self, located: Located) -> _Known:
        """The pipeline with the hash that its copy has or would have."""
        for _ in range(_ATTEMPTS):
            looked_at = time.time_ns()
            tree, known = self._look(located)
            if not known.pipeline.is_healthy:
                raise PipelineBroken(located.name, known.pipeline.faults)
            if known.environment is not None:
                return known
            try:
                tree_hash = self._snapshots.identify(tree)
            except UnreadableFile:  # it went away between listing and reading
                continue
            if self._files.scan(located).signature == tree.signature:
                environment = known.pipeline.environment(_NOWHERE / tree_hash)
                identified = _Known(known.signature, known.pipeline, tree_hash, environment)
                self._keep(located.name, identified, tree, looked_at)
                return identified
        raise PipelineChanging(f"The files of {located.name!r} changed each of the {_ATTEMPTS} times they were read.")

    def _copy(self, located: Located) -> tuple[PipelineTree, _Known, Path]:
        """Read and copy until the files are the same after it as before it."""
        for _ in range(_ATTEMPTS):
            looked_at = time.time_ns()
            tree, known = self._look(located)
            if not known.pipeline.is_healthy:
                raise PipelineBroken(located.name, known.pipeline.faults)
            try:
                tree_hash = self._snapshots.save(tree)
            except UnreadableFile:  # it went away between listing and copying
                continue
            code_dir = self._snapshots.find(tree_hash)
            if code_dir is not None and self._files.scan(located).signature == tree.signature:
                copied = _Known(
                    known.signature, known.pipeline, tree_hash, known.pipeline.environment(code_dir), is_copied=True
                )
                self._keep(located.name, copied, tree, looked_at)
                return tree, copied, code_dir
        raise PipelineChanging(f"The files of {located.name!r} changed each of the {_ATTEMPTS} times they were copied.")

    def _remember_one(self, pipeline: Pipeline) -> None:
        if self._remembered.get(pipeline.name) != (pipeline.dependencies != "none"):
            self.remember([pipeline])
