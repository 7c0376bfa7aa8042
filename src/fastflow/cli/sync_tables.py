"""How syncs, their plans and repositories look on the command line."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import typer

from fastflow.cli.hints import for_command_line
from fastflow.cli.output import local_time, print_fields, print_table, printable

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
_COLOURS = {"added": typer.colors.GREEN, "removed": typer.colors.RED, "changed": typer.colors.YELLOW}
_COMMIT = 12
_SHOWN = 10
_OUTCOME = 80


def is_well(sync: Mapping[str, Any]) -> bool:
    """Whether nothing keeps people from what they wanted."""
    if sync["state"] == "planned":
        return not sync["plan"]["blockers"]
    return sync["state"] in ("activated", "unchanged")


def print_outcome(sync: Mapping[str, Any]) -> None:
    """What came of a sync, with its plan."""
    commit = f" {sync['commit'][:_COMMIT]}" if sync["commit"] else ""
    about = f" ({sync['subject']}, {sync['author']})" if sync["subject"] else ""
    typer.echo(printable(f"{sync['repository']}{commit}{about}: {sync['state']}. {_outcome(sync)}".rstrip()))
    if sync["plan"] is not None and sync["state"] != "unchanged":
        for line in _plan_lines(sync["plan"]):
            typer.echo(line)


def _outcome(sync: Mapping[str, Any]) -> str:
    """The outcome in words; without what the plan's blockers tell below."""
    blockers = sync["plan"]["blockers"] if sync["plan"] else []
    if sync["state"] == "refused" and blockers:
        speaks = "1 thing speaks" if len(blockers) == 1 else f"{len(blockers)} things speak"
        return f"{speaks} against it: mend what blocks, or `fastflow sync run --force`."
    return for_command_line(sync["why"])


def _plan_lines(plan: Mapping[str, Any]) -> Iterator[str]:
    for one in plan["pipelines"]:
        sign = typer.style(f"{_SIGNS[one['change']]} {printable(one['name'])}", fg=_COLOURS[one["change"]])
        yield f"  {sign}"
        yield from (f"      {printable(line)}" for line in _pipeline_lines(one))
    for one in plan["schedules"]:
        told = " -> ".join(part for part in (one["before"], one["after"]) if part)
        yield f"  {_SIGNS[one['change']]} schedule {printable(one['pipeline'])}/{printable(one['name'])}: {printable(told)}"
    if plan["unchanged"]:
        yield f"  = {plan['unchanged']} unchanged"
    for warning in plan["warnings"]:
        yield f"  {typer.style('warning:', fg=typer.colors.YELLOW)} {printable(warning)}"
    for blocker in plan["blockers"]:
        place = ":".join(str(part) for part in (blocker["file"], blocker["line"]) if part is not None)
        where = f"{place}: " if place else ""
        mark = typer.style("blocker:", fg=typer.colors.RED)
        yield f"  {mark} {printable(where + blocker['message'])} ({printable(for_command_line(blocker['hint']))})"


_ENVIRONMENT_STATES = {"elsewhere": "made where it runs, by its first run (not on the server)"}


def _pipeline_lines(one: Mapping[str, Any]) -> Iterator[str]:
    if one["change"] != "added" and one["files"]:
        more = f" and {one['more_files']} more" if one["more_files"] else ""
        yield "files: " + ", ".join(f"{_SIGNS[change]}{path}" for path, change in one["files"].items()) + more
    for line in one["requirements_removed"]:
        yield f"requirement - {line}"
    for line in one["requirements_added"]:
        yield f"requirement + {line}"
    for setting in one["settings"]:
        before = "" if one["change"] == "added" else f"{_value(setting['before'])} -> "
        yield f"{setting['setting']}: {before}{_value(setting['after'])}"
    environment = one["environment"]
    if environment is not None:
        if environment["state"] != "locked":
            yield f"environment: {_ENVIRONMENT_STATES.get(environment['state'], environment['state'])}"
        if environment["before"]:
            for package in environment["packages"]:
                yield f"package {package['package']}: {package['before'] or 'none'} -> {package['after'] or 'none'}"
        elif environment["packages"]:
            named = [f"{package['package']} {package['after']}" for package in environment["packages"]]
            more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
            yield f"packages: {', '.join(named[:_SHOWN])}{more}"
    yield from _use_lines(one)


def _use_lines(one: Mapping[str, Any]) -> Iterator[str]:
    """What uses a pipeline that goes."""
    if one["active_runs"]:
        yield f"runs that wait or run: {', '.join(one['active_runs'])}"
    if one["schedules_left"]:
        yield f"schedules made by people: {', '.join(one['schedules_left'])}"
    if one.get("followers_left"):
        yield f"to run after it: {', '.join(one['followers_left'])}"


def _value(value: Any) -> str:
    """A setting's value in one line."""
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    told = json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)
    return told if len(told) <= _OUTCOME else f"{told[:_OUTCOME]}…"


def print_status(items: Sequence[Mapping[str, Any]]) -> None:
    """Each repository with what is active, what its host has, and what is under way."""
    if not items:
        typer.echo("No repositories: `fastflow sync add NAME URL` adds one.", err=True)
    for number, one in enumerate(items):
        if number:
            typer.echo("")
        active, sync = one["active"], one["sync"]
        print_fields(
            {
                "repository": one["name"],
                "follows": f"{one['branch']} of {one['url']}",
                "active": f"{active['commit'][:_COMMIT]} since {local_time(active['activated_at'])} by {active['activated_by']}"
                if active
                else "nothing",
                "at its host": f"{one['remote_commit'][:_COMMIT]}, looked at {local_time(one['checked_at'])}"
                if one["remote_commit"]
                else None,
                "held": f"{one['held_commit'][:_COMMIT]} was rolled back from" if one["held_commit"] else None,
                "problem": one["problem"],
                "next look": local_time(one["next_sync_at"]) if one["next_sync_at"] else "when asked",
                "last sync": f"{sync['state']}: {for_command_line(sync['why'])}".removesuffix(": ") if sync else None,
            }
        )
        for event in one["progress"]:
            told = event["data"]
            typer.echo(printable(f"  {told.get('text') or ': '.join(str(value) for value in told.values())}"))


def print_history(items: Sequence[Mapping[str, Any]]) -> None:
    """Syncs as a table."""
    print_table(
        items,
        [
            ("when", lambda one: local_time(one["requested_at"])),
            ("repository", lambda one: one["repository"]),
            ("what", lambda one: one["action"]),
            ("state", lambda one: one["state"]),
            ("commit", lambda one: (one["commit"] or "-")[:_COMMIT]),
            ("by", lambda one: one["requested_by"]),
            ("reason", lambda one: one["reason"]),
            ("outcome", lambda one: _short(for_command_line(one["why"]))),
            ("id", lambda one: one["id"]),
        ],
        empty="No syncs yet.",
    )


def _short(text: str) -> str:
    return text if len(text) <= _OUTCOME else f"{text[:_OUTCOME]}…"


def print_repositories(items: Sequence[Mapping[str, Any]]) -> None:
    """Repositories as a table."""
    print_table(
        items,
        [
            ("name", lambda one: one["name"]),
            ("url", lambda one: one["url"]),
            ("branch", lambda one: one["branch"]),
            ("subfolder", lambda one: one["subfolder"]),
            ("prefix", lambda one: one["prefix"]),
            ("auth", lambda one: one["auth"]),
            ("interval", lambda one: one["interval"]),
            ("from", lambda one: one["origin"]),
        ],
        empty="No repositories: `fastflow sync add NAME URL` adds one.",
    )
