"""Which pipelines have runs: what a pattern such as `billing-*` stands for in a query."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Select, func, select

from fastflow.kernel.runs.infra.rows import RUN
from fastflow.kit.name_patterns import expand, has_wildcard


def names_in_scope(connection: Connection, patterns: Collection[str]) -> Sequence[str]:
    """The names of pipelines that the patterns stand for; of wildcards, those that have runs."""
    if not any(map(has_wildcard, patterns)):
        return sorted(patterns)
    found = connection.execute(_pipelines_with_runs()).scalars()
    return expand(patterns, [name for name in found if name is not None])


def _pipelines_with_runs() -> Select[Any]:
    """One step in the index for each name, however many runs there are."""
    names = select(func.min(RUN.c.pipeline_name).label("name")).cte("names", recursive=True)
    following = select(func.min(RUN.c.pipeline_name)).where(RUN.c.pipeline_name > names.c.name)
    return select(names.union_all(select(following.scalar_subquery()).where(names.c.name.is_not(None))).c.name)
