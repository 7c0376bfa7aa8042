"""The form that makes a secret or a parameter."""

from urllib.parse import quote

from nicegui import ui

from fastflow.kernel.secrets.service import SecretService
from fastflow.kit.identity import Role
from fastflow.ui.parts import heading
from fastflow.ui.rooms.secrets.allowing import Allowing
from fastflow.ui.rooms.secrets.readers import Readers
from fastflow.ui.shell.controls import button
from fastflow.ui.shell.forms import Form, switch_field, text_field
from fastflow.ui.shell.page import BASE, Fragment, Page


class NewSecretPage:
    """Builds the page.

    Args:
        secrets: takes what was filled in.
        readers: what may be allowed.
    """

    def __init__(self, secrets: SecretService, readers: Readers) -> None:
        self._secrets = secrets
        self._readers = readers

    async def build(self, page: Page) -> None:
        """Put it on the page; `?key=` is its name."""
        t = page.t
        pipelines = await page.ask(self._readers.pipelines, page.actor)
        Fragment(heading(t("secrets.new"), trail=[(f"{BASE}/secrets", t("secrets.title"))]))
        with (
            ui.element("section").classes("card narrow"),
            ui.element("form").classes("run-form top").on("submit.prevent", lambda: None),
        ):
            key = text_field(
                page, t("secrets.key"), page.query.get("key", ""), about=t("secrets.key_about"), is_required=True
            )
            value = text_field(
                page, t("secrets.value"), kind="password", about=t("secrets.value_about"), is_required=True
            )
            is_parameter = switch_field(page, t("secrets.as_parameter"), about=t("secrets.as_parameter_about"))
            allowing = Allowing(page, pipelines, None, may_all=page.may_everywhere(Role.ADMIN))
            form = Form(
                {"key": key, "value": value, "pipelines": allowing.field}, codes={"secret_exists": "key"}
            )  # fmt: skip

            async def save() -> None:
                taken = value.take()
                with form.placing():
                    made = await page.ask(
                        self._secrets.create,
                        key.text,
                        taken,
                        is_parameter=bool(is_parameter.value),
                        pipelines=allowing.value,
                        actor=await page.who(),
                    )
                page.go(f"/secrets/{quote(made.key, safe='')}")

            with ui.element("div").classes("actions"):
                may = page.may(Role.ADMIN)
                button(page, t("secrets.save"), save, drawing="check", cls="primary", may=may, role=Role.ADMIN)
