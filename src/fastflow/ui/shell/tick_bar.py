"""A bar above rows with boxes: what is to be done with those that were ticked; the boxes are the browser's."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from fastflow.kit.identity import Role
from fastflow.ui.shell.page import Page
from fastflow.ui.texts import Phrase

_WORDS = ("title", "chosen", "clear")
Do = Callable[[str, Sequence[str]], Awaitable[bool]]
"""Does what a deed's name stands for with the values of the ticked boxes; whether it was done, and the ticks can go."""


@dataclass(frozen=True, kw_only=True)
class Deed:
    """A button of the bar."""

    name: str
    label: Phrase
    is_danger: bool = False


class TickBar(Element, component="tick_bar.js"):
    """The bar.

    Args:
        page: where it is.
        box: name of the boxes; one named `every-NAME` ticks all that are shown.
        deeds: what can be done.
        none: said while none is ticked.
        is_all_meant: the deeds can be done while none is ticked, and then mean all.
        do: does it.
    """

    def __init__(
        self, page: Page, *, box: str, deeds: Sequence[Deed], none: Phrase, is_all_meant: bool, do: Do
    ) -> None:
        super().__init__()
        t = page.t
        self._page = page
        self._do = do
        self._names = {each.name for each in deeds}
        self._props["box"] = box
        self._props["deeds"] = [
            {"name": each.name, "label": str(each.label), "danger": each.is_danger} for each in deeds
        ]
        self._props["none"] = str(none)
        self._props["all"] = is_all_meant
        self._props["may"] = page.may(Role.OPERATOR)
        self._props["why"] = t("shell.needs_role", role=t(f"shell.role_{Role.OPERATOR.word}"))
        # `{n}` is filled in by the browser
        self._props["words"] = {word: t(f"tick.{word}") for word in _WORDS}
        self.on("act", self._pressed)

    async def _pressed(self, event: GenericEventArguments) -> None:
        is_done = False
        asked = event.args

        async def do() -> None:
            nonlocal is_done
            name, values = str(asked.get("deed")), [str(each) for each in asked.get("ids", ())]
            is_done = name in self._names and await self._do(name, values)

        try:
            await self._page.act(do)()
        finally:
            if not self.is_deleted:
                self.run_method("settle", is_done)
