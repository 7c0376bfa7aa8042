"""What tables of results and their columns hold, in words. The sentences are in `result_tables.toml`."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

_SENTENCES = Path(__file__).with_name("result_tables.toml")
_COMMON = "columns"
_ABOUT = "about"


def describe_table(table: str) -> str:
    """What a table of results holds; '' if nobody said.

    >>> describe_table("churn_lift")
    'Lift and gain of contacting the riskiest 1, 5, 10 and 20 %.'
    """
    return _sentences().get(table, {}).get(_ABOUT, "")


def describe_column(table: str, column: str) -> str:
    """What a column of a table of results holds; of views, what the column means everywhere; '' if nobody said.

    >>> describe_column("cf_individual", "p_old")
    'Probability as things are.'
    >>> describe_column("churn_cox_fusion", "P_Event_12m")
    'Probability to have left within 12 months, being there at the cutoff; empty beyond the follow-up.'
    """
    own, common = _sentences().get(table, {}), _sentences()[_COMMON]
    return own.get(column) or common.get(column) or _by_pattern(column, common)


def _by_pattern(column: str, sentences: Mapping[str, str]) -> str:
    for pattern, sentence in sentences.items():
        start, star, end = pattern.partition("*")
        fits = column.startswith(start) and column.endswith(end) and len(column) > len(start) + len(end)
        if star and fits:
            return sentence.format(column[len(start) : len(column) - len(end)])
    return ""


@cache
def _sentences() -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads(_SENTENCES.read_text(encoding="utf-8"))
