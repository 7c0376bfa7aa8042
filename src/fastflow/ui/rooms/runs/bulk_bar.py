"""The bar above the table of runs: cancel or replay those that were chosen, or all that fit the filters."""

from collections.abc import Callable, Sequence

from fastflow.kernel.runs.domain.run import RunFilter
from fastflow.kit.ids import new_id
from fastflow.ui.hints import as_told
from fastflow.ui.rooms.runs.bulk import MOST, BulkRuns, Deed, Meant, Outcome
from fastflow.ui.shell.controls import confirm
from fastflow.ui.shell.page import Page, toast
from fastflow.ui.shell.tick_bar import Deed as TickDeed
from fastflow.ui.shell.tick_bar import TickBar

_AT_ONCE = 25
"""After so many it is asked again who acts."""


class BulkBar:
    """The bar.

    Args:
        page: where it is.
        bulk: does it.
        wanted: what the filters say now.
    """

    def __init__(self, page: Page, bulk: BulkRuns, wanted: Callable[[], RunFilter]) -> None:
        t = page.t
        self._page = page
        self._bulk = bulk
        self._wanted = wanted
        deeds = [
            TickDeed(name="cancel", label=t("bulk.cancel"), is_danger=True),
            TickDeed(name="replay", label=t("bulk.replay")),
        ]
        TickBar(page, box="run", deeds=deeds, none=t("bulk.all"), is_all_meant=True, do=self._do)

    async def _do(self, name: str, ids: Sequence[str]) -> bool:
        page, t = self._page, self._page.t
        deed: Deed = "cancel" if name == "cancel" else "replay"
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
