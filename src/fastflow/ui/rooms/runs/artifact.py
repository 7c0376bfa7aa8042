"""One file that a run left: the beginning of it, and the whole of it to be saved."""

from itertools import zip_longest
from urllib.parse import quote

from nicegui import ui

from fastflow.kernel.runs.domain.logged_run import StoredArtifact
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.log_service import LogService
from fastflow.kernel.runs.service import RunService
from fastflow.kit.identity import Actor
from fastflow.ui.icons import icon
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import card, empty, facts, heading, short, size, when
from fastflow.ui.rooms.runs.parquet import Footer
from fastflow.ui.rooms.runs.preview import Preview, is_of_numbers, preview
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Texts


class ArtifactPage:
    """Builds the page.

    Args:
        runs: whose file it is.
        logs: the files.
    """

    def __init__(self, runs: RunService, logs: LogService) -> None:
        self._runs = runs
        self._logs = logs

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        t, path = page.t, page.query.get("path", "")
        run, artifact, found = await page.ask(self._look, page.params["run_id"], path, page.actor)
        ui.page_title(f"{artifact.path} · Fast-Flow")
        address = f"/runs/{run.id}/artifacts/{quote(artifact.path)}"
        save = link(address, icon("download"), span(t("log.download")), cls="button", download=True)
        trail = [
            (f"{BASE}/runs", t("runs.title")),
            (f"{BASE}/runs/{run.id}", t("artifact.of_run", pipeline=run.pipeline_name, id=short(run.id))),
        ]
        Fragment(
            join(
                heading(Data(artifact.path), save, trail=trail),
                div(
                    div(_shown(t, found, address)),
                    div(card(t("runs.details"), _details(t, artifact))),
                    cls="columns",
                ),
            )
        )

    def _look(self, run_id: str, path: str, actor: Actor) -> tuple[Run, StoredArtifact, Preview]:
        run = self._runs.get(run_id, actor=actor)
        opened = self._logs.open_artifact(actor, run.id, path)
        try:
            artifact = opened.artifact
            found = preview(path, artifact.size_bytes, lambda begin, end: b"".join(opened.read(begin, end)))
        finally:
            opened.close()
        return run, artifact, found


def _details(t: Texts, artifact: StoredArtifact) -> Html:
    return facts(
        [
            (t("artifact.size"), size(artifact.size_bytes)),
            (t("artifact.made"), when(artifact.created_at, "clock")),
            (t("artifact.hash"), tag("code", Data(artifact.sha256))),
        ]
    )


def _shown(t: Texts, found: Preview, address: str) -> Html:
    if found.kind == "none":
        return div(empty("file", t("artifact.none"), t("artifact.none_hint")), cls="card")
    if found.kind == "image":
        image = tag("img", src=address, alt=t("artifact.image"))
        return card(t("artifact.preview"), div(image, cls="card-body picture"))
    part = None if found.is_whole else span(t("artifact.begin"), cls="muted")
    if found.footer is not None:
        return card(t("artifact.columns"), _parquet(t, found.footer), aside=span(t("artifact.no_rows"), cls="muted"))
    if found.kind == "table":
        return card(t("artifact.preview"), _table(t, found), aside=part)
    text = tag("pre", Data(found.text), cls="json tall", tabindex="0")
    return card(t("artifact.preview"), text, aside=part)


def _table(t: Texts, found: Preview) -> Html:
    head, *rows = found.rows or [()]
    cls = ["right" if is_of_numbers(column) else "" for column in zip_longest(*rows, fillvalue="")]
    cls += [""] * len(head)
    return div(
        tag(
            "table",
            tag("thead", tag("tr", [tag("th", Data(cell), scope="col", cls=cls[at]) for at, cell in enumerate(head)])),
            tag(
                "tbody",
                [tag("tr", [tag("td", Data(cell), cls=cls[at]) for at, cell in enumerate(row)]) for row in rows],
            ),
            cls="list dense",
        ),
        cls="table-wrap",
        tabindex="0",
        role="region",
        aria_label=t("artifact.preview"),
    )


def _parquet(t: Texts, footer: Footer) -> Html:
    rows = [
        tag(
            "tr",
            tag("td", tag("code", Data(column.name))),
            tag("td", Data(column.kind)),
            tag("td", t("artifact.optional") if column.is_optional else None, cls="muted"),
        )
        for column in footer.columns
    ]
    told = facts(
        [
            (t("artifact.rows"), span(Data(f"{footer.rows:,}".replace(",", "\u202f")), cls="number")),
            (t("artifact.groups"), Data(footer.groups)),
            (t("artifact.made_by"), Data(footer.made_by)),
        ]
    )
    return join(told, div(tag("table", tag("tbody", rows), cls="list dense"), cls="table-wrap"))
