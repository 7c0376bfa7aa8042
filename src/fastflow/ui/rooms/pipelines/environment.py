"""The environment that a pipeline's runs have: its identity, its packages, what it takes of the disk."""

from fastflow.kernel.environments.domain.environment import EnvironmentCard, Readiness, locked_packages
from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kit.errors import NotFound
from fastflow.ui.hints import as_told
from fastflow.ui.markup import Child, Html, div, span, tag
from fastflow.ui.parts import card, facts, seconds, size, when
from fastflow.ui.rooms.pipelines.manifest import FindCard
from fastflow.ui.rooms.pipelines.table import state
from fastflow.ui.texts import Data, Phrase, Texts


def find_environment(readiness: Readiness | None, find: FindCard) -> EnvironmentCard | None:
    """The environment, if it lies here."""
    if readiness is None or readiness.environment is None:
        return None
    try:
        return find(readiness.environment)
    except NotFound:
        return None


def put_environment(
    t: Texts, pipeline: Pipeline, readiness: Readiness | None, found: EnvironmentCard | None
) -> Html | None:
    """The card; None: the pipeline asks for nothing that is made here."""
    if readiness is None:
        return None
    rows: list[tuple[Phrase | Data, Child]] = [
        (t("pipelines.state"), state(t, pipeline, readiness)),
        (t("pipelines.hash"), tag("code", Data(readiness.environment[:16])) if readiness.environment else None),
        (t("pipelines.why"), as_told(t, readiness.why) if readiness.why else None),
    ]
    if found is not None:
        rows += [
            (t("pipelines.python"), Data(found.interpreter)),
            (t("pipelines.packages"), span(Data(found.packages), cls="number")),
            (t("pipelines.size"), size(found.size_bytes)),
            (t("pipelines.built"), when(found.built_at)),
            (t("pipelines.build_took"), Data(seconds(found.build_seconds))),
            (t("pipelines.used"), when(found.last_used_at)),
        ]
    return card(t("pipelines.environment"), facts(rows), _packages(t, found) if found and found.packages else None)


def _packages(t: Texts, found: EnvironmentCard) -> Html:
    rows = [
        tag("tr", tag("td", tag("code", Data(name))), tag("td", Data(version), cls="right number"))
        for name, version in sorted(locked_packages(found.lock).items())
    ]
    table = tag("table", tag("tbody", rows), cls="list dense")
    return tag(
        "details",
        tag("summary", t("pipelines.all_packages"), cls="muted"),
        div(table, cls="packages", tabindex="0"),
        cls="card-body",
    )
