"""Pipelines' names and patterns, such as `billing-*`, as a condition of a query."""

import re
from collections.abc import Collection

from sqlalchemy import ColumnElement, or_

from fastflow.kit.name_patterns import has_wildcard


def in_scope(column: ColumnElement[str], patterns: Collection[str]) -> ColumnElement[bool]:
    """Whether the column holds one of the names, or a name that one of the patterns stands for.

    Plain names use an index; patterns are regular expressions, which compare letters as they are on both databases
    (`LIKE` does not on SQLite, nor `GLOB` on PostgreSQL).
    """
    plain = column.in_(sorted(pattern for pattern in patterns if not has_wildcard(pattern)))
    wild = sorted(pattern for pattern in patterns if has_wildcard(pattern))
    if not wild:
        return plain
    return or_(plain, column.regexp_match(f"^({'|'.join(map(_expression, wild))})$"))


def _expression(pattern: str) -> str:
    return "".join(".*" if letter == "*" else "." if letter == "?" else re.escape(letter) for letter in pattern)
