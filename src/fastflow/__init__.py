"""Fast-Flow: runs plain Python scripts isolated, in milliseconds, with live logs and a lasting history."""

__all__ = ["__version__"]


def __getattr__(name: str) -> str:
    """`__version__`, looked up when asked for: reading package metadata takes longer than `fastflow --help` may."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("fastflow-orchestrator")
    except PackageNotFoundError:  # a source tree that was never installed
        return "0.0.0+source"
