"""What `fastflow doctor` finds, on this machine and on a server, in the same words and the same form."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import typer

from fastflow.cli.output import printable
from fastflow.kit.words import counted

Level = Literal["ok", "note", "warning", "fault"]
"""Works; works, and is worth knowing; works with less; does not work."""

_MARKS: Mapping[Level, tuple[str, str]] = {
    "ok": ("✓", typer.colors.GREEN),
    "note": ("-", typer.colors.BLUE),
    "warning": ("!", typer.colors.YELLOW),
    "fault": ("✗", typer.colors.RED),
}
_NAMESPACES = ("mount", "pid", "ipc", "network")


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


def judge_executor(told: Mapping[str, Any]) -> Sequence[Finding]:
    """What an executor of kind process says of itself: isolation, limits, warm start."""
    return [_judge_isolation(told), _judge_limits(told)]


def _judge_isolation(told: Mapping[str, Any]) -> Finding:
    namespaces: Sequence[str] = told.get("namespaces", ())
    missing = [name for name in _NAMESPACES if name not in namespaces]
    text = f"runs act as user {told.get('run_user')}; namespaces: {', '.join(namespaces) or 'none'}"
    if told.get("landlock"):
        text += "; Landlock"
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
    text = ", ".join(f"{name} by {by}" for name, by in limits.items())
    if all(by == "cgroup" for by in limits.values()):
        return Finding(name="limits", level="ok", text=text)
    why = told.get("cgroup_why") or "not all controllers are delegated"
    return Finding(name="limits", level="warning", text=text, remedy=f"Control groups: {why}.")
