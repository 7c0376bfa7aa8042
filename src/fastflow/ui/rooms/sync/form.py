"""The form that adds a repository, and changes or removes one. What is right, the service decides."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from nicegui import ui

from fastflow.kernel.sync.domain.errors import SyncRefused
from fastflow.kernel.sync.domain.repository import AUTHS, Auth, Definition, Repository
from fastflow.kernel.sync.service import RepositoryService
from fastflow.kit.identity import Role
from fastflow.ui.hints import as_told
from fastflow.ui.icons import icon
from fastflow.ui.markup import div, span
from fastflow.ui.parts import heading
from fastflow.ui.shell.controls import button, confirm
from fastflow.ui.shell.forms import Field, Form, area_field, choice_field, read_length, text_field, typed_length
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data

_TAKES: Mapping[Auth, tuple[str, ...]] = {
    "none": (),
    "password": ("username", "secret"),
    "ssh": ("secret", "host_keys"),
    "github-app": ("secret", "app_id", "installation_id"),
}
"""The fields that a way of logging in asks for."""
_BY_CHOICE = ("username", "secret", "host_keys", "app_id", "installation_id")
_OR_NONE = ("secret", "app_id", "installation_id", "host_keys", "webhook_secret")


class RepositoryForms:
    """Builds the pages.

    Args:
        repositories: takes what was filled in.
    """

    def __init__(self, repositories: RepositoryService) -> None:
        self._repositories = repositories

    async def build_new(self, page: Page) -> None:
        """A page that adds one."""
        t = page.t
        Fragment(heading(t("sync.new"), trail=[(f"{BASE}/sync", t("sync.title"))], under=t("sync.new_about")))
        _RepositoryForm(page, self._repositories, None)

    async def build_edit(self, page: Page) -> None:
        """A page that changes one, or removes it."""
        t, name = page.t, page.params["name"]
        repository = await page.ask(self._repositories.get, name, actor=page.actor)
        ui.page_title(f"{repository.name} · {t('sync.title')} · Fast-Flow")
        with ui.element("div").classes("bar"):
            Fragment(heading(Data(repository.name), trail=[(f"{BASE}/sync", t("sync.title"))]), cls="grow")
            self._put_removal(page, repository)
        if repository.origin == "settings":
            Fragment(div(icon("settings"), span(t("sync.from_settings")), cls="note still"))
        _RepositoryForm(page, self._repositories, repository)

    def _put_removal(self, page: Page, repository: Repository) -> None:
        t, name = page.t, repository.name

        async def remove() -> None:
            question, yes, no = t("sync.remove_question", repository=name), t("sync.remove"), t("sync.leave")
            if not await confirm(question, t("sync.remove_text"), yes=yes, no=no):
                return
            try:
                await page.ask(self._repositories.delete, name, actor=await page.who())
            except SyncRefused as error:
                told = as_told(t, f"{error.message} {error.hint}")
                if not await confirm(t("sync.force_question"), told, yes=t("sync.force"), no=no):
                    return
                await page.ask(self._repositories.delete, name, actor=await page.who(), force=True)
            page.go("/sync")

        may = page.may_everywhere(Role.ADMIN)
        why_not = t("sync.from_settings") if repository.origin == "settings" else None
        with ui.element("div").classes("actions"):
            button(
                page, t("sync.remove"), remove, drawing="trash", cls="danger", may=may, role=Role.ADMIN, why_not=why_not
            )  # fmt: skip


class _RepositoryForm:
    """The form on a page; `repository` of the one that is changed, None for a new one."""

    def __init__(self, page: Page, repositories: RepositoryService, repository: Repository | None) -> None:
        self._page = page
        self._repositories = repositories
        self._repository = repository
        t, begun = page.t, repository or Definition(name="", url="")
        with (
            ui.element("section").classes("card narrow"),
            ui.element("form").classes("run-form top").on("submit.prevent", lambda: None),
        ):
            self._fields = self._put_where(begun) | self._put_login(begun)
            self._fields["webhook_secret"] = self._text("webhook_secret", begun.webhook_secret or "")
            self._fields["interval"] = text_field(
                page, t("sync.interval"), "0" if begun.interval == 0 else typed_length(begun.interval),
                about=t("sync.interval_about"),
            )  # fmt: skip
            with ui.element("div").classes("actions"):
                is_ours = repository is None or repository.origin == "user"
                why_not = None if is_ours else t("sync.from_settings")
                may = page.may_everywhere(Role.ADMIN)
                button(
                    page, t("sync.save"), self._save, drawing="check", cls="primary", may=may, role=Role.ADMIN,
                    why_not=why_not,
                )  # fmt: skip
        self._show_fitting()

    def _put_where(self, begun: Definition) -> dict[str, Field]:
        page, t = self._page, self._page.t
        fields: dict[str, Field] = {}
        if self._repository is None:
            fields["name"] = text_field(page, t("sync.name"), about=t("sync.name_about"), is_required=True)
        fields["url"] = text_field(page, t("sync.address"), begun.url, about=t("sync.url_about"), is_required=True)
        fields["branch"] = text_field(page, t("sync.branch"), begun.branch, is_required=True)
        fields["subfolder"] = self._text("subfolder", begun.subfolder)
        fields["prefix"] = self._text("prefix", begun.prefix)
        return fields

    def _put_login(self, begun: Definition) -> dict[str, Field]:
        page, t = self._page, self._page.t
        auths = {each: str(t(f"sync.auth_{each.replace('-', '_')}")) for each in AUTHS}
        return {
            "auth": choice_field(page, t("sync.auth"), auths, begun.auth, changed=self._show),
            "username": self._text("username", begun.username),
            "secret": self._text("secret", begun.secret or ""),
            "app_id": self._text("app_id", begun.app_id or ""),
            "installation_id": self._text("installation_id", begun.installation_id or ""),
            "host_keys": area_field(page, t("sync.host_keys"), begun.host_keys or "", about=t("sync.host_keys_about")),
        }

    def _text(self, name: str, value: str) -> Field:
        t = self._page.t
        return text_field(self._page, t(f"sync.{name}"), value, about=t(f"sync.{name}_about"))

    async def _show(self) -> None:
        self._show_fitting()

    def _show_fitting(self) -> None:
        """Show what the chosen way of logging in takes."""
        for name in _BY_CHOICE:
            self._fields[name].show(is_shown=name in _TAKES[self._fields["auth"].value])

    async def _save(self) -> None:
        page, fields = self._page, self._fields
        with Form(fields, codes={"repository_exists": "name"}).placing():
            given = self._read()
            if self._repository is None:
                made = await page.ask(self._repositories.create, Definition(**given), actor=await page.who())
                page.go(f"/sync?repository={quote(made.name, safe='')}")
                return
            await page.ask(self._repositories.change, self._repository.name, given, actor=await page.who())
        page.tell(page.t("sync.saved"))

    def _read(self) -> dict[str, Any]:
        """What was filled in; what the chosen way of logging in does not take is left away.

        Raises:
            InvalidInput: the time between two looks is none.
        """
        fields = self._fields
        auth: Auth = fields["auth"].value
        given: dict[str, Any] = {name: field.text for name, field in fields.items() if name not in ("auth", "interval")}
        given |= {name: "" for name in _BY_CHOICE if name not in _TAKES[auth]}
        given |= {name: given[name] or None for name in _OR_NONE}
        typed = fields["interval"].text
        interval = read_length(fields["interval"], "interval", empty=0.0) if typed else None
        return {**given, "auth": auth, "interval": interval}
