"""What stands beside a run: its details and usage, what it was given and gave, its files, its capsule."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastflow.kernel.failures.domain.changes import Why
from fastflow.kernel.flows.ports import Membership
from fastflow.kernel.runs.domain.explain import Explanation
from fastflow.kernel.runs.domain.logged_run import StoredArtifact
from fastflow.kernel.runs.domain.run import Run
from fastflow.ui.icons import icon
from fastflow.ui.markup import Child, Html, div, join, link, span, tag
from fastflow.ui.parts import card, facts, lasting, seconds, short, size, when
from fastflow.ui.rooms.runs.curves import Curves
from fastflow.ui.rooms.runs.in_flows import membership
from fastflow.ui.rooms.runs.table import trigger
from fastflow.ui.shell.page import BASE
from fastflow.ui.texts import Data, Phrase, Texts

_MOST_ARTIFACTS = 100


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A run with what surrounds it.

    Attributes:
        flow: that it belongs to.
        why: of a failed one: what changed before it.
    """

    run: Run
    flow: Membership | None
    explanation: Explanation
    artifacts: Sequence[StoredArtifact]
    why: Why | None


def put_beside(t: Texts, shown: Shown, curves: Curves) -> Html:
    """All of it, one card below the other."""
    run = shown.run
    return join(
        card(
            t("runs.details"), _details(t, run, shown.flow), aside=link(f"{BASE}/runs/{run.id}/diff", t("runs.to_diff"))
        ),
        curves.usage(t),
        _changes(t, shown.why) if shown.why else None,
        _values(t("runs.params"), run.params),
        _values(t("runs.metrics"), run.metrics),
        _values(t("runs.outputs"), run.outputs),
        _artifacts(t, run, shown.artifacts) if shown.artifacts else None,
        _capsule(t, run),
    )


def _details(t: Texts, run: Run, flow: Membership | None) -> Html:
    def other(run_id: str | None) -> Child:
        return link(f"{BASE}/runs/{run_id}", tag("code", short(run_id))) if run_id else None

    def data(value: object) -> Child:
        return Data(value) if value not in (None, "") else None

    rows: list[tuple[Phrase | Data, Child]] = [
        (t("runs.started_by"), trigger(t, run)),
        (t("runs.by"), data(run.submitted_by)),
        (t("runs.flow"), membership(t, flow) if flow else None),
        (t("runs.queued"), when(run.queued_at, "exact")),
        (t("runs.duration"), lasting(run.started_at, run.finished_at)),
        (t("runs.exit_code"), data(run.exit_code)),
        (t("runs.attempt"), data(run.attempt) if run.attempt > 1 or run.retried_by else None),
        (t("runs.retry_of"), other(run.retry_of)),
        (t("runs.retried_by"), other(run.retried_by)),
        (t("runs.rerun_of"), other(run.rerun_of)),
        (t("runs.priority"), data(run.priority) if run.priority else None),
        (t("runs.executor"), data(run.executor)),
        (t("runs.interpreter"), data(run.interpreter)),
        (t("runs.commit"), tag("code", Data(run.commit[:10])) if run.commit else None),
        (t("runs.environment"), tag("code", Data(run.environment[:10])) if run.environment else None),
        (t("runs.memory"), size(run.peak_memory_bytes) if run.peak_memory_bytes else None),
        (t("runs.cpu"), data(seconds(run.cpu_seconds)) if run.cpu_seconds is not None else None),
    ]
    return facts(rows)


def _changes(t: Texts, why: Why) -> Html:
    last = why.last_good
    way = link(f"{BASE}/runs/{why.run.id}/diff?with={last.id}", t("runs.compare")) if last else None
    return card(t("runs.what_changed"), tag("p", Data(why.text), cls="card-body soft"), aside=way)


def _values(title: Phrase, values: Mapping[str, Any] | None) -> Html | None:
    if not values:
        return None
    return card(title, facts((Data(name), tag("code", Data(_shown(value)))) for name, value in values.items()))


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _artifacts(t: Texts, run: Run, artifacts: Sequence[StoredArtifact]) -> Html:
    rows = [
        link(
            f"{BASE}/runs/{run.id}/artifact?{urlencode({'path': artifact.path})}",
            icon("file"),
            span(tag("strong", Data(artifact.path)), cls="main"),
            span(size(artifact.size_bytes), cls="side"),
            cls="row",
        )
        for artifact in artifacts[:_MOST_ARTIFACTS]
    ]
    more = len(artifacts) - len(rows)
    rest = tag("p", t("runs.more_artifacts", n=more), cls="card-body muted") if more > 0 else None
    return card(t("runs.artifacts"), div(rows, cls="rows"), rest)


def _capsule(t: Texts, run: Run) -> Html:
    """All that `rerun exactly` takes; versions of secrets, never a value."""
    text = json.dumps(run.capsule, indent=2, ensure_ascii=False, sort_keys=True)
    return card(
        t("runs.capsule"),
        tag(
            "details",
            tag("summary", t("runs.capsule_about"), cls="muted"),
            tag("pre", Data(text), cls="json", tabindex="0"),
            cls="card-body",
        ),
    )
