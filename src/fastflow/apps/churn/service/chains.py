"""Experiments computed whole: churn, Cox, materialising and counterfactuals, each step begun when the one before is done.

A chain is asked for by a save of the experiment's row alone; whoever takes results in begins its steps. So a server that
dies between two steps goes on with the next one at its next start, and never takes one twice.
"""

from collections.abc import Callable
from dataclasses import replace

from fastflow.apps.churn.domain.chain import MATERIALIZE, Chain
from fastflow.apps.churn.domain.document import Document
from fastflow.apps.churn.domain.experiment import FAILED, PROCESSED, PROCESSING, Experiment
from fastflow.apps.churn.domain.experiment_rows import find_experiment, with_experiment
from fastflow.apps.churn.domain.jobs import Ask, current_run
from fastflow.apps.churn.errors import EngineFailed, JobNotFound, NoChain
from fastflow.apps.churn.ports import ChurnStore, Note
from fastflow.apps.churn.service.database import GUARDED_BY
from fastflow.apps.churn.service.experiments import found_experiment
from fastflow.apps.churn.service.materializing import Materializing
from fastflow.apps.churn.service.runs import ChurnRuns
from fastflow.kit.clock import Clock
from fastflow.kit.errors import CapacityExceeded, Conflict, FastFlowError, Unavailable
from fastflow.kit.identity import SYSTEM, Actor, Role
from fastflow.kit.ids import new_id


class _Moved(Exception):
    """The experiment is at that step no more."""


class Chains:
    """The use cases.

    Args:
        store: the churn database.
        runs: starts the pipelines.
        materializing: takes the step between them.
        clock: tells the time.
    """

    def __init__(self, store: ChurnStore, runs: ChurnRuns, materializing: Materializing, clock: Clock) -> None:
        self._store = store
        self._runs = runs
        self._materializing = materializing
        self._clock = clock

    def start(self, experiment_id: int, ask: Ask, *, actor: Actor) -> Experiment:
        """Ask for all steps; the server's runner begins the first within a second.

        Raises:
            Forbidden, ExperimentNotFound, JobRefused, ExperimentBusy, DatabaseBusy, DatabaseDamaged: nothing was asked.
        """
        self._runs.check(experiment_id, ask, actor=actor)
        made: list[Experiment] = []

        def edit(document: Document) -> tuple[Document, Note]:
            present, now = self._runs.startable(document, experiment_id), self._now()
            chain = Chain(chain_id=new_id(), asked_by=actor.name, asked_at=now)
            made.append(replace(present.moved(PROCESSING, at=now), chain=chain))
            return with_experiment(document, made[-1]), _note(actor, "run_all", made[-1], chain=chain.chain_id)

        self._store.change(edit)
        return made[-1]

    def cancel(self, experiment_id: int, *, actor: Actor, reason: str | None = None) -> Experiment:
        """End a chain: the run that is under way with every process of it, and no step follows. The experiment becomes
        failed, with who did it; while a run is under way, as soon as that has ended.

        Raises:
            Forbidden, ExperimentNotFound, NoChain, DatabaseBusy, DatabaseDamaged.
        """
        actor.require_pipeline(GUARDED_BY, Role.OPERATOR)
        why = f"cancelled by {actor.name}" + (f": {reason}" if reason else "")
        while True:  # a step may end, and the next one begin, at this moment
            experiment = found_experiment(self._store.read(), experiment_id)
            if experiment.status != PROCESSING or experiment.step is None:
                raise NoChain(f"No chain computes the experiment {experiment_id}: it is {experiment.status}.")
            if self._is_cancelled(experiment, actor, reason) or self._fail(experiment, why, actor):
                return found_experiment(self._store.read(), experiment_id)

    def _is_cancelled(self, experiment: Experiment, actor: Actor, reason: str | None) -> bool:
        """Whether there was a run to cancel: its end becomes the experiment's."""
        run_id = current_run(experiment)
        if run_id is None:
            return False
        try:
            self._runs.cancel(run_id, actor=actor, reason=reason)
        except (Conflict, JobNotFound):  # it has ended just now; but no step is to follow
            return False
        return True

    # -- steps ------------------------------------------------------------------------------------------------------------

    def go_on(self, experiment: Experiment) -> bool:
        """Take the step that the experiment's chain waits for; False: another process did.

        Raises:
            Unavailable, CapacityExceeded: it can be taken later.
        """
        assert experiment.chain is not None
        assert experiment.step is not None
        asker, find = Actor(name=experiment.chain.asked_by, role=Role.NONE), self._at_step(experiment)
        try:
            if experiment.step.name == MATERIALIZE:
                self._materializing.take_step(experiment.experiment_id, find, self._done, actor=asker)
            else:
                self._runs.start_step(experiment, find, actor=asker)
        except _Moved:
            return False
        except EngineFailed as error:
            return self._fail(experiment, error.message, SYSTEM)
        except (Unavailable, CapacityExceeded):
            raise
        except FastFlowError as error:
            return self._fail(experiment, str(error), SYSTEM)
        return True

    def _done(self, experiment: Experiment) -> Experiment:
        assert experiment.chain is not None
        after, now = replace(experiment, chain=experiment.chain.done()), self._now()
        return after.moved(PROCESSED, at=now) if after.step is None else replace(after, updated_at=now)

    def _fail(self, experiment: Experiment, reason: str, actor: Actor) -> bool:
        find = self._at_step(experiment)

        def edit(document: Document) -> tuple[Document, Note]:
            after = find(document).moved(FAILED, at=self._now(), reason=reason)
            return with_experiment(document, after), _note(actor, FAILED, after, reason=after.reason)

        try:
            self._store.change(edit)
        except _Moved:
            return False
        return True

    @staticmethod
    def _at_step(experiment: Experiment) -> Callable[[Document], Experiment]:
        """Finds the experiment while it is where it was."""

        def find(document: Document) -> Experiment:
            present = find_experiment(document, experiment.experiment_id)
            if present is None or present.status != PROCESSING or present.chain != experiment.chain:
                raise _Moved
            return present

        return find

    def _now(self) -> str:
        return self._clock.now().isoformat(timespec="microseconds")


def _note(actor: Actor, action: str, experiment: Experiment, **detail: object) -> Note:
    subject = f"churn_experiment:{experiment.experiment_id}"
    told = {"name": experiment.experiment_name, "status": experiment.status, **detail}
    return Note(actor=actor, action=f"churn_experiment.{action}", subject=subject, detail=told)
