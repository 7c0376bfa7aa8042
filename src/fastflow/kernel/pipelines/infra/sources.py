"""PIPELINES_DIR, the active versions of repositories and what the product ships as one set of pipelines."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from fastflow.kernel.pipelines.domain.errors import CodeNotHere, PipelinesDirUnavailable
from fastflow.kernel.pipelines.infra.folder import PipelinesFolder, place_of
from fastflow.kernel.pipelines.infra.shipped import ShippedFiles
from fastflow.kernel.pipelines.infra.tree import Tree
from fastflow.kernel.pipelines.ports import CodeSource, Located, Snapshots, Sources


class NoSources:
    """A `Sources` for a catalogue of PIPELINES_DIR alone."""

    def active(self) -> Sequence[CodeSource]:
        """See `Sources.active`."""
        return ()

    def kept(self) -> Collection[str]:
        """See `Sources.kept`."""
        return ()


class SourcedFiles:
    """See `ports.PipelineFiles`. One name in two of the user's places is one broken pipeline; what a user calls like a shipped
    one takes its place, and is warned of it: an upgrade must not break what ran.

    Args:
        folder: PIPELINES_DIR; need not exist as long as a repository is active.
        sources: the repositories.
        snapshots: have the copies of their files.
        shipped: what the product ships; None: nothing.
    """

    def __init__(
        self, folder: PipelinesFolder, sources: Sources, snapshots: Snapshots, shipped: ShippedFiles | None = None
    ) -> None:
        self._folder = folder
        self._sources = sources
        self._snapshots = snapshots
        self._shipped = shipped or ShippedFiles(())

    def locate_all(self) -> Sequence[Located]:
        """See the port.

        Raises:
            CodeNotHere: the files of a repository's version are not on this machine.
        """
        shipped = self._shipped.by_name
        found = {located.name: self._covering(located) for located in self._users()}
        return [*found.values(), *(located for name, located in shipped.items() if name not in found)]

    def locate(self, name: str) -> Located | None:
        """See the port; raises as `locate_all`."""
        found = self._locate_users(name)
        return self._shipped.by_name.get(name) if found is None else self._covering(found)

    def _covering(self, located: Located) -> Located:
        hidden = self._shipped.by_name.get(located.name)
        return located if hidden is None else replace(located, covers=hidden.workbench)

    def _users(self) -> Sequence[Located]:
        sources = self._sources.active()
        if not sources:
            return self._folder.locate_all()
        found: dict[str, Located] = {}
        for place in self._places(sources):
            for located in self._entries(place):
                found[located.name] = _merged(found.get(located.name), located)
        return [found[name] for name in sorted(found)]

    def _locate_users(self, name: str) -> Located | None:
        sources = self._sources.active()
        if not sources:
            return self._folder.locate(name)
        found: Located | None = None
        for place in self._places(sources):
            located = place.locate(name)
            if located is not None:
                found = _merged(found, located)
        return found

    def scan(self, located: Located) -> Tree:
        """See the port."""
        if located.workbench is not None:
            return self._shipped.scan(located)
        if located.repository is None:
            return self._folder.scan(located)
        return PipelinesFolder(located.path.parent).scan(located)

    def _places(self, sources: Sequence[CodeSource]) -> Iterator[PipelinesFolder]:
        yield self._folder
        for source in sources:
            copy = self._snapshots.find(source.tree_hash)
            if copy is None:
                raise CodeNotHere(
                    f"The files of commit {source.commit[:12]} of the repository {source.repository!r} are not on this "
                    "machine."
                )
            yield PipelinesFolder(copy, source)

    def _entries(self, place: PipelinesFolder) -> Sequence[Located]:
        try:
            return place.locate_all()
        except PipelinesDirUnavailable:
            if place.root.exists():
                raise
            return ()  # all code comes from repositories


def _merged(first: Located | None, second: Located) -> Located:
    if first is None:
        return second
    return replace(first, twin=f"{second.path.name} of {place_of(second)}", twin_is_elsewhere=True)
