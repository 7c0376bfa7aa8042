"""The windows of an experiment as bars over the months of its data, and in words what is learned from them."""

from collections.abc import Sequence

from fastflow.apps.churn.domain.month import Window
from fastflow.apps.churn.domain.timeline import Timeline
from fastflow.apps.churn.pages.experiments.words import month, window
from fastflow.ui.markup import Html, div, join, span, tag
from fastflow.ui.texts import Data, Phrase, Texts

_Bar = tuple[str, Phrase, Window]


def timeline(t: Texts, known: Window | None, laid: Timeline | None) -> Html:
    """Bars for the data and the windows; without windows that go together, the data alone.

    Args:
        t: the words.
        known: months that the chosen files tell of; None: there are none.
        laid: the windows; None: they are not whole, or do not go together.
    """
    bars: list[_Bar] = [] if known is None else [("data", t("experiments.bar_data"), known)]
    if laid is not None:
        bars.append(("training", t("experiments.training"), laid.training))
        if laid.gap is not None:
            bars.append(("gap", t("experiments.bar_gap"), laid.gap))
        bars.append(("backtest", t("experiments.backtest"), laid.backtest))
    if not bars:
        return Html("")
    return div(_drawn(t, bars), _legend(t, bars), _learned(t, laid), cls="timeline")


def _drawn(t: Texts, bars: Sequence[_Bar]) -> Html:
    first, last = min(one.first for *_, one in bars), max(one.last for *_, one in bars)
    length = last - first + 1

    def bar(kind: str, one: Window) -> Html:
        style = f"left: {100 * (one.first - first) / length:.2f}%; width: {100 * len(one) / length:.2f}%"
        return tag("i", cls=f"bar of-{kind}", style=style)

    ends = div(span(Data(month(first))), span(Data(month(last))), cls="ends number")
    told = "; ".join(f"{name} {window(one)}" for _, name, one in bars)
    rows = [
        div([bar(kind, one) for kind, _, one in bars if (kind == "data") == is_data], cls="track")
        for is_data in (True, False)
    ]
    return div(*rows, ends, role="img", aria_label=t("experiments.timeline", told=told))


def _legend(t: Texts, bars: Sequence[_Bar]) -> Html:
    return div(
        *(
            span(
                tag("i", cls=f"key of-{kind}", aria_hidden="true"),
                name,
                span(window(one), cls="number"),
                span(t.count("experiments.n_months", len(one)), cls="muted"),
            )
            for kind, name, one in bars
        ),
        cls="keys",
    )


def _learned(t: Texts, laid: Timeline | None) -> Html | None:
    if laid is None:
        return None
    if not laid.anchors:
        return tag("p", t("experiments.no_anchor"), cls="small-text wrong")
    lengths = {
        "anchors": laid.anchors,
        "history": laid.history_months,
        "ahead": len(laid.backtest),
        "gap": laid.gap_months,
    }
    said = {name: t.count("experiments.n_months", length) for name, length in lengths.items()}
    told = [t("experiments.learned", **said), t("experiments.learned_gap", **said) if laid.gap_months else None]
    return tag("p", [join(each, Data(" ")) for each in told if each], cls="small-text muted")
