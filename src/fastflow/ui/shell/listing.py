"""Lists of a room: a table with its heads, what stands there without rows, the way to the next page, kept up to date.

A page that is a list reads it first, so that a refusal stands alone, and puts it below its heading:

    listing = Listing(
        page, "/daemons", self._look,
        heads=[head(t("daemons.daemon")), head(t("daemons.restarts"), "right wide-only")],
        row=partial(_row, t),
        none=empty("daemon", t("daemons.none"), t("daemons.none_hint")),
        older=t("daemons.more"),
    )
    await listing.read()
    Fragment(heading(t("daemons.title"), under=t("daemons.about")))
    listing.put(every=3.0)

`_look` gets who asks and the cursor of the address, in a thread, and says what they may not see by raising. A page that shows
more than its list takes the pieces: `table_card`, `pager` and `kept`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Generic, TypeVar
from urllib.parse import urlencode

from fastflow.kit.identity import Actor
from fastflow.kit.pages import Page as PageOf
from fastflow.ui.markup import Child, Html, div, join, link, span, tag
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Phrase

V = TypeVar("V")


class Listing(Generic[V]):
    """A list on a page.

    Args:
        page: where it is.
        path: of that page, below the interface's own.
        look: a page of what is listed, for whoever asks; called in a thread.
        heads: of the columns, made with `head`.
        row: one row of the table.
        none: stands there when nothing is listed.
        older: leads to the next page.
        keeps: what of the address the next page has as well, such as filters.
        cls: classes of the table.

    Attributes:
        count: how many were listed the last time.
    """

    def __init__(
        self,
        page: Page,
        path: str,
        look: Callable[[Actor, str | None], PageOf[V]],
        *,
        heads: Sequence[Html],
        row: Callable[[V], Html],
        none: Html,
        older: Phrase,
        keeps: Collection[str] = (),
        cls: str = "",
    ) -> None:
        self._page = page
        self._path = path
        self._look = look
        self._heads = heads
        self._row = row
        self._none = none
        self._older = older
        self._keeps = keeps
        self._cls = cls
        self.count = 0
        self._read: Html | None = None
        self._area: Fragment | None = None

    async def read(self) -> None:
        """Ask for what is listed; whatever the service refuses, it raises."""
        self._read = await self._ask(self._page.actor)

    def put(self, *, kinds: Collection[str] | None = ("state",), every: float | None = None) -> Fragment:
        """Show it here, and look again whenever something happened; `kinds` and `every` are those of `Page.live`."""
        if self._read is None:
            raise AssertionError("read it first")
        self._area = Fragment(self._read)
        self._page.live(self.refresh, kinds=kinds, every=every)
        return self._area

    async def refresh(self) -> None:
        """Look again now, with the rights that the reader has now."""
        html = await self._ask(await self._page.who())
        if self._area is not None:
            self._area.show(html)

    async def _ask(self, actor: Actor) -> Html:
        found = await self._page.ask(self._look, actor, self._page.query.get("cursor"))
        self.count = len(found.items)
        if not found.items:
            return div(self._none, cls="card")
        rows = [self._row(each) for each in found.items]
        following = pager(self._path, found.next_cursor, older=self._older, keeping=kept(self._page, self._keeps))
        return join(table_card(self._heads, rows, cls=self._cls), following)


def head(title: Child, cls: str = "") -> Html:
    """The head of a column."""
    return tag("th", title, scope="col", cls=cls)


def table_card(heads: Sequence[Html | None], rows: Iterable[Html], *, cls: str = "") -> Html:
    """A table on a card of its own."""
    return div(table(heads, rows, cls=cls), cls="card table-wrap")


def table(heads: Sequence[Html | None], rows: Iterable[Html], *, cls: str = "") -> Html:
    """A table whose rows become blocks on a phone."""
    body = tag("tbody", rows)
    return tag("table", tag("thead", tag("tr", heads)), body, cls=f"list stacks {cls}".rstrip())


def kept(page: Page, names: Collection[str]) -> Mapping[str, str]:
    """What the address says under these names."""
    return {name: page.query[name] for name in names if page.query.get(name)}


def address(path: str, given: Mapping[str, str]) -> str:
    """Of a page of ours, with what its address says; what is empty is left away."""
    query = urlencode({name: value for name, value in given.items() if value})
    return f"{BASE}{path}?{query}" if query else BASE + path


def pager(
    path: str,
    cursor: str | None,
    *,
    older: Phrase,
    newest: Phrase | None = None,
    keeping: Mapping[str, str] | None = None,
) -> Html | None:
    """The ways to other pages of a list: on, where there is more, and back to its begin, if `newest` is said."""
    if cursor is None and newest is None:
        return None
    back = link(address(path, keeping or {}), newest, cls="button") if newest else span()
    on = link(address(path, {**(keeping or {}), "cursor": cursor}), older, cls="button") if cursor else None
    return div(back, on, cls="pager")
