"""What a sync would change, or did: pipelines, dependencies, settings, schedules, and what speaks against it."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastflow.kernel.sync.domain.sync import Sync
from fastflow.ui.hints import as_told
from fastflow.ui.icons import icon
from fastflow.ui.markup import Html, div, join, span, tag
from fastflow.ui.parts import card, data_text, pill
from fastflow.ui.texts import Data, Phrase, Texts

Part = Mapping[str, Any]
_KINDS = {"added": "good", "changed": "runs", "removed": "bad"}
_SIGNS = {"added": "+", "changed": "~", "removed": "−"}


def plan_cards(t: Texts, sync: Sync) -> Html:
    """The plan of a sync; nothing before there is one."""
    plan = sync.plan
    if plan is None:
        return Html("")
    pipelines, schedules = plan.get("pipelines", ()), plan.get("schedules", ())
    unchanged = int(plan.get("unchanged", 0))
    rows = [_pipeline(t, one) for one in pipelines]
    none = tag("p", t("sync.no_change"), cls="card-body muted") if not rows else None
    aside = span(t.count("sync.unchanged", unchanged), cls="muted") if unchanged else None
    return join(
        _blockers(t, plan.get("blockers", ())),
        _warnings(plan.get("warnings", ())),
        card(t("sync.plan_pipelines"), div(rows, cls="changes") if rows else None, none, aside=aside, cls="below"),
        card(t("sync.plan_schedules"), div([_schedule(t, one) for one in schedules], cls="rows"), cls="below")
        if schedules
        else None,
    )


def _blockers(t: Texts, blockers: Sequence[Part]) -> Html | None:
    if not blockers:
        return None
    rows = [
        div(
            span(pill("bad", t(f"sync.blocker_{one['kind']}")), cls="outcome"),
            span(
                tag("strong", Data(one["pipeline"]), _place(one)),
                tag("small", as_told(t, one["message"])),
                tag("small", as_told(t, one["hint"])),
                cls="main long",
            ),
            cls="row",
        )
        for one in blockers
    ]
    return card(t("sync.blockers"), div(rows, cls="rows"), cls="below")


def _place(one: Part) -> Html | None:
    if not one.get("file"):
        return None
    line = f":{one['line']}" if one.get("line") else ""
    return tag("code", Data(f" {one['file']}{line}"), cls="muted")


def _warnings(warnings: Sequence[str]) -> Html | None:
    told = [tag("p", Data(text)) for text in warnings]
    return div(icon("alert"), div(told), cls="note waits below", role="status") if told else None


def _pipeline(t: Texts, one: Part) -> Html:
    """One pipeline: opened, it shows everything that differs."""
    parts = [
        _files(t, one),
        _lines(t("sync.requirements"), [("added", each) for each in one.get("requirements_added", ())]
               + [("removed", each) for each in one.get("requirements_removed", ())]),
        _environment(t, one.get("environment") or {}),
        _settings(t, one.get("settings", ())),
        _lines(t("sync.faults"), [("fault", _fault(fault)) for fault in one.get("faults", ())]),
        _lines(t("sync.stopped_runs"), [("removed", each) for each in one.get("active_runs", ())]),
        _lines(t("sync.schedules_left"), [("removed", each) for each in one.get("schedules_left", ())]),
        _lines(t("sync.followers_left"), [("removed", each) for each in one.get("followers_left", ())]),
    ]  # fmt: skip
    change = one["change"]
    state = (one.get("environment") or {}).get("state")
    head = tag(
        "summary",
        pill(_KINDS[change], t(f"sync.change_{change}")),
        tag("strong", Data(one["name"])),
        span(t(f"sync.environment_{state}"), cls="muted side") if state and state != "none" else None,
    )
    return tag("details", head, div(parts, cls="parts"), cls="change", open=change != "removed")


def _files(t: Texts, one: Part) -> Html | None:
    rows = [(change, path) for path, change in (one.get("files") or {}).items()]
    more = int(one.get("more_files", 0))
    return _lines(t("sync.files"), rows, t.count("sync.more_files", more) if more else None)


def _environment(t: Texts, environment: Part) -> Html | None:
    packages = environment.get("packages", ())
    rows = [_package(one) for one in packages]
    why = environment.get("why")
    return join(
        _lines(t("sync.packages"), rows) if rows else None,
        div(tag("pre", Data(why), cls="uv bad-text")) if why else None,
    )


def _package(one: Part) -> tuple[str, str]:
    before, after = one.get("before"), one.get("after")
    if before is None:
        return "added", f"{one['package']} {after}"
    if after is None:
        return "removed", f"{one['package']} {before}"
    return "changed", f"{one['package']} {before} → {after}"


def _settings(t: Texts, settings: Sequence[Part]) -> Html | None:
    rows = [
        ("changed", f"{one['setting']}: {_value(one.get('before'))} → {_value(one.get('after'))}") for one in settings
    ]
    return _lines(t("sync.settings"), rows)


def _value(value: Any) -> str:
    return "–" if value is None else data_text(value)


def _fault(fault: Part) -> str:
    line = f":{fault['line']}" if fault.get("line") else ""
    return f"{fault.get('file') or fault.get('pipeline')}{line}: {fault['message']}"


def _lines(title: Phrase, rows: Sequence[tuple[str, str]], more: Phrase | None = None) -> Html | None:
    if not rows:
        return None
    shown = [tag("li", span(Data(_SIGNS.get(kind, "!")), cls="sign"), Data(text), cls=kind) for kind, text in rows]
    return div(tag("h3", title), tag("ul", shown), tag("p", more, cls="muted small") if more else None)


def _schedule(t: Texts, one: Part) -> Html:
    before, after = one.get("before"), one.get("after")
    told = after if before is None else before if after is None else f"{before} → {after}"
    return div(
        span(pill(_KINDS[one["change"]], t(f"sync.change_{one['change']}")), cls="outcome"),
        span(tag("strong", Data(f"{one['pipeline']}/{one['name']}")), tag("small", Data(told or "")), cls="main"),
        cls="row",
    )
