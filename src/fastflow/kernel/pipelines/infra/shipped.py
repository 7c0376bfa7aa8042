"""The pipelines that the product ships: each is a folder of its workbench, with copies of the workbench's packages beside it."""

from collections.abc import Mapping, Sequence
from functools import cached_property

from fastflow.kernel.pipelines.domain.faults import FaultList
from fastflow.kernel.pipelines.infra.folder import MAIN
from fastflow.kernel.pipelines.infra.tree import Tree, scan_parts
from fastflow.kernel.pipelines.ports import Located, PipelineTree, Shipped

_FOLDER = "pipelines"


class ShippedFiles:
    """Finds them; nothing on the disk is looked at before somebody asks.

    Args:
        shipped: what each workbench ships.
    """

    def __init__(self, shipped: Sequence[Shipped]) -> None:
        self._shipped = {each.workbench: each for each in shipped}

    @cached_property
    def by_name(self) -> Mapping[str, Located]:
        """Every shipped pipeline. They come and go with the product alone."""
        found = [
            Located(name=path.name, kind="folder", path=path, script=MAIN, workbench=workbench)
            for workbench, one in self._shipped.items()
            for path in (one.folder / _FOLDER).iterdir()
            if (path / MAIN).is_file()
        ]
        return {located.name: located for located in sorted(found, key=lambda located: located.name)}

    def scan(self, located: Located) -> Tree:
        """The assembled files of one of them."""
        assert located.workbench is not None
        one = self._shipped[located.workbench]
        parts = {
            "": located.path,
            f"{one.workbench}/__init__.py": one.folder / "__init__.py",
            **{f"{one.workbench}/{package}/": one.folder / package for package in one.packages},
        }
        return scan_parts(parts, FaultList(located.name, f"{located.name}/"))


def own_files(tree: PipelineTree, workbench: str) -> Tree:
    """The tree without the workbench's package, whose files the product's own tests have read."""
    assert isinstance(tree, Tree)
    return Tree([file for file in tree.files if not file.path.startswith(f"{workbench}/")], tree.faults)
