"""The kernel's front door: everything of it that a workbench may import, beside `kernel.http` and `kernel.db`.

A workbench describes itself by a `Workbench`; the kernel never names one.
"""

import os
import shutil
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastflow.kernel.audit import record
from fastflow.kernel.locks import hold_new_folder, try_hold_folder
from fastflow.kit.errors import NotFound
from fastflow.kit.identity import SYSTEM, Actor, Role

if TYPE_CHECKING:
    from fastflow.kernel.runs.domain.run import Run
    from fastflow.kernel.runs.service import RunService

__all__ = ["Workbench", "WorkbenchRuns", "hold_new_folder", "record", "try_hold_folder"]


@dataclass(frozen=True, kw_only=True)
class Workbench:
    """What a workbench contributes that others work with.

    Attributes:
        name: one word; the package of its method has this name beside its pipelines, and its commands begin with it.
        title: what people call it.
        folder: its package; `pipelines/<name>/` holds the pipelines it ships.
        packages: folders of `folder` that go along with each of its pipelines, inside the package `name`.
    """

    name: str
    title: str
    folder: Path
    packages: tuple[str, ...] = ("domain", "method")


class WorkbenchRuns:
    """Runs of the pipelines that a workbench ships. Who may do what is for the workbench to judge before it asks.

    Args:
        workbench: its name.
        runs: the runs.
        artifacts: folder with one folder of artifacts per run.
        host: id of this server's data directory.
        last_words: the last lines that a run wrote.
    """

    def __init__(
        self,
        workbench: str,
        runs: "RunService",
        *,
        artifacts: Path,
        host: str,
        last_words: Callable[[str], Sequence[str]],
    ) -> None:
        self._workbench = workbench
        self._runs = runs
        self._artifacts = artifacts
        self._host = host
        self._last_words = last_words

    def keep(self, fill: Callable[[Path], None]) -> str:
        """Keep what `fill` lays into an empty folder as inputs of runs; answers its hash. A file that never changes again
        may be a hard link.

        Raises:
            InputsRefused: the disk does not take it.
        """
        return self._runs.inputs.keep(fill)

    def lay(self, run_id: str, target: Path) -> None:
        """Lay the plain files that an ended run left into `target`, shared where the file system can: nobody changes them."""
        source = self.artifacts(run_id)
        for path in sorted(source.rglob("*")):
            if not stat.S_ISREG(path.lstat().st_mode):
                continue
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(path, place, follow_symlinks=False)
            except OSError:  # another file system, or a file of another owner
                shutil.copyfile(path, place, follow_symlinks=False)

    def submit(
        self, pipeline: str, params: Mapping[str, Any], inputs: str, *, actor: Actor, key: str | None = None
    ) -> "Run":
        """Put a run of a shipped pipeline on kept inputs into the queue, in the actor's name.

        Args:
            pipeline: its name.
            params: checked against its schema.
            inputs: hash of what was kept.
            actor: who asks.
            key: a second submission with it returns the first run.

        Raises:
            ShippedCovered, InputsNotTaken, QueueFull: it cannot be; the error tells why.
        """
        from fastflow.kernel.runs.service.inputs import Given

        given = Given(workbench=self._workbench, inputs=inputs)
        own = _with_all(actor)
        return self._runs.submit(pipeline, params, actor=own, trigger=actor.way_in, idempotency_key=key, given=given)

    def find(self, run_id: str) -> "Run | None":
        """The run; None: there is none any more."""
        try:
            return self._runs.get(run_id, actor=SYSTEM)
        except NotFound:
            return None

    def find_last(self, run_id: str) -> "Run | None":
        """The last attempt of a run that may have been tried again."""
        run = self.find(run_id)
        while run is not None and run.retried_by is not None:
            run = self.find(run.retried_by)
        return run

    def list(self, pipeline: str, *, limit: int) -> "Sequence[Run]":
        """The newest runs of a shipped pipeline."""
        from fastflow.kernel.runs.domain.run import RunFilter

        return self._runs.list(RunFilter(pipeline_name=pipeline), actor=SYSTEM, limit=limit).items

    def cancel(self, run_id: str, *, actor: Actor, reason: str | None = None) -> "Run":
        """End a run, with every process of it.

        Raises:
            RunEnded: it has ended already.
        """
        return self._runs.cancel(run_id, actor=_with_all(actor), reason=reason)

    def is_here(self, host: str | None) -> bool:
        """Whether the files of a run of that host are on this server; of one that never began, there are none."""
        return host in (None, self._host)

    def artifacts(self, run_id: str) -> Path:
        """The folder of what a run left. A script wrote it: nothing in it is to be trusted."""
        return self._artifacts / run_id

    def last_words(self, run_id: str) -> Sequence[str]:
        """The last lines a run wrote, on stderr if there are any."""
        return self._last_words(run_id)


def _with_all(actor: Actor) -> Actor:
    """The actor, with the right that the workbench has found to be given."""
    return replace(actor, role=Role.OPERATOR, pipelines=None)
