"""What became of an attempt whose agent is silent: judged from what the cluster says of its job and its node."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastflow.kernel.executors.port import Reason
from fastflow.kernel.executors.ray.cluster import Job, Node

SILENCE_SECONDS = 5.0
"""An agent that was heard of so recently may still be sending: its job's end is no proof."""
GONE_SECONDS = 60.0
"""How long an agent must be silent when the cluster does not know its job at all: a new head knows no old jobs, but the
agent's node needs a while to notice that, too."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What is known of an attempt.

    Attributes:
        job: as the cluster tells; None: it does not know it.
        node: name of the machine that fetched the order; None: nobody has.
        silent_seconds: since the agent was heard of.
        stop: what it was to be told last.
    """

    job: Job | None
    node: str | None
    silent_seconds: float
    stop: Mapping[str, Any] | None = None


def judge(seen: Seen, nodes: Sequence[Node]) -> tuple[Reason, str] | None:
    """Reason and sentence when the script cannot be running any more; None while it may."""
    job = seen.job
    if job is None:
        if seen.silent_seconds < GONE_SECONDS:
            return None
        return _stopped(seen) or ("lost", f"the cluster does not know the run's job any more{_last_seen(seen, None)}")
    if not job.is_over or seen.silent_seconds < SILENCE_SECONDS:
        return None
    if job.status == "STOPPED":
        return _stopped(seen) or ("lost", "the run's job was stopped from outside (`ray job stop`)")
    node = next((node for node in nodes if node.id == job.node_id), None)
    if node is not None and not node.is_alive:
        why = f" ({node.why})" if node.why else ""
        return _stopped(seen) or ("lost", f"the node {_name(seen, node)} died while the script was running{why}")
    return _stopped(seen) or (
        "lost",
        f"the run's job ended without telling how the script did{_last_seen(seen, node)}: {first_words(job.message)}",
    )


def first_words(message: str) -> str:
    r"""What a job's message comes to, for a sentence.

    >>> first_words("Job supervisor actor died: The actor died.\nMore of it")
    'Job supervisor actor died: The actor died'
    """
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return lines[0].rstrip(".:")[:300] if lines else "the cluster gives no reason"


def last_words(message: str) -> str:
    """The end of a job's message, where the agent's own words are."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return lines[-1].rstrip(".")[:500] if lines else "the cluster gives no reason"


def _stopped(seen: Seen) -> tuple[Reason, str] | None:
    """It was to end: then it ended as it was told, whoever did it."""
    if seen.stop is None:
        return None
    return seen.stop["reason"], seen.stop["reason_text"]


def _last_seen(seen: Seen, node: Node | None) -> str:
    return "" if seen.node is None else f"; it was on the node {_name(seen, node)}"


def _name(seen: Seen, node: Node | None) -> str:
    known = [word for word in (seen.node, node.ip if node is not None else None) if word]
    return f"{known[0]} ({known[1]})" if len(known) == 2 else "".join(known) or "it was on"
