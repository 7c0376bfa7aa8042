from fastflow.ui.markup import Html, div, join, link, tag
from fastflow.ui.texts import Data, Phrase

EVIL = '<script>alert("x")</script>'


def test_markup_when_text_is_put_in_then_it_is_escaped() -> None:
    shown = div(Data(EVIL), Phrase("a & b"), title=EVIL)
    assert "<script>" not in shown
    assert "a &amp; b" in shown
    assert 'title="&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;"' in shown


def test_markup_when_markup_is_put_in_then_it_stays() -> None:
    assert div(tag("b", Data("x")), cls="a") == '<div class="a"><b>x</b></div>'
    assert isinstance(join(Html("<i></i>")), Html)


def test_markup_when_attributes_are_false_or_none_then_they_are_left_away() -> None:
    assert tag("input", disabled=True, hidden=False, value=None, aria_label="x") == '<input disabled aria-label="x">'


def test_link_when_made_then_its_address_is_escaped() -> None:
    assert link('/a?x="&y', Data("go")) == '<a href="/a?x=&quot;&amp;y">go</a>'


def test_markup_when_children_are_nested_or_missing_then_they_are_flat() -> None:
    assert div([Data("a"), None, Data("b")], None) == "<div>ab</div>"
