"""Whether the cluster serves, for `fastflow doctor`: asks, and changes nothing."""

import asyncio
import importlib.util
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from fastflow.kernel.executors.ray.cluster import Cluster, ClusterError, Node
from fastflow.kernel.executors.ray.local import LocalCluster
from fastflow.kernel.executors.registry import RaySettings


@dataclass(frozen=True, kw_only=True)
class ClusterReport:
    """What was found.

    Attributes:
        address: of the dashboard; None: there is no cluster, but one can be started.
        version: of Ray; None when it cannot be asked.
        nodes: those that live.
        why: why no run could start there; None when it could.
        is_server_unreachable: nodes on other machines could not reach the server at its address.
    """

    address: str | None = None
    version: str | None = None
    nodes: Sequence[Node] = ()
    why: str | None = None
    is_server_unreachable: bool = False


def examine(settings: RaySettings, data_dir: Path) -> ClusterReport:
    """Ask the cluster of the settings, or the one that was started for the data folder."""
    if settings.address is not None:
        return asyncio.run(_ask(settings.address, settings.token, settings.server_url))
    running = LocalCluster(data_dir / "ray" / "cluster").find()
    if running is not None:
        return asyncio.run(_ask(running.address, running.token, settings.server_url))
    if importlib.util.find_spec("ray") is None:
        return ClusterReport(why="RAY_ADDRESS is not set, and Ray is not installed here to start a cluster of its own")
    return ClusterReport()


async def _ask(address: str, token: str | None, server_url: str | None) -> ClusterReport:
    cluster = Cluster(address, token)
    try:
        version = await cluster.version()
        nodes = [node for node in await cluster.nodes() if node.is_alive]
    except ClusterError as error:
        return ClusterReport(address=address, why=str(error).rstrip("."))
    finally:
        await cluster.close()
    is_far = server_url is not None and is_loopback(server_url) and any(not _is_here(node.ip) for node in nodes)
    return ClusterReport(address=address, version=version, nodes=nodes, is_server_unreachable=is_far)


def is_loopback(url: str) -> bool:
    """Whether the address of a server means the asking machine itself, whichever that is.

    >>> is_loopback("http://127.0.0.1:8000"), is_loopback("http://localhost"), is_loopback("http://head:8000")
    (True, True, False)
    """
    host = urlsplit(url).hostname or ""
    return host == "localhost" or _is_here(host)


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
