"""The card that says how the chain of the log stands, and verifies it."""

from dataclasses import dataclass
from datetime import datetime

from nicegui import ui

from fastflow.kernel.audit.domain.entries import Verdict
from fastflow.kernel.audit.service import AuditLog
from fastflow.kit.clock import Clock
from fastflow.ui.hints import as_told
from fastflow.ui.icons import icon
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import pill, when
from fastflow.ui.shell.controls import button
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Texts


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What the last verification found, and when."""

    verdict: Verdict
    at: datetime


class Chain:
    """The chain, as the pages show it.

    Args:
        audit: the log.
        clock: tells when it was verified.
    """

    def __init__(self, audit: AuditLog, clock: Clock) -> None:
        self._audit = audit
        self._clock = clock
        self._last: Verified | None = None
        """By anybody, since the server was started."""

    async def put(self, page: Page) -> None:
        """Put the card on the page."""
        t = page.t
        with ui.element("section").classes("card"):
            shown = Fragment(_head(t, self._last), cls="card-head")
            told = Fragment(await self._told(page))
            with ui.element("form").classes("chain-form").on("submit.prevent", lambda: None):
                anchor = ui.input(placeholder=t("audit.earlier_anchor")).props("outlined dense")
                anchor.props["aria-label"] = t("audit.earlier_anchor")

                async def verify() -> None:
                    await page.administrator()
                    given = str(anchor.value or "").strip()
                    verdict = await page.ask(self._audit.verify, given or None)
                    self._last = Verified(verdict=verdict, at=self._clock.now())
                    shown.show(_head(t, self._last))
                    told.show(await self._told(page))

                button(page, t("audit.verify"), verify, drawing="shield", cls="primary")

    async def _told(self, page: Page) -> Html:
        t, last = page.t, self._last
        if last is not None and last.verdict.broken is not None:
            return _broken(t, last.verdict)
        anchor = await page.ask(self._audit.anchor)
        kept = tag(
            "button", icon("link"), t("audit.copy_anchor"), cls="button small", data_do="copy", data_text=anchor,
            title=t("audit.anchor_about"), type="button",
        )  # fmt: skip
        about = t("audit.chain_about") if last is None else _counted(t, last.verdict)
        return div(span(about, cls="muted grow"), kept, cls="chain-told")


def _head(t: Texts, last: Verified | None) -> Html:
    title = tag("h2", t("audit.chain"))
    if last is None:
        return join(title, pill("still", t("audit.not_verified")))
    is_whole = last.verdict.broken is None
    state = pill("good", t("audit.whole")) if is_whole else pill("bad", t("audit.broken"))
    return join(title, span(t("audit.verified"), Data(" "), when(last.at), cls="muted soft grow"), state)


def _counted(t: Texts, verdict: Verdict) -> Html:
    removed = t.count("audit.removed", verdict.removed) if verdict.removed else None
    return span(
        t.count("audit.checked", verdict.checked),
        Data(" "),
        t.count("audit.lanes", verdict.lanes),
        Data(" ") if removed else None,
        removed,
    )


def _broken(t: Texts, verdict: Verdict) -> Html:
    broken = verdict.broken
    assert broken is not None
    where = t("audit.broken_at", lane=broken.lane, seq=broken.seq)
    way = link(f"{BASE}/audit/{broken.entry_id}", t("audit.to_entry"), cls="button small") if broken.entry_id else None
    said = span(tag("strong", where), Data(": "), as_told(t, broken.problem), cls="grow")
    return div(icon("alert"), said, way, cls="note bad flush", role="alert")
