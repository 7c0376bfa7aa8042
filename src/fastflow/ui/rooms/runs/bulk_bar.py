"""The bar above the table of runs: cancel or replay those that were chosen, or all that fit the filters."""

from collections.abc import Callable
from typing import Any

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from fastflow.kernel.runs.domain.run import RunFilter
from fastflow.kit.identity import Role
from fastflow.kit.ids import new_id
from fastflow.ui.hints import as_told
from fastflow.ui.rooms.runs.bulk import MOST, BulkRuns, Deed, Meant, Outcome
from fastflow.ui.shell.controls import confirm
from fastflow.ui.shell.page import Page, toast

_WORDS = ("title", "chosen", "all", "cancel", "replay", "clear")
_AT_ONCE = 25
"""After so many it is asked again who acts."""


class BulkBar(Element, component="bulk_bar.js"):
    """The bar.

    Args:
        page: where it is.
        bulk: does it.
        wanted: what the filters say now.
    """

    def __init__(self, page: Page, bulk: BulkRuns, wanted: Callable[[], RunFilter]) -> None:
        super().__init__()
        t = page.t
        self._page = page
        self._bulk = bulk
        self._wanted = wanted
        self._props["may"] = page.may(Role.OPERATOR)
        self._props["why"] = t("shell.needs_role", role=t(f"shell.role_{Role.OPERATOR.word}"))
        # `{n}` is filled in by the browser
        self._props["words"] = {word: t(f"bulk.{word}") for word in _WORDS}
        self.on("act", self._pressed)

    async def _pressed(self, event: GenericEventArguments) -> None:
        is_done = False

        async def do() -> None:
            nonlocal is_done
            is_done = await self._do(event.args)

        try:
            await self._page.act(do)()
        finally:
            if not self.is_deleted:
                self.run_method("settle", is_done)

    async def _do(self, asked: dict[str, Any]) -> bool:
        page, t = self._page, self._page.t
        deed: Deed = "cancel" if asked.get("deed") == "cancel" else "replay"
        ids = [str(each) for each in asked.get("ids", ())]
        actor = await page.who()
        if ids:
            meant = await page.ask(self._bulk.find_chosen, deed, ids, actor)
        else:
            meant = await page.ask(self._bulk.find_all, deed, self._wanted(), actor)
        if not meant.ids:
            toast(t(f"bulk.{deed}_none"), "", is_problem=False)
            return False
        if not await self._is_meant(deed, meant, is_all=not ids):
            return False
        outcome, batch = Outcome(), new_id()
        for begin in range(0, len(meant.ids), _AT_ONCE):
            part = meant.ids[begin : begin + _AT_ONCE]
            await page.ask(self._bulk.do, deed, part, await page.who(), outcome, batch)
        self._tell(deed, outcome)
        return True

    async def _is_meant(self, deed: Deed, meant: Meant, *, is_all: bool) -> bool:
        t = self._page.t
        told = [t(f"bulk.{deed}_text")]
        if is_all:
            told.append(t("bulk.all_text"))
        if meant.is_more:
            told.append(t("bulk.more_text", n=MOST))
        if meant.others:
            told.append(t.count(f"bulk.{deed}_others", meant.others))
        yes = t(f"bulk.{deed}_yes", n=len(meant.ids))
        question = t.count(f"bulk.{deed}_question", len(meant.ids))
        return await confirm(question, t.joined(told), yes=yes, no=t("bulk.leave"))

    def _tell(self, deed: Deed, outcome: Outcome) -> None:
        t = self._page.t
        done = t.count(f"bulk.{deed}_done", outcome.done)
        if outcome.first_problem is None:
            self._page.tell(done)
            return
        refused = t.count("bulk.refused", outcome.refused)
        toast(f"{done} {refused}", as_told(t, outcome.first_problem.message), is_problem=True)
