"""Fast-Flow: runs plain Python scripts isolated, in milliseconds, with live logs and a lasting history."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("fastflow-orchestrator")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0.0.0+source"

__all__ = ["__version__"]
