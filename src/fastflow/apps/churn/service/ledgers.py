"""Lists of contacts: whom an experiment's counterfactuals say to contact, and how that did as months came. Viewers read them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastflow.apps.churn.domain.jobs import CF, find_results
from fastflow.apps.churn.domain.ledger import CONTACTS, SCORES
from fastflow.apps.churn.errors import NoLedger
from fastflow.apps.churn.ports import ChurnStore
from fastflow.apps.churn.service.database import GUARDED_BY
from fastflow.apps.churn.service.experiments import found_experiment
from fastflow.apps.churn.service.sql import Sql
from fastflow.kit.identity import Actor

_MOST_MONTHS = 1200
Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """A list of contacts.

    Attributes:
        experiment_id: whose.
        decision: how many, their cost and expected profit with its interval; None: cf has not run.
        contacts: the best first.
        scores: a row for each month that is known since, of the view `decision_ledger_scores`.
    """

    experiment_id: int
    decision: Row | None
    contacts: Sequence[Row]
    scores: Sequence[Row]


class Ledgers:
    """The use cases.

    Args:
        store: the churn database.
        sql: asks it.
    """

    def __init__(self, store: ChurnStore, sql: Sql) -> None:
        self._store = store
        self._sql = sql

    def find(self, experiment_id: int, *, limit: int, actor: Actor) -> Ledger:
        """The experiment's list, and its scores as of now.

        Raises:
            Forbidden, ExperimentNotFound, DatabaseDamaged, EngineFailed, CapacityExceeded, SqlRefused.
        """
        actor.require_pipeline(GUARDED_BY)
        document = self._store.read()
        found_experiment(document, experiment_id)
        record = find_results(document, experiment_id, CF)
        decision = None if record is None else record["report"].get("decision")
        contacts = self._ask(_contacts_of(experiment_id), limit, actor) if self._has_contacts(experiment_id) else ()
        scores = self.scores(experiment_id, actor=actor)
        return Ledger(experiment_id=experiment_id, decision=decision, contacts=contacts, scores=scores)

    def contacts_query(self, experiment_id: int, *, actor: Actor) -> str:
        """The query for the whole list.

        Raises:
            Forbidden, ExperimentNotFound, DatabaseDamaged.
            NoLedger: cf has not run.
        """
        actor.require_pipeline(GUARDED_BY)
        found_experiment(self._store.read(), experiment_id)
        if not self._has_contacts(experiment_id):
            raise NoLedger(f"The experiment {experiment_id} has no list of contacts yet.")
        return _contacts_of(experiment_id)

    def scores(self, experiment_id: int, *, actor: Actor) -> Sequence[Row]:
        """What became of those on the list and of those beside it, month by month; raises as `find`."""
        if not self._has_contacts(experiment_id):
            return ()
        query = f"SELECT * FROM {SCORES} WHERE experiment_id = {int(experiment_id)} ORDER BY outcome_month"  # noqa: S608
        return self._ask(query, _MOST_MONTHS, actor)

    def _has_contacts(self, experiment_id: int) -> bool:
        document = self._store.read()
        return find_results(document, experiment_id, CF) is not None and CONTACTS in document.tables

    def _ask(self, query: str, limit: int, actor: Actor) -> Sequence[Row]:
        answer = self._sql.query(query, limit=limit, actor=actor)
        names = [column["name"] for column in answer.columns]
        return [dict(zip(names, row, strict=True)) for row in answer.rows]


def _contacts_of(experiment_id: int) -> str:
    return f"SELECT * FROM {CONTACTS} WHERE experiment_id = {int(experiment_id)} ORDER BY rank"  # noqa: S608
