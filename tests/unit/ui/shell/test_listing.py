"""The pieces of lists: the ways to other pages, and what addresses keep."""

from types import SimpleNamespace
from typing import Any, cast

from fastflow.ui.markup import tag
from fastflow.ui.shell.listing import address, head, kept, pager, table_card
from fastflow.ui.shell.page import Page
from fastflow.ui.texts import Data, Phrase

_OLDER, _NEWEST = cast("Phrase", Data("Older")), cast("Phrase", Data("Newest"))


def test_pager_when_there_is_more_then_it_leads_on_and_keeps_the_filters() -> None:
    html = pager("/runs", "c&1", older=_OLDER, keeping={"pipeline": "a b"})

    assert html == (
        '<div class="pager"><span></span>'
        '<a class="button" href="/ui/runs?pipeline=a+b&amp;cursor=c%261">Older</a></div>'
    )


def test_pager_when_deep_then_it_leads_back_without_the_cursor_and_on_only_where_there_is_more() -> None:
    html = pager("/runs", None, older=_OLDER, newest=_NEWEST, keeping={"pipeline": "a"})

    assert html == '<div class="pager"><a class="button" href="/ui/runs?pipeline=a">Newest</a></div>'


def test_pager_when_all_is_shown_then_there_is_none() -> None:
    assert pager("/runs", None, older=_OLDER) is None


def test_kept_when_a_filter_is_empty_or_foreign_then_left_away() -> None:
    page = cast("Page", SimpleNamespace(query={"pipeline": "a", "state": "", "other": "x"}))

    assert kept(page, ["pipeline", "state"]) == {"pipeline": "a"}


def test_address_when_nothing_is_given_then_the_page_alone() -> None:
    assert address("/runs", {"cursor": ""}) == "/ui/runs"


def test_table_card_when_drawn_then_heads_are_of_their_columns() -> None:
    cell: Any = tag("tr", tag("td", Data("<x>")))

    html = table_card([head(Data("Name")), None, head(Data("Size"), "right")], [cell], cls="wide")

    assert '<th scope="col">Name</th><th class="right" scope="col">Size</th>' in html
    assert html.startswith('<div class="card table-wrap"><table class="list stacks wide">')
    assert "<td>&lt;x&gt;</td>" in html
