"""What Git's own words mean: which of our errors they become."""

import re
from collections.abc import Sequence

from fastflow.kernel.sync.domain.errors import (
    BranchNotFound,
    CodeUnusable,
    GitFailed,
    RemoteDenied,
    RemoteGone,
    RemoteUnreachable,
)
from fastflow.kernel.sync.domain.repository import Definition
from fastflow.kit.errors import FastFlowError

_BRANCH = ("couldn't find remote ref", "Remote branch")
_DENIED = (
    "Authentication failed",
    "could not read Username",
    "could not read Password",
    "Permission denied (",
    "HTTP 401",
    "HTTP 403",
    "error: 401",
    "error: 403",
    "Invalid username or",
    "Host key verification failed",
)
_GONE = (
    "not found",
    "does not appear to be a git repository",
    "does not exist",
    "Repository not found",
    "error: 404",
    "HTTP 404",
    "Could not read from remote repository",
)
_UNREACHABLE = (
    "Could not resolve host",
    "Could not resolve hostname",
    "Failed to connect",
    "Connection refused",
    "Connection timed out",
    "Connection reset",
    "Operation timed out",
    "Operation too slow",
    "Network is unreachable",
    "No route to host",
    "SSL",
    "certificate",
    "error: 5",
    "HTTP 5",
    "early EOF",
    "hung up unexpectedly",
)
_BAD_OBJECTS = ("fsck error", "bad object", "index-pack failed")


NO_BRANCH = "the repository has no such branch"
"""What is wrong with the field."""


def error_of(told: str, repository: Definition) -> FastFlowError:
    """The error that stands behind Git's words.

    Args:
        told: on stderr, without secrets.
        repository: which one was asked for.
    """
    words = _gist(told)
    place = f"{repository.name} ({repository.url})"
    if _has(told, _BRANCH):
        return BranchNotFound(
            f"The repository {place} has no branch {repository.branch!r}.", fields={"branch": NO_BRANCH}
        )
    if "Host key verification failed" in told:
        return RemoteDenied(
            f"The host of {place} shows another key than `host_keys` has.",
            hint="If the host changed its key, compare the new one with what it publishes and set `host_keys`.",
            fields={"host_keys": "has another key than the host shows"},
        )
    if _has(told, _DENIED):
        return RemoteDenied(f"The host of {place} refuses the credentials: {words}.")
    if _has(told, _UNREACHABLE):
        return RemoteUnreachable(f"The host of {place} does not answer: {words}.", retry_after_seconds=30)
    if _has(told, _GONE):
        return RemoteGone(
            f"There is no repository at {place}, or it is not shown to us: {words}.",
            fields={"url": "names nothing that we may read"},
        )
    if _has(told, _BAD_OBJECTS):
        return CodeUnusable(f"The repository {place} is damaged or holds what Git refuses: {words}.")
    return GitFailed(f"Git cannot fetch {place}: {words}.")


def _has(told: str, marks: Sequence[str]) -> bool:
    lowered = told.lower()
    return any(mark.lower() in lowered for mark in marks)


def _gist(told: str) -> str:
    """The line that tells most, in one line, without Git's own mark before it."""
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "remote:"))] or lines
    text = re.sub(r"^(fatal|error|remote): *", "", telling[0]) if telling else "it gave no reason"
    return re.sub(r"[^\x20-\x7e\u00a0-\uffff]", "?", text)[:300].rstrip(".")
