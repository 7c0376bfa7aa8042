"""How many runs of each pipeline wait or run."""

from collections.abc import Mapping

from sqlalchemy import func, or_, select

from fastflow.kernel.db.engine import Database
from fastflow.kernel.runs.infra.rows import PENDING, RUN, RUNNING


def count_active_by_pipeline(database: Database) -> Mapping[str, int]:
    """Pipeline -> its runs that have not ended, of those that have any."""
    query = select(RUN.c.pipeline_name, func.count()).where(or_(PENDING, RUNNING)).group_by(RUN.c.pipeline_name)
    with database.read() as connection:
        return {name: int(number) for name, number in connection.execute(query)}
