"""`fastflow doctor` on history: how much there is, and by which settings it is kept within bounds."""

from sqlalchemy import func, select

from fastflow.findings import Finding
from fastflow.kernel.db.engine import Database
from fastflow.kernel.runs.infra.rows import RUN
from fastflow.kit.words import counted
from fastflow.settings import Settings

MANY_RUNS = 10_000
"""From so many on it is worth a word that nothing ever removes them."""


def check_history(settings: Settings, database: Database | None) -> Finding:
    """How many runs there are, and what bounds them; without a database there are none yet."""
    runs = 0
    if database is not None:
        with database.read() as connection:
            runs = connection.execute(select(func.count()).select_from(RUN)).scalar_one()
    return judge_history(settings, runs)


def judge_history(settings: Settings, runs: int) -> Finding:
    """What the settings make of so many runs."""
    kept = _bounds(settings.run_retention_runs, settings.run_retention_days)
    logs = _bounds(settings.log_retention_runs, settings.log_retention_days)
    text = f"{counted(runs, 'run')}; runs are kept {kept or 'for ever'}, their logs {logs or kept or 'for ever'}"
    if runs < MANY_RUNS or kept is not None:
        return Finding(name="history", level="ok", text=text)
    remedy = "Set RUN_RETENTION_DAYS or RUN_RETENTION_RUNS; LOG_RETENTION_DAYS removes logs and artifacts alone."
    return Finding(name="history", level="note", text=text, remedy=remedy)


def _bounds(runs: int | None, days: float | None) -> str | None:
    parts = [] if days is None else [f"{days:g} {'day' if days == 1 else 'days'}"]
    parts += [] if runs is None else [f"up to {runs} for each pipeline"]
    return " and ".join(parts) or None
