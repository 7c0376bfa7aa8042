"""What people press: buttons that tell what failed, and the question before something cannot be undone."""

from collections.abc import Awaitable, Callable

from nicegui import ui

from fastflow.kit.identity import Role
from fastflow.ui.icons import icon
from fastflow.ui.markup import Html, join, link, tag
from fastflow.ui.shell.page import BASE, Page
from fastflow.ui.texts import Data, Phrase


def button(
    page: Page,
    label: Phrase,
    do: Callable[[], Awaitable[None]],
    *,
    drawing: str | None = None,
    cls: str = "",
    may: bool = True,
    role: Role = Role.OPERATOR,
    title: Phrase | None = None,
    why_not: Phrase | None = None,
) -> ui.element:
    """A button; while it does something it cannot be pressed again.

    Args:
        page: where it is.
        label: what it says.
        do: what it does; what it raises is told.
        drawing: an icon before the words.
        cls: `primary` or `danger`.
        may: False: shown, but out of use, with the role that is missing; the server decides all the same.
        role: the one that is missing then.
        title: says more.
        why_not: shown, but out of use for this reason.
    """
    made = ui.html(join(icon(drawing) if drawing else None, label), sanitize=False, tag="button")
    made.classes(f"button {cls}").props["type"] = "button"
    if not may or why_not is not None:
        made.props["disabled"] = True
        title = why_not if may else _missing(page, role)
    if title is not None:
        made.props["title"] = str(title)
    act = page.act(do)

    async def press() -> None:
        made.props["disabled"] = True
        made.update()
        try:
            await act()
        finally:
            if not made.is_deleted:
                del made.props["disabled"]
                made.update()

    made.on("click", press)
    return made


def way(page: Page, path: str, label: Phrase, *, drawing: str, may: bool = True, role: Role = Role.OPERATOR) -> Html:
    """A link to another page of ours that looks like a button; `may` and `role` as above."""
    if may:
        return link(BASE + path, icon(drawing), label, cls="button primary")
    return tag("button", icon(drawing), label, cls="button primary", disabled=True, title=_missing(page, role))


def _missing(page: Page, role: Role) -> Phrase:
    return page.t("shell.needs_role", role=page.t(f"shell.role_{role.word}"))


async def confirm(question: Phrase, text: Phrase | Data | Html, *, yes: Phrase, no: Phrase) -> bool:
    """Whether somebody means it."""
    with ui.dialog() as dialog, ui.card().classes("confirm").props('role="alertdialog"'):
        ui.html(question, sanitize=True, tag="h2")
        ui.html(join(text), sanitize=True, tag="p").classes("muted")
        with ui.element("div").classes("actions").style("justify-content: flex-end"):
            ui.html(no, sanitize=True, tag="button").classes("button").on("click", lambda: dialog.submit(False))
            ui.html(yes, sanitize=True, tag="button").classes("button danger").on("click", lambda: dialog.submit(True))
    answer = await dialog
    dialog.delete()
    return answer is True
