"""What is done with the dead letters that were ticked: all are submitted again, or put aside."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from fastflow.kernel.failures.service import LetterService
from fastflow.kit.identity import Actor
from fastflow.ui.rooms.letters.replaying import ask_how, ask_why, dismiss_these, replay_these
from fastflow.ui.rooms.letters.schemas import Schema, Schemas
from fastflow.ui.shell.page import Page


class ManyLetters:
    """Does it, after a question.

    Args:
        page: where they are.
        letters: takes them.
        schemas: what their pipelines take.

    Attributes:
        look: brings the page up to date.
    """

    def __init__(self, page: Page, letters: LetterService, schemas: Schemas) -> None:
        self._page = page
        self._letters = letters
        self._schemas = schemas
        self.look: Callable[[], Awaitable[None]] = _nothing

    async def do(self, deed: str, ids: Sequence[str]) -> bool:
        """Whether it was done."""
        page, t = self._page, self._page.t
        title = t.count(f"letters.{deed}_these", len(ids))
        if deed == "dismiss":
            is_done = await ask_why(page, title, partial(dismiss_these, self._letters, ids))
        else:
            schema = await page.ask(self._schema_of, ids, await page.who())
            count = t.count("letters.all_of_them", len(ids))
            is_done = await ask_how(page, title, count, schema, partial(replay_these, self._letters, ids))
        if is_done:
            await self.look()
        return is_done

    def _schema_of(self, ids: Sequence[str], actor: Actor) -> Schema:
        return self._schemas.of_all({self._letters.get(each, actor=actor).run.pipeline_name for each in ids})


async def _nothing() -> None:
    """Before the page is whole nothing follows."""
