"""The doctor: the server's parts as they are now, and what was found on its machine, with what to do about it."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nicegui import ui

from fastflow.kernel.http.access import require_admin
from fastflow.kit.clock import Clock
from fastflow.ui.hints import as_told
from fastflow.ui.markup import Child, Html, div, join, span, tag
from fastflow.ui.parts import card, heading, pill, size, when
from fastflow.ui.rooms.doctor.finding import Examine, Finding, LookAtParts
from fastflow.ui.shell.controls import button
from fastflow.ui.shell.page import Fragment, Page
from fastflow.ui.texts import Data, Texts

_LOOK_SECONDS = 5.0
_KINDS = {"ok": "good", "note": "still", "warning": "waits", "fault": "bad"}
_APART = ("ok", "hint", "executors", "is_compared")
_NOT_OF_FORCE = ("kind", "warm", "reachable")
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
    rows = [_row(t, finding, as_told(t, finding.text)) for finding in ordered]
    return card(t("doctor.machine"), div(rows, cls="rows findings"))


def _row(t: Texts, finding: Finding, text: Child) -> Html:
    remedy = (
        div(tag("strong", t("doctor.remedy")), Data(" "), as_told(t, finding.remedy), cls="remedy")
        if finding.remedy
        else None
    )
    return div(
        span(pill(_KINDS[finding.level], t(f"doctor.level_{finding.level}")), cls="state"),
        div(tag("strong", Data(finding.name)), div(text, cls="muted small-text"), remedy, cls="main"),
        cls="row",
        data_check=finding.name,
    )


def _parts(t: Texts, parts: Sequence[tuple[Finding, Mapping[str, Any]]]) -> Html:
    rows = [_row(t, finding, as_told(t, finding.text or _told(part))) for finding, part in parts]
    executors: Mapping[str, Mapping[str, Any]] = next(
        (part["executors"] for _, part in parts if part.get("executors")), {}
    )
    return join(
        card(t("doctor.server"), div(rows, cls="rows findings")),
        [
            card(t("doctor.in_force"), _force(told), aside=tag("code", Data(kind)))
            for kind, told in executors.items()
            if told.get("reachable") is not False
        ],
    )


def _told(part: Mapping[str, Any]) -> str:
    """What a part says of itself, but for what is shown on its own."""
    return ", ".join(
        _fact(name, value)
        for name, value in part.items()
        if name not in _APART and not name.endswith("_at") and value not in (None, "", [], {})
    )


def _fact(name: str, value: Any) -> str:
    if name.endswith("_bytes") and isinstance(value, Mapping):
        return ", ".join(f"{which} {size(count)}" for which, count in value.items())
    return f"{name.replace('_', ' ')} {_value(value)}"


def _force(told: Mapping[str, Any]) -> Html:
    rows = [
        join(tag("dt", Data(name.replace("_", " "))), tag("dd", Data(_value(value))))
        for name, value in told.items()
        if name not in _NOT_OF_FORCE and value not in (None, "", [], {})
    ]
    return tag("dl", rows, cls="facts")


def _value(value: Any) -> str:
    """A value in words.

    >>> _value(["mount", "pid"]), _value(True), _value({"cpu": "no cgroup"})
    ('mount, pid', 'yes', 'cpu: no cgroup')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(_value, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_value(each)}" for name, each in value.items())
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
