"""Columns of words: so few words that each can be a feature, and the same one in all of a customer's rows."""

from pathlib import Path

import duckdb

from fastflow.apps.churn.domain.dictionary import IGNORED, MOST_WORDS, STATIC, Dictionary
from fastflow.apps.churn.infra.engine.connection import quoted
from fastflow.apps.churn.infra.engine.faults import Faults, shown
from fastflow.apps.churn.infra.engine.kept import rows_of


def check_words(connection: duckdb.DuckDBPyConnection, meant: Dictionary, target: Path, faults: Faults) -> list[str]:
    """Tell columns with too many words; notes on those whose word changes within a customer."""
    panel = f"({rows_of(connection, target)})"
    notes = []
    for column in meant.taken():
        if column.role != STATIC or column.type != "text":
            continue
        name = quoted(column.name)
        words = connection.execute(
            f"SELECT count(*) FROM (SELECT DISTINCT {name} FROM {panel} WHERE {name} IS NOT NULL LIMIT {MOST_WORDS + 1})"
        ).fetchall()[0][0]
        if words > MOST_WORDS:
            told = f"the column has more than {MOST_WORDS} different words, and each would be a feature"
            faults.add(
                None, column.source, f"{told}; give it the role {IGNORED}, or the type number if these are numbers"
            )
            continue
        changing = connection.execute(
            f"SELECT count(*), min(Kunde), arg_min(first, Kunde), arg_min(last, Kunde) FROM (SELECT Kunde, min({name}) AS first, "
            f"max({name}) AS last FROM {panel} GROUP BY Kunde) WHERE first <> last"
        ).fetchall()[0]
        if changing[0]:
            count, customer, first, last = changing
            notes.append(
                f"{column.name} is called static but changes for {count} customers, such as {shown(customer)} "
                f"({shown(first)}, {shown(last)}); the earliest value counts."
            )
    return notes
