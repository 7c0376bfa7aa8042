"""What `fastflow doctor` and the doctor's page say of a server's parts: the same words in both."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from fastflow.kit.quantities import seconds, size
from fastflow.kit.words import counted
from fastflow.settings import LOCAL_WORKER_IMAGE

Level = Literal["ok", "note", "warning", "fault"]
"""Works; works, and is worth knowing; works with less; does not work."""

NO_IMAGE = (
    "It is pulled at the first run. Without a registry: `make worker-image`, then "
    f"WORKER_BASE_IMAGE={LOCAL_WORKER_IMAGE}."
)
_OWN = {"mount": "files", "pid": "processes", "ipc": "shared memory", "network": "network"}
"""Kind of namespace -> what of it a run has for itself."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check found.

    Attributes:
        level: how well it works; a fault makes the command fail.
        text: what was found.
        remedy: what to do; empty when nothing needs to be done.
    """

    name: str
    level: Level
    text: str
    remedy: str = ""

    def as_json(self) -> dict[str, Any]:
        """As `--json` shows it."""
        return {**asdict(self), "ok": self.level in ("ok", "note")}


def judge_part(name: str, part: Mapping[str, Any]) -> Sequence[Finding]:
    """One part of a server, as `/health` tells it, in words; of a runner also what holds for its processes."""
    if "problem" in part:
        return [Finding(name=name, level="fault", text=part["problem"], remedy=part.get("hint", ""))]
    if name == "engine" and part.get("image_here") is False:
        text = f"version {part.get('version')}, without the image {part.get('image')}"
        return [Finding(name=name, level="warning", text=text, remedy=NO_IMAGE)]
    text, remedy = _READERS.get(name, _read_other)(part)
    ok = part["ok"]
    found = [Finding(name=name, level="ok" if ok else "fault", text=text, remedy="" if ok else remedy)]
    for kind, told in part.get("executors", {}).items():
        if kind == "process":
            found += judge_executor(told)
        elif kind == "docker":
            found.append(_judge_containers(told))
    return found


def judge_executor(told: Mapping[str, Any]) -> Sequence[Finding]:
    """What an executor of kind process says of itself: isolation and limits."""
    return [_judge_isolation(told), _judge_limits(told)]


def _judge_containers(told: Mapping[str, Any]) -> Finding:
    if not told.get("reachable"):
        why = str(told.get("why") or "no reason is known").rstrip(".")
        return Finding(name="containers", level="note", text=f"the container engine is not reached: {why}")
    text = f"runs act as user {told.get('run_user')}, each in a container of its own; its limits are enforced by the engine"
    return Finding(name="containers", level="ok", text=text)


def _judge_isolation(told: Mapping[str, Any]) -> Finding:
    namespaces: Sequence[str] = told.get("namespaces", ())
    missing = [name for name in _OWN if name not in namespaces]
    own = [what for name, what in _OWN.items() if name in namespaces]
    text = f"runs act as user {told.get('run_user')}"
    if own:
        text += f", each with {_listed(own)} of its own"
    text += f" (namespaces: {', '.join(namespaces) or 'none'}{'; Landlock' if told.get('landlock') else ''})"
    if not missing:
        return Finding(name="isolation", level="ok", text=text)
    why = told.get("missing", {})
    reasons = [f"{name}: {why[name]}" for name in missing if name in why]
    return Finding(
        name="isolation",
        level="warning",
        text=f"{text}; missing: {', '.join(missing)}",
        remedy="; ".join(reasons)
        or "Allow user namespaces (sysctl kernel.unprivileged_userns_clone=1) or run the server as root.",
    )


def _judge_limits(told: Mapping[str, Any]) -> Finding:
    limits = {name: str(told.get(f"{name}_limit")) for name in ("memory", "pids", "cpu")}
    held = ", ".join(f"{name} by {by}" for name, by in limits.items() if by != "none")
    loose = ", ".join(name for name, by in limits.items() if by == "none")
    text = "; ".join(
        part for part in (held and f"enforced on runs: {held}", loose and f"not enforced: {loose}") if part
    )
    if all(by == "cgroup" for by in limits.values()):
        return Finding(name="limits", level="ok", text=text)
    why = told.get("cgroup_why") or "not all controllers are delegated"
    return Finding(name="limits", level="warning", text=text, remedy=f"Control groups: {why}.")


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _read_database(part: Mapping[str, Any]) -> tuple[str, str]:
    kind = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}.get(str(part.get("kind")), _said(part.get("kind")))
    return f"{kind}, schema {part.get('schema')}", "The schema is not that of this release: start the server anew."


def _read_disk(part: Mapping[str, Any]) -> tuple[str, str]:
    free = ", ".join(f"{name} has {size(count)} free" for name, count in part.get("free_bytes", {}).items())
    return free, "Free some space: environments, logs and the database grow there."


def _read_runner(part: Mapping[str, Any]) -> tuple[str, str]:
    told = part.get("executors", {})
    away = [kind for kind, each in told.items() if each.get("reachable") is False]
    executors = ", ".join(kind for kind in told if kind not in away) or "none"
    told_why = [f"{kind} ({str(told[kind].get('why') or 'no reason is known').rstrip('.')})" for kind in away]
    executors += f"; not reached: {', '.join(told_why)}" if away else ""
    return (
        f"last heard of {seconds(part.get('silent_seconds'))} ago; executors: {executors}",
        "Runs stay in the queue until it is back; the server's output says why it is away.",
    )


def _read_clock(part: Mapping[str, Any]) -> tuple[str, str]:
    if not part.get("is_compared"):
        return "not compared with others: the database does not answer", ""
    skew = part.get("database_skew_seconds")
    database = "" if skew is None else f", {abs(skew):g} s from the database's"
    return f"agrees with those of the runners{database}", ""


def _read_scheduler(part: Mapping[str, Any]) -> tuple[str, str]:
    text = counted(part.get("schedules", 0), "schedule")
    if part.get("next_fire_at"):
        text += f", next due {datetime.fromisoformat(part['next_fire_at']).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f"{text}; all are paused" if part.get("paused") else text, str(part.get("hint", ""))


def _read_engine(part: Mapping[str, Any]) -> tuple[str, str]:
    image = f", runs start from the image {part['image']}" if part.get("image") else ""
    return f"version {_said(part.get('version'))}{image}", str(part.get("hint", ""))


def _read_cluster(part: Mapping[str, Any]) -> tuple[str, str]:
    nodes: Sequence[Mapping[str, Any]] = part.get("nodes") or ()
    room = ""
    if nodes:
        cpus, memory = sum(node["cpus"] for node in nodes), sum(node["memory_bytes"] for node in nodes)
        room = f" with {cpus:g} CPU and {size(int(memory))} of memory"
    text = f"Ray {_said(part.get('version'))} at {_said(part.get('address'))}, {counted(len(nodes), 'node')}{room}"
    return text, str(part.get("hint", ""))


def _read_other(part: Mapping[str, Any]) -> tuple[str, str]:
    facts = [f"{name} {_said(value)}" for name, value in part.items() if name not in ("ok", "hint")]
    return ", ".join(facts) or "works", str(part.get("hint", ""))


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)


_READERS = {
    "clock": _read_clock,
    "cluster": _read_cluster,
    "database": _read_database,
    "disk": _read_disk,
    "engine": _read_engine,
    "runner": _read_runner,
    "scheduler": _read_scheduler,
}
