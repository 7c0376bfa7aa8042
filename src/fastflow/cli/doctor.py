"""`fastflow doctor`: what works on this machine or server, what does not, and what to do about it."""

import typer

from fastflow.cli.access import AsJson, access, open_api
from fastflow.cli.output import print_json


def doctor(
    ctx: typer.Context,
    as_json: AsJson = False,
) -> None:
    """Check Python, uv, folders, database, key, pipelines, isolation, limits, warm start, server and clock; with
    FASTFLOW_URL, the server there. Marks: ✓ works, - worth knowing, ! works with less, ✗ does not work. Exit code 1 when
    anything does not work."""
    from fastflow.cli.findings import print_findings

    if access(ctx).url:
        from fastflow.cli.server_checks import check_server

        with open_api(ctx) as api:
            findings = check_server(api)
    else:
        from fastflow.cli.checks import check_machine

        findings = check_machine()
    has_faults = any(finding.level == "fault" for finding in findings)
    if as_json:
        print_json({"ok": not has_faults, "checks": [finding.as_json() for finding in findings]})
    else:
        print_findings(findings)
    if has_faults:
        raise typer.Exit(1)
