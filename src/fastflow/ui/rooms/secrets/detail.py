"""One secret: a new value, who may read it and who does, its versions, and its end. A value is never shown."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from nicegui import ui

from fastflow.kernel.secrets.domain.records import Secret, SecretChange, SecretVersion
from fastflow.kernel.secrets.service import SecretService
from fastflow.kit.identity import Actor, Role
from fastflow.ui.icons import icon
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import card, facts, heading, when
from fastflow.ui.rooms.secrets.allowing import Allowing
from fastflow.ui.rooms.secrets.readers import ReadBy, Readers
from fastflow.ui.rooms.secrets.table import allowance, kind
from fastflow.ui.shell.controls import button, confirm
from fastflow.ui.shell.forms import Form, text_field
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Texts

_LOOK_SECONDS = 10.0
Refresh = Callable[[], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class _Shown:
    secret: Secret
    versions: Sequence[SecretVersion]
    by: ReadBy


class SecretPage:
    """Builds the page.

    Args:
        secrets: takes what is changed.
        readers: who wants it.
    """

    def __init__(self, secrets: SecretService, readers: Readers) -> None:
        self._secrets = secrets
        self._readers = readers

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        t, key = page.t, page.params["key"]
        shown = await page.ask(self._look, key, page.actor)
        pipelines = await page.ask(self._readers.pipelines, page.actor)
        ui.page_title(f"{key} · Fast-Flow")
        may = _may(page, shown.secret)

        async def refresh() -> None:
            nonlocal shown
            shown = await page.ask(self._look, key, await page.who())
            head.show(_head(t, shown.secret))
            note.show(_note(t, shown))
            beside.show(_beside(t, shown))

        with ui.element("div").classes("bar"):
            head = Fragment(_head(t, shown.secret), cls="grow")
            with ui.element("div").classes("actions"):
                _put_delete(page, self._secrets, key, lambda: shown.by, may=may)
        note = Fragment(_note(t, shown))
        with ui.element("div").classes("columns"):
            with ui.element("div"):
                _put_value(page, self._secrets, shown.secret, refresh, may=may)
                _put_allowing(page, self._secrets, shown.secret, pipelines, refresh, may=may)
            beside = Fragment(_beside(t, shown))

        page.live(refresh, kinds=(), every=_LOOK_SECONDS)

    def _look(self, key: str, actor: Actor) -> _Shown:
        return _Shown(
            secret=self._secrets.get(key, actor=actor),
            versions=self._secrets.versions(key, actor=actor),
            by=self._readers.find(actor).get(key, ReadBy()),
        )


def _may(page: Page, secret: Secret) -> bool:
    """Whether to offer changes: whoever administers every pipeline that may read it."""
    if page.may_everywhere(Role.ADMIN):
        return True
    return bool(secret.pipelines) and all(page.may(Role.ADMIN, name) for name in secret.pipelines or ())


def _put_value(page: Page, secrets: SecretService, secret: Secret, refresh: Refresh, *, may: bool) -> None:
    """A new version of the value."""
    t = page.t
    with ui.element("section").classes("card"):
        Fragment(div(tag("h2", t("secrets.new_value")), cls="card-head"))
        with ui.element("form").classes("run-form").on("submit.prevent", lambda: None):
            kind_of_field = "text" if secret.is_parameter else "password"
            value = text_field(page, t("secrets.value"), kind=kind_of_field, about=t("secrets.new_value_about"))
            form = Form({"value": value})

            async def save() -> None:
                change = SecretChange(value=value.take())
                with form.placing():
                    made = await page.ask(secrets.change, secret.key, change, actor=await page.who())
                page.tell(t("secrets.saved_version", version=made.version))
                await refresh()

            with ui.element("div").classes("actions"):
                button(page, t("secrets.rotate"), save, drawing="check", cls="primary", may=may, role=Role.ADMIN)


def _put_allowing(
    page: Page, secrets: SecretService, secret: Secret, pipelines: Sequence[str], refresh: Refresh, *, may: bool
) -> None:
    """Who may read it."""
    t = page.t
    with ui.element("section").classes("card below"):
        Fragment(div(tag("h2", t("secrets.who_may")), cls="card-head"))
        with ui.element("form").classes("run-form").on("submit.prevent", lambda: None):
            allowing = Allowing(page, pipelines, secret.pipelines, may_all=page.may_everywhere(Role.ADMIN))
            form = Form({"pipelines": allowing.field})

            async def save() -> None:
                with form.placing():
                    change = SecretChange(pipelines=allowing.value, sets_pipelines=True)
                    await page.ask(secrets.change, secret.key, change, actor=await page.who())
                page.tell(t("secrets.saved_allowed"))
                await refresh()

            with ui.element("div").classes("actions"):
                button(page, t("secrets.save"), save, drawing="check", may=may, role=Role.ADMIN)


def _put_delete(page: Page, secrets: SecretService, key: str, by: Callable[[], ReadBy], *, may: bool) -> None:
    t = page.t

    async def delete() -> None:
        wanted = by()
        names = [*wanted.pipelines, *wanted.repositories]
        text = t("secrets.delete_used", names=", ".join(names)) if names else t("secrets.delete_text")
        yes, no = t("secrets.delete"), t("secrets.keep")
        if await confirm(t("secrets.delete_question", name=key), text, yes=yes, no=no):
            await page.ask(secrets.delete, key, actor=await page.who())
            page.go("/secrets")

    button(page, t("secrets.delete"), delete, drawing="trash", cls="danger", may=may, role=Role.ADMIN)


def _head(t: Texts, secret: Secret) -> Html:
    return heading(Data(secret.key), kind(t, secret), trail=[(f"{BASE}/secrets", t("secrets.title"))])


def _note(t: Texts, shown: _Shown) -> Html:
    """Pipelines that list it and are not given it: their runs are refused."""
    refused = shown.by.refused(shown.secret)
    if not refused:
        return Html("")
    return div(icon("alert"), span(t("secrets.refused", pipelines=", ".join(refused))), cls="note waits", role="status")


def _beside(t: Texts, shown: _Shown) -> Html:
    secret = shown.secret
    value = tag("code", Data(secret.value.reveal())) if secret.is_parameter and secret.value is not None else None
    rows = facts(
        [
            (t("secrets.value"), value),
            (t("secrets.version"), Data(secret.version)),
            (t("secrets.changed"), when(secret.updated_at, "clock")),
            (t("secrets.made"), when(secret.created_at, "clock")),
            (t("secrets.allowed"), allowance(t, secret)),
        ]
    )
    return join(card(t("secrets.details"), rows), _readers(t, shown), _versions(t, shown.versions))


def _readers(t: Texts, shown: _Shown) -> Html:
    pipelines = [
        link(
            f"{BASE}/pipelines/{quote(name, safe='')}",
            icon("pipelines"),
            span(tag("strong", Data(name)), cls="main"),
            cls="row",
        )
        for name in shown.by.allowed(shown.secret)
    ]
    repositories = [
        link(f"{BASE}/sync", icon("sync"), span(tag("strong", Data(name)), cls="main"), cls="row")
        for name in shown.by.repositories
    ]
    if not pipelines and not repositories:
        return card(t("secrets.read_by"), tag("p", t("secrets.read_by_none"), cls="card-body muted"))
    return card(t("secrets.read_by"), div(pipelines, repositories, cls="rows"))


def _versions(t: Texts, versions: Sequence[SecretVersion]) -> Html:
    rows = [
        div(
            tag("code", t("secrets.version_n", n=each.version)),
            span(tag("small", Data(each.created_by)), cls="main"),
            span(when(each.created_at), cls="side"),
            cls="row",
        )
        for each in versions
    ]
    return card(t("secrets.versions"), div(rows, cls="rows"))
