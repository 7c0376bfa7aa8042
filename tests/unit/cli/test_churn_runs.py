"""`fastflow churn run` and its neighbours, in-process without a server."""

from collections.abc import Callable
from contextlib import closing

import pytest
from typer.testing import CliRunner, Result

from fastflow.apps.churn.domain.demo import COLUMNS, CUSTOMERS, demo_rows
from fastflow.bootstrap import open_product
from fastflow.cli.access import Access
from fastflow.cli.app import app
from fastflow.cli.in_process import mount
from fastflow.kit.identity import SYSTEM
from fastflow.settings import Settings

Run = Callable[..., Result]


@pytest.fixture
def database_kind() -> str:
    return "sqlite"


@pytest.fixture
def run(settings: Settings, database_url: str) -> Run:
    """Runs one command to its end, on a product of its own, as every process has one."""

    def invoke(*arguments: str) -> Result:
        own = open_product(settings.model_copy(update={"database_url": database_url}))
        try:
            return CliRunner().invoke(app, arguments, obj=Access(connect=lambda: mount(own)))
        finally:
            own.close()

    return invoke


@pytest.mark.parametrize("command", [("run", "1", "churn"), ("demo",)])
def test_run_when_no_server_works_then_it_says_so_and_nothing_is_kept(run: Run, command: tuple[str, ...]) -> None:
    result = run("churn", *command)
    assert result.exit_code != 0
    assert "Experiments are computed by a server, and none works on this data folder." in result.output
    assert "fastflow serve" in result.output
    assert "No experiments." in run("churn", "experiments", "list").output


def test_jobs_when_there_are_none_then_it_says_so(run: Run) -> None:
    assert "No runs of experiments." in run("churn", "jobs").output


def test_demo_rows_when_drawn_twice_then_they_are_the_same_and_customers_leave() -> None:
    rows = list(demo_rows())
    assert rows == list(demo_rows())
    assert rows[0] == ",".join(COLUMNS)
    last = {row.split(",")[0]: row.split(",")[2] for row in rows[1:]}
    assert len(last) == CUSTOMERS
    assert CUSTOMERS / 4 < sum(alive == "0" for alive in last.values()) < CUSTOMERS * 3 / 4


def test_rerun_when_a_workbench_gave_the_run_its_inputs_then_it_says_that_nothing_is_taken_in(
    run: Run, settings: Settings, database_url: str
) -> None:
    with closing(open_product(settings.model_copy(update={"database_url": database_url}))) as own:
        own.churn.demo.start(actor=SYSTEM)
        own.churn.taking_in.look()
        (job,) = own.churn.runs.list(actor=SYSTEM, limit=10)
        again = run("runs", "rerun", job.run.id)
        assert again.exit_code == 0, again.output
        assert "to be compared, and not taken in" in again.stderr
        assert again.stdout.strip() != job.run.id
        own.churn.taking_in.look()
        assert own.churn.experiments.find(1, actor=SYSTEM).runs == {"churn": job.run.id}
