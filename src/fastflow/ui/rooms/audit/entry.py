"""One change: all that was noted of it, and its place in the chain."""

import json
from urllib.parse import quote, urlencode

from nicegui import ui

from fastflow.kernel.audit.domain.chain import hash_of
from fastflow.kernel.audit.domain.entries import AuditEntry
from fastflow.kernel.audit.service import AuditLog
from fastflow.kernel.http.access import require_admin
from fastflow.kit.errors import NotFound
from fastflow.ui.markup import Html, join, link, span, tag
from fastflow.ui.parts import card, facts, heading, pill, when
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Phrase, Texts

_PLACES = {"run": "runs", "pipeline": "pipelines", "user": "users"}
"""First word of an action -> where its subjects are shown."""


class EntryPage:
    """Builds the page.

    Args:
        audit: the log.
    """

    def __init__(self, audit: AuditLog) -> None:
        self._audit = audit

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        require_admin(page.actor)
        t, number = page.t, page.params["entry_id"]
        if not number.isdecimal() or len(number) > 18:
            raise NotFound(t("shell.not_found"), hint=t("shell.not_found_hint"))
        entry = await page.ask(self._audit.get, int(number))
        ui.page_title(f"{entry.action} · Fast-Flow")
        Fragment(_entry(t, entry))


def _entry(t: Texts, entry: AuditEntry) -> Html:
    is_itself = hash_of(entry) == entry.hash
    state = pill("good", t("audit.unchanged")) if is_itself else pill("bad", t("audit.changed"))
    detail = json.dumps(entry.detail, indent=2, ensure_ascii=False, sort_keys=True)
    rows: list[tuple[Phrase | Data, Html | Data | None]] = [
        (t("audit.at"), when(entry.at, "exact")),
        (t("audit.actor"), _others("actor", entry.actor)),
        (t("audit.action"), _others("action", entry.action)),
        (t("audit.subject"), _subject(entry)),
        (t("audit.address"), Data(entry.address) if entry.address else None),
    ]
    place: list[tuple[Phrase | Data, Html | Data | None]] = [
        (t("audit.lane"), Data(entry.lane)),
        (t("audit.seq"), Data(entry.seq)),
        (t("audit.previous"), tag("code", Data(entry.previous))),
        (t("audit.hash"), tag("code", Data(entry.hash))),
    ]
    return join(
        heading(Data(entry.action), state, trail=[(f"{BASE}/audit", t("audit.title"))]),
        card(t("audit.what"), facts(rows)),
        card(t("audit.detail"), tag("pre", Data(detail), cls="json", tabindex="0")) if entry.detail else None,
        card(t("audit.place"), facts(place)),
    )


def _others(name: str, value: str) -> Html:
    return link(f"{BASE}/audit?{urlencode({name: value})}", Data(value), cls="underlined")


def _subject(entry: AuditEntry) -> Html:
    others = _others("subject", entry.subject)
    room = _PLACES.get(entry.action.partition(".")[0])
    if room is None or entry.subject.startswith("("):
        return others
    path = f"{BASE}/{room}/{quote(entry.subject, safe='')}"
    return join(others, span(Data(" ")), link(path, Data("→"), aria_label=entry.subject))
