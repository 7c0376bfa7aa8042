"""Use cases of pipelines: the catalogue, and warming their environments."""

from fastflow.kernel.pipelines.service.catalog import PipelineCatalog
from fastflow.kernel.pipelines.service.warmup import Warmed, WarmUp

__all__ = ["PipelineCatalog", "WarmUp", "Warmed"]
