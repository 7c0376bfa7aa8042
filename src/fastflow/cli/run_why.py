"""`fastflow runs why`: what changed since the last good run, and what is unusual."""

from collections.abc import Mapping
from typing import Any

import typer

from fastflow.cli.output import local_time, print_table, printable, shown
from fastflow.cli.run_diff import changed_lines
from fastflow.kit.words import counted


def print_why(why: Mapping[str, Any]) -> None:
    """The answer: first in words, then what it stands on."""
    typer.echo(printable(why["text"]))
    if why["failure_title"]:
        since = local_time(why["group_first_seen_at"])
        runs = counted(why["group_runs"], "run")
        typer.echo(printable(f"failure {why['failure']}: {why['failure_title']} ({runs} since {since})"))
    if why["last_good_id"]:
        typer.echo(f"{counted(why['failed_since'], 'failure')} of the pipeline since the last good run")
    for commit in why["commits"] or ():
        typer.echo(
            printable(f"commit {commit['id'][:12]} {local_time(commit['at'])} {commit['author']}: {commit['subject']}")
        )
    if why["changes"]:
        print_table(
            why["changes"],
            [
                ("changed", lambda change: change["kind"]),
                ("what", lambda change: change["what"]),
                ("before", lambda change: _value(change["before"])),
                ("now", lambda change: _value(change["after"])),
            ],
            empty="",
        )
    for line in changed_lines(why["files"] or ()):
        typer.echo(printable(line))
    unusual = [each for each in why["measures"] if each["verdict"] in ("high", "low")]
    if unusual:
        print_table(
            unusual,
            [
                ("unusual", lambda each: each["name"]),
                ("value", lambda each: f"{each['value']:.6g}"),
                ("median", lambda each: f"{each['median']:.6g} of {counted(each['runs'], 'good run')}"),
                ("verdict", lambda each: each["verdict"]),
            ],
            empty="",
        )


def _value(value: Any) -> str:
    text = "absent" if value is None else value if isinstance(value, str) else shown(value)
    return text if len(text) <= 60 else text[:59] + "…"
