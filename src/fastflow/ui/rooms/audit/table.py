"""The table of changes: who did what to which thing, when and from where; filters in the address, pages by key."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from fastflow.kernel.audit.domain.entries import AuditEntry
from fastflow.kernel.audit.service import AuditLog
from fastflow.kernel.http.access import require_admin
from fastflow.kit.clock import Clock
from fastflow.kit.pages import Page as EntriesOf
from fastflow.ui.icons import icon
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import choice, empty, heading, when
from fastflow.ui.rooms.audit.chain import Chain
from fastflow.ui.rooms.audit.wanted import BETWEEN, FILTERS, PERIODS, instant, read_filter
from fastflow.ui.shell.listing import head, kept, pager, table_card
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Texts

_PAGE = 50
_LOOK_SECONDS = 5.0
"""Changes come from everywhere; no event tells of all of them."""


class AuditTable:
    """Builds the page.

    Args:
        audit: the log.
        clock: tells where a period begins.
    """

    def __init__(self, audit: AuditLog, clock: Clock) -> None:
        self._audit = audit
        self._clock = clock
        self._chain = Chain(audit, clock)

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        require_admin(page.actor)
        cursor = page.query.get("cursor")
        found = await page.ask(self._look, page, cursor)
        Fragment(_head(page))
        if cursor is None:
            await self._chain.put(page)
        Fragment(_filters(page), cls="below" if cursor is None else "")
        shown = Fragment(_table(page, found))

        async def refresh() -> None:
            await page.administrator()
            shown.show(_table(page, await page.ask(self._look, page, None)))

        if cursor is None:
            page.live(refresh, kinds=(), every=_LOOK_SECONDS)

    def _look(self, page: Page, cursor: str | None) -> EntriesOf[AuditEntry]:
        return self._audit.list(read_filter(page.query, self._clock.now()), cursor=cursor, limit=_PAGE)


def _head(page: Page) -> Html:
    t = page.t
    download = link(
        "/audit/export", icon("download"), t("audit.export"), cls="button small", download="audit.jsonl",
        title=t("audit.export_about"),
    )  # fmt: skip
    return heading(t("audit.title"), span(cls="grow"), download)


def _filters(page: Page) -> Html:
    t, given = page.t, page.query
    periods = [(name, t(f"audit.last_{name}")) for name in PERIODS]
    is_between = given.get("period") == BETWEEN
    return tag(
        "form",
        _text(page, "actor", t("audit.by_actor")),
        _text(page, "action", t("audit.by_action")),
        _text(page, "subject", t("audit.by_subject")),
        choice("period", [*periods, (BETWEEN, t("audit.between"))], given.get("period"), t("audit.all_times"), t("audit.at")),
        _instant(page, "since", t("audit.since")) if is_between else None,
        _instant(page, "until", t("audit.until")) if is_between else None,
        link(f"{BASE}/audit", t("audit.clear"), cls="button") if any(given.get(name) for name in FILTERS) else None,
        cls="filters", action=f"{BASE}/audit",
    )  # fmt: skip


def _text(page: Page, name: str, label: str) -> Html:
    return tag("input", type="search", name=name, value=page.query.get(name, ""), placeholder=label, aria_label=label)


def _instant(page: Page, name: str, label: str) -> Html:
    given = instant(page.query.get(name, ""))
    return tag(
        "input", type="datetime-local", name=name, aria_label=label, title=label,
        data_instant=given.isoformat().replace("+00:00", "Z") if given else "",
    )  # fmt: skip


def _table(page: Page, found: EntriesOf[AuditEntry]) -> Html:
    t, given = page.t, page.query
    if not found.items:
        return div(empty("search", t("audit.none_fit")), cls="card")
    heads = [
        head(t("audit.action")),
        head(t("audit.at")),
        head(t("audit.actor")),
        head(t("audit.subject")),
        head(t("audit.detail"), "wide-only"),
        head(t("audit.address"), "wide-only"),
    ]
    newest = t("audit.newest") if given.get("cursor") else None
    return join(
        table_card(heads, [_row(t, entry) for entry in found.items]),
        pager("/audit", found.next_cursor, older=t("audit.older"), newest=newest, keeping=kept(page, FILTERS)),
    )


def _row(t: Texts, entry: AuditEntry) -> Html:
    path = f"{BASE}/audit/{entry.id}"
    said = brief(entry.detail)
    return tag(
        "tr",
        tag("td", link(path, Data(entry.action), cls="first")),
        tag("td", when(entry.at), cls="muted right-on-phone"),
        tag("td", _only(t, "actor", entry.actor)),
        tag("td", _only(t, "subject", entry.subject), cls="right-on-phone"),
        tag("td", span(Data(said), cls="muted cut detail", title=said), cls="wide-only"),
        tag("td", Data(entry.address or ""), cls="wide-only muted"),
        data_href=path,
    )


def _only(t: Texts, name: str, value: str) -> Html:
    """The value, which leads to what else there is of it."""
    href = f"{BASE}/audit?{urlencode({name: value})}"
    return link(href, Data(value), cls="quiet-link cut", title=t(f"audit.only_{name}", value=value))


def brief(detail: Mapping[str, Any]) -> str:
    """What an entry says in one line.

    >>> brief({"role": "viewer", "grants": ["a"]}), brief({})
    ('role: viewer · grants: ["a"]', '')
    """
    return " · ".join(
        f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in detail.items()
    )
