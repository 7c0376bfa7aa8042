"""What pipelines take today, for those whose runs failed."""

from collections.abc import Collection, Mapping
from typing import Any, TypeAlias

from fastflow.kernel.pipelines.service import PipelineCatalog

Schema: TypeAlias = Mapping[str, Any] | None
"""Of a pipeline's parameters; None: it declares none, or is gone."""


class Schemas:
    """Finds them.

    Args:
        catalog: the pipelines.
    """

    def __init__(self, catalog: PipelineCatalog) -> None:
        self._catalog = catalog

    def of(self, pipeline_name: str) -> Schema:
        """What it takes."""
        return next((each.params_schema for each in self._catalog.list() if each.name == pipeline_name), None)

    def of_all(self, pipeline_names: Collection[str]) -> Schema:
        """What they take, if they are one."""
        return self.of(next(iter(pipeline_names))) if len(pipeline_names) == 1 else None
