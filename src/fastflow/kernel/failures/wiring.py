"""Assembles failures: the services for the web process and the command line, the sorter for the runner process."""

import os
from dataclasses import dataclass
from pathlib import Path

from fastflow.kernel.db.engine import Database
from fastflow.kernel.failures.infra.commits import GitCommits
from fastflow.kernel.failures.infra.group_store import SqlGroupStore
from fastflow.kernel.failures.infra.letter_store import SqlLetterStore
from fastflow.kernel.failures.infra.log_tails import LogTails
from fastflow.kernel.failures.ports import HandedBytes, Runs
from fastflow.kernel.failures.service import FailureService, FailureSorter, LetterService
from fastflow.kit.clock import Clock


@dataclass(frozen=True, kw_only=True)
class FailuresRoom:
    """The services of the room.

    Attributes:
        sorter: what runs in the runner process.
    """

    failures: FailureService
    letters: LetterService
    sorter: FailureSorter


def build_failures(
    database: Database,
    *,
    runs: Runs,
    handed: HandedBytes,
    pipelines_dir: Path,
    logs_dir: Path,
    host: str,
    clock: Clock,
) -> FailuresRoom:
    """Failures on the product's database.

    Args:
        database: migrated.
        runs: the runs below.
        handed: how much the runs before it handed on to a run.
        pipelines_dir: perhaps in a Git repository.
        logs_dir: the logs of this machine.
        host: id of the data directory.
        clock: the product's.
    """
    groups = SqlGroupStore(database)
    commits = GitCommits(pipelines_dir, os.environ.get("PATH", os.defpath))  # noqa: TID251 - where Git is found
    return FailuresRoom(
        failures=FailureService(store=groups, runs=runs, commits=commits, handed=handed, clock=clock),
        letters=LetterService(store=SqlLetterStore(database), runs=runs, clock=clock),
        sorter=FailureSorter(store=groups, tails=LogTails(logs_dir), host=host),
    )
