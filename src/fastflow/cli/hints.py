"""The API's hints in the words of the command line.

The API says what to do in its own terms, `` `GET /pipelines/{name}` ``: programs and people with curl can follow that. The
command line, whatever server it talks to, replaces each such operation by its own command. A test walks all hints of the
product and finds every operation here.
"""

import re
from collections.abc import Mapping

COMMANDS: Mapping[str, str] = {
    "GET /pipelines": "fastflow pipelines list",
    "GET /pipelines/{name}": "fastflow pipelines show {name}",
    "GET /pipelines/{name}/check": "fastflow pipelines check {name}",
    "POST /pipelines/{name}/run": "fastflow run {name}",
    "GET /runs": "fastflow runs list",
    "GET /runs/{id}": "fastflow runs show {id}",
    "GET /runs/{id}/logs": "fastflow runs logs {id}",
    "GET /runs/{id}/explain": "fastflow runs explain {id}",
    "GET /runs/{id}/artifacts": "fastflow runs artifacts {id}",
    "POST /runs/{id}/cancel": "fastflow runs cancel {id}",
    "POST /runs/{id}/hurry": "fastflow runs hurry {id}",
    "POST /runs/{id}/rerun": "fastflow runs rerun {id}",
    "GET /runs/{id}/why": "fastflow runs why {id}",
    "GET /daemons": "fastflow daemons list",
    "GET /failures": "fastflow failures list",
    "GET /dead-letters": "fastflow dead-letters list",
    "GET /scheduler/jobs": "fastflow schedules list",
    "POST /scheduler/simulate": "fastflow schedules simulate",
    "GET /channels": "fastflow channels list",
    "GET /alerts": "fastflow alerts list",
    "GET /alerts/rules": "fastflow alerts rules",
    "GET /notifications": "fastflow alerts sent",
    "GET /webhooks": "fastflow webhooks list",
    "GET /flows": "fastflow flows list",
    "POST /flows": "fastflow flows run ROOT",
    "GET /flows/plan": "fastflow flows plan ROOT",
    "GET /flows/{id}": "fastflow flows show {id}",
    "POST /flows/{id}/cancel": "fastflow flows cancel {id}",
    "POST /flows/{id}/rerun": "fastflow flows rerun {id} --from-failed",
    "GET /backfills": "fastflow backfill list",
    "POST /sync": "fastflow sync run",
    "POST /sync/rollback": "fastflow sync rollback",
    "GET /sync/status": "fastflow sync status",
    "GET /sync/history": "fastflow sync history",
    "GET /sync/repositories": "fastflow sync list",
    "POST /sync/repositories": "fastflow sync add NAME URL",
    "GET /jobs": "fastflow churn jobs",
    "GET /sql/views": "fastflow churn views list",
    "GET /environments": "fastflow environments list",
    "POST /environments/gc": "fastflow environments gc",
    "GET /secrets": "fastflow secrets list",
    "POST /secrets": "fastflow secrets set KEY",
    "PUT /secrets/{key}": "fastflow secrets set {key}",
    "DELETE /secrets/{key}": "fastflow secrets rm {key}",
    "POST /secrets/rotate": "fastflow secrets rotate",
    "GET /users": "fastflow users list",
    "PATCH /users/{name}": "fastflow users --help",
    "GET /users/{name}/grants": "fastflow users grants {name}",
    "GET /tokens": "fastflow tokens list",
    "POST /tokens": "fastflow tokens create NAME --role ROLE",
    "GET /audit": "fastflow audit list",
    "GET /audit/anchor": "fastflow audit anchor",
    "GET /openapi.json": "fastflow openapi",
}
"""Operation -> command; a part of the path in braces is put where the command has it."""

WORDS: Mapping[str, str] = {
    "`is_parameter`: true": "`--parameter`",
    "`force`": "`--force`",
    "`exact`": "`--exact`",
    "`cursor`": "`--cursor`",
    "`idempotency_key`": "`--idempotency-key`",
    "`pipelines`: []": "`--server-only`",
    "`pipelines`": "`--pipeline`",
    "`dry_run`": "`--dry-run`",
    "`maximum`": "`--maximum`",
    "`alone`": "`--alone`",
    "`host_keys`": "`--host-keys`",
    "`webhook_secret`": "`--webhook-secret`",
    "`subfolder`": "`--subfolder`",
    "`branch`": "`--branch`",
}
"""Members of bodies and queries -> options."""

_OPERATION = re.compile(r"`(?P<method>GET|POST|PUT|PATCH|DELETE) (?P<path>/[^`\s]*)`")


def for_command_line(text: str) -> str:
    """The text with commands in place of operations, and options in place of members.

    >>> for_command_line("`GET /pipelines` lists them; `GET /runs/019a6c1e/logs` and `POST /secrets/{key}/x` say more.")
    '`fastflow pipelines list` lists them; `fastflow runs logs 019a6c1e` and `POST /secrets/{key}/x` say more.'
    """
    if "`" not in text:
        return text
    for member, option in WORDS.items():
        text = text.replace(member, option)
    return _OPERATION.sub(lambda match: _command(match["method"], match["path"]) or match[0], text)


def _command(method: str, path: str) -> str | None:
    for operation, command in COMMANDS.items():
        known_method, _, template = operation.partition(" ")
        parts = _filled(template, path) if method == known_method else None
        if parts is not None:
            return f"`{command.format(**parts)}`"
    return None


def _filled(template: str, path: str) -> dict[str, str] | None:
    """What stands at the template's braces; a path that has braces there itself gives their name in capitals."""
    wanted, given = template.split("/"), path.split("/")
    if len(wanted) != len(given):
        return None
    parts: dict[str, str] = {}
    for want, part in zip(wanted, given, strict=True):
        if want.startswith("{"):
            parts[want[1:-1]] = part[1:-1].upper() if part.startswith("{") else part
        elif want != part:
            return None
    return parts
