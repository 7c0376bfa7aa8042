"""Showing a log: as it is, or followed to its end."""

import sys

import typer

from fastflow.cli.client import Api, part
from fastflow.cli.following import ByteSink, LogFollower


def print_log(api: Api, run_id: str, *, tail: int | None, grep: str | None, times: bool) -> None:
    """What there is of the log, as text."""

    async def copy() -> None:
        query = {"tail": tail, "grep": grep, "times": times or None}
        wanted = {name: value for name, value in query.items() if value is not None}
        async with api.open("GET", f"/runs/{part(run_id)}/logs", query=wanted) as answer:
            async for chunk in answer.aiter_bytes():
                write_stdout(chunk)

    api.run(copy())


def follow_log(api: Api, run_id: str, *, tail: int | None, grep: str | None) -> None:
    """The log, both streams on stdout, until the run has ended; how it ended on stderr."""
    needle = grep.encode() if grep else None
    sink = ByteSink(
        write_stdout,
        write_stdout,
        wants=None if needle is None else lambda text: needle in text,
        on_note=lambda text: typer.echo(f"[fastflow] {text}", err=True),
    )
    end = api.run(LogFollower(api, run_id, sink, tail=tail).follow())
    typer.echo(f"[fastflow] {describe_end(end)}", err=True)


def describe_end(end: "dict[str, object]") -> str:
    """How a run ended, in words."""
    if end.get("status") == "SUCCESS":
        return "the run succeeded"
    detail = f" with exit code {end['exit_code']}" if end.get("reason") == "exit" else ""
    return f"the run failed: {end.get('reason')}{detail}"


def write_stdout(data: bytes) -> None:
    """Write bytes as they are, and let them be seen."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def write_stderr(data: bytes) -> None:
    """As `write_stdout`."""
    sys.stderr.buffer.write(data)
    sys.stderr.buffer.flush()
