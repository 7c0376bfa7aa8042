"""A pipeline's files, each with the numbers of its lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from nicegui import ui

from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.pipelines.domain.source import UnreadableFile
from fastflow.kernel.pipelines.service import PipelineCatalog
from fastflow.kit.errors import NotFound
from fastflow.kit.identity import Actor
from fastflow.ui.icons import icon
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import card, empty, heading
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Phrase, Texts

_MOST_BYTES = 256 * 1024
_MOST_FILES = 300


@dataclass(frozen=True, kw_only=True)
class _Shown:
    pipeline: Pipeline
    paths: Sequence[str]
    path: str
    text: str | None
    is_whole: bool


class SourcePage:
    """Builds the page.

    Args:
        catalog: the pipelines and their files.
    """

    def __init__(self, catalog: PipelineCatalog) -> None:
        self._catalog = catalog

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        t, name = page.t, page.params["name"]
        shown = await page.ask(self._look, name, page.query.get("file", ""), page.actor, t)
        ui.page_title(f"{shown.path} · {name} · Fast-Flow")
        here = f"{BASE}/pipelines/{quote(name, safe='')}"
        trail: list[tuple[str, Phrase | Data]] = [(f"{BASE}/pipelines", t("pipelines.title")), (here, Data(name))]
        commit = shown.pipeline.commit
        at = t("source.at_commit", commit=commit[:10]) if commit else t("source.as_it_is")
        Fragment(
            join(
                heading(Data(shown.path), trail=trail, under=at),
                div(div(_text(t, shown)), div(_files(t, here, shown)), cls="columns"),
            )
        )

    def _look(self, name: str, path: str, actor: Actor, t: Texts) -> _Shown:
        actor.require_pipeline(name)
        pipeline = self._catalog.get(name)
        files = self._catalog.files_of(name)
        path = path or pipeline.script
        if path not in files.paths:
            raise NotFound(t("source.no_file", path=path[:200]), hint=t("source.no_file_hint"))
        try:
            data = files.read_begin(path, _MOST_BYTES + 1)
        except UnreadableFile as error:
            raise NotFound(str(error), hint=t("source.no_file_hint")) from error
        text = None if b"\0" in data else data[:_MOST_BYTES].decode("utf-8", "replace")
        return _Shown(
            pipeline=pipeline, paths=sorted(files.paths), path=path, text=text, is_whole=len(data) <= _MOST_BYTES
        )


def _text(t: Texts, shown: _Shown) -> Html:
    if shown.text is None:
        return div(empty("file", t("source.no_text")), cls="card")
    lines = [
        span(
            link(f"#L{number}", cls="at", data_n=number, aria_label=t("source.line", n=number)),
            Data(line + "\n"),
            id=f"L{number}",
            cls="line",
        )
        for number, line in enumerate(shown.text.split("\n"), 1)
    ]
    part = None if shown.is_whole else span(t("source.begin"), cls="muted")
    return card(Data(shown.path), tag("pre", lines, cls="source", tabindex="0"), aside=part)


def _files(t: Texts, here: str, shown: _Shown) -> Html:
    rows = [
        link(
            f"{here}/source?{urlencode({'file': path})}",
            icon("file"),
            span(tag("code", Data(path)), cls="main"),
            cls="row",
            aria_current="true" if path == shown.path else None,
        )
        for path in shown.paths[:_MOST_FILES]
    ]
    more = len(shown.paths) - len(rows)
    rest = tag("p", t("source.more", n=more), cls="card-body muted") if more > 0 else None
    return card(t("source.files"), div(rows, cls="rows"), rest)
