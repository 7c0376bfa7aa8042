"""What services say, in the words of the pages.

The API says what to do in its own terms, `` `GET /pipelines/{name}` ``, as the command line's `cli/hints.py` tells. Who reads
a page has no use for them: each is replaced by where to look or what to press, and a sentence that names one that no page
has is left out. Everything a service says to people goes onto a page through `as_told`.
"""

import re
from collections.abc import Mapping

from fastflow.ui.texts import Data, Texts

PLACES: Mapping[str, str] = {
    "GET /pipelines": "the page “{pipelines.title}”",
    "GET /pipelines/{name}": "the pipeline's page",
    "GET /pipelines/{name}/check": "the pipeline's page",
    "POST /pipelines/{name}/run": "the pipeline's page",
    "GET /runs": "the page “{runs.title}”",
    "GET /runs/{id}": "the run's page",
    "GET /runs/{id}/logs": "the log on the run's page",
    "GET /runs/{id}/explain": "the run's page",
    "GET /runs/{id}/artifacts": "the run's page",
    "GET /runs/{id}/why": "the run's page",
    "POST /runs/{id}/cancel": "“{runs.cancel}” on the run's page",
    "POST /runs/{id}/hurry": "“{runs.hurry}” on the run's page",
    "POST /runs/{id}/rerun": "“{runs.rerun}” on the run's page",
    "GET /failures": "the page “{overview.title}”",
    "GET /dead-letters": "the page “{letters.title}”",
    "GET /scheduler/jobs": "the page “{schedules.title}”",
    "POST /scheduler/simulate": "the preview beside the schedule's form",
    "POST /sync": "the page “{sync.title}”",
    "POST /sync/rollback": "the page “{sync.title}”",
    "GET /sync/status": "the page “{sync.title}”",
    "GET /sync/history": "the page “{sync.title}”",
    "GET /sync/repositories": "the page “{sync.title}”",
    "GET /secrets": "the page “{secrets.title}”",
    "POST /secrets": "the page “{secrets.title}”",
    "PUT /secrets/{key}": "the page “{secrets.title}”",
    "DELETE /secrets/{key}": "the page “{secrets.title}”",
    "GET /alerts": "the page “{alerts.title}”",
    "GET /alerts/rules": "the page “{rules.title}”",
    "GET /channels": "the page “{channels.title}”",
    "GET /notifications": "the page “{outbox.title}”",
    "GET /users": "the page “{users.title}”",
    "GET /users/{name}/grants": "the user's page",
    "PATCH /users/{name}": "the user's page",
    "GET /tokens": "the page “{tokens.title}”",
    "GET /auth/me": "the page “{account.title}”",
    "GET /auth/sessions": "the page “{account.title}”",
    "PUT /auth/password": "the page “{account.title}”",
    "POST /sync/repositories": "the page “{sync.title}”",
    "GET /audit": "the page “{audit.title}”",
    "GET /audit/anchor": "the page “{audit.title}”",
}
"""Operation -> where a page shows or does it; what stands in braces is a phrase."""

_OPERATION = re.compile(r"`(?P<operation>(?:GET|POST|PUT|PATCH|DELETE) /[^`\s]*)`")
_AFTER_SENTENCE = re.compile(r"(?<=[.;])\s+")
_PATTERNS = [
    (re.compile("[^/]+".join(re.escape(part) for part in re.split(r"\{\w+\}", operation))), place)
    for operation, place in PLACES.items()
]


def as_told(t: Texts, text: str) -> Data:
    """The text with places of pages for operations of the API."""
    if not _OPERATION.search(text):
        return Data(text)
    text = _OPERATION.sub(lambda match: _place(t, match["operation"]) or match[0], text)
    kept = [part for part in _AFTER_SENTENCE.split(text) if not _OPERATION.search(part)]
    said = " ".join(
        part if part[:4] != "the " else f"T{part[1:]}" if _begins(kept, at) else part for at, part in enumerate(kept)
    )
    return Data(f"{said[:-1]}." if said.endswith(";") else said)


def _begins(parts: list[str], at: int) -> bool:
    return at == 0 or parts[at - 1].endswith(".")


def _place(t: Texts, operation: str) -> str | None:
    place = next((place for pattern, place in _PATTERNS if pattern.fullmatch(operation)), None)
    return None if place is None else re.sub(r"\{(\w+\.\w+)\}", lambda match: t(match[1]), place)
