"""What a run that no node has taken yet waits for, in words."""

from collections.abc import Sequence

from fastflow.kernel.executors.port import Limits
from fastflow.kernel.executors.ray.cluster import Node
from fastflow.kit.words import counted


def waiting_words(limits: Limits, default_cpus: float, nodes: Sequence[Node], away_because: str | None = None) -> str:
    """What it asks for, what there is, and what has to happen.

    Args:
        limits: of the run.
        default_cpus: what is asked for when the run has no limit of its own.
        nodes: as last seen.
        away_because: why the cluster does not answer at present; None: it does.

    >>> waiting_words(Limits(cpus=8), 1, [Node(id="a", ip="10.0.0.1", is_alive=True, is_head=True, cpus=2, memory_bytes=8e9)])
    'the cluster has not begun it yet: it asks for 8 CPU; there is 1 node with 2 CPU, and it is not large enough, so one that is has to join'
    """
    cpus, memory = limits.cpus or default_cpus, limits.memory_bytes
    asked = f"{cpus:g} CPU"
    if memory is not None:
        asked += f" and {memory / 2**30:.2g} GB of memory"
    begun = f"the cluster has not begun it yet: it asks for {asked}"
    if away_because is not None:
        return f"{begun}; the cluster has to answer again ({away_because})"
    alive = [node for node in nodes if node.is_alive]
    if not alive:
        return f"{begun}; there is no node, so one that is large enough has to join"
    are = "is" if len(alive) == 1 else "are"
    there = f"there {are} {counted(len(alive), 'node')} with {sum(node.cpus for node in alive):g} CPU"
    if memory is not None:
        there += f" and {sum(node.memory_bytes for node in alive) / 2**30:.2g} GB"
    if any(node.cpus >= cpus and node.memory_bytes >= (memory or 0) for node in alive):
        how = f"{'it' if len(alive) == 1 else 'one of them'} has to have that much free"
    else:
        which = "it is not" if len(alive) == 1 else "none of them is"
        how = f"{which} large enough, so one that is has to join"
    return f"{begun}; {there}, and {how}"
