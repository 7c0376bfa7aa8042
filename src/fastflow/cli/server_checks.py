"""The checks of `fastflow doctor` when FASTFLOW_URL is set: what the server there says of itself."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from fastflow.cli.channel_check import ask_channels
from fastflow.cli.client import Api
from fastflow.cli.engine_check import NO_IMAGE
from fastflow.cli.findings import Finding, judge_executor, judge_pipelines
from fastflow.cli.output import local_time, seconds, shown, size
from fastflow.cli.schedule_check import judge_status


def check_server(api: Api) -> list[Finding]:
    """The server as it sees itself."""
    health = api.get("/health")
    where = api.server or "this machine"
    if "parts" not in health:
        return [
            Finding(
                name="token",
                level="fault",
                text=f"{where} answers ({health['status']}) but does not know us",
                remedy="Set FASTFLOW_TOKEN to a token from `fastflow tokens create` on the server's machine.",
            )
        ]
    found = [Finding(name="server", level="ok", text=f"{where}, version {health['version']}, {health['status']}")]
    for name, part in health["parts"].items():
        found += [_check_schedules(api, part)] if name == "scheduler" and part["ok"] else _judge(name, part)
    found += _check_pipelines(api, where)
    found.append(ask_channels(api))
    return found


def _check_schedules(api: Api, part: Mapping[str, Any]) -> Finding:
    """One finding on schedules: their state where the scheduler works. A server that tells of none is not asked."""
    finding = judge_status(api.get("/scheduler"))
    is_paused = part.get("paused") and "paused" not in finding.text
    return replace(finding, text=f"{finding.text}; all are paused") if is_paused else finding


def _judge(name: str, part: Mapping[str, Any]) -> Sequence[Finding]:
    """One part of the server, in words."""
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
    return found


def _read_database(part: Mapping[str, Any]) -> tuple[str, str]:
    kind = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}.get(str(part.get("kind")), shown(part.get("kind")))
    return f"{kind}, schema {part.get('schema')}", "The schema is not that of this release: start the server anew."


def _read_disk(part: Mapping[str, Any]) -> tuple[str, str]:
    free = ", ".join(f"{name} has {size(count)} free" for name, count in part.get("free_bytes", {}).items())
    return free, "Free some space: environments, logs and the database grow there."


def _read_runner(part: Mapping[str, Any]) -> tuple[str, str]:
    told = part.get("executors", {})
    away = [kind for kind, each in told.items() if each.get("reachable") is False]
    executors = ", ".join(kind for kind in told if kind not in away) or "none"
    executors += f"; not reached: {', '.join(away)}" if away else ""
    text = f"last heard of {seconds(part.get('silent_seconds'))} ago ({local_time(part.get('last_seen_at'))})"
    return (
        f"{text}; executors: {executors}",
        "Runs stay in the queue until it is back; the server's output says why it is away.",
    )


def _read_clock(part: Mapping[str, Any]) -> tuple[str, str]:
    if not part.get("is_compared"):
        return "not compared with others: the database does not answer", ""
    skew = part.get("database_skew_seconds")
    database = "" if skew is None else f", {abs(skew):g} s from the database's"
    return f"agrees with those of the runners{database}", ""


def _read_other(part: Mapping[str, Any]) -> tuple[str, str]:
    facts = {name: value for name, value in part.items() if name not in ("ok", "hint")}
    return ", ".join(f"{name} {shown(value)}" for name, value in facts.items()) or "works", str(part.get("hint", ""))


_READERS = {"database": _read_database, "disk": _read_disk, "runner": _read_runner, "clock": _read_clock}


def _check_pipelines(api: Api, where: str) -> Sequence[Finding]:
    found = api.get("/pipelines")["items"]
    faults = [fault for one in found for fault in one["faults"]]
    judged = judge_pipelines(where, [fault["pipeline"] for fault in faults if fault["severity"] == "error"])
    failed = [one["name"] for one in found if (one.get("environment") or {}).get("state") == "failed"]
    if not failed:
        return [judged]
    named = ", ".join(failed[:5]) + (f" and {len(failed) - 5} more" if len(failed) > 5 else "")
    remedy = "`fastflow pipelines show NAME` gives uv's own words: correct the requirements, or the Python they name."
    return [judged, Finding(name="environments", level="warning", text=f"cannot be built for: {named}", remedy=remedy)]
