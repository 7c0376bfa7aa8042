"""What people ask of repositories: a plan, a sync, a way back. What is refused can be forced, after a second question."""

from collections.abc import Awaitable, Callable

from fastflow.kernel.sync.domain.errors import SyncRefused
from fastflow.kernel.sync.domain.sync import Sync
from fastflow.kernel.sync.service import SyncService
from fastflow.kit.identity import Role
from fastflow.ui.hints import as_told
from fastflow.ui.shell.controls import button, confirm
from fastflow.ui.shell.page import Page
from fastflow.ui.texts import Phrase

Do = Callable[[], Awaitable[None]]


class Acting:
    """Asks the service for somebody.

    Args:
        page: theirs.
        syncs: the service.
    """

    def __init__(self, page: Page, syncs: SyncService) -> None:
        self._page = page
        self._syncs = syncs
        self.may = page.may_everywhere(Role.OPERATOR)

    def plan(self, repository: str) -> Do:
        """What a sync would do."""
        return self._asking(repository, plan_only=True)

    def sync(self, repository: str, *, force: bool = False) -> Do:
        """A sync; forced, it goes on in spite of what speaks against it, after a question."""
        return self._asking(repository, force=force)

    def rollback(self, repository: str, target: Sync | None) -> Do:
        """Back to a version; None: to the last one before the active one."""

        async def act() -> None:
            page, t = self._page, self._page.t
            commit = target.commit if target else None
            which = t("sync.to_commit", commit=commit[:10]) if commit else t("sync.to_last")
            question = t("sync.rollback_question", repository=repository, which=which)
            if not await confirm(question, t("sync.rollback_text"), yes=t("sync.rollback"), no=t("sync.leave")):
                return
            try:
                done = await page.ask(self._syncs.rollback, repository, commit, actor=await page.who())
            except SyncRefused as error:
                if "blockers" not in error.extra or not await self._insists(error):
                    raise
                done = await page.ask(self._syncs.rollback, repository, commit, actor=await page.who(), force=True)
            page.go(f"/sync/{done.id}")

        return act

    def offer(self, label: Phrase, do: Do, drawing: str, cls: str = "") -> None:
        """A button that does it."""
        made = button(self._page, label, do, drawing=drawing, cls=cls, may=self.may)
        if not self.may and self._page.actor.pipelines is not None:
            made.props["title"] = str(self._page.t("sync.scoped"))

    def _asking(self, repository: str, *, plan_only: bool = False, force: bool = False) -> Do:
        async def act() -> None:
            page, t = self._page, self._page.t
            if force:
                yes, no = t("sync.force"), t("sync.leave")
                if not await confirm(t("sync.force_question"), t("sync.force_text"), yes=yes, no=no):
                    return
            (asked,) = await page.ask(
                self._syncs.request, repository, actor=await page.who(), plan_only=plan_only, force=force
            )
            page.go(f"/sync/{asked.id}")

        return act

    async def _insists(self, error: SyncRefused) -> bool:
        t = self._page.t
        told = as_told(t, f"{error.message} {error.hint}")
        return await confirm(t("sync.force_question"), told, yes=t("sync.force"), no=t("sync.leave"))
