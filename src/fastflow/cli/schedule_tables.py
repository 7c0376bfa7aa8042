"""How `fastflow schedules` shows schedules, due times and ledgers to people."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import typer

from fastflow.cli.output import local_time, print_fields, print_table, printable
from fastflow.cli.schedule_refs import read_instant
from fastflow.kit.ids import short_id
from fastflow.kit.quantities import seconds

_TRIGGERS = {"cron": "", "interval": "every ", "once": "once at "}
_SIMULATED = timedelta(days=7)


def print_schedules(jobs: Sequence[Mapping[str, Any]]) -> None:
    """One line for each schedule, and one below the table for each that cannot start runs."""
    print_table(
        jobs,
        [
            ("id", lambda one: short_id(one["id"])),
            ("schedule", lambda one: f"{one['pipeline_name']}/{one['name']}"),
            ("when", _when),
            ("zone", lambda one: one["timezone"]),
            ("next due", lambda one: one["next_due_at"] and _in_zone(one["next_due_at"], one["timezone"])),
            ("state", _state),
            ("last", lambda one: one["last"]["outcome"] if one["last"] else None),
            ("from", lambda one: one["origin"]),
        ],
        empty="No schedules: `fastflow schedules add PIPELINE --cron LINE` makes one.",
    )
    for one in jobs:
        if one["problem"]:
            typer.echo(printable(f"{one['pipeline_name']}/{one['name']}: {one['problem']}"), err=True)


def print_schedule(job: Mapping[str, Any], ahead: Sequence[Mapping[str, Any]]) -> None:
    """One schedule with its next due times."""
    last = job["last"]
    print_fields(
        {
            "id": job["id"],
            "schedule": f"{job['pipeline_name']}/{job['name']}",
            "when": _when(job),
            "zone": job["timezone"],
            "from": "the pipeline's settings" if job["origin"] == "code" else f"{job['created_by']}",
            "state": _state(job),
            "problem": job["problem"],
            "paused": [describe_pause(pause) for pause in job["pauses"]],
            "parameters": job["params"],
            "not before": job["start_at"] and local_time(job["start_at"]),
            "until": job["end_at"] and local_time(job["end_at"]),
            "jitter": f"up to {seconds(job['jitter'])}" if job["jitter"] else None,
            "overlap": job["overlap"],
            "missed": _missed(job),
            "priority": job["priority"] or None,
            "last": last and f"{local_time(last['due_at'])}: {last['outcome']}. {last['why']}",
            "last run": last and last["run_id"],
            "next due": [_due(one) for one in ahead] or "never again",
        }
    )


def print_due_times(items: Sequence[Mapping[str, Any]]) -> None:
    """Due times that lie ahead, on the clocks of the schedule's zone; the starts only where jitter puts one off."""
    starts = ("starts", lambda one: one["fire_at"])
    is_put_off = any(one["fire_at"] != one["due_at"] for one in items)
    print_table(
        items,
        [
            ("due", lambda one: one["local"]),
            *([starts] if is_put_off else []),
            ("note", lambda one: one["note"] or ""),
        ],
        empty="It is never due again.",
    )


def print_ledger(items: Sequence[Mapping[str, Any]], zone: str) -> None:
    """Rows of a ledger, on the clocks of the schedule's zone."""
    print_table(
        items,
        [
            ("due", lambda one: _in_zone(one["due_at"], zone)),
            ("outcome", lambda one: one["outcome"]),
            ("run", lambda one: short_id(one["run_id"]) if one["run_id"] else None),
            ("why", lambda one: one["why"]),
        ],
        empty="No due time has come yet.",
    )


def print_simulation(found: Mapping[str, Any]) -> None:
    """Due times in order, then on stderr what changes of the clocks do that no due time tells already."""
    print_table(
        found["items"],
        [
            ("due", lambda one: one["local"]),
            ("schedule", lambda one: f"{one['pipeline_name']}/{one['name']}" if one["job_id"] else "(not made)"),
            ("starts", lambda one: f"no: {one['paused']}" if one["paused"] else "yes"),
            ("note", lambda one: one["note"] or ""),
        ],
        empty="Nothing would be due.",
    )
    told = {one["note"] for one in found["items"]}
    for change in found["clock_changes"]:
        if change["text"] in told:
            continue
        typer.echo(printable(change["text"]), err=True)
    if found["truncated"]:
        typer.echo("There are more: raise --limit, or bring --to nearer.", err=True)


def span(since: str | None, until: str | None) -> tuple[str, str]:
    """The time to simulate: from now, seven days long, unless something else is said."""
    start = read_instant(since, "--from") or datetime.now(UTC).isoformat(timespec="seconds")
    end = read_instant(until, "--to") or (datetime.fromisoformat(start) + _SIMULATED).isoformat()
    return start, end


def describe_pause(pause: Mapping[str, Any]) -> str:
    """Who paused what since when."""
    what = {"schedule": "it", "pipeline": f"pipeline {pause['subject']}", "system": "the whole system"}[pause["scope"]]
    reason = f" ({pause['reason']})" if pause["reason"] else ""
    return f"{what} was paused by {pause['by']} at {local_time(pause['since'])}{reason}"


def _when(job: Mapping[str, Any]) -> str:
    return f"{_TRIGGERS[job['trigger']]}{job['expression']}"


def _state(job: Mapping[str, Any]) -> str:
    if job["pauses"]:
        return "paused"
    if job["problem"]:
        return "troubled"
    return "on" if job["next_due_at"] else "over"


def _missed(job: Mapping[str, Any]) -> str:
    if job["missed"] == "none":
        return "none"
    window = job["catch_up_window"]
    return f"{job['missed']}, whatever its age" if window is None else f"{job['missed']}, within {seconds(window)}"


def _due(one: Mapping[str, Any]) -> str:
    return f"{one['local']} ({one['note']})" if one["note"] else str(one["local"])


def _in_zone(text: str, zone: str) -> str:
    return datetime.fromisoformat(text).astimezone(ZoneInfo(zone)).isoformat(timespec="seconds")
