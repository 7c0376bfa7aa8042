"""PIPELINES_DIR: which pipelines are in it."""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from fastflow.kernel.pipelines.domain.errors import PipelinesDirUnavailable
from fastflow.kernel.pipelines.domain.faults import FaultList
from fastflow.kernel.pipelines.domain.names import name_problem
from fastflow.kernel.pipelines.domain.reading import SETTINGS_FILE
from fastflow.kernel.pipelines.infra.tree import Tree, scan_file, scan_folder
from fastflow.kernel.pipelines.ports import CodeSource, Located

MAIN = "main.py"


class PipelinesFolder:
    """See `ports.PipelineFiles`.

    Args:
        root: PIPELINES_DIR, or the copy of a repository's files.
        source: the repository's version; None: PIPELINES_DIR.
    """

    def __init__(self, root: Path, source: CodeSource | None = None) -> None:
        self.root = root
        self._root = f"{root}/"
        self._source = source
        self._prefix = "" if source is None else source.prefix

    def locate_all(self) -> Sequence[Located]:
        """See the port."""
        found: dict[str, Located] = {}
        for located in self._candidates():
            found[located.name] = _merged(found.get(located.name), located)
        return [found[name] for name in sorted(found)]

    def locate(self, name: str) -> Located | None:
        """See the port."""
        if not name.startswith(self._prefix):
            return None
        entry = name[len(self._prefix) :]
        folder = self._folder(entry, self._root + entry)
        file = self._file(entry, f"{self._root}{entry}.py")
        if file is None:
            return folder
        return _merged(folder, file)

    def scan(self, located: Located) -> Tree:
        """See the port."""
        root = os.path.realpath(self.root)
        if located.kind == "folder":
            faults = FaultList(located.name, f"{located.shown}{located.path.name}/")
            tree = scan_folder(located.path, root, faults)
            if MAIN not in tree.paths and not faults.has_errors:
                faults.error(MAIN, f"There is no {MAIN}.", f"Add {MAIN}, or remove {SETTINGS_FILE}.")
        else:
            faults = FaultList(located.name, located.shown)
            tree = scan_file(located.path, root, faults)
            if located.script not in tree.paths and not faults.has_errors:
                faults.error(located.script, "This is no file, or it is gone.", "Put the script back.")
        add_own_faults(located, faults)
        return tree

    def _candidates(self) -> Iterator[Located]:
        for entry in self._entries():
            name = os.fsencode(entry.name).decode("utf-8", "replace")
            if entry.name.startswith((".", "__", "#")) or entry.name.endswith("~"):
                continue
            path = self._root + entry.name
            if entry.name.endswith(".py") and not entry.is_dir():
                located = self._file(name.removesuffix(".py"), path)
            else:
                located = self._folder(name, path)
            if located is not None:
                yield located

    def overlooked(self) -> Sequence[str]:
        """Folders with Python files of which none says that it is a pipeline, by name."""
        return [
            entry.name
            for entry in self._entries()
            if entry.is_dir()
            and not entry.name.startswith((".", "__", "#"))
            and self._folder(entry.name, entry.path) is None
            and any(path.suffix == ".py" for path in Path(entry.path).iterdir())
        ]

    def _entries(self) -> Sequence["os.DirEntry[str]"]:
        try:
            with os.scandir(self.root) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            raise PipelinesDirUnavailable(
                f"The pipelines folder {self.root} cannot be read: {error.strerror}.",
                fields={"PIPELINES_DIR": error.strerror or "cannot be read"},
            ) from error

    def _folder(self, name: str, path: str) -> Located | None:
        # Strings and os.path: this is on the way of every submit, and pathlib would take most of its time.
        try:
            if not stat.S_ISDIR(os.stat(path).st_mode):  # noqa: PTH116
                return None
            is_pipeline = any(os.path.lexists(f"{path}/{mark}") for mark in (MAIN, SETTINGS_FILE))
            is_pipeline = is_pipeline or not os.access(path, os.R_OK | os.X_OK)  # the scan will say why
        except (OSError, ValueError):
            return None
        return self._located(name, "folder", Path(path), MAIN) if is_pipeline else None

    def _file(self, name: str, path: str) -> Located | None:
        if not os.path.lexists(path) or os.path.isdir(path):  # noqa: PTH112
            return None
        located = Path(path)
        return self._located(name, "file", located, located.name)

    def _located(self, entry: str, kind: Literal["folder", "file"], path: Path, script: str) -> Located:
        source = self._source
        if source is None:
            return Located(name=entry, kind=kind, path=path, script=script)
        return Located(
            name=self._prefix + entry,
            kind=kind,
            path=path,
            script=script,
            repository=source.repository,
            commit=source.commit,
            shown=f"{source.subfolder}/" if source.subfolder else "",
        )


def _merged(first: Located | None, second: Located) -> Located:
    """One name, found twice, is one broken pipeline."""
    if first is None:
        return second
    return replace(first, twin=second.path.name)


def place_of(located: Located) -> str:
    """Where the entry stands, in words."""
    return "PIPELINES_DIR" if located.repository is None else f"the repository {located.repository}"


def add_own_faults(located: Located, faults: FaultList) -> None:
    """Faults of the name itself: of the folder or file as an entry of PIPELINES_DIR."""
    own = FaultList(located.name, located.shown)
    problem = name_problem(located.name)
    entry = os.fsencode(located.path.name).decode("utf-8", "replace")
    if problem is not None:
        own.error(
            entry, f"The name cannot be used: {problem}.", "Rename it: letters, digits, `_`, `-` and `.` are allowed."
        )
    if located.twin is not None:
        here = f"{entry} of {place_of(located)}" if located.twin_is_elsewhere else entry
        own.error(
            entry,
            f"{here} and {located.twin} both are the pipeline {located.name!r}.",
            "Rename or remove one of them, or give the pipelines of a repository a prefix.",
        )
    if located.covers is not None:
        own.warning(
            entry,
            f"The {located.covers} workbench ships a pipeline {located.name!r} as well: this one takes its place, so that the "
            "workbench cannot run its own.",
            "Rename this one, unless the workbench is not used.",
        )
    faults.found += own.found
