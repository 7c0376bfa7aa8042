"""The doctor: the server's parts as they are now, and what was found on its machine, with what to do about it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from nicegui import ui

from fastflow.kernel.http.access import require_admin
from fastflow.kit.clock import Clock
from fastflow.ui.hints import as_told
from fastflow.ui.markup import Html, div, span, tag
from fastflow.ui.parts import card, heading, pill, when
from fastflow.ui.rooms.doctor.finding import Examine, Finding, LookAtParts
from fastflow.ui.shell.controls import button
from fastflow.ui.shell.page import Fragment, Page
from fastflow.ui.texts import Data, Texts

_LOOK_SECONDS = 5.0
_KINDS = {"ok": "good", "note": "still", "warning": "waits", "fault": "bad"}
_WORST_FIRST = ("fault", "warning", "note", "ok")


@dataclass(frozen=True, kw_only=True)
class _Examined:
    findings: Sequence[Finding]
    at: datetime


class DoctorPage:
    """Builds the page.

    Args:
        look_at_parts: the server's parts.
        examine: the checks of its machine; one at a time, whoever asks.
        clock: tells when they were made.
    """

    def __init__(self, look_at_parts: LookAtParts, examine: Examine, clock: Clock) -> None:
        self._look_at_parts = look_at_parts
        self._examine = examine
        self._clock = clock
        self._last: _Examined | None = None
        self._examining = asyncio.Lock()

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        require_admin(page.actor)
        t = page.t
        with ui.element("div").classes("bar"):
            head = Fragment(_head(t, self._last), cls="grow")
            with ui.element("div").classes("actions"):

                async def again() -> None:
                    await page.administrator()
                    await self._run()
                    head.show(_head(t, self._last))
                    found.show(_findings(t, self._last))

                button(page, t("doctor.again"), again, drawing="again", cls="primary")
        found = Fragment(_findings(t, self._last))
        parts = Fragment(_parts(t, await self._look_at_parts()), cls="below")

        async def refresh() -> None:
            await page.administrator()
            parts.show(_parts(t, await self._look_at_parts()))
            head.show(_head(t, self._last))
            found.show(_findings(t, self._last))

        page.live(refresh, kinds=(), every=_LOOK_SECONDS)
        if self._last is None:
            ui.timer(0, page.act(again), once=True)

    async def _run(self) -> None:
        before = self._last
        async with self._examining:
            if self._last is before:  # else somebody else's has just been made
                self._last = _Examined(findings=await self._examine(), at=self._clock.now())


def _head(t: Texts, last: _Examined | None) -> Html:
    if last is None:
        return heading(t("doctor.title"), pill("runs", t("doctor.examining")))
    levels = {finding.level for finding in last.findings}
    worst = next(level for level in _WORST_FIRST if level in levels or level == "ok")
    state = pill(_KINDS[worst], t(f"doctor.all_{worst}"))
    return heading(t("doctor.title"), state, under=span(t("doctor.examined"), Data(" "), when(last.at)))


def _findings(t: Texts, last: _Examined | None) -> Html:
    if last is None:
        return card(t("doctor.machine"), tag("p", t("doctor.wait"), cls="card-body muted"))
    ordered = sorted(last.findings, key=lambda each: _WORST_FIRST.index(each.level))
    return card(t("doctor.machine"), _rows(t, ordered))


def _parts(t: Texts, parts: Sequence[Finding]) -> Html:
    return card(t("doctor.server"), _rows(t, parts))


def _rows(t: Texts, findings: Sequence[Finding]) -> Html:
    return div([_row(t, finding) for finding in findings], cls="rows findings")


def _row(t: Texts, finding: Finding) -> Html:
    remedy = (
        div(tag("strong", t("doctor.remedy")), Data(" "), as_told(t, finding.remedy), cls="remedy")
        if finding.remedy
        else None
    )
    return div(
        span(pill(_KINDS[finding.level], t(f"doctor.level_{finding.level}")), cls="state"),
        div(
            tag("strong", Data(finding.name)),
            div(as_told(t, finding.text), cls="muted small-text"),
            remedy,
            cls="main",
        ),
        cls="row",
        data_check=finding.name,
    )
