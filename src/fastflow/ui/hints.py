"""What services say, in the words of the pages.

The API says what to do in its own terms, `` `GET /pipelines/{name}` ``, as the command line's `cli/hints.py` tells. Who reads
a page has no use for them: each is replaced by where to look or what to press, and a sentence that names one that no page
has is left out. In another language than English the sentence itself is looked up in the catalogues of `sentences.py`.
Everything a service says to people goes onto a page through `as_told`.
"""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from html import unescape
from typing import TypeAlias

from fastflow.kit.errors import FastFlowError
from fastflow.ui.markup import Html, join, span
from fastflow.ui.sentences import END, ENGLISH, pieces, sentences_in
from fastflow.ui.texts import LANGUAGES, Data, Phrase, Texts

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
    "GET /daemons": "the page “{daemons.title}”",
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
"""Operation -> where a page shows or does it; what stands in braces is a phrase. Translated as sentences are."""

Told: TypeAlias = "Data | Phrase | Html"

_OPERATION = re.compile(r"`(?P<operation>(?:GET|POST|PUT|PATCH|DELETE) /[^`\s]*)`")
_AFTER_SENTENCE = re.compile(r"(?<=[.;])\s+")
_MARK = re.compile(r"<[^>]*>")
_PHRASE = re.compile(r"\{(\w+\.\w+)\}")
_PATTERNS = [
    (re.compile("[^/]+".join(re.escape(part) for part in re.split(r"\{\w+\}", operation))), place)
    for operation, place in PLACES.items()
]


def as_told(t: Texts, text: str) -> Told:
    """The text in the reader's language, with places of pages for operations of the API; what stays English is marked."""
    if isinstance(text, Phrase):
        return text
    sentences = sentences_in(t.language)
    if sentences is None:
        return Data(_placed(t, text))
    parts = pieces(sentences.translate(text))
    if not any(is_english for _, is_english in parts):
        return Data(_placed(t, "".join(part for part, _ in parts)))
    english = t.in_language(LANGUAGES[0])
    return join(
        [
            span(Data(_placed(english, part)), lang=LANGUAGES[0]) if is_english else Data(_placed(t, part))
            for part, is_english in parts
        ]
    )


def problem_as_told(t: Texts, error: FastFlowError) -> Told:
    """What an error says. Where its sentence has no translation, what its code means stands before it."""
    told = as_told(t, error.message)
    sentences = sentences_in(t.language)
    if sentences is None or not (isinstance(told, Html) and told.startswith("<span lang=")):
        return told
    meaning = sentences.codes.get(error.code)
    return told if meaning is None else join(Data(f"{meaning}: "), told)


def plain(told: Told) -> str:
    """What was told, without marks: for what shows text alone."""
    return unescape(_MARK.sub("", told)) if isinstance(told, Html) else str(told)


def _placed(t: Texts, text: str) -> str:
    if not _OPERATION.search(text):
        return text
    text = _OPERATION.sub(partial(_place_or_itself, t), text)
    kept = [part for part in _AFTER_SENTENCE.split(text) if not _OPERATION.search(part)]
    said = " ".join(
        f"{part[0].upper()}{part[1:]}" if part[:4] in ("the ", "die ") and _begins(kept, at) else part
        for at, part in enumerate(kept)
    )
    return f"{said[:-1]}." if said.endswith(";") else said


def _begins(parts: Sequence[str], at: int) -> bool:
    return at == 0 or parts[at - 1].endswith(".")


def _place_or_itself(t: Texts, found: re.Match[str]) -> str:
    place = next((words for pattern, words in _PATTERNS if pattern.fullmatch(found["operation"])), None)
    if place is None:
        return found[0]
    sentences = sentences_in(t.language)
    words = _PHRASE.sub(lambda phrase: t(phrase[1]), place)
    return words if sentences is None else sentences.translate(words).strip(ENGLISH + END)
