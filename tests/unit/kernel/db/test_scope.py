"""Pipelines' names and patterns as a condition of a query: the same pipelines as in `name_patterns`, on each database."""

from sqlalchemy import literal, select, union_all

from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.scope import in_scope
from fastflow.kit.name_patterns import matches

NAMES = ["billing-daily", "Billing-daily", "billing", "billing.v2", "billingXv2", "a", "ab", "a_c", "50%"]
SCOPES = [
    [],
    ["a"],
    ["billing-*"],
    ["billing.v2"],
    ["*"],
    ["a?"],
    ["a?c", "billing*"],
    ["*-daily", "50%"],
    ["bill*.v*"],
]


def test_in_scope_when_asked_of_names_then_finds_those_that_the_patterns_stand_for(database: Database) -> None:
    given = union_all(*(select(literal(name).label("name")) for name in NAMES)).subquery()
    with database.read() as connection:
        for patterns in SCOPES:
            query = select(given.c.name).where(in_scope(given.c.name, patterns))
            found = set(connection.execute(query).scalars())
            assert found == {name for name in NAMES if any(matches(each, name) for each in patterns)}, patterns
