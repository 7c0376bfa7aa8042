"""The checks of `fastflow doctor` when FASTFLOW_URL is set: what the server there says of itself."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from fastflow.cli.channel_check import ask_channels
from fastflow.cli.client import Api
from fastflow.cli.findings import judge_pipelines, judge_shipped
from fastflow.cli.orphan_check import count_there, judge_orphans
from fastflow.cli.schedule_check import judge_status
from fastflow.findings import Finding, judge_part


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
        found += [_check_schedules(api, part)] if name == "scheduler" and part["ok"] else judge_part(name, part)
    found += _check_pipelines(api, where)
    found.append(ask_channels(api))
    return found


def _check_schedules(api: Api, part: Mapping[str, Any]) -> Finding:
    """One finding on schedules: their state where the scheduler works. A server that tells of none is not asked."""
    finding = judge_status(api.get("/scheduler"))
    is_paused = part.get("paused") and "paused" not in finding.text
    return replace(finding, text=f"{finding.text}; all are paused") if is_paused else finding


def _check_pipelines(api: Api, where: str) -> Sequence[Finding]:
    found = api.get("/pipelines")["items"]
    faults = [fault for one in found for fault in one["faults"]]
    orphans = judge_orphans(count_there(api), {one["name"] for one in found})
    judged = [judge_pipelines(where, [fault["pipeline"] for fault in faults if fault["severity"] == "error"])]
    shipped = [one["name"] for one in found if one.get("workbench") is not None]
    covered = [one["name"] for one in found if one.get("covers") is not None]
    judged.append(judge_shipped(sorted({*shipped, *covered}), covered))
    judged += orphans
    failed = [one["name"] for one in found if (one.get("environment") or {}).get("state") == "failed"]
    if not failed:
        return judged
    named = ", ".join(failed[:5]) + (f" and {len(failed) - 5} more" if len(failed) > 5 else "")
    remedy = "`fastflow pipelines show NAME` gives uv's own words: correct the requirements, or the Python they name."
    return [*judged, Finding(name="environments", level="warning", text=f"cannot be built for: {named}", remedy=remedy)]
