"""What stands around every page: navigation, search, who is logged in; and what stands in place of one that failed."""

import json
from bisect import bisect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from nicegui import ui

from fastflow.kit.errors import FastFlowError
from fastflow.ui.hints import as_told, problem_as_told
from fastflow.ui.icons import icon, mark
from fastflow.ui.manifest import Manifest, NavEntry, PageSpec
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data

_GROUPS = (50, 80)
"""From these places on, entries of the navigation belong to another group."""


class Frame:
    """The frame of all pages.

    Args:
        manifests: the rooms.
        version: of the static files.
    """

    def __init__(self, manifests: Sequence[Manifest], *, version: str) -> None:
        self._entries = sorted((entry for manifest in manifests for entry in manifest.nav), key=lambda each: each.order)
        self._static = f"{BASE}/static/{version}"

    @contextmanager
    def around(self, page: Page, spec: PageSpec) -> Iterator[None]:
        """The frame, inside which the page puts its content."""
        ui.page_title(f"{page.t(spec.title)} · Fast-Flow")
        ui.add_head_html(self._head(page))
        entries = [entry for entry in self._entries if _is_for(page, entry)]
        with ui.element("div").classes("shell"):
            Fragment(self._sidebar(page, entries), tag="aside", cls="sidebar")
            with ui.element("div").classes("stage"):
                Fragment(self._topbar(page), tag="header", cls="topbar")
                with ui.element("main").classes("content").props('id="content" tabindex="-1"'):
                    yield

    def _head(self, page: Page) -> str:
        t = page.t
        given = {
            "base": BASE,
            "language": t.language,
            "words": dict(t.starting_with("script.")),
            "statuses": dict(t.starting_with("status.")),
            "lost": dict(t.starting_with("lost.")),
            "pages": [
                {"path": BASE + entry.path, "label": t(entry.label), "key": entry.key}
                for entry in self._entries
                if _is_for(page, entry)
            ],
        }
        return join(
            tag("link", rel="icon", href=f"{self._static}/mark.svg"),
            tag("link", rel="stylesheet", href=f"{self._static}/app.css"),
            tag("link", rel="stylesheet", href=f"{self._static}/forms.css"),
            tag("link", rel="stylesheet", href=f"{self._static}/pieces.css"),
            tag("link", rel="stylesheet", href=f"{self._static}/report.css"),
            Html(
                f'<script type="application/json" id="given">{json.dumps(given).replace("<", chr(92) + "u003c")}</script>'
            ),
            tag("script", src=f"{self._static}/theme.js"),
            tag("script", src=f"{self._static}/app.js", defer=True),
            tag("script", src=f"{self._static}/palette.js", defer=True),
            tag("script", src=f"{self._static}/narrow.js", defer=True),
            tag("script", src=f"{self._static}/upload.js", defer=True),
        )

    def _sidebar(self, page: Page, entries: Sequence[NavEntry]) -> Html:
        t = page.t
        return join(
            link("#content", t("shell.skip"), cls="skip"),
            link(f"{BASE}/", mark(), span(Data("Fast-Flow")), cls="brand"),
            tag(
                "nav",
                self._ways(page, [entry for entry in entries if not entry.is_apart]),
                aria_label=t("shell.navigation"),
            ),
            div(
                _person(page, [entry for entry in entries if entry.is_apart]),
                div(
                    _tool("theme", "sun", t("shell.theme")),
                    tag("button", t("shell.language"), cls="tool text", data_do="language"),
                    _tool("logout", "leave", t("shell.log_out")),
                    cls="tools",
                ),
                cls="foot",
            ),
        )

    def _ways(self, page: Page, entries: Sequence[NavEntry]) -> Sequence[Html]:
        """What is done daily, what is kept, and what is administered, each a little apart."""
        groups = [bisect(_GROUPS, entry.order) for entry in entries]
        return [
            self._entry(page, entry, cls="apart" if group != before else "")
            for entry, group, before in zip(entries, groups, [*groups[:1], *groups], strict=False)
        ]

    def _entry(self, page: Page, entry: NavEntry, *, cls: str) -> Html:
        path = BASE + entry.path
        here = page.path.rstrip("/")
        is_here = here == path.rstrip("/") or (entry.path != "/" and here.startswith(path + "/"))
        label = span(page.t(entry.label))
        return link(path, icon(entry.icon), label, cls=cls, aria_current="page" if is_here else None)

    def _topbar(self, page: Page) -> Html:
        t = page.t
        return join(
            _tool("menu", "menu", t("shell.menu")),
            link(f"{BASE}/", mark(), cls="brand small", aria_label="Fast-Flow"),
            tag(
                "button", icon("search"), span(t("shell.search"), cls="grow"), tag("kbd", Data("Ctrl K")),
                cls="find", data_do="palette", aria_label=t("shell.search"),
            ),
        )  # fmt: skip


def _person(page: Page, entries: Sequence[NavEntry]) -> Html:
    """Who is logged in; leads to the page of theirs, where a room brings one."""
    shown = (
        tag("strong", Data(page.actor.name.partition(":")[2] or page.actor.name)),
        span(page.t(f"shell.role_{page.actor.role.word}"), cls="muted"),
    )
    if not entries:
        return div(*shown, cls="person")
    return link(BASE + entries[0].path, *shown, cls="person", title=page.t(entries[0].label))


def _is_for(page: Page, entry: NavEntry) -> bool:
    return page.actor.role >= entry.role if entry.is_everywhere else page.may(entry.role)


def _tool(do: str, drawing: str, label: str) -> Html:
    return tag("button", icon(drawing), cls=f"tool {do}", data_do=do, aria_label=label, title=label)


def put_problem(page: Page, error: FastFlowError | None) -> None:
    """Say on the page why there is nothing else on it."""
    t = page.t
    Fragment(
        div(
            icon("alert"),
            tag("h1", t("shell.failed") if error is None else problem_as_told(t, error)),
            tag("p", t("shell.unforeseen_hint") if error is None else as_told(t, error.hint), cls="muted"),
            link(f"{BASE}/", t("shell.back"), cls="button"),
            cls="empty tall",
        )
    )
