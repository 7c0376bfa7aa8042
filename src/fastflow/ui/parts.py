"""Pieces that pages share: how a state, a time, a length and a list of facts look."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.ui.icons import icon
from fastflow.ui.markup import Child, Html, div, join, link, span, tag
from fastflow.ui.texts import Data, Phrase, Texts

_KIND_OF_STATUS = {
    RunStatus.PENDING: "waits",
    RunStatus.RUNNING: "runs",
    RunStatus.SUCCESS: "good",
    RunStatus.FAILED: "bad",
}
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_SHORT_ID = 8


def kind_of(run: Run) -> str:
    """Its colour: a cancelled run is nobody's failure."""
    return "still" if run.reason == "cancelled" else _KIND_OF_STATUS[run.status]


def status(t: Texts, run: Run) -> Html:
    """A run's state."""
    return pill(kind_of(run), t(f"status.{run.reason or run.status}"))


def pill(kind: str, label: Phrase) -> Html:
    """A state: good, bad, runs, waits, still."""
    return span(span(cls="dot"), label, cls=f"pill {kind}")


def when(instant: datetime | None, form: str = "ago", zone: str | None = None) -> Html | None:
    """A time, in the reader's own zone: `ago` counts on by itself, `clock` is to the minute, `exact` to the second with its
    day, `full` to the minute with its day, also in another zone."""
    if instant is None:
        return None
    text = f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    shown = instant.isoformat().replace("+00:00", "Z")
    return tag("time", Data(text), datetime=shown, data_form=form, data_zone=zone)


def lasting(started: datetime | None, finished: datetime | None) -> Html:
    """How long something took, or has taken so far."""
    if started is None:
        return span(Data("–"), cls="muted")
    if finished is None:
        return span(Data("…"), cls="number", data_since=started.isoformat().replace("+00:00", "Z"))
    return span(Data(seconds((finished - started).total_seconds())), cls="number")


def seconds(length: float) -> str:
    """A length of time, to the precision that people use.

    >>> seconds(0.042), seconds(3.14), seconds(75), seconds(7260)
    ('42 ms', '3.1 s', '1 min 15 s', '2 h 1 min')
    """
    if length < 1:
        return f"{max(0, round(length * 1000))} ms"
    if length < 10:
        return f"{length:.1f} s"
    whole = round(length)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def size(count: float | None) -> Data:
    """A number of bytes."""
    if count is None:
        return Data("–")
    number, unit = float(count), "B"
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if number < 1000 or unit == "TB":
            break
        number /= 1024
    return Data(f"{number:.0f} {unit}" if number >= 10 or unit == "B" else f"{number:.1f} {unit}")


def short(run_id: str) -> Data:
    """The end of an id, by which people tell runs apart."""
    return Data(run_id[-_SHORT_ID:])


def data_text(value: Any) -> str:
    """A value of data, as people read it: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def facts(rows: Iterable[tuple[Phrase | Data, Child]]) -> Html:
    """Names and values; what has no value is left out."""
    return tag("dl", [join(tag("dt", name), tag("dd", value)) for name, value in rows if value], cls="facts")


def card(title: Phrase | Data, *children: Child, aside: Child = None, cls: str = "") -> Html:
    """A titled area."""
    return tag("section", div(tag("h2", title), aside, cls="card-head"), *children, cls=f"card {cls}")


def empty(drawing: str, title: Phrase, hint: Phrase | None = None, action: Html | None = None) -> Html:
    """What stands where there is nothing yet."""
    return div(icon(drawing), tag("p", title), tag("p", hint, cls="muted") if hint else None, action, cls="empty")


def choice(
    name: str, options: Iterable[tuple[str, Phrase | Data]], chosen: str | None, everything: Phrase, label: Phrase
) -> Html:
    """A filter with one of some values, or none."""
    return tag(
        "select",
        tag("option", everything, value=""),
        [tag("option", text, value=value, selected=value == chosen) for value, text in options],
        name=name,
        aria_label=label,
    )


def heading(
    title: Phrase | Data | Html, *beside: Child, trail: Sequence[tuple[str, Phrase | Data]] = (), under: Child = None
) -> Html:
    """The head of a page, with the way to it."""
    way = [join(span(Data("/")) if number else None, link(path, label)) for number, (path, label) in enumerate(trail)]
    return tag(
        "div",
        tag("nav", way, cls="trail") if way else None,
        div(tag("h1", title), *beside, cls="title"),
        div(under, cls="under") if under else None,
        cls="heading",
    )
