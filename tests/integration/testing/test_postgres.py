"""The fixtures that hand out databases: fresh, migrated, on both kinds."""

from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.migrate import current_revision, head_revision
from fastflow.kernel.pipelines.infra.tables import PipelineRow
from fastflow.testing.clock import FakeClock
from fastflow.testing.postgres import PostgresServer, sweep

_pipeline = PipelineRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it


@pytest.mark.parametrize("round_number", [1, 2])
def test_database_when_another_test_wrote_before_then_it_is_empty(
    database: Database, clock: FakeClock, round_number: int
) -> None:
    with database.write() as connection:
        connection.execute(
            insert(_pipeline).values(pipeline_name="a", has_requirements=False, first_seen_at=clock.now())
        )
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(_pipeline)) == 1
        assert connection.scalar(select(_pipeline.c.first_seen_at)) == clock.now()


def test_database_when_handed_out_then_it_is_migrated(database: Database) -> None:
    assert current_revision(database) == head_revision()


def test_write_when_the_block_raises_then_nothing_is_kept(database: Database, clock: FakeClock) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        connection.execute(
            insert(_pipeline).values(pipeline_name="a", has_requirements=False, first_seen_at=clock.now())
        )
        _ = 1 / 0
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(_pipeline)) == 0


def test_sweep_when_the_starter_was_killed_then_the_server_is_stopped(data_dir: Path) -> None:
    server = PostgresServer.start(data_dir)
    (server.folder / "owner").write_text("4194305")  # more than any process id
    sweep(data_dir)
    assert not server.folder.exists()
