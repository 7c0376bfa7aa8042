"""The form that makes a webhook and changes one: a field for each parameter says where in a call its value is."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from nicegui import ui

from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.webhooks.domain.webhook import SCHEMES, Webhook, WebhookDefinition
from fastflow.kernel.webhooks.service import Made, WebhookService
from fastflow.kit.errors import InvalidInput
from fastflow.kit.identity import Role
from fastflow.ui.markup import tag
from fastflow.ui.shell.controls import button
from fastflow.ui.shell.forms import (
    Field,
    Form,
    area_field,
    choice_field,
    read_length,
    read_number,
    switch_field,
    text_field,
    typed_length,
)
from fastflow.ui.shell.page import Fragment, Page

_WHOLE = "*"
"""The whole body; the service's word for it is nothing at all."""
Then = Callable[[Made], Awaitable[None]]


class WebhookForm:
    """The form on a page.

    Args:
        page: where it is.
        webhooks: takes what was filled in.
        pipeline: which it starts.
        webhook: the one that is changed; None: a new one.
        made: called with a new one.
    """

    def __init__(
        self, page: Page, webhooks: WebhookService, pipeline: Pipeline, webhook: Webhook | None, made: Then
    ) -> None:
        self._page = page
        self._webhooks = webhooks
        self._pipeline = pipeline
        self._webhook = webhook
        self._made = made
        begun: WebhookDefinition = webhook or WebhookDefinition(pipeline_name=pipeline.name)
        t = page.t
        with ui.element("form").classes("run-form top").on("submit.prevent", lambda: None):
            self._fields: dict[str, Field] = {
                "name": text_field(page, t("webhooks.name"), begun.name or "", about=t("webhooks.name_about"))
            }
            if webhook is None:
                schemes: dict[str, str] = {each: t(f"webhooks.scheme_{each}") for each in SCHEMES}
                self._fields["scheme"] = choice_field(
                    page, t("webhooks.scheme"), schemes, begun.scheme, changed=self._show
                )
                self._fields["secret"] = text_field(
                    page, t("webhooks.secret"), kind="password", about=t("webhooks.secret_about")
                )
            self._tolerance = self._fields["tolerance"] = text_field(
                page, t("webhooks.tolerance"), typed_length(begun.tolerance), about=t("webhooks.tolerance_about")
            )
            self._whole = switch_field(
                page, t("webhooks.whole_body"), value=begun.whole_body, about=t("webhooks.whole_body_about"),
                changed=self._show,
            )  # fmt: skip
            self._sources = self._put_sources(begun)
            self._fields["addresses"] = text_field(
                page, t("webhooks.addresses"), " ".join(begun.addresses), about=t("webhooks.addresses_about")
            )
            self._fields["rate_per_minute"] = text_field(page, t("webhooks.rate"), str(begun.rate_per_minute))
            with ui.element("div").classes("actions"):
                may = page.may(Role.OPERATOR, pipeline.name)
                button(page, t("webhooks.save"), self._save, drawing="check", cls="primary", may=may)
        self._scheme = begun.scheme
        self._show_fitting()

    def _put_sources(self, begun: WebhookDefinition) -> Mapping[str, Field]:
        """Where the values of parameters are; of a pipeline that declares none, lines that name them."""
        page, t = self._page, self._page.t
        with ui.element("div").classes("sources") as self._place:
            Fragment(tag("p", t("webhooks.sources_about"), cls="muted small-text"))
            schema = self._pipeline.params_schema
            if schema is None:
                lines = "\n".join(f"{name} = {source}" for name, source in begun.mapping.items())
                return {"": area_field(page, t("webhooks.sources"), lines, about=t("webhooks.lines_about"))}
            names = [*(schema.get("properties") or {}), *begun.mapping]
            required = set(schema.get("required", ()))
            begin = {name: source or _WHOLE for name, source in begun.mapping.items()}
            return {
                name: text_field(
                    page, t("webhooks.source_of", name=name), begin.get(name, ""), is_required=name in required
                )
                for name in dict.fromkeys(names)
            }

    async def _show(self) -> None:
        self._show_fitting()

    def _show_fitting(self) -> None:
        """Show what the scheme takes, and where parameters come from unless the body is them."""
        scheme = self._fields["scheme"].value if "scheme" in self._fields else self._scheme
        if "secret" in self._fields:
            self._fields["secret"].show(is_shown=scheme != "none")
        self._tolerance.show(is_shown=scheme in ("standard", "stripe"))
        self._place.set_visibility(not self._whole.value)

    async def _save(self) -> None:
        page, fields = self._page, self._fields
        sources = {f"mapping.{name}" if name else "mapping": field for name, field in self._sources.items()}
        with Form({**fields, **sources}, codes={"webhook_name_taken": "name"}).placing():
            given: dict[str, Any] = {
                "name": fields["name"].text or None,
                "tolerance": read_length(fields["tolerance"], "tolerance", empty=0.0) or 0.0,
                "mapping": {} if self._whole.value else self._mapping(),
                "whole_body": bool(self._whole.value),
                "addresses": tuple(fields["addresses"].text.replace(",", " ").split()),
                "rate_per_minute": int(read_number(fields["rate_per_minute"], "rate_per_minute") or 0),
            }
            if self._webhook is not None:
                kept = {**given, "name": given["name"] or self._webhook.name}
                await page.ask(self._webhooks.change, self._webhook.id, kept, actor=await page.who())
                page.tell(page.t("webhooks.saved"))
                return
            scheme = fields["scheme"].value
            secret = fields["secret"].take() if scheme != "none" and fields["secret"].text else None
            definition = WebhookDefinition(pipeline_name=self._pipeline.name, scheme=scheme, **given)
            made = await page.ask(self._webhooks.create, definition, secret, actor=await page.who())
        await self._made(made)

    def _mapping(self) -> dict[str, str]:
        """Parameter -> where its value is.

        Raises:
            InvalidInput: a line that names none.
        """
        if "" not in self._sources:
            typed = {name: field.text for name, field in self._sources.items() if field.text}
            return {name: "" if source == _WHOLE else source for name, source in typed.items()}
        found: dict[str, str] = {}
        for line in self._sources[""].text.splitlines():
            name, sign, source = (part.strip() for part in line.partition("="))
            if line.strip() and not (name and sign):
                raise self._no_line(line)
            if name:
                found[name] = source
        return found

    def _no_line(self, line: str) -> InvalidInput:
        t = self._page.t
        problem = t("webhooks.no_line", line=line[:60])
        return InvalidInput(problem, hint=t("shell.mend"), fields={"mapping": problem})
