"""Numbers in words, the same in all parts of the report."""

import re
from collections.abc import Sequence
from typing import Any

from fastflow.ui.hints import as_told, plain
from fastflow.ui.reports.blocks import Check, Column, Mark
from fastflow.ui.texts import Data, Phrase, Texts

NOTHING = Data("–")
_PARTS = re.compile(r"\w+")


def number(value: Any, digits: int = 3) -> Data:
    """A number with so many decimals; a dash when there is none.

    >>> number(0.77639), number(None), number(12345.0, 0)
    ('0.776', '–', '12\u202f345')
    """
    if value is None:
        return NOTHING
    return Data(f"{float(value):,.{digits}f}".replace(",", "\u202f"))


def share(value: Any, digits: int = 1) -> Data:
    """A share in per cent.

    >>> share(0.1314), share(None)
    ('13.1 %', '–')
    """
    return NOTHING if value is None else Data(f"{100 * float(value):.{digits}f} %")


def signed(value: Any, digits: int = 3) -> Data:
    """A difference, with its sign.

    >>> signed(0.014), signed(-0.014), signed(None)
    ('+0.014', '-0.014', '–')
    """
    return NOTHING if value is None else Data(f"{float(value):+.{digits}f}")


def span_of(low: Any, high: Any, digits: int = 3, *, is_signed: bool = False) -> Data:
    """An interval; of a difference, with the signs.

    >>> span_of(0.1, 0.25), span_of(-0.1, 0.25, is_signed=True)
    ('0.100 – 0.250', '-0.100 – +0.250')
    """
    shown = signed if is_signed else number
    return NOTHING if low is None or high is None else Data(f"{shown(low, digits)} – {shown(high, digits)}")


def check(t: Texts, name: str, mark: Mark, *, said: str = "", **values: Any) -> Check:
    """One check in words.

    Args:
        name: of it in the catalogue. mark: how it came out.
        said: the sentence, where it is not the one of the name and the mark.
        values: put into the sentence.
    """
    return Check(
        name=t(f"churn_report.check_{name}"),
        mark=mark,
        told=t(f"churn_report.mark_of_{mark}"),
        words=t(f"churn_report.check_{said or f'{name}_{mark}'}", **values),
    )


def p_value(value: Any) -> Data:
    """A probability under the null hypothesis, never shown as nought.

    >>> p_value(4e-9), p_value(0.0312)
    ('< 0.0001', '0.0312')
    """
    if value is None:
        return NOTHING
    return Data("< 0.0001") if float(value) < 1e-4 else number(value, 4)


def month(value: Any) -> Data:
    """A month as people write it.

    >>> month(202309)
    '2023-09'
    """
    text = str(int(value))
    return Data(f"{text[:4]}-{text[4:]}")


def known(t: Texts, group: str, word: str) -> Phrase | Data:
    """A word of a pipeline in the reader's language; one that the catalogue does not have, as it is."""
    key = f"churn_report.{group}_{'_'.join(_PARTS.findall(word))}"
    return t(key) if t.has(key) else Data(word)


def columns(t: Texts, first: str, *others: str) -> Sequence[Column]:
    """A column of names and columns of numbers, by the keys of their heads."""
    return [
        Column(head=t(f"churn_report.{first}")),
        *(Column(head=t(f"churn_report.{key}"), is_number=True) for key in others),
    ]


def said_by(t: Texts, text: Any) -> Data:
    """What a pipeline said, in the reader's language as far as it is known there."""
    return Data(plain(as_told(t, str(text))))
