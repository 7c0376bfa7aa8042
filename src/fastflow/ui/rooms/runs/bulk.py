"""Many runs at once: which are meant, and what is done with each. One that is refused does not keep the others."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from fastflow.kernel.failures.domain.errors import LetterNotFound
from fastflow.kernel.failures.domain.records import LetterState
from fastflow.kernel.failures.service import LetterService
from fastflow.kernel.runs.domain.run import Run, RunFilter
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.service import RunService
from fastflow.kit.errors import FastFlowError
from fastflow.kit.identity import Actor, Role

Deed = Literal["cancel", "replay"]
MOST = 1000
"""So many are taken at once; more than anybody means, and less than a minute's work."""
_FITTING = {
    "cancel": (RunStatus.RUNNING, RunStatus.PENDING),
    "replay": (RunStatus.FAILED, RunStatus.SUCCESS),
}


@dataclass(frozen=True, kw_only=True)
class Meant:
    """The runs that something is to be done with, the oldest first.

    Attributes:
        others: how many of the chosen ones it cannot be done with, such as those that have ended.
        is_more: beyond `MOST` there are others.
    """

    ids: Sequence[str]
    others: int = 0
    is_more: bool = False


@dataclass(kw_only=True)
class Outcome:
    """What became of them so far."""

    done: int = 0
    refused: int = 0
    first_problem: FastFlowError | None = field(default=None)


class BulkRuns:
    """Does the same with many runs.

    Args:
        runs: the runs.
        letters: the dead letters, which a replay settles.
    """

    def __init__(self, runs: RunService, letters: LetterService) -> None:
        self._runs = runs
        self._letters = letters

    def find_chosen(self, deed: Deed, ids: Sequence[str], actor: Actor) -> Meant:
        """Those of these runs with which it can be done now.

        Raises:
            FastFlowError: one of them is no run, or none that the actor may see.
        """
        chosen = [self._runs.get(run_id, actor=actor) for run_id in dict.fromkeys(ids[:MOST])]
        meant = sorted(run.id for run in chosen if run.status in _FITTING[deed])
        return Meant(ids=meant, others=len(chosen) - len(meant))

    def find_all(self, deed: Deed, wanted: RunFilter, actor: Actor) -> Meant:
        """All that fit the filter, of pipelines that the actor operates; of very many the newest."""
        actor.require_somewhere(Role.OPERATOR)
        found: list[Run] = []
        is_more = False
        for status in _FITTING[deed]:
            if wanted.status in (None, status):
                page = self._runs.list(replace(wanted, status=status), actor=actor, limit=MOST, role=Role.OPERATOR)
                found += page.items
                is_more = is_more or page.next_cursor is not None
        newest = sorted((run.id for run in found), reverse=True)
        return Meant(ids=newest[:MOST][::-1], is_more=is_more or len(newest) > MOST)

    def do(self, deed: Deed, ids: Sequence[str], actor: Actor, outcome: Outcome, batch: str) -> None:
        """Do it with each of them, and note what became of it.

        Args:
            deed: what.
            ids: with which.
            actor: who.
            outcome: gets what became of it.
            batch: of one confirmation: a run is replayed once for each.
        """
        for run_id in ids:
            try:
                if deed == "cancel":
                    self._runs.cancel(run_id, actor=actor)
                else:
                    self._replay(run_id, actor, batch)
                outcome.done += 1
            except FastFlowError as error:
                outcome.refused += 1
                outcome.first_problem = outcome.first_problem or error

    def _replay(self, run_id: str, actor: Actor, batch: str) -> Run:
        """A dead letter is replayed as one, so that it is settled; any other run is submitted again."""
        try:
            letter = self._letters.get(run_id, actor=actor, role=Role.OPERATOR)
        except LetterNotFound:
            letter = None
        if letter is not None and letter.state is not LetterState.DISMISSED:
            return self._letters.replay(run_id, actor=actor)
        return self._runs.rerun(run_id, actor=actor, trigger="replay", idempotency_key=f"bulk:{batch}:{run_id}")
