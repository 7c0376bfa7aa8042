"""What is remembered of pipelines, in the database."""

from collections.abc import Mapping
from datetime import datetime
from typing import cast

from sqlalchemy import Table, insert, select, update
from sqlalchemy.exc import IntegrityError

from fastflow.kernel.db.engine import Database
from fastflow.kernel.pipelines.domain.pipeline import PipelineMemory
from fastflow.kernel.pipelines.infra.tables import PipelineRow

_PIPELINES = cast("Table", PipelineRow.__table__)  # type: ignore[attr-defined]  # SQLModel adds it at class creation


class SqlPipelineStore:
    """See `ports.PipelineStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def remember(self, seen: Mapping[str, bool], at: datetime) -> None:
        """See the port."""
        try:
            self._save(seen, at)
        except IntegrityError:  # another process noted one of them in between; now it is known
            self._save(seen, at)

    def save_warmup(self, name: str, at: datetime) -> None:
        """See the port."""
        with self._database.write() as connection:
            connection.execute(
                update(_PIPELINES).where(_PIPELINES.c.pipeline_name == name).values(last_cache_warmup=at)
            )

    def load_all(self) -> Mapping[str, PipelineMemory]:
        """See the port."""
        columns = (_PIPELINES.c.pipeline_name, _PIPELINES.c.last_cache_warmup, _PIPELINES.c.first_seen_at)
        with self._database.read() as connection:
            rows = connection.execute(select(*columns)).all()
        return {row[0]: PipelineMemory(name=row[0], last_cache_warmup=row[1], first_seen_at=row[2]) for row in rows}

    def _save(self, seen: Mapping[str, bool], at: datetime) -> None:
        with self._database.write() as connection:
            rows = connection.execute(select(_PIPELINES.c.pipeline_name, _PIPELINES.c.has_requirements)).all()
            known = {row[0]: bool(row[1]) for row in rows}
            for name, has_requirements in seen.items():
                if name in known and known[name] != has_requirements:
                    row = update(_PIPELINES).where(_PIPELINES.c.pipeline_name == name)
                    connection.execute(row.values(has_requirements=has_requirements))
            new = [
                {"pipeline_name": name, "has_requirements": has_requirements, "first_seen_at": at}
                for name, has_requirements in seen.items()
                if name not in known
            ]
            if new:
                connection.execute(insert(_PIPELINES), new)
