"""What `fastflow doctor` says of the Ray cluster."""

from fastflow.findings import Finding
from fastflow.kit.quantities import size
from fastflow.kit.words import counted
from fastflow.settings import Settings
from fastflow.terms import ray_settings

_NAME = "cluster"


def check_cluster(settings: Settings) -> list[Finding]:
    """The cluster, where one is named or runs go to one: its nodes and what they have."""
    is_needed = settings.executor == "ray"
    if not is_needed and settings.ray_address is None:
        return []
    from fastflow.kernel.executors.ray.examining import examine  # loads the cluster's part

    found = examine(ray_settings(settings), settings.data_dir)
    if found.why is not None:
        return [
            Finding(
                name=_NAME,
                level="fault" if is_needed else "warning",
                text=found.why,
                remedy="Start the cluster (`ray start --head`), correct RAY_ADDRESS or RAY_AUTH_TOKEN, or set "
                "EXECUTOR=process.",
            )
        ]
    if found.address is None:
        return [Finding(name=_NAME, level="note", text="none yet; `fastflow serve` starts one on this machine")]
    cpus, memory = sum(node.cpus for node in found.nodes), sum(node.memory_bytes for node in found.nodes)
    text = (
        f"Ray {found.version} at {found.address}, {counted(len(found.nodes), 'node')} with {cpus:g} CPU and "
        f"{size(int(memory))} of memory"
    )
    if found.is_server_unreachable:
        return [
            Finding(
                name=_NAME,
                level="fault" if is_needed else "warning",
                text=f"{text}; its nodes cannot reach this server at {settings.server_url}",
                remedy="Set HOST to an address that they reach, and SERVER_URL to its URL.",
            )
        ]
    return [Finding(name=_NAME, level="ok", text=text)]
