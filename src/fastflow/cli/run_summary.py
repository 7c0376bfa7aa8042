"""`fastflow runs show`: one run, readable; drawn with Rich on a terminal, plain lines elsewhere."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from fastflow.cli.output import (
    STATUS_STYLES,
    duration,
    local_time,
    print_fields,
    printable,
    shown,
)
from fastflow.kit.quantities import seconds, size

Section = tuple[str, Mapping[str, object]]


def print_run(run: Mapping[str, Any], artifacts: Sequence[Mapping[str, Any]]) -> None:
    """The run and what it left."""
    sections = [
        (title, {name: value for name, value in fields.items() if value not in (None, "", [], {})})
        for title, fields in _sections(run, artifacts)
    ]
    if sys.stdout.isatty():
        _draw(run, sections)
    else:
        print_fields({name: value for _, fields in sections for name, value in fields.items()})


def _sections(run: Mapping[str, Any], artifacts: Sequence[Mapping[str, Any]]) -> Sequence[Section]:
    capsule: Mapping[str, Any] = run["capsule"]
    return [
        (
            "",
            {
                "id": run["id"],
                "pipeline": run["pipeline_name"],
                "status": run["status"],
                "reason": f"{run['reason']}: {run['reason_text']}" if run["reason"] else run["reason_text"],
                "exit code": run["exit_code"],
                "parameters": _pairs(run["params"]),
                "submitted": f"{local_time(run['queued_at'])} by {run['submitted_by']} ({run['trigger']})",
                "priority": run["priority"] if run["priority"] or run["status"] == "PENDING" else None,
                "concurrency key": run["concurrency_key"],
                "re-run of": run["rerun_of"],
                "attempt": f"{run['attempt']}, after run {run['retry_of']}" if run["retry_of"] else None,
                "tried again by": run["retried_by"],
                "waits until": local_time(run["not_before"]) if run["not_before"] else None,
                "due": _due(capsule.get("schedule")),
            },
        ),
        (
            "Time",
            {
                "started": local_time(run["started_at"]) if run["started_at"] else None,
                "ended": local_time(run["finished_at"]) if run["finished_at"] else None,
                "took": duration(run["started_at"], run["finished_at"]) if run["started_at"] else None,
                "setup took": seconds(run["setup_duration"]) if run["setup_duration"] is not None else None,
                "CPU time": seconds(run["cpu_seconds"]) if run["cpu_seconds"] is not None else None,
                "memory, peak": size(run["peak_memory_bytes"]) if run["peak_memory_bytes"] else None,
            },
        ),
        (
            "Told and left",
            {
                "progress": _progress(run["progress"]),
                "metrics": _pairs(run["metrics"]),
                "outputs": _pairs(run["outputs"]),
                "artifacts": [f"{item['path']} ({size(item['size_bytes'])})" for item in artifacts],
                "log": "removed by retention" if run["log_deleted_at"] else run["log_file"],
            },
        ),
        (
            "Made of",
            {
                "code": _code(run, capsule),
                "environment": f"{run['environment'][:12]} ({run['interpreter']})" if run["environment"] else None,
                "secrets": [f"{key} (version {version})" for key, version in capsule.get("secrets", {}).items()],
                "limits": _limits(capsule),
                "isolation": _isolation(run["isolation"]),
            },
        ),
    ]


def _due(schedule: Mapping[str, str] | None) -> str:
    """The due time that the run stands for."""
    return f"{schedule['local']} (schedule {schedule['name']})" if schedule else ""


def _pairs(values: Mapping[str, Any] | None) -> str:
    """`NAME=value` each; text as it is, everything else as JSON."""
    return ", ".join(
        f"{name}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in (values or {}).items()
    )


def _progress(told: Mapping[str, Any] | None) -> str:
    if not told:
        return ""
    share = told.get("progress")
    words = [f"{share:.0%}" if isinstance(share, int | float) else "", str(told.get("step") or "")]
    return " ".join(word for word in words if word) or shown(told)


def _code(run: Mapping[str, Any], capsule: Mapping[str, Any]) -> str:
    text = f"{capsule['script']}, snapshot {capsule['tree_hash'][:12]}"
    if run["commit"]:
        text += f", commit {run['commit'][:12]}" + (" with changes of its own" if capsule.get("dirty") else "")
    return text


def _limits(capsule: Mapping[str, Any]) -> str:
    limits, timeouts = capsule.get("limits", {}), capsule.get("timeouts", {})
    told = [
        f"{size(limits['memory_bytes'])} memory" if limits.get("memory_bytes") else "",
        f"{limits['cpus']:g} CPUs" if limits.get("cpus") else "",
        f"{limits['pids']} processes" if limits.get("pids") else "",
        f"files of {size(limits['file_size_bytes'])}" if limits.get("file_size_bytes") else "",
        *(f"{name} timeout {seconds(value)}" for name, value in timeouts.items() if value),
    ]
    return ", ".join(part for part in told if part)


def _isolation(told: Mapping[str, Any] | None) -> str:
    """What was in force, in words: `user 64900; own mount, pid, ipc; with network; cgroup; cold start`."""
    if not told:
        return ""
    known = dict(told)
    parts = []
    if "user" in known:
        parts.append(f"user {known.pop('user')}")
    own = [name for name in known.pop("namespaces", None) or () if name != "user"]
    if own:
        parts.append(f"namespaces of its own: {', '.join(own)}")
    if "network" in known:
        parts.append("with network" if known.pop("network") else "without network")
    if known.pop("cgroup", None):
        parts.append("limits by cgroup")
    if "start" in known:
        parts.append(f"{known.pop('start')} start")
    parts += [f"{name}: {shown(value)}" for name, value in known.items()]
    return "; ".join(parts)


def _draw(run: Mapping[str, Any], sections: Sequence[Section]) -> None:
    from rich.console import Console  # only a terminal needs it
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for title, fields in sections:
        if title and fields:
            table.add_row()
            table.add_row(Text(title, style="bold not dim"))
        for name, value in fields.items():
            style = STATUS_STYLES.get(str(run["status"]), "") if name in ("status", "reason") else ""
            table.add_row(name, Text(printable(shown(value)), style=style))
    Console().print(table)
