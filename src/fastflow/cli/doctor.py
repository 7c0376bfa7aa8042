"""`fastflow doctor`: what works on this machine, what does not, and what to do about it."""

import typer

from fastflow.cli.access import AsJson, access, open_api
from fastflow.cli.output import print_json, printable


def doctor(
    ctx: typer.Context,
    as_json: AsJson = False,
) -> None:
    """Check Python, uv, folders, database, key, isolation, limits, warm start, server and clock; with FASTFLOW_URL, the
    server there. Exit code 1 when something essential is broken."""
    from fastflow.cli.checks import Finding, check_machine, check_server

    if access(ctx).url:
        with open_api(ctx) as api:
            findings: list[Finding] = check_server(api)
    else:
        findings = check_machine()
    is_broken = any(not finding.ok and finding.essential for finding in findings)
    if as_json:
        print_json({"ok": not is_broken, "checks": [finding.as_json() for finding in findings]})
    else:
        for finding in findings:
            _show(finding.name, finding.ok, finding.essential, finding.text)
            if not finding.ok and finding.remedy:
                typer.echo(f"    {printable(finding.remedy)}")
    if is_broken:
        raise typer.Exit(1)


def _show(name: str, ok: bool, essential: bool, text: str) -> None:
    mark, colour = ("✓", typer.colors.GREEN) if ok else ("✗", typer.colors.RED if essential else typer.colors.YELLOW)
    typer.echo(f"{typer.style(mark, fg=colour)} {name}: {printable(text)}")
