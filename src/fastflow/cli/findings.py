"""How `fastflow doctor` shows what it finds, on this machine and on a server."""

from collections.abc import Mapping, Sequence

import typer

from fastflow.cli.output import printable
from fastflow.findings import Finding, Level
from fastflow.kit.words import counted

_MARKS: Mapping[Level, tuple[str, str]] = {
    "ok": ("✓", typer.colors.GREEN),
    "note": ("-", typer.colors.BLUE),
    "warning": ("!", typer.colors.YELLOW),
    "fault": ("✗", typer.colors.RED),
}


def print_findings(findings: Sequence[Finding]) -> None:
    """One line each with its mark, the remedy below it, and how many need attention."""
    from fastflow.cli.hints import for_command_line

    for finding in findings:
        mark, colour = _MARKS[finding.level]
        typer.echo(f"{typer.style(mark, fg=colour)} {finding.name}: {printable(finding.text)}")
        if finding.remedy:
            typer.echo(f"    {printable(for_command_line(finding.remedy))}")
    faults, warnings = (sum(finding.level == level for finding in findings) for level in ("fault", "warning"))
    if faults or warnings:
        typer.echo(f"{counted(faults, 'fault')}, {counted(warnings, 'warning')}.", err=True)


def judge_pipelines(where: str, broken: Sequence[str]) -> Finding:
    """How the pipelines are.

    Args:
        where: the folder or server.
        broken: for every fault that keeps a pipeline from running, the pipeline's name.
    """
    if not broken:
        return Finding(name="pipelines", level="ok", text=f"{where}, no faults")
    names = list(dict.fromkeys(broken))
    named = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return Finding(
        name="pipelines",
        level="fault",
        text=f"{where}, {counted(len(broken), 'fault')} in {named}",
        remedy="`fastflow pipelines check` names each with its place.",
    )


def judge_shipped(shipped: Sequence[str], covered: Sequence[str]) -> Finding:
    """How the pipelines are that workbenches ship.

    Args:
        shipped: their names.
        covered: those whose place a pipeline of the user has taken.
    """
    if not covered:
        return Finding(name="shipped pipelines", level="ok", text=", ".join(shipped))
    return Finding(
        name="shipped pipelines",
        level="warning",
        text=f"others have taken the place of {', '.join(covered)}",
        remedy="Rename those pipelines, unless the workbench is not used.",
    )
